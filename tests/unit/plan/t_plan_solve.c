/* SPDX-License-Identifier: Apache-2.0 */
/* Strategies on small chains whose costs are known by hand (facts: topology 6.4). */
#include "plan_fixture.h"

static const double four_us[6] = {4, 4, 4, 4, 4, 4};
static const uint32_t soft_weights[6] = {1, 1, 2, 3, 3, 2};

static void open_soft_cache(struct fixture *f, uint32_t tpus)
{
    fixture_open(f, four_us, soft_weights, 6, tpus);
    f->table.cap = 6;
    f->table.spill_us = 5;
    f->table.host_us = 1;
}

static void soft_cache_single(void **state)
{
    (void)state;
    struct fixture f;
    open_soft_cache(&f, 1);
    struct atoll_plan *p = fixture_solve(&f, "single");
    assert_close(p->latency_us, 55);
    assert_close(p->interval_us, 55);
    assert_close(p->throughput_hz, 1e6 / 55);
    assert_int_equal(p->tpus_used, 1);
    assert_non_null(strstr(p->streams, "streams 6.00B of its 12.00B"));
    atoll_plan_close(&p);
    fixture_close(&f);
}

static void soft_cache_with_given_cuts(void **state)
{
    (void)state;
    struct fixture f;
    open_soft_cache(&f, 3);
    const uint32_t halves[] = {3}, thirds[] = {2, 4};
    f.request.cuts = halves;
    f.request.n_cuts = 1;
    struct atoll_plan *p = fixture_solve(&f, "cuts");
    assert_close(p->interval_us, 23);
    assert_close(p->latency_us, 36);
    assert_int_equal(p->pipelines[0].stages[1].ops[0], 3);
    assert_non_null(strstr(p->bottleneck, "Stage 2 of 2 (TPU 1) is the slowest"));
    assert_non_null(strstr(p->streams, "1 of 3 TPUs stay idle"));
    atoll_plan_close(&p);
    f.request.cuts = thirds;
    f.request.n_cuts = 2;
    p = fixture_solve(&f, "cuts");
    assert_close(p->interval_us, 9);
    assert_close(p->latency_us, 27);
    assert_non_null(strstr(p->streams, "Nothing streams"));
    atoll_plan_close(&p);
    fixture_close(&f);
}

/* Balancing bytes (7 | 5) is worse than the best cut (3 | 3): 32 against 23. */
static void soft_cache_vendor_cut(void **state)
{
    (void)state;
    struct fixture f;
    open_soft_cache(&f, 2);
    struct atoll_plan *p = fixture_solve(&f, "vendor");
    assert_int_equal(p->pipelines[0].n_stages, 2);
    assert_int_equal(p->pipelines[0].stages[0].n_ops, 4);
    assert_close(p->interval_us, 32);
    assert_close(p->latency_us, 41);
    atoll_plan_close(&p);
    fixture_close(&f);
}

/* Three stages (4 | 3 | 5 bytes) are the shortest pipeline that streams nothing; seven TPUs hold
 * two. */
static void smallest_resident_replicates(void **state)
{
    (void)state;
    struct fixture f;
    open_soft_cache(&f, 7);
    struct atoll_plan *p = fixture_solve(&f, "smallest_resident");
    assert_int_equal(p->n_pipelines, 2);
    assert_int_equal(p->pipelines[0].n_stages, 3);
    assert_int_equal(p->tpus_used, 6);
    assert_close(p->pipelines[0].interval_us, 13);
    assert_close(p->interval_us, 6.5);
    assert_int_equal(p->pipelines[1].stages[0].tpus[0], 3);
    atoll_plan_close(&p);
    fixture_close(&f);
}

/* When everything streams at every length, the length that streams least counts. */
static void smallest_resident_without_residence(void **state)
{
    (void)state;
    struct fixture f;
    open_soft_cache(&f, 6);
    f.table.cap = 2; /* the layers of 3 never fit: 3 + 3 bytes stream at best */
    struct atoll_plan *p = fixture_solve(&f, "smallest_resident");
    uint64_t best = UINT64_MAX, chosen = 0;
    for (uint32_t i = 0; i < p->pipelines[0].n_stages; i++) {
        chosen += p->pipelines[0].stages[i].cost.off_chip_bytes;
    }
    atoll_plan_close(&p);
    for (uint32_t n = 1; n <= 6; n++) {
        uint64_t bytes = 0;
        f.request.tpus = n;
        p = fixture_solve(&f, "vendor");
        for (uint32_t i = 0; !p->skipped && i < n; i++) {
            bytes += p->pipelines[0].stages[i].cost.off_chip_bytes;
        }
        best = p->skipped || bytes > best ? best : bytes;
        atoll_plan_close(&p);
    }
    assert_int_equal(chosen, best);
    fixture_close(&f);
}

/* Times 4, 3, 2, 6, 5 without overheads: three replicas of the whole give 20 / 3. */
static void replicas_of_the_whole(void **state)
{
    (void)state;
    static const double times_us[5] = {4, 3, 2, 6, 5};
    static const uint32_t ones[5] = {1, 1, 1, 1, 1};
    struct fixture f;
    fixture_open(&f, times_us, ones, 5, 3);
    struct atoll_plan *p = fixture_solve(&f, "replicas");
    assert_close(p->interval_us, 20.0 / 3);
    assert_close(p->latency_us, 20);
    assert_int_equal(p->n_pipelines, 1);
    assert_int_equal(p->pipelines[0].stages[0].n_tpus, 3);
    atoll_plan_close(&p);
    /* Given cuts: 3 | 2 gives 11, as min-max over two stages would. */
    const uint32_t cut[] = {3};
    f.request.cuts = cut;
    f.request.n_cuts = 1;
    p = fixture_solve(&f, "cuts");
    assert_close(p->interval_us, 11);
    atoll_plan_close(&p);
    fixture_close(&f);
}

static void partitions_run_side_by_side(void **state)
{
    (void)state;
    struct fixture f;
    open_soft_cache(&f, 4);
    struct atoll_plan *p = fixture_solve(&f, "partition:3+1");
    assert_int_equal(p->n_pipelines, 2);
    assert_close(p->pipelines[0].interval_us, 13);
    assert_close(p->pipelines[1].interval_us, 55);
    assert_close(p->throughput_hz, 1e6 / 13 + 1e6 / 55);
    assert_close(p->latency_us, 27);
    assert_close(p->latency_worst_us, 55);
    assert_int_equal(p->pipelines[1].stages[0].tpus[0], 3);
    atoll_plan_close(&p);
    fixture_close(&f);
}

static void what_does_not_apply_says_why(void **state)
{
    (void)state;
    struct fixture f;
    static const uint32_t heavy_first[6] = {9, 1, 1, 1, 1, 1};
    fixture_open(&f, four_us, heavy_first, 6, 8);
    f.request.tpus = 3;
    struct atoll_plan *p =
        fixture_solve(&f, "vendor"); /* first operator above T: an empty segment */
    assert_non_null(p->skipped);
    assert_int_equal(p->n_pipelines, 0);
    assert_true(isnan(p->latency_us));
    atoll_plan_close(&p);
    f.request.tpus = 7;
    p = fixture_solve(&f, "vendor");
    assert_non_null(strstr(p->skipped, "7 stages are more than the 6 operators"));
    atoll_plan_close(&p);
    f.request.tpus = 1;
    p = fixture_solve(&f, "partition:1");
    assert_non_null(strstr(p->skipped, "one TPU"));
    atoll_plan_close(&p);
    fixture_close(&f);
}

static void bad_requests(void **state)
{
    (void)state;
    static const char *const strategies[] = {"",
                                             "partition",
                                             "partition:",
                                             "partition:a",
                                             "partition:+",
                                             "partition:4+",
                                             "partition:0+1",
                                             "partition:65",
                                             "replicas:2",
                                             "partition:3+2"};
    struct fixture f;
    open_soft_cache(&f, 4);
    for (size_t i = 0; i < sizeof strategies / sizeof strategies[0]; i++) {
        struct atoll_err err = {0};
        struct atoll_plan *p = NULL;
        f.request.strategy = strategies[i];
        assert_int_equal(atoll_plan_solve(&f.request, &p, &err), ATOLL_EUSAGE);
        assert_null(p);
        assert_true(err.text[0] != '\0');
    }
    struct atoll_err err = {0};
    struct atoll_plan *p = NULL;
    f.request.strategy = "single";
    f.request.tpus = 5;
    assert_int_equal(atoll_plan_solve(&f.request, &p, &err), ATOLL_EUSAGE);
    assert_non_null(strstr(err.text, "board test_board has 4"));
    const uint32_t falling[] = {4, 2}, outside[] = {6}, many[] = {1, 2, 3, 4};
    const struct {
        const uint32_t *cuts;
        uint32_t n;
    } cuts[] = {{falling, 2}, {outside, 1}, {many, 4}};
    f.request.tpus = 4;
    f.request.strategy = "cuts";
    for (size_t i = 0; i < 3; i++) {
        f.request.cuts = cuts[i].cuts;
        f.request.n_cuts = cuts[i].n;
        assert_int_equal(atoll_plan_solve(&f.request, &p, &err), ATOLL_EUSAGE);
    }
    fixture_close(&f);
}

/* Facts: with a soft cache the best slowest stage on 3 TPUs is 9, which no rival's cut gives. */
static void exact_is_proven(void **state)
{
    (void)state;
    struct fixture f;
    open_soft_cache(&f, 3);
    f.request.objective = ATOLL_OBJECTIVE_THROUGHPUT;
    struct atoll_plan *p = fixture_solve(&f, "exact");
    assert_close(p->interval_us, 9);
    assert_close(p->lower_bound, 9);
    assert_close(p->gap_frac, 0);
    atoll_plan_close(&p);
    f.request.objective = ATOLL_OBJECTIVE_LATENCY;
    p = fixture_solve(&f, "exact");
    assert_close(p->latency_us, 27);
    assert_close(p->gap_frac, 0);
    atoll_plan_close(&p);
    fixture_close(&f);
}

static void compare_finds_the_best(void **state)
{
    (void)state;
    struct fixture f;
    open_soft_cache(&f, 4);
    f.request.want_next_tpu = true;
    struct atoll_err err = {0};
    struct atoll_comparison c;
    assert_int_equal(atoll_plan_compare(&f.request, &c, &err), 0);
    assert_int_equal(c.n_plans, 5 + 5); /* strategies and the 5 partitions of 4 */
    for (uint32_t i = 0; i < c.n_plans; i++) {
        if (c.plans[i]->skipped) {
            continue;
        }
        assert_true(c.plans[i]->latency_us >= c.plans[c.best[ATOLL_OBJECTIVE_LATENCY]]->latency_us);
        assert_true(c.plans[i]->throughput_hz <=
                    c.plans[c.best[ATOLL_OBJECTIVE_THROUGHPUT]]->throughput_hz);
        assert_true(c.plans[i]->energy_mj >= c.plans[c.best[ATOLL_OBJECTIVE_ENERGY]]->energy_mj);
    }
    for (int o = 0; o < 3; o++) {
        assert_non_null(c.plans[c.best[o]]->next_tpu);
    }
    /* Segments: 1 + 2 + 3 + 4 + 5 of the compiler's cuts, the whole of them once; the exact search
     * may look at each of the 21 once at block boundaries and once among all, and so again for one
     * TPU more. */
    assert_true(f.table.calls <= 15 + 4 * 21);
    atoll_comparison_finish(&c);
    fixture_close(&f);
}

static void several_models_have_their_shares(void **state)
{
    (void)state;
    struct fixture f;
    open_soft_cache(&f, 5);
    const struct atoll_cost *two[] = {f.cost, f.cost};
    f.request.models = two;
    f.request.n_models = 2;
    struct atoll_plan *p = fixture_solve(&f, "vendor");
    assert_int_equal(p->n_pipelines, 2);
    assert_int_equal(p->pipelines[0].n_stages, 3);
    assert_int_equal(p->pipelines[1].n_stages, 2);
    assert_int_equal(p->pipelines[1].model, 1);
    assert_close(p->throughput_hz, 1e6 / 13 + 1e6 / 32);
    atoll_plan_close(&p);
    f.request.tpus = 1;
    p = fixture_solve(&f, "single");
    assert_non_null(strstr(p->skipped, "2 models need at least 2 TPUs"));
    atoll_plan_close(&p);
    fixture_close(&f);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct fixture f;
    open_soft_cache(&f, 3);
    f.request.want_next_tpu = true;
    f.request.strategy = "vendor";
    for (uint64_t nth = 1; nth < 10000; nth++) {
        struct atoll_err err = {0};
        struct atoll_plan *p = NULL;
        struct atoll_comparison c = {0};
        atoll_alloc_fail_after(nth);
        const int solved = atoll_plan_solve(&f.request, &p, &err);
        atoll_alloc_fail_after(nth);
        const int compared = atoll_plan_compare(&f.request, &c, &err);
        atoll_alloc_fail_after(0);
        assert_true(solved == 0 || solved == ATOLL_ENOMEM);
        assert_true(compared == 0 || compared == ATOLL_ENOMEM);
        atoll_plan_close(&p);
        atoll_comparison_finish(&c);
        if (solved == 0 && compared == 0) {
            assert_true(nth > 20);
            fixture_close(&f);
            return;
        }
    }
    fail_msg("never got through");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(soft_cache_single),
        cmocka_unit_test(soft_cache_with_given_cuts),
        cmocka_unit_test(soft_cache_vendor_cut),
        cmocka_unit_test(smallest_resident_replicates),
        cmocka_unit_test(smallest_resident_without_residence),
        cmocka_unit_test(replicas_of_the_whole),
        cmocka_unit_test(partitions_run_side_by_side),
        cmocka_unit_test(what_does_not_apply_says_why),
        cmocka_unit_test(bad_requests),
        cmocka_unit_test(exact_is_proven),
        cmocka_unit_test(compare_finds_the_best),
        cmocka_unit_test(several_models_have_their_shares),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
