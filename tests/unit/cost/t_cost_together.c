/* SPDX-License-Identifier: Apache-2.0 */
/* Models that share a TPU: one cache when compiled together, a reload at a switch when not. */
#include "atoll_test.h"

#include "alloc_fail.h"
#include "cost_fixture.h"

enum { MODELS = 3 };

struct bed {
    struct atoll_model *m[MODELS];
    struct atoll_cost *c[MODELS];
};

/** 3.5 MiB, 5 MiB and 0.6 MiB of parameters in layers of equal size. */
static struct bed open_bed(void)
{
    static const int32_t filters[MODELS] = {320, 384, 128};
    struct bed b;
    struct atoll_err err = {0};
    for (int i = 0; i < MODELS; i++) {
        b.m[i] = net_conv_chain(5, filters[i], 32);
        assert_int_equal(atoll_cost_open(b.m[i], ATOLL_COMPILER_V16, &b.c[i], &err), 0);
    }
    return b;
}

static void close_bed(struct bed *b)
{
    for (int i = 0; i < MODELS; i++) {
        atoll_cost_close(&b->c[i]);
        atoll_model_close(&b->m[i]);
    }
}

static struct atoll_program alone(const struct atoll_cost *c)
{
    struct atoll_program p;
    struct atoll_err err = {0};
    uint32_t *ops = all_ops(atoll_cost_model(c));
    assert_int_equal(atoll_cost_program(c, ops, atoll_cost_model(c)->n_ops, &p, &err), 0);
    atoll_free(ops);
    return p;
}

static void the_first_is_served_first(void **state)
{
    (void)state;
    struct bed b = open_bed();
    struct atoll_program p[MODELS];
    struct atoll_err err = {0};
    const struct atoll_cost *const order[] = {b.c[0], b.c[1], b.c[2]};
    const struct atoll_cost *const other[] = {b.c[1], b.c[0], b.c[2]};
    struct atoll_program first = alone(b.c[0]);
    struct atoll_program second = alone(b.c[1]);
    assert_int_equal(atoll_cost_programs_together(order, MODELS, p, &err), 0);
    assert_int_equal(p[0].on_chip_bytes, first.on_chip_bytes); /* as if it were alone */
    assert_int_equal(p[0].off_chip_bytes, 0);
    assert_int_equal(p[1].budget_bytes, p[0].budget_bytes - p[0].on_chip_bytes);
    assert_int_equal(p[2].budget_bytes, p[1].budget_bytes - p[1].on_chip_bytes);
    assert_true(p[1].off_chip_bytes > 0 && p[1].on_chip_bytes > 0); /* whole layers of it fit */
    assert_int_equal(p[1].stored_bytes, second.stored_bytes);
    assert_non_null(strstr(p[1].budget_why, "compiled with it"));
    for (int i = 0; i < MODELS; i++) {
        atoll_program_finish(&p[i]);
    }
    assert_int_equal(atoll_cost_programs_together(other, MODELS, p, &err), 0);
    assert_int_equal(p[0].off_chip_bytes, 0);
    assert_true(p[1].off_chip_bytes > 0);
    for (int i = 0; i < MODELS; i++) {
        atoll_program_finish(&p[i]);
    }
    atoll_program_finish(&first);
    atoll_program_finish(&second);
    close_bed(&b);
}

static void one_model_is_itself(void **state)
{
    (void)state;
    struct bed b = open_bed();
    struct atoll_program p;
    struct atoll_program q = alone(b.c[1]);
    struct atoll_err err = {0};
    const struct atoll_cost *const one[] = {b.c[1]};
    assert_int_equal(atoll_cost_programs_together(one, 1, &p, &err), 0);
    assert_int_equal(p.on_chip_bytes, q.on_chip_bytes);
    assert_int_equal(p.budget_bytes, q.budget_bytes);
    assert_string_equal(p.budget_why, q.budget_why);
    atoll_program_finish(&p);
    atoll_program_finish(&q);
    close_bed(&b);
}

/** The formula against a long random sequence of inferences, counted one by one. */
static void the_mean_is_that_of_a_sequence(void **state)
{
    (void)state;
    static const double share[] = {0.5, 0.3, 0.2};
    struct atoll_stage_cost apart[MODELS] = {{.latency_us = 1000, .load_us = 9000},
                                             {.latency_us = 400, .load_us = 12000},
                                             {.latency_us = 2500, .load_us = 15000}};
    struct atoll_stage_cost together[MODELS] = {
        {.latency_us = 1000}, {.latency_us = 1400}, {.latency_us = 5500}};
    struct atoll_shared_cost s;
    struct atoll_rng r;
    double random_us = 0;
    double together_us = 0;
    int last = -1;
    enum { COUNT = 400000 };
    atoll_rng_seed(&r, 7);
    for (int i = 0; i < COUNT; i++) {
        const double u = atoll_rng_unit(&r);
        const int m = u < 0.5 ? 0 : u < 0.8 ? 1 : 2;
        random_us += apart[m].latency_us + (m != last ? apart[m].load_us : 0);
        together_us += together[m].latency_us;
        last = m;
    }
    atoll_cost_shared(together, apart, share, MODELS, &s);
    test_close(s.apart_random_us, random_us / COUNT, 0.01 * s.apart_random_us);
    test_close(s.together_us, together_us / COUNT, 0.01 * s.together_us);
    test_close(s.apart_turns_us, 0.5 * 10000 + 0.3 * 12400 + 0.2 * 17500, 1e-9);
    test_close(s.reload_us, 0.5 * 9000 + 0.3 * 12000 + 0.2 * 15000, 1e-9);
    atoll_cost_shared(together, apart, &(const double){1.0}, 1, &s);
    test_close(s.apart_random_us, 1000, 1e-9);
    test_close(s.apart_turns_us, 1000, 1e-9);
}

static void all_blocks_of_the_log_say_what_the_set_leaves(void **state)
{
    (void)state;
    struct bed b = open_bed();
    struct atoll_program p[2];
    struct atoll_err err = {0};
    const struct atoll_cost *const order[] = {b.c[0], b.c[2]};
    static const char *const names[] = {"a.tflite", "b.tflite"};
    assert_int_equal(atoll_cost_programs_together(order, 2, p, &err), 0);
    char *log = atoll_cost_compiler_log_together(order, p, names, 2, false);
    assert_non_null(log);
    char left[64];
    char line[128];
    atoll_format_bytes(left, p[1].budget_bytes - p[1].on_chip_bytes);
    (void)snprintf(line, sizeof line, "On-chip memory remaining for caching model parameters: %s\n",
                   left);
    const char *one = strstr(log, line);
    assert_non_null(one);
    assert_non_null(strstr(one + 1, line));
    assert_non_null(strstr(log, "Input model: a.tflite"));
    assert_non_null(strstr(log, "Input model: b.tflite"));
    atoll_free(log);
    atoll_program_finish(&p[0]);
    atoll_program_finish(&p[1]);
    close_bed(&b);
}

static int together(void *user)
{
    const struct bed *b = user;
    const struct atoll_cost *const order[] = {b->c[0], b->c[1], b->c[2]};
    struct atoll_program p[MODELS];
    struct atoll_err err = {0};
    const int rc = atoll_cost_programs_together(order, MODELS, p, &err);
    for (int i = 0; i < MODELS && rc == 0; i++) {
        atoll_program_finish(&p[i]);
    }
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct bed b = open_bed();
    alloc_fail_check(together, &b);
    close_bed(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_served_first),
        cmocka_unit_test(one_model_is_itself),
        cmocka_unit_test(the_mean_is_that_of_a_sequence),
        cmocka_unit_test(all_blocks_of_the_log_say_what_the_set_leaves),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
