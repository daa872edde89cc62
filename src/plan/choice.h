/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file choice.h
 * Several models, rates, limits, mixes of objectives: which models have TPUs of their own, how many
 * and with which pipeline, and which share TPUs.
 *
 * The search (search.h) gives what one model can do on k TPUs of its own; whole models on the same
 * TPUs are costed as they are. Each such way is an item: models, TPUs, and what it adds to the
 * loads below. A dynamic programme over (models placed, TPUs used) adds items up, with Pareto
 * labels. All loads only grow, so a partial sum is a bound of every sum it leads to.
 *
 * The plans among which the result is the best: a model has one pipeline of its own (any cuts, any
 * replicas), or the fastest set of unlike pipelines on its TPUs, or shares TPUs, whole, with up to
 * ATOLL__CHOICE_SHARE - 1 others.
 */
#ifndef ATOLL_PLAN_CHOICE_H
#define ATOLL_PLAN_CHOICE_H

#include "exact.h"

#define ATOLL__CHOICE_MODELS 12u /* sets of them are the states: 2^12 */
#define ATOLL__CHOICE_SHARE 4u   /* models on the same TPUs */

/** What a plan adds up to, at the rates of the request; all are to be small. */
enum atoll__load {
    ATOLL__LOAD_STAGE,   ///< of the fullest TPU, 1: always busy
    ATOLL__LOAD_LOCK,    ///< of the host's lock
    ATOLL__LOAD_THREADS, ///< of its threads
    ATOLL__LOAD_LINK,    ///< of the link that all share
    ATOLL__LOAD_ACTIVE,  ///< power above idle, mW
    ATOLL__LOAD_MEAN,    ///< latency, mean over all inferences, us
    ATOLL__LOAD_WORST,   ///< slowest pipeline, us, times its model's weight
    ATOLL__LOADS
};

/** One way to serve some models on some TPUs. */
struct atoll__choice_item {
    uint32_t models; ///< bit set
    uint32_t tpus, streams;
    double load[ATOLL__LOADS];
    enum atoll_sharing sharing;
    uint32_t team;   ///< CO_COMPILED: index in choice->teams
    uint32_t labels; ///< of the model's search: first of n_labels in choice->labels
    uint32_t n_labels;
};

/** Whole models compiled together for one TPU, in this order. */
struct atoll__choice_team {
    uint32_t models; ///< bit set
    uint32_t n, order[ATOLL__CHOICE_SHARE];
    struct atoll_stage_cost cost[ATOLL__CHOICE_SHARE];
};

/** The pipeline of a model in the best plan. */
struct atoll__choice_pipe {
    uint32_t model, group; ///< group: pipelines of one group are on the same TPUs
    enum atoll_sharing sharing;
    double reload_frac;
    struct atoll__draft_stage *stages;
    uint32_t n_stages;
    const struct atoll_stage_cost
        *cost; ///< of the only stage, compiled together; NULL: the oracle's
};

/** What a plan must keep. INFINITY: any. */
struct atoll__choice_limits {
    double full;                             ///< load of stages, lock, threads, link
    double value[3];                         ///< by enum atoll_objective
    double watt;                             ///< whole board
    double latency_us[ATOLL__CHOICE_MODELS]; ///< slowest pipeline of each model
    bool resident;
};

struct atoll__choice {
    /* set by the caller */
    struct atoll__planner *planner;
    uint32_t tpus;
    uint32_t n;                            ///< models
    uint32_t models[ATOLL__CHOICE_MODELS]; ///< the planner's numbers
    double rate_hz[ATOLL__CHOICE_MODELS];  ///< at which loads are counted
    bool rated; ///< the rates are to be served; else they are proportions, and all TPUs work as
                ///< fast as the fullest of them lets
    bool by_worst;
    double weight[ATOLL__CHOICE_MODELS]; ///< of latencies where the slowest counts
    enum atoll_objective objective;
    struct atoll__choice_limits limits;
    bool front; ///< every plan that no other dominates is wanted
    uint64_t steps_max;
    /* results */
    bool found, cut_short;
    double value; ///< of the objective, see atoll__choice_value
    double lower; ///< no plan of those above has less
    double load[ATOLL__LOADS];
    struct atoll__choice_pipe pipes[ATOLL_TPUS_MAX];
    uint32_t n_pipes;
    struct atoll_arena arena; ///< of the pipes
    /* private */
    const struct atoll_board *board;
    double copy_us, waiting_mw;
    unsigned judged; ///< bit set of 1 << enum atoll__load
    struct atoll__exact exact[ATOLL__CHOICE_MODELS];
    struct atoll__plan_draft draft;
    struct atoll__search search[ATOLL__CHOICE_MODELS]; ///< of the round at hand
    struct atoll__choice_item *items;
    size_t n_items, cap_items;
    uint32_t *labels;
    size_t n_labels, cap_labels;
    struct atoll__choice_team *teams;
    size_t n_teams, cap_teams;
    bool coarse;     ///< the round searches block boundaries only
    double extra_us; ///< of the round: what streams beside each other cost a stage
    uint32_t streams_max;
    uint64_t steps;
    int (*each)(struct atoll__choice *c, const uint32_t *items, uint32_t n, const double *load,
                void *user, struct atoll_err *err); ///< front: sees every label that is left
    void *user;
};

/** An empty choice over models[n] at the request's board; limits all open. */
void atoll__choice_init(struct atoll__choice *c, struct atoll__planner *pl, uint32_t tpus);
/** Looks at everything within the limits. Not finding a plan is no error. */
int atoll__choice_solve(struct atoll__choice *c, struct atoll_err *err);
void atoll__choice_finish(struct atoll__choice *c);

/** What is to be small: full = largest of the first four loads (THROUGHPUT), mW above idle or, when
 * not rated, mW times s of an inference (ENERGY), us (LATENCY). */
double atoll__choice_value(const struct atoll__choice *c, enum atoll_objective o,
                           const double *load);
double atoll__choice_full(const double *load);
/** Power of the whole board. */
double atoll__choice_watt(const struct atoll__choice *c, const double *load);
/** Do the loads keep the limits? Also true of a partial sum that might. */
bool atoll__choice_within(const struct atoll__choice *c, const double *load);

/* choice_items.c */
/** Searches each model and lists all items of the round. */
int atoll__choice_list(struct atoll__choice *c, struct atoll_err *err);
/** Items that are no plans but bounds: the least that any pipeline on k TPUs can cost. */
int atoll__choice_list_floors(struct atoll__choice *c, struct atoll_err *err);
void atoll__choice_clear(struct atoll__choice *c); ///< forgets items and searches of a round
int atoll__choice_add(struct atoll__choice *c, const struct atoll__choice_item *item,
                      struct atoll_err *err);
/** Keeps a pipeline for each model of the items as the best plan. */
int atoll__choice_keep(struct atoll__choice *c, const uint32_t *items, uint32_t n,
                       struct atoll_err *err);
/* choice_share.c: models on the same TPUs */
/** Costs of all models that can be compiled together; made once. */
int atoll__choice_list_teams(struct atoll__choice *c, struct atoll_err *err);
int atoll__choice_list_shared(struct atoll__choice *c, struct atoll_err *err);
/** Most of the inferences of a model that can find another's parameters when it alternates with
 * others of `others_hz` on the same TPU. */
double atoll__choice_reload_frac(double rate_hz, double others_hz);
/* choice_place.c: the dynamic programme. Improves c's best plan; *least receives the least value.
 */
int atoll__choice_place(struct atoll__choice *c, bool keep, double *least, struct atoll_err *err);

/* choice_plan.c: from a request, and to a draft */
/** Does the request ask for more than the search for one model answers? */
bool atoll__choice_wanted(const struct atoll_plan_request *r);
int atoll__choice_of_request(struct atoll__choice *c, struct atoll__planner *pl, uint32_t tpus,
                             struct atoll_err *err);
/** Adds these pipelines and sets the plan's rates. */
int atoll__choice_draft(const struct atoll__choice *c, const struct atoll__choice_pipe *pipes,
                        uint32_t n, struct atoll__plan_draft *d, struct atoll_err *err);
/** Strategy `exact` for what the search for one model does not answer. */
int atoll__fill_choice(struct atoll__plan_draft *d, struct atoll_err *err);
/* choice_blocked.c */
/** ATOLL_ENO with the limit that blocks and the nearest value that would not. */
int atoll__choice_blocked(struct atoll__planner *pl, uint32_t tpus, bool cut_short,
                          struct atoll_err *err);

#endif
