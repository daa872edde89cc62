/* SPDX-License-Identifier: Apache-2.0 */
/* What the meter said of a run: energy of an inference and its parts, phases, states, budget. */
#include "show_run.h"

#include <math.h>

static const char *state_name(int s)
{
    return atoll_power_state_name((enum atoll_power_state)s);
}

/* ------------------------------------------------------------------------ JSON */

static json_t *rails_json(const struct run_view *v, const struct atoll_meter_info *info)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < v->result->n_rails; i++) {
        const struct atoll_energy *e = &v->result->rails[i];
        json_t *j = json_object();
        json_object_set_new(j, "name", out_string(info->rails[i].name));
        atoll_json_set_number(j, "window_energy_mj", e->energy_mj);
        atoll_json_set_number(j, "window_energy_u95_mj", e->u95_mj);
        atoll_json_set_number(j, "mean_w", e->mean_w);
        json_array_append_new(list, j);
    }
    return list;
}

static json_t *phases_json(const struct atoll_run_result *r)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < r->n_phases; i++) {
        const struct atoll_phase_result *p = &r->phases[i];
        json_t *j = json_object();
        json_object_set_new(j, "name", json_string(p->name));
        atoll_json_set_number(j, "from_s", (double)(p->from_ns - r->phases[0].from_ns) / 1e9);
        atoll_json_set_number(j, "seconds", (double)(p->to_ns - p->from_ns) / 1e9);
        atoll_json_set_number(j, "window_energy_mj", p->energy.energy_mj);
        atoll_json_set_number(j, "window_energy_u95_mj", p->energy.u95_mj);
        atoll_json_set_number(j, "mean_w", p->energy.mean_w);
        json_array_append_new(list, j);
    }
    return list;
}

/* Why a state has no power; NULL: it has one. */
static const char *why_not(const struct atoll_run_result *r, int s, char text[80])
{
    const struct atoll_state_result *k = &r->states[s];
    if (isfinite(k->power_w)) {
        return NULL;
    }
    (void)snprintf(text, 80, k->with >= 0 ? "cannot be told from %s: they go together" : "%s",
                   k->with >= 0 ? state_name(k->with) : "did not occur");
    return text;
}

static json_t *states_json(const struct atoll_run_result *r)
{
    json_t *list = json_array();
    for (int s = 0; s < ATOLL_STATES && r->states_known; s++) {
        const struct atoll_state_result *k = &r->states[s];
        char text[80];
        const char *why = why_not(r, s, text);
        json_t *j = json_object();
        json_object_set_new(j, "state", json_string(state_name(s)));
        atoll_json_set_number(j, "window_tpu_s", k->tpu_s);
        atoll_json_set_number(j, "power_w", k->power_w);
        atoll_json_set_number(j, "power_u95_w", k->power_u95_w);
        atoll_json_set_number(j, "energy_mj", k->energy_mj);
        atoll_json_set_number(j, "energy_u95_mj", k->energy_u95_mj);
        json_object_set_new(j, "why", why ? json_string(why) : json_null());
        json_array_append_new(list, j);
    }
    return list;
}

/* Standard components of the energy of an inference. */
static json_t *budget_json(const struct atoll_run_result *r)
{
    const struct atoll_energy *e = &r->total;
    const double per = r->energy_mj / e->energy_mj;
    json_t *j = json_object();
    atoll_json_set_number(j, "gain_mj", e->u_gain_mj * per);
    atoll_json_set_number(j, "zero_mj", e->u_zero_mj * per);
    atoll_json_set_number(j, "drift_mj", e->u_drift_mj * per);
    atoll_json_set_number(j, "noise_mj", e->u_noise_mj * per);
    atoll_json_set_number(j, "time_mj", e->u_time_mj * per);
    atoll_json_set_number(j, "voltage_mj", e->u_volt_mj * per);
    atoll_json_set_number(j, "coverage_k", e->coverage_k);
    return j;
}

static json_t *meter_json(const struct run_view *v, const struct atoll_meter_info *info)
{
    double ppm = 0, u_ns = 0;
    json_t *j = json_object();
    atoll_meter_clock(v->meter, &ppm, &u_ns);
    json_object_set_new(j, "kind", json_string(info->kind));
    json_object_set_new(j, "description", out_string(info->description));
    json_object_set_new(j, "origin", json_string(atoll_origin_name(info->origin)));
    atoll_json_set_number(j, "rate_hz", info->rate_hz);
    atoll_json_set_number(j, "clock_ppm", ppm);
    json_object_set_new(j, "lost_scans", json_integer((json_int_t)v->result->total.lost_scans));
    return j;
}

static json_t *ranging_json(const struct atoll_ranging_result *g)
{
    if (!(g->asked_frac > 0)) {
        return json_null();
    }
    json_t *j = json_object();
    atoll_json_set_number(j, "asked_frac", g->asked_frac);
    atoll_json_set_number(j, "pass_s", g->window_s);
    atoll_json_set_number(j, "pass_u95_frac", g->u95_frac);
    atoll_json_set_number(j, "needed_s", g->needed_s);
    return j;
}

void show_energy_json(json_t *j, const struct run_view *v)
{
    const struct atoll_run_result *r = v->result;
    const struct {
        const char *key;
        double value;
    } numbers[] = {{"energy_mj", r->energy_mj},
                   {"energy_u95_mj", r->energy_u95_mj},
                   {"energy_u95_frac", r->energy_u95_mj / r->energy_mj},
                   {"energy_idle_share_frac", r->energy_idle_share_frac},
                   {"energy_idle_mj", r->energy_idle_mj},
                   {"energy_idle_u95_mj", r->energy_idle_u95_mj},
                   {"energy_above_idle_mj", r->energy_above_mj},
                   {"energy_above_idle_u95_mj", r->energy_above_u95_mj},
                   {"idle_w", r->idle_w},
                   {"mean_w", r->mean_w},
                   {"window_s", r->window_s}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        atoll_json_set_number(j, numbers[i].key, numbers[i].value);
    }
    if (!v->meter) {
        static const char *const nothing[] = {"meter", "uncertainty", "ranging"};
        for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
            json_object_set_new(j, nothing[i], json_null());
        }
    }
    struct atoll_meter_info info = {.kind = "none"};
    if (v->meter) {
        atoll_meter_info(v->meter, &info);
        json_object_set_new(j, "meter", meter_json(v, &info));
        json_object_set_new(j, "uncertainty", budget_json(r));
        json_object_set_new(j, "ranging", ranging_json(&r->ranging));
    }
    json_object_set_new(j, "rails", rails_json(v, &info));
    json_object_set_new(j, "phases", phases_json(r));
    json_object_set_new(j, "states", states_json(r));
}

/* ------------------------------------------------------------------ for people */

void show_energy(const struct run_view *v)
{
    const struct atoll_run_result *r = v->result;
    const struct atoll_energy *e = &r->total;
    if (!isfinite(r->energy_mj)) {
        return;
    }
    const double percent = 100 / fabs(e->energy_mj);
    out_text("  energy      %.3f mJ +/- %.2g (95 %%, %.2g %%) for each inference: idle board %.3f, "
             "above it %.3f +/- %.2g\n",
             r->energy_mj, r->energy_u95_mj, 100 * r->energy_u95_mj / r->energy_mj,
             r->energy_idle_mj, r->energy_above_mj, r->energy_above_u95_mj);
    out_text("  power       %.3f W on average, %.3f W idle\n", r->mean_w, r->idle_w);
    out_text("  budget      standard, %%: gain %.2g, zero %.2g, drift %.2g, noise %.2g, time %.2g, "
             "voltage %.2g; "
             "k %.2f\n",
             percent * e->u_gain_mj, percent * e->u_zero_mj, percent * e->u_drift_mj,
             percent * e->u_noise_mj, percent * e->u_time_mj, percent * e->u_volt_mj,
             e->coverage_k);
    if (r->ranging.asked_frac > 0) {
        out_text("  ranging     %.3g %% asked for; a pass of %.3f s had %.2g %%, so %.3f s are "
                 "needed; %.3g %% reached\n",
                 100 * r->ranging.asked_frac, r->ranging.window_s, 100 * r->ranging.u95_frac,
                 r->ranging.needed_s, 100 * r->energy_u95_mj / r->energy_mj);
    }
    if (e->lost_scans) {
        out_text("  missing     %llu of %llu scans of the window\n",
                 (unsigned long long)e->lost_scans, (unsigned long long)e->scans);
    }
}

static int print_phases(const struct atoll_run_result *r, struct atoll_err *err)
{
    static const struct out_column columns[] = {{"phase", OUT_LEFT},
                                                {"seconds", OUT_RIGHT},
                                                {"energy mJ", OUT_RIGHT},
                                                {"+/- (95 %)", OUT_RIGHT},
                                                {"mean W", OUT_RIGHT}};
    struct out_table t;
    out_text("\n");
    out_table_start(&t, columns, sizeof columns / sizeof columns[0]);
    for (uint32_t i = 0; i < r->n_phases; i++) {
        const struct atoll_phase_result *p = &r->phases[i];
        if (p->to_ns == p->from_ns) {
            continue;
        }
        out_cell(&t, "%s", p->name);
        out_cell_number(&t, "%.3f", (double)(p->to_ns - p->from_ns) / 1e9);
        out_cell_number(&t, "%.2f", p->energy.energy_mj);
        out_cell_number(&t, "%.2g", p->energy.u95_mj);
        out_cell_number(&t, "%.3f", p->energy.mean_w);
    }
    return out_table_print(&t, err);
}

static int print_states(const struct atoll_run_result *r, struct atoll_err *err)
{
    static const struct out_column columns[] = {
        {"state", OUT_LEFT},         {"W", OUT_RIGHT},          {"+/- (95 %)", OUT_RIGHT},
        {"mJ/inference", OUT_RIGHT}, {"+/- (95 %)", OUT_RIGHT}, {"", OUT_LEFT}};
    struct out_table t;
    out_text("\n");
    out_table_start(&t, columns, sizeof columns / sizeof columns[0]);
    for (int s = 0; s < ATOLL_STATES; s++) {
        const struct atoll_state_result *k = &r->states[s];
        char text[80];
        const char *why = why_not(r, s, text);
        out_cell(&t, "%s", state_name(s));
        out_cell_number(&t, "%.4f", k->power_w);
        out_cell_number(&t, "%.2g", k->power_u95_w);
        out_cell_number(&t, "%.3f", k->energy_mj);
        out_cell_number(&t, "%.2g", k->energy_u95_mj);
        out_cell(&t, "%s", why ? why : s == ATOLL_STATE_IDLE ? "whole board" : "a TPU, above idle");
    }
    return out_table_print(&t, err);
}

int show_energy_tables(const struct run_view *v, struct atoll_err *err)
{
    const struct atoll_run_result *r = v->result;
    const int code = r->n_phases > 0 ? print_phases(r, err) : 0;
    return code || !r->states_known ? code : print_states(r, err);
}
