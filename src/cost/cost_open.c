/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prepares a model for costing: everything that does not depend on the segment is computed once, so
 * that a segment costs a pass over its operators.
 */
#include "cost_internal.h"

#include <stdlib.h>
#include <string.h>

/** Growing list of tensor and operator indices. */
struct refs {
    uint32_t *v;
    size_t n, cap;
};

static int refs_add(struct refs *r, uint32_t value)
{
    void *p = r->v;
    const int rc = atoll_grow(&p, &r->cap, r->n + 1, sizeof *r->v);
    r->v = p;
    if (rc != 0) {
        return rc;
    }
    r->v[r->n++] = value;
    return 0;
}

static bool refs_has(const struct refs *r, size_t from, uint32_t value)
{
    for (size_t i = from; i < r->n; i++) {
        if (r->v[i] == value) {
            return true;
        }
    }
    return false;
}

static void fill_tensors(struct atoll_cost *c)
{
    const struct atoll_model *m = c->model;
    for (uint32_t i = 0; i < m->n_tensors; i++) {
        const struct atoll_tensor *t = &m->tensors[i];
        struct atoll__cost_tensor *x = &c->tensors[i];
        x->root = i;
        x->producer = t->producer;
        if (t->is_constant) {
            continue;
        }
        x->wire_in = atoll__cost_wire_in_bytes(c->k, t);
        x->wire_out = atoll__cost_wire_out_bytes(c->k, t);
        x->buffer_bytes = atoll__cost_buffer_bytes(c->k, m, i);
        x->bytes = t->bytes;
        x->px = atoll__cost_hwc(t).h * atoll__cost_hwc(t).w;
        x->image_px = t->producer < 0 ? atoll__cost_image_px(t) : 0;
    }
    for (uint32_t i = 0; i < m->n_outputs; i++) {
        if (m->outputs[i] >= 0) {
            c->tensors[m->outputs[i]].is_output = true;
        }
    }
}

static void fill_op(struct atoll_cost *c, uint32_t i, bool mapped)
{
    const struct atoll_model *m = c->model;
    const struct atoll_op *o = &m->ops[i];
    struct atoll__cost_op *x = &c->ops[i];
    struct atoll_op_info info;
    atoll_op_info(m, i, &info);
    x->macs = info.macs;
    x->mapped = mapped;
    x->rank = ATOLL__NO_RANK;
    if (!mapped) {
        x->kind = ATOLL_BOUND_CPU;
        x->cpu_us = atoll__cost_cpu_us(c->k, m, i, info.macs);
        return;
    }
    struct atoll__cycles cycles;
    atoll__cost_cycles(c->k, m, i, info.macs, &cycles);
    x->cycles = cycles.cycles;
    x->ideal_cycles = cycles.ideal_cycles;
    x->kind = cycles.kind;
    struct atoll__packed packed;
    atoll__cost_packing(c->k, m, i, c->compiler, &packed);
    x->cached_bytes = packed.cached_bytes;
    x->stream_bytes = packed.stream_bytes;
    x->dense = packed.dense;
    x->passes = atoll__cost_passes(c->k, m, i);
    x->dense_groups = packed.dense ? atoll__cost_dense_groups(c->k, m, i) : 0;
    x->vector_narrow = atoll__cost_vector_narrow(c->k, m, i);
    x->alias = atoll__cost_alias(o);
    x->is_conv = cycles.kind == ATOLL_BOUND_DEPTHWISE ||
                 (cycles.kind == ATOLL_BOUND_ARRAY && o->code != ATOLL_OP_FULLY_CONNECTED);
    const bool map_out =
        o->n_outputs > 0 && o->outputs[0] >= 0 && m->tensors[o->outputs[0]].rank == 4;
    x->is_concat = o->code == ATOLL_OP_CONCATENATION && map_out;
}

/** Lists the activation inputs, the buffers they lie in, and the outputs of an operator. */
static int fill_op_refs(struct atoll_cost *c, uint32_t i, struct refs *r)
{
    const struct atoll_model *m = c->model;
    const struct atoll_op *o = &m->ops[i];
    struct atoll__cost_op *x = &c->ops[i];
    int rc = 0;
    x->in_at = (uint32_t)r->n;
    for (uint32_t j = 0; j < o->n_inputs && rc == 0; j++) {
        const int32_t t = o->inputs[j];
        if (t >= 0 && !m->tensors[t].is_constant && !refs_has(r, x->in_at, (uint32_t)t)) {
            rc = refs_add(r, (uint32_t)t);
        }
    }
    x->n_in = (uint32_t)r->n - x->in_at;
    x->is_add = o->code == ATOLL_OP_ADD && x->n_in == 2;
    x->root_at = (uint32_t)r->n;
    for (uint32_t j = 0; j < x->n_in && rc == 0; j++) {
        const uint32_t root = c->tensors[r->v[x->in_at + j]].root;
        if (!refs_has(r, x->root_at, root)) {
            rc = refs_add(r, root);
        }
    }
    x->n_root = (uint32_t)r->n - x->root_at;
    x->out_at = (uint32_t)r->n;
    for (uint32_t j = 0; j < o->n_outputs && rc == 0; j++) {
        if (o->outputs[j] >= 0) {
            rc = refs_add(r, (uint32_t)o->outputs[j]);
        }
    }
    x->n_out = (uint32_t)r->n - x->out_at;
    if (x->mapped && x->alias && x->n_root > 0 && x->n_out > 0) {
        c->tensors[r->v[x->out_at]].root = r->v[x->root_at];
    }
    return rc;
}

/** For every buffer, the mapped operators that read it: counted, then placed (file order). */
static int fill_uses(struct atoll_cost *c, struct refs *r)
{
    const struct atoll_model *m = c->model;
    for (uint32_t i = 0; i < m->n_ops; i++) {
        for (uint32_t j = 0; c->ops[i].mapped && j < c->ops[i].n_root; j++) {
            c->tensors[r->v[c->ops[i].root_at + j]].n_uses++;
        }
    }
    for (uint32_t t = 0; t < m->n_tensors; t++) {
        c->tensors[t].uses_at = (uint32_t)r->n;
        for (uint32_t j = 0; j < c->tensors[t].n_uses; j++) {
            const int rc = refs_add(r, 0);
            if (rc != 0) {
                return rc;
            }
        }
        c->tensors[t].n_uses = 0;
    }
    for (uint32_t i = 0; i < m->n_ops; i++) {
        for (uint32_t j = 0; c->ops[i].mapped && j < c->ops[i].n_root; j++) {
            struct atoll__cost_tensor *t = &c->tensors[r->v[c->ops[i].root_at + j]];
            r->v[t->uses_at + t->n_uses++] = i;
        }
    }
    return 0;
}

/** An operator and its bytes, for sorting: largest first, then file order. */
struct ranked {
    uint64_t bytes;
    uint32_t op;
};

static int by_bytes(const void *a, const void *b)
{
    const struct ranked *x = a;
    const struct ranked *y = b;
    if (x->bytes != y->bytes) {
        return x->bytes > y->bytes ? -1 : 1;
    }
    return x->op < y->op ? -1 : x->op > y->op;
}

static int fill_ranks(struct atoll_cost *c, struct atoll_err *err)
{
    const uint32_t n_ops = c->model->n_ops;
    struct ranked *list = atoll_calloc(n_ops + 1u, sizeof *list);
    c->by_rank = atoll_arena_array(&c->arena, n_ops + 1u, sizeof *c->by_rank);
    if (list == NULL || c->by_rank == NULL) {
        atoll_free(list);
        return atoll_fail_nomem(err, "order of layers by size", (size_t)n_ops * sizeof *list);
    }
    for (uint32_t i = 0; i < n_ops; i++) {
        if (c->ops[i].cached_bytes > 0) {
            list[c->n_ranked++] = (struct ranked){.bytes = c->ops[i].cached_bytes, .op = i};
        }
    }
    qsort(list, c->n_ranked, sizeof *list, by_bytes);
    for (uint32_t i = 0; i < c->n_ranked; i++) {
        c->by_rank[i] = list[i].op;
        c->ops[list[i].op].rank = i;
    }
    atoll_free(list);
    return 0;
}

static int fill(struct atoll_cost *c, struct atoll_err *err)
{
    const struct atoll_model *m = c->model;
    c->ops = atoll_arena_array(&c->arena, m->n_ops + 1u, sizeof *c->ops);
    c->tensors = atoll_arena_array(&c->arena, m->n_tensors + 1u, sizeof *c->tensors);
    bool *maps = atoll_calloc(m->n_ops + 1u, sizeof *maps);
    struct refs r = {0};
    int rc = 0;
    if (c->ops == NULL || c->tensors == NULL || maps == NULL) {
        rc = atoll_fail_nomem(err, "costed model", (size_t)m->n_ops * sizeof *c->ops);
        goto done;
    }
    atoll_model_mapping(m, maps);
    fill_tensors(c);
    for (uint32_t i = 0; i < m->n_ops && rc == 0; i++) {
        fill_op(c, i, maps[i]);
        rc = fill_op_refs(c, i, &r);
    }
    if (rc == 0) {
        rc = fill_uses(c, &r);
    }
    if (rc != 0) {
        rc = atoll_fail_nomem(err, "graph of a costed model", r.n * sizeof *r.v);
        goto done;
    }
    rc = fill_ranks(c, err);
done:
    c->refs = r.v;
    atoll_free(maps);
    return rc;
}

/** values NULL: the table's. */
static int open_cost(const struct atoll_model *m, enum atoll_compiler compiler,
                     const double *values, struct atoll_cost **c, struct atoll_err *err)
{
    struct atoll_cost *n = atoll_calloc(1, sizeof *n);
    if (n == NULL) {
        return atoll_fail_nomem(err, "costed model", sizeof *n);
    }
    n->model = m;
    n->k = &atoll__constants_default;
    n->compiler = compiler;
    if (values != NULL) {
        memcpy(n->own.v, values, sizeof n->own.v);
        n->k = &n->own;
    }
    const int rc = fill(n, err);
    if (rc != 0) {
        atoll_cost_close(&n);
        return rc;
    }
    *c = n;
    return 0;
}

int atoll_cost_open(const struct atoll_model *m, enum atoll_compiler compiler,
                    struct atoll_cost **c, struct atoll_err *err)
{
    return open_cost(m, compiler, NULL, c, err);
}

int atoll_cost_open_with(const struct atoll_model *m, enum atoll_compiler compiler,
                         const double *values, struct atoll_cost **c, struct atoll_err *err)
{
    return open_cost(m, compiler, values, c, err);
}

void atoll_cost_close(struct atoll_cost **c)
{
    if (c == NULL || *c == NULL) {
        return;
    }
    atoll_free((*c)->refs);
    atoll_arena_finish(&(*c)->arena);
    atoll_free(*c);
    *c = NULL;
}

const struct atoll_model *atoll_cost_model(const struct atoll_cost *c)
{
    return c->model;
}

uint64_t atoll_cost_packed_bytes(const struct atoll_cost *c, uint32_t op)
{
    return op < c->model->n_ops ? c->ops[op].cached_bytes : 0;
}
