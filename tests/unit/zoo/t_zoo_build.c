/* SPDX-License-Identifier: Apache-2.0 */
/* Properties that every network of the zoo has, whatever its layers. */
#include "atoll_test.h"

#include <atoll/zoo.h>

#include <math.h>
#include <time.h>

static struct atoll_model *build(const char *spec) {
    struct atoll_model *m = NULL;
    struct atoll_err err = {0};
    if (atoll_zoo_build(spec, &m, &err) != 0) {
        fail_msg("%s: %s", spec, err.text);
    }
    return m;
}

static bool is_detector(const char *name) {
    return strncmp(name, "ssd_", 4) == 0;
}

/* Same scale and zero point in and out: the rule of the TFLite quantization specification. */
static bool keeps_scale(int32_t code) {
    return code == ATOLL_OP_MAX_POOL_2D || code == ATOLL_OP_AVERAGE_POOL_2D ||
           code == ATOLL_OP_PAD || code == ATOLL_OP_RESHAPE || code == ATOLL_OP_CONCATENATION;
}

static void check_weights(const struct atoll_model *m, uint32_t i) {
    const struct atoll_op *op = &m->ops[i];
    const int32_t w = atoll_op_weights(m, i);
    if (w < 0 || m->tensors[w].type != ATOLL_TYPE_INT8) {
        return;
    }
    const bool window = op->code == ATOLL_OP_CONV_2D || op->code == ATOLL_OP_DEPTHWISE_CONV_2D ||
                        op->code == ATOLL_OP_TRANSPOSE_CONV;
    if (!window && op->code != ATOLL_OP_FULLY_CONNECTED) {
        return;
    }
    const struct atoll_tensor *t = &m->tensors[w];
    const struct atoll_tensor *x = &m->tensors[atoll_op_data_input(m, i)];
    const int32_t b = atoll_op_bias(m, i);
    assert_true(b >= 0);
    const struct atoll_tensor *bias = &m->tensors[b];
    const int32_t dimension = op->code == ATOLL_OP_DEPTHWISE_CONV_2D ? 3 : 0;
    const int32_t channels = t->shape[dimension];
    assert_int_equal(bias->type, ATOLL_TYPE_INT32);
    assert_int_equal(bias->shape[0], channels);
    assert_int_equal(t->quant.n, window ? channels : 1);
    assert_int_equal(bias->quant.n, t->quant.n);
    assert_int_equal(t->quant.dimension, window ? dimension : 0);
    for (uint32_t c = 0; c < t->quant.n; c++) {
        assert_int_equal(t->quant.zero_point[c], 0);
        assert_int_equal(bias->quant.zero_point[c], 0);
        assert_true(t->quant.scale[c] > 0.0f);
        const double product = (double)x->quant.scale[0] * (double)t->quant.scale[c];
        assert_true(fabs((double)bias->quant.scale[c] - product) <= 1e-6 * product);
    }
}

static void check_op(const struct atoll_model *m, uint32_t i) {
    const struct atoll_op *op = &m->ops[i];
    const struct atoll_tensor *y = &m->tensors[op->outputs[0]];
    check_weights(m, i);
    if (keeps_scale(op->code)) {
        const uint32_t n = op->code == ATOLL_OP_CONCATENATION ? op->n_inputs : 1;
        for (uint32_t k = 0; k < n; k++) {
            const struct atoll_tensor *x = &m->tensors[op->inputs[k]];
            assert_true(x->quant.scale[0] == y->quant.scale[0]);
            assert_int_equal(x->quant.zero_point[0], y->quant.zero_point[0]);
        }
    }
    if (op->code == ATOLL_OP_SOFTMAX || op->code == ATOLL_OP_LOGISTIC) {
        assert_true(y->quant.scale[0] == 1.0f / 256.0f);
        assert_int_equal(y->quant.zero_point[0], -128);
    }
}

static void check_tensors(const struct atoll_model *m) {
    for (uint32_t i = 0; i < m->n_tensors; i++) {
        const struct atoll_tensor *t = &m->tensors[i];
        assert_true(t->name[0] != '\0');
        assert_true(t->is_constant || t->producer >= 0 || (int32_t)i == m->inputs[0]);
        if (t->type == ATOLL_TYPE_INT8) {
            assert_true(t->quant.n >= 1);
            for (uint32_t c = 0; c < t->quant.n; c++) {
                assert_true(t->quant.zero_point[c] >= -128 && t->quant.zero_point[c] <= 127);
            }
        }
    }
}

/* Merging segments goes by tensor names. */
static void check_names_differ(const struct atoll_model *m) {
    uint64_t *hashes = atoll_calloc(m->n_tensors, sizeof *hashes);
    assert_non_null(hashes);
    for (uint32_t i = 0; i < m->n_tensors; i++) {
        hashes[i] = atoll_fnv1a(m->tensors[i].name, strlen(m->tensors[i].name), 0);
        for (uint32_t k = 0; k < i; k++) {
            if (hashes[i] == hashes[k]) {
                assert_string_not_equal(m->tensors[i].name, m->tensors[k].name);
            }
        }
    }
    atoll_free(hashes);
}

static void every_network_is_sound(void **state) {
    (void)state;
    size_t n = 0;
    const struct atoll_zoo_network *list = atoll_zoo_list(&n);
    for (size_t i = 0; i < n; i++) {
        struct atoll_model *m = build(list[i].name);
        assert_int_equal(m->n_inputs, 1);
        assert_int_equal(m->tensors[m->inputs[0]].type, ATOLL_TYPE_INT8);
        assert_int_equal(m->n_outputs, is_detector(list[i].name) ? 4 : 1);
        assert_int_equal(m->tensors[m->outputs[0]].type,
                         is_detector(list[i].name) ? ATOLL_TYPE_FLOAT32 : ATOLL_TYPE_INT8);
        for (uint32_t k = 0; k < m->n_ops; k++) {
            check_op(m, k);
        }
        check_tensors(m);
        check_names_differ(m);
        atoll_model_close(&m);
    }
}

/* Another size, and the smallest that works: sizes from 1 up fail with EINPUT and a sentence, then
 * build. */
static void other_sizes_build(void **state) {
    (void)state;
    size_t n = 0;
    const struct atoll_zoo_network *list = atoll_zoo_list(&n);
    for (size_t i = 0; i < n; i++) {
        bool has_size = false;
        for (size_t k = 0; k < list[i].n_params; k++) {
            has_size = has_size || strcmp(list[i].params[k].name, "size") == 0;
        }
        if (!has_size) {
            continue;
        }
        char spec[80];
        snprintf(spec, sizeof spec, "%s?size=192", list[i].name);
        struct atoll_model *m = build(spec);
        assert_int_equal(m->tensors[m->inputs[0]].shape[1], 192);
        atoll_model_close(&m);
        int size = 1;
        for (; size < 192; size++) {
            struct atoll_err err = {0};
            snprintf(spec, sizeof spec, "%s?size=%d", list[i].name, size);
            const int code = atoll_zoo_build(spec, &m, &err);
            if (code == 0) {
                atoll_model_close(&m);
                break;
            }
            assert_int_equal(code, ATOLL_EINPUT);
            assert_non_null(strstr(err.text, "size="));
            assert_null(m);
        }
        assert_true(size <= 75); /* the Inception stems need the most */
    }
}

static void too_small_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"vgg16?size=31", "inception_v3?size=74",
                                      "densenet121?size=16", "squeezenet1_1?size=3",
                                      "unet_mobilenet_v2?size=100"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct atoll_model *m = NULL;
        struct atoll_err err = {0};
        assert_int_equal(atoll_zoo_build(bad[i], &m, &err), ATOLL_EINPUT);
        assert_null(m);
        assert_non_null(strstr(err.text, bad[i]));
    }
}

static void biases_follow_the_key(void **state) {
    (void)state;
    static const struct {
        const char *spec;
        bool zero;
    } rows[] = {{"cifar_squeezenet1_1", false},
                {"cifar_squeezenet1_1?bias=zero", true},
                {"conv_chain", true},
                {"conv_chain?bias=seeded", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct atoll_model *m = build(rows[i].spec);
        for (uint32_t k = 0; k < m->n_ops; k++) {
            const int32_t b = atoll_op_bias(m, k);
            if (b >= 0) {
                assert_int_equal(atoll_tensor_all_zero(&m->tensors[b]), rows[i].zero);
            }
        }
        atoll_model_close(&m);
    }
}

/* Every allocation fails once: ENOMEM and nothing left behind (the sanitizer watches). */
static void lost_allocations_are_survived(void **state) {
    (void)state;
    static const char *const specs[] = {"conv_chain?layers=2", "dense_chain?layers=1",
                                        "cifar_squeezenet1_1",
                                        "ssd_mobilenet_v1?alpha=0.25&size=64"};
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        struct atoll_model *m = NULL;
        uint64_t nth = 1;
        for (; m == NULL && nth < 100000; nth++) {
            struct atoll_err err = {0};
            atoll_alloc_fail_after(nth);
            const int code = atoll_zoo_build(specs[i], &m, &err);
            atoll_alloc_fail_after(0);
            assert_true(code == 0 ? m != NULL : code == ATOLL_ENOMEM && m == NULL);
        }
        assert_non_null(m);
        assert_true(nth > 3);
        atoll_model_close(&m);
    }
}

/* Nothing of the size of the weights is made: the best of three builds stays under 10 ms. */
static void building_is_cheap(void **state) {
    (void)state;
    if (test_is_slow()) {
        skip();
    }
    if (test_is_slow()) {
        skip();
    }
    size_t n = 0;
    const struct atoll_zoo_network *list = atoll_zoo_list(&n);
    for (size_t i = 0; i < n; i++) {
        uint64_t best_ns = UINT64_MAX;
        for (int k = 0; k < 3; k++) {
            const clock_t from = clock(); /* of the processor, not of a busy machine's wall */
            struct atoll_model *m = build(list[i].name);
            const uint64_t took_ns = (uint64_t)(clock() - from) * (1000000000 / CLOCKS_PER_SEC);
            best_ns = took_ns < best_ns ? took_ns : best_ns;
            atoll_model_close(&m);
        }
        if (best_ns > 10000000) {
            fail_msg("%s takes %.1f ms", list[i].name, (double)best_ns / 1e6);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_network_is_sound), cmocka_unit_test(other_sizes_build),
        cmocka_unit_test(too_small_is_refused),   cmocka_unit_test(biases_follow_the_key),
        cmocka_unit_test(building_is_cheap),      cmocka_unit_test(lost_allocations_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
