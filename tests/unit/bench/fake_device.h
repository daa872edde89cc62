/* SPDX-License-Identifier: Apache-2.0 */
/* A device of a few lines in virtual time: each TPU takes a fixed time an inference, whatever it
 * runs, and `load_us` more the first time. Closed formulas follow. */
#ifndef FAKE_DEVICE_H
#define FAKE_DEVICE_H

#include "../atoll_test.h"

#include <atoll/bench.h>
#include <atoll/impl/device.h>

enum { FAKE_TPUS = 8, FAKE_EVENTS = 64 };

struct fake_event {
    struct atoll_device_event ev;
    bool used;
    uint64_t order;
};
struct fake {
    struct atoll_device base;
    uint64_t service_ns[FAKE_TPUS], load_ns, now_ns, order;
    uint64_t busy_until_ns[FAKE_TPUS];
    uint32_t under_way[FAKE_TPUS], under_way_max;
    uint32_t tpu_of_slot[64], n_slots;
    bool loaded[64];
    struct fake_event events[FAKE_EVENTS];
    uint64_t done, fail_at; ///< the inference that fails, 0 none
    enum atoll_drive drive;
    uint32_t pipelines;
    bool lose; ///< swallow the next completion
    uint64_t
        spike_every; ///< each so many inferences one takes 10 ms longer; others differ by 4 us
    uint64_t submitted;
};

static struct fake *fake_of(struct atoll_device *d)
{
    return (struct fake *)(void *)d;
}
static void fake_info(const struct atoll_device *d, struct atoll_device_info *out)
{
    (void)d;
    *out = (struct atoll_device_info){.driver = "fake",
                                      .version = "1",
                                      .origin = ATOLL_ORIGIN_SIMULATED,
                                      .n_tpus = FAKE_TPUS,
                                      .virtual_time = true};
}
static int fake_load(struct atoll_device *d, uint32_t tpu, const struct atoll_device_segment *s,
                     uint32_t group, uint32_t *slot, struct atoll_err *err)
{
    (void)s;
    (void)group;
    (void)err;
    struct fake *f = fake_of(d);
    f->now_ns += 1000; /* creation takes 1 us a segment */
    f->tpu_of_slot[f->n_slots] = tpu;
    *slot = f->n_slots++;
    return 0;
}
static int fake_begin(struct atoll_device *d, enum atoll_drive drive, uint32_t pipelines,
                      struct atoll_err *err)
{
    (void)err;
    fake_of(d)->drive = drive;
    fake_of(d)->pipelines = pipelines;
    return 0;
}
static void fake_add(struct fake *f, struct atoll_device_event ev)
{
    for (size_t i = 0; i < FAKE_EVENTS; i++) {
        if (!f->events[i].used) {
            f->events[i] = (struct fake_event){ev, true, f->order++};
            return;
        }
    }
    fail_msg("more than %d events under way", FAKE_EVENTS);
}
static int fake_submit(struct atoll_device *d, uint32_t slot, uint64_t tag,
                       const struct atoll_device_io *io, struct atoll_err *err)
{
    (void)io;
    (void)err;
    struct fake *f = fake_of(d);
    const uint32_t tpu = f->tpu_of_slot[slot];
    const uint64_t start = f->busy_until_ns[tpu] > f->now_ns ? f->busy_until_ns[tpu] : f->now_ns;
    const uint64_t load = f->loaded[slot] ? 0 : f->load_ns;
    f->loaded[slot] = true;
    f->busy_until_ns[tpu] = start + load + f->service_ns[tpu];
    if (f->spike_every) {
        f->submitted++;
        f->busy_until_ns[tpu] += f->submitted % f->spike_every == 0 ? 10000000
                                                                    : f->submitted % 5 * 1000;
    }
    f->under_way[tpu]++;
    f->under_way_max = f->under_way[tpu] > f->under_way_max ? f->under_way[tpu] : f->under_way_max;
    fake_add(f, (struct atoll_device_event){.kind = ATOLL_EVENT_DONE,
                                            .tag = tag,
                                            .slot = slot,
                                            .tpu = tpu,
                                            .submit_ns = f->now_ns,
                                            .start_ns = start,
                                            .time_ns = f->busy_until_ns[tpu],
                                            .compute_ns = f->service_ns[tpu],
                                            .load_ns = load,
                                            .loaded = load > 0});
    return 0;
}
static int fake_timer(struct atoll_device *d, uint64_t at_ns, uint64_t tag, struct atoll_err *err)
{
    (void)err;
    struct fake *f = fake_of(d);
    fake_add(f, (struct atoll_device_event){.kind = ATOLL_EVENT_TIMER,
                                            .tag = tag,
                                            .time_ns = at_ns > f->now_ns ? at_ns : f->now_ns});
    return 0;
}
static int fake_next(struct atoll_device *d, struct atoll_device_event *ev, struct atoll_err *err)
{
    (void)err;
    struct fake *f = fake_of(d);
    struct fake_event *next = NULL;
    for (size_t i = 0; i < FAKE_EVENTS; i++) {
        struct fake_event *e = &f->events[i];
        if (e->used && (!next || e->ev.time_ns < next->ev.time_ns ||
                        (e->ev.time_ns == next->ev.time_ns && e->order < next->order))) {
            next = e;
        }
    }
    if (!next) {
        *ev = (struct atoll_device_event){.kind = ATOLL_EVENT_IDLE, .time_ns = f->now_ns};
        return 0;
    }
    next->used = false;
    f->now_ns = next->ev.time_ns;
    *ev = next->ev;
    if (ev->kind == ATOLL_EVENT_DONE) {
        f->under_way[ev->tpu]--;
        ev->status = ++f->done == f->fail_at ? ATOLL_EDEVICE : 0;
        if (f->lose) {
            f->lose = false;
            return fake_next(d, ev, err);
        }
    }
    return 0;
}
static uint64_t fake_now(const struct atoll_device *d)
{
    return ((const struct fake *)(const void *)d)->now_ns;
}
static int fake_idle(struct atoll_device *d, uint64_t at_ns, struct atoll_err *err)
{
    (void)err;
    fake_of(d)->now_ns = at_ns;
    return 0;
}
static int fake_tpu(struct atoll_device *d, uint32_t tpu, struct atoll_tpu_state *out,
                    struct atoll_err *err)
{
    (void)d;
    (void)err;
    *out = (struct atoll_tpu_state){.temperature_c = 40.0 + tpu};
    return 0;
}
static const struct atoll_driver fake_driver = {.name = "fake",
                                                .info = fake_info,
                                                .load = fake_load,
                                                .begin = fake_begin,
                                                .submit = fake_submit,
                                                .timer = fake_timer,
                                                .next = fake_next,
                                                .now_ns = fake_now,
                                                .idle_until = fake_idle,
                                                .tpu = fake_tpu};

static inline void fake_init(struct fake *f, uint64_t load_us)
{
    *f = (struct fake){.base.driver = &fake_driver, .load_ns = load_us * 1000, .now_ns = 5000};
    for (size_t i = 0; i < FAKE_TPUS; i++) {
        f->service_ns[i] = 1000000;
    }
}

/* A plan in static memory: "0|1,2|3 4" is a pipeline of three stages, the middle one with two
 * replicas, and a pipeline of one. */
struct fake_plan {
    struct atoll_plan plan;
    struct atoll_pipeline pipelines[FAKE_TPUS];
    struct atoll_stage stages[FAKE_TPUS][FAKE_TPUS];
    uint32_t tpus[FAKE_TPUS][FAKE_TPUS][FAKE_TPUS];
};
static inline void fake_plan_make(struct fake_plan *f, const char *text)
{
    memset(f, 0, sizeof *f);
    f->plan.pipelines = f->pipelines;
    f->plan.n_pipelines = 1;
    uint32_t pipe = 0, stage = 0, replica = 0;
    for (const char *c = text;; c++) {
        if (*c >= '0' && *c <= '7') {
            f->tpus[pipe][stage][replica++] = (uint32_t)(*c - '0');
            f->stages[pipe][stage].tpus = f->tpus[pipe][stage];
            f->stages[pipe][stage].n_tpus = replica;
            f->pipelines[pipe].stages = f->stages[pipe];
            f->pipelines[pipe].n_stages = stage + 1;
        } else if (*c == '|') {
            stage++;
            replica = 0;
        } else if (*c == ' ') {
            pipe++;
            f->plan.n_pipelines++;
            stage = replica = 0;
        } else if (*c == '\0') {
            return;
        }
    }
}

#endif
