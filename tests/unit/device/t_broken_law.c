/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated board shares no figure with the planner. This program is linked so that every call
 * of atoll_cost_stage and atoll_cost_stage_of from another file lands here, where a law can be
 * broken: every stage takes twice as long. The plan's figures move; the simulated ones stay, to
 * the event.
 */
#include "sim_fixture.h"

#include <atoll/plan.h>
#include <atoll/zoo.h>

static bool broken;
static uint32_t calls;

static void break_law(struct atoll_stage_cost *c)
{
    calls++;
    if (broken) {
        c->latency_us *= 2;
        c->service_us *= 2;
        c->busy_us *= 2;
        c->compute_us *= 2;
        c->active_mj *= 2;
    }
}

int __real_atoll_cost_stage(const struct atoll_cost *c, const struct atoll_board *b,
                            const struct atoll_use *u, const uint32_t *ops, uint32_t n,
                            struct atoll_stage_cost *out, struct atoll_err *err);
int __wrap_atoll_cost_stage(const struct atoll_cost *c, const struct atoll_board *b,
                            const struct atoll_use *u, const uint32_t *ops, uint32_t n,
                            struct atoll_stage_cost *out, struct atoll_err *err);
void __real_atoll_cost_stage_of(const struct atoll_program *p, const struct atoll_board *b,
                                const struct atoll_use *u, struct atoll_stage_cost *out);
void __wrap_atoll_cost_stage_of(const struct atoll_program *p, const struct atoll_board *b,
                                const struct atoll_use *u, struct atoll_stage_cost *out);

int __wrap_atoll_cost_stage(const struct atoll_cost *c, const struct atoll_board *b,
                            const struct atoll_use *u, const uint32_t *ops, uint32_t n,
                            struct atoll_stage_cost *out, struct atoll_err *err)
{
    const int rc = __real_atoll_cost_stage(c, b, u, ops, n, out, err);
    if (rc == 0) {
        break_law(out);
    }
    return rc;
}

void __wrap_atoll_cost_stage_of(const struct atoll_program *p, const struct atoll_board *b,
                                const struct atoll_use *u, struct atoll_stage_cost *out)
{
    __real_atoll_cost_stage_of(p, b, u, out);
    break_law(out);
}

struct figures {
    double plan_us, plan_hz;
    uint64_t events;
};

/* Plans two stages by the vendor's cut, and runs them on the board. */
static struct figures plan_and_run(const struct atoll_cost *cost, const struct atoll_board *board)
{
    struct atoll_plan_request q = atoll_plan_request_default();
    struct atoll_plan *plan = NULL;
    struct atoll_err err = {0};
    q.models = &cost;
    q.n_models = 1;
    q.board = board;
    q.tpus = 2;
    q.strategy = "vendor";
    if (atoll_plan_solve(&q, &plan, &err) != 0) {
        fail_msg("%s", err.text);
    }
    assert_null(plan->skipped);
    struct figures f = {.plan_us = plan->latency_us, .plan_hz = plan->throughput_hz};
    struct atoll_device *d = fix_open(board, 5, false);
    const struct atoll_pipeline *p = &plan->pipelines[0];
    assert_int_equal(p->n_stages, 2);
    assert_int_equal(atoll_device_begin(d, ATOLL_DRIVE_CALLED, 1, NULL), 0);
    for (uint32_t i = 0; i < p->n_stages; i++) {
        const struct atoll_device_segment s = {
            .cost = cost, .ops = p->stages[i].ops, .n_ops = p->stages[i].n_ops};
        uint32_t slot = 0;
        assert_int_equal(atoll_device_load(d, i, &s, i, &slot, NULL), 0);
        for (int k = 0; k < 20; k++) {
            const struct atoll_device_event ev = fix_run(d, slot);
            f.events = atoll_fnv1a(&ev.time_ns, sizeof ev.time_ns, f.events);
        }
    }
    atoll_device_close(&d);
    atoll_plan_close(&plan);
    return f;
}

static void the_plan_moves_the_board_stays(void **state)
{
    (void)state;
    struct atoll_model *model = NULL;
    struct atoll_cost *cost = NULL;
    struct atoll_board *board = NULL;
    assert_int_equal(atoll_zoo_build("resnet50", &model, NULL), 0);
    assert_int_equal(atoll_cost_open(model, ATOLL_COMPILER_V16, &cost, NULL), 0);
    assert_int_equal(atoll_board_open("asus_crl_g18u", NULL, &board, NULL), 0);
    broken = false;
    const struct figures right = plan_and_run(cost, board);
    broken = true;
    const struct figures wrong = plan_and_run(cost, board);
    assert_true(calls > 0);
    assert_true(wrong.plan_us > 1.9 * right.plan_us);
    assert_true(wrong.plan_hz < 0.6 * right.plan_hz);
    assert_true(wrong.events == right.events);
    atoll_board_close(&board);
    atoll_cost_close(&cost);
    atoll_model_close(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_plan_moves_the_board_stays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
