/* SPDX-License-Identifier: Apache-2.0 */
#include "search.h"

#include <math.h>
#include <string.h>

static uint32_t *head_of(const struct atoll__search *s, uint32_t set, uint32_t k)
{
    return &s->heads[(size_t)set * (s->tpus + 1) + k];
}

static bool dominates(unsigned judged, const double *a, const double *b)
{
    for (unsigned c = 0; c < ATOLL__CRITERIA; c++) {
        if ((judged & (1u << c)) && a[c] > b[c]) {
            return false;
        }
    }
    return true;
}

/* True when a label of (set, k' <= k) is at least as good: more TPUs must buy something. */
static bool beaten_at(const struct atoll__search *s, uint32_t set, uint32_t k, const double *crit)
{
    for (uint32_t kk = 1; kk <= k; kk++) {
        for (uint32_t i = *head_of(s, set, kk); i != ATOLL__LABEL_NONE; i = s->labels[i].next) {
            if (dominates(s->judged, s->labels[i].crit, crit)) {
                return true;
            }
        }
    }
    return false;
}

/* Could a label of `set` with k TPUs and these criteria still lead to a result that nothing known beats?
 * What is left costs at least the floors of its operators, spread over the TPUs left. */
static bool promising(const struct atoll__search *s, uint32_t set, uint32_t k, const double *crit)
{
    const struct atoll__lattice *l = s->lattice;
    const uint32_t full = l->n - 1;
    if (set == full) {
        return !beaten_at(s, full, k, crit) && (s->known == NULL || !beaten_at(s->known, s->known->lattice->n - 1, k, crit));
    }
    const double left_us = l->work[full] - l->work[set] + s->stage_floor_us;
    for (uint32_t kk = s->tpus; kk > k; kk--) { /* the most TPUs first: the likeliest to be promising */
        double bound[ATOLL__CRITERIA];
        memcpy(bound, crit, sizeof bound);
        const double interval_us = left_us / (double)(kk - k);
        bound[ATOLL__CRIT_INTERVAL] = fmax(bound[ATOLL__CRIT_INTERVAL], interval_us);
        bound[ATOLL__CRIT_LATENCY] += left_us;
        if (!beaten_at(s, full, kk, bound) && (s->known == NULL || !beaten_at(s->known, s->known->lattice->n - 1, kk, bound))) {
            return true;
        }
    }
    return false;
}

static int add_label(struct atoll__search *s, const struct atoll__label *label, struct atoll_err *err)
{
    if (beaten_at(s, label->set, label->tpus, label->crit)) {
        return 0;
    }
    for (uint32_t *link = head_of(s, label->set, label->tpus); *link != ATOLL__LABEL_NONE;) {
        struct atoll__label *old = &s->labels[*link];
        if (dominates(s->judged, label->crit, old->crit)) {
            *link = old->next; /* leaves the list; labels that came from it keep their way back */
        } else {
            link = &old->next;
        }
    }
    const int rc = atoll_grow((void **)&s->labels, &s->cap_labels, (size_t)s->n_labels + 1, sizeof *s->labels);
    if (rc != 0) {
        return atoll_fail_nomem(err, "search labels", (size_t)s->n_labels * sizeof *s->labels);
    }
    uint32_t *head = head_of(s, label->set, label->tpus);
    s->labels[s->n_labels] = *label;
    s->labels[s->n_labels].next = *head;
    *head = s->n_labels++;
    return 0;
}

/* The label that follows `from` with a stage of these costs on r TPUs. */
static struct atoll__label extend(const struct atoll__label *from, uint32_t from_index, uint32_t set, uint32_t r, double service_us,
                                  double latency_us, double serial_us, double active_mj)
{
    struct atoll__label next = *from;
    next.crit[ATOLL__CRIT_INTERVAL] = fmax(from->crit[ATOLL__CRIT_INTERVAL], service_us / (double)r);
    next.crit[ATOLL__CRIT_SERIAL] += serial_us;
    next.crit[ATOLL__CRIT_ACTIVE] += active_mj;
    next.crit[ATOLL__CRIT_LATENCY] += latency_us;
    next.set = set;
    next.previous = from_index;
    next.tpus = (uint16_t)(from->tpus + r);
    next.replicas = (uint16_t)r;
    return next;
}

/* Calls `visit` for every label of `from_set` and every number of replicas that can help; stops at
 * the first non-zero answer and returns it. */
struct stage_costs {
    double service_us, latency_us, serial_us, active_mj;
};
static bool any_promising(const struct atoll__search *s, uint32_t from_set, uint32_t to_set, const struct stage_costs *c)
{
    for (uint32_t k = 0; k < s->tpus; k++) {
        for (uint32_t i = *head_of(s, from_set, k); i != ATOLL__LABEL_NONE; i = s->labels[i].next) {
            const struct atoll__label *from = &s->labels[i];
            for (uint32_t r = 1; k + r <= s->tpus && r <= s->replicas_max; r++) {
                const struct atoll__label next = extend(from, i, to_set, r, c->service_us, c->latency_us, c->serial_us, c->active_mj);
                if (promising(s, to_set, k + r, next.crit)) {
                    return true;
                }
                if (c->service_us / (double)r <= from->crit[ATOLL__CRIT_INTERVAL]) {
                    break; /* a further replica cannot lower the slowest stage any more */
                }
            }
        }
    }
    return false;
}

static int add_all(struct atoll__search *s, uint32_t from_set, uint32_t to_set, const struct stage_costs *c, struct atoll_err *err)
{
    for (uint32_t k = 0; k < s->tpus; k++) {
        for (uint32_t i = *head_of(s, from_set, k); i != ATOLL__LABEL_NONE; i = s->labels[i].next) {
            for (uint32_t r = 1; k + r <= s->tpus && r <= s->replicas_max; r++) {
                const struct atoll__label from = s->labels[i]; /* a copy: adding may move the labels */
                const struct atoll__label next = extend(&from, i, to_set, r, c->service_us, c->latency_us, c->serial_us, c->active_mj);
                if (promising(s, to_set, k + r, next.crit)) {
                    const int rc = add_label(s, &next, err);
                    if (rc != 0) {
                        return rc;
                    }
                }
                if (c->service_us / (double)r <= from.crit[ATOLL__CRIT_INTERVAL]) {
                    break;
                }
            }
        }
    }
    return 0;
}

static bool has_labels(const struct atoll__search *s, uint32_t set)
{
    for (uint32_t k = 0; k < s->tpus; k++) {
        if (*head_of(s, set, k) != ATOLL__LABEL_NONE) {
            return true;
        }
    }
    return false;
}

static bool late(struct atoll__search *s)
{
    if (s->deadline_ns != 0 && !s->timed_out && atoll_now_ns() > s->deadline_ns) {
        s->timed_out = true;
    }
    return s->timed_out;
}

/* One stage from down-set `from` to down-set `to`: bound first, cost only if the bound leaves hope. */
static int try_stage(struct atoll__search *s, uint32_t from, uint32_t to, uint32_t *ops, struct atoll_err *err)
{
    const struct atoll__lattice *l = s->lattice;
    const double floor_us = l->work[to] - l->work[from] + s->stage_floor_us;
    const struct stage_costs least = {.service_us = floor_us, .latency_us = floor_us};
    if (!any_promising(s, from, to, &least) || !atoll__lattice_inside(l, from, to)) {
        return 0;
    }
    const uint32_t n = atoll__lattice_difference(l, from, to, ops);
    struct atoll_stage_cost cost;
    const int rc = s->oracle->stage(s->oracle->user, s->model, ops, n, &cost, err);
    if (rc != 0) {
        return rc;
    }
    s->evaluations++;
    const struct stage_costs c = {cost.service_us, cost.latency_us, cost.serial_us, cost.active_mj};
    return add_all(s, from, to, &c, err);
}

int atoll__search_run(struct atoll__search *s, struct atoll_err *err)
{
    const struct atoll__lattice *l = s->lattice;
    s->heads = atoll_calloc((size_t)l->n * (s->tpus + 1), sizeof *s->heads);
    uint32_t *ops = atoll_calloc((size_t)l->n_ops + 1, sizeof *ops);
    int rc = 0;
    if (s->heads == NULL || ops == NULL) {
        rc = atoll_fail_nomem(err, "search", (size_t)l->n * (s->tpus + 1));
        goto done;
    }
    memset(s->heads, 0xff, (size_t)l->n * (s->tpus + 1) * sizeof *s->heads);
    rc = atoll_grow((void **)&s->labels, &s->cap_labels, 1024, sizeof *s->labels);
    if (rc != 0) {
        goto done;
    }
    s->labels[0] = (struct atoll__label){.previous = ATOLL__LABEL_NONE, .next = ATOLL__LABEL_NONE};
    s->n_labels = 1;
    *head_of(s, 0, 0) = 0;
    for (uint32_t from = 0; from + 1 < l->n && rc == 0 && !s->timed_out; from++) {
        if (!has_labels(s, from)) {
            continue;
        }
        for (uint32_t to = l->n - 1; to > from && rc == 0; to--) { /* the whole rest first: it gives bounds early */
            if (l->size[to] == l->size[from]) {
                break;
            }
            if ((to & 63) == 0 && late(s)) {
                break;
            }
            rc = try_stage(s, from, to, ops, err);
        }
        late(s);
    }
done:
    atoll_free(ops);
    return rc;
}

void atoll__search_finish(struct atoll__search *s)
{
    atoll_free(s->labels);
    atoll_free(s->heads);
    s->labels = NULL;
    s->heads = NULL;
    s->n_labels = 0;
    s->cap_labels = 0;
}

uint32_t atoll__search_final(const struct atoll__search *s, uint32_t k)
{
    return *head_of(s, s->lattice->n - 1, k);
}

uint32_t atoll__search_stages(const struct atoll__search *s, uint32_t label, uint32_t *sets, uint32_t *replicas)
{
    uint32_t n = 0;
    for (uint32_t i = label; s->labels[i].previous != ATOLL__LABEL_NONE; i = s->labels[i].previous) {
        n++;
    }
    uint32_t at = n;
    for (uint32_t i = label; s->labels[i].previous != ATOLL__LABEL_NONE; i = s->labels[i].previous) {
        at--;
        sets[at] = s->labels[i].set;
        replicas[at] = s->labels[i].replicas;
    }
    return n;
}
