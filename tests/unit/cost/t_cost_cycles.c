/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include "cost_fixture.h"
#include "cost_internal.h"

static struct atoll__cycles cycles_of(const struct atoll_model *m, uint32_t op)
{
    struct atoll__cycles c;
    struct atoll_op_info info;
    atoll_op_info(m, op, &info);
    atoll__cost_cycles(&atoll__constants_default, m, op, info.macs, &c);
    return c;
}

static void a_layer_that_fills_the_array_takes_its_ideal_time_times_the_factor(void **state)
{
    (void)state;
    struct net n;
    net_begin(&n);
    const int32_t in = net_input(&n, 16, 16, 64);
    const int32_t y = net_conv(&n, in, 3, 1, 64, false);
    struct atoll_model *m = net_end(&n, in, &y, 1);
    const struct atoll__cycles c = cycles_of(m, 0);
    assert_int_equal(c.kind, ATOLL_BOUND_ARRAY);
    test_close(c.ideal_cycles, 16.0 * 16 * 9 * 64 * 64 / 2048, 1e-9);
    test_close(c.cycles / c.ideal_cycles, atoll__constants_default.v[ATOLL__K_CONV_FACTOR], 1e-9);
    atoll_model_close(&m);
}

static void small_maps_spread_channels_over_tiles(void **state)
{
    (void)state;
    struct net n;
    net_begin(&n);
    const int32_t in = net_input(&n, 1, 1, 64);
    const int32_t y = net_conv(&n, in, 1, 1, 1024, false);
    struct atoll_model *m = net_end(&n, in, &y, 1);
    const struct atoll__cycles c =
        cycles_of(m, 0); /* 16 tiles of 32 outputs: two steps of 16 cycles */
    test_close(c.cycles, 32 * atoll__constants_default.v[ATOLL__K_CONV_FACTOR], 1e-9);
    atoll_model_close(&m);
}

static void padding_and_reshaping_are_free(void **state)
{
    (void)state;
    struct net n;
    net_begin(&n);
    const int32_t in = net_input(&n, 8, 8, 16);
    const int32_t y = net_depthwise(&n, net_pad(&n, in, 1), 3, 1);
    struct atoll_model *m = net_end(&n, in, &y, 1);
    assert_int_equal(cycles_of(m, 0).kind, ATOLL_BOUND_FREE);
    assert_true(cycles_of(m, 0).cycles == 0.0);
    const struct atoll__cycles c = cycles_of(m, 1); /* 10 x 10 map: 3 x 3 pixels a tile */
    test_close(c.cycles, 3.0 * 9 * 16 * atoll__constants_default.v[ATOLL__K_DEPTHWISE_FACTOR],
               1e-9);
    atoll_model_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_layer_that_fills_the_array_takes_its_ideal_time_times_the_factor),
        cmocka_unit_test(small_maps_spread_channels_over_tiles),
        cmocka_unit_test(padding_and_reshaping_are_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
