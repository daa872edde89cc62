/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include "cost_fixture.h"
#include "cost_internal.h"

static struct atoll_program program_of(const struct atoll_model *m)
{
    struct atoll_cost *c = NULL;
    struct atoll_program p;
    struct atoll_err err = {0};
    uint32_t *ops = all_ops(m);
    assert_int_equal(atoll_cost_open(m, ATOLL_COMPILER_2019, &c, &err), 0);
    assert_int_equal(atoll_cost_program(c, ops, m->n_ops, &p, &err), 0);
    atoll_free(ops);
    atoll_cost_close(&c);
    return p;
}

static void dense_memory_is_that_of_the_compiled_files(void **state)
{
    (void)state;
    static const int32_t units[] = {256, 512, 1024};
    static const uint64_t narrow[] = {832, 1088, 1600};
    for (int i = 0; i < 3; i++) {
        struct atoll_model *m = net_dense_chain(0, units[i], 0, units[i]);
        struct atoll_program p = program_of(m);
        assert_int_equal(p.narrow_bytes_per_tile, narrow[i]);
        assert_int_equal(p.input_bytes, units[i]);
        assert_int_equal(p.family, ATOLL_FAMILY_DENSE);
        atoll_program_finish(&p);
        atoll_model_close(&m);
    }
}

static void a_large_image_is_cut_in_strips(void **state)
{
    (void)state;
    struct atoll_model *m = net_conv_chain(3, 64, 256); /* two maps of 256 KB a tile */
    struct atoll_program p = program_of(m);
    assert_true(p.strips);
    assert_int_equal(p.narrow_bytes_per_tile, 196608);
    assert_true(p.instruction_bytes > 1450 + 1800 * 3); /* once more per strip */
    atoll_program_finish(&p);
    atoll_model_close(&m);
    m = net_conv_chain(3, 64, 64); /* 16 x 16 x (64 + 64) bytes a tile */
    p = program_of(m);
    assert_false(p.strips);
    assert_int_equal(p.narrow_bytes_per_tile, 18 * 18 * (64 + 64));
    assert_int_equal(p.instruction_bytes, 1450 + 1800 * 3);
    atoll_program_finish(&p);
    atoll_model_close(&m);
}

/** Compiled files of one dense layer: 4224, 6144 and 9984 B for 256, 512 and 1024 outputs. */
static void instructions_of_dense_layers_are_exact(void **state)
{
    (void)state;
    static const uint64_t bytes[] = {4224, 6144, 9984};
    for (int i = 0; i < 3; i++) {
        struct atoll_model *m = net_dense_chain(0, 256 << i, 0, 256 << i);
        struct atoll_program p = program_of(m);
        assert_int_equal(p.instruction_bytes, bytes[i]);
        atoll_program_finish(&p);
        atoll_model_close(&m);
    }
}

static void a_skip_lives_until_its_last_reader(void **state)
{
    (void)state;
    struct net n;
    net_begin(&n);
    const int32_t in = net_input(&n, 16, 16, 16);
    const int32_t a = net_conv(&n, in, 3, 1, 16, false);
    const int32_t b = net_conv(&n, a, 3, 1, 16, false);
    const int32_t y = net_add(&n, net_conv(&n, b, 3, 1, 16, false), a);
    struct atoll_model *m = net_end(&n, in, &y, 1);
    struct atoll_program p =
        program_of(m); /* a and b with a halo of one pixel, the third map bare */
    assert_int_equal(p.narrow_bytes_per_tile, (6 * 6 + 6 * 6 + 4 * 4) * 16);
    atoll_program_finish(&p);
    atoll_model_close(&m);
}

static void wire_sizes_are_padded(void **state)
{
    (void)state;
    struct net n;
    net_begin(&n);
    const int32_t in = net_input(&n, 23, 31, 17);
    const int32_t y = net_conv(&n, in, 1, 1, 17, false);
    struct atoll_model *m = net_end(&n, in, &y, 1);
    struct atoll_program p = program_of(m);
    assert_int_equal(p.input_bytes, 12128);  /* pad8(23 * 31 * 17) */
    assert_int_equal(p.output_bytes, 14264); /* pad8(23 * 31 * 20) */
    assert_int_equal(p.n_inputs, 1);
    assert_int_equal(p.n_outputs, 1);
    atoll_program_finish(&p);
    atoll_model_close(&m);
}

static void host_operators_are_counted_apart(void **state)
{
    (void)state;
    struct net n;
    net_begin(&n);
    const int32_t in = net_vector(&n, 64);
    const int32_t y = net_custom(&n, net_dense(&n, in, 32, false));
    struct atoll_model *m = net_end(&n, in, &y, 1);
    struct atoll_program p = program_of(m);
    assert_int_equal(p.cpu_ops, 1);
    assert_int_equal(p.n_tpu_ops, 1);
    assert_true(p.cpu_us > 0.0);
    assert_int_equal(p.output_bytes, 32); /* what the host operator reads leaves the device */
    atoll_program_finish(&p);
    atoll_model_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_memory_is_that_of_the_compiled_files),
        cmocka_unit_test(instructions_of_dense_layers_are_exact),
        cmocka_unit_test(a_large_image_is_cut_in_strips),
        cmocka_unit_test(a_skip_lives_until_its_last_reader),
        cmocka_unit_test(wire_sizes_are_padded),
        cmocka_unit_test(host_operators_are_counted_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
