/* SPDX-License-Identifier: Apache-2.0 */
/* Where one stage works alone, the simulated board and the closed formulas of room cost must say
 * the same: real programs of zoo networks on every board profile, both runners, both ways of
 * driving. */
#include "sim_fixture.h"

#include <atoll/zoo.h>

#include <math.h>

static const char *const networks[] = {"mobilenet_v1?alpha=0.25&size=128", "resnet50",
                                       "ssd_mobilenet_v1", "dense_chain"};

struct bed {
    struct atoll_model *model;
    struct atoll_cost *cost;
    uint32_t *ops;
};

static struct bed open_bed(const char *spec)
{
    struct bed b = {0};
    struct atoll_err err = {0};
    if (atoll_zoo_build(spec, &b.model, &err) != 0 ||
        atoll_cost_open(b.model, ATOLL_COMPILER_V16, &b.cost, &err) != 0) {
        fail_msg("%s", err.text);
    }
    b.ops = atoll_calloc(b.model->n_ops, sizeof *b.ops);
    assert_non_null(b.ops);
    for (uint32_t i = 0; i < b.model->n_ops; i++) {
        b.ops[i] = i;
    }
    return b;
}

static void close_bed(struct bed *b)
{
    atoll_free(b->ops);
    atoll_cost_close(&b->cost);
    atoll_model_close(&b->model);
}

static void compare(const struct bed *bed, const struct atoll_board *board,
                    enum atoll_host_runner runner)
{
    const struct atoll_device_opts o = {.board = board, .use.runner = runner, .no_jitter = true};
    const struct atoll_device_segment s = {
        .cost = bed->cost, .ops = bed->ops, .n_ops = bed->model->n_ops};
    struct atoll_device *d = NULL;
    struct atoll_stage_cost c;
    struct atoll_err err = {0};
    uint32_t slot = 0;
    if (atoll_cost_stage(bed->cost, board, &o.use, s.ops, s.n_ops, &c, &err) != 0 ||
        atoll_device_open("sim", &o, &d, &err) != 0 ||
        atoll_device_load(d, 0, &s, 0, &slot, &err) != 0) {
        fail_msg("%s", err.text);
    }
    const double tolerance_us = 0.05 + 1e-6 * c.latency_us;
    assert_int_equal(atoll_device_begin(d, ATOLL_DRIVE_CALLED, 1, NULL), 0);
    const struct atoll_device_event first = fix_run(d, slot);
    const struct atoll_device_event steady = fix_run(d, slot);
    test_close(fix_us(&steady), c.latency_us, tolerance_us);
    test_close(fix_us(&first) - fix_us(&steady), c.load_us, tolerance_us);
    test_close((double)steady.compute_ns / 1e3, c.compute_us, tolerance_us);
    test_close((double)steady.stream_ns / 1e3, c.stream_us, tolerance_us);
    test_close((double)steady.input_ns / 1e3, c.input_us, tolerance_us);
    test_close((double)steady.output_ns / 1e3, c.output_us, tolerance_us);
    test_close((double)steady.host_ns / 1e3, c.call_us + c.cpu_us, tolerance_us);
    assert_int_equal(atoll_device_begin(d, ATOLL_DRIVE_THREADED, 1, NULL), 0);
    double mj = 0;
    const struct atoll_device_event threaded = fix_run(d, slot);
    assert_int_equal(atoll_device_engine_mj(d, &mj, NULL), 0);
    test_close(fix_us(&threaded), c.service_us, tolerance_us);
    const double floor_mw = board->board_mw.value + board->n_tpus * board->idle_mw.value;
    test_close(mj - floor_mw * fix_us(&threaded) / 1e6, c.active_mj,
               1e-4 * fabs(c.active_mj) + 1e-4);
    test_close(fix_saturate(d, &slot, 1, 40, 4), c.service_us, tolerance_us);
    atoll_device_close(&d);
}

static void formulas_agree(void **state)
{
    (void)state;
    char **names = atoll_board_names(NULL);
    size_t n_boards = 0;
    assert_non_null(names);
    for (size_t n = 0; n < sizeof networks / sizeof networks[0]; n++) {
        struct bed bed = open_bed(networks[n]);
        for (char **name = names; *name != NULL; name++) {
            struct atoll_board *board = NULL;
            struct atoll_err err = {0};
            if (atoll_board_open(*name, NULL, &board, &err) != 0) {
                fail_msg("%s", err.text);
            }
            struct atoll_board cool = *board; /* leakage and heat are no part of the formulas */
            cool.leak_mw_per_c.value = 0;
            cool.throttles = false;
            compare(&bed, &cool, ATOLL_RUNNER_PYTHON);
            compare(&bed, &cool, ATOLL_RUNNER_C);
            atoll_board_close(&board);
            n_boards++;
        }
        close_bed(&bed);
    }
    assert_true(n_boards >= 4 * 8);
    atoll_share_dirs_free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(formulas_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
