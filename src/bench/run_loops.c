/* SPDX-License-Identifier: Apache-2.0 */
/* The workloads: one at a time, saturated, and open loop. docs/method-measurement.md describes
 * them. */
#include "run_internal.h"

#include <math.h>

#define WARM_UP_WINDOW 4    /* inferences whose mean is compared */
#define WARM_UP_WINDOWS 3   /* windows that must agree */
#define WARM_UP_WITHIN 1.10 /* largest mean / smallest mean: perf_analyzer's 10 % */
#define WARM_UP_WINDOWS_MAX 25

static int stopped(struct atoll__runner *r)
{
    return atoll_fail(r->err, ATOLL_EDEVICE,
                      "the device has nothing under way although inputs are");
}

int atoll__run_single(struct atoll__runner *r, uint32_t pipe, double *latency_us)
{
    int rc = atoll__run_feed(r, pipe, atoll_device_now_ns(r->q->device));
    struct atoll__happened h = {0};
    while (!rc && !h.completed) {
        rc = atoll__run_step(r, &h);
        rc = !rc && h.idle ? stopped(r) : rc;
    }
    if (!rc) {
        *latency_us = (double)(h.time_ns - h.item.in_ns) / 1e3;
    }
    return rc;
}

/* Until the means of the last windows agree. */
static int warm_up(struct atoll__runner *r, uint32_t pipe)
{
    double means[WARM_UP_WINDOWS_MAX];
    for (unsigned n = 1; n <= WARM_UP_WINDOWS_MAX; n++) {
        double sum = 0;
        for (unsigned i = 0; i < WARM_UP_WINDOW; i++) {
            double us = 0;
            const int rc = atoll__run_single(r, pipe, &us);
            if (rc) {
                return rc;
            }
            sum += us;
        }
        means[n - 1] = sum / WARM_UP_WINDOW;
        double low = INFINITY, high = 0;
        for (unsigned i = n < WARM_UP_WINDOWS ? 0 : n - WARM_UP_WINDOWS; i < n; i++) {
            low = fmin(low, means[i]);
            high = fmax(high, means[i]);
        }
        if (n >= WARM_UP_WINDOWS && high <= low * WARM_UP_WITHIN) {
            break;
        }
    }
    return 0;
}

int atoll__run_closed(struct atoll__runner *r)
{
    const uint32_t best = r->order[0];
    int rc = warm_up(r, best);
    rc = rc ? rc : atoll__run_window(r, 0);
    while (!rc && !atoll__run_enough(r)) {
        double us = 0;
        rc = atoll__run_single(r, best, &us);
        rc = rc ? rc : atoll__run_sample(r, us);
    }
    return rc ? rc : atoll__run_window(r, 1);
}

static int note_completion(struct atoll__runner *r, const struct atoll__happened *h)
{
    struct atoll__pipe *p = &r->pipes[h->item.pipe];
    if (atoll_grow((void **)&p->done_ns, &p->cap_done, p->n_done + 1, sizeof *p->done_ns)) {
        return atoll_fail_nomem(r->err, "completion times", p->n_done * sizeof *p->done_ns);
    }
    p->done_ns[p->n_done++] = h->time_ns;
    return atoll__run_sample(r, (double)(h->time_ns - h->item.in_ns) / 1e3);
}

static int fill_up(struct atoll__runner *r, uint32_t pipe)
{
    int rc = 0;
    while (!rc && atoll__run_room(&r->pipes[pipe])) {
        rc = atoll__run_feed(r, pipe, atoll_device_now_ns(r->q->device));
    }
    return rc;
}

static bool all_filled(const struct atoll__runner *r)
{
    for (uint32_t i = 0; i < r->n_pipes; i++) {
        if (r->pipes[i].completed < r->pipes[i].fill) {
            return false;
        }
    }
    return true;
}

/* Enough to know each pipeline's rate: one whole burst of completions after the first. */
static bool all_known(const struct atoll__runner *r)
{
    for (uint32_t i = 0; i < r->n_pipes; i++) {
        if (r->pipes[i].n_done < (size_t)r->pipes[i].replicas_max + 1) {
            return false;
        }
    }
    return true;
}

static int drain(struct atoll__runner *r)
{
    struct atoll__happened h = {0};
    int rc = 0;
    while (!rc && !h.idle) {
        rc = atoll__run_step(r, &h);
    }
    return rc;
}

int atoll__run_saturated(struct atoll__runner *r)
{
    int rc = 0;
    for (uint32_t i = 0; i < r->n_pipes && !rc; i++) {
        r->pipes[i].completed = 0;
        rc = fill_up(r, i);
    }
    while (!rc && (!r->counting || !atoll__run_enough(r) || !all_known(r))) {
        struct atoll__happened h = {0};
        rc = atoll__run_step(r, &h);
        if (!rc && h.idle) {
            rc = stopped(r);
        }
        if (!rc && h.completed) {
            rc = r->counting ? note_completion(r, &h) : 0;
            if (!rc && !r->counting && all_filled(r)) {
                rc = atoll__run_window(r, 0);
            }
            rc = rc ? rc : fill_up(r, h.item.pipe);
        } else if (!rc) {
            for (uint32_t i = 0; i < r->n_pipes && !rc; i++) {
                rc = fill_up(r, i); /* an inner stage's event may have freed the first */
            }
        }
    }
    rc = rc ? rc : atoll__run_window(r, 1);
    return rc ? rc : drain(r);
}

/* Intended times of arrival: a queue that grows, since an open loop does not wait. */
struct arrivals {
    struct atoll_rng rng;
    uint64_t *intended_ns; ///< of all arrivals so far
    size_t n, cap, taken;  ///< taken: handed to a pipeline
    size_t total;
    double next_ns;
};

static int schedule(struct atoll__runner *r, struct arrivals *a)
{
    if (a->n + 1 > a->total) {
        return 0;
    }
    return atoll_device_timer(r->q->device, (uint64_t)llround(a->next_ns), a->n, r->err);
}

static int arrive(struct atoll__runner *r, struct arrivals *a)
{
    if (atoll_grow((void **)&a->intended_ns, &a->cap, a->n + 1, sizeof *a->intended_ns)) {
        return atoll_fail_nomem(r->err, "arrivals", a->n * sizeof *a->intended_ns);
    }
    a->intended_ns[a->n++] = (uint64_t)llround(a->next_ns);
    const struct atoll_workload *w = &r->q->workload;
    const double gap = w->mode == ATOLL_WORK_POISSON ? atoll_rng_exponential(&a->rng) : 1.0;
    a->next_ns += gap * 1e9 / w->hz;
    return schedule(r, a);
}

/* The pipeline with room and the fewest items under way; the best one among equals. */
static uint32_t choose(const struct atoll__runner *r)
{
    uint32_t chosen = ATOLL__RUN_NOBODY;
    for (uint32_t i = 0; i < r->n_pipes; i++) {
        const uint32_t p = r->order[i];
        if (atoll__run_room(&r->pipes[p]) &&
            (chosen == ATOLL__RUN_NOBODY || r->pipes[p].in_flight < r->pipes[chosen].in_flight)) {
            chosen = p;
        }
    }
    return chosen;
}

static int hand_out(struct atoll__runner *r, struct arrivals *a)
{
    int rc = 0;
    while (!rc && a->taken < a->n) {
        const uint32_t pipe = choose(r);
        if (pipe == ATOLL__RUN_NOBODY) {
            break;
        }
        rc = atoll__run_feed(r, pipe, a->intended_ns[a->taken++]);
    }
    return rc;
}

int atoll__run_open(struct atoll__runner *r)
{
    uint32_t warm = 8;
    for (uint32_t i = 0; i < r->n_pipes; i++) {
        warm += r->pipes[i].n_stages * r->pipes[i].replicas_max;
    }
    const double least = ceil((double)r->least_ns / 1e9 * r->q->workload.hz);
    const size_t count = least > r->count ? (size_t)least : r->count;
    struct arrivals a = {.total = (size_t)warm + count,
                         .next_ns = (double)atoll_device_now_ns(r->q->device)};
    atoll_rng_seed(&a.rng, r->q->seed);
    const uint64_t first = r->next_number + warm; /* items are numbered in the order of arrival */
    int rc = schedule(r, &a);
    while (!rc && r->out->n < count) {
        struct atoll__happened h = {0};
        rc = atoll__run_step(r, &h);
        if (!rc && h.timer) {
            rc = arrive(r, &a);
            if (!rc && a.n == (size_t)warm + 1) {
                rc = atoll__run_window(r, 0);
            }
        } else if (!rc && h.idle) {
            rc = stopped(r);
        } else if (!rc && h.completed && h.item.number >= first) {
            rc = note_completion(r, &h);
        }
        rc = rc ? rc : hand_out(r, &a);
    }
    rc = rc ? rc : atoll__run_window(r, 1);
    atoll_free(a.intended_ns);
    return rc ? rc : drain(r);
}
