/* SPDX-License-Identifier: Apache-2.0 */
/* Every board with real networks: orders that must hold, and magnitudes that a reader would expect.
 */
#include "atoll_test.h"

#include "cost_fixture.h"

#include <atoll/zoo.h>
#include <math.h>

static const char *const networks[] = {"mobilenet_v1",       "mobilenet_v1?alpha=0.25&size=128",
                                       "resnet50",           "inception_v3",
                                       "efficientnet_lite0", "dense_chain"};

static struct atoll_stage_cost cost_of(const char *network, const char *board, enum atoll_clock k)
{
    struct atoll_model *m = NULL;
    struct atoll_cost *c = NULL;
    struct atoll_stage_cost s;
    struct atoll_err err = {0};
    const struct atoll_use use = {.clock = k};
    struct atoll_board *b = open_board(board);
    if (atoll_zoo_build(network, &m, &err) != 0 ||
        atoll_cost_open(m, ATOLL_COMPILER_V16, &c, &err) != 0) {
        fail_msg("%s", err.text);
    }
    uint32_t *ops = all_ops(m);
    assert_int_equal(atoll_cost_stage(c, b, &use, ops, m->n_ops, &s, &err), 0);
    atoll_free(ops);
    atoll_cost_close(&c);
    atoll_model_close(&m);
    atoll_board_close(&b);
    return s;
}

static void every_board_is_sane(void **state)
{
    (void)state;
    char **names = atoll_board_names(NULL);
    assert_non_null(names);
    for (size_t n = 0; n < sizeof networks / sizeof networks[0]; n++) {
        for (char **name = names; *name != NULL; name++) {
            const struct atoll_stage_cost fast = cost_of(networks[n], *name, ATOLL_CLOCK_MAX);
            const struct atoll_stage_cost slow = cost_of(networks[n], *name, ATOLL_CLOCK_STANDARD);
            assert_true(fast.latency_us > 50 && fast.latency_us < 3e6);
            assert_true(slow.latency_us >= fast.latency_us);
            test_close(slow.compute_us, 2 * fast.compute_us, 1e-9 * slow.compute_us);
            assert_true(fast.latency_u95_us > 0.02 * fast.latency_us);
            assert_true(fast.latency_u95_us < 1.5 * fast.latency_us);
            /* above idle a chip takes at most 2 W, and more than nothing on average */
            assert_true(fast.active_mj >= 0 && fast.active_mj < 2.0 * fast.latency_us / 1e3);
        }
    }
    atoll_share_dirs_free(names);
}

static void slower_links_are_slower(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof networks / sizeof networks[0]; n++) {
        const double usb3 = cost_of(networks[n], "usb3_x86", ATOLL_CLOCK_MAX).latency_us;
        assert_true(cost_of(networks[n], "usb2_x86", ATOLL_CLOCK_MAX).latency_us > usb3 * 0.9);
        assert_true(cost_of(networks[n], "usb2_pi3", ATOLL_CLOCK_MAX).latency_us > usb3);
        assert_true(cost_of(networks[n], "usb3_pi4", ATOLL_CLOCK_MAX).latency_us > usb3);
        assert_true(cost_of(networks[n], "dev_board_micro", ATOLL_CLOCK_MAX).latency_us > usb3);
    }
}

/** Published: a switch between models costs 9 to 15 ms for 3 to 5 MiB on PCIe. */
static void a_context_switch_is_as_published(void **state)
{
    (void)state;
    static const char *const boards[] = {"asus_crl_g18u", "pcie_x86", "usb3_x86"};
    for (size_t i = 0; i < sizeof boards / sizeof boards[0]; i++) {
        const struct atoll_stage_cost s = cost_of("mobilenet_v2", boards[i], ATOLL_CLOCK_MAX);
        assert_true(s.on_chip_bytes > 3u << 20 && s.on_chip_bytes < 5u << 20);
        assert_true(s.load_us > 9e3 && s.load_us < 15e3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_board_is_sane),
        cmocka_unit_test(slower_links_are_slower),
        cmocka_unit_test(a_context_switch_is_as_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
