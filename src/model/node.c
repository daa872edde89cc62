/* SPDX-License-Identifier: Apache-2.0 */
/* Generic option nodes: a table read by its schema rows, copied, and mirrored in the flat
 * attributes that other rooms read. */
#include "model_internal.h"

#include <string.h>

/* Tables nest at most Sparsity > DimensionMetadata > index vector. */
#define DEPTH_MAX 4u

static unsigned scalar_bytes(unsigned kind)
{
    static const uint8_t bytes[] = {
        [ATOLL__BOOL] = 1, [ATOLL__I8] = 1,  [ATOLL__U8] = 1,  [ATOLL__I32] = 4,
        [ATOLL__U32] = 4,  [ATOLL__I64] = 8, [ATOLL__U64] = 8, [ATOLL__F32] = 4,
    };
    return kind < LEN(bytes) ? bytes[kind] : 0;
}

static unsigned vector_elem_bytes(unsigned kind)
{
    return kind == ATOLL__VEC_U8 ? 1 : kind == ATOLL__VEC_U16 ? 2 : 4;
}

/* Sign-extends so that comparing with min, max and def works on one type. */
static int64_t as_int(unsigned kind, uint64_t bits)
{
    return kind == ATOLL__I8    ? (int8_t)bits
           : kind == ATOLL__I32 ? (int32_t)(uint32_t)bits
                                : (int64_t)bits;
}

struct atoll__node *atoll__node_new(struct atoll_arena *a, const struct atoll__schema *s)
{
    struct atoll__node *n = atoll_arena_alloc(a, sizeof *n);
    if (n == NULL) {
        return NULL;
    }
    n->schema = s;
    n->values = atoll_arena_array(a, s->n_fields, sizeof *n->values);
    return n->values == NULL ? NULL : n;
}

static void lossy(struct atoll__node *n, const char *what)
{
    n->lossy = true;
    n->lossy_what = what;
}

static void read_tables(struct atoll__fb *fb, struct atoll_arena *a, const struct atoll__field *f,
                        const struct atoll__fb_table *t, struct atoll__value *v, unsigned depth)
{
    const struct atoll__fb_vec vec = atoll__fb_vector(fb, t, f->id, 4);
    v->present = vec.data != NULL;
    if (vec.n == 0) {
        return;
    }
    if ((uint64_t)vec.n * 64 > fb->budget_bytes) {
        atoll__fb_fail(fb, ATOLL_ELIMIT,
                       "table %s: %u tables in field %s are too many for the file", t->what, vec.n,
                       f->name);
        return;
    }
    fb->budget_bytes -= (uint64_t)vec.n * 64;
    struct atoll__node **nodes = atoll_arena_array(a, vec.n, sizeof *nodes);
    if (nodes == NULL) {
        atoll__fb_nomem(fb, "nested tables", vec.n * sizeof *nodes);
        return;
    }
    for (uint32_t i = 0; i < vec.n && fb->code == 0; i++) {
        const struct atoll__fb_table sub = atoll__fb_table_at(fb, &vec, i, f->sub->name);
        nodes[i] = atoll__node_read(fb, a, f->sub, &sub, depth + 1);
    }
    v->p = nodes;
    v->n = vec.n;
}

static void read_union(struct atoll__fb *fb, struct atoll_arena *a, const struct atoll__field *f,
                       const struct atoll__fb_table *t, struct atoll__node *owner,
                       struct atoll__value *v, unsigned depth)
{
    const uint8_t type = atoll__fb_u8(fb, t, f->id, 0);
    const struct atoll__fb_table sub = atoll__fb_sub(fb, t, f->id + 1u, f->name);
    if (type == 0 || sub.pos == 0) {
        return;
    }
    if (type > f->n_sub) {
        lossy(owner, f->name);
        return;
    }
    v->present = true;
    v->bits = type;
    v->p = atoll__node_read(fb, a, &f->sub[type], &sub, depth + 1);
}

static void read_field(struct atoll__fb *fb, struct atoll_arena *a, const struct atoll__field *f,
                       const struct atoll__fb_table *t, struct atoll__node *owner,
                       struct atoll__value *v, unsigned depth)
{
    switch (f->kind) {
    case ATOLL__STRING:
        v->p = atoll__fb_string(fb, t, f->id);
        v->present = v->p != NULL;
        break;
    case ATOLL__VEC_U8:
    case ATOLL__VEC_U16:
    case ATOLL__VEC_I32: {
        const unsigned elem = vector_elem_bytes(f->kind);
        const struct atoll__fb_vec vec = atoll__fb_vector(fb, t, f->id, elem);
        v->present = vec.data != NULL;
        v->n = vec.n;
        v->p = atoll__fb_copy(fb, a, &vec, elem);
        break;
    }
    case ATOLL__TABLE: {
        const struct atoll__fb_table sub = atoll__fb_sub(fb, t, f->id, f->sub->name);
        v->present = sub.pos != 0;
        v->p = v->present ? atoll__node_read(fb, a, f->sub, &sub, depth + 1) : NULL;
        break;
    }
    case ATOLL__VEC_TABLE: read_tables(fb, a, f, t, v, depth); break;
    case ATOLL__UNION: read_union(fb, a, f, t, owner, v, depth); break;
    default:
        v->present = atoll__fb_bits(fb, t, f->id, scalar_bytes(f->kind), &v->bits);
        if (v->present && f->min < f->max &&
            (as_int(f->kind, v->bits) < f->min || as_int(f->kind, v->bits) > f->max)) {
            atoll__fb_fail(fb, ATOLL_EINPUT, "%s.%s is %lld (expected %d to %d)", t->what, f->name,
                           (long long)as_int(f->kind, v->bits), (int)f->min, (int)f->max);
        }
        break;
    }
}

struct atoll__node *atoll__node_read(struct atoll__fb *fb, struct atoll_arena *a,
                                     const struct atoll__schema *s, const struct atoll__fb_table *t,
                                     unsigned depth)
{
    if (fb->code != 0) {
        return NULL;
    }
    if (depth > DEPTH_MAX) {
        atoll__fb_fail(fb, ATOLL_ELIMIT, "table %s: nested deeper than %u tables", s->name,
                       DEPTH_MAX);
        return NULL;
    }
    struct atoll__node *n = atoll__node_new(a, s);
    if (n == NULL) {
        atoll__fb_nomem(fb, s->name, sizeof *n);
        return NULL;
    }
    for (uint32_t i = 0; i < s->n_fields && fb->code == 0; i++) {
        read_field(fb, a, &s->fields[i], t, n, &n->values[i], depth);
    }
    if (atoll__fb_unknown_fields(fb, t, s->n_ids) > 0) {
        lossy(n, s->known ? "a field of a newer schema"
                          : "an option table whose fields are not known");
    }
    return fb->code == 0 ? n : NULL;
}

static bool copy_value(struct atoll_arena *a, const struct atoll__field *f,
                       const struct atoll__value *from, struct atoll__value *to)
{
    *to = *from;
    if (from->p == NULL) {
        return true;
    }
    switch (f->kind) {
    case ATOLL__STRING:
        to->p = atoll_arena_strndup(a, from->p, strlen(from->p));
        return to->p != NULL;
    case ATOLL__VEC_U8:
    case ATOLL__VEC_U16:
    case ATOLL__VEC_I32: {
        void *p = atoll_arena_array(a, from->n, vector_elem_bytes(f->kind));
        if (p != NULL) {
            memcpy(p, from->p, (size_t)from->n * vector_elem_bytes(f->kind));
        }
        to->p = p;
        return p != NULL;
    }
    case ATOLL__TABLE:
    case ATOLL__UNION: to->p = atoll__node_copy(a, from->p); return to->p != NULL;
    default: {
        struct atoll__node *const *old = from->p;
        struct atoll__node **nodes = atoll_arena_array(a, from->n, sizeof *nodes);
        to->p = nodes;
        for (uint32_t i = 0; nodes != NULL && i < from->n; i++) {
            nodes[i] = atoll__node_copy(a, old[i]);
            if (nodes[i] == NULL) {
                return false;
            }
        }
        return nodes != NULL;
    }
    }
}

struct atoll__node *atoll__node_copy(struct atoll_arena *a, const struct atoll__node *n)
{
    struct atoll__node *copy = atoll__node_new(a, n->schema);
    if (copy == NULL) {
        return NULL;
    }
    copy->lossy = n->lossy;
    copy->lossy_what = n->lossy_what;
    for (uint32_t i = 0; i < n->schema->n_fields; i++) {
        if (!copy_value(a, &n->schema->fields[i], &n->values[i], &copy->values[i])) {
            return NULL;
        }
    }
    return copy;
}

/* ----------------------------------------------------------- flat attributes */

struct atoll_op_attr atoll_op_attr_default(void)
{
    return (struct atoll_op_attr){
        .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1, .beta = 1.0f};
}

/* A stride or dilation of 0 is what an absent field reads as; it means 1. */
static bool zero_means_one(const struct atoll__field *f)
{
    return f->attr_offset == offsetof(struct atoll_op_attr, stride_h) ||
           f->attr_offset == offsetof(struct atoll_op_attr, stride_w) ||
           f->attr_offset == offsetof(struct atoll_op_attr, dilation_h) ||
           f->attr_offset == offsetof(struct atoll_op_attr, dilation_w);
}

void atoll__attr_from_node(const struct atoll__node *n, struct atoll_op_attr *attr)
{
    for (uint32_t i = 0; i < n->schema->n_fields; i++) {
        const struct atoll__field *f = &n->schema->fields[i];
        if (!f->in_attr) {
            continue;
        }
        const struct atoll__value *v = &n->values[i];
        const uint64_t bits = v->present ? v->bits : (uint64_t)(int64_t)f->def;
        char *at = (char *)attr + f->attr_offset;
        if (f->kind == ATOLL__BOOL) {
            const bool b = bits != 0;
            memcpy(at, &b, sizeof b);
        } else if (f->kind == ATOLL__F32) {
            const uint32_t word = (uint32_t)bits; /* floats have the default 0 only */
            memcpy(at, &word, sizeof word);
        } else {
            int32_t value = (int32_t)as_int(f->kind, bits);
            value = value == 0 && zero_means_one(f) ? 1 : value;
            memcpy(at, &value, sizeof value);
        }
    }
}

bool atoll__attr_equal(const struct atoll_op_attr *a, const struct atoll_op_attr *b)
{
    return a->padding == b->padding && a->stride_h == b->stride_h && a->stride_w == b->stride_w &&
           a->dilation_h == b->dilation_h && a->dilation_w == b->dilation_w &&
           a->filter_h == b->filter_h && a->filter_w == b->filter_w &&
           a->depth_multiplier == b->depth_multiplier && a->activation == b->activation &&
           a->axis == b->axis && a->keep_dims == b->keep_dims &&
           a->align_corners == b->align_corners && a->half_pixel_centers == b->half_pixel_centers &&
           memcmp(&a->beta, &b->beta, sizeof a->beta) == 0 &&
           memcmp(&a->alpha, &b->alpha, sizeof a->alpha) == 0 &&
           a->weights_format == b->weights_format && a->begin_mask == b->begin_mask &&
           a->end_mask == b->end_mask && a->ellipsis_mask == b->ellipsis_mask &&
           a->new_axis_mask == b->new_axis_mask && a->shrink_axis_mask == b->shrink_axis_mask &&
           a->num == b->num && a->block_size == b->block_size && a->time_major == b->time_major;
}

/* ------------------------------------------------------- copies between models */

static bool copy_bytes(struct atoll_arena *a, const uint8_t **p, uint32_t n)
{
    if (*p == NULL) {
        return true;
    }
    uint8_t *copy = atoll_arena_alloc(a, n);
    if (copy != NULL) {
        memcpy(copy, *p, n);
    }
    *p = copy;
    return copy != NULL;
}

struct atoll__op_raw *atoll__op_raw_copy(struct atoll_arena *a, const struct atoll__op_raw *r)
{
    struct atoll__op_raw *copy = atoll_arena_alloc(a, sizeof *copy);
    if (copy == NULL) {
        return NULL;
    }
    *copy = *r;
    if (r->options != NULL && (copy->options = atoll__node_copy(a, r->options)) == NULL) {
        return NULL;
    }
    return copy_bytes(a, &copy->mutating, r->n_mutating) ? copy : NULL;
}

struct atoll__tensor_raw *atoll__tensor_raw_copy(struct atoll_arena *a,
                                                 const struct atoll__tensor_raw *r)
{
    struct atoll__tensor_raw *copy = atoll_arena_alloc(a, sizeof *copy);
    if (copy == NULL) {
        return NULL;
    }
    *copy = *r;
    if (r->sparsity != NULL && (copy->sparsity = atoll__node_copy(a, r->sparsity)) == NULL) {
        return NULL;
    }
    if (r->n_variants > 0) {
        struct atoll__node **variants = atoll_arena_array(a, r->n_variants, sizeof *variants);
        for (uint32_t i = 0; variants != NULL && i < r->n_variants; i++) {
            variants[i] = atoll__node_copy(a, r->variants[i]);
            if (variants[i] == NULL) {
                return NULL;
            }
        }
        if (variants == NULL) {
            return NULL;
        }
        copy->variants = variants;
    }
    return copy_bytes(a, &copy->custom_quant, r->n_custom_quant) ? copy : NULL;
}
