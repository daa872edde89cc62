/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Speed of the model room, each against its limit (ratio = measured / limit, below 1 is good):
 *  - first answer on a large file: open, all operator numbers, mapping; limit 10 ms with the pages
 * in memory. From the disk (after posix_fadvise(DONTNEED)) the disk decides: the length of a
 * constant stands in front of its bytes, so some 700 pages all over the file are read; no limit;
 *  - fills: 64 MiB of int8 weights at 500 MB/s;
 *  - hash of a zoo network of 60 MB (fill, serialise, SHA-256): limit 1 s.
 */
#include <atoll/model.h>
#include <atoll/zoo.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS 21

static void print(const char *what, double value, const char *unit, double ratio)
{
    printf("model %-44s %10.3f %s, ratio %.3f\n", what, value, unit, ratio);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Milliseconds from nothing to every number that `info` prints. */
static int first_answer(const char *path, double *ms, struct atoll_err *err)
{
    const uint64_t from_ns = atoll_now_ns();
    struct atoll_model *m = NULL;
    int rc = atoll_model_open(path, &m, err);
    uint64_t macs = 0;
    bool *maps = rc == 0 ? atoll_calloc(m->n_ops, sizeof *maps) : NULL;
    if (rc == 0 && maps != NULL) {
        for (uint32_t o = 0; o < m->n_ops; o++) {
            struct atoll_op_info info;
            atoll_op_info(m, o, &info);
            macs += info.macs;
        }
        atoll_model_mapping(m, maps);
    }
    *ms = (double)(atoll_now_ns() - from_ns) / 1e6;
    atoll_free(maps);
    atoll_model_close(&m);
    return rc != 0 || macs > 0 ? rc : ATOLL_EINTERNAL;
}

/* Median over the rounds; `cold` drops the file's pages before each. */
static int open_median(const char *path, bool cold, double *ms, struct atoll_err *err)
{
    double all[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        const int fd = cold ? open(path, O_RDONLY) : -1;
        if (fd >= 0) {
            (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
            (void)close(fd);
        }
        const int rc = first_answer(path, &all[i], err);
        if (rc != 0) {
            return rc;
        }
    }
    qsort(all, ROUNDS, sizeof all[0], by_value);
    *ms = all[ROUNDS / 2];
    return 0;
}

static int bench_fill(struct atoll_err *err)
{
    const uint64_t bytes = UINT64_C(64) << 20;
    const struct atoll_tensor t = {
        .name = "w", .is_constant = true, .data_bytes = bytes, .fill = {ATOLL_FILL_INT8, 1}};
    uint8_t *out = atoll_alloc((size_t)bytes);
    if (out == NULL) {
        return atoll_fail_nomem(err, "a fill", (size_t)bytes);
    }
    memset(out, 1, (size_t)bytes); /* pages are there before the clock runs */
    const uint64_t from_ns = atoll_now_ns();
    const int rc = atoll_tensor_bytes(&t, out, err);
    const double mb_per_s = (double)bytes / 1e6 / ((double)(atoll_now_ns() - from_ns) / 1e9);
    print("int8 fill", mb_per_s, "MB/s", 500.0 / mb_per_s);
    atoll_free(out);
    return rc;
}

static int measure(const char *path, struct atoll_err *err)
{
    struct atoll_model *m = NULL;
    char hex[65];
    double ms = 0;
    int rc = atoll_zoo_build("resnet152", &m, err);
    const uint64_t from_ns = atoll_now_ns();
    rc = rc == 0 ? atoll_model_sha256(m, hex, err) : rc;
    if (rc == 0) {
        const double s = (double)(atoll_now_ns() - from_ns) / 1e9;
        print("hash of zoo:resnet152 (60 MB)", s * 1e3, "ms", s);
        rc = atoll_model_write(m, path, err);
    }
    atoll_model_close(&m);
    rc = rc == 0 ? open_median(path, false, &ms, err) : rc;
    if (rc == 0) {
        print("first answer on 60 MB, pages in memory", ms, "ms", ms / 10);
        rc = open_median(path, true, &ms, err);
    }
    if (rc == 0) {
        printf("model %-44s %10.3f ms, no limit\n", "first answer on 60 MB, from disk", ms);
    }
    return rc == 0 ? bench_fill(err) : rc;
}

int main(void)
{
    struct atoll_err err = {0};
    char path[300];
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(path, sizeof path, "%.200s/atoll_bench_%ld.tflite", tmp != NULL ? tmp : "/tmp",
                   (long)getpid());
    const int rc = measure(path, &err);
    (void)unlink(path);
    if (rc != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
    }
    return atoll_code_exit(rc);
}
