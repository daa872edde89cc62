/* SPDX-License-Identifier: Apache-2.0 */
/* One row: struct -> statement, statement -> struct, comparison, text. All by the tables. */
#include "store_internal.h"

#include <math.h>
#include <string.h>

static const char *text_of(const struct atoll__column *c, const void *row)
{
    const char *v = NULL;
    memcpy(&v, (const char *)row + c->offset, sizeof v);
    return v;
}
/* INT and U64 alike: the same 64 bits. */
static int64_t int_of(const struct atoll__column *c, const void *row)
{
    int64_t v = 0;
    memcpy(&v, (const char *)row + c->offset, sizeof v);
    return v;
}
static double real_of(const struct atoll__column *c, const void *row)
{
    double v = 0;
    memcpy(&v, (const char *)row + c->offset, sizeof v);
    return isfinite(v) ? v : NAN;
}
static struct atoll__blob blob_of(const struct atoll__column *c, const void *row)
{
    struct atoll__blob v = {0};
    memcpy(&v, (const char *)row + c->offset, sizeof v);
    return v;
}

int atoll__store_bind(struct atoll_store *s, sqlite3_stmt *st, int index,
                      const struct atoll__column *c, const void *row, struct atoll_err *err)
{
    int rc = SQLITE_OK;
    switch (c->type) {
    case ATOLL__COLUMN_TEXT: {
        const char *v = text_of(c, row);
        if (!v && (c->flags & (ATOLL__COLUMN_KEY | ATOLL__COLUMN_NOT_NULL))) {
            return atoll_fail(err, ATOLL_EUSAGE, "%s: column %s is missing (text expected)",
                              s->path, c->name);
        }
        rc = v ? sqlite3_bind_text(st, index, v, -1, SQLITE_STATIC) : sqlite3_bind_null(st, index);
        break;
    }
    case ATOLL__COLUMN_INT:
    case ATOLL__COLUMN_U64: rc = sqlite3_bind_int64(st, index, int_of(c, row)); break;
    case ATOLL__COLUMN_REAL: {
        const double v = real_of(c, row);
        rc = isnan(v) ? sqlite3_bind_null(st, index) : sqlite3_bind_double(st, index, v);
        break;
    }
    case ATOLL__COLUMN_BLOB: {
        const struct atoll__blob v = blob_of(c, row);
        rc = v.bytes ? sqlite3_bind_blob64(st, index, v.data, v.bytes, SQLITE_STATIC)
                     : sqlite3_bind_zeroblob(st, index, 0);
        break;
    }
    }
    return rc == SQLITE_OK ? 0 : atoll__store_fail(s, rc, "binding a value", err);
}

static int wrong_type(struct atoll_store *s, const struct atoll__table *t,
                      const struct atoll__column *c, struct atoll_err *err)
{
    return atoll_fail(
        err, ATOLL_EINPUT,
        "%s: table %s, column %s: a value of the wrong type (damaged, or edited by hand)", s->path,
        t->name, c->name);
}

static int read_text(struct atoll_store *s, sqlite3_stmt *st, int i, const struct atoll__table *t,
                     void *field, struct atoll_err *err)
{
    const struct atoll__column *c = &t->columns[i];
    const int type = sqlite3_column_type(st, i);
    const char *v = NULL;
    if (type == SQLITE_TEXT) {
        v = (const char *)sqlite3_column_text(st, i);
        if (!v) {
            return atoll_fail_nomem(err, "a text column", 0);
        }
    } else if (type != SQLITE_NULL || (c->flags & (ATOLL__COLUMN_KEY | ATOLL__COLUMN_NOT_NULL))) {
        return wrong_type(s, t, c, err);
    }
    memcpy(field, &v, sizeof v);
    return 0;
}

static int read_column(struct atoll_store *s, sqlite3_stmt *st, int i, const struct atoll__table *t,
                       void *field, struct atoll_err *err)
{
    const struct atoll__column *c = &t->columns[i];
    const int type = sqlite3_column_type(st, i);
    switch (c->type) {
    case ATOLL__COLUMN_TEXT: return read_text(s, st, i, t, field, err);
    case ATOLL__COLUMN_INT:
    case ATOLL__COLUMN_U64: {
        const int64_t v = sqlite3_column_int64(st, i);
        memcpy(field, &v, sizeof v);
        return type == SQLITE_INTEGER ? 0 : wrong_type(s, t, c, err);
    }
    case ATOLL__COLUMN_REAL: {
        const double v = type == SQLITE_NULL ? NAN : sqlite3_column_double(st, i);
        memcpy(field, &v, sizeof v);
        return type == SQLITE_NULL || type == SQLITE_FLOAT || type == SQLITE_INTEGER
                   ? 0
                   : wrong_type(s, t, c, err);
    }
    case ATOLL__COLUMN_BLOB: {
        const struct atoll__blob v = {.data = sqlite3_column_blob(st, i),
                                      .bytes = (size_t)sqlite3_column_bytes(st, i)};
        memcpy(field, &v, sizeof v);
        if (type != SQLITE_BLOB) {
            return wrong_type(s, t, c, err);
        }
        return v.data || !v.bytes ? 0 : atoll_fail_nomem(err, "a blob", v.bytes);
    }
    }
    return wrong_type(s, t, c, err);
}

int atoll__store_row(struct atoll_store *s, sqlite3_stmt *st, const struct atoll__table *t,
                     void *row, struct atoll_err *err)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        const int rc = read_column(s, st, (int)i, t, (char *)row + t->columns[i].offset, err);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

static bool same(const struct atoll__column *c, const void *a, const void *b)
{
    switch (c->type) {
    case ATOLL__COLUMN_TEXT: {
        const char *x = text_of(c, a), *y = text_of(c, b);
        return x && y ? strcmp(x, y) == 0 : x == y;
    }
    case ATOLL__COLUMN_INT:
    case ATOLL__COLUMN_U64: return int_of(c, a) == int_of(c, b);
    case ATOLL__COLUMN_REAL: {
        const double x = real_of(c, a), y = real_of(c, b);
        return x == y || (isnan(x) && isnan(y));
    }
    case ATOLL__COLUMN_BLOB:
        break; /* packed bytes may differ between zlib versions: store_merge.c unpacks */
    }
    return true;
}

const struct atoll__column *atoll__store_differs(const struct atoll__table *t, const void *a,
                                                 const void *b)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        const struct atoll__column *c = &t->columns[i];
        if (!(c->flags & (ATOLL__COLUMN_LOCAL | ATOLL__COLUMN_KEPT)) && !same(c, a, b)) {
            return c;
        }
    }
    return NULL;
}

/* UTF-8 is passed on; control characters and bytes that are not UTF-8 become \u00XX. */
static size_t utf8_length(const unsigned char *p)
{
    const size_t n = p[0] < 0x80                   ? 1
                     : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
                     : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
                     : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                                   : 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return n;
}

void atoll__store_json_text(const char *text, struct atoll_buf *out)
{
    atoll_buf_puts(out, "\"");
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        const size_t n = utf8_length(p);
        if (*p == '"' || *p == '\\') {
            atoll_buf_printf(out, "\\%c", *p);
        } else if (n == 0 || *p < 0x20) {
            atoll_buf_printf(out, "\\u%04x", *p);
        } else {
            atoll_buf_append(out, p, n);
        }
        p += n ? n : 1;
    }
    atoll_buf_puts(out, "\"");
}

void atoll__store_json_value(const struct atoll__column *c, const void *row, struct atoll_buf *out)
{
    switch (c->type) {
    case ATOLL__COLUMN_TEXT: {
        const char *v = text_of(c, row);
        if (v) {
            atoll__store_json_text(v, out);
        } else {
            atoll_buf_puts(out, "null");
        }
        break;
    }
    case ATOLL__COLUMN_INT: atoll_buf_printf(out, "%lld", (long long)int_of(c, row)); break;
    case ATOLL__COLUMN_U64:
        atoll_buf_printf(out, "\"%016llx\"", (unsigned long long)int_of(c, row));
        break;
    case ATOLL__COLUMN_REAL: {
        const double v = real_of(c, row);
        if (isnan(v)) {
            atoll_buf_puts(out, "null");
        } else {
            char text[40];
            atoll_format_double(text, v);
            atoll_buf_puts(out, text);
        }
        break;
    }
    case ATOLL__COLUMN_BLOB: atoll_buf_printf(out, "%zu", blob_of(c, row).bytes); break;
    }
}

void atoll__store_key_text(const struct atoll__table *t, const void *row, struct atoll_buf *out)
{
    const char *sep = "";
    for (size_t i = 0; i < t->n_columns; i++) {
        const struct atoll__column *c = &t->columns[i];
        if (c->flags & ATOLL__COLUMN_KEY) {
            atoll_buf_printf(out, "%s%s=", sep, c->name);
            if (c->type == ATOLL__COLUMN_TEXT) {
                const char *v = text_of(c, row);
                atoll_buf_puts(out, v ? v : "");
            } else {
                atoll__store_json_value(c, row, out);
            }
            sep = " ";
        }
    }
}
