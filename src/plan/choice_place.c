/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dynamic programme over (models placed, TPUs used). The next item always serves the first
 * model not placed, so every set of items is met once.
 */
#include "choice.h"

#include <math.h>
#include <string.h>

#define NONE UINT32_MAX
#define LABELS_MAX 2000000u /* 200 MB; more are a search that was cut short */
/* Loads that add up; the others are those of the worst item. */
#define SUMS                                                                                       \
    (1u << ATOLL__LOAD_LOCK | 1u << ATOLL__LOAD_THREADS | 1u << ATOLL__LOAD_LINK |                 \
     1u << ATOLL__LOAD_ACTIVE | 1u << ATOLL__LOAD_MEAN)

struct label {
    double load[ATOLL__LOADS];
    uint32_t streams, item, previous, next;
};

struct place {
    struct atoll__choice *c;
    struct label *labels;
    size_t n, cap;
    uint32_t *heads;    ///< [2^models][tpus + 1]
    uint32_t *of_model; ///< items whose first model is i: first of a list
    uint32_t *next;     ///< the next item of that list
};

static uint32_t *head_of(const struct place *p, uint32_t set, uint32_t k)
{
    return &p->heads[(size_t)set * (p->c->tpus + 1) + k];
}

static bool at_least_as_good(const struct atoll__choice *c, const struct label *a,
                             const struct label *b)
{
    if (c->copy_us > 0 && a->streams > b->streams) {
        return false;
    }
    for (unsigned l = 0; l < ATOLL__LOADS; l++) {
        if ((c->judged & (1u << l)) && a->load[l] > b->load[l]) {
            return false;
        }
    }
    return true;
}

static int add(struct place *p, uint32_t set, uint32_t k, const struct label *x,
               struct atoll_err *err)
{
    for (uint32_t kk = 0; kk <= k; kk++) {
        for (uint32_t i = *head_of(p, set, kk); i != NONE; i = p->labels[i].next) {
            p->c->steps++;
            if (at_least_as_good(p->c, &p->labels[i], x)) {
                return 0;
            }
        }
    }
    for (uint32_t *link = head_of(p, set, k); *link != NONE;) {
        if (at_least_as_good(p->c, x, &p->labels[*link])) {
            *link = p->labels[*link].next;
        } else {
            link = &p->labels[*link].next;
        }
    }
    if (p->n >= LABELS_MAX) {
        p->c->cut_short = true;
        return 0;
    }
    if (atoll_grow((void **)&p->labels, &p->cap, p->n + 1, sizeof *p->labels)) {
        return atoll_fail_nomem(err, "sets of models", p->n * sizeof *p->labels);
    }
    p->labels[p->n] = *x;
    p->labels[p->n].next = *head_of(p, set, k);
    *head_of(p, set, k) = (uint32_t)p->n++;
    return 0;
}

/* The label that follows `from` with an item. */
static struct label extend(const struct label *from, uint32_t from_index,
                           const struct atoll__choice_item *it, uint32_t item)
{
    struct label x = *from;
    for (unsigned l = 0; l < ATOLL__LOADS; l++) {
        x.load[l] = SUMS & (1u << l) ? x.load[l] + it->load[l] : fmax(x.load[l], it->load[l]);
    }
    x.streams += it->streams;
    x.item = item;
    x.previous = from_index;
    return x;
}

static bool out_of_limits(struct atoll__choice *c)
{
    const uint64_t deadline_ns = c->planner->deadline_ns;
    if ((c->steps_max > 0 && c->steps > 2 * c->steps_max) ||
        (deadline_ns && atoll_now_ns() > deadline_ns)) {
        c->cut_short = true;
        return true;
    }
    return false;
}

/* Every item of model `m` behind every label of (set, k). */
static int extend_all(struct place *p, uint32_t set, uint32_t k, uint32_t m, struct atoll_err *err)
{
    struct atoll__choice *c = p->c;
    for (uint32_t i = *head_of(p, set, k); i != NONE; i = p->labels[i].next) {
        for (uint32_t t = p->of_model[m]; t != NONE; t = p->next[t]) {
            const struct atoll__choice_item *it = &c->items[t];
            c->steps++;
            if ((it->models & set) || k + it->tpus > c->tpus) {
                continue;
            }
            if (out_of_limits(c)) {
                return 0;
            }
            const struct label from = p->labels[i]; /* a copy: adding may move the labels */
            const struct label x = extend(&from, i, it, t);
            const bool fits = c->copy_us <= 0 || x.streams <= c->streams_max;
            if (!fits || !atoll__choice_within(c, x.load) ||
                (!c->front && c->found &&
                 atoll__choice_value(c, c->objective, x.load) >= c->value)) {
                continue;
            }
            const int rc = add(p, set | it->models, k + it->tpus, &x, err);
            if (rc) {
                return rc;
            }
        }
    }
    return 0;
}

static int place_all(struct place *p, struct atoll_err *err)
{
    const struct atoll__choice *c = p->c;
    const struct label empty = {.item = NONE, .previous = NONE, .next = NONE};
    int rc = add(p, 0, 0, &empty, err);
    for (uint32_t set = 0; set + 1 < 1u << c->n && rc == 0; set++) {
        uint32_t m = 0;
        while (set >> m & 1) {
            m++;
        }
        for (uint32_t k = 0; k < c->tpus && rc == 0; k++) {
            rc = extend_all(p, set, k, m, err);
        }
    }
    return rc;
}

/* The items of a label, first placed last. */
static uint32_t items_of(const struct place *p, uint32_t label, uint32_t *items)
{
    uint32_t n = 0;
    for (uint32_t i = label; i != NONE && p->labels[i].item != NONE; i = p->labels[i].previous) {
        items[n++] = p->labels[i].item;
    }
    for (uint32_t i = 0; i < n / 2; i++) {
        const uint32_t t = items[i];
        items[i] = items[n - 1 - i];
        items[n - 1 - i] = t;
    }
    return n;
}

static int look_at(struct place *p, bool keep, double *least, struct atoll_err *err)
{
    struct atoll__choice *c = p->c;
    const uint32_t all = (1u << c->n) - 1;
    uint32_t best = NONE, items[ATOLL__CHOICE_MODELS];
    int rc = 0;
    for (uint32_t k = 1; k <= c->tpus && rc == 0; k++) { /* a tie leaves TPUs free */
        for (uint32_t i = *head_of(p, all, k); i != NONE && rc == 0; i = p->labels[i].next) {
            const double value = atoll__choice_value(c, c->objective, p->labels[i].load);
            if (value < *least) {
                *least = value;
                best = i;
            }
            if (c->each && keep) { /* bounds are no plans */
                const uint32_t n = items_of(p, i, items);
                rc = c->each(c, items, n, p->labels[i].load, c->user, err);
            }
        }
    }
    if (rc == 0 && keep && best != NONE) {
        c->found = true;
        c->value = *least;
        memcpy(c->load, p->labels[best].load, sizeof c->load);
        rc = atoll__choice_keep(c, items, items_of(p, best, items), err);
    }
    return rc;
}

static int list_by_model(struct place *p, struct atoll_err *err)
{
    const struct atoll__choice *c = p->c;
    const size_t states = ((size_t)1 << c->n) * (c->tpus + 1);
    p->heads = atoll_calloc(states, sizeof *p->heads);
    p->of_model = atoll_calloc(c->n, sizeof *p->of_model);
    p->next = atoll_calloc(c->n_items + 1, sizeof *p->next);
    if (!p->heads || !p->of_model || !p->next) {
        return atoll_fail_nomem(err, "sets of models", states * sizeof *p->heads);
    }
    memset(p->heads, 0xff, states * sizeof *p->heads);
    memset(p->of_model, 0xff, c->n * sizeof *p->of_model);
    for (size_t t = c->n_items; t-- > 0;) {
        uint32_t m = 0;
        while (!(c->items[t].models >> m & 1)) {
            m++;
        }
        p->next[t] = p->of_model[m];
        p->of_model[m] = (uint32_t)t;
    }
    return 0;
}

int atoll__choice_place(struct atoll__choice *c, bool keep, double *least, struct atoll_err *err)
{
    struct place p = {.c = c};
    *least = INFINITY;
    int rc = list_by_model(&p, err);
    rc = rc ? rc : place_all(&p, err);
    rc = rc ? rc : look_at(&p, keep, least, err);
    atoll_free(p.labels);
    atoll_free(p.heads);
    atoll_free(p.of_model);
    atoll_free(p.next);
    return rc;
}
