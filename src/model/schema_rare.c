/* SPDX-License-Identifier: Apache-2.0 */
/* Rare tables of the .tflite schema that are only carried from file to file: sparsity, variant
 * subtypes and signatures. */
#include "model_internal.h"

#define FIELD(id_, name_, kind_)                                                                   \
    {                                                                                              \
        .name = #name_, .id = id_, .kind = ATOLL__##kind_                                          \
    }
#define CHILD(id_, name_, kind_, sub_, n_)                                                         \
    {                                                                                              \
        .name = #name_, .id = id_, .kind = ATOLL__##kind_, .sub = sub_, .n_sub = n_                \
    }
#define SCHEMA(name_, f, ids)                                                                      \
    {                                                                                              \
        .name = name_, .fields = f, .n_fields = LEN(f), .n_ids = ids, .known = true                \
    }

/* Union SparseIndexVector: 1 Int32Vector, 2 Uint16Vector, 3 Uint8Vector. */
static const struct atoll__field fields_int32_vector[] = {FIELD(0, values, VEC_I32)};
static const struct atoll__field fields_uint16_vector[] = {FIELD(0, values, VEC_U16)};
static const struct atoll__field fields_uint8_vector[] = {FIELD(0, values, VEC_U8)};
static const struct atoll__schema index_vectors[] = {
    {.name = "NONE"},
    SCHEMA("Int32Vector", fields_int32_vector, 1),
    SCHEMA("Uint16Vector", fields_uint16_vector, 1),
    SCHEMA("Uint8Vector", fields_uint8_vector, 1),
};
static const struct atoll__field fields_dimension[] = {
    FIELD(0, format, I8),
    FIELD(1, dense_size, I32),
    CHILD(2, array_segments, UNION, index_vectors, 3),
    CHILD(4, array_indices, UNION, index_vectors, 3),
};
static const struct atoll__schema dimension_schema =
    SCHEMA("DimensionMetadata", fields_dimension, 6);
static const struct atoll__field fields_sparsity[] = {
    FIELD(0, traversal_order, VEC_I32),
    FIELD(1, block_map, VEC_I32),
    CHILD(2, dim_metadata, VEC_TABLE, &dimension_schema, 1),
};
const struct atoll__schema atoll__sparsity_schema =
    SCHEMA("SparsityParameters", fields_sparsity, 3);

static const struct atoll__field fields_variant[] = {
    FIELD(0, shape, VEC_I32),
    FIELD(1, type, I8),
    FIELD(2, has_rank, BOOL),
};
const struct atoll__schema atoll__variant_schema = SCHEMA("VariantSubType", fields_variant, 3);

static const struct atoll__field fields_tensor_map[] = {
    FIELD(0, name, STRING),
    FIELD(1, tensor_index, U32),
};
static const struct atoll__schema tensor_map_schema = SCHEMA("TensorMap", fields_tensor_map, 2);
static const struct atoll__field fields_signature[] = {
    CHILD(0, inputs, VEC_TABLE, &tensor_map_schema, 1),
    CHILD(1, outputs, VEC_TABLE, &tensor_map_schema, 1),
    FIELD(2, signature_key, STRING),
    FIELD(3, deprecated_tag, STRING),
    FIELD(4, subgraph_index, U32),
};
const struct atoll__schema atoll__signature_schema = SCHEMA("SignatureDef", fields_signature, 5);
