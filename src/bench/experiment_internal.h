/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file experiment_internal.h
 * Private to experiments: a checked experiment file, its models, plans and units, and the sweep
 * over them.
 */
#ifndef ATOLL_EXPERIMENT_INTERNAL_H
#define ATOLL_EXPERIMENT_INTERNAL_H

#include <atoll/bench.h>
#include <atoll/data.h>

enum atoll__keep { ATOLL__KEEP_NONE, ATOLL__KEEP_FIRST, ATOLL__KEEP_ALL };

struct atoll__accuracy { ///< which images a model is shown
    const struct atoll_yaml *node;
    const char *data; ///< the node in one line: its name
    enum atoll_part part;
    size_t limit; ///< images; 0: all
    bool skip_bad;
};
struct atoll__subject { ///< a model of the experiment
    const char *spec, *label;
    struct atoll_model *model;
    struct atoll_cost *cost;
    char sha256[65];
    const struct atoll__accuracy *accuracy; ///< NULL: not asked for
};
/** A plan that was asked for; natural key (model, strategy, tpus). */
struct atoll__try {
    uint32_t subject;
    const char *strategy;
    uint32_t tpus;
    struct atoll_plan *plan; ///< `skipped` set when it does not apply
};
struct atoll__unit {
    uint32_t attempt, workload, repeat;
    uint64_t hash; ///< of the natural key: shard and seed come from it
    uint32_t order_index;
};
struct atoll_experiment {
    struct atoll_arena arena;
    struct atoll_yaml_doc *doc; ///< owns the strings below
    const char *path, *dir, *yaml, *name, *share;
    struct atoll_board *board;
    struct atoll_use use;
    enum atoll_compiler compiler;
    const char *device, *meter;
    double meter_hz;
    double energy_u95_frac; ///< 0: windows are as long as their count takes
    const struct atoll__accuracy *accuracy; ///< of models that say nothing else
    struct atoll__subject *subjects;
    uint32_t n_subjects;
    uint32_t *tpus;
    uint32_t n_tpus;
    const char **strategies;
    uint32_t n_strategies;
    struct atoll_workload *workloads;
    uint32_t n_workloads;
    uint32_t repeats;
    uint64_t seed;
    enum atoll__keep keep_trace, keep_timeline;
    struct atoll__try *tries;
    uint32_t n_tries;
    struct atoll__unit *units;
    uint32_t n_units;
    char key[65];
};

/** Reads the file into `e` (experiment_file.c): everything but plans and units. */
int atoll__experiment_read(struct atoll_experiment *e, const char *path, const char *share,
                           struct atoll_err *err);
/** Solves the plans and lists the units (experiment_units.c). */
int atoll__experiment_plan(struct atoll_experiment *e, struct atoll_err *err);
const char *atoll__experiment_clock(const struct atoll_experiment *e);
const char *atoll__experiment_runner(const struct atoll_experiment *e);
const char *atoll__experiment_compiler(const struct atoll_experiment *e);

/** The value of a key `accuracy`; *out NULL for "none" (experiment_accuracy.c). */
int atoll__accuracy_read(struct atoll_experiment *e, const struct atoll_yaml *n,
                         const struct atoll__accuracy **out, struct atoll_err *err);
/** For the device `cpu`: runs each model that is a file once in a child process. */
int atoll__accuracy_try_files(const struct atoll_experiment *e, struct atoll_err *err);
/** Evaluates the models of this shard that the store has no accuracy of. Outside a transaction. */
int atoll__accuracy_run(const struct atoll_experiment *e, const struct atoll_bench_opts *o,
                        const char *host, struct atoll_store *s, struct atoll_bench_summary *sum,
                        struct atoll_err *err);

/** Rows of everything but runs, within the caller's transaction (sweep_rows.c). */
int atoll__sweep_put_experiment(const struct atoll_experiment *e, struct atoll_store *s,
                                const char *device_version, struct atoll_err *err);
/** Natural key of a unit; `workload` is room for its name. */
struct atoll_run_row atoll__sweep_key(const struct atoll_experiment *e, const struct atoll__unit *u,
                                      char workload[48]);

#endif
