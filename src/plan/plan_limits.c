/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of a request: is it sensible, and does a plan keep it? */
#include "plan_internal.h"

#include <math.h>

#define RATE_MAX_HZ 1e6
#define DEADLINE_MAX_US 3.6e9 /* an hour */

static int check_number(const char *what, double v, double most, struct atoll_err *err)
{
    if (!(v >= 0) || v > most) {
        return atoll_fail(err, ATOLL_EUSAGE, "%s is %g: expected a number above 0, at most %g",
                          what, v, most);
    }
    return 0;
}

static int check_models(const struct atoll_plan_request *r, struct atoll_err *err)
{
    int code = 0;
    for (uint32_t i = 0; i < r->n_models && code == 0; i++) {
        if (r->rates_hz) {
            code = r->rates_hz[i] > 0
                       ? check_number("a rate, per second,", r->rates_hz[i], RATE_MAX_HZ, err)
                       : check_number("a rate, per second,", -1, RATE_MAX_HZ, err);
        }
        if (code == 0 && r->deadlines_us) {
            code = check_number("a deadline, us,", r->deadlines_us[i], DEADLINE_MAX_US, err);
        }
    }
    for (uint32_t i = 0; i < r->n_together && code == 0; i++) {
        const struct atoll_together *t = &r->together[i];
        const uint32_t n_ops =
            t->model < r->n_models ? atoll_cost_model(r->models[t->model])->n_ops : 0;
        if (t->first > t->last || t->last >= n_ops) {
            code =
                atoll_fail(err, ATOLL_EUSAGE,
                           "operators %u-%u of model %u cannot stay together: it has %u operators",
                           t->first, t->last, t->model + 1, n_ops);
        }
    }
    return code;
}

uint32_t atoll__plan_usable(const struct atoll_plan_request *r)
{
    uint32_t n = 0;
    for (uint32_t t = 0; t < r->board->n_tpus; t++) {
        n += !(r->without >> t & 1);
    }
    return n;
}

int atoll__plan_limits_check(const struct atoll_plan_request *r, struct atoll_err *err)
{
    if (r->tpus > atoll__plan_usable(r)) {
        return atoll_fail(err, ATOLL_EUSAGE, "%u TPUs asked for, %u of the %u of board %s are left",
                          r->tpus, atoll__plan_usable(r), r->board->n_tpus, r->board->name);
    }
    if (r->rates_hz && !(r->utilisation_max_frac > 0 && r->utilisation_max_frac <= 1)) {
        return atoll_fail(err, ATOLL_EUSAGE, "a utilisation of %g: expected above 0, at most 1",
                          r->utilisation_max_frac);
    }
    if (r->max_w > 0 && !r->rates_hz && r->n_models > 1) {
        return atoll_fail(err, ATOLL_EUSAGE, "a power limit on several models needs their rates");
    }
    int code = check_models(r, err);
    code = code ? code : check_number("the power limit, W,", r->max_w, 1e6, err);
    code = code ? code : check_number("the least rate, per second,", r->min_rate_hz, 1e9, err);
    return code ? code : check_number("the tolerance", r->tolerance_frac, 10, err);
}

/* --------------------------------------------------------------- what exact keeps */

static int glue(const struct atoll_plan_request *r, uint32_t model, uint32_t *group,
                struct atoll_err *err)
{
    const uint32_t n = atoll_cost_model(r->models[model])->n_ops;
    bool *joined = atoll_calloc((size_t)n + 1, sizeof *joined); /* [v]: to the one before */
    if (!joined) {
        return atoll_fail_nomem(err, "operators that stay together", n);
    }
    for (uint32_t i = 0; i < r->n_together; i++) {
        const struct atoll_together *t = &r->together[i];
        for (uint32_t v = t->first + 1; t->model == model && v <= t->last; v++) {
            joined[v] = true;
        }
    }
    for (uint32_t v = 0; v < n; v++) { /* a run is named by its first operator */
        group[v] = joined[v] ? group[v - 1] : v;
    }
    atoll_free(joined);
    return 0;
}

int atoll__plan_keep_make(const struct atoll_plan_request *r, struct atoll__plan_keep **keep,
                          struct atoll_err *err)
{
    struct atoll__plan_keep *k = atoll_calloc(r->n_models, sizeof *k);
    int code = k ? 0 : atoll_fail_nomem(err, "limits of models", r->n_models * sizeof *k);
    for (uint32_t m = 0; m < r->n_models && code == 0; m++) {
        k[m].latency_max_us = r->deadlines_us ? r->deadlines_us[m] : 0;
        k[m].resident = r->resident;
        bool any = false;
        for (uint32_t i = 0; i < r->n_together; i++) {
            any = any || r->together[i].model == m;
        }
        if (any) {
            const uint32_t n = atoll_cost_model(r->models[m])->n_ops;
            k[m].together = atoll_calloc(n, sizeof *k[m].together);
            code = k[m].together ? glue(r, m, k[m].together, err)
                                 : atoll_fail_nomem(err, "operators that stay together", n);
        }
    }
    *keep = k;
    return code;
}

void atoll__plan_keep_free(struct atoll__plan_keep *keep, uint32_t n)
{
    for (uint32_t m = 0; keep && m < n; m++) {
        atoll_free(keep[m].together);
    }
    atoll_free(keep);
}

/* ------------------------------------------------------------- what a plan keeps */

/* A hair more than the limit, for sums added in another order. */
static bool above(double v, double limit)
{
    return v > limit * (1 + 1e-9);
}

static double pipeline_latency_us(const struct atoll_plan *p, uint32_t m)
{
    double us = 0;
    for (uint32_t i = 0; i < p->n_pipelines; i++) {
        us = p->pipelines[i].model == m ? fmax(us, p->pipelines[i].latency_us) : us;
    }
    return us;
}

static bool parts(const struct atoll_plan *p, const struct atoll_together *t)
{
    for (uint32_t i = 0; i < p->n_pipelines; i++) {
        const struct atoll_pipeline *pipe = &p->pipelines[i];
        for (uint32_t s = 0; pipe->model == t->model && s < pipe->n_stages; s++) {
            uint32_t inside = 0;
            for (uint32_t k = 0; k < pipe->stages[s].n_ops; k++) {
                const uint32_t op = pipe->stages[s].ops[k];
                inside += op >= t->first && op <= t->last;
            }
            if (inside > 0 && inside < t->last - t->first + 1) {
                return true;
            }
        }
    }
    return false;
}

static bool streams(const struct atoll_plan *p)
{
    for (uint32_t i = 0; i < p->n_pipelines; i++) {
        for (uint32_t s = 0; s < p->pipelines[i].n_stages; s++) {
            if (p->pipelines[i].stages[s].cost.off_chip_bytes > 0) {
                return true;
            }
        }
    }
    return false;
}

int atoll__plan_keeps(const struct atoll_plan *p, const struct atoll_plan_request *r,
                      struct atoll_err *why)
{
    for (uint32_t m = 0; r->deadlines_us && m < r->n_models; m++) {
        const double us = pipeline_latency_us(p, m);
        if (r->deadlines_us[m] > 0 && above(us, r->deadlines_us[m])) {
            return atoll_fail(why, ATOLL_ENO, "a latency of %.4g ms, deadline %.4g ms", us / 1e3,
                              r->deadlines_us[m] / 1e3);
        }
    }
    const bool rated = atoll__plan_is_rated(p);
    const double watt = rated ? p->power_w : p->energy_mj * p->throughput_hz * 1e-3;
    if (r->max_w > 0 && above(watt, r->max_w)) {
        return atoll_fail(why, ATOLL_ENO, "a power of %.4g W, at most %.4g W allowed", watt,
                          r->max_w);
    }
    const double hz = p->throughput_hz * (rated ? p->utilisation_max_frac : 1);
    if (r->min_rate_hz > 0 && above(r->min_rate_hz, hz)) {
        return atoll_fail(why, ATOLL_ENO, "a rate of %.4g /s, at least %.4g /s asked for", hz,
                          r->min_rate_hz);
    }
    if (r->resident && streams(p)) {
        return atoll_fail(why, ATOLL_ENO, "parameters are streamed");
    }
    for (uint32_t i = 0; i < r->n_together; i++) {
        if (parts(p, &r->together[i])) {
            return atoll_fail(why, ATOLL_ENO, "it parts operators %u-%u", r->together[i].first,
                              r->together[i].last);
        }
    }
    return 0;
}
