/* SPDX-License-Identifier: Apache-2.0 */
/* Training as a whole on the generated set: what is repeatable, what resumes, what is refused. */
#include "atoll_test.h"

#include <math.h>

#include <atoll/train.h>

static const char net_yaml[] =
    "name: tiny\ninput: [16, 16, 3]\nlayers:\n"
    "  - {op: conv, filters: 8, kernel: 3, stride: 2, norm: true, activation: relu}\n"
    "  - {op: conv, depthwise: true, kernel: 3, norm: true, activation: relu6}\n"
    "  - {op: conv, filters: 16, kernel: 1, norm: true, activation: relu}\n"
    "  - {op: global_pool}\n  - {op: dense, units: %u}\n";

static struct atoll_net *net;
static struct atoll_dataset *data;

static void ok(int rc, const struct atoll_err *err)
{
    if (rc != 0) {
        fail_msg("%s: %s", atoll_code_name(rc), err->text);
    }
}

static struct atoll_net *make_net(uint32_t classes)
{
    char text[1024];
    struct atoll_net *n = NULL;
    struct atoll_err err = {0};
    const int bytes = snprintf(text, sizeof text, net_yaml, classes);
    ok(atoll_net_parse("tiny.yaml", text, (size_t)bytes, &n, &err), &err);
    return n;
}

static int setup(void **state)
{
    (void)state;
    struct atoll_data_opts o = atoll_data_opts_default();
    struct atoll_err err = {0};
    struct atoll_dataset_info info;
    o.n_generated[0] = 320;
    o.n_generated[1] = 64;
    o.n_generated[2] = 64;
    o.threads = 1;
    ok(atoll_dataset_open("generated", &o, &data, &err), &err);
    atoll_dataset_info(data, &info);
    net = make_net(info.n_classes);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    atoll_net_close(&net);
    atoll_dataset_close(&data);
    return 0;
}

static struct atoll_train_request request(const char *dir)
{
    struct atoll_train_request q = {.net = net,
                                    .data = data,
                                    .recipe = atoll_recipe_default(),
                                    .seed = 7,
                                    .threads = 1,
                                    .dir = dir};
    q.recipe.epochs = 3;
    q.recipe.batch = 32;
    q.recipe.shift = 2;
    return q;
}

static void remove_dir(const char *dir)
{
    static const char *const names[] = {"checkpoint", "history.csv", "model.tflite",
                                        "model_int8.tflite"};
    char path[400];
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(dir), 0);
}

static void same_seed_same_weights(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    struct atoll_train_result a, b, c;
    struct atoll_train_request q = request(NULL);
    ok(atoll_train_run(&q, &a, &err), &err);
    ok(atoll_train_run(&q, &b, &err), &err);
    q.seed = 8;
    ok(atoll_train_run(&q, &c, &err), &err);
    assert_string_equal(a.weights_sha256, b.weights_sha256);
    assert_string_not_equal(a.weights_sha256, c.weights_sha256);
    assert_int_equal(a.n_epochs, 3);
    assert_true(a.epochs[2].loss < a.epochs[0].loss); /* it learns */
    assert_int_equal(a.images_test, 64);
    atoll_train_result_finish(&a);
    atoll_train_result_finish(&b);
    atoll_train_result_finish(&c);
}

static void resumed_is_unbroken(void **state)
{
    (void)state;
    char dir[256];
    struct atoll_err err = {0};
    struct atoll_train_result whole, first, rest;
    struct atoll_train_request q = request(NULL);
    ok(atoll_train_run(&q, &whole, &err), &err);
    test_scratch(dir);
    q.dir = dir;
    q.stop_after = 1;
    ok(atoll_train_run(&q, &first, &err), &err);
    assert_int_equal(first.n_epochs, 1);
    q.stop_after = 0;
    q.resume = true;
    ok(atoll_train_run(&q, &rest, &err), &err);
    assert_int_equal(rest.n_epochs, 3);
    assert_string_equal(whole.weights_sha256, rest.weights_sha256);
    assert_true(whole.epochs[0].loss == rest.epochs[0].loss);
    atoll_train_result_finish(&first);
    atoll_train_result_finish(&rest);
    /* finished: nothing is trained again */
    ok(atoll_train_run(&q, &rest, &err), &err);
    assert_true(rest.seconds == 0);
    assert_string_equal(whole.weights_sha256, rest.weights_sha256);
    atoll_train_result_finish(&rest);
    atoll_train_result_finish(&whole);
    remove_dir(dir);
}

static bool stop_in_second(void *user, uint64_t done, uint64_t total, const char *what)
{
    (void)user;
    (void)what;
    return done * 3 < total + 6;
}

/* Broken off in the middle of an epoch: the checkpoint of the last whole one is there. */
static void stopped_run_resumes(void **state)
{
    (void)state;
    char dir[256];
    struct atoll_err err = {0};
    struct atoll_train_result whole, rest;
    struct atoll_train_request q = request(NULL);
    ok(atoll_train_run(&q, &whole, &err), &err);
    test_scratch(dir);
    q.dir = dir;
    q.progress.fn = stop_in_second;
    assert_int_equal(atoll_train_run(&q, &rest, &err), ATOLL_ENO);
    q.progress.fn = NULL;
    q.resume = true;
    ok(atoll_train_run(&q, &rest, &err), &err);
    assert_string_equal(whole.weights_sha256, rest.weights_sha256);
    atoll_train_result_finish(&whole);
    atoll_train_result_finish(&rest);
    remove_dir(dir);
}

static void bad_checkpoints_are_refused(void **state)
{
    (void)state;
    char dir[256], path[400];
    struct atoll_err err = {0};
    struct atoll_train_result r;
    struct atoll_train_request q = request(NULL);
    test_scratch(dir);
    q.dir = dir;
    q.stop_after = 1;
    ok(atoll_train_run(&q, &r, &err), &err);
    atoll_train_result_finish(&r);
    q.resume = true;
    q.recipe.rate = 0.05; /* another run */
    assert_int_equal(atoll_train_run(&q, &r, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "another run"));
    q.recipe.rate = 0.1;
    (void)snprintf(path, sizeof path, "%s/checkpoint", dir);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, 300, SEEK_SET), 0);
    const int byte = fgetc(f);
    assert_int_equal(fseek(f, 300, SEEK_SET), 0);
    assert_int_equal(fputc(byte ^ 1, f), byte ^ 1);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(atoll_train_run(&q, &r, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "damaged"));
    remove_dir(dir);
}

static void count_warning(void *user, enum atoll_log_level level, const char *text)
{
    if (level == ATOLL_LOG_WARN && strstr(text, "started anew")) {
        ++*(int *)user;
    }
}

static void stale_checkpoints_may_be_discarded(void **state)
{
    (void)state;
    char dir[256];
    struct atoll_err err = {0};
    struct atoll_train_result fresh, r;
    struct atoll_train_request q = request(NULL);
    int warned = 0;
    q.recipe.epochs = 1;
    ok(atoll_train_run(&q, &fresh, &err), &err);
    test_scratch(dir);
    q.dir = dir;
    q.seed = 8; /* another run */
    ok(atoll_train_run(&q, &r, &err), &err);
    atoll_train_result_finish(&r);
    q.seed = 7;
    q.resume = q.discard = true;
    atoll_log_set(count_warning, &warned);
    ok(atoll_train_run(&q, &r, &err), &err);
    atoll_log_set(NULL, NULL);
    assert_int_equal(warned, 1);
    assert_int_equal(r.resumed, 0);
    assert_string_equal(r.weights_sha256, fresh.weights_sha256);
    assert_int_equal(strlen(r.key), 64);
    assert_int_equal(strlen(r.model_sha256), 64);
    assert_string_equal(r.int8_sha256, ""); /* no calibration, no int8 model */
    atoll_train_result_finish(&r);
    ok(atoll_train_run(&q, &r, &err), &err); /* its own checkpoint */
    assert_int_equal(r.resumed, 1);
    atoll_train_result_finish(&r);
    atoll_train_result_finish(&fresh);
    remove_dir(dir);
}

/* 0 threads: one or all, and a checkpoint's number when it goes on from one. */
static void threads_are_chosen(void **state)
{
    (void)state;
    char dir[256];
    struct atoll_err err = {0};
    struct atoll_train_result first, again;
    struct atoll_train_request q = request(NULL);
    q.recipe.epochs = 1;
    q.threads = 0;
    test_scratch(dir);
    q.dir = dir;
    ok(atoll_train_run(&q, &first, &err), &err);
    assert_true(first.threads >= 1);
    q.resume = true;
    ok(atoll_train_run(&q, &again, &err), &err);
    assert_int_equal(again.resumed, 1);
    assert_int_equal(again.threads, first.threads);
    assert_string_equal(again.key, first.key);
    atoll_train_result_finish(&first);
    atoll_train_result_finish(&again);
    remove_dir(dir);
}

static void errors_are_sentences(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    struct atoll_train_result r;
    struct atoll_train_request q = request(NULL);
    struct atoll_net *wrong = make_net(3);
    q.net = wrong;
    assert_int_equal(atoll_train_run(&q, &r, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "3 classes"));
    atoll_net_close(&wrong);
    q = request(NULL);
    q.recipe.rate = 1e30; /* overflows in the first steps */
    q.recipe.warm_up_frac = 0;
    assert_int_equal(atoll_train_run(&q, &r, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "not a number"));
    q = request(NULL);
    q.recipe.batch = 1000;
    assert_int_equal(atoll_train_run(&q, &r, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "320 training images"));
}

/* Running out of memory anywhere while opening is an error and no leak. */
static void no_memory(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    const struct atoll_trainer_opts o = {.batch = 2, .threads = 1, .seed = 1};
    struct atoll_trainer *t = NULL;
    const uint64_t before = atoll_alloc_count();
    ok(atoll_trainer_open(net, &o, &t, &err), &err);
    const uint64_t n = atoll_alloc_count() - before;
    atoll_trainer_close(&t);
    for (uint64_t i = 1; i <= n; i += 7) {
        atoll_alloc_fail_after(i);
        const int rc = atoll_trainer_open(net, &o, &t, &err);
        atoll_alloc_fail_after(0);
        assert_int_equal(rc, ATOLL_ENOMEM);
        assert_null(t);
    }
}

/* The same for a whole training with its files and its checkpoint. Every 37th allocation is tried:
 * they are thousands, and alike. */
static void no_memory_while_training(void **state)
{
    (void)state;
    char dir[256];
    struct atoll_err err = {0};
    struct atoll_train_result r;
    struct atoll_train_request q = request(NULL);
    q.recipe.epochs = 1;
    q.recipe.shift = 0;
    q.limit = 32;
    q.calibration = 8;
    q.resume = true;
    test_scratch(dir);
    q.dir = dir;
    ok(atoll_train_run(&q, &r, &err), &err); /* leaves a checkpoint: then it is read */
    atoll_train_result_finish(&r);
    const uint64_t before = atoll_alloc_count();
    ok(atoll_train_run(&q, &r, &err), &err);
    const uint64_t n = atoll_alloc_count() - before;
    atoll_train_result_finish(&r);
    for (uint64_t i = 1; i <= n; i += 37) {
        atoll_alloc_fail_after(i);
        const int rc = atoll_train_run(&q, &r, &err);
        atoll_alloc_fail_after(0);
        if (rc != ATOLL_ENOMEM) {
            fail_msg("allocation %llu of %llu: %s", (unsigned long long)i, (unsigned long long)n,
                     atoll_code_name(rc));
        }
    }
    remove_dir(dir);
}

static void schedules(void **state)
{
    (void)state;
    struct atoll_recipe r = atoll_recipe_default();
    r.rate = 1;
    r.warm_up_frac = 0.1;
    test_close(atoll_recipe_rate(&r, 0, 100), 0.1, 1e-12);
    test_close(atoll_recipe_rate(&r, 9, 100), 1, 1e-12);
    test_close(atoll_recipe_rate(&r, 55, 100), 0.5, 1e-12);
    test_close(atoll_recipe_rate(&r, 99, 100), 0, 1e-3);
    r.schedule = ATOLL_SCHEDULE_STEP;
    test_close(atoll_recipe_rate(&r, 49, 100), 1, 1e-12);
    test_close(atoll_recipe_rate(&r, 50, 100), 0.1, 1e-12);
    test_close(atoll_recipe_rate(&r, 75, 100), 0.01, 1e-12);
}

int main(void)
{
    if (atoll_trainer_kernels()[0] == '\0') {
        (void)printf("skipped: built without training (libdnnl-dev)\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_weights),
        cmocka_unit_test(resumed_is_unbroken),
        cmocka_unit_test(stopped_run_resumes),
        cmocka_unit_test(bad_checkpoints_are_refused),
        cmocka_unit_test(errors_are_sentences),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(no_memory_while_training),
        cmocka_unit_test(stale_checkpoints_may_be_discarded),
        cmocka_unit_test(threads_are_chosen),
        cmocka_unit_test(schedules),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
