/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes are the options of a compiled operator: a list of executables, or a code. */
#include "fuzz.h"

#include <atoll/model.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct atoll_op op = {.code = ATOLL_OP_CUSTOM,
                          .custom_name = "edgetpu-custom-op",
                          .custom_options = data,
                          .custom_options_bytes = (uint32_t)size};
    const struct atoll_model m = {
        .path = "fuzz", .version = 3, .n_subgraphs = 1, .ops = &op, .n_ops = 1};
    struct atoll_compiled *c = NULL;
    struct atoll_err err = {0};
    const int rc = atoll_compiled_open(&m, &c, &err);
    if (rc != 0) {
        FUZZ_CHECK(err.code == rc && err.text[0] != 0);
        return 0;
    }
    for (uint32_t i = 0; i < c->n_packages; i++) {
        const struct atoll_package *p = &c->packages[i];
        for (uint32_t k = 0; k < p->n_exes; k++) {
            uint64_t sum = 0;
            for (uint32_t n = 0; n < p->exes[k].n_chunks; n++) {
                sum += p->exes[k].chunk_bytes[n];
            }
            FUZZ_CHECK(sum == p->exes[k].instruction_bytes);
            FUZZ_CHECK(p->exes[k].parameter_bytes <= size);
        }
    }
    atoll_compiled_close(&c);
    return 0;
}
