/* SPDX-License-Identifier: Apache-2.0 */
/* The device interface over worker threads, in real time. */
#include "host_internal.h"

#include <math.h>
#include <string.h>
#include <time.h>

static struct atoll__host *host_of(struct atoll_device *d)
{
    return (struct atoll__host *)(void *)d;
}

static void free_slot(struct atoll__host_slot *s)
{
    atoll_interp_close(&s->interp);
    atoll_model_close(&s->owned);
    atoll_free(s);
}

int atoll__host_init(struct atoll__host *h, const struct atoll_driver *driver,
                     const struct atoll__host_kind *kind, uint32_t n_tpus, struct atoll_err *err)
{
    h->base.driver = driver;
    h->kind = kind;
    h->n_tpus = n_tpus;
    h->cap = 2 * ATOLL__HOST_QUEUE;
    h->workers = atoll_calloc(n_tpus, sizeof *h->workers);
    h->done = atoll_calloc(h->cap, sizeof *h->done);
    if (h->workers == NULL || h->done == NULL) {
        return atoll_fail_nomem(err, "a device", n_tpus * sizeof *h->workers);
    }
    if (pthread_mutex_init(&h->lock, NULL) != 0) {
        return atoll_fail_nomem(err, "a lock", 0);
    }
    if (atoll__host_cond_init(&h->wake) != 0) {
        (void)pthread_mutex_destroy(&h->lock);
        return atoll_fail_nomem(err, "a lock", 0);
    }
    h->ready = true;
    return 0;
}

void atoll__host_close(struct atoll_device *d)
{
    struct atoll__host *h = host_of(d);
    for (uint32_t i = 0; i < h->n_tpus && h->workers != NULL; i++) {
        atoll__host_worker_stop(&h->workers[i]);
    }
    for (size_t i = 0; i < h->n_slots; i++) {
        free_slot(h->slots[i]);
    }
    if (h->kind != NULL && h->kind->close != NULL) {
        h->kind->close(h);
    }
    if (h->ready) {
        (void)pthread_cond_destroy(&h->wake);
        (void)pthread_mutex_destroy(&h->lock);
    }
    atoll_free(h->slots);
    atoll_free(h->timers);
    atoll_free(h->workers);
    atoll_free(h->done);
    atoll_free(h);
}

/* ------------------------------------------------------------------ loading */

static bool has_state(const struct atoll_model *m)
{
    for (uint32_t i = 0; i < m->n_tensors; i++) {
        if (m->tensors[i].is_variable) {
            return true;
        }
    }
    return false;
}

/* Seeded noise, so that inferences without given inputs compute on something. */
static void fill_noise(struct atoll_interp *it)
{
    struct atoll_rng rng;
    uint32_t n = 0;
    const struct atoll_interp_tensor *t = atoll_interp_inputs(it, &n);
    atoll_rng_seed(&rng, 1);
    for (uint32_t i = 0; i < n; i++) {
        if (t[i].type == ATOLL_TYPE_FLOAT32) {
            for (size_t k = 0; k < t[i].bytes / sizeof(float); k++) {
                ((float *)t[i].data)[k] = (float)atoll_rng_unit(&rng) * 2 - 1;
            }
        } else if (t[i].type == ATOLL_TYPE_UINT8 || t[i].type == ATOLL_TYPE_INT8) {
            atoll_rng_bytes(&rng, t[i].data, t[i].bytes);
        } else {
            memset(t[i].data, 0, t[i].bytes);
        }
    }
}

static int make_slot(struct atoll__host *h, uint32_t tpu, const struct atoll_device_segment *s,
                     struct atoll__host_slot *made, struct atoll_err *err)
{
    const struct atoll_model *m = atoll_cost_model(s->cost);
    made->tpu = tpu;
    int rc = atoll__host_segment(m, s->ops, s->n_ops, &made->owned, err);
    if (rc != 0) {
        return rc;
    }
    made->model = made->owned != NULL ? made->owned : m;
    made->has_state = has_state(made->model);
    rc = h->kind->interp(h, tpu, made->model, &made->interp, err);
    if (rc == 0) {
        fill_noise(made->interp);
    }
    return rc;
}

int atoll__host_load(struct atoll_device *d, uint32_t tpu, const struct atoll_device_segment *s,
                     uint32_t cache_group, uint32_t *slot, struct atoll_err *err)
{
    struct atoll__host *h = host_of(d);
    (void)cache_group;
    if (tpu >= h->n_tpus) {
        return atoll_fail(err, ATOLL_EUSAGE, "%s: number %u does not exist (there are %u)",
                          d->driver->name, tpu, h->n_tpus);
    }
    if (h->under_way > 0) {
        return atoll_fail(err, ATOLL_EUSAGE, "%s: loading while inferences are under way",
                          d->driver->name);
    }
    struct atoll__host_slot *made = atoll_calloc(1, sizeof *made);
    if (made == NULL ||
        atoll_grow((void **)&h->slots, &h->cap_slots, h->n_slots + 1, sizeof *h->slots) != 0) {
        atoll_free(made);
        return atoll_fail_nomem(err, "a segment", sizeof *made);
    }
    int rc = make_slot(h, tpu, s, made, err);
    rc = rc ? rc : atoll__host_worker_start(h, tpu, err);
    if (rc != 0) {
        free_slot(made);
        return rc;
    }
    h->slots[h->n_slots] = made;
    *slot = (uint32_t)h->n_slots++;
    return 0;
}

/* ------------------------------------------------------------------ running */

int atoll__host_begin(struct atoll_device *d, enum atoll_drive drive, uint32_t pipelines,
                      struct atoll_err *err)
{
    struct atoll__host *h = host_of(d);
    (void)drive;
    (void)pipelines;
    if (h->under_way > 0) {
        return atoll_fail(err, ATOLL_EUSAGE,
                          "%s: a phase can begin only when nothing is under way (%u inferences)",
                          d->driver->name, h->under_way);
    }
    h->n_timers = 0;
    return 0;
}

int atoll__host_submit(struct atoll_device *d, uint32_t slot, uint64_t tag,
                       const struct atoll_device_io *io, struct atoll_err *err)
{
    struct atoll__host *h = host_of(d);
    if (slot >= h->n_slots) {
        return atoll_fail(err, ATOLL_EUSAGE, "%s: no segment is loaded under slot %u",
                          d->driver->name, slot);
    }
    struct atoll__host_worker *w = &h->workers[h->slots[slot]->tpu];
    const struct atoll__host_job job = {.tag = tag,
                                        .submit_ns = atoll_now_ns(),
                                        .slot = slot,
                                        .in = io != NULL ? io->in : NULL,
                                        .out = io != NULL ? io->out : NULL};
    (void)pthread_mutex_lock(&w->lock);
    const bool room = w->length < ATOLL__HOST_QUEUE && h->under_way < h->cap;
    if (room) {
        w->queue[(w->head + w->length) % ATOLL__HOST_QUEUE] = job;
        w->length++;
        w->inferences++;
        (void)pthread_cond_signal(&w->wake);
    }
    (void)pthread_mutex_unlock(&w->lock);
    if (!room) {
        return atoll_fail(err, ATOLL_ELIMIT, "%s: %u inferences wait already", d->driver->name,
                          ATOLL__HOST_QUEUE);
    }
    h->under_way++;
    return 0;
}

int atoll__host_timer(struct atoll_device *d, uint64_t at_ns, uint64_t tag, struct atoll_err *err)
{
    struct atoll__host *h = host_of(d);
    if (atoll_grow((void **)&h->timers, &h->cap_timers, h->n_timers + 1, sizeof *h->timers) != 0) {
        return atoll_fail_nomem(err, "timers", h->n_timers * sizeof *h->timers);
    }
    size_t at = h->n_timers++;
    for (; at > 0 && h->timers[at - 1].at_ns > at_ns; at--) {
        h->timers[at] = h->timers[at - 1];
    }
    h->timers[at] = (struct atoll__host_timer){at_ns, tag};
    return 0;
}

static struct timespec to_timespec(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / 1000000000u),
                             .tv_nsec = (long)(ns % 1000000000u)};
}

static void take_timer(struct atoll__host *h, uint64_t now, struct atoll_device_event *ev)
{
    *ev = (struct atoll_device_event){.kind = ATOLL_EVENT_TIMER,
                                      .tag = h->timers[0].tag,
                                      .slot = UINT32_MAX,
                                      .tpu = UINT32_MAX,
                                      .time_ns = now};
    h->n_timers--;
    memmove(h->timers, h->timers + 1, h->n_timers * sizeof *h->timers);
}

/* A timer that is due comes before what was finished meanwhile: arrivals must not wait. */
int atoll__host_next(struct atoll_device *d, struct atoll_device_event *ev, struct atoll_err *err)
{
    struct atoll__host *h = host_of(d);
    (void)err;
    for (;;) {
        const uint64_t now = atoll_now_ns();
        if (h->n_timers > 0 && h->timers[0].at_ns <= now) {
            take_timer(h, now, ev);
            return 0;
        }
        if (h->under_way == 0 && h->n_timers == 0) {
            *ev = (struct atoll_device_event){
                .kind = ATOLL_EVENT_IDLE, .slot = UINT32_MAX, .tpu = UINT32_MAX, .time_ns = now};
            return 0;
        }
        (void)pthread_mutex_lock(&h->lock);
        if (h->length == 0 && h->n_timers > 0) {
            const struct timespec until = to_timespec(h->timers[0].at_ns);
            (void)pthread_cond_timedwait(&h->wake, &h->lock, &until);
        } else if (h->length == 0) {
            (void)pthread_cond_wait(&h->wake, &h->lock);
        }
        const bool got = h->length > 0;
        if (got) {
            *ev = h->done[h->head];
            h->head = (h->head + 1) % h->cap;
            h->length--;
        }
        (void)pthread_mutex_unlock(&h->lock);
        if (got) {
            h->under_way--;
            return 0;
        }
    }
}

uint64_t atoll__host_now_ns(const struct atoll_device *d)
{
    (void)d;
    return atoll_now_ns();
}

int atoll__host_idle_until(struct atoll_device *d, uint64_t at_ns, struct atoll_err *err)
{
    struct atoll__host *h = host_of(d);
    if (h->under_way > 0) {
        return atoll_fail(err, ATOLL_EUSAGE, "%s: %u inferences are under way", d->driver->name,
                          h->under_way);
    }
    const struct timespec until = to_timespec(at_ns);
    while (atoll_now_ns() < at_ns) { /* a signal may wake us early */
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
    return 0;
}

int atoll__host_tpu(struct atoll_device *d, uint32_t tpu, struct atoll_tpu_state *out,
                    struct atoll_err *err)
{
    struct atoll__host *h = host_of(d);
    if (tpu >= h->n_tpus) {
        return atoll_fail(err, ATOLL_EUSAGE, "%s: number %u does not exist (there are %u)",
                          d->driver->name, tpu, h->n_tpus);
    }
    *out = (struct atoll_tpu_state){.temperature_c = NAN,
                                    .resident_slot = UINT32_MAX,
                                    .inferences = h->workers[tpu].inferences};
    h->kind->id(h, tpu, out->id);
    return 0;
}
