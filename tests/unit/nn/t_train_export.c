/* SPDX-License-Identifier: Apache-2.0 */
/* Written models in the TFLite runtime: float scores equal the trainer's own to 1e-4, int8 ones
 * stay near them. One network holds every operation. */
#include "nn_fixture.h"

#include <math.h>

#include <atoll/train.h>

#define BATCH 8
#define CLASSES 5

static const char every_op[] =
    "name: every\ninput: [13, 12, 3]\nlayers:\n"
    "  - {op: pad, pad: [1, 0, 0, 2]}\n"
    "  - {op: conv, filters: 8, kernel: 3, stride: 2, norm: true, activation: relu6}\n"
    "  - {op: conv, name: a, depthwise: true, filters: 16, kernel: 3, norm: true, activation: "
    "relu}\n"
    "  - {op: conv, name: g, filters: 16, kernel: 3, groups: 2, bias: true, norm: true}\n"
    "  - {op: add, name: s, from: [g, a], activation: relu}\n"
    "  - {op: max_pool, name: m, kernel: 3, stride: 1}\n"
    "  - {op: avg_pool, name: v, from: s, kernel: 2, stride: 1}\n"
    "  - {op: concat, from: [m, v]}\n"
    "  - {op: batch_norm}\n"
    "  - {op: relu}\n"
    "  - {op: conv, filters: 12, kernel: 5, stride: 2, padding: valid, bias: true, activation: "
    "relu}\n"
    "%s"
    "  - {op: dense, units: 5}\n";

static const struct atoll_runtime *rt;

static struct atoll_net *make_net(const char *end)
{
    char text[2048];
    struct atoll_net *net = NULL;
    struct atoll_err err = {0};
    const int n = snprintf(text, sizeof text, every_op, end);
    fixture_ok(atoll_net_parse("every.yaml", text, (size_t)n, &net, &err), &err);
    return net;
}

/* Random images, and some steps so that batch norm has something to fold. */
static struct atoll_trainer *make_trainer(const struct atoll_net *net, struct atoll_rng *rng)
{
    struct atoll_trainer *t = NULL;
    struct atoll_err err = {0};
    const struct atoll_trainer_opts o = {.batch = BATCH, .threads = 1, .seed = 2};
    const struct atoll_loss_opts plain = {.temperature = 1};
    uint32_t labels[BATCH];
    fixture_ok(atoll_trainer_open(net, &o, &t, &err), &err);
    for (int step = 0; step < 20; step++) {
        for (size_t i = 0; i < (size_t)BATCH * 13 * 12 * 3; i++) {
            atoll_trainer_input(t)[i] = (float)atoll_rng_unit(rng);
        }
        for (uint32_t i = 0; i < BATCH; i++) {
            labels[i] = (uint32_t)atoll_rng_below(rng, CLASSES);
        }
        fixture_ok(atoll_trainer_forward(t, true, &err), &err);
        (void)atoll_loss(atoll_trainer_logits(t), labels, BATCH, CLASSES, &plain, NULL,
                         atoll_trainer_logits_grad(t));
        fixture_ok(atoll_trainer_backward(t, &err), &err);
        atoll_trainer_update(t, 0.02f, 0.9f, 1e-4f);
    }
    fixture_ok(atoll_trainer_forward(t, false, &err), &err);
    return t;
}

static void softmax(const float *z, double p[CLASSES])
{
    double sum = 0;
    for (int c = 0; c < CLASSES; c++) {
        p[c] = exp((double)z[c]);
        sum += p[c];
    }
    for (int c = 0; c < CLASSES; c++) {
        p[c] /= sum;
    }
}

/* Largest difference of a score over the batch. */
static double worst_score(struct atoll_trainer *t, const struct atoll_model *m,
                          enum atoll_kernels kernels)
{
    struct atoll_interp *it = NULL;
    struct atoll_err err = {0};
    const struct atoll_interp_opts o = {.kernels = kernels};
    fixture_ok(atoll_interp_open(rt, m, &o, &it, &err), &err);
    uint32_t n = 0;
    const struct atoll_interp_tensor *in = atoll_interp_inputs(it, &n);
    const struct atoll_interp_tensor *out = atoll_interp_outputs(it, &n);
    assert_int_equal(atoll_interp_elements(out), CLASSES);
    double worst = 0;
    for (size_t b = 0; b < BATCH; b++) {
        for (size_t i = 0; i < 13 * 12; i++) {
            for (size_t c = 0; c < 3; c++) {
                const float v = atoll_trainer_input(t)[(b * 3 + c) * 13 * 12 + i];
                if (in->type == ATOLL_TYPE_FLOAT32) {
                    ((float *)in->data)[i * 3 + c] = v;
                } else {
                    const double q = rint((double)v / (double)in->scale) + in->zero_point;
                    ((int8_t *)in->data)[i * 3 + c] = (int8_t)(q < -128 ? -128 : q > 127 ? 127 : q);
                }
            }
        }
        fixture_ok(atoll_interp_invoke(it, &err), &err);
        double p[CLASSES];
        softmax(atoll_trainer_logits(t) + b * CLASSES, p);
        for (size_t c = 0; c < CLASSES; c++) {
            worst = fmax(worst, fabs(p[c] - atoll_interp_real(out, c)));
        }
    }
    atoll_interp_close(&it);
    return worst;
}

static void check_export(const char *end)
{
    struct atoll_err err = {0};
    struct atoll_rng rng;
    atoll_rng_seed(&rng, 4);
    struct atoll_net *net = make_net(end);
    struct atoll_trainer *t = make_trainer(net, &rng);
    struct atoll_model *m = NULL;
    fixture_ok(atoll_trainer_export(t, &m, &err), &err);
    test_close(worst_score(t, m, ATOLL_KERNELS_XNNPACK), 0, 1e-4);
    test_close(worst_score(t, m, ATOLL_KERNELS_BUILTIN), 0, 1e-4);
    atoll_model_close(&m);
    struct atoll_ranges r = {.n = net->n_nodes};
    r.low = atoll_calloc(r.n, sizeof *r.low);
    r.high = atoll_calloc(r.n, sizeof *r.high);
    for (uint32_t i = 0; i < r.n; i++) {
        atoll_trainer_range(t, i, &r.low[i], &r.high[i]);
    }
    fixture_ok(atoll_trainer_export_int8(t, &r, &m, &err), &err);
    const double distance = worst_score(t, m, ATOLL_KERNELS_BUILTIN);
    assert_true(distance > 0);
    test_close(distance, 0, 0.08);
    for (uint32_t i = 0; i < m->n_ops; i++) { /* the Edge TPU takes all of it */
        char why[256];
        const char *text = atoll_op_unmapped_why(m, i, why);
        if (text != NULL) {
            fail_msg("operator %u: %s", i, text);
        }
    }
    atoll_model_close(&m);
    atoll_ranges_finish(&r);
    atoll_trainer_close(&t);
    atoll_net_close(&net);
}

static void row_after_mean(void **state)
{
    (void)state;
    check_export("  - {op: global_pool}\n");
}

static void row_after_map(void **state)
{
    (void)state;
    check_export("");
}

static void dense_after_dense(void **state)
{
    (void)state;
    check_export("  - {op: dense, units: 9, norm: true, activation: relu}\n");
}

static int open_runtime(void **state)
{
    (void)state;
    rt = fixture_runtime();
    return 0;
}

int main(void)
{
    if (atoll_trainer_kernels()[0] == '\0') {
        (void)printf("skipped: built without training (libdnnl-dev)\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_after_mean),
        cmocka_unit_test(row_after_map),
        cmocka_unit_test(dense_after_dense),
    };
    return cmocka_run_group_tests(tests, open_runtime, NULL);
}
