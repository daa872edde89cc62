/* SPDX-License-Identifier: Apache-2.0 */
/* plan.json: what is written is read back, and a hostile file ends in a sentence. */
#include "plan_fixture.h"

static struct atoll_plan *make_plan(struct fixture *f)
{
    static const double times_us[5] = {4, 3, 2, 6, 5};
    static const uint32_t ones[5] = {10, 10, 10, 10, 10};
    fixture_open(f, times_us, ones, 5, 4);
    f->request.want_sha256 = true;
    return fixture_solve(f, "partition:3+1");
}

static void round_trip(void **state)
{
    (void)state;
    struct fixture f;
    struct atoll_err err = {0};
    struct atoll_plan *p = make_plan(&f), *back = NULL;
    json_t *j = atoll_plan_to_json(p);
    assert_int_equal(atoll_plan_from_json("plan.json", j, &back, &err), 0);
    json_t *again = atoll_plan_to_json(back);
    assert_true(json_equal(j, again));
    size_t n = 0, m = 0;
    char *text = atoll_json_text(j, &n), *text_again = atoll_json_text(again, &m);
    assert_string_equal(text, text_again);
    assert_int_equal(atoll_plan_check(back, 0, f.model, &err), 0);
    assert_int_equal(strlen(back->models[0].sha256), 64);
    atoll_free(text);
    atoll_free(text_again);
    json_decref(j);
    json_decref(again);
    atoll_plan_close(&p);
    atoll_plan_close(&back);
    fixture_close(&f);
}

static void same_request_same_bytes(void **state)
{
    (void)state;
    struct fixture f, g;
    struct atoll_plan *p = make_plan(&f), *q = make_plan(&g);
    json_t *a = atoll_plan_to_json(p), *b = atoll_plan_to_json(q);
    char *ta = atoll_json_text(a, NULL), *tb = atoll_json_text(b, NULL);
    assert_string_equal(ta, tb);
    atoll_free(ta);
    atoll_free(tb);
    json_decref(a);
    json_decref(b);
    atoll_plan_close(&p);
    atoll_plan_close(&q);
    fixture_close(&f);
    fixture_close(&g);
}

#define HEAD "{\"schema\": \"atoll.plan/1\", \"strategy\": \"cuts\", \"board\": \"b\", "
#define STAGE(tpus, ops) "{\"tpus\": " tpus ", \"operators\": " ops "}"
#define PIPES(stages) "\"pipelines\": [{\"model\": {\"path\": \"m\"}, \"stages\": [" stages "]}]}"

static void what_a_plan_must_have(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    struct atoll_plan *p = NULL;
    json_t *j = json_loads(HEAD PIPES(STAGE("[0]", "[1,0]") "," STAGE("[2,1]", "[2]")), 0, NULL);
    assert_non_null(j);
    assert_int_equal(atoll_plan_from_json("x", j, &p, &err), 0);
    assert_int_equal(p->tpus, 3);
    assert_true(isnan(p->latency_us) && isnan(p->pipelines[0].stages[0].cost.service_us));
    json_decref(j);
    atoll_plan_close(&p);
}

static void hostile_files(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"[]", "schema"},
        {"{\"schema\": \"atoll.info/1\"}", "found \"atoll.info/1\", expected \"atoll.plan/1\""},
        {"{\"schema\": 3}", "schema"},
        {"{\"schema\": \"atoll.plan/1\", \"board\": \"b\"}", "strategy"},
        {"{\"schema\": \"atoll.plan/1\", \"strategy\": \"s\"}", "board"},
        {HEAD "\"clock\": \"fast\"}", "clock: expected standard or max"},
        {HEAD "\"objective\": 7}", "objective"},
        {HEAD "\"latency_us\": -1}", "latency_us"},
        {HEAD "\"latency_us\": \"fast\"}", "latency_us"},
        {HEAD "\"pipelines\": []}", "pipelines"},
        {HEAD "\"pipelines\": {}}", "pipelines"},
        {HEAD "\"pipelines\": [3]}", "stages"},
        {HEAD "\"pipelines\": [{\"stages\": [1]}]}", "path"},
        {HEAD
         "\"pipelines\": [{\"model\": {\"path\": \"m\", \"sha256\": \"12\"}, \"stages\": [1]}]}",
         "sha256"},
        {HEAD PIPES("1"), "pipelines[0].stages[0]: expected an object"},
        {HEAD PIPES(STAGE("[64]", "[0]")), "tpus: expected a list of 1 to 64 numbers from 0 to 63"},
        {HEAD PIPES(STAGE("[-1]", "[0]")), "tpus"},
        {HEAD PIPES(STAGE("[0.5]", "[0]")), "tpus"},
        {HEAD PIPES(STAGE("[]", "[0]")), "tpus"},
        {HEAD PIPES(STAGE("[1,1]", "[0]")), "no other stage"},
        {HEAD PIPES(STAGE("[0]", "[]")), "operators"},
        {HEAD PIPES(STAGE("[0]", "[1]")), "found 1, expected each operator from 0 to 0 once"},
        {HEAD PIPES(STAGE("[0]", "[0,0]")), "found 0"},
        {HEAD PIPES(STAGE("[0]", "[4000000000]")), "operators"},
        {HEAD PIPES(STAGE("[0]", "[0]") "," STAGE("[1]", "[2]")), "stages[1].operators: found 2"},
        {HEAD PIPES("{\"tpus\": [0], \"operators\": [0], \"macs\": -4}"), "macs"},
        {HEAD PIPES("{\"tpus\": [0], \"operators\": [0], \"service_us\": \"1\"}"), "service_us"},
        {HEAD "\"tpus\": 65, " PIPES(STAGE("[0]", "[0]")), "tpus"},
        {HEAD "\"tpus\": 1, " PIPES(STAGE("[0,1]", "[0]")), "tpus"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct atoll_err err = {0};
        struct atoll_plan *p = NULL;
        json_t *j = json_loads(cases[i].text, 0, NULL);
        assert_non_null(j);
        assert_int_equal(atoll_plan_from_json("bad.json", j, &p, &err), ATOLL_EINPUT);
        assert_null(p);
        if (!strstr(err.text, cases[i].says) || !strstr(err.text, "bad.json")) {
            fail_msg("case %zu: \"%s\" does not say \"%s\"", i, err.text, cases[i].says);
        }
        json_decref(j);
    }
}

/* Every number of a good plan replaced by something else: never a crash, never a wrong plan. */
static void mutate(json_t *j, json_t *root, json_t *replacement, unsigned *tried)
{
    const char *key;
    json_t *v;
    size_t i;
    if (json_is_object(j)) {
        json_object_foreach(j, key, v)
        {
            json_incref(v);
            mutate(v, root, replacement, tried);
            json_object_set(j, key, replacement);
            struct atoll_err err = {0};
            struct atoll_plan *p = NULL;
            (void)atoll_plan_from_json("mutated", root, &p, &err);
            assert_true(p || err.text[0]);
            atoll_plan_close(&p);
            json_object_set_new(j, key, v);
            (*tried)++;
        }
    }
    json_array_foreach(j, i, v)
    {
        json_incref(v);
        mutate(v, root, replacement, tried);
        json_array_set(j, i, replacement);
        struct atoll_err err = {0};
        struct atoll_plan *p = NULL;
        (void)atoll_plan_from_json("mutated", root, &p, &err);
        assert_true(p || err.text[0]);
        atoll_plan_close(&p);
        json_array_set_new(j, i, v);
        (*tried)++;
    }
}

static void mutated_files(void **state)
{
    (void)state;
    struct fixture f;
    struct atoll_plan *p = make_plan(&f);
    json_t *j = atoll_plan_to_json(p);
    static const char *const with[] = {
        "null", "-1", "1e300", "9223372036854775807", "\"x\"", "[]", "{}", "[[0]]", "true"};
    unsigned tried = 0;
    for (size_t i = 0; i < sizeof with / sizeof with[0]; i++) {
        json_t *r = json_loads(with[i], JSON_DECODE_ANY, NULL);
        mutate(j, j, r, &tried);
        json_decref(r);
    }
    assert_true(tried > 500);
    json_decref(j);
    atoll_plan_close(&p);
    fixture_close(&f);
}

static void a_plan_of_another_model(void **state)
{
    (void)state;
    struct fixture f;
    struct atoll_err err = {0};
    struct atoll_plan *p = NULL;
    struct atoll_plan *own = make_plan(&f);
    json_t *j = json_loads(HEAD PIPES(STAGE("[0]", "[0,1,2]") "," STAGE("[1]", "[3]")), 0, NULL);
    assert_int_equal(atoll_plan_from_json("x", j, &p, &err), 0);
    assert_int_equal(atoll_plan_check(p, 0, f.model, &err), ATOLL_EINPUT);
    assert_non_null(strstr(err.text, "holds 4 operators"));
    json_decref(j);
    atoll_plan_close(&p);
    /* A chain cut so that data would flow back. */
    j = json_loads(HEAD PIPES(STAGE("[0]", "[1,2,3,4]") "," STAGE("[1]", "[0]")), 0, NULL);
    assert_int_equal(atoll_plan_from_json("x", j, &p, &err), 0);
    assert_true(atoll_plan_check(p, 0, f.model, &err) < 0);
    json_decref(j);
    atoll_plan_close(&p);
    atoll_plan_close(&own);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(same_request_same_bytes),
        cmocka_unit_test(what_a_plan_must_have),
        cmocka_unit_test(hostile_files),
        cmocka_unit_test(mutated_files),
        cmocka_unit_test(a_plan_of_another_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
