/* SPDX-License-Identifier: Apache-2.0 */
/* Shards merged equal the single database; contradictions are refused and change nothing. */
#include "store_rows.h"

static char dir[256], path[4][300];

static int setup(void **state)
{
    (void)state;
    test_scratch(dir);
    for (int i = 0; i < 4; i++) {
        (void)snprintf(path[i], sizeof path[i], "%s/%d.db", dir, i);
    }
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        store_remove(path[i]);
    }
    return rmdir(dir);
}

static void merged_equals_single(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    struct atoll_store *single = store_open(path[0], ATOLL_STORE_WRITE),
                       *merged = store_open(path[1], ATOLL_STORE_WRITE);
    store_put_experiment(single, 31, 0, 1);
    for (int64_t shard = 2; shard >= 0; shard--) {
        struct atoll_store *s = store_open(path[2], ATOLL_STORE_WRITE);
        store_put_experiment(s, 31, shard, 3);
        atoll_store_close(&s);
        s = store_open(path[2], ATOLL_STORE_READ);
        for (int twice = 0; twice < 2; twice++) {
            if (atoll_store_merge(merged, s, &err)) {
                fail_msg("%s", err.text);
            }
        }
        atoll_store_close(&s);
        store_remove(path[2]);
    }
    char *a = store_canonical(single), *b = store_canonical(merged);
    assert_string_equal(a, b);
    assert_null(strstr(a, "started"));
    assert_null(strstr(a, "\"host\""));
    assert_non_null(strstr(a, "\"sha256\""));
    atoll_free(a);
    atoll_free(b);
    atoll_store_close(&single);
    atoll_store_close(&merged);
}

/* Alters one thing in a copy; the merge must refuse it and leave the first as it was. */
static void contradict(const char *sql, const char *names)
{
    struct atoll_err err = {0};
    struct atoll_store *a = store_open(path[0], ATOLL_STORE_WRITE),
                       *b = store_open(path[1], ATOLL_STORE_WRITE);
    store_put_experiment(a, 5, 0, 1);
    store_put_experiment(b, 7, 0, 1);
    assert_int_equal(sqlite3_exec(b->db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_true(sqlite3_changes(b->db) > 0);
    char *before = store_canonical(a);
    assert_int_equal(atoll_store_merge(a, b, &err), ATOLL_EINPUT);
    if (!strstr(err.text, names)) {
        fail_msg("\"%s\" does not name %s", err.text, names);
    }
    char *after = store_canonical(a);
    assert_string_equal(before, after);
    atoll_free(before);
    atoll_free(after);
    atoll_store_close(&a);
    atoll_store_close(&b);
    store_remove(path[0]);
    store_remove(path[1]);
}
static void contradictions(void **state)
{
    (void)state;
    contradict("UPDATE run SET p50_us = 1 WHERE repeat = 4", "p50_us");
    contradict("UPDATE run SET status = 'failed' WHERE repeat = 0", "status");
    contradict("UPDATE rail SET energy_mj = 1 WHERE rail = '5v' AND run = 4", "energy_mj");
    contradict("UPDATE series SET data = (SELECT data FROM series WHERE run = 3 AND kind = "
               "'samples') WHERE run = 4 AND kind = 'samples'",
               "data");
    contradict("DELETE FROM rail WHERE rail = '5v' AND run = 4", "rail");
    contradict("UPDATE plan SET latency_us = 7", "latency_us");
    contradict("UPDATE model SET sha256 = 'ff'", "sha256");
}

static void other_hosts_and_times_are_no_contradiction(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    struct atoll_store *a = store_open(path[0], ATOLL_STORE_WRITE),
                       *b = store_open(path[1], ATOLL_STORE_WRITE);
    store_put_experiment(a, 5, 0, 1);
    store_put_experiment(b, 5, 0, 1);
    assert_int_equal(
        sqlite3_exec(b->db, "UPDATE run SET host = 'x', started = 'y', wall_s = 9, order_index = 1",
                     NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(atoll_store_merge(a, b, &err), 0);
    char *x = store_canonical(a), *y = store_canonical(b);
    assert_string_equal(x, y);
    atoll_free(x);
    atoll_free(y);
    atoll_store_close(&a);
    atoll_store_close(&b);
}

static void dump_is_json_lines(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    struct atoll_store *s = store_open(path[0], ATOLL_STORE_WRITE);
    const struct atoll_model_row odd = {.spec = "a\"b\\c\n\xff\xc3\xa9", .macs = 0.1};
    assert_int_equal(atoll_store_put_model(s, &odd, &err), 0);
    char *a = store_canonical(s);
    assert_non_null(strstr(
        a, "{\"table\":\"model\",\"spec\":\"a\\\"b\\\\c\\u000a\\u00ff\xc3\xa9\",\"label\":null"));
    assert_non_null(strstr(a, "\"macs\":0.1,"));
    atoll_free(a);
    struct atoll_buf whole = {0};
    store_put_experiment(s, 1, 0, 1);
    assert_int_equal(atoll_store_dump(s, false, store_append_line, &whole, &err), 0);
    assert_non_null(strstr(whole.data, "\"host\":\"here\""));
    assert_non_null(strstr(whole.data, "\"seed\":\"ffffffffffffffff\""));
    atoll_buf_finish(&whole);
    atoll_store_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(merged_equals_single, setup, teardown),
        cmocka_unit_test_setup_teardown(contradictions, setup, teardown),
        cmocka_unit_test_setup_teardown(other_hosts_and_times_are_no_contradiction, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(dump_is_json_lines, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
