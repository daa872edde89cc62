/* SPDX-License-Identifier: Apache-2.0 */
/* Cut, write, read and join: the graph comes back, on random graphs and random segmentations;
 * boundaries equal a plain definition of them. */
#include "model_pieces.h"

static void random_graphs(void **state)
{
    (void)state;
    const uint64_t seed = test_seed();
    struct atoll_rng rng;
    atoll_rng_seed(&rng, seed);
    uint32_t most = 0;
    for (size_t i = 0; i < test_cases(300); i++) {
        const uint32_t n_ops = 1 + (uint32_t)atoll_rng_below(&rng, 40);
        struct atoll_model *m = random_model(atoll_seed_mix(seed, i), n_ops);
        assert_non_null(m);
        uint32_t *seg = calloc(n_ops, sizeof *seg);
        const uint32_t wanted = 1 + (uint32_t)atoll_rng_below(&rng, 8);
        const struct atoll_segmentation s = {random_segments(&rng, m, wanted, seg), seg};
        struct atoll_err err = {0};
        must(atoll_segmentation_check(m, &s, &err), &err);
        there_and_back(m, &s, true);
        most = s.n > most ? s.n : most;
        free(seg);
        atoll_model_close(&m);
    }
    assert_true(most >= 4); /* the generator does cut */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_graphs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
