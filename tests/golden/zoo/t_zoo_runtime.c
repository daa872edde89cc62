/* SPDX-License-Identifier: Apache-2.0 */
/* Every network runs in a real TFLite runtime, and its answer depends on the image: seeded weights
 * keep signals alive through all layers. Small sizes, so that all take a second or two. Exit 77
 * without the runtime. */
#include "atoll_test.h"
#include "runtime.h"

#include <atoll/zoo.h>

static struct runtime rt;

static void fill_input(void *it, uint64_t seed) {
    void *t = rt.TfLiteInterpreterGetInputTensor(it, 0);
    struct atoll_rng rng;
    atoll_rng_seed(&rng, seed);
    atoll_rng_bytes(&rng, rt.TfLiteTensorData(t), rt.TfLiteTensorByteSize(t));
}

/* Copies the first output of a run on noise `seed` to `out`; its size. */
static size_t answer(void *it, uint64_t seed, uint8_t *out, size_t room) {
    fill_input(it, seed);
    assert_int_equal(rt.TfLiteInterpreterInvoke(it), 0);
    const void *t = rt.TfLiteInterpreterGetOutputTensor(it, 0);
    const size_t n = rt.TfLiteTensorByteSize(t);
    assert_true(n <= room);
    memcpy(out, rt.TfLiteTensorData(t), n);
    return n;
}

static void run_network(const char *spec) {
    static uint8_t first[1 << 20];
    static uint8_t second[1 << 20];
    struct atoll_model *m = NULL;
    struct atoll_err err = {0};
    uint8_t *bytes = NULL;
    size_t n = 0;
    if (atoll_zoo_build(spec, &m, &err) != 0 || atoll_model_serialize(m, &bytes, &n, &err) != 0) {
        fail_msg("%s: %s", spec, err.text);
    }
    void *model = rt.TfLiteModelCreate(bytes, n);
    void *it = model != NULL ? rt.TfLiteInterpreterCreate(model, NULL) : NULL;
    if (it == NULL || rt.TfLiteInterpreterAllocateTensors(it) != 0) {
        fail_msg("%s does not load", spec);
    }
    const size_t length = answer(it, 1, first, sizeof first);
    assert_int_equal(length, m->tensors[m->outputs[0]].bytes);
    assert_int_equal(answer(it, 2, second, sizeof second), length);
    if (memcmp(first, second, length) == 0) {
        fail_msg("%s answers the same to two images", spec);
    }
    rt.TfLiteInterpreterDelete(it);
    rt.TfLiteModelDelete(model);
    atoll_free(bytes);
    atoll_model_close(&m);
}

/* Ten classes: a softmax over 1000 is flat in 8 bits. */
static void every_network_runs(void **state) {
    (void)state;
    size_t n = 0;
    const struct atoll_zoo_network *list = atoll_zoo_list(&n);
    for (size_t i = 0; i < n; i++) {
        const char *name = list[i].name;
        const bool chain = strstr(name, "chain") != NULL;
        const bool inception = strncmp(name, "inception_", 10) == 0;
        const bool cifar = strncmp(name, "cifar_", 6) == 0;
        char spec[80];
        (void)snprintf(spec, sizeof spec, "%s?classes=10%s", name,
                       chain || cifar ? ""
                       : inception    ? "&size=107"
                                      : "&size=96");
        run_network(spec);
    }
}

int main(void) {
    if (test_is_slow()) {
        printf("skipped: the runtime's kernels take minutes under valgrind\n");
        return 77;
    }
    rt_open(&rt);
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_network_runs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
