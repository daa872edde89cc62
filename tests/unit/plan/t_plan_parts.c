/* SPDX-License-Identifier: Apache-2.0 */
#include "plan_fixture.h"

/* The 22 partitions of 8 in the order of the literature's list. */
static void the_22_partitions_of_8(void **state)
{
    (void)state;
    static const char *const expected[] = {
        "8",
        "7+1",
        "6+2",
        "5+3",
        "4+4",
        "6+1+1",
        "5+2+1",
        "4+3+1",
        "4+2+2",
        "3+3+2",
        "5+1+1+1",
        "4+2+1+1",
        "3+3+1+1",
        "3+2+2+1",
        "2+2+2+2",
        "4+1+1+1+1",
        "3+2+1+1+1",
        "2+2+2+1+1",
        "3+1+1+1+1+1",
        "2+2+1+1+1+1",
        "2+1+1+1+1+1+1",
        "1+1+1+1+1+1+1+1",
    };
    uint32_t n = 0;
    char **parts = atoll_plan_partitions(8, &n);
    assert_non_null(parts);
    assert_int_equal(n, 22);
    for (uint32_t i = 0; i < n; i++) {
        assert_string_equal(parts[i], expected[i]);
    }
    assert_null(parts[n]);
    atoll_share_dirs_free(parts);
}

/* Numbers of partitions: OEIS A000041. */
static void counts_of_partitions(void **state)
{
    (void)state;
    static const uint32_t expected[] = {1,  2,  3,  5,  7,   11,  15,  22,
                                        30, 42, 56, 77, 101, 135, 176, 231};
    for (uint32_t n = 1; n <= 16; n++) {
        uint32_t count = 0;
        char **parts = atoll_plan_partitions(n, &count);
        assert_non_null(parts);
        assert_int_equal(count, expected[n - 1]);
        atoll_share_dirs_free(parts);
    }
    assert_null(atoll_plan_partitions(0, NULL));
    assert_null(atoll_plan_partitions(33, NULL));
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (uint64_t nth = 1;; nth++) {
        atoll_alloc_fail_after(nth);
        char **parts = atoll_plan_partitions(6, NULL);
        atoll_alloc_fail_after(0);
        if (parts) {
            atoll_share_dirs_free(parts);
            assert_true(nth > 11);
            return;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_22_partitions_of_8),
        cmocka_unit_test(counts_of_partitions),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
