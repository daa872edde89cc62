/* SPDX-License-Identifier: Apache-2.0 */
/* Executables of a compiled Edge TPU model. Field ids: libedgetpu, executable/executable.fbs. */
#include "darwinn.h"

#include <string.h>

enum {
    EXE_NAME = 1,
    EXE_MODEL,
    EXE_BATCH,
    EXE_SCRATCH,
    EXE_BITSTREAMS,
    EXE_PARAMETERS,
    EXE_HINTS,
    EXE_INPUTS,
    EXE_OUTPUTS,
    EXE_CHIP,
    EXE_CYCLES32,
    EXE_NARROW,
    EXE_TYPE,
    EXE_TOKEN,
    EXE_CYCLES64 = 16
};
enum { BITSTREAM_BYTES, BITSTREAM_OFFSETS };
enum { HINTS_LIST, HINTS_DETERMINISTIC };
enum { HINT_TYPE, HINT_VALUE, HINT_DIRECTION };
enum { HINT_DMA = 1, HINT_INSTRUCTION, HINT_INTERRUPT, HINT_FENCE }; /* union AnyHint */
enum { DMA_META, DMA_OFFSET, DMA_SIZE };
enum { INFEED, OUTFEED };
enum { OUTPUT_ACTIVATION, INPUT_ACTIVATION, PARAMETER, SCRATCH }; /* Description */
enum { LAYER_NAME, LAYER_SIZE, LAYER_Y, LAYER_X, LAYER_Z, LAYER_NUMERICS, LAYER_TYPE };

#define CHUNKS_MAX 65536u
#define LAYERS_MAX 4096u

const char *atoll_exe_type_name(enum atoll_exe_type t)
{
    static const char *const names[] = {"STAND_ALONE", "PARAMETER_CACHING", "EXECUTION_ONLY"};
    return (size_t)t < LEN(names) ? names[t] : "?";
}

/* DataType codes of executable.fbs. */
static const char *data_type_name(int32_t code)
{
    static const char *const names[] = {"u8",  "u16", "s32", "bf16", "f16",
                                        "f32", NULL,  NULL,  "s8",   "s16"};
    return code >= 0 && (size_t)code < LEN(names) && names[code] != NULL ? names[code] : "?";
}

static void *need(struct atoll__fb *fb, struct atoll_arena *a, size_t count, size_t bytes)
{
    void *p = atoll_arena_array(a, count, bytes);
    if (p == NULL) {
        atoll__fb_nomem(fb, "an executable", count * bytes);
    }
    return p;
}

static uint64_t not_negative(struct atoll__fb *fb, const struct atoll__fb_table *t, unsigned id,
                             const char *what)
{
    const int32_t v = atoll__fb_i32(fb, t, id, 0);
    if (v < 0) {
        atoll__fb_fail(fb, ATOLL_EINPUT, "%s is %d (expected 0 or more)", what, (int)v);
        return 0;
    }
    return (uint64_t)v;
}

static void read_chunks(struct atoll__fb *fb, struct atoll_arena *a,
                        const struct atoll__fb_table *t, struct atoll_exe *exe)
{
    const struct atoll__fb_vec v = atoll__fb_vector(fb, t, EXE_BITSTREAMS, 4);
    if (v.n > CHUNKS_MAX) {
        atoll__fb_fail(fb, ATOLL_ELIMIT, "%u instruction chunks (expected at most %u)", v.n,
                       CHUNKS_MAX);
        return;
    }
    uint64_t *bytes = need(fb, a, v.n, sizeof *bytes);
    for (uint32_t i = 0; i < v.n && fb->code == 0; i++) {
        const struct atoll__fb_table chunk = atoll__fb_table_at(fb, &v, i, "InstructionBitstream");
        bytes[i] = atoll__fb_vector(fb, &chunk, BITSTREAM_BYTES, 1).n;
        exe->instruction_bytes += bytes[i];
        exe->n_field_offsets += atoll__fb_vector(fb, &chunk, BITSTREAM_OFFSETS, 4).n;
    }
    exe->chunk_bytes = bytes;
    exe->n_chunks = v.n;
}

static void add_dma(struct atoll__fb *fb, const struct atoll__fb_table *hint, int16_t direction,
                    struct atoll_exe *exe)
{
    const struct atoll__fb_table dma = atoll__fb_sub(fb, hint, HINT_VALUE, "DmaDescriptorHint");
    const struct atoll__fb_table meta = atoll__fb_sub(fb, &dma, DMA_META, "Meta");
    const uint64_t bytes = not_negative(fb, &dma, DMA_SIZE, "size of a DMA hint");
    const int16_t what = atoll__fb_i16(fb, &meta, 0, 0);
    exe->hints_dma++;
    if (direction == INFEED) {
        exe->hint_in_parameter_bytes += what == PARAMETER ? bytes : 0;
        exe->hint_in_activation_bytes += what == INPUT_ACTIVATION ? bytes : 0;
        exe->hint_in_scratch_bytes += what == SCRATCH ? bytes : 0;
    } else if (direction == OUTFEED) {
        exe->hint_out_activation_bytes += what == OUTPUT_ACTIVATION ? bytes : 0;
        exe->hint_out_scratch_bytes += what == SCRATCH ? bytes : 0;
    }
}

static void add_instruction(struct atoll__fb *fb, const struct atoll__fb_table *hint,
                            struct atoll_exe *exe)
{
    const struct atoll__fb_table i = atoll__fb_sub(fb, hint, HINT_VALUE, "InstructionHint");
    const int32_t chunk = atoll__fb_i32(fb, &i, 0, 0);
    exe->hints_instruction++;
    if (chunk < 0 || (uint32_t)chunk >= exe->n_chunks) {
        atoll__fb_fail(fb, ATOLL_EINPUT, "a hint names instruction chunk %d of %u", (int)chunk,
                       exe->n_chunks);
        return;
    }
    exe->hint_in_instruction_bytes += exe->chunk_bytes[chunk];
}

static void read_hints(struct atoll__fb *fb, const struct atoll__fb_table *t, struct atoll_exe *exe)
{
    const struct atoll__fb_table hints = atoll__fb_sub(fb, t, EXE_HINTS, "DmaHints");
    const struct atoll__fb_vec list = atoll__fb_vector(fb, &hints, HINTS_LIST, 4);
    exe->has_hints = hints.pos != 0;
    exe->fully_deterministic = atoll__fb_u8(fb, &hints, HINTS_DETERMINISTIC, 0) != 0;
    for (uint32_t i = 0; i < list.n && fb->code == 0; i++) {
        const struct atoll__fb_table hint = atoll__fb_table_at(fb, &list, i, "DmaHint");
        switch (atoll__fb_u8(fb, &hint, HINT_TYPE, 0)) {
        case HINT_DMA: add_dma(fb, &hint, atoll__fb_i16(fb, &hint, HINT_DIRECTION, 0), exe); break;
        case HINT_INSTRUCTION: add_instruction(fb, &hint, exe); break;
        case HINT_INTERRUPT: exe->hints_interrupt++; break;
        case HINT_FENCE: exe->hints_fence++; break;
        default: break; /* a kind of a newer compiler: not counted */
        }
    }
}

static const struct atoll_exe_layer *read_layers(struct atoll__fb *fb, struct atoll_arena *a,
                                                 const struct atoll__fb_table *t, unsigned id,
                                                 uint32_t *n)
{
    const struct atoll__fb_vec v = atoll__fb_vector(fb, t, id, 4);
    if (v.n > LAYERS_MAX) {
        atoll__fb_fail(fb, ATOLL_ELIMIT, "%u layers (expected at most %u)", v.n, LAYERS_MAX);
        return NULL;
    }
    struct atoll_exe_layer *layers = need(fb, a, v.n, sizeof *layers);
    for (uint32_t i = 0; i < v.n && fb->code == 0; i++) {
        const struct atoll__fb_table layer = atoll__fb_table_at(fb, &v, i, "Layer");
        const char *name = atoll__fb_string(fb, &layer, LAYER_NAME);
        layers[i].name = name != NULL ? name : "";
        layers[i].size_bytes = not_negative(fb, &layer, LAYER_SIZE, "size of a layer");
        layers[i].y = (int32_t)not_negative(fb, &layer, LAYER_Y, "height of a layer");
        layers[i].x = (int32_t)not_negative(fb, &layer, LAYER_X, "width of a layer");
        layers[i].z = (int32_t)not_negative(fb, &layer, LAYER_Z, "depth of a layer");
        layers[i].data_type = atoll__fb_i16(fb, &layer, LAYER_TYPE, 0);
        layers[i].type = data_type_name(layers[i].data_type);
    }
    *n = fb->code == 0 ? v.n : 0;
    return layers;
}

int atoll__exe_read(const uint8_t *bytes, size_t n, struct atoll_arena *a, struct atoll_exe *exe,
                    struct atoll_err *err)
{
    struct atoll__fb fb;
    atoll__fb_init(&fb, bytes, n, err);
    const struct atoll__fb_table t = atoll__fb_root(&fb, NULL, "Executable");
    const char *name = atoll__fb_string(&fb, &t, EXE_NAME);
    const char *chip = atoll__fb_string(&fb, &t, EXE_CHIP);
    const int16_t type = atoll__fb_i16(&fb, &t, EXE_TYPE, 0);
    exe->name = name != NULL ? name : "";
    exe->chip = chip != NULL ? chip : "";
    if (fb.code == 0 && (type < ATOLL_EXE_STAND_ALONE || type > ATOLL_EXE_EXECUTION_ONLY)) {
        atoll__fb_fail(&fb, ATOLL_EUNSUPPORTED, "type %d (expected 0 to 2)", type);
        return fb.code;
    }
    exe->type = (enum atoll_exe_type)type;
    exe->batch = atoll__fb_i32(&fb, &t, EXE_BATCH, 0);
    exe->parameter_bytes = atoll__fb_vector(&fb, &t, EXE_PARAMETERS, 1).n;
    exe->serialized_model_bytes = atoll__fb_vector(&fb, &t, EXE_MODEL, 1).n;
    exe->token = atoll__fb_u64(&fb, &t, EXE_TOKEN, 0);
    exe->scratch_bytes = not_negative(&fb, &t, EXE_SCRATCH, "scratch size");
    exe->narrow_bytes_per_tile = not_negative(&fb, &t, EXE_NARROW, "narrow memory per tile");
    exe->estimated_cycles32 = atoll__fb_i32(&fb, &t, EXE_CYCLES32, 0);
    exe->estimated_cycles64 = atoll__fb_i64(&fb, &t, EXE_CYCLES64, 0);
    read_chunks(&fb, a, &t, exe);
    read_hints(&fb, &t, exe);
    exe->inputs = read_layers(&fb, a, &t, EXE_INPUTS, &exe->n_inputs);
    exe->outputs = read_layers(&fb, a, &t, EXE_OUTPUTS, &exe->n_outputs);
    return fb.code;
}
