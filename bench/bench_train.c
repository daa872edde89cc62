/* SPDX-License-Identifier: Apache-2.0 */
/* A training step (images in, forward, loss, backward, update) against its oneDNN calls alone.
 * Median of steps taken in turn, so that a busy machine disturbs both alike. One thread. */
#include <stdlib.h>
#include <string.h>

#include <atoll/train.h>
#include <atoll/zoo.h>

#define BATCH 64
#define STEPS 9

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

/* Runs one step; *kernels_ms receives the time inside of the two passes. */
static int step(struct atoll_trainer *t, const uint8_t *pixels, size_t n, const uint32_t *labels,
                uint32_t classes, double *whole_ms, double *kernels_ms, struct atoll_err *err)
{
    const struct atoll_loss_opts plain = {.temperature = 1};
    const uint64_t a = atoll_now_ns();
    for (size_t i = 0; i < n; i++) {
        atoll_trainer_input(t)[i] = (float)pixels[i] / 255;
    }
    const uint64_t b = atoll_now_ns();
    int rc = atoll_trainer_forward(t, true, err);
    const uint64_t c = atoll_now_ns();
    (void)atoll_loss(atoll_trainer_logits(t), labels, BATCH, classes, &plain, NULL,
                     atoll_trainer_logits_grad(t));
    const uint64_t d = atoll_now_ns();
    rc = rc ? rc : atoll_trainer_backward(t, err);
    const uint64_t e = atoll_now_ns();
    atoll_trainer_update(t, 0.01f, 0.9f, 5e-4f);
    *whole_ms = (double)(atoll_now_ns() - a) * 1e-6;
    *kernels_ms = (double)((c - b) + (e - d)) * 1e-6;
    return rc;
}

static int measure(const char *zoo, struct atoll_err *err)
{
    struct atoll_model *m = NULL;
    struct atoll_net *net = NULL;
    struct atoll_trainer *t = NULL;
    const struct atoll_trainer_opts o = {.batch = BATCH, .threads = 1, .seed = 1};
    uint32_t labels[BATCH];
    double whole[STEPS], kernels[STEPS];
    int rc = atoll_zoo_build(zoo, &m, err);
    rc = rc ? rc : atoll_net_from_model(m, &net, err);
    rc = rc ? rc : atoll_trainer_open(net, &o, &t, err);
    const size_t n = rc ? 0
                        : (size_t)BATCH * (size_t)net->nodes[0].height *
                              (size_t)net->nodes[0].width * (size_t)net->nodes[0].channels;
    uint8_t *pixels = atoll_alloc(n + 1);
    struct atoll_rng rng;
    atoll_rng_seed(&rng, 1);
    if (rc == 0 && pixels != NULL) {
        atoll_rng_bytes(&rng, pixels, n);
        for (uint32_t i = 0; i < BATCH; i++) {
            labels[i] = (uint32_t)atoll_rng_below(&rng, atoll_net_classes(net));
        }
    }
    for (int i = -1; i < STEPS && rc == 0 && pixels != NULL; i++) { /* the first is a warm-up */
        const int k = i < 0 ? 0 : i;
        rc = step(t, pixels, n, labels, atoll_net_classes(net), &whole[k], &kernels[k], err);
    }
    if (rc == 0 && pixels != NULL) {
        const double w = median(whole), s = median(kernels);
        printf("%s: step %.1f ms, oneDNN calls %.1f ms, %.1f %%\n", zoo, w, s, 100 * s / w);
    }
    atoll_free(pixels);
    atoll_trainer_close(&t);
    atoll_net_close(&net);
    atoll_model_close(&m);
    return rc;
}

int main(void)
{
    struct atoll_err err = {0};
    if (atoll_trainer_kernels()[0] == '\0') {
        printf("skipped: built without training (libdnnl-dev)\n");
        return 77;
    }
    printf("%s, batch %d, 1 thread\n", atoll_trainer_kernels(), BATCH);
    int rc = measure("cifar_squeezenet1_1", &err);
    rc = rc ? rc : measure("cifar_mobilenet_v2", &err);
    if (rc != 0) {
        printf("%s\n", err.text);
    }
    return rc != 0;
}
