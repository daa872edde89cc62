/* SPDX-License-Identifier: Apache-2.0 */
/* Checked 64-bit arithmetic against the same in 128 bits. */
#include "atoll_test.h"

#include <atoll/base.h>

#ifdef __SIZEOF_INT128__
__extension__ typedef unsigned __int128 wide;

/* Values near 0, near 2^64, near powers of two, and anywhere. */
static uint64_t random_value(struct atoll_rng *r)
{
    const uint64_t small = atoll_rng_below(r, 5);
    switch (atoll_rng_below(r, 5)) {
    case 0:
        return small;
    case 1:
        return UINT64_MAX - small;
    case 2:
        return (UINT64_C(1) << atoll_rng_below(r, 64)) + small - 2;
    case 3:
        return atoll_rng_u64(r) >> atoll_rng_below(r, 64);
    default:
        return atoll_rng_u64(r);
    }
}

static void check_result(bool fits, uint64_t out, bool expect_fits, wide expected)
{
    assert_int_equal(fits, expect_fits);
    assert_true(out == (expect_fits ? (uint64_t)expected : 77));
}

static void same_as_in_128_bits(void **state)
{
    (void)state;
    struct atoll_rng r;
    atoll_rng_seed(&r, test_seed());
    const size_t cases = test_cases(200000);
    for (size_t i = 0; i < cases; i++) {
        const uint64_t a = random_value(&r), b = random_value(&r);
        uint64_t out = 77;
        bool fits = atoll_add_u64(a, b, &out);
        check_result(fits, out, (wide)a + b <= UINT64_MAX, (wide)a + b);
        out = 77;
        fits = atoll_sub_u64(a, b, &out);
        check_result(fits, out, a >= b, (wide)a - b);
        out = 77;
        fits = atoll_mul_u64(a, b, &out);
        check_result(fits, out, (wide)a * b <= UINT64_MAX, (wide)a * b);
        const uint64_t m = b > 0 ? b : 1;
        const wide ceiling = ((wide)a + m - 1) / m;
        assert_true(atoll_ceil_div_u64(a, m) == (uint64_t)ceiling);
        const wide padded = ceiling * m;
        assert_true(atoll_pad_u64(a, m) == (padded > UINT64_MAX ? UINT64_MAX : (uint64_t)padded));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_as_in_128_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
    (void)puts("skipped: this compiler has no 128-bit integers");
    return 77;
}
#endif
