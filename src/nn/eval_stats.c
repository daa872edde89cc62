/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of an evaluation: paired comparison, intersection over union. */
#include "nn_internal.h"

#include <math.h>

double atoll_mcnemar_pvalue(uint64_t only_a, uint64_t only_b)
{
    const uint64_t n = only_a + only_b;
    const uint64_t k = only_a < only_b ? only_a : only_b;
    double tail = 0;
    if (n == 0 || only_a == only_b) {
        return 1;
    }
    for (uint64_t i = 0; i <= k; i++) { /* binomial with 1/2: each side's tail up to k */
        tail += exp(lgamma((double)n + 1) - lgamma((double)i + 1) - lgamma((double)(n - i) + 1) -
                    (double)n * log(2));
    }
    return tail >= 0.5 ? 1 : 2 * tail;
}

/* Correlation of the two models' answers, with Newcombe's correction towards 0. */
static double correlation(double a, double b, double c, double d)
{
    const double product = (a + b) * (c + d) * (a + c) * (b + d);
    const double n = a + b + c + d;
    double numerator = a * d - b * c;
    if (product <= 0) {
        return 0;
    }
    if (numerator > 0) {
        numerator = numerator > n / 2 ? numerator - n / 2 : 0;
    }
    return numerator / sqrt(product);
}

/* R. G. Newcombe, Statistics in Medicine 17 (1998) 2635-2650, method 10. */
static struct atoll_interval paired_difference(const struct atoll_eval_pair *p)
{
    const uint64_t n = p->both + p->only_a + p->only_b + p->neither;
    if (n == 0) {
        return (struct atoll_interval){NAN, NAN, NAN};
    }
    const struct atoll_interval x = atoll_wilson(p->both + p->only_a, n);
    const struct atoll_interval y = atoll_wilson(p->both + p->only_b, n);
    const double phi =
        correlation((double)p->both, (double)p->only_a, (double)p->only_b, (double)p->neither);
    const double value = x.value - y.value;
    const double xl = x.value - x.low95, xu = x.high95 - x.value;
    const double yl = y.value - y.low95, yu = y.high95 - y.value;
    return (struct atoll_interval){
        .value = value,
        .low95 = value - sqrt(fmax(0, xl * xl - 2 * phi * xl * yu + yu * yu)),
        .high95 = value + sqrt(fmax(0, xu * xu - 2 * phi * xu * yl + yl * yl))};
}

int atoll_eval_compare(const struct atoll_eval *a, const struct atoll_eval *b,
                       struct atoll_eval_pair *out, struct atoll_err *err)
{
    if (a->n_correct != b->n_correct || a->correct == NULL || b->correct == NULL) {
        return atoll_fail(err, ATOLL_EUSAGE,
                          "two classifications of the same images expected (%zu and %zu images)",
                          a->n_correct, b->n_correct);
    }
    struct atoll_eval_pair p = {0};
    for (size_t i = 0; i < a->n_correct; i++) {
        if (((a->correct[i] | b->correct[i]) & ATOLL__EVAL_BAD) != 0) {
            continue;
        }
        const bool x = a->correct[i] & 1, y = b->correct[i] & 1;
        p.both += x && y;
        p.only_a += x && !y;
        p.only_b += !x && y;
        p.neither += !x && !y;
    }
    p.difference = paired_difference(&p);
    p.p = atoll_mcnemar_pvalue(p.only_a, p.only_b);
    *out = p;
    return 0;
}

double atoll_mean_iou(const uint64_t *confusion, uint32_t n, double *iou)
{
    double sum = 0;
    uint32_t occur = 0;
    for (uint32_t c = 0; c < n; c++) {
        uint64_t truth = 0, answers = 0;
        for (uint32_t i = 0; i < n; i++) {
            truth += confusion[(size_t)c * n + i];
            answers += confusion[(size_t)i * n + c];
        }
        const uint64_t both = confusion[(size_t)c * n + c];
        const uint64_t either = truth + answers - both;
        iou[c] = either > 0 ? (double)both / (double)either : NAN;
        sum += either > 0 ? iou[c] : 0;
        occur += either > 0;
    }
    return occur > 0 ? sum / occur : NAN;
}
