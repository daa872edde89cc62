/* SPDX-License-Identifier: Apache-2.0 */
#include "mix.h"

#include <math.h>
#include <string.h>

struct label {
    double rate_hz, load_frac[ATOLL__MIX_SHARED], active_mw;
    uint32_t streams, item, previous, next;
};
#define NONE UINT32_MAX

struct knapsack {
    struct label *labels;
    size_t cap;
    uint32_t n;
    uint32_t heads[ATOLL_TPUS_MAX + 1];
    bool by_energy, binds[ATOLL__MIX_SHARED];
    /** Rate on up to so many TPUs with up to so many streams, nothing shared counted. */
    double most_hz[ATOLL_TPUS_MAX + 1][ATOLL_TPUS_MAX + 1];
    uint64_t steps, steps_max;
    double least_mj; ///< energy above idle of an inference, at least
    double
        least_load_s[ATOLL__MIX_SHARED]; ///< of each shared thing that an inference takes, at least
};

static bool at_least_as_good(const struct knapsack *k, const struct label *a, const struct label *b)
{
    if (a->rate_hz < b->rate_hz || a->streams > b->streams ||
        (k->by_energy && a->active_mw > b->active_mw)) {
        return false;
    }
    for (int r = 0; r < ATOLL__MIX_SHARED; r++) {
        if (k->binds[r] && a->load_frac[r] > b->load_frac[r]) {
            return false;
        }
    }
    return true;
}

/* The most that TPUs can give when nothing is shared, so that labels without hope are dropped. */
static void find_most(struct knapsack *k, const struct atoll__mix_item *items, uint32_t n,
                      const struct atoll__mix_goal *g)
{
    k->least_mj = INFINITY;
    for (int r = 0; r < ATOLL__MIX_SHARED; r++) {
        k->least_load_s[r] = INFINITY;
    }
    for (uint32_t i = 0; i < n; i++) {
        k->least_mj = fmin(k->least_mj, items[i].active_mw / items[i].rate_hz);
        for (int r = 0; r < ATOLL__MIX_SHARED; r++) {
            k->least_load_s[r] = fmin(k->least_load_s[r], items[i].load_frac[r] / items[i].rate_hz);
        }
    }
    for (uint32_t t = 1; t <= g->tpus; t++) {
        for (uint32_t s = 1; s <= g->streams_max; s++) {
            double most_hz = 0;
            for (uint32_t i = 0; i < n; i++) {
                if (items[i].tpus <= t && items[i].streams <= s) {
                    most_hz =
                        fmax(most_hz, items[i].rate_hz +
                                          k->most_hz[t - items[i].tpus][s - items[i].streams]);
                }
            }
            k->most_hz[t][s] = most_hz;
        }
    }
}

/* The most rate of a mix that holds x when others add up to `more_hz`, one shared thing slowing
 * all. The rate over the load is monotone in what the others add, before the load reaches 1 and
 * after. */
static double slowed_hz(const struct label *x, int r, double more_hz, double least_load_s)
{
    const double load = x->load_frac[r], full = load + more_hz * least_load_s;
    if (full <= 1) {
        return x->rate_hz + more_hz;
    }
    const double at_one = load < 1 ? x->rate_hz + (1 - load) / least_load_s : x->rate_hz / load;
    return fmax(at_one, (x->rate_hz + more_hz) / full);
}

/* Cannot beat what is known, however the TPUs left are used. mW over Hz is mJ. */
static bool hopeless(const struct knapsack *k, const struct atoll__mix_goal *g,
                     const struct label *x, uint32_t tpus)
{
    const double more_hz = k->most_hz[g->tpus - tpus][g->streams_max - x->streams];
    double rate_hz = x->rate_hz + more_hz;
    for (int r = 0; r < ATOLL__MIX_SHARED; r++) {
        rate_hz = fmin(rate_hz, slowed_hz(x, r, more_hz, k->least_load_s[r]));
    }
    return k->by_energy ? k->least_mj + g->waiting_mw / rate_hz >= g->best
                        : 1e6 / rate_hz >= g->best;
}

/* A mix with more rate loads host and link more; that counts only where some mix that might be the
 * best can overload them. */
static void find_binding(struct knapsack *k, const struct atoll__mix_item *items, uint32_t n,
                         const struct atoll__mix_goal *g)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct label own = {.rate_hz = items[i].rate_hz, .streams = items[i].streams};
        if (own.streams > g->streams_max || hopeless(k, g, &own, items[i].tpus)) {
            continue;
        }
        for (int r = 0; r < ATOLL__MIX_SHARED; r++) {
            const double most = items[i].load_frac[r] * g->tpus / items[i].tpus;
            k->binds[r] = k->binds[r] || most > 1;
        }
    }
}

static int add(struct knapsack *k, uint32_t tpus, const struct label *x, struct atoll_err *err)
{
    for (uint32_t i = k->heads[tpus]; i != NONE; i = k->labels[i].next) {
        k->steps++;
        if (at_least_as_good(k, &k->labels[i], x)) {
            return 0;
        }
    }
    for (uint32_t *link = &k->heads[tpus]; *link != NONE;) {
        if (at_least_as_good(k, x, &k->labels[*link])) {
            *link = k->labels[*link].next;
        } else {
            link = &k->labels[*link].next;
        }
    }
    const int rc = atoll_grow((void **)&k->labels, &k->cap, (size_t)k->n + 1, sizeof *k->labels);
    if (rc != 0) {
        return atoll_fail_nomem(err, "mixes of pipelines", (size_t)k->n * sizeof *k->labels);
    }
    k->labels[k->n] = *x;
    k->labels[k->n].next = k->heads[tpus];
    k->heads[tpus] = k->n++;
    return 0;
}

static int add_item(struct knapsack *k, const struct atoll__mix_item *it, uint32_t item,
                    const struct atoll__mix_goal *g, struct atoll_err *err)
{
    for (uint32_t from = 0; from + it->tpus <= g->tpus; from++) {
        for (uint32_t i = k->heads[from]; i != NONE; i = k->labels[i].next) {
            if (k->steps_max > 0 && k->steps > k->steps_max) {
                return 0;
            }
            struct label x = k->labels[i];
            x.rate_hz += it->rate_hz;
            for (int r = 0; r < ATOLL__MIX_SHARED; r++) {
                x.load_frac[r] += it->load_frac[r];
            }
            x.active_mw += it->active_mw;
            x.streams += it->streams;
            x.item = item;
            x.previous = i;
            if (x.streams > g->streams_max || hopeless(k, g, &x, from + it->tpus)) {
                continue;
            }
            const int rc = add(k, from + it->tpus, &x, err);
            if (rc != 0) {
                return rc;
            }
        }
    }
    return 0;
}

static void judge(const struct knapsack *k, const struct atoll__mix_goal *g, uint32_t i,
                  uint32_t *best, struct atoll__mix *out)
{
    const struct label *x = &k->labels[i];
    double slow = 1;
    for (int r = 0; r < ATOLL__MIX_SHARED; r++) {
        slow = fmax(slow, x->load_frac[r]);
    }
    const double rate_hz = x->rate_hz / slow;
    /* mW over Hz is mJ */
    const double energy_mj = x->active_mw / x->rate_hz + g->waiting_mw / rate_hz;
    const bool better = g->objective == ATOLL_OBJECTIVE_ENERGY ? energy_mj < out->energy_mj
                                                               : rate_hz > out->rate_hz;
    if (*best == NONE || better) {
        *best = i;
        out->rate_hz = rate_hz;
        out->energy_mj = energy_mj;
    }
}

int atoll__mix_best(const struct atoll__mix_item *items, uint32_t n_items,
                    const struct atoll__mix_goal *goal, struct atoll__mix *out,
                    struct atoll_err *err)
{
    struct knapsack k = {.by_energy = goal->objective == ATOLL_OBJECTIVE_ENERGY,
                         .steps_max = goal->steps_max};
    memset(k.heads, 0xff, sizeof k.heads);
    find_most(&k, items, n_items, goal);
    find_binding(&k, items, n_items, goal);
    memset(out, 0, sizeof *out);
    const struct label empty = {.item = NONE, .previous = NONE, .next = NONE};
    int rc = add(&k, 0, &empty, err);
    for (uint32_t i = 0; rc == 0 && i < n_items; i++) {
        rc = add_item(&k, &items[i], i, goal, err);
    }
    uint32_t best = NONE;
    for (uint32_t t = 1; rc == 0 && t <= goal->tpus;
         t++) { /* few TPUs first, so that a tie leaves TPUs free */
        for (uint32_t i = k.heads[t]; i != NONE; i = k.labels[i].next) {
            judge(&k, goal, i, &best, out);
        }
    }
    for (uint32_t i = best; rc == 0 && i != NONE && k.labels[i].item != NONE;
         i = k.labels[i].previous) {
        out->items[out->n++] = k.labels[i].item;
    }
    out->steps = k.steps;
    for (int r = 0; r < ATOLL__MIX_SHARED; r++) {
        out->binds = out->binds || k.binds[r];
    }
    out->cut_short = k.steps_max > 0 && k.steps > k.steps_max;
    atoll_free(k.labels);
    return rc;
}
