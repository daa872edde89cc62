/* SPDX-License-Identifier: Apache-2.0 */
/* The only door to the heap. It counts, so that a test can make each allocation fail in turn. */
#include <atoll/base.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_uint_fast64_t calls;
static atomic_uint_fast64_t fail_at; /* number of the call that fails; 0: none */

/* An injected failure sets errno as malloc's own does. */
static bool must_fail(void)
{
    const uint64_t call = atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed) + 1;
    if (call != atomic_load_explicit(&fail_at, memory_order_relaxed)) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

void *atoll_alloc(size_t bytes)
{
    return must_fail() ? NULL : malloc(bytes > 0 ? bytes : 1);
}

void *atoll_calloc(size_t count, size_t bytes)
{
    if (must_fail()) {
        return NULL;
    }
    return count > 0 && bytes > 0 ? calloc(count, bytes) : calloc(1, 1);
}

void *atoll_realloc(void *p, size_t bytes)
{
    return must_fail() ? NULL : realloc(p, bytes > 0 ? bytes : 1);
}

void atoll_free(void *p)
{
    free(p);
}

char *atoll_strdup(const char *s)
{
    const size_t bytes = strlen(s) + 1;
    char *copy = atoll_alloc(bytes);
    if (copy != NULL) {
        memcpy(copy, s, bytes);
    }
    return copy;
}

void atoll_alloc_fail_after(uint64_t n)
{
    atomic_store(&fail_at, n > 0 ? atomic_load(&calls) + n : 0);
}

uint64_t atoll_alloc_count(void)
{
    return atomic_load(&calls);
}

int atoll_grow(void **array, size_t *cap, size_t need, size_t elem)
{
    if (need <= *cap) {
        return ATOLL_OK;
    }
    if (elem == 0 || need > SIZE_MAX / elem) {
        return ATOLL_ENOMEM;
    }
    size_t more = *cap > 0 ? *cap : 8;
    while (more < need) {
        more = more <= SIZE_MAX / elem / 2 ? more * 2 : need;
    }
    if (more > SIZE_MAX / elem) { /* only a first capacity of 8 very large elements */
        more = need;
    }
    void *grown = atoll_realloc(*array, more * elem);
    if (grown == NULL) {
        return ATOLL_ENOMEM;
    }
    *array = grown;
    *cap = more;
    return ATOLL_OK;
}
