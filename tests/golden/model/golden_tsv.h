/* SPDX-License-Identifier: Apache-2.0 */
/* A small reader of the tab-separated golden tables: one header line, named columns. */
#ifndef ATOLL_TESTS_GOLDEN_TSV_H
#define ATOLL_TESTS_GOLDEN_TSV_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TSV_COLUMNS_MAX 64

struct tsv {
    char *text;
    char *header[TSV_COLUMNS_MAX];
    size_t n_columns;
    char *(*rows)[TSV_COLUMNS_MAX];
    size_t n_rows;
};

static inline size_t tsv_split(char *line, char **cells)
{
    size_t n = 0;
    for (char *p = line; p != NULL && n < TSV_COLUMNS_MAX; n++) {
        cells[n] = p;
        p = strchr(p, '\t');
        if (p != NULL) {
            *p++ = 0;
        }
    }
    return n;
}

/* Leaves the test with 77 when the shared folder is not there. */
static inline const char *tsv_shared(void)
{
    const char *dir = getenv("ATOLL_SHARED");
    char probe[1024];
    (void)snprintf(probe, sizeof probe, "%s/data/README.md", dir != NULL ? dir : "");
    FILE *f = dir != NULL ? fopen(probe, "rb") : NULL;
    if (f == NULL) {
        printf("skipped: the shared folder is missing (ATOLL_SHARED=%s)\n", dir != NULL ? dir : "");
        exit(77);
    }
    fclose(f);
    return dir;
}

static inline struct tsv tsv_open(const char *name)
{
    struct tsv t = {0};
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/data/%s", tsv_shared(), name);
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        printf("skipped: %s is missing\n", path);
        exit(77);
    }
    fseek(f, 0, SEEK_END);
    const long size = ftell(f);
    rewind(f);
    t.text = calloc(1, (size_t)size + 1);
    if (t.text == NULL || fread(t.text, 1, (size_t)size, f) != (size_t)size) {
        printf("cannot read %s\n", path);
        exit(1);
    }
    fclose(f);
    size_t lines = 0;
    for (const char *p = t.text; *p != 0; p++) {
        lines += *p == '\n';
    }
    t.rows = calloc(lines + 1, sizeof *t.rows);
    if (t.rows == NULL) {
        exit(1);
    }
    char *line = t.text;
    for (size_t i = 0; line != NULL && *line != 0; i++) {
        char *end = strchr(line, '\n');
        if (end != NULL) {
            *end++ = 0;
        }
        if (i == 0) {
            t.n_columns = tsv_split(line, t.header);
        } else {
            tsv_split(line, t.rows[t.n_rows++]);
        }
        line = end;
    }
    return t;
}

static inline const char *tsv_get(const struct tsv *t, size_t row, const char *column)
{
    for (size_t c = 0; c < t->n_columns; c++) {
        if (strcmp(t->header[c], column) == 0) {
            return t->rows[row][c] != NULL ? t->rows[row][c] : "";
        }
    }
    printf("no column %s\n", column);
    exit(1);
}

static inline void tsv_close(struct tsv *t)
{
    free(t->text);
    free(t->rows);
}

#endif
