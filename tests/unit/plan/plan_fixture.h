/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of room plan share: chains of operators with given weights, a board without link
 * or host costs, and an oracle over a table of costs (facts: the "soft cache" case). */
#ifndef PLAN_FIXTURE_H
#define PLAN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <atoll/plan.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#define CHAIN_MAX 64

static inline void assert_close(double found, double expected)
{
    if (!(fabs(found - expected) <= 1e-9 * fabs(expected) + 1e-12)) {
        fail_msg("found %.17g, expected %.17g", found, expected);
    }
}

/* A chain x -> op 0 -> op 1 ... with weight_bytes[i] bytes of constants in operator i. */
static inline struct atoll_model *chain_model(const uint32_t *weight_bytes, uint32_t n)
{
    struct atoll_err err = {0};
    struct atoll_builder *b = NULL;
    assert_int_equal(atoll_builder_create("chain", "", &b, &err), 0);
    static const float scale = 1.0f;
    static const int64_t zero = 0;
    struct atoll_tensor t = {.name = "x", .type = ATOLL_TYPE_INT8, .rank = 2, .shape = {1, 16}};
    t.quant = (struct atoll_quant){.scale = &scale, .zero_point = &zero, .n = 1};
    int32_t at = atoll_builder_tensor(b, &t, true, &err);
    const int32_t input = at;
    for (uint32_t i = 0; i < n; i++) {
        char name[32];
        struct atoll_tensor w = t;
        snprintf(name, sizeof name, "w%u", i);
        w.name = name;
        w.rank = 1;
        w.shape[0] = (int32_t)weight_bytes[i];
        w.is_constant = true;
        w.fill = (struct atoll_fill){.kind = ATOLL_FILL_INT8, .seed = i};
        const int32_t weight = weight_bytes[i] ? atoll_builder_tensor(b, &w, true, &err) : at;
        snprintf(name, sizeof name, "y%u", i);
        t.name = name;
        const int32_t out = atoll_builder_tensor(b, &t, true, &err);
        const int32_t in[2] = {at, weight};
        const struct atoll_op op = {.code = ATOLL_OP_ADD,
                                    .inputs = in,
                                    .n_inputs = 2,
                                    .outputs = &out,
                                    .n_outputs = 1,
                                    .attr = atoll_op_attr_default()};
        assert_true(weight >= 0 && out >= 0 && atoll_builder_op(b, &op, &err) >= 0);
        at = out;
    }
    struct atoll_model *m = NULL;
    assert_int_equal(atoll_builder_finish(&b, &input, 1, &at, 1, &m, &err), 0);
    return m;
}

/* Every operator computes for compute_us[i] and keeps weight[i] units in a cache of `cap` units, in
 * order, if they still fit; a unit that does not costs spill_us. A stage costs host_us on top. */
struct table_oracle {
    double compute_us[CHAIN_MAX];
    uint32_t weight[CHAIN_MAX];
    double cap, spill_us, host_us, active_mj;
    unsigned calls;
};

static inline int table_stage(void *user, uint32_t model, const uint32_t *ops, uint32_t n,
                              struct atoll_stage_cost *out, struct atoll_err *err)
{
    struct table_oracle *t = user;
    (void)model;
    (void)err;
    *out = (struct atoll_stage_cost){.call_us = t->host_us, .active_mj = t->active_mj};
    double kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        out->compute_us += t->compute_us[ops[i]];
        out->stored_bytes += t->weight[ops[i]];
        if (kept + t->weight[ops[i]] <= t->cap) {
            kept += t->weight[ops[i]];
        } else {
            out->off_chip_bytes += t->weight[ops[i]];
        }
    }
    out->on_chip_bytes = out->stored_bytes - out->off_chip_bytes;
    out->stream_us = (double)out->off_chip_bytes * t->spill_us;
    out->latency_us = out->service_us = out->compute_us + out->stream_us + t->host_us;
    out->latency_u95_us = out->service_u95_us = 0.05 * out->latency_us;
    t->calls++;
    return 0;
}

/* A board whose links, locks and copies are free. */
static inline struct atoll_board free_board(uint32_t n_tpus)
{
    struct atoll_board b = {.name = "test_board", .n_tpus = n_tpus};
    b.clock = ATOLL_CLOCK_MAX;
    b.runner = ATOLL_RUNNER_C;
    b.clock_max_hz.value = 500e6;
    b.clock_standard_hz.value = 250e6;
    b.host_threads = 8;
    b.idle_mw.value = 100;
    b.idle_mw.u95 = 10;
    b.board_mw.value = 1000;
    b.board_mw.u95 = 50;
    return b;
}

/* A model with its costs, one board, one request. */
struct fixture {
    struct atoll_model *model;
    struct atoll_cost *cost;
    struct atoll_board board;
    struct table_oracle table;
    struct atoll_oracle oracle;
    const struct atoll_cost *models[1];
    struct atoll_plan_request request;
};

static inline void fixture_open(struct fixture *f, const double *compute_us, const uint32_t *weight,
                                uint32_t n, uint32_t n_tpus)
{
    struct atoll_err err = {0};
    memset(f, 0, sizeof *f);
    f->model = chain_model(weight, n);
    assert_int_equal(atoll_cost_open(f->model, ATOLL_COMPILER_V16, &f->cost, &err), 0);
    f->board = free_board(n_tpus);
    for (uint32_t i = 0; i < n; i++) {
        f->table.compute_us[i] = compute_us[i];
        f->table.weight[i] = weight[i];
    }
    f->table.cap = 1e9;
    f->oracle = (struct atoll_oracle){.stage = table_stage, .user = &f->table};
    f->models[0] = f->cost;
    f->request = atoll_plan_request_default();
    f->request.models = f->models;
    f->request.n_models = 1;
    f->request.board = &f->board;
    f->request.tpus = n_tpus;
    f->request.oracle = &f->oracle;
}

static inline void fixture_close(struct fixture *f)
{
    atoll_cost_close(&f->cost);
    atoll_model_close(&f->model);
}

static inline struct atoll_plan *fixture_solve(struct fixture *f, const char *strategy)
{
    struct atoll_err err = {0};
    struct atoll_plan *p = NULL;
    f->request.strategy = strategy;
    if (atoll_plan_solve(&f->request, &p, &err)) {
        fail_msg("%s: %s", strategy, err.text);
    }
    return p;
}

#endif
