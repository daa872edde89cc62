/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file plan.h
 * Room `plan`: which model in which segments on which TPUs. Knows a cost oracle, no device. Figures
 * in a plan are *computed*; bench confirms them on a device.
 *
 * Terms: a pipeline is a chain of stages; a stage is a segment of a model on one or more TPUs
 * (replicas); a plan is one or more independent pipelines.
 */
#ifndef ATOLL_PLAN_H
#define ATOLL_PLAN_H

#include <atoll/cost.h>
#include <atoll/json.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Prices of a byte of the cache for which a floor may bound what streams. */
#define ATOLL_FLOOR_PRICES 3

/** What an operator costs at least, wherever it is placed; see atoll_oracle.floor. What is not
 * known is 0. */
struct atoll_floor {
    double work_us;   ///< whatever else happens
    double stream_us; ///< if its parameters had to be sent over the link at every
                      ///< inference: the longer of the sending and of work_us
    /** Likewise, with what the cache saves of an operator cut to a price per byte; of a stage: the
     * price of the whole cache. */
    double stream_at_us[ATOLL_FLOOR_PRICES];
    double active_mj;          ///< energy above idle
    double parameter_bytes;    ///< of a stage: the most that any keeps on chip
    double calls;              ///< of an operator: 1 when a stage that holds it makes a call
    double call_us;            ///< of a stage only: added where there is one
    double output_us;          ///< of an operator: reading back what it hands to later segments
    double input_us;           ///< of an operator: sending what it hands to a later segment
    double output_us_per_byte; ///< of a stage only: reading back what it hands to later segments
    double input_us_per_byte;  ///< of a stage only: sending what earlier segments hand to it
    double overflow_us;        ///< of a stage only: added where its parameters cannot all be kept
    double lock_us, thread_us; ///< of a stage only, where there is a call: under the host's lock,
                               ///< on one of its threads
    double moving_mj_per_us; ///< of a stage only: energy above idle while it sends or streams
};

/** Where stage costs come from. NULL in a request: the cost room. Tests and measured overrides
 * bring their own. */
struct atoll_oracle {
    /** Cost of the segment `ops[n]` (execution order) of model number `model`. Must be thread-safe.
     */
    int (*stage)(void *user, uint32_t model, const uint32_t *ops, uint32_t n,
                 struct atoll_stage_cost *out, struct atoll_err *err);
    /** Optional lower bounds that let the exact search skip segments. With s = floor(UINT32_MAX),
     * what every stage costs at least, the service_us and the latency_us of any segment are at
     * least the sum of
     *  - s.work_us + max(sum of work_us, sum of stream_us - s.stream_us, and for each price the
     * same of stream_at_us),
     *  - s.call_us where the sum of calls is not 0,
     *  - s.overflow_us where the sum of parameter_bytes is above s.parameter_bytes,
     *  - output_us + s.output_us_per_byte * bytes of each operator that later segments read,
     *  - input_us + s.input_us_per_byte * bytes of each operator of earlier ones that it reads.
     * Its active_mj is at least the sum of active_mj and s.moving_mj_per_us times what that sum
     * holds beyond s.work_us, s.call_us and the operators' work_us. NULL: no bounds, every segment
     * is costed.
     */
    void (*floor)(void *user, uint32_t model, uint32_t op, struct atoll_floor *out);
    /** Optional: costs of whole models compiled together for one TPU, in this order (the first is
     * served first with cache). NULL: plans do not compile models together. */
    int (*together)(void *user, const uint32_t *models, uint32_t n, struct atoll_stage_cost *out,
                    struct atoll_err *err);
    void *user;
    /** Without `floor`, and above 0: no cost is below this share of the cost room's, so that its
     * floors, times this, hold. For overrides of some stages. */
    double floor_frac;
};

enum atoll_objective {
    ATOLL_OBJECTIVE_LATENCY,
    ATOLL_OBJECTIVE_THROUGHPUT,
    ATOLL_OBJECTIVE_ENERGY
};
ATOLL_API const char *atoll_objective_name(enum atoll_objective o);

struct atoll_stage {
    uint32_t *tpus; ///< n_tpus TPU numbers, the replicas of this stage
    uint32_t n_tpus;
    uint32_t *ops; ///< n_ops operators in order of execution
    uint32_t n_ops;
    struct atoll_stage_cost cost;
};
/** How a pipeline holds its TPUs. */
enum atoll_sharing {
    ATOLL_SHARING_NONE,       ///< they are its own
    ATOLL_SHARING_RELOAD,     ///< pipelines of its group take turns; who comes after another model
                              ///< loads its parameters anew
    ATOLL_SHARING_CO_COMPILED ///< pipelines of its group were compiled together: each keeps its
                              ///< part of the cache
};
ATOLL_API const char *atoll_sharing_name(enum atoll_sharing s); ///< "own", "reload", "co_compiled"

struct atoll_pipeline {
    uint32_t model; ///< index into atoll_plan.models
    struct atoll_stage *stages;
    uint32_t n_stages;
    double latency_us, interval_us;
    enum atoll_sharing sharing;
    uint32_t group; ///< pipelines of one group have one stage, on the same TPUs, and stand in the
                    ///< order in which they were compiled together; only with sharing
    double reload_frac; ///< RELOAD: share of its inferences that load anew, at most
};
struct atoll_plan_model {
    const char *path; ///< model argument
    char sha256[65];  ///< "" when not asked for
    /* in a plan for rates; else NAN */
    double rate_hz;     ///< to be served
    double capacity_hz; ///< served at most, while the others keep their rates
    double latency_us; ///< mean over its inferences, one input in an empty system, reloads included
    double latency_worst_us;
    double deadline_us; ///< that it had to keep, with or without rates; NAN: none
};
/** A plan. Owned; atoll_plan_close. Unknown figures are NAN (null in JSON). */
struct atoll_plan {
    const char *strategy; ///< "single", "replicas", "vendor", "partition:4+2+2",
                          ///< "smallest_resident", "exact", "cuts"
    const char *rule_of;  ///< whose rule or search this is; NULL: atoll's own
    const char *board;
    uint32_t tpus; ///< TPUs asked for
    uint32_t tpus_used;
    enum atoll_objective objective;
    struct atoll_use use; ///< clock and runner the figures hold for
    struct atoll_plan_model *models;
    uint32_t n_models;
    struct atoll_pipeline *pipelines;
    uint32_t n_pipelines;
    double latency_us; ///< best pipeline, one input in an empty system
    double latency_u95_us;
    double latency_worst_us; ///< slowest pipeline
    double interval_us;      ///< 1e6 / throughput_hz
    double throughput_hz;    ///< all pipelines together, saturated
    double throughput_u95_hz;
    double energy_mj, energy_u95_mj; ///< per inference, saturated, board share included
    double lower_bound, gap_frac;    ///< of the objective; NAN where none
    const char *skipped;             ///< why the strategy does not apply (then no pipelines); NULL
    const char *bottleneck;          ///< sentence: the stage that bounds throughput and why
    const char *streams;             ///< sentence: what streams and how much
    const char *next_tpu;            ///< sentence: what one more TPU would bring; NULL when unknown
    const char *assumption;          ///< sentence: the assumption that matters most; NULL when none
    /* of a plan for rates; else NAN */
    double headroom; ///< all rates may grow by this factor; below 1: they are not served
    double power_w;  ///< whole board at these rates
    double utilisation_max_frac; ///< how full a stage, the host or the link may be
    double latency_mean_us;      ///< over all inferences, reloads included
    /* what was asked for beside; see atoll_plan_request */
    enum atoll_objective then[2];
    uint32_t n_then;
    double tolerance_frac, max_w, min_rate_hz; ///< 0: none
    bool resident, by_worst;
    uint64_t without;
    struct atoll_arena *arena; ///< private
};
ATOLL_API void atoll_plan_close(struct atoll_plan **p);

/** Operators first..last of a model (file order), which no cut may part. */
struct atoll_together {
    uint32_t model, first, last;
};

struct atoll_plan_request {
    const struct atoll_cost *const *models; ///< n_models costed models (borrowed)
    uint32_t n_models;
    const struct atoll_board *board;
    struct atoll_use use;
    uint32_t tpus;        ///< 1..board->n_tpus (more: ATOLL_EUSAGE)
    const char *strategy; ///< see contracts; "cuts" with `cuts`
    enum atoll_objective objective;
    const uint32_t *cuts; ///< positions in file order at which a segment begins, ascending; with
                          ///< strategy "cuts"
    uint32_t n_cuts;
    const struct atoll_oracle *oracle; ///< NULL: the cost room
    bool want_sha256;                  ///< fill models[].sha256
    bool want_next_tpu;  ///< also plan for tpus+1 to say what it brings (costs time; compare: for
                         ///< the best plans only)
    bool want_rivals;    ///< compare: also the published searches (slower than the rules), and
                         ///< `exact` for the other two objectives
    double time_limit_s; ///< 0: none
    /* What the plan must keep; all zero: nothing. Plans that break one are skipped, and `exact`
     * says what would be possible. */
    const double
        *rates_hz; ///< n_models arrival rates that must be served. NULL: saturated; several
                   ///< models then get the largest equal share of what each could do alone
    double utilisation_max_frac; ///< with rates: how full a stage, the host or the link may be
    const double *deadlines_us;  ///< n_models: the slowest pipeline's latency at most; 0: any
    double max_w;                ///< power of the whole board at most; 0: any
    double min_rate_hz;          ///< throughput of all together at least; 0: any
    bool resident;               ///< nothing may stream
    bool compile_alone;          ///< models on the same TPU are not compiled together: they reload
    uint64_t without;            ///< bit t: TPU t is not used
    const struct atoll_together *together;
    uint32_t n_together;
    /* What counts among plans whose `objective` is within tolerance_frac of the best. */
    enum atoll_objective then[2];
    uint32_t n_then;
    double tolerance_frac;
    bool by_worst; ///< several models: LATENCY is that of the slowest, not the mean over inferences
};
ATOLL_API struct atoll_plan_request atoll_plan_request_default(void);

/** Solves one request. A strategy that does not apply gives a plan with `skipped` set, not an
 * error. ATOLL_EUSAGE: unknown strategy (known ones listed), too many TPUs. */
ATOLL_API int atoll_plan_solve(const struct atoll_plan_request *r, struct atoll_plan **plan,
                               struct atoll_err *err);

/** Every strategy and all partitions of `tpus`, and which is best for each objective. */
struct atoll_comparison {
    struct atoll_plan **plans;
    uint32_t n_plans;
    int32_t best[3]; ///< index by enum atoll_objective; -1: none applies
};
ATOLL_API int atoll_plan_compare(const struct atoll_plan_request *r, struct atoll_comparison *c,
                                 struct atoll_err *err);
ATOLL_API void atoll_comparison_finish(struct atoll_comparison *c);

/** How far the costs may be off, for the question whether the best plan stays the best. */
struct atoll_robust_opts {
    double error_frac; ///< each part of a stage's time is off by at most this, 0..0.9
    uint32_t draws;    ///< 1..100 000 samples of the errors
    uint32_t resolves; ///< of these, the first so many are solved anew and their plans join the
                       ///< comparison
    uint64_t seed;
};
/** One plan over all draws. */
struct atoll_robust_row {
    double won_frac; ///< share of the draws in which no plan of the comparison is better
    double regret_mean_frac, regret_worst_frac; ///< figure over that of the draw's best, less 1
};
/** What the draws say; rows by index of the comparison's plans (NAN where one does not apply).
 * Finish with atoll_robustness_finish. */
struct atoll_robustness {
    struct atoll_robust_row *rows;
    uint32_t n_rows;
    int32_t least_mean, least_worst; ///< plans with the least mean and the least worst regret
};
/** Draws errors of the costs and looks which plan of the comparison is best for r->objective under
 * each. An error is that of a part (computing by kind of network, streaming, transfers, host
 * calls), common to all stages, plus one of each segment alone, half each, evenly distributed.
 * Plans found for `resolves` boards with such errors are added to `c` as "exact:OBJECTIVE:draw=N",
 * with their figures on the true board, unless the comparison has the same already. */
ATOLL_API int atoll_plan_robustness(const struct atoll_plan_request *r,
                                    const struct atoll_robust_opts *o, struct atoll_comparison *c,
                                    struct atoll_robustness *out, struct atoll_err *err);
ATOLL_API void atoll_robustness_finish(struct atoll_robustness *b);

/** A change of the platform, and what it would mean for a plan. */
struct atoll_whatif {
    const char *change; ///< "link_twice", ...; static
    const char *text;   ///< "the link were twice as fast"; static
    double kept, best;  ///< figure of the objective: of the plan as it is, and of the best plan on
                        ///< that platform
    double gap_frac;    ///< of the best, as in atoll_plan
    bool another;       ///< the best is another arrangement and better by more than 0.1 %
    char shape[160];    ///< of the best: "4 stages on 3+1+1+1 TPUs"
};
#define ATOLL_WHATIFS_MAX 12
/** What would change the choice: links, host and clock of other speeds, memory of other sizes, one
 * TPU less. Each change is planned anew with `exact`, and the plan costed as it stands. *n is 0 for
 * requests with rates or an oracle of their own. */
ATOLL_API int atoll_plan_whatif(const struct atoll_plan_request *r, const struct atoll_plan *p,
                                struct atoll_whatif out[ATOLL_WHATIFS_MAX], uint32_t *n,
                                struct atoll_err *err);
/** Where the choice changes with the rate of the inputs. */
struct atoll_rate_limit {
    double rate_hz; ///< latency: above it the plan cannot keep up and `other` can; throughput: up
                    ///< to it `other` serves too and answers sooner; energy: up to it `other`
                    ///< serves too with less energy above idle. NAN: nothing changes the choice
    int32_t other;  ///< index in the comparison, -1
    double kept, better; ///< what is compared: of the plan, and of `other` (1/s, us, mJ)
};
/** Of plan number `plan` of a comparison whose objective is `o`. */
ATOLL_API struct atoll_rate_limit atoll_plan_rate_limit(const struct atoll_comparison *c,
                                                        uint32_t plan, enum atoll_objective o);
/** "2 pipelines: 4 stages on 3+1+1+1 TPUs, 1 stage on 2 TPUs" into buf; long ones end in "...". */
ATOLL_API const char *atoll_plan_shape(const struct atoll_plan *p, char buf[160]);

/** Is this a strategy's text, its argument included ("partition:4+2+2", "exact:energy")? */
ATOLL_API bool atoll_plan_strategy_known(const char *text);

/** Plans that no other one dominates in latency, throughput and energy; with rates: latency,
 * headroom and power. By ascending latency. */
struct atoll_front {
    struct atoll_plan **plans;
    uint32_t n_plans;
    bool complete; ///< no further such plan exists among those the exact search looks at
};
ATOLL_API int atoll_plan_front(const struct atoll_plan_request *r, struct atoll_front *front,
                               struct atoll_err *err);
ATOLL_API void atoll_front_finish(struct atoll_front *front);

/** Strategy names that need no argument, for help and experiment files; NULL-terminated. */
ATOLL_API const char *const *atoll_plan_strategies(void);
/** All partitions of n into parts, largest first ("4+2+2"), in the order 8, 7+1, 6+2, ...; owned
 *  NULL-terminated array (atoll_share_dirs_free frees it). */
ATOLL_API char **atoll_plan_partitions(uint32_t n, uint32_t *count);

/** The figures of a plan (latency, interval, throughput, energy) from its stages' costs: the closed
 * formulas. Called by solve; tests and overrides call it after changing stage costs. */
ATOLL_API void atoll_plan_figures(struct atoll_plan *p, const struct atoll_board *b);
/** plan.json (contracts.md "Plans"); owned reference. */
ATOLL_API json_t *atoll_plan_to_json(const struct atoll_plan *p);
/** Reads a plan.json back; checks schema, ranges, that no TPU stands in two stages and that each
 * pipeline holds every operator from 0 up once (whether they fit the model: atoll_plan_check).
 * `name` stands in errors. Numbers that the file has not are NAN, counts 0. ATOLL_EINPUT names the
 * place and what was expected. */
ATOLL_API int atoll_plan_from_json(const char *name, const json_t *j, struct atoll_plan **plan,
                                   struct atoll_err *err);
ATOLL_API int atoll_plan_open(const char *path, struct atoll_plan **plan, struct atoll_err *err);
/** Checks the pipelines of plan->models[model] against the model itself: as many operators, and no
 * tensor that flows back to an earlier stage. ATOLL_EINPUT with the place. */
ATOLL_API int atoll_plan_check(const struct atoll_plan *p, uint32_t model,
                               const struct atoll_model *m, struct atoll_err *err);

#ifdef __cplusplus
}
#endif
#endif
