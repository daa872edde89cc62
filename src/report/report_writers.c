/* SPDX-License-Identifier: Apache-2.0 */
/* The table of writers, and the three that need few lines: json, null, hash. */
#include "report_internal.h"

#include <string.h>

int atoll__report_write(struct atoll_store *s, const char *path, atoll__report_fill fill,
                        struct atoll_err *err)
{
    struct atoll__data d;
    struct atoll_verdict v = {0};
    struct atoll_buf b = {0};
    int e = atoll__report_load(s, NULL, &d, err);
    if (e) {
        return e;
    }
    e = atoll__report_verdict(&d, &v, err);
    e = e ? e : fill(s, &d, &v, &b, err);
    if (!e) {
        e = b.failed ? atoll_fail_nomem(err, "the report", b.size)
                     : atoll_write_file(path, b.data, b.size, err);
    }
    atoll_buf_finish(&b);
    atoll_verdict_finish(&v);
    atoll__report_unload(&d);
    return e;
}

static int fill_json(struct atoll_store *s, struct atoll__data *d, const struct atoll_verdict *v,
                     struct atoll_buf *b, struct atoll_err *err)
{
    return atoll__report_block(s, d, v, b, err);
}

int atoll__write_json(struct atoll_store *s, const char *path, struct atoll_err *err)
{
    return atoll__report_write(s, path, fill_json, err);
}

/* Reads and judges everything, writes nothing: for benchmarks and as a check of a database. */
static int write_null(struct atoll_store *s, const char *path, struct atoll_err *err)
{
    struct atoll_verdict v;
    (void)path;
    const int e = atoll_verdict_make(s, NULL, &v, err);
    if (!e) {
        atoll_verdict_finish(&v);
    }
    return e;
}

static void append_line(void *u, const char *line)
{
    atoll_buf_puts(u, line);
    atoll_buf_puts(u, "\n");
}

/* sha256 of the canonical dump: equal exactly when two databases hold the same results. */
static int write_hash(struct atoll_store *s, const char *path, struct atoll_err *err)
{
    struct atoll_buf b = {0};
    char hex[66];
    int e = atoll_store_dump(s, true, append_line, &b, err);
    if (!e && b.failed) {
        e = atoll_fail_nomem(err, "the canonical dump", b.size);
    }
    if (!e) {
        atoll_sha256_hex(b.data ? b.data : "", b.size, hex);
        hex[64] = '\n';
        e = atoll_write_file(path, hex, 65, err);
    }
    atoll_buf_finish(&b);
    return e;
}

static const struct atoll_report_writer writers[] = {
    {"html", "html", "one self-contained page with verdict, charts and tables", false,
     atoll__write_html},
    {"csv", "", "a directory with a table for runs, segments, samples, accuracy and epochs", true,
     atoll__write_csv},
    {"json", "json", "verdict and all configurations as one object", false, atoll__write_json},
    {"markdown", "md", "verdict and best arrangements as text", false, atoll__write_markdown},
    {"null", "", "reads and judges all, writes nothing", false, write_null},
    {"hash", "sha256", "sha256 of the canonical dump", false, write_hash},
};

const struct atoll_report_writer *atoll_report_writers(size_t *n)
{
    *n = sizeof writers / sizeof *writers;
    return writers;
}

const struct atoll_report_writer *atoll_report_writer_find(const char *name)
{
    for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) {
        if (strcmp(writers[i].name, name) == 0) {
            return &writers[i];
        }
    }
    return NULL;
}
