/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include "cost_fixture.h"

#define OPS 7

static void the_parts_make_the_whole(void **state)
{
    (void)state;
    struct net n;
    net_begin(&n);
    const int32_t in = net_input(&n, 32, 32, 3);
    int32_t x = net_conv(&n, in, 3, 1, 33, false);
    x = net_conv(&n, x, 3, 1, 1024, false);
    x = net_conv(&n, net_depthwise(&n, x, 3, 2), 3, 1, 1024, false); /* 9 MiB: streams */
    x = net_dense(&n, net_mean(&n, x), 10, false);
    x = net_custom(&n, x);
    struct atoll_model *m = net_end(&n, in, &x, 1);
    assert_int_equal(m->n_ops, OPS);
    struct atoll_board *b = open_board("asus_crl_g18u");
    struct atoll_cost *c = NULL;
    struct atoll_program p;
    struct atoll_stage_cost s;
    struct atoll_layer_cost v[OPS];
    struct atoll_err err = {0};
    uint32_t *ops = all_ops(m);
    assert_int_equal(atoll_cost_open(m, ATOLL_COMPILER_V16, &c, &err), 0);
    assert_int_equal(atoll_cost_program(c, ops, OPS, &p, &err), 0);
    atoll_cost_stage_of(&p, b, NULL, &s);
    atoll_program_breakdown(&p, b, NULL, v);
    double sum = 0.0;
    for (uint32_t i = 0; i < OPS; i++) {
        sum += v[i].us;
        assert_true(v[i].waste_frac >= 0.0 && v[i].waste_frac < 1.0);
    }
    test_close(sum, s.compute_us + s.stream_us - b->stream_us.value + s.cpu_us, 1e-6);
    assert_int_equal(v[3].bound, ATOLL_BOUND_LINK);
    assert_false(v[3].on_chip);
    assert_true(v[0].on_chip);
    assert_int_equal(v[2].bound, ATOLL_BOUND_DEPTHWISE);
    assert_int_equal(v[6].bound, ATOLL_BOUND_CPU);
    assert_true(v[0].waste_frac > 0.4); /* 33 outputs in groups of 32, 3 inputs in 4 lanes */
    uint32_t top[10];
    assert_int_equal(atoll_program_costliest(v, OPS, top, 10, &err), 0);
    for (uint32_t i = 1; i < OPS; i++) {
        assert_true(v[top[i - 1]].us >= v[top[i]].us);
    }
    assert_int_equal(top[0], 3);
    atoll_free(ops);
    atoll_program_finish(&p);
    atoll_cost_close(&c);
    atoll_model_close(&m);
    atoll_board_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_parts_make_the_whole)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
