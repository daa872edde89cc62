/* SPDX-License-Identifier: Apache-2.0 */
/* Merging: everything of another database, in one transaction. Same key, same content; else
 * nothing is changed. */
#include "store_internal.h"

#include <string.h>

struct merge {
    struct atoll_store *into, *from;
    enum atoll__table_id table;
    int64_t run; ///< number in `into` of the run at hand
    bool run_was_there;
    size_t rows; ///< rows of the table at hand that the run has in `from`
    struct atoll_err *err;
};

static int conflict(const struct merge *m, enum atoll__table_id id, const void *row,
                    const char *column)
{
    struct atoll_buf key = {0};
    atoll__store_key_text(&atoll__tables[id], row, &key);
    const int rc = key.failed ? atoll_fail_nomem(m->err, "a sentence", 0)
                              : atoll_fail(m->err, ATOLL_EINPUT,
                                           "%s and %s contradict each other: %s %.400s: %s differs",
                                           m->into->path, m->from->path, atoll__tables[id].name,
                                           key.data, column);
    atoll_buf_finish(&key);
    return rc;
}

static int same_series(const struct merge *m, const struct atoll__series_row *a,
                       const struct atoll__series_row *b)
{
    uint8_t *x = NULL, *y = NULL;
    size_t nx = 0, ny = 0;
    int rc = atoll__series_open(a->data.data, a->data.bytes, &x, &nx, m->err);
    rc = rc ? rc : atoll__series_open(b->data.data, b->data.bytes, &y, &ny, m->err);
    if (!rc && (nx != ny || memcmp(x, y, nx) != 0)) {
        rc = conflict(m, ATOLL__TABLE_SERIES, b, "data");
    }
    atoll_free(x);
    atoll_free(y);
    return rc;
}

/* Inserts `row` into `into`, or checks that what is there agrees. *had: was there. */
static int add_or_check(struct merge *m, enum atoll__table_id id, const void *row, bool *had,
                        int64_t *run)
{
    bool inserted = false;
    int rc = atoll__store_insert(m->into, id, row, &inserted, m->err);
    *had = !inserted;
    if (rc || inserted) {
        *run = inserted ? sqlite3_last_insert_rowid(m->into->db) : 0;
        return rc;
    }
    union atoll__any_row old;
    rc = atoll__store_get(m->into, id, row, &old, m->err);
    if (rc == ATOLL_ENOTFOUND) {
        rc = atoll__store_damaged(m->into, m->err, "an index does not fit its table");
    }
    if (!rc) {
        const struct atoll__column *c = atoll__store_differs(&atoll__tables[id], &old, row);
        rc = c ? conflict(m, id, row, c->name) : 0;
        if (!rc && id == ATOLL__TABLE_SERIES) {
            rc = same_series(m, &old.series, row);
        }
        *run = id == ATOLL__TABLE_RUN ? old.run.id : 0;
    }
    atoll__store_get_end(m->into, id);
    return rc;
}

static int count_row(void *user, const void *row)
{
    (void)row;
    ++*(size_t *)user;
    return 0;
}

/* A rail, state, phase or series of the run at hand; each begins with its number. */
static int merge_child(void *user, const void *row)
{
    struct merge *m = user;
    union atoll__any_row copy;
    bool had = false;
    int64_t ignored = 0;
    static const size_t sizes[] = {[ATOLL__TABLE_RAIL] = sizeof copy.rail,
                                   [ATOLL__TABLE_STATE] = sizeof copy.state,
                                   [ATOLL__TABLE_PHASE] = sizeof copy.phase,
                                   [ATOLL__TABLE_SERIES] = sizeof copy.series};
    memcpy(&copy, row, sizes[m->table]);
    memcpy(&copy, &m->run, sizeof m->run);
    m->rows++;
    const int rc = add_or_check(m, m->table, &copy, &had, &ignored);
    return !rc && m->run_was_there && !had ? conflict(m, m->table, &copy, "its existence") : rc;
}

static int merge_children(struct merge *m, enum atoll__table_id id, int64_t run_from)
{
    m->table = id;
    m->rows = 0;
    int rc = atoll__store_each(m->from, id, (struct atoll__filter){.number = run_from}, merge_child,
                               m, m->err);
    if (!rc && m->run_was_there) {
        size_t there = 0;
        rc = atoll__store_each(m->into, id, (struct atoll__filter){.number = m->run}, count_row,
                               &there, m->err);
        if (!rc && there != m->rows) {
            rc = atoll_fail(m->err, ATOLL_EINPUT,
                            "%s and %s contradict each other: run %lld has %zu rows of %s in one "
                            "and %zu in the other",
                            m->into->path, m->from->path, (long long)run_from, there,
                            atoll__tables[id].name, m->rows);
        }
    }
    return rc;
}

static int merge_run(void *user, const void *row)
{
    struct merge *m = user;
    const struct atoll_run_row *r = row;
    int rc = add_or_check(m, ATOLL__TABLE_RUN, r, &m->run_was_there, &m->run);
    for (enum atoll__table_id id = ATOLL__TABLE_RAIL; id <= ATOLL__TABLE_SERIES && !rc; id++) {
        rc = merge_children(m, id, r->id);
    }
    return rc;
}

static int merge_row(void *user, const void *row)
{
    struct merge *m = user;
    bool had = false;
    int64_t ignored = 0;
    return add_or_check(m, m->table, row, &had, &ignored);
}

int atoll_store_merge(struct atoll_store *s, struct atoll_store *in, struct atoll_err *err)
{
    static const enum atoll__table_id plain[] = {
        ATOLL__TABLE_EXPERIMENT, ATOLL__TABLE_MODEL,    ATOLL__TABLE_PLAN,     ATOLL__TABLE_STAGE,
        ATOLL__TABLE_LAYER,      ATOLL__TABLE_ACCURACY, ATOLL__TABLE_TRAINING, ATOLL__TABLE_EPOCH};
    struct merge m = {.into = s, .from = in, .err = err};
    const struct atoll__filter all = {.all = true};
    int rc = atoll_store_begin(s, err);
    if (rc) {
        return rc;
    }
    for (size_t i = 0; i < sizeof plain / sizeof plain[0] && !rc; i++) {
        m.table = plain[i];
        rc = atoll__store_each(in, plain[i], all, merge_row, &m, err);
    }
    rc = rc ? rc : atoll__store_each(in, ATOLL__TABLE_RUN, all, merge_run, &m, err);
    rc = rc ? rc : atoll_store_commit(s, err);
    if (rc) {
        atoll_store_rollback(s);
    }
    return rc;
}
