/* SPDX-License-Identifier: Apache-2.0 */
#include "tsv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/** Cuts one line into cells at tabs; returns how many there are (at most `room` are kept). */
static size_t cut_line(char *line, char **cells, size_t room)
{
    size_t n = 0;
    for (char *at = line; at != NULL;) {
        char *tab = strchr(at, '\t');
        if (tab != NULL) {
            *tab = '\0';
        }
        if (n < room) {
            cells[n] = at;
        }
        n++;
        at = tab != NULL ? tab + 1 : NULL;
    }
    return n;
}

static size_t count_char(const char *s, char c)
{
    size_t n = 0;
    for (; *s != '\0'; s++) {
        n += *s == c;
    }
    return n;
}

static int parse(const char *path, struct tsv *t, struct atoll_err *err)
{
    const size_t lines = count_char(t->text, '\n') + 1u;
    char *end = strchr(t->text, '\n');
    if (end == NULL) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: no rows", path);
    }
    *end = '\0';
    t->n_cols = count_char(t->text, '\t') + 1u;
    t->names = atoll_calloc(t->n_cols, sizeof *t->names);
    t->cells = atoll_calloc(lines * t->n_cols, sizeof *t->cells);
    if (t->names == NULL || t->cells == NULL) {
        return atoll_fail_nomem(err, path, lines * t->n_cols);
    }
    (void)cut_line(t->text, t->names, t->n_cols);
    for (char *line = end + 1; line != NULL && *line != '\0';) {
        char *next = strchr(line, '\n');
        if (next != NULL) {
            *next = '\0';
        }
        const size_t n = cut_line(line, t->cells + t->n_rows * t->n_cols, t->n_cols);
        if (n != t->n_cols) {
            return atoll_fail(err, ATOLL_EINPUT, "%s:%zu: found %zu cells, expected %zu", path,
                              t->n_rows + 2u, n, t->n_cols);
        }
        t->n_rows++;
        line = next != NULL ? next + 1 : NULL;
    }
    return 0;
}

int tsv_open(const char *dir, const char *file, struct tsv *t, struct atoll_err *err)
{
    *t = (struct tsv){0};
    struct atoll_buf path = {0};
    atoll_buf_printf(&path, "%s/%s", dir, file);
    struct atoll_map map = {0};
    int rc = path.failed ? atoll_fail_nomem(err, file, strlen(dir))
                         : atoll_map_open(path.data, &map, err);
    if (rc == 0) {
        t->text = atoll_calloc(map.size + 1u, 1);
        if (t->text == NULL) {
            rc = atoll_fail_nomem(err, file, map.size);
        } else {
            memcpy(t->text, map.data, map.size);
            rc = parse(path.data, t, err);
        }
    }
    atoll_map_close(&map);
    atoll_buf_finish(&path);
    if (rc != 0) {
        tsv_close(t);
    }
    return rc;
}

void tsv_close(struct tsv *t)
{
    atoll_free(t->text);
    atoll_free(t->cells);
    atoll_free(t->names);
    *t = (struct tsv){0};
}

const char *tsv_text(const struct tsv *t, size_t row, const char *column)
{
    for (size_t i = 0; i < t->n_cols; i++) {
        if (strcmp(t->names[i], column) == 0) {
            return t->cells[row * t->n_cols + i];
        }
    }
    return "";
}

double tsv_number(const struct tsv *t, size_t row, const char *column)
{
    const char *text = tsv_text(t, row, column);
    char *end = NULL;
    const double v = strtod(text, &end);
    return end != text && (*end == '\0' || *end == ' ' || *end == 'M') ? v : (double)NAN;
}

bool tsv_size(const char *text, int32_t *h, int32_t *w)
{
    char *end = NULL;
    const long first = strtol(text, &end, 10);
    if (end == text || *end != 'x') {
        return false;
    }
    const char *from = end + 1;
    const long second = strtol(from, &end, 10);
    if (end == from || first < 1 || second < 1 || first > INT16_MAX || second > INT16_MAX) {
        return false;
    }
    *h = (int32_t)first;
    *w = (int32_t)second;
    return true;
}

bool tsv_is(const struct tsv *t, size_t row, const char *column, const char *value)
{
    return strcmp(tsv_text(t, row, column), value) == 0;
}
