/* SPDX-License-Identifier: Apache-2.0 */
#include "out.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* The first error of stdout: later calls may not see it again. */
static int write_errno;

static void note_failure(bool failed)
{
    if (failed && !write_errno) {
        write_errno = errno ? errno : EIO;
    }
}

void out_text(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    note_failure(vfprintf(stdout, fmt, args) < 0);
    va_end(args);
}

void out_bytes(const char *bytes, size_t n)
{
    note_failure(fwrite(bytes, 1, n, stdout) != n);
}

int out_json(struct call *call, json_t *answer)
{
    size_t n = 0;
    char *text = answer ? atoll_json_text(answer, &n) : NULL;
    json_decref(answer);
    if (!text) {
        return atoll_fail_nomem(&call->err, "the answer", 0);
    }
    out_bytes(text, n);
    atoll_free(text);
    return 0;
}

json_t *out_string(const char *text)
{
    json_t *j = json_string(text ? text : "");
    char *copy = j ? NULL : atoll_strdup(text);
    for (char *at = copy; at && *at; at++) {
        *at = (unsigned char)*at < 0x80 ? *at : '?';
    }
    j = j ? j : json_string(copy ? copy : "");
    atoll_free(copy);
    return j;
}

void out_note(const struct call *call, const char *fmt, ...)
{
    if (call->quiet) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
}

#define WRAP_COLUMNS 90

void out_wrapped(unsigned indent, const char *fmt, ...)
{
    char text[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    unsigned column = 0;
    for (const char *at = text; *at;) {
        const size_t n = strcspn(at, " ");
        if (column > indent && column + 1 + n > WRAP_COLUMNS) {
            out_text("\n%*s", (int)indent, "");
            column = indent;
        } else if (column > 0 && column != indent) {
            out_text(" ");
            column++;
        }
        out_text("%.*s", (int)n, at);
        column += (unsigned)n;
        at += n;
        at += *at == ' ';
    }
    out_text("\n");
}

int out_finish(struct atoll_err *err)
{
    errno = 0;
    note_failure(fflush(stdout) != 0);
    note_failure(ferror(stdout) != 0);
    if (write_errno) {
        return atoll_fail(err, ATOLL_EIO, "standard output: %s", strerror(write_errno));
    }
    return 0;
}

/* ---------------------------------------------------------------------- tables */

void out_table_start(struct out_table *t, const struct out_column *columns, size_t n)
{
    *t = (struct out_table){.columns = columns, .n_columns = n};
}

void out_cell(struct out_table *t, const char *fmt, ...)
{
    struct atoll_buf b = {0};
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    atoll_buf_puts(&b, text);
    char *cell = atoll_buf_take(&b, NULL);
    if (!cell || atoll_grow((void **)&t->cells, &t->cap, t->n_cells + 1, sizeof *t->cells)) {
        atoll_free(cell);
        t->failed = true;
        return;
    }
    t->cells[t->n_cells++] = cell;
}

/* Columns on the screen: bytes that do not continue a UTF-8 letter. */
static size_t width(const char *text)
{
    size_t n = 0;
    for (; *text; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return n;
}

static void print_row(const struct out_table *t, const size_t *widths, const char *const *cells)
{
    for (size_t c = 0; c < t->n_columns; c++) {
        const size_t gap = widths[c] - width(cells[c]);
        const bool last = c + 1 == t->n_columns;
        if (t->columns[c].align == OUT_RIGHT) {
            out_text("%*s%s", (int)gap, "", cells[c]);
        } else {
            out_text("%s%*s", cells[c], last ? 0 : (int)gap, "");
        }
        out_text(last ? "\n" : "  ");
    }
}

static void print_rows(const struct out_table *t)
{
    enum { COLUMNS_MAX = 24 };
    size_t widths[COLUMNS_MAX] = {0};
    const char *titles[COLUMNS_MAX];
    for (size_t c = 0; c < t->n_columns; c++) {
        titles[c] = t->columns[c].title;
        widths[c] = width(titles[c]);
    }
    for (size_t i = 0; i < t->n_cells; i++) {
        const size_t w = width(t->cells[i]);
        widths[i % t->n_columns] = w > widths[i % t->n_columns] ? w : widths[i % t->n_columns];
    }
    print_row(t, widths, titles);
    for (size_t i = 0; i + t->n_columns <= t->n_cells; i += t->n_columns) {
        print_row(t, widths, (const char *const *)t->cells + i);
    }
}

int out_table_print(struct out_table *t, struct atoll_err *err)
{
    const bool failed = t->failed;
    if (!failed) {
        print_rows(t);
    }
    for (size_t i = 0; i < t->n_cells; i++) {
        atoll_free(t->cells[i]);
    }
    atoll_free(t->cells);
    *t = (struct out_table){0};
    return failed ? atoll_fail_nomem(err, "a table", 0) : 0;
}

void out_cell_number(struct out_table *t, const char *fmt, double v)
{
    char text[64] = "-";
    if (isfinite(v)) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(text, sizeof text, fmt, v);
#pragma GCC diagnostic pop
    }
    out_cell(t, "%s", text);
}

void out_cell_us(struct out_table *t, double us)
{
    out_cell_number(t, "%.3f", us / 1000);
}

void out_cell_short_bytes(struct out_table *t, uint64_t bytes)
{
    static const char units[] = {' ', 'K', 'M', 'G', 'T', 'P', 'E'};
    double v = (double)bytes;
    size_t unit = 0;
    while (v >= 999.5 && unit + 1 < sizeof units) {
        v /= 1024.0;
        unit++;
    }
    const int decimals = unit == 0 || v >= 99.95 ? 0 : v >= 9.995 ? 1 : 2;
    out_cell(t, unit ? "%.*f%c" : "%.*f", decimals, v, units[unit]);
}

void out_cell_bytes(struct out_table *t, uint64_t bytes)
{
    char text[32];
    atoll_format_bytes(text, bytes);
    out_cell(t, "%s", bytes ? text : "0");
}

void out_cell_big(struct out_table *t, double v)
{
    static const struct {
        double from;
        const char *unit;
    } units[] = {{1e9, "G"}, {1e6, "M"}, {1e3, "k"}};
    for (size_t i = 0; i < 3; i++) {
        if (v >= units[i].from) {
            out_cell(t, "%.2f %s", v / units[i].from, units[i].unit);
            return;
        }
    }
    out_cell_number(t, "%.0f", v);
}
