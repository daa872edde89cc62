/* SPDX-License-Identifier: Apache-2.0 */
/* Any JSON value written by atoll_json_text is read back by jansson as the same value, and twice
 * written gives the same bytes. */
#include "atoll_test.h"

#include <atoll/json.h>

#include <math.h>

static double random_real(struct atoll_rng *r)
{
    union {
        uint64_t bits;
        double value;
    } any = {.bits = atoll_rng_u64(r)};
    if (atoll_rng_below(r, 2) == 0 || !isfinite(any.value)) {
        return (double)(int64_t)atoll_rng_below(r, 100000) / 1000.0;
    }
    return any.value;
}

static json_t *random_value(struct atoll_rng *r, int depth);

static json_t *random_text(struct atoll_rng *r)
{
    char text[20];
    const size_t n = (size_t)atoll_rng_below(r, sizeof text);
    for (size_t i = 0; i < n; i++) {
        text[i] = (char)atoll_rng_below(r, 128); /* control characters and NUL too */
    }
    return json_stringn(text, n);
}

static json_t *random_array(struct atoll_rng *r, int depth)
{
    json_t *array = json_array();
    for (uint64_t i = atoll_rng_below(r, 6); i > 0; i--) {
        assert_int_equal(json_array_append_new(array, random_value(r, depth + 1)), 0);
    }
    return array;
}

static json_t *random_object(struct atoll_rng *r, int depth)
{
    json_t *object = json_object();
    for (uint64_t i = atoll_rng_below(r, 6); i > 0; i--) {
        char key[40];
        (void)snprintf(key, sizeof key, "k\"%llu\\\t", (unsigned long long)atoll_rng_below(r, 100));
        assert_int_equal(json_object_set_new(object, key, random_value(r, depth + 1)), 0);
    }
    return object;
}

static json_t *random_value(struct atoll_rng *r, int depth)
{
    switch (atoll_rng_below(r, depth < 8 ? 8 : 6)) {
    case 0:
        return json_null();
    case 1:
        return json_boolean(atoll_rng_below(r, 2));
    case 2:
        return json_integer((json_int_t)(atoll_rng_u64(r) >> 1) * (atoll_rng_below(r, 2) ? 1 : -1));
    case 3:
    case 4:
        return json_real(random_real(r));
    case 5:
        return random_text(r);
    case 6:
        return random_array(r, depth);
    default:
        return random_object(r, depth);
    }
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct atoll_rng r;
    atoll_rng_seed(&r, test_seed());
    const size_t cases = test_cases(2000);
    for (size_t i = 0; i < cases; i++) {
        json_t *value = random_value(&r, 0);
        size_t size = 0;
        char *text = atoll_json_text(value, &size);
        assert_non_null(text);
        json_t *again = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(again);
        assert_true(json_equal(value, again));
        char *second = atoll_json_text(again, NULL);
        assert_string_equal(text, second);
        atoll_free(second);
        atoll_free(text);
        json_decref(again);
        json_decref(value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_written_is_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
