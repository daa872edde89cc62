/* SPDX-License-Identifier: Apache-2.0 */
/* The loader and interpreters: what is refused and why, several at once, both kernel sets, state.
 */
#include "nn_fixture.h"
#include "nn_internal.h"

#include <math.h>
#include <signal.h>
#include <sys/stat.h>

static const struct atoll_runtime *rt;
static struct atoll_err err;

static void refused_libraries(void **state)
{
    const struct atoll_runtime *other = NULL;
    (void)state;
    assert_int_equal(atoll_runtime_open("/nowhere/libtensorflowlite_c.so", &other, &err),
                     ATOLL_EDEVICE);
    assert_non_null(strstr(err.text, "no such file"));
    assert_non_null(strstr(err.text, "ATOLL_TFLITE"));
    assert_int_equal(atoll_runtime_open("libm.so.6", &other, &err), ATOLL_EDEVICE);
    assert_non_null(strstr(err.text, "TfLite"));
    assert_null(other);
    assert_int_equal(atoll_runtime_open(atoll_runtime_path(rt), &other, &err), 0);
    assert_ptr_equal(other, rt); /* the same path gives the same */
}

static void kernels(void **state)
{
    enum atoll_kernels k = ATOLL_KERNELS_XNNPACK;
    (void)state;
    assert_int_equal(atoll_kernels_parse("builtin", &k, &err), 0);
    assert_int_equal(k, ATOLL_KERNELS_BUILTIN);
    assert_string_equal(atoll_kernels_name(k), "builtin");
    assert_int_equal(atoll_kernels_parse("fast", &k, &err), ATOLL_EUSAGE);
}

/* A trial in a child process: what the runtime does there does not end this one. */
static int crash(void *handle)
{
    (void)handle;
    return raise(SIGSEGV);
}
static int exit_quietly(void *handle)
{
    (void)handle;
    _exit(3);
}
static void trials(void **state)
{
    (void)state;
    struct atoll_model *m = fixture_model("zoo:conv_chain?layers=1&filters=8&size=8");
    struct atoll_runtime bad = *rt;
    fixture_ok(atoll_interp_try(rt, m, NULL, &err), &err);
    bad.TfLiteInterpreterInvoke = crash;
    assert_int_equal(atoll_interp_try(&bad, m, NULL, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "the runtime crashes on it"));
    bad.TfLiteInterpreterInvoke = exit_quietly;
    assert_int_equal(atoll_interp_try(&bad, m, NULL, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "it ended"));
    atoll_model_close(&m);
}

enum { THREADS = 4 };

static int one_thread(void *user, size_t index, struct atoll_err *e)
{
    const struct atoll_model *m = user;
    struct atoll_interp *it = NULL;
    const struct atoll_interp_opts o = {.kernels = (enum atoll_kernels)(index % 2)};
    int rc = atoll_interp_open(rt, m, &o, &it, e);
    rc = rc ? rc : atoll_interp_warm_up(it, 3, e);
    atoll_interp_close(&it);
    return rc;
}

static void several_at_once(void **state)
{
    struct atoll_model *m = fixture_model("zoo:mobilenet_v1?alpha=0.25&size=64");
    (void)state;
    fixture_ok(atoll_parallel(8, THREADS, one_thread, m, &err), &err);
    atoll_model_close(&m);
}

/* 1 and 2 threads, XNNPACK: the same bytes. */
static void threads_do_not_change_bytes(void **state)
{
    struct atoll_model *m = fixture_model("zoo:mobilenet_v2?alpha=0.35&size=64");
    uint8_t first[1024];
    (void)state;
    for (unsigned threads = 1; threads <= 2; threads++) {
        struct atoll_interp *it = NULL;
        const struct atoll_interp_opts o = {.threads = threads};
        uint32_t n = 0;
        struct atoll_rng rng;
        fixture_ok(atoll_interp_open(rt, m, &o, &it, &err), &err);
        const struct atoll_interp_tensor *in = atoll_interp_inputs(it, &n);
        atoll_rng_seed(&rng, 3);
        atoll_rng_bytes(&rng, in->data, in->bytes);
        fixture_ok(atoll_interp_invoke(it, &err), &err);
        const struct atoll_interp_tensor *out = atoll_interp_outputs(it, &n);
        assert_true(out->bytes <= sizeof first);
        if (threads == 1) {
            memcpy(first, out->data, out->bytes);
        }
        assert_memory_equal(first, out->data, out->bytes);
        atoll_interp_close(&it);
    }
    atoll_model_close(&m);
}

static void state_starts_afresh(void **state)
{
    char path[1024];
    struct atoll_interp *it = NULL;
    uint8_t first[64];
    uint32_t n = 0;
    (void)state;
    struct atoll_model *m = fixture_model(fixture_shared("keras_lstm_mnist_ptq.tflite", path));
    fixture_ok(atoll_interp_open(rt, m, NULL, &it, &err), &err);
    const struct atoll_interp_tensor *in = atoll_interp_inputs(it, &n);
    const struct atoll_interp_tensor *out = atoll_interp_outputs(it, &n);
    assert_true(out->bytes <= sizeof first);
    for (size_t i = 0; i < in->bytes; i++) {
        ((uint8_t *)in->data)[i] = (uint8_t)(i * 7);
    }
    fixture_ok(atoll_interp_invoke(it, &err), &err);
    memcpy(first, out->data, out->bytes);
    fixture_ok(atoll_interp_invoke(it, &err), &err);
    assert_memory_not_equal(first, out->data, out->bytes);
    fixture_ok(atoll_interp_reset(it, &err), &err);
    fixture_ok(atoll_interp_invoke(it, &err), &err);
    assert_memory_equal(first, out->data, out->bytes);
    atoll_interp_close(&it);
    atoll_model_close(&m);
}

/* Every uncompiled shared model is accepted by the checks and runs; compiled ones are named. */
static void shared_models(void **state)
{
    static const char *const names[] = {
        "deeplab_mobilenet_edgetpu_slim_cityscapes_quant.tflite", "keras_lstm_mnist_ptq.tflite",
        "mobilenet_v2_1.0_224_quant.tflite", "tools/split_concat.tflite"};
    char path[1024];
    struct atoll_interp *it = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct atoll_model *m = fixture_model(fixture_shared(names[i], path));
        fixture_ok(atoll_interp_open(rt, m, NULL, &it, &err), &err);
        fixture_ok(atoll_interp_invoke(it, &err), &err);
        atoll_interp_close(&it);
        atoll_model_close(&m);
    }
    struct atoll_model *m =
        fixture_model(fixture_shared("mobilenet_v1_0.25_128_quant_edgetpu.tflite", path));
    assert_int_equal(atoll_interp_open(rt, m, NULL, &it, &err), ATOLL_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "compiled for the Edge TPU"));
    atoll_model_close(&m);
}

/* What crashes the runtime is refused before: some by the reader's rules (NULL), the rest by ours.
 */
static struct atoll_model *conv(float scale, int64_t zero_point, uint32_t n_weights)
{
    struct atoll_builder *b = NULL;
    struct atoll_model *m = NULL;
    static const int32_t weights[16];
    const float one = 1;
    const int64_t none = 0;
    fixture_ok(atoll_builder_create("conv", "", &b, &err), &err);
    struct atoll_tensor x = {.name = "x",
                             .type = ATOLL_TYPE_INT8,
                             .rank = 4,
                             .shape = {1, 4, 4, 2},
                             .quant = {.scale = &scale, .zero_point = &zero_point, .n = 1}};
    struct atoll_tensor w = {.name = "w",
                             .type = ATOLL_TYPE_INT8,
                             .rank = 4,
                             .shape = {3, 1, 1, 2},
                             .quant = {.scale = &one, .zero_point = &none, .n = n_weights},
                             .is_constant = true,
                             .data = weights};
    struct atoll_tensor bias = {.name = "b",
                                .type = ATOLL_TYPE_INT32,
                                .rank = 1,
                                .shape = {3},
                                .is_constant = true,
                                .data = weights};
    struct atoll_tensor y = x;
    y.name = "y";
    y.shape[3] = 3;
    const int32_t in[3] = {atoll_builder_tensor(b, &x, true, &err),
                           atoll_builder_tensor(b, &w, true, &err),
                           atoll_builder_tensor(b, &bias, true, &err)};
    const int32_t out = atoll_builder_tensor(b, &y, true, &err);
    const struct atoll_op op = {.code = ATOLL_OP_CONV_2D,
                                .inputs = in,
                                .n_inputs = 3,
                                .outputs = &out,
                                .n_outputs = 1,
                                .attr = atoll_op_attr_default()};
    assert_true(atoll_builder_op(b, &op, &err) >= 0);
    (void)atoll_builder_finish(&b, in, 1, &out, 1, &m, &err);
    return m;
}

static void checks(void **state)
{
    static const struct {
        float scale;
        int64_t zero_point;
        uint32_t n_weights;
        int code;
    } cases[] = {{0.5f, 0, 1, 0},
                 {0.5f, 127, 1, 0},
                 {0.5f, 128, 1, ATOLL_EINPUT},
                 {0.5f, -129, 1, ATOLL_EINPUT},
                 {0, 0, 1, ATOLL_EINPUT},
                 {-1, 0, 1, ATOLL_EINPUT},
                 {NAN, 0, 1, ATOLL_EINPUT},
                 {INFINITY, 0, 1, ATOLL_EINPUT},
                 {0.5f, 0, 0, ATOLL_EINPUT}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct atoll_model *m = conv(cases[i].scale, cases[i].zero_point, cases[i].n_weights);
        struct atoll_interp *it = NULL;
        const int rc = m == NULL ? err.code : atoll_interp_open(rt, m, NULL, &it, &err);
        if (rc != cases[i].code || (m != NULL && atoll_runtime_check(m, NULL) != rc)) {
            fail_msg("case %zu: %s", i, err.text);
        }
        atoll_interp_close(&it);
        atoll_model_close(&m);
    }
}

/* One operator with `n_in` inputs of scale `in` and an output of scale `out`. */
static struct atoll_model *rescaling(int32_t code, uint32_t n_in, enum atoll_type type, float in,
                                     float out)
{
    struct atoll_builder *b = NULL;
    struct atoll_model *m = NULL;
    const int64_t zero = 0;
    fixture_ok(atoll_builder_create("rescaling", "", &b, &err), &err);
    struct atoll_tensor t = {.name = "a",
                             .type = type,
                             .rank = 2,
                             .shape = {1, 8},
                             .quant = {.scale = &in, .zero_point = &zero, .n = 1}};
    int32_t x[2] = {atoll_builder_tensor(b, &t, true, &err), -1};
    t.name = "b";
    x[1] = n_in > 1 ? atoll_builder_tensor(b, &t, true, &err) : -1;
    t.name = "y";
    t.quant.scale = &out;
    const int32_t y = atoll_builder_tensor(b, &t, true, &err);
    const struct atoll_op op = {.code = code,
                                .inputs = x,
                                .n_inputs = n_in,
                                .outputs = &y,
                                .n_outputs = 1,
                                .attr = atoll_op_attr_default()};
    assert_true(atoll_builder_op(b, &op, &err) >= 0);
    fixture_ok(atoll_builder_finish(&b, x, n_in, &y, 1, &m, &err), &err);
    return m;
}

static void rescalings(void **state)
{
    static const struct {
        int32_t code;
        uint32_t n_in;
        enum atoll_type type;
        float in, out;
        int code_returned;
    } cases[] = {{ATOLL_OP_ADD, 2, ATOLL_TYPE_INT8, 0.1f, 0.1f, 0},
                 {ATOLL_OP_ADD, 2, ATOLL_TYPE_INT8, 500000, 1, 0}, /* 2^20 / 2 is 524288 */
                 {ATOLL_OP_ADD, 2, ATOLL_TYPE_INT8, 530000, 1, ATOLL_EINPUT},
                 {ATOLL_OP_SUB, 2, ATOLL_TYPE_INT8, 1.6e37f, 0.1f, ATOLL_EINPUT},
                 {ATOLL_OP_ADD, 2, ATOLL_TYPE_INT16, 17000, 1, ATOLL_EINPUT},
                 {ATOLL_OP_SQUARED_DIFFERENCE, 2, ATOLL_TYPE_INT8, 60, 1, 0},
                 {ATOLL_OP_SQUARED_DIFFERENCE, 2, ATOLL_TYPE_INT8, 65, 1, ATOLL_EINPUT},
                 {ATOLL_OP_SOFTMAX, 1, ATOLL_TYPE_INT8, 1e-7f, 0.00390625f, 0},
                 {ATOLL_OP_SOFTMAX, 1, ATOLL_TYPE_INT8, 1e-8f, 0.00390625f, ATOLL_EINPUT}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct atoll_model *m =
            rescaling(cases[i].code, cases[i].n_in, cases[i].type, cases[i].in, cases[i].out);
        if (atoll_runtime_check(m, &err) != cases[i].code_returned) {
            fail_msg("case %zu: %s", i, err.text);
        }
        atoll_model_close(&m);
    }
}

int main(void)
{
    rt = fixture_runtime();
    const struct CMUnitTest tests[] = {cmocka_unit_test(refused_libraries),
                                       cmocka_unit_test(kernels),
                                       cmocka_unit_test(trials),
                                       cmocka_unit_test(several_at_once),
                                       cmocka_unit_test(threads_do_not_change_bytes),
                                       cmocka_unit_test(state_starts_afresh),
                                       cmocka_unit_test(shared_models),
                                       cmocka_unit_test(checks),
                                       cmocka_unit_test(rescalings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
