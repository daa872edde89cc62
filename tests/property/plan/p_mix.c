/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Strategy `exact` through the public API against brute force over every set of pipelines: 1000
 * random chains and graphs with random costs, a host lock, host threads, a shared link and a price
 * of streams side by side; each objective, with and without floors. The seed is printed; ATOLL_SEED
 * repeats one.
 */
#include "../../../src/plan/plan_internal.h"
#include "../../unit/plan/plan_fixture.h"

#include <stdlib.h>

#define OPS_MAX 5
#define TPUS_MAX 4
#define PIPES_MAX 20000
#define MIB 1048576.0

struct world {
    uint32_t n, tpus;
    uint32_t preds[OPS_MAX]; ///< bit set of the operators that each one reads
    double compute_us[OPS_MAX], weight[OPS_MAX];
    double cap, spill_us, host_us, lock_us, cpu_us, bytes;
    bool shared; ///< lock, threads and link are limited
    struct atoll_board board;
    struct atoll_model *model;
};

static int world_stage(void *user, uint32_t model, const uint32_t *ops, uint32_t n,
                       struct atoll_stage_cost *out, struct atoll_err *err)
{
    const struct world *w = user;
    double kept = 0, t = w->host_us;
    (void)model;
    (void)err;
    *out = (struct atoll_stage_cost){.serial_us = w->lock_us, .input_bytes = (uint64_t)w->bytes};
    uint32_t in = 0;
    for (uint32_t i = 0; i < n; i++) {
        in |= 1u << ops[i];
    }
    for (uint32_t v = 0; v < w->n; v++) { /* the compiler's cuts come in another order */
        const bool fits = kept + w->weight[v] <= w->cap;
        if (in >> v & 1) {
            kept += fits ? w->weight[v] : 0;
            t += w->compute_us[v] + (fits ? 0 : w->weight[v] * w->spill_us);
        }
    }
    out->cpu_us = w->cpu_us;
    out->service_us = t;
    out->latency_us = t + 0.5;
    out->active_mj = 0.001 * t + 0.003 * (n % 3);
    return 0;
}

static void world_floor(void *user, uint32_t model, uint32_t op, struct atoll_floor *out)
{
    const struct world *w = user;
    (void)model;
    *out = op == UINT32_MAX
               ? (struct atoll_floor){.work_us = w->host_us, .stream_us = w->cap * w->spill_us}
               : (struct atoll_floor){.work_us = w->compute_us[op],
                                      .stream_us = w->compute_us[op] + w->weight[op] * w->spill_us,
                                      .active_mj = 0.001 * w->compute_us[op]};
}

/* Operators that add two earlier tensors; what nobody reads is an output. */
static void make_model(struct world *w, struct atoll_rng *r)
{
    static const float scale = 1.0f;
    static const int64_t zero = 0;
    struct atoll_err err = {0};
    struct atoll_builder *b = NULL;
    assert_int_equal(atoll_builder_create("random", "", &b, &err), 0);
    struct atoll_tensor t = {.name = "x", .type = ATOLL_TYPE_INT8, .rank = 2, .shape = {1, 16}};
    t.quant = (struct atoll_quant){.scale = &scale, .zero_point = &zero, .n = 1};
    int32_t made[OPS_MAX + 1], outputs[OPS_MAX];
    uint32_t read = 0, n_outputs = 0;
    const bool chain = atoll_rng_below(r, 3) == 0;
    made[0] = atoll_builder_tensor(b, &t, true, &err);
    for (uint32_t v = 0; v < w->n; v++) {
        char name[16];
        const uint32_t a = chain ? v : (uint32_t)atoll_rng_below(r, v + 1);
        const uint32_t c = chain ? v : (uint32_t)atoll_rng_below(r, v + 1);
        snprintf(name, sizeof name, "y%u", v);
        t.name = name;
        made[v + 1] = atoll_builder_tensor(b, &t, true, &err);
        const int32_t in[2] = {made[a], made[c]};
        const struct atoll_op op = {.code = ATOLL_OP_ADD,
                                    .inputs = in,
                                    .n_inputs = 2,
                                    .outputs = &made[v + 1],
                                    .n_outputs = 1,
                                    .attr = atoll_op_attr_default()};
        assert_true(atoll_builder_op(b, &op, &err) >= 0);
        w->preds[v] = (a > 0 ? 1u << (a - 1) : 0) | (c > 0 ? 1u << (c - 1) : 0);
        read |= w->preds[v];
    }
    for (uint32_t v = 0; v < w->n; v++) {
        if (!(read >> v & 1)) {
            outputs[n_outputs++] = made[v + 1];
        }
    }
    if (atoll_builder_finish(&b, made, 1, outputs, n_outputs, &w->model, &err)) {
        fail_msg("%s", err.text);
    }
}

static void make_world(struct world *w, struct atoll_rng *r)
{
    memset(w, 0, sizeof *w);
    w->n = 1 + (uint32_t)atoll_rng_below(r, OPS_MAX);
    w->tpus = 1 + (uint32_t)atoll_rng_below(r, TPUS_MAX);
    w->board = free_board(TPUS_MAX);
    w->board.host_threads = 1 + (uint32_t)atoll_rng_below(r, 4);
    w->board.board_mw.value = (double)atoll_rng_below(r, 1000);
    w->board.shared_link_mib_per_s.value = atoll_rng_below(r, 2) ? 0 : 1000;
    w->board.drive[1][ATOLL_DRIVE_THREADED].copy_interval_us.value = (double)atoll_rng_below(r, 4);
    w->cap = (double)atoll_rng_below(r, 12);
    w->spill_us = (double)atoll_rng_below(r, 6);
    w->host_us = 1 + (double)atoll_rng_below(r, 5);
    w->shared = atoll_rng_below(r, 2) == 0;
    w->lock_us = w->shared ? (double)atoll_rng_below(r, 6) : 0;
    w->cpu_us = w->shared ? (double)atoll_rng_below(r, 12) : 0;
    w->bytes = w->shared ? (double)atoll_rng_below(r, 8000) : 0;
    for (uint32_t v = 0; v < w->n; v++) {
        w->compute_us[v] = (double)atoll_rng_below(r, 20);
        w->weight[v] = (double)atoll_rng_below(r, 5);
    }
    make_model(w, r);
}

/* ----------------------------------------------------------------- brute force */

struct pipe {
    double service_us[TPUS_MAX], latency_us, lock_us, cpu_us, bytes, active_mj;
    uint32_t replicas[TPUS_MAX], n, tpus, widest;
};

static struct pipe pipes[PIPES_MAX];
static uint32_t n_pipes;

static void list_pipes(const struct world *w, uint32_t set, const struct pipe *so_far)
{
    const uint32_t all = (1u << w->n) - 1;
    if (set == all) {
        assert_true(n_pipes < PIPES_MAX);
        pipes[n_pipes++] = *so_far;
        return;
    }
    for (uint32_t add = 1; add <= all; add++) {
        uint32_t ops[OPS_MAX], n = 0;
        bool closed = (add & set) == 0;
        for (uint32_t v = 0; v < w->n && closed; v++) {
            if (add >> v & 1) {
                ops[n++] = v;
                closed = (w->preds[v] & ~(set | add)) == 0;
            }
        }
        for (uint32_t r = 1; closed && so_far->tpus + r <= w->tpus; r++) {
            struct atoll_stage_cost c;
            world_stage((void *)(uintptr_t)w, 0, ops, n, &c, NULL);
            struct pipe next = *so_far;
            next.service_us[next.n] = c.service_us;
            next.replicas[next.n++] = r;
            next.tpus += r;
            next.widest = r > next.widest ? r : next.widest;
            next.latency_us += c.latency_us;
            next.lock_us += c.serial_us;
            next.cpu_us += c.cpu_us;
            next.bytes += (double)c.input_bytes;
            next.active_mj += c.active_mj;
            list_pipes(w, set | add, &next);
        }
    }
}

/* Latency, interval and energy of a set of pipelines, by the formulas of the method page. */
static void judge(const struct world *w, const struct pipe *const *set, uint32_t n, double *best)
{
    double streams = 0, rate = 0, lock = 0, threads = 0, link = 0, active = 0, latency = INFINITY;
    for (uint32_t i = 0; i < n; i++) {
        streams += set[i]->widest;
    }
    const double copies_us =
        w->board.drive[1][ATOLL_DRIVE_THREADED].copy_interval_us.value * (streams - 1);
    for (uint32_t i = 0; i < n; i++) {
        double interval_us = 0;
        for (uint32_t s = 0; s < set[i]->n; s++) {
            interval_us =
                fmax(interval_us, (set[i]->service_us[s] + copies_us) / set[i]->replicas[s]);
        }
        rate += 1 / interval_us;
        lock += set[i]->lock_us / interval_us;
        threads += set[i]->cpu_us / interval_us / w->board.host_threads;
        active += set[i]->active_mj / interval_us;
        latency = fmin(latency, set[i]->latency_us);
        const double mib_per_s = w->board.shared_link_mib_per_s.value;
        link += mib_per_s > 0 ? set[i]->bytes / MIB / mib_per_s * 1e6 / interval_us : 0;
    }
    const double interval_us = fmax(fmax(1, lock), fmax(threads, link)) / rate;
    const double waiting_mw =
        atoll_board_idle_tpu_mw(&w->board).value * w->board.n_tpus + w->board.board_mw.value;
    best[ATOLL_OBJECTIVE_LATENCY] = fmin(best[ATOLL_OBJECTIVE_LATENCY], latency);
    best[ATOLL_OBJECTIVE_THROUGHPUT] = fmin(best[ATOLL_OBJECTIVE_THROUGHPUT], interval_us);
    best[ATOLL_OBJECTIVE_ENERGY] =
        fmin(best[ATOLL_OBJECTIVE_ENERGY], active / rate + waiting_mw * interval_us * 1e-6);
}

static void judge_sets(const struct world *w, const struct pipe **set, uint32_t n, uint32_t tpus,
                       uint32_t from, double *best)
{
    for (uint32_t i = from; i < n_pipes; i++) {
        if (tpus + pipes[i].tpus <= w->tpus) {
            set[n] = &pipes[i];
            judge(w, set, n + 1, best);
            judge_sets(w, set, n + 1, tpus + pipes[i].tpus, i, best);
        }
    }
}

/* sets_max: down-sets that the search may look at, 0: all. */
static double solved(struct world *w, const struct atoll_cost *cost, enum atoll_objective o,
                     bool floors, uint32_t sets_max, bool *proven, double *lower)
{
    const struct atoll_cost *const models[1] = {cost};
    const struct atoll_oracle oracle = {
        .stage = world_stage, .floor = floors ? world_floor : NULL, .user = w};
    struct atoll_plan_request q = atoll_plan_request_default();
    q.models = models;
    q.n_models = 1;
    q.board = &w->board;
    q.tpus = w->tpus;
    q.strategy = "exact";
    q.objective = o;
    q.oracle = &oracle;
    struct atoll_err err = {0};
    struct atoll_plan *p = NULL;
    struct atoll__planner pl;
    assert_int_equal(atoll__planner_init(&pl, &q, &err), 0);
    pl.exact_sets_max = sets_max;
    if (atoll__plan_make(&pl, q.strategy, q.tpus, &p, &err) || p->skipped) {
        fail_msg("%s", p ? p->skipped : err.text);
    }
    atoll__planner_finish(&pl);
    *proven = p->gap_frac <= 1e-12;
    *lower = p->lower_bound;
    const double value = o == ATOLL_OBJECTIVE_LATENCY      ? p->latency_us
                         : o == ATOLL_OBJECTIVE_THROUGHPUT ? p->interval_us
                                                           : p->energy_mj;
    atoll_plan_close(&p);
    return value;
}

static void equals_brute_force(void **state)
{
    (void)state;
    const char *given = getenv("ATOLL_SEED");
    const uint64_t seed = given ? strtoull(given, NULL, 10) : 20261124;
    print_message("seed %llu\n", (unsigned long long)seed);
    struct atoll_rng r;
    atoll_rng_seed(&r, seed);
    uint32_t n_proven = 0;
    for (int round = 0; round < 1000; round++) {
        struct world w;
        struct atoll_cost *cost = NULL;
        struct atoll_err err = {0};
        const struct pipe *set[TPUS_MAX];
        const struct pipe empty = {.n = 0};
        double best[3] = {INFINITY, INFINITY, INFINITY};
        make_world(&w, &r);
        assert_int_equal(atoll_cost_open(w.model, ATOLL_COMPILER_V16, &cost, &err), 0);
        n_pipes = 0;
        list_pipes(&w, 0, &empty);
        judge_sets(&w, set, 0, 0, 0, best);
        for (int o = 0; o < 3; o++) {
            for (int floors = 0; floors < 2; floors++) {
                bool proven;
                double lower;
                const double found =
                    solved(&w, cost, (enum atoll_objective)o, floors != 0, 0, &proven, &lower);
                const bool equal = fabs(found - best[o]) <= 1e-9 * best[o];
                n_proven += proven;
                if ((!equal && (proven || !w.shared)) || (!proven && !w.shared) ||
                    found < best[o] * (1 - 1e-9) || lower > best[o] * (1 + 1e-9)) {
                    fail_msg("round %d, %s, %s floors, shared %d, copies %g: %.12g, brute force "
                             "%.12g, bound %.12g",
                             round, atoll_objective_name((enum atoll_objective)o),
                             floors ? "with" : "without", w.shared,
                             w.board.drive[1][1].copy_interval_us.value, found, best[o], lower);
                }
            }
        }
        atoll_cost_close(&cost);
        atoll_model_close(&w.model);
    }
    print_message("%u of 6000 proven\n", n_proven);
}

/* With fewer cuts than there are (ranges of operators, operators glued, narrow levels), the plan is
 * one of those that brute force sees, and the bound is below all of them. */
static void few_cuts_are_bounded(void **state)
{
    (void)state;
    const char *given = getenv("ATOLL_SEED");
    const uint64_t seed = given ? strtoull(given, NULL, 10) : 20261124;
    print_message("seed %llu\n", (unsigned long long)seed);
    struct atoll_rng r;
    atoll_rng_seed(&r, seed + 1);
    double gap = 0;
    uint32_t n_equal = 0;
    for (int round = 0; round < 1000; round++) {
        struct world w;
        struct atoll_cost *cost = NULL;
        struct atoll_err err = {0};
        const struct pipe *set[TPUS_MAX];
        const struct pipe empty = {.n = 0};
        double best[3] = {INFINITY, INFINITY, INFINITY};
        make_world(&w, &r);
        assert_int_equal(atoll_cost_open(w.model, ATOLL_COMPILER_V16, &cost, &err), 0);
        n_pipes = 0;
        list_pipes(&w, 0, &empty);
        judge_sets(&w, set, 0, 0, 0, best);
        const uint32_t sets_max = 4 + (uint32_t)atoll_rng_below(&r, 10);
        for (int o = 0; o < 3; o++) {
            bool proven;
            double lower;
            const double found =
                solved(&w, cost, (enum atoll_objective)o, true, sets_max, &proven, &lower);
            if (found < best[o] * (1 - 1e-9) || lower > best[o] * (1 + 1e-9)) {
                fail_msg("round %d, %s, %u sets: %.12g, brute force %.12g, bound %.12g", round,
                         atoll_objective_name((enum atoll_objective)o), sets_max, found, best[o],
                         lower);
            }
            n_equal += found <= best[o] * (1 + 1e-9);
            gap += best[o] > 0 ? (best[o] - lower) / best[o] / 3000 : 0;
        }
        atoll_cost_close(&cost);
        atoll_model_close(&w.model);
    }
    print_message("%u of 3000 the best, mean gap of the bound %.3f\n", n_equal, gap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(equals_brute_force),
                                       cmocka_unit_test(few_cuts_are_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
