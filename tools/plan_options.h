/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file plan_options.h
 * Options of atoll plan that say what a plan must keep and what counts: rates, deadlines, limits,
 * one objective after the other.
 */
#ifndef ATOLL_TOOLS_PLAN_OPTIONS_H
#define ATOLL_TOOLS_PLAN_OPTIONS_H

#include "common.h"

#include <atoll/plan.h>

/** As written; a member `limits` of the command's options. */
struct plan_limits_opts {
    const char *objective, *rates, *deadlines, *without;
    struct opt_list together;
    double max_w, min_rate_hz, utilisation_percent, tolerance_percent;
    bool resident, compile_alone;
    unsigned latency; ///< 0 default, 1 mean, 2 worst
};
/** As read; the arrays that a request borrows. */
struct plan_limits {
    double rates_hz[MODELS_MAX], deadlines_us[MODELS_MAX];
    struct atoll_together together[OPT_LIST_MAX];
};

/** Entries of a command's table, for its struct `opts_type`. */
#define PLAN_LIMITS_OPTS(opts_type)                                                                \
    {.long_name = "objective",                                                                     \
     .type = OPT_TEXT,                                                                             \
     .offset = offsetof(opts_type, limits.objective),                                              \
     .argument = "WHAT[,WHAT...]",                                                                 \
     .help = "What is to be best: latency, throughput or energy; what follows a comma decides "    \
             "among the plans within --tolerance of the best",                                     \
     .fallback = "latency",                                                                        \
     .example = "atoll plan zoo:inception_v3 --objective throughput"},                             \
        {.long_name = "tolerance",                                                                 \
         .type = OPT_REAL,                                                                         \
         .offset = offsetof(opts_type, limits.tolerance_percent),                                  \
         .argument = "PERCENT",                                                                    \
         .help = "How far from the best an earlier objective may be",                              \
         .fallback = "0",                                                                          \
         .low = 0,                                                                                 \
         .high = 1000,                                                                             \
         .example = "atoll plan zoo:googlenet --objective latency,energy --tolerance 2"},          \
        {.long_name = "rates",                                                                     \
         .type = OPT_TEXT,                                                                         \
         .offset = offsetof(opts_type, limits.rates),                                              \
         .argument = "HZ,HZ,...",                                                                  \
         .help = "Inferences per second that each model must be served",                           \
         .fallback = "none: several models get equal shares of what each could do alone",          \
         .example = "atoll plan zoo:resnet50 zoo:mobilenet_v2 --rates 30,60 --objective energy"},  \
        {.long_name = "utilisation",                                                               \
         .type = OPT_REAL,                                                                         \
         .offset = offsetof(opts_type, limits.utilisation_percent),                                \
         .argument = "PERCENT",                                                                    \
         .help = "With --rates: how full a TPU, the host or the link may be",                      \
         .fallback = "90",                                                                         \
         .low = 1,                                                                                 \
         .high = 100},                                                                             \
        {.long_name = "latency",                                                                   \
         .type = OPT_CHOICE,                                                                       \
         .offset = offsetof(opts_type, limits.latency),                                            \
         .argument = "OF",                                                                         \
         .help = "Several models: latency of all inferences in the mean, or of the slowest model", \
         .fallback = "mean",                                                                       \
         .choices = latency_choices},                                                              \
        {.long_name = "deadline-ms",                                                               \
         .type = OPT_TEXT,                                                                         \
         .offset = offsetof(opts_type, limits.deadlines),                                          \
         .argument = "MS[,MS...]",                                                                 \
         .help = "Latency of the slowest pipeline at most: for all models, or each its own",       \
         .example = "atoll plan zoo:resnet50 --deadline-ms 20 --objective throughput"},            \
        {.long_name = "max-w",                                                                     \
         .type = OPT_REAL,                                                                         \
         .offset = offsetof(opts_type, limits.max_w),                                              \
         .argument = "W",                                                                          \
         .help = "Power of the whole board at most",                                               \
         .low = 1e-3,                                                                              \
         .high = 1e6},                                                                             \
        {.long_name = "min-rate",                                                                  \
         .type = OPT_REAL,                                                                         \
         .offset = offsetof(opts_type, limits.min_rate_hz),                                        \
         .argument = "HZ",                                                                         \
         .help = "Inferences per second of all models together at least",                          \
         .low = 1e-6,                                                                              \
         .high = 1e9},                                                                             \
        {.long_name = "resident",                                                                  \
         .type = OPT_FLAG,                                                                         \
         .offset = offsetof(opts_type, limits.resident),                                           \
         .help = "No parameters may be streamed"},                                                 \
        {.long_name = "compile-alone",                                                             \
         .type = OPT_FLAG,                                                                         \
         .offset = offsetof(opts_type, limits.compile_alone),                                      \
         .help =                                                                                   \
             "Models on the same TPU are not compiled together, so they load their parameters "    \
             "anew when they take turns"},                                                         \
        {.long_name = "without",                                                                   \
         .type = OPT_TEXT,                                                                         \
         .offset = offsetof(opts_type, limits.without),                                            \
         .argument = "T,T,...",                                                                    \
         .help = "Leave these TPUs out",                                                           \
         .example = "atoll plan zoo:resnet50 --without 3,5 --strategy exact"},                     \
    {                                                                                              \
        .long_name = "together", .type = OPT_LIST, .offset = offsetof(opts_type, limits.together), \
        .argument = "[M:]I-J",                                                                     \
        .help = "Keep operators I to J (of model number M, from 1) in one stage; may be repeated", \
        .example = "atoll plan zoo:resnet50 --together 10-20 --strategy exact"                     \
    }

extern const char *const latency_choices[];

/** Reads the options into `r`, whose models, board and tpus stand. `r` borrows from `l`. */
int plan_limits_read(const struct plan_limits_opts *o, struct plan_limits *l,
                     struct atoll_plan_request *r, struct atoll_err *err);
/** Is anything asked for that only the exact search looks for? */
bool plan_limits_given(const struct plan_limits_opts *o, const struct atoll_plan_request *r);

#endif
