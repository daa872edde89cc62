/* SPDX-License-Identifier: Apache-2.0 */
/* Private to room `cost`: constants by index, shapes as the device sees them, the laws. */
#ifndef ATOLL_COST_INTERNAL_H
#define ATOLL_COST_INTERNAL_H

#include <atoll/cost.h>

#include "constants_table.h"

enum atoll__k {
#define ATOLL__ID(id, n, v, u, un, src, d) ATOLL__K_##id,
    ATOLL__CONSTANTS(ATOLL__ID)
#undef ATOLL__ID
        ATOLL__K_COUNT
};
/** A vector of the constants, as the laws read it. */
struct atoll__constants {
    double v[ATOLL__K_COUNT];
};
extern const struct atoll__constants atoll__constants_default;
/** A constant that is a whole number. */
static inline uint64_t atoll__k_int(const struct atoll__constants *k, enum atoll__k id)
{
    return (uint64_t)k->v[id];
}
#define ATOLL__MIB 1048576.0

/* ---------------------------------------------------------------- shapes */

/** A tensor as rows, columns and channels; a batch counts as more rows. */
struct atoll__hwc {
    uint64_t h, w, c;
};
struct atoll__hwc atoll__cost_hwc(const struct atoll_tensor *t);
/** Bytes that go to the device for a tensor, and that come from it (channels padded to the lanes).
 */
uint64_t atoll__cost_wire_in_bytes(const struct atoll__constants *k, const struct atoll_tensor *t);
uint64_t atoll__cost_wire_out_bytes(const struct atoll__constants *k, const struct atoll_tensor *t);
/** Bytes of one tile when rows and columns are split 4 x 4, channels padded to the lanes. */
uint64_t atoll__cost_tile_bytes(const struct atoll__constants *k, const struct atoll_tensor *t);
/** The same with the halo that its readers need: what a tile allocates for it in narrow memory.
 * Exact on the compiled MobileNets (v1 0.5@160, v1 1.0@224, v2@224). */
uint64_t atoll__cost_buffer_bytes(const struct atoll__constants *k, const struct atoll_model *m,
                                  uint32_t tensor);

/* ------------------------------------------------------------------ laws */

/** What parameters become in the compiled file. */
struct atoll__packed {
    uint64_t cached_bytes; ///< as kept on chip
    uint64_t stream_bytes; ///< as sent per inference when it is not kept
    bool dense;            ///< a fully connected layer (has a size limit of its own)
};
void atoll__cost_packing(const struct atoll__constants *k, const struct atoll_model *m, uint32_t op,
                         enum atoll_compiler compiler, struct atoll__packed *out);
/** True for a constant multiply or add that the compiler folds into the convolution before it. */
bool atoll__cost_folded(const struct atoll_model *m, uint32_t op);
/** True for operators that own no buffer: their output is their input (pad, reshape, squeeze). */
bool atoll__cost_alias(const struct atoll_op *op);

struct atoll__cycles {
    double cycles, ideal_cycles;
    enum atoll_bound kind;
};
void atoll__cost_cycles(const struct atoll__constants *k, const struct atoll_model *m, uint32_t op,
                        uint64_t macs, struct atoll__cycles *out);
double atoll__cost_cpu_us(const struct atoll__constants *k, const struct atoll_model *m,
                          uint32_t op, uint64_t macs);
/** Narrow memory of an operator on vectors (fully connected, softmax), bytes per tile; 0: its maps
 * count. */
uint64_t atoll__cost_vector_narrow(const struct atoll__constants *k, const struct atoll_model *m,
                                   uint32_t op);

/** How often a streamed convolution sends its weights: 1, or more when its own input and output
 * exceed narrow memory (the compiler cuts the image and sends them once per strip, by a rule not
 * known). */
double atoll__cost_passes(const struct atoll__constants *k, const struct atoll_model *m,
                          uint32_t op);

/** What decides how much of the parameter cache a segment gets. */
struct atoll__situation {
    uint64_t image_px;    ///< side of the largest image among the inputs (sqrt(h*w)); 0: no image
    uint64_t input_bytes; ///< largest boundary input
    bool has_array;       ///< convolutions of any kind
    bool has_add;         ///< residual additions
    bool has_concat;
};
struct atoll__budget {
    double mib, u95_mib;
    const char *why;
};
struct atoll__budget atoll__cost_budget(const struct atoll__constants *k,
                                        const struct atoll__situation *s);
/** Side of an image that this graph input is, 0 when it is none (not rank 4, over 4 channels). */
uint64_t atoll__cost_image_px(const struct atoll_tensor *t);

/** What a segment holds, for its family and its warning. */
struct atoll__mix {
    double array_cycles, depthwise_cycles, vector_cycles;
    uint32_t n_ops, n_tpu_ops, n_dense, n_conv;
    uint32_t n_plain; ///< on the Edge TPU, neither dense nor depthwise nor free
    uint32_t n_depthwise;
    uint64_t dense_groups; ///< groups of outputs of the dense layers
    bool branches;         ///< sums or concatenations
    uint64_t largest_tensor_bytes, image_px;
    uint64_t off_bytes, again_bytes; ///< streamed; of these in layers that stream several times
};
enum atoll_family atoll__cost_family(const struct atoll__mix *mix);
const char *atoll__cost_warning(const struct atoll__constants *k, const struct atoll__mix *mix);
/** So much of what streams goes several times that the figures are rough. */
bool atoll__cost_restreams(uint64_t off_bytes, uint64_t again_bytes);
/** Strips that the compiler cuts the image into, from live bytes per tile; 1: it fits. */
uint64_t atoll__cost_strips(const struct atoll__constants *k, uint64_t live_tile_bytes);
/** Narrow memory used, bytes per tile, from live bytes and the largest need of a vector operator.
 */
uint64_t atoll__cost_narrow(const struct atoll__constants *k, uint64_t live_tile_bytes,
                            uint64_t vector_bytes);
/** Instructions sent per inference: a base, a part per operator (and strip), and for dense layers,
 *  whose code grows with their outputs, a part per layer and per group of 64 outputs. */
uint64_t atoll__cost_instructions(const struct atoll__constants *k, enum atoll_compiler compiler,
                                  const struct atoll__mix *mix, uint64_t strips);
/** Groups of 64 outputs of a dense layer; 0: none. */
uint64_t atoll__cost_dense_groups(const struct atoll__constants *k, const struct atoll_model *m,
                                  uint32_t op);

/** Sums of a segment, from which both paths make the figures of a stage. */
struct atoll__sums {
    uint64_t stored, on, off, narrow, in, out, out_px, instr, macs;
    double compute_us[2];    ///< sum of compute, by enum atoll_drive
    double exposed_us[2];    ///< sum of max(compute, stream) - compute
    double less_us, more_us; ///< the same, called, with the budget at the ends of its interval
    bool less_streams, more_streams;
    double cpu_us;
    uint32_t n_tpu_ops;
    enum atoll_family family;
    bool strips, restreams;
    const char *warning;
};
/** Microseconds of one cycle under a use, by enum atoll_drive, and of one streamed byte. */
struct atoll__rates {
    double us_per_cycle[2], us_per_stream_byte;
};
/** Adds a layer to the exposed streaming at both ends of the budget's interval. */
void atoll__cost_add_ends(struct atoll__sums *s, const struct atoll__rates *r, double cycles,
                          uint64_t bytes, bool less, bool more);
struct atoll__rates atoll__cost_rates(const struct atoll_board *b, const struct atoll_use *u);
void atoll__cost_stage_finish(const struct atoll__sums *s, const struct atoll_board *b,
                              const struct atoll_use *u, struct atoll_stage_cost *out);

/* ------------------------------------------------------- prepared models */

/** atoll_cost_program with at most room_bytes of the cache. */
int atoll__cost_program_in(const struct atoll_cost *c, const uint32_t *ops, uint32_t n,
                           uint64_t room_bytes, struct atoll_program *p, struct atoll_err *err);

#define ATOLL__NO_RANK UINT32_MAX

struct atoll__cost_op {
    uint64_t cached_bytes, stream_bytes, macs;
    double cycles, ideal_cycles, cpu_us, passes;
    uint32_t in_at, n_in;     ///< activation inputs in cost->refs, without duplicates
    uint32_t root_at, n_root; ///< buffers they lie in, without duplicates
    uint32_t out_at, n_out;   ///< outputs in cost->refs
    uint32_t
        rank; ///< place among all layers by cached bytes, largest first; NO_RANK: no parameters
    uint64_t vector_narrow, dense_groups;
    enum atoll_bound kind;
    bool mapped, dense, is_add, is_concat, is_conv, alias;
};
struct atoll__cost_tensor {
    uint64_t wire_in, wire_out, buffer_bytes, bytes, px;
    uint64_t image_px;
    int32_t producer; ///< operator, -1 none
    uint32_t root;    ///< tensor whose buffer it shares
    uint32_t uses_at,
        n_uses; ///< of roots: mapped operators that read it or an alias, in cost->refs, ascending
    bool is_output;
};
struct atoll_cost {
    const struct atoll_model *model;
    const struct atoll__constants *k; ///< the table's, or own
    struct atoll__constants own;
    enum atoll_compiler compiler;
    struct atoll__cost_op *ops;         ///< model->n_ops
    struct atoll__cost_tensor *tensors; ///< model->n_tensors
    uint32_t *refs;
    uint32_t *by_rank; ///< operators with parameters, largest first
    uint32_t n_ranked;
    struct atoll_arena arena;
};
#endif
