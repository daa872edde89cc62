/* SPDX-License-Identifier: Apache-2.0 */
/* The option tables of the .tflite schema (v3), one row per field: reader, writer and the flat
 * attributes all go by these rows. Ids, types and defaults: tensorflow/lite/schema/schema.fbs. */
#include "model_internal.h"

/* A field that struct atoll_op_attr carries; IN: with its allowed range. */
#define ATTR_IN(id_, name_, kind_, def_, member, lo, hi)                                           \
    {                                                                                              \
        .name = #name_, .id = id_, .kind = ATOLL__##kind_, .def = def_, .in_attr = true,           \
        .attr_offset = offsetof(struct atoll_op_attr, member), .min = lo, .max = hi                \
    }
#define ATTR(id_, name_, kind_, def_, member) ATTR_IN(id_, name_, kind_, def_, member, 0, 0)
/* A field that only the writer needs: copied from file to file. */
#define KEEP(id_, name_, kind_, def_)                                                              \
    {                                                                                              \
        .name = #name_, .id = id_, .kind = ATOLL__##kind_, .def = def_                             \
    }
/* A field that the writer makes from the operator's tensors when no file gave it. */
#define DERIVED(id_, name_, kind_, how)                                                            \
    {                                                                                              \
        .name = #name_, .id = id_, .kind = ATOLL__##kind_, .derive = ATOLL__##how                  \
    }

static const struct atoll__field fields_conv2_d[] = {
    ATTR_IN(0, padding, I8, 0, padding, 0, 1),
    ATTR_IN(1, stride_w, I32, 0, stride_w, 0, 65536),
    ATTR_IN(2, stride_h, I32, 0, stride_h, 0, 65536),
    ATTR_IN(3, fused_activation_function, I8, 0, activation, 0, 5),
    ATTR_IN(4, dilation_w_factor, I32, 1, dilation_w, 0, 65536),
    ATTR_IN(5, dilation_h_factor, I32, 1, dilation_h, 0, 65536),
    KEEP(6, quantized_bias_type, I8, 0),
};
static const struct atoll__field fields_depthwise_conv2_d[] = {
    ATTR_IN(0, padding, I8, 0, padding, 0, 1),
    ATTR_IN(1, stride_w, I32, 0, stride_w, 0, 65536),
    ATTR_IN(2, stride_h, I32, 0, stride_h, 0, 65536),
    ATTR_IN(3, depth_multiplier, I32, 0, depth_multiplier, 0, 1048576),
    ATTR_IN(4, fused_activation_function, I8, 0, activation, 0, 5),
    ATTR_IN(5, dilation_w_factor, I32, 1, dilation_w, 0, 65536),
    ATTR_IN(6, dilation_h_factor, I32, 1, dilation_h, 0, 65536),
};
static const struct atoll__field fields_pool2_d[] = {
    ATTR_IN(0, padding, I8, 0, padding, 0, 1),
    ATTR_IN(1, stride_w, I32, 0, stride_w, 0, 65536),
    ATTR_IN(2, stride_h, I32, 0, stride_h, 0, 65536),
    ATTR_IN(3, filter_width, I32, 0, filter_w, 0, 65536),
    ATTR_IN(4, filter_height, I32, 0, filter_h, 0, 65536),
    ATTR_IN(5, fused_activation_function, I8, 0, activation, 0, 5),
};
static const struct atoll__field fields_fully_connected[] = {
    ATTR_IN(0, fused_activation_function, I8, 0, activation, 0, 5),
    ATTR_IN(1, weights_format, I8, 0, weights_format, 0, 127),
    ATTR(2, keep_num_dims, BOOL, 0, keep_dims),
    KEEP(3, asymmetric_quantize_inputs, BOOL, 0),
    KEEP(4, quantized_bias_type, I8, 0),
};
static const struct atoll__field fields_transpose_conv[] = {
    ATTR_IN(0, padding, I8, 0, padding, 0, 1),
    ATTR_IN(1, stride_w, I32, 0, stride_w, 0, 65536),
    ATTR_IN(2, stride_h, I32, 0, stride_h, 0, 65536),
    ATTR_IN(3, fused_activation_function, I8, 0, activation, 0, 5),
    KEEP(4, quantized_bias_type, I8, 0),
};
static const struct atoll__field fields_softmax[] = {
    ATTR(0, beta, F32, 0, beta),
};
static const struct atoll__field fields_concatenation[] = {
    ATTR(0, axis, I32, 0, axis),
    ATTR_IN(1, fused_activation_function, I8, 0, activation, 0, 5),
};
static const struct atoll__field fields_add[] = {
    ATTR_IN(0, fused_activation_function, I8, 0, activation, 0, 5),
    KEEP(1, pot_scale_int16, BOOL, 1),
};
static const struct atoll__field fields_sub[] = {
    ATTR_IN(0, fused_activation_function, I8, 0, activation, 0, 5),
    KEEP(1, pot_scale_int16, BOOL, 1),
};
static const struct atoll__field fields_mul[] = {
    ATTR_IN(0, fused_activation_function, I8, 0, activation, 0, 5),
};
static const struct atoll__field fields_div[] = {
    ATTR_IN(0, fused_activation_function, I8, 0, activation, 0, 5),
};
static const struct atoll__field fields_l2_norm[] = {
    ATTR_IN(0, fused_activation_function, I8, 0, activation, 0, 5),
};
static const struct atoll__field fields_local_response_normalization[] = {
    KEEP(0, radius, I32, 0),
    KEEP(1, bias, F32, 0),
    KEEP(2, alpha, F32, 0),
    KEEP(3, beta, F32, 0),
};
static const struct atoll__field fields_lstm[] = {
    ATTR_IN(0, fused_activation_function, I8, 0, activation, 0, 5),
    KEEP(1, cell_clip, F32, 0),
    KEEP(2, proj_clip, F32, 0),
    KEEP(3, kernel_type, I8, 0),
    KEEP(4, asymmetric_quantize_inputs, BOOL, 0),
};
static const struct atoll__field fields_unidirectional_sequence_lstm[] = {
    ATTR_IN(0, fused_activation_function, I8, 0, activation, 0, 5),
    KEEP(1, cell_clip, F32, 0),
    KEEP(2, proj_clip, F32, 0),
    ATTR(3, time_major, BOOL, 0, time_major),
    KEEP(4, asymmetric_quantize_inputs, BOOL, 0),
    KEEP(5, diagonal_recurrent_tensors, BOOL, 0),
};
static const struct atoll__field fields_bidirectional_sequence_lstm[] = {
    ATTR_IN(0, fused_activation_function, I8, 0, activation, 0, 5),
    KEEP(1, cell_clip, F32, 0),
    KEEP(2, proj_clip, F32, 0),
    KEEP(3, merge_outputs, BOOL, 0),
    ATTR(4, time_major, BOOL, 1, time_major),
    KEEP(5, asymmetric_quantize_inputs, BOOL, 0),
};
static const struct atoll__field fields_svdf[] = {
    KEEP(0, rank, I32, 0),
    ATTR_IN(1, fused_activation_function, I8, 0, activation, 0, 5),
    KEEP(2, asymmetric_quantize_inputs, BOOL, 0),
};
static const struct atoll__field fields_sequence_rnn[] = {
    ATTR(0, time_major, BOOL, 0, time_major),
    ATTR_IN(1, fused_activation_function, I8, 0, activation, 0, 5),
    KEEP(2, asymmetric_quantize_inputs, BOOL, 0),
};
static const struct atoll__field fields_resize_bilinear[] = {
    KEEP(0, new_height, I32, 0),
    KEEP(1, new_width, I32, 0),
    ATTR(2, align_corners, BOOL, 0, align_corners),
    ATTR(3, half_pixel_centers, BOOL, 0, half_pixel_centers),
};
static const struct atoll__field fields_resize_nearest_neighbor[] = {
    ATTR(0, align_corners, BOOL, 0, align_corners),
    ATTR(1, half_pixel_centers, BOOL, 0, half_pixel_centers),
};
static const struct atoll__field fields_reshape[] = {
    DERIVED(0, new_shape, VEC_I32, OUT_SHAPE),
};
static const struct atoll__field fields_squeeze[] = {
    DERIVED(0, squeeze_dims, VEC_I32, SQUEEZE),
};
static const struct atoll__field fields_reducer[] = {
    ATTR(0, keep_dims, BOOL, 0, keep_dims),
};
static const struct atoll__field fields_strided_slice[] = {
    ATTR(0, begin_mask, I32, 0, begin_mask),
    ATTR(1, end_mask, I32, 0, end_mask),
    ATTR(2, ellipsis_mask, I32, 0, ellipsis_mask),
    ATTR(3, new_axis_mask, I32, 0, new_axis_mask),
    ATTR(4, shrink_axis_mask, I32, 0, shrink_axis_mask),
    KEEP(5, offset, BOOL, 0),
};
static const struct atoll__field fields_split[] = {
    ATTR_IN(0, num_splits, I32, 0, num, 0, 1048576),
};
static const struct atoll__field fields_split_v[] = {
    ATTR_IN(0, num_splits, I32, 0, num, 0, 1048576),
};
static const struct atoll__field fields_pack[] = {
    ATTR_IN(0, values_count, I32, 0, num, 0, 1048576),
    ATTR(1, axis, I32, 0, axis),
};
static const struct atoll__field fields_unpack[] = {
    ATTR_IN(0, num, I32, 0, num, 0, 1048576),
    ATTR(1, axis, I32, 0, axis),
};
static const struct atoll__field fields_leaky_relu[] = {
    ATTR(0, alpha, F32, 0, alpha),
};
static const struct atoll__field fields_mirror_pad[] = {
    KEEP(0, mode, I8, 0),
};
static const struct atoll__field fields_space_to_depth[] = {
    ATTR_IN(0, block_size, I32, 0, block_size, 0, 65536),
};
static const struct atoll__field fields_depth_to_space[] = {
    ATTR_IN(0, block_size, I32, 0, block_size, 0, 65536),
};
static const struct atoll__field fields_gather[] = {
    ATTR(0, axis, I32, 0, axis),
    KEEP(1, batch_dims, I32, 0),
};
static const struct atoll__field fields_cast[] = {
    DERIVED(0, in_data_type, I8, IN_TYPE),
    DERIVED(1, out_data_type, I8, OUT_TYPE),
};
static const struct atoll__field fields_arg_max[] = {
    DERIVED(0, output_type, I8, OUT_TYPE),
};
static const struct atoll__field fields_arg_min[] = {
    DERIVED(0, output_type, I8, OUT_TYPE),
};
static const struct atoll__field fields_shape[] = {
    DERIVED(0, out_type, I8, OUT_TYPE),
};
static const struct atoll__field fields_one_hot[] = {
    KEEP(0, axis, I32, 0),
};
static const struct atoll__field fields_batch_mat_mul[] = {
    KEEP(0, adj_x, BOOL, 0),
    KEEP(1, adj_y, BOOL, 0),
    KEEP(2, asymmetric_quantize_inputs, BOOL, 0),
};
static const struct atoll__field fields_gelu[] = {
    KEEP(0, approximate, BOOL, 0),
};
static const struct atoll__field fields_cumsum[] = {
    KEEP(0, exclusive, BOOL, 0),
    KEEP(1, reverse, BOOL, 0),
};
static const struct atoll__field fields_call[] = {
    KEEP(0, subgraph, U32, 0),
};
static const struct atoll__field fields_if[] = {
    KEEP(0, then_subgraph_index, I32, 0),
    KEEP(1, else_subgraph_index, I32, 0),
};
static const struct atoll__field fields_while[] = {
    KEEP(0, cond_subgraph_index, I32, 0),
    KEEP(1, body_subgraph_index, I32, 0),
};
static const struct atoll__field fields_var_handle[] = {
    KEEP(0, container, STRING, 0),
    KEEP(1, shared_name, STRING, 0),
};
static const struct atoll__field fields_fake_quant[] = {
    KEEP(0, min, F32, 0),
    KEEP(1, max, F32, 0),
    KEEP(2, num_bits, I32, 0),
    KEEP(3, narrow_range, BOOL, 0),
};

#define TABLE(name_, f)                                                                            \
    {                                                                                              \
        .name = name_, .fields = f, .n_fields = LEN(f), .n_ids = LEN(f), .known = true             \
    }
#define EMPTY(name_)                                                                               \
    {                                                                                              \
        .name = name_, .known = true                                                               \
    }
#define UNKNOWN(name_)                                                                             \
    {                                                                                              \
        .name = name_                                                                              \
    }
/* Index = code in the union BuiltinOptions. */
static const struct atoll__schema option_tables[] = {
    [1] = TABLE("Conv2DOptions", fields_conv2_d),
    [2] = TABLE("DepthwiseConv2DOptions", fields_depthwise_conv2_d),
    [3] = UNKNOWN("ConcatEmbeddingsOptions"),
    [4] = UNKNOWN("LSHProjectionOptions"),
    [5] = TABLE("Pool2DOptions", fields_pool2_d),
    [6] = TABLE("SVDFOptions", fields_svdf),
    [7] = UNKNOWN("RNNOptions"),
    [8] = TABLE("FullyConnectedOptions", fields_fully_connected),
    [9] = TABLE("SoftmaxOptions", fields_softmax),
    [10] = TABLE("ConcatenationOptions", fields_concatenation),
    [11] = TABLE("AddOptions", fields_add),
    [12] = TABLE("L2NormOptions", fields_l2_norm),
    [13] = TABLE("LocalResponseNormalizationOptions", fields_local_response_normalization),
    [14] = TABLE("LSTMOptions", fields_lstm),
    [15] = TABLE("ResizeBilinearOptions", fields_resize_bilinear),
    [16] = TABLE("CallOptions", fields_call),
    [17] = TABLE("ReshapeOptions", fields_reshape),
    [18] = UNKNOWN("SkipGramOptions"),
    [19] = TABLE("SpaceToDepthOptions", fields_space_to_depth),
    [20] = UNKNOWN("EmbeddingLookupSparseOptions"),
    [21] = TABLE("MulOptions", fields_mul),
    [22] = EMPTY("PadOptions"),
    [23] = TABLE("GatherOptions", fields_gather),
    [24] = EMPTY("BatchToSpaceNDOptions"),
    [25] = EMPTY("SpaceToBatchNDOptions"),
    [26] = EMPTY("TransposeOptions"),
    [27] = TABLE("ReducerOptions", fields_reducer),
    [28] = TABLE("SubOptions", fields_sub),
    [29] = TABLE("DivOptions", fields_div),
    [30] = TABLE("SqueezeOptions", fields_squeeze),
    [31] = TABLE("SequenceRNNOptions", fields_sequence_rnn),
    [32] = TABLE("StridedSliceOptions", fields_strided_slice),
    [33] = EMPTY("ExpOptions"),
    [34] = EMPTY("TopKV2Options"),
    [35] = TABLE("SplitOptions", fields_split),
    [36] = EMPTY("LogSoftmaxOptions"),
    [37] = TABLE("CastOptions", fields_cast),
    [38] = EMPTY("DequantizeOptions"),
    [39] = EMPTY("MaximumMinimumOptions"),
    [40] = TABLE("ArgMaxOptions", fields_arg_max),
    [41] = EMPTY("LessOptions"),
    [42] = EMPTY("NegOptions"),
    [43] = EMPTY("PadV2Options"),
    [44] = EMPTY("GreaterOptions"),
    [45] = EMPTY("GreaterEqualOptions"),
    [46] = EMPTY("LessEqualOptions"),
    [47] = EMPTY("SelectOptions"),
    [48] = EMPTY("SliceOptions"),
    [49] = TABLE("TransposeConvOptions", fields_transpose_conv),
    [50] = UNKNOWN("SparseToDenseOptions"),
    [51] = EMPTY("TileOptions"),
    [52] = EMPTY("ExpandDimsOptions"),
    [53] = EMPTY("EqualOptions"),
    [54] = EMPTY("NotEqualOptions"),
    [55] = TABLE("ShapeOptions", fields_shape),
    [56] = EMPTY("PowOptions"),
    [57] = TABLE("ArgMinOptions", fields_arg_min),
    [58] = TABLE("FakeQuantOptions", fields_fake_quant),
    [59] = TABLE("PackOptions", fields_pack),
    [60] = UNKNOWN("LogicalOrOptions"),
    [61] = TABLE("OneHotOptions", fields_one_hot),
    [62] = UNKNOWN("LogicalAndOptions"),
    [63] = UNKNOWN("LogicalNotOptions"),
    [64] = TABLE("UnpackOptions", fields_unpack),
    [65] = UNKNOWN("FloorDivOptions"),
    [66] = EMPTY("SquareOptions"),
    [67] = EMPTY("ZerosLikeOptions"),
    [68] = UNKNOWN("FillOptions"),
    [69] = TABLE("BidirectionalSequenceLSTMOptions", fields_bidirectional_sequence_lstm),
    [70] = UNKNOWN("BidirectionalSequenceRNNOptions"),
    [71] = TABLE("UnidirectionalSequenceLSTMOptions", fields_unidirectional_sequence_lstm),
    [72] = UNKNOWN("FloorModOptions"),
    [73] = UNKNOWN("RangeOptions"),
    [74] = TABLE("ResizeNearestNeighborOptions", fields_resize_nearest_neighbor),
    [75] = TABLE("LeakyReluOptions", fields_leaky_relu),
    [76] = EMPTY("SquaredDifferenceOptions"),
    [77] = TABLE("MirrorPadOptions", fields_mirror_pad),
    [78] = EMPTY("AbsOptions"),
    [79] = TABLE("SplitVOptions", fields_split_v),
    [80] = UNKNOWN("UniqueOptions"),
    [81] = UNKNOWN("ReverseV2Options"),
    [82] = UNKNOWN("AddNOptions"),
    [83] = EMPTY("GatherNdOptions"),
    [84] = UNKNOWN("CosOptions"),
    [85] = UNKNOWN("WhereOptions"),
    [86] = UNKNOWN("RankOptions"),
    [87] = UNKNOWN("ReverseSequenceOptions"),
    [88] = UNKNOWN("MatrixDiagOptions"),
    [89] = EMPTY("QuantizeOptions"),
    [90] = UNKNOWN("MatrixSetDiagOptions"),
    [91] = EMPTY("HardSwishOptions"),
    [92] = TABLE("IfOptions", fields_if),
    [93] = TABLE("WhileOptions", fields_while),
    [94] = TABLE("DepthToSpaceOptions", fields_depth_to_space),
    [95] = UNKNOWN("NonMaxSuppressionV4Options"),
    [96] = UNKNOWN("NonMaxSuppressionV5Options"),
    [97] = UNKNOWN("ScatterNdOptions"),
    [98] = EMPTY("SelectV2Options"),
    [99] = UNKNOWN("DensifyOptions"),
    [100] = UNKNOWN("SegmentSumOptions"),
    [101] = TABLE("BatchMatMulOptions", fields_batch_mat_mul),
    [102] = TABLE("CumsumOptions", fields_cumsum),
    [103] = UNKNOWN("CallOnceOptions"),
    [104] = UNKNOWN("BroadcastToOptions"),
    [105] = UNKNOWN("Rfft2dOptions"),
    [106] = UNKNOWN("Conv3DOptions"),
    [107] = UNKNOWN("HashtableOptions"),
    [108] = UNKNOWN("HashtableFindOptions"),
    [109] = UNKNOWN("HashtableImportOptions"),
    [110] = UNKNOWN("HashtableSizeOptions"),
    [111] = TABLE("VarHandleOptions", fields_var_handle),
    [112] = UNKNOWN("ReadVariableOptions"),
    [113] = UNKNOWN("AssignVariableOptions"),
    [114] = UNKNOWN("RandomOptions"),
    [115] = UNKNOWN("BucketizeOptions"),
    [116] = TABLE("GeluOptions", fields_gelu),
    [117] = UNKNOWN("DynamicUpdateSliceOptions"),
    [118] = UNKNOWN("UnsortedSegmentProdOptions"),
    [119] = UNKNOWN("UnsortedSegmentMaxOptions"),
    [120] = UNKNOWN("UnsortedSegmentMinOptions"),
    [121] = UNKNOWN("UnsortedSegmentSumOptions"),
    [122] = UNKNOWN("ATan2Options"),
    [123] = UNKNOWN("SignOptions"),
    [124] = UNKNOWN("BitcastOptions"),
    [125] = UNKNOWN("BitwiseXorOptions"),
    [126] = UNKNOWN("RightShiftOptions"),
};

const struct atoll__schema *atoll__option_schema(unsigned union_code)
{
    return union_code == 0 || union_code >= LEN(option_tables) ? NULL : &option_tables[union_code];
}
