/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include <atoll/json.h>

#include <math.h>

static char dir[256];
static char path[300];

static int set_up(void **state)
{
    (void)state;
    test_scratch(dir);
    (void)snprintf(path, sizeof path, "%s/t.json", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(dir);
}

static void an_answer_carries_schema_and_version(void **state)
{
    (void)state;
    json_t *j = atoll_json_answer("plan");
    assert_int_equal(atoll_json_set_number(j, "latency_us", 12.5), 0);
    assert_int_equal(atoll_json_set_number(j, "lower_bound", NAN), 0);
    assert_int_equal(json_object_set_new(j, "token", atoll_json_hex64(0xabc)), 0);
    size_t size = 0;
    char *text = atoll_json_text(j, &size);
    assert_string_equal(text, "{\n"
                              "  \"schema\": \"atoll.plan/1\",\n"
                              "  \"version\": \"" ATOLL_VERSION "\",\n"
                              "  \"latency_us\": 12.5,\n"
                              "  \"lower_bound\": null,\n"
                              "  \"token\": \"0000000000000abc\"\n"
                              "}\n");
    assert_int_equal(size, strlen(text));
    atoll_free(text);
    json_decref(j);
}

static void not_finite_is_null(void **state)
{
    (void)state;
    json_t *j = json_pack("[o, o, o, o]", atoll_json_number(INFINITY), atoll_json_number(-INFINITY),
                          atoll_json_number(NAN), atoll_json_number(-0.25));
    for (size_t i = 0; i < 3; i++) {
        assert_true(json_is_null(json_array_get(j, i)));
    }
    test_close(json_real_value(json_array_get(j, 3)), -0.25, 0);
    json_decref(j);
}

static void text_reads_back_the_same(void **state)
{
    (void)state;
    json_t *j = json_pack("{s:[f,f,f,i,b,b,n], s:s%, s:{}, s:[]}", "v", 0.1, 1e300, 3.0, -7, 1, 0,
                          "q\"k", "a\"\\\n\x01\xc3\xa9", (size_t)7, "o", "l");
    assert_non_null(j);
    char *text = atoll_json_text(j, NULL);
    assert_non_null(strstr(text, "0.1,"));
    assert_non_null(strstr(text, "3.0,")); /* a real stays a real */
    json_t *again = json_loads(text, 0, NULL);
    assert_true(json_equal(j, again));
    json_decref(again);
    json_decref(j);
    atoll_free(text);
}

static int open_text(const char *text, json_t **j, struct atoll_err *err)
{
    assert_int_equal(atoll_write_file(path, text, strlen(text), NULL), 0);
    return atoll_json_open(path, j, err);
}

static void a_good_file_opens(void **state)
{
    (void)state;
    json_t *j = NULL;
    assert_int_equal(open_text("{\"a\": [\"[{\\\"\", 1]}\n", &j, NULL), 0);
    assert_int_equal(json_array_size(json_object_get(j, "a")), 2);
    json_decref(j);
}

static void a_bad_file_is_refused_by_name_and_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place, *sentence;
        int code;
    } cases[] = {
        {"{\"a\": 1,\n\"a\": 2}", ":2:", "duplicate", ATOLL_EINPUT},
        {"{\n\n\"a\" 1}", ":3:", "':' expected", ATOLL_EINPUT},
        {"[1] x", ":1:", "end of file", ATOLL_EINPUT},
        {"[1e999]", ":1:", "", ATOLL_EINPUT},
        {"[\"\\u0000\"]", ":1:", "", ATOLL_EINPUT},
        {"", "t.json:", "is empty", ATOLL_EINPUT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *j = NULL;
        struct atoll_err err = {0};
        assert_int_equal(open_text(cases[i].text, &j, &err), cases[i].code);
        assert_null(j);
        assert_non_null(strstr(err.text, "t.json"));
        assert_non_null(strstr(err.text, cases[i].place));
        assert_non_null(strstr(err.text, cases[i].sentence));
    }
}

static void depth_is_limited_to_64(void **state)
{
    (void)state;
    json_t *j = NULL;
    struct atoll_err err = {0};
    char text[400];
    for (int depth = 64; depth <= 65; depth++) {
        memset(text, '[', (size_t)depth);
        text[0] = '\n'; /* the error is in line 2 */
        memset(text + 1, '[', (size_t)depth);
        memset(text + 1 + depth, ']', (size_t)depth);
        text[1 + 2 * depth] = '\0';
        const int code = open_text(text, &j, &err);
        assert_int_equal(code, depth == 64 ? ATOLL_OK : ATOLL_ELIMIT);
    }
    assert_non_null(strstr(err.text, ":2: nested deeper than 64"));
    json_decref(j);
}

static void a_file_too_large_is_refused_unread(void **state)
{
    (void)state;
    json_t *j = NULL;
    struct atoll_err err = {0};
    assert_int_equal(open_text("[]", &j, NULL), 0);
    json_decref(j);
    assert_int_equal(truncate(path, (off_t)(256 << 20) + 1), 0); /* sparse: takes no disk */
    assert_int_equal(atoll_json_open(path, &j, &err), ATOLL_ELIMIT);
    assert_non_null(strstr(err.text, "268435457 bytes"));
}

static void a_missing_file_is_not_found(void **state)
{
    (void)state;
    json_t *j = NULL;
    assert_int_equal(atoll_json_open(path, &j, NULL), ATOLL_ENOTFOUND);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_carries_schema_and_version),
        cmocka_unit_test(not_finite_is_null),
        cmocka_unit_test(text_reads_back_the_same),
        IN_DIR(a_good_file_opens),
        IN_DIR(a_bad_file_is_refused_by_name_and_line),
        IN_DIR(depth_is_limited_to_64),
        IN_DIR(a_file_too_large_is_refused_unread),
        IN_DIR(a_missing_file_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
