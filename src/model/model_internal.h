/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model_internal.h
 * Private to room `model`: the checked FlatBuffers view, the tables that describe the format, the
 * generic option node, and the small services that the files of this room share.
 */
#ifndef ATOLL_MODEL_INTERNAL_H
#define ATOLL_MODEL_INTERNAL_H

#include <atoll/model.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* ------------------------------------------------- checked FlatBuffers view */

/** Bytes of one FlatBuffer. The first failure is kept in `code` and `err`; from then on every
 *  getter answers its default, so that a caller checks `code` once per object. */
struct atoll__fb {
    const uint8_t *data;
    size_t size;
    uint64_t
        budget_bytes; ///< vector bytes that may still be copied: overlapping vectors cannot explode
    int code;
    struct atoll_err *err;
};
/** A table whose bounds and vtable were checked. `pos` 0: no table. */
struct atoll__fb_table {
    const char *what; ///< "Tensor", for sentences
    size_t pos;
    size_t vtable;
    uint32_t vtable_bytes, table_bytes;
};
/** A vector whose bounds were checked. `data` NULL: absent (then n = 0). Not aligned in odd files.
 */
struct atoll__fb_vec {
    const uint8_t *data;
    uint32_t n;
};

void atoll__fb_init(struct atoll__fb *fb, const void *bytes, size_t n, struct atoll_err *err);
/** The root table; `ident` (4 characters) must stand at byte 4 unless NULL. */
struct atoll__fb_table atoll__fb_root(struct atoll__fb *fb, const char *ident, const char *what);
bool atoll__fb_has(struct atoll__fb *fb, const struct atoll__fb_table *t, unsigned id);
/** Ids from `n` up that the table sets: fields a newer schema has and we do not know. */
unsigned atoll__fb_unknown_fields(struct atoll__fb *fb, const struct atoll__fb_table *t,
                                  unsigned n);
/** Raw little-endian bits of a scalar field of `bytes` 1, 2, 4 or 8; false when absent. */
bool atoll__fb_bits(struct atoll__fb *fb, const struct atoll__fb_table *t, unsigned id,
                    unsigned bytes, uint64_t *bits);
uint8_t atoll__fb_u8(struct atoll__fb *fb, const struct atoll__fb_table *t, unsigned id,
                     uint8_t def);
int8_t atoll__fb_i8(struct atoll__fb *fb, const struct atoll__fb_table *t, unsigned id, int8_t def);
int16_t atoll__fb_i16(struct atoll__fb *fb, const struct atoll__fb_table *t, unsigned id,
                      int16_t def);
int32_t atoll__fb_i32(struct atoll__fb *fb, const struct atoll__fb_table *t, unsigned id,
                      int32_t def);
uint32_t atoll__fb_u32(struct atoll__fb *fb, const struct atoll__fb_table *t, unsigned id,
                       uint32_t def);
int64_t atoll__fb_i64(struct atoll__fb *fb, const struct atoll__fb_table *t, unsigned id,
                      int64_t def);
uint64_t atoll__fb_u64(struct atoll__fb *fb, const struct atoll__fb_table *t, unsigned id,
                       uint64_t def);
/** NUL-terminated text inside the bytes, or NULL when absent. */
const char *atoll__fb_string(struct atoll__fb *fb, const struct atoll__fb_table *t, unsigned id);
struct atoll__fb_vec atoll__fb_vector(struct atoll__fb *fb, const struct atoll__fb_table *t,
                                      unsigned id, unsigned elem_bytes);
struct atoll__fb_table atoll__fb_sub(struct atoll__fb *fb, const struct atoll__fb_table *t,
                                     unsigned id, const char *what);
/** Element of a vector of tables. */
struct atoll__fb_table atoll__fb_table_at(struct atoll__fb *fb, const struct atoll__fb_vec *v,
                                          uint32_t i, const char *what);
/** Element of a vector of strings (or byte vectors); length in *n. */
const uint8_t *atoll__fb_bytes_at(struct atoll__fb *fb, const struct atoll__fb_vec *v, uint32_t i,
                                  uint32_t *n, const char *what);
/** Copies a vector into the arena with `elem_bytes` per element; NULL when empty or failed. */
void *atoll__fb_copy(struct atoll__fb *fb, struct atoll_arena *a, const struct atoll__fb_vec *v,
                     unsigned elem_bytes);
int atoll__fb_fail(struct atoll__fb *fb, int code, const char *fmt, ...) ATOLL_PRINTF(3, 4);
int atoll__fb_nomem(struct atoll__fb *fb, const char *what, size_t bytes);

static inline uint32_t atoll__load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline uint32_t atoll__load_u16(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

/* ------------------------------------------------- tables of the file format */

enum atoll__kind {
    ATOLL__BOOL,
    ATOLL__I8,
    ATOLL__U8,
    ATOLL__I32,
    ATOLL__U32,
    ATOLL__I64,
    ATOLL__U64,
    ATOLL__F32,
    ATOLL__STRING,
    ATOLL__VEC_U8,
    ATOLL__VEC_U16,
    ATOLL__VEC_I32,
    ATOLL__TABLE,
    ATOLL__VEC_TABLE,
    ATOLL__UNION, ///< two ids: the type (u8) at `id`, the table at id + 1
};
/** Where the writer finds an option that struct atoll_op_attr does not carry. */
enum atoll__derive {
    ATOLL__NO_DERIVE,
    ATOLL__IN_TYPE,
    ATOLL__OUT_TYPE,
    ATOLL__OUT_SHAPE,
    ATOLL__SQUEEZE
};

struct atoll__schema;
struct atoll__field {
    const char *name;
    uint8_t id;
    uint8_t kind;   ///< enum atoll__kind
    uint8_t derive; ///< enum atoll__derive
    bool in_attr;   ///< mirrored in struct atoll_op_attr at attr_offset
    uint16_t attr_offset;
    int32_t def;                     ///< schema default
    int32_t min, max;                ///< allowed range when min < max
    const struct atoll__schema *sub; ///< TABLE, VEC_TABLE; for UNION: sub[type] for 1..n_sub
    uint8_t n_sub;
};
struct atoll__schema {
    const char *name;
    const struct atoll__field *fields;
    uint8_t n_fields;
    uint8_t n_ids; ///< vtable slots: highest id + 1
    bool known;    ///< false: only the name is known, the writer cannot copy it
};

extern const struct atoll__schema atoll__sparsity_schema;
extern const struct atoll__schema atoll__variant_schema;
extern const struct atoll__schema atoll__signature_schema;
/** Option table of a BuiltinOptions union code; NULL for 0 and codes beyond the schema. */
const struct atoll__schema *atoll__option_schema(unsigned union_code);

struct atoll__opcode {
    const char *name;
    uint8_t options;      ///< BuiltinOptions code, 0: none
    uint8_t version_int8; ///< usual operator version with int8 tensors; 1 otherwise
};
/** NULL when the schema does not know the code. */
const struct atoll__opcode *atoll__opcode_get(int code);

/* ------------------------------------------------------------ generic nodes */

/** One field of a table as read. Scalars in `bits`; strings and vectors in p, n; sub-tables as
 *  struct atoll__node* (TABLE, UNION with the type in `bits`) or an array of them (VEC_TABLE). */
struct atoll__value {
    bool present;
    uint64_t bits;
    const void *p;
    uint32_t n;
};
struct atoll__node {
    const struct atoll__schema *schema;
    struct atoll__value *values; ///< schema->n_fields
    bool lossy; ///< held something that cannot be written back; `lossy_what` says what
    const char *lossy_what;
};
/** Reads a table by its schema; NULL on failure (fb->code). */
struct atoll__node *atoll__node_read(struct atoll__fb *fb, struct atoll_arena *a,
                                     const struct atoll__schema *s, const struct atoll__fb_table *t,
                                     unsigned depth);
struct atoll__node *atoll__node_new(struct atoll_arena *a, const struct atoll__schema *s);
/** Deep copy into another arena; NULL without memory. */
struct atoll__node *atoll__node_copy(struct atoll_arena *a, const struct atoll__node *n);
/** Options <-> the flat attributes. */
void atoll__attr_from_node(const struct atoll__node *n, struct atoll_op_attr *attr);
bool atoll__attr_equal(const struct atoll_op_attr *a, const struct atoll_op_attr *b);

/** What `raw` of an operator points to. */
struct atoll__op_raw {
    uint8_t options_type;        ///< BuiltinOptions code of the file
    struct atoll__node *options; ///< NULL when absent
    int8_t custom_format;
    const uint8_t *mutating; ///< n_mutating booleans
    uint32_t n_mutating;
    const char *lossy_what;    ///< NULL, or what the writer could not copy
    struct atoll_op_attr attr; ///< as decoded from options
};
/** What `raw` of a tensor points to; NULL when the tensor has none of it. */
struct atoll__tensor_raw {
    struct atoll__node *sparsity;
    const uint8_t *custom_quant; ///< QuantizationDetails: CustomQuantization
    uint32_t n_custom_quant;
    bool has_custom_quant, has_rank;
    struct atoll__node *const *variants;
    uint32_t n_variants;
    const char *lossy_what;
};
/** What `raw` of a model points to. */
struct atoll__model_raw {
    struct atoll__node *const *signatures;
    uint32_t n_signatures;
    const char *lossy_what;
};
struct atoll__op_raw *atoll__op_raw_copy(struct atoll_arena *a, const struct atoll__op_raw *r);
struct atoll__tensor_raw *atoll__tensor_raw_copy(struct atoll_arena *a,
                                                 const struct atoll__tensor_raw *r);

/** The option table to write for an operator; *node NULL: none. Made in `a` or borrowed from the
 *  operator's raw. 0 or ATOLL_ENOMEM. */
int atoll__op_node(struct atoll_arena *a, const struct atoll_model *m, const struct atoll_op *op,
                   const struct atoll__node **node, uint8_t *options_type);

/* -------------------------------------------------------------- the services */

/** Metadata entry of a segment: inputs and outputs of the whole graph, each as 'i' or 'o', its name
 *  and a NUL. Without it a tensor that is both handed on and an output could not be told. */
#define ATOLL__GRAPH_METADATA "atoll.graph"

/** An empty model with its arena and path. */
int atoll__model_alloc(const char *path, struct atoll_model **model, struct atoll_err *err);
/** Sizes, producers, consumers and every structure check, for reader and builder alike. */
int atoll__graph_link(struct atoll_model *m, struct atoll_err *err);
/** Adds a metadata entry (copied) to the model under construction. */
int atoll__builder_metadata(struct atoll_builder *b, const char *name, const void *bytes, size_t n,
                            struct atoll_err *err);
/** Bytes of a tensor from shape and type; ATOLL_ELIMIT/EINPUT with a sentence. */
int atoll__tensor_size(const struct atoll_tensor *t, uint64_t *bytes, struct atoll_err *err);
/** Writes the bytes of a fill. */
void atoll__fill_write(const struct atoll_fill *f, uint64_t bytes, uint8_t *out);
/** ATOLL_EUNSUPPORTED unless the model has exactly one subgraph. */
int atoll__need_one_subgraph(const struct atoll_model *m, struct atoll_err *err);
/** a * b without wrap-around. */
static inline uint64_t atoll__sat_mul(uint64_t a, uint64_t b)
{
    uint64_t r = 0;
    return atoll_mul_u64(a, b, &r) ? r : UINT64_MAX;
}
static inline uint64_t atoll__sat_add(uint64_t a, uint64_t b)
{
    uint64_t r = 0;
    return atoll_add_u64(a, b, &r) ? r : UINT64_MAX;
}
/** Elements of a shape; saturates. */
uint64_t atoll__elements(const struct atoll_tensor *t);
/** The tensor at position i of the operator's inputs, NULL when absent. */
static inline const struct atoll_tensor *atoll__op_input(const struct atoll_model *m,
                                                         const struct atoll_op *op, uint32_t i)
{
    return i < op->n_inputs && op->inputs[i] >= 0 ? &m->tensors[op->inputs[i]] : NULL;
}

#endif
