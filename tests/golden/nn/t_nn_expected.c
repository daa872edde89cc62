/* SPDX-License-Identifier: Apache-2.0 */
/* Coral's own models on its own photographs give what its own test lists expect, with both kernel
 * sets (libcoral, classification and segmentation tests). */
#include "nn_fixture.h"

static const struct atoll_runtime *rt;

static struct atoll_interp *open_interp(const struct atoll_model *m, enum atoll_kernels kernels)
{
    struct atoll_interp *it = NULL;
    struct atoll_err err = {0};
    const struct atoll_interp_opts o = {.kernels = kernels};
    fixture_ok(atoll_interp_open(rt, m, &o, &it, &err), &err);
    assert_int_equal(atoll_interp_kernels(it), kernels);
    return it;
}

static void run_image(struct atoll_interp *it, const char *path, const struct atoll_preprocess *p)
{
    struct atoll_image image = {0}, scratch = {0};
    struct atoll_err err = {0};
    uint32_t n = 0;
    fixture_ok(atoll_image_open(path, &image, &err), &err);
    const struct atoll_interp_tensor *in = atoll_interp_inputs(it, &n);
    assert_int_equal(n, 1);
    fixture_ok(atoll_interp_put_image(&in[0], p, &image, &scratch, &err), &err);
    fixture_ok(atoll_interp_invoke(it, &err), &err);
    atoll_image_finish(&image);
    atoll_image_finish(&scratch);
}

static void classification(void **state)
{
    static const struct {
        const char *model, *image;
        uint32_t k, class_index;
        double above;
    } rows[] = {
        {"mobilenet_v1_0.25_128_quant.tflite", "cat.bmp", 3, 283, 0.25},
        {"mobilenet_v1_0.5_160_quant.tflite", "cat.bmp", 3, 286, 0.51},
        {"mobilenet_v2_1.0_224_quant.tflite", "cat.bmp", 3, 286, 0.70},
        {"tf2_mobilenet_v2_1.0_224_ptq.tflite", "cat.bmp", 3, 286, 0.60},
        {"mobilenet_v2_1.0_224_inat_bird_quant.tflite", "bird.bmp", 1, 659, 0.50},
    };
    const struct atoll_preprocess p = atoll_preprocess_default();
    char path[1024], image[1024];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct atoll_model *m = fixture_model(fixture_shared(rows[i].model, path));
        for (int kernels = 0; kernels < 2; kernels++) {
            struct atoll_interp *it = open_interp(m, (enum atoll_kernels)kernels);
            struct atoll_top top[3];
            uint32_t n = 0;
            double score = -1;
            run_image(it, fixture_shared(rows[i].image, image), &p);
            assert_int_equal(atoll_interp_top(atoll_interp_outputs(it, &n), rows[i].k, top),
                             rows[i].k);
            for (uint32_t k = 0; k < rows[i].k; k++) {
                score = top[k].class_index == rows[i].class_index ? top[k].score : score;
            }
            print_message("%s, %s: class %u %.3f, first %u %.3f\n", rows[i].model,
                          atoll_kernels_name((enum atoll_kernels)kernels), rows[i].class_index,
                          score, top[0].class_index, top[0].score);
            assert_true(score > rows[i].above);
            atoll_interp_close(&it);
        }
        atoll_model_close(&m);
    }
}

static void segmentation(void **state)
{
    const struct atoll_preprocess p = atoll_preprocess_default();
    char path[1024];
    struct atoll_image mask = {0};
    struct atoll_err err = {0};
    (void)state;
    fixture_ok(atoll_mask_open(fixture_shared("bird_segmentation_mask.bmp", path), &mask, &err),
               &err);
    struct atoll_model *m =
        fixture_model(fixture_shared("deeplabv3_mnv2_dm05_pascal_quant.tflite", path));
    for (int kernels = 0; kernels < 2; kernels++) {
        struct atoll_interp *it = open_interp(m, (enum atoll_kernels)kernels);
        uint32_t n = 0;
        size_t equal = 0;
        run_image(it, fixture_shared("bird_segmentation.bmp", path), &p);
        const struct atoll_interp_tensor *out = atoll_interp_outputs(it, &n);
        const size_t pixels = atoll_interp_elements(out);
        assert_int_equal(pixels, (size_t)mask.width * mask.height);
        for (size_t i = 0; i < pixels; i++) {
            equal += atoll_interp_real(out, i) == mask.pixels[i];
        }
        print_message("deeplabv3, %s: %.4f of the pixels\n",
                      atoll_kernels_name((enum atoll_kernels)kernels),
                      (double)equal / (double)pixels);
        assert_true((double)equal / (double)pixels > 0.90);
        atoll_interp_close(&it);
    }
    atoll_image_finish(&mask);
    atoll_model_close(&m);
}

/* PoseNet ends in an operator of another maker: named, and the part before it runs. */
static void posenet(void **state)
{
    char path[1024];
    struct atoll_err err = {0};
    (void)state;
    struct atoll_model *m = fixture_model(
        fixture_shared("posenet/posenet_mobilenet_v1_075_353_481_16_quant_decoder.tflite", path));
    struct atoll_interp *it = NULL;
    assert_int_equal(atoll_interp_open(rt, m, NULL, &it, &err), ATOLL_EUNSUPPORTED);
    print_message("%s\n", err.text);
    assert_non_null(strstr(err.text, "PosenetDecoderOp"));
    uint32_t *seg = calloc(m->n_ops, sizeof *seg);
    uint32_t cut = 0;
    while (m->ops[cut].code != ATOLL_OP_CUSTOM) {
        cut++;
    }
    for (uint32_t i = cut; i < m->n_ops; i++) {
        seg[i] = 1;
    }
    struct atoll_model *head = NULL;
    const struct atoll_segmentation s = {2, seg};
    fixture_ok(atoll_model_segment(m, &s, 0, &head, &err), &err);
    fixture_ok(atoll_interp_open(rt, head, NULL, &it, &err), &err);
    const struct atoll_preprocess p = atoll_preprocess_default();
    run_image(it, fixture_shared("cat.bmp", path), &p);
    uint32_t n = 0;
    const struct atoll_interp_tensor *out = atoll_interp_outputs(it, &n);
    assert_int_equal(n, 3);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(out[i].shape[1], 23);
        assert_int_equal(out[i].shape[2], 31);
    }
    atoll_interp_close(&it);
    atoll_model_close(&head);
    atoll_model_close(&m);
    free(seg);
}

int main(void)
{
    rt = fixture_runtime();
    print_message("TFLite %s\n", atoll_runtime_version(rt));
    const struct CMUnitTest tests[] = {cmocka_unit_test(classification),
                                       cmocka_unit_test(segmentation), cmocka_unit_test(posenet)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
