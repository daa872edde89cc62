/* SPDX-License-Identifier: Apache-2.0 */
/* Each writer on a database whose names are hostile. */
#include "report_scratch.h"

#include <atoll/report.h>

#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

static void write_with(const char *writer, struct atoll_store *s, const char *path)
{
    struct atoll_err err = {0};
    const struct atoll_report_writer *w = atoll_report_writer_find(writer);
    assert_non_null(w);
    if (w->write(s, path, &err)) {
        fail_msg("%s: %s", writer, err.text);
    }
}

static struct atoll_store *hostile_store(void)
{
    struct fixture f = scratch_fixture();
    f.models = 6;
    f.tpus = 2;
    f.hostile = true;
    f.traces = true;
    f.training = true;
    f.samples = 3;
    return scratch_store("hostile.db", &f);
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, what)); p += strlen(what)) {
        n++;
    }
    return n;
}

static void html(void **state)
{
    (void)state;
    struct atoll_store *s = hostile_store();
    const char *path = scratch_path("page.html");
    size_t size = 0;
    write_with("html", s, path);
    char *text = scratch_read(path, &size);
    /* The page has its own three script elements, and none that a name brought. */
    assert_int_equal(count(text, "<script"), 3);
    assert_null(strstr(text, "<script>alert"));
    assert_null(strstr(text, "<img"));
    assert_null(strstr(text, "<b>bold"));
    assert_non_null(strstr(text, "&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert_int_equal(count(text, "<link"), 0);
    assert_null(strstr(text, "{{"));
    assert_true(size < 3000000);
    /* The data block is JSON, and it brings the names back as they were. */
    const char *begin = strstr(text, "id=\"data\">"), *end;
    assert_non_null(begin);
    begin += strlen("id=\"data\">");
    end = strstr(begin, "</script>");
    assert_non_null(end);
    json_error_t fault;
    json_t *j = json_loadb(begin, (size_t)(end - begin), JSON_REJECT_DUPLICATES, &fault);
    if (!j) {
        fail_msg("%s at %d", fault.text, fault.position);
    }
    const json_t *labels = json_object_get(json_object_get(j, "models"), "label");
    bool found = false;
    for (size_t i = 0; i < json_array_size(labels); i++) {
        found = found || strcmp(json_string_value(json_array_get(labels, i)),
                                "<script>alert(1)</script>") == 0;
    }
    assert_true(found);
    json_decref(j);
    free(text);
    remove(path);
    atoll_store_close(&s);
}

static void json_writer(void **state)
{
    (void)state;
    struct atoll_store *s = hostile_store();
    const char *path = scratch_path("report.json");
    write_with("json", s, path);
    json_t *j = json_load_file(path, 0, NULL);
    assert_non_null(j);
    assert_string_equal(json_string_value(json_object_get(j, "schema")), "atoll.report/1");
    const json_t *c = json_object_get(j, "configs");
    const char *key;
    json_t *column;
    const size_t n = json_array_size(json_object_get(c, "m"));
    assert_int_equal(n, 6 * 2 * (1 + 2 + 2 + 1 + 2)); /* models x workloads x strategies */
    json_object_foreach((json_t *)(uintptr_t)c, key, column)
    {
        assert_int_equal(json_array_size(column), n);
    }
    json_decref(j);
    remove(path);
    atoll_store_close(&s);
}

static void csv(void **state)
{
    (void)state;
    struct atoll_store *s = hostile_store();
    const char *dir = scratch_path("csv");
    char path[300];
    write_with("csv", s, dir);
    static const struct {
        const char *name;
        size_t lines;
    } files[] = {{"runs.csv", 1 + 480},
                 {"segments.csv", 1 + 6 * (1 + 3 + 3 + 1 + 4)},
                 {"samples.csv", 1 + 480 * 3},
                 {"states.csv", 1 + 480 * 5},
                 {"accuracy.csv", 1 + 1},
                 {"epochs.csv", 1 + 6}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i].name);
        char *text = scratch_read(path, NULL);
        assert_int_equal(count(text, "\n"), files[i].lines);
        const size_t columns = (size_t)(strchr(text, '\n') - text);
        text[columns] = '\0';
        assert_null(strstr(text, " ")); /* a clean head line */
        text[columns] = '\n';
        if (i == 0) {
            assert_non_null(
                strstr(text, "\"'=HYPERLINK(\"\"x\"\")\"")); /* no formula for a spreadsheet */
            assert_non_null(strstr(text, ",latency,"));
            assert_null(strstr(text, "nan"));
        }
        free(text);
        remove(path);
        snprintf(path, sizeof path, "%s/%s.part", dir, files[i].name);
        assert_int_equal(access(path, F_OK), -1);
    }
    rmdir(dir);
    atoll_store_close(&s);
}

static void markdown(void **state)
{
    (void)state;
    struct atoll_store *s = hostile_store();
    const char *path = scratch_path("report.md");
    write_with("markdown", s, path);
    char *text = scratch_read(path, NULL);
    assert_null(strstr(text, "<script"));
    assert_null(strstr(text, "<b>"));
    assert_non_null(strstr(text, "| model |"));
    assert_non_null(strstr(text, "Least time for one input"));
    free(text);
    remove(path);
    atoll_store_close(&s);
}

static void hash(void **state)
{
    (void)state;
    struct fixture f = scratch_fixture();
    f.models = 1;
    f.tpus = 2;
    char *text[3];
    for (int i = 0; i < 3; i++) {
        f.seed = i == 2 ? 9 : 1;
        struct atoll_store *s = scratch_store("hash.db", &f);
        const char *path = scratch_path("hash.sha256");
        write_with("hash", s, path);
        text[i] = scratch_read(path, NULL);
        assert_int_equal(strlen(text[i]), 65);
        remove(path);
        write_with("null", s, path);
        assert_int_equal(access(path, F_OK), -1);
        atoll_store_close(&s);
    }
    assert_string_equal(text[0], text[1]);
    assert_string_not_equal(text[0], text[2]);
    for (int i = 0; i < 3; i++) {
        free(text[i]);
    }
}

static void faults(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    size_t n;
    const struct atoll_report_writer *w = atoll_report_writers(&n);
    assert_int_equal(n, 6);
    assert_null(atoll_report_writer_find("pdf"));
    struct atoll_store *s = NULL;
    const char *db = scratch_path("empty.db");
    remove(db);
    assert_int_equal(atoll_store_open(db, ATOLL_STORE_WRITE, &s, &err), 0);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(w[i].name, "hash") != 0) {
            assert_int_equal(w[i].write(s, scratch_path("never"), &err), ATOLL_ENOTFOUND);
            assert_non_null(strstr(err.text, "no experiment"));
        }
    }
    atoll_store_close(&s);
    remove(db);
    s = hostile_store();
    for (size_t i = 0; i < n; i++) {
        if (strcmp(w[i].name, "null") != 0) {
            assert_int_equal(w[i].write(s, "/proc/no/such/place", &err), ATOLL_EIO);
        }
    }
    atoll_store_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(html), cmocka_unit_test(json_writer),
                                       cmocka_unit_test(csv),  cmocka_unit_test(markdown),
                                       cmocka_unit_test(hash), cmocka_unit_test(faults)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
