/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include <atoll/base.h>

/* Output of the authors' xoshiro256starstar.c for the state {1, 2, 3, 4}. */
static void published_stream(void **state)
{
    (void)state;
    static const uint64_t expected[] = {11520, 0, 1509978240, UINT64_C(1215971899390074240)};
    struct atoll_rng r = {{1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_true(atoll_rng_u64(&r) == expected[i]);
    }
}

/* First outputs of the authors' splitmix64.c from state 0. */
static void published_seeding(void **state)
{
    (void)state;
    struct atoll_rng r;
    atoll_rng_seed(&r, 0);
    assert_true(r.s[0] == UINT64_C(0xe220a8397b1dcdaf));
    assert_true(r.s[1] == UINT64_C(0x6e789e6aa1b965f4));
    assert_true(r.s[2] == UINT64_C(0x06c45d188009454f));
}

static void parts_of_a_run_do_not_share_a_stream(void **state)
{
    (void)state;
    for (uint64_t a = 0; a < 50; a++) {
        for (uint64_t b = 0; b < 50; b++) {
            assert_true(a == b || atoll_seed_mix(1, a) != atoll_seed_mix(1, b));
            assert_true(a == b || atoll_seed_mix(a, 1) != atoll_seed_mix(b, 1));
        }
    }
    assert_true(atoll_seed_mix(7, 3) == atoll_seed_mix(7, 3));
    assert_true(atoll_seed_mix(7, 3) != atoll_seed_mix(3, 7));
}

static void a_shuffle_is_a_permutation(void **state)
{
    (void)state;
    struct atoll_rng r;
    atoll_rng_seed(&r, 5);
    uint32_t v[100];
    bool seen[100] = {false};
    bool moved = false;
    for (uint32_t i = 0; i < 100; i++) {
        v[i] = i;
    }
    atoll_rng_shuffle(&r, v, 100);
    for (uint32_t i = 0; i < 100; i++) {
        assert_false(seen[v[i]]);
        seen[v[i]] = true;
        moved = moved || v[i] != i;
    }
    assert_true(moved);
    atoll_rng_shuffle(&r, v, 0);
    atoll_rng_shuffle(&r, v, 1);
}

static void bytes_are_the_little_endian_words(void **state)
{
    (void)state;
    struct atoll_rng a, b;
    atoll_rng_seed(&a, 9);
    atoll_rng_seed(&b, 9);
    unsigned char bytes[12];
    atoll_rng_bytes(&a, bytes, sizeof bytes);
    const uint64_t words[2] = {atoll_rng_u64(&b), atoll_rng_u64(&b)};
    for (size_t i = 0; i < sizeof bytes; i++) {
        assert_int_equal(bytes[i], (words[i / 8] >> (8 * (i % 8))) & 0xff);
    }
}

static void below_one_is_zero(void **state)
{
    (void)state;
    struct atoll_rng r;
    atoll_rng_seed(&r, 1);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(atoll_rng_below(&r, 1), 0);
        assert_true(atoll_rng_below(&r, UINT64_MAX) < UINT64_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_stream),
        cmocka_unit_test(published_seeding),
        cmocka_unit_test(parts_of_a_run_do_not_share_a_stream),
        cmocka_unit_test(a_shuffle_is_a_permutation),
        cmocka_unit_test(bytes_are_the_little_endian_words),
        cmocka_unit_test(below_one_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
