/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts a model into segments that are models of their own. A tensor needed later is an output of
 * its producer's segment and an input of each segment that reads it; segments in between do not
 * list it. Constants are listed by each segment that uses them. */
#include "model_internal.h"

#include <stdlib.h>
#include <string.h>

/* A variable tensor is memory of one device: all who use it stay together. */
static int check_variable(const struct atoll_model *m, const uint32_t *seg, uint32_t tensor,
                          struct atoll_err *err)
{
    const struct atoll_tensor *t = &m->tensors[tensor];
    for (uint32_t i = 1; i < t->n_consumers; i++) {
        if (seg[t->consumers[i]] != seg[t->consumers[0]]) {
            return atoll_fail(err, ATOLL_EUSAGE,
                              "%s: operators %u and %u share the state tensor %u '%.80s' and "
                              "cannot stand in different segments",
                              m->path, t->consumers[0], t->consumers[i], tensor, t->name);
        }
    }
    return 0;
}

int atoll_segmentation_check(const struct atoll_model *m, const struct atoll_segmentation *s,
                             struct atoll_err *err)
{
    int rc = atoll__need_one_subgraph(m, err);
    if (rc == 0 && (s->n < 1 || s->n > m->n_ops)) {
        rc = atoll_fail(err, ATOLL_EUSAGE, "%s: %u segments of %u operators", m->path, s->n,
                        m->n_ops);
    }
    if (rc != 0) {
        return rc;
    }
    uint8_t *used = atoll_calloc(s->n, 1);
    if (used == NULL) {
        return atoll_fail_nomem(err, "the segments", s->n);
    }
    for (uint32_t o = 0; rc == 0 && o < m->n_ops; o++) {
        if (s->seg_of_op[o] >= s->n) {
            rc = atoll_fail(err, ATOLL_EUSAGE, "%s: operator %u in segment %u (expected 0 to %u)",
                            m->path, o, s->seg_of_op[o], s->n - 1);
            break;
        }
        used[s->seg_of_op[o]] = 1;
        for (uint32_t i = 0; rc == 0 && i < m->ops[o].n_inputs; i++) {
            const struct atoll_tensor *t = atoll__op_input(m, &m->ops[o], i);
            if (t != NULL && t->producer >= 0 && s->seg_of_op[t->producer] > s->seg_of_op[o]) {
                rc = atoll_fail(
                    err, ATOLL_EUSAGE,
                    "%s: operator %u of segment %u reads '%.80s', which segment %u writes later",
                    m->path, o, s->seg_of_op[o], t->name, s->seg_of_op[t->producer]);
            }
        }
    }
    for (uint32_t i = 0; rc == 0 && i < s->n; i++) {
        if (!used[i]) {
            rc = atoll_fail(err, ATOLL_EUSAGE, "%s: segment %u of %u has no operator", m->path, i,
                            s->n);
        }
    }
    for (uint32_t i = 0; rc == 0 && i < m->n_tensors; i++) {
        rc = m->tensors[i].is_variable ? check_variable(m, s->seg_of_op, i, err) : 0;
    }
    atoll_free(used);
    return rc;
}

/* ------------------------------------------------------------------- boundaries */

static bool listed(const int32_t *list, uint32_t n, int32_t tensor)
{
    for (uint32_t i = 0; i < n; i++) {
        if (list[i] == tensor) {
            return true;
        }
    }
    return false;
}

static bool read_in(const struct atoll_tensor *t, const uint32_t *seg, uint32_t segment)
{
    for (uint32_t i = 0; i < t->n_consumers; i++) {
        if (seg[t->consumers[i]] == segment) {
            return true;
        }
    }
    return false;
}

static bool read_after(const struct atoll_tensor *t, const uint32_t *seg, uint32_t segment)
{
    for (uint32_t i = 0; i < t->n_consumers; i++) {
        if (seg[t->consumers[i]] > segment) {
            return true;
        }
    }
    return false;
}

/* A graph input is listed where it is read; one that nobody reads, by the first segment; one that
 * is handed straight out, by the last. */
static bool is_segment_input(const struct atoll_model *m, const struct atoll_segmentation *s,
                             uint32_t segment, int32_t input)
{
    const struct atoll_tensor *t = &m->tensors[input];
    return read_in(t, s->seg_of_op, segment) || (t->n_consumers == 0 && segment == 0) ||
           (segment == s->n - 1 && listed(m->outputs, m->n_outputs, input));
}

static bool hands_out(const struct atoll_model *m, const struct atoll_segmentation *s,
                      uint32_t segment, int32_t output)
{
    const int32_t producer = m->tensors[output].producer;
    return producer >= 0 ? s->seg_of_op[producer] == segment : segment == s->n - 1;
}

void atoll_segment_boundary(const struct atoll_model *m, const struct atoll_segmentation *s,
                            uint32_t segment, int32_t *in, uint32_t *n_in, int32_t *out,
                            uint32_t *n_out)
{
    *n_in = *n_out = 0;
    for (uint32_t i = 0; i < m->n_inputs; i++) {
        if (is_segment_input(m, s, segment, m->inputs[i]) && !listed(m->inputs, i, m->inputs[i])) {
            in[(*n_in)++] = m->inputs[i];
        }
    }
    for (uint32_t i = 0; i < m->n_outputs; i++) {
        if (hands_out(m, s, segment, m->outputs[i]) && !listed(m->outputs, i, m->outputs[i])) {
            out[(*n_out)++] = m->outputs[i];
        }
    }
    const uint32_t n_graph_outputs = *n_out;
    for (uint32_t i = 0; i < m->n_tensors; i++) {
        const struct atoll_tensor *t = &m->tensors[i];
        if (t->producer < 0) {
            continue;
        }
        const uint32_t from = s->seg_of_op[t->producer];
        if (from < segment && read_in(t, s->seg_of_op, segment)) {
            in[(*n_in)++] = (int32_t)i;
        } else if (from == segment && read_after(t, s->seg_of_op, segment) &&
                   !listed(out, n_graph_outputs, (int32_t)i)) {
            out[(*n_out)++] = (int32_t)i;
        }
    }
}

/* --------------------------------------------------------------------- the model */

struct cutter {
    const struct atoll_model *m;
    const struct atoll_segmentation *s;
    uint32_t segment;
    struct atoll_builder *b;
    struct atoll_arena scratch;
    int32_t *new_index; ///< per tensor: index in the segment; -1 not there, -2 needed
    bool *rename;       ///< per tensor: its name is empty or not unique
    int32_t *in, *out;
    uint32_t n_in, n_out;
};

struct named {
    const char *name;
    uint32_t tensor;
};
static int compare_names(const void *x, const void *y)
{
    const struct named *a = x;
    const struct named *b = y;
    const int order = strcmp(a->name, b->name);
    return order != 0 ? order : a->tensor < b->tensor ? -1 : a->tensor > b->tensor;
}

/* Segments are joined by names, so names that do not tell tensors apart get the index behind. */
static int find_ambiguous_names(struct cutter *c, struct atoll_err *err)
{
    const uint32_t n = c->m->n_tensors;
    struct named *names = atoll_calloc(n, sizeof *names);
    if (names == NULL) {
        return atoll_fail_nomem(err, "the names of tensors", n * sizeof *names);
    }
    for (uint32_t i = 0; i < n; i++) {
        names[i] = (struct named){c->m->tensors[i].name, i};
    }
    qsort(names, n, sizeof *names, compare_names);
    for (uint32_t i = 0; i < n; i++) {
        const bool same_before = i > 0 && strcmp(names[i].name, names[i - 1].name) == 0;
        const bool same_after = i + 1 < n && strcmp(names[i].name, names[i + 1].name) == 0;
        c->rename[names[i].tensor] = same_before || same_after || names[i].name[0] == 0;
    }
    atoll_free(names);
    return 0;
}

static const char *name_of(struct cutter *c, uint32_t tensor)
{
    const char *name = c->m->tensors[tensor].name;
    return c->rename[tensor] ? atoll_arena_printf(&c->scratch, "%s#%u", name, tensor) : name;
}

static void need(struct cutter *c, const int32_t *list, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (list[i] >= 0) {
            c->new_index[list[i]] = -2;
        }
    }
}

static int add_tensors(struct cutter *c, struct atoll_err *err)
{
    for (uint32_t i = 0; i < c->m->n_tensors; i++) {
        if (c->new_index[i] != -2) {
            continue;
        }
        struct atoll_tensor t = c->m->tensors[i];
        t.name = name_of(c, i);
        if (t.name == NULL) {
            return atoll_fail_nomem(err, "the name of a tensor", 0);
        }
        c->new_index[i] = atoll_builder_tensor(c->b, &t, false, err);
        if (c->new_index[i] < 0) {
            return c->new_index[i];
        }
    }
    return 0;
}

/* The list with the segment's indices; NULL without memory. */
static int32_t *renumber(struct cutter *c, const int32_t *list, uint32_t n)
{
    int32_t *copy = atoll_arena_array(&c->scratch, n, sizeof *copy);
    for (uint32_t i = 0; copy != NULL && i < n; i++) {
        copy[i] = list[i] < 0 ? -1 : c->new_index[list[i]];
    }
    return copy;
}

static int add_ops(struct cutter *c, struct atoll_err *err)
{
    for (uint32_t o = 0; o < c->m->n_ops; o++) {
        if (c->s->seg_of_op[o] != c->segment) {
            continue;
        }
        struct atoll_op op = c->m->ops[o];
        op.inputs = renumber(c, op.inputs, op.n_inputs);
        op.outputs = renumber(c, op.outputs, op.n_outputs);
        op.intermediates = renumber(c, op.intermediates, op.n_intermediates);
        if (op.inputs == NULL || op.outputs == NULL || op.intermediates == NULL) {
            return atoll_fail_nomem(err, "an operator", 0);
        }
        const int32_t index = atoll_builder_op(c->b, &op, err);
        if (index < 0) {
            return index;
        }
    }
    return 0;
}

static void append_names(struct cutter *c, struct atoll_buf *text, char kind, const int32_t *list,
                         uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const char *name = name_of(c, (uint32_t)list[i]);
        if (name == NULL) {
            text->failed = true;
            return;
        }
        atoll_buf_append(text, &kind, 1);
        atoll_buf_append(text, name, strlen(name) + 1);
    }
}

/* The model's own metadata, and which tensors the whole graph takes and gives. */
static int add_metadata(struct cutter *c, struct atoll_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < c->m->n_metadata; i++) {
        const struct atoll_metadata *e = &c->m->metadata[i];
        if (strcmp(e->name, ATOLL__GRAPH_METADATA) != 0) {
            rc = atoll__builder_metadata(c->b, e->name, e->data, (size_t)e->bytes, err);
        }
    }
    if (rc != 0 || c->s->n == 1) {
        return rc;
    }
    struct atoll_buf text = {0};
    append_names(c, &text, 'i', c->m->inputs, c->m->n_inputs);
    append_names(c, &text, 'o', c->m->outputs, c->m->n_outputs);
    rc = text.failed
             ? atoll_fail_nomem(err, "metadata", text.size)
             : atoll__builder_metadata(c->b, ATOLL__GRAPH_METADATA, text.data, text.size, err);
    atoll_buf_finish(&text);
    return rc;
}

static int cut(struct cutter *c, struct atoll_model **out, struct atoll_err *err)
{
    const struct atoll_model *m = c->m;
    const uint32_t n = m->n_tensors;
    c->new_index = atoll_arena_array(&c->scratch, n, sizeof *c->new_index);
    c->rename = atoll_arena_array(&c->scratch, n, sizeof *c->rename);
    c->in = atoll_arena_array(&c->scratch, n, sizeof *c->in);
    c->out = atoll_arena_array(&c->scratch, n, sizeof *c->out);
    const char *path =
        atoll_arena_printf(&c->scratch, "%s#segment_%u_of_%u", m->path, c->segment, c->s->n);
    if (c->new_index == NULL || c->rename == NULL || c->in == NULL || c->out == NULL ||
        path == NULL) {
        return atoll_fail_nomem(err, "a segment", n * sizeof *c->new_index);
    }
    int rc = c->s->n > 1 ? find_ambiguous_names(c, err) : 0;
    rc = rc == 0 ? atoll_builder_create(path, m->description, &c->b, err) : rc;
    if (rc != 0) {
        return rc;
    }
    atoll_segment_boundary(m, c->s, c->segment, c->in, &c->n_in, c->out, &c->n_out);
    for (uint32_t i = 0; i < n; i++) {
        c->new_index[i] = -1;
    }
    for (uint32_t o = 0; o < m->n_ops; o++) {
        if (c->s->seg_of_op[o] == c->segment) {
            need(c, m->ops[o].inputs, m->ops[o].n_inputs);
            need(c, m->ops[o].outputs, m->ops[o].n_outputs);
            need(c, m->ops[o].intermediates, m->ops[o].n_intermediates);
        }
    }
    need(c, c->in, c->n_in);
    need(c, c->out, c->n_out);
    rc = add_tensors(c, err);
    rc = rc == 0 ? add_ops(c, err) : rc;
    rc = rc == 0 ? add_metadata(c, err) : rc;
    if (rc != 0) {
        return rc;
    }
    const int32_t *in = renumber(c, c->in, c->n_in);
    const int32_t *handed = renumber(c, c->out, c->n_out);
    if (in == NULL || handed == NULL) {
        return atoll_fail_nomem(err, "a segment", 0);
    }
    return atoll_builder_finish(&c->b, in, c->n_in, handed, c->n_out, out, err);
}

int atoll_model_segment(const struct atoll_model *m, const struct atoll_segmentation *s,
                        uint32_t segment, struct atoll_model **out, struct atoll_err *err)
{
    int rc = atoll_segmentation_check(m, s, err);
    if (rc == 0 && segment >= s->n) {
        rc = atoll_fail(err, ATOLL_EUSAGE, "%s: segment %u (expected 0 to %u)", m->path, segment,
                        s->n - 1);
    }
    if (rc != 0) {
        return rc;
    }
    struct cutter c = {.m = m, .s = s, .segment = segment};
    atoll_arena_init(&c.scratch);
    rc = cut(&c, out, err);
    atoll_builder_destroy(&c.b);
    atoll_arena_finish(&c.scratch);
    return rc;
}
