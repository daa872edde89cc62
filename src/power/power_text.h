/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of numbers in text files that other programs wrote: lines, cells, and where an error is.
 */
#ifndef ATOLL_POWER_TEXT_H
#define ATOLL_POWER_TEXT_H

#include "frames.h"

enum { TEXT_LINE_BYTES = 1024, TEXT_CELLS = 40, TEXT_LOOK = 2000 };

struct power_text {
    struct atoll_map map;
    const char *path; ///< borrowed
    size_t at;
    uint64_t line; ///< number of the one that was read last
    char bytes[TEXT_LINE_BYTES];
    char *cells[TEXT_CELLS]; ///< of it
    uint32_t n_cells;
};
/** Reads the next line and cuts it at any of the separators (several count as one when `join`).
 *  1: a line; 0: the end; ATOLL_EINPUT: too long, too many cells, a zero byte. */
int atoll__power_text_next(struct power_text *t, const char *separators, bool join,
                           struct atoll_err *err);
/** Number in a cell, within [low, high]. ATOLL_EINPUT names line and cell. */
int atoll__power_text_number(const struct power_text *t, uint32_t cell, const char *what,
                             double low, double high, double *out, struct atoll_err *err);
/** Median of n numbers, which are put in order; NAN of none. */
double atoll__power_text_median(double *x, size_t n);

#endif
