/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plain reference: what the compiler makes of a segment, layer by layer, straight from the
 * model and the laws. Slower than cost_stage.c and written without its tables, so that a property
 * test can hold one against the other.
 */
#include "cost_internal.h"

#include <stdlib.h>
#include <string.h>

/** A segment being compiled. */
struct plain {
    const struct atoll_cost *c;
    const struct atoll_model *m;
    const uint32_t *ops;
    uint32_t n;
    bool *in_set;    ///< by operator: in the segment
    bool *maps;      ///< by operator: on the Edge TPU
    uint32_t *owner; ///< by tensor: the tensor whose buffer it shares
    struct atoll_program *p;
    struct atoll__mix mix;
    struct atoll__situation situation;
    uint64_t room_bytes; ///< of the cache; less than the budget where others hold a part
};

static bool on_tpu(const struct plain *s, int32_t op)
{
    return op >= 0 && s->in_set[op] && s->maps[op];
}

static int mark(struct plain *s, struct atoll_err *err)
{
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->ops[i] >= s->m->n_ops) {
            return atoll_fail(err, ATOLL_EUSAGE,
                              "segment: operator %u of a model with %u operators", s->ops[i],
                              s->m->n_ops);
        }
        if (s->in_set[s->ops[i]]) {
            return atoll_fail(err, ATOLL_EUSAGE, "segment: operator %u stands in it twice",
                              s->ops[i]);
        }
        s->in_set[s->ops[i]] = true;
    }
    for (uint32_t t = 0; t < s->m->n_tensors; t++) {
        s->owner[t] = t;
    }
    for (uint32_t i = 0; i < s->m->n_ops; i++) {
        const int32_t in = atoll_op_data_input(s->m, i);
        const struct atoll_op *o = &s->m->ops[i];
        if (s->maps[i] && atoll__cost_alias(o) && in >= 0 && !s->m->tensors[in].is_constant &&
            o->n_outputs > 0 && o->outputs[0] >= 0) {
            s->owner[o->outputs[0]] = s->owner[in];
        }
    }
    return 0;
}

static void layer(struct plain *s, uint32_t at)
{
    const struct atoll__constants *k = s->c->k;
    const uint32_t op = s->ops[at];
    const struct atoll_op *o = &s->m->ops[op];
    struct atoll_layer *l = &s->p->layers[at];
    struct atoll_op_info info;
    atoll_op_info(s->m, op, &info);
    *l = (struct atoll_layer){.op = op, .macs = info.macs, .kind = ATOLL_BOUND_CPU};
    if (!s->maps[op]) {
        s->p->cpu_ops++;
        l->cpu_us = atoll__cost_cpu_us(k, s->m, op, info.macs);
        s->p->cpu_us += l->cpu_us;
        return;
    }
    struct atoll__cycles cycles;
    struct atoll__packed packed;
    atoll__cost_cycles(k, s->m, op, info.macs, &cycles);
    atoll__cost_packing(k, s->m, op, s->c->compiler, &packed);
    l->kind = cycles.kind;
    l->cycles = cycles.cycles;
    l->ideal_cycles = cycles.ideal_cycles;
    l->packed_bytes = packed.cached_bytes;
    s->mix.n_tpu_ops++;
    s->mix.n_dense += packed.dense;
    s->mix.dense_groups += packed.dense ? atoll__cost_dense_groups(k, s->m, op) : 0;
    const bool depthwise = cycles.kind == ATOLL_BOUND_DEPTHWISE;
    s->mix.n_depthwise += depthwise;
    s->mix.n_plain += !packed.dense && !depthwise && cycles.kind != ATOLL_BOUND_FREE;
    const bool conv = o->code == ATOLL_OP_CONV_2D || o->code == ATOLL_OP_DEPTHWISE_CONV_2D ||
                      o->code == ATOLL_OP_TRANSPOSE_CONV || o->code == ATOLL_OP_BATCH_MATMUL ||
                      o->code == ATOLL_OP_LSTM || o->code == ATOLL_OP_UNIDIRECTIONAL_SEQUENCE_LSTM;
    s->mix.n_conv += conv;
    s->situation.has_array |= conv;
    s->situation.has_concat |= o->code == ATOLL_OP_CONCATENATION && o->n_outputs > 0 &&
                               o->outputs[0] >= 0 && s->m->tensors[o->outputs[0]].rank == 4;
    uint32_t activations = 0;
    for (uint32_t i = 0; i < o->n_inputs; i++) {
        const int32_t t = o->inputs[i];
        bool again = t < 0 || s->m->tensors[t].is_constant;
        for (uint32_t j = 0; j < i && !again; j++) {
            again = o->inputs[j] == t;
        }
        activations += !again;
    }
    s->situation.has_add |= o->code == ATOLL_OP_ADD && activations == 2;
    switch (cycles.kind) {
    case ATOLL_BOUND_ARRAY:
        s->mix.array_cycles += cycles.cycles;
        break;
    case ATOLL_BOUND_DEPTHWISE:
        s->mix.depthwise_cycles += cycles.cycles;
        break;
    default:
        s->mix.vector_cycles += cycles.cycles;
        break;
    }
}

/** Tensors that enter and leave the Edge TPU in this segment. */
static void boundary(struct plain *s)
{
    const struct atoll__constants *k = s->c->k;
    for (uint32_t i = 0; i < s->m->n_tensors; i++) {
        const struct atoll_tensor *t = &s->m->tensors[i];
        bool read_inside = false;
        bool read_outside = false;
        for (uint32_t j = 0; j < t->n_consumers; j++) {
            if (on_tpu(s, (int32_t)t->consumers[j])) {
                read_inside = true;
            } else {
                read_outside = true;
            }
        }
        for (uint32_t j = 0; j < s->m->n_outputs; j++) {
            read_outside |= s->m->outputs[j] == (int32_t)i;
        }
        const bool made_inside = on_tpu(s, t->producer);
        if (t->is_constant || (!made_inside && !read_inside)) {
            continue;
        }
        if (t->bytes > s->mix.largest_tensor_bytes) {
            s->mix.largest_tensor_bytes = t->bytes;
        }
        if (made_inside && read_outside) {
            s->p->output_bytes += atoll__cost_wire_out_bytes(k, t);
            s->p->output_px += atoll__cost_hwc(t).h * atoll__cost_hwc(t).w;
            s->p->n_outputs++;
        }
        if (!made_inside) {
            const uint64_t bytes = atoll__cost_wire_in_bytes(k, t);
            const uint64_t px = t->producer < 0 ? atoll__cost_image_px(t) : 0;
            s->p->input_bytes += bytes;
            s->p->n_inputs++;
            s->situation.input_bytes =
                bytes > s->situation.input_bytes ? bytes : s->situation.input_bytes;
            s->situation.image_px = px > s->situation.image_px ? px : s->situation.image_px;
        }
    }
}

/** Most bytes of a tile that are alive while an operator runs. A buffer lives from the operator
 * that makes it (or first reads it, when it comes from outside) to the last that reads it. */
static int live_peak(const struct plain *s, uint64_t *peak, struct atoll_err *err)
{
    const uint32_t n_tensors = s->m->n_tensors;
    uint32_t *birth = atoll_alloc((n_tensors + 1u) * sizeof *birth);
    uint32_t *death = atoll_calloc(n_tensors + 1u, sizeof *death);
    uint64_t *live = atoll_calloc(s->n + 2u, sizeof *live); /* differences, then sums */
    if (birth == NULL || death == NULL || live == NULL) {
        atoll_free(birth);
        atoll_free(death);
        atoll_free(live);
        return atoll_fail_nomem(err, "lifetimes of tensors", n_tensors * sizeof *birth);
    }
    memset(birth, 0xff, (n_tensors + 1u) * sizeof *birth);
    for (uint32_t at = 0; at < s->n; at++) {
        const struct atoll_op *o = &s->m->ops[s->ops[at]];
        if (!s->maps[s->ops[at]]) {
            continue;
        }
        for (uint32_t j = 0; j < o->n_inputs; j++) {
            if (o->inputs[j] >= 0 && !s->m->tensors[o->inputs[j]].is_constant) {
                const uint32_t t = s->owner[o->inputs[j]];
                birth[t] = birth[t] == UINT32_MAX ? at : birth[t];
                death[t] = at;
            }
        }
        for (uint32_t j = 0; j < o->n_outputs && !atoll__cost_alias(o); j++) {
            if (o->outputs[j] >= 0) {
                birth[o->outputs[j]] = at;
                death[o->outputs[j]] = at;
            }
        }
    }
    for (uint32_t t = 0; t < n_tensors; t++) {
        if (birth[t] != UINT32_MAX) {
            const uint64_t bytes = atoll__cost_buffer_bytes(s->c->k, s->m, t);
            live[birth[t]] += bytes;
            live[death[t] + 1u] -= bytes; /* wraps, and comes back in the running sum */
        }
    }
    uint64_t now = 0;
    *peak = 0;
    for (uint32_t at = 0; at < s->n; at++) {
        now += live[at];
        const bool maps = s->p->layers[at].kind != ATOLL_BOUND_CPU &&
                          s->p->layers[at].kind != ATOLL_BOUND_FREE &&
                          atoll__cost_vector_narrow(s->c->k, s->m, s->ops[at]) == 0;
        if (maps && now > *peak) {
            *peak = now;
        }
    }
    atoll_free(birth);
    atoll_free(death);
    atoll_free(live);
    return 0;
}

static int largest_first(const void *a, const void *b)
{
    const struct atoll_layer *x = *(const struct atoll_layer *const *)a;
    const struct atoll_layer *y = *(const struct atoll_layer *const *)b;
    if (x->packed_bytes != y->packed_bytes) {
        return x->packed_bytes > y->packed_bytes ? -1 : 1;
    }
    return x->op < y->op ? -1 : x->op > y->op;
}

/** A cache being filled. */
struct fill {
    uint64_t budget_bytes, on_bytes;
};

static bool keeps(struct fill *f, uint64_t bytes)
{
    if (f->on_bytes + bytes > f->budget_bytes) {
        return false;
    }
    f->on_bytes += bytes;
    return true;
}

/** Decides layer by layer, largest first, what stays on chip. */
static int cache(struct plain *s, struct atoll_err *err)
{
    const struct atoll__constants *k = s->c->k;
    const struct atoll__budget budget = atoll__cost_budget(k, &s->situation);
    struct atoll_program *p = s->p;
    p->budget_bytes = (uint64_t)(budget.mib * ATOLL__MIB);
    p->budget_why = budget.why;
    if (s->room_bytes < p->budget_bytes) {
        p->budget_bytes = s->room_bytes;
        p->budget_why = "what is left of the cache that it shares with models compiled with it";
    }
    const uint64_t u95_bytes = (uint64_t)(budget.u95_mib * ATOLL__MIB);
    struct fill less = {.budget_bytes =
                            p->budget_bytes > u95_bytes ? p->budget_bytes - u95_bytes : 0};
    struct fill more = {.budget_bytes = p->budget_bytes + u95_bytes};
    struct atoll_layer **order = atoll_calloc(s->n + 1u, sizeof(struct atoll_layer *));
    if (order == NULL) {
        return atoll_fail_nomem(err, "layers by size", s->n * sizeof *order);
    }
    for (uint32_t i = 0; i < s->n; i++) {
        order[i] = &p->layers[i];
    }
    qsort(order, s->n, sizeof *order, largest_first);
    for (uint32_t i = 0; i < s->n && order[i]->packed_bytes > 0; i++) {
        struct atoll__packed packed;
        atoll__cost_packing(k, s->m, order[i]->op, s->c->compiler, &packed);
        const bool too_long = packed.dense && (double)packed.cached_bytes >
                                                  k->v[ATOLL__K_DENSE_LAYER_MAX] * ATOLL__MIB;
        const double passes = atoll__cost_passes(k, s->m, order[i]->op);
        order[i]->if_streamed_bytes = (uint64_t)(passes * (double)packed.stream_bytes);
        order[i]->streams_if_less = too_long || !keeps(&less, packed.cached_bytes);
        order[i]->streams_if_more = too_long || !keeps(&more, packed.cached_bytes);
        if (!too_long && p->on_chip_bytes + packed.cached_bytes <= p->budget_bytes) {
            p->on_chip_bytes += packed.cached_bytes;
        } else {
            order[i]->packed_bytes = packed.stream_bytes;
            order[i]->stream_bytes = order[i]->if_streamed_bytes;
            s->mix.again_bytes += passes > 1.0 ? packed.stream_bytes : 0;
            p->off_chip_bytes += packed.stream_bytes;
        }
    }
    p->stored_bytes = p->on_chip_bytes + p->off_chip_bytes;
    atoll_free(order);
    return 0;
}

static uint64_t vector_need(const struct plain *s)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        const uint64_t need =
            s->maps[s->ops[i]] ? atoll__cost_vector_narrow(s->c->k, s->m, s->ops[i]) : 0;
        most = need > most ? need : most;
    }
    return most;
}

static int compile(struct plain *s, struct atoll_err *err)
{
    int rc = mark(s, err);
    for (uint32_t i = 0; i < s->n && rc == 0; i++) {
        layer(s, i);
    }
    uint64_t peak = 0;
    if (rc == 0) {
        boundary(s);
        rc = live_peak(s, &peak, err);
    }
    if (rc == 0) {
        rc = cache(s, err);
    }
    if (rc != 0) {
        return rc;
    }
    const uint64_t strips = atoll__cost_strips(s->c->k, peak);
    s->mix.n_ops = s->n;
    s->mix.branches = s->situation.has_add || s->situation.has_concat;
    s->mix.image_px = s->situation.image_px;
    s->mix.off_bytes = s->p->off_chip_bytes;
    s->p->restreams = atoll__cost_restreams(s->p->off_chip_bytes, s->mix.again_bytes);
    s->p->strips = strips > 1u;
    s->p->n_tpu_ops = s->mix.n_tpu_ops;
    s->p->narrow_bytes_per_tile = atoll__cost_narrow(s->c->k, peak, vector_need(s));
    s->p->instruction_bytes = atoll__cost_instructions(s->c->k, s->c->compiler, &s->mix, strips);
    s->p->family = atoll__cost_family(&s->mix);
    s->p->warning = atoll__cost_warning(s->c->k, &s->mix);
    return 0;
}

int atoll__cost_program_in(const struct atoll_cost *c, const uint32_t *ops, uint32_t n,
                           uint64_t room_bytes, struct atoll_program *p, struct atoll_err *err)
{
    const struct atoll_model *m = c->model;
    struct atoll_program made = {.layers = atoll_calloc(n + 1u, sizeof *made.layers),
                                 .n_layers = n};
    struct plain s = {.c = c, .m = m, .ops = ops, .n = n, .p = &made, .room_bytes = room_bytes};
    s.in_set = atoll_calloc(m->n_ops + 1u, sizeof *s.in_set);
    s.maps = atoll_calloc(m->n_ops + 1u, sizeof *s.maps);
    s.owner = atoll_calloc(m->n_tensors + 1u, sizeof *s.owner);
    int rc;
    if (made.layers == NULL || s.in_set == NULL || s.maps == NULL || s.owner == NULL) {
        rc = atoll_fail_nomem(err, "program of a segment", n * sizeof *made.layers);
    } else {
        atoll_model_mapping(m, s.maps);
        rc = compile(&s, err);
    }
    atoll_free(s.in_set);
    atoll_free(s.maps);
    atoll_free(s.owner);
    if (rc != 0) {
        atoll_program_finish(&made);
        return rc;
    }
    *p = made;
    return 0;
}

int atoll_cost_program(const struct atoll_cost *c, const uint32_t *ops, uint32_t n,
                       struct atoll_program *p, struct atoll_err *err)
{
    return atoll__cost_program_in(c, ops, n, UINT64_MAX, p, err);
}

void atoll_program_finish(struct atoll_program *p)
{
    if (p != NULL) {
        atoll_free(p->layers);
        *p = (struct atoll_program){0};
    }
}
