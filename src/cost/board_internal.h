/* SPDX-License-Identifier: Apache-2.0 */
/* Private to room `cost`: the table that board profiles are read and written by. */
#ifndef ATOLL_COST_BOARD_INTERNAL_H
#define ATOLL_COST_BOARD_INTERNAL_H

#include <atoll/cost.h>

/** A quantity: section and key in the file, place in its struct, its unit and range. */
struct atoll__board_field {
    const char *section; ///< NULL: in a drive
    const char *key;
    size_t offset;
    const char *unit;
    double low, high;
};
const struct atoll__board_field *atoll__board_fields(size_t *n);
const struct atoll__board_field *atoll__board_drive_fields(size_t *n);

/* NULL-terminated names in the order of their enums. */
extern const char *const atoll__board_sections[];
extern const char *const atoll__board_links[];
extern const char *const atoll__board_clocks[];
extern const char *const atoll__board_runners[];
extern const char *const atoll__board_drives[];

#endif
