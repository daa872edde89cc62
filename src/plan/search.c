/* SPDX-License-Identifier: Apache-2.0 */
#include "search.h"

#include <math.h>
#include <string.h>

/* A segment costs about as much as so many extensions of labels. */
#define STEPS_PER_EVALUATION 100u
/* More are too many for the memory of a small host: 500 MB. */
#define LABELS_MAX 5000000u

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
static bool beaten(struct atoll__search *s, uint32_t set, uint32_t k, const double *crit)
{
    for (uint32_t kk = 1; kk <= k; kk++) {
        for (uint32_t i = *head_of(s, set, kk); i != ATOLL__LABEL_NONE; i = s->labels[i].next) {
            s->steps++;
            if (dominates(s->judged, s->labels[i].crit, crit)) {
                return true;
            }
        }
    }
    return false;
}

/* Could a pipeline with these bounds on `tpus` TPUs be part of a mix that needs less energy than
 * the best known? mW times us is 1e-6 mJ. */
static bool saves(const struct atoll__search *s, uint32_t tpus, double interval_us,
                  double active_mj)
{
    const struct atoll__goal *g = &s->goal;
    const double other = s->rate_of[s->tpus - tpus];
    if (isinf(other) || interval_us <= 0) { /* no floors: the rest might be free */
        return g->active_floor_mj < g->best;
    }
    const double rate = 1 / interval_us + other;
    const double active = (active_mj / interval_us + g->active_floor_mj * other) / rate;
    return active + g->waiting_mw * 1e-6 / rate < g->best;
}

/* Longer than allowed, whatever follows? */
static bool too_long(const struct atoll__search *s, uint32_t set, const double *crit)
{
    const struct atoll__lattice *l = s->lattice;
    if (s->latency_max_us <= 0) {
        return false;
    }
    const double rest_us = set == l->n - 1 ? 0
                                           : atoll__floor_us(&l->sum[set], &l->sum[l->n - 1],
                                                             &s->stage_floor, s->tpus);
    return crit[ATOLL__CRIT_LATENCY] + rest_us > s->latency_max_us;
}

/* Could a label of `set` with k TPUs and these criteria still lead to a better plan? What is left
 * costs at least the floors of its operators, spread over the TPUs left. */
static bool promising(const struct atoll__search *s, uint32_t set, uint32_t k, const double *crit)
{
    if (too_long(s, set, crit) ||
        (s->interval_max_us > 0 && crit[ATOLL__CRIT_INTERVAL] > s->interval_max_us)) {
        return false;
    }
    if (!s->goal.set) {
        return true;
    }
    const size_t at = (size_t)set * (s->tpus + 1);
    if (s->goal.objective != ATOLL_OBJECTIVE_ENERGY) {
        const bool latency = s->goal.objective == ATOLL_OBJECTIVE_LATENCY;
        return crit[latency ? ATOLL__CRIT_LATENCY : ATOLL__CRIT_INTERVAL] < s->below_us[at + k];
    }
    const uint32_t full = s->lattice->n - 1;
    const double own_us = crit[ATOLL__CRIT_INTERVAL];
    const double active_mj =
        crit[ATOLL__CRIT_ACTIVE] + s->lattice->sum[full].active_mj - s->lattice->sum[set].active_mj;
    if (set == full) {
        return saves(s, k, own_us, active_mj);
    }
    for (uint32_t kk = s->tpus; kk > k; kk--) { /* the most TPUs first: the likeliest */
        if (saves(s, kk, fmax(own_us, s->left_us[at + kk - k]), active_mj)) {
            return true;
        }
    }
    return false;
}

static int add_label(struct atoll__search *s, const struct atoll__label *label,
                     struct atoll_err *err)
{
    if (beaten(s, label->set, label->tpus, label->crit)) {
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
    const int rc =
        atoll_grow((void **)&s->labels, &s->cap_labels, (size_t)s->n_labels + 1, sizeof *s->labels);
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
static struct atoll__label extend(const struct atoll__label *from, uint32_t from_index,
                                  uint32_t set, uint32_t r, const struct atoll__stage_criteria *c)
{
    struct atoll__label next = *from;
    const double interval_us = c->service_us / r;
    if (interval_us > from->crit[ATOLL__CRIT_INTERVAL]) {
        next.crit[ATOLL__CRIT_INTERVAL] = interval_us;
    }
    next.crit[ATOLL__CRIT_LOCK] += c->loads.lock_us;
    next.crit[ATOLL__CRIT_THREADS] += c->loads.thread_us;
    next.crit[ATOLL__CRIT_LINK] += c->loads.link_us;
    if (r > from->crit[ATOLL__CRIT_WIDEST]) {
        next.crit[ATOLL__CRIT_WIDEST] = r;
    }
    next.crit[ATOLL__CRIT_ACTIVE] += c->active_mj;
    next.crit[ATOLL__CRIT_LATENCY] += c->latency_us;
    next.set = set;
    next.previous = from_index;
    next.tpus = (uint16_t)(from->tpus + r);
    next.replicas = (uint16_t)r;
    return next;
}

static bool any_promising(struct atoll__search *s, uint32_t from_set, uint32_t to_set,
                          const struct atoll__stage_criteria *c)
{
    for (uint32_t k = 0; k < s->tpus; k++) {
        for (uint32_t i = *head_of(s, from_set, k); i != ATOLL__LABEL_NONE; i = s->labels[i].next) {
            const struct atoll__label *from = &s->labels[i];
            for (uint32_t r = 1; k + r <= s->tpus && r <= s->replicas_max; r++) {
                s->steps++;
                const struct atoll__label next = extend(from, i, to_set, r, c);
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

static int add_all(struct atoll__search *s, uint32_t from_set, uint32_t to_set,
                   const struct atoll__stage_criteria *c, struct atoll_err *err)
{
    for (uint32_t k = 0; k < s->tpus; k++) {
        for (uint32_t i = *head_of(s, from_set, k); i != ATOLL__LABEL_NONE; i = s->labels[i].next) {
            for (uint32_t r = 1; k + r <= s->tpus && r <= s->replicas_max; r++) {
                const struct atoll__label from =
                    s->labels[i]; /* a copy: adding may move the labels */
                const struct atoll__label next = extend(&from, i, to_set, r, c);
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

static bool out_of_limits(struct atoll__search *s)
{
    if (s->n_labels > LABELS_MAX) {
        s->cut_short = true;
    }
    if (s->steps_max != 0 && s->steps >= s->steps_max) {
        s->cut_short = true;
    }
    if (s->deadline_ns != 0 && !s->cut_short && atoll_now_ns() > s->deadline_ns) {
        s->cut_short = true;
    }
    return s->cut_short;
}

/* ----------------------------------------------------------------------- costs */

struct atoll__memo_entry {
    uint64_t key; ///< 1 + (from, to); 0: free
    struct atoll__stage_criteria cost;
};

void atoll__memo_finish(struct atoll__memo *m)
{
    atoll_free(m->table);
    *m = (struct atoll__memo){0};
}

static struct atoll__memo_entry *memo_slot(struct atoll__memo_entry *table, size_t cap,
                                           uint64_t key)
{
    size_t at = (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (cap - 1);
    while (table[at].key != 0 && table[at].key != key) {
        at = (at + 1) & (cap - 1);
    }
    return &table[at];
}

/* Keeps the table at most half full. */
static int memo_reserve(struct atoll__memo *m, struct atoll_err *err)
{
    if (m->cap > 0 && 2 * (m->used + 1) <= m->cap) {
        return 0;
    }
    const size_t cap = m->cap > 0 ? 2 * m->cap : 1024;
    struct atoll__memo_entry *table = atoll_calloc(cap, sizeof *table);
    if (table == NULL) {
        return atoll_fail_nomem(err, "segment costs", cap * sizeof *table);
    }
    for (size_t i = 0; i < m->cap; i++) {
        if (m->table[i].key != 0) {
            *memo_slot(table, cap, m->table[i].key) = m->table[i];
        }
    }
    atoll_free(m->table);
    m->table = table;
    m->cap = cap;
    return 0;
}

/* Costs the segment between two down-sets, or remembers it. */
static int cost_of(struct atoll__search *s, uint32_t from, uint32_t to, uint32_t *ops,
                   struct atoll__stage_criteria *out, struct atoll_err *err)
{
    int rc = memo_reserve(s->memo, err);
    if (rc != 0) {
        return rc;
    }
    const uint64_t key = (((uint64_t)from << 32) | to) + 1;
    struct atoll__memo_entry *e = memo_slot(s->memo->table, s->memo->cap, key);
    if (e->key == 0) {
        const uint32_t n = atoll__lattice_difference(s->lattice, from, to, ops);
        struct atoll_stage_cost c;
        rc = s->oracle->stage(s->oracle->user, s->model, ops, n, &c, err);
        if (rc != 0) {
            return rc;
        }
        s->evaluations++;
        s->steps += STEPS_PER_EVALUATION + n;
        s->memo->used++;
        e->key = key;
        e->cost = (struct atoll__stage_criteria){
            .service_us = c.service_us,
            .latency_us = c.latency_us,
            .active_mj = c.active_mj,
            .loads = atoll__plan_loads_of(&c, s->board, &s->use),
            .streams = c.off_chip_bytes > 0,
        };
    }
    *out = e->cost;
    return 0;
}

/* One stage, number `span` of those from down-set `from`: bound first, cost only if that leaves
 * hope. */
static int try_stage(struct atoll__search *s, uint32_t from, uint32_t span, uint32_t *ops,
                     struct atoll_err *err)
{
    const struct atoll__lattice *l = s->lattice;
    const uint32_t to = s->spans->to[span];
    struct atoll__stage_criteria c = {
        .service_us = s->spans->floor_us[span] + s->stage_extra_us,
        .latency_us = s->spans->floor_us[span],
        .active_mj = l->sum[to].active_mj - l->sum[from].active_mj,
    };
    if (!any_promising(s, from, to, &c)) {
        return 0;
    }
    const int rc = cost_of(s, from, to, ops, &c, err);
    c.service_us += s->stage_extra_us;
    if (rc != 0 || (s->resident && c.streams)) {
        return rc;
    }
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
    rc = atoll__search_bounds(s, err);
    if (rc != 0) {
        goto done;
    }
    memset(s->heads, 0xff, (size_t)l->n * (s->tpus + 1) * sizeof *s->heads);
    rc = atoll_grow((void **)&s->labels, &s->cap_labels, 1024, sizeof *s->labels);
    if (rc != 0) {
        goto done;
    }
    s->labels[0] = (struct atoll__label){.previous = ATOLL__LABEL_NONE, .next = ATOLL__LABEL_NONE};
    s->labels[0].crit[ATOLL__CRIT_INTERVAL] = s->interval_from_us;
    s->n_labels = 1;
    *head_of(s, 0, 0) = 0;
    for (uint32_t from = 0; from + 1 < l->n && rc == 0 && !s->cut_short; from++) {
        if (!has_labels(s, from)) {
            continue;
        }
        for (uint32_t i = s->spans->start[from]; i < s->spans->start[from + 1] && rc == 0; i++) {
            rc = try_stage(s, from, i, ops, err);
            if ((i & 63) == 0 && out_of_limits(s)) {
                break;
            }
        }
        out_of_limits(s);
    }
done:
    atoll_free(ops);
    return rc;
}

void atoll__search_finish(struct atoll__search *s)
{
    atoll_free(s->labels);
    atoll_free(s->heads);
    atoll_free(s->left_us);
    atoll_free(s->below_us);
    s->left_us = NULL;
    s->below_us = NULL;
    s->labels = NULL;
    s->heads = NULL;
    s->n_labels = 0;
    s->cap_labels = 0;
}

uint32_t atoll__search_final(const struct atoll__search *s, uint32_t k)
{
    return *head_of(s, s->lattice->n - 1, k);
}

uint32_t atoll__search_stages(const struct atoll__search *s, uint32_t label, uint32_t *sets,
                              uint32_t *replicas)
{
    uint32_t n = 0;
    for (uint32_t i = label; s->labels[i].previous != ATOLL__LABEL_NONE;
         i = s->labels[i].previous) {
        n++;
    }
    uint32_t at = n;
    for (uint32_t i = label; s->labels[i].previous != ATOLL__LABEL_NONE;
         i = s->labels[i].previous) {
        at--;
        sets[at] = s->labels[i].set;
        replicas[at] = s->labels[i].replicas;
    }
    return n;
}
