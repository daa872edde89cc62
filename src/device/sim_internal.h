/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated board: a discrete-event engine in virtual time (integer ns).
 *
 * One inference on a TPU goes through these phases, each skipped when it has nothing to do:
 *
 *   queue    waits for its turn on the TPU (FIFO), the host's lock, a host thread
 *   SERIAL   host work under the lock: no other stage is in SERIAL meanwhile
 *   HOST     the rest of the host work, on one of host_threads threads
 *   INPUT    input and instructions over the link
 *   SETUP    fixed part of loading parameters      } only when the slot is not resident
 *   LOAD     parameters over the link              }
 *   FIRST    what streaming costs once per inference; only when some layer streams
 *   LAYERS   one after the other: compute and parameter streaming start together, the layer ends
 *            when both have ended
 *   OUTPUT   results over the link
 *   UNPACK   the host lays the results out anew, pixel by pixel
 *
 * A phase is `compute` (a duration that follows the clock divider), `wait` (a duration that does
 * not), `flow` (bytes over the TPU's link, slowed when the shared link is full), or compute + flow.
 * Each TPU therefore has at most one pending event per half, and the next event is found by looking
 * at all TPUs: no queue, no allocation.
 *
 * Only + - * / and comparisons of doubles decide anything, so a seed gives the same events on
 * every machine with IEEE doubles (no libm).
 */
#ifndef ATOLL_SIM_INTERNAL_H
#define ATOLL_SIM_INTERNAL_H

#include "device_internal.h"

#define SIM_NEVER UINT64_MAX
#define SIM_NONE UINT32_MAX
/** The gasket driver polls the temperature each 5000 ms (module parameter temp_poll_interval). */
#define SIM_POLL_NS 5000000000ull

/** Consecutive layers that run as one: constant power, constant demand on the link. */
struct sim_group {
    double compute_ns; ///< at full clock
    double stream_mib; ///< 0: nothing streams
    double dynamic_mw; ///< arithmetic, on top of compute_mw, at full clock
};

/** What depends on the way of driving: host constants, and the scale of compute. */
struct sim_drive {
    double serial_ns, rest_ns, unpack_ns;
    double input_ns_per_mib, output_ns_per_mib;
    struct sim_group *groups;
    uint32_t n_groups;
};

struct sim_slot {
    uint32_t tpu, cache_group;
    uint64_t epoch; ///< residency: equals the TPU's epoch while its parameters are in the cache
    double input_mib, output_mib, load_mib;
    bool streams;
    struct sim_drive by[2]; ///< by enum atoll_drive
};

struct sim_job {
    uint64_t tag, submit_ns;
    uint32_t slot;
};

enum sim_phase {
    PHASE_FREE,
    PHASE_WAIT_LOCK,
    PHASE_WAIT_THREAD,
    PHASE_SERIAL,
    PHASE_HOST,
    PHASE_INPUT,
    PHASE_SETUP,
    PHASE_LOAD,
    PHASE_FIRST,
    PHASE_LAYER,
    PHASE_OUTPUT,
    PHASE_UNPACK
};

struct sim_tpu {
    enum sim_phase phase;
    struct sim_job *queue; ///< ring of waiting jobs, head first
    uint32_t head, waiting, capacity;
    /* the inference under way */
    struct sim_job job;
    uint32_t group; ///< index of the layer group
    double factor;  ///< its jitter
    bool loading;
    uint64_t phase_ns; ///< when the phase began
    uint64_t work_ns;  ///< end of the timed half, SIM_NEVER when it has ended
    uint64_t start_ns, host_ns, input_ns, load_ns, compute_ns, stream_ns, output_ns;
    /* the flow half, see sim_link.c */
    bool flowing;
    double left_mib, own_rate, rate; ///< rates in MiB per ns
    uint64_t flow_since_ns, flow_ns; ///< flow_ns: predicted end
    /* cache, clock, heat, power */
    uint64_t epoch;
    uint32_t resident_group, resident_slot;
    uint32_t divider;
    bool throttled;
    double temperature_c, leak_mw;
    enum atoll_power_state state;
    double dynamic_mw; ///< of the group under way, at full clock
    double power_mw;
    uint64_t power_since_ns;
    /* since begin, by state: mW * ns, and ns */
    double energy_pj[ATOLL_STATES];
    uint64_t state_ns[ATOLL_STATES];
    double tick_pj; ///< since the last thermal tick
    uint64_t inferences;
};

struct sim_timer {
    uint64_t at_ns, sequence, tag;
};

struct sim {
    struct atoll_device base;
    const struct atoll_board *board;
    struct atoll_use use;
    double clock_hz;
    bool no_jitter;
    struct atoll_rng rng;
    uint64_t now_ns, events;
    bool begun;
    enum atoll_drive drive;
    double run_factor, copy_ns;
    struct sim_slot *slots;
    size_t n_slots, slots_capacity;
    uint64_t next_epoch;
    /* pending events */
    struct sim_tpu *tpus;
    uint64_t *next_ns;        ///< per TPU: its earliest event
    uint32_t n_tpus, busy;    ///< busy: TPUs with an inference under way
    struct sim_timer *timers; ///< binary heap by (at_ns, sequence)
    size_t n_timers, timers_capacity;
    uint64_t timer_sequence;
    /* host */
    uint32_t lock_owner, threads_free;
    uint32_t *lock_queue; ///< ring of TPUs, each at most once
    uint32_t lock_head, lock_waiting;
    /* shared link */
    double shared_rate; ///< MiB per ns, 0: no common limit
    double demand;      ///< sum of own rates of the flows under way
    uint32_t flows;
    bool full; ///< some flow runs below its own rate
    /* heat */
    uint64_t tick_ns, next_tick_ns, next_poll_ns;
    uint64_t begin_ns;
    /* rails */
    atoll_rail_fn sink;
    void *sink_user;
    bool rails_dirty;
    atoll_state_fn state_fn;
    void *state_user;
};

/** `now` plus a duration, rounded to a ns; saturates far below SIM_NEVER. */
static inline uint64_t sim_after(uint64_t now_ns, double ns)
{
    const double most = 4e18;
    const uint64_t add = !(ns > 0) ? 0 : (uint64_t)((ns < most ? ns : most) + 0.5);
    return now_ns < (uint64_t)most ? now_ns + add : now_ns;
}

/* sim_slot.c: constants of a segment, from its program and the board. */
int atoll__sim_slot_init(struct sim_slot *s, const struct sim *sim, const struct atoll_program *p,
                         struct atoll_err *err);
void atoll__sim_slot_finish(struct sim_slot *s);

/* sim_link.c: flows over the shared link. */
void atoll__sim_flow_start(struct sim *s, uint32_t tpu, double mib, double own_rate);
void atoll__sim_flow_end(struct sim *s, uint32_t tpu);

/* sim_power.c: power states, heat, throttling, rails. */
int atoll__sim_heat_init(struct sim *s, struct atoll_err *err);
void atoll__sim_state(struct sim *s, uint32_t tpu, enum atoll_power_state state, double dynamic_mw);
void atoll__sim_rails(struct sim *s); ///< tells the sink about changes made at the present moment
void atoll__sim_tick(struct sim *s);  ///< the thermal tick at now_ns
void atoll__sim_energy_reset(struct sim *s);
double atoll__sim_energy_mj(const struct sim *s);
void atoll__sim_energy_states(const struct sim *s, struct atoll_engine_state *out);

/* sim_engine.c: the events. */
void atoll__sim_start(struct sim *s, uint32_t tpu); ///< the TPU takes the next job of its queue
void atoll__sim_reschedule(struct sim *s, uint32_t tpu); ///< recomputes its earliest event
void atoll__sim_advance(struct sim *s,
                        uint64_t to_ns); ///< lets time pass without an event of a TPU
bool atoll__sim_tpu_event(struct sim *s, uint32_t tpu,
                          struct atoll_device_event *ev); ///< true: ev holds a DONE
double atoll__sim_spread(struct atoll_rng *r); ///< mean 0, standard deviation 1, within +-3.5

#endif
