/* SPDX-License-Identifier: Apache-2.0 */
/* The changes of state of a run. */
#include "state_fit.h"

#include <stdlib.h>

void atoll__state_note(void *user, uint64_t t_ns, uint32_t tpu, enum atoll_power_state state)
{
    struct atoll__state_log *log = user;
    if (log->n >= ATOLL__STATE_CHANGES_MAX || log->failed != 0) {
        log->full = true;
        return;
    }
    void *changes = log->changes;
    if (atoll_grow(&changes, &log->cap, log->n + 1, sizeof *log->changes) != 0) {
        log->failed = ATOLL_ENOMEM;
        return;
    }
    log->changes = changes;
    log->changes[log->n++] = (struct atoll__state_change){t_ns, tpu, state};
}

/* On one TPU times do not go back, so a tie between equal times of one TPU needs the order in
 * which they were noted: qsort does not keep it, the address does. */
static int by_time(const void *x, const void *y)
{
    const struct atoll__state_change *a = *(const struct atoll__state_change *const *)x;
    const struct atoll__state_change *b = *(const struct atoll__state_change *const *)y;
    if (a->t_ns != b->t_ns) {
        return a->t_ns < b->t_ns ? -1 : 1;
    }
    return a < b ? -1 : a > b;
}

void atoll__state_sort(struct atoll__state_log *log)
{
    if (!log->unsorted || log->n < 2) {
        return;
    }
    const struct atoll__state_change **order = atoll_alloc(log->n * sizeof *order);
    struct atoll__state_change *sorted = atoll_alloc(log->n * sizeof *sorted);
    if (order == NULL || sorted == NULL) {
        log->failed = ATOLL_ENOMEM;
        atoll_free(order);
        atoll_free(sorted);
        return;
    }
    for (size_t i = 0; i < log->n; i++) {
        order[i] = &log->changes[i];
    }
    qsort(order, log->n, sizeof *order, by_time);
    for (size_t i = 0; i < log->n; i++) {
        sorted[i] = *order[i];
    }
    atoll_free(order);
    atoll_free(log->changes);
    log->changes = sorted;
    log->cap = log->n;
    log->unsorted = false;
}

void atoll__state_times(const struct atoll__state_log *log, uint32_t n_tpus, uint64_t from_ns,
                        uint64_t to_ns, double tpu_s[ATOLL_STATES])
{
    enum atoll_power_state now[ATOLL_TPUS_MAX] = {ATOLL_STATE_IDLE};
    uint64_t since_ns[ATOLL_TPUS_MAX];
    for (uint32_t i = 0; i < n_tpus; i++) {
        since_ns[i] = from_ns;
    }
    for (int s = 0; s < ATOLL_STATES; s++) {
        tpu_s[s] = 0;
    }
    for (size_t i = 0; i < log->n && log->changes[i].t_ns < to_ns; i++) {
        const struct atoll__state_change *c = &log->changes[i];
        if (c->tpu >= n_tpus) {
            continue;
        }
        if (c->t_ns > since_ns[c->tpu]) {
            tpu_s[now[c->tpu]] += (double)(c->t_ns - since_ns[c->tpu]) / 1e9;
            since_ns[c->tpu] = c->t_ns;
        }
        now[c->tpu] = c->state;
    }
    for (uint32_t i = 0; i < n_tpus; i++) {
        tpu_s[now[i]] += to_ns > since_ns[i] ? (double)(to_ns - since_ns[i]) / 1e9 : 0;
    }
}

void atoll__state_visits(const struct atoll__state_log *log, uint32_t n_tpus,
                         uint64_t visits[ATOLL_STATES], double *compute_ns)
{
    unsigned seen[ATOLL_TPUS_MAX] = {0}; /* states since the TPU was idle, a bit each */
    uint64_t since_ns[ATOLL_TPUS_MAX] = {0}, computes[ATOLL_TPUS_MAX] = {0};
    double ns[ATOLL_TPUS_MAX] = {0};
    for (int s = 0; s < ATOLL_STATES; s++) {
        visits[s] = 0;
    }
    for (size_t i = 0; i < log->n; i++) {
        const struct atoll__state_change *c = &log->changes[i];
        if (c->tpu >= n_tpus) {
            continue;
        }
        const bool first = (seen[c->tpu] >> c->state & 1) == 0;
        visits[c->state] += first;
        computes[c->tpu] += first && c->state == ATOLL_STATE_COMPUTE;
        if (since_ns[c->tpu] > 0) {
            ns[c->tpu] += (double)(c->t_ns - since_ns[c->tpu]);
        }
        since_ns[c->tpu] = c->state == ATOLL_STATE_COMPUTE ? c->t_ns : 0;
        seen[c->tpu] = c->state == ATOLL_STATE_IDLE ? 0 : seen[c->tpu] | 1u << c->state;
    }
    for (uint32_t i = 0; i < n_tpus && compute_ns != NULL; i++) {
        compute_ns[i] = computes[i] > 0 ? ns[i] / (double)computes[i] : 0;
    }
}
