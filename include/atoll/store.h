/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file store.h
 * Room `store`: the results database (SQLite), its schema, and nothing else. One file holds any
 * number of experiments. Rows are identified by natural keys, so that databases of shards merge and
 * a resumed sweep knows what it has. Schema: docs/store-schema.md; PRAGMA application_id =
 * 0x61746f6c ("atol"), user_version = schema version. Files of version 1 are read as they are (what
 * is new is NAN) and brought to the present version when they are opened for writing.
 *
 * Errors: ATOLL_EINPUT not a database, foreign, newer schema, damaged; ATOLL_EBUSY locked;
 * ATOLL_EIO disk full or unreadable; always with the file named.
 */
#ifndef ATOLL_STORE_H
#define ATOLL_STORE_H

#include <atoll/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ATOLL_STORE_SCHEMA 3 ///< 2: power states, phases, budget; 3: accuracy, training, epoch

struct atoll_store;

enum atoll_store_mode { ATOLL_STORE_READ, ATOLL_STORE_WRITE /* opens or creates */ };
/** A file of an older schema opens too: for reading as it is (what its schema has not is empty),
 * for writing it gets the tables that are missing. */
ATOLL_API int atoll_store_open(const char *path, enum atoll_store_mode mode, struct atoll_store **s,
                               struct atoll_err *err);
ATOLL_API void atoll_store_close(struct atoll_store **s);
/** Groups writes; a run and all that belongs to it is one transaction, so kill -9 leaves whole
 * runs. */
ATOLL_API int atoll_store_begin(struct atoll_store *s, struct atoll_err *err);
ATOLL_API int atoll_store_commit(struct atoll_store *s, struct atoll_err *err);
ATOLL_API void atoll_store_rollback(struct atoll_store *s);

/* Rows. Strings are copied on writing; on reading they are borrowed until the callback returns.
 * NAN is stored as NULL and read back as NAN; NULL strings likewise. */

struct atoll_experiment_row {
    const char *key; ///< sha256 over the canonical experiment (yaml meaning, board text, seed,
                     ///< atoll version)
    const char *name, *yaml;
    const char *board, *board_title, *board_yaml;
    const char *device, *meter;
    const char *clock, *runner, *compiler;
    const char *atoll_version, *device_version;
    uint64_t seed;
    int64_t repeats;
    int64_t units; ///< runs the whole experiment has (all shards)
    int64_t tpus_max;
    const char *assumptions; ///< text: board constants that are assumed, one a line
};
struct atoll_model_row {
    const char *spec;  ///< model argument as in the experiment, natural key
    const char *label; ///< short name for people
    const char *sha256;
    const char *source; ///< paper or file
    int64_t ops;
    double macs, weight_bytes, stored_bytes;
    int64_t input_h, input_w;
};
/** One plan of an experiment. Natural key: (experiment, model, strategy, tpus). */
struct atoll_plan_row {
    const char *experiment, *model; ///< keys
    const char *strategy;           ///< "vendor", "partition:4+2+2", ...
    int64_t tpus, tpus_used, n_pipelines, n_stages;
    const char *json; ///< plan.json
    double latency_us, latency_u95_us, latency_worst_us, interval_us, throughput_hz, energy_mj,
        energy_u95_mj; ///< computed
    double lower_bound, gap_frac;
    double on_chip_bytes, off_chip_bytes; ///< sums over one pipeline set
    const char *skipped;                  ///< why it does not apply, NULL
    const char *bottleneck, *streams, *next_tpu, *assumption;
};
struct atoll_stage_row {
    const char *experiment, *model, *strategy;
    int64_t tpus_key; ///< the plan's `tpus`
    int64_t pipeline, stage;
    const char *tpus; ///< "0,1"
    int64_t n_ops, first_op, last_op;
    const char *first_name, *last_name; ///< operator names at its ends
    double stored_bytes, on_chip_bytes, off_chip_bytes, narrow_bytes_per_tile, input_bytes,
        output_bytes;
    double compute_us, stream_us, input_us, output_us, call_us, latency_us, service_us,
        load_us; ///< computed
    int64_t strips;
};
/** Where the time of a model goes, whole on one TPU: summed per operator kind and bound. */
struct atoll_layer_row {
    const char *experiment, *model;
    int64_t index; ///< operator index; from n_ops on: the call and its transfers
    const char *op,
        *bound; ///< "CONV_2D"; "array", "depthwise", "vector", "link", "free", "cpu", "call"
    double us, cycles, ideal_cycles, macs, stored_bytes, stream_bytes;
};
/** One run. Natural key: (experiment, model, strategy, tpus, workload, repeat). */
struct atoll_run_row {
    int64_t id; ///< set on reading; private to one file
    const char *experiment, *model, *strategy;
    int64_t tpus;
    const char *workload; ///< "latency", "saturated", "rate=30", "poisson=30", "cold"
    int64_t repeat;
    const char *status; ///< "done", "failed"
    const char *error;  ///< sentence of a failed run
    uint64_t seed;
    int64_t order_index;        ///< place in the shuffled order
    const char *origin;         ///< "simulated", "measured"
    const char *host, *started; ///< wall clock; left out of the canonical dump
    double wall_s;              ///< real seconds the run took; left out likewise
    int64_t count;              ///< inferences in the steady phase
    double p50_us, p50_low95_us, p50_high95_us, p90_us, p99_us, min_us, max_us, mean_us,
        stdev_us;             ///< steady, latency of one input
    double first_us, cold_us; ///< first inference; creation + first; NAN where not run
    double throughput_hz;
    double energy_mj, energy_u95_mj, energy_idle_share_frac,
        mean_w; ///< per inference, through the meter
    double temperature_max_c;
    int64_t throttled, outliers;
    int64_t meter_lost_scans;
    /* since version 2 */
    double idle_w, window_s;
    double energy_above_mj, energy_above_u95_mj; ///< per inference, above the idle board
    double u_gain_mj, u_zero_mj, u_drift_mj, u_noise_mj, u_time_mj,
        u_volt_mj; ///< standard components of energy_mj, all rails
    double coverage_k;
    double energy_asked_frac, ranging_s; ///< ranging: u95 asked for, length of the pass
};
struct atoll_rail_row {
    int64_t run;
    const char *rail;
    double energy_mj, u95_mj, mean_w; ///< of the steady window, whole
    double u_gain_mj, u_zero_mj, u_drift_mj, u_noise_mj, u_time_mj;
};
/** Accuracy of a model of an experiment, measured on the host. Natural key: (experiment, model,
 *  data, part). */
struct atoll_accuracy_row {
    const char *experiment, *model;
    const char *data;    ///< the set as in the experiment: "fashion_mnist", a yaml file, its keys
    const char *part;    ///< "test", "validation", "train"
    int64_t image_limit; ///< images asked for at most; 0: all
    const char *task;    ///< "classify", "segment", "detect"
    int64_t images, bad, classes; ///< counted; corrupt ones left out; classes of the set
    const char *bad_first;        ///< sentence about the first of them, NULL
    double top1, top1_low95, top1_high95, top5, top5_low95, top5_high95; ///< classify, Wilson
    double pixel_frac, pixel_low95, pixel_high95, mean_iou;              ///< segment
    double ap, ap50, ap75;                                               ///< detect
    const char *origin, *runtime, *kernels; ///< "measured"; "2.17.1"; "xnnpack"
    const char *host, *started;             ///< left out of the canonical dump, as in runs
    double seconds, images_per_s;
};
/** A finished training. Natural key: (key, calibration). */
struct atoll_training_row {
    const char *key;     ///< sha256 over network, recipe, data, seed, threads and version
    int64_t calibration; ///< images that scaled the int8 model; 0: none written
    const char *network, *data, *recipe; ///< its name; set; the recipe in one line
    uint64_t seed;
    int64_t threads, epochs, parameters;
    const char *kernels;                                     ///< version and instruction set
    const char *weights_sha256, *model_sha256, *int8_sha256; ///< of the files; int8: NULL: none
    int64_t images;                                          ///< of the test part
    double top1, top1_low95, top1_high95; ///< float network, Wilson; NAN without test images
    const char *atoll_version, *host;     ///< host: left out of the canonical dump
};
/** One epoch of a training. Natural key: (training, epoch). */
struct atoll_epoch_row {
    const char *training; ///< training.key
    int64_t epoch;        ///< from 1
    double rate, loss, accuracy_frac, validation_loss, validation_accuracy_frac;
    double seconds; ///< left out of the canonical dump
};

/** Power of a state by regression of the trace on the timeline of states. Since version 2. */
struct atoll_state_row {
    int64_t run;
    const char *state;               ///< "idle", "transfer", "load", "stream", "compute"
    double tpu_s;                    ///< in the steady window, all TPUs together
    double power_w, power_u95_w;     ///< idle: whole board; else one TPU above idle
    double energy_mj, energy_u95_mj; ///< per inference
    const char *goes_with; ///< power NAN: cannot be told from this state; NULL: did not occur
};
/** A phase of a run, in order. Since version 2. */
struct atoll_phase_row {
    int64_t run, index;
    const char *phase; ///< "idle", "load", "warm-up", "ranging", "steady", "drain", "cool-down"
    double from_s, seconds;           ///< device time, as in trace and timeline
    double energy_mj, u95_mj, mean_w; ///< all rails
};

ATOLL_API int atoll_store_put_experiment(struct atoll_store *s,
                                         const struct atoll_experiment_row *r,
                                         struct atoll_err *err); ///< same key again: kept
ATOLL_API int atoll_store_put_model(struct atoll_store *s, const struct atoll_model_row *r,
                                    struct atoll_err *err);
ATOLL_API int atoll_store_put_plan(struct atoll_store *s, const struct atoll_plan_row *r,
                                   struct atoll_err *err);
ATOLL_API int atoll_store_put_stage(struct atoll_store *s, const struct atoll_stage_row *r,
                                    struct atoll_err *err);
ATOLL_API int atoll_store_put_layer(struct atoll_store *s, const struct atoll_layer_row *r,
                                    struct atoll_err *err);
ATOLL_API int atoll_store_put_accuracy(struct atoll_store *s, const struct atoll_accuracy_row *r,
                                       struct atoll_err *err);
ATOLL_API int atoll_store_put_training(struct atoll_store *s, const struct atoll_training_row *r,
                                       struct atoll_err *err);
ATOLL_API int atoll_store_put_epoch(struct atoll_store *s, const struct atoll_epoch_row *r,
                                    struct atoll_err *err);
/** Inserts a run; *id receives its number. The same natural key again: ATOLL_EUSAGE. */
ATOLL_API int atoll_store_put_run(struct atoll_store *s, const struct atoll_run_row *r, int64_t *id,
                                  struct atoll_err *err);
/** Latency samples of a run, microseconds, one compressed blob (0.01 us resolution). */
ATOLL_API int atoll_store_put_samples(struct atoll_store *s, int64_t run, const double *latency_us,
                                      size_t n, struct atoll_err *err);
ATOLL_API int atoll_store_put_rail(struct atoll_store *s, const struct atoll_rail_row *r,
                                   struct atoll_err *err);
ATOLL_API int atoll_store_put_state(struct atoll_store *s, const struct atoll_state_row *r,
                                    struct atoll_err *err);
ATOLL_API int atoll_store_put_phase(struct atoll_store *s, const struct atoll_phase_row *r,
                                    struct atoll_err *err);
/** Power trace: times ns and power mW [n][n_rails]; one compressed blob. */
ATOLL_API int atoll_store_put_trace(struct atoll_store *s, int64_t run, const uint64_t *t_ns,
                                    const float *rail_mw, size_t n, uint32_t n_rails,
                                    const char *const *rail_names, struct atoll_err *err);
/** Timeline of a run: what each TPU did when (for Perfetto and the report). */
struct atoll_span {
    uint64_t start_ns, end_ns;
    uint32_t tpu, pipeline, stage;
    uint64_t item; ///< number of the input
    uint8_t kind;  ///< 0 host, 1 input, 2 load, 3 compute, 4 stream, 5 output
};
ATOLL_API int atoll_store_put_timeline(struct atoll_store *s, int64_t run,
                                       const struct atoll_span *spans, size_t n,
                                       struct atoll_err *err);

/** Is there a run with this natural key (finished, or failed)? *found. */
ATOLL_API int atoll_store_has_run(struct atoll_store *s, const struct atoll_run_row *key,
                                  bool *found, struct atoll_err *err);
/** All natural keys of an experiment's runs at once, for resume: hash set inside; contains() is
 * cheap. */
struct atoll_run_set;
ATOLL_API int atoll_store_run_set(struct atoll_store *s, const char *experiment,
                                  struct atoll_run_set **set, struct atoll_err *err);
ATOLL_API bool atoll_run_set_has(const struct atoll_run_set *set, const struct atoll_run_row *key);
ATOLL_API size_t atoll_run_set_count(const struct atoll_run_set *set);
ATOLL_API void atoll_run_set_close(struct atoll_run_set **set);

/* Reading: the callback gets each row, in natural-key order; return non-zero to stop (returned as
 * is). */
ATOLL_API int atoll_store_each_experiment(struct atoll_store *s,
                                          int (*fn)(void *u, const struct atoll_experiment_row *r),
                                          void *u, struct atoll_err *err);
ATOLL_API int atoll_store_each_model(struct atoll_store *s,
                                     int (*fn)(void *u, const struct atoll_model_row *r), void *u,
                                     struct atoll_err *err);
ATOLL_API int atoll_store_each_plan(struct atoll_store *s, const char *experiment,
                                    int (*fn)(void *u, const struct atoll_plan_row *r), void *u,
                                    struct atoll_err *err);
ATOLL_API int atoll_store_each_stage(struct atoll_store *s, const char *experiment,
                                     int (*fn)(void *u, const struct atoll_stage_row *r), void *u,
                                     struct atoll_err *err);
ATOLL_API int atoll_store_each_layer(struct atoll_store *s, const char *experiment,
                                     int (*fn)(void *u, const struct atoll_layer_row *r), void *u,
                                     struct atoll_err *err);
ATOLL_API int atoll_store_each_run(struct atoll_store *s, const char *experiment,
                                   int (*fn)(void *u, const struct atoll_run_row *r), void *u,
                                   struct atoll_err *err);
ATOLL_API int atoll_store_each_rail(struct atoll_store *s, int64_t run,
                                    int (*fn)(void *u, const struct atoll_rail_row *r), void *u,
                                    struct atoll_err *err);
ATOLL_API int atoll_store_each_state(struct atoll_store *s, int64_t run,
                                     int (*fn)(void *u, const struct atoll_state_row *r), void *u,
                                     struct atoll_err *err);
ATOLL_API int atoll_store_each_phase(struct atoll_store *s, int64_t run,
                                     int (*fn)(void *u, const struct atoll_phase_row *r), void *u,
                                     struct atoll_err *err);
ATOLL_API int atoll_store_each_accuracy(struct atoll_store *s, const char *experiment,
                                        int (*fn)(void *u, const struct atoll_accuracy_row *r),
                                        void *u, struct atoll_err *err);
ATOLL_API int atoll_store_each_training(struct atoll_store *s,
                                        int (*fn)(void *u, const struct atoll_training_row *r),
                                        void *u, struct atoll_err *err);
/** `training` NULL: of all. */
ATOLL_API int atoll_store_each_epoch(struct atoll_store *s, const char *training,
                                     int (*fn)(void *u, const struct atoll_epoch_row *r), void *u,
                                     struct atoll_err *err);
/** Is there an accuracy with this natural key? */
ATOLL_API int atoll_store_has_accuracy(struct atoll_store *s, const struct atoll_accuracy_row *key,
                                       bool *found, struct atoll_err *err);
/** Owned arrays (atoll_free); *n = 0 and NULL when the run has none. */
ATOLL_API int atoll_store_get_samples(struct atoll_store *s, int64_t run, double **latency_us,
                                      size_t *n, struct atoll_err *err);
ATOLL_API int atoll_store_get_trace(struct atoll_store *s, int64_t run, uint64_t **t_ns,
                                    float **rail_mw, size_t *n, uint32_t *n_rails,
                                    struct atoll_err *err);
/** Names of the trace's rails, comma-separated, in the trace's order; owned (atoll_free), NULL when
 * there is no trace. */
ATOLL_API int atoll_store_get_trace_names(struct atoll_store *s, int64_t run, char **names,
                                          struct atoll_err *err);
ATOLL_API int atoll_store_get_timeline(struct atoll_store *s, int64_t run,
                                       struct atoll_span **spans, size_t *n, struct atoll_err *err);

/** Adds everything of `in` that `s` has not; identical natural keys with different results are
 * ATOLL_EINPUT. */
ATOLL_API int atoll_store_merge(struct atoll_store *s, struct atoll_store *in,
                                struct atoll_err *err);
/** Canonical dump: rows by natural key, without host, wall clock, order and numbers private to a
 * file. Written through `put`. */
ATOLL_API int atoll_store_dump(struct atoll_store *s, bool canonical,
                               void (*put)(void *u, const char *line), void *u,
                               struct atoll_err *err);

#ifdef __cplusplus
}
#endif
#endif
