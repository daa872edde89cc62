/* SPDX-License-Identifier: Apache-2.0 */
/* A segment given by its operators, as a model of its own. */
#include "host_internal.h"

/* 1: in the segment; 2: reads, perhaps through others, what the segment makes; 0: the rest. File
 * order is an order of execution, so one pass finds all that follows. */
static void mark_followers(const struct atoll_model *m, uint32_t *seg)
{
    for (uint32_t o = 0; o < m->n_ops; o++) {
        const struct atoll_op *op = &m->ops[o];
        for (uint32_t i = 0; i < op->n_inputs && seg[o] == 0; i++) {
            const int32_t producer = op->inputs[i] >= 0 ? m->tensors[op->inputs[i]].producer : -1;
            if (producer >= 0 && seg[producer] != 0) {
                seg[o] = 2;
            }
        }
    }
}

int atoll__host_segment(const struct atoll_model *m, const uint32_t *ops, uint32_t n_ops,
                        struct atoll_model **piece, struct atoll_err *err)
{
    uint32_t *seg = atoll_calloc((size_t)m->n_ops + 1, sizeof *seg);
    uint32_t count[3] = {0};
    if (seg == NULL) {
        return atoll_fail_nomem(err, "a segment", m->n_ops * sizeof *seg);
    }
    for (uint32_t i = 0; i < n_ops; i++) {
        if (ops[i] >= m->n_ops || seg[ops[i]] != 0) {
            atoll_free(seg);
            return atoll_fail(err, ATOLL_EUSAGE,
                              "%s: a segment names operator %u (each once, below %u expected)",
                              m->path, ops[i], m->n_ops);
        }
        seg[ops[i]] = 1;
    }
    mark_followers(m, seg);
    for (uint32_t o = 0; o < m->n_ops; o++) {
        count[seg[o]]++;
    }
    const uint32_t before = count[0] > 0;
    for (uint32_t o = 0; o < m->n_ops; o++) {
        seg[o] -= 1 - before; /* no empty segment in front */
    }
    const struct atoll_segmentation s = {before + (count[1] > 0) + (count[2] > 0), seg};
    int rc = 0;
    if (n_ops == m->n_ops) {
        *piece = NULL;
    } else {
        rc = atoll_segmentation_check(m, &s, err);
        rc = rc ? rc : atoll_model_segment(m, &s, before, piece, err);
    }
    atoll_free(seg);
    return rc;
}
