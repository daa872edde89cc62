/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged files never reach the point where the runtime crashes: one to four flipped bits in the
 * tables of a file; what atoll's reader and checks let through must end well or with a sentence.
 * Each in a child process, so that a crash is counted and named by its number. */
#include "nn_fixture.h"

#include <sys/resource.h>
#include <sys/wait.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif

static const struct atoll_runtime *rt;

/* In the child: 0 refused or ran. Memory is limited, since a damaged shape may ask for any. */
static int run_bytes(const uint8_t *bytes, size_t n, enum atoll_kernels kernels)
{
    struct atoll_model *m = NULL;
    struct atoll_interp *it = NULL;
    struct atoll_err err = {0};
    const struct atoll_interp_opts o = {.kernels = kernels};
    if (atoll_model_parse("mutant", bytes, n, &m, &err) == 0 &&
        atoll_interp_open(rt, m, &o, &it, &err) == 0 && atoll_interp_invoke(it, &err) == 0) {
        uint32_t k = 0;
        double sum = 0;
        const struct atoll_interp_tensor *out = atoll_interp_outputs(it, &k);
        for (uint32_t i = 0; i < k; i++) {
            for (size_t e = 0; e < atoll_interp_elements(&out[i]); e++) {
                sum += atoll_interp_real(&out[i], e);
            }
        }
        (void)sum;
    }
    atoll_interp_close(&it);
    atoll_model_close(&m);
    return 0;
}

static bool survives(const uint8_t *bytes, size_t n, enum atoll_kernels kernels)
{
    int status = 0;
    (void)fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
#ifndef SANITIZED /* a sanitizer maps far more than it uses */
        const struct rlimit memory = {UINT64_C(6) << 30, UINT64_C(6) << 30};
        (void)setrlimit(RLIMIT_AS, &memory);
#endif
        (void)alarm(20);
        _exit(run_bytes(bytes, n, kernels));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status) && WTERMSIG(status) != SIGALRM) {
        return false; /* too slow is not wrong: the file may ask for much work */
    }
    return true;
}

/* Bits are flipped in the first and last `edge` bytes, where the tables lie, not in the weights. */
static void mutate(const char *argument, size_t cases)
{
    struct atoll_model *m = fixture_model(argument);
    struct atoll_err err = {0};
    struct atoll_rng rng;
    uint8_t *bytes = NULL;
    size_t n = 0, crashes = 0;
    fixture_ok(atoll_model_serialize(m, &bytes, &n, &err), &err);
    uint8_t *copy = malloc(n);
    assert_non_null(copy);
    const uint64_t seed = test_seed();
    for (size_t i = 0; i < test_cases(cases); i++) {
        atoll_rng_seed(&rng, atoll_seed_mix(seed, i));
        memcpy(copy, bytes, n);
        for (uint64_t k = 1 + atoll_rng_below(&rng, 4); k > 0; k--) {
            const size_t edge = n < 65536 ? n / 2 : 32768;
            const size_t at = (size_t)atoll_rng_below(&rng, 2 * edge);
            copy[at < edge ? at : n - 1 - (at - edge)] ^= (uint8_t)(1u << atoll_rng_below(&rng, 8));
        }
        if (!survives(copy, n, (enum atoll_kernels)(i % 2))) {
            print_message("%s: mutant %zu (%s) crashed\n", argument, i,
                          atoll_kernels_name((enum atoll_kernels)(i % 2)));
            crashes++;
        }
    }
    free(copy);
    atoll_free(bytes);
    atoll_model_close(&m);
    assert_int_equal(crashes, 0);
}

static void built(void **state)
{
    (void)state;
    mutate("zoo:dense_chain?layers=3&units=16&inputs=16", 80);
    mutate("zoo:mobilenet_v2?alpha=0.35&size=32", 300);
}

static void shared(void **state)
{
    char path[1024];
    (void)state;
    mutate(fixture_shared("keras_lstm_mnist_ptq.tflite", path), 80);
    mutate(fixture_shared("mobilenet_v1_0.25_128_quant.tflite", path), 40);
}

int main(void)
{
    rt = fixture_runtime();
    const struct CMUnitTest tests[] = {cmocka_unit_test(built), cmocka_unit_test(shared)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
