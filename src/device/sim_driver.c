/* SPDX-License-Identifier: Apache-2.0 */
/* Driver `sim`: the engine behind the device interface. */
#include "sim_internal.h"

#include <stdio.h>

static struct sim *sim_of(struct atoll_device *d)
{
    return (struct sim *)(void *)d;
}

static const struct sim *sim_of_const(const struct atoll_device *d)
{
    return (const struct sim *)(const void *)d;
}

static int sim_list(struct atoll_device_listing *out, struct atoll_err *err)
{
    (void)err;
    *out = (struct atoll_device_listing){.name = "sim", .available = true};
    (void)snprintf(out->detail, sizeof out->detail,
                   "simulated board in virtual time, atoll %s; takes any board profile",
                   ATOLL_VERSION);
    return 0;
}

static void sim_close(struct atoll_device *d)
{
    struct sim *s = sim_of(d);
    for (uint32_t i = 0; s->tpus != NULL && i < s->n_tpus; i++) {
        atoll_free(s->tpus[i].queue);
    }
    for (size_t i = 0; i < s->n_slots; i++) {
        atoll__sim_slot_finish(&s->slots[i]);
    }
    atoll_free(s->slots);
    atoll_free(s->tpus);
    atoll_free(s->next_ns);
    atoll_free(s->lock_queue);
    atoll_free(s->timers);
    atoll_free(s);
}

/* A shared link that carries all TPUs at full speed at once is no limit. */
static double shared_rate(const struct atoll_board *b, const struct atoll_use *use)
{
    const double shared = b->shared_link_mib_per_s.value / 1e9;
    double fastest_us = b->stream_us_per_mib.value;
    if (b->load_us_per_mib.value > 0 && b->load_us_per_mib.value < fastest_us) {
        fastest_us = b->load_us_per_mib.value;
    }
    for (int d = 0; d < 2; d++) {
        const struct atoll_drive_cost *c = atoll_board_drive(b, use, (enum atoll_drive)d);
        const double us[2] = {c->input_us_per_mib.value, c->output_us_per_mib.value};
        for (int i = 0; i < 2; i++) {
            fastest_us = us[i] > 0 && us[i] < fastest_us ? us[i] : fastest_us;
        }
    }
    return fastest_us > 0 && b->n_tpus / (fastest_us * 1e3) <= shared ? 0 : shared;
}

static int make_room(struct sim *s, struct atoll_err *err)
{
    s->tpus = atoll_calloc(s->n_tpus, sizeof *s->tpus);
    s->next_ns = atoll_calloc(s->n_tpus, sizeof *s->next_ns);
    s->lock_queue = atoll_calloc(s->n_tpus, sizeof *s->lock_queue);
    if (s->tpus == NULL || s->next_ns == NULL || s->lock_queue == NULL) {
        return atoll_fail_nomem(err, "simulated TPUs", s->n_tpus * sizeof *s->tpus);
    }
    for (uint32_t i = 0; i < s->n_tpus; i++) {
        struct sim_tpu *t = &s->tpus[i];
        t->work_ns = t->flow_ns = s->next_ns[i] = SIM_NEVER;
        t->resident_slot = SIM_NONE;
    }
    return 0;
}

static int sim_open(const struct atoll_device_opts *o, struct atoll_device **d,
                    struct atoll_err *err)
{
    const struct atoll_board *b = o->board;
    if (b == NULL || b->n_tpus == 0 || b->n_tpus > ATOLL_TPUS_MAX || b->n_rails > ATOLL_RAILS_MAX) {
        return atoll_fail(err, ATOLL_EUSAGE,
                          "sim: needs a board profile with 1..%d TPUs and at most %d rails",
                          ATOLL_TPUS_MAX, ATOLL_RAILS_MAX);
    }
    struct sim *s = atoll_calloc(1, sizeof *s);
    if (s == NULL) {
        return atoll_fail_nomem(err, "simulated board", sizeof *s);
    }
    s->base.driver = &atoll__device_sim;
    s->board = b;
    s->use = o->use;
    s->clock_hz = atoll_board_clock_hz(b, &o->use);
    s->no_jitter = o->no_jitter;
    s->n_tpus = b->n_tpus;
    s->lock_owner = SIM_NONE;
    s->threads_free = b->host_threads > 0 ? b->host_threads : b->n_tpus;
    s->shared_rate = shared_rate(b, &o->use);
    atoll_rng_seed(&s->rng, atoll_seed_mix(o->seed, 0x73696d));
    int rc = make_room(s, err);
    if (rc == 0 && !(s->clock_hz > 0)) {
        rc = atoll_fail(err, ATOLL_EUSAGE, "sim: board %s has no clock", b->name);
    }
    if (rc == 0) {
        rc = atoll__sim_heat_init(s, err);
    }
    if (rc != 0) {
        sim_close(&s->base);
        return rc;
    }
    *d = &s->base;
    return 0;
}

static void sim_info(const struct atoll_device *d, struct atoll_device_info *out)
{
    *out = (struct atoll_device_info){.driver = "sim",
                                      .version = "atoll " ATOLL_VERSION,
                                      .origin = ATOLL_ORIGIN_SIMULATED,
                                      .n_tpus = sim_of_const(d)->n_tpus,
                                      .virtual_time = true};
}

int atoll__device_sim_load_program(struct atoll_device *d, uint32_t tpu,
                                   const struct atoll_program *p, uint32_t cache_group,
                                   uint32_t *slot, struct atoll_err *err)
{
    struct sim *s = sim_of(d);
    if (tpu >= s->n_tpus) {
        return atoll_fail(err, ATOLL_EUSAGE, "sim: TPU %u does not exist (the board has %u)", tpu,
                          s->n_tpus);
    }
    if (s->n_slots >= SIM_NONE - 1) {
        return atoll_fail(err, ATOLL_ELIMIT, "sim: too many segments loaded");
    }
    void *slots = s->slots;
    if (atoll_grow(&slots, &s->slots_capacity, s->n_slots + 1, sizeof *s->slots) != 0) {
        return atoll_fail_nomem(err, "segments", (s->n_slots + 1) * sizeof *s->slots);
    }
    s->slots = slots;
    struct sim_slot made = {.tpu = tpu, .cache_group = cache_group};
    const int rc = atoll__sim_slot_init(&made, s, p, err);
    if (rc == 0) {
        s->slots[s->n_slots] = made;
        *slot = (uint32_t)s->n_slots++;
    }
    return rc;
}

/* The program of a whole model that was compiled together with others. */
static int program_together(const struct atoll_device_segment *seg, struct atoll_program *p,
                            struct atoll_err *err)
{
    struct atoll_program programs[ATOLL_TPUS_MAX];
    if (seg->n_together > ATOLL_TPUS_MAX || seg->place >= seg->n_together) {
        return atoll_fail(err, ATOLL_EUSAGE, "sim: model %u of %u compiled together", seg->place,
                          seg->n_together);
    }
    const int rc = atoll_cost_programs_together(seg->together, seg->n_together, programs, err);
    for (uint32_t i = 0; i < seg->n_together && rc == 0; i++) {
        if (i == seg->place) {
            *p = programs[i];
        } else {
            atoll_program_finish(&programs[i]);
        }
    }
    return rc;
}

static int sim_load(struct atoll_device *d, uint32_t tpu, const struct atoll_device_segment *seg,
                    uint32_t cache_group, uint32_t *slot, struct atoll_err *err)
{
    struct atoll_program p = {0};
    int rc = seg->n_together > 0 ? program_together(seg, &p, err)
                                 : atoll_cost_program(seg->cost, seg->ops, seg->n_ops, &p, err);
    if (rc == 0) {
        rc = atoll__device_sim_load_program(d, tpu, &p, cache_group, slot, err);
        atoll_program_finish(&p);
    }
    return rc;
}

static int sim_begin(struct atoll_device *d, enum atoll_drive drive, uint32_t pipelines,
                     struct atoll_err *err)
{
    struct sim *s = sim_of(d);
    if (s->busy > 0) {
        return atoll_fail(err, ATOLL_EUSAGE,
                          "sim: a phase can begin only when nothing is under way (%u TPUs work)",
                          s->busy);
    }
    s->begun = true;
    s->drive = drive;
    s->n_timers = 0;
    const double further = pipelines > 1 ? pipelines - 1 : 0;
    const struct atoll_drive_cost *c = atoll_board_drive(s->board, &s->use, drive);
    s->copy_ns = further *
                 (drive == ATOLL_DRIVE_CALLED ? c->copy_us.value : c->copy_interval_us.value) * 1e3;
    s->run_factor =
        s->no_jitter ? 1 : 1 + s->board->jitter_run_frac.value * atoll__sim_spread(&s->rng);
    for (uint32_t i = 0; i < s->n_tpus; i++) {
        s->tpus[i].throttled = s->tpus[i].divider > 0;
    }
    atoll__sim_energy_reset(s);
    return 0;
}

static int push_job(struct sim_tpu *t, const struct sim_job *job, struct atoll_err *err)
{
    if (t->waiting == t->capacity) {
        const uint32_t more = t->capacity > 0 ? 2 * t->capacity : 16;
        struct sim_job *queue = more < (1u << 30) ? atoll_alloc(more * sizeof *queue) : NULL;
        if (queue == NULL) {
            return atoll_fail_nomem(err, "queue of a TPU", more * sizeof *queue);
        }
        for (uint32_t i = 0; i < t->waiting; i++) {
            queue[i] = t->queue[(t->head + i) % t->capacity];
        }
        atoll_free(t->queue);
        t->queue = queue;
        t->head = 0;
        t->capacity = more;
    }
    const uint32_t at = t->head + t->waiting++;
    t->queue[at < t->capacity ? at : at - t->capacity] = *job;
    return 0;
}

static int sim_submit(struct atoll_device *d, uint32_t slot, uint64_t tag,
                      const struct atoll_device_io *io, struct atoll_err *err)
{
    struct sim *s = sim_of(d);
    (void)io;
    if (!s->begun || slot >= s->n_slots) {
        return atoll_fail(err, ATOLL_EUSAGE, "sim: %s",
                          s->begun ? "no segment is loaded under that slot"
                                   : "submit before begin");
    }
    const uint32_t tpu = s->slots[slot].tpu;
    const int rc = push_job(
        &s->tpus[tpu], &(struct sim_job){.tag = tag, .submit_ns = s->now_ns, .slot = slot}, err);
    if (rc == 0 && s->tpus[tpu].phase == PHASE_FREE) {
        atoll__sim_start(s, tpu);
    }
    return rc;
}

/* ------------------------------------------------------------------- timers */

static bool before(const struct sim_timer *a, const struct sim_timer *b)
{
    return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->sequence < b->sequence);
}

static int sim_timer(struct atoll_device *d, uint64_t at_ns, uint64_t tag, struct atoll_err *err)
{
    struct sim *s = sim_of(d);
    void *timers = s->timers;
    if (atoll_grow(&timers, &s->timers_capacity, s->n_timers + 1, sizeof *s->timers) != 0) {
        return atoll_fail_nomem(err, "timers", (s->n_timers + 1) * sizeof *s->timers);
    }
    s->timers = timers;
    const struct sim_timer made = {.at_ns = at_ns > s->now_ns ? at_ns : s->now_ns,
                                   .sequence = s->timer_sequence++,
                                   .tag = tag};
    size_t i = s->n_timers++;
    for (; i > 0 && before(&made, &s->timers[(i - 1) / 2]); i = (i - 1) / 2) {
        s->timers[i] = s->timers[(i - 1) / 2];
    }
    s->timers[i] = made;
    return 0;
}

static struct sim_timer pop_timer(struct sim *s)
{
    const struct sim_timer first = s->timers[0];
    const struct sim_timer last = s->timers[--s->n_timers];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= s->n_timers) {
            break;
        }
        if (child + 1 < s->n_timers && before(&s->timers[child + 1], &s->timers[child])) {
            child++;
        }
        if (!before(&s->timers[child], &last)) {
            break;
        }
        s->timers[i] = s->timers[child];
        i = child;
    }
    s->timers[i] = last;
    return first;
}

/* ------------------------------------------------------------------- events */

static int sim_next(struct atoll_device *d, struct atoll_device_event *ev, struct atoll_err *err)
{
    struct sim *s = sim_of(d);
    while (s->busy > 0 || s->n_timers > 0) {
        uint32_t tpu = 0;
        for (uint32_t i = 1; i < s->n_tpus; i++) {
            tpu = s->next_ns[i] < s->next_ns[tpu] ? i : tpu;
        }
        const uint64_t timer_ns = s->n_timers > 0 ? s->timers[0].at_ns : SIM_NEVER;
        const uint64_t at_ns = s->next_ns[tpu] < timer_ns ? s->next_ns[tpu] : timer_ns;
        if (at_ns == SIM_NEVER) {
            return atoll_fail(err, ATOLL_EINTERNAL,
                              "sim: work is under way but nothing will happen");
        }
        if (s->next_tick_ns <= at_ns) { /* a tick may move the events that follow */
            atoll__sim_advance(s, s->next_tick_ns);
            continue;
        }
        atoll__sim_advance(s, at_ns);
        if (s->next_ns[tpu] <= timer_ns) {
            if (atoll__sim_tpu_event(s, tpu, ev)) {
                return 0;
            }
            continue;
        }
        s->events++;
        *ev = (struct atoll_device_event){.kind = ATOLL_EVENT_TIMER,
                                          .tag = pop_timer(s).tag,
                                          .slot = SIM_NONE,
                                          .tpu = SIM_NONE,
                                          .time_ns = at_ns};
        return 0;
    }
    *ev = (struct atoll_device_event){
        .kind = ATOLL_EVENT_IDLE, .slot = SIM_NONE, .tpu = SIM_NONE, .time_ns = s->now_ns};
    return 0;
}

static uint64_t sim_now_ns(const struct atoll_device *d)
{
    return sim_of_const(d)->now_ns;
}

static int sim_idle_until(struct atoll_device *d, uint64_t at_ns, struct atoll_err *err)
{
    struct sim *s = sim_of(d);
    if (s->busy > 0 || s->n_timers > 0) {
        return atoll_fail(err, ATOLL_EUSAGE, "sim: cannot idle while work or a timer is under way");
    }
    if (at_ns > s->now_ns) {
        atoll__sim_advance(s, at_ns);
    }
    return 0;
}

static int sim_tpu_state(struct atoll_device *d, uint32_t tpu, struct atoll_tpu_state *out,
                         struct atoll_err *err)
{
    const struct sim *s = sim_of(d);
    if (tpu >= s->n_tpus) {
        return atoll_fail(err, ATOLL_EUSAGE, "sim: TPU %u does not exist (the board has %u)", tpu,
                          s->n_tpus);
    }
    const struct sim_tpu *t = &s->tpus[tpu];
    *out = (struct atoll_tpu_state){.temperature_c = t->temperature_c,
                                    .clock_divider = t->divider,
                                    .throttled = t->throttled,
                                    .resident_slot = t->resident_slot,
                                    .inferences = t->inferences};
    (void)snprintf(out->id, sizeof out->id, "sim:%.40s:%u",
                   s->board->name != NULL ? s->board->name : "board", tpu);
    return 0;
}

static int sim_rail_sink(struct atoll_device *d, atoll_rail_fn fn, void *user,
                         struct atoll_err *err)
{
    struct sim *s = sim_of(d);
    (void)err;
    s->sink = fn;
    s->sink_user = user;
    s->rails_dirty = true;
    atoll__sim_rails(s);
    return 0;
}

static int sim_engine_mj(struct atoll_device *d, double *mj, struct atoll_err *err)
{
    (void)err;
    *mj = atoll__sim_energy_mj(sim_of(d));
    return 0;
}

static int sim_state_sink(struct atoll_device *d, atoll_state_fn fn, void *user,
                          struct atoll_err *err)
{
    struct sim *s = sim_of(d);
    (void)err;
    s->state_fn = fn;
    s->state_user = user;
    return 0;
}

static int sim_engine_states(struct atoll_device *d, struct atoll_engine_state *out,
                             struct atoll_err *err)
{
    (void)err;
    atoll__sim_energy_states(sim_of(d), out);
    return 0;
}

uint64_t atoll__device_sim_events(const struct atoll_device *d)
{
    return sim_of_const(d)->events;
}

const struct atoll_driver atoll__device_sim = {
    .name = "sim",
    .list = sim_list,
    .open = sim_open,
    .close = sim_close,
    .info = sim_info,
    .load = sim_load,
    .begin = sim_begin,
    .submit = sim_submit,
    .timer = sim_timer,
    .next = sim_next,
    .now_ns = sim_now_ns,
    .idle_until = sim_idle_until,
    .tpu = sim_tpu_state,
    .rail_sink = sim_rail_sink,
    .engine_mj = sim_engine_mj,
    .state_sink = sim_state_sink,
    .engine_states = sim_engine_states,
};
