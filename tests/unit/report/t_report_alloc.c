/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of the writers, the verdict and the comparison fails once: an error, no leak
 * (the address sanitizer's build looks for those), and the next try works. */
#include "report_scratch.h"

#include <atoll/report.h>

#include <string.h>

typedef int (*job_fn)(struct atoll_store *a, struct atoll_store *b, struct atoll_err *err);

static int page(struct atoll_store *a, struct atoll_store *b, struct atoll_err *err)
{
    (void)b;
    const char *path = scratch_path("alloc.html");
    const int e = atoll_report_writer_find("html")->write(a, path, err);
    remove(path);
    return e;
}
static int markdown(struct atoll_store *a, struct atoll_store *b, struct atoll_err *err)
{
    (void)b;
    const char *path = scratch_path("alloc.md");
    const int e = atoll_report_writer_find("markdown")->write(a, path, err);
    remove(path);
    return e;
}
static int csv(struct atoll_store *a, struct atoll_store *b, struct atoll_err *err)
{
    (void)b;
    static const char *const names[] = {"runs.csv", "segments.csv", "samples.csv", "states.csv",
                                        "accuracy.csv", "epochs.csv"};
    const char *dir = scratch_path("alloc.csv");
    const int e = atoll_report_writer_find("csv")->write(a, dir, err);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[300];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        remove(path);
    }
    rmdir(dir);
    return e;
}
static int comparison(struct atoll_store *a, struct atoll_store *b, struct atoll_err *err)
{
    struct atoll_comparison_report r = {0};
    const int e = atoll_compare_stores(a, b, &r, err);
    if (!e) {
        atoll_comparison_report_finish(&r);
    }
    return e;
}

static void try_all(job_fn job)
{
    struct fixture f = scratch_fixture();
    struct atoll_err err = {0};
    f.models = 1;
    f.tpus = 2;
    f.repeats = 2;
    f.training = true;
    struct atoll_store *a = scratch_store("alloc_a.db", &f);
    f.seed = 2;
    struct atoll_store *b = scratch_store("alloc_b.db", &f);
    assert_int_equal(job(a, b, &err), 0);
    const uint64_t before = atoll_alloc_count();
    assert_int_equal(job(a, b, &err), 0);
    const uint64_t total = atoll_alloc_count() - before;
    assert_true(total > 3);
    for (uint64_t n = 1; n <= total; n++) {
        memset(&err, 0, sizeof err);
        atoll_alloc_fail_after(n);
        const int e = job(a, b, &err);
        atoll_alloc_fail_after(0);
        /* A sentence may lose a word ("?") rather than fail; what fails says so. */
        if (e && (e != ATOLL_ENOMEM || err.text[0] == '\0')) {
            fail_msg("allocation %llu of %llu: code %d, '%s'", (unsigned long long)n,
                     (unsigned long long)total, e, err.text);
        }
    }
    assert_int_equal(job(a, b, &err), 0);
    atoll_store_close(&a);
    atoll_store_close(&b);
}

static void of_page(void **state)
{
    (void)state;
    try_all(page);
}
static void of_markdown(void **state)
{
    (void)state;
    try_all(markdown);
}
static void of_csv(void **state)
{
    (void)state;
    try_all(csv);
}
static void of_comparison(void **state)
{
    (void)state;
    try_all(comparison);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(of_page), cmocka_unit_test(of_markdown),
                                       cmocka_unit_test(of_csv), cmocka_unit_test(of_comparison)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
