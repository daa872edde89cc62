/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file run_internal.h
 * Private to the runner: pipelines of stages with bounded queues, driven by the device's events.
 */
#ifndef ATOLL_RUN_INTERNAL_H
#define ATOLL_RUN_INTERNAL_H

#include "state_fit.h"

#include <atoll/bench.h>

#define ATOLL__RUN_NOBODY UINT32_MAX
#define ATOLL__RUN_SPANS_MAX 200000u /* of a timeline; later ones are left out */

/** A TPU of a stage. */
struct atoll__replica {
    uint32_t slot;
    uint32_t item;             ///< index of the item it works on or holds; ATOLL__RUN_NOBODY: free
    bool blocked;              ///< its item is done, but the next queue is full
    uint64_t blocked_ns;       ///< since when
    struct atoll_device_io io; ///< where its item's tensors are; devices that compute
};
struct atoll__stage {
    struct atoll__replica *replicas;
    uint32_t n_replicas;
    uint32_t *queue; ///< ring of waiting items
    uint32_t head, length, capacity;
    uint64_t runs, busy_ns, wait_ns; ///< in the steady window
};
/** Tensors of a pipeline between its stages: where each lies in an item's block. */
struct atoll__boundary {
    uint32_t n_in, n_out;
    const size_t *in, *out; ///< offsets
};
struct atoll__tensors {
    struct atoll__boundary graph;   ///< the model's inputs and outputs
    struct atoll__boundary *stages; ///< what each stage reads and writes
    size_t bytes;                   ///< of a block
    const struct atoll_model *model;
    void **pointers; ///< room for the graph's inputs or outputs
};
struct atoll__pipe {
    struct atoll__tensors *tensors; ///< NULL: the device does not compute
    struct atoll__stage *stages;
    uint32_t n_stages;
    uint32_t in_flight;
    uint32_t replicas_max; ///< of its stages: completions come in bursts of so many
    uint32_t fill;         ///< items it holds when every queue is full
    uint32_t cache_group;  ///< of its last stage
    uint64_t completed;    ///< since the loop began
    /* completions in the window */
    uint64_t *done_ns;
    size_t n_done, cap_done;
};
struct atoll__item {
    uint64_t in_ns;    ///< latency counts from here
    uint64_t ready_ns; ///< ready for the stage at hand
    uint64_t number;
    uint32_t pipe;
    uint32_t next_free;
    uint8_t *block;      ///< its tensors; stays with the place in the array, for the next item
    uint32_t filled_for; ///< pipeline whose noise is in the block
    bool steady;         ///< arrived in the steady window; open loops only
};
/** Samples of a model, at the plan's rates. */
struct atoll__model_samples {
    double *latency_us;
    size_t n, cap;
    uint64_t reloads;
};
struct atoll__place {
    uint32_t pipe, stage, replica;
};
struct atoll__runner {
    const struct atoll_run_request *q;
    struct atoll_run_result *out;
    struct atoll_err *err;
    struct atoll_device_info info;
    struct atoll_arena arena;
    struct atoll__pipe *pipes;
    uint32_t n_pipes;
    uint32_t *order;             ///< pipelines by predicted latency, best first
    struct atoll__place *places; ///< by slot
    size_t n_places, cap_places;
    struct atoll__item *items;
    size_t n_items, cap_items;
    uint32_t free_item;
    size_t block_bytes; ///< of an item's tensors: the largest of the pipelines
    uint64_t next_number;
    bool counting;  ///< in the steady window
    bool recording; ///< spans of the timeline
    size_t cap_samples, cap_spans;
    uint32_t count;     ///< samples of the window, at least
    uint64_t least_ns;  ///< length of the window, at least
    const char *window; ///< its phase: "ranging" or "steady"
    struct atoll__model_samples *models; ///< by the plan's model, at the plan's rates; else NULL
    uint64_t window_ns[2];
    /* meter */
    bool metered, live; ///< live: it measures in real time
    uint64_t advanced_ns;
    int32_t phase_mark[ATOLL_PHASES_MAX + 1]; ///< where each phase begins, and the end of the last
    int32_t window_mark[2];                   ///< of the last window
    int32_t idle_mark[2];
    struct atoll__state_log states;
    bool watching;       ///< states are noted
    bool states_by_done; ///< the device does not tell them: made of DONE events
};
/** What one event of the device brought. */
struct atoll__happened {
    bool completed, timer, idle;
    uint64_t tag;            ///< of the timer
    struct atoll__item item; ///< the one that completed
    uint64_t time_ns;
};

/* run_pipes.c */
/** A result in which nothing is known. */
struct atoll_run_result atoll__run_no_result(void);
int atoll__run_build(struct atoll__runner *r);
void atoll__run_free(struct atoll__runner *r);
/** Is there room for one more item in front of the first stage? */
bool atoll__run_room(const struct atoll__pipe *p);
int atoll__run_feed(struct atoll__runner *r, uint32_t pipe, uint64_t in_ns, bool steady);
int atoll__run_step(struct atoll__runner *r, struct atoll__happened *h);

/* run_tensors.c: the contract's "a tensor needed later is handed to each stage that consumes it" */
int atoll__run_lay_out(struct atoll__runner *r, uint32_t pipe);
/** The item's block, made and filled with noise when it has none; then the request's inputs. */
int atoll__run_put_inputs(struct atoll__runner *r, uint32_t item);
const struct atoll_device_io *atoll__run_io(const struct atoll__runner *r,
                                            const struct atoll__pipe *p, uint32_t stage,
                                            struct atoll__replica *replica);
int atoll__run_see_outputs(struct atoll__runner *r, uint32_t item);

/* run_loops.c */
/** One input through an otherwise empty system. */
int atoll__run_single(struct atoll__runner *r, uint32_t pipe, double *latency_us);
int atoll__run_closed(struct atoll__runner *r);
int atoll__run_saturated(struct atoll__runner *r);
/* run_open.c */
/** Arrivals at a given rate, or at each model's. */
int atoll__run_open(struct atoll__runner *r);
/** A completion in the steady window. */
int atoll__run_note(struct atoll__runner *r, const struct atoll__happened *h);
int atoll__run_drain(struct atoll__runner *r);
int atoll__run_stopped(struct atoll__runner *r); ///< fails: the device has nothing under way

/* run.c */
int atoll__run_window(struct atoll__runner *r, int end); ///< opens (0) or closes (1) the window
/** The samples asked for are there, and the window is as long as it must be. */
bool atoll__run_enough(const struct atoll__runner *r);
int atoll__run_workload(struct atoll__runner *r); ///< warm-up, one window, drain
int atoll__run_sample(struct atoll__runner *r, double latency_us);
int atoll__run_span(struct atoll__runner *r, const struct atoll_device_event *ev,
                    const struct atoll__place *at, uint64_t number);

/* run_meter.c */
int atoll__run_meter_connect(struct atoll__runner *r);
/** `rc` is how the run went; a failure of the meter comes after it. */
int atoll__run_meter_disconnect(struct atoll__runner *r, int rc);
/** Ends the phase at hand and begins another. Without a meter nothing happens. */
int atoll__run_phase(struct atoll__runner *r, const char *name);
/** Now and then: takes in what a meter in real time has sent. */
int atoll__run_meter_attend(struct atoll__runner *r);

/* run_ranging.c: a short window, and from it the length of the one that counts. */
int atoll__run_range(struct atoll__runner *r);

/* run_energy.c */
int atoll__run_energy_figures(struct atoll__runner *r, uint64_t inferences);
/** States that a DONE event tells of. */
void atoll__run_states_of(struct atoll__runner *r, const struct atoll_device_event *ev);

/* run_figures.c */
int atoll__run_latency_figures(struct atoll__runner *r);
double atoll__run_throughput(const struct atoll__runner *r);
int atoll__run_stage_figures(struct atoll__runner *r);
int atoll__run_model_figures(struct atoll__runner *r);

#endif
