/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pipelines. Each stage has replicas (one TPU each) and a bounded queue in front. An item
 * goes to the next free replica; a replica whose successor's queue is full holds its item and
 * waits, as a thread would that pushes into a bounded queue. All moves happen when the device
 * reports an event.
 */
#include "run_internal.h"

#include <math.h>

static uint32_t depth(const struct atoll__runner *r)
{
    return r->q->queue_depth ? r->q->queue_depth : 2;
}

static int load_replica(struct atoll__runner *r, struct atoll__place at, uint32_t group)
{
    const struct atoll_pipeline *p = &r->q->plan->pipelines[at.pipe];
    const struct atoll_stage *s = &p->stages[at.stage];
    struct atoll__replica *replica = &r->pipes[at.pipe].stages[at.stage].replicas[at.replica];
    const struct atoll_cost *together[ATOLL_TPUS_MAX];
    struct atoll_device_segment segment = {
        .cost = r->q->models[p->model], .ops = s->ops, .n_ops = s->n_ops, .together = together};
    for (uint32_t i = 0; i < r->n_pipes && p->sharing == ATOLL_SHARING_CO_COMPILED; i++) {
        const struct atoll_pipeline *o = &r->q->plan->pipelines[i];
        if (o->sharing == p->sharing && o->group == p->group) {
            segment.place = i == at.pipe ? segment.n_together : segment.place;
            together[segment.n_together++] = r->q->models[o->model];
        }
    }
    const uint32_t tpu = s->tpus[at.replica];
    if (tpu >= r->info.n_tpus) {
        return atoll_fail(r->err, ATOLL_EUSAGE, "the plan uses TPU %u, the device has %u", tpu,
                          r->info.n_tpus);
    }
    int rc = atoll_device_load(r->q->device, tpu, &segment, group, &replica->slot, r->err);
    if (rc) {
        return rc;
    }
    const size_t had = r->n_places;
    if (replica->slot >= ATOLL_TPUS_MAX * 1024u ||
        atoll_grow((void **)&r->places, &r->cap_places, replica->slot + 1, sizeof *r->places)) {
        return atoll_fail_nomem(r->err, "the slots of a device", replica->slot);
    }
    for (size_t i = had; i < replica->slot; i++) {
        r->places[i] = (struct atoll__place){ATOLL__RUN_NOBODY, 0, 0};
    }
    r->places[replica->slot] = at;
    r->n_places = replica->slot >= had ? replica->slot + 1 : had;
    return 0;
}

static int build_stage(struct atoll__runner *r, uint32_t pipe, uint32_t stage, uint32_t group)
{
    const struct atoll_stage *from = &r->q->plan->pipelines[pipe].stages[stage];
    struct atoll__stage *s = &r->pipes[pipe].stages[stage];
    s->capacity = stage == 0 ? 1 : depth(r);
    s->n_replicas = from->n_tpus;
    s->queue = atoll_arena_array(&r->arena, s->capacity, sizeof *s->queue);
    s->replicas = atoll_arena_array(&r->arena, s->n_replicas, sizeof *s->replicas);
    if (!s->queue || !s->replicas) {
        return atoll_fail_nomem(r->err, "a stage", s->capacity);
    }
    for (uint32_t i = 0; i < s->n_replicas; i++) {
        s->replicas[i].item = ATOLL__RUN_NOBODY;
        const int rc = load_replica(r, (struct atoll__place){pipe, stage, i}, group);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

/* The cache group of a pipeline's stage: pipelines that were compiled together have one, under the
 * number of the first of them. */
static uint32_t cache_group(const struct atoll__runner *r, uint32_t pipe, uint32_t next)
{
    const struct atoll_pipeline *p = &r->q->plan->pipelines[pipe];
    for (uint32_t i = 0; i < pipe && p->sharing == ATOLL_SHARING_CO_COMPILED; i++) {
        const struct atoll_pipeline *o = &r->q->plan->pipelines[i];
        if (o->sharing == p->sharing && o->group == p->group) {
            return r->pipes[i].cache_group;
        }
    }
    return next;
}

static int build_pipe(struct atoll__runner *r, uint32_t pipe, uint32_t *group)
{
    const struct atoll_pipeline *from = &r->q->plan->pipelines[pipe];
    struct atoll__pipe *p = &r->pipes[pipe];
    p->n_stages = from->n_stages;
    p->stages = atoll_arena_array(&r->arena, p->n_stages, sizeof *p->stages);
    if (!p->stages) {
        return atoll_fail_nomem(r->err, "a pipeline", p->n_stages);
    }
    for (uint32_t s = 0; s < p->n_stages; s++) {
        if (from->stages[s].n_tpus == 0) {
            return atoll_fail(r->err, ATOLL_EUSAGE, "pipeline %u, stage %u of the plan has no TPU",
                              pipe, s);
        }
        p->cache_group = cache_group(r, pipe, (*group)++);
        const int rc = build_stage(r, pipe, s, p->cache_group);
        if (rc) {
            return rc;
        }
        const struct atoll__stage *stage = &p->stages[s];
        p->replicas_max = stage->n_replicas > p->replicas_max ? stage->n_replicas : p->replicas_max;
        p->fill += stage->n_replicas + stage->capacity;
    }
    return 0;
}

/* Best first; unknown latencies last, ties in the plan's order. */
static void order_pipes(struct atoll__runner *r)
{
    for (uint32_t i = 0; i < r->n_pipes; i++) {
        uint32_t at = i;
        const double us = r->q->plan->pipelines[i].latency_us;
        while (at > 0) {
            const double before = r->q->plan->pipelines[r->order[at - 1]].latency_us;
            if (isnan(us) || before <= us) {
                break;
            }
            r->order[at] = r->order[at - 1];
            at--;
        }
        r->order[at] = i;
    }
}

int atoll__run_build(struct atoll__runner *r)
{
    const struct atoll_plan *plan = r->q->plan;
    r->n_pipes = plan->n_pipelines;
    r->pipes = atoll_arena_array(&r->arena, r->n_pipes, sizeof *r->pipes);
    r->order = atoll_arena_array(&r->arena, r->n_pipes, sizeof *r->order);
    r->free_item = ATOLL__RUN_NOBODY;
    if (!r->pipes || !r->order) {
        return atoll_fail_nomem(r->err, "the pipelines", r->n_pipes);
    }
    uint32_t group = 0;
    for (uint32_t i = 0; i < r->n_pipes; i++) {
        const int rc = build_pipe(r, i, &group);
        if (rc) {
            return rc;
        }
    }
    for (uint32_t i = 0; i < r->n_pipes && r->info.moves_data; i++) {
        const int rc = atoll__run_lay_out(r, i);
        if (rc) {
            return rc;
        }
    }
    order_pipes(r);
    return 0;
}

void atoll__run_free(struct atoll__runner *r)
{
    for (uint32_t i = 0; i < r->n_pipes && r->pipes; i++) {
        atoll_free(r->pipes[i].done_ns);
    }
    for (size_t i = 0; i < r->n_items; i++) {
        atoll_free(r->items[i].block);
    }
    for (uint32_t m = 0; r->models && m < r->q->plan->n_models; m++) {
        atoll_free(r->models[m].latency_us);
    }
    atoll_free(r->models);
    atoll_free(r->places);
    atoll_free(r->items);
    atoll_free(r->states.changes);
    atoll_arena_finish(&r->arena);
}

static int new_item(struct atoll__runner *r, uint32_t *index)
{
    if (r->free_item != ATOLL__RUN_NOBODY) {
        *index = r->free_item;
        r->free_item = r->items[*index].next_free;
        return 0;
    }
    const int rc = atoll_grow((void **)&r->items, &r->cap_items, r->n_items + 1, sizeof *r->items);
    if (rc) {
        return atoll_fail_nomem(r->err, "an item under way", r->n_items * sizeof *r->items);
    }
    *index = (uint32_t)r->n_items++;
    r->items[*index].block = NULL;
    return 0;
}

static void release(struct atoll__runner *r, uint32_t item)
{
    r->items[item].next_free = r->free_item;
    r->free_item = item;
}

static struct atoll__replica *free_replica(struct atoll__stage *s)
{
    for (uint32_t i = 0; i < s->n_replicas; i++) {
        if (s->replicas[i].item == ATOLL__RUN_NOBODY) {
            return &s->replicas[i];
        }
    }
    return NULL;
}

static void push(struct atoll__stage *s, uint32_t item)
{
    s->queue[(s->head + s->length) % s->capacity] = item;
    s->length++;
}

static struct atoll__replica *longest_blocked(struct atoll__stage *s)
{
    struct atoll__replica *first = NULL;
    for (uint32_t i = 0; i < s->n_replicas; i++) {
        struct atoll__replica *b = &s->replicas[i];
        if (b->blocked && (!first || b->blocked_ns < first->blocked_ns)) {
            first = b;
        }
    }
    return first;
}

/* Starts what can start in stage `s`, then takes in what waits behind it; goes upstream as room
 * appears. */
static int settle(struct atoll__runner *r, struct atoll__pipe *p, uint32_t s)
{
    struct atoll__stage *stage = &p->stages[s];
    for (;;) {
        struct atoll__replica *idle = NULL;
        while (stage->length > 0 && (idle = free_replica(stage)) != NULL) {
            idle->item = stage->queue[stage->head];
            stage->head = (stage->head + 1) % stage->capacity;
            stage->length--;
            const int rc = atoll_device_submit(r->q->device, idle->slot, idle->item,
                                               atoll__run_io(r, p, s, idle), r->err);
            if (rc) {
                return rc;
            }
        }
        struct atoll__replica *waiting =
            s > 0 && stage->length < stage->capacity ? longest_blocked(&p->stages[s - 1]) : NULL;
        if (!waiting) {
            return 0;
        }
        push(stage, waiting->item);
        waiting->item = ATOLL__RUN_NOBODY;
        waiting->blocked = false;
        const int rc = settle(r, p, s - 1);
        if (rc) {
            return rc;
        }
    }
}

bool atoll__run_room(const struct atoll__pipe *p)
{
    return p->stages[0].length < p->stages[0].capacity;
}

int atoll__run_feed(struct atoll__runner *r, uint32_t pipe, uint64_t in_ns, bool steady)
{
    uint32_t item = 0;
    int rc = new_item(r, &item);
    if (rc) {
        return rc;
    }
    const uint64_t now = atoll_device_now_ns(r->q->device);
    r->items[item] = (struct atoll__item){.in_ns = in_ns,
                                          .ready_ns = now,
                                          .number = r->next_number++,
                                          .pipe = pipe,
                                          .steady = steady,
                                          .block = r->items[item].block,
                                          .filled_for = r->items[item].filled_for};
    rc = atoll__run_put_inputs(r, item);
    if (rc) {
        return rc;
    }
    struct atoll__pipe *p = &r->pipes[pipe];
    p->in_flight++;
    push(&p->stages[0], item);
    return settle(r, p, 0);
}

static void count_stage(struct atoll__runner *r, struct atoll__stage *s,
                        const struct atoll__item *item, const struct atoll_device_event *ev)
{
    if (r->counting) {
        s->runs++;
        s->busy_ns += ev->time_ns - ev->start_ns;
        s->wait_ns += ev->start_ns > item->ready_ns ? ev->start_ns - item->ready_ns : 0;
    }
}

/* The replica at `at` has finished: hand its item on, then look for its next one. */
static int finished(struct atoll__runner *r, struct atoll__place at,
                    const struct atoll_device_event *ev, struct atoll__happened *h)
{
    struct atoll__pipe *p = &r->pipes[at.pipe];
    struct atoll__stage *s = &p->stages[at.stage];
    struct atoll__replica *replica = &s->replicas[at.replica];
    const uint32_t index = replica->item;
    struct atoll__item *item = &r->items[index];
    count_stage(r, s, item, ev);
    if (r->models && r->counting && ev->loaded) {
        r->models[r->q->plan->pipelines[at.pipe].model].reloads++;
    }
    if (r->states_by_done) {
        atoll__run_states_of(r, ev);
    }
    int rc = r->recording ? atoll__run_span(r, ev, &at, item->number) : 0;
    item->ready_ns = ev->time_ns;
    if (at.stage + 1 == p->n_stages) {
        p->in_flight--;
        p->completed++;
        h->completed = true;
        h->item = *item;
        rc = rc ? rc : atoll__run_see_outputs(r, index);
        release(r, index);
        replica->item = ATOLL__RUN_NOBODY;
    } else if (p->stages[at.stage + 1].length < p->stages[at.stage + 1].capacity) {
        push(&p->stages[at.stage + 1], index);
        replica->item = ATOLL__RUN_NOBODY;
        rc = rc ? rc : settle(r, p, at.stage + 1);
    } else {
        replica->blocked = true;
        replica->blocked_ns = ev->time_ns;
    }
    return rc ? rc : settle(r, p, at.stage);
}

int atoll__run_step(struct atoll__runner *r, struct atoll__happened *h)
{
    struct atoll_device_event ev = {0};
    int rc = atoll__run_meter_attend(r);
    rc = rc ? rc : atoll_device_next(r->q->device, &ev, r->err);
    if (rc) {
        return rc;
    }
    *h = (struct atoll__happened){.timer = ev.kind == ATOLL_EVENT_TIMER,
                                  .idle = ev.kind == ATOLL_EVENT_IDLE,
                                  .tag = ev.tag,
                                  .time_ns = ev.time_ns};
    if (ev.kind != ATOLL_EVENT_DONE) {
        return 0;
    }
    if (ev.slot >= r->n_places || r->places[ev.slot].pipe == ATOLL__RUN_NOBODY) {
        return atoll_fail(r->err, ATOLL_EDEVICE,
                          "the device finished slot %u, which this run did not load", ev.slot);
    }
    const struct atoll__place at = r->places[ev.slot];
    const struct atoll__replica *replica = &r->pipes[at.pipe].stages[at.stage].replicas[at.replica];
    if (replica->item == ATOLL__RUN_NOBODY || replica->blocked || ev.tag != replica->item) {
        return atoll_fail(r->err, ATOLL_EDEVICE,
                          "the device finished an inference on slot %u that was not under way",
                          ev.slot);
    }
    if (ev.status) {
        return atoll_fail(r->err, ATOLL_EDEVICE, "inference %llu failed on TPU %u (%s)",
                          (unsigned long long)r->items[replica->item].number, ev.tpu,
                          atoll_code_text(ev.status));
    }
    return finished(r, at, &ev, h);
}
