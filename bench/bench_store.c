/* SPDX-License-Identifier: Apache-2.0 */
/* Speed of the results database in processor time: whole runs (row, two rails, 100 samples)
 * written in groups of 500 against one transaction each; reading, dump and merge of them. Aim:
 * 20 000 runs a second. */
#include <atoll/store.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Processor time of all threads: other programs on the machine do not count. */
static uint64_t busy_ns(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

enum { RUNS = 20000, ALONE = 300 };

static double samples[100];

static int put_run(struct atoll_store *s, int64_t repeat, struct atoll_err *err)
{
    const struct atoll_run_row r = {
        .experiment = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        .model = "zoo:efficientnet_lite0",
        .strategy = "partition:3+2+2+1",
        .tpus = 8,
        .workload = "saturated",
        .repeat = repeat,
        .status = "done",
        .origin = "simulated",
        .host = "machine",
        .started = "2026-11-24T08:00:00Z",
        .count = 100,
        .p50_us = 5000.125 + (double)repeat,
        .throughput_hz = 123.4,
        .energy_mj = 25.5};
    int64_t id = 0;
    int code = atoll_store_put_run(s, &r, &id, err);
    for (int i = 0; i < 2 && code == 0; i++) {
        const struct atoll_rail_row rail = {
            .run = id, .rail = i ? "3v3_slot" : "12v_slot", .energy_mj = 1.5, .u95_mj = 0.1};
        code = atoll_store_put_rail(s, &rail, err);
    }
    return code ? code
                : atoll_store_put_samples(s, id, samples, sizeof samples / sizeof samples[0], err);
}

/* `group` runs a transaction. */
static int fill(const char *path, int64_t runs, int64_t group, double *runs_per_s,
                struct atoll_err *err)
{
    struct atoll_store *s = NULL;
    int code = atoll_store_open(path, ATOLL_STORE_WRITE, &s, err);
    const uint64_t from_ns = busy_ns();
    for (int64_t i = 0; i < runs && code == 0; i++) {
        code = i % group == 0 ? atoll_store_begin(s, err) : 0;
        code = code ? code : put_run(s, i, err);
        if (code == 0 && (i % group == group - 1 || i == runs - 1)) {
            code = atoll_store_commit(s, err);
        }
    }
    *runs_per_s = (double)runs * 1e9 / (double)(busy_ns() - from_ns);
    atoll_store_close(&s);
    return code;
}

static int count(void *user, const struct atoll_run_row *r)
{
    *(int64_t *)user += r->repeat >= 0;
    return 0;
}
static void count_line(void *user, const char *line)
{
    *(size_t *)user += strlen(line);
}

static int read_all(const char *path, const char *merged, struct atoll_err *err)
{
    struct atoll_store *s = NULL, *into = NULL;
    int64_t runs = 0;
    size_t bytes = 0;
    int code = atoll_store_open(path, ATOLL_STORE_READ, &s, err);
    const uint64_t start_ns = busy_ns();
    code = code ? code : atoll_store_each_run(s, NULL, count, &runs, err);
    const uint64_t read_ns = busy_ns();
    code = code ? code : atoll_store_dump(s, true, count_line, &bytes, err);
    const uint64_t dump_ns = busy_ns();
    code = code ? code : atoll_store_open(merged, ATOLL_STORE_WRITE, &into, err);
    code = code ? code : atoll_store_merge(into, s, err);
    const uint64_t merge_ns = busy_ns();
    if (code == 0) {
        printf("store read %.0f runs/s, dump %.0f runs/s, merge %.0f runs/s\n",
               (double)runs * 1e9 / (double)(read_ns - start_ns),
               (double)runs * 1e9 / (double)(dump_ns - read_ns),
               (double)runs * 1e9 / (double)(merge_ns - dump_ns));
    }
    atoll_store_close(&into);
    atoll_store_close(&s);
    return code;
}

int main(void)
{
    char dir[] = "/tmp/atoll-bench-XXXXXX", path[3][64];
    struct atoll_err err = {0};
    if (!mkdtemp(dir)) {
        perror(dir);
        return 1;
    }
    for (int i = 0; i < 3; i++) {
        (void)snprintf(path[i], sizeof path[i], "%s/%d.db", dir, i);
    }
    struct atoll_rng rng;
    atoll_rng_seed(&rng, 1);
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        samples[i] = 5000.0 * (1.0 + 0.014 * atoll_rng_normal(&rng));
    }
    double grouped = 0, alone = 0;
    int code = fill(path[0], RUNS, 500, &grouped, &err);
    code = code ? code : fill(path[1], ALONE, 1, &alone, &err);
    if (code == 0) {
        printf("store write %.0f runs/s in groups of 500, %.0f runs/s one by one, ratio %.1f, aim "
               "20000, ratio %.2f\n",
               grouped, alone, grouped / alone, grouped / 20000.0);
        code = read_all(path[0], path[2], &err);
    }
    for (int i = 0; i < 3; i++) {
        (void)unlink(path[i]);
    }
    (void)rmdir(dir);
    if (code) {
        fprintf(stderr, "%s\n", err.text);
    }
    return code != 0;
}
