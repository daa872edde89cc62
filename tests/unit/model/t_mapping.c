/* SPDX-License-Identifier: Apache-2.0 */
/* What maps to the Edge TPU, and the words for what does not. */
#include "model_chain.h"

/* Adds an operator x -> y with one more input (or -1) and expects the reason to begin with `why`.
 */
static void expect_why(const struct atoll_model *m, uint32_t op, const char *why)
{
    char buf[256];
    const char *got = atoll_op_unmapped_why(m, op, buf);
    if (why == NULL) {
        if (got != NULL) {
            fail_msg("operator %u: %s", op, got);
        }
        return;
    }
    assert_non_null(got);
    if (strncmp(got, why, strlen(why)) != 0) {
        fail_msg("operator %u: '%s' does not begin with '%s'", op, got, why);
    }
}

/* One operator: data of `in_type`, a constant of a shape, an output. */
static struct atoll_model *single(int code, enum atoll_type type, const int32_t *shape,
                                  int32_t rank, const struct atoll_op_attr *attr,
                                  bool second_is_constant)
{
    struct chain c = chain_start("single");
    c.first = chain_tensor(&c, "x", type, rank, shape, ATOLL_FILL_NONE);
    const int32_t w = chain_tensor(&c, "w", ATOLL_TYPE_INT8, rank, shape,
                                   second_is_constant ? ATOLL_FILL_INT8 : ATOLL_FILL_NONE);
    c.last = chain_tensor(&c, "y", type, rank, shape, ATOLL_FILL_NONE);
    const int32_t ins[2] = {c.first, w};
    chain_op_attr(&c, code, ins, 2, c.last, attr);
    struct atoll_model *m = NULL;
    struct atoll_err err = {0};
    if (atoll_builder_finish(&c.b, ins, second_is_constant ? 1 : 2, &c.last, 1, &m, &err) != 0) {
        fail_msg("%s", err.text);
    }
    return m;
}

static void single_operators(void **state)
{
    (void)state;
    const int32_t shape[5] = {1, 4, 4, 8, 1};
    const int32_t batch[4] = {2, 4, 4, 8};
    const struct atoll_op_attr plain = atoll_op_attr_default();
    struct atoll_op_attr relu = plain, uneven = plain, shuffled = plain;
    relu.activation = ATOLL_ACT_RELU;
    uneven.dilation_h = 2;
    shuffled.weights_format = 1;
    const struct {
        int code;
        enum atoll_type type;
        const int32_t *shape;
        const struct atoll_op_attr *attr;
        bool constant;
        const char *why;
    } cases[] = {
        {ATOLL_OP_ADD, ATOLL_TYPE_INT8, shape, &relu, false, NULL},
        {ATOLL_OP_ADD, ATOLL_TYPE_UINT8, shape, &plain, true, NULL},
        {ATOLL_OP_CONV_2D, ATOLL_TYPE_INT8, shape, &relu, true, NULL},
        {ATOLL_OP_CONV_2D, ATOLL_TYPE_FLOAT32, shape, &plain, true,
         "Operation is working on an unsupported data type: input 0 is FLOAT32"},
        {ATOLL_OP_CONV_2D, ATOLL_TYPE_INT8, shape, &plain, false,
         "Filter, bias, or other param is not constant at compile-time: input 1"},
        {ATOLL_OP_CONV_2D, ATOLL_TYPE_INT8, shape, &uneven, true,
         "Operation is otherwise supported, but not mapped due to some unspecified limitation: "
         "dilation"},
        {ATOLL_OP_MAX_POOL_2D, ATOLL_TYPE_INT8, shape, &relu, true,
         "Operation is otherwise supported, but not mapped due to some unspecified limitation: "
         "fused"},
        {ATOLL_OP_FULLY_CONNECTED, ATOLL_TYPE_INT8, shape, &shuffled, true,
         "Operation is otherwise supported, but not mapped due to some unspecified limitation: "
         "weights format"},
        {ATOLL_OP_SOFTMAX, ATOLL_TYPE_INT8, shape, &plain, true,
         "Operation is otherwise supported, but not mapped due to some unspecified limitation: "
         "input is not one"},
        {ATOLL_OP_RELU, ATOLL_TYPE_INT8, batch, &plain, false,
         "Tensor has unsupported rank (up to 3 innermost dimensions mapped): input 0"},
        {ATOLL_OP_DEQUANTIZE, ATOLL_TYPE_FLOAT32, shape, &plain, true,
         "Operation is working on an unsupported data type"},
        {111, ATOLL_TYPE_INT8, shape, &plain, true, "Operation not supported: ELU"},
        {173, ATOLL_TYPE_INT8, shape, &plain, true, "Operation not supported: UNKNOWN_173"},
        {ATOLL_OP_CUSTOM, ATOLL_TYPE_INT8, shape, &plain, true,
         "Operation not supported: CUSTOM Own"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct atoll_model *m = single(cases[i].code, cases[i].type, cases[i].shape, 4,
                                       cases[i].attr, cases[i].constant);
        expect_why(m, 0, cases[i].why);
        atoll_model_close(&m);
    }
}

/* Five dimensions are fine while only the three innermost exceed 1. */
static void five_dimensions(void **state)
{
    (void)state;
    const struct atoll_op_attr plain = atoll_op_attr_default();
    const int32_t fits[5] = {1, 1, 4, 4, 8};
    const int32_t not [5] = {1, 2, 4, 4, 8};
    struct atoll_model *m = single(ATOLL_OP_TANH, ATOLL_TYPE_INT8, fits, 5, &plain, true);
    expect_why(m, 0, NULL);
    atoll_model_close(&m);
    m = single(ATOLL_OP_TANH, ATOLL_TYPE_INT8, not, 5, &plain, true);
    expect_why(m, 0, "Tensor has unsupported rank");
    atoll_model_close(&m);
}

static void limits_of_values(void **state)
{
    (void)state;
    struct chain c = chain_start("limits");
    static const int32_t axis_z[1] = {3}, axis_batch[1] = {0},
                         pads_batch[8] = {1, 0, 0, 0, 0, 0, 0, 0};
    static const int32_t pads_y[8] = {0, 0, 1, 1, 0, 0, 0, 0};
    c.first = chain_int8(&c, "x", 4, 4, 6);
    struct atoll_tensor k = {
        .name = "k", .type = ATOLL_TYPE_INT32, .rank = 1, .shape = {1}, .data = axis_z};
    const int32_t z = atoll_builder_tensor(c.b, &k, false, NULL);
    k.data = axis_batch;
    const int32_t batch = atoll_builder_tensor(c.b, &k, false, NULL);
    k = (struct atoll_tensor){
        .name = "p", .type = ATOLL_TYPE_INT32, .rank = 2, .shape = {4, 2}, .data = pads_batch};
    const int32_t pb = atoll_builder_tensor(c.b, &k, false, NULL);
    k.data = pads_y;
    const int32_t py = atoll_builder_tensor(c.b, &k, false, NULL);
    chain_op(&c, ATOLL_OP_MEAN, (int32_t[]){c.first, z}, 2, chain_int8(&c, "a", 4, 4, 1));
    chain_op(&c, ATOLL_OP_SUM, (int32_t[]){c.first, batch}, 2, chain_int8(&c, "b", 4, 4, 6));
    chain_op(&c, ATOLL_OP_PAD, (int32_t[]){c.first, pb}, 2, chain_int8(&c, "c", 4, 4, 6));
    chain_op(&c, ATOLL_OP_PAD, (int32_t[]){c.first, py}, 2, c.last = chain_int8(&c, "d", 6, 4, 6));
    chain_op(&c, ATOLL_OP_RESIZE_BILINEAR, (int32_t[]){c.first, z}, 2,
             chain_int8(&c, "e", 513, 513, 19));
    struct atoll_model *m = chain_finish(&c);
    expect_why(m, 0,
               "Operation is otherwise supported, but not mapped due to some unspecified "
               "limitation: reduces over z");
    expect_why(m, 1,
               "Operation is otherwise supported, but not mapped due to some unspecified "
               "limitation: reduces over the batch");
    expect_why(m, 2,
               "Operation is otherwise supported, but not mapped due to some unspecified "
               "limitation: pads the batch");
    expect_why(m, 3, NULL);
    expect_why(m, 4,
               "Operation is otherwise supported, but not mapped due to some unspecified "
               "limitation: output is larger");
    atoll_model_close(&m);
}

/* A head on the CPU, the Edge TPU, a CPU operator, and what follows it. */
static void one_subgraph(void **state)
{
    (void)state;
    struct chain c = chain_start("places");
    int32_t t[7];
    for (int i = 0; i < 7; i++) {
        t[i] = chain_int8(&c, "t", 4, 4, 4);
    }
    c.first = t[0];
    chain_op(&c, ATOLL_OP_CUSTOM, &t[0], 1, t[1]);                /* head: CPU */
    chain_op(&c, ATOLL_OP_RELU, &t[1], 1, t[2]);                  /* TPU */
    chain_op(&c, ATOLL_OP_CUSTOM, &t[2], 1, t[3]);                /* CPU */
    chain_op(&c, ATOLL_OP_RELU, &t[3], 1, t[4]);                  /* cannot come back */
    chain_op(&c, ATOLL_OP_RELU, &t[2], 1, t[5]);                  /* beside the CPU operator: TPU */
    chain_op(&c, ATOLL_OP_ADD, (int32_t[]){t[3], t[5]}, 2, t[6]); /* needs both: cannot come back */
    c.last = t[6];
    struct atoll_model *m = chain_finish(&c);
    bool maps[6];
    atoll_model_mapping(m, maps);
    const bool expected[6] = {false, true, false, false, true, false};
    assert_memory_equal(maps, expected, sizeof maps);
    atoll_model_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_operators), cmocka_unit_test(five_dimensions),
        cmocka_unit_test(limits_of_values), cmocka_unit_test(one_subgraph)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
