/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fast path: figures of a segment in one pass over its operators. The plain reference is
 * program.c; a property test compares the two.
 */
#include "cost_internal.h"

#include <string.h>

#define STACK_OPS 4096u /* larger models take their scratch from the heap */
#define OUTSIDE UINT32_MAX

/** A segment being summed up. */
struct pass {
    const struct atoll_cost *c;
    const uint32_t *ops;
    uint32_t n;
    uint32_t *pos; ///< place of each operator of the model in the segment; OUTSIDE
    bool run;      ///< the operators are a run of the file's order: first, first + 1, ...
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

/** First and last operator of the segment that read a buffer; OUTSIDE, 0 when none does. */
static void use_span(const struct pass *p, const struct atoll__cost_tensor *root, uint32_t *first,
                     uint32_t *last)
{
    *first = OUTSIDE;
    *last = 0;
    if (p->run) { /* uses stand in file order: the ends decide, mostly at once */
        const uint32_t *uses = p->c->refs + root->uses_at;
        const uint32_t low = p->ops[0];
        const uint32_t high = p->ops[p->n - 1u];
        uint32_t i = 0;
        uint32_t end = root->n_uses;
        while (i < end && uses[i] < low) {
            i++;
        }
        while (end > i && uses[end - 1u] > high) {
            end--;
        }
        if (i < end) {
            *first = uses[i] - low;
            *last = uses[end - 1u] - low;
        }
        return;
    }
    for (uint32_t i = 0; i < root->n_uses; i++) {
        const uint32_t at = p->pos[p->c->refs[root->uses_at + i]];
        if (at != OUTSIDE) {
            *first = at < *first ? at : *first;
            *last = at > *last ? at : *last;
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
static void boundary_in(struct pass *p, uint32_t at, const struct atoll__cost_op *o)
{
    for (uint32_t i = 0; i < o->n_in; i++) {
        const uint32_t tensor = p->c->refs[o->in_at + i];
        const struct atoll_tensor *t = &p->c->model->tensors[tensor];
        if (inside(p, t->producer)) {
            continue;
        }
        bool first = true;
        for (uint32_t j = 0; j < t->n_consumers && first; j++) {
            const uint32_t user = t->consumers[j];
            first = !(p->pos[user] < at && p->c->ops[user].mapped);
        }
        if (first) {
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
        const struct atoll__cost_tensor *root = &p->c->tensors[p->c->refs[o->root_at + i]];
        uint32_t first;
        uint32_t last;
        use_span(p, root, &first, &last);
        if (first == at && !inside(p, root->producer)) {
            p->live += root->buffer_bytes;
        }
        if (last == at) {
            dies += root->buffer_bytes;
        }
    }
    for (uint32_t i = 0; i < o->n_out && !o->alias; i++) {
        const struct atoll__cost_tensor *t = &p->c->tensors[p->c->refs[o->out_at + i]];
        uint32_t first;
        uint32_t last;
        use_span(p, t, &first, &last);
        p->live += t->buffer_bytes;
        dies += first == OUTSIDE ? t->buffer_bytes : 0;
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
    boundary_in(p, at, o);
    boundary_out(p, o);
    live_step(p, at, o);
}

/** Keeps the largest layers on chip while they fit; what does not fit is sent per inference. */
static void fill_cache(struct pass *p, const struct atoll__rates *r)
{
    const struct atoll__constants *k = p->c->k;
    const uint64_t budget = (uint64_t)(atoll__cost_budget(k, &p->situation).mib * ATOLL__MIB);
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
        if (p->sums.on + o->cached_bytes <= budget && !(o->dense && o->cached_bytes > dense_max)) {
            p->sums.on += o->cached_bytes;
            continue;
        }
        p->sums.off += o->stream_bytes;
        const double stream_us = r->us_per_stream_byte * (double)o->stream_bytes;
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
        p->run = p->run && p->ops[i] == p->ops[0] + i;
    }
    return 0;
}

static void run(struct pass *p, const struct atoll_board *b, const struct atoll_use *u,
                struct atoll_stage_cost *out)
{
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
    p->mix.image_px = p->situation.image_px;
    p->sums.strips = strips > 1u;
    p->sums.narrow = atoll__cost_narrow(k, p->peak, p->vector_narrow);
    p->sums.instr = atoll__cost_instructions(k, p->mix.n_tpu_ops, strips);
    p->sums.n_tpu_ops = p->mix.n_tpu_ops;
    p->sums.family = atoll__cost_family(&p->mix);
    p->sums.warning = atoll__cost_warning(k, &p->mix);
    atoll__cost_stage_finish(&p->sums, b, u, out);
}

int atoll_cost_stage(const struct atoll_cost *c, const struct atoll_board *b,
                     const struct atoll_use *u, const uint32_t *ops, uint32_t n,
                     struct atoll_stage_cost *out, struct atoll_err *err)
{
    const uint32_t n_ops = c->model->n_ops;
    uint32_t stack[STACK_OPS];
    uint32_t *heap = NULL;
    if (n_ops > STACK_OPS) {
        heap = atoll_alloc((size_t)n_ops * sizeof *heap);
        if (heap == NULL) {
            return atoll_fail_nomem(err, "segment", (size_t)n_ops * sizeof *heap);
        }
    }
    struct pass p = {.c = c, .ops = ops, .n = n, .pos = heap != NULL ? heap : stack, .run = true};
    memset(p.pos, 0xff, (size_t)n_ops * sizeof *p.pos);
    const int rc = place(&p, err);
    if (rc == 0) {
        run(&p, b, u, out);
    }
    atoll_free(heap);
    return rc;
}
