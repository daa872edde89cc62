/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler's cuts, on the chains whose cuts were published and on hand-made graphs. */
#include "model_chain.h"

/* Layers (operators behind the QUANTIZE) per segment as "2|1|2". */
static void cuts_text(const struct atoll_model *m, uint32_t n, char text[32])
{
    uint32_t cuts[8] = {0};
    struct atoll_err err = {0};
    if (atoll_model_vendor_cuts(m, n, cuts, &err) != 0) {
        fail_msg("%s", err.text);
    }
    cuts[n - 1] = m->n_ops;
    text[0] = 0;
    for (uint32_t s = 0; s < n; s++) {
        const uint32_t start = s == 0 ? 1 : cuts[s - 1]; /* the QUANTIZE is no layer */
        const size_t used = strlen(text);
        (void)snprintf(text + used, 32 - used, s > 0 ? "|%u" : "%u", cuts[s] - start);
    }
}

static void expect_cuts(const struct atoll_model *m, uint32_t n, const char *expected)
{
    char text[32];
    cuts_text(m, n, text);
    assert_string_equal(text, expected);
}

/* edgetpu_compiler on 5 layers, 67 widths measured: the same cuts for every width. */
static void conv_chains(void **state)
{
    (void)state;
    for (int32_t f = 32; f <= 692; f++) {
        struct atoll_model *m = conv_chain(5, f);
        expect_cuts(m, 1, "5");
        expect_cuts(m, 2, "2|3");
        expect_cuts(m, 3, "2|1|2");
        expect_cuts(m, 4, "1|1|1|2");
        atoll_model_close(&m);
    }
}

static void weights_are_raw_bytes(void **state)
{
    (void)state;
    struct atoll_model *m = conv_chain(5, 602);
    uint64_t total = 0;
    for (uint32_t o = 0; o < m->n_ops; o++) {
        struct atoll_op_info info;
        atoll_op_info(m, o, &info);
        total += info.const_bytes;
        assert_int_equal(info.const_bytes, o == 0 ? 0 : o == 1 ? 18662 : 3264044);
    }
    assert_int_equal(total, 13074838);
    atoll_model_close(&m);
}

static void fc_chains(void **state)
{
    (void)state;
    for (int32_t n = 100; n <= 2640; n += 40) {
        struct atoll_model *m = fc_chain(n);
        uint32_t cuts[8] = {77, 77, 77};
        struct atoll_err err = {0};
        expect_cuts(m, 2, "2|3");
        expect_cuts(m, 3, "1|1|3");
        assert_int_equal(atoll_model_vendor_cuts(m, 4, cuts, &err), ATOLL_ENO);
        assert_non_null(strstr(err.text, "segment 1 of 4 empty"));
        assert_non_null(strstr(err.text, "operator 2 (FULLY_CONNECTED)"));
        assert_int_equal(cuts[0], 77); /* untouched on failure */
        atoll_model_close(&m);
    }
}

static void impossible_counts(void **state)
{
    (void)state;
    struct atoll_model *m = conv_chain(2, 32);
    uint32_t cuts[8];
    assert_int_equal(atoll_model_vendor_cuts(m, 0, cuts, NULL), ATOLL_EUSAGE);
    assert_int_equal(atoll_model_vendor_cuts(m, 4, cuts, NULL), ATOLL_EUSAGE);
    expect_cuts(m, 1, "2");
    atoll_model_close(&m);
}

/*      0 stem        The last branch (3, 4) runs first, then 2, then the join 5; the side output 1
 *    / | \           is a sink and comes behind everything else, before the sink 6 that was found
 *   1  2  3-4        earlier. */
static void branches(void **state)
{
    (void)state;
    struct chain c = chain_start("branches");
    c.first = chain_int8(&c, "x", 4, 4, 4);
    int32_t t[7];
    for (int i = 0; i < 7; i++) {
        t[i] = chain_int8(&c, "t", 4, 4, 4);
    }
    chain_op(&c, ATOLL_OP_RELU, &c.first, 1, t[0]);
    chain_op(&c, ATOLL_OP_TANH, &t[0], 1, t[1]);
    chain_op(&c, ATOLL_OP_RELU, &t[0], 1, t[2]);
    chain_op(&c, ATOLL_OP_RELU, &t[0], 1, t[3]);
    chain_op(&c, ATOLL_OP_RELU, &t[3], 1, t[4]);
    chain_op(&c, ATOLL_OP_ADD, (int32_t[]){t[2], t[4]}, 2, t[5]);
    chain_op(&c, ATOLL_OP_RELU, &t[5], 1, t[6]);
    c.last = t[6];
    struct atoll_model *m = chain_finish(&c);
    uint32_t order[7];
    assert_int_equal(atoll_model_vendor_order(m, order, NULL), 0);
    const uint32_t expected[7] = {0, 3, 4, 2, 5, 1, 6};
    assert_memory_equal(order, expected, sizeof expected);
    atoll_model_close(&m);
}

/* Custom operators weigh nothing, and a tensor read twice by one operator is one edge. */
static void custom_and_double_edges(void **state)
{
    (void)state;
    struct chain c = chain_start("custom");
    c.first = chain_int8(&c, "x", 4, 4, 4);
    const int32_t w = chain_tensor(&c, "w", ATOLL_TYPE_INT8, 1, (int32_t[]){1000}, ATOLL_FILL_INT8);
    int32_t t[4];
    for (int i = 0; i < 4; i++) {
        t[i] = chain_int8(&c, "t", 4, 4, 4);
    }
    chain_op(&c, ATOLL_OP_MUL, (int32_t[]){c.first, w}, 2, t[0]);
    chain_op(&c, ATOLL_OP_CUSTOM, (int32_t[]){t[0], w}, 2, t[1]);
    chain_op(&c, ATOLL_OP_ADD, (int32_t[]){t[1], t[1]}, 2, t[2]);
    chain_op(&c, ATOLL_OP_MUL, (int32_t[]){t[2], w}, 2, t[3]);
    c.last = t[3];
    struct atoll_model *m = chain_finish(&c);
    uint32_t order[4], cut = 0;
    assert_int_equal(atoll_model_vendor_order(m, order, NULL), 0);
    assert_memory_equal(order, ((uint32_t[]){0, 1, 2, 3}), sizeof order);
    /* 2000 bytes count: 1001 a segment, so the first takes 0, 1 and 2. */
    assert_int_equal(atoll_model_vendor_cuts(m, 2, &cut, NULL), 0);
    assert_int_equal(cut, 3);
    atoll_model_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv_chains), cmocka_unit_test(weights_are_raw_bytes),
        cmocka_unit_test(fc_chains),   cmocka_unit_test(impossible_counts),
        cmocka_unit_test(branches),    cmocka_unit_test(custom_and_double_edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
