/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why nothing keeps all limits: each is let go in turn, and the best of its own figure is the
 * nearest value with which there would be a plan. Where letting one go is not enough, each is
 * looked at alone.
 */
#include "choice.h"

#include <math.h>

enum limit { LIMIT_RATES, LIMIT_DEADLINE, LIMIT_POWER, LIMIT_MIN_RATE, LIMIT_RESIDENT, LIMITS };

static bool has_deadline(const struct atoll_plan_request *r)
{
    for (uint32_t i = 0; r->deadlines_us && i < r->n_models; i++) {
        if (r->deadlines_us[i] > 0) {
            return true;
        }
    }
    return false;
}

static bool is_set(const struct atoll_plan_request *r, enum limit l)
{
    const bool set[LIMITS] = {r->rates_hz != NULL, has_deadline(r), r->max_w > 0,
                              r->min_rate_hz > 0, r->resident};
    return set[l];
}

/* A limit let go: its own figure is then what is to be best. */
static void let_go(struct atoll__choice *c, enum limit l)
{
    switch (l) {
    case LIMIT_RATES:
    case LIMIT_MIN_RATE:
        c->limits.full = INFINITY;
        c->objective = ATOLL_OBJECTIVE_THROUGHPUT;
        break;
    case LIMIT_DEADLINE:
        for (uint32_t i = 0; i < c->n; i++) {
            c->weight[i] = isfinite(c->limits.latency_us[i]) ? 1 / c->limits.latency_us[i] : 0;
            c->limits.latency_us[i] = INFINITY;
        }
        c->by_worst = true;
        c->objective = ATOLL_OBJECTIVE_LATENCY;
        break;
    case LIMIT_POWER:
        c->limits.watt = INFINITY;
        c->objective = ATOLL_OBJECTIVE_ENERGY;
        break;
    case LIMIT_RESIDENT:
        c->limits.resident = false;
        c->objective = ATOLL_OBJECTIVE_LATENCY;
        break;
    case LIMITS:
        break;
    }
}

/* -------------------------------------------------------------- fewest TPUs */

static int note_tpus(struct atoll__choice *c, const uint32_t *items, uint32_t n, const double *load,
                     void *user, struct atoll_err *err)
{
    uint32_t *least = user, tpus = 0;
    (void)load;
    (void)err;
    for (uint32_t i = 0; i < n; i++) {
        tpus += c->items[items[i]].tpus;
    }
    *least = tpus < *least ? tpus : *least;
    return 0;
}

/* TPUs on which nothing would stream; 0: no number that a plan can have. */
static int resident_tpus(struct atoll__planner *pl, uint32_t *tpus, struct atoll_err *err)
{
    struct atoll__choice *c = atoll_calloc(1, sizeof *c);
    if (!c) {
        return atoll_fail_nomem(err, "a choice of plans", sizeof *c);
    }
    uint32_t least = UINT32_MAX;
    int rc = atoll__choice_of_request(c, pl, ATOLL_TPUS_MAX, err);
    for (unsigned l = 0; l < LIMIT_RESIDENT; l++) {
        let_go(c, (enum limit)l);
    }
    c->objective = ATOLL_OBJECTIVE_LATENCY;
    c->copy_us = 0;
    c->each = note_tpus;
    c->user = &least;
    rc = rc ? rc : atoll__choice_solve(c, err);
    *tpus = least == UINT32_MAX ? 0 : least;
    atoll__choice_finish(c);
    atoll_free(c);
    return rc;
}

/* ------------------------------------------------------------------- sentences */

static void put_list(struct atoll_buf *b, const double *v, uint32_t n, double scale)
{
    for (uint32_t i = 0; i < n; i++) {
        atoll_buf_printf(b, "%s%.4g", i ? ", " : "", v[i] * scale);
    }
}

static void put_deadline(struct atoll_buf *b, const struct atoll__choice *c,
                         const struct atoll_plan_request *r)
{
    bool alike = true;
    for (uint32_t i = 1; i < c->n; i++) {
        alike = alike && fabs(r->deadlines_us[i] - r->deadlines_us[0]) <= 0;
    }
    if (alike) {
        atoll_buf_printf(b, "deadline of %.4g ms: the least latency%s is %.4g ms",
                         r->deadlines_us[0] / 1e3, c->n > 1 ? " of the slowest model" : "",
                         c->value * r->deadlines_us[0] / 1e3);
    } else {
        atoll_buf_puts(b, "deadlines of ");
        put_list(b, r->deadlines_us, c->n, 1e-3);
        atoll_buf_printf(b, " ms: at best the latest takes %.4g times its deadline", c->value);
    }
}

static int put_resident(struct atoll_buf *b, struct atoll__planner *pl, uint32_t tpus,
                        struct atoll_err *err)
{
    uint32_t least = 0;
    const int rc = resident_tpus(pl, &least, err);
    atoll_buf_puts(b, "all parameters on chip: ");
    if (least > tpus) {
        atoll_buf_printf(b, "that takes at least %u TPUs", least);
    } else if (least > 0) {
        atoll_buf_puts(b, "possible alone, not with the other limits");
    } else {
        atoll_buf_puts(b, "no cut keeps them there, an operator is larger than the cache");
    }
    return rc;
}

static int put_nearest(struct atoll_buf *b, struct atoll__choice *c, enum limit l,
                       struct atoll_err *err)
{
    const struct atoll_plan_request *r = c->planner->request;
    double all_hz = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        all_hz += c->rate_hz[i];
    }
    switch (l) {
    case LIMIT_RATES:
        atoll_buf_puts(b, "rates of ");
        put_list(b, r->rates_hz, c->n, 1);
        atoll_buf_puts(b, " /s: at most ");
        put_list(b, r->rates_hz, c->n, r->utilisation_max_frac / c->value);
        atoll_buf_printf(b, " /s (%.3g of them) leave nothing more than %.3g %% full",
                         r->utilisation_max_frac / c->value, 100 * r->utilisation_max_frac);
        break;
    case LIMIT_MIN_RATE:
        atoll_buf_printf(b, "rate of %.4g /s: at most %.4g /s are possible", r->min_rate_hz,
                         all_hz * (c->rated ? r->utilisation_max_frac : 1) / c->value);
        break;
    case LIMIT_DEADLINE:
        put_deadline(b, c, r);
        break;
    case LIMIT_POWER:
        atoll_buf_printf(b, "power of %.4g W: the least is %.4g W", r->max_w,
                         atoll__choice_watt(c, c->load));
        break;
    case LIMIT_RESIDENT:
        return put_resident(b, c->planner, c->tpus, err);
    case LIMITS:
        break;
    }
    return 0;
}

/* Lets one limit go, or with `alone` all but none; adds the sentence when that gives a plan. */
static int try_without(struct atoll__planner *pl, uint32_t tpus, enum limit l, bool alone,
                       struct atoll_buf *b, struct atoll_err *err)
{
    struct atoll__choice *c = atoll_calloc(1, sizeof *c);
    if (!c) {
        return atoll_fail_nomem(err, "a choice of plans", sizeof *c);
    }
    int rc = atoll__choice_of_request(c, pl, tpus, err);
    for (unsigned k = 0; k < LIMITS && alone; k++) {
        if (k != l) {
            let_go(c, (enum limit)k);
        }
    }
    for (uint32_t i = 0; i < c->n; i++) {
        c->weight[i] = 1;
    }
    let_go(c, l);
    rc = rc ? rc : atoll__choice_solve(c, err);
    if (rc == 0 && c->found) {
        atoll_buf_puts(b, b->size ? "; " : "");
        rc = put_nearest(b, c, l, err);
    }
    atoll__choice_finish(c);
    atoll_free(c);
    return rc;
}

int atoll__choice_blocked(struct atoll__planner *pl, uint32_t tpus, bool cut_short,
                          struct atoll_err *err)
{
    const struct atoll_plan_request *r = pl->request;
    struct atoll_buf b = {0};
    int rc = 0;
    for (int alone = 0; alone < 2 && b.size == 0 && rc == 0; alone++) {
        for (unsigned l = 0; l < LIMITS && rc == 0; l++) {
            rc = is_set(r, (enum limit)l)
                     ? try_without(pl, tpus, (enum limit)l, alone != 0, &b, err)
                     : 0;
        }
    }
    if (rc == 0 && b.failed) {
        rc = atoll_fail_nomem(err, "a sentence", b.size);
    }
    if (rc == 0) {
        rc = atoll_fail(err, ATOLL_ENO, "%s on %u TPUs of %s: %s",
                        cut_short ? "no plan was found within the time limit that keeps every limit"
                                  : "no plan keeps every limit",
                        tpus, r->board->name,
                        b.data ? b.data : "nothing was found within the time limit");
    }
    atoll_buf_finish(&b);
    return rc;
}
