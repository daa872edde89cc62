/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file schema_core.h
 * Private to room `model`: field ids of the core tables of the .tflite schema
 * (tensorflow/lite/schema/schema.fbs, version 3). Reader and writer both go by these.
 */
#ifndef ATOLL_SCHEMA_CORE_H
#define ATOLL_SCHEMA_CORE_H

enum {
    MODEL_VERSION,
    MODEL_CODES,
    MODEL_SUBGRAPHS,
    MODEL_DESCRIPTION,
    MODEL_BUFFERS,
    MODEL_METADATA_BUFFER,
    MODEL_METADATA,
    MODEL_SIGNATURES,
    MODEL_N_IDS
};
enum { CODE_DEPRECATED, CODE_CUSTOM, CODE_VERSION, CODE_BUILTIN };
enum { GRAPH_TENSORS, GRAPH_INPUTS, GRAPH_OUTPUTS, GRAPH_OPERATORS, GRAPH_NAME };
enum {
    TENSOR_SHAPE,
    TENSOR_TYPE,
    TENSOR_BUFFER,
    TENSOR_NAME,
    TENSOR_QUANT,
    TENSOR_VARIABLE,
    TENSOR_SPARSITY,
    TENSOR_SIGNATURE,
    TENSOR_HAS_RANK,
    TENSOR_VARIANTS,
    TENSOR_N_IDS
};
enum {
    QUANT_MIN,
    QUANT_MAX,
    QUANT_SCALE,
    QUANT_ZERO,
    QUANT_DETAILS_TYPE,
    QUANT_DETAILS,
    QUANT_DIMENSION
};
enum { QUANT_DETAILS_CUSTOM = 1 }; /* union QuantizationDetails */
enum {
    OP_CODE,
    OP_INPUTS,
    OP_OUTPUTS,
    OP_OPTIONS_TYPE,
    OP_OPTIONS,
    OP_CUSTOM,
    OP_CUSTOM_FORMAT,
    OP_MUTATING,
    OP_INTERMEDIATES,
    OP_LARGE_OFFSET,
    OP_LARGE_SIZE,
    OP_OPTIONS2_TYPE,
    OP_OPTIONS2,
    OP_N_IDS
};
enum { BUFFER_DATA, BUFFER_OFFSET, BUFFER_SIZE };
enum { METADATA_NAME, METADATA_BUFFER };

#endif
