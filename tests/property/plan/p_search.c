/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The search over down-sets against brute force: 1000 random small chains and graphs with random
 * costs (soft whole-layer cache, boundary bytes, fixed cost per stage), each objective, with and
 * without replicas. The seed is printed; ATOLL_SEED repeats one.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../../src/plan/search.h"

#define OPS_MAX 7

/* A board without limits of its own; a segment's serial_us is the only load. */
static const struct atoll_board board = {.host_threads = 1};

struct world {
    struct atoll__dag g;
    uint32_t n;
    double compute_us[OPS_MAX], weight[OPS_MAX];
    double cap, spill_us, host_us, out_us_per_byte;
    uint32_t group[OPS_MAX]; ///< operators of one number stay together; UINT32_MAX: free
    double latency_max_us;   ///< 0: any
};

/* A layer stays on chip if it still fits, in order of operators; what does not fit costs time. */
static int world_stage(void *user, uint32_t model, const uint32_t *ops, uint32_t n,
                       struct atoll_stage_cost *out, struct atoll_err *err)
{
    const struct world *w = user;
    (void)model;
    (void)err;
    memset(out, 0, sizeof *out);
    bool in[OPS_MAX] = {false};
    double used = 0, t = w->host_us;
    for (uint32_t i = 0; i < n; i++) {
        in[ops[i]] = true;
    }
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t v = ops[i];
        t += w->compute_us[v];
        out->compute_us += w->compute_us[v];
        if (used + w->weight[v] <= w->cap) {
            used += w->weight[v];
        } else {
            t += w->weight[v] * w->spill_us;
        }
        bool leaves = false;
        for (uint32_t e = w->g.succ_start[v]; e < w->g.succ_start[v + 1]; e++) {
            leaves = leaves || !in[w->g.succ[e]];
        }
        t += leaves ? w->g.out_bytes[v] * w->out_us_per_byte : 0;
    }
    out->service_us = t;
    out->latency_us = t + 0.5; /* a different figure, so that a mix-up shows */
    out->serial_us = w->host_us / 2;
    out->active_mj = t * 0.001 + (double)n * 0.01;
    return 0;
}

static void make_world(struct world *w, struct atoll_rng *r)
{
    memset(w, 0, sizeof *w);
    w->n = 1 + (uint32_t)atoll_rng_below(r, OPS_MAX);
    uint32_t from[64], to[64], m = 0;
    double out[OPS_MAX];
    const bool chain = atoll_rng_below(r, 2) == 0;
    for (uint32_t v = 0; v < w->n; v++) {
        w->compute_us[v] = (double)atoll_rng_below(r, 20);
        w->weight[v] = (double)atoll_rng_below(r, 5);
        out[v] = (double)atoll_rng_below(r, 8);
        for (uint32_t u = 0; u < v; u++) {
            if (chain ? u + 1 == v : atoll_rng_below(r, 3) == 0) {
                from[m] = u;
                to[m++] = v;
            }
        }
    }
    w->cap = (double)atoll_rng_below(r, 12);
    w->spill_us = (double)atoll_rng_below(r, 6);
    w->host_us = (double)atoll_rng_below(r, 5);
    w->out_us_per_byte = (double)atoll_rng_below(r, 3);
    memset(w->group, 0xff, sizeof w->group);
    assert_int_equal(atoll__dag_of_edges(w->n, from, to, m, out, &w->g, NULL), 0);
}

struct brute {
    const struct world *w;
    uint32_t tpus, replicas_max;
    double best[ATOLL__CRITERIA]; ///< each criterion alone, over all pipelines on at most `tpus`
};

static bool keeps_together(const struct world *w, uint32_t set)
{
    for (uint32_t v = 0; v < w->n; v++) {
        for (uint32_t u = 0; u < v; u++) {
            if (w->group[u] < w->n && w->group[u] == w->group[v] &&
                (set >> u & 1) != (set >> v & 1)) {
                return false;
            }
        }
    }
    return true;
}

static void brute_from(struct brute *b, uint32_t set, uint32_t k, const double *crit)
{
    const uint32_t all = (1u << b->w->n) - 1;
    if (set == all) {
        if (b->w->latency_max_us > 0 && crit[ATOLL__CRIT_LATENCY] > b->w->latency_max_us) {
            return;
        }
        for (unsigned c = 0; c < ATOLL__CRITERIA; c++) {
            b->best[c] = fmin(b->best[c], crit[c]);
        }
        return;
    }
    for (uint32_t add = 1; add <= all; add++) {
        if ((add & set) != 0) {
            continue;
        }
        const uint32_t next = set | add;
        bool closed = keeps_together(b->w, next);
        uint32_t ops[OPS_MAX], n = 0;
        for (uint32_t v = 0; v < b->w->n; v++) {
            if (!(add >> v & 1)) {
                continue;
            }
            ops[n++] = v;
            for (uint32_t e = b->w->g.pred_start[v]; e < b->w->g.pred_start[v + 1]; e++) {
                closed = closed && (next >> b->w->g.pred[e] & 1);
            }
        }
        if (!closed) {
            continue;
        }
        struct atoll_stage_cost cost;
        world_stage((void *)(uintptr_t)b->w, 0, ops, n, &cost, NULL);
        for (uint32_t r = 1; r <= b->replicas_max && k + r <= b->tpus; r++) {
            const double after[ATOLL__CRITERIA] = {
                [ATOLL__CRIT_INTERVAL] = fmax(crit[ATOLL__CRIT_INTERVAL], cost.service_us / r),
                [ATOLL__CRIT_LOCK] = crit[ATOLL__CRIT_LOCK] + cost.serial_us,
                [ATOLL__CRIT_WIDEST] = fmax(crit[ATOLL__CRIT_WIDEST], r),
                [ATOLL__CRIT_ACTIVE] = crit[ATOLL__CRIT_ACTIVE] + cost.active_mj,
                [ATOLL__CRIT_LATENCY] = crit[ATOLL__CRIT_LATENCY] + cost.latency_us,
            };
            brute_from(b, next, k + r, after);
        }
    }
}

/* The goal that a first search leaves for the next; none for criteria that are no objective alone.
 * With copies allowed a mix may beat one pipeline: a goal of THROUGHPUT then only has to keep the
 * best pipeline findable, so it is set where the pipeline takes all TPUs. */
static struct atoll__goal goal_after(const struct atoll__search *first, unsigned criterion)
{
    struct atoll__goal g = {.best = INFINITY};
    for (uint32_t k = 1; k <= first->tpus; k++) {
        for (uint32_t i = atoll__search_final(first, k); i != ATOLL__LABEL_NONE;
             i = first->labels[i].next) {
            g.best = fmin(g.best, first->labels[i].crit[criterion]);
        }
    }
    g.set = (criterion == ATOLL__CRIT_INTERVAL || criterion == ATOLL__CRIT_LATENCY) && g.best > 0;
    g.objective =
        criterion == ATOLL__CRIT_LATENCY ? ATOLL_OBJECTIVE_LATENCY : ATOLL_OBJECTIVE_THROUGHPUT;
    return g;
}

static double search_best(const struct world *w, uint32_t tpus, uint32_t replicas_max,
                          unsigned judged, unsigned criterion, bool two_steps)
{
    struct atoll__lattice l, coarse;
    struct atoll_floor floors[OPS_MAX] = {{0}};
    const struct atoll_floor stage = {
        .work_us = w->host_us, .stream_us = 1e9, .output_us_per_byte = w->out_us_per_byte};
    for (uint32_t v = 0; v < w->n; v++) {
        floors[v].work_us = w->compute_us[v];
    }
    atoll__dag_set_crossing((struct atoll__dag *)(uintptr_t)&w->g, floors, &stage);
    assert_int_equal(atoll__lattice_build(&w->g, floors, 1000, 0, &l, NULL), 0);
    assert_true(l.complete);
    const struct atoll_oracle oracle = {.stage = world_stage, .user = (void *)(uintptr_t)w};
    struct atoll__memo memo = {0}, memo_coarse = {0};
    struct atoll__search first = {.oracle = &oracle,
                                  .board = &board,
                                  .memo = &memo_coarse,
                                  .tpus = tpus,
                                  .replicas_max = replicas_max,
                                  .judged = judged,
                                  .latency_max_us = w->latency_max_us,
                                  .stage_floor = stage};
    struct atoll__search s = first;
    struct atoll__spans spans, spans_coarse;
    assert_int_equal(atoll__spans_make(&l, &w->g, &stage, &spans, NULL), 0);
    s.lattice = &l;
    s.spans = &spans;
    s.memo = &memo;
    double best = INFINITY;
    if (two_steps) { /* block boundaries first; what they give bounds the second search */
        assert_int_equal(atoll__lattice_coarse(&l, 3, &coarse, NULL), 0);
        assert_int_equal(atoll__spans_make(&coarse, &w->g, &stage, &spans_coarse, NULL), 0);
        first.lattice = &coarse;
        first.spans = &spans_coarse;
        assert_int_equal(atoll__search_run(&first, NULL), 0);
        s.goal = goal_after(&first, criterion);
    }
    assert_int_equal(atoll__search_run(&s, NULL), 0);
    for (uint32_t k = 1; k <= tpus; k++) {
        for (uint32_t i = atoll__search_final(&s, k); i != ATOLL__LABEL_NONE;
             i = s.labels[i].next) {
            best = fmin(best, s.labels[i].crit[criterion]);
        }
        for (uint32_t i = two_steps ? atoll__search_final(&first, k) : ATOLL__LABEL_NONE;
             i != ATOLL__LABEL_NONE; i = first.labels[i].next) {
            best = fmin(best, first.labels[i].crit[criterion]);
        }
    }
    atoll__search_finish(&s);
    if (two_steps) {
        atoll__search_finish(&first);
        atoll__spans_finish(&spans_coarse);
        atoll__lattice_finish(&coarse);
    }
    atoll__memo_finish(&memo);
    atoll__memo_finish(&memo_coarse);
    atoll__spans_finish(&spans);
    atoll__lattice_finish(&l);
    return best;
}

/* Operators that must stay together, in half of the rounds a bound of the latency between the least
 * and somewhat more: both as the brute force has them. */
static void keeps_what_it_must(void **state)
{
    (void)state;
    const char *given = getenv("ATOLL_SEED");
    const uint64_t seed = given ? strtoull(given, NULL, 10) : 20261124;
    print_message("seed %llu\n", (unsigned long long)seed);
    const unsigned every = (1u << ATOLL__CRITERIA) - 1;
    const double zero[ATOLL__CRITERIA] = {0};
    struct atoll_rng r;
    atoll_rng_seed(&r, seed);
    for (int round = 0; round < 500; round++) {
        struct world w;
        make_world(&w, &r);
        for (uint32_t v = 0; v < w.n; v++) {
            w.group[v] = (uint32_t)atoll_rng_below(&r, 4);
            w.group[v] = w.group[v] < 2 ? w.group[v] : UINT32_MAX;
        }
        assert_int_equal(atoll__dag_merge(&w.g, w.group, NULL), 0);
        const uint32_t tpus = 1 + (uint32_t)atoll_rng_below(&r, 4);
        struct brute b = {
            .w = &w,
            .tpus = tpus,
            .replicas_max = 4,
            .best = {INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY}};
        brute_from(&b, 0, 0, zero);
        if (round & 1) {
            w.latency_max_us = b.best[ATOLL__CRIT_LATENCY] + (double)atoll_rng_below(&r, 12) - 1.5;
            for (unsigned c = 0; c < ATOLL__CRITERIA; c++) {
                b.best[c] = INFINITY;
            }
            brute_from(&b, 0, 0, zero);
        }
        for (unsigned c = 0; c < ATOLL__CRITERIA; c++) {
            const double found = search_best(&w, tpus, 4, every, c, (round & 2) != 0);
            assert_true(found == b.best[c] || fabs(found - b.best[c]) < 1e-9);
        }
        atoll__dag_finish(&w.g);
    }
}

static void equals_brute_force(void **state)
{
    (void)state;
    const char *given = getenv("ATOLL_SEED");
    const uint64_t seed = given ? strtoull(given, NULL, 10) : 20261124;
    print_message("seed %llu\n", (unsigned long long)seed);
    struct atoll_rng r;
    atoll_rng_seed(&r, seed);
    for (int round = 0; round < 1000; round++) {
        struct world w;
        make_world(&w, &r);
        const uint32_t tpus = 1 + (uint32_t)atoll_rng_below(&r, 4);
        for (uint32_t replicas_max = 1; replicas_max <= 4; replicas_max += 3) {
            struct brute b = {
                .w = &w,
                .tpus = tpus,
                .replicas_max = replicas_max,
                .best = {INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY}};
            const double zero[ATOLL__CRITERIA] = {0};
            brute_from(&b, 0, 0, zero);
            const unsigned every = (1u << ATOLL__CRITERIA) - 1;
            for (unsigned c = 0; c < ATOLL__CRITERIA; c++) {
                const bool two = (round & 1) != 0;
                assert_true(fabs(search_best(&w, tpus, replicas_max, 1u << c, c, two) - b.best[c]) <
                            1e-9);
                assert_true(fabs(search_best(&w, tpus, replicas_max, every, c, two) - b.best[c]) <
                            1e-9);
            }
        }
        atoll__dag_finish(&w.g);
    }
}

/* topology facts 6.4: two branches b1(1)->b2(5), c1(5)->c2(1); three stages: one order gives 6,
 * down-sets 5. */
static void down_sets_beat_one_order(void **state)
{
    (void)state;
    struct world w = {.n = 4, .compute_us = {1, 5, 5, 1}, .cap = 100};
    const uint32_t from[] = {0, 2}, to[] = {1, 3};
    const double out[4] = {0};
    assert_int_equal(atoll__dag_of_edges(4, from, to, 2, out, &w.g, NULL), 0);
    assert_true(fabs(search_best(&w, 3, 1, 1, ATOLL__CRIT_INTERVAL, false) - 5) < 1e-9);
    atoll__dag_finish(&w.g);
}

/* A diamond a -> {b, c} -> d has six down-sets. */
static void diamond_has_six(void **state)
{
    (void)state;
    struct atoll__dag g;
    const uint32_t from[] = {0, 0, 1, 2}, to[] = {1, 2, 3, 3};
    const double out[4] = {1, 1, 1, 1};
    const struct atoll_floor none[4] = {{0}};
    assert_int_equal(atoll__dag_of_edges(4, from, to, 4, out, &g, NULL), 0);
    struct atoll__lattice l;
    assert_int_equal(atoll__lattice_build(&g, none, 100, 0, &l, NULL), 0);
    assert_int_equal(l.n, 6);
    assert_true(l.complete);
    assert_int_equal(l.crossing[1], 1);       /* {a} */
    assert_int_equal(l.crossing[l.n - 2], 2); /* {a, b, c} */
    atoll__lattice_finish(&l);
    assert_int_equal(atoll__lattice_build(&g, none, 1, 0, &l, NULL), 0);
    assert_false(l.complete);
    assert_int_equal(l.n, 5);
    atoll__lattice_finish(&l);
    atoll__dag_finish(&g);
}

/* Times 4,3,2,6,5 on a chain: slowest stage 11 with two stages, 8 with three, 20/3 with replicas on
 * three TPUs. */
static void chain_of_five(void **state)
{
    (void)state;
    struct world w = {.n = 5, .compute_us = {4, 3, 2, 6, 5}, .cap = 100};
    const uint32_t from[] = {0, 1, 2, 3}, to[] = {1, 2, 3, 4};
    const double out[5] = {0};
    assert_int_equal(atoll__dag_of_edges(5, from, to, 4, out, &w.g, NULL), 0);
    assert_true(fabs(search_best(&w, 2, 1, 1, ATOLL__CRIT_INTERVAL, false) - 11) < 1e-9);
    assert_true(fabs(search_best(&w, 3, 1, 1, ATOLL__CRIT_INTERVAL, false) - 8) < 1e-9);
    assert_true(fabs(search_best(&w, 3, 3, 1, ATOLL__CRIT_INTERVAL, false) - 20.0 / 3) < 1e-9);
    atoll__dag_finish(&w.g);
}

/* Soft cache, facts 6.4: six ops of 4, weights 1,1,2,3,3,2, 6 fit, 5 per unit spilled, 1 per stage.
 */
static void soft_cache(void **state)
{
    (void)state;
    struct world w = {.n = 6,
                      .compute_us = {4, 4, 4, 4, 4, 4},
                      .weight = {1, 1, 2, 3, 3, 2},
                      .cap = 6,
                      .spill_us = 5,
                      .host_us = 1};
    const uint32_t from[] = {0, 1, 2, 3, 4}, to[] = {1, 2, 3, 4, 5};
    const double out[6] = {0};
    assert_int_equal(atoll__dag_of_edges(6, from, to, 5, out, &w.g, NULL), 0);
    const double interval[] = {55, 23, 9, 9};
    for (uint32_t k = 1; k <= 4; k++) {
        assert_true(fabs(search_best(&w, k, 1, 1, ATOLL__CRIT_INTERVAL, false) - interval[k - 1]) <
                    1e-9);
    }
    /* Balanced by bytes (7 | 5) the first stage of two spills: 32 against the 23 of 3 | 3. */
    struct atoll_stage_cost left, right;
    const uint32_t first[] = {0, 1, 2, 3}, last[] = {4, 5};
    world_stage(&w, 0, first, 4, &left, NULL);
    world_stage(&w, 0, last, 2, &right, NULL);
    assert_true(fabs(left.service_us - 32) < 1e-9 && fabs(right.service_us - 9) < 1e-9);
    /* latency carries 0.5 a stage more in this world */
    assert_true(fabs(search_best(&w, 1, 1, 1u << ATOLL__CRIT_LATENCY, ATOLL__CRIT_LATENCY, false) -
                     55.5) < 1e-9);
    assert_true(fabs(search_best(&w, 2, 1, 1u << ATOLL__CRIT_LATENCY, ATOLL__CRIT_LATENCY, false) -
                     37.0) < 1e-9);
    assert_true(fabs(search_best(&w, 3, 1, 1u << ATOLL__CRIT_LATENCY, ATOLL__CRIT_LATENCY, false) -
                     28.5) < 1e-9);
    atoll__dag_finish(&w.g);
}

/* Facts 6.4: with zero overhead and no cache, nothing beats a copy of the whole model on every TPU.
 */
static void copies_win_without_overhead(void **state)
{
    (void)state;
    struct atoll_rng r;
    atoll_rng_seed(&r, 64);
    for (int round = 0; round < 200; round++) {
        struct world w;
        make_world(&w, &r);
        w.cap = 100;
        w.host_us = w.out_us_per_byte = 0;
        double all_us = 0;
        for (uint32_t v = 0; v < w.n; v++) {
            all_us += w.compute_us[v];
        }
        const uint32_t tpus = 1 + (uint32_t)atoll_rng_below(&r, 4);
        const double best = search_best(&w, tpus, tpus, 1, ATOLL__CRIT_INTERVAL, false);
        assert_true(fabs(best - all_us / tpus) < 1e-9);
        atoll__dag_finish(&w.g);
    }
}

/* Facts 6.4: an operator twice as heavy as the average on three TPUs stands alone and leaves no
 * stage empty. */
static void a_heavy_operator_stands_alone(void **state)
{
    (void)state;
    struct world w = {.n = 5, .compute_us = {2, 2, 6, 2, 3}, .cap = 100};
    const uint32_t from[] = {0, 1, 2, 3}, to[] = {1, 2, 3, 4};
    const double out[5] = {0};
    memset(w.group, 0xff, sizeof w.group);
    assert_int_equal(atoll__dag_of_edges(5, from, to, 4, out, &w.g, NULL), 0);
    assert_true(fabs(search_best(&w, 3, 1, 1, ATOLL__CRIT_INTERVAL, false) - 6) < 1e-9);
    atoll__dag_finish(&w.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(diamond_has_six),
        cmocka_unit_test(chain_of_five),
        cmocka_unit_test(soft_cache),
        cmocka_unit_test(down_sets_beat_one_order),
        cmocka_unit_test(equals_brute_force),
        cmocka_unit_test(keeps_what_it_must),
        cmocka_unit_test(copies_win_without_overhead),
        cmocka_unit_test(a_heavy_operator_stands_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
