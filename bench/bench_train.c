/* SPDX-License-Identifier: Apache-2.0 */
/* A training step (images in, forward, loss, backward, update) of ResNet-20 and MobileNetV2, 32x32,
 * batch 64, one thread, in one run against
 * - the sum of the library's primitives alone: each call timed, median over the steps, reorders
 *   left out (aim: the sum is at least 85 % of the step);
 * - the same step in PyTorch on the CPU, when python3 (or $ATOLL_PYTHON) has it (bench_torch.py).
 * Steps are counted in processor time, so that other jobs on the machine disturb little. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dlfcn.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <oneapi/dnnl/dnnl.h>

#include <atoll/train.h>
#include <atoll/zoo.h>

enum { BATCH = 64, STEPS = 9, CALLS_MAX = 2000 };

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double v[STEPS])
{
    qsort(v, STEPS, sizeof *v, by_value);
    return v[STEPS / 2];
}

static double cpu_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

struct batch {
    uint8_t *pixels;
    size_t n;
    uint32_t labels[BATCH];
    uint32_t classes;
};

static int run_step(struct atoll_trainer *t, const struct batch *b, struct atoll_err *err)
{
    const struct atoll_loss_opts plain = {.temperature = 1};
    float *input = atoll_trainer_input(t);
    for (size_t i = 0; i < b->n; i++) {
        input[i] = (float)b->pixels[i] / 255;
    }
    int rc = atoll_trainer_forward(t, true, err);
    (void)atoll_loss(atoll_trainer_logits(t), b->labels, BATCH, b->classes, &plain, NULL,
                     atoll_trainer_logits_grad(t));
    rc = rc ? rc : atoll_trainer_backward(t, err);
    atoll_trainer_update(t, 0.01f, 0.9f, 5e-4f);
    return rc;
}

/* -------------------------------------------------- the library's own times */

/* Processor time of each of oneDNN's calls in a step, in their order: the same in each step. */
static struct calls {
    double ms[CALLS_MAX][STEPS];
    dnnl_primitive_kind_t kind[CALLS_MAX];
    int n, step;
    bool on;
} calls;

/* Stands before the library's function of this name. */
dnnl_status_t DNNL_API dnnl_primitive_execute(const_dnnl_primitive_t p, dnnl_stream_t stream,
                                              int n_args, const dnnl_exec_arg_t *args)
{
    static dnnl_status_t (*real)(const_dnnl_primitive_t, dnnl_stream_t, int,
                                 const dnnl_exec_arg_t *);
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "dnnl_primitive_execute");
    }
    const double from = calls.on ? cpu_ms() : 0;
    const dnnl_status_t status = real(p, stream, n_args, args);
    if (calls.on && calls.n < CALLS_MAX) {
        const_dnnl_primitive_desc_t desc = NULL;
        calls.ms[calls.n][calls.step] = cpu_ms() - from;
        (void)dnnl_primitive_get_primitive_desc(p, &desc);
        (void)dnnl_primitive_desc_query(desc, dnnl_query_primitive_kind, 0, &calls.kind[calls.n]);
        calls.n++;
    }
    return status;
}

/* Sum of medians by kind; returns that of all but the reorders. */
static double print_calls(void)
{
    static const struct {
        dnnl_primitive_kind_t kind;
        const char *name;
    } kinds[] = {{dnnl_convolution, "convolution"},
                 {dnnl_batch_normalization, "batch norm"},
                 {dnnl_eltwise, "relu"},
                 {dnnl_binary, "add"},
                 {dnnl_pooling, "pooling"},
                 {dnnl_reorder, "reorder"}};
    double primitives = 0;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        double sum = 0;
        for (int i = 0; i < calls.n; i++) {
            sum += calls.kind[i] == kinds[k].kind ? median(calls.ms[i]) : 0;
        }
        primitives += kinds[k].kind == dnnl_reorder ? 0 : sum;
        printf("%s%s %.1f", k ? ", " : "  ", kinds[k].name, sum);
    }
    printf(" ms (%d calls)\n", calls.n);
    return primitives;
}

/* ------------------------------------------------------------------ PyTorch */

static void write_net(FILE *f, const struct atoll_net *net)
{
    for (uint32_t i = 0; i < net->n_nodes; i++) {
        const struct atoll_net_node *n = &net->nodes[i];
        (void)fprintf(f, "%s %d %d %d %d %d %d %d %d %s %d %d %d %d %d %u",
                      atoll_net_op_name(n->op), n->channels, n->height, n->width, n->kernel_h,
                      n->kernel_w, n->stride_h, n->stride_w, n->groups,
                      n->padding == ATOLL_PADDING_SAME ? "same" : "valid", n->bias, n->pad[0],
                      n->pad[1], n->pad[2], n->pad[3], n->n_in);
        for (uint32_t k = 0; k < n->n_in; k++) {
            (void)fprintf(f, " %u", n->in[k]);
        }
        (void)fputc('\n', f);
    }
}

static void against_torch(const struct atoll_net *net, double step_ms)
{
    const char *python = getenv("ATOLL_PYTHON"), *source = getenv("ATOLL_SOURCE");
    char path[] = "/tmp/atoll_net_XXXXXX", command[2048], line[256];
    const int fd = mkstemp(path);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    if (f == NULL) {
        return;
    }
    write_net(f, net);
    (void)fclose(f);
    (void)snprintf(command, sizeof command, "'%s' '%s/bench/bench_torch.py' %d %d 1 < %s 2>&1",
                   python ? python : "python3", source ? source : ".", BATCH, STEPS, path);
    f = popen(command, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        char kind[64];
        double wall = 0, cpu = 0;
        if (sscanf(line, "%63s %lf %lf", kind, &wall, &cpu) == 3 && cpu > 0) {
            printf("  PyTorch %s: %.1f ms (wall-clock %.1f); ratio %.2f\n", kind, cpu, wall,
                   step_ms / cpu);
        } else {
            printf("  PyTorch: %s", line);
        }
    }
    if (f != NULL) {
        (void)pclose(f);
    }
    (void)unlink(path);
}

/* ------------------------------------------------------------------ measuring */

static int fill(const struct atoll_net *net, struct batch *b, struct atoll_err *err)
{
    const struct atoll_net_node *in = &net->nodes[0];
    struct atoll_rng rng;
    b->n = (size_t)BATCH * (size_t)in->height * (size_t)in->width * (size_t)in->channels;
    b->classes = atoll_net_classes(net);
    b->pixels = atoll_alloc(b->n);
    if (b->pixels == NULL) {
        return atoll_fail_nomem(err, "images", b->n);
    }
    atoll_rng_seed(&rng, 1);
    atoll_rng_bytes(&rng, b->pixels, b->n);
    for (uint32_t i = 0; i < BATCH; i++) {
        b->labels[i] = (uint32_t)atoll_rng_below(&rng, b->classes);
    }
    return 0;
}

static int measure(const char *name, const struct atoll_net *net, struct atoll_err *err)
{
    struct atoll_trainer *t = NULL;
    const struct atoll_trainer_opts o = {.batch = BATCH, .threads = 1, .seed = 1};
    struct batch b = {0};
    double step_ms[STEPS], wall_ms[STEPS];
    int rc = fill(net, &b, err);
    rc = rc ? rc : atoll_trainer_open(net, &o, &t, err);
    rc = rc ? rc : run_step(t, &b, err); /* warm-up */
    for (int k = 0; k < STEPS && rc == 0; k++) {
        const double cpu = cpu_ms();
        const uint64_t from = atoll_now_ns();
        rc = run_step(t, &b, err);
        step_ms[k] = cpu_ms() - cpu;
        wall_ms[k] = (double)(atoll_now_ns() - from) * 1e-6;
        calls.n = 0, calls.step = k, calls.on = true;
        rc = rc ? rc : run_step(t, &b, err);
        calls.on = false;
    }
    atoll_trainer_close(&t);
    atoll_free(b.pixels);
    if (rc == 0) {
        const double ms = median(step_ms);
        printf("%s, %" PRIu64 " parameters: step %.1f ms of processor time (wall-clock %.1f)\n",
               name, atoll_net_parameters(net), ms, median(wall_ms));
        const double primitives = print_calls();
        printf("  primitives without reorders %.1f ms: %.1f %% of the step\n", primitives,
               100 * primitives / ms);
        against_torch(net, ms);
    }
    return rc;
}

static int measure_file(struct atoll_err *err)
{
    const char *share = getenv("ATOLL_SHARE");
    char path[1024];
    struct atoll_net *net = NULL;
    (void)snprintf(path, sizeof path, "%s/networks/resnet20.yaml", share ? share : "share");
    int rc = atoll_net_open(path, &net, err);
    rc = rc ? rc : measure("resnet20", net, err);
    atoll_net_close(&net);
    return rc;
}

static int measure_zoo(const char *zoo, struct atoll_err *err)
{
    struct atoll_model *m = NULL;
    struct atoll_net *net = NULL;
    int rc = atoll_zoo_build(zoo, &m, err);
    rc = rc ? rc : atoll_net_from_model(m, &net, err);
    rc = rc ? rc : measure(zoo, net, err);
    atoll_net_close(&net);
    atoll_model_close(&m);
    return rc;
}

int main(void)
{
    struct atoll_err err = {0};
    printf("%s, batch %d, 1 thread, medians of %d\n", atoll_trainer_kernels(), BATCH, STEPS);
    int rc = measure_file(&err);
    rc = rc ? rc : measure_zoo("cifar_mobilenet_v2", &err);
    if (rc != 0) {
        printf("%s\n", err.text);
    }
    return rc != 0;
}
