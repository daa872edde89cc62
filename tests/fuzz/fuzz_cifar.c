/* SPDX-License-Identifier: Apache-2.0 */
/* CIFAR batches: only whole records with good labels are kept, and a refused file leaves nothing.
 */
#include "fuzz.h"

#include <atoll/data.h>

static void parse(const uint8_t *data, size_t size, uint32_t label_bytes, bool allow_short)
{
    struct atoll_cifar all = {0};
    struct atoll_err err = {0};
    const uint32_t classes = label_bytes == 1 ? 10 : 100;
    for (int i = 0; i < 2; i++) { /* the second file goes behind the first */
        const size_t before = all.n;
        const int rc = atoll_cifar_parse("fuzz.bin", data, size, label_bytes, classes, allow_short,
                                         &all, &err);
        const size_t records = size / (3072 + label_bytes);
        FUZZ_CHECK(rc == 0 ? all.n - before <= records : all.n == before);
        FUZZ_CHECK(rc != 0 || allow_short || all.n - before == records);
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < all.n; i++) {
        FUZZ_CHECK(all.labels[i] < classes);
        sum += all.pixels[3072 * i] + all.pixels[3072 * i + 3071];
    }
    FUZZ_CHECK(sum <= all.n * 510);
    atoll_free(all.pixels);
    atoll_free(all.labels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (uint32_t label_bytes = 1; label_bytes <= 2; label_bytes++) {
        parse(data, size, label_bytes, false);
        parse(data, size, label_bytes, true);
    }
    return 0;
}
