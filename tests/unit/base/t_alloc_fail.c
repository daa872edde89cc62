/* SPDX-License-Identifier: Apache-2.0 */
/* The harness itself, and every call of room base that allocates, run through it. */
#include "alloc_fail.h"

#include <atoll/json.h>
#include <atoll/stats.h>
#include <atoll/yaml.h>

static char dir[256];
static char path[300];

static int two_allocations(void *user)
{
    (void)user;
    void *a = atoll_alloc(1);
    void *b = a != NULL ? atoll_alloc(1) : NULL;
    const int code = b != NULL ? ATOLL_OK : ATOLL_ENOMEM;
    atoll_free(a);
    atoll_free(b);
    return code;
}

static int hides_the_second_failure(void *user)
{
    (void)user;
    void *a = atoll_alloc(1);
    void *b = atoll_alloc(1);
    const int code = a != NULL ? ATOLL_OK : ATOLL_ENOMEM;
    atoll_free(a);
    atoll_free(b);
    return code;
}

static int never_succeeds(void *user)
{
    (void)user;
    atoll_free(atoll_alloc(1));
    return ATOLL_ENOMEM;
}

static void the_harness_counts_and_can_fail(void **state)
{
    (void)state;
    const struct alloc_fail_result good = alloc_fail_try(two_allocations, NULL);
    assert_true(good.succeeded);
    assert_int_equal(good.n, 3);
    const struct alloc_fail_result hidden = alloc_fail_try(hides_the_second_failure, NULL);
    assert_false(hidden.succeeded);
    assert_int_equal(hidden.n, 2);
    assert_false(alloc_fail_try(never_succeeds, NULL).succeeded);
}

static int parse_yaml(void *user)
{
    (void)user;
    static const char text[] = "name: x\nlist: [1, 2, {a: b}]\nmap: {k: v, l: {m: n}}\n";
    struct atoll_yaml_doc *doc = NULL;
    struct atoll_err err = {0};
    const int code = atoll_yaml_parse("t.yaml", text, sizeof text - 1, &doc, &err);
    assert_int_equal(err.code, code);
    assert_true((doc != NULL) == (code == ATOLL_OK));
    atoll_yaml_close(&doc);
    return code;
}

/* 300 keys: the hash set of keys grows while it is in use */
static int parse_wide_yaml(void *user)
{
    struct atoll_yaml_doc *doc = NULL;
    struct atoll_err err = {0};
    const int code = atoll_yaml_parse("t.yaml", user, strlen(user), &doc, &err);
    atoll_yaml_close(&doc);
    return code;
}

static int read_unknown_key(void *user)
{
    struct atoll_yaml_doc *doc = user;
    const struct atoll_yaml_field field = {.key = "other", .type = ATOLL_YAML_NODE};
    const struct atoll_yaml *node = NULL;
    const int code = atoll_yaml_read(atoll_yaml_root(doc), &field, 1, &node, NULL);
    return code == ATOLL_EINPUT ? ATOLL_OK : code; /* the expected answer */
}

static int build_json(void *user)
{
    (void)user;
    json_t *answer = atoll_json_answer("test");
    if (answer == NULL) {
        return ATOLL_ENOMEM;
    }
    int code = atoll_json_set_number(answer, "value_ms", 0.1);
    if (code == ATOLL_OK && json_object_set_new(answer, "token", atoll_json_hex64(1)) != 0) {
        code = ATOLL_ENOMEM;
    }
    char *text = code == ATOLL_OK ? atoll_json_text(answer, NULL) : NULL;
    if (text == NULL) {
        code = ATOLL_ENOMEM;
    }
    atoll_free(text);
    json_decref(answer);
    return code;
}

static int open_json(void *user)
{
    (void)user;
    json_t *j = NULL;
    struct atoll_err err = {0};
    const int code = atoll_json_open(path, &j, &err);
    json_decref(j);
    return code;
}

static int write_file(void *user)
{
    (void)user;
    static const char text[] = "{\"a\": [1, 2.5, \"x\", {\"b\": null}]}";
    return atoll_write_file(path, text, sizeof text - 1, NULL);
}

static int find_share(void *user)
{
    (void)user;
    char *found = NULL;
    const int code = atoll_share_find(dir, "t.json", &found, NULL);
    atoll_free(found);
    return code;
}

static int find_nothing(void *user)
{
    (void)user;
    char *found = NULL;
    struct atoll_err err = {0};
    const int code = atoll_share_find(dir, "no such file", &found, &err);
    return code == ATOLL_ENOTFOUND ? ATOLL_OK : code; /* the expected answer */
}

static int arena(void *user)
{
    (void)user;
    struct atoll_arena a = {0};
    const bool good = atoll_arena_alloc(&a, 100) != NULL &&
                      atoll_arena_array(&a, 1000, 8) != NULL &&
                      atoll_arena_strndup(&a, "abc", 2) != NULL &&
                      atoll_arena_printf(&a, "%05000d", 1) != NULL;
    atoll_arena_finish(&a);
    return good ? ATOLL_OK : ATOLL_ENOMEM;
}

static int buffer(void *user)
{
    (void)user;
    struct atoll_buf b = {0};
    for (int i = 0; i < 100; i++) {
        atoll_buf_printf(&b, "%d,", i);
    }
    char *text = atoll_buf_take(&b, NULL);
    const int code = text != NULL ? ATOLL_OK : ATOLL_ENOMEM;
    atoll_free(text);
    return code;
}

static int holm(void *user)
{
    (void)user;
    double p[3] = {0.01, 0.02, 0.03};
    const int code = atoll_holm(p, 3);
    assert_true(code == ATOLL_OK || p[0] == 0.01); /* untouched on failure */
    return code;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    alloc_fail_check(parse_yaml, NULL);
    alloc_fail_check(build_json, NULL);
    alloc_fail_check(arena, NULL);
    alloc_fail_check(buffer, NULL);
    alloc_fail_check(holm, NULL);
}

static void a_wide_map_may_fail(void **state)
{
    (void)state;
    struct atoll_buf text = {0};
    for (int i = 0; i < 300; i++) {
        atoll_buf_printf(&text, "key%d: %d\n", i, i);
    }
    assert_false(text.failed);
    alloc_fail_check(parse_wide_yaml, text.data);
    atoll_buf_finish(&text);
}

static void an_error_message_may_fail(void **state)
{
    (void)state;
    struct atoll_yaml_doc *doc = NULL;
    assert_int_equal(atoll_yaml_parse("t.yaml", "a: 1", 4, &doc, NULL), 0);
    alloc_fail_check(read_unknown_key, doc);
    atoll_yaml_close(&doc);
}

static void files_may_fail(void **state)
{
    (void)state;
    test_scratch(dir);
    (void)snprintf(path, sizeof path, "%s/t.json", dir);
    alloc_fail_check(write_file, NULL);
    alloc_fail_check(open_json, NULL);
    alloc_fail_check(find_share, NULL);
    alloc_fail_check(find_nothing, NULL);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0); /* empty: no temporary file was left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_harness_counts_and_can_fail),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(a_wide_map_may_fail),
        cmocka_unit_test(an_error_message_may_fail),
        cmocka_unit_test(files_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
