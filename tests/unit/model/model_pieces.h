/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts a model, writes and reads the pieces, joins them, and compares with the model. */
#ifndef ATOLL_TESTS_MODEL_PIECES_H
#define ATOLL_TESTS_MODEL_PIECES_H

#include "atoll_test.h"
#include "model_compare.h"
#include "model_random.h"

struct piece {
    uint8_t *bytes;
    struct atoll_model *model;
};

static inline void must(int rc, const struct atoll_err *err)
{
    if (rc != 0) {
        fail_msg("%s", err->text);
    }
}

/* Operators of m in segment order: what the joined model has. */
static inline void segment_order(const struct atoll_model *m, const struct atoll_segmentation *s,
                                 uint32_t *order)
{
    uint32_t n = 0;
    for (uint32_t seg = 0; seg < s->n; seg++) {
        for (uint32_t o = 0; o < m->n_ops; o++) {
            if (s->seg_of_op[o] == seg) {
                order[n++] = o;
            }
        }
    }
}

/* The definition, word for word: a tensor is an input of a segment when the segment reads it and
 * does not make it; an output when it makes it and somebody else needs it. */
static inline void check_boundary(const struct atoll_model *m, const struct atoll_segmentation *s,
                                  const struct atoll_model *piece, uint32_t segment)
{
    uint32_t n_in = 0, n_out = 0;
    for (uint32_t t = 0; t < m->n_tensors; t++) {
        const int32_t p = m->tensors[t].producer;
        bool reads = false, needed = false, graph_in = false;
        for (uint32_t o = 0; o < m->n_ops; o++) {
            for (uint32_t i = 0; i < m->ops[o].n_inputs; i++) {
                reads = reads || (m->ops[o].inputs[i] == (int32_t)t && s->seg_of_op[o] == segment);
                needed = needed || (m->ops[o].inputs[i] == (int32_t)t && s->seg_of_op[o] > segment);
            }
        }
        for (uint32_t i = 0; i < m->n_inputs; i++) {
            graph_in = graph_in || m->inputs[i] == (int32_t)t;
        }
        for (uint32_t i = 0; i < m->n_outputs; i++) {
            needed = needed || m->outputs[i] == (int32_t)t;
        }
        if (p >= 0) {
            n_in += reads && s->seg_of_op[p] != segment;
            n_out += needed && s->seg_of_op[p] == segment;
        } else if (graph_in) {
            bool out = false;
            for (uint32_t i = 0; i < m->n_outputs; i++) {
                out = out || m->outputs[i] == (int32_t)t;
            }
            const bool last = segment == s->n - 1;
            n_in += reads || (m->tensors[t].n_consumers == 0 && segment == 0) || (out && last);
            n_out += out && last;
        }
    }
    assert_int_equal(piece->n_inputs, n_in);
    assert_int_equal(piece->n_outputs, n_out);
}

static inline void there_and_back(const struct atoll_model *m, const struct atoll_segmentation *s,
                                  bool small)
{
    struct piece *pieces = calloc(s->n, sizeof *pieces);
    struct atoll_model **models = calloc(s->n, sizeof *models);
    uint32_t *order = calloc(m->n_ops, sizeof *order);
    struct atoll_err err = {0};
    uint32_t n_ops = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        struct atoll_model *built = NULL;
        size_t n = 0;
        must(atoll_model_segment(m, s, i, &built, &err), &err);
        if (small) {
            check_boundary(m, s, built, i);
        }
        must(atoll_model_serialize(built, &pieces[i].bytes, &n, &err), &err);
        must(atoll_model_parse("piece", pieces[i].bytes, n, &pieces[i].model, &err), &err);
        assert_null(model_difference(built, pieces[i].model, NULL));
        n_ops += built->n_ops;
        models[i] = pieces[i].model;
        atoll_model_close(&built);
    }
    assert_int_equal(n_ops, m->n_ops);
    struct atoll_model *joined = NULL;
    must(atoll_model_merge(models, s->n, &joined, &err), &err);
    segment_order(m, s, order);
    const char *why = model_difference(m, joined, order);
    if (why != NULL) {
        fail_msg("%u segments of %s: %s", s->n, m->path, why);
    }
    atoll_model_close(&joined);
    for (uint32_t i = 0; i < s->n; i++) {
        atoll_model_close(&pieces[i].model);
        atoll_free(pieces[i].bytes);
    }
    free(pieces);
    free(models);
    free(order);
}

#endif
