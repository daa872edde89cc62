/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file fixture.h
 * A plausible results database made without any sweep, for the tests and benchmarks of room
 * `report`: models from a short table, a simple time law, seeded jitter, all partitions.
 */
#ifndef ATOLL_TESTS_FIXTURE_H
#define ATOLL_TESTS_FIXTURE_H

#include <atoll/store.h>

struct fixture {
    uint64_t seed;
    unsigned models; ///< 1..FIXTURE_MODELS
    unsigned tpus;   ///< 1..8: runs at every number up to it
    unsigned repeats;
    unsigned samples;   ///< latency samples kept a run
    bool partitions;    ///< every partition of every number of TPUs, else of none
    bool training;      ///< the first model was trained, and its accuracy was measured
    bool traces;        ///< power traces and timelines of the first repeats
    bool hostile;       ///< names with markup, quotes, bad UTF-8
    double time_factor; ///< multiplies every time (a planted regression: 1.03)
    double run_sd;      ///< log standard deviation between runs (0.005)
    double within_sd;   ///< within a run (0.014)
    double repeat_sd;   ///< shared by all runs of a repeat (0)
    double unlike;      ///< log standard deviation of the keys' own run_sd (0: all alike)
    /** Called with each row before it is written, so that a test can doctor it; may be NULL. */
    void (*doctor_run)(void *user, struct atoll_run_row *r);
    void (*doctor_plan)(void *user, struct atoll_plan_row *r);
    void (*doctor_stage)(void *user, struct atoll_stage_row *r);
    void *user;
};
#define FIXTURE_MODELS 14

struct fixture fixture_default(void);
/** Writes the database (a new file). 0 or an error of the store. */
int fixture_write(const char *path, const struct fixture *f, struct atoll_err *err);

#endif
