/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include <atoll/yaml.h>

struct settings {
    double power_w;
    int64_t count;
    bool keep;
    const char *name;
    const struct atoll_yaml *list;
};

static const struct atoll_yaml_field fields[] = {
    {"power_w", ATOLL_YAML_DOUBLE, offsetof(struct settings, power_w), true, 0.0, 100.0},
    {"count", ATOLL_YAML_INT, offsetof(struct settings, count), false, 1.0, 1e19},
    {"keep", ATOLL_YAML_BOOL, offsetof(struct settings, keep), false, 0.0, 0.0},
    {"name", ATOLL_YAML_STRING, offsetof(struct settings, name), false, 0.0, 0.0},
    {"list", ATOLL_YAML_NODE, offsetof(struct settings, list), false, 0.0, 0.0},
};

static int read_text(const char *text, struct atoll_yaml_doc **doc, struct settings *s,
                     struct atoll_err *err)
{
    assert_int_equal(atoll_yaml_parse("f.yaml", text, strlen(text), doc, err), 0);
    return atoll_yaml_read(atoll_yaml_root(*doc), fields, sizeof fields / sizeof fields[0], s, err);
}

static void all_fields(void **state)
{
    (void)state;
    struct atoll_yaml_doc *doc = NULL;
    struct settings s = {0};
    struct atoll_err err = {0};
    assert_int_equal(read_text("power_w: 2.5\ncount: 9223372036854775807\nkeep: true\nname: x\n"
                               "list: [1, 2]\n",
                               &doc, &s, &err),
                     0);
    test_close(s.power_w, 2.5, 0.0);
    assert_true(s.count == INT64_MAX);
    assert_true(s.keep);
    assert_string_equal(s.name, "x");
    assert_int_equal(s.list->count, 2);
    atoll_yaml_close(&doc);
}

static void absent_fields_keep_their_value(void **state)
{
    (void)state;
    struct atoll_yaml_doc *doc = NULL;
    struct settings s = {.count = 7, .name = "default"};
    assert_int_equal(read_text("power_w: 1", &doc, &s, NULL), 0);
    assert_int_equal(s.count, 7);
    assert_string_equal(s.name, "default");
    atoll_yaml_close(&doc);
}

static void errors_name_file_line_and_key(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"power_w: 1\npwoer: 2\n",
         "f.yaml:2: pwoer: unknown key (known: power_w, count, keep, name, list)"},
        {"count: 1\n", "f.yaml:1: the key power_w is missing"},
        {"power_w: 101\n", "f.yaml:1: power_w: 101 is out of range (expected 0 to 100)"},
        {"\npower_w: 1\ncount: 0\n",
         "f.yaml:3: count: 0 is out of range (expected 1 to 9223372036854775807)"},
        {"power_w: 1\nkeep: maybe\n", "f.yaml:2: keep: 'maybe' (expected true or false)"},
        {"[1]", "f.yaml:1: a list (expected a map)"},
        {"text", "f.yaml:1: a value (expected a map)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct atoll_yaml_doc *doc = NULL;
        struct settings s = {0};
        struct atoll_err err = {0};
        assert_int_equal(read_text(cases[i].text, &doc, &s, &err), ATOLL_EINPUT);
        assert_string_equal(err.text, cases[i].sentence);
        atoll_yaml_close(&doc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_fields),
        cmocka_unit_test(absent_fields_keep_their_value),
        cmocka_unit_test(errors_name_file_line_and_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
