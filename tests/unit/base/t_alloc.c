/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include <atoll/base.h>

static void size_zero_gives_a_pointer(void **state)
{
    (void)state;
    void *a = atoll_alloc(0), *b = atoll_calloc(0, 8), *c = atoll_realloc(NULL, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    assert_ptr_not_equal(a, b);
    atoll_free(a);
    atoll_free(b);
    atoll_free(c);
    atoll_free(NULL);
}

static void calloc_zeroes_and_refuses_overflow(void **state)
{
    (void)state;
    unsigned char *p = atoll_calloc(16, 4);
    assert_non_null(p);
    for (size_t i = 0; i < 64; i++) {
        assert_int_equal(p[i], 0);
    }
    atoll_free(p);
    volatile size_t half = SIZE_MAX / 2; /* volatile: the compiler must not see the overflow */
    assert_null(atoll_calloc(half, 3));
}

static void the_nth_call_fails_once(void **state)
{
    (void)state;
    atoll_alloc_fail_after(2);
    void *a = atoll_alloc(1);
    void *b = atoll_alloc(1);
    void *c = atoll_alloc(1);
    atoll_alloc_fail_after(0);
    assert_non_null(a);
    assert_null(b);
    assert_non_null(c);
    atoll_free(a);
    atoll_free(c);
}

static void every_entry_counts_and_can_fail(void **state)
{
    (void)state;
    const uint64_t before = atoll_alloc_count();
    atoll_alloc_fail_after(1);
    assert_null(atoll_calloc(1, 1));
    atoll_alloc_fail_after(1);
    assert_null(atoll_realloc(NULL, 1));
    atoll_alloc_fail_after(1);
    assert_null(atoll_strdup("x"));
    assert_int_equal(atoll_alloc_count() - before, 3);
    char *s = atoll_strdup("copied");
    assert_string_equal(s, "copied");
    atoll_free(s);
}

static void grow_doubles_and_keeps_the_values(void **state)
{
    (void)state;
    void *array = NULL;
    size_t cap = 0;
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(atoll_grow(&array, &cap, i + 1, sizeof(uint32_t)), 0);
        ((uint32_t *)array)[i] = (uint32_t)i;
    }
    assert_int_equal(cap, 1024);
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(((uint32_t *)array)[i], i);
    }
    atoll_free(array);
}

static void grow_leaves_all_when_it_cannot(void **state)
{
    (void)state;
    void *array = NULL;
    size_t cap = 0;
    assert_int_equal(atoll_grow(&array, &cap, 4, 8), 0);
    void *const was = array;
    const size_t cap_was = cap;
    assert_int_equal(atoll_grow(&array, &cap, SIZE_MAX / 8 + 1, 8), ATOLL_ENOMEM);
    assert_int_equal(atoll_grow(&array, &cap, 100, 0), ATOLL_ENOMEM);
    atoll_alloc_fail_after(1);
    assert_int_equal(atoll_grow(&array, &cap, 100, 8), ATOLL_ENOMEM);
    assert_ptr_equal(array, was);
    assert_int_equal(cap, cap_was);
    atoll_free(array);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(size_zero_gives_a_pointer),
        cmocka_unit_test(calloc_zeroes_and_refuses_overflow),
        cmocka_unit_test(the_nth_call_fails_once),
        cmocka_unit_test(every_entry_counts_and_can_fail),
        cmocka_unit_test(grow_doubles_and_keeps_the_values),
        cmocka_unit_test(grow_leaves_all_when_it_cannot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
