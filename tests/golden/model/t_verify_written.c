/* SPDX-License-Identifier: Apache-2.0 */
/* Written files pass the verifier that flatc makes from tests/data/tflite_subset.fbs, and hold for
 * it the same model as the file they were read from. Argument: the path of verify_tflite. */
#include "atoll_test.h"
#include "model_random.h"

#include <atoll/zoo.h>

#include <ftw.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;
static const char *verifier;
static char dir[256];

static int judge(const char *first, const char *a, const char *b)
{
    char *argv[5] = {strdup(verifier), strdup(first), a != NULL ? strdup(a) : NULL,
                     b != NULL ? strdup(b) : NULL, NULL};
    pid_t pid = 0;
    int status = -1;
    assert_int_equal(posix_spawn(&pid, verifier, NULL, NULL, argv, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    for (int i = 0; i < 4; i++) {
        free(argv[i]);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void written(const struct atoll_model *m, const char *source)
{
    char path[400];
    struct atoll_err err = {0};
    (void)snprintf(path, sizeof path, "%s/model.tflite", dir);
    if (atoll_model_write(m, path, &err) != 0) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(source != NULL ? judge("--same", source, path) : judge(path, NULL, NULL), 0);
    (void)unlink(path);
}

static void random_models(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct atoll_model *m = random_model(seed, 30);
        assert_non_null(m);
        written(m, NULL);
        uint32_t seg[30] = {0};
        struct atoll_rng rng;
        atoll_rng_seed(&rng, seed);
        const struct atoll_segmentation s = {random_segments(&rng, m, 3, seg), seg};
        for (uint32_t i = 0; i < s.n; i++) {
            struct atoll_model *piece = NULL;
            assert_int_equal(atoll_model_segment(m, &s, i, &piece, NULL), 0);
            written(piece, NULL);
            atoll_model_close(&piece);
        }
        atoll_model_close(&m);
    }
}

static void zoo_networks(void **state)
{
    (void)state;
    static const char *const specs[] = {"mobilenet_v2?alpha=0.35&size=96", "ssd_mobilenet_v1",
                                        "cifar_googlenet", "dense_chain?units=32"};
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        struct atoll_model *m = NULL;
        struct atoll_err err = {0};
        if (atoll_zoo_build(specs[i], &m, &err) != 0) {
            fail_msg("%s", err.text);
        }
        written(m, NULL);
        atoll_model_close(&m);
    }
}

/* The judge must be able to say no. */
static void judge_refuses(void **state)
{
    (void)state;
    char good[400], bad[400], other[400];
    uint8_t *bytes = NULL;
    size_t n = 0;
    (void)snprintf(good, sizeof good, "%s/good.tflite", dir);
    (void)snprintf(bad, sizeof bad, "%s/bad.tflite", dir);
    (void)snprintf(other, sizeof other, "%s/other.tflite", dir);
    struct atoll_model *m = random_model(1, 10);
    struct atoll_model *x = random_model(2, 10);
    assert_int_equal(atoll_model_write(m, good, NULL), 0);
    assert_int_equal(atoll_model_write(x, other, NULL), 0);
    assert_int_equal(atoll_model_serialize(m, &bytes, &n, NULL), 0);
    assert_int_equal(atoll_write_file(bad, bytes, n / 2, NULL), 0);
    assert_int_equal(judge(good, NULL, NULL), 0);
    assert_int_equal(judge("--same", good, good), 0);
    assert_int_equal(judge(bad, NULL, NULL), 1);
    assert_int_equal(judge("--same", good, other), 1);
    (void)unlink(good);
    (void)unlink(bad);
    (void)unlink(other);
    atoll_free(bytes);
    atoll_model_close(&m);
    atoll_model_close(&x);
}

static size_t n_rewritten;

static int rewrite(const char *path, const struct stat *st, int kind)
{
    (void)st;
    const size_t n = strlen(path);
    if (kind != FTW_F || n < 7 || strcmp(path + n - 7, ".tflite") != 0) {
        return 0;
    }
    struct atoll_model *m = NULL;
    struct atoll_err err = {0};
    if (atoll_model_open(path, &m, &err) != 0) {
        fail_msg("%s", err.text);
    }
    written(m, path);
    n_rewritten++;
    atoll_model_close(&m);
    return 0;
}

static void shared_models_rewritten(void **state)
{
    (void)state;
    char root[512];
    const char *shared = getenv("ATOLL_SHARED");
    (void)snprintf(root, sizeof root, "%s/models", shared != NULL ? shared : "");
    if (ftw(root, rewrite, 8) != 0) {
        print_message("skipped: no models in %s\n", root);
        skip();
    }
    print_message("%zu files\n", n_rewritten);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        return 2;
    }
    verifier = argv[1];
    test_scratch(dir);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judge_refuses), cmocka_unit_test(random_models),
        cmocka_unit_test(zoo_networks), cmocka_unit_test(shared_models_rewritten)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)rmdir(dir);
    return failed;
}
