/* SPDX-License-Identifier: Apache-2.0 */
/* Plans from measured stage times: a database with times made up changes the choice; other boards,
 * other models and simulated runs do not. */
#include "../atoll_test.h"

#include <atoll/bench.h>
#include <atoll/zoo.h>

#include <math.h>
#include <stdio.h>
#include <unistd.h>

static struct atoll_board *board;
static struct atoll_model *model;
static struct atoll_cost *cost;
static char db[64];

static int open_all(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    snprintf(db, sizeof db, "/tmp/atoll_t_measured_%ld.db", (long)getpid());
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
    unlink(db);
    atoll_cost_close(&cost);
    atoll_model_close(&model);
    atoll_board_close(&board);
    return 0;
}

static struct atoll_plan *solve(const char *strategy, const struct atoll_oracle *oracle)
{
    const struct atoll_cost *const models[1] = {cost};
    struct atoll_plan_request r = atoll_plan_request_default();
    struct atoll_plan *p = NULL;
    struct atoll_err err = {0};
    r.models = models;
    r.n_models = 1;
    r.board = board;
    r.tpus = 2;
    r.objective = ATOLL_OBJECTIVE_THROUGHPUT;
    r.strategy = strategy;
    r.oracle = oracle;
    r.want_sha256 = true;
    if (atoll_plan_solve(&r, &p, &err) || p->skipped) {
        fail_msg("%s: %s", strategy, err.text);
    }
    return p;
}

/* Three turns of each stage, the first of which loads, in parts of a quarter and three quarters of
 * `us`; a fourth one that the end of the timeline cuts. */
static size_t make_spans(const struct atoll_plan *p, double us, struct atoll_span *spans)
{
    size_t n = 0;
    uint64_t at = 0;
    for (uint64_t item = 0; item < 4; item++) {
        for (uint32_t s = 0; s < p->pipelines[0].n_stages; s++) {
            const uint64_t quarter = (uint64_t)(us * 1e3 / 4);
            if (item == 0) {
                spans[n++] = (struct atoll_span){at, at + 9 * quarter, s, 0, s, item, 2};
            }
            spans[n++] = (struct atoll_span){at, at + quarter, s, 0, s, item, 1};
            if (item < 3) {
                spans[n++] = (struct atoll_span){at + quarter, at + 4 * quarter, s, 0, s, item, 3};
            }
            at += 10 * quarter;
        }
        if (item == 3) {
            n -= p->pipelines[0].n_stages - 1;
        }
    }
    return n;
}

/* A database with one plan and two runs whose stages take `us` each. */
static void write_db(const struct atoll_plan *p, const char *on_board, const char *origin,
                     const char *workload, double us)
{
    struct atoll_store *s = NULL;
    struct atoll_err err = {0};
    struct atoll_span spans[64];
    char *json = NULL;
    json_t *j = atoll_plan_to_json(p);
    json = atoll_json_text(j, NULL);
    json_decref(j);
    const struct atoll_experiment_row e = {.key = "k",
                                           .name = "n",
                                           .board = on_board,
                                           .clock = "max",
                                           .runner = "python",
                                           .device = "edgetpu",
                                           .repeats = 2};
    const struct atoll_model_row m = {.spec = "a.tflite", .sha256 = p->models[0].sha256};
    const struct atoll_plan_row plan = {
        .experiment = "k", .model = "a.tflite", .strategy = "vendor", .tpus = 2, .json = json};
    unlink(db);
    assert_int_equal(atoll_store_open(db, ATOLL_STORE_WRITE, &s, &err), 0);
    assert_int_equal(atoll_store_put_experiment(s, &e, &err), 0);
    assert_int_equal(atoll_store_put_model(s, &m, &err), 0);
    assert_int_equal(atoll_store_put_plan(s, &plan, &err), 0);
    for (int64_t repeat = 0; repeat < 2; repeat++) {
        const struct atoll_run_row run = {.experiment = "k",
                                          .model = "a.tflite",
                                          .strategy = "vendor",
                                          .tpus = 2,
                                          .workload = workload,
                                          .repeat = repeat,
                                          .status = "done",
                                          .origin = origin};
        int64_t id = 0;
        assert_int_equal(atoll_store_put_run(s, &run, &id, &err), 0);
        const size_t n = make_spans(p, us * (repeat ? 1.1 : 0.9), spans);
        assert_int_equal(atoll_store_put_timeline(s, id, spans, n, &err), 0);
    }
    atoll_store_close(&s);
    atoll_free(json);
}

static struct atoll_measured *open_db(bool any)
{
    static const struct atoll_cost *models[1]; /* as long as what is opened */
    models[0] = cost;
    struct atoll_measured *m = NULL;
    struct atoll_err err = {0};
    const struct atoll_measured_request q = {.db = db,
                                             .board = board,
                                             .use = {ATOLL_CLOCK_MAX, ATOLL_RUNNER_PYTHON},
                                             .models = models,
                                             .n_models = 1,
                                             .any_origin = any};
    if (atoll_measured_open(&q, &m, &err)) {
        fail_msg("%s", err.text);
    }
    return m;
}

static bool same_first_stage(const struct atoll_plan *a, const struct atoll_plan *b)
{
    return a->pipelines[0].n_stages == b->pipelines[0].n_stages &&
           a->pipelines[0].stages[0].n_ops == b->pipelines[0].stages[0].n_ops;
}

/* The compiler's two stages, said to take 5 ms each, are what `exact` then chooses. */
static void fast_stages_are_chosen(void **state)
{
    (void)state;
    struct atoll_plan *vendor = solve("vendor", NULL), *before = solve("exact", NULL);
    uint32_t n = 0;
    assert_false(same_first_stage(vendor, before));
    write_db(vendor, "asus_crl_g18u", "measured", "saturated", 5000);
    struct atoll_measured *m = open_db(false);
    const struct atoll_measured_summary sum = atoll_measured_sum(m);
    assert_int_equal(sum.segments, 2);
    assert_int_equal(sum.runs, 2);
    assert_int_equal(sum.origin, ATOLL_ORIGIN_MEASURED);
    struct atoll_plan *after = solve("exact", atoll_measured_oracle(m));
    assert_true(same_first_stage(vendor, after));
    assert_int_equal(atoll_measured_stages(m, after, &n), 2);
    assert_int_equal(n, 2);
    assert_int_equal(atoll_measured_stages(m, before, &n), 0);
    const struct atoll_stage_cost *c = &after->pipelines[0].stages[0].cost;
    const struct atoll_stage_cost *was = &vendor->pipelines[0].stages[0].cost;
    assert_true(fabs(c->service_us - 5000) < 1);
    /* only service was seen: latency and energy go along */
    assert_true(fabs(c->latency_us / was->latency_us - c->service_us / was->service_us) < 1e-9);
    assert_true(fabs(c->active_mj / was->active_mj - c->service_us / was->service_us) < 1e-9);
    /* 4.5 and 5.5: standard deviation of the mean 0.5 ms, times t of one degree of freedom */
    assert_true(fabs(c->service_u95_us - 6353.1) < 5);
    atoll_plan_close(&after);
    atoll_plan_close(&before);
    atoll_plan_close(&vendor);
    atoll_measured_close(&m);
}

/* A best plan whose stages turn out ten times slower is left. */
static void slow_stages_are_left(void **state)
{
    (void)state;
    struct atoll_plan *vendor = solve("vendor", NULL);
    write_db(vendor, "asus_crl_g18u", "measured", "latency", 90000);
    struct atoll_measured *m = open_db(false);
    struct atoll_plan *again = solve("vendor", atoll_measured_oracle(m));
    struct atoll_plan *after = solve("exact", atoll_measured_oracle(m));
    assert_true(again->latency_us > 170000);
    assert_false(same_first_stage(vendor, after));
    assert_true(after->interval_us < again->interval_us / 3);
    atoll_plan_close(&after);
    atoll_plan_close(&again);
    atoll_plan_close(&vendor);
    atoll_measured_close(&m);
}

static void others_do_not_count(void **state)
{
    (void)state;
    struct atoll_plan *vendor = solve("vendor", NULL);
    write_db(vendor, "asus_crl_g18u", "simulated", "saturated", 5000);
    struct atoll_measured *m = open_db(false);
    assert_int_equal(atoll_measured_sum(m).segments, 0);
    atoll_measured_close(&m);
    m = open_db(true);
    assert_int_equal(atoll_measured_sum(m).segments, 2);
    assert_int_equal(atoll_measured_sum(m).origin, ATOLL_ORIGIN_SIMULATED);
    atoll_measured_close(&m);
    write_db(vendor, "usb3_x86", "measured", "saturated", 5000);
    m = open_db(true);
    assert_int_equal(atoll_measured_sum(m).segments, 0);
    atoll_measured_close(&m);
    vendor->models[0].sha256[0] ^= 1; /* another model */
    write_db(vendor, "asus_crl_g18u", "measured", "saturated", 5000);
    m = open_db(true);
    assert_int_equal(atoll_measured_sum(m).segments, 0);
    atoll_measured_close(&m);
    atoll_plan_close(&vendor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fast_stages_are_chosen),
        cmocka_unit_test(slow_stages_are_left),
        cmocka_unit_test(others_do_not_count),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
