/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of an arena keep what was written into them, do not overlap, are zeroed and aligned. */
#include "atoll_test.h"

#include <atoll/base.h>

enum { PIECES = 300 };

struct piece {
    unsigned char *at;
    size_t bytes;
};

static size_t random_size(struct atoll_rng *r)
{
    /* mostly small, now and then far larger than a block */
    return (size_t)atoll_rng_below(r, atoll_rng_below(r, 20) == 0 ? 100000 : 200);
}

static void fill_and_check(struct atoll_rng *r)
{
    struct atoll_arena a = {0};
    struct piece pieces[PIECES];
    size_t total = 0;
    for (size_t i = 0; i < PIECES; i++) {
        const size_t bytes = random_size(r);
        unsigned char *at = atoll_arena_alloc(&a, bytes);
        assert_non_null(at);
        assert_int_equal((uintptr_t)at % 16, 0);
        for (size_t k = 0; k < bytes; k++) {
            assert_int_equal(at[k], 0);
        }
        memset(at, (int)(i % 255) + 1, bytes);
        pieces[i] = (struct piece){at, bytes};
        total += bytes;
    }
    assert_int_equal(a.used_bytes, total);
    for (size_t i = 0; i < PIECES; i++) {
        for (size_t k = 0; k < pieces[i].bytes; k++) {
            assert_int_equal(pieces[i].at[k], i % 255 + 1);
        }
    }
    atoll_arena_finish(&a);
}

static void pieces_are_kept(void **state)
{
    (void)state;
    struct atoll_rng r;
    atoll_rng_seed(&r, test_seed());
    const size_t cases = test_cases(20);
    for (size_t i = 0; i < cases; i++) {
        fill_and_check(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pieces_are_kept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
