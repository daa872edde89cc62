/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often a comparison is right. Pairs of sweeps with different seeds: with every time 3 % longer
 * on one side at least 99 of 100 must be called a regression, without it at most 5 of 100. Keys
 * whose repeats scatter alike, unlike, and share a cause within a repeat. ATOLL_SEEDS=20 runs 100
 * pairs of each kind.
 */
#include "../../unit/atoll_test.h"
#include "../../unit/report/report_scratch.h"

#include <atoll/report.h>

struct kind {
    const char *name;
    double unlike, repeat_sd;
    unsigned models, tpus;
    bool partitions;
};
static const struct kind kinds[] = {
    {"alike", 0, 0, 3, 4, false},
    {"unlike", 0.6, 0, 3, 4, false},
    {"shared within a repeat", 0, 0.003, 3, 4, false},
    {"one model, one TPU", 0, 0, 1, 1, false},
    {"many keys", 0.3, 0, 4, 5, true},
};

static bool regression(const struct kind *k, uint64_t seed, double time_factor, bool print)
{
    struct atoll_err err = {0};
    struct atoll_comparison_report r = {0};
    struct fixture f = fixture_default();
    f.models = k->models;
    f.tpus = k->tpus;
    f.partitions = k->partitions;
    f.unlike = k->unlike;
    f.repeat_sd = k->repeat_sd;
    f.samples = 0;
    f.seed = 2 * seed;
    struct atoll_store *a = scratch_store("a.db", &f);
    f.seed = 2 * seed + 1;
    f.time_factor = time_factor;
    struct atoll_store *b = scratch_store("b.db", &f);
    if (atoll_compare_stores(a, b, &r, &err)) {
        fail_msg("seed %llu: %s", (unsigned long long)seed, err.text);
    }
    const bool answer = r.regression;
    if (answer == print) {
        print_message("%s, seed %llu: %s\n", k->name, (unsigned long long)seed, r.sentence);
    }
    atoll_comparison_report_finish(&r);
    atoll_store_close(&a);
    atoll_store_close(&b);
    return answer;
}

static void planted(void **state)
{
    (void)state;
    const unsigned n = (unsigned)test_cases(5);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        unsigned found = 0;
        for (unsigned i = 0; i < n; i++) {
            found += regression(&kinds[k], 1000 + i, 1.03, false);
        }
        print_message("%s: 3 %% longer found in %u of %u\n", kinds[k].name, found, n);
        assert_true(found * 100 >= n * 99);
    }
}

static void clean(void **state)
{
    (void)state;
    const unsigned n = (unsigned)test_cases(5);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        unsigned alarms = 0;
        for (unsigned i = 0; i < n; i++) {
            alarms += regression(&kinds[k], 5000 + i, 1, true);
        }
        print_message("%s: %u false alarms in %u\n", kinds[k].name, alarms, n);
        assert_true(alarms * 100 <= n * 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(planted), cmocka_unit_test(clean)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
