/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file plan_internal.h
 * What the files of room `plan` share: the planner (a request, the two orders of each model's
 * operators, and every segment cost asked for so far) and the plan under construction.
 */
#ifndef ATOLL_PLAN_INTERNAL_H
#define ATOLL_PLAN_INTERNAL_H

#include <atoll/plan.h>

/** The orders of operators in which a segment is a range. */
enum atoll__plan_order {
    ATOLL__ORDER_FILE,   ///< as in the file
    ATOLL__ORDER_VENDOR, ///< as edgetpu_compiler cuts (atoll_model_vendor_order)
    ATOLL__ORDER_DEPTH,  ///< by the longest distance from the input, then as in the file
    ATOLL__ORDERS
};

/** One model as the planner sees it. */
struct atoll__plan_view {
    const struct atoll_model *model;
    uint32_t *order[ATOLL__ORDERS]; ///< n_ops entries each, made when first needed
};

/** A segment: a range of one order of one model. */
struct atoll__plan_segment {
    uint32_t model;
    enum atoll__plan_order order;
    uint32_t begin, end; ///< positions, end not included
};

struct atoll__plan_entry {
    uint64_t key; ///< segment + 1; 0: free
    struct atoll_stage_cost cost;
};

/** Which figure of a stage a floor holds for. */
enum atoll__floor_kind {
    ATOLL__FLOOR_BOTH, ///< as atoll_oracle.floor: the two others
    ATOLL__FLOOR_SERVICE,
    ATOLL__FLOOR_LATENCY,
    ATOLL__FLOOR_KINDS
};
/** Lower bounds of the cost room's figures (see atoll_oracle.floor), by enum atoll__floor_kind. */
struct atoll__plan_floors {
    struct atoll_floor *ops[ATOLL__FLOOR_KINDS]; ///< n_ops each
    struct atoll_floor stage[ATOLL__FLOOR_KINDS];
};

/** What every pipeline that `exact` makes of a model must keep; zero-initialised: nothing. */
struct atoll__plan_keep {
    uint32_t *together;    ///< n_ops numbers: operators of one number below n_ops stay in one
                           ///< stage, others are free; NULL: all free
    double latency_max_us; ///< 0: any
    bool resident;         ///< no stage streams
};

/** Lives for one solve or one compare; every segment is costed at most once in it. */
struct atoll__planner {
    const struct atoll_plan_request *request;
    struct atoll_oracle oracle;
    struct atoll__plan_view *views;    ///< n_models
    struct atoll__plan_floors *floors; ///< n_models, of the cost room; each made when first needed
    char (*sha256)[65];                ///< n_models; "" when not asked for
    struct atoll__plan_entry *table;
    size_t table_cap, table_used;
    uint64_t deadline_ns;    ///< 0: none
    uint32_t exact_sets_max; ///< down-sets that `exact` looks at, at most; 0: as it likes
    struct atoll__exact *
        *stash; ///< n_models * ATOLL__FLOOR_KINDS: what `exact` keeps between solves
    struct atoll__plan_keep *keep; ///< n_models, owned
};

struct atoll__exact;
void atoll__exact_stash_free(struct atoll__exact **stash, uint32_t n_models);

int atoll__planner_init(struct atoll__planner *pl, const struct atoll_plan_request *r,
                        struct atoll_err *err);
void atoll__planner_finish(struct atoll__planner *pl);
/** The operators of an order; NULL with err set when it cannot be made. */
const uint32_t *atoll__planner_order(struct atoll__planner *pl, uint32_t model,
                                     enum atoll__plan_order o, struct atoll_err *err);
/** Makes the floors of a model when the planner asks the cost room itself. */
int atoll__planner_floors(struct atoll__planner *pl, uint32_t model, struct atoll_err *err);
/** The floor function of the cost room's oracle; user: the planner, whose floors are made. */
void atoll__planner_floor(void *user, uint32_t model, uint32_t op, struct atoll_floor *out);
/** The same for one figure alone, which is closer; the request's own oracle has one kind only. */
void atoll__planner_floor_of(const struct atoll__planner *pl, enum atoll__floor_kind kind,
                             uint32_t model, uint32_t op, struct atoll_floor *out);
int atoll__planner_cost(struct atoll__planner *pl, const struct atoll__plan_segment *s,
                        struct atoll_stage_cost *out, struct atoll_err *err);

/** A plan under construction: `plan` grows by pipelines until `tpus` are given away. */
struct atoll__plan_draft {
    struct atoll__planner *planner;
    struct atoll_plan *plan;
    uint32_t tpus;     ///< TPUs to place on
    uint32_t next_tpu; ///< first TPU not given away
};

/** Adds the pipeline whose stages begin at 0, starts[0], starts[1], ... of an order, each on
 *  `replicas` TPUs taken in turn. */
int atoll__draft_pipeline(struct atoll__plan_draft *d, uint32_t model, enum atoll__plan_order order,
                          const uint32_t *starts, uint32_t n_stages, uint32_t replicas,
                          struct atoll_err *err);
/** A stage given by its operators in order of execution (borrowed). */
struct atoll__draft_stage {
    const uint32_t *ops;
    uint32_t n_ops;
    uint32_t replicas;
};
/** Adds the pipeline of these stages; TPUs are taken in turn. */
int atoll__draft_stages(struct atoll__plan_draft *d, uint32_t model,
                        const struct atoll__draft_stage *stages, uint32_t n_stages,
                        struct atoll_err *err);
/** Adds the pipeline of the compiler's cuts into n stages. ATOLL_ENO: the rule gives none (err says
 * why). */
int atoll__draft_vendor(struct atoll__plan_draft *d, uint32_t model, uint32_t n_stages,
                        struct atoll_err *err);
/** TPUs of one of several models: an equal part, the rest one by one to the first models. */
uint32_t atoll__draft_share(const struct atoll__plan_draft *d, uint32_t model);
/** ATOLL_ENO when there are fewer TPUs than models: sharing one costs a reload at every switch. */
int atoll__draft_enough(const struct atoll__plan_draft *d, struct atoll_err *err);
/** Start positions of the compiler's cuts, n - 1 of them in vendor order. ATOLL_ENO: none. */
int atoll__planner_vendor_cuts(struct atoll__planner *pl, uint32_t model, uint32_t n,
                               uint32_t *starts, struct atoll_err *err);

/** What stands behind the colon of a strategy's text. */
enum atoll__argument {
    ATOLL__ARGUMENT_NONE,
    ATOLL__ARGUMENT_PARTS,     ///< "partition:4+2+2"
    ATOLL__ARGUMENT_OBJECTIVE, ///< "exact:energy", or nothing: the objective of the request
    ATOLL__ARGUMENT_SHARES     ///< "apart:load", or nothing: equal
};
/** A strategy fills the draft. ATOLL_ENO: it does not apply, err says why. */
struct atoll__plan_strategy {
    const char *name;
    enum atoll__argument argument;
    const char *rule_of; ///< whose; NULL: atoll's own
    bool rival;          ///< compared on request only: a published search, slower than a rule
    int (*fill)(struct atoll__plan_draft *d, const char *argument, struct atoll_err *err);
};
/** Every model alone on its share of the TPUs. */
int atoll__fill_apart(struct atoll__plan_draft *d, const char *argument, struct atoll_err *err);
int atoll__fill_exact(struct atoll__plan_draft *d, const char *argument, struct atoll_err *err);
/** All of them; the entry after the last has name NULL. */
extern const struct atoll__plan_strategy atoll__plan_strategies[];

/** Solves with an open planner; `tpus` may exceed the board (what one more would bring). */
int atoll__plan_make(struct atoll__planner *pl, const char *strategy, uint32_t tpus,
                     struct atoll_plan **plan, struct atoll_err *err);
/** The two halves of making a plan, around the placing of pipelines: its header; its figures,
 * limits and sentences. */
int atoll__plan_begin(struct atoll__planner *pl, const char *strategy, uint32_t tpus,
                      struct atoll_plan **plan, struct atoll_err *err);
int atoll__plan_end(struct atoll__planner *pl, struct atoll_plan *p, struct atoll_err *err);
/** Checks a request as the user wrote it. */
int atoll__plan_request_check(const struct atoll_plan_request *r, struct atoll_err *err);
/** Parses "4+2+2" into parts[ATOLL_TPUS_MAX]; 0 or ATOLL_EUSAGE. */
int atoll__plan_parse_parts(const char *text, uint32_t *parts, uint32_t *n, struct atoll_err *err);

/** What one inference of a stage asks of the things that all pipelines share, us; 0 where the board
 *  has no such limit. */
struct atoll__plan_loads {
    double lock_us;   ///< under the host's lock
    double thread_us; ///< on a thread of the host, when no other stream runs beside
    double link_us;   ///< on the shared link
};
struct atoll__plan_loads atoll__plan_loads_of(const struct atoll_stage_cost *c,
                                              const struct atoll_board *b,
                                              const struct atoll_use *use);

/** Which resource bounds the throughput of a plan. */
struct atoll__plan_limits {
    double streams;      ///< items side by side when the widest stage of every pipeline works
    double stage_frac;   ///< plans for rates: load of the fullest stage
    double lock_frac;    ///< load of the host's lock at the pipelines' own rates; > 1: it bounds
    double threads_frac; ///< load of the host's threads, likewise
    double link_frac;    ///< load of the shared link
    uint32_t pipeline, stage; ///< the stage that takes longest among those that bound a pipeline
};
/** Fills the figures and says what bounds them. */
void atoll__plan_figures(struct atoll_plan *p, const struct atoll_board *b,
                         struct atoll__plan_limits *limits);
/** plan_limits.c: a request's limits. TPUs of the board that may be used; are the limits sensible;
 * what the exact search keeps of them; whether a plan keeps them (ATOLL_ENO and which it breaks;
 * rates are not looked at: headroom says it). */
uint32_t atoll__plan_usable(const struct atoll_plan_request *r);
int atoll__plan_limits_check(const struct atoll_plan_request *r, struct atoll_err *err);
int atoll__plan_keep_make(const struct atoll_plan_request *r, struct atoll__plan_keep **keep,
                          struct atoll_err *err);
void atoll__plan_keep_free(struct atoll__plan_keep *keep, uint32_t n);
int atoll__plan_keeps(const struct atoll_plan *p, const struct atoll_plan_request *r,
                      struct atoll_err *why);

/** Is the plan made for rates? Then its figures are those of the next function. */
bool atoll__plan_is_rated(const struct atoll_plan *p);
void atoll__plan_rate_figures(struct atoll_plan *p, const struct atoll_board *b, double streams,
                              struct atoll__plan_limits *limits);
/** Energy above idle of loading a stage's parameters. */
double atoll__plan_reload_mj(const struct atoll_stage_cost *c, const struct atoll_board *b);
/** Fills the sentences of a plan whose figures stand. 0 or ATOLL_ENOMEM. */
int atoll__plan_explain(struct atoll_plan *p, const struct atoll_board *b,
                        const struct atoll__plan_limits *limits, struct atoll_err *err);
/** Fills `next_tpu`. */
int atoll__plan_explain_next(struct atoll__planner *pl, struct atoll_plan *p,
                             struct atoll_err *err);

/** The figure of an objective, and whether `a` beats `b` in it (a tie goes to the
 * higher throughput, then to fewer TPUs). */
double atoll__plan_value(const struct atoll_plan *p, enum atoll_objective o);
bool atoll__plan_better(const struct atoll_plan *a, const struct atoll_plan *b,
                        enum atoll_objective o);

/** Are they the same pipelines with the same stages, in the same order? Figures do not matter. */
bool atoll__plan_same(const struct atoll_plan *a, const struct atoll_plan *b);

/** An empty plan with its arena. */
int atoll__plan_create(struct atoll_plan **plan, struct atoll_err *err);

#endif
