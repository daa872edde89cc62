/* SPDX-License-Identifier: Apache-2.0 */
/* Names and codes: tensor types, builtin operators with their option table and usual version. */
#include "model_internal.h"

static const struct {
    const char *name;
    unsigned bits;
} types[] = {
    [ATOLL_TYPE_FLOAT32] = {"FLOAT32", 32},
    [ATOLL_TYPE_FLOAT16] = {"FLOAT16", 16},
    [ATOLL_TYPE_INT32] = {"INT32", 32},
    [ATOLL_TYPE_UINT8] = {"UINT8", 8},
    [ATOLL_TYPE_INT64] = {"INT64", 64},
    [ATOLL_TYPE_STRING] = {"STRING", 0},
    [ATOLL_TYPE_BOOL] = {"BOOL", 8},
    [ATOLL_TYPE_INT16] = {"INT16", 16},
    [ATOLL_TYPE_COMPLEX64] = {"COMPLEX64", 64},
    [ATOLL_TYPE_INT8] = {"INT8", 8},
    [ATOLL_TYPE_FLOAT64] = {"FLOAT64", 64},
    [ATOLL_TYPE_COMPLEX128] = {"COMPLEX128", 128},
    [ATOLL_TYPE_UINT64] = {"UINT64", 64},
    [ATOLL_TYPE_RESOURCE] = {"RESOURCE", 0},
    [ATOLL_TYPE_VARIANT] = {"VARIANT", 0},
    [ATOLL_TYPE_UINT32] = {"UINT32", 32},
    [ATOLL_TYPE_UINT16] = {"UINT16", 16},
    [ATOLL_TYPE_INT4] = {"INT4", 4},
};

const char *atoll_type_name(enum atoll_type t)
{
    return (size_t)t < LEN(types) ? types[t].name : "?";
}

unsigned atoll_type_bits(enum atoll_type t)
{
    return (size_t)t < LEN(types) ? types[t].bits : 0;
}

/* Index = code. Columns: name, code of the option table in BuiltinOptions, version with int8. */
static const struct atoll__opcode opcodes[ATOLL_OP_CODE_MAX + 1] = {
    [0] = {"ADD", 11, 2},
    [1] = {"AVERAGE_POOL_2D", 5, 2},
    [2] = {"CONCATENATION", 10, 2},
    [3] = {"CONV_2D", 1, 3},
    [4] = {"DEPTHWISE_CONV_2D", 2, 3},
    [5] = {"DEPTH_TO_SPACE", 94, 1},
    [6] = {"DEQUANTIZE", 38, 2},
    [7] = {"EMBEDDING_LOOKUP", 0, 1},
    [8] = {"FLOOR", 0, 1},
    [9] = {"FULLY_CONNECTED", 8, 4},
    [10] = {"HASHTABLE_LOOKUP", 0, 1},
    [11] = {"L2_NORMALIZATION", 12, 2},
    [12] = {"L2_POOL_2D", 5, 1},
    [13] = {"LOCAL_RESPONSE_NORMALIZATION", 13, 1},
    [14] = {"LOGISTIC", 0, 2},
    [15] = {"LSH_PROJECTION", 4, 1},
    [16] = {"LSTM", 14, 1},
    [17] = {"MAX_POOL_2D", 5, 2},
    [18] = {"MUL", 21, 2},
    [19] = {"RELU", 0, 2},
    [20] = {"RELU_N1_TO_1", 0, 2},
    [21] = {"RELU6", 0, 2},
    [22] = {"RESHAPE", 17, 1},
    [23] = {"RESIZE_BILINEAR", 15, 2},
    [24] = {"RNN", 7, 1},
    [25] = {"SOFTMAX", 9, 2},
    [26] = {"SPACE_TO_DEPTH", 19, 2},
    [27] = {"SVDF", 6, 1},
    [28] = {"TANH", 0, 2},
    [29] = {"CONCAT_EMBEDDINGS", 3, 1},
    [30] = {"SKIP_GRAM", 18, 1},
    [31] = {"CALL", 16, 1},
    [32] = {"CUSTOM", 0, 1},
    [33] = {"EMBEDDING_LOOKUP_SPARSE", 20, 1},
    [34] = {"PAD", 22, 2},
    [35] = {"UNIDIRECTIONAL_SEQUENCE_RNN", 31, 1},
    [36] = {"GATHER", 23, 2},
    [37] = {"BATCH_TO_SPACE_ND", 24, 1},
    [38] = {"SPACE_TO_BATCH_ND", 25, 1},
    [39] = {"TRANSPOSE", 26, 2},
    [40] = {"MEAN", 27, 2},
    [41] = {"SUB", 28, 2},
    [42] = {"DIV", 29, 1},
    [43] = {"SQUEEZE", 30, 1},
    [44] = {"UNIDIRECTIONAL_SEQUENCE_LSTM", 71, 1},
    [45] = {"STRIDED_SLICE", 32, 2},
    [46] = {"BIDIRECTIONAL_SEQUENCE_RNN", 70, 1},
    [47] = {"EXP", 33, 1},
    [48] = {"TOPK_V2", 34, 1},
    [49] = {"SPLIT", 35, 2},
    [50] = {"LOG_SOFTMAX", 36, 1},
    [51] = {"DELEGATE", 0, 1},
    [52] = {"BIDIRECTIONAL_SEQUENCE_LSTM", 69, 1},
    [53] = {"CAST", 37, 1},
    [54] = {"PRELU", 0, 1},
    [55] = {"MAXIMUM", 39, 2},
    [56] = {"ARG_MAX", 40, 2},
    [57] = {"MINIMUM", 39, 2},
    [58] = {"LESS", 41, 1},
    [59] = {"NEG", 42, 1},
    [60] = {"PADV2", 43, 2},
    [61] = {"GREATER", 44, 1},
    [62] = {"GREATER_EQUAL", 45, 1},
    [63] = {"LESS_EQUAL", 46, 1},
    [64] = {"SELECT", 47, 1},
    [65] = {"SLICE", 48, 2},
    [66] = {"SIN", 0, 1},
    [67] = {"TRANSPOSE_CONV", 49, 2},
    [68] = {"SPARSE_TO_DENSE", 50, 1},
    [69] = {"TILE", 51, 1},
    [70] = {"EXPAND_DIMS", 52, 1},
    [71] = {"EQUAL", 53, 1},
    [72] = {"NOT_EQUAL", 54, 1},
    [73] = {"LOG", 0, 1},
    [74] = {"SUM", 27, 2},
    [75] = {"SQRT", 0, 1},
    [76] = {"RSQRT", 0, 2},
    [77] = {"SHAPE", 55, 1},
    [78] = {"POW", 56, 1},
    [79] = {"ARG_MIN", 57, 2},
    [80] = {"FAKE_QUANT", 58, 1},
    [81] = {"REDUCE_PROD", 27, 1},
    [82] = {"REDUCE_MAX", 27, 2},
    [83] = {"PACK", 59, 2},
    [84] = {"LOGICAL_OR", 60, 1},
    [85] = {"ONE_HOT", 61, 1},
    [86] = {"LOGICAL_AND", 62, 1},
    [87] = {"LOGICAL_NOT", 63, 1},
    [88] = {"UNPACK", 64, 2},
    [89] = {"REDUCE_MIN", 27, 2},
    [90] = {"FLOOR_DIV", 65, 1},
    [91] = {"REDUCE_ANY", 27, 1},
    [92] = {"SQUARE", 66, 1},
    [93] = {"ZEROS_LIKE", 67, 1},
    [94] = {"FILL", 68, 1},
    [95] = {"FLOOR_MOD", 72, 1},
    [96] = {"RANGE", 73, 1},
    [97] = {"RESIZE_NEAREST_NEIGHBOR", 74, 2},
    [98] = {"LEAKY_RELU", 75, 1},
    [99] = {"SQUARED_DIFFERENCE", 76, 2},
    [100] = {"MIRROR_PAD", 77, 2},
    [101] = {"ABS", 78, 1},
    [102] = {"SPLIT_V", 79, 2},
    [103] = {"UNIQUE", 80, 1},
    [104] = {"CEIL", 0, 1},
    [105] = {"REVERSE_V2", 81, 1},
    [106] = {"ADD_N", 82, 1},
    [107] = {"GATHER_ND", 83, 1},
    [108] = {"COS", 84, 1},
    [109] = {"WHERE", 85, 1},
    [110] = {"RANK", 86, 1},
    [111] = {"ELU", 0, 1},
    [112] = {"REVERSE_SEQUENCE", 87, 1},
    [113] = {"MATRIX_DIAG", 88, 1},
    [114] = {"QUANTIZE", 89, 1},
    [115] = {"MATRIX_SET_DIAG", 90, 1},
    [116] = {"ROUND", 0, 1},
    [117] = {"HARD_SWISH", 91, 1},
    [118] = {"IF", 92, 1},
    [119] = {"WHILE", 93, 1},
    [120] = {"NON_MAX_SUPPRESSION_V4", 95, 1},
    [121] = {"NON_MAX_SUPPRESSION_V5", 96, 1},
    [122] = {"SCATTER_ND", 97, 1},
    [123] = {"SELECT_V2", 98, 1},
    [124] = {"DENSIFY", 99, 1},
    [125] = {"SEGMENT_SUM", 100, 1},
    [126] = {"BATCH_MATMUL", 101, 2},
    [127] = {"PLACEHOLDER_FOR_GREATER_OP_CODES", 0, 1},
    [128] = {"CUMSUM", 102, 1},
    [129] = {"CALL_ONCE", 103, 1},
    [130] = {"BROADCAST_TO", 104, 1},
    [131] = {"RFFT2D", 105, 1},
    [132] = {"CONV_3D", 106, 1},
    [133] = {"IMAG", 0, 1},
    [134] = {"REAL", 0, 1},
    [135] = {"COMPLEX_ABS", 0, 1},
    [136] = {"HASHTABLE", 107, 1},
    [137] = {"HASHTABLE_FIND", 108, 1},
    [138] = {"HASHTABLE_IMPORT", 109, 1},
    [139] = {"HASHTABLE_SIZE", 110, 1},
    [140] = {"REDUCE_ALL", 27, 1},
    [141] = {"CONV_3D_TRANSPOSE", 106, 1},
    [142] = {"VAR_HANDLE", 111, 1},
    [143] = {"READ_VARIABLE", 112, 1},
    [144] = {"ASSIGN_VARIABLE", 113, 1},
    [145] = {"BROADCAST_ARGS", 0, 1},
    [146] = {"RANDOM_STANDARD_NORMAL", 114, 1},
    [147] = {"BUCKETIZE", 115, 1},
    [148] = {"RANDOM_UNIFORM", 114, 1},
    [149] = {"MULTINOMIAL", 114, 1},
    [150] = {"GELU", 116, 1},
    [151] = {"DYNAMIC_UPDATE_SLICE", 117, 1},
    [152] = {"RELU_0_TO_1", 0, 1},
    [153] = {"UNSORTED_SEGMENT_PROD", 118, 1},
    [154] = {"UNSORTED_SEGMENT_MAX", 119, 1},
    [155] = {"UNSORTED_SEGMENT_SUM", 121, 1},
    [156] = {"ATAN2", 122, 1},
    [157] = {"UNSORTED_SEGMENT_MIN", 120, 1},
    [158] = {"SIGN", 123, 1},
    [159] = {"BITCAST", 124, 1},
    [160] = {"BITWISE_XOR", 125, 1},
    [161] = {"RIGHT_SHIFT", 126, 1},
};

const struct atoll__opcode *atoll__opcode_get(int code)
{
    return code < 0 || code > ATOLL_OP_CODE_MAX ? NULL : &opcodes[code];
}

const char *atoll_opcode_name(int code)
{
    const struct atoll__opcode *o = atoll__opcode_get(code);
    return o != NULL ? o->name : "?";
}

const char *atoll_op_name(const struct atoll_op *op, char buf[64])
{
    if (op->code == ATOLL_OP_CUSTOM && op->custom_name != NULL) {
        return op->custom_name;
    }
    if (atoll__opcode_get(op->code) != NULL) {
        return atoll_opcode_name(op->code);
    }
    (void)snprintf(buf, 64, "UNKNOWN_%d", (int)op->code);
    return buf;
}
