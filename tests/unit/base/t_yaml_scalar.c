/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include <atoll/yaml.h>

static struct atoll_yaml_doc *doc;
static struct atoll_err err;

/* The node of key `v` in a document "v: <text>". */
static const struct atoll_yaml *value(const char *text)
{
    char yaml[200];
    (void)snprintf(yaml, sizeof yaml, "v: %s\n", text);
    atoll_yaml_close(&doc);
    err = (struct atoll_err){0};
    assert_int_equal(atoll_yaml_parse("f.yaml", yaml, strlen(yaml), &doc, &err), 0);
    return atoll_yaml_get(atoll_yaml_root(doc), "v");
}

static int tear_down(void **state)
{
    (void)state;
    atoll_yaml_close(&doc);
    return 0;
}

static void doubles(void **state)
{
    (void)state;
    double v = 0.0;
    assert_int_equal(atoll_yaml_double(value("2.5e-1"), 0.0, 1.0, &v, &err), 0);
    test_close(v, 0.25, 0.0);
    static const char *const bad[] = {".inf",   ".nan", "abc", "\"1\"", "[1]",
                                      "{a: 1}", "",     "0x1", "1e999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(atoll_yaml_double(value(bad[i]), -1e9, 1e9, &v, &err), ATOLL_EINPUT);
        assert_memory_equal(err.text, "f.yaml:1: v: ", 13);
        assert_non_null(strstr(err.text, "expected a finite number"));
    }
    assert_int_equal(atoll_yaml_double(value("1.5"), 0.0, 1.0, &v, &err), ATOLL_EINPUT);
    assert_string_equal(err.text, "f.yaml:1: v: 1.5 is out of range (expected 0 to 1)");
    test_close(v, 0.25, 0.0);
}

static void integers(void **state)
{
    (void)state;
    int64_t v = 0;
    assert_int_equal(atoll_yaml_int(value("9223372036854775807"), 0, INT64_MAX, &v, &err), 0);
    assert_true(v == INT64_MAX);
    assert_int_equal(atoll_yaml_int(value("-9223372036854775808"), INT64_MIN, 0, &v, &err), 0);
    assert_true(v == INT64_MIN);
    assert_int_equal(atoll_yaml_int(value("1e3"), 0, 1000, &v, &err), 0);
    assert_true(v == 1000);
    assert_int_equal(atoll_yaml_int(value("12.0"), 0, 1000, &v, &err), 0);
    assert_true(v == 12);
    static const char *const bad[] = {"9223372036854775808", "1.5", "1e300", "x", "'3'", "[]",
                                      "1e17"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(atoll_yaml_int(value(bad[i]), INT64_MIN, INT64_MAX, &v, &err),
                         ATOLL_EINPUT);
        assert_non_null(strstr(err.text, "expected a whole number"));
    }
    assert_int_equal(atoll_yaml_int(value("9"), 1, 8, &v, &err), ATOLL_EINPUT);
    assert_string_equal(err.text, "f.yaml:1: v: 9 is out of range (expected 1 to 8)");
    assert_true(v == 12);
}

static void booleans(void **state)
{
    (void)state;
    bool v = false;
    assert_int_equal(atoll_yaml_bool(value("true"), &v, &err), 0);
    assert_true(v);
    assert_int_equal(atoll_yaml_bool(value("false"), &v, &err), 0);
    assert_false(v);
    static const char *const bad[] = {"yes", "1", "'true'", "True", "", "[true]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(atoll_yaml_bool(value(bad[i]), &v, &err), ATOLL_EINPUT);
    }
}

static void strings_and_null(void **state)
{
    (void)state;
    const char *s = NULL;
    assert_int_equal(atoll_yaml_string(value("zoo:resnet50"), &s, &err), 0);
    assert_string_equal(s, "zoo:resnet50");
    assert_int_equal(atoll_yaml_string(value("'null'"), &s, &err), 0);
    assert_string_equal(s, "null");
    assert_int_equal(atoll_yaml_string(value("''"), &s, &err), 0);
    assert_string_equal(s, "");
    static const char *const nothing[] = {"null", "~", ""};
    for (size_t i = 0; i < 3; i++) {
        assert_true(atoll_yaml_is_null(value(nothing[i])));
        assert_int_equal(atoll_yaml_string(value(nothing[i]), &s, &err), ATOLL_EINPUT);
    }
    assert_false(atoll_yaml_is_null(value("'~'")));
    assert_false(atoll_yaml_is_null(value("[]")));
}

static void kinds(void **state)
{
    (void)state;
    assert_int_equal(atoll_yaml_expect(value("[1]"), ATOLL_YAML_LIST, &err), 0);
    assert_int_equal(atoll_yaml_expect(value("[1]"), ATOLL_YAML_MAP, &err), ATOLL_EINPUT);
    assert_string_equal(err.text, "f.yaml:1: v: a list (expected a map)");
}

static void long_values_are_cut_in_the_sentence(void **state)
{
    (void)state;
    char text[160];
    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    bool v = false;
    assert_int_equal(atoll_yaml_bool(value(text), &v, &err), ATOLL_EINPUT);
    assert_true(strlen(err.text) < 120);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles),          cmocka_unit_test(integers),
        cmocka_unit_test(booleans),         cmocka_unit_test(strings_and_null),
        cmocka_unit_test(kinds),            cmocka_unit_test(long_values_are_cut_in_the_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
