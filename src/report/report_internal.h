/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file report_internal.h
 * What the files of room `report` share: one experiment read into memory and summed up over its
 * repeats, the statistics of repeats, the choice of the best arrangements, text output.
 */
#ifndef ATOLL_REPORT_INTERNAL_H
#define ATOLL_REPORT_INTERNAL_H

#include <atoll/report.h>
#include <atoll/stats.h>

/* ------------------------------------------------- spread over repeats (report_spread.c) */

/** Prior of the variances of a family of keys: variance and the degrees of freedom it is worth.
 *  dof 0: no prior (too few keys). Smyth 2004, "empirical Bayes" (limma), section 6.2. */
struct atoll__spread {
    double var, dof;
};
/** Mean and variance of n logarithms of one key's repeats. var is NAN below two repeats. */
struct atoll__sample {
    double mean, var;
    uint32_t n;
};
struct atoll__difference {
    double d, low95, high95; ///< difference of means of logarithms, b - a
    double p; ///< two-sided, of "no more than `least` either way"; NAN: no spread known
};
void atoll__spread_fit(const struct atoll__sample *keys, size_t n, struct atoll__spread *out);
/** Moderated variance of `var` with `dof` degrees of freedom; *total receives the joint dof. */
double atoll__spread_var(const struct atoll__spread *s, double var, double dof, double *total);
struct atoll__sample atoll__sample_of(const double *values, size_t n);
/** Half width of the 95 % interval of a key's mean logarithm; NAN when no spread is known. */
double atoll__sample_half95(const struct atoll__spread *s, const struct atoll__sample *k);
struct atoll__difference atoll__sample_compare(const struct atoll__spread *s,
                                               const struct atoll__sample *a,
                                               const struct atoll__sample *b, double least);

/* --------------------------------------------------- one experiment in memory (report_load.c) */

enum atoll__metric { ATOLL__LATENCY, ATOLL__THROUGHPUT, ATOLL__ENERGY, ATOLL__METRICS };

struct atoll__estimate {
    struct atoll__sample log;    ///< of logarithms, over repeats
    double value, low95, high95; ///< geometric mean over repeats; NAN where there is none
    double within_u95; ///< what a repeat cannot show: the meter's uncertainty (energy), or the
                       ///< run's own interval where there is one repeat; else NAN
};
struct atoll__model {
    struct atoll_model_row row;
    double off_one_bytes;         ///< streamed whole on one TPU; NAN: no such plan
    int64_t resident_tpus;        ///< fewest TPUs of one pipeline that streams nothing; 0: none
    int64_t resident_plan;        ///< that plan, or the one that streams least; -1: none
    int64_t best[ATOLL__METRICS]; ///< index into atoll__data.best, -1: no runs
};
struct atoll__plan {
    struct atoll_plan_row row;
    uint32_t model, strategy;
    uint64_t shape;          ///< equal for equal arrangements (stages, operators, replicas)
    size_t stages, n_stages; ///< its rows in atoll__data.stages
};
struct atoll__config {
    uint32_t model, strategy, workload;
    int64_t tpus;
    int64_t plan; ///< index, -1: none
    uint32_t n, failed;
    struct atoll__estimate metric[ATOLL__METRICS];
    double p90_us, p99_us, min_us, max_us, first_us, cold_us, idle_frac, mean_w, temperature_c;
    int64_t throttled, outliers;
};
/** The best arrangement of a model for one objective. */
struct atoll__best {
    uint32_t model;
    enum atoll__metric metric;
    size_t config;     ///< the one recommended: fewest TPUs of those that tie with the fastest
    int64_t single;    ///< one TPU under the same workload; -1: not run
    size_t compared;   ///< different arrangements compared
    size_t ties;       ///< others that differ from the best by noise only
    int64_t runner_up; ///< best of those beyond noise; -1: none
    double ratio, ratio_low95, ratio_high95; ///< gain over one TPU, > 1 is better
    bool beyond_noise;                       ///< the gain over one TPU is
    bool noise_known;                        ///< false: one repeat, no spread
};
struct atoll__accuracy {
    struct atoll_accuracy_row row;
    uint32_t model;
};
struct atoll__training {
    struct atoll_training_row row;
    int64_t model;           ///< whose file it wrote, by hash; -1: none of the experiment
    size_t epochs, n_epochs; ///< its rows in atoll__data.epochs
};
struct atoll__data {
    struct atoll_arena arena;
    struct atoll_experiment_row experiment;
    struct atoll__model *models;
    const char **strategies, **workloads, **hosts;
    struct atoll__plan *plans;
    struct atoll_stage_row *stages;
    struct atoll_layer_row *layers;
    struct atoll__config *configs;
    struct atoll__best *best;
    struct atoll__spread *spread; ///< [workload][metric]
    size_t n_models, n_strategies, n_workloads, n_hosts, n_plans, n_stages, n_layers, n_configs,
        n_best;
    size_t cap_models, cap_strategies, cap_workloads, cap_hosts, cap_plans, cap_stages, cap_layers,
        cap_configs, cap_best;
    struct atoll__accuracy *accuracies;
    struct atoll__training *trainings; ///< of the whole file, those of the models first
    struct atoll_epoch_row *epochs;    ///< of the first n_shown of them
    size_t n_accuracies, n_trainings, n_epochs, n_shown, cap_accuracies, cap_trainings, cap_epochs;
    uint64_t n_runs, n_failed;
    const char *origin, *started, *ended;
    bool origin_mixed; ///< then `origin` is a phrase, not a name
};
int atoll__report_load(struct atoll_store *s, const char *experiment, struct atoll__data *d,
                       struct atoll_err *err);
void atoll__report_unload(struct atoll__data *d);
/** Accuracies of the experiment's models, trainings of the file (report_accuracy.c). */
int atoll__report_load_accuracy(struct atoll_store *s, struct atoll__data *d,
                                struct atoll_err *err);
/** In the arena; NULL without memory. */
const char *atoll__report_accuracy_sentence(const struct atoll__accuracy *y, struct atoll_arena *a);
void atoll__report_accuracy_block(const struct atoll__data *d, struct atoll_buf *b);
/** Key of the newest experiment (by the start of its latest run), copied into `key` (owned,
 * atoll_free). */
int atoll__report_newest(struct atoll_store *s, char **key, struct atoll_err *err);
/** Fills the intervals, the shapes of plans, residency and the best arrangements. */
int atoll__report_sum_up(struct atoll__data *d, struct atoll_err *err);
int atoll__report_choose(struct atoll__data *d, struct atoll_err *err);
/** Findings and headline of loaded data; strings live in v's arena. */
int atoll__report_verdict(const struct atoll__data *d, struct atoll_verdict *v,
                          struct atoll_err *err);
int atoll__report_headline(const struct atoll__data *d, struct atoll_verdict *v,
                           struct atoll_err *err);

/** The common origin of two experiments (or one, twice), copied; NULL when there is none. */
int atoll__report_origin(const struct atoll__data *a, const struct atoll__data *b,
                         struct atoll_arena *arena, const char **origin, struct atoll_err *err);
const char *atoll__report_label(const struct atoll__data *d, uint32_t model);
/** "vendor cuts on 3 TPUs", for sentences; in the arena, "?" without memory. */
const char *atoll__report_arrangement(struct atoll_arena *a, const char *strategy, int64_t tpus);
/** TPUs that share a stage: 1 and more. */
int64_t atoll__report_replicas(const struct atoll_stage_row *s);
/** Order of names of equal arrangements: the plainest is 0. */
int atoll__report_plainness(const char *strategy);
const char *atoll__metric_unit(enum atoll__metric m); ///< unit shown: "ms", "per second", "mJ"
double atoll__metric_scale(enum atoll__metric m);     ///< from stored to shown
const char *atoll__metric_name(enum atoll__metric m); ///< "latency", "throughput", "energy"

/* -------------------------------------------------------------- text out (report_text.c) */

void atoll__text_html(struct atoll_buf *b,
                      const char *s); ///< escaped for element text and quoted attributes
void atoll__text_json(struct atoll_buf *b,
                      const char *s); ///< quoted; null for NULL; '<' escaped, bad UTF-8 replaced
void atoll__text_number(struct atoll_buf *b, double v, int digits); ///< null when not finite
void atoll__text_csv(struct atoll_buf *b, const char *s); ///< RFC 4180; empty for NULL; no formula
/** `digits` significant digits without exponent where that is short: "17.4", "0.0210", "12 300". */
const char *atoll__text_short(struct atoll_arena *a, double v, int digits);
const char *atoll__text_bytes(struct atoll_arena *a, double bytes);

/* ----------------------------------------------------------------------------- writers */

int atoll__report_block(struct atoll_store *s, const struct atoll__data *d,
                        const struct atoll_verdict *v, struct atoll_buf *b, struct atoll_err *err);
/** Configuration of a finished run, found from `*hint` on (which it sets); -1: none. */
int64_t atoll__report_config_of(const struct atoll__data *d, const struct atoll_run_row *r,
                                size_t *hint);
int atoll__report_power(struct atoll_store *s, const struct atoll__data *d, struct atoll_buf *b,
                        struct atoll_err *err);
int atoll__report_traces(struct atoll_store *s, const struct atoll__data *d, struct atoll_buf *b,
                         struct atoll_err *err);
int atoll__write_html(struct atoll_store *s, const char *path, struct atoll_err *err);
int atoll__write_csv(struct atoll_store *s, const char *path, struct atoll_err *err);
/** Fills the text of one report from what was read and judged; may use the arena of the data. */
typedef int (*atoll__report_fill)(struct atoll_store *s, struct atoll__data *d,
                                  const struct atoll_verdict *v, struct atoll_buf *b,
                                  struct atoll_err *err);
/** Reads, judges, fills and writes the file. */
int atoll__report_write(struct atoll_store *s, const char *path, atoll__report_fill fill,
                        struct atoll_err *err);
int atoll__write_json(struct atoll_store *s, const char *path, struct atoll_err *err);
int atoll__write_markdown(struct atoll_store *s, const char *path, struct atoll_err *err);

/** A file compiled into the library (generated at build time). */
struct atoll__asset {
    const char *name;
    const unsigned char *data;
    size_t size;
};
extern const struct atoll__asset atoll__report_assets[];
extern const size_t atoll__report_n_assets;

#endif
