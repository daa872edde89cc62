/* SPDX-License-Identifier: Apache-2.0 */
/** @file report_scratch.h A database of the fixture in a scratch file, opened for reading. */
#ifndef ATOLL_TESTS_REPORT_SCRATCH_H
#define ATOLL_TESTS_REPORT_SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"

/** Path of a scratch file of this process; static storage, good for 32 calls. */
static inline const char *scratch_path(const char *name)
{
    static char path[32][256];
    static unsigned at;
    const char *dir = getenv("TMPDIR");
    char *p = path[at++ % 32];
    snprintf(p, sizeof path[0], "%s/atoll-report-%ld-%s", dir ? dir : "/tmp", (long)getpid(), name);
    return p;
}

static inline struct atoll_store *scratch_store(const char *name, const struct fixture *f)
{
    struct atoll_err err = {0};
    struct atoll_store *s = NULL;
    const char *path = scratch_path(name);
    remove(path);
    if (fixture_write(path, f, &err) || atoll_store_open(path, ATOLL_STORE_READ, &s, &err)) {
        fail_msg("%s", err.text);
    }
    remove(path); /* stays readable until it is closed */
    return s;
}

/** A few models, few TPUs: enough for every sentence, quick to write. */
static inline struct fixture scratch_fixture(void)
{
    struct fixture f = fixture_default();
    f.models = 4;
    f.tpus = 4;
    f.samples = 0;
    return f;
}

/** The whole file as text; the caller frees it. */
static inline char *scratch_read(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    const long n = ftell(f);
    rewind(f);
    char *text = malloc((size_t)n + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)n, f), (size_t)n);
    text[n] = '\0';
    fclose(f);
    if (size) {
        *size = (size_t)n;
    }
    return text;
}

#endif
