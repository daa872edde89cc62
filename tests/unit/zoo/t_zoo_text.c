/* SPDX-License-Identifier: Apache-2.0 */
/* The layer language: what a text builds, and that a mistake in one is reported, not built. */
#include "atoll_test.h"

#include "zoo_internal.h"

struct bench {
    struct atoll__zoo_args args;
    struct atoll_err err;
    struct atoll__net net;
};

static void start(struct bench *b, int32_t size, enum atoll__pad pad) {
    *b = (struct bench){.args = {.alpha = 1.0, .size = size, .classes = 10, .seed = 1}};
    b->net =
        (struct atoll__net){.err = &b->err, .args = &b->args, .pad = pad, .act = ATOLL_ACT_RELU};
    assert_int_equal(atoll_builder_create("test", "", &b->net.builder, &b->err), 0);
}

static void stop(struct bench *b) {
    atoll_builder_destroy(&b->net.builder);
    atoll__net_finish(&b->net);
}

static void expect_shape(struct bench *b, int32_t x, int32_t h, int32_t w, int32_t c) {
    const struct atoll_tensor *t = atoll__net_tensor(&b->net, x);
    if (t == NULL) {
        fail_msg("%s", b->err.text);
        return;
    }
    assert_int_equal(t->rank, 4);
    assert_int_equal(t->shape[1], h);
    assert_int_equal(t->shape[2], w);
    assert_int_equal(t->shape[3], c);
}

static void windows_have_the_right_size(void **state) {
    (void)state;
    static const struct {
        enum atoll__pad pad;
        const char *text;
        int32_t size, out, channels;
        uint32_t layers; ///< with explicit PADs
    } rows[] = {
        {ATOLL__PAD_SAME, "64:3x3", 15, 15, 64, 1},
        {ATOLL__PAD_SAME, "64:3x3/2", 15, 8, 64, 1},
        {ATOLL__PAD_SAME, "64:3x3/2v", 15, 7, 64, 1},
        {ATOLL__PAD_TORCH, "64:3x3", 14, 14, 64, 1},
        {ATOLL__PAD_TORCH, "64:3x3/2", 14, 7, 64, 2},
        {ATOLL__PAD_TORCH, "64:7x7/2", 224, 112, 64, 2},
        {ATOLL__PAD_TORCH, "8:1x1/2", 14, 7, 8, 1},
        {ATOLL__PAD_TORCH, "max:3x3/2", 112, 56, 3, 2},
        {ATOLL__PAD_TORCH, "max:3x3/2c", 112, 56, 3, 1},
        {ATOLL__PAD_TORCH, "max:3x3/2c", 111, 55, 3, 1},
        {ATOLL__PAD_TORCH, "max:2x2/2c", 15, 8, 3, 1},
        {ATOLL__PAD_SAME, "avg:3x3", 9, 9, 3, 1},
        {ATOLL__PAD_SAME, "dw:5x5/2", 28, 14, 3, 1},
        {ATOLL__PAD_SAME, "  8:1x7  16:7x1 ", 17, 17, 16, 2},
        {ATOLL__PAD_SAME, "(8:1x1 | 4:1x1 6:3x3 | max:3x3)", 9, 9, 8 + 6 + 3, 5},
        {ATOLL__PAD_SAME, "8:1x1 ( | 4:1x1 (2:1x3 | 2:3x1))", 9, 9, 8 + 4, 6},
        {ATOLL__PAD_SAME, "", 9, 9, 3, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench b;
        start(&b, rows[i].size, rows[i].pad);
        int32_t x = atoll__net_image(&b.net, 3);
        /* Pools keep the input's scale; concatenations ask for one scale, so start behind a layer
         * there. */
        const bool branches = strchr(rows[i].text, '(') != NULL && rows[i].text[0] == '(';
        x = branches ? atoll__net_text(&b.net, x, "3:1x1") : x;
        x = atoll__net_text(&b.net, x, "%s", rows[i].text);
        expect_shape(&b, x, rows[i].out, rows[i].out, rows[i].channels);
        assert_int_equal(b.net.n_layers, rows[i].layers + (branches ? 1u : 0u));
        stop(&b);
    }
}

static void mistakes_are_found(void **state) {
    (void)state;
    static const char *const bad[] = {
        "64",
        "64:",
        "64:3",
        "64:3x",
        "64:3x3/",
        ":3x3",
        "0:3x3",
        "64:0x3",
        "pool:3x3",
        "(8:1x1",
        "8:1x1)",
        "8:1x1 | 4:1x1",
        "(1:1x1|1:1x1|1:1x1|1:1x1|1:1x1|1:1x1|1:1x1|1:1x1|1:1x1)",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct bench b;
        start(&b, 16, ATOLL__PAD_SAME);
        const int32_t x = atoll__net_text(&b.net, atoll__net_image(&b.net, 3), "%s", bad[i]);
        assert_int_equal(x, -1);
        if (b.net.code != ATOLL_EINTERNAL || strstr(b.err.text, "expected") == NULL) {
            fail_msg("\"%s\": %d %s", bad[i], b.net.code, b.err.text);
        }
        stop(&b);
    }
}

static void first_failure_sticks(void **state) {
    (void)state;
    struct bench b;
    start(&b, 4, ATOLL__PAD_SAME);
    int32_t x = atoll__net_text(&b.net, atoll__net_image(&b.net, 3), "8:5x5v");
    assert_int_equal(x, -1);
    assert_int_equal(b.net.code, ATOLL_EINPUT);
    assert_non_null(strstr(b.err.text, "layer 0 vanishes"));
    const struct atoll_err first = b.err;
    x = atoll__net_text(&b.net, x, "64:3x3 (8:1x1 | 8:1x1) bn relu");
    atoll__net_classifier(&b.net, x);
    assert_int_equal(x, -1);
    assert_int_equal(b.net.code, ATOLL_EINPUT);
    assert_string_equal(b.err.text, first.text);
    assert_int_equal(b.net.n_outputs, 0);
    stop(&b);
}

static void unlike_maps_do_not_join(void **state) {
    (void)state;
    struct bench b;
    start(&b, 16, ATOLL__PAD_SAME);
    assert_int_equal(atoll__net_text(&b.net, atoll__net_image(&b.net, 3), "(8:1x1 | 8:3x3/2)"), -1);
    assert_int_equal(b.net.code, ATOLL_EINPUT);
    stop(&b);
    start(&b, 16, ATOLL__PAD_SAME);
    assert_int_equal(atoll__net_text(&b.net, atoll__net_image(&b.net, 3), "(8:1x1 | 8:3x3-)"), -1);
    assert_int_equal(b.net.code, ATOLL_EINTERNAL); /* two scales: our mistake */
    stop(&b);
    start(&b, 16, ATOLL__PAD_SAME);
    const int32_t x = atoll__net_image(&b.net, 3);
    assert_int_equal(
        atoll__net_add(&b.net, x, atoll__net_text(&b.net, x, "3:3x3/2"), ATOLL_ACT_NONE), -1);
    assert_int_equal(b.net.code, ATOLL_EINPUT);
    stop(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_have_the_right_size),
        cmocka_unit_test(mistakes_are_found),
        cmocka_unit_test(first_failure_sticks),
        cmocka_unit_test(unlike_maps_do_not_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
