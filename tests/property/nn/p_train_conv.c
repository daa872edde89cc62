/* SPDX-License-Identifier: Apache-2.0 */
/* Random convolutions, forward and both gradients, against a plain reference in double precision:
 * odd channel counts, groups, depthwise, strides, paddings, small and large windows. The kernels
 * are a library's (and, for depthwise windows above 3, our own); versions of it are known to write
 * past a buffer, so shapes are tried in hundreds. Loss: sum of logits times fixed numbers. */
#include "atoll_test.h"

#include <atoll/train.h>
#include <math.h>

#define IMAGE 3 /* channels of the input */

struct shape {
    int32_t h, w, c, filters, kernel_h, kernel_w, stride, groups, out_h, out_w, top, left;
    bool valid, bias;
    uint32_t batch;
};

static void ok(int rc, const struct atoll_err *err)
{
    if (rc != 0) {
        fail_msg("%s: %s", atoll_code_name(rc), err->text);
    }
}

static int32_t from_to(struct atoll_rng *rng, int32_t low, int32_t high)
{
    return low + (int32_t)atoll_rng_below(rng, (uint64_t)(high - low + 1));
}

static struct shape draw(struct atoll_rng *rng)
{
    static const int32_t windows[] = {1, 2, 3, 3, 5, 7};
    struct shape s = {.h = from_to(rng, 1, 12),
                      .w = from_to(rng, 1, 12),
                      .c = from_to(rng, 1, 40),
                      .stride = from_to(rng, 1, 2),
                      .bias = atoll_rng_below(rng, 2) == 0,
                      .batch = (uint32_t)from_to(rng, 1, 3)};
    s.kernel_h = windows[atoll_rng_below(rng, 6)];
    s.kernel_w = atoll_rng_below(rng, 4) ? s.kernel_h : windows[atoll_rng_below(rng, 6)];
    s.valid = atoll_rng_below(rng, 3) == 0 && s.kernel_h <= s.h && s.kernel_w <= s.w;
    const int kind = (int)atoll_rng_below(rng, 4);
    s.groups = kind == 0 ? s.c : kind == 1 ? from_to(rng, 1, 4) : 1;
    if (kind == 1) {
        s.c = s.groups * from_to(rng, 1, 9);
        s.filters = s.groups * from_to(rng, 1, 9);
    } else {
        s.filters = kind == 0 ? s.c : from_to(rng, 1, 40);
    }
    return s;
}

static struct atoll_net *make_net(struct shape *s)
{
    struct atoll_net *net = NULL;
    struct atoll_err err = {0};
    static const uint32_t first[] = {0}, second[] = {1};
    ok(atoll_net_create("t", s->h, s->w, IMAGE, &net, &err), &err);
    /* the input's gradient is not computed, so a 1x1 convolution stands in front */
    const struct atoll_net_node front = {.op = ATOLL_NET_CONV,
                                         .in = first,
                                         .n_in = 1,
                                         .channels = s->c,
                                         .kernel_h = 1,
                                         .kernel_w = 1};
    const struct atoll_net_node node = {.op = ATOLL_NET_CONV,
                                        .in = second,
                                        .n_in = 1,
                                        .channels = s->filters,
                                        .kernel_h = s->kernel_h,
                                        .kernel_w = s->kernel_w,
                                        .stride_h = s->stride,
                                        .stride_w = s->stride,
                                        .groups = s->groups,
                                        .padding =
                                            s->valid ? ATOLL_PADDING_VALID : ATOLL_PADDING_SAME,
                                        .bias = s->bias};
    static const uint32_t third[] = {2};
    const struct atoll_net_node dense = {
        .op = ATOLL_NET_DENSE, .in = third, .n_in = 1, .channels = 2};
    ok(atoll_net_add(net, &front, NULL, &err), &err);
    ok(atoll_net_add(net, &node, NULL, &err), &err);
    ok(atoll_net_add(net, &dense, NULL, &err), &err);
    s->out_h = net->nodes[2].height;
    s->out_w = net->nodes[2].width;
    const int32_t all_h = (s->out_h - 1) * s->stride + s->kernel_h - s->h;
    const int32_t all_w = (s->out_w - 1) * s->stride + s->kernel_w - s->w;
    s->top = s->valid || all_h < 0 ? 0 : all_h / 2; /* SAME: the odd one behind */
    s->left = s->valid || all_w < 0 ? 0 : all_w / 2;
    return net;
}

static double *zeros(size_t n)
{
    double *v = calloc(n + 1, sizeof *v);
    assert_non_null(v);
    return v;
}

/* A parameter as doubles; NULL when the node has none of this role. */
static double *values_of(struct atoll_trainer *t, uint32_t node, enum atoll_param_role role,
                         enum atoll_param_what what)
{
    struct atoll_err err = {0};
    for (uint32_t k = 0; k < atoll_trainer_params(t); k++) {
        const struct atoll_param p = atoll_trainer_param(t, k);
        if (p.node == node && p.role == role) {
            float *v = calloc(p.n, sizeof *v);
            double *d = zeros(p.n);
            assert_non_null(v);
            ok(atoll_trainer_read(t, k, what, v, &err), &err);
            for (size_t i = 0; i < p.n; i++) {
                d[i] = (double)v[i];
            }
            free(v);
            return d;
        }
    }
    return NULL;
}

/* --------------------------------------------------------- by the definition */

struct plain {
    const struct shape *s;
    size_t pixels, outs, n_w, n_front;
    double *front, *w, *bias, *dense; /* values */
    double *d_front, *d_w, *d_bias;   /* gradients of the trainer */
    double *a, *d_a;                  /* between the convolutions, one image */
    double *want_front, *want_w, *want_bias;
};

static void open_plain(struct plain *p, const struct shape *s, struct atoll_trainer *t)
{
    *p = (struct plain){.s = s,
                        .pixels = (size_t)s->h * (size_t)s->w,
                        .outs = (size_t)s->out_h * (size_t)s->out_w,
                        .n_w = (size_t)(s->filters * s->c / s->groups * s->kernel_h * s->kernel_w),
                        .n_front = (size_t)(s->c * IMAGE)};
    p->front = values_of(t, 1, ATOLL_PARAM_WEIGHT, ATOLL_PARAM_VALUE);
    p->d_front = values_of(t, 1, ATOLL_PARAM_WEIGHT, ATOLL_PARAM_GRADIENT);
    p->w = values_of(t, 2, ATOLL_PARAM_WEIGHT, ATOLL_PARAM_VALUE);
    p->d_w = values_of(t, 2, ATOLL_PARAM_WEIGHT, ATOLL_PARAM_GRADIENT);
    p->bias = values_of(t, 2, ATOLL_PARAM_BIAS, ATOLL_PARAM_VALUE);
    p->d_bias = values_of(t, 2, ATOLL_PARAM_BIAS, ATOLL_PARAM_GRADIENT);
    p->dense = values_of(t, 3, ATOLL_PARAM_WEIGHT, ATOLL_PARAM_VALUE);
    p->a = zeros(p->pixels * (size_t)s->c);
    p->d_a = zeros(p->pixels * (size_t)s->c);
    p->want_front = zeros(p->n_front);
    p->want_w = zeros(p->n_w);
    p->want_bias = zeros((size_t)s->filters);
}

static void close_plain(struct plain *p)
{
    double *const all[] = {p->front,  p->w, p->bias, p->dense,      p->d_front, p->d_w,
                           p->d_bias, p->a, p->d_a,  p->want_front, p->want_w,  p->want_bias};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(all[i]);
    }
}

/* The 1x1 convolution in front. */
static void run_front(struct plain *p, const double *image)
{
    const int32_t n = p->s->c;
    memset(p->a, 0, p->pixels * (size_t)n * sizeof *p->a);
    memset(p->d_a, 0, p->pixels * (size_t)n * sizeof *p->d_a);
    for (int32_t c = 0; c < n; c++) {
        for (int32_t k = 0; k < IMAGE; k++) {
            for (size_t x = 0; x < p->pixels; x++) {
                p->a[(size_t)c * p->pixels + x] +=
                    p->front[c * IMAGE + k] * image[(size_t)k * p->pixels + x];
            }
        }
    }
}

static void run_front_back(struct plain *p, const double *image)
{
    const int32_t n = p->s->c;
    for (int32_t c = 0; c < n; c++) {
        for (int32_t k = 0; k < IMAGE; k++) {
            for (size_t x = 0; x < p->pixels; x++) {
                p->want_front[c * IMAGE + k] +=
                    p->d_a[(size_t)c * p->pixels + x] * image[(size_t)k * p->pixels + x];
            }
        }
    }
}

/* One output pixel of filter o: its value; adds to both gradients. */
static double run_pixel(struct plain *p, int32_t o, int32_t y, int32_t x, double grad)
{
    const struct shape *s = p->s;
    const int32_t deep = s->c / s->groups, group = o / (s->filters / s->groups);
    double sum = p->bias ? p->bias[o] : 0;
    for (int32_t k = 0; k < deep; k++) {
        for (int32_t i = 0; i < s->kernel_h; i++) {
            for (int32_t j = 0; j < s->kernel_w; j++) {
                const int32_t iy = y * s->stride - s->top + i, ix = x * s->stride - s->left + j;
                if (iy < 0 || iy >= s->h || ix < 0 || ix >= s->w) {
                    continue;
                }
                const size_t from =
                    (size_t)(group * deep + k) * p->pixels + (size_t)(iy * s->w + ix);
                const int32_t tap = ((o * deep + k) * s->kernel_h + i) * s->kernel_w + j;
                sum += p->w[tap] * p->a[from];
                p->want_w[tap] += grad * p->a[from];
                p->d_a[from] += grad * p->w[tap];
            }
        }
    }
    return sum;
}

static void run_image(struct plain *p, const double *image, const double g[2], double logits[2])
{
    const struct shape *s = p->s;
    const size_t n_dense = (size_t)s->filters * p->outs;
    run_front(p, image);
    logits[0] = logits[1] = 0;
    for (int32_t o = 0; o < s->filters; o++) {
        for (int32_t y = 0; y < s->out_h; y++) {
            for (int32_t x = 0; x < s->out_w; x++) {
                const double *d = p->dense + (size_t)o * p->outs + (size_t)(y * s->out_w + x);
                const double grad = g[0] * d[0] + g[1] * d[n_dense];
                const double sum = run_pixel(p, o, y, x, grad);
                p->want_bias[o] += grad;
                logits[0] += sum * d[0];
                logits[1] += sum * d[n_dense];
            }
        }
    }
    run_front_back(p, image);
}

/* Worst distance, relative to the largest of what is right. */
static double worst_of(const double *got, const double *want, size_t n)
{
    double size = 0.1, worst = 0;
    for (size_t i = 0; i < n && got; i++) {
        size = fmax(size, fabs(want[i]));
        worst = fmax(worst, fabs(got[i] - want[i]));
    }
    return worst / size;
}

static double compare(const struct shape *s, struct atoll_trainer *t, const double *x,
                      const double *g)
{
    struct plain p;
    double worst = 0;
    open_plain(&p, s, t);
    for (uint32_t n = 0; n < s->batch; n++) {
        const float *got = atoll_trainer_logits(t) + n * 2;
        double want[2];
        run_image(&p, x + n * p.pixels * IMAGE, g + n * 2, want);
        worst = fmax(worst, worst_of((const double[]){(double)got[0], (double)got[1]}, want, 2));
    }
    worst = fmax(worst, worst_of(p.d_front, p.want_front, p.n_front));
    worst = fmax(worst, worst_of(p.d_w, p.want_w, p.n_w));
    worst = fmax(worst, worst_of(p.d_bias, p.want_bias, (size_t)s->filters));
    close_plain(&p);
    return worst;
}

static double one(struct atoll_rng *rng, struct shape *s)
{
    struct atoll_err err = {0};
    struct atoll_trainer *t = NULL;
    *s = draw(rng);
    struct atoll_net *net = make_net(s);
    const struct atoll_trainer_opts o = {
        .batch = s->batch, .threads = 1 + (unsigned)atoll_rng_below(rng, 2), .seed = 3};
    ok(atoll_trainer_open(net, &o, &t, &err), &err);
    const size_t n = (size_t)s->batch * (size_t)(s->h * s->w * IMAGE);
    double *x = zeros(n), g[6];
    for (size_t i = 0; i < n; i++) {
        const float v = (float)atoll_rng_normal(rng);
        atoll_trainer_input(t)[i] = v;
        x[i] = (double)v;
    }
    ok(atoll_trainer_forward(t, true, &err), &err);
    for (uint32_t i = 0; i < 2 * s->batch; i++) {
        const float v = (float)atoll_rng_normal(rng);
        atoll_trainer_logits_grad(t)[i] = v;
        g[i] = (double)v;
    }
    ok(atoll_trainer_backward(t, &err), &err);
    const double worst = compare(s, t, x, g);
    free(x);
    atoll_trainer_close(&t);
    atoll_net_close(&net);
    return worst;
}

static void random_shapes(void **state)
{
    (void)state;
    const uint64_t seed = test_seed();
    const size_t n = test_cases(300);
    double most = 0;
    struct atoll_rng rng;
    atoll_rng_seed(&rng, seed);
    for (size_t i = 0; i < n; i++) {
        struct shape s;
        const double worst = one(&rng, &s);
        most = fmax(most, worst);
        if (!(worst < 2e-5)) {
            fail_msg("seed %llu, shape %zu: error %g; %dx%dx%d, %d filters %dx%d, stride %d, "
                     "groups %d, %s%s, batch %u, kernels %s",
                     (unsigned long long)seed, i, worst, s.h, s.w, s.c, s.filters, s.kernel_h,
                     s.kernel_w, s.stride, s.groups, s.valid ? "valid" : "same",
                     s.bias ? ", bias" : "", s.batch, atoll_trainer_kernels());
        }
    }
    print_message("seed %llu: %zu shapes, worst relative error %.1e\n", (unsigned long long)seed, n,
                  most);
}

int main(void)
{
    if (atoll_trainer_kernels()[0] == '\0') {
        (void)printf("skipped: built without training (libdnnl-dev)\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_shapes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
