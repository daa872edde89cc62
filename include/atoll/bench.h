/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file bench.h
 * Room `bench`: runs things. The runner drives a plan on a device under a meter; the experiment is
 * the sweep over models x TPUs x strategies x workloads x repeats, shuffled, resumable, shardable.
 * Nothing in the runner knows which device it drives.
 */
#ifndef ATOLL_BENCH_H
#define ATOLL_BENCH_H

#include <atoll/device.h>
#include <atoll/plan.h>
#include <atoll/power.h>
#include <atoll/stats.h>
#include <atoll/store.h>

#ifdef __cplusplus
extern "C" {
#endif

enum atoll_workload_mode {
    ATOLL_WORK_LATENCY,
    ATOLL_WORK_SATURATED,
    ATOLL_WORK_RATE,
    ATOLL_WORK_POISSON,
    ATOLL_WORK_COLD,
    ATOLL_WORK_RATES,        ///< each model of the plan at the rate that the plan serves, even gaps
    ATOLL_WORK_RATES_POISSON ///< the same with exponential gaps
};
struct atoll_workload {
    enum atoll_workload_mode mode;
    double hz;      ///< RATE, POISSON: mean arrivals per second over the whole plan
    uint32_t count; ///< inferences in the steady phase, 1..10 000 000 (cold: ignored)
};
/** "latency", "saturated", "rate=30", "poisson=12.5", "cold", "rates", "rates_poisson" into buf. */
ATOLL_API const char *atoll_workload_name(const struct atoll_workload *w, char buf[48]);
/** Parses the same text (without count). ATOLL_EUSAGE lists the modes. */
ATOLL_API int atoll_workload_parse(const char *text, struct atoll_workload *w,
                                   struct atoll_err *err);

/** Values for a device that computes (atoll_device_info.moves_data). Inferences are numbered from 0
 *  as they are sent, those before the steady phase included. Called between events, so time spent
 *  here is time of the run. */
struct atoll_run_tensors {
    /** Fills the model's inputs: in[i] has the bytes of its input i. NULL: seeded noise, made
     * before the first inference and never changed. */
    int (*input)(void *user, uint32_t pipeline, uint64_t number, void *const *in,
                 struct atoll_err *err);
    /** Sees the model's outputs, in the order of completion. NULL: nobody looks. */
    int (*output)(void *user, uint32_t pipeline, uint64_t number, const void *const *out,
                  struct atoll_err *err);
    void *user;
};
struct atoll_run_request {
    struct atoll_device *device; ///< open and fresh; the runner loads the plan's segments on it
    struct atoll_meter *meter;   ///< NULL: no energy
    const struct atoll_plan *plan;
    const struct atoll_cost *const *models;  ///< costed models, by the plan's model index
    const struct atoll_run_tensors *tensors; ///< NULL: noise in, nobody looks
    struct atoll_workload workload;
    uint64_t seed;         ///< of arrivals
    uint32_t queue_depth;  ///< bounded queue before each inner stage; 0: 2
    bool keep_timeline;    ///< of the first inference and the steady window
    uint32_t timeline_max; ///< spans at most; 0: 200 000. Later ones are left out
    double idle_s;         ///< idle baseline before the run, and cool-down behind it; 0: 0.2 s
    /** Ranging: 95 % uncertainty of the energy asked for, as a share of it; 0: none. A short pass
     *  finds how long the window must be; `count` is then the least. Not for cold starts. */
    double energy_u95_frac;
    double window_max_s; ///< longest window that ranging may choose; 0: 3600 s
};
/** What one model saw, in a workload at the plan's rates. */
struct atoll_model_result {
    uint64_t n;                                     ///< steady inferences
    double mean_us, p50_us, p90_us, p99_us, max_us; ///< latency from the intended time of arrival
    double throughput_hz;
    uint64_t reloads; ///< of its inferences in the steady window that loaded parameters
};
struct atoll_stage_result {
    uint32_t pipeline, stage;
    uint64_t runs;
    double busy_us_mean, wait_us_mean; ///< per inference: on the TPU; in queues
    double busy_frac;                  ///< of the steady window
};
/** A stretch of a run, from its marker to the next one: "idle", "load" (creation and first
 *  inference), "warm-up", "ranging", "steady", "drain", "cool-down". */
struct atoll_phase_result {
    const char *name;           ///< static
    uint64_t from_ns, to_ns;    ///< device time
    struct atoll_energy energy; ///< all rails; NAN: too short to be measured
};
#define ATOLL_PHASES_MAX 12
/** Power of a state by regression of the meter's trace on the timeline of states
 *  (docs/method-energy.md). */
struct atoll_state_result {
    double tpu_s;                    ///< seconds in it in the steady window, all TPUs together
    double power_w, power_u95_w;     ///< idle: whole board; else one TPU above idle. NAN: not known
    double energy_mj, energy_u95_mj; ///< per inference of the steady window
    int with; ///< power not known since the state goes together with this one; -1
};
/** What the ranging pass found; all 0 without one. */
struct atoll_ranging_result {
    double asked_frac;         ///< energy_u95_frac of the request
    double window_s, u95_frac; ///< of the pass
    double needed_s;           ///< window chosen for it
};
/** Everything one run leaves. Owned; atoll_run_result_finish. Energy figures are NAN without a
 * meter. */
struct atoll_run_result {
    enum atoll_origin origin;
    double *latency_us; ///< every steady sample, completion order; open loop: from the intended
                        ///< send time
    size_t n;
    struct atoll_interval p50_us;
    double p90_us, p99_us, min_us, max_us, mean_us, stdev_us;
    double first_us; ///< first inference (parameters load)
    double cold_us;  ///< creation and first inference
    double throughput_hz;
    double window_s;                 ///< steady window
    double energy_mj, energy_u95_mj; ///< per inference
    double idle_w, mean_w, energy_idle_share_frac;
    double energy_idle_mj, energy_idle_u95_mj;   ///< of it, what the idle board takes in the time
    double energy_above_mj, energy_above_u95_mj; ///< of it, the rest; the zero cancels
    struct atoll_ranging_result ranging;
    struct atoll_phase_result phases[ATOLL_PHASES_MAX];
    uint32_t n_phases; ///< 0 without a meter
    struct atoll_state_result states[ATOLL_STATES];
    bool states_known;      ///< false: no meter that keeps scans, or no change of state
    double states_shift_us; ///< how much later the meter saw what the timeline says
    struct atoll_energy rails[ATOLL_METER_RAILS_MAX], total; ///< of the steady window
    uint32_t n_rails;
    double temperature_max_c;
    bool throttled;
    uint64_t
        outliers; ///< |x - median| / MAD > 14.826, as hyperfine; kept and flagged. Saturated: 0
    struct atoll_stage_result *stages;
    uint32_t n_stages;
    struct atoll_model_result *models; ///< n_models, at the plan's rates; else none
    uint32_t n_models;
    struct atoll_span *timeline; ///< with keep_timeline
    size_t n_spans;
};
/** Runs a plan once: idle baseline, creation, first inference, warm-up, steady window, drain. What
 *  each workload does and how each figure is made: docs/method-measurement.md. In short:
 *   - latency: one input in the system, on the pipeline with the lowest predicted latency;
 *   - saturated: every pipeline kept full; throughput between fill and drain, samples are times in
 *     the full system (not a latency);
 *   - rate, poisson: open loop, latency from the intended time of arrival;
 *   - rates, rates_poisson: open loop for each model by itself, at the rates of the plan;
 *   - cold: creation and the first inference, once; no samples, energy of that start.
 *  ATOLL_EUSAGE: skipped plan, bad workload, a TPU that the device has not, a meter that lives in
 *  another time; ATOLL_EDEVICE: an inference or the meter failed; ATOLL_ENO: the uncertainty asked
 *  for cannot be had (which component is in the way, and how large it is). */
ATOLL_API int atoll_run(const struct atoll_run_request *q, struct atoll_run_result *out,
                        struct atoll_err *err);
/** An uncertainty asked for: "2%", "0.5 %" or "0.02", above 0 and at most 1. ATOLL_EUSAGE. */
ATOLL_API int atoll_run_share_parse(const char *text, double *frac, struct atoll_err *err);
/** Does the meter of that name fit the device: a simulated board feeds synth, a real one is
 * measured in real time? ATOLL_EUSAGE with the reason. */
ATOLL_API int atoll_run_meter_fits(const struct atoll_device *d, const char *meter,
                                   struct atoll_err *err);
/** Opens a meter for a device: a fed one on the rails of the board, others on their own. "none"
 *  gives NULL. */
ATOLL_API int atoll_run_meter_open(const struct atoll_device *d, const struct atoll_board *b,
                                   const char *meter, const struct atoll_meter_opts *o,
                                   struct atoll_meter **m, struct atoll_err *err);
ATOLL_API void atoll_run_result_finish(struct atoll_run_result *r);

/* ------------------------------------------------------------ verification */

/** What a plan promised and what runs gave. */
struct atoll_verified_figure {
    double predicted, predicted_u95; ///< computed, with its 95 % half-width
    double found, found_u95; ///< mean over the repeats; their spread and, for energy, the meter's
                             ///< uncertainty
    bool confirmed; ///< predicted +/- predicted_u95 holds what was found; else it is corrected
};
struct atoll_verify_request {
    const struct atoll_plan *plan;
    const struct atoll_cost *const *models; ///< by the plan's model index
    const struct atoll_board *board;
    enum atoll_compiler compiler;
    const char *share;
    const char *device; ///< NULL: "sim"
    uint32_t repeats;   ///< fresh devices with seeds of their own; 0: 5
    uint32_t count;     ///< inferences in each window; 0: 100, saturated 300
    uint64_t seed;      ///< the same seed gives the same figures on sim
};
/** A plan on a device, in the workloads that its figures speak of. */
struct atoll_verification {
    enum atoll_origin origin; ///< of what was found
    uint32_t repeats;
    struct atoll_verified_figure latency_us;    ///< one input at a time: median
    struct atoll_verified_figure throughput_hz; ///< saturated
    struct atoll_verified_figure energy_mj;     ///< saturated, for each inference; a plan for rates
                                                ///< predicts another energy: then NAN there
};
/** Runs a plan as its figures say it runs. ATOLL_EUSAGE: the plan does not apply; else as
 * atoll_run. */
ATOLL_API int atoll_verify(const struct atoll_verify_request *q, struct atoll_verification *out,
                           struct atoll_err *err);

/* --------------------------------------------------------- measured stage costs */

/** Times of segments on a board, out of a results database, as overrides of the cost room's. Taken
 * from the timelines of runs (keep_timeline) whose board, clock and runner are the same and whose
 * model has the same sha256: of each stage the median over inferences without loading, the mean
 * over runs. One input at a time gives latency_us, saturated gives service_us (less what streams
 * beside it cost); where only one is known the other is scaled alike, and so is the energy. */
struct atoll_measured;
struct atoll_measured_request {
    const char *db;
    const struct atoll_board *board;
    struct atoll_use use;
    const struct atoll_cost *const *models; ///< n_models, borrowed while open
    uint32_t n_models;
    bool any_origin; ///< also simulated runs, to try it out; else measured ones only
};
ATOLL_API int atoll_measured_open(const struct atoll_measured_request *q, struct atoll_measured **m,
                                  struct atoll_err *err);
ATOLL_API void atoll_measured_close(struct atoll_measured **m);
/** For atoll_plan_request.oracle; lives as long as `m`. */
ATOLL_API const struct atoll_oracle *atoll_measured_oracle(const struct atoll_measured *m);
struct atoll_measured_summary {
    uint32_t segments, runs;  ///< known of these models on this board
    enum atoll_origin origin; ///< simulated when any of the runs is
};
ATOLL_API struct atoll_measured_summary atoll_measured_sum(const struct atoll_measured *m);
/** How many of a plan's stages stand on measured times; *n_stages receives how many there are. */
ATOLL_API uint32_t atoll_measured_stages(const struct atoll_measured *m, const struct atoll_plan *p,
                                         uint32_t *n_stages);

/* ------------------------------------------------------------- experiments */

struct atoll_experiment; ///< a checked experiment file with its models, board and list of units
                         ///< (plans x workloads x repeats)
ATOLL_API int atoll_experiment_open(const char *path, const char *share,
                                    struct atoll_experiment **e, struct atoll_err *err);
#define ATOLL_SEED_OF_FILE UINT64_MAX
/** The same with another seed than the file's, which makes it another experiment (its key). */
ATOLL_API int atoll_experiment_open_seeded(const char *path, const char *share, uint64_t seed,
                                           struct atoll_experiment **e, struct atoll_err *err);
ATOLL_API void atoll_experiment_close(struct atoll_experiment **e);
ATOLL_API uint64_t atoll_experiment_units(const struct atoll_experiment *e);
ATOLL_API const char *atoll_experiment_key(const struct atoll_experiment *e);

struct atoll_bench_opts {
    uint32_t shard, shards; ///< 0 <= shard < shards; 0 of 1: everything
    bool resume;
    bool no_accuracy; ///< leave out what the experiment asks for under `accuracy`
    unsigned threads; ///< 0: all cores (virtual-time devices only; real ones run one at a time)
    struct atoll_progress progress;
};
struct atoll_bench_summary {
    uint64_t units, done, skipped, failed, already;
    uint64_t evaluated; ///< models whose accuracy was measured in this call
    double seconds;
};
/** Runs the sweep into the store. First the accuracy of each model that the experiment asks for is
 *  measured with the TFLite runtime on the host (ATOLL_EDEVICE: there is none). A database that
 * already holds runs of this experiment needs `resume` (ATOLL_EUSAGE otherwise). A run that fails
 * is a row with its sentence; a fault of the machine (exit code 5) ends the sweep. Results do not
 * depend on order, threads or shards. ATOLL_ENO: progress asked for the end; what is finished is in
 * the database and *out is filled. */
ATOLL_API int atoll_bench(const struct atoll_experiment *e, const char *db,
                          const struct atoll_bench_opts *o, struct atoll_bench_summary *out,
                          struct atoll_err *err);

#ifdef __cplusplus
}
#endif
#endif
