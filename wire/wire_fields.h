/* SPDX-License-Identifier: Apache-2.0 */
/* Private to wire: the fields of each body, in order, for both directions. */
#ifndef ATOLL_WIRE_FIELDS_H
#define ATOLL_WIRE_FIELDS_H

#include "atoll_wire.h"

/** Bytes of a body, read or written in order. */
struct wire_cursor {
    uint8_t *at, *end;
    bool reading;
    bool bad; ///< past the end, or a value that must not be
};
/** Reads or writes the body of `f->type`, whose type and seq are set. */
void atoll__wire_fields(struct wire_cursor *c, struct atoll_wire_frame *f);

#endif
