/* SPDX-License-Identifier: Apache-2.0 */
/* The vendor order against a plain transcript of the rule on a real double-ended list, and the cuts
 * against their definition, on random graphs. */
#include "atoll_test.h"
#include "model_random.h"

static bool feeds(const struct atoll_model *m, uint32_t from, uint32_t to)
{
    for (uint32_t i = 0; i < m->ops[to].n_inputs; i++) {
        const int32_t t = m->ops[to].inputs[i];
        if (t >= 0 && m->tensors[t].producer == (int32_t)from) {
            return true;
        }
    }
    return false;
}

static bool is_sink(const struct atoll_model *m, uint32_t op)
{
    for (uint32_t o = 0; o < m->n_ops; o++) {
        if (feeds(m, op, o)) {
            return false;
        }
    }
    return true;
}

static bool in_list(const uint32_t *list, uint32_t n, uint32_t op)
{
    for (uint32_t i = 0; i < n; i++) {
        if (list[i] == op) {
            return true;
        }
    }
    return false;
}

static bool is_ready(const struct atoll_model *m, const uint32_t *order, uint32_t done, uint32_t op)
{
    for (uint32_t p = 0; p < m->n_ops; p++) {
        if (feeds(m, p, op) && !in_list(order, done, p)) {
            return false;
        }
    }
    return true;
}

static void plain_order(const struct atoll_model *m, uint32_t *order)
{
    uint32_t list[64], n = 0, done = 0;
    for (uint32_t o = 0; o < m->n_ops; o++) {
        if (is_ready(m, order, 0, o)) {
            list[n++] = o;
        }
    }
    while (n > 0) {
        const uint32_t op = list[--n];
        order[done++] = op;
        for (uint32_t out = 0; out < m->ops[op].n_outputs; out++) {
            for (uint32_t c = 0; c < m->n_ops; c++) {
                bool reads = false;
                for (uint32_t i = 0; i < m->ops[c].n_inputs; i++) {
                    reads = reads || m->ops[c].inputs[i] == m->ops[op].outputs[out];
                }
                if (!reads || in_list(list, n, c) || !is_ready(m, order, done, c)) {
                    continue;
                }
                if (is_sink(m, c)) { /* to the front */
                    memmove(list + 1, list, n * sizeof *list);
                    list[0] = c;
                } else {
                    list[n] = c;
                }
                n++;
            }
        }
    }
    assert_int_equal(done, m->n_ops);
}

static uint64_t weight(const struct atoll_model *m, uint32_t op)
{
    struct atoll_op_info info;
    atoll_op_info(m, op, &info);
    return m->ops[op].code == ATOLL_OP_CUSTOM ? 0 : info.const_bytes;
}

/* Start of the segments by the rule's own words; false when one stays empty. */
static bool plain_cuts(const struct atoll_model *m, const uint32_t *order, uint32_t n,
                       uint32_t *cuts)
{
    uint64_t total = 0;
    int64_t f = 0;
    for (uint32_t i = 0; i < m->n_ops; i++) {
        total += weight(m, order[i]);
    }
    while (!is_sink(m, order[f])) {
        f++;
    }
    int64_t at = 0;
    for (uint32_t s = 0; s + 1 < n; s++) {
        uint64_t size = 0;
        const int64_t start = at;
        while (at <= f - (int64_t)(n - s - 1) && size + weight(m, order[at]) <= total / n + 1) {
            size += weight(m, order[at++]);
        }
        if (at == start) {
            return false;
        }
        cuts[s] = (uint32_t)at;
    }
    return true;
}

static void random_graphs(void **state)
{
    (void)state;
    const uint64_t seed = test_seed();
    uint32_t refused = 0, cut = 0;
    for (size_t i = 0; i < test_cases(300); i++) {
        const uint32_t n_ops = 1 + (uint32_t)(i % 40);
        struct atoll_model *m = random_model(atoll_seed_mix(seed, i), n_ops);
        assert_non_null(m);
        uint32_t order[64], expected[64];
        plain_order(m, expected);
        assert_int_equal(atoll_model_vendor_order(m, order, NULL), 0);
        assert_memory_equal(order, expected, n_ops * sizeof *order);
        for (uint32_t n = 1; n <= n_ops && n <= 8; n++) {
            uint32_t cuts[8], plain[8];
            const bool possible = plain_cuts(m, order, n, plain);
            assert_int_equal(atoll_model_vendor_cuts(m, n, cuts, NULL), possible ? 0 : ATOLL_ENO);
            if (possible) {
                assert_memory_equal(cuts, plain, (n - 1) * sizeof *cuts);
            }
            refused += !possible;
            cut += possible && n > 1;
        }
        atoll_model_close(&m);
    }
    assert_true(refused > 10);
    assert_true(cut > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_graphs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
