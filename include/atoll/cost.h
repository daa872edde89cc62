/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cost.h
 * Room `cost`: what a network, or a segment of it, costs on one Edge TPU of a given board: memory,
 * time and energy, from laws with a reason, with their uncertainty. Three things live here:
 *  - the chip's constants, one table (atoll_constants), each with value, unit, u95, source, date;
 *  - board profiles (yaml): host, link, heat, power of a platform, with the same fields;
 *  - the laws: packed bytes, what is cached and what streams, cycles per operator, stage time,
 * energy. Everything is *computed*; nothing here knows a device. Method: docs/method-cost.md.
 */
#ifndef ATOLL_COST_H
#define ATOLL_COST_H

#include <atoll/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------ chip constants */

struct atoll_constant {
    const char *name; ///< "conv_cycle_factor"
    double value;
    double u95; ///< expanded uncertainty, same unit; 0: exact
    const char *unit;
    const char *source;
    const char *date; ///< ISO date of the fit or of the source
};
/** The one table of the chip's fitted and documented constants; static. */
ATOLL_API const struct atoll_constant *atoll_constants(size_t *n);
ATOLL_API const struct atoll_constant *atoll_constant_find(const char *name); ///< NULL: unknown

/* -------------------------------------------------------------------- boards */

enum atoll_compiler { ATOLL_COMPILER_V16, ATOLL_COMPILER_2019 };
enum atoll_clock {
    ATOLL_CLOCK_DEFAULT,
    ATOLL_CLOCK_STANDARD,
    ATOLL_CLOCK_MAX
}; ///< runtime build; DEFAULT: the profile's
enum atoll_host_runner { ATOLL_RUNNER_DEFAULT, ATOLL_RUNNER_PYTHON, ATOLL_RUNNER_C };
/** How stages are driven: called one after the other by hand, or each by a thread with queues
 * between. */
enum atoll_drive { ATOLL_DRIVE_CALLED, ATOLL_DRIVE_THREADED };
enum atoll_link { ATOLL_LINK_PCIE, ATOLL_LINK_USB3, ATOLL_LINK_USB2, ATOLL_LINK_ONBOARD };
ATOLL_API const char *atoll_link_name(enum atoll_link l);

/** A profile's constant. */
struct atoll_quantity {
    double value, u95;
    const char *unit, *source, *date; ///< "" when the file does not say
    bool assumed; ///< not measured: stated as an assumption in every answer that rests on it
};

/** Cost of driving a stage, for one (runner, drive). All in microseconds, MiB = 2^20 bytes. */
struct atoll_drive_cost {
    struct atoll_quantity call_us;           ///< fixed, per stage and inference
    struct atoll_quantity input_us_per_mib;  ///< host to device: atoll_board_sent_bytes
    struct atoll_quantity output_us_per_mib; ///< device to host, channels padded to 4
    struct atoll_quantity
        output_us_per_kpx;           ///< 1000 output pixels: the host copies them one by one
    struct atoll_quantity serial_us; ///< part of call_us during which all stages of the host
                                     ///< exclude each other (one lock)
    struct atoll_quantity
        copy_us; ///< added to the latency, per further independent pipeline running beside
    struct atoll_quantity copy_interval_us; ///< added to the interval of each pipeline, per further
                                            ///< independent pipeline running beside
    struct atoll_quantity compute_scale;    ///< factor on the compute of the chip's laws under this
                                            ///< way of driving (1: none)
};

struct atoll_rail {
    const char *name; ///< "12v_slot", "3v3_slot", "5v"
    double volt;
    double share_frac; ///< of the board's power
};

#define ATOLL_TPUS_MAX 64
#define ATOLL_RAILS_MAX 8

/** A platform. Owned; atoll_board_close. Strings live in the board. */
struct atoll_board {
    const char *name, *title, *path; ///< path of the yaml file
    const char *text;                ///< the file's text, for provenance
    uint32_t n_tpus;
    enum atoll_link link;
    enum atoll_clock clock;        ///< default runtime build
    enum atoll_host_runner runner; ///< default
    struct atoll_quantity clock_max_hz, clock_standard_hz;
    struct atoll_drive_cost drive[2][2];     ///< [runner - ATOLL_RUNNER_PYTHON][drive]
    struct atoll_quantity stream_us;         ///< once per inference of a stage that streams at all
    struct atoll_quantity stream_us_per_mib; ///< k: weights over the link, per TPU alone
    struct atoll_quantity load_us; ///< fixed part of loading parameters (first inference, reload)
    struct atoll_quantity load_us_per_mib; ///< parameters into the cache
    struct atoll_quantity
        shared_link_mib_per_s; ///< what all TPUs together can move; 0: no common limit
    uint32_t host_threads;     ///< host threads that can drive stages at once
    /* heat */
    struct atoll_quantity ambient_c, thermal_c_per_w, thermal_tau_s;
    double trip_c[3]; ///< clock divider steps 1, 2, 3 (gasket driver: 85, 90, 95)
    bool throttles;   ///< PCIe only
    /* power, per TPU unless said */
    struct atoll_quantity idle_mw, compute_mw, stream_mw,
        transfer_mw;                     ///< total while in that state
    struct atoll_quantity mj_per_gmac;   ///< dynamic energy of arithmetic, on top of compute_mw
    struct atoll_quantity leak_mw_per_c; ///< above 25 degC
    struct atoll_quantity
        board_mw; ///< overhead of the board (switch, regulators, host where it is measured along)
    struct atoll_rail rails[ATOLL_RAILS_MAX];
    uint32_t n_rails;
    /* spread, used by the simulated board and by intervals */
    struct atoll_quantity jitter_run_frac;       ///< standard deviation between runs
    struct atoll_quantity jitter_inference_frac; ///< standard deviation between inferences of a run
    struct atoll_quantity spike_frac,
        spike_us;              ///< chance and mean size of a host hiccup per stage call
    struct atoll_arena *arena; ///< private
};
/** Loads "asus_crl_g18u" from share/boards (see atoll_share_find) or a file. ATOLL_ENOTFOUND lists
 *  the known names. Every key is checked for unit and range; unknown keys are ATOLL_EINPUT. */
ATOLL_API int atoll_board_open(const char *name_or_path, const char *share,
                               struct atoll_board **board, struct atoll_err *err);
ATOLL_API void atoll_board_close(struct atoll_board **board);
/** Names of the profiles found; owned array (atoll_share_dirs_free frees it). */
ATOLL_API char **atoll_board_names(const char *share);

/** The profile as a yaml file in canonical form (what atoll_board_open reads; `calibrate` and the
 * fit write profiles with it); owned, atoll_free; NULL: no memory. */
ATOLL_API char *atoll_board_text(const struct atoll_board *b);

/** How a board is used. Zero-initialised = all defaults of the profile. */
struct atoll_use {
    enum atoll_clock clock;
    enum atoll_host_runner runner;
};
ATOLL_API double atoll_board_clock_hz(const struct atoll_board *b, const struct atoll_use *u);
ATOLL_API const struct atoll_drive_cost *atoll_board_drive(const struct atoll_board *b,
                                                           const struct atoll_use *u,
                                                           enum atoll_drive d);

/** Bytes that go to the chip before it starts: the inputs, and on USB the instructions too. On PCIe
 *  the chip fetches its instructions itself while it runs (the rows of the 8-TPU card and small
 *  dense networks leave no room for them). */
ATOLL_API uint64_t atoll_board_sent_bytes(const struct atoll_board *b, uint64_t input_bytes,
                                          uint64_t instruction_bytes);

/* ------------------------------------------------------------ what the chip runs */

enum atoll_bound {
    ATOLL_BOUND_ARRAY,
    ATOLL_BOUND_DEPTHWISE,
    ATOLL_BOUND_VECTOR,
    ATOLL_BOUND_LINK,
    ATOLL_BOUND_FREE,
    ATOLL_BOUND_CPU,
    ATOLL_BOUND_CALL ///< no operator's: the fixed part of a call, beside the operators
};
ATOLL_API const char *atoll_bound_name(
    enum atoll_bound b); ///< "array", "depthwise", "vector", "link", "free", "cpu", "call"

/** One operator as the compiled program runs it. */
struct atoll_layer {
    uint32_t op;           ///< index in the model
    uint64_t packed_bytes; ///< parameters as stored for the device
    uint64_t stream_bytes; ///< sent per inference: 0 when cached; several times packed_bytes where
                           ///< a wide convolution sends its weights once per strip
    uint64_t if_streamed_bytes;            ///< sent per inference if it is not cached
    bool streams_if_less, streams_if_more; ///< with the budget at the ends of its 95 % interval
    double cycles;                         ///< of the array or vector unit, at the core clock
    double ideal_cycles; ///< without padding, array full: MACs / 2048, the best ever measured
    uint64_t macs;
    double cpu_us;         ///< of an operator left on the host: its time there, a coarse estimate
    enum atoll_bound kind; ///< unit that computes it (never LINK: that depends on the board)
};

/** What dominates a segment; intervals come from the cross-validated errors of its family. */
enum atoll_family {
    ATOLL_FAMILY_CONVOLUTIONAL,
    ATOLL_FAMILY_DEPTHWISE,
    ATOLL_FAMILY_DENSE,
    ATOLL_FAMILY_HOST,
    ATOLL_FAMILY_CHAIN ///< convolutions one after the other, without sums or concatenations
};
ATOLL_API const char *atoll_family_name(
    enum atoll_family f); ///< "convolutional", "depthwise", "dense", "host", "chain"

/** What the compiler makes of a segment: independent of host and link. Arrays owned by the program.
 */
struct atoll_program {
    struct atoll_layer *layers; ///< in order of execution
    uint32_t n_layers;
    uint64_t stored_bytes, on_chip_bytes, off_chip_bytes; ///< parameters; stored = on + off
    uint64_t budget_bytes;  ///< cache available to this segment (an assumption, see budget_why)
    const char *budget_why; ///< static text: situation the budget was taken from
    uint64_t narrow_bytes_per_tile; ///< activation memory
    bool strips;    ///< activations exceed narrow memory: the compiler cuts the image
    bool restreams; ///< streamed wide convolutions send their weights several times
    uint64_t input_bytes, output_bytes; ///< on the wire, padded as the device lays tensors out
                                        ///< (input pad8, output channels pad4)
    uint64_t output_px;           ///< rows * columns of all outputs: the host lays them out anew
    uint64_t instruction_bytes;   ///< sent at every inference
    uint32_t n_inputs, n_outputs; ///< boundary tensors
    enum atoll_family family;
    uint32_t n_tpu_ops;  ///< operators on the Edge TPU
    uint32_t cpu_ops;    ///< operators left on the CPU
    double cpu_us;       ///< their time on the host, a coarse estimate
    const char *warning; ///< static text where the real compiler would fail or the range was never
                         ///< measured; NULL
};
ATOLL_API void atoll_program_finish(struct atoll_program *p);

/** A model prepared for costing. Immutable, may be used by several threads; the model must outlive
 * it. */
struct atoll_cost;
ATOLL_API int atoll_cost_open(const struct atoll_model *m, enum atoll_compiler compiler,
                              struct atoll_cost **c, struct atoll_err *err);
/** The same with constants of one's own: `values` in the order of atoll_constants (copied). For the
 * fit, and for what-if questions; everything else uses the table. */
ATOLL_API int atoll_cost_open_with(const struct atoll_model *m, enum atoll_compiler compiler,
                                   const double *values, struct atoll_cost **c,
                                   struct atoll_err *err);
ATOLL_API void atoll_cost_close(struct atoll_cost **c);
ATOLL_API const struct atoll_model *atoll_cost_model(const struct atoll_cost *c);
/** The most parameter bytes that a segment of this model can keep on chip: one with convolutions
 * (on_array) or without, one that reads the image the graph is given or one that does not. */
ATOLL_API double atoll_cost_most_kept_bytes(const struct atoll_cost *c, bool on_array,
                                            bool reads_image);
/** The value of a constant that this model is costed with; NAN: no such constant. */
ATOLL_API double atoll_cost_constant(const struct atoll_cost *c, const char *name);
ATOLL_API enum atoll_compiler atoll_cost_compiler(
    const struct atoll_cost *c); ///< whose rules it follows
/** Packed bytes of one operator's parameters under this compiler (0: none, or left on the CPU). */
ATOLL_API uint64_t atoll_cost_packed_bytes(const struct atoll_cost *c, uint32_t op);

/** The program of the segment that holds `ops[n]` (indices, in order of execution). n = all: the
 * model. Finish with atoll_program_finish. */
ATOLL_API int atoll_cost_program(const struct atoll_cost *c, const uint32_t *ops, uint32_t n,
                                 struct atoll_program *p, struct atoll_err *err);

/** Models compiled together (`edgetpu_compiler A B ...`), each whole on the same TPU: they share
 *  one parameter cache, the first named is served first, and no one evicts another. With B_q the
 *  budget that model q would have alone and on_q what it keeps on chip:
 *
 *      B = min over q of B_q,   room_1 = B,   room_q = B - (on_1 + ... + on_(q-1))
 *
 *  and model q keeps whole layers, largest first, within room_q. That the pool is common is seen in
 *  the logs of two co-compiled pairs (the compiler prints the same "remaining" for both models);
 *  that its size is the smallest of the budgets is an assumption. p[n] in the order of `c`; `room`
 *  is p[q].budget_bytes. On an error no program is left to finish. */
ATOLL_API int atoll_cost_programs_together(const struct atoll_cost *const *c, uint32_t n,
                                           struct atoll_program *p, struct atoll_err *err);

/* --------------------------------------------------------------- stage figures */

/** Time and energy of one stage on one TPU of a board, per inference, steady state; all computed.
 */
struct atoll_stage_cost {
    uint64_t stored_bytes, on_chip_bytes, off_chip_bytes, narrow_bytes_per_tile;
    uint64_t input_bytes, output_bytes, instruction_bytes;
    uint64_t output_px;
    uint64_t macs;
    double compute_us; ///< sum over layers of compute
    double stream_us;  ///< exposed streaming: sum of max(compute, stream) - compute_us
    double input_us, output_us;
    double call_us;    ///< host cost when called one after the other
    double cpu_us;     ///< operators left on the host
    double latency_us; ///< whole stage when called one after the other
    double service_us; ///< whole stage when driven by threads: what bounds the interval
    double serial_us;  ///< host time during which other stages wait (threaded)
    double load_us;    ///< loading its parameters (added to the first inference, or to a reload)
    double latency_u95_us; ///< 95 % half-width, from cross-validated errors of the family at hand
    double service_u95_us;
    double busy_us;   ///< time the TPU is not idle
    double active_mj; ///< energy above idle for one inference, this TPU
    double active_u95_mj;
    enum atoll_family family; ///< whose errors the u95 rest on
    bool strips;
    const char *warning; ///< as in atoll_program
};
/** The fast path: costs a segment without keeping its layers. Thread-safe. */
ATOLL_API int atoll_cost_stage(const struct atoll_cost *c, const struct atoll_board *b,
                               const struct atoll_use *u, const uint32_t *ops, uint32_t n,
                               struct atoll_stage_cost *out, struct atoll_err *err);
/** The same from a program already made; tests compare both. */
ATOLL_API void atoll_cost_stage_of(const struct atoll_program *p, const struct atoll_board *b,
                                   const struct atoll_use *u, struct atoll_stage_cost *out);
/** Mean time of an inference when several models use one TPU. share_q: of the inferences, those of
 *  model q (they sum to 1); t_q latency, l_q load_us of atoll_stage_cost. Compiled together,
 * nothing is ever loaded again, but each model has less of the cache:
 *
 *      together_us = sum of share_q * t_q(together)
 *
 *  Compiled apart, an inference that follows one of another model loads its parameters first:
 *
 *      apart_random_us = sum of share_q * (t_q + (1 - share_q) * l_q)   any order, independent
 *      apart_turns_us  = sum of share_q * (t_q + l_q)                   never twice the same
 *
 *  One model: all three are its latency. */
struct atoll_shared_cost {
    double together_us, apart_random_us, apart_turns_us;
    double reload_us; ///< mean of l_q: what one switch costs when compiled apart
};
ATOLL_API void atoll_cost_shared(const struct atoll_stage_cost *together,
                                 const struct atoll_stage_cost *apart, const double *share_frac,
                                 uint32_t n, struct atoll_shared_cost *out);
/** One operator of a program on one TPU of a board, called by hand. */
struct atoll_layer_cost {
    uint32_t op;   ///< index in the model
    double cycles; ///< at the core clock
    double compute_us;
    double stream_us;         ///< its parameters over the link; 0 when they are on chip
    double us;                ///< max(compute, stream): what it adds to the latency
    double share_frac;        ///< of the stage's latency (call, input and output take the rest)
    double waste_frac;        ///< share of the array's time that works on padding (channels in
                              ///< groups of 4 and 32, pixels in groups of tiles); 0 elsewhere
    uint64_t parameter_bytes; ///< as stored
    bool on_chip;             ///< it has parameters and they are cached
    enum atoll_bound bound;   ///< LINK when streaming is longer than computing
};
/** Fills out[p->n_layers], in order of execution. */
ATOLL_API void atoll_program_breakdown(const struct atoll_program *p, const struct atoll_board *b,
                                       const struct atoll_use *u, struct atoll_layer_cost *out);
/** Places (in `layers`) of the n_top costliest, longest first; `top` has room for n_top and is
 * filled up to min(n_top, n). */
ATOLL_API int atoll_program_costliest(const struct atoll_layer_cost *layers, uint32_t n,
                                      uint32_t *top, uint32_t n_top, struct atoll_err *err);
/** Power of a TPU that waits, and of the board beyond its TPUs, mW, with u95. */
ATOLL_API struct atoll_quantity atoll_board_idle_tpu_mw(const struct atoll_board *b);
/** What `edgetpu_compiler` would print for the segments of a model, one block each, in its own
 *  format; its first line says that it is an estimate. `input_name`: "dir/NAME.tflite" or a zoo
 * name. With n > 1 the blocks name NAME_segment_<i>_of_<n>. With `show_operations` each block ends
 * in the table of `-s`. Owned, atoll_free; NULL: no memory. For the command: make one program per
 *  segment (atoll_cost_program), pass them in pipeline order. */
ATOLL_API char *atoll_cost_compiler_log(const struct atoll_cost *c,
                                        const struct atoll_program *programs, uint32_t n,
                                        const char *input_name, bool show_operations);
/** The same for models compiled together: programs of atoll_cost_programs_together, a block each.
 *  "Remaining" is what the whole set leaves, the same in all blocks, as the compiler prints it. */
ATOLL_API char *atoll_cost_compiler_log_together(const struct atoll_cost *const *c,
                                                 const struct atoll_program *programs,
                                                 const char *const *input_names, uint32_t n,
                                                 bool show_operations);

#ifdef __cplusplus
}
#endif
#endif
