/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameter bytes against compiled files of 2019 to 2021 (packing.tsv), byte for byte, wherever the
 * layers are known: the source model is shared, or the zoo rebuilds it. Rows that cannot be checked
 * are listed with the reason.
 */
#include "golden_fixture.h"

/** How to get the layers of a compiled file whose path contains `part`. */
struct source {
    const char *part;
    const char *model; ///< NULL: cannot be checked
    bool per_tensor;   ///< the zoo writes weights per channel; the file has one scale a tensor
    bool headless;     ///< the file ends before the last layer with weights
    const char *why;   ///< why not, or what is known of the row
};
#define POSENET "shared:test_data/posenet/posenet_mobilenet_v1_075_353_481_16_quant_decoder.tflite"
static const struct source sources[] = {
    {"mobilenet_v2_w_fc", "mobilenet_v2?classes=1000", true, false, NULL},
    {"mobilenet_v2_wo_fc", "mobilenet_v2?classes=1000", true, true, NULL},
    {"inat_insect", "mobilenet_v2?classes=1022", true, false, NULL},
    {"inat_bird", "shared:test_data/mobilenet_v2_1.0_224_inat_bird_quant.tflite", false, false,
     NULL},
    {"mobilenet_v2_1.0_224_quant", "shared:test_data/mobilenet_v2_1.0_224_quant.tflite", false,
     false, NULL},
    {"dense_1024", "shared:LibrEdgeTPU/dense_1024.tflite", false, false, NULL},
    {"dense_256", "shared:LibrEdgeTPU/dense_256.tflite", false, false, NULL},
    {"dense_512", "shared:LibrEdgeTPU/dense_512.tflite", false, false, NULL},
    {"_16_quant", POSENET, false, false, NULL},
    {"posenet_mobilenet_v1_075", POSENET, true, false, NULL},
    {"classifier_edgetpu", NULL, false, false, "a user's model; its source is not published"},
    {"mobilenet_edgetpu_0.75",
     "shared:edgetpu_2020/mobilenet_edgetpu_0.75_224_post_training_quant.tflite", false, false,
     NULL},
    {"/mobilenet_v1_0.25_128", "shared:test_data/mobilenet_v1_0.25_128_quant.tflite", false, false,
     NULL},
    {"/mobilenet_v1_0.5_160", "shared:test_data/mobilenet_v1_0.5_160_quant.tflite", false, false,
     NULL},
    {"embedding_extractor",
     "shared:edgetpu_2020/mobilenet_v1_1.0_224_quant_embedding_extractor.tflite", false, false,
     NULL},
    {"slim_cityscapes", "shared:test_data/deeplab_mobilenet_edgetpu_slim_cityscapes_quant.tflite",
     false, false, NULL},
    {"keras_lstm", NULL, false, false,
     "the gate tables of an LSTM follow no law found so far (docs/method-cost.md)"},
    {"128x128x3x32x7x", "convolution chain", true, false,
     "a 1x1 convolution to one output follows"},
    {"dense_2x2x3x", "dense chain", true, false, "12 inputs of a 2x2x3 map, stored as 2x2x4"},
    {"model_padding_stride", "io", true, false, NULL},
    {"model_stride", "io", true, false, NULL},
    {"model_mat_Add", "io", true, false, NULL},
};

static const struct source *source_of(const char *compiled)
{
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        if (strstr(compiled, sources[i].part) != NULL) {
            return &sources[i];
        }
    }
    return NULL;
}

/** Zoo specification of a row: numbers of the chains stand in the file name. */
static void spec_of(const struct source *s, const char *compiled, char out[200])
{
    const char *at = strstr(compiled, s->part) + strlen(s->part);
    char first[16] = "";
    char second[16] = "";
    if (strcmp(s->part, "dense_2x2x3x") == 0) {
        (void)sscanf(at, "%15[0-9]x%15[0-9]", first, second);
        (void)snprintf(out, 200, "dense_chain?inputs=16&units=%s&layers=%s&classes=1", first,
                       second);
    } else if (strcmp(s->part, "128x128x3x32x7x") == 0) {
        (void)sscanf(at, "%15[0-9]", first);
        (void)snprintf(out, 200, "conv_chain?filters=32&kernel=7&size=128&layers=%s", first);
    } else {
        (void)snprintf(out, 200, "%s", s->model);
    }
}

/** Weights of a zoo network with one scale a tensor, uint8, as the files of 2019 have them. */
static void make_per_tensor(struct atoll_model *m)
{
    for (uint32_t i = 0; i < m->n_ops; i++) {
        const int32_t w = atoll_op_weights(m, i);
        if (w >= 0) {
            m->tensors[w].quant.n = 1;
            m->tensors[w].type = ATOLL_TYPE_UINT8;
        }
    }
}

/** The softmax over 1001 classes has a table in files of the 2021 compiler (the row's note says
 * so). */
#define SOFTMAX_TABLE 48256
/** 1x1 convolution of 32 channels to one output at the end of the 7x7 chains: pad64(4 * (32 + 4)).
 */
#define CHAIN_TAIL 192
/** The input/output sweeps hold one 1x1 convolution of 3 channels to one: pad64(4 * (4 + 4)). */
#define IO_BYTES 64

static uint64_t stored_of(const struct source *s, const char *compiled, bool *missing)
{
    char spec[200];
    spec_of(s, compiled, spec);
    if (strcmp(spec, "io") == 0) {
        return IO_BYTES;
    }
    struct atoll_model *m = golden_model(spec);
    *missing = m == NULL;
    if (m == NULL) {
        return 0;
    }
    if (s->per_tensor) {
        make_per_tensor(m);
    }
    uint32_t n = m->n_ops;
    while (s->headless && n > 0 && atoll_op_weights(m, n - 1u) < 0) {
        n--;
    }
    struct atoll_program p = golden_program(m, ATOLL_COMPILER_2019, 0, n - s->headless);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < p.n_layers; i++) {
        bytes += p.layers[i].packed_bytes;
    }
    atoll_program_finish(&p);
    atoll_model_close(&m);
    return strstr(compiled, "128x128x3x32x7x") != NULL ? bytes + CHAIN_TAIL : bytes;
}

static void every_row_with_known_layers_is_exact(void **state)
{
    (void)state;
    struct tsv t = golden_table("packing.tsv");
    size_t exact = 0;
    size_t wrong = 0;
    size_t unknown = 0;
    for (size_t i = 0; i < t.n_rows; i++) {
        const char *compiled = tsv_text(&t, i, "compiled");
        const struct source *s = source_of(compiled);
        bool missing = false;
        if (s == NULL || s->model == NULL) {
            (void)printf("not checked: %s: %s\n", compiled, s != NULL ? s->why : "source unknown");
            unknown++;
            continue;
        }
        uint64_t bytes = stored_of(s, compiled, &missing);
        if (missing) {
            (void)printf("not checked: %s: the source model is not at hand\n", compiled);
            unknown++;
            continue;
        }
        if (strstr(tsv_text(&t, i, "note"), "softmax(1001)") != NULL) {
            bytes += SOFTMAX_TABLE;
        }
        const double stored = tsv_number(&t, i, "stored_bytes");
        if ((double)bytes == stored) {
            exact++;
        } else {
            (void)printf("WRONG %s: %llu, file has %.0f\n", compiled, (unsigned long long)bytes,
                         stored);
            wrong++;
        }
    }
    (void)printf("packing: %zu rows exact, %zu wrong, %zu not checked\n", exact, wrong, unknown);
    tsv_close(&t);
    assert_int_equal(wrong, 0);
    assert_true(exact >= 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_row_with_known_layers_is_exact)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
