/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a closure again and again with its 1st, 2nd, 3rd, ... allocation failing, until one run
 * makes fewer allocations than that and so must succeed. Each failing run must say ATOLL_ENOMEM;
 * that it leaks nothing is checked by the leak detector of the sanitizer build.
 *
 * The closure returns the code of the call under test and releases whatever that call gave.
 * jansson's allocations are made to fail too; libyaml's and SQLite's own are not. */
#ifndef ATOLL_ALLOC_FAIL_H
#define ATOLL_ALLOC_FAIL_H

#include "atoll_test.h"

#include <atoll/base.h>
#include <jansson.h>

typedef int (*alloc_fail_fn)(void *user);

enum { ALLOC_FAIL_MAX = 100000 };

struct alloc_fail_result {
    uint64_t n;     /* the run that ended it: allocations of a whole run plus one, when good */
    int code;       /* what that run returned */
    bool succeeded; /* every failing run said ATOLL_ENOMEM, the last said ATOLL_OK */
};

static inline struct alloc_fail_result alloc_fail_try(alloc_fail_fn fn, void *user)
{
    struct alloc_fail_result r = {0};
    json_set_alloc_funcs(atoll_alloc, atoll_free);
    for (r.n = 1; r.n <= ALLOC_FAIL_MAX; r.n++) {
        const uint64_t before = atoll_alloc_count();
        atoll_alloc_fail_after(r.n);
        r.code = fn(user);
        const uint64_t made = atoll_alloc_count() - before;
        atoll_alloc_fail_after(0);
        if (made < r.n) {
            r.succeeded = r.code == ATOLL_OK;
            break;
        }
        if (r.code != ATOLL_ENOMEM) {
            break;
        }
    }
    json_set_alloc_funcs(malloc, free);
    return r;
}

/* The closure must make at least one allocation. */
static inline void alloc_fail_check(alloc_fail_fn fn, void *user)
{
    const struct alloc_fail_result r = alloc_fail_try(fn, user);
    if (!r.succeeded || r.n < 2) {
        fail_msg("with allocation %llu failing the call returned %s", (unsigned long long)r.n,
                 atoll_code_name(r.code));
    }
}

#endif
