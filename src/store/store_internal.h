/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file store_internal.h
 * Private to the room `store`. One const table per row type (store_tables.c) says which column
 * holds which struct field; creation, insertion, reading, comparison, dump and merge all follow
 * it, so a new field is one line there.
 */
#ifndef ATOLL_STORE_INTERNAL_H
#define ATOLL_STORE_INTERNAL_H

#include <atoll/store.h>
#include <sqlite3.h>

#define ATOLL__STORE_APPLICATION_ID 0x61746f6c /* "atol" */
#define ATOLL__STORE_COLUMNS_MAX 64
#define ATOLL__STORE_BLOB_BYTES_MAX (UINT32_C(256) << 20) ///< decoded size of one series

enum atoll__column_type {
    ATOLL__COLUMN_TEXT, ///< const char *; NULL allowed unless KEY or NOT_NULL
    ATOLL__COLUMN_INT,  ///< int64_t
    ATOLL__COLUMN_U64,  ///< uint64_t, kept as the signed number with the same bits
    ATOLL__COLUMN_REAL, ///< double, NAN and infinities are NULL
    ATOLL__COLUMN_BLOB, ///< struct atoll__blob
};
enum atoll__column_flag {
    ATOLL__COLUMN_ID = 1,       ///< INTEGER PRIMARY KEY, given by the file
    ATOLL__COLUMN_KEY = 2,      ///< part of the natural key
    ATOLL__COLUMN_NOT_NULL = 4, ///< text that must be there
    ATOLL__COLUMN_LOCAL = 8,    ///< left out of the canonical dump and of comparisons
    ATOLL__COLUMN_KEPT = 16, ///< a second row of the same key may differ here; the first one stays
    ATOLL__COLUMN_RUN = 32,  ///< number of a row of table run
    ATOLL__COLUMN_NEW = 64,  ///< since version 2: NULL in older files, so REAL or TEXT
};
struct atoll__blob {
    const void *data;
    size_t bytes;
};
struct atoll__column {
    const char *name;
    enum atoll__column_type type;
    size_t offset;
    unsigned flags;
    const char *doc; ///< unit and meaning, for docs/store-schema.md
};
enum atoll__table_id {
    ATOLL__TABLE_EXPERIMENT,
    ATOLL__TABLE_MODEL,
    ATOLL__TABLE_PLAN,
    ATOLL__TABLE_STAGE,
    ATOLL__TABLE_LAYER,
    ATOLL__TABLE_ACCURACY,
    ATOLL__TABLE_TRAINING,
    ATOLL__TABLE_EPOCH,
    ATOLL__TABLE_RUN,
    ATOLL__TABLE_RAIL,
    ATOLL__TABLE_STATE,
    ATOLL__TABLE_PHASE,
    ATOLL__TABLE_SERIES,
    ATOLL__TABLES,
};
struct atoll__table {
    const char *name, *doc;
    const struct atoll__column *columns;
    size_t n_columns;
    const char *where; ///< column that `each` selects by; NULL: none
    int since;         ///< version of the schema that brought it
};
extern const struct atoll__table atoll__tables[ATOLL__TABLES];

/** A blob of a run: latency samples, power trace or timeline (store_series.c). */
struct atoll__series_row {
    int64_t run;
    const char *kind;  ///< "samples", "trace", "timeline"
    int64_t n;         ///< entries
    int64_t n_rails;   ///< trace: rails; else 0
    const char *names; ///< trace: rail names, comma between
    struct atoll__blob data;
};
/** Largest row struct, for code that reads any table. */
union atoll__any_row {
    struct atoll_experiment_row experiment;
    struct atoll_model_row model;
    struct atoll_plan_row plan;
    struct atoll_stage_row stage;
    struct atoll_layer_row layer;
    struct atoll_accuracy_row accuracy;
    struct atoll_training_row training;
    struct atoll_epoch_row epoch;
    struct atoll_run_row run;
    struct atoll_rail_row rail;
    struct atoll_state_row state;
    struct atoll_phase_row phase;
    struct atoll__series_row series;
};

struct atoll__statements {
    sqlite3_stmt *insert, *get, *each, *each_all;
};
struct atoll_store {
    sqlite3 *db;
    char *path;
    int version; ///< of the file's schema; below ATOLL_STORE_SCHEMA only when it is read
    struct atoll__statements statements[ATOLL__TABLES];
};

/** Maps sqlite's last result to a code and a sentence that names file, action and reason. */
int atoll__store_fail(struct atoll_store *s, int rc, const char *action, struct atoll_err *err);
/** The sentence for a database whose content cannot be right. */
int atoll__store_damaged(struct atoll_store *s, struct atoll_err *err, const char *what);
/** Size of the database, as its pages say. */
int atoll__store_bytes(struct atoll_store *s, uint64_t *bytes, struct atoll_err *err);
int atoll__store_exec(struct atoll_store *s, const char *sql, const char *action,
                      struct atoll_err *err);

/* SQL from the tables (store_sql.c) */
/** The table as a version of the schema has it, under its own name or, not NULL, another. */
void atoll__store_sql_create(const struct atoll__table *t, int version, const char *name,
                             struct atoll_buf *sql);
/** Names of the columns that a version has. */
void atoll__store_sql_columns(const struct atoll__table *t, int version, struct atoll_buf *sql);
int atoll__store_prepare_insert(struct atoll_store *s, enum atoll__table_id id,
                                struct atoll_err *err);
int atoll__store_prepare_get(struct atoll_store *s, enum atoll__table_id id, struct atoll_err *err);
int atoll__store_prepare_each(struct atoll_store *s, enum atoll__table_id id, bool all,
                              sqlite3_stmt **st, struct atoll_err *err);

/* rows (store_row.c) */
int atoll__store_bind(struct atoll_store *s, sqlite3_stmt *st, int index,
                      const struct atoll__column *c, const void *row, struct atoll_err *err);
/** Reads the current row of a SELECT over all columns; text and blobs are borrowed from the
 * statement. */
int atoll__store_row(struct atoll_store *s, sqlite3_stmt *st, const struct atoll__table *t,
                     void *row, struct atoll_err *err);
/** First column in which two rows of the same key contradict each other; NULL: none. */
const struct atoll__column *atoll__store_differs(const struct atoll__table *t, const void *a,
                                                 const void *b);
/** "column=value column=value" of the natural key. */
void atoll__store_key_text(const struct atoll__table *t, const void *row, struct atoll_buf *out);
/** JSON value of a field ("null", 1.5, "text"). A blob is its byte count. */
void atoll__store_json_value(const struct atoll__column *c, const void *row, struct atoll_buf *out);
void atoll__store_json_text(const char *text, struct atoll_buf *out);

/** Inserts; *inserted false when the natural key is there already. */
int atoll__store_insert(struct atoll_store *s, enum atoll__table_id id, const void *row,
                        bool *inserted, struct atoll_err *err);
/** The row with the same natural key as `key`, until atoll__store_get_end; ATOLL_ENOTFOUND
 * quietly (err untouched). */
int atoll__store_get(struct atoll_store *s, enum atoll__table_id id, const void *key, void *row,
                     struct atoll_err *err);
void atoll__store_get_end(struct atoll_store *s, enum atoll__table_id id);
typedef int (*atoll__row_fn)(void *user, const void *row);
/** All rows by natural key; `text` or `number` selects by the table's `where` column unless
 * `all`. */
struct atoll__filter {
    bool all;
    const char *text;
    int64_t number;
};
int atoll__store_each(struct atoll_store *s, enum atoll__table_id id, struct atoll__filter f,
                      atoll__row_fn fn, void *user, struct atoll_err *err);

/* series (store_series.c): bytes <-> values */
int atoll__series_pack_samples(const double *latency_us, size_t n, struct atoll_buf *out,
                               struct atoll_err *err);
int atoll__series_unpack_samples(const void *data, size_t bytes, size_t n, double **latency_us,
                                 struct atoll_err *err);
int atoll__series_pack_trace(const uint64_t *t_ns, const float *rail_mw, size_t n, uint32_t n_rails,
                             struct atoll_buf *out, struct atoll_err *err);
int atoll__series_unpack_trace(const void *data, size_t bytes, size_t n, uint32_t n_rails,
                               uint64_t **t_ns, float **rail_mw, struct atoll_err *err);
int atoll__series_pack_timeline(const struct atoll_span *spans, size_t n, struct atoll_buf *out,
                                struct atoll_err *err);
int atoll__series_unpack_timeline(const void *data, size_t bytes, size_t n,
                                  struct atoll_span **spans, struct atoll_err *err);
/** The bytes before compression, owned: the same on every machine, so that hashes can be
 * compared. */
int atoll__series_open(const void *data, size_t bytes, uint8_t **raw, size_t *n,
                       struct atoll_err *err);

#endif
