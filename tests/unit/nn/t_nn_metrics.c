/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of an evaluation on cases worked by hand. */
#include "atoll_test.h"

#include <atoll/nn.h>

#include <math.h>

static struct atoll_err err;

static void mcnemar(void **state)
{
    (void)state;
    test_close(atoll_mcnemar_pvalue(0, 0), 1, 0);
    test_close(atoll_mcnemar_pvalue(5, 5), 1, 0);
    test_close(atoll_mcnemar_pvalue(0, 6), 2.0 / 64, 1e-12);
    test_close(atoll_mcnemar_pvalue(2, 8), 2 * (1 + 10 + 45) / 1024.0, 1e-12);
    test_close(atoll_mcnemar_pvalue(8, 2), 2 * 56 / 1024.0, 1e-12);
    /* scipy.stats.binomtest(40, 100).pvalue */
    test_close(atoll_mcnemar_pvalue(40, 60), 0.0568879336, 1e-9);
}

static struct atoll_eval of(uint8_t *correct, size_t n)
{
    return (struct atoll_eval){.correct = correct, .n_correct = n};
}

static void paired(void **state)
{
    uint8_t a[60] = {0}, b[60] = {0};
    struct atoll_eval_pair p = {0};
    (void)state;
    for (int i = 0; i < 50; i++) { /* 20 both, 12 only a, 2 only b, 16 neither */
        a[i] = i < 32;
        b[i] = i < 20 || (i >= 32 && i < 34);
    }
    a[50] = 0x80; /* left out */
    const struct atoll_eval x = of(a, 51), y = of(b, 51), z = of(b, 50);
    assert_int_equal(atoll_eval_compare(&x, &y, &p, &err), 0);
    assert_int_equal(p.both, 20);
    assert_int_equal(p.only_a, 12);
    assert_int_equal(p.only_b, 2);
    assert_int_equal(p.neither, 16);
    test_close(p.difference.value, 0.2, 1e-12);
    /* method 10 worked out apart from this code */
    test_close(p.difference.low95, 0.0561564, 1e-6);
    test_close(p.difference.high95, 0.3292070, 1e-6);
    test_close(p.p, 2 * (1 + 14 + 91) / 16384.0, 1e-12);
    assert_int_equal(atoll_eval_compare(&x, &z, &p, &err), ATOLL_EUSAGE);
}

static void iou(void **state)
{
    /* truth by answers: class 0: 8 right, 2 taken for 1; class 1: 3 right, 1 for 0; 2: never */
    const uint64_t confusion[9] = {8, 2, 0, 1, 3, 0, 0, 0, 0};
    double v[3];
    (void)state;
    test_close(atoll_mean_iou(confusion, 3, v), (8.0 / 11 + 3.0 / 6) / 2, 1e-12);
    test_close(v[0], 8.0 / 11, 1e-12);
    test_close(v[1], 0.5, 1e-12);
    assert_true(isnan(v[2]));
    const struct atoll_box a = {0, 0, 2, 4, 0, false}, b = {1, 2, 3, 6, 0, false};
    test_close(atoll_box_iou(&a, &b), 2.0 / 14, 1e-9);
    const struct atoll_box c = {5, 5, 5, 5, 0, false};
    test_close(atoll_box_iou(&c, &c), 0, 0);
}

/* ------------------------------------------------------------------ detection */

static double ap_of(const struct atoll_detection *d, size_t n, const struct atoll_box *const *t,
                    const size_t *n_t, size_t images, double threshold)
{
    double ap = -1;
    assert_int_equal(atoll_detection_ap(d, n, t, n_t, images, 1, threshold, &ap, &err), 0);
    return ap;
}

static const struct atoll_box two[] = {{0, 0, 10, 10, 1, false}, {20, 20, 30, 30, 1, false}};
static const struct atoll_box one[] = {{0, 0, 10, 10, 1, false}, {0, 0, 9, 9, 2, false}};
static const struct atoll_box *const truth[2] = {two, one};
static const size_t n_truth[2] = {2, 2};

static void precision_by_hand(void **state)
{
    /* three boxes of class 1. Best first: hit, miss, hit, hit of image 2 */
    const struct atoll_detection d[] = {{0, 0, 10, 10, 1, 0.9, 0},
                                        {50, 50, 60, 60, 1, 0.8, 0},
                                        {20, 20, 30, 30, 1, 0.7, 0},
                                        {0, 0, 10, 10, 1, 0.6, 1},
                                        {0, 0, 9, 9, 2, 0.99, 1}}; /* another class */
    (void)state;
    /* recall 1/3 precision 1; 1/3, 1/2; 2/3, 2/3; 1, 3/4. Monotone: 1, 3/4, 3/4, 3/4.
     * Recalls 0..0.33 (34 points) at 1, 0.34..1 (67) at 3/4 */
    test_close(ap_of(d, 5, truth, n_truth, 2, 0.5), (34 + 67 * 0.75) / 101, 1e-12);
    /* nothing found at all, and no truth at all */
    test_close(ap_of(d, 0, truth, n_truth, 2, 0.5), 0, 0);
    double ap = 0;
    assert_int_equal(atoll_detection_ap(d, 5, truth, n_truth, 2, 7, 0.5, &ap, &err), 0);
    assert_true(isnan(ap));
}

static void doubles_and_thresholds(void **state)
{
    /* the same box twice: the second is a miss. The IoU of the third is 0.64 */
    const struct atoll_detection d[] = {{0, 0, 10, 10, 1, 0.9, 1},
                                        {0, 0, 10, 10, 1, 0.8, 1},
                                        {20, 20, 28, 28, 1, 0.7, 0},
                                        {0, 0, 10, 10, 1, 0.6, 0}};
    (void)state;
    /* at 0.6: hit, miss, hit, hit: recalls 1/3, 2/3, 1; precision 1, 3/4 for the rest */
    test_close(ap_of(d, 4, truth, n_truth, 2, 0.6), (34 + 67 * 0.75) / 101, 1e-12);
    /* at 0.65 the third misses: hit, miss, miss, hit: recall 2/3 at most, precision 1/2 */
    test_close(ap_of(d, 4, truth, n_truth, 2, 0.65), (34 + 33 * 0.5) / 101, 1e-12);
}

static void crowds_and_the_hundredth(void **state)
{
    static const struct atoll_box crowd[] = {{0, 0, 100, 100, 1, true},
                                             {200, 200, 210, 210, 1, false}};
    const struct atoll_box *const t[1] = {crowd};
    const size_t n_t[1] = {2};
    static struct atoll_detection d[103];
    (void)state;
    /* 99 detections in the crowd count neither way; the hundredth hits */
    for (size_t i = 0; i < 99; i++) {
        d[i] = (struct atoll_detection){5, 5, 15, 15, 1, 0.99 - 0.001 * (double)i, 0};
    }
    d[99] = (struct atoll_detection){200, 200, 210, 210, 1, 0.5, 0};
    test_close(ap_of(d, 100, t, n_t, 1, 0.5), 1, 1e-12);
    d[100] = d[99]; /* pushed behind the hundredth it is not seen */
    d[99] = (struct atoll_detection){5, 5, 15, 15, 1, 0.6, 0};
    test_close(ap_of(d, 101, t, n_t, 1, 0.5), 0, 0);
}

/* -------------------------------------------------------------------- tensors */

static void scores(void **state)
{
    const uint8_t bytes[6] = {7, 200, 200, 0, 201, 3};
    const struct atoll_interp_tensor t = {.type = ATOLL_TYPE_UINT8,
                                          .rank = 2,
                                          .shape = {1, 6},
                                          .bytes = 6,
                                          .data = (void *)(uintptr_t)bytes,
                                          .scale = 0.5f,
                                          .zero_point = 100};
    struct atoll_top top[9];
    (void)state;
    assert_int_equal(atoll_interp_elements(&t), 6);
    test_close(atoll_interp_real(&t, 4), 50.5, 0);
    assert_int_equal(atoll_interp_top(&t, 3, top), 3);
    assert_int_equal(top[0].class_index, 4);
    assert_int_equal(top[1].class_index, 1); /* the lower class among equals */
    assert_int_equal(top[2].class_index, 2);
    assert_int_equal(atoll_interp_top(&t, 9, top), 6);
    assert_int_equal(top[5].class_index, 3);
    assert_int_equal(atoll_interp_top(&t, 0, top), 0);
}

static void images_into_tensors(void **state)
{
    struct atoll_image image = {0}, scratch = {0};
    struct atoll_preprocess p = atoll_preprocess_default();
    uint8_t bytes[16];
    float floats[4];
    struct atoll_interp_tensor t = {.name = "x",
                                    .type = ATOLL_TYPE_UINT8,
                                    .rank = 4,
                                    .shape = {1, 1, 4, 1},
                                    .bytes = 4,
                                    .data = bytes,
                                    .scale = 0.5f,
                                    .zero_point = 3};
    (void)state;
    assert_int_equal(atoll_image_resize(&image, 4, 1, 1, NULL), 0);
    memcpy(image.pixels, "\0\12\200\377", 4); /* 0, 10, 128, 255 */
    assert_int_equal(atoll_interp_put_image(&t, &p, &image, &scratch, &err), 0);
    assert_memory_equal(bytes, "\0\12\200\377", 4);
    t.type = ATOLL_TYPE_INT8;
    assert_int_equal(atoll_interp_put_image(&t, &p, &image, &scratch, &err), 0);
    assert_memory_equal(bytes, "\200\212\0\177", 4);
    p.normalize = true;
    p.mean[0] = p.mean[1] = p.mean[2] = 10;
    p.std[0] = p.std[1] = p.std[2] = 5; /* -2, 0, 23.6, 49; quantized -4, 0, 47, 98; + 3 */
    assert_int_equal(atoll_interp_put_image(&t, &p, &image, &scratch, &err), 0);
    assert_memory_equal(bytes, "\377\3\62\145", 4);
    t.type = ATOLL_TYPE_FLOAT32;
    t.data = floats;
    assert_int_equal(atoll_interp_put_image(&t, &p, &image, &scratch, &err), 0);
    test_close((double)floats[0], -2, 1e-6);
    test_close((double)floats[3], 49, 1e-6);
    p.normalize = false;
    assert_int_equal(atoll_interp_put_image(&t, &p, &image, &scratch, &err), 0);
    test_close((double)floats[1], 10 / 255.0, 1e-7);
    t.type = ATOLL_TYPE_INT32;
    assert_int_equal(atoll_interp_put_image(&t, &p, &image, &scratch, &err), ATOLL_EUNSUPPORTED);
    t.shape[3] = 5;
    assert_int_equal(atoll_interp_put_image(&t, &p, &image, &scratch, &err), ATOLL_EUNSUPPORTED);
    atoll_image_finish(&image);
    atoll_image_finish(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(mcnemar),
                                       cmocka_unit_test(paired),
                                       cmocka_unit_test(iou),
                                       cmocka_unit_test(precision_by_hand),
                                       cmocka_unit_test(doubles_and_thresholds),
                                       cmocka_unit_test(crowds_and_the_hundredth),
                                       cmocka_unit_test(scores),
                                       cmocka_unit_test(images_into_tensors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
