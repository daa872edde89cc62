/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file search.h
 * Exact search over the cuts of one model: dynamic programming over down-sets with stage replicas
 * and Pareto labels. A label at (I, k) is a pipeline that runs the operators of down-set I on k
 * TPUs; only labels that no other one beats in every criterion are kept, so the labels of the full
 * set are the Pareto front of each k (PipeDream's recursion, SOSP'19 section 3.1, on ideals as in
 * Tarnawski et al., NeurIPS'20, with labels instead of one value).
 */
#ifndef ATOLL_PLAN_SEARCH_H
#define ATOLL_PLAN_SEARCH_H

#include "lattice.h"
#include "plan_internal.h"

/** What a label is judged by; all are to be small. */
enum atoll__criterion {
    ATOLL__CRIT_INTERVAL, ///< slowest stage, service / replicas, us
    ATOLL__CRIT_LOCK,     ///< time per inference under the host's lock, us
    ATOLL__CRIT_THREADS,  ///< time per inference on the host's threads, us
    ATOLL__CRIT_LINK,     ///< time per inference on the link that all TPUs share, us
    ATOLL__CRIT_WIDEST,   ///< replicas of the widest stage
    ATOLL__CRIT_ACTIVE,   ///< energy above idle per inference, mJ
    ATOLL__CRIT_LATENCY,  ///< one input, stages called one after the other, us
    ATOLL__CRITERIA
};

#define ATOLL__LABEL_NONE UINT32_MAX

struct atoll__label {
    double crit[ATOLL__CRITERIA];
    uint32_t set;      ///< down-set it ends at
    uint32_t previous; ///< label of the stages before; ATOLL__LABEL_NONE at the empty set
    uint32_t next;     ///< in the list of its (set, k)
    uint16_t tpus;     ///< k
    uint16_t replicas; ///< of the last stage
};

/** What the search needs of a segment's cost. */
struct atoll__stage_criteria {
    double service_us, latency_us, active_mj;
    struct atoll__plan_loads loads;
    bool streams;
};
/** Segment costs by (first set, last set); zero-initialise, atoll__memo_finish. */
struct atoll__memo {
    struct atoll__memo_entry *table;
    size_t cap, used;
};
void atoll__memo_finish(struct atoll__memo *m);

/** All stages that two down-sets of a lattice delimit, with the least each can take. */
struct atoll__spans {
    uint32_t *start;  ///< [n+1] into to and floor_us
    uint32_t *to;     ///< descending for each set
    double *floor_us; ///< without stage_extra_us
};
int atoll__spans_make(const struct atoll__lattice *l, const struct atoll__dag *g,
                      const struct atoll_floor *stage, struct atoll__spans *out,
                      struct atoll_err *err);
void atoll__spans_finish(struct atoll__spans *p);

/** What a pipeline must promise to be looked at further: with it, the best mix could still beat
 *  `best`. Zero-initialised: everything is looked at (the whole Pareto front is wanted). */
struct atoll__goal {
    bool set;
    enum atoll_objective objective;
    double best;            ///< known value: us per inference, us of latency, or mJ
    double waiting_mw;      ///< ENERGY: power of the board with all TPUs idle
    double active_floor_mj; ///< ENERGY: least energy above idle of an inference
};

struct atoll__search {
    /* set by the caller */
    const struct atoll__lattice *lattice;
    const struct atoll__spans *spans; ///< of the lattice, with `stage_floor`
    const struct atoll_oracle *oracle;
    const struct atoll_board *board;
    struct atoll_use use;
    uint32_t model;
    uint32_t tpus;                  ///< K
    uint32_t replicas_max;          ///< 1: one TPU a stage
    unsigned judged;                ///< bit set of 1 << enum atoll__criterion
    struct atoll_floor stage_floor; ///< of any stage, see atoll_oracle.floor
    double stage_extra_us;    ///< added to every stage's service (cost of pipelines beside it)
    double latency_max_us;    ///< pipelines that take longer are not wanted; 0: any. Needs LATENCY
                              ///< among the criteria judged
    double interval_max_us;   ///< pipelines whose slowest stage takes longer are not wanted; 0: any
    double interval_from_us;  ///< a shorter interval is worth nothing: no further replicas for it
    bool resident;            ///< no stage may stream
    struct atoll__memo *memo; ///< costs of segments of this lattice; shared by searches on it
    struct atoll__goal goal;
    const double *others_rate; ///< [K+1] the most inferences per us that pipelines beside one can
                               ///< give on j TPUs; NULL: what this search's own pipelines can
    uint64_t deadline_ns;      ///< atoll_now_ns() at which to stop; 0: none
    uint64_t steps_max;        ///< work to do at most: labels made or compared; 0: no limit
    /* results */
    struct atoll__label *labels;
    uint32_t n_labels;
    size_t cap_labels;
    uint32_t *heads;      ///< [n sets][K+1] first label or ATOLL__LABEL_NONE
    uint64_t evaluations; ///< segments costed
    uint64_t steps;       ///< work done
    bool cut_short;       ///< a limit ended it before it had looked at everything
    double lower_us;      ///< no plan on this lattice takes less: interval, or latency
    /* private */
    double
        *left_us; ///< [n sets][K+1] least that is left on m TPUs: slowest stage, or sum of stages
    double *below_us; ///< [n sets][K+1] a label there pays only below this: slowest stage, latency
    double rate_of[ATOLL_TPUS_MAX + 1]; ///< most inferences per us of any mix on j TPUs
    /** THROUGHPUT, ENERGY: the slowest stage that still pays on k TPUs; first from the work alone,
     * and there left_us ends. */
    double first_limit_us[ATOLL_TPUS_MAX + 1], limit_us[ATOLL_TPUS_MAX + 1];
};
/** Least time of the operators between two sets in up to `stages` stages, summed over the stages,
 * us. */
double atoll__floor_us(const struct atoll_floor *from, const struct atoll_floor *to,
                       const struct atoll_floor *stage, uint32_t stages);
/** Fills left_us. */
int atoll__search_bounds(struct atoll__search *s, struct atoll_err *err);
int atoll__search_run(struct atoll__search *s, struct atoll_err *err);
void atoll__search_finish(struct atoll__search *s);
/** First label of the whole model on exactly k TPUs, or ATOLL__LABEL_NONE. */
uint32_t atoll__search_final(const struct atoll__search *s, uint32_t k);
/** Stages of a label, first to last: sets[n] where each ends and replicas[n]; returns n (<= K). */
uint32_t atoll__search_stages(const struct atoll__search *s, uint32_t label, uint32_t *sets,
                              uint32_t *replicas);

#endif
