/* SPDX-License-Identifier: Apache-2.0 */
/* Plans for rates: two models on one TPU, by hand; plan.json with shared TPUs, and hostile ones;
 * limits that no plan can keep; excluded TPUs. */
#include "plan_fixture.h"

#define RELOAD_US 5000.0

/* Every stage takes 1 ms, keeps ten bytes and needs 1 mJ; a second operator 9 ms more. */
static int fixed_stage(void *user, uint32_t model, const uint32_t *ops, uint32_t n,
                       struct atoll_stage_cost *out, struct atoll_err *err)
{
    (void)user;
    (void)model;
    (void)ops;
    (void)err;
    const double us = n > 1 ? 10000 : 1000;
    *out = (struct atoll_stage_cost){.service_us = us,
                                     .latency_us = us,
                                     .load_us = RELOAD_US,
                                     .on_chip_bytes = 10,
                                     .active_mj = 1};
    return 0;
}

struct two {
    struct atoll_model *model[2];
    struct atoll_cost *cost[2];
    const struct atoll_cost *models[2];
    struct atoll_board board;
    struct atoll_oracle oracle;
    double rates_hz[2], deadlines_us[2];
    struct atoll_plan_request request;
};

static void two_open(struct two *t, uint32_t n_ops, uint32_t tpus)
{
    static const uint32_t weights[2] = {10, 10};
    struct atoll_err err = {0};
    memset(t, 0, sizeof *t);
    for (int i = 0; i < 2; i++) {
        t->model[i] = chain_model(weights, n_ops);
        assert_int_equal(atoll_cost_open(t->model[i], ATOLL_COMPILER_V16, &t->cost[i], &err), 0);
        t->models[i] = t->cost[i];
    }
    t->board = free_board(tpus);
    t->board.transfer_mw.value = 300;
    t->oracle = (struct atoll_oracle){.stage = fixed_stage};
    t->rates_hz[0] = 20;
    t->rates_hz[1] = 10;
    t->request = atoll_plan_request_default();
    t->request.models = t->models;
    t->request.n_models = 2;
    t->request.board = &t->board;
    t->request.tpus = tpus;
    t->request.strategy = "exact";
    t->request.objective = ATOLL_OBJECTIVE_ENERGY;
    t->request.oracle = &t->oracle;
    t->request.rates_hz = t->rates_hz;
    t->request.deadlines_us = t->deadlines_us;
}

static void two_close(struct two *t)
{
    for (int i = 0; i < 2; i++) {
        atoll_cost_close(&t->cost[i]);
        atoll_model_close(&t->model[i]);
    }
}

static struct atoll_plan *two_solve(struct two *t)
{
    struct atoll_err err = {0};
    struct atoll_plan *p = NULL;
    if (atoll_plan_solve(&t->request, &p, &err)) {
        fail_msg("%s", err.text);
    }
    return p;
}

/* The first model finds the other's parameters at most every second time, the second always. */
static void two_models_on_one_tpu(void **state)
{
    (void)state;
    struct two t;
    two_open(&t, 1, 1);
    struct atoll_plan *p = two_solve(&t);
    assert_null(p->skipped);
    assert_int_equal(p->n_pipelines, 2);
    assert_int_equal(p->tpus_used, 1);
    assert_int_equal(p->pipelines[0].sharing, ATOLL_SHARING_RELOAD);
    assert_int_equal(p->pipelines[0].group, p->pipelines[1].group);
    assert_close(p->pipelines[0].reload_frac, 0.5);
    assert_close(p->pipelines[1].reload_frac, 1);
    const double busy = (20 * (1000 + 0.5 * RELOAD_US) + 10 * (1000 + RELOAD_US)) * 1e-6;
    assert_close(p->headroom, 0.9 / busy);
    assert_close(p->models[0].latency_us, 1000 + 0.5 * RELOAD_US);
    assert_close(p->models[0].latency_worst_us, 1000 + RELOAD_US);
    assert_close(p->models[1].latency_us, 1000 + RELOAD_US);
    assert_close(p->latency_mean_us, (2 * 3500.0 + 6000) / 3);
    /* board 1000, idle 100, 30 inferences of 1 mJ, 20 reloads of 200 mW for 5 ms */
    assert_close(p->power_w, 1.15);
    assert_close(p->gap_frac, 0);
    /* what is left of the TPU for each: its time an inference is 3.5 ms, 6 ms */
    assert_close(p->models[0].capacity_hz, (0.9 - 0.06) / 3500e-6);
    assert_close(p->models[1].capacity_hz, (0.9 - 0.07) / 6000e-6);
    atoll_plan_close(&p);
    /* A second TPU spares the reloads. */
    two_close(&t);
    two_open(&t, 1, 2);
    p = two_solve(&t);
    assert_int_equal(p->tpus_used, 2);
    assert_close(p->headroom, 0.9 / 0.02);
    assert_close(p->power_w, 1.23);
    atoll_plan_close(&p);
    two_close(&t);
}

static void shares_without_rates(void **state)
{
    (void)state;
    struct two t;
    two_open(&t, 1, 2);
    t.request.rates_hz = NULL;
    t.request.objective = ATOLL_OBJECTIVE_THROUGHPUT;
    struct atoll_plan *p = two_solve(&t);
    assert_null(p->skipped);
    /* Alone each could do 2000 /s on two TPUs, together each half of that. */
    assert_close(p->models[0].rate_hz, 1000);
    assert_close(p->models[1].rate_hz, 1000);
    assert_close(p->headroom, 1);
    atoll_plan_close(&p);
    two_close(&t);
}

static void excluded_tpus(void **state)
{
    (void)state;
    struct two t;
    struct atoll_err err = {0};
    struct atoll_plan *p = NULL;
    two_open(&t, 1, 4);
    t.request.without = 1u << 0 | 1u << 2;
    assert_int_equal(atoll_plan_solve(&t.request, &p, &err), ATOLL_EUSAGE);
    t.request.tpus = 2;
    p = two_solve(&t);
    for (uint32_t i = 0; i < p->n_pipelines; i++) {
        for (uint32_t k = 0; k < p->pipelines[i].stages[0].n_tpus; k++) {
            const uint32_t tpu = p->pipelines[i].stages[0].tpus[k];
            assert_true(tpu == 1 || tpu == 3);
        }
    }
    atoll_plan_close(&p);
    two_close(&t);
}

/* Each limit by itself, and the nearest value that could be kept. */
static void what_blocks(void **state)
{
    (void)state;
    struct two t;
    two_open(&t, 1, 2);
    t.deadlines_us[0] = t.deadlines_us[1] = 500;
    struct atoll_plan *p = two_solve(&t);
    assert_non_null(p->skipped);
    assert_non_null(strstr(p->skipped,
                           "deadline of 0.5 ms: the least latency of the slowest model is "
                           "1 ms"));
    atoll_plan_close(&p);
    t.deadlines_us[0] = t.deadlines_us[1] = 0;
    t.request.max_w = 1.1;
    p = two_solve(&t);
    assert_non_null(strstr(p->skipped, "power of 1.1 W: the least is 1.23 W"));
    atoll_plan_close(&p);
    t.request.max_w = 0;
    /* Best on both TPUs together: (5000 x 1.01 ms + 10 x 6 ms) / 2 TPUs = 2.555. */
    t.rates_hz[0] = 5000;
    p = two_solve(&t);
    assert_non_null(p->skipped);
    assert_non_null(
        strstr(p->skipped, "rates of 5000, 10 /s: at most 1761, 3.523 /s (0.352 of them)"));
    atoll_plan_close(&p);
    two_close(&t);
}

static void absurd_requests(void **state)
{
    (void)state;
    struct two t;
    struct atoll_err err = {0};
    struct atoll_plan *p = NULL;
    two_open(&t, 1, 2);
    const double bad_hz[] = {0, -1, NAN, INFINITY, 1e300};
    for (size_t i = 0; i < sizeof bad_hz / sizeof bad_hz[0]; i++) {
        t.rates_hz[1] = bad_hz[i];
        assert_int_equal(atoll_plan_solve(&t.request, &p, &err), ATOLL_EUSAGE);
    }
    t.rates_hz[1] = 10;
    const double bad_frac[] = {0, -1, 1.5, NAN};
    for (size_t i = 0; i < sizeof bad_frac / sizeof bad_frac[0]; i++) {
        t.request.utilisation_max_frac = bad_frac[i];
        assert_int_equal(atoll_plan_solve(&t.request, &p, &err), ATOLL_EUSAGE);
    }
    t.request.utilisation_max_frac = 0.9;
    const struct atoll_together bad[] = {{2, 0, 0}, {0, 1, 0}, {0, 0, 5}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        t.request.together = &bad[i];
        t.request.n_together = 1;
        assert_int_equal(atoll_plan_solve(&t.request, &p, &err), ATOLL_EUSAGE);
    }
    two_close(&t);
}

/* ------------------------------------------------------------------------ plan.json */

static json_t *shared_json(void)
{
    struct two t;
    two_open(&t, 1, 1);
    t.deadlines_us[0] = 7000;
    t.request.then[t.request.n_then++] = ATOLL_OBJECTIVE_LATENCY;
    t.request.tolerance_frac = 0.1;
    struct atoll_plan *p = two_solve(&t);
    json_t *j = atoll_plan_to_json(p);
    atoll_plan_close(&p);
    two_close(&t);
    return j;
}

static void round_trip(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    struct atoll_plan *p = NULL;
    json_t *j = shared_json();
    if (atoll_plan_from_json("x", j, &p, &err)) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(p->n_models, 2); /* the same path twice */
    assert_int_equal(p->pipelines[1].model, 1);
    assert_int_equal(p->tpus_used, 1);
    assert_close(p->models[1].rate_hz, 10);
    json_t *again = atoll_plan_to_json(p);
    assert_true(json_equal(j, again));
    json_decref(again);
    atoll_plan_close(&p);
    json_decref(j);
}

static void refused(const char *where, json_t *j, const char *said)
{
    struct atoll_err err = {0};
    struct atoll_plan *p = NULL;
    const int code = atoll_plan_from_json("x", j, &p, &err);
    if (code != ATOLL_EINPUT || !strstr(err.text, said)) {
        fail_msg("%s: code %d, \"%s\", expected \"%s\"", where, code, err.text, said);
    }
    json_decref(j);
}

static json_t *pipe_of(json_t *j, size_t i)
{
    return json_array_get(json_object_get(j, "pipelines"), i);
}

static void hostile_files(void **state)
{
    (void)state;
    json_t *j = shared_json();
    json_object_set_new(pipe_of(j, 1), "sharing", json_string("own"));
    refused("own TPUs twice", j, "TPUs that no other stage has");
    j = shared_json();
    json_object_set_new(pipe_of(j, 1), "group", json_integer(5));
    refused("another group", j, "or those of its group");
    j = shared_json();
    json_object_set_new(pipe_of(j, 1), "group", json_integer(64));
    refused("a group too far", j, "group");
    j = shared_json();
    json_object_set_new(pipe_of(j, 1), "sharing", json_string("borrowed"));
    refused("a way of sharing", j, "own, reload or co_compiled");
    j = shared_json();
    json_object_set_new(pipe_of(j, 0), "reload_frac", json_real(1.5));
    refused("reloads", j, "reload_frac");
    j = shared_json();
    json_object_set_new(json_object_get(pipe_of(j, 0), "model"), "number", json_integer(2));
    refused("a model too far", j, "the place of this model");
    j = shared_json();
    json_object_set_new(json_array_get(json_object_get(j, "models"), 0), "rate_hz", json_real(0));
    refused("a rate of nothing", j, "rates above 0");
    j = shared_json();
    json_object_set_new(json_array_get(json_object_get(j, "models"), 1), "rate_hz", json_null());
    refused("a rate missing", j, "rates of all models or of none");
    j = shared_json();
    json_object_set_new(j, "models", json_array());
    refused("no models", j, "a list of 1 to 64 models");
    j = shared_json();
    json_object_set_new(j, "then", json_pack("[s]", "speed"));
    refused("an objective", j, "latency, throughput or energy");
    j = shared_json();
    json_object_set_new(json_object_get(j, "limits"), "without", json_pack("[i]", 64));
    refused("a TPU too far", j, "TPUs from 0 to 63");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_models_on_one_tpu), cmocka_unit_test(shares_without_rates),
        cmocka_unit_test(excluded_tpus),         cmocka_unit_test(what_blocks),
        cmocka_unit_test(absurd_requests),       cmocka_unit_test(round_trip),
        cmocka_unit_test(hostile_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
