/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file plan_checks.h
 * What `atoll plan` can ask about its plans once they are made: do runs confirm them, do they stay
 * the best when the costs are off, what would change the choice.
 */
#ifndef ATOLL_TOOLS_PLAN_CHECKS_H
#define ATOLL_TOOLS_PLAN_CHECKS_H

#include <atoll/bench.h>

#include "common.h"

/** A member `checks` of a command's options. */
struct plan_checks_opts {
    bool verify, why, sensitivity;
    unsigned robust; ///< 0: no, 1: mean, 2: worst
    double error_percent;
    uint64_t draws, seed;
    const char *measured; ///< a results database
    bool measured_any;
};
extern const char *const robust_choices[];

#define PLAN_CHECKS_DEFAULTS                                                                       \
    {                                                                                              \
        .error_percent = 10, .draws = 200, .seed = 1                                               \
    }
#define PLAN_CHECKS_OPTS(opts_type)                                                                \
    {.long_name = "verify",                                                                        \
     .type = OPT_FLAG,                                                                             \
     .offset = offsetof(opts_type, checks.verify),                                                 \
     .help = "Run the plan on the simulated board: are its figures confirmed?",                    \
     .example = "atoll plan zoo:resnet50 --tpus 4 --compare --verify"},                            \
        {.long_name = "why",                                                                       \
         .type = OPT_FLAG,                                                                         \
         .offset = offsetof(opts_type, checks.why),                                                \
         .help = "Say what would change the choice: links, host, clock, TPUs, rate",               \
         .example = "atoll plan zoo:resnet50 --objective throughput --why"},                       \
        {.long_name = "sensitivity",                                                               \
         .type = OPT_FLAG,                                                                         \
         .offset = offsetof(opts_type, checks.sensitivity),                                        \
         .help = "Draw errors of the costs: does the best plan stay the best?",                    \
         .example = "atoll plan zoo:resnet50 --sensitivity --error-percent 20"},                   \
        {.long_name = "robust",                                                                    \
         .type = OPT_CHOICE,                                                                       \
         .offset = offsetof(opts_type, checks.robust),                                             \
         .argument = "REGRET",                                                                     \
         .help = "Take the plan with the least mean or worst regret over these draws",             \
         .fallback = "none",                                                                       \
         .choices = robust_choices},                                                               \
        {.long_name = "measured",                                                                  \
         .type = OPT_TEXT,                                                                         \
         .offset = offsetof(opts_type, checks.measured),                                           \
         .argument = "DB",                                                                         \
         .help = "Take the times of stages from this database where this board ran them"},         \
        {.long_name = "measured-any",                                                              \
         .type = OPT_FLAG,                                                                         \
         .offset = offsetof(opts_type, checks.measured_any),                                       \
         .help = "With --measured: take simulated runs too, to try it out"},                       \
        {.long_name = "error-percent",                                                             \
         .type = OPT_REAL,                                                                         \
         .offset = offsetof(opts_type, checks.error_percent),                                      \
         .argument = "PERCENT",                                                                    \
         .help = "How far a stage's costs may be off in a draw",                                   \
         .fallback = "10",                                                                         \
         .low = 0,                                                                                 \
         .high = 90},                                                                              \
        {.long_name = "draws",                                                                     \
         .type = OPT_UINT,                                                                         \
         .offset = offsetof(opts_type, checks.draws),                                              \
         .argument = "N",                                                                          \
         .help = "Draws of errors; the first 8 are also planned for",                              \
         .fallback = "200",                                                                        \
         .low = 1,                                                                                 \
         .high = 100000},                                                                          \
    {                                                                                              \
        .long_name = "seed", .type = OPT_UINT, .offset = offsetof(opts_type, checks.seed),         \
        .argument = "SEED", .help = "Seed of the draws and of the simulated board",                \
        .fallback = "1", .high = 9e15                                                              \
    }

/** The answers. Zero-initialise; plan_checks_finish. */
struct plan_checks {
    const struct plan_checks_opts *o;
    const struct atoll_plan_request *request;
    const struct atoll_measured *measured; ///< NULL: all predicted
    struct atoll_verification *verified;   ///< by the comparison's plans; NULL: not asked for
    struct atoll_robustness robust;        ///< no rows: not asked for
    struct atoll_whatif whatifs[ATOLL_WHATIFS_MAX];
    uint32_t n_whatifs;
    struct atoll_rate_limit rate; ///< other is -1 when not asked for, or none
    int32_t chosen;               ///< the plan to give; -1: none applies
};
/** Chooses among the plans of `c` (which may grow) and asks what the options ask for. */
int plan_checks_run(const struct plan_checks_opts *o, const struct atoll_plan_request *r,
                    const struct atoll_measured *measured, enum atoll_compiler compiler,
                    const char *share, struct atoll_comparison *c, struct plan_checks *out,
                    struct atoll_err *err);
/** Opens the database of --measured for a request, whose oracle it becomes. NULL without it. */
int plan_checks_measured(const struct plan_checks_opts *o, struct atoll_plan_request *r,
                         struct atoll_measured **m, struct atoll_err *err);
void plan_checks_finish(struct plan_checks *k);

/** Adds the members verified, sensitivity and changes to the JSON of plan `i`. */
void plan_checks_json(const struct plan_checks *k, const struct atoll_comparison *c, uint32_t i,
                      json_t *plan);
/** The same for people: of the chosen plan. */
void show_checks(const struct plan_checks *k, const struct atoll_comparison *c);
/** Planned and found side by side, for all plans. */
int show_verified(const struct plan_checks *k, const struct atoll_comparison *c,
                  struct atoll_err *err);

#endif
