/* SPDX-License-Identifier: Apache-2.0 */
/* What reader and builder share: sizes of tensors, who writes and who reads each of them, and the
 * checks that make a graph safe to walk for every other room. */
#include "model_internal.h"

#include <string.h>

uint64_t atoll__elements(const struct atoll_tensor *t)
{
    uint64_t n = 1;
    for (int32_t i = 0; i < t->rank; i++) {
        n = atoll__sat_mul(n, (uint64_t)(uint32_t)t->shape[i]);
    }
    return n;
}

int atoll__tensor_size(const struct atoll_tensor *t, uint64_t *bytes, struct atoll_err *err)
{
    if (atoll_type_name(t->type)[0] == '?') {
        return atoll_fail(err, ATOLL_EUNSUPPORTED, "type code %d is not known (expected 0 to %d)",
                          (int)t->type, ATOLL_TYPE_INT4);
    }
    if (t->rank < 0 || t->rank > ATOLL_RANK_MAX) {
        return atoll_fail(err, ATOLL_ELIMIT, "%d dimensions (expected at most %d)", (int)t->rank,
                          ATOLL_RANK_MAX);
    }
    for (int32_t i = 0; i < t->rank; i++) {
        if (t->shape[i] < 0) {
            return atoll_fail(err, ATOLL_EUNSUPPORTED,
                              "dimension %d of the shape is %d (expected a fixed size)", (int)i,
                              (int)t->shape[i]);
        }
    }
    /* A 0 among the sizes must not hide a product that overflows elsewhere: saturation keeps 0. */
    const uint64_t elements = atoll__elements(t);
    const uint64_t bits = atoll__sat_mul(elements, atoll_type_bits(t->type));
    if (bits / 8 > ATOLL_TENSOR_BYTES_MAX) {
        return atoll_fail(err, ATOLL_ELIMIT, "its shape asks for more than %llu bytes",
                          (unsigned long long)ATOLL_TENSOR_BYTES_MAX);
    }
    *bytes = atoll_ceil_div_u64(bits, 8);
    return 0;
}

static bool size_is_fixed(const struct atoll_tensor *t)
{
    const struct atoll__tensor_raw *raw = t->raw;
    return atoll_type_bits(t->type) != 0 && (raw == NULL || raw->sparsity == NULL);
}

static int check_quant(const struct atoll_tensor *t, struct atoll_err *err)
{
    const struct atoll_quant *q = &t->quant;
    if (q->n > 1 &&
        (q->dimension < 0 || q->dimension >= t->rank || (uint32_t)t->shape[q->dimension] != q->n)) {
        return atoll_fail(err, ATOLL_EINPUT,
                          "%u quantization scales along dimension %d do not fit its shape", q->n,
                          (int)q->dimension);
    }
    int64_t lo = INT64_MIN;
    int64_t hi = INT64_MAX;
    if (t->type == ATOLL_TYPE_INT8 || t->type == ATOLL_TYPE_UINT8) {
        lo = t->type == ATOLL_TYPE_INT8 ? -128 : 0;
        hi = lo + 255;
    } else if (t->type == ATOLL_TYPE_INT16) {
        lo = INT16_MIN;
        hi = INT16_MAX;
    }
    for (uint32_t i = 0; i < q->n; i++) {
        /* Written so that a NaN fails. */
        if (!(q->scale[i] >= 0.0f && q->scale[i] < 3.4e38f)) {
            return atoll_fail(
                err, ATOLL_EINPUT,
                "quantization scale %u is %g (expected a finite number that is not negative)", i,
                (double)q->scale[i]);
        }
        if (q->zero_point[i] < lo || q->zero_point[i] > hi) {
            return atoll_fail(err, ATOLL_EINPUT,
                              "zero point %u is %lld (expected %lld to %lld for %s)", i,
                              (long long)q->zero_point[i], (long long)lo, (long long)hi,
                              atoll_type_name(t->type));
        }
    }
    return 0;
}

static int check_tensor(struct atoll_tensor *t, struct atoll_err *err)
{
    const int rc = atoll__tensor_size(t, &t->bytes, err);
    if (rc != 0) {
        return rc;
    }
    if (t->is_constant && size_is_fixed(t) && t->data_bytes != t->bytes) {
        return atoll_fail(err, ATOLL_EINPUT, "constant of %llu bytes (its shape asks for %llu)",
                          (unsigned long long)t->data_bytes, (unsigned long long)t->bytes);
    }
    return check_quant(t, err);
}

/* Sentences begin with the tensor or operator they are about. */
static int at_tensor(const struct atoll_model *m, uint32_t i, int rc, struct atoll_err *err)
{
    atoll_fail_at(err, "tensor %u '%.80s'", i, m->tensors[i].name);
    return rc;
}
static int at_op(const struct atoll_model *m, uint32_t i, int rc, struct atoll_err *err)
{
    char buf[64];
    atoll_fail_at(err, "operator %u (%.60s)", i, atoll_op_name(&m->ops[i], buf));
    return rc;
}

static int check_indices(const struct atoll_model *m, const int32_t *list, uint32_t n,
                         bool optional, const char *what, struct atoll_err *err)
{
    for (uint32_t i = 0; i < n; i++) {
        if (list[i] < (optional ? -1 : 0) || (list[i] >= 0 && (uint32_t)list[i] >= m->n_tensors)) {
            return atoll_fail(err, ATOLL_EINPUT, "%s %u is tensor %d (expected 0 to %u)", what, i,
                              (int)list[i], m->n_tensors == 0 ? 0 : m->n_tensors - 1);
        }
    }
    return 0;
}

/* Fills producer; a tensor is written at most once, and never when it is an input or a constant. */
static int link_producers(struct atoll_model *m, const uint8_t *is_input, struct atoll_err *err)
{
    for (uint32_t i = 0; i < m->n_tensors; i++) {
        m->tensors[i].producer = -1;
    }
    for (uint32_t o = 0; o < m->n_ops; o++) {
        const struct atoll_op *op = &m->ops[o];
        int rc = op->n_inputs > ATOLL_OP_TENSORS_MAX || op->n_outputs > ATOLL_OP_TENSORS_MAX ||
                         op->n_intermediates > ATOLL_OP_TENSORS_MAX
                     ? atoll_fail(err, ATOLL_ELIMIT,
                                  "%u inputs and %u outputs (expected at most %u each)",
                                  op->n_inputs, op->n_outputs, ATOLL_OP_TENSORS_MAX)
                     : 0;
        rc = rc == 0 ? check_indices(m, op->inputs, op->n_inputs, true, "input", err) : rc;
        rc = rc == 0 ? check_indices(m, op->outputs, op->n_outputs, false, "output", err) : rc;
        rc = rc == 0 ? check_indices(m, op->intermediates, op->n_intermediates, true,
                                     "intermediate", err)
                     : rc;
        for (uint32_t i = 0; rc == 0 && i < op->n_outputs; i++) {
            struct atoll_tensor *t = &m->tensors[op->outputs[i]];
            if (t->producer >= 0 || is_input[op->outputs[i]] || t->is_constant) {
                rc = atoll_fail(err, ATOLL_EINPUT, "output %u is tensor %d, which %s", i,
                                (int)op->outputs[i],
                                t->is_constant     ? "is a constant"
                                : t->producer >= 0 ? "another operator writes too"
                                                   : "is an input of the graph");
            } else {
                t->producer = (int32_t)o;
            }
        }
        if (rc != 0) {
            return at_op(m, o, rc, err);
        }
    }
    return 0;
}

static bool is_ready(const struct atoll_tensor *t, bool is_input)
{
    return is_input || t->is_constant || t->is_variable || t->bytes == 0;
}

/* Kahn's count over the operators: true when all can run in some order. */
static bool runs_in_some_order(const struct atoll_model *m, const uint8_t *is_input)
{
    uint8_t *done = atoll_calloc(m->n_ops, 1);
    uint32_t n_done = 0;
    bool more = done != NULL;
    /* Quadratic at worst, but only walked for a file that is refused anyway; capped. */
    for (uint32_t round = 0; more && round < 64; round++) {
        more = false;
        for (uint32_t o = 0; o < m->n_ops; o++) {
            bool ready = !done[o];
            for (uint32_t i = 0; ready && i < m->ops[o].n_inputs; i++) {
                const int32_t t = m->ops[o].inputs[i];
                const int32_t p = t < 0 ? -1 : m->tensors[t].producer;
                ready = t < 0 || (p >= 0 ? done[p] : is_ready(&m->tensors[t], is_input[t]));
            }
            if (ready) {
                done[o] = 1;
                n_done++;
                more = true;
            }
        }
    }
    atoll_free(done);
    return n_done == m->n_ops;
}

/* Every input is there when its operator runs, in file order. */
static int check_order(const struct atoll_model *m, const uint8_t *is_input, struct atoll_err *err)
{
    for (uint32_t o = 0; o < m->n_ops; o++) {
        const struct atoll_op *op = &m->ops[o];
        for (uint32_t i = 0; i < op->n_inputs; i++) {
            if (op->inputs[i] < 0) {
                continue;
            }
            const struct atoll_tensor *t = &m->tensors[op->inputs[i]];
            if (t->producer < 0 && !is_ready(t, is_input[op->inputs[i]])) {
                atoll_fail(err, ATOLL_EINPUT, "input %u is tensor %d '%.80s', which nothing writes",
                           i, (int)op->inputs[i], t->name);
                return at_op(m, o, ATOLL_EINPUT, err);
            }
            if (t->producer >= (int32_t)o) {
                atoll_fail(
                    err, ATOLL_EINPUT, "input %u is tensor %d, which operator %d writes later: %s",
                    i, (int)op->inputs[i], (int)t->producer,
                    runs_in_some_order(m, is_input) ? "the file is not in an order of execution"
                                                    : "the graph has a cycle");
                return at_op(m, o, ATOLL_EINPUT, err);
            }
        }
    }
    for (uint32_t i = 0; i < m->n_outputs; i++) {
        const struct atoll_tensor *t = &m->tensors[m->outputs[i]];
        if (t->producer < 0 && !is_ready(t, is_input[m->outputs[i]])) {
            return atoll_fail(err, ATOLL_EINPUT,
                              "output %u of the graph is tensor %d '%.80s', which nothing writes",
                              i, (int)m->outputs[i], t->name);
        }
    }
    return 0;
}

/* Calls for each (operator, distinct input tensor): counts when `fill` is NULL, else stores. */
static void walk_consumers(struct atoll_model *m, uint32_t *last, uint32_t **fill)
{
    memset(last, 0xff, m->n_tensors * sizeof *last);
    for (uint32_t o = 0; o < m->n_ops; o++) {
        for (uint32_t i = 0; i < m->ops[o].n_inputs; i++) {
            const int32_t t = m->ops[o].inputs[i];
            if (t < 0 || last[t] == o) {
                continue;
            }
            last[t] = o;
            if (fill == NULL) {
                m->tensors[t].n_consumers++;
            } else {
                *fill[t]++ = o;
            }
        }
    }
}

static int link_consumers(struct atoll_model *m, struct atoll_err *err)
{
    uint32_t *last = atoll_calloc(m->n_tensors, sizeof *last);
    uint32_t **fill = atoll_calloc(m->n_tensors, sizeof *fill);
    int rc = last == NULL || fill == NULL
                 ? atoll_fail_nomem(err, "the graph", m->n_tensors * sizeof *fill)
                 : 0;
    if (rc == 0) {
        uint64_t total = 0;
        for (uint32_t i = 0; i < m->n_tensors; i++) {
            m->tensors[i].n_consumers = 0;
        }
        walk_consumers(m, last, NULL);
        for (uint32_t i = 0; i < m->n_tensors; i++) {
            total += m->tensors[i].n_consumers;
        }
        uint32_t *all = atoll_arena_array(m->arena, (size_t)total, sizeof *all);
        if (all == NULL) {
            rc = atoll_fail_nomem(err, "the graph", (size_t)total * sizeof *all);
        } else {
            for (uint32_t i = 0; i < m->n_tensors; i++) {
                m->tensors[i].consumers = all;
                fill[i] = all;
                all += m->tensors[i].n_consumers;
            }
            walk_consumers(m, last, fill);
        }
    }
    atoll_free(last);
    atoll_free(fill);
    return rc;
}

int atoll__graph_link(struct atoll_model *m, struct atoll_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; i < m->n_tensors; i++) {
        rc = check_tensor(&m->tensors[i], err);
        if (rc != 0) {
            return at_tensor(m, i, rc, err);
        }
    }
    rc = check_indices(m, m->inputs, m->n_inputs, false, "input of the graph", err);
    rc = rc == 0 ? check_indices(m, m->outputs, m->n_outputs, false, "output of the graph", err)
                 : rc;
    if (rc != 0) {
        return rc;
    }
    uint8_t *is_input = atoll_calloc(m->n_tensors, 1);
    if (is_input == NULL) {
        return atoll_fail_nomem(err, "the graph", m->n_tensors);
    }
    for (uint32_t i = 0; i < m->n_inputs; i++) {
        is_input[m->inputs[i]] = 1;
    }
    rc = link_producers(m, is_input, err);
    rc = rc == 0 ? check_order(m, is_input, err) : rc;
    rc = rc == 0 ? link_consumers(m, err) : rc;
    atoll_free(is_input);
    return rc;
}

int atoll__need_one_subgraph(const struct atoll_model *m, struct atoll_err *err)
{
    return m->n_subgraphs == 1
               ? 0
               : atoll_fail(err, ATOLL_EUNSUPPORTED, "%s: %u subgraphs (expected 1)", m->path,
                            m->n_subgraphs);
}
