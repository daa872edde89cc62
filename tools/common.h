/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file common.h
 * What several commands need: models from arguments, boards with their options.
 */
#ifndef ATOLL_TOOLS_COMMON_H
#define ATOLL_TOOLS_COMMON_H

#include <atoll/cost.h>
#include <atoll/zoo.h>

#include "opt.h"
#include "out.h"

#define MODELS_MAX 64

/** Models and their costs, opened together. Zero-initialise; models_close. */
struct models {
    struct atoll_model *model[MODELS_MAX];
    struct atoll_cost *cost[MODELS_MAX];
    uint32_t n;
};
/** Opens an operand as a model to plan or cut; a compiled one is refused. */
int source_model_open(const char *argument, struct atoll_model **m, struct atoll_err *err);
/** Opens operands as source models with their costs. */
int models_open(struct models *m, const char *const *arguments, unsigned n, unsigned compiler,
                struct atoll_err *err);
void models_close(struct models *m);

/** "resnet50" of "dir/resnet50.tflite"; of "zoo:a?b=1" letters, digits and dots with '_' between.
 */
void model_stem(const char *path, char out[128]);

/** Options of a board, a member `board` of a command's options. */
struct board_opts {
    const char *name;  ///< profile or file
    const char *share; ///< NULL: see atoll_share_find
    unsigned clock, runner;
};
extern const char *const clock_choices[];    ///< position = enum atoll_clock
extern const char *const runner_choices[];   ///< position = enum atoll_host_runner
extern const char *const compiler_choices[]; ///< position = enum atoll_compiler

#define BOARD_DEFAULT "asus_crl_g18u"

/** Entries of a command's table for the board, for its struct `opts_type`. */
#define BOARD_OPTS(opts_type)                                                                      \
    {.short_name = 'b',                                                                            \
     .long_name = "board",                                                                         \
     .type = OPT_TEXT,                                                                             \
     .offset = offsetof(opts_type, board.name),                                                    \
     .argument = "NAME|FILE",                                                                      \
     .help = "Board profile: a name (see atoll devices) or a yaml file",                           \
     .fallback = BOARD_DEFAULT},                                                                   \
        {.long_name = "share",                                                                     \
         .type = OPT_TEXT,                                                                         \
         .offset = offsetof(opts_type, board.share),                                               \
         .argument = "DIR",                                                                        \
         .help = "Directory of data files, before ATOLL_SHARE and the installed ones"},            \
        {.long_name = "clock",                                                                     \
         .type = OPT_CHOICE,                                                                       \
         .offset = offsetof(opts_type, board.clock),                                               \
         .argument = "BUILD",                                                                      \
         .help = "Runtime build, which sets the clock",                                            \
         .fallback = "profile",                                                                    \
         .choices = clock_choices},                                                                \
    {                                                                                              \
        .long_name = "host-runner", .type = OPT_CHOICE,                                            \
        .offset = offsetof(opts_type, board.runner), .argument = "WHO",                            \
        .help = "Who drives the stages", .fallback = "profile", .choices = runner_choices          \
    }

#define COMPILER_OPT(opts_type)                                                                    \
    {                                                                                              \
        .long_name = "compiler", .type = OPT_CHOICE, .offset = offsetof(opts_type, compiler),      \
        .argument = "VERSION", .help = "Compiler whose packing of parameters is assumed",          \
        .fallback = "v16", .choices = compiler_choices                                             \
    }

#define OPTS_END                                                                                   \
    {                                                                                              \
        .long_name = NULL                                                                          \
    }

struct atoll_use board_use(const struct board_opts *o);

/** "1x224x224x3" into buf. */
const char *shape_text(const struct atoll_tensor *t, char buf[128]);
/** A list of numbers "3,17,40", ascending or not, each below `below`. */
int parse_numbers(const char *option, const char *text, uint32_t below, uint32_t *out, uint32_t max,
                  uint32_t *n, struct atoll_err *err);

#endif
