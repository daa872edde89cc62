/* SPDX-License-Identifier: Apache-2.0 */
/* Random chains, costs and boards: the figures of every plan hang together, whoever made it. */
#include "../../unit/plan/plan_fixture.h"

#include <stdlib.h>

static void random_fixture(struct fixture *f, struct atoll_rng *r)
{
    double times_us[CHAIN_MAX];
    uint32_t weights[CHAIN_MAX];
    const uint32_t n = 1 + (uint32_t)atoll_rng_below(r, 40);
    for (uint32_t i = 0; i < n; i++) {
        times_us[i] = 1 + 100 * atoll_rng_unit(r);
        weights[i] = (uint32_t)atoll_rng_below(r, 50);
    }
    fixture_open(f, times_us, weights, n, 1 + (uint32_t)atoll_rng_below(r, 8));
    f->table.cap = (double)atoll_rng_below(r, 400);
    f->table.spill_us = 5 * atoll_rng_unit(r);
    f->table.host_us = 10 * atoll_rng_unit(r);
    f->table.active_mj = atoll_rng_unit(r);
    f->board.shared_link_mib_per_s.value = atoll_rng_below(r, 2) ? 0 : 1 + 50 * atoll_rng_unit(r);
    f->board.drive[1][ATOLL_DRIVE_THREADED].copy_interval_us.value = 2 * atoll_rng_unit(r);
    f->request.tpus = 1 + (uint32_t)atoll_rng_below(r, f->board.n_tpus);
    f->request.want_next_tpu = atoll_rng_below(r, 2) == 0;
}

static void check_plan(const struct fixture *f, const struct atoll_plan *p)
{
    double rate_hz = 0, slowest_us = 0, best_us = INFINITY;
    uint32_t tpus = 0;
    for (uint32_t i = 0; i < p->n_pipelines; i++) {
        const struct atoll_pipeline *pipe = &p->pipelines[i];
        uint32_t ops = 0;
        rate_hz += 1e6 / pipe->interval_us;
        slowest_us = fmax(slowest_us, pipe->latency_us);
        best_us = fmin(best_us, pipe->latency_us);
        for (uint32_t s = 0; s < pipe->n_stages; s++) {
            assert_true(pipe->stages[s].n_ops > 0);
            ops += pipe->stages[s].n_ops;
            for (uint32_t k = 0; k < pipe->stages[s].n_tpus; k++) {
                assert_int_equal(pipe->stages[s].tpus[k], tpus++);
            }
            assert_true(pipe->interval_us * pipe->stages[s].n_tpus >=
                        pipe->stages[s].cost.service_us * (1 - 1e-12));
        }
        assert_int_equal(ops, f->model->n_ops);
    }
    assert_int_equal(tpus, p->tpus_used);
    assert_true(p->tpus_used <= f->request.tpus);
    assert_true(fabs(rate_hz - p->throughput_hz) <= 1e-9 * rate_hz);
    assert_true(fabs(p->interval_us * p->throughput_hz - 1e6) <= 1e-3);
    assert_true(p->latency_us == best_us && p->latency_worst_us == slowest_us);
    assert_true(p->energy_mj > 0 && p->energy_u95_mj >= 0);
    assert_non_null(p->bottleneck);
    assert_non_null(p->streams);
    struct atoll_err err = {0};
    assert_int_equal(atoll_plan_check(p, 0, f->model, &err), 0);
}

/* Written twice, and written, read and written again: the same bytes. */
static void check_text(const struct atoll_plan *p)
{
    struct atoll_err err = {0};
    struct atoll_plan *back = NULL;
    json_t *a = atoll_plan_to_json(p);
    assert_int_equal(atoll_plan_from_json("p", a, &back, &err), 0);
    json_t *b = atoll_plan_to_json(back);
    char *ta = atoll_json_text(a, NULL), *tb = atoll_json_text(b, NULL);
    assert_string_equal(ta, tb);
    atoll_free(ta);
    atoll_free(tb);
    json_decref(a);
    json_decref(b);
    atoll_plan_close(&back);
}

static void random_plans(void **state)
{
    (void)state;
    const char *given = getenv("ATOLL_TEST_SEED");
    const uint64_t seed = given ? strtoull(given, NULL, 10) : 20261124;
    printf("seed %llu\n", (unsigned long long)seed);
    for (uint64_t part = 0; part < 200; part++) {
        struct atoll_rng r;
        struct fixture f;
        struct atoll_err err = {0};
        struct atoll_comparison c, again;
        atoll_rng_seed(&r, atoll_seed_mix(seed, part));
        random_fixture(&f, &r);
        assert_int_equal(atoll_plan_compare(&f.request, &c, &err), 0);
        assert_int_equal(atoll_plan_compare(&f.request, &again, &err), 0);
        assert_int_equal(c.n_plans, again.n_plans);
        for (uint32_t i = 0; i < c.n_plans; i++) {
            json_t *x = atoll_plan_to_json(c.plans[i]), *y = atoll_plan_to_json(again.plans[i]);
            assert_true(json_equal(x, y));
            json_decref(x);
            json_decref(y);
            if (!c.plans[i]->skipped) {
                check_plan(&f, c.plans[i]);
                check_text(c.plans[i]);
            }
        }
        assert_true(c.best[0] >= 0 && c.best[1] >= 0 && c.best[2] >= 0);
        atoll_comparison_finish(&c);
        atoll_comparison_finish(&again);
        fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_plans)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
