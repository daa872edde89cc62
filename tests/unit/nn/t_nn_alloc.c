/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of an evaluation fails once, the runtime's own apart: ATOLL_ENOMEM and no
 * leak. */
#include "../alloc_fail.h"
#include "nn_fixture.h"

#include <atoll/train.h>

static const struct atoll_runtime *rt;
static struct atoll_model *model;
static struct atoll_dataset *data;

static int setup(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    struct atoll_data_opts o = atoll_data_opts_default();
    o.n_generated[0] = o.n_generated[1] = 1;
    o.n_generated[2] = 6;
    model = fixture_model("zoo:conv_chain?layers=2&filters=24&size=8");
    fixture_ok(atoll_dataset_open("generated", &o, &data, &err), &err);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    atoll_model_close(&model);
    atoll_dataset_close(&data);
    return 0;
}

static int interpret(void *user)
{
    struct atoll_interp *it = NULL;
    struct atoll_err err = {0};
    (void)user;
    int rc = atoll_interp_open(rt, model, NULL, &it, &err);
    rc = rc ? rc : atoll_interp_invoke(it, &err);
    atoll_interp_close(&it);
    return rc;
}

static int evaluate(void *user)
{
    struct atoll_model *m = user;
    struct atoll_eval e = {0};
    struct atoll_err err = {0};
    const struct atoll_eval_request q = {
        .rt = rt, .model = m, .data = data, .part = ATOLL_PART_TEST, .threads = 1};
    const int rc = atoll_eval_run(&q, &e, &err);
    assert_int_equal(err.code, rc);
    atoll_eval_finish(&e);
    return rc;
}

static int precision(void *user)
{
    static const struct atoll_box truth[2] = {{0, 0, 10, 10, 1, false}, {20, 20, 30, 30, 1, false}};
    static const struct atoll_detection found[3] = {
        {0, 0, 10, 9, 1, 0.9, 0}, {21, 20, 30, 30, 1, 0.8, 0}, {50, 50, 60, 60, 1, 0.7, 0}};
    const struct atoll_box *const images[1] = {truth};
    const size_t n = 2;
    double ap = 0;
    struct atoll_err err = {0};
    (void)user;
    return atoll_detection_ap(found, 3, images, &n, 1, 1, 0.5, &ap, &err);
}

/* A network from yaml, and one from a model. */
static int networks(void *user)
{
    static const char yaml[] =
        "name: t\ninput: [8, 8, 3]\nlayers:\n"
        "  - {op: conv, name: a, filters: 4, kernel: 3, norm: true, activation: relu}\n"
        "  - {op: conv, name: b, filters: 4, kernel: 1, from: a}\n"
        "  - {op: add, from: [a, b]}\n  - {op: global_pool}\n  - {op: dense, units: 3}\n";
    struct atoll_net *net = NULL;
    struct atoll_err err = {0};
    int rc = atoll_net_parse("t.yaml", yaml, sizeof yaml - 1, &net, &err);
    atoll_net_close(&net);
    rc = rc ? rc : atoll_net_from_model(user, &net, &err);
    atoll_net_close(&net);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct atoll_model *classifier =
        fixture_model("zoo:mobilenet_v1?alpha=0.25&size=32&classes=24");
    alloc_fail_check(interpret, NULL);
    alloc_fail_check(evaluate, classifier);
    alloc_fail_check(precision, NULL);
    alloc_fail_check(networks, classifier);
    atoll_model_close(&classifier);
}

int main(void)
{
    rt = fixture_runtime();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
