/* SPDX-License-Identifier: Apache-2.0 */
/* Driver `edgetpu` with a double of libedgetpu and a script in place of the compiler.
 * usage: t_edgetpu_driver DOUBLE.so */
#include "cpu_fixture.h"

#include <sys/stat.h>

static const char *double_path;
static struct atoll_err err;
static char dir[256];

/* What the compiler would make of a model: one custom operator between its input and output. */
static void write_compiled(const struct atoll_model *m, const char *path)
{
    struct atoll_builder *b = NULL;
    struct atoll_model *c = NULL;
    fixture_ok(atoll_builder_create("compiled", "", &b, &err), &err);
    struct atoll_tensor x = m->tensors[m->inputs[0]], y = m->tensors[m->outputs[0]];
    const int32_t in = atoll_builder_tensor(b, &x, true, &err);
    const int32_t out = atoll_builder_tensor(b, &y, true, &err);
    const struct atoll_op op = {.code = ATOLL_OP_CUSTOM,
                                .custom_name = "edgetpu-custom-op",
                                .inputs = &in,
                                .n_inputs = 1,
                                .outputs = &out,
                                .n_outputs = 1,
                                .attr = atoll_op_attr_default()};
    assert_true(atoll_builder_op(b, &op, &err) >= 0);
    fixture_ok(atoll_builder_finish(&b, &in, 1, &out, 1, &c, &err), &err);
    fixture_ok(atoll_model_write(c, path, &err), &err);
    atoll_model_close(&c);
}

static void install_compiler(const char *compiled)
{
    char path[600], text[1200];
    (void)snprintf(path, sizeof path, "%s/compiler", dir);
    (void)snprintf(text, sizeof text,
                   "#!/bin/sh\n[ \"$1\" = -o ] && exec cp '%s' \"$2/segment_edgetpu.tflite\"\n",
                   compiled);
    fixture_ok(atoll_write_file(path, text, strlen(text), &err), &err);
    assert_int_equal(chmod(path, 0700), 0);
    assert_int_equal(setenv("ATOLL_EDGETPU_COMPILER", path, 1), 0);
}

static int see(void *user, uint32_t pipeline, uint64_t number, const void *const *out,
               struct atoll_err *e)
{
    struct cpu_expected *x = user;
    const size_t in_bytes = (size_t)x->m->tensors[x->m->inputs[0]].bytes;
    const size_t out_bytes = (size_t)x->m->tensors[x->m->outputs[0]].bytes;
    uint8_t *in = malloc(in_bytes);
    void *const pointers[1] = {in};
    (void)pipeline;
    assert_non_null(in);
    cpu_inputs(x->m, number % x->n, pointers);
    size_t wrong = 0;
    for (size_t i = 0; i < out_bytes; i++) {
        wrong += ((const uint8_t *)out[0])[i] != (in[i % in_bytes] ^ 0x5a);
    }
    free(in);
    x->seen++;
    return wrong == 0 ? 0 : atoll_fail(e, ATOLL_ENO, "%zu bytes differ", wrong);
}

static void runs_on_the_double(void **state)
{
    char compiled[600];
    struct atoll_model *m = fixture_model("zoo:dense_chain?layers=2&units=16&inputs=16");
    struct atoll_cost *cost = NULL;
    struct cpu_plan p;
    struct atoll_device *d = NULL, *other = NULL;
    struct atoll_run_result r = {0};
    const struct atoll_device_opts o = {.board = NULL};
    struct cpu_expected e = {.m = m, .n = 100};
    const uint32_t replicas[1] = {2};
    (void)state;
    (void)snprintf(compiled, sizeof compiled, "%s/compiled.tflite", dir);
    write_compiled(m, compiled);
    install_compiler(compiled);
    fixture_ok(atoll_cost_open(m, ATOLL_COMPILER_V16, &cost, &err), &err);
    fixture_ok(atoll_device_open("edgetpu", &o, &d, &err), &err);
    struct atoll_device_info info;
    atoll_device_info(d, &info);
    assert_int_equal(info.n_tpus, 2);
    assert_string_equal(info.version, "double of 2.5");
    cpu_plan_make(&p, m, 1, NULL, replicas);
    const struct atoll_cost *costs = cost;
    const struct atoll_run_tensors tensors = {cpu_give, see, &e};
    struct atoll_run_request q = {.device = d,
                                  .plan = &p.plan,
                                  .models = &costs,
                                  .tensors = &tensors,
                                  .workload = {ATOLL_WORK_SATURATED, 0, 200}};
    fixture_ok(atoll_run(&q, &r, &err), &err);
    assert_true(e.seen >= 200);
    atoll_run_result_finish(&r);
    struct atoll_tpu_state tpu;
    fixture_ok(atoll_device_tpu(d, 0, &tpu, &err), &err);
    assert_string_equal(tpu.id, "pcie:/dev/apex_0_double"); /* by path */

    /* a second owner is refused, with the first one's number */
    fixture_ok(atoll_device_open("edgetpu", &o, &other, &err), &err);
    q.device = other;
    assert_int_equal(atoll_run(&q, &r, &err), ATOLL_EDEVICE);
    char owner[64];
    (void)snprintf(owner, sizeof owner, "in use by process %ld", (long)getpid());
    assert_non_null(strstr(err.text, owner));
    atoll_device_close(&other);
    atoll_device_close(&d);

    /* without a compiler there is nothing to run */
    assert_int_equal(setenv("ATOLL_EDGETPU_COMPILER", "/nowhere/compiler", 1), 0);
    fixture_ok(atoll_device_open("edgetpu", &o, &d, &err), &err);
    q.device = d;
    assert_int_equal(atoll_run(&q, &r, &err), ATOLL_EDEVICE);
    assert_non_null(strstr(err.text, "compiler"));
    atoll_device_close(&d);
    atoll_cost_close(&cost);
    atoll_model_close(&m);
    free(p.ops);
}

static void not_available(void **state)
{
    struct atoll_device *d = NULL;
    const struct atoll_device_opts o = {.board = NULL};
    (void)state;
    static const char *const libraries[] = {"/nowhere/libedgetpu.so.1", "libm.so.6"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(setenv("ATOLL_EDGETPU", libraries[i], 1), 0);
        assert_int_equal(atoll_device_open("edgetpu", &o, &d, &err), ATOLL_EDEVICE);
        assert_int_equal(strncmp(err.text, "not available: ", 15), 0);
        for (const struct atoll_driver *const *k = atoll_drivers(); *k != NULL; k++) {
            struct atoll_device_listing l;
            fixture_ok(atoll_device_list(*k, &l, &err), &err);
            if (strcmp(l.name, "edgetpu") == 0) {
                assert_false(l.available);
                assert_int_equal(strncmp(l.detail, "not available: ", 15), 0);
            }
        }
    }
    assert_int_equal(setenv("ATOLL_EDGETPU", double_path, 1), 0);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        return 2;
    }
    double_path = argv[1];
    (void)fixture_runtime();
    test_scratch(dir);
    (void)setenv("TMPDIR", dir, 1);
    (void)setenv("ATOLL_EDGETPU", double_path, 1);
    const struct CMUnitTest tests[] = {cmocka_unit_test(not_available),
                                       cmocka_unit_test(runs_on_the_double)};
    const int rc = cmocka_run_group_tests(tests, NULL, NULL);
    char line[300];
    (void)snprintf(line, sizeof line, "rm -rf '%s'", dir);
    return system(line) != 0 ? 1 : rc;
}
