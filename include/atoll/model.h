/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model.h
 * Room `model`: a network as a graph of operators and tensors, read from a .tflite file (a checked
 * view over the mapped bytes: weights are never copied), built by a program (zoo, split, compress),
 * and written as a .tflite file. Also the reader of compiled Edge TPU models (DarwiNN packages).
 *
 * Shapes are NHWC; convolution weights [cout,kh,kw,cin], depthwise [1,kh,kw,cin*multiplier], fully
 * connected [out,in]. Format facts: TFLite schema v3 (tensorflow/lite/schema/schema.fbs).
 */
#ifndef ATOLL_MODEL_H
#define ATOLL_MODEL_H

#include <atoll/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------- limits */

#define ATOLL_RANK_MAX 8                           ///< dimensions of a tensor
#define ATOLL_TENSORS_MAX 1000000u                 ///< per model
#define ATOLL_OPS_MAX 200000u                      ///< per model
#define ATOLL_OP_TENSORS_MAX 4096u                 ///< inputs or outputs of one operator
#define ATOLL_TENSOR_BYTES_MAX (UINT64_C(1) << 33) ///< 8 GiB

enum atoll_type {
    ATOLL_TYPE_FLOAT32 = 0,
    ATOLL_TYPE_FLOAT16 = 1,
    ATOLL_TYPE_INT32 = 2,
    ATOLL_TYPE_UINT8 = 3,
    ATOLL_TYPE_INT64 = 4,
    ATOLL_TYPE_STRING = 5,
    ATOLL_TYPE_BOOL = 6,
    ATOLL_TYPE_INT16 = 7,
    ATOLL_TYPE_COMPLEX64 = 8,
    ATOLL_TYPE_INT8 = 9,
    ATOLL_TYPE_FLOAT64 = 10,
    ATOLL_TYPE_COMPLEX128 = 11,
    ATOLL_TYPE_UINT64 = 12,
    ATOLL_TYPE_RESOURCE = 13,
    ATOLL_TYPE_VARIANT = 14,
    ATOLL_TYPE_UINT32 = 15,
    ATOLL_TYPE_UINT16 = 16,
    ATOLL_TYPE_INT4 = 17,
};
ATOLL_API const char *atoll_type_name(enum atoll_type t); ///< "INT8", ...; "?" when unknown
ATOLL_API unsigned atoll_type_bits(
    enum atoll_type t); ///< bits of one element; 0 for STRING, RESOURCE, VARIANT

/** Builtin operator codes of the schema. The values are the file's. */
enum atoll_opcode {
    ATOLL_OP_ADD = 0,
    ATOLL_OP_AVERAGE_POOL_2D = 1,
    ATOLL_OP_CONCATENATION = 2,
    ATOLL_OP_CONV_2D = 3,
    ATOLL_OP_DEPTHWISE_CONV_2D = 4,
    ATOLL_OP_DEPTH_TO_SPACE = 5,
    ATOLL_OP_DEQUANTIZE = 6,
    ATOLL_OP_FULLY_CONNECTED = 9,
    ATOLL_OP_L2_NORMALIZATION = 11,
    ATOLL_OP_LOGISTIC = 14,
    ATOLL_OP_LSTM = 16,
    ATOLL_OP_MAX_POOL_2D = 17,
    ATOLL_OP_MUL = 18,
    ATOLL_OP_RELU = 19,
    ATOLL_OP_RELU_N1_TO_1 = 20,
    ATOLL_OP_RELU6 = 21,
    ATOLL_OP_RESHAPE = 22,
    ATOLL_OP_RESIZE_BILINEAR = 23,
    ATOLL_OP_SOFTMAX = 25,
    ATOLL_OP_SPACE_TO_DEPTH = 26,
    ATOLL_OP_TANH = 28,
    ATOLL_OP_CUSTOM = 32,
    ATOLL_OP_PAD = 34,
    ATOLL_OP_GATHER = 36,
    ATOLL_OP_TRANSPOSE = 39,
    ATOLL_OP_MEAN = 40,
    ATOLL_OP_SUB = 41,
    ATOLL_OP_DIV = 42,
    ATOLL_OP_SQUEEZE = 43,
    ATOLL_OP_UNIDIRECTIONAL_SEQUENCE_LSTM = 44,
    ATOLL_OP_STRIDED_SLICE = 45,
    ATOLL_OP_SPLIT = 49,
    ATOLL_OP_CAST = 53,
    ATOLL_OP_PRELU = 54,
    ATOLL_OP_MAXIMUM = 55,
    ATOLL_OP_ARG_MAX = 56,
    ATOLL_OP_MINIMUM = 57,
    ATOLL_OP_PADV2 = 60,
    ATOLL_OP_SLICE = 65,
    ATOLL_OP_TRANSPOSE_CONV = 67,
    ATOLL_OP_TILE = 69,
    ATOLL_OP_EXPAND_DIMS = 70,
    ATOLL_OP_SUM = 74,
    ATOLL_OP_RSQRT = 76,
    ATOLL_OP_REDUCE_MAX = 82,
    ATOLL_OP_PACK = 83,
    ATOLL_OP_UNPACK = 88,
    ATOLL_OP_REDUCE_MIN = 89,
    ATOLL_OP_RESIZE_NEAREST_NEIGHBOR = 97,
    ATOLL_OP_LEAKY_RELU = 98,
    ATOLL_OP_SQUARED_DIFFERENCE = 99,
    ATOLL_OP_MIRROR_PAD = 100,
    ATOLL_OP_SPLIT_V = 102,
    ATOLL_OP_QUANTIZE = 114,
    ATOLL_OP_HARD_SWISH = 117,
    ATOLL_OP_BATCH_MATMUL = 126,
    ATOLL_OP_CODE_MAX = 161, ///< highest code of the schema's table; names exist for all of 0..161
};
ATOLL_API const char *atoll_opcode_name(
    int code); ///< "CONV_2D"; "UNKNOWN_<n>" texts are made by atoll_op_name

enum atoll_padding { ATOLL_PADDING_SAME = 0, ATOLL_PADDING_VALID = 1 };
enum atoll_activation {
    ATOLL_ACT_NONE = 0,
    ATOLL_ACT_RELU = 1,
    ATOLL_ACT_RELU_N1_TO_1 = 2,
    ATOLL_ACT_RELU6 = 3,
    ATOLL_ACT_TANH = 4,
    ATOLL_ACT_SIGN_BIT = 5
};

/* -------------------------------------------------------------------- graph */

/** real = scale[c] * (q - zero_point[c]). n = 0: not quantized; n = 1: per tensor; else per channel
 *  of dimension `dimension`. */
struct atoll_quant {
    const float *scale;        ///< n values
    const int64_t *zero_point; ///< n values
    uint32_t n;
    int32_t dimension;
    const float *min, *max; ///< n_range values or NULL (informative)
    uint32_t n_range;
};

/** Constant bytes that are made when they are needed, so that a network of 60 MB costs nothing to
 *  plan with. The bytes are a pure function of this struct and the byte count. */
enum atoll_fill_kind {
    ATOLL_FILL_NONE,   ///< bytes are in `data`
    ATOLL_FILL_ZERO,   ///< all zero
    ATOLL_FILL_INT8,   ///< int8, roughly normal (deviation 44), full range -127..127, no zeros
    ATOLL_FILL_BIAS32, ///< int32, uniform in [-1000, 1000], never 0
};
struct atoll_fill {
    enum atoll_fill_kind kind;
    uint64_t seed;
};

struct atoll_tensor {
    const char *name; ///< "" when absent
    enum atoll_type type;
    int32_t rank;                   ///< 0 scalar .. ATOLL_RANK_MAX
    int32_t shape[ATOLL_RANK_MAX];  ///< elements >= 0; 0 occurs only in odd files
    const int32_t *shape_signature; ///< n_signature entries, -1 dynamic; NULL when absent
    uint32_t n_signature;
    struct atoll_quant quant;
    bool is_constant; ///< has bytes in the file or a fill
    bool is_variable; ///< state kept between invocations (LSTM)
    const void
        *data; ///< constant bytes, borrowed from the file, NULL for fills; may be unaligned: memcpy
    uint64_t data_bytes; ///< byte count of the constant (fill or data); 0 for activations
    struct atoll_fill fill;
    uint64_t bytes;            ///< elements * type size
    int32_t producer;          ///< operator that writes it, -1: graph input, constant or unused
    const uint32_t *consumers; ///< operators that read it, ascending, without duplicates
    uint32_t n_consumers;
    const void
        *raw; ///< private to the model room (sparsity and other rare fields kept for the writer)
};

/** The options that other rooms read, one flat struct; fields that an operator has not are at the
 *  schema's default. */
struct atoll_op_attr {
    enum atoll_padding padding;
    int32_t stride_h, stride_w;     ///< 1 where absent
    int32_t dilation_h, dilation_w; ///< 1 where absent
    int32_t filter_h, filter_w;     ///< pools; for convolutions the weight shape counts
    int32_t depth_multiplier;       ///< depthwise; 0 in a built operator: taken from the shapes
    enum atoll_activation activation;
    int32_t axis;   ///< concatenation, pack, unpack, gather
    bool keep_dims; ///< reducers, fully connected (keep_num_dims)
    bool align_corners, half_pixel_centers;
    float beta;             ///< softmax; 1 by default, since no softmax is written with 0
    float alpha;            ///< leaky relu
    int32_t weights_format; ///< fully connected: 0 default, 1 shuffled
    int32_t begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask;
    int32_t num;        ///< split, split_v, pack, unpack
    int32_t block_size; ///< space_to_depth, depth_to_space
    bool time_major;    ///< sequence operators
};

struct atoll_op {
    int32_t code;            ///< enum atoll_opcode, or a value the schema did not know
    const char *custom_name; ///< custom code; NULL for builtins
    int32_t version;
    const int32_t *inputs; ///< tensor indices, -1: optional input absent
    uint32_t n_inputs;
    const int32_t *outputs;
    uint32_t n_outputs;
    const int32_t *intermediates;
    uint32_t n_intermediates;
    struct atoll_op_attr attr;
    const uint8_t *custom_options; ///< borrowed; NULL when absent
    uint32_t custom_options_bytes;
    const void *raw; ///< private: every option of the file, for a lossless writer
};

struct atoll_metadata {
    const char *name;
    const uint8_t *data; ///< borrowed
    uint64_t bytes;
};

/** A model: one main subgraph (more are counted and refused by what needs one). Read-only for all
 *  rooms but this one. Everything lives until atoll_model_close. */
struct atoll_model {
    const char *path;        ///< as given, or "zoo:..." for built ones
    uint32_t version;        ///< 3
    const char *description; ///< "" when absent
    uint64_t file_bytes;     ///< 0 for built models
    uint32_t n_subgraphs;
    struct atoll_tensor *tensors;
    uint32_t n_tensors;
    struct atoll_op *ops; ///< file order, which is an order of execution (checked)
    uint32_t n_ops;
    const int32_t *inputs, *outputs; ///< tensor indices
    uint32_t n_inputs, n_outputs;
    const char *subgraph_name;
    const struct atoll_metadata *metadata;
    uint32_t n_metadata;
    const void *raw;           ///< private to the model room (signatures kept for the writer)
    struct atoll_arena *arena; ///< private: owns the graph
    const uint8_t *bytes;      ///< private: the file_bytes of the file; NULL for built models
    struct atoll_map *map;     ///< private: owns the bytes, NULL for built models
};

/* ------------------------------------------------------------------ reading */

/** Opens a .tflite file. Checks every offset, count, index and shape, that the graph is acyclic and
 *  the file order executable, that constants have as many bytes as their shape asks for. Does not
 * touch weight bytes. Errors: ATOLL_EINPUT/ELIMIT/EUNSUPPORTED with file, table, found, expected;
 * ATOLL_EIO. */
ATOLL_API int atoll_model_open(const char *path, struct atoll_model **model, struct atoll_err *err);
/** The same on bytes that the caller keeps alive; `name` stands in errors and as path. */
ATOLL_API int atoll_model_parse(const char *name, const void *bytes, size_t n,
                                struct atoll_model **model, struct atoll_err *err);
ATOLL_API void atoll_model_close(struct atoll_model **model); ///< NULL and *NULL allowed

/* ----------------------------------------------------------------- building */

/** A model under construction. Order of operators = order of the add calls. */
struct atoll_builder;
ATOLL_API int atoll_builder_create(const char *path, const char *description,
                                   struct atoll_builder **b, struct atoll_err *err);
/** Adds a copy of `t` (name, type, shape, quant, constant data or fill are copied; `data` bytes are
 *  copied only with `copy_data`, else must outlive the model). `bytes`, producer, consumers are
 *  computed. A constant's data_bytes is computed from shape and type when 0. Returns the index >= 0
 * or a negative code. */
ATOLL_API int32_t atoll_builder_tensor(struct atoll_builder *b, const struct atoll_tensor *t,
                                       bool copy_data, struct atoll_err *err);
/** Adds a copy of `op` (attr decides the options written; `raw` of an operator of another model
 *  is kept when `op->raw` is set and its attr unchanged). version 0: the usual one for the op and
 * types. Returns the index or a negative code. */
ATOLL_API int32_t atoll_builder_op(struct atoll_builder *b, const struct atoll_op *op,
                                   struct atoll_err *err);
ATOLL_API struct atoll_tensor *atoll_builder_get(
    struct atoll_builder *b, int32_t tensor); ///< borrowed until the next add; NULL out of range
/** Sets inputs and outputs, checks the graph as the reader does, and hands the model over. Frees
 *  the builder in any case. */
ATOLL_API int atoll_builder_finish(struct atoll_builder **b, const int32_t *inputs,
                                   uint32_t n_inputs, const int32_t *outputs, uint32_t n_outputs,
                                   struct atoll_model **model, struct atoll_err *err);
ATOLL_API void atoll_builder_destroy(struct atoll_builder **b);

/** Attributes at the schema's defaults (strides 1 and so on). */
ATOLL_API struct atoll_op_attr atoll_op_attr_default(void);
/** Output size of a window: SAME ceil(in/stride), VALID floor((in-(k-1)*dil-1)/stride)+1; <= 0:
 * does not fit. */
ATOLL_API int32_t atoll_window_out(int32_t in, int32_t kernel, int32_t stride, int32_t dilation,
                                   enum atoll_padding p);
/** Writes the bytes of a constant into out[data_bytes]: a copy, or what its fill describes. */
ATOLL_API int atoll_tensor_bytes(const struct atoll_tensor *t, void *out, struct atoll_err *err);
/** True when every byte of the constant is zero (fills answer without making bytes). */
ATOLL_API bool atoll_tensor_all_zero(const struct atoll_tensor *t);

/* ------------------------------------------------------------------ writing */

/** Serialises; the same model gives the same bytes. *bytes owned (atoll_free). Buffers are 16-byte
 * aligned. */
ATOLL_API int atoll_model_serialize(const struct atoll_model *m, uint8_t **bytes, size_t *n,
                                    struct atoll_err *err);
ATOLL_API int atoll_model_write(const struct atoll_model *m, const char *path,
                                struct atoll_err *err);
/** SHA-256 of the file's bytes, or of what atoll_model_serialize would give for a built model. */
ATOLL_API int atoll_model_sha256(const struct atoll_model *m, char hex[65], struct atoll_err *err);

/* ---------------------------------------------------------------- analysing */

/** Numbers of one operator, from shapes alone (docs/method-model.md). Recurrent operators are
 * counted apart: published totals, and the golden values, hold convolutions and fully connected
 * layers only. */
struct atoll_op_info {
    uint64_t macs; ///< conv, depthwise, fully connected, transpose conv, batch matmul; else 0
    uint64_t
        weight_bytes; ///< constant weight bytes (conv, depthwise, fc, transpose conv), bias apart
    uint64_t bias_bytes;
    uint64_t
        gate_macs; ///< LSTM: products of input and recurrent weights over all time steps; else 0
    uint64_t
        gate_weight_bytes; ///< LSTM: constant input, recurrent, peephole and projection weights
    uint64_t const_bytes;  ///< bytes of all constant inputs (what the cut rule weighs)
    uint64_t in_bytes;     ///< activation inputs (every listing counts; state tensors included)
    uint64_t out_bytes;    ///< all outputs
};
ATOLL_API void atoll_op_info(const struct atoll_model *m, uint32_t op, struct atoll_op_info *out);
/** Index of the operator's data input, weights and bias among its tensors (tensor indices, -1
 * none). */
ATOLL_API int32_t atoll_op_data_input(const struct atoll_model *m, uint32_t op);
ATOLL_API int32_t atoll_op_weights(const struct atoll_model *m, uint32_t op);
ATOLL_API int32_t atoll_op_bias(const struct atoll_model *m, uint32_t op);
/** "CONV_2D", the custom code, or "UNKNOWN_173" written into buf. */
ATOLL_API const char *atoll_op_name(const struct atoll_op *op, char buf[64]);
/** NULL when edgetpu_compiler would map the operator, else why not, in its own log words, with
 * detail
 *  ("Operation not supported: CUSTOM TFLite_Detection_PostProcess"). Rules:
 * coral.ai/docs/edgetpu/models-intro. Looks at the operator alone; atoll_model_mapping also applies
 * "everything after the first unsupported operator". Text lives in buf. */
ATOLL_API const char *atoll_op_unmapped_why(const struct atoll_model *m, uint32_t op,
                                            char buf[256]);
/** Why an operator stays on the CPU although it could be mapped itself (compiler's words). */
#define ATOLL_WHY_SECOND_SUBGRAPH "More than one subgraph is not supported"
/** maps[n_ops]: true when the operator lands on the Edge TPU (one subgraph, as without -a): it can
 * be mapped, and no path leads to it from a mapped operator through an unmapped one. */
ATOLL_API void atoll_model_mapping(const struct atoll_model *m, bool *maps);

/** Order of operators in which edgetpu_compiler and libcoral cut (Kahn with a stack: last pushed
 *  first, sinks last; facts: libcoral partitioner). order[n_ops] receives operator indices. */
ATOLL_API int atoll_model_vendor_order(const struct atoll_model *m, uint32_t *order,
                                       struct atoll_err *err);
/** Start positions in vendor order of the segments 1..n-1 (cuts[n-1]) by the parameter-count
 *  rule of --num_segments. ATOLL_EUSAGE: n < 1 or more segments than operators. ATOLL_ENO with the
 * op named: the rule leaves a segment empty (the real tool aborts). */
ATOLL_API int atoll_model_vendor_cuts(const struct atoll_model *m, uint32_t n, uint32_t *cuts,
                                      struct atoll_err *err);

/* ------------------------------------------------------------ split, merge */

/** A segmentation: `seg_of_op[n_ops]` in 0..n-1; every tensor must flow from a lower or the same
 *  segment to a higher or the same one, and no segment may be empty. */
struct atoll_segmentation {
    uint32_t n;
    const uint32_t *seg_of_op;
};
ATOLL_API int atoll_segmentation_check(const struct atoll_model *m,
                                       const struct atoll_segmentation *s, struct atoll_err *err);
/** Boundary tensors of one segment: tensor indices it reads from outside (graph inputs in the
 * graph's order, then tensors of earlier segments by index; constants not counted) and those it
 * must hand out (graph outputs in the graph's order, then tensors that later segments read, by
 * index). `in`/`out` have room for n_tensors. `s` must have passed atoll_segmentation_check. */
ATOLL_API void atoll_segment_boundary(const struct atoll_model *m,
                                      const struct atoll_segmentation *s, uint32_t segment,
                                      int32_t *in, uint32_t *n_in, int32_t *out, uint32_t *n_out);
/** The segment as a model of its own (constants borrowed from `m`, which must outlive it). A tensor
 *  whose name is empty or not unique gets "#<index>" behind it, since segments are joined by names;
 *  a metadata entry "atoll.graph" keeps which tensors the whole graph takes and gives. */
ATOLL_API int atoll_model_segment(const struct atoll_model *m, const struct atoll_segmentation *s,
                                  uint32_t segment, struct atoll_model **out,
                                  struct atoll_err *err);
/** Joins consecutive segments back by tensor names; the operators come in segment order. Constants
 * are borrowed from the segments, which must outlive the result. ATOLL_EINPUT: names or shapes do
 * not meet. */
ATOLL_API int atoll_model_merge(struct atoll_model *const *segments, uint32_t n,
                                struct atoll_model **out, struct atoll_err *err);

/* --------------------------------------------------------- compiled models */

enum atoll_exe_type {
    ATOLL_EXE_STAND_ALONE = 0,
    ATOLL_EXE_PARAMETER_CACHING = 1,
    ATOLL_EXE_EXECUTION_ONLY = 2
};
ATOLL_API const char *atoll_exe_type_name(enum atoll_exe_type t);

struct atoll_exe_layer {
    const char *name;
    int32_t y, x, z;
    int32_t data_type; ///< DarwiNN code (0 u8, 8 s8, 9 s16, ...)
    const char *type;  ///< "u8", "s8", "s16", ...
    uint64_t size_bytes;
};
struct atoll_exe {
    enum atoll_exe_type type;
    const char *name, *chip;
    int32_t batch;
    uint64_t parameter_bytes;
    uint64_t token;
    const uint64_t *chunk_bytes; ///< bytes of each instruction chunk
    uint32_t n_chunks;
    uint32_t n_field_offsets;
    uint64_t instruction_bytes;
    uint64_t scratch_bytes;
    int64_t estimated_cycles32, estimated_cycles64; ///< 0 when not set
    uint64_t narrow_bytes_per_tile;
    bool has_hints, fully_deterministic;
    uint32_t hints_instruction, hints_dma, hints_interrupt, hints_fence;
    uint64_t hint_in_parameter_bytes, hint_in_activation_bytes, hint_in_scratch_bytes,
        hint_in_instruction_bytes;
    uint64_t hint_out_activation_bytes, hint_out_scratch_bytes;
    const struct atoll_exe_layer *inputs, *outputs;
    uint32_t n_inputs, n_outputs;
    uint64_t serialized_model_bytes;
};
struct atoll_package {
    uint32_t op;                  ///< operator of the model that carries it
    bool legacy;                  ///< oldest layout: raw executables without a Package
    int32_t min_runtime_version;  ///< 0 when absent
    const char *compiler_version; ///< "" when absent
    uint64_t bytes;               ///< of the Package
    const char *flex_keys; ///< keys of the flexbuffer and the size or value of each, as JSON text
    const uint8_t *data;   ///< borrowed
    const struct atoll_exe *exes;
    uint32_t n_exes;
};
struct atoll_compiled {
    const struct atoll_package *packages;
    uint32_t n_packages;
    struct atoll_arena *arena; ///< private
};
/** True when the model holds an `edgetpu-custom-op`. */
ATOLL_API bool atoll_model_is_compiled(const struct atoll_model *m);
/** Reads all packages; m must outlive the result. ATOLL_EINPUT names operator, package, executable,
 * field. */
ATOLL_API int atoll_compiled_open(const struct atoll_model *m, struct atoll_compiled **c,
                                  struct atoll_err *err);
ATOLL_API void atoll_compiled_close(struct atoll_compiled **c);

#ifdef __cplusplus
}
#endif
#endif
