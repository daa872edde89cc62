/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fast path: figures of a segment in one pass over its operators. The plain reference is
 * program.c; a property test compares the two.
 */
#include "cost_internal.h"

#include <string.h>

#define STACK_OPS 4096u /* larger models take their scratch from the heap */
#define STACK_TENSORS 8192u
#define OUTSIDE UINT32_MAX

/** What the pass notes of a tensor that the segment touches. */
struct mark {
    uint32_t first, last; ///< of a buffer: places of the operators that read it; OUTSIDE, 0: none
    bool counted;         ///< as an input of the segment
};

/** A segment being summed up. */
struct pass {
    const struct atoll_cost *c;
    const uint32_t *ops;
    uint32_t n;
    uint32_t *pos;      ///< place of each operator of the model in the segment; OUTSIDE
    struct mark *marks; ///< of each tensor of the model; set for those the segment touches
    struct atoll__sums sums;
    struct atoll__mix mix;
    struct atoll__situation situation;
    uint64_t live, peak, vector_narrow;
    double cycles;
};

/** On the Edge TPU and in this segment. */
static bool inside(const struct pass *p, int32_t op)
{
    return op >= 0 && p->pos[op] != OUTSIDE && p->c->ops[op].mapped;
}

/** Notes for every buffer the places of the first and the last operator that read it. */
static void mark_uses(struct pass *p)
{
    for (uint32_t at = 0; at < p->n; at++) {
        const struct atoll__cost_op *o = &p->c->ops[p->ops[at]];
        const uint32_t *refs = p->c->refs;
        for (uint32_t i = 0; i < o->n_in; i++) {
            p->marks[refs[o->in_at + i]].counted = false;
        }
        for (uint32_t i = 0; i < o->n_root; i++) {
            p->marks[refs[o->root_at + i]] = (struct mark){.first = OUTSIDE};
        }
        for (uint32_t i = 0; i < o->n_out; i++) {
            p->marks[refs[o->out_at + i]] = (struct mark){.first = OUTSIDE};
        }
    }
    for (uint32_t at = 0; at < p->n; at++) {
        const struct atoll__cost_op *o = &p->c->ops[p->ops[at]];
        for (uint32_t i = 0; o->mapped && i < o->n_root; i++) {
            struct mark *m = &p->marks[p->c->refs[o->root_at + i]];
            m->first = m->first == OUTSIDE ? at : m->first;
            m->last = at;
        }
    }
}

static void add_input(struct pass *p, uint32_t tensor)
{
    const struct atoll__cost_tensor *t = &p->c->tensors[tensor];
    p->sums.in += t->wire_in;
    if (t->image_px > p->situation.image_px) {
        p->situation.image_px = t->image_px;
    }
    if (t->wire_in > p->situation.input_bytes) {
        p->situation.input_bytes = t->wire_in;
    }
    if (t->bytes > p->mix.largest_tensor_bytes) {
        p->mix.largest_tensor_bytes = t->bytes;
    }
}

/** Counts inputs that come from outside, each at the first operator that reads it. */
static void boundary_in(struct pass *p, const struct atoll__cost_op *o)
{
    for (uint32_t i = 0; i < o->n_in; i++) {
        const uint32_t tensor = p->c->refs[o->in_at + i];
        const struct atoll_tensor *t = &p->c->model->tensors[tensor];
        if (inside(p, t->producer)) {
            continue;
        }
        if (!p->marks[tensor].counted) {
            p->marks[tensor].counted = true;
            add_input(p, tensor);
        }
    }
}

static void boundary_out(struct pass *p, const struct atoll__cost_op *o)
{
    for (uint32_t i = 0; i < o->n_out; i++) {
        const uint32_t tensor = p->c->refs[o->out_at + i];
        const struct atoll_tensor *t = &p->c->model->tensors[tensor];
        const struct atoll__cost_tensor *x = &p->c->tensors[tensor];
        bool leaves = x->is_output;
        for (uint32_t j = 0; j < t->n_consumers && !leaves; j++) {
            leaves = !inside(p, (int32_t)t->consumers[j]);
        }
        p->sums.out += leaves ? x->wire_out : 0;
        p->sums.out_px += leaves ? x->px : 0;
        if (x->bytes > p->mix.largest_tensor_bytes) {
            p->mix.largest_tensor_bytes = x->bytes;
        }
    }
}

/** Moves the live bytes of a tile over one operator. */
static void live_step(struct pass *p, uint32_t at, const struct atoll__cost_op *o)
{
    uint64_t dies = 0;
    for (uint32_t i = 0; i < o->n_root; i++) {
        const uint32_t at_root = p->c->refs[o->root_at + i];
        const struct atoll__cost_tensor *root = &p->c->tensors[at_root];
        const struct mark *m = &p->marks[at_root];
        if (m->first == at && !inside(p, root->producer)) {
            p->live += root->buffer_bytes;
        }
        if (m->last == at) {
            dies += root->buffer_bytes;
        }
    }
    for (uint32_t i = 0; i < o->n_out && !o->alias; i++) {
        const uint32_t at_out = p->c->refs[o->out_at + i];
        const uint64_t bytes = p->c->tensors[at_out].buffer_bytes;
        p->live += bytes;
        dies += p->marks[at_out].first == OUTSIDE ? bytes : 0;
    }
    if (o->vector_narrow == 0 && o->kind != ATOLL_BOUND_FREE && p->live > p->peak) {
        p->peak = p->live;
    }
    if (o->vector_narrow > p->vector_narrow) {
        p->vector_narrow = o->vector_narrow;
    }
    p->live -= dies;
}

static void add_op(struct pass *p, uint32_t at, const struct atoll__cost_op *o)
{
    if (!o->mapped) {
        p->sums.cpu_us += o->cpu_us;
        return;
    }
    p->mix.n_tpu_ops++;
    p->mix.n_dense += o->dense;
    p->mix.dense_groups += o->dense_groups;
    p->mix.n_depthwise += o->kind == ATOLL_BOUND_DEPTHWISE;
    p->mix.n_plain += !o->dense && o->kind != ATOLL_BOUND_FREE && o->kind != ATOLL_BOUND_DEPTHWISE;
    p->mix.n_conv += o->is_conv;
    p->situation.has_array |= o->is_conv;
    p->situation.has_add |= o->is_add;
    p->situation.has_concat |= o->is_concat;
    p->sums.macs += o->macs;
    p->sums.stored += o->cached_bytes;
    p->cycles += o->cycles;
    if (o->kind == ATOLL_BOUND_ARRAY) {
        p->mix.array_cycles += o->cycles;
    } else if (o->kind == ATOLL_BOUND_DEPTHWISE) {
        p->mix.depthwise_cycles += o->cycles;
    } else {
        p->mix.vector_cycles += o->cycles;
    }
    boundary_in(p, o);
    boundary_out(p, o);
    live_step(p, at, o);
}

/** Keeps the largest layers on chip while they fit; what does not fit is sent per inference. */
static void fill_cache(struct pass *p, const struct atoll__rates *r)
{
    const struct atoll__constants *k = p->c->k;
    const struct atoll__budget law = atoll__cost_budget(k, &p->situation);
    const uint64_t budget = (uint64_t)(law.mib * ATOLL__MIB);
    const uint64_t u95 = (uint64_t)(law.u95_mib * ATOLL__MIB);
    const uint64_t less = budget > u95 ? budget - u95 : 0;
    uint64_t on_less = 0;
    uint64_t on_more = 0;
    const uint64_t dense_max = (uint64_t)(k->v[ATOLL__K_DENSE_LAYER_MAX] * ATOLL__MIB);
    uint64_t left = p->sums.stored;
    p->sums.stored = 0;
    for (uint32_t i = 0; i < p->c->n_ranked && left > 0; i++) {
        const uint32_t op = p->c->by_rank[i];
        const struct atoll__cost_op *o = &p->c->ops[op];
        if (p->pos[op] == OUTSIDE) {
            continue;
        }
        left -= o->cached_bytes;
        const bool too_long = o->dense && o->cached_bytes > dense_max;
        const bool streams_less = too_long || on_less + o->cached_bytes > less;
        const bool streams_more = too_long || on_more + o->cached_bytes > budget + u95;
        on_less += streams_less ? 0 : o->cached_bytes;
        on_more += streams_more ? 0 : o->cached_bytes;
        const uint64_t sent = (uint64_t)(o->passes * (double)o->stream_bytes);
        if (streams_less || streams_more) {
            atoll__cost_add_ends(&p->sums, r, o->cycles, sent, streams_less, streams_more);
        }
        if (p->sums.on + o->cached_bytes <= budget && !too_long) {
            p->sums.on += o->cached_bytes;
            continue;
        }
        p->sums.off += o->stream_bytes;
        p->mix.again_bytes += o->passes > 1.0 ? o->stream_bytes : 0;
        const double stream_us = r->us_per_stream_byte * (double)sent;
        for (int d = 0; d < 2; d++) {
            const double compute_us = r->us_per_cycle[d] * o->cycles;
            p->sums.exposed_us[d] += stream_us > compute_us ? stream_us - compute_us : 0.0;
        }
    }
    p->sums.stored = p->sums.on + p->sums.off;
}

static int place(struct pass *p, struct atoll_err *err)
{
    for (uint32_t i = 0; i < p->n; i++) {
        if (p->ops[i] >= p->c->model->n_ops) {
            return atoll_fail(err, ATOLL_EUSAGE,
                              "segment: operator %u of a model with %u operators", p->ops[i],
                              p->c->model->n_ops);
        }
        if (p->pos[p->ops[i]] != OUTSIDE) {
            return atoll_fail(err, ATOLL_EUSAGE, "segment: operator %u stands in it twice",
                              p->ops[i]);
        }
        p->pos[p->ops[i]] = i;
    }
    return 0;
}

static void run(struct pass *p, const struct atoll_board *b, const struct atoll_use *u,
                struct atoll_stage_cost *out)
{
    mark_uses(p);
    for (uint32_t i = 0; i < p->n; i++) {
        add_op(p, i, &p->c->ops[p->ops[i]]);
    }
    const struct atoll__constants *k = p->c->k;
    const struct atoll__rates rates = atoll__cost_rates(b, u);
    fill_cache(p, &rates);
    for (int d = 0; d < 2; d++) {
        p->sums.compute_us[d] = rates.us_per_cycle[d] * p->cycles;
    }
    const uint64_t strips = atoll__cost_strips(k, p->peak);
    p->mix.n_ops = p->n;
    p->mix.branches = p->situation.has_add || p->situation.has_concat;
    p->mix.image_px = p->situation.image_px;
    p->mix.off_bytes = p->sums.off;
    p->sums.restreams = atoll__cost_restreams(p->sums.off, p->mix.again_bytes);
    p->sums.strips = strips > 1u;
    p->sums.narrow = atoll__cost_narrow(k, p->peak, p->vector_narrow);
    p->sums.instr = atoll__cost_instructions(k, p->c->compiler, &p->mix, strips);
    p->sums.n_tpu_ops = p->mix.n_tpu_ops;
    p->sums.family = atoll__cost_family(&p->mix);
    p->sums.warning = atoll__cost_warning(k, &p->mix);
    atoll__cost_stage_finish(&p->sums, b, u, out);
}

int atoll_cost_stage(const struct atoll_cost *c, const struct atoll_board *b,
                     const struct atoll_use *u, const uint32_t *ops, uint32_t n,
                     struct atoll_stage_cost *out, struct atoll_err *err)
{
    const uint32_t n_ops = c->model->n_ops, n_tensors = c->model->n_tensors;
    uint32_t stack_pos[STACK_OPS];
    struct mark stack_marks[STACK_TENSORS];
    uint32_t *heap_pos = n_ops > STACK_OPS ? atoll_alloc(n_ops * sizeof *heap_pos) : NULL;
    struct mark *heap_marks =
        n_tensors > STACK_TENSORS ? atoll_alloc(n_tensors * sizeof *heap_marks) : NULL;
    struct pass p = {.c = c,
                     .ops = ops,
                     .n = n,
                     .pos = n_ops > STACK_OPS ? heap_pos : stack_pos,
                     .marks = n_tensors > STACK_TENSORS ? heap_marks : stack_marks};
    int rc = 0;
    if (p.pos == NULL || p.marks == NULL) {
        rc = atoll_fail_nomem(err, "segment", n_ops * sizeof *p.pos + n_tensors * sizeof *p.marks);
        goto done;
    }
    memset(p.pos, 0xff, (size_t)n_ops * sizeof *p.pos);
    rc = place(&p, err);
    if (rc == 0) {
        run(&p, b, u, out);
    }
done:
    atoll_free(heap_marks);
    atoll_free(heap_pos);
    return rc;
}
