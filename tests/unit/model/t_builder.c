/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <atoll/model.h>
#include <string.h>

static int32_t add_tensor(struct atoll_builder *b, const char *name, enum atoll_type type,
                          int32_t rank, const int32_t *shape, enum atoll_fill_kind fill)
{
    const float scale = 0.5f;
    const int64_t zero = 0;
    struct atoll_tensor t = {.name = name, .type = type, .rank = rank, .fill = {fill, 7}};
    t.quant = (struct atoll_quant){.scale = &scale, .zero_point = &zero, .n = 1};
    for (int32_t i = 0; i < rank; i++) {
        t.shape[i] = shape[i];
    }
    struct atoll_err err = {0};
    const int32_t index = atoll_builder_tensor(b, &t, false, &err);
    if (index < 0) {
        fail_msg("%s", err.text);
    }
    return index;
}

static int32_t add_op(struct atoll_builder *b, int code, const int32_t *in, uint32_t n_in,
                      int32_t out)
{
    const struct atoll_op op = {.code = code,
                                .inputs = in,
                                .n_inputs = n_in,
                                .outputs = &out,
                                .n_outputs = 1,
                                .attr = atoll_op_attr_default()};
    return atoll_builder_op(b, &op, NULL);
}

static struct atoll_builder *start(void)
{
    struct atoll_builder *b = NULL;
    assert_int_equal(atoll_builder_create("zoo:test", "a test", &b, NULL), 0);
    return b;
}

#define SHAPE(...)                                                                                 \
    (int32_t)(sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t)), (const int32_t[])               \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static void residual_graph_is_linked(void **state)
{
    (void)state;
    struct atoll_builder *b = start();
    const int32_t x = add_tensor(b, "x", ATOLL_TYPE_INT8, SHAPE(1, 8, 8, 4), ATOLL_FILL_NONE);
    const int32_t w = add_tensor(b, "w", ATOLL_TYPE_INT8, SHAPE(4, 3, 3, 4), ATOLL_FILL_INT8);
    const int32_t bias = add_tensor(b, "b", ATOLL_TYPE_INT32, SHAPE(4), ATOLL_FILL_BIAS32);
    const int32_t y = add_tensor(b, "y", ATOLL_TYPE_INT8, SHAPE(1, 8, 8, 4), ATOLL_FILL_NONE);
    const int32_t z = add_tensor(b, "z", ATOLL_TYPE_INT8, SHAPE(1, 8, 8, 4), ATOLL_FILL_NONE);
    assert_int_equal(add_op(b, ATOLL_OP_CONV_2D, (int32_t[]){x, w, bias}, 3, y), 0);
    assert_int_equal(add_op(b, ATOLL_OP_ADD, (int32_t[]){x, y}, 2, z), 1);
    assert_int_equal(atoll_builder_get(b, w)->data_bytes, 144);
    struct atoll_model *m = NULL;
    struct atoll_err err = {0};
    assert_int_equal(atoll_builder_finish(&b, &x, 1, &z, 1, &m, &err), 0);
    assert_null(b);
    assert_string_equal(m->path, "zoo:test");
    assert_int_equal(m->tensors[x].producer, -1);
    assert_int_equal(m->tensors[x].n_consumers, 2);
    assert_int_equal(m->tensors[x].consumers[1], 1);
    assert_int_equal(m->tensors[y].producer, 0);
    assert_int_equal(m->tensors[z].n_consumers, 0);
    assert_int_equal(m->ops[0].version, 3);
    assert_int_equal(m->ops[1].version, 2);
    struct atoll_op_info info;
    atoll_op_info(m, 0, &info);
    assert_int_equal(info.macs, 8 * 8 * 4 * 9 * 4);
    assert_int_equal(info.weight_bytes, 144);
    assert_int_equal(info.bias_bytes, 16);
    assert_int_equal(info.const_bytes, 160);
    assert_int_equal(info.in_bytes, 256);
    atoll_model_close(&m);
}

/* The same checks as the reader's; each sentence names the operator or tensor. */
static void broken_graphs_are_refused(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    struct atoll_model *m = NULL;
    struct atoll_builder *b = start();
    int32_t x = add_tensor(b, "x", ATOLL_TYPE_INT8, SHAPE(4), ATOLL_FILL_NONE);
    int32_t y = add_tensor(b, "y", ATOLL_TYPE_INT8, SHAPE(4), ATOLL_FILL_NONE);
    int32_t z = add_tensor(b, "z", ATOLL_TYPE_INT8, SHAPE(4), ATOLL_FILL_NONE);
    add_op(b, ATOLL_OP_ADD, (int32_t[]){x, z}, 2, y);
    add_op(b, ATOLL_OP_ADD, (int32_t[]){x, y}, 2, z);
    assert_int_equal(atoll_builder_finish(&b, &x, 1, &z, 1, &m, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "cycle"));
    assert_non_null(strstr(err.text, "operator 0"));
    assert_null(m);

    b = start();
    x = add_tensor(b, "x", ATOLL_TYPE_INT8, SHAPE(4), ATOLL_FILL_NONE);
    y = add_tensor(b, "y", ATOLL_TYPE_INT8, SHAPE(4), ATOLL_FILL_NONE);
    z = add_tensor(b, "z", ATOLL_TYPE_INT8, SHAPE(4), ATOLL_FILL_NONE);
    add_op(b, ATOLL_OP_ADD, (int32_t[]){x, y}, 2, z);
    add_op(b, ATOLL_OP_RELU, (int32_t[]){x}, 1, y);
    assert_int_equal(atoll_builder_finish(&b, &x, 1, &z, 1, &m, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "order of execution"));

    b = start();
    x = add_tensor(b, "x", ATOLL_TYPE_INT8, SHAPE(4), ATOLL_FILL_NONE);
    y = add_tensor(b, "y", ATOLL_TYPE_INT8, SHAPE(4), ATOLL_FILL_NONE);
    add_op(b, ATOLL_OP_RELU, (int32_t[]){x}, 1, y);
    add_op(b, ATOLL_OP_RELU, (int32_t[]){x}, 1, y);
    assert_int_equal(atoll_builder_finish(&b, &x, 1, &y, 1, &m, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "another operator writes too"));

    b = start(); /* an operator that reads what it writes */
    x = add_tensor(b, "x", ATOLL_TYPE_INT8, SHAPE(4), ATOLL_FILL_NONE);
    y = add_tensor(b, "y", ATOLL_TYPE_INT8, SHAPE(4), ATOLL_FILL_NONE);
    add_op(b, ATOLL_OP_ADD, (int32_t[]){x, y}, 2, y);
    assert_int_equal(atoll_builder_finish(&b, &x, 1, &y, 1, &m, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "cycle"));

    b = start();
    x = add_tensor(b, "x", ATOLL_TYPE_INT8, SHAPE(4), ATOLL_FILL_NONE);
    y = add_tensor(b, "y", ATOLL_TYPE_INT8, SHAPE(4), ATOLL_FILL_NONE);
    add_op(b, ATOLL_OP_RELU, (int32_t[]){99}, 1, y);
    assert_int_equal(atoll_builder_finish(&b, &x, 1, &y, 1, &m, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "tensor 99"));
}

static void constants_must_fit_their_shape(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    struct atoll_model *m = NULL;
    struct atoll_builder *b = start();
    static const uint8_t bytes[3] = {1, 2, 3};
    const struct atoll_tensor t = {.name = "w",
                                   .type = ATOLL_TYPE_INT8,
                                   .rank = 1,
                                   .shape = {4},
                                   .is_constant = true,
                                   .data = bytes,
                                   .data_bytes = 3};
    assert_int_equal(atoll_builder_tensor(b, &t, true, &err), 0);
    assert_int_equal(atoll_builder_finish(&b, NULL, 0, NULL, 0, &m, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "its shape asks for 4"));

    b = start();
    const struct atoll_tensor small = {.name = "w",
                                       .type = ATOLL_TYPE_INT8,
                                       .rank = 1,
                                       .shape = {2},
                                       .data = bytes,
                                       .data_bytes = 3};
    assert_int_equal(atoll_builder_tensor(b, &small, true, &err), 0);
    assert_int_equal(atoll_builder_finish(&b, NULL, 0, NULL, 0, &m, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "constant of 3 bytes (its shape asks for 2)"));

    b = start();
    struct atoll_tensor huge = {
        .name = "h", .type = ATOLL_TYPE_INT8, .rank = 4, .shape = {65536, 65536, 65536, 65536}};
    assert_int_equal(atoll_builder_tensor(b, &huge, true, &err), ATOLL_ELIMIT);
    huge = (struct atoll_tensor){
        .name = "h", .type = ATOLL_TYPE_INT8, .rank = 1, .shape = {4}, .is_constant = true};
    assert_int_equal(atoll_builder_tensor(b, &huge, true, &err), ATOLL_EUSAGE);
    atoll_builder_destroy(&b);
}

static void thousand_operators_are_quick(void **state)
{
    (void)state;
    const uint64_t start_ns = atoll_now_ns();
    struct atoll_builder *b = start();
    const int32_t first = add_tensor(b, "t0", ATOLL_TYPE_INT8, SHAPE(1, 4), ATOLL_FILL_NONE);
    int32_t last = first;
    for (int i = 0; i < 1000; i++) {
        const int32_t next = add_tensor(b, "t", ATOLL_TYPE_INT8, SHAPE(1, 4), ATOLL_FILL_NONE);
        assert_int_equal(add_op(b, ATOLL_OP_RELU, &last, 1, next), i);
        last = next;
    }
    struct atoll_model *m = NULL;
    assert_int_equal(atoll_builder_finish(&b, &first, 1, &last, 1, &m, NULL), 0);
    assert_int_equal(m->n_ops, 1000);
    atoll_model_close(&m);
    assert_true(atoll_now_ns() - start_ns <
                UINT64_C(500000000)); /* 1 ms in a quiet release build */
}

static void windows(void **state)
{
    (void)state;
    assert_int_equal(atoll_window_out(224, 3, 2, 1, ATOLL_PADDING_SAME), 112);
    assert_int_equal(atoll_window_out(225, 3, 2, 1, ATOLL_PADDING_SAME), 113);
    assert_int_equal(atoll_window_out(299, 3, 2, 1, ATOLL_PADDING_VALID), 149);
    assert_int_equal(atoll_window_out(7, 7, 1, 1, ATOLL_PADDING_VALID), 1);
    assert_int_equal(atoll_window_out(9, 3, 1, 4, ATOLL_PADDING_VALID), 1);
    assert_true(atoll_window_out(6, 7, 1, 1, ATOLL_PADDING_VALID) <= 0);
    assert_true(atoll_window_out(0, 3, 1, 1, ATOLL_PADDING_SAME) <= 0);
}

static void op_version(int code, enum atoll_type type, int32_t expected)
{
    struct atoll_builder *b = start();
    const int32_t x = add_tensor(b, "x", type, SHAPE(1, 4), ATOLL_FILL_NONE);
    const int32_t w = add_tensor(b, "w", type, SHAPE(4, 4), ATOLL_FILL_INT8);
    const int32_t y = add_tensor(b, "y", type, SHAPE(1, 4), ATOLL_FILL_NONE);
    add_op(b, code, (int32_t[]){x, w, -1}, 3, y);
    struct atoll_model *m = NULL;
    assert_int_equal(atoll_builder_finish(&b, &x, 1, &y, 1, &m, NULL), 0);
    assert_int_equal(m->ops[0].version, expected);
    atoll_model_close(&m);
}

static void usual_versions(void **state)
{
    (void)state;
    op_version(ATOLL_OP_FULLY_CONNECTED, ATOLL_TYPE_INT8, 6); /* no bias */
    op_version(ATOLL_OP_FULLY_CONNECTED, ATOLL_TYPE_UINT8, 1);
    op_version(ATOLL_OP_CONV_2D, ATOLL_TYPE_INT8, 3);
    op_version(ATOLL_OP_RESHAPE, ATOLL_TYPE_INT8, 1);
    op_version(ATOLL_OP_SOFTMAX, ATOLL_TYPE_INT8, 2);
    op_version(ATOLL_OP_DEQUANTIZE, ATOLL_TYPE_INT8, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(residual_graph_is_linked),
        cmocka_unit_test(broken_graphs_are_refused),
        cmocka_unit_test(constants_must_fit_their_shape),
        cmocka_unit_test(thousand_operators_are_quick),
        cmocka_unit_test(windows),
        cmocka_unit_test(usual_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
