/* SPDX-License-Identifier: Apache-2.0 */
/* Joins segments into one model. Tensors meet by name: an input of a segment is the output of an
 * earlier one with that name, or else an input of the graph. Equal constants become one again. */
#include "model_internal.h"

#include <string.h>

/* Names -> tensors of the joined model, open addressing. Several constants may share a name. */
struct name_map {
    struct name_entry {
        const char *name; ///< NULL: free
        int32_t tensor;
        bool constant;
    } * entries;
    size_t mask;
};

struct joiner {
    struct atoll_model *const *segments;
    uint32_t n;
    struct atoll_builder *b;
    struct atoll_arena scratch;
    struct name_map names;
    int32_t *new_index; ///< per tensor of the segment at hand
    int32_t *graph_in, *graph_out;
    uint32_t n_in, n_out;
    uint8_t *used;  ///< per joined tensor: a later segment reads it
    size_t n_total; ///< tensors of all segments together
};

static int map_open(struct name_map *map, size_t n, struct atoll_err *err)
{
    size_t size = 64;
    while (size < 2 * n) {
        size *= 2;
    }
    map->entries = atoll_calloc(size, sizeof *map->entries);
    map->mask = size - 1;
    return map->entries != NULL ? 0 : atoll_fail_nomem(err, "the names of tensors", size);
}

/* The next entry of this name and kind from *at on; NULL: none, and *at is where to add one. */
static struct name_entry *map_next(const struct name_map *map, const char *name, bool constant,
                                   size_t *at)
{
    for (;; *at = (*at + 1) & map->mask) {
        struct name_entry *e = &map->entries[*at];
        if (e->name == NULL) {
            return NULL;
        }
        if (e->constant == constant && strcmp(e->name, name) == 0) {
            return e;
        }
    }
}

static size_t map_start(const struct name_map *map, const char *name)
{
    return (size_t)atoll_fnv1a(name, strlen(name), 0) & map->mask;
}

static bool same_form(const struct atoll_tensor *a, const struct atoll_tensor *b)
{
    return a->type == b->type && a->rank == b->rank &&
           memcmp(a->shape, b->shape, sizeof a->shape) == 0;
}

static bool same_quant(const struct atoll_quant *a, const struct atoll_quant *b)
{
    return a->n == b->n && a->dimension == b->dimension &&
           (a->n == 0 || (memcmp(a->scale, b->scale, a->n * sizeof *a->scale) == 0 &&
                          memcmp(a->zero_point, b->zero_point, a->n * sizeof *a->zero_point) == 0));
}

static bool same_constant(const struct atoll_tensor *a, const struct atoll_tensor *b)
{
    if (!same_form(a, b) || !same_quant(&a->quant, &b->quant) || a->data_bytes != b->data_bytes) {
        return false;
    }
    if (a->data != NULL && b->data != NULL) {
        return a->data == b->data || memcmp(a->data, b->data, (size_t)a->data_bytes) == 0;
    }
    return a->data == b->data && a->fill.kind == b->fill.kind && a->fill.seed == b->fill.seed;
}

static void map_set(struct name_map *map, const char *name, bool constant, int32_t tensor)
{
    size_t at = map_start(map, name);
    while (map->entries[at].name != NULL) {
        at = (at + 1) & map->mask;
    }
    map->entries[at] = (struct name_entry){name, tensor, constant};
}

static int32_t add_tensor(struct joiner *j, const struct atoll_tensor *t, struct atoll_err *err)
{
    return atoll_builder_tensor(j->b, t, false, err);
}

static int32_t join_constant(struct joiner *j, const struct atoll_tensor *t, struct atoll_err *err)
{
    size_t at = map_start(&j->names, t->name);
    const struct name_entry *e = NULL;
    while ((e = map_next(&j->names, t->name, true, &at)) != NULL) {
        if (same_constant(atoll_builder_get(j->b, e->tensor), t)) {
            return e->tensor;
        }
        at = (at + 1) & j->names.mask;
    }
    const int32_t index = add_tensor(j, t, err);
    if (index >= 0) {
        map_set(&j->names, t->name, true, index);
    }
    return index;
}

static int32_t join_input(struct joiner *j, const struct atoll_tensor *t, struct atoll_err *err)
{
    size_t at = map_start(&j->names, t->name);
    const struct name_entry *e = map_next(&j->names, t->name, false, &at);
    if (e == NULL) {
        const int32_t index = add_tensor(j, t, err);
        if (index >= 0) {
            map_set(&j->names, t->name, false, index);
            j->graph_in[j->n_in++] = index;
        }
        return index;
    }
    if (!same_form(atoll_builder_get(j->b, e->tensor), t)) {
        return atoll_fail(err, ATOLL_EINPUT,
                          "'%.80s' has another shape or type than where it is handed out", t->name);
    }
    j->used[e->tensor] = 1;
    return e->tensor;
}

/* An output of a segment that the map does not know yet. */
static int offer_output(struct joiner *j, const struct atoll_tensor *t, int32_t index,
                        struct atoll_err *err)
{
    size_t at = map_start(&j->names, t->name);
    const struct name_entry *e = map_next(&j->names, t->name, false, &at);
    if (e != NULL && e->tensor != index) {
        return atoll_fail(err, ATOLL_EINPUT,
                          "'%.80s' is handed out here, but an earlier segment reads or writes it",
                          t->name);
    }
    if (e == NULL) {
        map_set(&j->names, t->name, false, index);
    }
    return 0;
}

static int join_tensors(struct joiner *j, const struct atoll_model *m, struct atoll_err *err)
{
    for (uint32_t i = 0; i < m->n_tensors; i++) {
        j->new_index[i] = -1;
    }
    for (uint32_t i = 0; i < m->n_inputs; i++) {
        if (j->new_index[m->inputs[i]] < 0) {
            j->new_index[m->inputs[i]] = join_input(j, &m->tensors[m->inputs[i]], err);
            if (j->new_index[m->inputs[i]] < 0) {
                return j->new_index[m->inputs[i]];
            }
        }
    }
    for (uint32_t i = 0; i < m->n_tensors; i++) {
        const struct atoll_tensor *t = &m->tensors[i];
        if (j->new_index[i] >= 0) {
            continue;
        }
        j->new_index[i] = t->is_constant ? join_constant(j, t, err) : add_tensor(j, t, err);
        if (j->new_index[i] < 0) {
            return j->new_index[i];
        }
    }
    for (uint32_t i = 0; i < m->n_outputs; i++) {
        const int rc =
            offer_output(j, &m->tensors[m->outputs[i]], j->new_index[m->outputs[i]], err);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int32_t *renumber(struct joiner *j, const int32_t *list, uint32_t n)
{
    int32_t *copy = atoll_arena_array(&j->scratch, n, sizeof *copy);
    for (uint32_t i = 0; copy != NULL && i < n; i++) {
        copy[i] = list[i] < 0 ? -1 : j->new_index[list[i]];
    }
    return copy;
}

static int join_segment(struct joiner *j, const struct atoll_model *m, struct atoll_err *err)
{
    int rc = join_tensors(j, m, err);
    for (uint32_t o = 0; rc == 0 && o < m->n_ops; o++) {
        struct atoll_op op = m->ops[o];
        op.inputs = renumber(j, op.inputs, op.n_inputs);
        op.outputs = renumber(j, op.outputs, op.n_outputs);
        op.intermediates = renumber(j, op.intermediates, op.n_intermediates);
        if (op.inputs == NULL || op.outputs == NULL || op.intermediates == NULL) {
            return atoll_fail_nomem(err, "an operator", 0);
        }
        const int32_t index = atoll_builder_op(j->b, &op, err);
        rc = index < 0 ? index : 0;
    }
    return rc;
}

/* ---------------------------------------------------- what the whole graph gives */

static const struct atoll_metadata *graph_entry(const struct atoll_model *m)
{
    for (uint32_t i = 0; i < m->n_metadata; i++) {
        if (strcmp(m->metadata[i].name, ATOLL__GRAPH_METADATA) == 0) {
            return &m->metadata[i];
        }
    }
    return NULL;
}

static int32_t find_tensor(const struct joiner *j, const char *name)
{
    for (int constant = 0; constant < 2; constant++) {
        size_t at = map_start(&j->names, name);
        const struct name_entry *e = map_next(&j->names, name, constant != 0, &at);
        if (e != NULL) {
            return e->tensor;
        }
    }
    return -1;
}

/* Inputs and outputs in the order that the segments' metadata keeps. */
static int ends_from_metadata(struct joiner *j, const struct atoll_metadata *e,
                              struct atoll_err *err)
{
    j->n_in = j->n_out = 0;
    for (uint64_t at = 0; at < e->bytes;) {
        const char *name = (const char *)e->data + at + 1;
        const char *end = at + 1 < e->bytes ? memchr(name, 0, (size_t)(e->bytes - at - 1)) : NULL;
        const int32_t tensor = end == NULL ? -1 : find_tensor(j, name);
        if (tensor < 0 || j->n_in + j->n_out >= j->n_total) {
            return atoll_fail(err, ATOLL_EINPUT,
                              "metadata %s, byte %llu: names no tensor of the segments",
                              ATOLL__GRAPH_METADATA, (unsigned long long)at);
        }
        if (e->data[at] == 'i') {
            j->graph_in[j->n_in++] = tensor;
        } else {
            j->graph_out[j->n_out++] = tensor;
        }
        at += 2 + (uint64_t)(end - name);
    }
    return 0;
}

/* Without metadata: what is handed out and read by no other segment. */
static void ends_from_use(struct joiner *j)
{
    for (uint32_t s = 0; s < j->n; s++) {
        const struct atoll_model *m = j->segments[s];
        for (uint32_t i = 0; i < m->n_outputs; i++) {
            const int32_t tensor = find_tensor(j, m->tensors[m->outputs[i]].name);
            if (tensor >= 0 && !j->used[tensor]) {
                j->used[tensor] = 1;
                j->graph_out[j->n_out++] = tensor;
            }
        }
    }
}

static int copy_metadata(struct joiner *j, struct atoll_err *err)
{
    const struct atoll_model *m = j->segments[0];
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < m->n_metadata; i++) {
        const struct atoll_metadata *e = &m->metadata[i];
        if (strcmp(e->name, ATOLL__GRAPH_METADATA) != 0) {
            rc = atoll__builder_metadata(j->b, e->name, e->data, (size_t)e->bytes, err);
        }
    }
    return rc;
}

static int join(struct joiner *j, struct atoll_model **out, struct atoll_err *err)
{
    size_t largest = 0;
    int rc = 0;
    for (uint32_t s = 0; rc == 0 && s < j->n; s++) {
        rc = atoll__need_one_subgraph(j->segments[s], err);
        j->n_total += (size_t)j->segments[s]->n_tensors + j->segments[s]->n_outputs;
        largest = j->segments[s]->n_tensors > largest ? j->segments[s]->n_tensors : largest;
    }
    if (rc != 0) {
        return rc;
    }
    j->new_index = atoll_arena_array(&j->scratch, largest, sizeof *j->new_index);
    j->graph_in = atoll_arena_array(&j->scratch, j->n_total, sizeof *j->graph_in);
    j->graph_out = atoll_arena_array(&j->scratch, j->n_total, sizeof *j->graph_out);
    j->used = atoll_arena_array(&j->scratch, j->n_total, 1);
    if (j->new_index == NULL || j->graph_in == NULL || j->graph_out == NULL || j->used == NULL) {
        return atoll_fail_nomem(err, "a joined model", j->n_total * sizeof *j->graph_in);
    }
    rc = map_open(&j->names, j->n_total, err);
    rc = rc == 0
             ? atoll_builder_create(j->segments[0]->path, j->segments[0]->description, &j->b, err)
             : rc;
    for (uint32_t s = 0; rc == 0 && s < j->n; s++) {
        rc = join_segment(j, j->segments[s], err);
        if (rc != 0) {
            atoll_fail_at(err, "%s", j->segments[s]->path);
        }
    }
    if (rc != 0) {
        return rc;
    }
    const struct atoll_metadata *e = graph_entry(j->segments[0]);
    if (e != NULL) {
        rc = ends_from_metadata(j, e, err);
        if (rc != 0) {
            atoll_fail_at(err, "%s", j->segments[0]->path);
        }
    } else {
        ends_from_use(j);
    }
    rc = rc == 0 ? copy_metadata(j, err) : rc;
    return rc != 0 ? rc
                   : atoll_builder_finish(&j->b, j->graph_in, j->n_in, j->graph_out, j->n_out, out,
                                          err);
}

int atoll_model_merge(struct atoll_model *const *segments, uint32_t n, struct atoll_model **out,
                      struct atoll_err *err)
{
    if (n < 1) {
        return atoll_fail(err, ATOLL_EUSAGE, "no segment to join");
    }
    struct joiner j = {.segments = segments, .n = n};
    atoll_arena_init(&j.scratch);
    const int rc = join(&j, out, err);
    atoll_builder_destroy(&j.b);
    atoll_free(j.names.entries);
    atoll_arena_finish(&j.scratch);
    return rc;
}
