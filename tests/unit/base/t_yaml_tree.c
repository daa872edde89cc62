/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include <atoll/yaml.h>

static struct atoll_yaml_doc *good(const char *text)
{
    struct atoll_yaml_doc *doc = NULL;
    struct atoll_err err = {0};
    if (atoll_yaml_parse("t.yaml", text, strlen(text), &doc, &err) != ATOLL_OK) {
        fail_msg("%s", err.text);
    }
    return doc;
}

static void lists_and_maps(void **state)
{
    (void)state;
    struct atoll_yaml_doc *doc = good("name: first\n"
                                      "list: [1, two, {a: b}]\n"
                                      "# comment\n"
                                      "deep:\n"
                                      "  er: 'quoted'\n"
                                      "none:\n");
    const struct atoll_yaml *root = atoll_yaml_root(doc);
    assert_int_equal(root->kind, ATOLL_YAML_MAP);
    assert_int_equal(root->count, 4);
    assert_string_equal(atoll_yaml_name(doc), "t.yaml");
    assert_string_equal(atoll_yaml_get(root, "name")->text, "first");
    const struct atoll_yaml *list = atoll_yaml_get(root, "list");
    assert_int_equal(list->kind, ATOLL_YAML_LIST);
    assert_int_equal(list->count, 3);
    assert_int_equal(list->line, 2);
    assert_string_equal(list->first->next->text, "two");
    assert_null(list->first->key);
    assert_string_equal(atoll_yaml_get(list->first->next->next, "a")->text, "b");
    const struct atoll_yaml *deep = atoll_yaml_get(root, "deep");
    assert_int_equal(deep->line, 4); /* the line of the key */
    assert_true(atoll_yaml_get(deep, "er")->quoted);
    assert_int_equal(atoll_yaml_get(deep, "er")->line, 5);
    assert_true(atoll_yaml_is_null(atoll_yaml_get(root, "none")));
    assert_int_equal(atoll_yaml_get(root, "none")->line, 6);
    assert_null(atoll_yaml_get(root, "absent"));
    assert_null(atoll_yaml_get(list, "name"));
    assert_null(atoll_yaml_get(NULL, "name"));
    assert_true(list->doc == doc);
    atoll_yaml_close(&doc);
    assert_null(doc);
    atoll_yaml_close(&doc);
}

static void refused(const char *text, int code, const char *place, const char *sentence)
{
    struct atoll_yaml_doc *doc = NULL;
    struct atoll_err err = {0};
    assert_int_equal(atoll_yaml_parse("t.yaml", text, strlen(text), &doc, &err), code);
    assert_null(doc);
    if (strncmp(err.text, place, strlen(place)) != 0 || strstr(err.text, sentence) == NULL) {
        fail_msg("'%s' (expected '%s ... %s')", err.text, place, sentence);
    }
}

static void what_is_refused(void **state)
{
    (void)state;
    refused("a: 1\nb: 2\na: 3\n", ATOLL_EINPUT, "t.yaml:3: a: ", "first in line 1");
    refused("a: &x 1\nb: *x\n", ATOLL_EINPUT, "t.yaml:1: ", "aliases");
    refused("b:\n  - *x\n", ATOLL_EINPUT, "t.yaml:2: ", "aliases");
    refused("a: !!int 1\n", ATOLL_EINPUT, "t.yaml:1: ", "tags");
    refused("- !x {a: b}\n", ATOLL_EINPUT, "t.yaml:1: ", "tags");
    refused("a: 1\n---\nb: 2\n", ATOLL_EINPUT, "t.yaml:2: ", "second document");
    refused("? [a, b]\n: c\n", ATOLL_EINPUT, "t.yaml:1: ", "as a key");
    refused("a: [1, 2\n", ATOLL_EINPUT, "t.yaml:2: ", "expected");
    refused("a: \"x\\0y\"\n", ATOLL_EINPUT, "t.yaml:1: ", "NUL");
    refused("", ATOLL_EINPUT, "t.yaml: ", "empty");
    refused("# nothing\n", ATOLL_EINPUT, "t.yaml: ", "empty");
    refused("a: \xff\n", ATOLL_EINPUT, "t.yaml:1: ", "UTF-8");
}

static void depth_is_limited_to_64(void **state)
{
    (void)state;
    char text[300];
    for (size_t depth = 64; depth <= 65; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        text[2 * depth] = '\0';
        if (depth > 64) {
            refused(text, ATOLL_ELIMIT, "t.yaml:1: ", "64 levels");
        } else {
            struct atoll_yaml_doc *doc = good(text);
            atoll_yaml_close(&doc);
        }
    }
}

static void nodes_are_limited_to_200000(void **state)
{
    (void)state;
    struct atoll_buf text = {0};
    atoll_buf_puts(&text, "[0");
    for (int i = 2; i < 200000; i++) {
        atoll_buf_puts(&text, i % 1000 == 0 ? ",\n0" : ",0");
    }
    atoll_buf_puts(&text, "]");
    struct atoll_yaml_doc *doc = good(text.data); /* the list and 199 999 values */
    assert_int_equal(atoll_yaml_root(doc)->count, 199999);
    atoll_yaml_close(&doc);
    text.data[text.size - 1] = ',';
    atoll_buf_puts(&text, "0]");
    refused(text.data, ATOLL_ELIMIT, "t.yaml:200: ", "200000 nodes");
    atoll_buf_finish(&text);
}

static void size_is_limited_to_4_mib(void **state)
{
    (void)state;
    const size_t most = (size_t)4 << 20;
    char *text = atoll_alloc(most + 1);
    memset(text, ' ', most + 1);
    memcpy(text, "a: 1\n#", 6);
    struct atoll_yaml_doc *doc = NULL;
    struct atoll_err err = {0};
    assert_int_equal(atoll_yaml_parse("t.yaml", text, most, &doc, &err), 0);
    atoll_yaml_close(&doc);
    assert_int_equal(atoll_yaml_parse("t.yaml", text, most + 1, &doc, &err), ATOLL_ELIMIT);
    assert_non_null(strstr(err.text, "4194305 bytes"));
    atoll_free(text);
}

static void many_keys_are_quick_and_unique(void **state)
{
    (void)state;
    struct atoll_buf text = {0};
    for (int i = 0; i < 90000; i++) {
        atoll_buf_printf(&text, "k%d: {k: 1}\n", i);
    }
    const uint64_t start = atoll_now_ns();
    struct atoll_yaml_doc *doc = good(text.data);
    assert_int_equal(atoll_yaml_root(doc)->count, 90000);
    atoll_yaml_close(&doc);
    atoll_buf_puts(&text, "k4711: 1\n");
    refused(text.data, ATOLL_EINPUT, "t.yaml:90001: k4711: ", "first in line 4712");
    /* comparing each key with each other one would take minutes */
    assert_true(atoll_now_ns() - start < UINT64_C(30000000000));
    atoll_buf_finish(&text);
}

static void files(void **state)
{
    (void)state;
    char dir[256], path[300];
    test_scratch(dir);
    (void)snprintf(path, sizeof path, "%s/x.yaml", dir);
    struct atoll_yaml_doc *doc = NULL;
    struct atoll_err err = {0};
    assert_int_equal(atoll_yaml_open(path, &doc, &err), ATOLL_ENOTFOUND);
    assert_int_equal(atoll_write_file(path, "a: [", 4, NULL), 0);
    assert_int_equal(atoll_yaml_open(path, &doc, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, path));
    assert_int_equal(atoll_write_file(path, "a: 1", 4, NULL), 0);
    assert_int_equal(atoll_yaml_open(path, &doc, &err), 0);
    assert_string_equal(atoll_yaml_name(doc), path);
    atoll_yaml_close(&doc);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_and_maps),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(depth_is_limited_to_64),
        cmocka_unit_test(nodes_are_limited_to_200000),
        cmocka_unit_test(size_is_limited_to_4_mib),
        cmocka_unit_test(many_keys_are_quick_and_unique),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
