/* SPDX-License-Identifier: Apache-2.0 */
/* What the golden tests of room `cost` share: the tables, models by name, a segment as a program.
 */
#ifndef ATOLL_TEST_COST_GOLDEN_H
#define ATOLL_TEST_COST_GOLDEN_H

#include "atoll_test.h"

#include <atoll/cost.h>
#include <atoll/zoo.h>

#include "tsv.h"

/** Opens a table of the data directory; ends the test with 77 when there is none. */
static inline struct tsv golden_table(const char *file)
{
    char dir[600];
    struct tsv t;
    struct atoll_err err = {0};
    const char *shared = getenv("ATOLL_SHARED");
    (void)snprintf(dir, sizeof dir, "%s/data", shared != NULL ? shared : ".");
    if (tsv_open(dir, file, &t, &err) != 0) {
        (void)printf("skipped: %s/%s is missing\n", dir, file);
        exit(77);
    }
    return t;
}

/** "shared:<path>" or a zoo specification. NULL: the file is not there. */
static inline struct atoll_model *golden_model(const char *name)
{
    struct atoll_model *m = NULL;
    struct atoll_err err = {0};
    if (strncmp(name, "shared:", 7) == 0) {
        char path[700];
        (void)snprintf(path, sizeof path, "%s/models/%s", getenv("ATOLL_SHARED"), name + 7);
        return atoll_model_open(path, &m, &err) == 0 ? m : NULL;
    }
    if (atoll_zoo_build(name, &m, &err) != 0) {
        fail_msg("%s", err.text);
    }
    return m;
}

/** The model, or its operators [from, to), as a program. */
static inline struct atoll_program golden_program(const struct atoll_model *m,
                                                  enum atoll_compiler compiler, uint32_t from,
                                                  uint32_t to)
{
    struct atoll_cost *c = NULL;
    struct atoll_program p = {0};
    struct atoll_err err = {0};
    uint32_t *ops = atoll_calloc(m->n_ops + 1u, sizeof *ops);
    for (uint32_t i = from; i < to; i++) {
        ops[i - from] = i;
    }
    if (atoll_cost_open(m, compiler, &c, &err) != 0 ||
        atoll_cost_program(c, ops, to - from, &p, &err) != 0) {
        fail_msg("%s", err.text);
    }
    atoll_free(ops);
    atoll_cost_close(&c);
    return p;
}

#endif
