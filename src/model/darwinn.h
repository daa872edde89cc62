/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file darwinn.h
 * Private to room `model`: one executable of a compiled model.
 */
#ifndef ATOLL_DARWINN_H
#define ATOLL_DARWINN_H

#include "model_internal.h"

/** Reads an Executable; names are borrowed from `bytes`, lists stand in the arena. */
int atoll__exe_read(const uint8_t *bytes, size_t n, struct atoll_arena *a, struct atoll_exe *exe,
                    struct atoll_err *err);

#endif
