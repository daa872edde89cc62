/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file mix.h
 * Which pipelines side by side: given what one pipeline can do on k TPUs (the Pareto front of the
 * search), the best set of pipelines on K TPUs. An unbounded knapsack over TPUs whose labels
 * keep every sum that may matter: rate, TPUs, streams, host lock, shared link, energy.
 */
#ifndef ATOLL_PLAN_MIX_H
#define ATOLL_PLAN_MIX_H

#include <atoll/plan.h>

/** What all pipelines share: the host's lock, its threads, the link. */
#define ATOLL__MIX_SHARED 3

/** One kind of pipeline. */
struct atoll__mix_item {
    uint32_t tpus;
    uint32_t streams;                    ///< replicas of its widest stage
    double rate_hz;                      ///< when nothing else slows it
    double load_frac[ATOLL__MIX_SHARED]; ///< of lock, threads and link at that rate; 1: all of it
    double active_mw;                    ///< energy above idle at that rate
    uint32_t source;                     ///< caller's number for it
};
struct atoll__mix_goal {
    uint32_t tpus;
    uint32_t streams_max;           ///< sum of streams at most this
    enum atoll_objective objective; ///< THROUGHPUT or ENERGY
    double waiting_mw;              ///< power of the board with all TPUs idle
    uint64_t steps_max;             ///< labels compared at most; 0: no limit
    double best;                    ///< only mixes below this count: us per inference, or mJ
};
struct atoll__mix {
    uint32_t items[ATOLL_TPUS_MAX]; ///< index into the given items, one per pipeline
    uint32_t n;
    double rate_hz;   ///< after host and link have slowed it
    double energy_mj; ///< per inference
    bool binds;       ///< some mix can overload what is shared: a slower pipeline, which the search
                      ///< does not keep, may then be the better partner; not proven
    uint64_t steps;   ///< work done
    bool cut_short;   ///< the limit ended it: a better mix of these items may exist
};
/** No mix has less than this (us per inference, or mJ) when each of its pipelines is in nothing
 * better than some item: not in rate, loads per inference, energy per inference, streams or TPUs.
 * Those pipelines may be slower than any item, which lowers their loads. Below `goal->best` it is
 * tight where one of the shared things bounds. *steps grows by the work done. */
double atoll__mix_lower(const struct atoll__mix_item *items, uint32_t n_items,
                        const struct atoll__mix_goal *goal, uint64_t *steps);
/** The best mix; n = 0 when no item fits, or none is better than goal->best. */
int atoll__mix_best(const struct atoll__mix_item *items, uint32_t n_items,
                    const struct atoll__mix_goal *goal, struct atoll__mix *out,
                    struct atoll_err *err);

#endif
