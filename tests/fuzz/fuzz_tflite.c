/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever the bytes: a model or a code. What opens can be looked at, written, read again, cut and
 * joined. */
#include "fuzz.h"

#include <atoll/model.h>

static void look(const struct atoll_model *m)
{
    bool *maps = calloc(m->n_ops + 1u, sizeof *maps);
    uint32_t *order = calloc(m->n_ops + 1u, sizeof *order);
    uint32_t cuts[4];
    FUZZ_CHECK(maps != NULL && order != NULL);
    for (uint32_t o = 0; o < m->n_ops; o++) {
        struct atoll_op_info info;
        char buf[256];
        atoll_op_info(m, o, &info);
        (void)atoll_op_unmapped_why(m, o, buf);
    }
    atoll_model_mapping(m, maps);
    if (m->n_subgraphs == 1) {
        FUZZ_CHECK(atoll_model_vendor_order(m, order, NULL) == 0);
        for (uint32_t n = 1; n <= 4; n++) {
            const int rc = atoll_model_vendor_cuts(m, n, cuts, NULL);
            FUZZ_CHECK(rc == 0 || rc == ATOLL_ENO || rc == ATOLL_EUSAGE);
        }
    }
    struct atoll_compiled *c = NULL;
    (void)atoll_compiled_open(m, &c, NULL);
    atoll_compiled_close(&c);
    free(maps);
    free(order);
}

/* What was written is read again, and is written with the same bytes. */
static void write_again(const struct atoll_model *m)
{
    uint8_t *bytes = NULL, *second = NULL;
    size_t n = 0, n_second = 0;
    const int rc = atoll_model_serialize(m, &bytes, &n, NULL);
    if (rc != 0) {
        FUZZ_CHECK(rc == ATOLL_EUNSUPPORTED || rc == ATOLL_ELIMIT);
        return;
    }
    struct atoll_model *again = NULL;
    FUZZ_CHECK(atoll_model_parse("again", bytes, n, &again, NULL) == 0);
    FUZZ_CHECK(again->n_ops == m->n_ops && again->n_tensors == m->n_tensors);
    FUZZ_CHECK(atoll_model_serialize(again, &second, &n_second, NULL) == 0);
    FUZZ_CHECK(n == n_second);
    for (size_t i = 0; i < n; i++) {
        FUZZ_CHECK(bytes[i] == second[i]);
    }
    atoll_free(second);
    atoll_model_close(&again);
    atoll_free(bytes);
}

static void cut_and_join(const struct atoll_model *m)
{
    uint32_t *seg = calloc(m->n_ops + 1u, sizeof *seg);
    struct atoll_model *pieces[2] = {NULL, NULL}, *joined = NULL;
    FUZZ_CHECK(seg != NULL);
    for (uint32_t o = 0; o < m->n_ops; o++) {
        seg[o] = o >= m->n_ops / 2;
    }
    const struct atoll_segmentation s = {2, seg};
    if (atoll_segmentation_check(m, &s, NULL) == 0) {
        for (uint32_t i = 0; i < 2; i++) {
            FUZZ_CHECK(atoll_model_segment(m, &s, i, &pieces[i], NULL) == 0);
        }
        FUZZ_CHECK(atoll_model_merge(pieces, 2, &joined, NULL) == 0);
        FUZZ_CHECK(joined->n_ops == m->n_ops);
    }
    atoll_model_close(&pieces[0]);
    atoll_model_close(&pieces[1]);
    atoll_model_close(&joined);
    free(seg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct atoll_model *m = NULL;
    struct atoll_err err = {0};
    const int rc = atoll_model_parse("fuzz", data, size, &m, &err);
    if (rc != 0) {
        FUZZ_CHECK(err.code == rc && err.text[0] != 0);
        return 0;
    }
    look(m);
    write_again(m);
    cut_and_join(m);
    atoll_model_close(&m);
    return 0;
}
