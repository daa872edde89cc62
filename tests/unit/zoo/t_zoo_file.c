/* SPDX-License-Identifier: Apache-2.0 */
/* Networks of the zoo as files: stable bytes, read back as they were, and what the Edge TPU takes.
 */
#include "atoll_test.h"

#include <atoll/zoo.h>

static struct atoll_model *build(const char *spec) {
    struct atoll_model *m = NULL;
    struct atoll_err err = {0};
    if (atoll_zoo_build(spec, &m, &err) != 0) {
        fail_msg("%s: %s", spec, err.text);
    }
    return m;
}

/* All but the detectors' tail and what the chip lacks (h-swish) maps: the point of these networks.
 */
static void what_does_not_map_is_known(void **state) {
    (void)state;
    size_t n = 0;
    const struct atoll_zoo_network *list = atoll_zoo_list(&n);
    for (size_t i = 0; i < n; i++) {
        struct atoll_model *m = build(list[i].name);
        for (uint32_t k = 0; k < m->n_ops; k++) {
            char why[256];
            const int32_t code = m->ops[k].code;
            const bool cpu = code == ATOLL_OP_HARD_SWISH || code == ATOLL_OP_CUSTOM ||
                             code == ATOLL_OP_DEQUANTIZE;
            const char *reason = atoll_op_unmapped_why(m, k, why);
            if ((reason != NULL) != cpu) {
                fail_msg("%s operator %u: %s", list[i].name, k, reason != NULL ? reason : "maps");
            }
        }
        atoll_model_close(&m);
    }
}

static void same_spec_same_file(void **state) {
    (void)state;
    static const char *const specs[] = {"mobilenet_v1?alpha=0.25&size=128", "cifar_squeezenet1_1",
                                        "dense_chain", "conv_chain", "ssd_mobilenet_v1?alpha=0.25"};
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        char first[65];
        char again[65];
        char other[65];
        char spec[120];
        struct atoll_err err = {0};
        struct atoll_model *m = build(specs[i]);
        assert_int_equal(atoll_model_sha256(m, first, &err), 0);
        atoll_model_close(&m);
        m = build(specs[i]);
        assert_int_equal(atoll_model_sha256(m, again, &err), 0);
        atoll_model_close(&m);
        assert_string_equal(first, again);
        snprintf(spec, sizeof spec, "%s%cseed=2", specs[i],
                 strchr(specs[i], '?') != NULL ? '&' : '?');
        m = build(spec);
        assert_int_equal(atoll_model_sha256(m, other, &err), 0);
        atoll_model_close(&m);
        assert_string_not_equal(first, other);
    }
}

/* Serialised, read back, the same graph. */
static void files_read_back(void **state) {
    (void)state;
    static const char *const specs[] = {"mobilenet_v2?alpha=0.35&size=96", "cifar_squeezenet1_1",
                                        "mobilenet_v3_large?alpha=0.35&size=96",
                                        "ssd_mobilenet_v2?alpha=0.35",
                                        "unet_mobilenet_v2?alpha=0.35"};
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        struct atoll_model *m = build(specs[i]);
        struct atoll_model *r = NULL;
        uint8_t *bytes = NULL;
        size_t n = 0;
        struct atoll_err err = {0};
        assert_int_equal(atoll_model_serialize(m, &bytes, &n, &err), 0);
        if (atoll_model_parse(specs[i], bytes, n, &r, &err) != 0) {
            fail_msg("%s", err.text);
        }
        assert_int_equal(r->n_ops, m->n_ops);
        assert_int_equal(r->n_tensors, m->n_tensors);
        for (uint32_t k = 0; k < m->n_ops; k++) {
            struct atoll_op_info a;
            struct atoll_op_info b;
            atoll_op_info(m, k, &a);
            atoll_op_info(r, k, &b);
            assert_int_equal(m->ops[k].code, r->ops[k].code);
            assert_memory_equal(&a, &b, sizeof a);
        }
        atoll_model_close(&r);
        atoll_model_close(&m);
        atoll_free(bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_map_is_known),
        cmocka_unit_test(same_spec_same_file),
        cmocka_unit_test(files_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
