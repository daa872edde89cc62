/* SPDX-License-Identifier: Apache-2.0 */
/* A network cut anywhere gives the same bytes as the whole: piece by piece at every cut, and
 * through the threaded runner with stages and replicas. */
#include "cpu_fixture.h"

static const struct atoll_runtime *rt;

static struct atoll_cost *cost_of(const struct atoll_model *m)
{
    struct atoll_cost *c = NULL;
    struct atoll_err err = {0};
    fixture_ok(atoll_cost_open(m, ATOLL_COMPILER_V16, &c, &err), &err);
    return c;
}

/* ------------------------------------------------------------ every cut point */

/* Values of tensors on their way, by index in the whole model. */
struct carried {
    uint8_t **data;
};

static void run_piece(const struct atoll_model *m, const struct atoll_segmentation *s, uint32_t i,
                      struct carried *c)
{
    struct atoll_model *piece = NULL;
    struct atoll_interp *it = NULL;
    struct atoll_err err = {0};
    int32_t *in = malloc(m->n_tensors * sizeof *in), *out = malloc(m->n_tensors * sizeof *out);
    uint32_t n_in = 0, n_out = 0, n = 0;
    assert_true(in != NULL && out != NULL);
    atoll_segment_boundary(m, s, i, in, &n_in, out, &n_out);
    fixture_ok(atoll_model_segment(m, s, i, &piece, &err), &err);
    fixture_ok(atoll_interp_open(rt, piece, NULL, &it, &err), &err);
    const struct atoll_interp_tensor *t = atoll_interp_inputs(it, &n);
    assert_int_equal(n, n_in);
    for (uint32_t k = 0; k < n; k++) {
        assert_int_equal(t[k].bytes, m->tensors[in[k]].bytes);
        memcpy(t[k].data, c->data[in[k]], t[k].bytes);
    }
    fixture_ok(atoll_interp_invoke(it, &err), &err);
    t = atoll_interp_outputs(it, &n);
    assert_int_equal(n, n_out);
    for (uint32_t k = 0; k < n; k++) {
        free(c->data[out[k]]);
        c->data[out[k]] = malloc(t[k].bytes + 1);
        assert_non_null(c->data[out[k]]);
        memcpy(c->data[out[k]], t[k].data, t[k].bytes);
    }
    atoll_interp_close(&it);
    atoll_model_close(&piece);
    free(in);
    free(out);
}

static uint32_t cut_everywhere(const char *argument)
{
    struct atoll_model *m = fixture_model(argument);
    struct cpu_expected e;
    uint32_t *seg = calloc(m->n_ops, sizeof *seg);
    uint32_t cuts = 0;
    assert_non_null(seg);
    cpu_expect(&e, rt, m, 1);
    for (uint32_t cut = 1; cut < m->n_ops; cut++) {
        struct carried c = {calloc(m->n_tensors, sizeof *c.data)};
        void *in[8];
        assert_true(c.data != NULL && m->n_inputs <= 8);
        for (uint32_t i = 0; i < m->n_inputs; i++) {
            const int32_t t = m->inputs[i];
            in[i] = c.data[t] = malloc((size_t)m->tensors[t].bytes + 1);
            assert_non_null(in[i]);
        }
        cpu_inputs(m, 0, in);
        for (uint32_t o = 0; o < m->n_ops; o++) {
            seg[o] = o >= cut;
        }
        const struct atoll_segmentation s = {2, seg};
        run_piece(m, &s, 0, &c);
        run_piece(m, &s, 1, &c);
        const uint8_t *expected = e.bytes;
        for (uint32_t i = 0; i < m->n_outputs; i++) {
            const struct atoll_tensor *t = &m->tensors[m->outputs[i]];
            assert_memory_equal(c.data[m->outputs[i]], expected, t->bytes);
            expected += t->bytes;
        }
        cuts++;
        for (uint32_t i = 0; i < m->n_tensors; i++) {
            free(c.data[i]);
        }
        free(c.data);
    }
    free(e.bytes);
    free(seg);
    print_message("%s: %u cuts\n", argument, cuts);
    atoll_model_close(&m);
    return cuts;
}

static void built_networks_at_every_cut(void **state)
{
    (void)state;
    assert_int_equal(cut_everywhere("zoo:mobilenet_v2?alpha=0.35&size=96"), 65);
    (void)cut_everywhere("zoo:cifar_googlenet?size=32");
}

static void real_networks_at_every_cut(void **state)
{
    static const char *const names[] = {
        "mobilenet_v1_0.25_128_quant.tflite", "tf2_mobilenet_v2_1.0_224_ptq.tflite",
        "mobilenet_v2_1.0_224_inat_bird_quant.tflite", "keras_lstm_mnist_ptq.tflite"};
    char path[1024];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)cut_everywhere(fixture_shared(names[i], path));
    }
}

/* ---------------------------------------------------------------- the runner */

static void through_the_runner(const char *argument)
{
    static const uint32_t replicas[][4] = {{1, 1, 1, 1}, {1, 2, 1, 3}, {3, 1, 2, 1}};
    struct atoll_model *m = fixture_model(argument);
    struct atoll_cost *cost = cost_of(m);
    struct cpu_expected e;
    const struct atoll_board board = {.name = "many", .n_tpus = 16};
    cpu_expect(&e, rt, m, 50);
    for (uint32_t n = 1; n <= 4 && n <= m->n_ops; n++) {
        uint32_t cuts[3] = {0};
        for (uint32_t i = 1; i < n; i++) {
            cuts[i - 1] = i * m->n_ops / n;
        }
        for (size_t k = 0; k < sizeof replicas / sizeof replicas[0]; k++) {
            struct cpu_plan p;
            struct atoll_device *d = cpu_open(&board);
            cpu_plan_make(&p, m, n, cuts, replicas[k]);
            struct atoll_run_result r =
                cpu_run(d, &p, cost, &e, (struct atoll_workload){ATOLL_WORK_SATURATED, 0, 50});
            assert_int_equal(r.origin, ATOLL_ORIGIN_MEASURED);
            assert_true(r.n >= 50 && e.seen >= 50);
            assert_true(k != 0 || e.in_order);
            atoll_run_result_finish(&r);
            atoll_device_close(&d);
            free(p.ops);
        }
    }
    free(e.bytes);
    atoll_cost_close(&cost);
    atoll_model_close(&m);
}

static void built_networks_through_the_runner(void **state)
{
    (void)state;
    through_the_runner("zoo:mobilenet_v1?alpha=0.25&size=96");
    through_the_runner("zoo:cifar_squeezenet1_1?size=32");
    through_the_runner("zoo:cifar_googlenet?size=32"); /* tensors that stages skip */
}

static void real_networks_through_the_runner(void **state)
{
    static const char *const names[] = {"mobilenet_v1_0.25_128_quant.tflite",
                                        "keras_lstm_mnist_ptq.tflite", "tools/split_concat.tflite"};
    char path[1024];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        through_the_runner(fixture_shared(names[i], path));
    }
}

int main(void)
{
    rt = fixture_runtime();
    const struct CMUnitTest tests[] = {cmocka_unit_test(built_networks_at_every_cut),
                                       cmocka_unit_test(real_networks_at_every_cut),
                                       cmocka_unit_test(built_networks_through_the_runner),
                                       cmocka_unit_test(real_networks_through_the_runner)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
