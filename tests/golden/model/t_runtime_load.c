/* SPDX-License-Identifier: Apache-2.0 */
/* Written files in a real TFLite runtime: they load and run; a model cut in segments gives the same
 * bytes as the whole, whatever the cuts. */
#include "atoll_test.h"
#include "runtime.h"

#include <atoll/nn.h>
#include <atoll/zoo.h>

static struct runtime rt;

#define VALUES_MAX 512

/* Tensors by name: what a pipeline runner carries from segment to segment. */
struct values {
    struct {
        char *name; /* converters join names: hundreds of characters */
        uint8_t *data;
        size_t size;
    } v[VALUES_MAX];
    size_t n;
};

static void values_free(struct values *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->v[i].data);
        free(s->v[i].name);
    }
    s->n = 0;
}

static void values_put(struct values *s, const char *name, const void *data, size_t size)
{
    assert_true(s->n < VALUES_MAX);
    s->v[s->n].name = strdup(name);
    assert_non_null(s->v[s->n].name);
    s->v[s->n].data = malloc(size + 1);
    assert_non_null(s->v[s->n].data);
    memcpy(s->v[s->n].data, data, size);
    s->v[s->n++].size = size;
}

static const void *values_get(const struct values *s, const char *name, size_t size)
{
    for (size_t i = s->n; i > 0; i--) {
        if (strcmp(s->v[i - 1].name, name) == 0) {
            assert_int_equal(s->v[i - 1].size, size);
            return s->v[i - 1].data;
        }
    }
    return NULL;
}

/* Runs a model on the values; inputs nobody has made yet get seeded noise. Adds its outputs. */
static void run(const struct atoll_model *m, struct values *values)
{
    struct atoll_err err = {0};
    uint8_t *bytes = NULL;
    size_t n = 0;
    if (atoll_runtime_check(m, &err) != 0 || atoll_model_serialize(m, &bytes, &n, &err) != 0) {
        fail_msg("%s", err.text);
    }
    void *model = rt.TfLiteModelCreate(bytes, n);
    assert_non_null(model);
    void *it = rt.TfLiteInterpreterCreate(model, NULL);
    assert_non_null(it);
    assert_int_equal(rt.TfLiteInterpreterAllocateTensors(it), 0);
    assert_int_equal(rt.TfLiteInterpreterResetVariableTensors(it), 0);
    assert_int_equal(rt.TfLiteInterpreterGetInputTensorCount(it), m->n_inputs);
    for (uint32_t i = 0; i < m->n_inputs; i++) {
        void *t = rt.TfLiteInterpreterGetInputTensor(it, (int32_t)i);
        const char *name = rt.TfLiteTensorName(t);
        const size_t size = rt.TfLiteTensorByteSize(t);
        assert_int_equal(size, m->tensors[m->inputs[i]].bytes);
        if (values_get(values, name, size) == NULL) {
            struct atoll_rng rng;
            uint8_t *noise = malloc(size + 1);
            assert_non_null(noise);
            atoll_rng_seed(&rng, 11 + i);
            atoll_rng_bytes(&rng, noise, size);
            values_put(values, name, noise, size);
            free(noise);
        }
        memcpy(rt.TfLiteTensorData(t), values_get(values, name, size), size);
    }
    assert_int_equal(rt.TfLiteInterpreterInvoke(it), 0);
    assert_int_equal(rt.TfLiteInterpreterGetOutputTensorCount(it), m->n_outputs);
    for (uint32_t i = 0; i < m->n_outputs; i++) {
        const void *t = rt.TfLiteInterpreterGetOutputTensor(it, (int32_t)i);
        assert_int_equal(rt.TfLiteTensorByteSize(t), m->tensors[m->outputs[i]].bytes);
        values_put(values, rt.TfLiteTensorName(t), rt.TfLiteTensorData(t),
                   rt.TfLiteTensorByteSize(t));
    }
    rt.TfLiteInterpreterDelete(it);
    rt.TfLiteModelDelete(model);
    atoll_free(bytes);
}

static void run_cut(const struct atoll_model *m, const uint32_t *cuts, uint32_t n_cuts,
                    const struct values *whole)
{
    struct atoll_err err = {0};
    struct values values = {0};
    uint32_t *seg = calloc(m->n_ops, sizeof *seg);
    assert_non_null(seg);
    for (uint32_t o = 0; o < m->n_ops; o++) {
        for (uint32_t c = 0; c < n_cuts; c++) {
            seg[o] += o >= cuts[c];
        }
    }
    const struct atoll_segmentation s = {n_cuts + 1, seg};
    for (uint32_t i = 0; i < s.n; i++) {
        struct atoll_model *piece = NULL;
        if (atoll_model_segment(m, &s, i, &piece, &err) != 0) {
            fail_msg("%s", err.text);
        }
        run(piece, &values);
        atoll_model_close(&piece);
    }
    for (uint32_t i = 0; i < m->n_outputs; i++) {
        const struct atoll_tensor *t = &m->tensors[m->outputs[i]];
        const void *expected = values_get(whole, t->name, (size_t)t->bytes);
        const void *got = values_get(&values, t->name, (size_t)t->bytes);
        assert_non_null(expected);
        assert_non_null(got);
        assert_memory_equal(expected, got, t->bytes);
    }
    values_free(&values);
    free(seg);
}

/* The whole once, then cut in 2 at six places, and in 3, 4 and 5. */
static void cut_everywhere(struct atoll_model *m)
{
    struct values whole = {0};
    run(m, &whole);
    const uint32_t n = m->n_ops;
    for (uint32_t i = 1; i <= 6; i++) {
        const uint32_t cut = 1 + i * (n - 1) / 7;
        if (cut < n) {
            run_cut(m, &cut, 1, &whole);
        }
    }
    for (uint32_t pieces = 3; pieces <= 5 && pieces <= n; pieces++) {
        uint32_t cuts[4];
        for (uint32_t i = 1; i < pieces; i++) {
            cuts[i - 1] = i * n / pieces;
        }
        run_cut(m, cuts, pieces - 1, &whole);
    }
    values_free(&whole);
    atoll_model_close(&m);
}

static void zoo_network(const char *spec)
{
    struct atoll_err err = {0};
    struct atoll_model *m = NULL;
    if (atoll_zoo_build(spec, &m, &err) != 0) {
        fail_msg("%s", err.text);
    }
    cut_everywhere(m);
}

static void built_networks(void **state)
{
    (void)state;
    zoo_network("mobilenet_v1?alpha=0.25&size=96");
    zoo_network("conv_chain?filters=32&size=16");
    zoo_network("cifar_resnet18");
    zoo_network("dense_chain?units=64");
}

static void shared_networks(void **state)
{
    (void)state;
    static const char *const names[] = {"mobilenet_v1_0.25_128_quant.tflite",
                                        "tf2_mobilenet_v2_1.0_224_ptq.tflite",
                                        "keras_lstm_mnist_ptq.tflite", "tools/split_concat.tflite",
                                        "deeplabv3_mnv2_dm05_pascal_quant.tflite"};
    const char *dir = getenv("ATOLL_SHARED");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[1024];
        struct atoll_model *m = NULL;
        struct atoll_err err = {0};
        (void)snprintf(path, sizeof path, "%s/models/test_data/%s", dir != NULL ? dir : "",
                       names[i]);
        if (atoll_model_open(path, &m, &err) == ATOLL_ENOTFOUND) {
            print_message("skipped: %s\n", err.text);
            skip();
        }
        if (m == NULL) {
            fail_msg("%s", err.text);
        }
        cut_everywhere(m);
    }
}

int main(void)
{
    rt_open(&rt);
    const struct CMUnitTest tests[] = {cmocka_unit_test(built_networks),
                                       cmocka_unit_test(shared_networks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
