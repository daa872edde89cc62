/* SPDX-License-Identifier: Apache-2.0 */
/* Writing rows. */
#include "store_internal.h"

#include <string.h>

int atoll__store_insert(struct atoll_store *s, enum atoll__table_id id, const void *row,
                        bool *inserted, struct atoll_err *err)
{
    const struct atoll__table *t = &atoll__tables[id];
    int rc = atoll__store_prepare_insert(s, id, err);
    sqlite3_stmt *st = s->statements[id].insert;
    int index = 1;
    for (size_t i = 0; i < t->n_columns && !rc; i++) {
        if (!(t->columns[i].flags & ATOLL__COLUMN_ID)) {
            rc = atoll__store_bind(s, st, index++, &t->columns[i], row, err);
        }
    }
    if (rc) {
        return rc;
    }
    const int step = sqlite3_step(st);
    if (step != SQLITE_DONE) {
        char action[64];
        snprintf(action, sizeof action, "writing to table %s", t->name);
        rc = atoll__store_fail(s, step, action, err);
    }
    sqlite3_reset(st);
    if (!rc) {
        *inserted = sqlite3_changes(s->db) == 1;
    }
    return rc;
}

int atoll__store_get(struct atoll_store *s, enum atoll__table_id id, const void *key, void *row,
                     struct atoll_err *err)
{
    const struct atoll__table *t = &atoll__tables[id];
    int rc = atoll__store_prepare_get(s, id, err);
    sqlite3_stmt *st = s->statements[id].get;
    int index = 1;
    for (size_t i = 0; i < t->n_columns && !rc; i++) {
        if (t->columns[i].flags & ATOLL__COLUMN_KEY) {
            rc = atoll__store_bind(s, st, index++, &t->columns[i], key, err);
        }
    }
    if (rc) {
        return rc;
    }
    const int step = sqlite3_step(st);
    if (step == SQLITE_ROW) {
        return atoll__store_row(s, st, t, row, err);
    }
    return step == SQLITE_DONE ? ATOLL_ENOTFOUND : atoll__store_fail(s, step, "reading", err);
}

void atoll__store_get_end(struct atoll_store *s, enum atoll__table_id id)
{
    sqlite3_reset(s->statements[id].get);
}

static int contradiction(struct atoll_store *s, const struct atoll__table *t,
                         const struct atoll__column *c, const void *had, const void *row,
                         struct atoll_err *err)
{
    struct atoll_buf key = {0}, a = {0}, b = {0};
    atoll__store_key_text(t, row, &key);
    atoll__store_json_value(c, had, &a);
    atoll__store_json_value(c, row, &b);
    const int rc =
        key.failed || a.failed || b.failed
            ? atoll_fail_nomem(err, "a sentence", 0)
            : atoll_fail(
                  err, ATOLL_EINPUT,
                  "%s: %s %.300s: %s is %.150s in the file and %.150s now; use another database",
                  s->path, t->name, key.data, c->name, a.data, b.data);
    atoll_buf_finish(&key);
    atoll_buf_finish(&a);
    atoll_buf_finish(&b);
    return rc;
}

/* Inserts; the same natural key again must say the same. */
static int put(struct atoll_store *s, enum atoll__table_id id, const void *row,
               struct atoll_err *err)
{
    bool inserted = false;
    int rc = atoll__store_insert(s, id, row, &inserted, err);
    if (rc || inserted) {
        return rc;
    }
    union atoll__any_row had;
    rc = atoll__store_get(s, id, row, &had, err);
    if (!rc) {
        const struct atoll__column *c = atoll__store_differs(&atoll__tables[id], &had, row);
        rc = c ? contradiction(s, &atoll__tables[id], c, &had, row, err) : 0;
    } else if (rc == ATOLL_ENOTFOUND) {
        rc = atoll__store_damaged(s, err, "an index does not fit its table");
    }
    atoll__store_get_end(s, id);
    return rc;
}

int atoll_store_put_experiment(struct atoll_store *s, const struct atoll_experiment_row *r,
                               struct atoll_err *err)
{
    return put(s, ATOLL__TABLE_EXPERIMENT, r, err);
}
int atoll_store_put_model(struct atoll_store *s, const struct atoll_model_row *r,
                          struct atoll_err *err)
{
    return put(s, ATOLL__TABLE_MODEL, r, err);
}
int atoll_store_put_plan(struct atoll_store *s, const struct atoll_plan_row *r,
                         struct atoll_err *err)
{
    return put(s, ATOLL__TABLE_PLAN, r, err);
}
int atoll_store_put_stage(struct atoll_store *s, const struct atoll_stage_row *r,
                          struct atoll_err *err)
{
    return put(s, ATOLL__TABLE_STAGE, r, err);
}
int atoll_store_put_layer(struct atoll_store *s, const struct atoll_layer_row *r,
                          struct atoll_err *err)
{
    return put(s, ATOLL__TABLE_LAYER, r, err);
}
int atoll_store_put_accuracy(struct atoll_store *s, const struct atoll_accuracy_row *r,
                             struct atoll_err *err)
{
    return put(s, ATOLL__TABLE_ACCURACY, r, err);
}
int atoll_store_put_training(struct atoll_store *s, const struct atoll_training_row *r,
                             struct atoll_err *err)
{
    return put(s, ATOLL__TABLE_TRAINING, r, err);
}
int atoll_store_put_epoch(struct atoll_store *s, const struct atoll_epoch_row *r,
                          struct atoll_err *err)
{
    return put(s, ATOLL__TABLE_EPOCH, r, err);
}
int atoll_store_put_rail(struct atoll_store *s, const struct atoll_rail_row *r,
                         struct atoll_err *err)
{
    return put(s, ATOLL__TABLE_RAIL, r, err);
}

int atoll_store_put_state(struct atoll_store *s, const struct atoll_state_row *r,
                          struct atoll_err *err)
{
    return put(s, ATOLL__TABLE_STATE, r, err);
}
int atoll_store_put_phase(struct atoll_store *s, const struct atoll_phase_row *r,
                          struct atoll_err *err)
{
    return put(s, ATOLL__TABLE_PHASE, r, err);
}

int atoll_store_put_run(struct atoll_store *s, const struct atoll_run_row *r, int64_t *id,
                        struct atoll_err *err)
{
    bool inserted = false;
    const int rc = atoll__store_insert(s, ATOLL__TABLE_RUN, r, &inserted, err);
    if (rc) {
        return rc;
    }
    if (!inserted) {
        return atoll_fail(
            err, ATOLL_EUSAGE, "%s: the run %s, %s, %lld TPUs, %s, repeat %lld is there already",
            s->path, r->model, r->strategy, (long long)r->tpus, r->workload, (long long)r->repeat);
    }
    *id = sqlite3_last_insert_rowid(s->db);
    return 0;
}

static int put_series(struct atoll_store *s, struct atoll__series_row *row,
                      struct atoll_buf *packed, int rc, struct atoll_err *err)
{
    row->data = (struct atoll__blob){packed->data, packed->size};
    bool inserted = false;
    if (!rc) {
        rc = atoll__store_insert(s, ATOLL__TABLE_SERIES, row, &inserted, err);
        if (!rc && !inserted) {
            rc = atoll_fail(err, ATOLL_EUSAGE, "%s: run %lld has its %s already", s->path,
                            (long long)row->run, row->kind);
        }
    }
    atoll_buf_finish(packed);
    return rc;
}

int atoll_store_put_samples(struct atoll_store *s, int64_t run, const double *latency_us, size_t n,
                            struct atoll_err *err)
{
    struct atoll_buf packed = {0};
    struct atoll__series_row row = {.run = run, .kind = "samples", .n = (int64_t)n};
    return put_series(s, &row, &packed, atoll__series_pack_samples(latency_us, n, &packed, err),
                      err);
}

int atoll_store_put_trace(struct atoll_store *s, int64_t run, const uint64_t *t_ns,
                          const float *rail_mw, size_t n, uint32_t n_rails,
                          const char *const *rail_names, struct atoll_err *err)
{
    struct atoll_buf packed = {0}, names = {0};
    for (uint32_t i = 0; i < n_rails; i++) {
        atoll_buf_printf(&names, "%s%s", i ? "," : "", rail_names[i]);
    }
    int rc = names.failed ? atoll_fail_nomem(err, "rail names", 0)
                          : atoll__series_pack_trace(t_ns, rail_mw, n, n_rails, &packed, err);
    struct atoll__series_row row = {
        .run = run, .kind = "trace", .n = (int64_t)n, .n_rails = n_rails, .names = names.data};
    rc = put_series(s, &row, &packed, rc, err);
    atoll_buf_finish(&names);
    return rc;
}

int atoll_store_put_timeline(struct atoll_store *s, int64_t run, const struct atoll_span *spans,
                             size_t n, struct atoll_err *err)
{
    struct atoll_buf packed = {0};
    struct atoll__series_row row = {.run = run, .kind = "timeline", .n = (int64_t)n};
    return put_series(s, &row, &packed, atoll__series_pack_timeline(spans, n, &packed, err), err);
}
