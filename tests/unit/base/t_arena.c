/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include <atoll/base.h>

static void memory_is_zeroed_and_aligned(void **state)
{
    (void)state;
    struct atoll_arena a;
    atoll_arena_init(&a);
    for (size_t n = 0; n < 300; n++) {
        unsigned char *p = atoll_arena_alloc(&a, n);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(p[i], 0);
        }
        memset(p, 0xff, n); /* would show in a later block if they overlapped */
    }
    assert_int_equal(a.used_bytes, 300 * 299 / 2);
    atoll_arena_finish(&a);
    assert_int_equal(a.used_bytes, 0);
}

static void a_large_piece_gets_its_own_block(void **state)
{
    (void)state;
    struct atoll_arena a = {0};
    char *small = atoll_arena_strndup(&a, "kept", 4);
    char *large = atoll_arena_alloc(&a, 5 << 20);
    assert_non_null(large);
    large[(5 << 20) - 1] = 1;
    assert_string_equal(small, "kept");
    atoll_arena_finish(&a);
    atoll_arena_finish(&a); /* twice is no error */
}

static void impossible_sizes_give_null(void **state)
{
    (void)state;
    struct atoll_arena a = {0};
    assert_null(atoll_arena_alloc(&a, SIZE_MAX));
    assert_null(atoll_arena_alloc(&a, SIZE_MAX - 15));
    assert_null(atoll_arena_array(&a, SIZE_MAX / 2, 3));
    assert_null(atoll_arena_strndup(&a, "x", SIZE_MAX));
    assert_non_null(atoll_arena_array(&a, 0, 8));
    atoll_arena_finish(&a);
}

static void texts(void **state)
{
    (void)state;
    struct atoll_arena a = {0};
    assert_string_equal(atoll_arena_strndup(&a, "abcdef", 3), "abc");
    assert_string_equal(atoll_arena_strndup(&a, "", 0), "");
    assert_string_equal(atoll_arena_printf(&a, "%s-%d", "x", 42), "x-42");
    char *wide = atoll_arena_printf(&a, "%9000d", 1);
    assert_int_equal(strlen(wide), 9000);
    atoll_arena_finish(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(a_large_piece_gets_its_own_block),
        cmocka_unit_test(impossible_sizes_give_null),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
