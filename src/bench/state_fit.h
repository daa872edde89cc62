/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file state_fit.h
 * Private to the runner: the power of each state of a TPU, from the board's power as a meter saw it
 * and the times at which TPUs changed state. Ordinary least squares
 *
 *   P(k) = idle + trend t(k) + sum over states s of above(s) n(s, k) + noise
 *
 * with P(k) the power of scan k on all rails, n(s, k) the mean number of TPUs in state s during its
 * cell. docs/method-energy.md, "Power of the states".
 */
#ifndef ATOLL_STATE_FIT_H
#define ATOLL_STATE_FIT_H

#include <atoll/device.h>
#include <atoll/power.h>

/** A state is told apart when this share of its column's variance is not in the other columns. */
#define ATOLL__STATE_TOLERANCE 0.01
/** Changes kept of one run; the fit ends where they end. */
#define ATOLL__STATE_CHANGES_MAX 2000000u

struct atoll__state_change {
    uint64_t t_ns;
    uint32_t tpu;
    enum atoll_power_state state;
};
struct atoll__state_log {
    struct atoll__state_change *changes;
    size_t n, cap;
    bool unsorted; ///< made of DONE events, which come in the order of their ends
    bool full;     ///< something was left out
    int failed;    ///< code: no memory
};
/** Signature of atoll_state_fn; `log` is a struct atoll__state_log. */
void atoll__state_note(void *log, uint64_t t_ns, uint32_t tpu, enum atoll_power_state state);
/** By time; of one moment in the order in which they were noted. Once, when the log is complete. */
void atoll__state_sort(struct atoll__state_log *log);
/** Seconds that all TPUs together spent in each state between two moments. */
void atoll__state_times(const struct atoll__state_log *log, uint32_t n_tpus, uint64_t from_ns,
                        uint64_t to_ns, double tpu_s[ATOLL_STATES]);

/** Inferences in which each state occurs, over all TPUs; compute_ns[n_tpus] (may be NULL) receives
 *  the mean time that each TPU computes in one, 0 where it never does. */
void atoll__state_visits(const struct atoll__state_log *log, uint32_t n_tpus,
                         uint64_t visits[ATOLL_STATES], double *compute_ns);

struct atoll__state_request {
    const struct atoll_trace *trace;    ///< scans, even in time
    const struct atoll_meter_gap *gaps; ///< scans that are no measurements, in order
    size_t n_gaps;
    const struct atoll__state_log *log; ///< sorted
    uint32_t n_tpus;
    uint64_t from_ns, to_ns;        ///< scans wholly between count
    double correlated_s;            ///< residuals are alike for so long: about two inferences
    double noise_w;                 ///< of the meter, one scan
    uint32_t segments;              ///< different ones that run
    const uint32_t *segment_of_tpu; ///< [n_tpus]; NULL: all the same
};
struct atoll__state_power {
    double w;         ///< IDLE: whole board; else one TPU above idle; NAN: not known
    double u_w;       ///< standard, of the scatter
    double u_model_w; ///< standard, since a state has not one power but many
    int with;         ///< not told apart from this state; -1: no such state
};
struct atoll__state_fit {
    struct atoll__state_power state[ATOLL_STATES];
    double dof;        ///< of the u_w
    double shift_ns;   ///< how much later the meter sees what the timeline says
    double residual_w; ///< standard deviation of what the states do not explain
    double uneven_w;   ///< of it, what is not the meter's noise
    size_t scans;
};
/** ATOLL_ENO: too few scans or no change of state; *out says nothing then. */
int atoll__state_fit(const struct atoll__state_request *q, struct atoll__state_fit *out,
                     struct atoll_err *err);

#endif
