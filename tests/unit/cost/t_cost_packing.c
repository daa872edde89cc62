/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include "cost_fixture.h"
#include "cost_internal.h"

static uint64_t packed(struct atoll_model *m, uint32_t op, enum atoll_compiler compiler)
{
    struct atoll_cost *c = NULL;
    struct atoll_err err = {0};
    assert_int_equal(atoll_cost_open(m, compiler, &c, &err), 0);
    const uint64_t bytes = atoll_cost_packed_bytes(c, op);
    atoll_cost_close(&c);
    return bytes;
}

static uint64_t conv_bytes(int32_t cin, int32_t kernel, int32_t cout, bool zero,
                           enum atoll_compiler compiler)
{
    struct net n;
    net_begin(&n);
    const int32_t in = net_input(&n, 8, 8, cin);
    const int32_t y = net_conv(&n, in, kernel, 1, cout, zero);
    struct atoll_model *m = net_end(&n, in, &y, 1);
    const uint64_t bytes = packed(m, 0, compiler);
    atoll_model_close(&m);
    return bytes;
}

static void convolution_groups_of_each_compiler(void **state)
{
    (void)state;
    assert_int_equal(conv_bytes(3, 3, 3, false, ATOLL_COMPILER_2019), 192);   /* 4 * (36 + 12) */
    assert_int_equal(conv_bytes(3, 3, 20, false, ATOLL_COMPILER_2019), 1536); /* 32 * 48 */
    assert_int_equal(conv_bytes(3, 3, 65, false, ATOLL_COMPILER_2019), 6144); /* 128 * 48 */
    assert_int_equal(conv_bytes(3, 3, 20, false, ATOLL_COMPILER_V16), 3072);  /* 64 * 48 */
    assert_int_equal(conv_bytes(3, 3, 64, true, ATOLL_COMPILER_V16),
                     2816); /* first layer of the sweep: 44 B per output */
    assert_int_equal(conv_bytes(5, 1, 64, false, ATOLL_COMPILER_V16), 64 * 20); /* cin 5 -> 8 */
}

static void depthwise_takes_four_lanes_a_tap(void **state)
{
    (void)state;
    struct net n;
    net_begin(&n);
    const int32_t in = net_input(&n, 8, 8, 33);
    const int32_t y = net_depthwise(&n, in, 3, 1);
    struct atoll_model *m = net_end(&n, in, &y, 1);
    assert_int_equal(packed(m, 0, ATOLL_COMPILER_2019), 1600); /* pad64(33 * (36 + 12)) */
    assert_int_equal(packed(m, 0, ATOLL_COMPILER_V16), 1600);
    atoll_model_close(&m);
}

static void dense_drops_zero_bias_in_v16(void **state)
{
    (void)state;
    struct atoll_model *m = net_dense_chain(1, 64, 1024, 10);
    assert_int_equal(packed(m, 0, ATOLL_COMPILER_V16), 1024 * 64);
    assert_int_equal(packed(m, 1, ATOLL_COMPILER_V16), 64 * 1024);
    assert_int_equal(packed(m, 0, ATOLL_COMPILER_2019), 1024 * 72);
    assert_int_equal(packed(m, 1, ATOLL_COMPILER_2019), 16 * 1032);
    atoll_model_close(&m);
}

static void softmax_table_is_new_in_2021(void **state)
{
    (void)state;
    struct net n;
    net_begin(&n);
    const int32_t in = net_vector(&n, 1001);
    const int32_t y = net_softmax(&n, in);
    struct atoll_model *m = net_end(&n, in, &y, 1);
    assert_int_equal(packed(m, 0, ATOLL_COMPILER_V16), 48256);
    assert_int_equal(packed(m, 0, ATOLL_COMPILER_2019), 0);
    atoll_model_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolution_groups_of_each_compiler),
        cmocka_unit_test(depthwise_takes_four_lanes_a_tap),
        cmocka_unit_test(dense_drops_zero_bias_in_v16),
        cmocka_unit_test(softmax_table_is_new_in_2021),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
