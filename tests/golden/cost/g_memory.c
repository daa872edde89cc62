/* SPDX-License-Identifier: Apache-2.0 */
/* What stays on chip and what streams, against compile logs of the v16 compiler. */
#include "golden_fixture.h"

#include <math.h>

#define MIB 1048576.0

static struct atoll_program zoo_program(const char *spec)
{
    struct atoll_model *m = golden_model(spec);
    struct atoll_program p = golden_program(m, ATOLL_COMPILER_V16, 0, m->n_ops);
    atoll_model_close(&m);
    return p;
}

/** Zoo specification of a single-device row of a synthetic sweep. */
static void synthetic_spec(const struct tsv *t, size_t row, char out[200])
{
    const int layers = (int)tsv_number(t, row, "layers");
    const int width = (int)tsv_number(t, row, "width");
    if (tsv_is(t, row, "net", "conv")) {
        (void)snprintf(out, 200, "conv_chain?layers=%d&filters=%d&bias=zero", layers, width);
    } else {
        (void)snprintf(out, 200, "dense_chain?layers=%d&units=%d&inputs=%s&classes=%s&bias=zero",
                       layers, width, tsv_text(t, row, "input"), tsv_text(t, row, "output"));
    }
}

static void check_sweep(const char *file)
{
    struct tsv t = golden_table(file);
    size_t n = 0;
    size_t good = 0;
    for (size_t i = 0; i < t.n_rows; i++) {
        const double on = tsv_number(&t, i, "onchip_mib");
        const double off = tsv_number(&t, i, "offchip_mib");
        if (tsv_number(&t, i, "segments") > 1 || isnan(on) || isnan(off)) {
            continue;
        }
        char spec[200];
        synthetic_spec(&t, i, spec);
        struct atoll_program p = zoo_program(spec);
        const double my_on = (double)p.on_chip_bytes / MIB;
        const double my_off = (double)p.off_chip_bytes / MIB;
        n++;
        if (fabs(my_on - on) <= 0.02 && fabs(my_off - off) <= 0.02) {
            good++;
        } else {
            (void)printf("off: %s %s: on %.3f (log %.3f), off %.3f (log %.3f)\n",
                         tsv_text(&t, i, "run"), spec, my_on, on, my_off, off);
        }
        atoll_program_finish(&p);
    }
    (void)printf("%s: %zu of %zu single-device rows within 0.02 MiB\n", file, good, n);
    tsv_close(&t);
    assert_true(n > 0 && (double)good >= 0.95 * (double)n);
}

static void convolution_chains(void **state)
{
    (void)state;
    check_sweep("synth_conv.tsv");
}

static void dense_chains(void **state)
{
    (void)state;
    check_sweep("synth_fc.tsv");
}

/** A network of the logs: on chip, off chip and both together, MiB; NAN: the log does not say. */
struct log_row {
    const char *spec;
    double on, off, total;
    bool other; ///< the log's network is not layer for layer the zoo's: its total is not compared
};

/** Operators of a zoo classifier without its softmax, which the networks of the logs do not have.
 */
static struct atoll_program logits_program(const char *spec)
{
    struct atoll_model *m = golden_model(spec);
    uint32_t n = m->n_ops;
    while (n > 0 && m->ops[n - 1u].code != ATOLL_OP_SOFTMAX) {
        n--;
    }
    struct atoll_program p = golden_program(m, ATOLL_COMPILER_V16, 0, n > 0 ? n - 1u : m->n_ops);
    atoll_model_close(&m);
    return p;
}

static bool farther(double a, double b, double tolerance)
{
    return fabs(a - b) > tolerance; /* false when one is not known */
}

static void networks_of_the_logs(void **state)
{
    (void)state;
    struct tsv t = golden_table("compile_logs_calib.tsv");
    tsv_close(&t);
    const double x = (double)NAN;
    const struct log_row rows[] = {
        {"cifar_googlenet", 5.94, 0, 5.94, false},
        {"cifar_wrn28_10", 7.65, 27.74, 35.39, false},
        {"cifar_resnet18", 7.65, 3.11, 10.76, false},
        {"cifar_mobilenet_v2", 2.79, 0, 2.79, false},
        {"cifar_squeezenet1_1", 0.82, 0, 0.82, false},
        {"cifar_resnet50", 7.66, 15.26, 22.92, false},
        {"cifar_vgg19", 7.58, 11.64, 19.22, false},
        {"resnet50", 7.14, x, x, false},
        {"resnet101", 7.14, x, x, false},
        {"resnet152", 7.14, x, 58.19, false},
        {"googlenet", 6.59, 0.19, 6.78, true},
        {"inception_v3", 5.53, x, x, false},
        {"inception_resnet_v2", 5.53, x, x, false},
    };
    size_t bad = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct atoll_program p = logits_program(rows[i].spec);
        const double on = (double)p.on_chip_bytes / MIB;
        const double off = (double)p.off_chip_bytes / MIB;
        const bool miss = farther(on, rows[i].on, 0.1) || farther(off, rows[i].off, 0.1) ||
                          (!rows[i].other && farther(on + off, rows[i].total, 0.01));
        bad += miss;
        (void)printf("%-20s on %7.3f (log %5.2f) off %7.3f (log %5.2f) total %7.3f (log %5.2f)%s\n",
                     rows[i].spec, on, rows[i].on, off, rows[i].off, on + off, rows[i].total,
                     miss ? "  <-- off" : "");
        atoll_program_finish(&p);
    }
    assert_int_equal(bad, 0);
}

/** A compiled file whose layers are at hand. */
struct narrow_row {
    const char *model;
    double narrow;       ///< bytes per tile in the compiled file
    uint32_t from, to;   ///< operators of the segment; to 0: all
    const char *special; ///< why the law does not apply; NULL: it must
};
#define TEST_DATA "shared:test_data/"
#define E2020 "shared:edgetpu_2020/"

static void narrow_memory_of_compiled_files(void **state)
{
    (void)state;
    struct tsv t = golden_table("darwinn_golden.tsv");
    tsv_close(&t);
    static const struct narrow_row rows[] = {
        {"shared:LibrEdgeTPU/dense_256.tflite", 832, 0, 0, NULL},
        {"shared:LibrEdgeTPU/dense_512.tflite", 1088, 0, 0, NULL},
        {"shared:LibrEdgeTPU/dense_1024.tflite", 1600, 0, 0, NULL},
        {TEST_DATA "mobilenet_v1_0.25_128_quant.tflite", 8996, 0, 0, NULL},
        {TEST_DATA "mobilenet_v1_0.5_160_quant.tflite", 20512, 0, 0, NULL},
        {E2020 "mobilenet_edgetpu_0.75_224_post_training_quant.tflite", 65284, 0, 0, NULL},
        {E2020 "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite", 78912, 0, 0, NULL},
        {E2020 "mobilenet_v2_1.0_224_quant.tflite", 99552, 0, 0, NULL},
        {"ssd_mobilenet_v1", 148608, 0, 27, NULL},
        {TEST_DATA "tools/split_concat.tflite", 832, 0, 0,
         "tiny maps of 8 x 8 x 6 in a fixed frame"},
        {TEST_DATA "keras_lstm_mnist_ptq.tflite", 4876, 0, 0, "tables of an LSTM"},
        {TEST_DATA "posenet/posenet_mobilenet_v1_075_353_481_16_quant_decoder.tflite", 147648, 0, 0,
         "strips"},
        {TEST_DATA "deeplab_mobilenet_edgetpu_slim_cityscapes_quant.tflite", 189544, 0, 0,
         "strips"},
    };
    size_t bad = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct atoll_model *m = golden_model(rows[i].model);
        if (m == NULL) {
            (void)printf("not at hand: %s\n", rows[i].model);
            continue;
        }
        struct atoll_program p = golden_program(m, ATOLL_COMPILER_2019, rows[i].from,
                                                rows[i].to > 0 ? rows[i].to : m->n_ops);
        const double error = (double)p.narrow_bytes_per_tile / rows[i].narrow - 1.0;
        const bool strips = rows[i].special != NULL && strcmp(rows[i].special, "strips") == 0;
        const bool miss = p.strips != strips || (rows[i].special == NULL && fabs(error) > 0.08);
        bad += miss;
        (void)printf("%-80s %7llu (file %7.0f, %+5.1f %%) %s%s\n", rows[i].model,
                     (unsigned long long)p.narrow_bytes_per_tile, rows[i].narrow, 100.0 * error,
                     rows[i].special != NULL ? rows[i].special : "", miss ? "  <-- off" : "");
        atoll_program_finish(&p);
        atoll_model_close(&m);
    }
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolution_chains),
        cmocka_unit_test(dense_chains),
        cmocka_unit_test(networks_of_the_logs),
        cmocka_unit_test(narrow_memory_of_compiled_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
