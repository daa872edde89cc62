/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open loops: inputs arrive when they do, whatever the system makes of it. One stream of arrivals
 * for the whole plan, or one for each model of a plan that serves rates.
 */
#include "run_internal.h"

#include <math.h>

#define ANY_MODEL UINT32_MAX

/* A stream of arrivals: a queue that grows, since an open loop does not wait. */
struct stream {
    struct atoll_rng rng;
    uint32_t model;
    double hz;
    struct arrival {
        uint64_t intended_ns;
        bool steady;
    } * arrivals;
    size_t n, cap, taken; ///< taken: handed to a pipeline
    double next_ns;
};

struct open_loop {
    struct atoll__runner *r;
    struct stream streams[ATOLL_TPUS_MAX];
    uint32_t n_streams;
    bool exponential;
    size_t arrived, warm, count, total;
};

static int schedule(struct open_loop *o, uint32_t stream)
{
    const double next_ns = o->streams[stream].next_ns;
    return atoll_device_timer(o->r->q->device, (uint64_t)llround(next_ns), stream, o->r->err);
}

static int arrive(struct open_loop *o, uint32_t stream)
{
    struct stream *s = &o->streams[stream];
    if (o->arrived >= o->total) {
        return 0;
    }
    if (atoll_grow((void **)&s->arrivals, &s->cap, s->n + 1, sizeof *s->arrivals)) {
        return atoll_fail_nomem(o->r->err, "arrivals", s->n * sizeof *s->arrivals);
    }
    s->arrivals[s->n++] = (struct arrival){(uint64_t)llround(s->next_ns), o->arrived >= o->warm};
    const double gap = o->exponential ? atoll_rng_exponential(&s->rng) : 1.0;
    s->next_ns += gap * 1e9 / s->hz;
    const int rc = ++o->arrived == o->warm + 1 ? atoll__run_window(o->r, 0) : 0;
    return rc || o->arrived >= o->total ? rc : schedule(o, stream);
}

/* The pipeline of a model with room and the fewest items under way; the best one among equals. */
static uint32_t choose(const struct atoll__runner *r, uint32_t model)
{
    uint32_t chosen = ATOLL__RUN_NOBODY;
    for (uint32_t i = 0; i < r->n_pipes; i++) {
        const uint32_t p = r->order[i];
        if ((model == ANY_MODEL || r->q->plan->pipelines[p].model == model) &&
            atoll__run_room(&r->pipes[p]) &&
            (chosen == ATOLL__RUN_NOBODY || r->pipes[p].in_flight < r->pipes[chosen].in_flight)) {
            chosen = p;
        }
    }
    return chosen;
}

static int hand_out(struct open_loop *o)
{
    int rc = 0;
    for (uint32_t i = 0; i < o->n_streams; i++) {
        struct stream *s = &o->streams[i];
        while (!rc && s->taken < s->n) {
            const uint32_t pipe = choose(o->r, s->model);
            if (pipe == ATOLL__RUN_NOBODY) {
                break;
            }
            const struct arrival *a = &s->arrivals[s->taken++];
            rc = atoll__run_feed(o->r, pipe, a->intended_ns, a->steady);
        }
    }
    return rc;
}

/* Samples of the model that a completion belongs to. */
static int note_model(struct open_loop *o, const struct atoll__happened *h)
{
    struct atoll__runner *r = o->r;
    if (!r->models) {
        return 0;
    }
    struct atoll__model_samples *m = &r->models[r->q->plan->pipelines[h->item.pipe].model];
    if (atoll_grow((void **)&m->latency_us, &m->cap, m->n + 1, sizeof *m->latency_us)) {
        return atoll_fail_nomem(r->err, "samples of a model", m->n * sizeof *m->latency_us);
    }
    m->latency_us[m->n++] = (double)(h->time_ns - h->item.in_ns) / 1e3;
    return 0;
}

/* A stream for the plan, or one for each model; theirs start at different times, as cameras do. */
static int make_streams(struct open_loop *o)
{
    const struct atoll__runner *r = o->r;
    const struct atoll_workload *w = &r->q->workload;
    const double now_ns = (double)atoll_device_now_ns(r->q->device);
    const bool rates = w->mode == ATOLL_WORK_RATES || w->mode == ATOLL_WORK_RATES_POISSON;
    o->exponential = w->mode == ATOLL_WORK_POISSON || w->mode == ATOLL_WORK_RATES_POISSON;
    if (!rates) {
        o->n_streams = 1;
        o->streams[0] = (struct stream){.model = ANY_MODEL, .hz = w->hz, .next_ns = now_ns};
        atoll_rng_seed(&o->streams[0].rng, r->q->seed);
        return schedule(o, 0);
    }
    int rc = 0;
    for (uint32_t m = 0; m < r->q->plan->n_models && rc == 0; m++) {
        struct stream *s = &o->streams[o->n_streams];
        *s = (struct stream){.model = m, .hz = r->q->plan->models[m].rate_hz};
        atoll_rng_seed(&s->rng, atoll_seed_mix(r->q->seed, m));
        const double phase =
            o->exponential ? atoll_rng_exponential(&s->rng) : atoll_rng_unit(&s->rng);
        s->next_ns = now_ns + phase * 1e9 / s->hz;
        rc = schedule(o, o->n_streams++);
    }
    return rc;
}

static int loop(struct open_loop *o)
{
    struct atoll__runner *r = o->r;
    int rc = make_streams(o);
    while (!rc && r->out->n < o->count) {
        struct atoll__happened h = {0};
        rc = atoll__run_step(r, &h);
        if (!rc && h.timer) {
            rc = arrive(o, (uint32_t)h.tag);
        } else if (!rc && h.idle) {
            rc = atoll__run_stopped(r);
        } else if (!rc && h.completed && h.item.steady) {
            rc = atoll__run_note(r, &h);
            rc = rc ? rc : note_model(o, &h);
        }
        rc = rc ? rc : hand_out(o);
    }
    return rc;
}

int atoll__run_open(struct atoll__runner *r)
{
    struct open_loop *o = atoll_calloc(1, sizeof *o);
    if (!o) {
        return atoll_fail_nomem(r->err, "arrivals", sizeof *o);
    }
    *o = (struct open_loop){.r = r, .warm = 8};
    for (uint32_t i = 0; i < r->n_pipes; i++) {
        o->warm += (size_t)r->pipes[i].n_stages * r->pipes[i].replicas_max;
    }
    double hz = r->q->workload.hz;
    for (uint32_t m = 0; r->models && m < r->q->plan->n_models; m++) {
        hz = (m ? hz : 0) + r->q->plan->models[m].rate_hz;
        r->models[m].n = 0; /* what a ranging pass has left */
        r->models[m].reloads = 0;
    }
    const double least = ceil((double)r->least_ns / 1e9 * hz);
    o->count = least > r->count ? (size_t)least : r->count;
    o->total = o->warm + o->count;
    int rc = loop(o);
    rc = rc ? rc : atoll__run_window(r, 1);
    for (uint32_t i = 0; i < o->n_streams; i++) {
        atoll_free(o->streams[i].arrivals);
    }
    atoll_free(o);
    return rc ? rc : atoll__run_drain(r);
}
