/* SPDX-License-Identifier: Apache-2.0 */
/* The key `accuracy` of an experiment: measured once, by one shard, kept by merging; what does not
 * fit is said. */
#include "../nn_fixture.h"

#include <atoll/bench.h>

static char dir[256], yaml[300], db[4][300];

static int setup(void **state)
{
    (void)state;
    test_scratch(dir);
    (void)snprintf(yaml, sizeof yaml, "%s/e.yaml", dir);
    for (int i = 0; i < 4; i++) {
        (void)snprintf(db[i], sizeof db[i], "%s/%d.db", dir, i);
    }
    return 0;
}

static void remove_all(void)
{
    for (int i = 0; i < 4; i++) {
        char journal[320];
        (void)snprintf(journal, sizeof journal, "%.299s-journal", db[i]);
        (void)unlink(db[i]);
        (void)unlink(journal);
    }
    (void)unlink(yaml);
}

static int teardown(void **state)
{
    (void)state;
    remove_all();
    return rmdir(dir);
}

/* Runs an experiment whose keys `models` and `accuracy` are given. */
static int sweep(const char *models, const char *to, struct atoll_bench_opts o,
                 struct atoll_bench_summary *sum, struct atoll_err *err)
{
    struct atoll_buf b = {0};
    struct atoll_experiment *e = NULL;
    atoll_buf_printf(&b,
                     "name: accuracy\nboard: usb3_x86\nmeter: none\ntpus: 1\n"
                     "strategies: [single]\nworkloads: [{mode: latency, count: 2}]\nrepeats: 2\n%s",
                     models);
    assert_int_equal(atoll_write_file(yaml, b.data, b.size, err), 0);
    atoll_buf_finish(&b);
    *sum = (struct atoll_bench_summary){0};
    int rc = atoll_experiment_open(yaml, NULL, &e, err);
    rc = rc ? rc : atoll_bench(e, to, &o, sum, err);
    atoll_experiment_close(&e);
    return rc;
}

static const char two[] =
    "models: [\"zoo:cifar_squeezenet1_1?classes=24\", {model: \"zoo:conv_chain?layers=1\", "
    "accuracy: none}, {model: \"zoo:cifar_mobilenet_v2?classes=24\", accuracy: {data: {set: "
    "generated, filter: centre, mean: [127.5, 127.5, 127.5], std: 127.5}, limit: 30}}]\n"
    "accuracy: {data: generated, limit: 40}\n";

struct seen {
    size_t n;
    int64_t images[4];
    char data[4][200];
};
static int see(void *user, const struct atoll_accuracy_row *r)
{
    struct seen *s = user;
    s->images[s->n] = r->images;
    (void)snprintf(s->data[s->n], sizeof s->data[0], "%s", r->data);
    assert_string_equal(r->task, "classify");
    assert_string_equal(r->part, "test");
    assert_string_equal(r->origin, "measured");
    assert_int_equal(r->classes, 24);
    assert_true(r->top1_low95 <= r->top1 && r->top1 <= r->top1_high95 && r->top5 >= r->top1);
    assert_true(r->mean_iou != r->mean_iou && r->ap != r->ap); /* not known */
    s->n++;
    return 0;
}
static struct seen look(const char *path)
{
    struct atoll_store *s = NULL;
    struct atoll_err err = {0};
    struct seen seen = {0};
    fixture_ok(atoll_store_open(path, ATOLL_STORE_READ, &s, &err), &err);
    fixture_ok(atoll_store_each_accuracy(s, NULL, see, &seen, &err), &err);
    atoll_store_close(&s);
    return seen;
}
static void append(void *user, const char *line)
{
    atoll_buf_puts(user, line);
    atoll_buf_puts(user, "\n");
}
static char *canonical(const char *path)
{
    struct atoll_store *s = NULL;
    struct atoll_err err = {0};
    struct atoll_buf b = {0};
    fixture_ok(atoll_store_open(path, ATOLL_STORE_READ, &s, &err), &err);
    fixture_ok(atoll_store_dump(s, true, append, &b, &err), &err);
    atoll_store_close(&s);
    return atoll_buf_take(&b, NULL);
}

static void measured_once(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    struct atoll_bench_summary sum;
    fixture_ok(sweep(two, db[0], (struct atoll_bench_opts){0}, &sum, &err), &err);
    assert_int_equal(sum.evaluated, 2);
    assert_int_equal(sum.done, 6);
    const struct seen s = look(db[0]);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.images[0], 30); /* rows in the order of the models' names */
    assert_string_equal(s.data[0], "{set: generated, filter: centre, mean: [127.5, 127.5, 127.5], "
                                   "std: 127.5}");
    assert_int_equal(s.images[1], 40);
    assert_string_equal(s.data[1], "generated");
    fixture_ok(sweep(two, db[0], (struct atoll_bench_opts){.resume = true}, &sum, &err), &err);
    assert_int_equal(sum.evaluated, 0);
}

static void shards_merge_into_the_whole(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    struct atoll_bench_summary sum;
    uint64_t evaluated = 0;
    fixture_ok(sweep(two, db[0], (struct atoll_bench_opts){0}, &sum, &err), &err);
    for (uint32_t i = 0; i < 2; i++) {
        const struct atoll_bench_opts o = {.shard = i, .shards = 2};
        fixture_ok(sweep(two, db[i + 1], o, &sum, &err), &err);
        evaluated += sum.evaluated;
    }
    assert_int_equal(evaluated, 2);
    struct atoll_store *a = NULL, *b = NULL;
    fixture_ok(atoll_store_open(db[1], ATOLL_STORE_WRITE, &a, &err), &err);
    fixture_ok(atoll_store_open(db[2], ATOLL_STORE_READ, &b, &err), &err);
    fixture_ok(atoll_store_merge(a, b, &err), &err);
    atoll_store_close(&a);
    atoll_store_close(&b);
    char *whole = canonical(db[0]), *merged = canonical(db[1]);
    assert_string_equal(whole, merged);
    atoll_free(whole);
    atoll_free(merged);
}

static void what_does_not_fit_is_said(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    struct atoll_bench_summary sum;
    const struct atoll_bench_opts plain = {0}, without = {.no_accuracy = true};
    static const char classes[] = "models: [\"zoo:cifar_squeezenet1_1?classes=7\"]\n"
                                  "accuracy: {data: generated, limit: 10}\n";
    assert_int_equal(sweep(classes, db[0], plain, &sum, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "zoo:cifar_squeezenet1_1?classes=7 on generated"));
    static const char nowhere[] = "models: [\"zoo:cifar_squeezenet1_1?classes=10\"]\n"
                                  "accuracy: mnist:nowhere\n";
    assert_true(sweep(nowhere, db[1], plain, &sum, &err) != 0);
    assert_non_null(strstr(err.text, "e.yaml:9: accuracy"));
    fixture_ok(sweep(nowhere, db[2], without, &sum, &err), &err);
    assert_int_equal(sum.evaluated, 0);
    assert_int_equal(sum.done, 2);
    assert_int_equal(look(db[2]).n, 0);
}

int main(void)
{
    (void)fixture_runtime();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(measured_once, setup, teardown),
        cmocka_unit_test_setup_teardown(shards_merge_into_the_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_said, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
