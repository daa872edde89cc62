/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Absurd sizes end quickly, in a plan with a bound: a chain of 10 000 operators, wide random
 * graphs, 2000 operators without an edge, on up to 64 TPUs. The search is limited by counted work,
 * so that these take the same path on every machine; the test's own time limit is the harness's.
 */
#include "../../unit/plan/plan_fixture.h"

#include <stdlib.h>

#define OPS_MAX 10000

struct large {
    uint32_t n;
    double compute_us[OPS_MAX], weight[OPS_MAX];
    uint64_t calls;
};

/* What does not fit into 1000 units of cache costs a microsecond a unit; a call costs 50. */
static int large_stage(void *user, uint32_t model, const uint32_t *ops, uint32_t n,
                       struct atoll_stage_cost *out, struct atoll_err *err)
{
    struct large *w = user;
    double t = 50, kept = 0;
    (void)model;
    (void)err;
    w->calls++;
    for (uint32_t i = 0; i < n; i++) {
        const bool fits = kept + w->weight[ops[i]] <= 1000;
        kept += fits ? w->weight[ops[i]] : 0;
        t += w->compute_us[ops[i]] + (fits ? 0 : w->weight[ops[i]]);
    }
    *out = (struct atoll_stage_cost){
        .service_us = t, .latency_us = t, .serial_us = 10, .active_mj = t * 1e-3};
    return 0;
}

static void large_floor(void *user, uint32_t model, uint32_t op, struct atoll_floor *out)
{
    const struct large *w = user;
    (void)model;
    *out = op == UINT32_MAX ? (struct atoll_floor){.work_us = 50, .stream_us = 1000}
                            : (struct atoll_floor){.work_us = w->compute_us[op],
                                                   .stream_us = w->compute_us[op] + w->weight[op],
                                                   .active_mj = w->compute_us[op] * 1e-3};
}

enum shape { CHAIN, RANDOM, WIDE };

/* Additions of two earlier tensors; WIDE: every one reads the input alone. */
static struct atoll_model *make_model(struct large *w, enum shape shape, struct atoll_rng *r)
{
    static const float scale = 1.0f;
    static const int64_t zero = 0;
    struct atoll_err err = {0};
    struct atoll_builder *b = NULL;
    struct atoll_model *m = NULL;
    assert_int_equal(atoll_builder_create("large", "", &b, &err), 0);
    struct atoll_tensor t = {.name = "x", .type = ATOLL_TYPE_INT8, .rank = 2, .shape = {1, 16}};
    t.quant = (struct atoll_quant){.scale = &scale, .zero_point = &zero, .n = 1};
    int32_t *made = calloc(w->n + 1, sizeof *made), *outputs = calloc(w->n + 1, sizeof *outputs);
    bool *read = calloc(w->n + 1, sizeof *read);
    uint32_t n_outputs = 0;
    assert_true(made && outputs && read);
    made[0] = atoll_builder_tensor(b, &t, true, &err);
    for (uint32_t v = 0; v < w->n; v++) {
        char name[24];
        const uint32_t far = shape == RANDOM ? v + 1 : 1;
        const uint32_t a = shape == WIDE ? 0 : v - (v ? (uint32_t)atoll_rng_below(r, far) : 0);
        const uint32_t c = shape == WIDE ? 0 : v - (v ? (uint32_t)atoll_rng_below(r, far) : 0);
        snprintf(name, sizeof name, "y%u", v);
        t.name = name;
        made[v + 1] = atoll_builder_tensor(b, &t, true, &err);
        const int32_t in[2] = {made[a], made[c]};
        read[a] = read[c] = true;
        const struct atoll_op op = {.code = ATOLL_OP_ADD,
                                    .inputs = in,
                                    .n_inputs = 2,
                                    .outputs = &made[v + 1],
                                    .n_outputs = 1,
                                    .attr = atoll_op_attr_default()};
        assert_true(atoll_builder_op(b, &op, &err) >= 0);
        w->compute_us[v] = (double)atoll_rng_below(r, 100);
        w->weight[v] = (double)atoll_rng_below(r, 40);
    }
    for (uint32_t v = 1; v <= w->n; v++) {
        if (!read[v]) {
            outputs[n_outputs++] = made[v];
        }
    }
    if (atoll_builder_finish(&b, made, 1, outputs, n_outputs, &m, &err)) {
        fail_msg("%s", err.text);
    }
    free(made);
    free(outputs);
    free(read);
    return m;
}

static void solve_large(uint32_t n, enum shape shape, uint32_t tpus, enum atoll_objective o)
{
    static struct large w;
    struct atoll_rng r;
    struct atoll_err err = {0};
    struct atoll_cost *cost = NULL;
    struct atoll_plan *p = NULL;
    struct atoll_board board = free_board(64);
    atoll_rng_seed(&r, n + tpus);
    board.drive[1][ATOLL_DRIVE_THREADED].copy_interval_us.value = 2;
    board.board_mw.value = 500;
    w = (struct large){.n = n};
    struct atoll_model *m = make_model(&w, shape, &r);
    assert_int_equal(atoll_cost_open(m, ATOLL_COMPILER_V16, &cost, &err), 0);
    const struct atoll_cost *const models[1] = {cost};
    const struct atoll_oracle oracle = {.stage = large_stage, .floor = large_floor, .user = &w};
    struct atoll_plan_request q = atoll_plan_request_default();
    q.models = models;
    q.n_models = 1;
    q.board = &board;
    q.tpus = tpus;
    q.strategy = "exact";
    q.objective = o;
    q.oracle = &oracle;
    if (atoll_plan_solve(&q, &p, &err) || p->skipped) {
        fail_msg("%s", p ? p->skipped : err.text);
    }
    const double value = o == ATOLL_OBJECTIVE_LATENCY      ? p->latency_us
                         : o == ATOLL_OBJECTIVE_THROUGHPUT ? p->interval_us
                                                           : p->energy_mj;
    assert_true(p->lower_bound > 0 && p->lower_bound <= value * (1 + 1e-9));
    assert_true(p->gap_frac >= 0 && p->gap_frac < 1);
    assert_true(w.calls < 2000000);
    print_message("%u operators, %u TPUs, %s: gap %.3f, %llu segments costed\n", n, tpus,
                  atoll_objective_name(o), p->gap_frac, (unsigned long long)w.calls);
    atoll_plan_close(&p);
    atoll_cost_close(&cost);
    atoll_model_close(&m);
}

static void long_chains_end(void **state)
{
    (void)state;
    solve_large(10000, CHAIN, 8, ATOLL_OBJECTIVE_LATENCY);
    solve_large(10000, CHAIN, 64, ATOLL_OBJECTIVE_THROUGHPUT);
    solve_large(600, CHAIN, 8, ATOLL_OBJECTIVE_THROUGHPUT);
}

static void wide_graphs_end(void **state)
{
    (void)state;
    solve_large(200, RANDOM, 8, ATOLL_OBJECTIVE_LATENCY);
    solve_large(400, RANDOM, 64, ATOLL_OBJECTIVE_THROUGHPUT);
    solve_large(2000, WIDE, 16, ATOLL_OBJECTIVE_THROUGHPUT);
    solve_large(40, WIDE, 8, ATOLL_OBJECTIVE_ENERGY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(long_chains_end),
                                       cmocka_unit_test(wide_graphs_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
