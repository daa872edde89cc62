/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file out.h
 * What the command prints: the answer on stdout (text, tables or one JSON object), messages on
 * stderr, progress on a terminal. A write that fails (full disk, closed pipe) is remembered and
 * becomes exit code 5 at the end.
 */
#ifndef ATOLL_TOOLS_OUT_H
#define ATOLL_TOOLS_OUT_H

#include <atoll/json.h>

#include "opt.h"

/** Text of the answer, to stdout. */
void out_text(const char *fmt, ...) ATOLL_PRINTF(1, 2);
void out_bytes(const char *bytes, size_t n);
/** A paragraph, wrapped at 90 columns; lines after the first are indented by `indent`. */
void out_wrapped(unsigned indent, const char *fmt, ...) ATOLL_PRINTF(2, 3);
/** One JSON object, to stdout. Takes the reference; NULL means that memory ran out. */
int out_json(struct call *call, json_t *answer);
/** A JSON string of a text from a file, which may not be UTF-8 (then other bytes become '?'). */
json_t *out_string(const char *text);
/** A message for people, to stderr; nothing with --quiet. */
void out_note(const struct call *call, const char *fmt, ...) ATOLL_PRINTF(2, 3);
/** Flushes stdout: 0, or ATOLL_EIO with the system's reason when anything was not written. */
int out_finish(struct atoll_err *err);

/* Tables: cells are added row by row; columns line up when the table is printed. */

enum out_align { OUT_LEFT, OUT_RIGHT };
struct out_column {
    const char *title;
    enum out_align align;
};
struct out_table {
    const struct out_column *columns;
    size_t n_columns;
    char **cells; ///< owned
    size_t n_cells, cap;
    bool failed;
};
void out_table_start(struct out_table *t, const struct out_column *columns, size_t n);
void out_cell(struct out_table *t, const char *fmt, ...) ATOLL_PRINTF(2, 3);
/** Prints and frees the table. */
int out_table_print(struct out_table *t, struct atoll_err *err);

/* Cells of numbers: a dash for what is not known. */

void out_cell_us(struct out_table *t, double us); ///< milliseconds, three decimals
void out_cell_number(struct out_table *t, const char *fmt, double v) ATOLL_PRINTF(2, 0);
void out_cell_bytes(struct out_table *t, uint64_t bytes);       ///< KiB, MiB
void out_cell_short_bytes(struct out_table *t, uint64_t bytes); ///< "147K", "7.13M": 2^10, 2^20
void out_cell_big(struct out_table *t, double v);               ///< 12.3 M, 4.1 G

/** A progress bar with the time left, on stderr if that is a terminal and neither --quiet nor
 *  --json is given. SIGINT and SIGTERM ask the work for a clean, early end. */
struct out_progress {
    uint64_t start_ns, shown_ns;
    bool drawn, visible;
};
struct atoll_progress out_progress_start(struct out_progress *p, const struct call *call);
void out_progress_finish(struct out_progress *p); ///< wipes the bar

#endif
