/* SPDX-License-Identifier: Apache-2.0 */
/* IDX files, plain and gzipped: what is accepted has the bytes that its head says. */
#include "fuzz.h"

#include <atoll/data.h>

#include <string.h>

static void parse(const uint8_t *data, size_t size, bool allow_short)
{
    struct atoll_idx f = {0};
    struct atoll_err err = {0};
    const int rc = atoll_idx_parse("fuzz.idx", data, size, allow_short, &f, &err);
    if (rc != 0) {
        FUZZ_CHECK(f.bytes == NULL && err.code == rc && strncmp(err.text, "fuzz.idx", 8) == 0);
        return;
    }
    uint64_t sum = 0;
    for (uint64_t i = 0; i < (uint64_t)f.n * f.rows * f.columns; i++) {
        sum += f.bytes[i];
    }
    FUZZ_CHECK(sum <= (uint64_t)f.n * f.rows * f.columns * 255);
    FUZZ_CHECK(allow_short || !f.cut_short);
    atoll_free(f.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    parse(data, size, false);
    parse(data, size, true);
    return 0;
}
