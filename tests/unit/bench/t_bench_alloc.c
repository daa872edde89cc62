/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of a run and of opening an experiment fails once: said, and nothing is lost. */
#include "../alloc_fail.h"

#include "fake_device.h"

static struct fake device;
static struct fake_plan plan;
static char dir[256], path[300];

static int run_once(void *user)
{
    static const struct atoll_cost *const no_models[1] = {NULL};
    struct atoll_run_result r = {0};
    struct atoll_err err = {0};
    fake_init(&device, 100);
    fake_plan_make(&plan, "0|1,2|3 4");
    const struct atoll_run_request q = {.device = &device.base,
                                        .plan = &plan.plan,
                                        .models = no_models,
                                        .workload = *(const struct atoll_workload *)user,
                                        .keep_timeline = true};
    const int code = atoll_run(&q, &r, &err);
    assert_int_equal(err.code, code);
    atoll_run_result_finish(&r);
    return code;
}
static void a_run(void **state)
{
    (void)state;
    struct atoll_workload workloads[] = {{ATOLL_WORK_LATENCY, 0, 30},
                                         {ATOLL_WORK_SATURATED, 0, 60},
                                         {ATOLL_WORK_POISSON, 500, 40},
                                         {ATOLL_WORK_COLD, 0, 0}};
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++) {
        alloc_fail_check(run_once, &workloads[i]);
    }
}

static int open_once(void *user)
{
    (void)user;
    struct atoll_experiment *e = NULL;
    struct atoll_err err = {0};
    const int code = atoll_experiment_open(path, NULL, &e, &err);
    atoll_experiment_close(&e);
    return code;
}
static void an_experiment(void **state)
{
    (void)state;
    static const char text[] = "name: a\nboard: usb3_x86\nmodels: "
                               "[\"zoo:conv_chain?layers=1&filters=8&size=8\"]\ntpus: 1\n"
                               "strategies: [single]\nworkloads: [{mode: cold}]\nrepeats: 2\n";
    struct atoll_err err = {0};
    test_scratch(dir);
    (void)snprintf(path, sizeof path, "%s/e.yaml", dir);
    assert_int_equal(atoll_write_file(path, text, sizeof text - 1, &err), 0);
    alloc_fail_check(open_once, NULL);
    (void)unlink(path);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_run), cmocka_unit_test(an_experiment)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
