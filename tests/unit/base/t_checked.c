/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include <atoll/base.h>

static void results_that_fit(void **state)
{
    (void)state;
    uint64_t v = 0;
    assert_true(atoll_add_u64(UINT64_MAX - 1, 1, &v));
    assert_true(v == UINT64_MAX);
    assert_true(atoll_sub_u64(5, 5, &v));
    assert_true(v == 0);
    assert_true(atoll_mul_u64(UINT64_C(1) << 32, UINT32_MAX, &v));
    assert_true(v == UINT64_C(0xffffffff00000000));
    assert_true(atoll_mul_u64(0, UINT64_MAX, &v));
    assert_true(v == 0);
}

static void results_that_do_not_fit_leave_the_output(void **state)
{
    (void)state;
    uint64_t v = 77;
    assert_false(atoll_add_u64(UINT64_MAX, 1, &v));
    assert_false(atoll_sub_u64(4, 5, &v)); /* a counter that ran backwards */
    assert_false(atoll_mul_u64(UINT64_C(1) << 32, UINT64_C(1) << 32, &v));
    assert_true(v == 77);
}

static void padding_and_rounding_up(void **state)
{
    (void)state;
    assert_int_equal(atoll_pad_u64(0, 64), 0);
    assert_int_equal(atoll_pad_u64(1, 64), 64);
    assert_int_equal(atoll_pad_u64(64, 64), 64);
    assert_int_equal(atoll_pad_u64(65, 3), 66);
    assert_true(atoll_pad_u64(UINT64_MAX, 4096) == UINT64_MAX);
    assert_true(atoll_pad_u64(UINT64_MAX, 1) == UINT64_MAX);
    assert_int_equal(atoll_ceil_div_u64(0, 7), 0);
    assert_int_equal(atoll_ceil_div_u64(14, 7), 2);
    assert_int_equal(atoll_ceil_div_u64(15, 7), 3);
    assert_true(atoll_ceil_div_u64(UINT64_MAX, 1) == UINT64_MAX);
    assert_true(atoll_ceil_div_u64(UINT64_MAX, 2) == UINT64_C(1) << 63);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_that_fit),
        cmocka_unit_test(results_that_do_not_fit_leave_the_output),
        cmocka_unit_test(padding_and_rounding_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
