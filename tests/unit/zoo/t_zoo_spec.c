/* SPDX-License-Identifier: Apache-2.0 */
/* Names and parameters of networks: what is accepted, and what the refusals say. */
#include "atoll_test.h"

#include <atoll/zoo.h>

#include "zoo_internal.h"

static const struct atoll_zoo_network *network(const char *name) {
    size_t n = 0;
    const struct atoll_zoo_network *list = atoll_zoo_list(&n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].name, name) == 0) {
            return &list[i];
        }
    }
    fail_msg("no network %s", name);
    return NULL;
}

/* The names that contracts promise, no more and no fewer. */
static void list_is_complete(void **state) {
    (void)state;
    static const char *const names[] = {"mobilenet_v1",
                                        "mobilenet_v2",
                                        "mobilenet_v3_large",
                                        "resnet18",
                                        "resnet34",
                                        "resnet50",
                                        "resnet101",
                                        "resnet152",
                                        "resnet50_v2",
                                        "resnet152_v2",
                                        "googlenet",
                                        "bn_inception",
                                        "inception_v3",
                                        "inception_v4",
                                        "inception_resnet_v2",
                                        "densenet121",
                                        "densenet169",
                                        "densenet201",
                                        "xception",
                                        "efficientnet_lite0",
                                        "efficientnet_lite1",
                                        "efficientnet_lite2",
                                        "efficientnet_lite3",
                                        "efficientnet_lite4",
                                        "efficientnet_edgetpu_s",
                                        "efficientnet_edgetpu_m",
                                        "efficientnet_edgetpu_l",
                                        "vgg16",
                                        "vgg19",
                                        "squeezenet1_1",
                                        "ssd_mobilenet_v1",
                                        "ssd_mobilenet_v2",
                                        "unet_mobilenet_v2",
                                        "conv_chain",
                                        "dense_chain",
                                        "cifar_resnet18",
                                        "cifar_resnet50",
                                        "cifar_vgg19",
                                        "cifar_wrn28_10",
                                        "cifar_mobilenet_v2",
                                        "cifar_googlenet",
                                        "cifar_squeezenet1_1"};
    size_t n = 0;
    atoll_zoo_list(&n);
    assert_int_equal(n, sizeof names / sizeof names[0]);
    for (size_t i = 0; i < n; i++) {
        const struct atoll_zoo_network *w = network(names[i]);
        assert_non_null(strstr(w->source, "20")); /* a year or an arXiv number */
        for (size_t k = 0; k < w->n_params; k++) {
            for (size_t j = 0; j < k; j++) {
                assert_string_not_equal(w->params[j].name, w->params[k].name);
            }
        }
    }
}

static void values_arrive(void **state) {
    (void)state;
    struct atoll__zoo_args a;
    struct atoll_err err = {0};
    assert_int_equal(atoll__zoo_parse(network("mobilenet_v2"), "", &a, &err), 0);
    assert_int_equal(a.size, 224);
    assert_int_equal(a.classes, 1001);
    assert_false(a.zero_bias);
    assert_int_equal(
        atoll__zoo_parse(network("mobilenet_v2"),
                         "size=96&alpha=0.35&classes=7&bias=zero&seed=18446744073709551615", &a,
                         &err),
        0);
    assert_int_equal(a.size, 96);
    assert_int_equal(a.classes, 7);
    assert_true(a.alpha > 0.3499999 && a.alpha < 0.3500001);
    assert_true(a.zero_bias);
    assert_true(a.seed == UINT64_MAX);
    assert_int_equal(atoll__zoo_parse(network("conv_chain"),
                                      "layers=75&filters=32&kernel=7&size=128&classes=1", &a, &err),
                     0);
    assert_int_equal(a.layers, 75);
    assert_int_equal(a.kernel, 7);
    assert_true(a.zero_bias); /* the sweeps' default */
}

static void bad_values_are_named(void **state) {
    (void)state;
    static const struct {
        const char *query, *says;
    } bad[] = {
        {"size=0", "size=0"},
        {"size=5000", "from 1 to 4096"},
        {"size=-1", "size=-1"},
        {"size=", "size="},
        {"size=96x", "size=96x"},
        {"size=99999999999999999999999", "whole number"},
        {"classes=0", "at least one"},
        {"alpha=0", "alpha=0"},
        {"alpha=1e1", "alpha=1e1"},
        {"alpha=1.0.0", "alpha=1.0.0"},
        {"alpha=.", "alpha=."},
        {"alpha=nan", "alpha=nan"},
        {"bias=none", "seeded or zero"},
        {"seed=-3", "seed=-3"},
        {"seed=18446744073709551616", "seed="},
        {"filters=3", "unknown key \"filters\""},
        {"size", "key=value"},
        {"=4", "unknown key \"\""},
        {"size=96&size=96", "twice"},
        {"&", "key=value"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct atoll__zoo_args a;
        struct atoll_err err = {0};
        assert_int_equal(atoll__zoo_parse(network("mobilenet_v2"), bad[i].query, &a, &err),
                         ATOLL_EINPUT);
        if (strstr(err.text, bad[i].says) == NULL) {
            fail_msg("%s: %s", bad[i].query, err.text);
        }
    }
}

static void nearest_name_comes_first(void **state) {
    (void)state;
    assert_string_equal(atoll__zoo_nearest("resnet5", 7), "resnet50");
    assert_string_equal(atoll__zoo_nearest("mobilnet_v2", 11), "mobilenet_v2");
    struct atoll_model *m = NULL;
    struct atoll_err err = {0};
    assert_int_equal(atoll_zoo_build("squeezenet?size=64", &m, &err), ATOLL_ENOTFOUND);
    assert_null(m);
    assert_non_null(strstr(err.text, "no network \"squeezenet\""));
    assert_non_null(strstr(err.text, "did you mean squeezenet1_1?"));
    assert_non_null(strstr(err.text, "mobilenet_v1"));
    assert_non_null(strstr(err.text, "cifar_squeezenet1_1"));
    assert_int_equal(atoll_zoo_build("", &m, &err), ATOLL_ENOTFOUND);
}

static void detectors_need_two_classes(void **state) {
    (void)state;
    struct atoll_model *m = NULL;
    struct atoll_err err = {0};
    assert_int_equal(atoll_zoo_build("ssd_mobilenet_v1?classes=1", &m, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "classes=1"));
    assert_int_equal(atoll_zoo_build("ssd_mobilenet_v1?classes=2", &m, &err), 0);
    atoll_model_close(&m);
}

static void widths_are_rounded(void **state) {
    (void)state;
    assert_int_equal(atoll__zoo_round8(32 * 0.35), 16); /* 11.2: 8 would be more than 10 % below */
    assert_int_equal(atoll__zoo_round8(24 * 1.1), 24);
    assert_int_equal(atoll__zoo_round8(16 * 0.05), 8);
    assert_int_equal(atoll__zoo_round8(320 * 1.4), 448);
}

static void open_takes_names_and_paths(void **state) {
    (void)state;
    struct atoll_model *m = NULL;
    struct atoll_err err = {0};
    assert_int_equal(atoll_zoo_open("zoo:dense_chain?units=8", "/nowhere", &m, &err), 0);
    assert_string_equal(m->path, "zoo:dense_chain?units=8");
    atoll_model_close(&m);
    assert_int_not_equal(atoll_zoo_open("missing.tflite", "/nowhere", &m, &err), 0);
    assert_non_null(strstr(err.text, "/nowhere/missing.tflite"));
    assert_int_not_equal(atoll_zoo_open("/absent/missing.tflite", "/nowhere", &m, &err), 0);
    assert_null(strstr(err.text, "/nowhere"));
    assert_null(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_is_complete),           cmocka_unit_test(values_arrive),
        cmocka_unit_test(bad_values_are_named),       cmocka_unit_test(nearest_name_comes_first),
        cmocka_unit_test(detectors_need_two_classes), cmocka_unit_test(widths_are_rounded),
        cmocka_unit_test(open_takes_names_and_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
