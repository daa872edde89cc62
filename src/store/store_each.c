/* SPDX-License-Identifier: Apache-2.0 */
/* Reading rows. */
#include "store_internal.h"

#define ROWS_UNCHECKED 1000

/* No file holds more rows than it has bytes for their columns' types. A scan of a damaged file may
 * begin anew without end: SQLite does so after another statement has met the damage. */
static int check_count(struct atoll_store *s, const struct atoll__table *t, uint64_t rows,
                       uint64_t *most, struct atoll_err *err)
{
    uint64_t bytes = 0;
    const int rc = atoll__store_bytes(s, &bytes, err);
    if (rc) {
        return rc;
    }
    *most = bytes / t->n_columns;
    return rows <= *most ? 0 : atoll__store_damaged(s, err, "reading it comes to no end");
}

static int step_rows(struct atoll_store *s, sqlite3_stmt *st, const struct atoll__table *t,
                     atoll__row_fn fn, void *user, struct atoll_err *err)
{
    uint64_t rows = 0, most = ROWS_UNCHECKED;
    for (;;) {
        const int step = sqlite3_step(st);
        if (step == SQLITE_DONE) {
            return 0;
        }
        if (step != SQLITE_ROW) {
            char action[64];
            snprintf(action, sizeof action, "reading table %s", t->name);
            return atoll__store_fail(s, step, action, err);
        }
        union atoll__any_row row;
        int rc = atoll__store_row(s, st, t, &row, err);
        rc = rc || ++rows <= most ? rc : check_count(s, t, rows, &most, err);
        rc = rc ? rc : fn(user, &row);
        if (rc) {
            return rc;
        }
    }
}

int atoll__store_each(struct atoll_store *s, enum atoll__table_id id, struct atoll__filter f,
                      atoll__row_fn fn, void *user, struct atoll_err *err)
{
    /* Taken out of the cache while in use: `fn` may read the same table. */
    const struct atoll__table *t = &atoll__tables[id];
    const bool all = f.all || !t->where;
    sqlite3_stmt **kept = all ? &s->statements[id].each_all : &s->statements[id].each;
    sqlite3_stmt *st = *kept;
    *kept = NULL;
    int rc = st ? 0 : atoll__store_prepare_each(s, id, all, &st, err);
    if (!rc && !all) {
        const int bound = f.text ? sqlite3_bind_text(st, 1, f.text, -1, SQLITE_TRANSIENT)
                                 : sqlite3_bind_int64(st, 1, f.number);
        rc = bound == SQLITE_OK ? 0 : atoll__store_fail(s, bound, "binding a value", err);
    }
    rc = rc ? rc : step_rows(s, st, t, fn, user, err);
    sqlite3_reset(st);
    if (*kept) {
        sqlite3_finalize(st);
    } else {
        *kept = st;
    }
    return rc;
}

/* The typed faces: each calls its row function through a small adapter. */
#define EACH(noun, row_type)                                                                       \
    struct noun##_call {                                                                           \
        int (*fn)(void *u, const struct row_type *r);                                              \
        void *u;                                                                                   \
    };                                                                                             \
    static int noun##_row(void *user, const void *row)                                             \
    {                                                                                              \
        const struct noun##_call *c = user;                                                        \
        return c->fn(c->u, row);                                                                   \
    }
#define EACH_ALL(noun, row_type, id)                                                               \
    EACH(noun, row_type)                                                                           \
    int atoll_store_each_##noun(struct atoll_store *s,                                             \
                                int (*fn)(void *u, const struct row_type *r), void *u,             \
                                struct atoll_err *err)                                             \
    {                                                                                              \
        struct noun##_call c = {fn, u};                                                            \
        return atoll__store_each(s, id, (struct atoll__filter){.all = true}, noun##_row, &c, err); \
    }
#define EACH_OF_EXPERIMENT(noun, row_type, id)                                                     \
    EACH(noun, row_type)                                                                           \
    int atoll_store_each_##noun(struct atoll_store *s, const char *experiment,                     \
                                int (*fn)(void *u, const struct row_type *r), void *u,             \
                                struct atoll_err *err)                                             \
    {                                                                                              \
        struct noun##_call c = {fn, u};                                                            \
        return atoll__store_each(s, id,                                                            \
                                 (struct atoll__filter){.all = !experiment, .text = experiment},   \
                                 noun##_row, &c, err);                                             \
    }
EACH_ALL(experiment, atoll_experiment_row, ATOLL__TABLE_EXPERIMENT)
EACH_ALL(model, atoll_model_row, ATOLL__TABLE_MODEL)
EACH_OF_EXPERIMENT(plan, atoll_plan_row, ATOLL__TABLE_PLAN)
EACH_OF_EXPERIMENT(stage, atoll_stage_row, ATOLL__TABLE_STAGE)
EACH_OF_EXPERIMENT(layer, atoll_layer_row, ATOLL__TABLE_LAYER)
EACH_OF_EXPERIMENT(run, atoll_run_row, ATOLL__TABLE_RUN)
EACH_OF_EXPERIMENT(accuracy, atoll_accuracy_row, ATOLL__TABLE_ACCURACY)
EACH_ALL(training, atoll_training_row, ATOLL__TABLE_TRAINING)
EACH_OF_EXPERIMENT(epoch, atoll_epoch_row, ATOLL__TABLE_EPOCH)

#define EACH_OF_RUN(noun, row_type, id)                                                            \
    EACH(noun, row_type)                                                                           \
    int atoll_store_each_##noun(struct atoll_store *s, int64_t run,                                \
                                int (*fn)(void *u, const struct row_type *r), void *u,             \
                                struct atoll_err *err)                                             \
    {                                                                                              \
        struct noun##_call c = {fn, u};                                                            \
        return atoll__store_each(s, id, (struct atoll__filter){.number = run}, noun##_row, &c,     \
                                 err);                                                             \
    }
EACH_OF_RUN(rail, atoll_rail_row, ATOLL__TABLE_RAIL)
EACH_OF_RUN(state, atoll_state_row, ATOLL__TABLE_STATE)
EACH_OF_RUN(phase, atoll_phase_row, ATOLL__TABLE_PHASE)

static int has_row(struct atoll_store *s, enum atoll__table_id id, const void *key, bool *found,
                   struct atoll_err *err)
{
    union atoll__any_row row;
    const int rc = atoll__store_get(s, id, key, &row, err);
    atoll__store_get_end(s, id);
    if (rc && rc != ATOLL_ENOTFOUND) {
        return rc;
    }
    *found = rc == 0;
    return 0;
}

int atoll_store_has_run(struct atoll_store *s, const struct atoll_run_row *key, bool *found,
                        struct atoll_err *err)
{
    return has_row(s, ATOLL__TABLE_RUN, key, found, err);
}

int atoll_store_has_accuracy(struct atoll_store *s, const struct atoll_accuracy_row *key,
                             bool *found, struct atoll_err *err)
{
    return has_row(s, ATOLL__TABLE_ACCURACY, key, found, err);
}

/* The series of a run, still packed; *row is empty (n = 0) when the run has none. */
static int get_series(struct atoll_store *s, int64_t run, const char *kind,
                      union atoll__any_row *row, struct atoll_err *err)
{
    const struct atoll__series_row key = {.run = run, .kind = kind};
    int rc = atoll__store_get(s, ATOLL__TABLE_SERIES, &key, row, err);
    if (rc == ATOLL_ENOTFOUND) {
        row->series = key;
        return 0;
    }
    if (!rc && (row->series.n < 0 || row->series.n_rails < 0 || row->series.n_rails > 64)) {
        rc = atoll__store_damaged(s, err, "a series has an impossible length");
    }
    return rc;
}

static int end_series(struct atoll_store *s, int64_t run, const char *kind, int rc,
                      struct atoll_err *err)
{
    atoll__store_get_end(s, ATOLL__TABLE_SERIES);
    if (rc && err) {
        atoll_fail_at(err, "%s: %s of run %lld", s->path, kind, (long long)run);
    }
    return rc;
}

int atoll_store_get_samples(struct atoll_store *s, int64_t run, double **latency_us, size_t *n,
                            struct atoll_err *err)
{
    union atoll__any_row row;
    double *v = NULL;
    int rc = get_series(s, run, "samples", &row, err);
    if (!rc && row.series.n) {
        rc = atoll__series_unpack_samples(row.series.data.data, row.series.data.bytes,
                                          (size_t)row.series.n, &v, err);
    }
    if (!rc) {
        *latency_us = v;
        *n = (size_t)row.series.n;
    }
    return end_series(s, run, "samples", rc, err);
}

int atoll_store_get_trace(struct atoll_store *s, int64_t run, uint64_t **t_ns, float **rail_mw,
                          size_t *n, uint32_t *n_rails, struct atoll_err *err)
{
    union atoll__any_row row;
    uint64_t *t = NULL;
    float *mw = NULL;
    int rc = get_series(s, run, "trace", &row, err);
    if (!rc && row.series.n) {
        rc = atoll__series_unpack_trace(row.series.data.data, row.series.data.bytes,
                                        (size_t)row.series.n, (uint32_t)row.series.n_rails, &t, &mw,
                                        err);
    }
    if (!rc) {
        *t_ns = t;
        *rail_mw = mw;
        *n = (size_t)row.series.n;
        *n_rails = (uint32_t)row.series.n_rails;
    }
    return end_series(s, run, "trace", rc, err);
}

int atoll_store_get_trace_names(struct atoll_store *s, int64_t run, char **names,
                                struct atoll_err *err)
{
    union atoll__any_row row;
    char *copy = NULL;
    int rc = get_series(s, run, "trace", &row, err);
    if (!rc && row.series.n && row.series.names) {
        copy = atoll_strdup(row.series.names);
        rc = copy ? 0 : atoll_fail_nomem(err, "rail names", 0);
    }
    if (!rc) {
        *names = copy;
    }
    return end_series(s, run, "trace", rc, err);
}

int atoll_store_get_timeline(struct atoll_store *s, int64_t run, struct atoll_span **spans,
                             size_t *n, struct atoll_err *err)
{
    union atoll__any_row row;
    struct atoll_span *v = NULL;
    int rc = get_series(s, run, "timeline", &row, err);
    if (!rc && row.series.n) {
        rc = atoll__series_unpack_timeline(row.series.data.data, row.series.data.bytes,
                                           (size_t)row.series.n, &v, err);
    }
    if (!rc) {
        *spans = v;
        *n = (size_t)row.series.n;
    }
    return end_series(s, run, "timeline", rc, err);
}
