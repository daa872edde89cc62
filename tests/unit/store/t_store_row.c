/* SPDX-License-Identifier: Apache-2.0 */
/* Every column of every table goes in and comes out as it was. */
#include "store_rows.h"

static char dir[256], path[300];

static int setup(void **state)
{
    (void)state;
    test_scratch(dir);
    (void)snprintf(path, sizeof path, "%s/a.db", dir);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    store_remove(path);
    return rmdir(dir);
}

struct seen {
    const struct atoll__table *t;
    const void *expected;
    size_t n;
};
static int compare_row(void *user, const void *row)
{
    struct seen *seen = user;
    /* LOCAL and KEPT columns too: compared field by field through their text. */
    for (size_t i = 0; i < seen->t->n_columns; i++) {
        const struct atoll__column *c = &seen->t->columns[i];
        if (c->flags & ATOLL__COLUMN_ID) {
            continue;
        }
        struct atoll_buf a = {0}, b = {0};
        atoll__store_json_value(c, row, &a);
        atoll__store_json_value(c, seen->expected, &b);
        if (strcmp(a.data, b.data) != 0) {
            fail_msg("%s.%s: %s, expected %s", seen->t->name, c->name, a.data, b.data);
        }
        atoll_buf_finish(&a);
        atoll_buf_finish(&b);
    }
    seen->n++;
    return 0;
}

static void every_column_comes_back(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    for (size_t id = 0; id < ATOLL__TABLES; id++) {
        struct atoll_store *s = store_open(path, ATOLL_STORE_WRITE);
        const struct atoll__table *t = &atoll__tables[id];
        union atoll__any_row row = {0};
        struct store_texts texts;
        int64_t run = 0;
        bool inserted = false;
        if (id >= ATOLL__TABLE_RAIL) {
            const struct atoll_run_row r = store_run("e", 0);
            assert_int_equal(atoll_store_put_run(s, &r, &run, &err), 0);
        }
        store_fill(t, id + 77, &row, &texts);
        if (run) {
            memcpy(&row, &run, sizeof run); /* `run` is the first field of both */
        }
        if (atoll__store_insert(s, (enum atoll__table_id)id, &row, &inserted, &err)) {
            fail_msg("%s", err.text);
        }
        assert_true(inserted);
        struct seen seen = {t, &row, 0};
        assert_int_equal(atoll__store_each(s, (enum atoll__table_id)id,
                                           (struct atoll__filter){.all = true}, compare_row, &seen,
                                           &err),
                         0);
        assert_int_equal(seen.n, 1);
        atoll_store_close(&s);
        s = store_open(path, ATOLL_STORE_READ);
        assert_int_equal(atoll__store_each(s, (enum atoll__table_id)id,
                                           (struct atoll__filter){.all = true}, compare_row, &seen,
                                           &err),
                         0);
        assert_int_equal(seen.n, 2);
        atoll_store_close(&s);
        store_remove(path);
    }
}

static size_t column_bytes(int type)
{
    switch (type) {
    case ATOLL__COLUMN_TEXT:
        return sizeof(const char *);
    case ATOLL__COLUMN_BLOB:
        return sizeof(struct atoll__blob);
    default:
        return 8;
    }
}

static void no_column_is_forgotten(void **state)
{
    (void)state;
    /* The columns cover their struct: sizes add up, offsets do not overlap, nothing is padded. */
    static const size_t sizes[ATOLL__TABLES] = {
        sizeof(struct atoll_experiment_row), sizeof(struct atoll_model_row),
        sizeof(struct atoll_plan_row),       sizeof(struct atoll_stage_row),
        sizeof(struct atoll_layer_row),      sizeof(struct atoll_accuracy_row),
        sizeof(struct atoll_training_row),   sizeof(struct atoll_epoch_row),
        sizeof(struct atoll_run_row),        sizeof(struct atoll_rail_row),
        sizeof(struct atoll_state_row),      sizeof(struct atoll_phase_row),
        sizeof(struct atoll__series_row)};
    for (size_t id = 0; id < ATOLL__TABLES; id++) {
        const struct atoll__table *t = &atoll__tables[id];
        size_t sum = 0;
        for (size_t i = 0; i < t->n_columns; i++) {
            assert_int_equal(t->columns[i].offset, sum);
            sum += column_bytes((int)t->columns[i].type);
        }
        assert_int_equal(sum, sizes[id]);
        assert_true(t->n_columns <= ATOLL__STORE_COLUMNS_MAX);
    }
}

struct run_seen {
    struct atoll_store *s;
    int64_t next_repeat;
};
static int check_rail(void *user, const struct atoll_rail_row *r)
{
    size_t *n = user;
    assert_string_equal(r->rail, *n == 0 ? "12v" : "5v");
    ++*n;
    return 0;
}
static int check_run(void *user, const struct atoll_run_row *r)
{
    struct run_seen *seen = user;
    struct atoll_err err = {0};
    assert_int_equal(r->repeat, seen->next_repeat++);
    assert_int_equal(r->seed, UINT64_MAX - (uint64_t)r->repeat);
    assert_true(isnan(r->cold_us));
    assert_true(isnan(r->energy_mj));
    assert_true(r->p99_us == 1.0 / 3.0);
    assert_null(r->error);
    size_t rails = 0;
    assert_int_equal(atoll_store_each_rail(seen->s, r->id, check_rail, &rails, &err), 0);
    assert_int_equal(rails, 2);
    double *samples = NULL;
    size_t n = 0;
    assert_int_equal(atoll_store_get_samples(seen->s, r->id, &samples, &n, &err), 0);
    assert_int_equal(n, 3);
    assert_true(samples[0] == 1.25 && samples[1] == 1000.0 + (double)r->repeat &&
                samples[2] == 0.01);
    atoll_free(samples);
    uint64_t *t_ns = NULL;
    float *mw = NULL;
    uint32_t n_rails = 0;
    assert_int_equal(atoll_store_get_trace(seen->s, r->id, &t_ns, &mw, &n, &n_rails, &err), 0);
    assert_true(n == 2 && n_rails == 2 && t_ns[1] == 1000000 && mw[0] == 1.0f && mw[1] == 2.5f &&
                mw[2] == -3.0f && mw[3] == 1e9f);
    atoll_free(t_ns);
    atoll_free(mw);
    struct atoll_span *spans = NULL;
    assert_int_equal(atoll_store_get_timeline(seen->s, r->id, &spans, &n, &err), 0);
    assert_true(n == 2 && spans[0].end_ns == 20 && spans[1].end_ns == UINT64_MAX &&
                spans[1].item == 6 && spans[1].kind == 255);
    atoll_free(spans);
    return 0;
}

static void a_whole_experiment(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    struct atoll_store *s = store_open(path, ATOLL_STORE_WRITE);
    store_put_experiment(s, 20, 0, 1);
    struct run_seen seen = {s, 0};
    assert_int_equal(atoll_store_each_run(s, "e1", check_run, &seen, &err), 0);
    assert_int_equal(seen.next_repeat, 20);
    seen.next_repeat = 0;
    assert_int_equal(atoll_store_each_run(s, "another", check_run, &seen, &err), 0);
    assert_int_equal(seen.next_repeat, 0);

    struct atoll_run_row r = store_run("e1", 3);
    int64_t id = 0;
    assert_int_equal(atoll_store_put_run(s, &r, &id, &err), ATOLL_EUSAGE);
    assert_non_null(strstr(err.text, "there already"));
    bool found = false;
    assert_int_equal(atoll_store_has_run(s, &r, &found, &err), 0);
    assert_true(found);
    r.repeat = 20;
    assert_int_equal(atoll_store_has_run(s, &r, &found, &err), 0);
    assert_false(found);

    struct atoll_run_set *set = NULL;
    assert_int_equal(atoll_store_run_set(s, "e1", &set, &err), 0);
    assert_int_equal(atoll_run_set_count(set), 20);
    assert_false(atoll_run_set_has(set, &r));
    for (r.repeat = 0; r.repeat < 20; r.repeat++) {
        assert_true(atoll_run_set_has(set, &r));
    }
    r.repeat = 3;
    r.workload = "saturated";
    assert_false(atoll_run_set_has(set, &r));
    atoll_run_set_close(&set);
    atoll_store_close(&s);
}

static int stop_at_once(void *user, const struct atoll_run_row *r)
{
    (void)r;
    ++*(int *)user;
    return 42;
}
static void a_callback_can_stop(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    struct atoll_store *s = store_open(path, ATOLL_STORE_WRITE);
    store_put_experiment(s, 3, 0, 1);
    int n = 0;
    assert_int_equal(atoll_store_each_run(s, "e1", stop_at_once, &n, &err), 42);
    assert_int_equal(atoll_store_each_run(s, "e1", stop_at_once, &n, &err), 42);
    assert_int_equal(n, 2);
    atoll_store_close(&s);
}

static void the_same_key_must_say_the_same(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    struct atoll_store *s = store_open(path, ATOLL_STORE_WRITE);
    struct atoll_plan_row p = {
        .experiment = "e", .model = "m", .strategy = "single", .tpus = 1, .latency_us = NAN};
    assert_int_equal(atoll_store_put_plan(s, &p, &err), 0);
    assert_int_equal(atoll_store_put_plan(s, &p, &err), 0);
    p.latency_us = 2.5;
    assert_int_equal(atoll_store_put_plan(s, &p, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "latency_us is null in the file and 2.5 now"));
    struct atoll_model_row m = {.spec = "m", .sha256 = "aa", .label = "x"};
    assert_int_equal(atoll_store_put_model(s, &m, &err), 0);
    m.label = "y";
    assert_int_equal(atoll_store_put_model(s, &m, &err), 0);
    m.sha256 = "bb";
    assert_int_equal(atoll_store_put_model(s, &m, &err), ATOLL_EINPUT);
    m.spec = NULL;
    assert_int_equal(atoll_store_put_model(s, &m, &err), ATOLL_EUSAGE);
    const struct atoll_rail_row orphan = {.run = 99, .rail = "5v"};
    assert_int_equal(atoll_store_put_rail(s, &orphan, &err), ATOLL_EUSAGE);
    atoll_store_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_column_comes_back, setup, teardown),
        cmocka_unit_test(no_column_is_forgotten),
        cmocka_unit_test_setup_teardown(a_whole_experiment, setup, teardown),
        cmocka_unit_test_setup_teardown(a_callback_can_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_key_must_say_the_same, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
