/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of a whole use of the store fails once, SQLite's own too. */
#include "store_rows.h"

#include <malloc.h>

static void *memory(int bytes)
{
    return atoll_alloc((size_t)bytes);
}
static void *more(void *p, int bytes)
{
    return atoll_realloc(p, (size_t)bytes);
}
static int size(void *p)
{
    return p ? (int)malloc_usable_size(p) : 0;
}
static int round_up(int bytes)
{
    return (bytes + 7) & ~7;
}
static int start(void *unused)
{
    (void)unused;
    return SQLITE_OK;
}
static void stop(void *unused)
{
    (void)unused;
}

static char dir[256], path[300], other[300];

static int stop_row(void *user, const struct atoll_run_row *r)
{
    (void)user;
    (void)r;
    return 0;
}

static int use(void *user)
{
    (void)user;
    struct atoll_store *a = NULL, *b = NULL;
    struct atoll_err err = {0};
    struct atoll_run_set *set = NULL;
    struct atoll_buf dump = {0};
    const struct atoll_run_row r = store_run("e1", 1);
    const double samples[2] = {1, 2};
    int64_t id = 0;
    store_remove(other);
    int rc = atoll_store_open(other, ATOLL_STORE_WRITE, &b, &err);
    rc = rc ? rc : atoll_store_begin(b, &err);
    rc = rc ? rc : atoll_store_put_run(b, &r, &id, &err);
    rc = rc ? rc : atoll_store_put_samples(b, id, samples, 2, &err);
    rc = rc ? rc : atoll_store_commit(b, &err);
    rc = rc ? rc : atoll_store_open(path, ATOLL_STORE_READ, &a, &err);
    rc = rc ? rc : atoll_store_merge(b, a, &err);
    rc = rc ? rc : atoll_store_run_set(b, "e1", &set, &err);
    rc = rc ? rc : atoll_store_each_run(b, "e1", stop_row, NULL, &err);
    rc = rc ? rc : atoll_store_dump(b, true, store_append_line, &dump, &err);
    rc = rc ? rc : dump.failed ? ATOLL_ENOMEM : 0;
    double *v = NULL;
    size_t n = 0;
    rc = rc ? rc : atoll_store_get_samples(b, 1, &v, &n, &err);
    atoll_free(v);
    atoll_buf_finish(&dump);
    atoll_run_set_close(&set);
    if (b) {
        atoll_store_rollback(b);
    }
    atoll_store_close(&a);
    atoll_store_close(&b);
    if (rc && rc != ATOLL_ENOMEM) {
        print_error("%s: %s\n", atoll_code_name(rc), err.text);
    }
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    if (access("/dev/shm", W_OK) == 0) {
        (void)setenv("TMPDIR", "/dev/shm", 1); /* thousands of commits: memory instead of a disk */
    }
    test_scratch(dir);
    (void)snprintf(path, sizeof path, "%s/a.db", dir);
    (void)snprintf(other, sizeof other, "%s/b.db", dir);
    struct atoll_store *s = store_open(path, ATOLL_STORE_WRITE);
    store_put_experiment(s, 3, 0, 3);
    atoll_store_close(&s);
    /* Not alloc_fail_check: SQLite does without some of its allocations, and then the call
     * succeeds. */
    uint64_t n = 1, failures = 0;
    for (bool all = false; !all; n++) {
        const uint64_t before = atoll_alloc_count();
        atoll_alloc_fail_after(n);
        const int rc = use(NULL);
        all = atoll_alloc_count() - before < n;
        atoll_alloc_fail_after(0);
        assert_true(rc == 0 || (rc == ATOLL_ENOMEM && !all));
        failures += rc != 0;
    }
    (void)printf("%llu allocations, %llu of them needed\n", (unsigned long long)n,
                 (unsigned long long)failures);
    assert_true(failures > n / 2 && n > 100);
    store_remove(path);
    store_remove(other);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    static const sqlite3_mem_methods methods = {memory,   atoll_free, more, size,
                                                round_up, start,      stop, NULL};
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK ||
        sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) != SQLITE_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
