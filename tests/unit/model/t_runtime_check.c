/* SPDX-License-Identifier: Apache-2.0 */
#include "model_chain.h"

static void expect(const struct atoll_model *m, int code, const char *why)
{
    struct atoll_err err = {0};
    assert_int_equal(atoll_model_runtime_check(m, &err), code);
    if (code != 0 && strstr(err.text, why) == NULL) {
        fail_msg("'%s' does not say '%s'", err.text, why);
    }
}

static void what_a_runtime_needs(void **state)
{
    (void)state;
    struct atoll_model *m = conv_chain(2, 8);
    const float zero = 0.0f;
    expect(m, 0, NULL);
    struct atoll_tensor *y = &m->tensors[m->ops[1].outputs[0]];
    const struct atoll_quant kept = y->quant;
    y->quant.scale = &zero;
    expect(m, ATOLL_EINPUT, "quantization scale 0 is 0 (a runtime needs more than 0)");
    y->quant.n = 0;
    expect(m, ATOLL_EINPUT,
           "operator 1 (CONV_2D): output 0 'y' is INT8 without a quantization scale");
    y->quant = kept;
    expect(m, 0, NULL);
    y->bytes = UINT64_C(5) << 30;
    expect(m, ATOLL_ELIMIT, "bytes of activations");
    m->n_subgraphs = 2;
    expect(m, ATOLL_EUNSUPPORTED, "2 subgraphs");
    atoll_model_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_a_runtime_needs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
