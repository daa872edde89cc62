/* SPDX-License-Identifier: Apache-2.0 */
/* What the laws warn of: where the real compiler fails, and outside what was ever measured. */
#include "atoll_test.h"

#include "cost_fixture.h"

/** The warning of a whole model, or of no operator at all (empty). */
static const char *warning_of(struct atoll_model *m, bool empty)
{
    struct atoll_cost *c = NULL;
    struct atoll_program p;
    struct atoll_err err = {0};
    uint32_t *ops = all_ops(m);
    assert_int_equal(atoll_cost_open(m, ATOLL_COMPILER_V16, &c, &err), 0);
    assert_int_equal(atoll_cost_program(c, ops, empty ? 0 : m->n_ops, &p, &err), 0);
    const char *warning = p.warning; /* static text */
    atoll_program_finish(&p);
    atoll_free(ops);
    atoll_cost_close(&c);
    atoll_model_close(&m);
    return warning;
}

static struct atoll_model *one_conv(int32_t size, int32_t stride, int32_t filters)
{
    struct net n;
    net_begin(&n);
    const int32_t in = net_input(&n, size, size, 3);
    const int32_t x = net_conv(&n, in, 3, stride, filters, false);
    return net_end(&n, in, &x, 1);
}

static struct atoll_model *only_host(void)
{
    struct net n;
    net_begin(&n);
    const int32_t in = net_input(&n, 8, 8, 3);
    const int32_t x = net_custom(&n, in);
    return net_end(&n, in, &x, 1);
}

static void says(const char *warning, const char *words)
{
    if (warning == NULL || strstr(warning, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", warning != NULL ? warning : "nothing", words);
    }
}

static void each_limit_has_its_sentence(void **state)
{
    (void)state;
    says(warning_of(one_conv(32, 1, 8), true), "segment is empty");
    says(warning_of(only_host(), false), "no operator of the segment maps");
    says(warning_of(one_conv(1024, 1, 32), false), "so large that the real compiler"); /* 32 MiB */
    says(warning_of(one_conv(1400, 2, 8), false), "larger than any that was ever measured");
    says(warning_of(net_conv_chain(5, 700, 64), false), "travel 4 to 9 times");
}

static void what_was_measured_carries_none(void **state)
{
    (void)state;
    assert_null(warning_of(one_conv(224, 2, 64), false));
    assert_null(warning_of(one_conv(1280, 2, 16), false));
    assert_null(warning_of(net_conv_chain(5, 400, 64), false));
    assert_null(warning_of(net_dense_chain(4, 64, 2000, 10), false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_limit_has_its_sentence),
        cmocka_unit_test(what_was_measured_carries_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
