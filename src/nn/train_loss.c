/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax cross-entropy with label smoothing, and distillation. Sums in double: the loss is a few
 * microseconds beside the kernels. */
#include "train_internal.h"

#include <math.h>

/* ln of the sum of exp(z / T). */
static double log_sum(const float *z, uint32_t n, double temperature)
{
    double most = -INFINITY, sum = 0;
    for (uint32_t c = 0; c < n; c++) {
        most = z[c] > most ? z[c] : most;
    }
    for (uint32_t c = 0; c < n; c++) {
        sum += exp((z[c] - most) / temperature);
    }
    return most / temperature + log(sum);
}

/* One image; the gradient of its loss is added to grad with the factor `share`. */
static double hard_loss(const float *z, uint32_t label, uint32_t n, double smoothing, double share,
                        float *grad)
{
    const double all = log_sum(z, n, 1), even = smoothing / n;
    double loss = 0;
    for (uint32_t c = 0; c < n; c++) {
        const double target = even + (c == label ? 1 - smoothing : 0);
        const double log_p = z[c] - all;
        loss -= target > 0 ? target * log_p : 0;
        if (grad != NULL) {
            grad[c] += (float)(share * (exp(log_p) - target));
        }
    }
    return loss;
}

/* T^2 * KL(softmax(v / T) || softmax(z / T)). */
static double soft_loss(const float *z, const float *v, uint32_t n, double t, double share,
                        float *grad)
{
    const double all_z = log_sum(z, n, t), all_v = log_sum(v, n, t);
    double loss = 0;
    for (uint32_t c = 0; c < n; c++) {
        const double log_p = z[c] / t - all_z, log_q = v[c] / t - all_v;
        const double q = exp(log_q);
        loss += q > 0 ? t * t * q * (log_q - log_p) : 0;
        if (grad != NULL) {
            grad[c] += (float)(share * t * (exp(log_p) - q));
        }
    }
    return loss;
}

static uint32_t best_class(const float *z, uint32_t n)
{
    uint32_t best = 0;
    for (uint32_t c = 1; c < n; c++) {
        best = z[c] > z[best] ? c : best;
    }
    return best;
}

double atoll_loss(const float *logits, const uint32_t *labels, uint32_t n, uint32_t classes,
                  const struct atoll_loss_opts *o, uint32_t *correct, float *grad)
{
    const double soft = o->teacher ? o->weight : 0;
    double sum = 0;
    uint32_t right = 0;
    for (uint32_t i = 0; i < n; i++) {
        const size_t at = (size_t)i * classes;
        const float *z = logits + at;
        float *g = grad ? grad + at : NULL;
        for (uint32_t c = 0; g != NULL && c < classes; c++) {
            g[c] = 0;
        }
        sum += (1 - soft) * hard_loss(z, labels[i], classes, o->smoothing, (1 - soft) / n, g);
        if (o->teacher != NULL) {
            sum += soft * soft_loss(z, o->teacher + at, classes, o->temperature, soft / n, g);
        }
        right += best_class(z, classes) == labels[i];
    }
    if (correct != NULL) {
        *correct = right;
    }
    return n ? sum / n : 0;
}
