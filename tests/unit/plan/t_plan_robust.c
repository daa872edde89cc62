/* SPDX-License-Identifier: Apache-2.0 */
/* Does the best plan stay the best: certain winners, ties, toss-ups, reproducible draws. */
#include "plan_fixture.h"

#include <atoll/zoo.h>

static const double times_us[4] = {4000, 4000, 4000, 4000};
static const uint32_t weights[4] = {2, 2, 2, 2};

static void open_two(struct fixture *f, double host_us)
{
    fixture_open(f, times_us, weights, 4, 2);
    f->table.host_us = host_us;
}

static uint32_t index_of(const struct atoll_comparison *c, const char *strategy)
{
    for (uint32_t i = 0; i < c->n_plans; i++) {
        if (strcmp(c->plans[i]->strategy, strategy) == 0) {
            return i;
        }
    }
    fail_msg("no %s", strategy);
    return 0;
}

/* One TPU takes 16 ms, two stages 8 and 8 with 8 ms more of host: by latency one TPU wins by a
 * third, whatever the draw; figures are untouched afterwards. */
static void certain_winner(void **state)
{
    (void)state;
    struct fixture f;
    struct atoll_comparison c = {0};
    struct atoll_robustness b = {0};
    struct atoll_err err = {0};
    open_two(&f, 8000);
    f.request.objective = ATOLL_OBJECTIVE_LATENCY;
    assert_int_equal(atoll_plan_compare(&f.request, &c, &err), 0);
    const uint32_t single = index_of(&c, "single"), vendor = index_of(&c, "vendor");
    const double before_us = c.plans[vendor]->latency_us;
    const struct atoll_robust_opts o = {.error_frac = 0.1, .draws = 500, .seed = 7};
    assert_int_equal(atoll_plan_robustness(&f.request, &o, &c, &b, &err), 0);
    assert_int_equal(b.n_rows, c.n_plans);
    assert_close(b.rows[single].won_frac, 1);
    assert_close(b.rows[single].regret_worst_frac, 0);
    assert_close(b.rows[vendor].won_frac, 0);
    assert_true(b.rows[vendor].regret_mean_frac > 0.25 && b.rows[vendor].regret_mean_frac < 0.42);
    assert_true(b.rows[vendor].regret_worst_frac >= b.rows[vendor].regret_mean_frac);
    assert_close(c.plans[vendor]->latency_us, before_us);
    atoll_robustness_finish(&b);
    atoll_comparison_finish(&c);
    fixture_close(&f);
}

/* Two stages of 8 ms each on two TPUs serve as fast as two copies of 16: errors of the segments
 * decide, the whole has one error, the slower of two stages mostly a larger one. */
static void toss_up(void **state)
{
    (void)state;
    struct fixture f;
    struct atoll_comparison c = {0};
    struct atoll_robustness b = {0}, again = {0};
    struct atoll_err err = {0};
    open_two(&f, 0);
    f.request.objective = ATOLL_OBJECTIVE_THROUGHPUT;
    assert_int_equal(atoll_plan_compare(&f.request, &c, &err), 0);
    const uint32_t copies = index_of(&c, "replicas"), cut = index_of(&c, "vendor");
    struct atoll_robust_opts o = {.error_frac = 0.1, .draws = 2000, .seed = 7};
    assert_int_equal(atoll_plan_robustness(&f.request, &o, &c, &b, &err), 0);
    /* the larger of two even errors is above a third one in two of three cases */
    assert_true(fabs(b.rows[copies].won_frac - 2.0 / 3) < 0.05);
    assert_true(fabs(b.rows[cut].won_frac - 1.0 / 3) < 0.05);
    assert_true(b.rows[cut].regret_worst_frac < 0.11);
    assert_int_equal(atoll_plan_robustness(&f.request, &o, &c, &again, &err), 0);
    assert_memory_equal(b.rows, again.rows, b.n_rows * sizeof *b.rows);
    atoll_robustness_finish(&again);
    o.seed = 8;
    assert_int_equal(atoll_plan_robustness(&f.request, &o, &c, &again, &err), 0);
    assert_true(memcmp(b.rows, again.rows, b.n_rows * sizeof *b.rows) != 0);
    atoll_robustness_finish(&again);
    atoll_robustness_finish(&b);
    atoll_comparison_finish(&c);
    fixture_close(&f);
}

/* Without errors the best has no regret, and plans of other boards are those of this one. */
static void no_errors(void **state)
{
    (void)state;
    struct fixture f;
    struct atoll_comparison c = {0};
    struct atoll_robustness b = {0};
    struct atoll_err err = {0};
    open_two(&f, 1000);
    f.request.objective = ATOLL_OBJECTIVE_ENERGY;
    assert_int_equal(atoll_plan_compare(&f.request, &c, &err), 0);
    const struct atoll_robust_opts o = {.error_frac = 0, .draws = 3};
    assert_int_equal(atoll_plan_robustness(&f.request, &o, &c, &b, &err), 0);
    const int32_t best = c.best[ATOLL_OBJECTIVE_ENERGY];
    assert_close(b.rows[best].won_frac, 1);
    assert_close(b.rows[best].regret_worst_frac, 0);
    assert_close(b.rows[b.least_mean].regret_mean_frac, 0);
    assert_close(b.rows[b.least_worst].regret_worst_frac, 0);
    atoll_robustness_finish(&b);
    const struct atoll_robust_opts bad = {.error_frac = 0.95, .draws = 3};
    assert_int_equal(atoll_plan_robustness(&f.request, &bad, &c, &b, &err), ATOLL_EUSAGE);
    atoll_comparison_finish(&c);
    fixture_close(&f);
}

/* A real network: plans solved for other boards join, with figures of this board, never better than
 * the proven best, and the least regret is at most that of the best plan. */
static void other_boards(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    struct atoll_board *board = NULL;
    struct atoll_model *model = NULL;
    struct atoll_cost *cost = NULL;
    struct atoll_comparison c = {0};
    struct atoll_robustness b = {0};
    assert_int_equal(atoll_board_open("asus_crl_g18u", NULL, &board, &err), 0);
    assert_int_equal(atoll_zoo_build("resnet50", &model, &err), 0);
    assert_int_equal(atoll_cost_open(model, ATOLL_COMPILER_V16, &cost, &err), 0);
    const struct atoll_cost *const models[1] = {cost};
    struct atoll_plan_request r = atoll_plan_request_default();
    r.models = models;
    r.n_models = 1;
    r.board = board;
    r.tpus = 4;
    r.objective = ATOLL_OBJECTIVE_THROUGHPUT;
    assert_int_equal(atoll_plan_compare(&r, &c, &err), 0);
    const uint32_t before = c.n_plans;
    const struct atoll_robust_opts o = {.error_frac = 0.3, .draws = 50, .resolves = 6, .seed = 1};
    assert_int_equal(atoll_plan_robustness(&r, &o, &c, &b, &err), 0);
    assert_true(c.n_plans > before);
    const int32_t best = c.best[ATOLL_OBJECTIVE_THROUGHPUT];
    for (uint32_t i = before; i < c.n_plans; i++) {
        assert_non_null(strstr(c.plans[i]->strategy, "exact:throughput:draw="));
        assert_true(c.plans[i]->interval_us >= c.plans[best]->interval_us * (1 - 1e-9));
        assert_true(isnan(c.plans[i]->gap_frac));
    }
    assert_true(b.rows[b.least_mean].regret_mean_frac <= b.rows[best].regret_mean_frac);
    assert_true(b.rows[b.least_worst].regret_worst_frac <= b.rows[best].regret_worst_frac);
    atoll_robustness_finish(&b);
    atoll_comparison_finish(&c);
    atoll_cost_close(&cost);
    atoll_model_close(&model);
    atoll_board_close(&board);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certain_winner),
        cmocka_unit_test(toss_up),
        cmocka_unit_test(no_errors),
        cmocka_unit_test(other_boards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
