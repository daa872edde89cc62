/* SPDX-License-Identifier: Apache-2.0 */
/* The chip's constants as data, and as the vector that the laws read. */
#include "cost_internal.h"

#include <math.h>
#include <string.h>

static const struct atoll_constant table[ATOLL__K_COUNT] = {
#define ATOLL__ROW(id, n, v, u, un, src, d)                                                        \
    [ATOLL__K_##                                                                                   \
        id] = {.name = (n), .value = (v), .u95 = (u), .unit = (un), .source = (src), .date = (d)},
    ATOLL__CONSTANTS(ATOLL__ROW)
#undef ATOLL__ROW
};

const struct atoll__constants atoll__constants_default = {.v = {
#define ATOLL__VALUE(id, n, val, u, un, src, d) [ATOLL__K_##id] = (val),
                                                              ATOLL__CONSTANTS(ATOLL__VALUE)
#undef ATOLL__VALUE
                                                          }};

const struct atoll_constant *atoll_constants(size_t *n)
{
    *n = ATOLL__K_COUNT;
    return table;
}

const struct atoll_constant *atoll_constant_find(const char *name)
{
    for (size_t i = 0; i < ATOLL__K_COUNT; i++) {
        if (strcmp(table[i].name, name) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

enum atoll_compiler atoll_cost_compiler(const struct atoll_cost *c)
{
    return c->compiler;
}

double atoll_cost_constant(const struct atoll_cost *c, const char *name)
{
    const struct atoll_constant *row = atoll_constant_find(name);
    return row ? c->k->v[row - table] : NAN;
}
