/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What mixes cannot beat where they share what is overloaded. Let every pipeline run at any rate up
 * to its own, so that slower ones count too, and let one shared thing have a load of at most 1. For
 * any price p >= 0 of its load, the gain of all pipelines is at most
 *     p + max over sets of pipelines of the sum of max(0, gain - p load),
 * since a pipeline is worth most at its full rate or not at all, and the set is a knapsack over
 * TPUs and streams (Lagrange, Everett 1963). The least over p is the bound. Gain is the rate for
 * the throughput; for a supposed energy E it is rate (E - energy above idle), and where that stays
 * below the power of waiting, no mix needs so little as E.
 */
#include <math.h>
#include <string.h>

#include "mix.h"

#define PRICE_STEPS 24
#define ENERGY_STEPS 16
/* Above so many steps a knapsack counts TPUs alone. */
#define STREAM_STEPS 200000.0

struct relaxed {
    const struct atoll__mix_item *items;
    const struct atoll__mix_goal *goal;
    uint32_t n;
    uint64_t *steps;
    double supposed_mj; ///< ENERGY
};

static double gain_of(const struct relaxed *x, const struct atoll__mix_item *it)
{
    return x->goal->objective == ATOLL_OBJECTIVE_ENERGY
               ? fmax(0, x->supposed_mj * it->rate_hz - it->active_mw)
               : it->rate_hz;
}

/* The most that pipelines gain together when one shared thing has this price. */
static double most_gain(const struct relaxed *x, int shared, double price)
{
    const uint32_t tpus = x->goal->tpus;
    const bool all = (double)tpus * x->goal->streams_max * x->n > STREAM_STEPS;
    const uint32_t streams = all ? 1 : x->goal->streams_max;
    double most[ATOLL_TPUS_MAX + 1][ATOLL_TPUS_MAX + 1];
    memset(most, 0, sizeof most);
    for (uint32_t i = 0; i < x->n; i++) {
        const struct atoll__mix_item *it = &x->items[i];
        const double gain = gain_of(x, it) - price * it->load_frac[shared];
        if (gain <= 0 || it->streams > x->goal->streams_max) {
            continue;
        }
        const uint32_t brings = all ? 0 : it->streams;
        for (uint32_t t = it->tpus; t <= tpus; t++) {
            for (uint32_t n = brings; n <= streams; n++) {
                most[t][n] = fmax(most[t][n], gain + most[t - it->tpus][n - brings]);
            }
        }
        *x->steps += (uint64_t)tpus * streams;
    }
    return price + most[tpus][streams];
}

/* The least over all prices: the sum is convex in the price, so thirds close in on it. */
static double least_gain(const struct relaxed *x, int shared)
{
    double from = 0, to = 0, least = most_gain(x, shared, 0);
    for (uint32_t i = 0; i < x->n; i++) {
        const struct atoll__mix_item *it = &x->items[i];
        to = it->load_frac[shared] > 0 ? fmax(to, gain_of(x, it) / it->load_frac[shared]) : to;
    }
    least = fmin(least, most_gain(x, shared, to));
    for (int i = 0; i < PRICE_STEPS; i++) {
        const double a = from + (to - from) / 3, b = to - (to - from) / 3;
        const double at_a = most_gain(x, shared, a), at_b = most_gain(x, shared, b);
        least = fmin(least, fmin(at_a, at_b));
        if (at_a < at_b) {
            to = b;
        } else {
            from = a;
        }
    }
    return least;
}

static double least_of_all(const struct relaxed *x)
{
    double least = INFINITY;
    for (int r = 0; r < ATOLL__MIX_SHARED; r++) {
        least = fmin(least, least_gain(x, r));
    }
    return least;
}

double atoll__mix_lower(const struct atoll__mix_item *items, uint32_t n_items,
                        const struct atoll__mix_goal *goal, uint64_t *steps)
{
    struct relaxed x = {.items = items, .n = n_items, .goal = goal, .steps = steps};
    if (goal->objective != ATOLL_OBJECTIVE_ENERGY) {
        return 1e6 / least_of_all(&x);
    }
    double low = 0, high = goal->best;
    x.supposed_mj = high;
    if (!isfinite(high) || least_of_all(&x) < goal->waiting_mw) {
        return isfinite(high) ? high : 0;
    }
    for (int i = 0; i < ENERGY_STEPS; i++) {
        x.supposed_mj = (low + high) / 2;
        if (least_of_all(&x) < goal->waiting_mw) {
            low = x.supposed_mj;
        } else {
            high = x.supposed_mj;
        }
    }
    return low;
}
