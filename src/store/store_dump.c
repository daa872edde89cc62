/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dump: one JSON object a line, rows by natural key, each run followed by its rails and
 * series. Canonical: without what is private to a file or a machine, so that two databases hold
 * the same results exactly when their dumps are equal.
 */
#include "store_internal.h"

#include <string.h>

struct dump {
    struct atoll_store *s;
    enum atoll__table_id table;
    bool canonical;
    const struct atoll_run_row *run; ///< whose rails and series are written
    struct atoll_buf line;
    void (*put)(void *u, const char *line);
    void *u;
    struct atoll_err *err;
};

/* The bytes of a series may depend on zlib's version; its values do not. */
static int put_series_hash(struct dump *d, const struct atoll__series_row *r)
{
    uint8_t *raw = NULL;
    size_t n = 0;
    const int rc = atoll__series_open(r->data.data, r->data.bytes, &raw, &n, d->err);
    if (rc) {
        atoll_fail_at(d->err, "%s: %s of run %lld", d->s->path, r->kind, (long long)r->run);
        return rc;
    }
    char hex[65];
    atoll_sha256_hex(raw, n, hex);
    atoll_free(raw);
    atoll_buf_printf(&d->line, "\"%s\"", hex);
    return 0;
}

static void put_run_key(struct dump *d)
{
    const struct atoll__table *t = &atoll__tables[ATOLL__TABLE_RUN];
    for (size_t i = 0; i < t->n_columns; i++) {
        if (t->columns[i].flags & ATOLL__COLUMN_KEY) {
            atoll_buf_printf(&d->line, ",\"%s\":", t->columns[i].name);
            atoll__store_json_value(&t->columns[i], d->run, &d->line);
        }
    }
}

static int put_line(struct dump *d, const struct atoll__table *t, const void *row)
{
    d->line.size = 0;
    atoll_buf_printf(&d->line, "{\"table\":\"%s\"", t->name);
    if (d->run && t != &atoll__tables[ATOLL__TABLE_RUN]) {
        put_run_key(d);
    }
    for (size_t i = 0; i < t->n_columns; i++) {
        const struct atoll__column *c = &t->columns[i];
        if (d->canonical && (c->flags & ATOLL__COLUMN_LOCAL)) {
            continue;
        }
        atoll_buf_printf(&d->line, ",\"%s\":",
                         c->type == ATOLL__COLUMN_BLOB    ? "sha256"
                         : (c->flags & ATOLL__COLUMN_RUN) ? "run"
                                                          : c->name);
        if (c->type == ATOLL__COLUMN_BLOB) {
            const int rc = put_series_hash(d, row);
            if (rc) {
                return rc;
            }
        } else {
            atoll__store_json_value(c, row, &d->line);
        }
    }
    atoll_buf_puts(&d->line, "}");
    if (d->line.failed) {
        return atoll_fail_nomem(d->err, "a line of the dump", d->line.size);
    }
    d->put(d->u, d->line.data);
    return 0;
}

static int dump_row(void *user, const void *row)
{
    struct dump *d = user;
    return put_line(d, &atoll__tables[d->table], row);
}

static int dump_run(void *user, const void *row)
{
    struct dump *d = user;
    const struct atoll_run_row *r = row;
    int rc = put_line(d, &atoll__tables[ATOLL__TABLE_RUN], row);
    d->run = r;
    for (enum atoll__table_id id = ATOLL__TABLE_RAIL; id <= ATOLL__TABLE_SERIES && !rc; id++) {
        d->table = id;
        rc = atoll__store_each(d->s, id, (struct atoll__filter){.number = r->id}, dump_row, d,
                               d->err);
    }
    d->run = NULL;
    return rc;
}

int atoll_store_dump(struct atoll_store *s, bool canonical, void (*put)(void *u, const char *line),
                     void *u, struct atoll_err *err)
{
    struct dump d = {.s = s, .canonical = canonical, .put = put, .u = u, .err = err};
    const struct atoll__filter all = {.all = true};
    int rc = 0;
    for (enum atoll__table_id id = ATOLL__TABLE_EXPERIMENT; id < ATOLL__TABLE_RUN && !rc; id++) {
        d.table = id;
        rc = atoll__store_each(s, id, all, dump_row, &d, err);
    }
    rc = rc ? rc : atoll__store_each(s, ATOLL__TABLE_RUN, all, dump_run, &d, err);
    atoll_buf_finish(&d.line);
    return rc;
}
