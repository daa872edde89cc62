/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time to write the report of more than 10 000 runs (aim: under 2 s), and its ratio to the plain
 * reading of the same rows, which no report can do without.
 */
#include <atoll/report.h>

#include "../tests/report/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 5

static int count_run(void *u, const struct atoll_run_row *r)
{
    (void)r;
    ++*(size_t *)u;
    return 0;
}
static int count_stage(void *u, const struct atoll_stage_row *r)
{
    (void)r;
    ++*(size_t *)u;
    return 0;
}
static int count_plan(void *u, const struct atoll_plan_row *r)
{
    (void)r;
    ++*(size_t *)u;
    return 0;
}

/* Processor time of this process: other work on the machine does not count. */
static double now_s(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Best of ROUNDS of: every row read; the page written. */
static int measure(struct atoll_store *s, const char *page, double best_s[2], size_t *runs,
                   struct atoll_err *err)
{
    for (int i = 0; i < ROUNDS; i++) {
        size_t rows = 0;
        *runs = 0;
        double start_s = now_s();
        int e = atoll_store_each_run(s, NULL, count_run, runs, err);
        e = e ? e : atoll_store_each_stage(s, NULL, count_stage, &rows, err);
        e = e ? e : atoll_store_each_plan(s, NULL, count_plan, &rows, err);
        const double read_s = now_s() - start_s;
        start_s = now_s();
        e = e ? e : atoll_report_writer_find("html")->write(s, page, err);
        const double write_s = now_s() - start_s;
        if (e) {
            return e;
        }
        best_s[0] = i == 0 || read_s < best_s[0] ? read_s : best_s[0];
        best_s[1] = i == 0 || write_s < best_s[1] ? write_s : best_s[1];
    }
    return 0;
}

int main(void)
{
    char dir[] = "/tmp/atoll-bench-report-XXXXXX", db[64], page[64];
    struct atoll_err err = {0};
    struct atoll_store *s = NULL;
    struct stat st = {0};
    double best_s[2] = {0, 0};
    size_t runs = 0;
    struct fixture f = fixture_default();
    f.samples = 0;
    f.traces = true;
    if (!mkdtemp(dir)) {
        perror(dir);
        return 5;
    }
    snprintf(db, sizeof db, "%s/results.db", dir);
    snprintf(page, sizeof page, "%s/report.html", dir);
    int e = fixture_write(db, &f, &err);
    e = e ? e : atoll_store_open(db, ATOLL_STORE_READ, &s, &err);
    e = e ? e : measure(s, page, best_s, &runs, &err);
    e = e || stat(page, &st) == 0 ? e : ATOLL_EIO;
    atoll_store_close(&s);
    remove(db);
    remove(page);
    rmdir(dir);
    if (e) {
        fprintf(stderr, "bench_report: %s\n", err.text);
        return atoll_code_exit(e);
    }
    const double per_10k_s = best_s[1] * 1e4 / (double)runs;
    printf("report_html_10000_runs,%.3f,s (processor),%.2f,%zu runs; ratio to reading the rows "
           "(%.3f s)\n",
           per_10k_s, best_s[1] / best_s[0], runs, best_s[0]);
    printf("report_html_size,%.2f,MB,,limit 3 MB\n", (double)st.st_size * 1e-6);
    return per_10k_s < 2 && st.st_size < 3000000 ? 0 : 1;
}
