/* SPDX-License-Identifier: Apache-2.0 */
/* The workloads: one at a time, and saturated; open loops: run_open.c. docs/method-measurement.md
 * describes them. */
#include "run_internal.h"

#include <math.h>

#define WARM_UP_WINDOW 4    /* inferences whose mean is compared */
#define WARM_UP_WINDOWS 3   /* windows that must agree */
#define WARM_UP_WITHIN 1.10 /* largest mean / smallest mean: perf_analyzer's 10 % */
#define WARM_UP_WINDOWS_MAX 25

int atoll__run_stopped(struct atoll__runner *r)
{
    return atoll_fail(r->err, ATOLL_EDEVICE,
                      "the device has nothing under way although inputs are");
}

int atoll__run_single(struct atoll__runner *r, uint32_t pipe, double *latency_us)
{
    int rc = atoll__run_feed(r, pipe, atoll_device_now_ns(r->q->device), false);
    struct atoll__happened h = {0};
    while (!rc && !h.completed) {
        rc = atoll__run_step(r, &h);
        rc = !rc && h.idle ? atoll__run_stopped(r) : rc;
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

int atoll__run_note(struct atoll__runner *r, const struct atoll__happened *h)
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
        rc = atoll__run_feed(r, pipe, atoll_device_now_ns(r->q->device), false);
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

int atoll__run_drain(struct atoll__runner *r)
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
            rc = atoll__run_stopped(r);
        }
        if (!rc && h.completed) {
            rc = r->counting ? atoll__run_note(r, &h) : 0;
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
    return rc ? rc : atoll__run_drain(r);
}
