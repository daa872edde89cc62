/* SPDX-License-Identifier: Apache-2.0 */
/* A fuzz target is one file fuzz_<name>.c with this function and seeds in corpus/<name>/. It is
 * linked with fuzz_main.c for the normal build and with libFuzzer for -Dfuzz=true. */
#ifndef ATOLL_FUZZ_H
#define ATOLL_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that does not hold ends the process where a debugger or sanitizer can see it. */
#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
