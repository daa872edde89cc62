/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are no database of ours, locked ones, full disks, and death in the middle of
 * writing. */
#include "store_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char dir[256], path[300];

static int setup(void **state)
{
    (void)state;
    test_scratch(dir);
    (void)snprintf(path, sizeof path, "%s/a.db", dir);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    store_remove(path);
    return rmdir(dir);
}

static void write_bytes(const void *bytes, size_t n)
{
    struct atoll_err err = {0};
    assert_int_equal(atoll_write_file(path, bytes, n, &err), 0);
}
static void refused(enum atoll_store_mode mode, int code, const char *words)
{
    struct atoll_store *s = NULL;
    struct atoll_err err = {0};
    const int rc = atoll_store_open(path, mode, &s, &err);
    if (rc != code || !strstr(err.text, words) || !strstr(err.text, path)) {
        fail_msg("%s \"%s\", expected %s with \"%s\" and the path", atoll_code_name(rc), err.text,
                 atoll_code_name(code), words);
    }
    assert_null(s);
}
static void refused_both(int code, const char *words)
{
    refused(ATOLL_STORE_READ, code, words);
    refused(ATOLL_STORE_WRITE, code, words);
}
static void sql(const char *text)
{
    sqlite3 *db = NULL;
    char *why = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK) {
        fail_msg("%s: %s", text, why);
    }
    sqlite3_close(db);
}

static void not_ours(void **state)
{
    (void)state;
    refused(ATOLL_STORE_READ, ATOLL_ENOTFOUND, "cannot be opened");
    write_bytes("", 0);
    refused(ATOLL_STORE_READ, ATOLL_EINPUT, "is empty");
    write_bytes("model,tpus\nresnet50,1\n", 22);
    refused_both(ATOLL_EINPUT, "is not a database");
    write_bytes("SQLite format 3", 15);
    refused_both(ATOLL_EINPUT, "is not a database");
    write_bytes("SQLite format 3", 16);
    refused_both(ATOLL_EINPUT, "not a database");
    (void)unlink(path);
    sql("CREATE TABLE run (x)");
    refused_both(ATOLL_EINPUT, "another program");
    sql("PRAGMA application_id = 0x61746f6c; PRAGMA user_version = 4");
    refused_both(ATOLL_EINPUT, "newer than");
    sql("PRAGMA user_version = 0");
    refused_both(ATOLL_EINPUT, "version 0");
    sql("PRAGMA user_version = 1");
    refused_both(ATOLL_EINPUT, "table run is not that of schema version 1");
    (void)unlink(path);
    (void)mkdir(path, 0700);
    refused_both(ATOLL_EINPUT, "not a regular file");
    (void)rmdir(path);
    struct atoll_store *s = NULL;
    assert_int_equal(atoll_store_open(":memory:", ATOLL_STORE_WRITE, &s, NULL), ATOLL_EUSAGE);
    assert_int_equal(atoll_store_open("", ATOLL_STORE_WRITE, &s, NULL), ATOLL_EUSAGE);
    assert_int_equal(atoll_store_open("/nowhere/at/all/a.db", ATOLL_STORE_WRITE, &s, NULL),
                     ATOLL_EIO);
}

/* A file as version 1 wrote it: a run with a rail. */
static void write_version_1(void)
{
    struct atoll_buf b = {0};
    (void)unlink(path);
    atoll_buf_printf(&b, "PRAGMA application_id = 0x61746f6c; PRAGMA user_version = 1;");
    for (size_t i = 0; i < ATOLL__TABLES; i++) {
        if (atoll__tables[i].since == 1) {
            atoll__store_sql_create(&atoll__tables[i], 1, NULL, &b);
            atoll_buf_puts(&b, ";");
        }
    }
    atoll_buf_puts(&b,
                   "INSERT INTO run (experiment, model, strategy, tpus, workload, repeat, status, "
                   "seed, order_index, count, throttled, outliers, meter_lost_scans, energy_mj) "
                   "VALUES ('e', 'm', 'single', 1, 'latency', 0, 'done', 7, 0, 100, 0, 0, 0, 4.5);"
                   "INSERT INTO rail (run, rail, energy_mj) VALUES (1, '12v', 450);");
    assert_false(b.failed);
    sql(b.data);
    atoll_buf_finish(&b);
}

struct old {
    size_t runs, rails;
    bool gained;
};
static int old_run(void *user, const struct atoll_run_row *r)
{
    struct old *o = user;
    o->runs++;
    assert_int_equal(r->id, 1);
    assert_int_equal(r->seed, 7);
    test_close(r->energy_mj, 4.5, 1e-12);
    o->gained = isfinite(r->energy_above_mj);
    return 0;
}
static int old_rail(void *user, const struct atoll_rail_row *r)
{
    ((struct old *)user)->rails++;
    test_close(r->energy_mj, 450, 1e-12);
    return 0;
}
static int no_state(void *user, const struct atoll_state_row *r)
{
    (void)user;
    fail_msg("a state %s in a file of version 1", r->state);
    return 0;
}
static void read_old(struct atoll_store *s)
{
    struct old o = {0};
    struct atoll_err err = {0};
    assert_int_equal(atoll_store_each_run(s, NULL, old_run, &o, &err), 0);
    assert_int_equal(atoll_store_each_rail(s, 1, old_rail, &o, &err), 0);
    assert_int_equal(atoll_store_each_state(s, 1, no_state, NULL, &err), 0);
    assert_int_equal(o.runs, 1);
    assert_int_equal(o.rails, 1);
    assert_false(o.gained);
}

static void version_1_is_read_and_grows(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    write_version_1();
    struct atoll_store *s = store_open(path, ATOLL_STORE_READ);
    read_old(s);
    char *before = store_canonical(s);
    atoll_store_close(&s);
    s = store_open(path, ATOLL_STORE_WRITE); /* grows */
    read_old(s);
    char *after = store_canonical(s);
    assert_string_equal(before, after);
    atoll_free(before);
    atoll_free(after);
    /* references go to the new table: a run that is not there is refused, one that is is taken */
    const struct atoll_state_row good = {.run = 1, .state = "idle"}, bad = {.run = 2, .state = "x"};
    assert_int_equal(atoll_store_put_state(s, &good, &err), 0);
    assert_int_not_equal(atoll_store_put_state(s, &bad, &err), 0);
    const struct atoll_rail_row rail = {.run = 3, .rail = "x"};
    assert_int_not_equal(atoll_store_put_rail(s, &rail, &err), 0);
    atoll_store_close(&s);
    s = store_open(path, ATOLL_STORE_READ);
    atoll_store_close(&s);
    /* damaged: nothing is half done */
    write_version_1();
    sql("DROP TABLE rail");
    refused_both(ATOLL_EINPUT, "rail is missing");
    (void)unlink(path);
}

static int count(void *user, const struct atoll_training_row *r)
{
    (void)r;
    ++*(int *)user;
    return 0;
}

/* Version 2 has no trainings. */
static void version_2_grows(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    struct atoll_store *s = store_open(path, ATOLL_STORE_WRITE);
    store_put_experiment(s, 2, 0, 1);
    atoll_store_close(&s);
    sql("DROP TABLE accuracy; DROP TABLE training; DROP TABLE epoch; PRAGMA user_version = 2");
    int n = 0;
    s = store_open(path, ATOLL_STORE_READ);
    assert_int_equal(atoll_store_each_training(s, count, &n, &err), 0);
    assert_int_equal(n, 0);
    char *before = store_canonical(s);
    atoll_store_close(&s);
    s = store_open(path, ATOLL_STORE_WRITE);
    char *after = store_canonical(s);
    assert_string_equal(before, after);
    const struct atoll_training_row t = {.key = "k", .network = "n", .top1 = 0.5};
    assert_int_equal(atoll_store_put_training(s, &t, &err), 0);
    atoll_store_close(&s);
    s = store_open(path, ATOLL_STORE_READ);
    assert_int_equal(atoll_store_each_training(s, count, &n, &err), 0);
    assert_int_equal(n, 1);
    atoll_store_close(&s);
    sql("PRAGMA user_version = 2");
    refused_both(ATOLL_EINPUT, "which schema version 2 does not know");
    atoll_free(before);
    atoll_free(after);
}

static void an_empty_file_becomes_a_database(void **state)
{
    (void)state;
    write_bytes("", 0); /* what kill -9 may leave just after creation */
    struct atoll_store *s = store_open(path, ATOLL_STORE_WRITE);
    atoll_store_close(&s);
    s = store_open(path, ATOLL_STORE_READ);
    struct atoll_err err = {0};
    const struct atoll_model_row m = {.spec = "m"};
    assert_int_equal(atoll_store_put_model(s, &m, &err), ATOLL_EIO); /* opened for reading */
    atoll_store_close(&s);
}

/* What kill -9 leaves in the middle of the commit that makes the tables: pages, and the journal
 * that takes them back. */
static void killed_before_the_header_was_written(void **state)
{
    (void)state;
    sqlite3 *db = NULL;
    char journal[320], copy[2][320];
    struct atoll_err err = {0};
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    /* A cache of a few pages spills into the file before the commit. */
    assert_int_equal(
        sqlite3_exec(
            db,
            "PRAGMA cache_size=2; PRAGMA cache_spill=2; BEGIN; CREATE TABLE x (y); INSERT INTO x "
            "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT 500) SELECT "
            "zeroblob(500) FROM c",
            NULL, NULL, NULL),
        SQLITE_OK);
    (void)snprintf(journal, sizeof journal, "%s-journal", path);
    for (int i = 0; i < 2; i++) {
        struct atoll_map map = {0};
        (void)snprintf(copy[i], sizeof copy[i], "%.300s.copy", i ? journal : path);
        assert_int_equal(atoll_map_open(i ? journal : path, &map, &err), 0);
        assert_true(map.size > 0);
        assert_int_equal(atoll_write_file(copy[i], map.data, map.size, &err), 0);
        atoll_map_close(&map);
    }
    sqlite3_close(db);
    for (int mode = ATOLL_STORE_READ; mode <= ATOLL_STORE_WRITE; mode++) {
        for (int i = 0; i < 2; i++) {
            struct atoll_map map = {0};
            assert_int_equal(atoll_map_open(copy[i], &map, &err), 0);
            assert_int_equal(atoll_write_file(i ? journal : path, map.data, map.size, &err), 0);
            atoll_map_close(&map);
        }
        if (mode == ATOLL_STORE_READ) {
            refused(ATOLL_STORE_READ, ATOLL_EINPUT, "is empty");
        } else {
            struct atoll_store *s = store_open(path, ATOLL_STORE_WRITE);
            store_put_experiment(s, 1, 0, 1);
            atoll_store_close(&s);
        }
    }
    (void)unlink(copy[0]);
    (void)unlink(copy[1]);
}

static void strange_objects(void **state)
{
    (void)state;
    static const char *const additions[] = {
        "CREATE TRIGGER t AFTER INSERT ON run BEGIN DELETE FROM run; END",
        "CREATE VIEW v AS SELECT 1",
        "CREATE TABLE other (x)",
        "CREATE INDEX i ON run(p50_us)",
        "ALTER TABLE rail ADD COLUMN more",
        "DROP TABLE layer"};
    for (size_t i = 0; i < sizeof additions / sizeof additions[0]; i++) {
        struct atoll_store *s = store_open(path, ATOLL_STORE_WRITE);
        atoll_store_close(&s);
        sql(additions[i]);
        refused_both(ATOLL_EINPUT, i == 4 ? "rail" : i == 5 ? "layer" : "does not know");
        store_remove(path);
    }
}

/* Reads everything; 0 or ATOLL_EINPUT, never anything else. */
static int read_all(void)
{
    struct atoll_store *s = NULL;
    struct atoll_err err = {0};
    struct atoll_buf b = {0};
    int rc = atoll_store_open(path, ATOLL_STORE_READ, &s, &err);
    rc = rc ? rc : atoll_store_dump(s, false, store_append_line, &b, &err);
    for (int64_t run = 0; run < 10 && s; run++) {
        double *v = NULL;
        size_t n = 0;
        (void)atoll_store_get_samples(s, run, &v, &n, &err);
        atoll_free(v);
    }
    if (rc && (rc != ATOLL_EINPUT || !strstr(err.text, path))) {
        fail_msg("%s: %s", atoll_code_name(rc), err.text);
    }
    atoll_store_close(&s);
    atoll_buf_finish(&b);
    return rc;
}

static void damaged_files(void **state)
{
    (void)state;
    struct atoll_store *s = store_open(path, ATOLL_STORE_WRITE);
    store_put_experiment(s, 40, 0, 1);
    atoll_store_close(&s);
    struct atoll_err err = {0};
    struct atoll_map map = {0};
    assert_int_equal(atoll_map_open(path, &map, &err), 0);
    uint8_t *copy = atoll_alloc(map.size);
    struct atoll_rng rng;
    atoll_rng_seed(&rng, test_seed());
    size_t refusals = 0;
    const size_t cases = test_cases(60);
    for (size_t i = 0; i < cases; i++) {
        memcpy(copy, map.data, map.size);
        const size_t size = i % 3 == 0 ? (size_t)atoll_rng_below(&rng, map.size) : map.size;
        for (size_t flips = i % 3 == 0 ? 0 : i % 3 == 1 ? 1 : 100; flips > 0; flips--) {
            copy[atoll_rng_below(&rng, i % 2 ? map.size : 4096)] ^=
                (uint8_t)(1u << atoll_rng_below(&rng, 8));
        }
        assert_int_equal(unlink(path), 0);
        write_bytes(copy, size);
        if (size) {
            refusals += read_all() != 0;
        }
    }
    assert_true(refusals > cases / 4);
    atoll_free(copy);
    atoll_map_close(&map);
}

static void locked(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    struct atoll_store *a = store_open(path, ATOLL_STORE_WRITE),
                       *b = store_open(path, ATOLL_STORE_WRITE);
    assert_int_equal(atoll_store_begin(a, &err), 0);
    const uint64_t start = atoll_now_ns();
    assert_int_equal(atoll_store_begin(b, &err), ATOLL_EBUSY);
    assert_true(atoll_now_ns() - start < UINT64_C(4000000000));
    assert_non_null(strstr(err.text, "locked"));
    assert_non_null(strstr(err.text, path));
    assert_int_equal(atoll_store_begin(a, &err), ATOLL_EUSAGE);
    assert_int_equal(atoll_store_commit(b, &err), ATOLL_EUSAGE);
    atoll_store_rollback(a);
    assert_int_equal(atoll_store_begin(b, &err), 0);
    assert_int_equal(atoll_store_commit(b, &err), 0);
    atoll_store_close(&a);
    atoll_store_close(&b);
    sqlite3 *other = NULL;
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    refused(ATOLL_STORE_READ, ATOLL_EBUSY, "locked");
    sqlite3_close(other);
}

/* Writes until the disk is full; what was committed before is whole. */
static void fill(void)
{
    struct atoll_err err = {0};
    struct atoll_store *s = store_open(path, ATOLL_STORE_WRITE);
    store_put_experiment(s, 3, 0, 1);
    char *before = store_canonical(s);
    int rc = atoll_store_begin(s, &err);
    char *text = atoll_calloc(1, 20001);
    memset(text, 'x', 20000);
    for (int64_t i = 10; i < 1000 && !rc; i++) {
        int64_t id = 0;
        struct atoll_run_row r = store_run("e1", i);
        r.error = text;
        rc = atoll_store_put_run(s, &r, &id, &err);
    }
    rc = rc ? rc : atoll_store_commit(s, &err);
    if (rc != ATOLL_EIO || !strstr(err.text, path)) {
        fail_msg("%s: %s", atoll_code_name(rc), err.text);
    }
    atoll_store_rollback(s);
    char *after = store_canonical(s);
    assert_string_equal(before, after);
    atoll_free(after);
    atoll_store_close(&s);
    s = store_open(path, ATOLL_STORE_READ);
    after = store_canonical(s);
    assert_string_equal(before, after);
    atoll_free(before);
    atoll_free(after);
    atoll_free(text);
    atoll_store_close(&s);
}

static void full_disk(void **state)
{
    (void)state;
    if (mount("tmpfs", dir, "tmpfs", 0, "size=512k") == 0) {
        fill();
        assert_int_equal(umount(dir), 0);
        return;
    }
    /* Not allowed to mount: a limit on the file's size says no as well. */
    (void)printf("no tmpfs here (%s): a limit on file size stands in for the full disk\n",
                 strerror(errno));
    const struct rlimit limit = {512 << 10, RLIM_INFINITY};
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    fill();
    const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
}

static void write_until_killed(void)
{
    struct atoll_store *s = NULL;
    struct atoll_err err = {0};
    int rc = atoll_store_open(path, ATOLL_STORE_WRITE, &s, &err);
    int64_t repeat = 0;
    bool found = true;
    while (!rc && found) {
        const struct atoll_run_row key = store_run("e1", repeat);
        rc = atoll_store_has_run(s, &key, &found, &err);
        repeat += found;
    }
    while (!rc) {
        rc = atoll_store_begin(s, &err);
        for (int i = 0; i < 3 && !rc; i++) {
            const struct atoll_run_row r = store_run("e1", repeat++);
            store_put_whole_run(s, &r);
        }
        rc = rc ? rc : atoll_store_commit(s, &err);
    }
    _exit(9);
}

/* Whatever was on the disk when a first writer died, the next one can go on. */
static void killed_while_it_is_made(void **state)
{
    (void)state;
    struct atoll_rng rng;
    atoll_rng_seed(&rng, test_seed());
    const size_t kills = test_cases(60);
    for (size_t i = 0; i < kills; i++) {
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct atoll_store *s = NULL;
            (void)atoll_store_open(path, ATOLL_STORE_WRITE, &s, NULL);
            (void)pause();
            _exit(9);
        }
        (void)usleep((useconds_t)(500 + atoll_rng_below(&rng, 6000)));
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        struct atoll_store *s = store_open(path, ATOLL_STORE_WRITE);
        atoll_store_close(&s);
        store_remove(path);
    }
}

struct whole {
    struct atoll_store *s;
    int64_t next;
};
static int run_is_whole(void *user, const struct atoll_run_row *r)
{
    struct whole *w = user;
    double *v = NULL;
    size_t n = 0;
    struct atoll_span *spans = NULL;
    struct atoll_err err = {0};
    assert_int_equal(r->repeat, w->next++);
    assert_int_equal(atoll_store_get_samples(w->s, r->id, &v, &n, &err), 0);
    assert_int_equal(n, 3);
    atoll_free(v);
    assert_int_equal(atoll_store_get_timeline(w->s, r->id, &spans, &n, &err), 0);
    assert_int_equal(n, 2);
    atoll_free(spans);
    return 0;
}

static void killed_in_the_middle(void **state)
{
    (void)state;
    if (test_is_slow()) {
        skip(); /* the child would be killed before it wrote anything */
    }
    struct atoll_rng rng;
    atoll_rng_seed(&rng, test_seed());
    struct whole w = {0};
    /* on a busy machine the child may need longer for its first run than for all others */
    const size_t kills = test_cases(15);
    for (size_t i = 0; i < kills || (w.next == 0 && i < 20 * kills); i++) {
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            write_until_killed();
        }
        const uint64_t longest_us = w.next == 0 && i >= kills ? 500000 : 30000;
        (void)usleep((useconds_t)(2000 + atoll_rng_below(&rng, longest_us)));
        assert_int_equal(kill(child, SIGKILL), 0);
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        if (access(path, F_OK) != 0) {
            continue;
        }
        w.s = store_open(path, ATOLL_STORE_WRITE);
        const int64_t before = w.next;
        w.next = 0;
        struct atoll_err err = {0};
        assert_int_equal(atoll_store_each_run(w.s, "e1", run_is_whole, &w, &err), 0);
        assert_true(w.next >= before && w.next % 3 == 0);
        atoll_store_close(&w.s);
    }
    assert_true(w.next > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(version_1_is_read_and_grows, setup, teardown),
        cmocka_unit_test_setup_teardown(not_ours, setup, teardown),
        cmocka_unit_test_setup_teardown(version_2_grows, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_file_becomes_a_database, setup, teardown),
        cmocka_unit_test_setup_teardown(killed_before_the_header_was_written, setup, teardown),
        cmocka_unit_test_setup_teardown(strange_objects, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_files, setup, teardown),
        cmocka_unit_test_setup_teardown(locked, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(killed_while_it_is_made, setup, teardown),
        cmocka_unit_test_setup_teardown(killed_in_the_middle, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
