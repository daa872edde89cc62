/* SPDX-License-Identifier: Apache-2.0 */
/* Every .tflite file of the shared folder opens, and read -> write -> read keeps its graph, twice
 * with the same bytes. Real networks are cut at random and joined again. */
#include "model_pieces.h"
#include "golden_tsv.h"

#include <ftw.h>

static char paths[128][512];
static size_t n_paths;

static int collect(const char *path, const struct stat *st, int kind)
{
    (void)st;
    const size_t n = strlen(path);
    if (kind == FTW_F && n > 7 && n < sizeof paths[0] && strcmp(path + n - 7, ".tflite") == 0 &&
        n_paths < LEN(paths)) {
        memcpy(paths[n_paths++], path, n + 1);
    }
    return 0;
}

static void write_keeps_the_graph(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_paths; i++) {
        struct atoll_err err = {0};
        struct atoll_model *m = NULL, *again = NULL;
        uint8_t *bytes = NULL, *second = NULL;
        size_t n = 0, n_second = 0;
        must(atoll_model_open(paths[i], &m, &err), &err);
        must(atoll_model_serialize(m, &bytes, &n, &err), &err);
        must(atoll_model_parse(paths[i], bytes, n, &again, &err), &err);
        const char *why = model_difference(m, again, NULL);
        if (why != NULL) {
            fail_msg("%s: %s", paths[i], why);
        }
        assert_int_equal(m->n_tensors, again->n_tensors);
        for (uint32_t t = 0; t < m->n_tensors; t++) { /* tensors that no operator uses, too */
            assert_string_equal(m->tensors[t].name, again->tensors[t].name);
            assert_int_equal(m->tensors[t].bytes, again->tensors[t].bytes);
        }
        must(atoll_model_serialize(again, &second, &n_second, &err), &err);
        assert_int_equal(n, n_second);
        assert_memory_equal(bytes, second, n);
        assert_true(n < m->file_bytes + 4096 + m->file_bytes / 8);
        atoll_model_close(&m);
        atoll_model_close(&again);
        atoll_free(bytes);
        atoll_free(second);
    }
    print_message("%zu files\n", n_paths);
    assert_true(n_paths >= 36);
}

static void shared_models(void **state)
{
    (void)state;
    static const char *const names[] = {
        "test_data/mobilenet_v2_1.0_224_quant.tflite",
        "test_data/keras_lstm_mnist_ptq.tflite",
        "test_data/posenet/posenet_mobilenet_v1_075_353_481_16_quant_decoder.tflite",
        "test_data/deeplab_mobilenet_edgetpu_slim_cityscapes_quant.tflite",
        "test_data/tools/split_concat.tflite",
        "test_data/tf2_mobilenet_v2_1.0_224_ptq.tflite"};
    struct atoll_rng rng;
    atoll_rng_seed(&rng, 5);
    for (size_t i = 0; i < LEN(names); i++) {
        char path[1024];
        struct atoll_model *m = NULL;
        (void)snprintf(path, sizeof path, "%s/models/%s", tsv_shared(), names[i]);
        struct atoll_err err = {0};
        must(atoll_model_open(path, &m, &err), &err);
        uint32_t *seg = calloc(m->n_ops, sizeof *seg);
        for (uint32_t wanted = 1; wanted <= 5; wanted++) {
            const struct atoll_segmentation s = {random_segments(&rng, m, wanted, seg), seg};
            there_and_back(m, &s, false);
        }
        free(seg);
        atoll_model_close(&m);
    }
}

int main(void)
{
    char root[512];
    (void)snprintf(root, sizeof root, "%s/models", tsv_shared());
    if (ftw(root, collect, 8) != 0 || n_paths == 0) {
        printf("skipped: no models in %s\n", root);
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(write_keeps_the_graph),
                                       cmocka_unit_test(shared_models)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
