/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tensors on their way through a pipeline. Every item has one block of memory with a place for each
 * tensor that crosses a boundary: the model's inputs and outputs, and what one stage makes and
 * another reads. A stage reads and writes its own places, so a tensor that is needed two stages
 * later waits in the block and no stage in between sees it.
 */
#include "run_internal.h"

#include <string.h>

enum { ALIGN = 64 };

/* Offsets of the tensors by index, as they are given places; SIZE_MAX: none yet. */
struct places {
    size_t *offset;
    size_t bytes;
};

static int put_places(struct atoll__runner *r, const struct atoll_model *m, struct places *p,
                      const int32_t *tensors, uint32_t n, const size_t **out)
{
    size_t *offsets = atoll_arena_array(&r->arena, (size_t)n + 1, sizeof *offsets);
    if (!offsets) {
        return atoll_fail_nomem(r->err, "the tensors of a stage", n * sizeof *offsets);
    }
    for (uint32_t i = 0; i < n; i++) {
        size_t *at = &p->offset[tensors[i]];
        if (*at == SIZE_MAX) {
            *at = p->bytes;
            p->bytes += (size_t)atoll_pad_u64(m->tensors[tensors[i]].bytes + 1, ALIGN);
        }
        offsets[i] = *at;
    }
    *out = offsets;
    return 0;
}

/* Which stage runs each operator. */
static int number_stages(struct atoll__runner *r, const struct atoll_pipeline *p,
                         const struct atoll_model *m, uint32_t *seg)
{
    memset(seg, 0xff, m->n_ops * sizeof *seg);
    for (uint32_t s = 0; s < p->n_stages; s++) {
        for (uint32_t i = 0; i < p->stages[s].n_ops; i++) {
            const uint32_t op = p->stages[s].ops[i];
            if (op >= m->n_ops || seg[op] != UINT32_MAX) {
                return atoll_fail(r->err, ATOLL_EUSAGE,
                                  "the plan names operator %u of %s (each once, below %u expected)",
                                  op, m->path, m->n_ops);
            }
            seg[op] = s;
        }
    }
    for (uint32_t o = 0; o < m->n_ops; o++) {
        if (seg[o] == UINT32_MAX) {
            return atoll_fail(r->err, ATOLL_EUSAGE, "no stage of the plan runs operator %u of %s",
                              o, m->path);
        }
    }
    const struct atoll_segmentation s = {p->n_stages, seg};
    return atoll_segmentation_check(m, &s, r->err);
}

static int lay_out_stages(struct atoll__runner *r, struct atoll__tensors *t,
                          const struct atoll_segmentation *s, struct places *places, int32_t *in,
                          int32_t *out)
{
    const struct atoll_model *m = t->model;
    t->graph.n_in = m->n_inputs;
    t->graph.n_out = m->n_outputs;
    int rc = put_places(r, m, places, m->inputs, m->n_inputs, &t->graph.in);
    rc = rc ? rc : put_places(r, m, places, m->outputs, m->n_outputs, &t->graph.out);
    for (uint32_t i = 0; i < s->n && !rc; i++) {
        struct atoll__boundary *b = &t->stages[i];
        atoll_segment_boundary(m, s, i, in, &b->n_in, out, &b->n_out);
        if (s->n == 1) { /* the whole model: its own lists, which may name a tensor twice */
            *b = t->graph;
            continue;
        }
        rc = put_places(r, m, places, in, b->n_in, &b->in);
        rc = rc ? rc : put_places(r, m, places, out, b->n_out, &b->out);
    }
    return rc;
}

/* Pointers of each replica to its stage's tensors, filled in when it gets an item. */
static int give_pointers(struct atoll__runner *r, struct atoll__pipe *p)
{
    for (uint32_t s = 0; s < p->n_stages; s++) {
        const struct atoll__boundary *b = &p->tensors->stages[s];
        for (uint32_t i = 0; i < p->stages[s].n_replicas; i++) {
            struct atoll_device_io *io = &p->stages[s].replicas[i].io;
            io->in = atoll_arena_array(&r->arena, (size_t)b->n_in + 1, sizeof *io->in);
            io->out = atoll_arena_array(&r->arena, (size_t)b->n_out + 1, sizeof *io->out);
            if (!io->in || !io->out) {
                return atoll_fail_nomem(r->err, "the tensors of a stage", b->n_in);
            }
        }
    }
    return 0;
}

int atoll__run_lay_out(struct atoll__runner *r, uint32_t pipe)
{
    const struct atoll_pipeline *from = &r->q->plan->pipelines[pipe];
    const struct atoll_model *m = atoll_cost_model(r->q->models[from->model]);
    struct atoll__pipe *p = &r->pipes[pipe];
    struct atoll__tensors *t = atoll_arena_alloc(&r->arena, sizeof *t);
    const uint32_t n_graph = m->n_inputs > m->n_outputs ? m->n_inputs : m->n_outputs;
    uint32_t *seg = atoll_alloc((size_t)m->n_ops * sizeof *seg + 1);
    int32_t *lists = atoll_alloc((size_t)m->n_tensors * 2 * sizeof *lists + 1);
    struct places places = {atoll_alloc((size_t)m->n_tensors * sizeof(size_t) + 1), 0};
    int rc = 0;
    if (t) {
        t->model = m;
        t->stages = atoll_arena_array(&r->arena, p->n_stages, sizeof *t->stages);
        t->pointers = atoll_arena_array(&r->arena, (size_t)n_graph + 1, sizeof *t->pointers);
    }
    if (!t || !t->stages || !t->pointers || !seg || !lists || !places.offset) {
        rc = atoll_fail_nomem(r->err, "the tensors of a pipeline", m->n_tensors);
    } else {
        memset(places.offset, 0xff, (size_t)m->n_tensors * sizeof(size_t));
        const struct atoll_segmentation s = {p->n_stages, seg};
        rc = number_stages(r, from, m, seg);
        rc = rc ? rc : lay_out_stages(r, t, &s, &places, lists, lists + m->n_tensors);
        p->tensors = t;
        t->bytes = places.bytes;
        r->block_bytes = t->bytes > r->block_bytes ? t->bytes : r->block_bytes;
        rc = rc ? rc : give_pointers(r, p);
    }
    atoll_free(seg);
    atoll_free(lists);
    atoll_free(places.offset);
    return rc;
}

/* The model's inputs: bytes at random, floats in [-1, 1), other types 0 (indices stay in range). */
static void fill_noise(const struct atoll__tensors *t, uint8_t *block, uint64_t seed)
{
    struct atoll_rng rng;
    atoll_rng_seed(&rng, seed);
    memset(block, 0, t->bytes);
    for (uint32_t i = 0; i < t->graph.n_in; i++) {
        const struct atoll_tensor *x = &t->model->tensors[t->model->inputs[i]];
        uint8_t *to = block + t->graph.in[i];
        if (x->type == ATOLL_TYPE_UINT8 || x->type == ATOLL_TYPE_INT8) {
            atoll_rng_bytes(&rng, to, (size_t)x->bytes);
        }
        for (size_t k = 0; x->type == ATOLL_TYPE_FLOAT32 && k < x->bytes / sizeof(float); k++) {
            const float v = (float)(atoll_rng_unit(&rng) * 2 - 1);
            memcpy(to + k * sizeof v, &v, sizeof v);
        }
    }
}

static void point(const size_t *offsets, uint32_t n, uint8_t *block, void **out)
{
    for (uint32_t i = 0; i < n; i++) {
        out[i] = block + offsets[i];
    }
}

int atoll__run_put_inputs(struct atoll__runner *r, uint32_t item)
{
    struct atoll__item *i = &r->items[item];
    const struct atoll__tensors *t = r->pipes[i->pipe].tensors;
    const struct atoll_run_tensors *given = r->q->tensors;
    if (!t) {
        return 0;
    }
    if (!i->block) {
        i->block = atoll_alloc(r->block_bytes);
        if (!i->block) {
            return atoll_fail_nomem(r->err, "the tensors of an item", r->block_bytes);
        }
        i->filled_for = UINT32_MAX;
    }
    if (given && given->input) {
        point(t->graph.in, t->graph.n_in, i->block, t->pointers);
        return given->input(given->user, i->pipe, i->number, t->pointers, r->err);
    }
    if (i->filled_for != i->pipe) {
        fill_noise(t, i->block, atoll_seed_mix(r->q->seed, item));
        i->filled_for = i->pipe;
    }
    return 0;
}

const struct atoll_device_io *atoll__run_io(const struct atoll__runner *r,
                                            const struct atoll__pipe *p, uint32_t stage,
                                            struct atoll__replica *replica)
{
    if (!p->tensors) {
        return NULL;
    }
    const struct atoll__boundary *b = &p->tensors->stages[stage];
    uint8_t *block = r->items[replica->item].block;
    const void **in = (const void **)(uintptr_t)replica->io.in;
    void **out = (void **)(uintptr_t)replica->io.out;
    for (uint32_t i = 0; i < b->n_in; i++) {
        in[i] = block + b->in[i];
    }
    point(b->out, b->n_out, block, out);
    return &replica->io;
}

int atoll__run_see_outputs(struct atoll__runner *r, uint32_t item)
{
    const struct atoll__item *i = &r->items[item];
    const struct atoll__tensors *t = r->pipes[i->pipe].tensors;
    const struct atoll_run_tensors *given = r->q->tensors;
    if (!t || !given || !given->output) {
        return 0;
    }
    point(t->graph.out, t->graph.n_out, i->block, t->pointers);
    return given->output(given->user, i->pipe, i->number, (const void *const *)t->pointers, r->err);
}
