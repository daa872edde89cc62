/* SPDX-License-Identifier: Apache-2.0 */
/* Where edgetpu_compiler --num_segments cuts networks of the zoo. SSD MobileNet v1: the published
 * segment files of google-coral/test_data. Chains: every row of the Jorgitou98 sweep from 32 to 692
 * filters is cut 2|3, 2|1|2, 1|1|1|2 layers; dense chains 2|3, 1|1|3, and no cut into four
 * (google-coral/edgetpu issue 669). */
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

/* Per segment of the vendor's cut: operators with weights, and their bytes. Returns the code. */
static int cut(const char *spec, uint32_t n, uint32_t layers[8], uint64_t bytes[8]) {
    struct atoll_model *m = build(spec);
    struct atoll_err err = {0};
    uint32_t cuts[8];
    uint32_t *order = atoll_calloc(m->n_ops, sizeof *order);
    assert_non_null(order);
    assert_int_equal(atoll_model_vendor_order(m, order, &err), 0);
    const int code = atoll_model_vendor_cuts(m, n, cuts, &err);
    memset(layers, 0, 8 * sizeof *layers);
    memset(bytes, 0, 8 * sizeof *bytes);
    uint32_t segment = 0;
    for (uint32_t i = 0; code == 0 && i < m->n_ops; i++) {
        while (segment + 1 < n && i >= cuts[segment]) {
            segment++;
        }
        struct atoll_op_info info;
        atoll_op_info(m, order[i], &info);
        layers[segment] += info.weight_bytes > 0 ? 1 : 0;
        bytes[segment] += info.weight_bytes + info.bias_bytes;
    }
    atoll_free(order);
    atoll_model_close(&m);
    return code;
}

static void ssd_v1_is_cut_as_published(void **state) {
    (void)state;
    uint32_t layers[8];
    uint64_t bytes[8];
    assert_int_equal(cut("ssd_mobilenet_v1", 2, layers, bytes), 0);
    assert_int_equal(layers[0], 27);
    assert_int_equal(bytes[0], 3228864);
    assert_int_equal(bytes[1], 3625724);
    assert_int_equal(cut("ssd_mobilenet_v1", 3, layers, bytes), 0);
    assert_int_equal(bytes[0], 2176192);
    assert_int_equal(bytes[1], 1315840);
    assert_int_equal(bytes[2], 3362556);
}

static void conv_chains_are_cut_as_published(void **state) {
    (void)state;
    static const uint32_t expected[3][4] = {{2, 3, 0, 0}, {2, 1, 2, 0}, {1, 1, 1, 2}};
    for (int filters = 32; filters <= 692; filters += 10) {
        char spec[64];
        snprintf(spec, sizeof spec, "conv_chain?filters=%d", filters);
        for (uint32_t n = 2; n <= 4; n++) {
            uint32_t layers[8];
            uint64_t bytes[8];
            assert_int_equal(cut(spec, n, layers, bytes), 0);
            assert_memory_equal(layers, expected[n - 2], sizeof expected[0]);
        }
    }
}

static void conv_chain_602_in_bytes(void **state) {
    (void)state;
    uint32_t layers[8];
    uint64_t bytes[8];
    assert_int_equal(cut("conv_chain?filters=602", 2, layers, bytes), 0);
    assert_int_equal(bytes[0], 3282706);
    assert_int_equal(bytes[1], 9792132);
}

static void dense_chains_are_cut_as_published(void **state) {
    (void)state;
    static const uint32_t expected[2][3] = {{2, 3, 0}, {1, 1, 3}};
    for (int units = 100; units <= 2620; units += 280) {
        char spec[64];
        uint32_t layers[8];
        uint64_t bytes[8];
        snprintf(spec, sizeof spec, "dense_chain?units=%d", units);
        for (uint32_t n = 2; n <= 3; n++) {
            assert_int_equal(cut(spec, n, layers, bytes), 0);
            assert_memory_equal(layers, expected[n - 2], sizeof expected[0]);
        }
        assert_int_equal(cut(spec, 4, layers, bytes), ATOLL_ENO);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ssd_v1_is_cut_as_published),
        cmocka_unit_test(conv_chains_are_cut_as_published),
        cmocka_unit_test(conv_chain_602_in_bytes),
        cmocka_unit_test(dense_chains_are_cut_as_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
