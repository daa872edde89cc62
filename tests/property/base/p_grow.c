/* SPDX-License-Identifier: Apache-2.0 */
/* A grown array keeps its values; its capacity covers what was asked and at most doubles it. */
#include "atoll_test.h"

#include <atoll/base.h>

static void grow_once(struct atoll_rng *r, void **array, size_t *cap, size_t elem)
{
    const size_t old = *cap;
    const size_t need = (size_t)atoll_rng_below(r, 3 * old + 20);
    unsigned char *before = atoll_alloc(old * elem);
    assert_non_null(before);
    if (old > 0) {
        atoll_rng_bytes(r, *array, old * elem);
        memcpy(before, *array, old * elem);
    }
    const bool fail = atoll_rng_below(r, 4) == 0;
    atoll_alloc_fail_after(fail ? 1 : 0);
    const int code = atoll_grow(array, cap, need, elem);
    atoll_alloc_fail_after(0);
    assert_int_equal(code, fail && need > old ? ATOLL_ENOMEM : ATOLL_OK);
    if (code == ATOLL_OK) {
        assert_true(*cap >= need);
        assert_true(*cap <= 8 || *cap <= old || *cap < 2 * need);
    } else {
        assert_int_equal(*cap, old);
    }
    if (old > 0) {
        assert_memory_equal(*array, before, old * elem);
    }
    atoll_free(before);
}

static void values_are_kept(void **state)
{
    (void)state;
    struct atoll_rng r;
    atoll_rng_seed(&r, test_seed());
    const size_t cases = test_cases(100);
    for (size_t i = 0; i < cases; i++) {
        void *array = NULL;
        size_t cap = 0;
        const size_t elem = 1 + (size_t)atoll_rng_below(&r, 40);
        while (cap < 5000) {
            grow_once(&r, &array, &cap, elem);
        }
        atoll_free(array);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(values_are_kept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
