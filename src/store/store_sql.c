/* SPDX-License-Identifier: Apache-2.0 */
/* SQL text made from the tables, and the statements kept for reuse. */
#include "store_internal.h"

static bool has(const struct atoll__column *c, int version)
{
    return version >= 2 || !(c->flags & ATOLL__COLUMN_NEW);
}

static void names(const struct atoll__table *t, unsigned with, unsigned without, const char *after,
                  const char *between, struct atoll_buf *sql)
{
    const char *sep = "";
    for (size_t i = 0; i < t->n_columns; i++) {
        const struct atoll__column *c = &t->columns[i];
        if ((with && !(c->flags & with)) || (c->flags & without)) {
            continue;
        }
        atoll_buf_printf(sql, "%s\"%s\"%s", sep, c->name, after);
        sep = between;
    }
}

void atoll__store_sql_columns(const struct atoll__table *t, int version, struct atoll_buf *sql)
{
    names(t, 0, version >= 2 ? 0 : ATOLL__COLUMN_NEW, "", ", ", sql);
}

/* What is read: all columns, NULL for those that the file's version has not, and no row of a table
 * that it has not. */
static void select_all(const struct atoll_store *s, const struct atoll__table *t,
                       struct atoll_buf *sql)
{
    const bool there = t->since <= s->version;
    atoll_buf_puts(sql, "SELECT ");
    for (size_t i = 0; i < t->n_columns; i++) {
        const struct atoll__column *c = &t->columns[i];
        atoll_buf_printf(sql, there && has(c, s->version) ? "%s\"%s\"" : "%sNULL AS \"%s\"",
                         i ? ", " : "", c->name);
    }
    atoll_buf_printf(sql, there ? " FROM \"%s\"" : " FROM (SELECT NULL WHERE 0)", t->name);
}

static const char *declared(const struct atoll__column *c)
{
    switch (c->type) {
    case ATOLL__COLUMN_TEXT:
        return (c->flags & (ATOLL__COLUMN_KEY | ATOLL__COLUMN_NOT_NULL)) ? "TEXT NOT NULL" : "TEXT";
    case ATOLL__COLUMN_REAL:
        return "REAL";
    case ATOLL__COLUMN_BLOB:
        return "BLOB NOT NULL";
    case ATOLL__COLUMN_INT:
    case ATOLL__COLUMN_U64:
        break;
    }
    if (c->flags & ATOLL__COLUMN_ID) {
        return "INTEGER PRIMARY KEY";
    }
    return (c->flags & ATOLL__COLUMN_RUN) ? "INTEGER NOT NULL REFERENCES run(id)"
                                          : "INTEGER NOT NULL";
}

void atoll__store_sql_create(const struct atoll__table *t, int version, const char *name,
                             struct atoll_buf *sql)
{
    bool has_id = false;
    atoll_buf_printf(sql, "CREATE TABLE \"%s\" (", name ? name : t->name);
    for (size_t i = 0; i < t->n_columns; i++) {
        if (!has(&t->columns[i], version)) {
            continue;
        }
        atoll_buf_printf(sql, "\"%s\" %s, ", t->columns[i].name, declared(&t->columns[i]));
        has_id = has_id || (t->columns[i].flags & ATOLL__COLUMN_ID);
    }
    atoll_buf_puts(sql, has_id ? "UNIQUE (" : "PRIMARY KEY (");
    names(t, ATOLL__COLUMN_KEY, 0, "", ", ", sql);
    atoll_buf_puts(sql, "))");
}

static int prepare(struct atoll_store *s, struct atoll_buf *sql, sqlite3_stmt **st,
                   struct atoll_err *err)
{
    if (sql->failed) {
        atoll_buf_finish(sql);
        return atoll_fail_nomem(err, "SQL text", 0);
    }
    const int rc = sqlite3_prepare_v3(s->db, sql->data, -1, SQLITE_PREPARE_PERSISTENT, st, NULL);
    atoll_buf_finish(sql);
    return rc == SQLITE_OK ? 0 : atoll__store_fail(s, rc, "preparing a statement", err);
}

int atoll__store_prepare_insert(struct atoll_store *s, enum atoll__table_id id,
                                struct atoll_err *err)
{
    if (s->statements[id].insert) {
        return 0;
    }
    const struct atoll__table *t = &atoll__tables[id];
    struct atoll_buf sql = {0};
    atoll_buf_printf(&sql, "INSERT INTO \"%s\" (", t->name);
    names(t, 0, ATOLL__COLUMN_ID, "", ", ", &sql);
    atoll_buf_puts(&sql, ") VALUES (");
    const char *sep = "";
    for (size_t i = 0; i < t->n_columns; i++) {
        if (!(t->columns[i].flags & ATOLL__COLUMN_ID)) {
            atoll_buf_printf(&sql, "%s?", sep);
            sep = ", ";
        }
    }
    atoll_buf_puts(&sql, ") ON CONFLICT DO NOTHING");
    return prepare(s, &sql, &s->statements[id].insert, err);
}

int atoll__store_prepare_get(struct atoll_store *s, enum atoll__table_id id, struct atoll_err *err)
{
    if (s->statements[id].get) {
        return 0;
    }
    const struct atoll__table *t = &atoll__tables[id];
    struct atoll_buf sql = {0};
    select_all(s, t, &sql);
    atoll_buf_puts(&sql, " WHERE ");
    names(t, ATOLL__COLUMN_KEY, 0, " = ?", " AND ", &sql);
    return prepare(s, &sql, &s->statements[id].get, err);
}

int atoll__store_prepare_each(struct atoll_store *s, enum atoll__table_id id, bool all,
                              sqlite3_stmt **st, struct atoll_err *err)
{
    const struct atoll__table *t = &atoll__tables[id];
    struct atoll_buf sql = {0};
    select_all(s, t, &sql);
    if (!all && t->where) {
        atoll_buf_printf(&sql, " WHERE \"%s\" = ?", t->where);
    }
    atoll_buf_puts(&sql, " ORDER BY ");
    names(t, ATOLL__COLUMN_KEY, 0, "", ", ", &sql);
    return prepare(s, &sql, st, err);
}
