/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening, with all checks, and closing.
 *
 * Journal: the rollback journal (journal_mode = DELETE), synchronous = FULL. WAL would be a
 * little faster, but it needs shared memory between the processes that use a file, which network
 * file systems do not give; sweeps on clusters write their shards there. Commits are grouped, so
 * the journal's cost does not show. kill -9 leaves a journal that the next open rolls back:
 * therefore even READ opens read-write where the file permits it, and forbids writing by
 * query_only.
 */
#include "store_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define BUSY_MS 2000
#define QUICK_CHECK_BYTES_MAX                                                                      \
    (64 << 20) /* larger files: only the small tables are checked, the rest when it is read */

int atoll__store_fail(struct atoll_store *s, int rc, const char *action, struct atoll_err *err)
{
    const char *why = s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc);
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return atoll_fail(err, ATOLL_EBUSY, "%s: %s: locked by another process for more than %d s",
                          s->path, action, BUSY_MS / 1000);
    case SQLITE_NOMEM:
        return atoll_fail(err, ATOLL_ENOMEM,
                          "%s: %s: out of memory, or the file is damaged and asks for too much",
                          s->path, action);
    case SQLITE_FULL:
        return atoll_fail(err, ATOLL_EIO, "%s: %s: the disk is full", s->path, action);
    case SQLITE_CORRUPT:
    case SQLITE_ERROR: /* our statements are fixed: only a strange file makes them fail */
    case SQLITE_SCHEMA:
    case SQLITE_MISMATCH:
    case SQLITE_FORMAT:
        return atoll_fail(err, ATOLL_EINPUT, "%s: %s: the database is damaged (%s)", s->path,
                          action, why);
    case SQLITE_NOTADB:
        return atoll_fail(err, ATOLL_EINPUT, "%s: %s: not a database of atoll (%s)", s->path,
                          action, why);
    case SQLITE_TOOBIG:
        return atoll_fail(err, ATOLL_ELIMIT, "%s: %s: a value is too large (%s)", s->path, action,
                          why);
    case SQLITE_CONSTRAINT:
        return atoll_fail(err, ATOLL_EUSAGE, "%s: %s: %s", s->path, action, why);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM: {
        const int number = s->db ? sqlite3_system_errno(s->db) : 0;
        return atoll_fail(err, ATOLL_EIO, "%s: %s: %s%s%s", s->path, action, why,
                          number ? ", " : "", number ? strerror(number) : "");
    }
    default:
        return atoll_fail(err, ATOLL_EINTERNAL, "%s: %s: %s", s->path, action, why);
    }
}

int atoll__store_damaged(struct atoll_store *s, struct atoll_err *err, const char *what)
{
    return atoll_fail(err, ATOLL_EINPUT, "%s: the database is damaged: %s", s->path, what);
}

int atoll__store_exec(struct atoll_store *s, const char *sql, const char *action,
                      struct atoll_err *err)
{
    const int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : atoll__store_fail(s, rc, action, err);
}

/* One value of a one-row query. */
static int query_int(struct atoll_store *s, const char *sql, int64_t *out, struct atoll_err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(st);
    }
    int code = 0;
    if (rc == SQLITE_ROW) {
        *out = sqlite3_column_int64(st, 0);
    } else {
        code = rc == SQLITE_DONE ? atoll__store_damaged(s, err, "a pragma gave no answer")
                                 : atoll__store_fail(s, rc, "opening", err);
    }
    sqlite3_finalize(st);
    return code;
}

/* A journal beside the file may take it back to what it was: SQLite has to look at both. */
static bool has_journal(const struct atoll_store *s)
{
    struct stat st;
    struct atoll_buf journal = {0};
    atoll_buf_printf(&journal, "%s-journal", s->path);
    const bool has = !journal.failed && stat(journal.data, &st) == 0 && st.st_size > 0;
    atoll_buf_finish(&journal);
    return has;
}

/* What can be said before sqlite looks: existence, kind of file, magic. *empty: nothing in it
 * yet. */
static int check_file(struct atoll_store *s, enum atoll_store_mode mode, bool *empty,
                      struct atoll_err *err)
{
    struct stat st;
    *empty = true;
    if (stat(s->path, &st) != 0) {
        if (errno == ENOENT && mode == ATOLL_STORE_WRITE) {
            return 0;
        }
        return atoll_fail(err, errno == ENOENT ? ATOLL_ENOTFOUND : ATOLL_EIO,
                          "%s: cannot be opened: %s", s->path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: is not a regular file (a database file expected)",
                          s->path);
    }
    if (st.st_size == 0) {
        return mode == ATOLL_STORE_WRITE
                   ? 0
                   : atoll_fail(err, ATOLL_EINPUT, "%s: is empty (a database of atoll expected)",
                                s->path);
    }
    *empty = false;
    FILE *f = fopen(s->path, "rb");
    if (!f) {
        return atoll_fail(err, ATOLL_EIO, "%s: cannot be opened: %s", s->path, strerror(errno));
    }
    char head[16] = {0};
    const size_t n = fread(head, 1, sizeof head, f);
    fclose(f);
    if ((n != sizeof head || memcmp(head, "SQLite format 3", 16) != 0) && !has_journal(s)) {
        return atoll_fail(
            err, ATOLL_EINPUT,
            "%s: is not a database (its first 16 bytes are not those of an SQLite file)", s->path);
    }
    return 0;
}

static int configure(struct atoll_store *s, enum atoll_store_mode mode, struct atoll_err *err)
{
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, BUSY_MS);
    sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, (int)ATOLL__STORE_BLOB_BYTES_MAX);
    sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 0);
    int on = 0;
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, &on);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, &on);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, &on);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, &on);
    return atoll__store_exec(
        s,
        mode == ATOLL_STORE_WRITE
            ? "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA cell_size_check=ON; PRAGMA "
              "temp_store=MEMORY"
            : "PRAGMA query_only=ON; PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY",
        "opening", err);
}

static int create_schema(struct atoll_store *s, struct atoll_err *err)
{
    struct atoll_buf sql = {0};
    atoll_buf_printf(&sql, "PRAGMA application_id=%d; PRAGMA user_version=%d;",
                     ATOLL__STORE_APPLICATION_ID, ATOLL_STORE_SCHEMA);
    for (size_t i = 0; i < ATOLL__TABLES; i++) {
        atoll__store_sql_create(&atoll__tables[i], ATOLL_STORE_SCHEMA, NULL, &sql);
        atoll_buf_puts(&sql, ";");
    }
    int rc = sql.failed ? atoll_fail_nomem(err, "the schema", 0)
                        : atoll__store_exec(s, sql.data, "creating the schema", err);
    atoll_buf_finish(&sql);
    return rc;
}

/* Creates the tables unless another process did so in the meantime. */
static int create(struct atoll_store *s, struct atoll_err *err)
{
    int rc = atoll__store_exec(s, "PRAGMA journal_mode=DELETE", "opening", err);
    rc = rc ? rc : atoll_store_begin(s, err);
    if (rc) {
        return rc;
    }
    int64_t objects = 0;
    rc = query_int(s, "SELECT count(*) FROM sqlite_master", &objects, err);
    if (!rc && objects == 0) {
        rc = create_schema(s, err);
    }
    rc = rc ? rc : atoll_store_commit(s, err);
    if (rc) {
        atoll_store_rollback(s);
    }
    return rc;
}

static int check_identity(struct atoll_store *s, struct atoll_err *err)
{
    int64_t id = 0, version = 0;
    int rc = query_int(s, "PRAGMA application_id", &id, err);
    rc = rc ? rc : query_int(s, "PRAGMA user_version", &version, err);
    if (rc) {
        return rc;
    }
    if (id != ATOLL__STORE_APPLICATION_ID) {
        return atoll_fail(
            err, ATOLL_EINPUT,
            "%s: is an SQLite database of another program (application_id 0x%08x, expected 0x%08x)",
            s->path, (unsigned)id, (unsigned)ATOLL__STORE_APPLICATION_ID);
    }
    if (version > ATOLL_STORE_SCHEMA) {
        return atoll_fail(
            err, ATOLL_EINPUT,
            "%s: its schema is version %lld, newer than the %d that this atoll (%s) knows", s->path,
            (long long)version, ATOLL_STORE_SCHEMA, ATOLL_VERSION);
    }
    if (version < 1) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: its schema is version %lld (1 to %d expected)",
                          s->path, (long long)version, ATOLL_STORE_SCHEMA);
    }
    s->version = (int)version;
    return 0;
}

/* Every object of the file must be one of ours, word for word: no views, no triggers, no odd
 * columns. */
static int known_object(struct atoll_store *s, const char *name, const char *sql, uint64_t *seen,
                        struct atoll_err *err)
{
    for (size_t i = 0; i < ATOLL__TABLES; i++) {
        if (name && atoll__tables[i].since <= s->version &&
            strcmp(name, atoll__tables[i].name) == 0) {
            struct atoll_buf want = {0};
            atoll__store_sql_create(&atoll__tables[i], s->version, NULL, &want);
            const bool failed = want.failed, equal = !failed && sql && strcmp(sql, want.data) == 0;
            atoll_buf_finish(&want);
            *seen |= UINT64_C(1) << i;
            if (failed) {
                return atoll_fail_nomem(err, "the schema", 0);
            }
            return equal ? 0
                         : atoll_fail(err, ATOLL_EINPUT,
                                      "%s: table %s is not that of schema version %d", s->path,
                                      name, s->version);
        }
    }
    if (!sql) {
        return 0; /* the automatic index of a primary key */
    }
    return atoll_fail(err, ATOLL_EINPUT,
                      "%s: holds \"%.100s\", which schema version %d does not know", s->path,
                      name ? name : "", s->version);
}

static int check_schema(struct atoll_store *s, struct atoll_err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(s->db, "SELECT name, sql FROM sqlite_master", -1, &st, NULL);
    uint64_t seen = 0;
    int code = 0;
    while (rc == SQLITE_OK && !code) {
        const int step = sqlite3_step(st);
        if (step == SQLITE_DONE) {
            break;
        }
        if (step != SQLITE_ROW) {
            rc = step;
            break;
        }
        code = known_object(s, (const char *)sqlite3_column_text(st, 0),
                            (const char *)sqlite3_column_text(st, 1), &seen, err);
    }
    if (rc != SQLITE_OK) {
        code = atoll__store_fail(s, rc, "reading the schema", err);
    }
    sqlite3_finalize(st);
    for (size_t i = 0; i < ATOLL__TABLES && !code; i++) {
        if (!(seen >> i & 1) && atoll__tables[i].since <= s->version) {
            code = atoll_fail(err, ATOLL_EINPUT, "%s: table %s is missing", s->path,
                              atoll__tables[i].name);
        }
    }
    return code;
}

int atoll__store_bytes(struct atoll_store *s, uint64_t *bytes, struct atoll_err *err)
{
    int64_t pages = 0, page_bytes = 0;
    int code = query_int(s, "PRAGMA page_count", &pages, err);
    code = code ? code : query_int(s, "PRAGMA page_size", &page_bytes, err);
    if (!code && (pages < 0 || page_bytes < 0 ||
                  !atoll_mul_u64((uint64_t)pages, (uint64_t)page_bytes, bytes))) {
        code = atoll__store_damaged(s, err, "it claims an impossible size");
    }
    return code;
}

/* Structure of the b-trees, within a bound: the whole file up to 64 MiB, else the small tables. */
static int check_pages(struct atoll_store *s, struct atoll_err *err)
{
    uint64_t bytes = 0;
    int code = atoll__store_bytes(s, &bytes, err);
    if (code) {
        return code;
    }
    const bool small = bytes <= QUICK_CHECK_BYTES_MAX;
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(
        s->db, small ? "PRAGMA quick_check(1)" : "PRAGMA quick_check(experiment)", -1, &st, NULL);
    rc = rc == SQLITE_OK ? sqlite3_step(st) : rc;
    if (rc != SQLITE_ROW) {
        code = atoll__store_fail(s, rc, "checking", err);
    } else {
        const char *answer = (const char *)sqlite3_column_text(st, 0);
        /* the check puts a failed allocation (SQLITE_NOMEM, 7) among the faults that it found */
        if (answer && strstr(answer, "error code=7")) {
            code = atoll_fail_nomem(err, "the check of a database", 0);
        } else if (!answer || strcmp(answer, "ok") != 0) {
            code = atoll__store_damaged(s, err, answer ? answer : "no answer from the check");
        }
    }
    sqlite3_finalize(st);
    return code;
}

/* From an older version: tables that grew are made anew, filled from the old ones and take their
 * name (the way that SQLite's manual of ALTER TABLE gives), new ones are made empty. */
static void migration(const struct atoll_store *s, struct atoll_buf *sql)
{
    for (size_t i = 0; i < ATOLL__TABLES; i++) {
        const struct atoll__table *t = &atoll__tables[i];
        unsigned flags = 0;
        for (size_t k = 0; k < t->n_columns; k++) {
            flags |= t->columns[k].flags;
        }
        if (t->since > s->version) {
            atoll__store_sql_create(t, ATOLL_STORE_SCHEMA, NULL, sql);
            atoll_buf_puts(sql, ";");
        } else if (s->version < 2 && (flags & ATOLL__COLUMN_NEW)) {
            atoll__store_sql_create(t, ATOLL_STORE_SCHEMA, "grown", sql);
            atoll_buf_puts(sql, "; INSERT INTO grown (");
            atoll__store_sql_columns(t, s->version, sql);
            atoll_buf_puts(sql, ") SELECT ");
            atoll__store_sql_columns(t, s->version, sql);
            atoll_buf_printf(sql,
                             " FROM \"%s\"; DROP TABLE \"%s\"; ALTER TABLE grown RENAME TO "
                             "\"%s\";",
                             t->name, t->name, t->name);
        }
    }
    atoll_buf_printf(sql, "PRAGMA user_version=%d;", ATOLL_STORE_SCHEMA);
}

static int migrate(struct atoll_store *s, struct atoll_err *err)
{
    struct atoll_buf sql = {0};
    int64_t version = 0;
    migration(s, &sql);
    /* references to `run` must not be checked, nor follow it, while it has another name */
    int rc = sql.failed
                 ? atoll_fail_nomem(err, "a migration", 0)
                 : atoll__store_exec(s, "PRAGMA foreign_keys=OFF; PRAGMA legacy_alter_table=ON",
                                     "migrating", err);
    rc = rc ? rc : atoll_store_begin(s, err);
    rc = rc ? rc : query_int(s, "PRAGMA user_version", &version, err);
    if (!rc && version == s->version) { /* else another process was quicker */
        rc = atoll__store_exec(s, sql.data, "migrating", err);
    }
    rc = rc ? rc : atoll_store_commit(s, err);
    if (rc) {
        atoll_store_rollback(s);
    }
    atoll_buf_finish(&sql);
    rc = rc ? rc
            : atoll__store_exec(s, "PRAGMA legacy_alter_table=OFF; PRAGMA foreign_keys=ON",
                                "migrating", err);
    s->version = ATOLL_STORE_SCHEMA;
    return rc ? rc : check_schema(s, err);
}

/* A writer that was killed while it made the file leaves bytes and a journal that undoes them all:
 * then the file is as good as new, though its size is not 0. */
static int check_undone(struct atoll_store *s, enum atoll_store_mode mode, bool *empty,
                        struct atoll_err *err)
{
    int64_t pages = 0;
    const int code = query_int(s, "PRAGMA page_count", &pages, err);
    if (code || pages > 0) {
        return code;
    }
    *empty = true;
    return mode == ATOLL_STORE_WRITE
               ? 0
               : atoll_fail(err, ATOLL_EINPUT, "%s: is empty (a database of atoll expected)",
                            s->path);
}

static int open_checked(struct atoll_store *s, enum atoll_store_mode mode, struct atoll_err *err)
{
    bool empty = false;
    int rc = check_file(s, mode, &empty, err);
    if (rc) {
        return rc;
    }
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                      (mode == ATOLL_STORE_WRITE ? SQLITE_OPEN_CREATE : 0);
    rc = sqlite3_open_v2(s->path, &s->db, flags, NULL);
    if (rc != SQLITE_OK) {
        return atoll__store_fail(s, rc, "opening", err);
    }
    rc = configure(s, mode, err);
    if (!rc && mode == ATOLL_STORE_WRITE && sqlite3_db_readonly(s->db, "main") == 1) {
        return atoll_fail(err, ATOLL_EIO, "%s: is not writable", s->path);
    }
    if (!rc && !empty) {
        rc = check_undone(s, mode, &empty, err);
    }
    if (!rc && empty) {
        rc = create(s, err);
    }
    rc = rc ? rc : check_identity(s, err);
    rc = rc ? rc : check_schema(s, err);
    rc = rc || empty ? rc : check_pages(s, err);
    return rc || mode == ATOLL_STORE_READ || s->version == ATOLL_STORE_SCHEMA ? rc
                                                                              : migrate(s, err);
}

int atoll_store_open(const char *path, enum atoll_store_mode mode, struct atoll_store **out,
                     struct atoll_err *err)
{
    if (!path || !path[0] || path[0] == ':') {
        return atoll_fail(err, ATOLL_EUSAGE, "\"%s\" is no name for a database file",
                          path ? path : "");
    }
    struct atoll_store *s = atoll_calloc(1, sizeof *s);
    if (!s || !(s->path = atoll_strdup(path))) {
        atoll_free(s);
        return atoll_fail_nomem(err, "a database", sizeof *s);
    }
    const int rc = open_checked(s, mode, err);
    if (rc) {
        atoll_store_close(&s);
        return rc;
    }
    *out = s;
    return 0;
}

void atoll_store_close(struct atoll_store **s)
{
    if (!s || !*s) {
        return;
    }
    for (size_t i = 0; i < ATOLL__TABLES; i++) {
        struct atoll__statements *st = &(*s)->statements[i];
        sqlite3_finalize(st->insert);
        sqlite3_finalize(st->get);
        sqlite3_finalize(st->each);
        sqlite3_finalize(st->each_all);
    }
    sqlite3_close_v2((*s)->db);
    atoll_free((*s)->path);
    atoll_free(*s);
    *s = NULL;
}

int atoll_store_begin(struct atoll_store *s, struct atoll_err *err)
{
    if (!sqlite3_get_autocommit(s->db)) {
        return atoll_fail(err, ATOLL_EUSAGE, "%s: a transaction is open already", s->path);
    }
    return atoll__store_exec(s, "BEGIN IMMEDIATE", "beginning to write", err);
}

int atoll_store_commit(struct atoll_store *s, struct atoll_err *err)
{
    if (sqlite3_get_autocommit(s->db)) {
        return atoll_fail(err, ATOLL_EUSAGE, "%s: no transaction is open", s->path);
    }
    return atoll__store_exec(s, "COMMIT", "writing", err);
}

void atoll_store_rollback(struct atoll_store *s)
{
    if (!sqlite3_get_autocommit(s->db)) {
        (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    }
}
