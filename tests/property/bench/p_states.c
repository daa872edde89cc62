/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ResNet-50 on the simulated board, the whole way: pipeline runner, rails, synth meter, frames,
 * time map, sums. What the meter says of the run agrees with the engine's own account: the energy
 * inside its interval, the power of each state inside its own, over many meters and boards.
 */
#include "../../unit/atoll_test.h"

#include <atoll/bench.h>
#include <atoll/zoo.h>

#include <math.h>

static struct atoll_board *board;
static struct atoll_model *model;
static struct atoll_cost *cost;

static int open_all(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    if (atoll_board_open("asus_crl_g18u", NULL, &board, &err) ||
        atoll_zoo_build("resnet50", &model, &err) ||
        atoll_cost_open(model, ATOLL_COMPILER_V16, &cost, &err)) {
        print_error("%s\n", err.text);
        return 1;
    }
    return 0;
}
static int close_all(void **state)
{
    (void)state;
    atoll_cost_close(&cost);
    atoll_model_close(&model);
    atoll_board_close(&board);
    return 0;
}

static struct atoll_plan *solve(const char *strategy, uint32_t tpus)
{
    const struct atoll_cost *const models[1] = {cost};
    struct atoll_plan_request r = atoll_plan_request_default();
    struct atoll_plan *p = NULL;
    struct atoll_err err = {0};
    r.models = models;
    r.n_models = 1;
    r.board = board;
    r.tpus = tpus;
    r.strategy = strategy;
    if (atoll_plan_solve(&r, &p, &err) || p->skipped) {
        fail_msg("%s", err.text);
    }
    return p;
}

struct truth {
    double mj; ///< of the whole board since the plan was loaded
    struct atoll_engine_state state[ATOLL_STATES];
    struct atoll_energy meter; ///< of the same time, as measured
};
/* From the marker at which loading began to the last one. */
static int measure(struct atoll_meter *m, struct atoll_energy *out, struct atoll_err *err)
{
    const int32_t n = atoll_meter_markers(m);
    for (int32_t i = 0; i < n; i++) {
        const char *label = NULL;
        uint64_t t_ns = 0;
        const int rc = atoll_meter_marker(m, i, &t_ns, &label, err);
        if (rc || strcmp(label, "load") == 0 || strcmp(label, "steady") == 0) {
            return rc ? rc : atoll_meter_energy(m, i, n - 1, NULL, out, err);
        }
    }
    return atoll_fail(err, ATOLL_EUSAGE, "no marker");
}
static struct atoll_run_result run(const struct atoll_plan *p, const char *meter,
                                   struct atoll_workload w, uint64_t seed, struct truth *truth)
{
    const struct atoll_cost *const models[1] = {cost};
    const struct atoll_device_opts d = {.board = board, .seed = seed};
    const struct atoll_meter_opts m = {.seed = seed + 1000, .keep_scans = true};
    struct atoll_run_request q = {.plan = p, .models = models, .workload = w, .seed = seed};
    struct atoll_run_result r = {0};
    struct atoll_err err = {0};
    int rc = atoll_device_open("sim", &d, &q.device, &err);
    rc = rc ? rc : atoll_run_meter_open(q.device, board, meter, &m, &q.meter, &err);
    rc = rc ? rc : atoll_run(&q, &r, &err);
    rc = rc ? rc : atoll_device_engine_mj(q.device, &truth->mj, &err);
    rc = rc ? rc : atoll_device_engine_states(q.device, truth->state, &err);
    rc = rc ? rc : measure(q.meter, &truth->meter, &err);
    atoll_meter_close(&q.meter);
    atoll_device_close(&q.device);
    if (rc) {
        fail_msg("%s", err.text);
    }
    return r;
}

static double true_w(const struct truth *t, int s)
{
    const struct atoll_engine_state *idle = &t->state[ATOLL_STATE_IDLE], *k = &t->state[s];
    return s == ATOLL_STATE_IDLE
               ? board->board_mw.value / 1e3 + board->n_tpus * idle->energy_mj / idle->tpu_s / 1e3
               : (k->energy_mj / k->tpu_s - idle->energy_mj / idle->tpu_s) / 1e3;
}

static const struct setting {
    const char *strategy;
    uint32_t tpus;
    const char *meter;
    struct atoll_workload work;
} settings[] = {
    {"single", 1, "synth", {ATOLL_WORK_LATENCY, 0, 60}},
    {"vendor", 4, "synth", {ATOLL_WORK_LATENCY, 0, 60}},
    {"vendor", 4, "synth", {ATOLL_WORK_SATURATED, 0, 60}},
    {"replicas", 8, "synth:ina228", {ATOLL_WORK_SATURATED, 0, 100}},
    {"vendor", 4, "synth:ina228", {ATOLL_WORK_SATURATED, 0, 100}},
    {"partition:4+2+2", 8, "synth", {ATOLL_WORK_POISSON, 60, 100}},
    {"vendor", 4, "synth:ina228", {ATOLL_WORK_COLD, 0, 0}},
};
enum { SETTINGS = sizeof settings / sizeof settings[0] };

/* Interval of a state: gain and zero of the meter are most of it for "idle", the run's own scatter
 * and what a single power for a state leaves out for the others. */
static void states_agree_with_the_engine(void **state)
{
    (void)state;
    const uint64_t seed = test_seed();
    const uint64_t seeds = test_cases(15);
    size_t known[ATOLL_STATES] = {0}, inside[ATOLL_STATES] = {0};
    for (size_t k = 0; k < SETTINGS; k++) {
        struct atoll_plan *p = solve(settings[k].strategy, settings[k].tpus);
        double error[ATOLL_STATES] = {0}, u95[ATOLL_STATES] = {0};
        for (uint64_t i = 0; i < seeds; i++) {
            struct truth t;
            struct atoll_run_result r = run(p, settings[k].meter, settings[k].work, seed + i, &t);
            double sum_mj = 0;
            assert_true(r.states_known);
            assert_true(fabs(r.states_shift_us) < 400);
            for (int s = 0; s < ATOLL_STATES; s++) {
                const double truth_w = true_w(&t, s), w = r.states[s].power_w;
                assert_true(isfinite(w) && r.states[s].with == -1);
                known[s]++;
                inside[s] += fabs(w - truth_w) <= r.states[s].power_u95_w;
                error[s] += (w / truth_w - 1) / (double)seeds;
                u95[s] += r.states[s].power_u95_w / truth_w / (double)seeds;
                sum_mj += r.states[s].energy_mj;
            }
            /* states, one by one, add up to what the markers say of the window */
            test_close(sum_mj / r.energy_mj, 1, 0.004);
            atoll_run_result_finish(&r);
        }
        print_message(
            "%s, %u TPUs, %s: mean error (stated) of idle %+.2f %% (%.2f), transfer %+.1f "
            "(%.0f), load %+.1f (%.0f), stream %+.1f (%.0f), compute %+.1f (%.1f)\n",
            settings[k].strategy, settings[k].tpus, settings[k].meter, 100 * error[0], 100 * u95[0],
            100 * error[1], 100 * u95[1], 100 * error[2], 100 * u95[2], 100 * error[3],
            100 * u95[3], 100 * error[4], 100 * u95[4]);
        assert_true(fabs(error[ATOLL_STATE_IDLE]) < 0.005);
        assert_true(fabs(error[ATOLL_STATE_COMPUTE]) < 0.05);
        atoll_plan_close(&p);
    }
    for (int s = 0; s < ATOLL_STATES; s++) {
        print_message("%s: inside the stated interval in %zu of %zu\n",
                      atoll_power_state_name((enum atoll_power_state)s), inside[s], known[s]);
        assert_true(inside[s] * 10 >= known[s] * 9);
    }
}

/* Whole run, from loading to the end of the cool-down, and the steady window for an inference. */
static void energy_agrees_with_the_engine(void **state)
{
    (void)state;
    const uint64_t seed = test_seed();
    const uint64_t seeds = test_cases(100);
    struct atoll_plan *p = solve("vendor", 4);
    const struct atoll_workload w = {ATOLL_WORK_SATURATED, 0, 60};
    size_t inside = 0;
    double squares = 0, stated = 0;
    for (uint64_t i = 0; i < seeds; i++) {
        struct truth t;
        struct atoll_run_result r = run(p, "synth", w, seed + i, &t);
        inside += fabs(t.meter.energy_mj - t.mj) <= t.meter.u95_mj;
        squares += pow(t.meter.energy_mj / t.mj - 1, 2) / (double)seeds;
        stated += t.meter.u95_mj / t.mj / (double)seeds;
        test_close(r.energy_idle_mj + r.energy_above_mj, r.energy_mj, 1e-9 * r.energy_mj);
        assert_true(r.energy_above_u95_mj > 0 && r.energy_above_u95_mj < r.energy_u95_mj);
        atoll_run_result_finish(&r);
    }
    print_message("engine's energy inside the stated interval in %zu of %zu; rms error %.2f %%, "
                  "stated +-%.2f %%\n",
                  inside, (size_t)seeds, 100 * sqrt(squares), 100 * stated);
    assert_true(inside * 10 >= seeds * 9);
    assert_true(stated < 3 * sqrt(squares));
    atoll_plan_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(states_agree_with_the_engine),
                                       cmocka_unit_test(energy_agrees_with_the_engine)};
    return cmocka_run_group_tests(tests, open_all, close_all);
}
