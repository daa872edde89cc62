/* SPDX-License-Identifier: Apache-2.0 */
#include "power_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int atoll__power_text_next(struct power_text *t, const char *separators, bool join,
                           struct atoll_err *err)
{
    const char *from = (const char *)t->map.data + t->at;
    const size_t left = t->map.size - t->at;
    if (left == 0) {
        return 0;
    }
    const char *end = memchr(from, '\n', left);
    size_t n = end != NULL ? (size_t)(end - from) : left;
    t->at += end != NULL ? n + 1 : n;
    t->line++;
    n -= n > 0 && from[n - 1] == '\r';
    if (n >= sizeof t->bytes || memchr(from, '\0', n) != NULL) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: line %llu: %s", t->path,
                          (unsigned long long)t->line,
                          n >= sizeof t->bytes ? "longer than 1023 bytes" : "is no text");
    }
    memcpy(t->bytes, from, n);
    t->bytes[n] = '\0';
    t->n_cells = 0;
    for (char *at = t->bytes; *at != '\0' || (!join && t->n_cells > 0);) {
        const size_t skip = join ? strspn(at, separators) : 0;
        at += skip;
        if (join && *at == '\0') {
            break;
        }
        if (t->n_cells == TEXT_CELLS) {
            return atoll_fail(err, ATOLL_EINPUT, "%s: line %llu: more than %d columns", t->path,
                              (unsigned long long)t->line, TEXT_CELLS);
        }
        t->cells[t->n_cells++] = at;
        at += strcspn(at, separators);
        if (*at == '\0') {
            break;
        }
        *at++ = '\0';
    }
    return 1;
}

int atoll__power_text_number(const struct power_text *t, uint32_t cell, const char *what,
                             double low, double high, double *out, struct atoll_err *err)
{
    double v = NAN;
    if (cell >= t->n_cells || !atoll_parse_double(t->cells[cell], &v) || !(v >= low && v <= high)) {
        return atoll_fail(err, ATOLL_EINPUT,
                          "%s: line %llu, column %u: %s '%.30s' (expected a number from %g to %g)",
                          t->path, (unsigned long long)t->line, cell + 1, what,
                          cell < t->n_cells ? t->cells[cell] : "", low, high);
    }
    *out = v;
    return 0;
}

static int by_size(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return (*x > *y) - (*x < *y);
}

double atoll__power_text_median(double *x, size_t n)
{
    if (n == 0) {
        return NAN;
    }
    qsort(x, n, sizeof *x, by_size);
    return x[n / 2];
}
