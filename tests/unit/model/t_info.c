/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of operators, worked out by hand. */
#include "model_chain.h"

static int32_t tensor(struct chain *c, int32_t rank, const int32_t *shape,
                      enum atoll_fill_kind fill)
{
    return chain_tensor(c, "t", fill == ATOLL_FILL_BIAS32 ? ATOLL_TYPE_INT32 : ATOLL_TYPE_INT8,
                        rank, shape, fill);
}

#define T(fill, ...)                                                                               \
    tensor(&c, (int32_t)(sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t)),                      \
           (int32_t[]){__VA_ARGS__}, fill)
#define ACT ATOLL_FILL_NONE
#define WEIGHTS ATOLL_FILL_INT8
#define BIAS ATOLL_FILL_BIAS32

/* Makes a model of one operator over `in` and looks at its numbers. */
static struct atoll_op_info info_of(struct chain *c, int code, const int32_t *in, uint32_t n,
                                    int32_t out, int32_t data, int32_t weights, int32_t bias)
{
    chain_op(c, code, in, n, out);
    int32_t inputs[4];
    uint32_t n_inputs = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct atoll_tensor *t = in[i] < 0 ? NULL : atoll_builder_get(c->b, in[i]);
        if (t != NULL && !t->is_constant && !t->is_variable && n_inputs < 4) {
            inputs[n_inputs++] = in[i];
        }
    }
    struct atoll_model *m = NULL;
    struct atoll_err err = {0};
    if (atoll_builder_finish(&c->b, inputs, n_inputs, &out, 1, &m, &err) != 0) {
        fail_msg("%s", err.text);
    }
    struct atoll_op_info info;
    atoll_op_info(m, 0, &info);
    assert_int_equal(atoll_op_data_input(m, 0), data);
    assert_int_equal(atoll_op_weights(m, 0), weights);
    assert_int_equal(atoll_op_bias(m, 0), bias);
    atoll_model_close(&m);
    return info;
}

static void convolutions(void **state)
{
    (void)state;
    struct chain c = chain_start("conv");
    int32_t x = T(ACT, 1, 9, 7, 5), w = T(WEIGHTS, 6, 3, 2, 5), b = T(BIAS, 6),
            y = T(ACT, 1, 4, 3, 6);
    struct atoll_op_info i = info_of(&c, ATOLL_OP_CONV_2D, (int32_t[]){x, w, b}, 3, y, x, w, b);
    assert_int_equal(i.macs, 4 * 3 * 6 * 3 * 2 * 5);
    assert_int_equal(i.weight_bytes, 180);
    assert_int_equal(i.bias_bytes, 24);
    assert_int_equal(i.const_bytes, 204);
    assert_int_equal(i.in_bytes, 315);
    assert_int_equal(i.out_bytes, 72);
    assert_int_equal(i.gate_macs, 0);

    c = chain_start("depthwise");
    x = T(ACT, 1, 9, 7, 5), w = T(WEIGHTS, 1, 3, 2, 10), y = T(ACT, 1, 4, 3, 10);
    i = info_of(&c, ATOLL_OP_DEPTHWISE_CONV_2D, (int32_t[]){x, w, -1}, 3, y, x, w, -1);
    assert_int_equal(i.macs, 4 * 3 * 10 * 3 * 2);
    assert_int_equal(i.weight_bytes, 60);
    assert_int_equal(i.bias_bytes, 0);

    c = chain_start("transpose");
    const int32_t shape = T(BIAS, 4);
    x = T(ACT, 1, 4, 3, 6), w = T(WEIGHTS, 5, 3, 2, 6), b = T(BIAS, 5), y = T(ACT, 1, 8, 6, 5);
    i = info_of(&c, ATOLL_OP_TRANSPOSE_CONV, (int32_t[]){shape, w, x, b}, 4, y, x, w, b);
    assert_int_equal(i.macs, 4 * 3 * 6 * 3 * 2 * 5);
    assert_int_equal(i.bias_bytes, 20);
    assert_int_equal(i.const_bytes, 16 + 180 + 20);
}

static void products(void **state)
{
    (void)state;
    struct chain c = chain_start("fc");
    int32_t x = T(ACT, 3, 40), w = T(WEIGHTS, 10, 40), b = T(BIAS, 10), y = T(ACT, 3, 10);
    struct atoll_op_info i =
        info_of(&c, ATOLL_OP_FULLY_CONNECTED, (int32_t[]){x, w, b}, 3, y, x, w, b);
    assert_int_equal(i.macs, 3 * 10 * 40);

    c = chain_start("matmul"); /* [2,3,4] * [2,4,5], both activations */
    x = T(ACT, 2, 3, 4), w = T(ACT, 2, 4, 5), y = T(ACT, 2, 3, 5);
    i = info_of(&c, ATOLL_OP_BATCH_MATMUL, (int32_t[]){x, w}, 2, y, x, -1, -1);
    assert_int_equal(i.macs, 2 * 3 * 4 * 5);
    assert_int_equal(i.in_bytes, 24 + 40);
    assert_int_equal(i.weight_bytes, 0);

    c = chain_start("transposed matmul"); /* x stored as [2,4,3] */
    x = T(ACT, 2, 4, 3), w = T(WEIGHTS, 2, 4, 5), y = T(ACT, 2, 3, 5);
    i = info_of(&c, ATOLL_OP_BATCH_MATMUL, (int32_t[]){x, w}, 2, y, x, w, -1);
    assert_int_equal(i.macs, 2 * 3 * 4 * 5);
    assert_int_equal(i.weight_bytes, 40);
}

/* 7 steps of 3 features into 4 units: 4 gates of 4 x 3 and 4 x 4, counted apart from `macs`. */
static void recurrent(void **state)
{
    (void)state;
    struct chain c = chain_start("lstm");
    int32_t in[20];
    for (int i = 0; i < 20; i++) {
        in[i] = -1;
    }
    in[0] = T(ACT, 1, 7, 3);
    for (int i = 1; i <= 4; i++) {
        in[i] = T(WEIGHTS, 4, 3);
        in[i + 4] = T(WEIGHTS, 4, 4);
        in[i + 11] = T(BIAS, 4);
    }
    in[18] = T(ACT, 1, 4);
    in[19] = T(ACT, 1, 4);
    atoll_builder_get(c.b, in[18])->is_variable = true;
    atoll_builder_get(c.b, in[19])->is_variable = true;
    const int32_t y = T(ACT, 1, 7, 4);
    const struct atoll_op_info i =
        info_of(&c, ATOLL_OP_UNIDIRECTIONAL_SEQUENCE_LSTM, in, 20, y, in[0], -1, -1);
    assert_int_equal(i.macs, 0);
    assert_int_equal(i.gate_macs, 7 * 4 * (4 * 3 + 4 * 4));
    assert_int_equal(i.gate_weight_bytes, 4 * (12 + 16));
    assert_int_equal(i.const_bytes, 4 * (12 + 16 + 16));
    assert_int_equal(i.in_bytes, 21 + 4 + 4);
}

/* Products beyond 64 bits stop at the end. */
static void nothing_wraps(void **state)
{
    (void)state;
    struct chain c = chain_start("large");
    const int32_t x = T(ACT, 1, 16384, 16384, 32), w = T(ACT, 16384, 512, 512, 2),
                  y = T(ACT, 1, 16384, 16384, 32);
    const struct atoll_op_info i = info_of(&c, ATOLL_OP_CONV_2D, (int32_t[]){x, w}, 2, y, x, w, -1);
    assert_int_equal(i.macs, UINT64_C(8589934592) * 512 * 512 * 2);
    c = chain_start("larger");
    const int32_t x2 = T(ACT, 1, 16384, 16384, 32), w2 = T(ACT, 1, 65536, 65536, 2),
                  y2 = T(ACT, 1, 16384, 16384, 32);
    const struct atoll_op_info i2 =
        info_of(&c, ATOLL_OP_CONV_2D, (int32_t[]){x2, w2}, 2, y2, x2, w2, -1);
    assert_true(i2.macs == UINT64_MAX);
}

static void others(void **state)
{
    (void)state;
    struct chain c = chain_start("add");
    const int32_t x = T(ACT, 1, 4, 4, 2), y = T(ACT, 1, 4, 4, 2);
    const struct atoll_op_info i = info_of(&c, ATOLL_OP_ADD, (int32_t[]){x, x}, 2, y, x, -1, -1);
    assert_int_equal(i.macs, 0);
    assert_int_equal(i.in_bytes, 64); /* listed twice, counted twice */
    c = chain_start("split");
    const int32_t axis = T(BIAS, 1), s = T(ACT, 1, 4, 4, 2), part = T(ACT, 1, 4, 4, 1);
    const struct atoll_op_info k =
        info_of(&c, ATOLL_OP_SPLIT, (int32_t[]){axis, s}, 2, part, s, -1, -1);
    assert_int_equal(k.const_bytes, 4);
    assert_int_equal(k.bias_bytes, 0);
}

static void names(void **state)
{
    (void)state;
    char buf[64];
    const struct atoll_op unknown = {.code = 173},
                          custom = {.code = ATOLL_OP_CUSTOM, .custom_name = "MyOp"},
                          conv = {.code = 3};
    assert_string_equal(atoll_op_name(&unknown, buf), "UNKNOWN_173");
    assert_string_equal(atoll_op_name(&custom, buf), "MyOp");
    assert_string_equal(atoll_op_name(&conv, buf), "CONV_2D");
    assert_string_equal(atoll_opcode_name(161), "RIGHT_SHIFT");
    assert_string_equal(atoll_opcode_name(162), "?");
    assert_string_equal(atoll_opcode_name(-1), "?");
    for (int i = 0; i <= ATOLL_OP_CODE_MAX; i++) {
        assert_non_null(atoll_opcode_name(i));
    }
    assert_string_equal(atoll_type_name(ATOLL_TYPE_INT4), "INT4");
    assert_string_equal(atoll_type_name((enum atoll_type)18), "?");
    assert_int_equal(atoll_type_bits(ATOLL_TYPE_INT4), 4);
    assert_int_equal(atoll_type_bits(ATOLL_TYPE_STRING), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions),  cmocka_unit_test(products), cmocka_unit_test(recurrent),
        cmocka_unit_test(nothing_wraps), cmocka_unit_test(others),   cmocka_unit_test(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
