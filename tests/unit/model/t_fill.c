/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <atoll/model.h>
#include <math.h>
#include <string.h>

static struct atoll_tensor filled(enum atoll_fill_kind kind, uint64_t seed, uint64_t bytes)
{
    return (struct atoll_tensor){.name = "w",
                                 .type = ATOLL_TYPE_INT8,
                                 .is_constant = true,
                                 .data_bytes = bytes,
                                 .fill = {kind, seed}};
}

static void int8_is_roughly_normal(void **state)
{
    (void)state;
    static int8_t v[100003];
    const struct atoll_tensor t = filled(ATOLL_FILL_INT8, 42, sizeof v);
    assert_int_equal(atoll_tensor_bytes(&t, v, NULL), 0);
    double sum = 0, square = 0, fourth = 0;
    int min = 0, max = 0;
    for (size_t i = 0; i < sizeof v; i++) {
        sum += v[i];
        square += (double)v[i] * v[i];
        fourth += pow(v[i], 4);
        min = v[i] < min ? v[i] : min;
        max = v[i] > max ? v[i] : max;
        assert_int_not_equal(v[i], 0);
    }
    const double n = (double)sizeof v;
    const double sd = sqrt(square / n);
    assert_true(fabs(sum / n) < 1.0);
    assert_true(fabs(sd - 44.0) < 1.0);
    assert_true(fabs(fourth / n / pow(sd, 4) - 3.0) <
                0.3); /* a normal's fourth moment, tails cut at 2.9 deviations */
    assert_int_equal(min, -127);
    assert_int_equal(max, 127);
}

static void bias32_is_uniform_without_zero(void **state)
{
    (void)state;
    static int32_t v[20000];
    const struct atoll_tensor t = filled(ATOLL_FILL_BIAS32, 1, sizeof v);
    assert_int_equal(atoll_tensor_bytes(&t, v, NULL), 0);
    int32_t min = 0, max = 0;
    double sum = 0;
    for (size_t i = 0; i < 20000; i++) {
        assert_int_not_equal(v[i], 0);
        min = v[i] < min ? v[i] : min;
        max = v[i] > max ? v[i] : max;
        sum += v[i];
    }
    assert_int_equal(min, -1000);
    assert_int_equal(max, 1000);
    assert_true(fabs(sum / 20000) < 20.0);
}

/* The bytes are part of the hashes of zoo networks: they may never change. */
static void bytes_are_pinned(void **state)
{
    (void)state;
    uint8_t v[37];
    char hex[65];
    struct atoll_tensor t = filled(ATOLL_FILL_INT8, 3, sizeof v);
    assert_int_equal(atoll_tensor_bytes(&t, v, NULL), 0);
    atoll_sha256_hex(v, sizeof v, hex);
    assert_string_equal(hex, "8eaf5464e45f0b1b3ef000b2b76b5475ad4c1a133c208acf0936da5f8b6a50be");
    t = filled(ATOLL_FILL_BIAS32, 3, 36);
    assert_int_equal(atoll_tensor_bytes(&t, v, NULL), 0);
    atoll_sha256_hex(v, 36, hex);
    assert_string_equal(hex, "ebc93d7348b4e7ed51e61512b85b9d25a4fb1a875d1484bdce99d3445d1647fd");
}

/* A longer fill begins with a shorter one's bytes, and seeds differ. */
static void prefix_and_seed(void **state)
{
    (void)state;
    uint8_t a[64], b[21], c[64];
    struct atoll_tensor t = filled(ATOLL_FILL_INT8, 9, sizeof a);
    atoll_tensor_bytes(&t, a, NULL);
    t.data_bytes = sizeof b;
    atoll_tensor_bytes(&t, b, NULL);
    assert_memory_equal(a, b, sizeof b);
    t = filled(ATOLL_FILL_INT8, 10, sizeof c);
    atoll_tensor_bytes(&t, c, NULL);
    assert_memory_not_equal(a, c, sizeof c);
}

static void all_zero(void **state)
{
    (void)state;
    static const uint8_t zeros[9] = {0}, one[9] = {0, 0, 0, 0, 0, 0, 0, 0, 1};
    struct atoll_tensor t = filled(ATOLL_FILL_ZERO, 0, 1000);
    assert_true(atoll_tensor_all_zero(&t));
    t = filled(ATOLL_FILL_BIAS32, 0, 4);
    assert_false(atoll_tensor_all_zero(&t));
    t = (struct atoll_tensor){.is_constant = true, .data = zeros, .data_bytes = 9};
    assert_true(atoll_tensor_all_zero(&t));
    t.data = one;
    assert_false(atoll_tensor_all_zero(&t));
    t.data = one + 8;
    t.data_bytes = 1;
    assert_false(atoll_tensor_all_zero(&t));
    t = (struct atoll_tensor){.name = "activation"};
    assert_false(atoll_tensor_all_zero(&t));
    struct atoll_err err = {0};
    uint8_t out[1];
    assert_int_equal(atoll_tensor_bytes(&t, out, &err), ATOLL_EUSAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(int8_is_roughly_normal),
        cmocka_unit_test(bias32_is_uniform_without_zero),
        cmocka_unit_test(bytes_are_pinned),
        cmocka_unit_test(prefix_and_seed),
        cmocka_unit_test(all_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
