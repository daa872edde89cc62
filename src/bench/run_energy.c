/* SPDX-License-Identifier: Apache-2.0 */
/* What the meter's markers and its trace say of a run: energy per inference, the idle share of it,
 * energy of each phase, power of each state. docs/method-energy.md. */
#include "run_internal.h"

#include <math.h>

static double hypot4(double a, double b, double c, double d)
{
    return sqrt(a * a + b * b + c * c + d * d);
}

/* Energy between two markers; a gap leaves the figures as they are (lost_scans tells of it). */
static int between(struct atoll__runner *r, const int32_t mark[2], const char *what,
                   struct atoll_energy *rails, struct atoll_energy *total)
{
    struct atoll_err why = {0};
    const int rc = atoll_meter_energy(r->q->meter, mark[0], mark[1], rails, total, &why);
    return rc == 0 || rc == ATOLL_ENO
               ? 0
               : atoll_fail(r->err, rc, "energy of the %s window: %s", what, why.text);
}

static void phase_energies(struct atoll__runner *r)
{
    for (uint32_t i = 0; i < r->out->n_phases; i++) {
        struct atoll_phase_result *p = &r->out->phases[i];
        const int rc = atoll_meter_energy(r->q->meter, r->phase_mark[i], r->phase_mark[i + 1], NULL,
                                          &p->energy, NULL);
        if (rc != 0 && rc != ATOLL_ENO) {
            p->energy = (struct atoll_energy){
                .energy_mj = NAN, .u95_mj = NAN, .mean_w = NAN}; /* of no length */
        }
    }
}

/* The zero is the same in both windows and cancels; gain goes with the difference. */
static void idle_share(struct atoll_run_result *o, const struct atoll_energy *idle, double per)
{
    const struct atoll_energy *e = &o->total;
    const double above_w = e->mean_w - idle->mean_w;
    const double gain_w = hypot(e->u_gain_mj, e->u_volt_mj) / fabs(e->energy_mj) * above_w;
    const double drift_w = (e->u_drift_mj / e->seconds - idle->u_drift_mj / idle->seconds) / 1e3;
    const double window_w = hypot(e->u_noise_mj, e->u_time_mj) / e->seconds / 1e3;
    const double baseline_w = hypot(idle->u_noise_mj, idle->u_time_mj) / idle->seconds / 1e3;
    const double mj_per_w = e->seconds * 1e3 * per;
    o->energy_idle_mj = idle->mean_w * mj_per_w;
    o->energy_idle_u95_mj = idle->u95_mj / idle->seconds / 1e3 * mj_per_w;
    o->energy_above_mj = above_w * mj_per_w;
    o->energy_above_u95_mj =
        e->coverage_k * hypot4(gain_w, drift_w, window_w, baseline_w) * mj_per_w;
}

/* ------------------------------------------------------------------- states */

void atoll__run_states_of(struct atoll__runner *r, const struct atoll_device_event *ev)
{
    const struct {
        uint64_t ns;
        enum atoll_power_state state;
    } parts[] = {{ev->host_ns, ATOLL_STATE_IDLE},     {ev->input_ns, ATOLL_STATE_TRANSFER},
                 {ev->load_ns, ATOLL_STATE_LOAD},     {ev->compute_ns, ATOLL_STATE_COMPUTE},
                 {ev->stream_ns, ATOLL_STATE_STREAM}, {ev->output_ns, ATOLL_STATE_TRANSFER}};
    uint64_t at_ns = ev->start_ns;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].ns > 0) {
            atoll__state_note(&r->states, at_ns, ev->tpu, parts[i].state);
        }
        at_ns += parts[i].ns;
    }
    atoll__state_note(&r->states, at_ns, ev->tpu, ATOLL_STATE_IDLE);
    r->states.unsorted = true;
}

/* Two inferences, or two rounds of all pipelines where they overlap: for so long a misfit repeats
 * itself. */
static double correlated_s(const struct atoll__runner *r)
{
    const struct atoll_run_result *o = r->out;
    if (r->q->workload.mode == ATOLL_WORK_SATURATED && o->throughput_hz > 0) {
        return 2 * (double)r->n_pipes / o->throughput_hz;
    }
    return 2e-6 * (isfinite(o->mean_us) ? o->mean_us : o->first_us);
}

/* Copies of the same operators are one segment. */
static uint32_t count_segments(const struct atoll__runner *r, uint32_t of_tpu[ATOLL_TPUS_MAX])
{
    const struct atoll_stage *known[ATOLL_TPUS_MAX];
    uint32_t n = 0;
    for (uint32_t p = 0; p < r->n_pipes; p++) {
        const struct atoll_pipeline *pipe = &r->q->plan->pipelines[p];
        for (uint32_t s = 0; s < pipe->n_stages; s++) {
            const struct atoll_stage *stage = &pipe->stages[s];
            uint32_t k = 0;
            while (k < n && (known[k]->n_ops != stage->n_ops || stage->n_ops == 0 ||
                             known[k]->ops[0] != stage->ops[0])) {
                k++;
            }
            if (k == n && n < ATOLL_TPUS_MAX) {
                known[n++] = stage;
            }
            for (uint32_t i = 0; i < stage->n_tpus; i++) {
                of_tpu[stage->tpus[i]] = k; /* the runner has checked the number */
            }
        }
    }
    return n > 0 ? n : 1;
}

static void state_result(const struct atoll__runner *r, const struct atoll__state_fit *fit,
                         const double tpu_s[ATOLL_STATES], double per, int state)
{
    struct atoll_state_result *to = &r->out->states[state];
    const struct atoll__state_power *p = &fit->state[state];
    const struct atoll_energy *e = &r->out->total;
    const bool idle = state == ATOLL_STATE_IDLE;
    const double gain_w = hypot(e->u_gain_mj, e->u_volt_mj) / fabs(e->energy_mj) * p->w;
    const double zero_w = idle ? hypot(e->u_zero_mj, e->u_drift_mj) / e->seconds / 1e3 : 0;
    const double mj_per_w = (idle ? e->seconds : tpu_s[state]) * 1e3 * per;
    to->tpu_s = tpu_s[state];
    to->power_w = p->w;
    to->power_u95_w = hypot(atoll_t975(fit->dof) * p->u_w,
                            e->coverage_k * hypot4(gain_w, zero_w, p->u_model_w, 0));
    to->with = p->with;
    to->energy_mj = to->power_w * mj_per_w;
    to->energy_u95_mj = to->power_u95_w * mj_per_w;
}

static int state_figures(struct atoll__runner *r, double per)
{
    struct atoll_run_result *o = r->out;
    struct atoll_trace trace = {0};
    struct atoll__state_fit fit;
    struct atoll_err why = {0};
    uint32_t segment_of_tpu[ATOLL_TPUS_MAX] = {0};
    struct atoll__state_request q = {.trace = &trace,
                                     .log = &r->states,
                                     .n_tpus = r->info.n_tpus,
                                     .from_ns = o->phases[0].from_ns,
                                     .to_ns = o->phases[o->n_phases - 1].to_ns,
                                     .correlated_s = correlated_s(r),
                                     .noise_w = o->total.u_noise_mj / 1e3 / o->total.seconds *
                                                sqrt((double)o->total.scans),
                                     .segments = count_segments(r, segment_of_tpu),
                                     .segment_of_tpu = segment_of_tpu};
    atoll__state_sort(&r->states);
    if (r->states.failed) {
        return atoll_fail_nomem(r->err, "changes of state",
                                r->states.n * sizeof *r->states.changes);
    }
    if (r->states.full && r->states.n > 0) {
        q.to_ns = r->states.changes[r->states.n - 1].t_ns;
    }
    int rc = atoll_meter_trace(r->q->meter, &trace, r->err);
    rc = rc ? rc : atoll_meter_gaps(r->q->meter, &q.gaps, &q.n_gaps, r->err);
    if (rc) {
        return rc;
    }
    rc = atoll__state_fit(&q, &fit, &why);
    if (rc) {
        return rc == ATOLL_ENO ? 0 : atoll_fail(r->err, rc, "%s", why.text);
    }
    double tpu_s[ATOLL_STATES];
    atoll__state_times(&r->states, r->info.n_tpus, r->window_ns[0], r->window_ns[1], tpu_s);
    for (int s = 0; s < ATOLL_STATES; s++) {
        state_result(r, &fit, tpu_s, per, s);
    }
    o->states_known = true;
    o->states_shift_us = fit.shift_ns / 1e3;
    return 0;
}

int atoll__run_energy_figures(struct atoll__runner *r, uint64_t inferences)
{
    struct atoll_run_result *o = r->out;
    struct atoll_energy idle = {0};
    if (!r->metered) {
        return 0;
    }
    int rc = between(r, r->window_mark, "steady", o->rails, &o->total);
    rc = rc ? rc : between(r, r->idle_mark, "idle", NULL, &idle);
    if (rc) {
        return rc;
    }
    /* Saturated: work under way at the window's ends cancels only in the mean, so power over
     * rate. */
    const double per = r->q->workload.mode == ATOLL_WORK_SATURATED
                           ? 1.0 / (o->throughput_hz * o->total.seconds)
                           : 1.0 / (double)inferences;
    o->energy_mj = o->total.energy_mj * per;
    o->energy_u95_mj = o->total.u95_mj * per;
    o->mean_w = o->total.mean_w;
    o->idle_w = idle.mean_w;
    o->energy_idle_share_frac = idle.mean_w / o->total.mean_w;
    idle_share(o, &idle, per);
    phase_energies(r);
    return r->watching ? state_figures(r, per) : 0;
}
