/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file report.h
 * Room `report`: what people and programs read of a results database: one self-contained HTML file,
 * CSV, JSON, Markdown, a trace for Perfetto; the verdict in sentences; the comparison of two
 * databases. Reads the store only.
 */
#ifndef ATOLL_REPORT_H
#define ATOLL_REPORT_H

#include <atoll/json.h>
#include <atoll/store.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One sentence computed from the data, with what it rests on. */
struct atoll_finding {
    const char *model; ///< label, or NULL: about the whole experiment
    const char *topic; ///< "streams", "latency", "throughput", "energy", "bottleneck", ...
    const char *sentence;
    bool beyond_noise; ///< false: "no difference beyond noise"
};
struct atoll_verdict {
    const struct atoll_finding *findings;
    size_t n;
    const char *headline[3]; ///< three lines for the end of `bench` and the first screen
    const char *origin; ///< of the runs: "measured" or "simulated"; NULL: none finished, or mixed
    struct atoll_arena *arena; ///< private
};
/** The verdict on one experiment (NULL: the newest in the file). */
ATOLL_API int atoll_verdict_make(struct atoll_store *s, const char *experiment,
                                 struct atoll_verdict *v, struct atoll_err *err);
ATOLL_API void atoll_verdict_finish(struct atoll_verdict *v);

/** Writers, as a const table; `html`, `csv` (a directory), `json`, `markdown`, `null`, `hash`. */
struct atoll_report_writer {
    const char *name, *extension, *what;
    bool directory;
    int (*write)(struct atoll_store *s, const char *path, struct atoll_err *err);
};
ATOLL_API const struct atoll_report_writer *atoll_report_writers(size_t *n);
ATOLL_API const struct atoll_report_writer *atoll_report_writer_find(const char *name);
/** Chrome trace JSON of one run (Perfetto opens it): timeline and, where kept, power per rail. */
ATOLL_API int atoll_report_trace(struct atoll_store *s, int64_t run, const char *path,
                                 struct atoll_err *err);

/** Comparison of two databases, run by run of the same natural key (without experiment). */
struct atoll_change {
    const char *model, *strategy, *workload,
        *metric; ///< metric: "p50_us", "throughput_hz", "energy_mj"; model and strategy "all": the
                 ///< family's common shift
    int64_t tpus;
    double a, b; ///< geometric means over repeats; NAN for the common shift of a family
    double ratio, ratio_low95, ratio_high95;
    double p, p_adjusted; ///< test named in docs/method-statistics.md; Holm over all
    bool worse, better;   ///< beyond noise and beyond the smallest effect that counts
};
struct atoll_comparison_report {
    const struct atoll_change *changes; ///< all compared keys, worst first
    size_t n, n_worse, n_better, n_only_a, n_only_b;
    bool regression; ///< the answer that decides exit code 1
    const char *sentence;
    const char *origin; ///< of the runs, as in atoll_verdict; NULL where A and B differ
    struct atoll_arena *arena;
};
ATOLL_API int atoll_compare_stores(struct atoll_store *a, struct atoll_store *b,
                                   struct atoll_comparison_report *out, struct atoll_err *err);
ATOLL_API void atoll_comparison_report_finish(struct atoll_comparison_report *c);

#ifdef __cplusplus
}
#endif
#endif
