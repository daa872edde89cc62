/* SPDX-License-Identifier: Apache-2.0 */
/* What every cmocka test of atoll includes: cmocka itself and a scratch directory. */
#ifndef ATOLL_TEST_H
#define ATOLL_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Number of random cases: `cases`, or more where ATOLL_SEEDS (a factor) asks for more. */
static inline size_t test_cases(size_t cases)
{
    const char *factor = getenv("ATOLL_SEEDS");
    const long n = factor != NULL ? strtol(factor, NULL, 10) : 1;
    return n > 1 && n <= 1000000 ? cases * (size_t)n : cases;
}

/* Seed of the random cases: ATOLL_SEED, else 1. Printed, so that a failure can be repeated. */
static inline uint64_t test_seed(void)
{
    const char *given = getenv("ATOLL_SEED");
    const uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : 1;
    (void)printf("seed %llu (ATOLL_SEED sets it)\n", (unsigned long long)seed);
    return seed;
}

/* True under valgrind: what tests timing there tests valgrind. */
static inline int test_is_slow(void)
{
    return getenv("ATOLL_SLOW") != NULL;
}

/* Makes a new scratch directory; the test removes its files and then the directory. */
static inline void test_scratch(char dir[256])
{
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(dir, 256, "%.200s/atoll-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
}

/* `x` is within `tolerance` of `expected`; says both numbers when not. */
static inline void test_close(double x, double expected, double tolerance)
{
    const double distance = x > expected ? x - expected : expected - x;
    if (!(distance <= tolerance)) {
        fail_msg("%.17g is not within %g of %.17g", x, tolerance, expected);
    }
}

#endif
