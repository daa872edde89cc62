/* SPDX-License-Identifier: Apache-2.0 */
/* The runner on the simulated board under the simulated meter: against the plan's closed
 * formulas, the engine's own account of energy, and the meter's stated uncertainty. */
#include "../atoll_test.h"

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

struct setting {
    bool no_jitter, metered, ideal;
    uint64_t device_seed, meter_seed;
};
/* Runs once; *engine_mj (may be NULL) is the engine's account since the plan was loaded. */
static struct atoll_run_result run(const struct atoll_plan *p, struct atoll_workload w,
                                   struct setting s, double *engine_mj)
{
    const struct atoll_cost *const models[1] = {cost};
    const struct atoll_device_opts d = {
        .board = board, .seed = s.device_seed, .no_jitter = s.no_jitter};
    struct atoll_meter_rail rails[ATOLL_RAILS_MAX];
    for (uint32_t i = 0; i < board->n_rails; i++) {
        rails[i] = (struct atoll_meter_rail){board->rails[i].name, board->rails[i].volt};
    }
    const struct atoll_meter_opts m = {
        .rails = rails, .n_rails = board->n_rails, .seed = s.meter_seed, .ideal = s.ideal};
    struct atoll_run_request q = {.plan = p, .models = models, .workload = w, .seed = 1};
    struct atoll_run_result r = {0};
    struct atoll_err err = {0};
    int rc = atoll_device_open("sim", &d, &q.device, &err);
    rc = rc || !s.metered ? rc : atoll_meter_open("synth", &m, &q.meter, &err);
    rc = rc ? rc : atoll_run(&q, &r, &err);
    if (!rc && engine_mj) {
        rc = atoll_device_engine_mj(q.device, engine_mj, &err);
    }
    atoll_meter_close(&q.meter);
    atoll_device_close(&q.device);
    if (rc) {
        fail_msg("%s", err.text);
    }
    return r;
}

static const struct atoll_workload latency = {ATOLL_WORK_LATENCY, 0, 40},
                                   saturated = {ATOLL_WORK_SATURATED, 0, 80},
                                   cold = {ATOLL_WORK_COLD, 0, 0};

static void without_jitter_the_formulas_hold(void **state)
{
    (void)state;
    static const struct {
        const char *strategy;
        uint32_t tpus;
    } cases[] = {{"single", 1}, {"replicas", 4},        {"vendor", 3},
                 {"vendor", 8}, {"partition:4+3+1", 8}, {"smallest_resident", 8}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct atoll_plan *p = solve(cases[i].strategy, cases[i].tpus);
        struct atoll_run_result r = run(p, latency, (struct setting){.no_jitter = true}, NULL);
        if (fabs(r.p50_us.value / p->latency_us - 1) > 0.002) {
            fail_msg("%s on %u: latency %.2f us, computed %.2f us", cases[i].strategy,
                     cases[i].tpus, r.p50_us.value, p->latency_us);
        }
        test_close(r.stdev_us / r.mean_us, 0, 1e-3);
        assert_true(r.first_us > r.p50_us.value);
        atoll_run_result_finish(&r);
        r = run(p, saturated, (struct setting){.no_jitter = true}, NULL);
        /* The formula is a bound: it does not know how stages wait for each other's host lock. */
        const double share = r.throughput_hz / p->throughput_hz;
        if (share > 1.01 || share < (cases[i].tpus == 8 ? 0.85 : 0.95)) {
            fail_msg("%s on %u: throughput %.3f Hz, computed %.3f Hz", cases[i].strategy,
                     cases[i].tpus, r.throughput_hz, p->throughput_hz);
        }
        atoll_run_result_finish(&r);
        atoll_plan_close(&p);
    }
}

static void jitter_spreads_within_and_between_runs(void **state)
{
    (void)state;
    struct atoll_plan *p = solve("single", 1);
    double p50[8];
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct atoll_run_result r = run(p, latency, (struct setting){.device_seed = seed}, NULL);
        p50[seed] = r.p50_us.value;
        test_close(r.stdev_us / r.mean_us, board->jitter_inference_frac.value,
                   0.6 * board->jitter_inference_frac.value);
        assert_true(r.p90_us > r.p50_us.value && r.p50_us.low95 < r.p50_us.value &&
                    r.p50_us.value < r.p50_us.high95);
        struct atoll_run_result again =
            run(p, latency, (struct setting){.device_seed = seed}, NULL);
        assert_memory_equal(r.latency_us, again.latency_us, r.n * sizeof *r.latency_us);
        atoll_run_result_finish(&r);
        atoll_run_result_finish(&again);
    }
    const double between = atoll_stdev(p50, 8) / atoll_mean(p50, 8);
    assert_true(between > 0.25 * board->jitter_run_frac.value &&
                between < 3 * board->jitter_run_frac.value);
    atoll_plan_close(&p);
}

static void the_meter_agrees_with_the_engine(void **state)
{
    (void)state;
    /* Cold: the window and the cool-down are the engine's account, which begins with loading. */
    static const char *const strategies[] = {"single", "replicas", "vendor", "partition:2+1+1"};
    for (size_t i = 0; i < 4; i++) {
        struct atoll_plan *p = solve(strategies[i], 4);
        double engine_mj = 0;
        struct atoll_run_result r =
            run(p, cold, (struct setting){.metered = true, .ideal = true}, &engine_mj);
        const struct atoll_phase_result *last = &r.phases[r.n_phases - 1];
        assert_string_equal(last->name, "cool-down");
        const double mj = r.total.energy_mj + last->energy.energy_mj;
        if (!(fabs(mj / engine_mj - 1) < 0.001)) {
            fail_msg("%s: meter %.3f mJ, engine %.3f mJ", strategies[i], mj, engine_mj);
        }
        test_close(r.energy_mj, r.total.energy_mj, 1e-9);
        atoll_run_result_finish(&r);
        atoll_plan_close(&p);
    }
}

static void energy_is_about_what_the_plan_computes(void **state)
{
    (void)state;
    struct atoll_plan *p = solve("vendor", 4);
    struct atoll_run_result r = run(p, saturated, (struct setting){.metered = true}, NULL);
    test_close(r.energy_mj / p->energy_mj, 1, 0.1);
    test_close(r.energy_mj * r.throughput_hz / 1e3, r.mean_w, 1e-6 * r.mean_w);
    assert_int_equal(r.n_rails, board->n_rails);
    double sum = 0;
    for (uint32_t i = 0; i < r.n_rails; i++) {
        sum += r.rails[i].energy_mj;
    }
    test_close(sum, r.total.energy_mj, 1e-6 * sum);
    assert_true(r.idle_w > 0 && r.idle_w < r.mean_w);
    test_close(r.energy_idle_share_frac, r.idle_w / r.mean_w, 1e-12);
    atoll_run_result_finish(&r);
    atoll_plan_close(&p);
}

static void the_uncertainty_covers_the_error(void **state)
{
    (void)state;
    struct atoll_plan *p = solve("vendor", 4);
    struct atoll_run_result truth =
        run(p, latency, (struct setting){.metered = true, .ideal = true}, NULL);
    const size_t meters = test_cases(60);
    size_t covered = 0;
    double smallest = INFINITY, largest = 0;
    for (size_t i = 0; i < meters; i++) {
        struct atoll_run_result r =
            run(p, latency, (struct setting){.metered = true, .meter_seed = i}, NULL);
        covered += fabs(r.energy_mj - truth.energy_mj) <= r.energy_u95_mj;
        smallest = fmin(smallest, r.energy_mj);
        largest = fmax(largest, r.energy_mj);
        atoll_run_result_finish(&r);
    }
    assert_true(covered * 100 >=
                meters * 88);        /* 95 % stated; 88 % of 60 is 3 standard deviations below */
    assert_true(largest > smallest); /* meters do differ */
    atoll_run_result_finish(&truth);
    atoll_plan_close(&p);
}

/* One marker each: the phases follow each other without a hole, and their energies add up. */
static void phases_cover_the_run(void **state)
{
    (void)state;
    struct atoll_plan *p = solve("vendor", 4);
    struct atoll_run_result r =
        run(p, saturated, (struct setting){.metered = true, .ideal = true}, NULL);
    static const char *const names[] = {"idle", "load", "warm-up", "steady", "drain", "cool-down"};
    assert_int_equal(r.n_phases, 6);
    for (uint32_t i = 0; i < r.n_phases; i++) {
        const struct atoll_phase_result *k = &r.phases[i];
        assert_string_equal(k->name, names[i]);
        assert_true(k->to_ns > k->from_ns && (i == 0 || k->from_ns == r.phases[i - 1].to_ns));
    }
    test_close(r.phases[3].energy.energy_mj, r.total.energy_mj, 1e-9 * r.total.energy_mj);
    test_close(r.phases[0].energy.mean_w, r.idle_w, 1e-12);
    test_close(r.phases[3].energy.seconds, r.window_s, 1e-12);
    test_close(r.energy_idle_mj / r.energy_mj, r.energy_idle_share_frac, 1e-9);
    assert_false(r.states_known); /* this meter keeps no scans */
    atoll_run_result_finish(&r);
    atoll_plan_close(&p);
}

static int range(const struct atoll_plan *p, const char *meter, struct atoll_workload w,
                 double asked_frac, struct atoll_run_result *r, struct atoll_err *err)
{
    const struct atoll_cost *const models[1] = {cost};
    const struct atoll_device_opts d = {.board = board, .seed = 7};
    const struct atoll_meter_opts m = {.seed = 7, .rate_hz = 50};
    struct atoll_run_request q = {
        .plan = p, .models = models, .workload = w, .seed = 1, .energy_u95_frac = asked_frac};
    int rc = atoll_device_open("sim", &d, &q.device, err);
    rc = rc ? rc : atoll_run_meter_open(q.device, board, meter, &m, &q.meter, err);
    rc = rc ? rc : atoll_run(&q, r, err);
    atoll_meter_close(&q.meter);
    atoll_device_close(&q.device);
    return rc;
}

/* The window becomes as long as the uncertainty takes and no longer; what no window can give is
 * refused with the component in the way. */
static void ranging_chooses_the_window(void **state)
{
    (void)state;
    struct atoll_plan *p = solve("vendor", 4);
    const struct atoll_workload few = {ATOLL_WORK_SATURATED, 0, 5},
                                one = {ATOLL_WORK_LATENCY, 0, 3}, open = {ATOLL_WORK_RATE, 50, 5};
    const struct atoll_workload all[3] = {few, one, open};
    for (int i = 0; i < 3; i++) {
        struct atoll_run_result r = {0};
        struct atoll_err err = {0};
        const double asked = 0.009; /* gain gives 0.84 % for good, 50 scans/s noise beside it */
        if (range(p, "synth", all[i], asked, &r, &err)) {
            fail_msg("%s", err.text);
        }
        const double reached = r.energy_u95_mj / r.energy_mj;
        print_message("%.3g s: %.3g %%, then %.3g s of %.3g: %.3g %%\n", r.ranging.window_s,
                      100 * r.ranging.u95_frac, r.window_s, r.ranging.needed_s, 100 * reached);
        assert_true(reached <= asked);
        assert_true(r.ranging.u95_frac > asked && r.ranging.window_s < 0.6);
        assert_true(r.ranging.needed_s > r.ranging.window_s);
        assert_true(r.window_s >= r.ranging.needed_s && r.window_s < 1.2 * r.ranging.needed_s);
        assert_true(r.n > all[i].count && r.n < 10000);
        assert_string_equal(r.phases[3].name, "ranging");
        atoll_run_result_finish(&r);
    }
    struct atoll_run_result r = {0};
    struct atoll_err err = {0};
    assert_int_equal(range(p, "synth", few, 0.001, &r, &err), ATOLL_ENO);
    assert_non_null(strstr(err.text, "gain is in the way"));
    assert_int_equal(range(p, "synth", cold, 0.02, &r, &err), ATOLL_EUSAGE);
    assert_non_null(strstr(err.text, "cold"));
    assert_int_equal(range(p, "none", few, 0.02, &r, &err), ATOLL_EUSAGE);
    assert_non_null(strstr(err.text, "needs a meter"));
    assert_int_equal(range(p, "serial:/dev/ttyACM9", few, 0, &r, &err), ATOLL_EUSAGE);
    assert_non_null(strstr(err.text, "real time"));
    atoll_plan_close(&p);
}

static void shares_as_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double frac;
    } good[] = {{"2%", 0.02}, {"0.5 %", 0.005}, {"0.02", 0.02}, {"1", 1}, {"100%", 1}};
    static const char *const bad[] = {"", "%", "0", "-1%", "101%", "1.5", "2%%", "x", "2 percent"};
    struct atoll_err err = {0};
    double frac = 0;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(atoll_run_share_parse(good[i].text, &frac, &err), 0);
        test_close(frac, good[i].frac, 1e-15);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(atoll_run_share_parse(bad[i], &frac, &err), ATOLL_EUSAGE);
    }
}

static void arrivals_below_capacity_are_served_in_time(void **state)
{
    (void)state;
    struct atoll_plan *p = solve("vendor", 4);
    const struct atoll_workload slow = {ATOLL_WORK_RATE, p->throughput_hz / 4, 50},
                                fast = {ATOLL_WORK_RATE, p->throughput_hz * 1.5, 200};
    struct atoll_run_result a = run(p, slow, (struct setting){0}, NULL),
                            b = run(p, fast, (struct setting){0}, NULL);
    test_close(a.throughput_hz / slow.hz, 1, 0.05);
    assert_true(a.p90_us < 1.2 * a.p50_us.value);
    assert_true(b.latency_us[b.n - 1] > 3 * a.p50_us.value); /* the backlog counts */
    assert_true(b.throughput_hz < 1.1 * p->throughput_hz);
    atoll_run_result_finish(&a);
    atoll_run_result_finish(&b);
    atoll_plan_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_jitter_the_formulas_hold),
        cmocka_unit_test(jitter_spreads_within_and_between_runs),
        cmocka_unit_test(the_meter_agrees_with_the_engine),
        cmocka_unit_test(energy_is_about_what_the_plan_computes),
        cmocka_unit_test(the_uncertainty_covers_the_error),
        cmocka_unit_test(phases_cover_the_run),
        cmocka_unit_test(ranging_chooses_the_window),
        cmocka_unit_test(shares_as_text),
        cmocka_unit_test(arrivals_below_capacity_are_served_in_time),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
