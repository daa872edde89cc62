/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power of the states and the budget of the uncertainty, means over the repeats of a configuration.
 * Partitions stay out, the best ones apart: there are too many of them for a page.
 */
#include "report_internal.h"

#include <math.h>
#include <string.h>

#define CONFIGS_MAX 6000 /* about 300 bytes of the page each */

static const char *const states[] = {"idle", "transfer", "load", "stream", "compute"};
static const char *const components[] = {"gain", "zero", "drift", "noise", "time", "voltage"};
enum { STATES = sizeof states / sizeof *states };
enum { COMPONENTS = sizeof components / sizeof *components };

/* Sum of what is known, how often, and the largest uncertainty. */
struct mean {
    double sum, u95;
    uint32_t n;
};
struct power {
    size_t config;
    struct mean state_w[STATES], state_mj[STATES], tpu_s[STATES], share[COMPONENTS], above, k;
    int goes_with[STATES]; ///< -1: none
};
struct gather {
    struct atoll_store *s;
    const struct atoll__data *d;
    struct power *list;
    int64_t *place; ///< by configuration, -1: not shown
    size_t n, cap, hint;
    struct power *at; ///< of the run whose states are read
    struct atoll_err *err;
};

static void add(struct mean *m, double v, double u95)
{
    if (isfinite(v)) {
        m->sum += v;
        m->n++;
        m->u95 = isfinite(u95) && u95 > m->u95 ? u95 : m->u95;
    }
}

static bool is_shown(const struct atoll__data *d, size_t config)
{
    const char *strategy = d->strategies[d->configs[config].strategy];
    if (strncmp(strategy, "partition:", 10) != 0) {
        /* one TPU is one TPU, by whatever name */
        return (strcmp(strategy, "single") == 0) == (d->configs[config].tpus == 1);
    }
    for (size_t i = 0; i < d->n_best; i++) {
        if (d->best[i].config == config) {
            return true;
        }
    }
    return false;
}

static int state_index(const char *name)
{
    for (int i = 0; i < STATES && name; i++) {
        if (strcmp(states[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

static int on_state(void *u, const struct atoll_state_row *r)
{
    struct gather *g = u;
    const int i = state_index(r->state);
    if (i >= 0) {
        add(&g->at->state_w[i], r->power_w, r->power_u95_w);
        add(&g->at->state_mj[i], r->energy_mj, r->energy_u95_mj);
        add(&g->at->tpu_s[i], r->tpu_s, NAN);
        g->at->goes_with[i] = r->goes_with ? state_index(r->goes_with) : g->at->goes_with[i];
    }
    return 0;
}

static struct power *power_of(struct gather *g, size_t config)
{
    if (g->place[config] < 0) {
        if (g->n >= CONFIGS_MAX || !is_shown(g->d, config) ||
            atoll_grow((void **)&g->list, &g->cap, g->n + 1, sizeof *g->list)) {
            return NULL;
        }
        g->place[config] = (int64_t)g->n;
        g->list[g->n] = (struct power){.config = config};
        for (int i = 0; i < STATES; i++) {
            g->list[g->n].goes_with[i] = -1;
        }
        g->n++;
    }
    return &g->list[g->place[config]];
}

static int on_run(void *u, const struct atoll_run_row *r)
{
    struct gather *g = u;
    const int64_t config = atoll__report_config_of(g->d, r, &g->hint);
    if (config < 0 || !(r->energy_mj > 0) || !isfinite(r->coverage_k)) {
        return 0;
    }
    struct power *p = power_of(g, (size_t)config);
    if (!p) {
        return 0;
    }
    const double parts[COMPONENTS] = {r->u_gain_mj,  r->u_zero_mj, r->u_drift_mj,
                                      r->u_noise_mj, r->u_time_mj, r->u_volt_mj};
    for (int i = 0; i < COMPONENTS; i++) {
        add(&p->share[i], parts[i] / r->energy_mj, NAN);
    }
    add(&p->k, r->coverage_k, NAN);
    add(&p->above, r->energy_above_mj, r->energy_above_u95_mj);
    g->at = p;
    return atoll_store_each_state(g->s, r->id, on_state, g, g->err);
}

/* One column: `at` is the offset of its mean in struct power. */
static void column(struct atoll_buf *b, const struct gather *g, const char *name, size_t at,
                   bool u95, int digits)
{
    atoll_buf_printf(b, "\"%s\":[", name);
    for (size_t i = 0; i < g->n; i++) {
        struct mean m;
        memcpy(&m, (const char *)&g->list[i] + at, sizeof m);
        atoll_buf_puts(b, i ? "," : "");
        atoll__text_number(b, m.n == 0 ? NAN : u95 ? m.u95 : m.sum / m.n, digits);
    }
    atoll_buf_puts(b, "]");
}

static void write_state(struct atoll_buf *b, const struct gather *g, size_t s)
{
    atoll_buf_printf(b, "%s\"%s\":{", s ? ",\n" : "", states[s]);
    const size_t w = offsetof(struct power, state_w) + s * sizeof(struct mean);
    const size_t mj = offsetof(struct power, state_mj) + s * sizeof(struct mean);
    column(b, g, "w", w, false, 5);
    atoll_buf_puts(b, ",");
    column(b, g, "wu", w, true, 3);
    atoll_buf_puts(b, ",");
    column(b, g, "mj", mj, false, 5);
    atoll_buf_puts(b, ",");
    column(b, g, "mju", mj, true, 3);
    atoll_buf_puts(b, ",");
    column(b, g, "tpu_s", offsetof(struct power, tpu_s) + s * sizeof(struct mean), false, 5);
    atoll_buf_puts(b, ",\"with\":[");
    for (size_t i = 0; i < g->n; i++) {
        const int with = g->list[i].state_w[s].n == 0 ? g->list[i].goes_with[s] : -1;
        atoll_buf_printf(b, with < 0 ? "%snull" : "%s\"%s\"", i ? "," : "",
                         with < 0 ? "" : states[with]);
    }
    atoll_buf_puts(b, "]}");
}

static void write_all(struct atoll_buf *b, const struct gather *g)
{
    atoll_buf_puts(b, ",\n\"power\":{\"c\":[");
    for (size_t i = 0; i < g->n; i++) {
        atoll_buf_printf(b, "%s%zu", i ? "," : "", g->list[i].config);
    }
    atoll_buf_puts(b, "],\n\"states\":{");
    for (size_t s = 0; s < STATES; s++) {
        write_state(b, g, s);
    }
    atoll_buf_puts(b, "},\n\"budget\":{");
    for (size_t k = 0; k < COMPONENTS; k++) {
        column(b, g, components[k], offsetof(struct power, share) + k * sizeof(struct mean), false,
               3);
        atoll_buf_puts(b, ",");
    }
    column(b, g, "k", offsetof(struct power, k), false, 4);
    atoll_buf_puts(b, "},\n");
    column(b, g, "above", offsetof(struct power, above), false, 5);
    atoll_buf_puts(b, ",");
    column(b, g, "aboveu", offsetof(struct power, above), true, 3);
    atoll_buf_puts(b, "}");
}

int atoll__report_power(struct atoll_store *s, const struct atoll__data *d, struct atoll_buf *b,
                        struct atoll_err *err)
{
    struct gather g = {.s = s, .d = d, .err = err};
    g.place = atoll_alloc((d->n_configs + 1) * sizeof *g.place);
    if (!g.place) {
        return atoll_fail_nomem(err, "power of the states", d->n_configs * sizeof *g.place);
    }
    for (size_t i = 0; i < d->n_configs; i++) {
        g.place[i] = -1;
    }
    const int e = atoll_store_each_run(s, d->experiment.key, on_run, &g, err);
    if (!e) {
        write_all(b, &g);
    }
    atoll_free(g.place);
    atoll_free(g.list);
    return e;
}
