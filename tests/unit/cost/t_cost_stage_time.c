/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include "cost_fixture.h"
#include "cost_internal.h"
#include "alloc_fail.h"

static void the_latency_is_the_sum_of_its_parts(void **state)
{
    (void)state;
    struct atoll_board *b = open_board("asus_crl_g18u");
    struct atoll_model *m = net_conv_chain(5, 700, 64); /* streams */
    struct atoll_cost *c = NULL;
    struct atoll_err err = {0};
    struct atoll_stage_cost s;
    uint32_t *ops = all_ops(m);
    assert_int_equal(atoll_cost_open(m, ATOLL_COMPILER_V16, &c, &err), 0);
    assert_int_equal(atoll_cost_stage(c, b, NULL, ops, m->n_ops, &s, &err), 0);
    test_close(s.latency_us,
               s.call_us + s.input_us + s.compute_us + s.stream_us + s.output_us + s.cpu_us, 1e-6);
    assert_true(s.off_chip_bytes > 0);
    assert_true(s.latency_u95_us > 0 && s.active_mj > 0 && s.active_u95_mj > 0);
    assert_true(s.load_us > 0);
    struct atoll_use slow = {.clock = ATOLL_CLOCK_STANDARD};
    struct atoll_stage_cost t;
    assert_int_equal(atoll_cost_stage(c, b, &slow, ops, m->n_ops, &t, &err), 0);
    test_close(t.compute_us, 2 * s.compute_us, 1e-6 * s.compute_us);
    assert_int_equal(atoll_cost_stage(c, b, NULL, ops, 0, &t, &err), 0);
    assert_non_null(t.warning); /* an empty segment */
    assert_true(t.latency_us == 0.0);
    atoll_free(ops);
    atoll_cost_close(&c);
    atoll_model_close(&m);
    atoll_board_close(&b);
}

static void wrong_segments_are_refused(void **state)
{
    (void)state;
    struct atoll_board *b = open_board("usb3_x86");
    struct atoll_model *m = net_conv_chain(2, 8, 16);
    struct atoll_cost *c = NULL;
    struct atoll_err err = {0};
    struct atoll_stage_cost s;
    struct atoll_program p;
    assert_int_equal(atoll_cost_open(m, ATOLL_COMPILER_V16, &c, &err), 0);
    const uint32_t twice[] = {0, 0};
    const uint32_t beyond[] = {2};
    assert_int_equal(atoll_cost_stage(c, b, NULL, twice, 2, &s, &err), ATOLL_EUSAGE);
    assert_int_equal(atoll_cost_stage(c, b, NULL, beyond, 1, &s, &err), ATOLL_EUSAGE);
    assert_int_equal(atoll_cost_program(c, twice, 2, &p, &err), ATOLL_EUSAGE);
    assert_int_equal(atoll_cost_program(c, beyond, 1, &p, &err), ATOLL_EUSAGE);
    atoll_cost_close(&c);
    atoll_model_close(&m);
    atoll_board_close(&b);
}

static int open_and_cost(void *user)
{
    struct atoll_model *m = user;
    struct atoll_cost *c = NULL;
    struct atoll_program p = {0};
    struct atoll_err err = {0};
    static const uint32_t ops[] = {0, 1};
    int rc = atoll_cost_open(m, ATOLL_COMPILER_V16, &c, &err);
    rc = rc == 0 ? atoll_cost_program(c, ops, 2, &p, &err) : rc;
    if (rc == 0) {
        char *text = atoll_cost_compiler_log(c, &p, 1, "x.tflite", true);
        rc = text != NULL ? 0 : ATOLL_ENOMEM;
        atoll_free(text);
    }
    atoll_program_finish(&p);
    atoll_cost_close(&c);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct atoll_model *m = net_conv_chain(2, 8, 16);
    alloc_fail_check(open_and_cost, m);
    atoll_model_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_latency_is_the_sum_of_its_parts),
        cmocka_unit_test(wrong_segments_are_refused),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
