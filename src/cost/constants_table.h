/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one table of the chip's constants: X(index, name, value, u95, unit, source, date).
 * u95 0: exact or defined. Lines whose source begins with "fit:" are rewritten by `./run fit`; the
 * others are facts of the chip and of its compiler, or stated assumptions. Units: "1" no unit.
 */
#define ATOLL__CONSTANTS(X)                                                                        \
    /* the array */                                                                                \
    X(TILES, "tiles", 16, 0, "1", "libedgetpu beagle chip structures", "2021-08-01")               \
    X(LANES, "macs_per_cell", 4, 0, "MAC/cycle", "every padding to 4 bytes in compiled files",     \
      "2026-11-24")                                                                                \
    X(STEP_OUTPUTS, "outputs_per_step", 32, 0, "1",                                                \
      "chains of 32 outputs and of 64 and more agree on one factor", "2026-11-24")                 \
    X(NARROW_TILE, "narrow_bytes_per_tile", 196608, 0, "B", "libedgetpu beagle chip structures",   \
      "2021-08-01")                                                                                \
    X(TILE_SIDE, "tiles_per_side", 4, 0, "1", "libedgetpu beagle chip structures", "2021-08-01")   \
    X(WIRE_ALIGN, "wire_align_bytes", 8, 0, "B", "layers of 150 compiled packages", "2026-11-24")  \
    /* cycles an operator takes, relative to the ideal count of its law */                         \
    X(CONV_FACTOR, "conv_cycle_factor", 1.028, 0.011, "1", "fit: networks and 7x7 chains",         \
      "2026-11-24")                                                                                \
    X(DEPTHWISE_FACTOR, "depthwise_cycle_factor", 1.229, 0.12, "cycle/B",                          \
      "fit: networks and 7x7 chains", "2026-11-24")                                                \
    X(VECTOR_FACTOR, "vector_cycle_factor", 1.042, 0.22, "cycle/B",                                \
      "fit: networks and 7x7 chains", "2026-11-24")                                                \
    X(CONCAT_PASSES, "concatenation_passes", 4, 0, "1", "2, 3 and 4 tried on BN-Inception",        \
      "2026-11-24")                                                                                \
    X(POOL_VALUES, "pool_values_per_pass", 4, 0, "1",                                              \
      "as many as the lanes; 4, 8 and 16 tried on BN-Inception", "2026-11-24")                     \
    /* parameters as stored */                                                                     \
    X(PACK_ALIGN, "packed_layer_align", 64, 0, "B", "compiled files of 2019 to 2021",              \
      "2026-11-24")                                                                                \
    X(PACK_ROWS, "packed_output_group", 64, 0, "1", "compiled files of 2019 to 2021",              \
      "2026-11-24")                                                                                \
    X(PACK_ROWS_SMALL, "packed_output_group_small", 16, 0, "1", "compiled files of 2019 to 2021",  \
      "2026-11-24")                                                                                \
    X(PACK_ROWS_TINY, "packed_output_group_tiny", 4, 0, "1", "compiled files of 2019 to 2021",     \
      "2026-11-24")                                                                                \
    X(PACK_TENSOR_BYTES, "packed_bytes_per_output_tensor_quant", 4, 0, "B",                        \
      "compiled files of 2019 to 2021", "2026-11-24")                                              \
    X(PACK_CHANNEL_BYTES, "packed_bytes_per_output_channel_quant", 12, 0, "B",                     \
      "compiled files of 2019 to 2021", "2026-11-24")                                              \
    X(PACK_CHANNEL_ZERO_BYTES, "packed_bytes_per_output_zero_bias", 8, 0, "B",                     \
      "compile logs of synthetic networks, compiler v16", "2026-11-24")                            \
    X(PACK_DENSE_BYTES, "packed_bytes_per_output_dense_int8", 8, 0, "B",                           \
      "compiled files of 2019 to 2021", "2026-11-24")                                              \
    X(PACK_SOFTMAX_ROWS, "packed_softmax_rows", 48, 0, "1",                                        \
      "compiled files of 2021: 48256 B at 1001 classes = 48 * pad4(1001) + 64", "2026-11-24")      \
    /* what stays in the parameter cache */                                                        \
    X(BUDGET_INNER, "budget_inner_mib", 7.655, 0.25, "MiB",                                        \
      "CIFAR networks, v16 logs: three intervals meet", "2026-11-24")                              \
    X(BUDGET_DENSE, "budget_dense_mib", 7.74, 0.07, "MiB", "synthetic dense chains, v16 logs",     \
      "2026-11-24")                                                                                \
    X(BUDGET_CHAIN, "budget_chain_mib", 7.0, 0.15, "MiB",                                          \
      "synthetic convolution chains at 64 px, v16 logs: 6.98 kept, 7.81 refused", "2026-11-24")    \
    X(BUDGET_RESIDUAL_224, "budget_residual_224_mib", 7.14, 0.3, "MiB", "ResNets at 224 px",       \
      "2026-11-24")                                                                                \
    X(BUDGET_BRANCH_224, "budget_branch_224_mib", 6.59, 0.6, "MiB", "GoogLeNet at 224 px",         \
      "2026-11-24")                                                                                \
    X(BUDGET_BRANCH_299, "budget_branch_299_mib", 5.53, 0.3, "MiB",                                \
      "Inception v3 and Inception-ResNet v2 at 299 px", "2026-11-24")                              \
    X(BUDGET_PLAIN_224, "budget_plain_224_mib", 7.00, 0.3, "MiB",                                  \
      "one synthetic network at four sizes", "2026-11-24")                                         \
    X(BUDGET_512, "budget_512_mib", 4.62, 0.5, "MiB", "one synthetic network at four sizes",       \
      "2026-11-24")                                                                                \
    X(BUDGET_768, "budget_768_mib", 3.91, 0.5, "MiB", "one synthetic network at four sizes",       \
      "2026-11-24")                                                                                \
    X(BUDGET_WIDE, "budget_wide_input_mib", 6.58, 0.07, "MiB",                                     \
      "chain segments whose input is 64x64xF, F 492 to 602", "2026-11-24")                         \
    X(WIDE_LOW, "wide_input_from_mib", 0.5, 0, "MiB", "below: no effect seen on the 8-TPU card",   \
      "2026-11-24")                                                                                \
    X(WIDE_HIGH, "wide_input_full_mib", 1.9, 0, "MiB", "64x64xF segments from F = 492",            \
      "2026-11-24")                                                                                \
    X(DENSE_LAYER_MAX, "dense_layer_max_mib", 7.0, 0.1, "MiB",                                     \
      "single dense layers: 6.80 MiB cached, 7.09 refused", "2026-11-24")                          \
    /* streamed weights of convolutions whose input and output exceed narrow memory */             \
    X(RESTREAM_LOW, "restream_passes_low", 4.4, 1.5, "1",                                          \
      "5-layer sweep at 64 px, 452 to 640 filters", "2026-11-24")                                  \
    X(RESTREAM_MID, "restream_passes_mid", 6.2, 2, "1", "5-layer sweep at 64 px, 704 filters",     \
      "2026-11-24")                                                                                \
    X(RESTREAM_HIGH, "restream_passes_high", 8.6, 3, "1", "5-layer sweep at 64 px, 722 to 742",    \
      "2026-11-24")                                                                                \
    X(RESTREAM_LOW_UPTO, "restream_low_upto", 1.67, 0, "1",                                        \
      "maps over narrow memory, 640 filters", "2026-11-24")                                        \
    X(RESTREAM_MID_AT, "restream_mid_at", 1.83, 0, "1", "maps over narrow memory, 704 filters",    \
      "2026-11-24")                                                                                \
    X(RESTREAM_HIGH_FROM, "restream_high_from", 2.0, 0, "1",                                       \
      "maps over narrow memory, 768 filters", "2026-11-24")                                        \
    /* activations */                                                                              \
    X(NARROW_SOFTMAX, "narrow_softmax_bytes_per_class", 8.99, 0, "B",                              \
      "one compiled file of 2021: 8996 B at 1001 classes", "2026-11-24")                           \
    X(NARROW_DENSE, "narrow_dense_bytes", 512, 0, "B", "compiled dense 256, 512, 1024",            \
      "2026-11-24")                                                                                \
    X(NARROW_DENSE_MIN, "narrow_dense_output_bytes", 64, 0, "B", "compiled dense 256, 512, 1024",  \
      "2026-11-24")                                                                                \
    /* instructions */                                                                             \
    X(INSTR_BASE, "instruction_base_bytes", 1450, 500, "B", "compiled dense 256, 512, 1024",       \
      "2026-11-24")                                                                                \
    X(INSTR_OP, "instruction_bytes_per_op", 1800, 300, "B/op",                                     \
      "files of 2019 and 2020, per operator and strip: five within 7 %, one 15 % off",             \
      "2026-11-24")                                                                                \
    X(INSTR_DEPTHWISE, "instruction_bytes_per_depthwise", 2950, 500, "B/op",                       \
      "files of 2019 and 2020, per operator and strip: five within 7 %, one 15 % off",             \
      "2026-11-24")                                                                                \
    X(INSTR_OP_V16, "instruction_bytes_per_op_v16", 5000, 3000, "B/op",                            \
      "files of 2021: 1.4 to 6.5 kB an operator; the card prefers little", "2026-11-24")           \
    X(INSTR_DENSE, "instruction_bytes_per_dense", 854, 50, "B/op",                                 \
      "compiled dense 256, 512, 1024; 300 layers captured in 2019 within 0.2 %", "2026-11-24")     \
    X(INSTR_DENSE_GROUP, "instruction_bytes_per_dense_group", 480, 0, "B",                         \
      "compiled dense 256, 512, 1024", "2026-11-24")                                               \
    /* operators left on the host: a coarse estimate, no data */                                   \
    X(CPU_US_PER_MMAC, "cpu_us_per_mmac", 300, 250, "us/MMAC",                                     \
      "assumption: 3 GMAC/s of one thread with int8 kernels", "2026-11-24")                        \
    X(CPU_US_PER_KB, "cpu_us_per_kb", 1, 1, "us/kB",                                               \
      "assumption: 1 GB/s through operators that are not arithmetic", "2026-11-24")                \
    /* 95 % half-widths of predicted times, relative; from cross-validation per family */          \
    X(REL_U95_CONV, "rel_u95_convolutional", 0.1119, 0, "1",                                       \
      "fit: errors of whole families left out", "2026-11-24")                                      \
    X(REL_U95_CHAIN, "rel_u95_chain", 0.4131, 0, "1", "fit: errors of whole families left out",    \
      "2026-11-24")                                                                                \
    X(REL_U95_DEPTHWISE, "rel_u95_depthwise", 0.504, 0, "1",                                       \
      "fit: errors of whole families left out", "2026-11-24")                                      \
    X(REL_U95_DENSE, "rel_u95_dense", 0.1669, 0, "1", "fit: errors of whole families left out",    \
      "2026-11-24")                                                                                \
    X(REL_U95_WIDE, "rel_u95_strips_streaming", 0.60, 0, "1",                                      \
      "wide chains send streamed weights 3 to 7 times", "2026-11-24")                              \
    /* range in which the laws were ever compared with a measurement */                            \
    X(RANGE_IMAGE_PX, "range_image_px", 1280, 0, "px", "largest input side among the time rows",   \
      "2026-11-24")                                                                                \
    X(RANGE_TENSOR_MIB, "range_tensor_mib", 16, 0, "MiB",                                          \
      "issue trackers: larger activation tensors make the compiler fail", "2026-11-24")
