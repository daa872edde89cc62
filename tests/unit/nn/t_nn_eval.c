/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluation against a plain loop over the same images: same answers whatever the threads; what
 * does not fit ends in a sentence. */
#include "nn_fixture.h"

#include <math.h>
#include <sys/stat.h>

static const struct atoll_runtime *rt;
static struct atoll_err err;
static const char network[] = "zoo:cifar_squeezenet1_1?classes=24";

static struct atoll_dataset *generated(uint32_t n)
{
    struct atoll_data_opts o = atoll_data_opts_default();
    struct atoll_dataset *d = NULL;
    o.parts = 1u << ATOLL_PART_TEST;
    o.n_generated[ATOLL_PART_TEST] = n;
    fixture_ok(atoll_dataset_open("generated", &o, &d, &err), &err);
    return d;
}

static struct atoll_eval evaluate(const struct atoll_model *m, const struct atoll_dataset *d,
                                  unsigned threads, size_t limit)
{
    struct atoll_eval e = {0};
    const struct atoll_eval_request q = {.rt = rt,
                                         .model = m,
                                         .data = d,
                                         .part = ATOLL_PART_TEST,
                                         .limit = limit,
                                         .threads = threads};
    fixture_ok(atoll_eval_run(&q, &e, &err), &err);
    return e;
}

static void equals_a_plain_loop(void **state)
{
    enum { IMAGES = 120 };
    struct atoll_model *m = fixture_model(network);
    struct atoll_dataset *d = generated(IMAGES);
    struct atoll_dataset_info info;
    struct atoll_interp *it = NULL;
    uint64_t first = 0, five = 0;
    uint32_t n = 0;
    (void)state;
    atoll_dataset_info(d, &info);
    fixture_ok(atoll_interp_open(rt, m, NULL, &it, &err), &err);
    for (size_t i = 0; i < IMAGES; i++) {
        struct atoll_image image = {0}, scratch = {0};
        struct atoll_top top[5];
        uint32_t label = 0;
        fixture_ok(atoll_dataset_read(d, ATOLL_PART_TEST, i, &image, &label, &err), &err);
        fixture_ok(atoll_interp_put_image(atoll_interp_inputs(it, &n), &info.preprocess, &image,
                                          &scratch, &err),
                   &err);
        fixture_ok(atoll_interp_invoke(it, &err), &err);
        assert_int_equal(atoll_interp_top(atoll_interp_outputs(it, &n), 5, top), 5);
        first += top[0].class_index == label;
        for (int k = 0; k < 5; k++) {
            five += top[k].class_index == label;
        }
        atoll_image_finish(&image);
        atoll_image_finish(&scratch);
    }
    atoll_interp_close(&it);
    struct atoll_eval e[3] = {evaluate(m, d, 1, 0), evaluate(m, d, 3, 0), evaluate(m, d, 2, 50)};
    for (int i = 0; i < 2; i++) {
        const struct atoll_interval expected = atoll_wilson(first, IMAGES);
        assert_int_equal(e[i].images, IMAGES);
        test_close(e[i].top1.value, (double)first / IMAGES, 1e-12);
        test_close(e[i].top1.low95, expected.low95, 1e-12);
        test_close(e[i].top5.value, (double)five / IMAGES, 1e-12);
        assert_memory_equal(e[0].correct, e[i].correct, IMAGES);
        assert_memory_equal(e[0].confusion, e[i].confusion, sizeof(uint64_t) * 24 * 25);
        assert_true(e[i].images_per_s > 0);
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < (size_t)24 * 25; i++) {
        sum += e[0].confusion[i];
    }
    assert_int_equal(sum, IMAGES);
    assert_int_equal(e[2].images, 50);
    struct atoll_eval_pair p;
    assert_int_equal(atoll_eval_compare(&e[0], &e[1], &p, &err), 0);
    test_close(p.difference.value, 0, 0);
    test_close(p.p, 1, 0);
    for (int i = 0; i < 3; i++) {
        atoll_eval_finish(&e[i]);
    }
    atoll_dataset_close(&d);
    atoll_model_close(&m);
}

static bool stop_early(void *user, uint64_t done, uint64_t total, const char *what)
{
    uint64_t *calls = user;
    (void)what;
    assert_true(done <= total);
    return ++*calls < 2;
}

static void what_does_not_fit(void **state)
{
    struct atoll_model *m = fixture_model("zoo:cifar_squeezenet1_1?classes=10");
    struct atoll_dataset *d = generated(64);
    struct atoll_eval e = {0};
    uint64_t calls = 0;
    (void)state;
    struct atoll_eval_request q = {
        .rt = rt, .model = m, .data = d, .part = ATOLL_PART_TEST, .threads = 2};
    assert_int_equal(atoll_eval_run(&q, &e, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "10 scores"));
    assert_non_null(strstr(err.text, "24 classes"));
    q.part = ATOLL_PART_TRAIN;
    assert_int_equal(atoll_eval_run(&q, &e, &err), ATOLL_EUSAGE);
    atoll_model_close(&m);
    m = fixture_model(network);
    q = (struct atoll_eval_request){
        .rt = rt, .model = m, .data = d, .part = ATOLL_PART_TEST, .progress = {stop_early, &calls}};
    assert_int_equal(atoll_eval_run(&q, &e, &err), ATOLL_ENO);
    assert_int_equal(calls, 2);
    atoll_model_close(&m);
    m = fixture_model("zoo:unet_mobilenet_v2?size=96");
    q.model = m;
    q.progress.fn = NULL;
    assert_true(atoll_eval_run(&q, &e, &err) < 0);
    atoll_model_close(&m);
    atoll_dataset_close(&d);
}

/* A bad image ends the evaluation, or is counted and named. */
static void bad_images(void **state)
{
    char dir[256], path[512];
    (void)state;
    test_scratch(dir);
    (void)snprintf(path, sizeof path, "%s/a", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/b", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    static const uint8_t bmp[58] = {
        'B', 'M', 58, [10] = 54, [14] = 40, [18] = 1, [22] = 1, [26] = 1, [28] = 24};
    for (int i = 0; i < 4; i++) {
        (void)snprintf(path, sizeof path, "%s/%c/%d.bmp", dir, i % 2 ? 'a' : 'b', i);
        fixture_ok(atoll_write_file(path, bmp, i == 2 ? 57 : 58, &err), &err);
    }
    (void)snprintf(path, sizeof path, "folder:%s", dir);
    struct atoll_model *m = fixture_model("zoo:cifar_squeezenet1_1?classes=2");
    for (int skip = 0; skip < 2; skip++) {
        struct atoll_data_opts o = atoll_data_opts_default();
        struct atoll_dataset *d = NULL;
        struct atoll_eval e = {0};
        o.skip_bad = skip == 1;
        fixture_ok(atoll_dataset_open(path, &o, &d, &err), &err);
        const struct atoll_eval_request q = {
            .rt = rt, .model = m, .data = d, .part = ATOLL_PART_TEST};
        const int rc = atoll_eval_run(&q, &e, &err);
        assert_int_equal(rc, skip ? 0 : ATOLL_EINPUT);
        assert_non_null(strstr(skip ? e.bad_first : err.text, "2.bmp"));
        assert_true(!skip || (e.images == 3 && e.n_bad == 1));
        assert_true(!skip || isnan(e.top5.value)); /* of two classes five are always right */
        atoll_eval_finish(&e);
        atoll_dataset_close(&d);
    }
    atoll_model_close(&m);
    (void)snprintf(path, sizeof path, "rm -rf '%s'", dir);
    assert_int_equal(system(path), 0);
}

/* DeepLab on the one image with a mask: the evaluation gives what the golden test counts by hand.
 */
static void segmentation(void **state)
{
    char dir[256], path[1024], line[5000];
    char image[1024], mask[1024];
    (void)state;
    struct atoll_model *m =
        fixture_model(fixture_shared("deeplabv3_mnv2_dm05_pascal_quant.tflite", path));
    test_scratch(dir);
    (void)snprintf(line, sizeof line,
                   "mkdir '%s/i' '%s/m' && cp '%s' '%s/i/bird.bmp' && cp '%s' '%s/m/bird.bmp'", dir,
                   dir, fixture_shared("bird_segmentation.bmp", image), dir,
                   fixture_shared("bird_segmentation_mask.bmp", mask), dir);
    assert_int_equal(system(line), 0);
    (void)snprintf(path, sizeof path, "%s/set.yaml", dir);
    (void)snprintf(line, sizeof line, "images: i\nmasks: m\nlabels: %s\n",
                   fixture_shared("pascal_voc_segmentation_labels.txt", image));
    fixture_ok(atoll_write_file(path, line, strlen(line), &err), &err);
    struct atoll_dataset *d = NULL;
    struct atoll_eval e = {0};
    fixture_ok(atoll_dataset_open(path, NULL, &d, &err), &err);
    const struct atoll_eval_request q = {.rt = rt, .model = m, .data = d, .part = ATOLL_PART_TEST};
    fixture_ok(atoll_eval_run(&q, &e, &err), &err);
    assert_int_equal(e.task, ATOLL_TASK_SEGMENT);
    print_message("pixels %.4f, mean IoU %.4f\n", e.pixels.value, e.mean_iou);
    test_close(e.pixels.value, 0.9606, 5e-4);
    print_message("bird %.4f\n", e.iou[3]);
    assert_true(e.mean_iou > 0.25 && e.iou[3] > 0.8); /* class 3: bird */
    atoll_eval_finish(&e);
    atoll_dataset_close(&d);
    atoll_model_close(&m);
    (void)snprintf(path, sizeof path, "rm -rf '%s'", dir);
    assert_int_equal(system(path), 0);
}

int main(void)
{
    rt = fixture_runtime();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_a_plain_loop), cmocka_unit_test(what_does_not_fit),
        cmocka_unit_test(bad_images), cmocka_unit_test(segmentation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
