/* SPDX-License-Identifier: Apache-2.0 */
/* Properties of the cost of a segment on random networks, random segments and every board. */
#include "atoll_test.h"

#include "cost_fixture.h"
#include "cost_internal.h"

#include <math.h>
#include <stdlib.h>

#define ROUNDS ((uint32_t)test_cases(150))

static uint64_t first_seed;
static uint64_t seed; /* of the case at hand, for the message */

static void near(double a, double b, const char *what)
{
    if (fabs(a - b) > 1e-9 * (fabs(a) + fabs(b)) + 1e-12) {
        fail_msg("seed %llu: %s: %.17g and %.17g", (unsigned long long)seed, what, a, b);
    }
}

/** The second operator reads nothing that the first makes. */
static bool independent(const struct atoll_model *m, uint32_t first, uint32_t second)
{
    for (uint32_t i = 0; i < m->ops[second].n_inputs; i++) {
        const int32_t t = m->ops[second].inputs[i];
        if (t >= 0 && m->tensors[t].producer == (int32_t)first) {
            return false;
        }
    }
    return true;
}

/** A random run of operators, in file order or (half the time, where the graph allows) swapped at
 *  some places, so that it is no run. */
static uint32_t random_segment(struct atoll_rng *r, const struct atoll_model *m, uint32_t *ops)
{
    const uint32_t from = (uint32_t)atoll_rng_below(r, m->n_ops);
    const uint32_t n = 1u + (uint32_t)atoll_rng_below(r, m->n_ops - from);
    for (uint32_t i = 0; i < n; i++) {
        ops[i] = from + i;
    }
    if (atoll_rng_below(r, 2) == 0) {
        for (uint32_t i = 0; i + 1u < n; i += 1u + (uint32_t)atoll_rng_below(r, 3)) {
            if (independent(m, ops[i], ops[i + 1u])) {
                const uint32_t kept = ops[i];
                ops[i] = ops[i + 1u];
                ops[i + 1u] = kept;
            }
        }
    }
    return n;
}

static void same_figures(const struct atoll_stage_cost *a, const struct atoll_stage_cost *b)
{
    assert_int_equal(a->stored_bytes, b->stored_bytes);
    assert_int_equal(a->on_chip_bytes, b->on_chip_bytes);
    assert_int_equal(a->off_chip_bytes, b->off_chip_bytes);
    assert_int_equal(a->narrow_bytes_per_tile, b->narrow_bytes_per_tile);
    assert_int_equal(a->input_bytes, b->input_bytes);
    assert_int_equal(a->output_bytes, b->output_bytes);
    assert_int_equal(a->output_px, b->output_px);
    assert_int_equal(a->instruction_bytes, b->instruction_bytes);
    assert_int_equal(a->macs, b->macs);
    assert_int_equal(a->family, b->family);
    assert_int_equal(a->strips, b->strips);
    assert_true(a->warning == b->warning);
    near(a->compute_us, b->compute_us, "compute_us");
    near(a->stream_us, b->stream_us, "stream_us");
    near(a->cpu_us, b->cpu_us, "cpu_us");
    near(a->latency_us, b->latency_us, "latency_us");
    near(a->service_us, b->service_us, "service_us");
    near(a->busy_us, b->busy_us, "busy_us");
    near(a->load_us, b->load_us, "load_us");
    near(a->active_mj, b->active_mj, "active_mj");
    near(a->latency_u95_us, b->latency_u95_us, "latency_u95_us");
}

static void the_fast_path_is_the_reference(void **state)
{
    (void)state;
    struct atoll_board *boards[2] = {open_board("asus_crl_g18u"), open_board("dev_board_micro")};
    for (uint32_t round = 0; round < ROUNDS; round++) {
        seed = atoll_seed_mix(first_seed, round);
        struct atoll_rng r;
        atoll_rng_seed(&r, seed);
        struct atoll_model *m = net_random(&r);
        struct atoll_cost *c = NULL;
        struct atoll_err err = {0};
        assert_int_equal(
            atoll_cost_open(m, round % 2 ? ATOLL_COMPILER_V16 : ATOLL_COMPILER_2019, &c, &err), 0);
        uint32_t *ops = all_ops(m);
        for (uint32_t i = 0; i < 12; i++) {
            const uint32_t n = i == 0 ? m->n_ops : random_segment(&r, m, ops);
            const struct atoll_use use = {.clock = (enum atoll_clock)(i % 3),
                                          .runner = (enum atoll_host_runner)(i % 3)};
            struct atoll_program p;
            struct atoll_stage_cost fast;
            struct atoll_stage_cost plain;
            assert_int_equal(atoll_cost_program(c, ops, n, &p, &err), 0);
            assert_int_equal(atoll_cost_stage(c, boards[i % 2], &use, ops, n, &fast, &err), 0);
            atoll_cost_stage_of(&p, boards[i % 2], &use, &plain);
            same_figures(&fast, &plain);
            assert_int_equal(p.stored_bytes, p.on_chip_bytes + p.off_chip_bytes);
            assert_true(p.on_chip_bytes <= p.budget_bytes);
            atoll_program_finish(&p);
        }
        atoll_free(ops);
        atoll_cost_close(&c);
        atoll_model_close(&m);
    }
    atoll_board_close(&boards[0]);
    atoll_board_close(&boards[1]);
}

static double latency_of(const struct atoll_cost *c, const struct atoll_board *b)
{
    struct atoll_stage_cost out;
    struct atoll_err err = {0};
    uint32_t *ops = all_ops(atoll_cost_model(c));
    assert_int_equal(atoll_cost_stage(c, b, NULL, ops, atoll_cost_model(c)->n_ops, &out, &err), 0);
    atoll_free(ops);
    return out.latency_us;
}

static void more_bandwidth_never_costs_more(void **state)
{
    (void)state;
    struct atoll_board *b = open_board("usb3_x86");
    for (uint32_t round = 0; round < ROUNDS; round++) {
        seed = atoll_seed_mix(first_seed, 100000 + round);
        struct atoll_rng r;
        atoll_rng_seed(&r, seed);
        struct atoll_model *m = net_random(&r);
        struct atoll_cost *c = NULL;
        struct atoll_err err = {0};
        assert_int_equal(atoll_cost_open(m, ATOLL_COMPILER_V16, &c, &err), 0);
        struct atoll_board faster = *b;
        struct atoll_drive_cost *d = &faster.drive[1][0];
        const double factor = atoll_rng_unit(&r);
        faster.stream_us_per_mib.value *= factor;
        d->input_us_per_mib.value *= factor;
        d->output_us_per_mib.value *= factor;
        assert_true(latency_of(c, &faster) <= latency_of(c, b) * (1 + 1e-12));
        faster.clock_max_hz.value *= 1.5;
        assert_true(latency_of(c, &faster) <= latency_of(c, b) * (1 + 1e-12));
        atoll_cost_close(&c);
        atoll_model_close(&m);
    }
    atoll_board_close(&b);
}

static struct atoll_stage_cost chain_cost(int32_t filters, const struct atoll_board *b)
{
    struct atoll_model *m = net_conv_chain(3, filters, 32);
    struct atoll_cost *c = NULL;
    struct atoll_err err = {0};
    struct atoll_stage_cost out;
    uint32_t *ops = all_ops(m);
    assert_int_equal(atoll_cost_open(m, ATOLL_COMPILER_V16, &c, &err), 0);
    assert_int_equal(atoll_cost_stage(c, b, NULL, ops, m->n_ops, &out, &err), 0);
    atoll_free(ops);
    atoll_cost_close(&c);
    atoll_model_close(&m);
    return out;
}

static void more_bytes_never_cost_less(void **state)
{
    (void)state;
    struct atoll_board *b = open_board("pcie_x86");
    struct atoll_stage_cost last = chain_cost(4, b);
    for (int32_t f = 5; f < 330; f++) {
        const struct atoll_stage_cost now = chain_cost(f, b);
        assert_true(now.stored_bytes >= last.stored_bytes);
        assert_true(now.input_bytes >= last.input_bytes);
        assert_true(now.output_bytes >= last.output_bytes);
        assert_true(now.compute_us >= last.compute_us * (1 - 1e-12));
        assert_true(now.latency_us >= last.latency_us * (1 - 1e-12));
        /* the array works on groups: time and bytes move only where a group begins */
        if ((f - 1) % 4 != 0) {
            assert_int_equal(now.stored_bytes, last.stored_bytes);
            near(now.compute_us, last.compute_us, "compute_us inside a group of 4");
        }
        last = now;
    }
    atoll_board_close(&b);
}

static void a_dense_layer_steps_at_64(void **state)
{
    (void)state;
    uint64_t last = 0;
    for (int32_t units = 1; units < 400; units++) {
        struct atoll_model *m = net_dense_chain(0, 100, 0, units);
        struct atoll_cost *c = NULL;
        struct atoll_err err = {0};
        assert_int_equal(atoll_cost_open(m, ATOLL_COMPILER_V16, &c, &err), 0);
        const uint64_t bytes = atoll_cost_packed_bytes(c, 0);
        assert_true(units == 1 || (bytes != last) == (units % 64 == 1));
        last = bytes;
        atoll_cost_close(&c);
        atoll_model_close(&m);
    }
}

int main(void)
{
    first_seed = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fast_path_is_the_reference),
        cmocka_unit_test(more_bandwidth_never_costs_more),
        cmocka_unit_test(more_bytes_never_cost_less),
        cmocka_unit_test(a_dense_layer_steps_at_64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
