/* SPDX-License-Identifier: Apache-2.0 */
/**
 * On the zoo and its boards: the exact search is never worse than any rule, partition or published
 * search, the figures of its plan are those that the search had, and the floors that it prunes with
 * hold for costed segments. A sample drawn from the seed; ATOLL_SEEDS=N draws N times as many,
 * ATOLL_RIVALS=1 goes through the networks x 1..8 TPUs x 3 boards x 3 objectives. The gains are
 * bench_rivals' work.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <atoll/zoo.h>

#include "../../../src/plan/search.h"

static const char *const networks[] = {
    "mobilenet_v1", "mobilenet_v2", "efficientnet_lite0", "resnet18",     "resnet50",
    "resnet101",    "resnet152",    "googlenet",          "bn_inception", "inception_v3",
    "densenet121",  "vgg16",        "ssd_mobilenet_v1",   "inception_v4"};
#define NETWORKS (sizeof networks / sizeof networks[0])
static const char *const boards[] = {"asus_crl_g18u", "pcie_x86", "usb3_x86"};

struct subject {
    struct atoll_model *model;
    struct atoll_cost *cost;
    struct atoll_board *board;
};

static void open_subject(struct subject *s, const char *network, const char *board)
{
    struct atoll_err err = {0};
    assert_int_equal(atoll_zoo_build(network, &s->model, &err), 0);
    assert_int_equal(atoll_cost_open(s->model, ATOLL_COMPILER_V16, &s->cost, &err), 0);
    assert_int_equal(atoll_board_open(board, NULL, &s->board, &err), 0);
    s->board->n_tpus = s->board->n_tpus < 8 ? 8 : s->board->n_tpus; /* as many sticks as needed */
}

static void close_subject(struct subject *s)
{
    atoll_board_close(&s->board);
    atoll_cost_close(&s->cost);
    atoll_model_close(&s->model);
}

static uint64_t seed_of_run(void)
{
    const char *given = getenv("ATOLL_SEED");
    const uint64_t seed = given ? strtoull(given, NULL, 10) : 20261124;
    print_message("seed %llu\n", (unsigned long long)seed);
    return seed;
}

static uint32_t draws(uint32_t few)
{
    const char *given = getenv("ATOLL_SEEDS");
    const unsigned long n = given ? strtoul(given, NULL, 10) : 1;
    return few * (uint32_t)(n < 1 ? 1 : n > 1000 ? 1000 : n);
}

static double figure(const struct atoll_plan *p, enum atoll_objective o)
{
    return o == ATOLL_OBJECTIVE_LATENCY      ? p->latency_us
           : o == ATOLL_OBJECTIVE_THROUGHPUT ? p->interval_us
                                             : p->energy_mj;
}

/* The search's own value stands in the bound and the gap: value = bound / (1 - gap). */
static void check_value(const struct atoll_plan *p, enum atoll_objective o)
{
    const double value = figure(p, o);
    assert_true(p->gap_frac >= 0 && p->gap_frac < 1);
    assert_true(fabs(p->lower_bound / (1 - p->gap_frac) - value) <= 1e-9 * value);
}

static bool is_exact(const struct atoll_plan *p)
{
    return strncmp(p->strategy, "exact", 5) == 0;
}

/* For each objective: its exact plan is at least as good as every other plan of the comparison,
 * rules, partitions and published searches. */
static void check_comparison(const struct atoll_comparison *c, const char *where)
{
    for (int k = 0; k < 3; k++) {
        const enum atoll_objective o = (enum atoll_objective)k;
        const struct atoll_plan *exact = NULL;
        for (uint32_t i = 0; i < c->n_plans && !exact; i++) {
            exact = is_exact(c->plans[i]) && c->plans[i]->objective == o ? c->plans[i] : NULL;
        }
        assert_true(exact && !exact->skipped);
        check_value(exact, o);
        for (uint32_t i = 0; i < c->n_plans; i++) {
            const struct atoll_plan *p = c->plans[i];
            if (!p->skipped && figure(exact, o) > figure(p, o) * (1 + 1e-9)) {
                fail_msg("%s, %s: exact %.9g, %s %.9g", where, atoll_objective_name(o),
                         figure(exact, o), p->strategy, figure(p, o));
            }
        }
    }
}

static void compare_one(const struct subject *s, uint32_t tpus)
{
    const struct atoll_cost *const models[1] = {s->cost};
    char where[200];
    struct atoll_plan_request r = atoll_plan_request_default();
    r.models = models;
    r.n_models = 1;
    r.board = s->board;
    r.tpus = tpus;
    r.want_rivals = true;
    struct atoll_err err = {0};
    struct atoll_comparison c = {0};
    assert_int_equal(atoll_plan_compare(&r, &c, &err), 0);
    snprintf(where, sizeof where, "%s on %u TPUs of %s", s->model->path, tpus, s->board->name);
    check_comparison(&c, where);
    atoll_comparison_finish(&c);
}

static void never_worse_than_a_rival(void **state)
{
    (void)state;
    struct atoll_rng r;
    atoll_rng_seed(&r, seed_of_run());
    for (uint32_t i = 0; i < draws(6); i++) {
        struct subject s;
        open_subject(&s, networks[atoll_rng_below(&r, NETWORKS)], boards[atoll_rng_below(&r, 3)]);
        compare_one(&s, 1 + (uint32_t)atoll_rng_below(&r, 8));
        close_subject(&s);
    }
}

static void all_rivals(void **state)
{
    (void)state;
    if (!getenv("ATOLL_RIVALS")) {
        print_message("a sample only; ATOLL_RIVALS=1 for all\n");
        return;
    }
    for (size_t n = 0; n < NETWORKS; n++) {
        for (size_t b = 0; b < 3; b++) {
            struct subject s;
            open_subject(&s, networks[n], boards[b]);
            for (uint32_t tpus = 1; tpus <= 8; tpus++) {
                compare_one(&s, tpus);
            }
            close_subject(&s);
        }
    }
}

/* A random segment between two down-sets: a prefix of a random executable order without a shorter
 * prefix of it. `stage_of` becomes 0 before, 1 in, 2 behind the segment. */
static uint32_t random_segment(const struct atoll__dag *g, struct atoll_rng *r, uint32_t *ops,
                               uint8_t *stage_of)
{
    const uint32_t end = 1 + (uint32_t)atoll_rng_below(r, g->n);
    const uint32_t begin = (uint32_t)atoll_rng_below(r, end);
    memset(stage_of, 2, g->n);
    uint32_t taken = 0, n = 0;
    while (taken < end) {
        uint32_t v = (uint32_t)atoll_rng_below(r, g->n);
        for (uint32_t tries = 0; tries < g->n; tries++, v = (v + 1) % g->n) {
            bool ready = stage_of[v] == 2;
            for (uint32_t e = g->pred_start[v]; e < g->pred_start[v + 1] && ready; e++) {
                ready = stage_of[g->pred[e]] != 2;
            }
            if (ready) {
                break;
            }
        }
        stage_of[v] = taken++ < begin ? 0 : 1;
    }
    for (uint32_t v = 0; v < g->n; v++) {
        if (stage_of[v] == 1) {
            ops[n++] = v;
        }
    }
    return n;
}

/* Least time of what goes in and out of the segment, counted the plain way. */
static double plain_crossing_us(const struct atoll__planner *pl, enum atoll__floor_kind kind,
                                const struct atoll__dag *g, const uint8_t *stage_of)
{
    double us = 0;
    struct atoll_floor stage;
    atoll__planner_floor_of(pl, kind, 0, UINT32_MAX, &stage);
    for (uint32_t v = 0; v < g->n; v++) {
        bool read = false, left = false;
        struct atoll_floor f;
        for (uint32_t e = g->succ_start[v]; e < g->succ_start[v + 1]; e++) {
            read = read || (stage_of[v] == 0 && stage_of[g->succ[e]] == 1);
            left = left || (stage_of[v] == 1 && stage_of[g->succ[e]] == 2);
        }
        atoll__planner_floor_of(pl, kind, 0, v, &f);
        us += read ? f.input_us + stage.input_us_per_byte * g->out_bytes[v] : 0;
        us += left ? f.output_us + stage.output_us_per_byte * g->out_bytes[v] : 0;
    }
    return us;
}

/* How close floors come, by kind: sums over all segments looked at. */
struct closeness {
    double floor_us, cost_us;
};

static void check_floor(struct subject *s, const struct atoll__planner *pl,
                        enum atoll__floor_kind kind, const struct atoll__dag *g,
                        const uint32_t *ops, uint32_t n, const uint8_t *stage_of,
                        struct closeness *close)
{
    struct atoll_floor stage, sum = {0};
    for (uint32_t i = 0; i < n; i++) {
        struct atoll_floor f;
        atoll__planner_floor_of(pl, kind, 0, ops[i], &f);
        sum.work_us += f.work_us;
        sum.stream_us += f.stream_us;
        for (int k = 0; k < ATOLL_FLOOR_PRICES; k++) {
            sum.stream_at_us[k] += f.stream_at_us[k];
        }
        sum.active_mj += f.active_mj;
        sum.parameter_bytes += f.parameter_bytes;
        sum.calls += f.calls;
    }
    atoll__planner_floor_of(pl, kind, 0, UINT32_MAX, &stage);
    double stream_us = fmax(sum.work_us, sum.stream_us - stage.stream_us);
    for (int k = 0; k < ATOLL_FLOOR_PRICES; k++) {
        stream_us = fmax(stream_us, sum.stream_at_us[k] - stage.stream_at_us[k]);
    }
    const double beyond_us =
        stream_us - sum.work_us +
        (sum.parameter_bytes > stage.parameter_bytes * (1 + 1e-12) ? stage.overflow_us : 0) +
        plain_crossing_us(pl, kind, g, stage_of);
    const double call_us = sum.calls > 0 ? stage.call_us : 0;
    const double least_us = stage.work_us + call_us + sum.work_us + beyond_us;
    struct atoll_stage_cost c;
    struct atoll_err err = {0};
    const struct atoll_use use = {0};
    assert_int_equal(atoll_cost_stage(s->cost, s->board, &use, ops, n, &c, &err), 0);
    assert_true(kind == ATOLL__FLOOR_LATENCY || c.service_us >= least_us * (1 - 1e-9));
    assert_true(kind == ATOLL__FLOOR_SERVICE || c.latency_us >= least_us * (1 - 1e-9));
    assert_true(c.active_mj >= (sum.active_mj + stage.moving_mj_per_us * beyond_us) * (1 - 1e-9));
    close->floor_us += least_us;
    close->cost_us += kind == ATOLL__FLOOR_LATENCY ? c.latency_us : c.service_us;
}

static void check_floors(struct subject *s, struct atoll__planner *pl, const struct atoll__dag *g,
                         struct atoll_rng *r, struct closeness *close)
{
    uint32_t ops[2048];
    uint8_t stage_of[2048];
    assert_true(g->n <= 2048);
    const uint32_t n = random_segment(g, r, ops, stage_of);
    for (int kind = 0; kind < ATOLL__FLOOR_KINDS; kind++) {
        check_floor(s, pl, (enum atoll__floor_kind)kind, g, ops, n, stage_of, &close[kind]);
    }
}

static void floors_hold(void **state)
{
    (void)state;
    struct atoll_rng r;
    struct closeness close[ATOLL__FLOOR_KINDS] = {{0}};
    atoll_rng_seed(&r, seed_of_run());
    for (size_t i = 0; i < NETWORKS; i++) {
        struct subject s;
        struct atoll__planner pl;
        struct atoll__dag g;
        struct atoll_err err = {0};
        open_subject(&s, networks[i], boards[i % 3]);
        const struct atoll_cost *const models[1] = {s.cost};
        struct atoll_plan_request q = atoll_plan_request_default();
        q.models = models;
        q.n_models = 1;
        q.board = s.board;
        assert_int_equal(atoll__planner_init(&pl, &q, &err), 0);
        assert_int_equal(atoll__planner_floors(&pl, 0, &err), 0);
        assert_int_equal(atoll__dag_of_model(s.model, &g, &err), 0);
        for (uint32_t k = 0; k < draws(100); k++) {
            check_floors(&s, &pl, &g, &r, close);
        }
        atoll__dag_finish(&g);
        atoll__planner_finish(&pl);
        close_subject(&s);
    }
    print_message("floors are %.3f (both), %.3f (service), %.3f (latency) of the costs\n",
                  close[0].floor_us / close[0].cost_us, close[1].floor_us / close[1].cost_us,
                  close[2].floor_us / close[2].cost_us);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floors_hold),
        cmocka_unit_test(never_worse_than_a_rival),
        cmocka_unit_test(all_rivals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
