/* SPDX-License-Identifier: Apache-2.0 */
/* The events of the simulated board. sim_internal.h tells the phases of an inference. */
#include "sim_internal.h"

double atoll__sim_spread(struct atoll_rng *r)
{
    /* Sum of four uniforms out of one draw: integer arithmetic, near enough to a normal. */
    const uint64_t u = atoll_rng_u64(r);
    const uint64_t sum = (u & 0xffff) + (u >> 16 & 0xffff) + (u >> 32 & 0xffff) + (u >> 48);
    const double sigma = 37837.227; /* sqrt(4 (65536^2 - 1) / 12) */
    return ((double)sum - 131070.0) / sigma;
}

/* Exponential of mean 1 by comparisons alone (von Neumann 1951). */
static double exponential(struct atoll_rng *r)
{
    for (double whole = 0;; whole += 1) {
        const double first = atoll_rng_unit(r);
        double last = first;
        bool odd = true;
        for (;;) {
            const double u = atoll_rng_unit(r);
            if (u >= last) {
                break;
            }
            last = u;
            odd = !odd;
        }
        if (odd) {
            return whole + first;
        }
    }
}

static double draw_factor(struct sim *s)
{
    if (s->no_jitter) {
        return 1;
    }
    const double f =
        s->run_factor * (1 + s->board->jitter_inference_frac.value * atoll__sim_spread(&s->rng));
    return f > 0.2 ? f : 0.2;
}

static double draw_hiccup_ns(struct sim *s)
{
    const double chance = s->board->spike_frac.value;
    if (s->no_jitter || chance <= 0 || atoll_rng_unit(&s->rng) >= chance) {
        return 0;
    }
    return s->board->spike_us.value * 1e3 * exponential(&s->rng);
}

/* ------------------------------------------------------------------- phases */

void atoll__sim_reschedule(struct sim *s, uint32_t tpu)
{
    const struct sim_tpu *t = &s->tpus[tpu];
    s->next_ns[tpu] = t->work_ns < t->flow_ns ? t->work_ns : t->flow_ns;
}

/* True when the phase takes time. */
static bool work(struct sim *s, struct sim_tpu *t, double ns)
{
    if (!(ns > 0)) {
        return false;
    }
    t->work_ns = sim_after(s->now_ns, ns);
    return true;
}

static bool flow(struct sim *s, uint32_t tpu, double mib, double ns_per_mib)
{
    if (!(mib > 0) || !(ns_per_mib > 0)) {
        return false;
    }
    atoll__sim_flow_start(s, tpu, mib * s->tpus[tpu].factor, 1 / ns_per_mib);
    return true;
}

/* Decides whether the parameters must travel, and remembers that they are there from now on. */
static bool claim_cache(struct sim_tpu *t, struct sim_slot *slot, uint32_t index)
{
    if (t->resident_slot == SIM_NONE || t->resident_group != slot->cache_group) {
        t->epoch++;
        t->resident_group = slot->cache_group;
    }
    const bool absent = slot->epoch != t->epoch;
    slot->epoch = t->epoch;
    t->resident_slot = index;
    return absent && slot->load_mib > 0;
}

static bool layer(struct sim *s, uint32_t tpu, const struct sim_group *g)
{
    struct sim_tpu *t = &s->tpus[tpu];
    const bool computes = work(s, t, g->compute_ns * t->factor * (double)(1u << t->divider));
    const bool streams = flow(s, tpu, g->stream_mib, s->board->stream_us_per_mib.value * 1e3);
    if (computes) {
        atoll__sim_state(s, tpu, ATOLL_STATE_COMPUTE, g->dynamic_mw);
    } else if (streams) {
        atoll__sim_state(s, tpu, ATOLL_STATE_STREAM, 0);
    }
    return computes || streams;
}

static bool begin_phase(struct sim *s, uint32_t tpu, enum sim_phase phase)
{
    struct sim_tpu *t = &s->tpus[tpu];
    const struct sim_slot *slot = &s->slots[t->job.slot];
    const struct sim_drive *drive = &slot->by[s->drive];
    switch (phase) {
    case PHASE_SERIAL:
        return work(s, t, drive->serial_ns * t->factor);
    case PHASE_HOST:
        return work(s, t, (drive->rest_ns + s->copy_ns) * t->factor + draw_hiccup_ns(s));
    case PHASE_INPUT:
        atoll__sim_state(s, tpu, ATOLL_STATE_TRANSFER, 0);
        return flow(s, tpu, slot->input_mib, drive->input_ns_per_mib);
    case PHASE_SETUP:
        if (t->loading) {
            atoll__sim_state(s, tpu, ATOLL_STATE_LOAD, 0);
        }
        return t->loading && work(s, t, s->board->load_us.value * 1e3 * t->factor);
    case PHASE_LOAD:
        return t->loading && flow(s, tpu, slot->load_mib, s->board->load_us_per_mib.value * 1e3);
    case PHASE_FIRST:
        if (!slot->streams || !work(s, t, s->board->stream_us.value * 1e3 * t->factor)) {
            return false;
        }
        atoll__sim_state(s, tpu, ATOLL_STATE_STREAM, 0);
        return true;
    case PHASE_LAYER:
        return t->group < drive->n_groups && layer(s, tpu, &drive->groups[t->group++]);
    case PHASE_OUTPUT:
        atoll__sim_state(s, tpu, ATOLL_STATE_TRANSFER, 0);
        return flow(s, tpu, slot->output_mib, drive->output_ns_per_mib);
    case PHASE_UNPACK:
        if (!work(s, t, drive->unpack_ns * t->factor)) {
            t->work_ns = s->now_ns; /* the end of an inference is always an event */
        }
        return true;
    case PHASE_FREE:
    case PHASE_WAIT_LOCK:
    case PHASE_WAIT_THREAD:
        break;
    }
    return false;
}

static enum sim_phase following(const struct sim *s, const struct sim_tpu *t)
{
    if (t->phase == PHASE_LAYER && t->group < s->slots[t->job.slot].by[s->drive].n_groups) {
        return PHASE_LAYER;
    }
    return (enum sim_phase)(t->phase + 1);
}

/* Leaves the phase that has ended and enters the next one that takes time. */
static void proceed(struct sim *s, uint32_t tpu)
{
    struct sim_tpu *t = &s->tpus[tpu];
    do {
        if (t->phase == PHASE_SERIAL) {
            s->lock_owner = SIM_NONE;
        } else if (t->phase == PHASE_HOST) {
            s->threads_free++;
        }
        t->phase = following(s, t);
        t->phase_ns = s->now_ns;
    } while (!begin_phase(s, tpu, t->phase));
    atoll__sim_reschedule(s, tpu);
}

static void begin_host(struct sim *s, uint32_t tpu)
{
    struct sim_tpu *t = &s->tpus[tpu];
    t->loading = claim_cache(t, &s->slots[t->job.slot], t->job.slot);
    t->factor = draw_factor(s);
    t->start_ns = s->now_ns;
    t->group = 0;
    t->host_ns = t->input_ns = t->load_ns = t->compute_ns = t->stream_ns = t->output_ns = 0;
    proceed(s, tpu);
}

/* Hands the lock to who waits longest; its owner goes on as soon as a host thread is free. */
static void admit(struct sim *s)
{
    for (;;) {
        if (s->lock_owner == SIM_NONE) {
            if (s->lock_waiting == 0) {
                return;
            }
            s->lock_owner = s->lock_queue[s->lock_head];
            s->lock_head = s->lock_head + 1 < s->n_tpus ? s->lock_head + 1 : 0;
            s->lock_waiting--;
            s->tpus[s->lock_owner].phase = PHASE_WAIT_THREAD;
        }
        if (s->tpus[s->lock_owner].phase != PHASE_WAIT_THREAD || s->threads_free == 0) {
            return;
        }
        s->threads_free--;
        begin_host(s, s->lock_owner);
    }
}

static void take_job(struct sim *s, uint32_t tpu)
{
    struct sim_tpu *t = &s->tpus[tpu];
    t->job = t->queue[t->head];
    t->head = t->head + 1 < t->capacity ? t->head + 1 : 0;
    t->waiting--;
    t->phase = PHASE_WAIT_LOCK;
    s->next_ns[tpu] = SIM_NEVER;
    const uint32_t at = s->lock_head + s->lock_waiting++;
    s->lock_queue[at < s->n_tpus ? at : at - s->n_tpus] = tpu;
}

void atoll__sim_start(struct sim *s, uint32_t tpu)
{
    s->busy++;
    take_job(s, tpu);
    admit(s);
}

/* ------------------------------------------------------------------- events */

static void account(struct sim_tpu *t, uint64_t ns)
{
    switch (t->phase) {
    case PHASE_SERIAL:
    case PHASE_HOST:
        t->host_ns += ns;
        break;
    case PHASE_INPUT:
        t->input_ns += ns;
        break;
    case PHASE_SETUP:
    case PHASE_LOAD:
        t->load_ns += ns;
        break;
    case PHASE_FIRST:
    case PHASE_LAYER:
        t->stream_ns += ns;
        break;
    case PHASE_OUTPUT:
    case PHASE_UNPACK:
        t->output_ns += ns;
        break;
    case PHASE_FREE:
    case PHASE_WAIT_LOCK:
    case PHASE_WAIT_THREAD:
        break;
    }
}

/* Ends the halves that are due; true when the phase has ended. */
static bool end_halves(struct sim *s, uint32_t tpu)
{
    struct sim_tpu *t = &s->tpus[tpu];
    if (t->flowing && t->flow_ns <= s->now_ns) {
        atoll__sim_flow_end(s, tpu);
    }
    if (t->work_ns <= s->now_ns) {
        t->work_ns = SIM_NEVER;
        if (t->phase == PHASE_LAYER) { /* what follows in this layer is exposed streaming */
            t->compute_ns += s->now_ns - t->phase_ns;
            t->phase_ns = s->now_ns;
            if (t->flowing) {
                atoll__sim_state(s, tpu, ATOLL_STATE_STREAM, 0);
            }
        }
    }
    return t->work_ns == SIM_NEVER && !t->flowing;
}

static void finish(struct sim *s, uint32_t tpu, struct atoll_device_event *ev)
{
    struct sim_tpu *t = &s->tpus[tpu];
    *ev = (struct atoll_device_event){.kind = ATOLL_EVENT_DONE,
                                      .tag = t->job.tag,
                                      .slot = t->job.slot,
                                      .tpu = tpu,
                                      .time_ns = s->now_ns,
                                      .submit_ns = t->job.submit_ns,
                                      .start_ns = t->start_ns,
                                      .host_ns = t->host_ns,
                                      .input_ns = t->input_ns,
                                      .load_ns = t->load_ns,
                                      .compute_ns = t->compute_ns,
                                      .stream_ns = t->stream_ns,
                                      .output_ns = t->output_ns,
                                      .loaded = t->loading};
    t->inferences++;
    atoll__sim_state(s, tpu, ATOLL_STATE_IDLE, 0);
    if (t->waiting > 0) {
        take_job(s, tpu);
    } else {
        t->phase = PHASE_FREE;
        s->next_ns[tpu] = SIM_NEVER;
        s->busy--;
    }
}

bool atoll__sim_tpu_event(struct sim *s, uint32_t tpu, struct atoll_device_event *ev)
{
    struct sim_tpu *t = &s->tpus[tpu];
    s->events++;
    if (!end_halves(s, tpu)) {
        atoll__sim_reschedule(s, tpu);
        return false;
    }
    account(t, s->now_ns - t->phase_ns);
    const bool done = t->phase == PHASE_UNPACK;
    if (done) {
        finish(s, tpu, ev);
    } else {
        proceed(s, tpu);
    }
    admit(s);
    return done;
}

void atoll__sim_advance(struct sim *s, uint64_t to_ns)
{
    while (s->next_tick_ns <= to_ns) {
        atoll__sim_rails(s);
        s->now_ns = s->next_tick_ns;
        atoll__sim_tick(s);
    }
    if (to_ns > s->now_ns) {
        atoll__sim_rails(s);
        s->now_ns = to_ns;
    }
}
