/* SPDX-License-Identifier: Apache-2.0 */
/* Every operation's gradient against finite differences: for each parameter of a small network the
 * slope of the loss along a random direction, measured with two more forward passes, must be the
 * product of gradient and direction. Parameters before the operation test its way to the source. */
#include "atoll_test.h"

#include <math.h>

#include <atoll/train.h>

#define BATCH 4
#define CLASSES 3

static void ok(int rc, const struct atoll_err *err)
{
    if (rc != 0) {
        fail_msg("%s: %s", atoll_code_name(rc), err->text);
    }
}

static uint32_t labels[BATCH] = {0, 2, 1, 2};
static float teacher[BATCH * CLASSES];
static struct atoll_loss_opts loss_opts = {.smoothing = 0.1, .temperature = 1};

static double loss_of(struct atoll_trainer *t, bool gradient)
{
    struct atoll_err err = {0};
    ok(atoll_trainer_forward(t, true, &err), &err);
    return atoll_loss(atoll_trainer_logits(t), labels, BATCH, CLASSES, &loss_opts, NULL,
                      gradient ? atoll_trainer_logits_grad(t) : NULL);
}

/* Slope along a direction of length 1, and the product of gradient and direction. */
static void slopes(struct atoll_trainer *t, uint32_t k, struct atoll_rng *rng, double *measured,
                   double *computed)
{
    struct atoll_err err = {0};
    const struct atoll_param p = atoll_trainer_param(t, k);
    float *w = atoll_alloc(p.n * sizeof *w), *g = atoll_alloc(p.n * sizeof *g);
    float *d = atoll_alloc(p.n * sizeof *d), *moved = atoll_alloc(p.n * sizeof *moved);
    double norm = 0, loss[2];
    for (size_t i = 0; i < p.n; i++) {
        d[i] = (float)atoll_rng_normal(rng);
        norm += (double)d[i] * d[i];
    }
    ok(atoll_trainer_read(t, k, ATOLL_PARAM_VALUE, w, &err), &err);
    (void)loss_of(t, true);
    ok(atoll_trainer_backward(t, &err), &err);
    ok(atoll_trainer_read(t, k, ATOLL_PARAM_GRADIENT, g, &err), &err);
    *computed = 0;
    for (size_t i = 0; i < p.n; i++) {
        d[i] /= (float)sqrt(norm);
        *computed += (double)g[i] * d[i];
    }
    const float step = 2e-3f;
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < p.n; i++) {
            moved[i] = w[i] + (side ? step : -step) * d[i];
        }
        ok(atoll_trainer_write(t, k, ATOLL_PARAM_VALUE, moved, &err), &err);
        loss[side] = loss_of(t, false);
    }
    ok(atoll_trainer_write(t, k, ATOLL_PARAM_VALUE, w, &err), &err);
    *measured = (loss[1] - loss[0]) / (2 * (double)step);
    atoll_free(w);
    atoll_free(g);
    atoll_free(d);
    atoll_free(moved);
}

static void check_net(const char *yaml)
{
    struct atoll_net *net = NULL;
    struct atoll_trainer *t = NULL;
    struct atoll_err err = {0};
    struct atoll_rng rng;
    atoll_rng_seed(&rng, 11);
    ok(atoll_net_parse("test.yaml", yaml, strlen(yaml), &net, &err), &err);
    const struct atoll_trainer_opts o = {.batch = BATCH, .threads = 1, .seed = 5};
    ok(atoll_trainer_open(net, &o, &t, &err), &err);
    const struct atoll_net_node *in = &net->nodes[0];
    const size_t n = (size_t)BATCH * (size_t)(in->height * in->width * in->channels);
    for (size_t i = 0; i < n; i++) {
        atoll_trainer_input(t)[i] = (float)atoll_rng_normal(&rng);
    }
    unsigned checked = 0;
    for (uint32_t k = 0; k < atoll_trainer_params(t); k++) {
        const struct atoll_param p = atoll_trainer_param(t, k);
        if (p.role == ATOLL_PARAM_MEAN || p.role == ATOLL_PARAM_VARIANCE) {
            continue;
        }
        for (int repeat = 0; repeat < 3; repeat++) {
            double measured = 0, computed = 0;
            slopes(t, k, &rng, &measured, &computed);
            const double tolerance = 2e-4 + 0.02 * fabs(computed);
            if (!(fabs(measured - computed) <= tolerance)) {
                fail_msg("%s: parameter %u of node %s: slope %g measured, %g by the gradient", yaml,
                         k, net->nodes[p.node].name, measured, computed);
            }
        }
        checked++;
    }
    assert_true(checked >= 2);
    atoll_trainer_close(&t);
    atoll_net_close(&net);
}

/* A first convolution without relu, the operation under test, a dense layer. */
#define NET(sides, channels, middle)                                                               \
    "name: t\ninput: [" sides "]\nlayers:\n"                                                       \
    "  - {op: conv, name: a, filters: " channels ", kernel: 3, bias: true}\n" middle               \
    "  - {op: dense, units: 3}\n"

static void conv(void **state)
{
    (void)state;
    check_net(NET("6, 7, 3", "8", "  - {op: conv, filters: 8, kernel: 3, stride: 2}\n"));
    check_net(
        NET("7, 6, 3", "5", "  - {op: conv, filters: 11, kernel: 1, stride: 2, bias: true}\n"));
    check_net(NET("8, 8, 1", "9", "  - {op: conv, filters: 6, kernel: 5, padding: valid}\n"));
}

static void conv_grouped(void **state)
{
    (void)state;
    check_net(NET("6, 6, 3", "8", "  - {op: conv, filters: 8, kernel: 3, groups: 2}\n"));
    check_net(NET("6, 6, 3", "16", "  - {op: conv, filters: 32, kernel: 3, groups: 2}\n"));
}

static void conv_depthwise(void **state)
{
    (void)state;
    check_net(NET("7, 7, 3", "8", "  - {op: conv, depthwise: true, kernel: 3, stride: 2}\n"));
    check_net(NET("7, 7, 3", "13", "  - {op: conv, depthwise: true, kernel: 5}\n"));
    check_net(NET("7, 7, 3", "4", "  - {op: conv, depthwise: true, filters: 8, kernel: 3}\n"));
}

static void dense(void **state)
{
    (void)state;
    check_net(NET("4, 4, 1", "3", "  - {op: dense, units: 12}\n"));
}

static void batch_norm(void **state)
{
    (void)state;
    check_net(NET("5, 5, 3", "8", "  - {op: batch_norm}\n"));
    check_net("name: t\ninput: [4, 4, 1]\nlayers:\n  - {op: batch_norm}\n"
              "  - {op: dense, units: 3}\n");
}

static void relu(void **state)
{
    (void)state;
    check_net(NET("5, 5, 3", "9", "  - {op: relu}\n"));
    check_net(NET("5, 5, 3", "8", "  - {op: relu6}\n"));
    /* not in place: the source has two readers */
    check_net(NET("5, 5, 3", "8", "  - {op: relu, name: r}\n  - {op: add, from: [a, r]}\n"));
    check_net(NET("5, 5, 3", "8", "  - {op: relu6, name: r}\n  - {op: add, from: [a, r]}\n"));
}

static void pools(void **state)
{
    (void)state;
    check_net(NET("7, 7, 3", "8", "  - {op: max_pool, kernel: 3, stride: 2}\n"));
    check_net(NET("6, 6, 3", "5", "  - {op: max_pool, kernel: 2, stride: 2, padding: valid}\n"));
    check_net(NET("7, 7, 3", "8", "  - {op: avg_pool, kernel: 3, stride: 2}\n"));
    check_net(NET("7, 7, 3", "8", "  - {op: global_pool}\n"));
}

static void add(void **state)
{
    (void)state;
    check_net(NET("5, 5, 3", "8",
                  "  - {op: conv, name: b, filters: 8, kernel: 3, norm: true}\n"
                  "  - {op: add, from: [b, a], activation: relu}\n"));
    check_net(NET("5, 5, 3", "5",
                  "  - {op: conv, name: b, filters: 5, kernel: 1}\n"
                  "  - {op: add, name: c, from: [a, b]}\n"
                  "  - {op: add, from: [b, c]}\n"));
}

static void concat(void **state)
{
    (void)state;
    check_net(NET("5, 5, 3", "8",
                  "  - {op: conv, name: b, filters: 16, kernel: 1}\n"
                  "  - {op: concat, from: [a, b], activation: relu}\n"));
    check_net(NET("5, 5, 3", "5",
                  "  - {op: conv, name: b, filters: 7, kernel: 3}\n"
                  "  - {op: concat, from: [b, a]}\n"
                  "  - {op: conv, filters: 9, kernel: 3}\n"));
}

static void pad(void **state)
{
    (void)state;
    check_net(NET("5, 5, 3", "8",
                  "  - {op: pad, pad: [1, 2, 0, 3]}\n"
                  "  - {op: conv, filters: 4, kernel: 3, padding: valid}\n"));
    check_net(NET("5, 5, 3", "3", "  - {op: pad, pad: [0, 1, 0, 1]}\n"));
    /* done by the convolution behind it: on the images, behind others, by our own depthwise kernel
     */
    check_net(NET("6, 6, 3", "5",
                  "  - {op: pad, pad: [0, 1, 2, 1]}\n"
                  "  - {op: conv, filters: 4, kernel: 3, stride: 2, padding: valid}\n"));
    check_net(NET("6, 6, 3", "16",
                  "  - {op: conv, filters: 16, kernel: 3, norm: true, activation: relu}\n"
                  "  - {op: pad, pad: [1, 2, 0, 1]}\n"
                  "  - {op: conv, filters: 8, kernel: 3, stride: 2, padding: valid, norm: true}\n"
                  "  - {op: pad, name: p, pad: [2, 1, 1, 4]}\n"
                  "  - {op: conv, kernel: 5, depthwise: true, padding: valid, bias: true}\n"
                  "  - {op: pad, name: q, pad: [1, 1, 1, 1]}\n" /* two readers: a copy */
                  "  - {op: conv, name: c, from: q, filters: 8, kernel: 3, padding: valid}\n"
                  "  - {op: conv, name: d, from: q, filters: 8, kernel: 3, padding: valid}\n"
                  "  - {op: add, from: [c, d]}\n"));
}

static void distillation(void **state)
{
    (void)state;
    struct atoll_rng rng;
    atoll_rng_seed(&rng, 3);
    for (size_t i = 0; i < BATCH * CLASSES; i++) {
        teacher[i] = (float)(2 * atoll_rng_normal(&rng));
    }
    const struct atoll_loss_opts before = loss_opts;
    loss_opts = (struct atoll_loss_opts){
        .smoothing = 0.05, .teacher = teacher, .temperature = 3, .weight = 0.7};
    check_net(NET("5, 5, 3", "8", ""));
    loss_opts = before;
}

/* The loss itself, by hand: two classes, scores 0 and ln 3. */
static void loss_by_hand(void **state)
{
    (void)state;
    const float z[2] = {0, logf(3)};
    const uint32_t one = 1, zero = 0;
    const struct atoll_loss_opts plain = {.temperature = 1},
                                 smooth = {.smoothing = 0.2, .temperature = 1};
    float g[2];
    uint32_t right = 9;
    test_close(atoll_loss(z, &one, 1, 2, &plain, &right, g), log(4.0 / 3), 1e-6);
    assert_int_equal(right, 1);
    test_close(g[0], 0.25, 1e-6);
    test_close(g[1], -0.25, 1e-6);
    test_close(atoll_loss(z, &zero, 1, 2, &plain, &right, NULL), log(4.0), 1e-6);
    assert_int_equal(right, 0);
    test_close(atoll_loss(z, &one, 1, 2, &smooth, NULL, NULL), 0.9 * log(4.0 / 3) + 0.1 * log(4.0),
               1e-6);
    const float v[2] = {0, 0}; /* teacher even: KL(1/2,1/2 || 1/4,3/4) = ln(2/sqrt(3)) */
    const struct atoll_loss_opts taught = {.teacher = v, .temperature = 1, .weight = 1};
    test_close(atoll_loss(z, &one, 1, 2, &taught, NULL, NULL), log(2 / sqrt(3)), 1e-6);
}

int main(void)
{
    if (atoll_trainer_kernels()[0] == '\0') {
        (void)printf("skipped: built without training (libdnnl-dev)\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_by_hand),   cmocka_unit_test(conv),  cmocka_unit_test(conv_grouped),
        cmocka_unit_test(conv_depthwise), cmocka_unit_test(dense), cmocka_unit_test(batch_norm),
        cmocka_unit_test(relu),           cmocka_unit_test(pools), cmocka_unit_test(add),
        cmocka_unit_test(concat),         cmocka_unit_test(pad),   cmocka_unit_test(distillation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
