/* SPDX-License-Identifier: Apache-2.0 */
/* Tab-separated tables with one header line: what the fit and the golden tests read. */
#ifndef ATOLL_FIT_TSV_H
#define ATOLL_FIT_TSV_H

#include <atoll/base.h>

struct tsv {
    char *text;   ///< owned; cells are cut in place
    char **cells; ///< owned; n_rows x n_cols, the header apart
    char **names; ///< owned; n_cols column names
    size_t n_rows, n_cols;
};
/** Reads a table. ATOLL_EINPUT names file, line and the number of cells found and expected. */
int tsv_open(const char *dir, const char *file, struct tsv *t, struct atoll_err *err);
void tsv_close(struct tsv *t);
/** Cell by column name; "" when the table has no such column. */
const char *tsv_text(const struct tsv *t, size_t row, const char *column);
/** Number in a cell; NAN when it is empty or not a number. */
double tsv_number(const struct tsv *t, size_t row, const char *column);
/** Two whole numbers written "353x481" at the start of a text; false otherwise. */
bool tsv_size(const char *text, int32_t *h, int32_t *w);
bool tsv_is(const struct tsv *t, size_t row, const char *column, const char *value);

#endif
