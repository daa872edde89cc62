/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spread of repeats. All figures are positive, so everything happens on logarithms: a difference
 * is a ratio, and a jitter of 0.5 % is 0.005 whatever the unit.
 *
 * Five repeats a key know their own variance badly (4 degrees of freedom), but the keys of one
 * family (same workload and metric) share most of its causes. The moderated variance of Smyth 2004
 * (Linear models and empirical Bayes methods, Stat. Appl. Genet. Mol. Biol. 3(1), sections 4 and
 * 6.2) estimates from all keys how alike their variances are: alike gives a prior worth many
 * degrees of freedom, unlike gives a weak one, so heteroscedastic families are not pooled blindly.
 * See docs/method-statistics.md.
 */
#include "report_internal.h"

#include <math.h>

/* Below this many keys a prior cannot be estimated. */
#define KEYS_MIN 4
/* A prior is never worth more: keeps t-tails a little fat where all keys look alike by luck. */
#define DOF_MAX 400.0
/* Relative spread of 1e-6: the resolution of stored samples; exact repeats are not infinitely sure.
 */
#define VAR_MIN 1e-12

static double digamma(double x)
{
    double sum = 0;
    for (; x < 8; x += 1) {
        sum -= 1 / x;
    }
    const double r = 1 / (x * x);
    return sum + log(x) - 0.5 / x - r * (1.0 / 12 - r * (1.0 / 120 - r / 252));
}

static double trigamma(double x)
{
    double sum = 0;
    for (; x < 8; x += 1) {
        sum += 1 / (x * x);
    }
    const double r = 1 / (x * x);
    return sum + 1 / x + 0.5 * r + r / x * (1.0 / 6 - r * (1.0 / 30 - r / 42));
}

/* Solves trigamma(y) = x; trigamma falls monotonically from infinity to 0, so bisection on log y.
 */
static double trigamma_inverse(double x)
{
    double low = 1e-4, high = 1e6;
    for (int i = 0; i < 80; i++) {
        const double middle = sqrt(low * high);
        if (trigamma(middle) > x) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return sqrt(low * high);
}

struct atoll__sample atoll__sample_of(const double *values, size_t n)
{
    struct atoll__sample k = {.mean = NAN, .var = NAN};
    double sum = 0, sum2 = 0;
    for (size_t i = 0; i < n; i++) {
        if (isfinite(values[i]) && values[i] > 0) {
            sum += log(values[i]);
            k.n++;
        }
    }
    if (k.n == 0) {
        return k;
    }
    k.mean = sum / k.n;
    for (size_t i = 0; i < n; i++) {
        if (isfinite(values[i]) && values[i] > 0) {
            const double d = log(values[i]) - k.mean;
            sum2 += d * d;
        }
    }
    if (k.n >= 2) {
        k.var = fmax(sum2 / (k.n - 1), VAR_MIN);
    }
    return k;
}

void atoll__spread_fit(const struct atoll__sample *keys, size_t n, struct atoll__spread *out)
{
    *out = (struct atoll__spread){0};
    double sum = 0, sum2 = 0, noise = 0, used = 0;
    for (size_t i = 0; i < n; i++) {
        if (isfinite(keys[i].var)) {
            const double half = 0.5 * (keys[i].n - 1);
            const double e = log(keys[i].var) - digamma(half) + log(half);
            sum += e;
            sum2 += e * e;
            noise += trigamma(half);
            used += 1;
        }
    }
    if (used < KEYS_MIN) {
        return;
    }
    const double mean = sum / used;
    /* What is left of the variance of log s2 when its own sampling noise is taken off. */
    const double excess = (sum2 - sum * mean) / (used - 1) - noise / used;
    if (excess <= 0) {
        *out = (struct atoll__spread){.var = exp(mean), .dof = DOF_MAX};
        return;
    }
    const double dof = fmin(2 * trigamma_inverse(excess), DOF_MAX);
    *out = (struct atoll__spread){.var = exp(mean + digamma(dof / 2) - log(dof / 2)), .dof = dof};
}

double atoll__spread_var(const struct atoll__spread *s, double var, double dof, double *total)
{
    if (!(dof > 0) || !isfinite(var)) {
        *total = s->dof;
        return s->dof > 0 ? s->var : NAN;
    }
    *total = s->dof + dof;
    return (s->dof * s->var + dof * var) / *total;
}

double atoll__sample_half95(const struct atoll__spread *s, const struct atoll__sample *k)
{
    double dof;
    if (k->n == 0) {
        return NAN;
    }
    const double var = atoll__spread_var(s, k->var, k->n - 1.0, &dof);
    return isfinite(var) ? atoll_t975(dof) * sqrt(var / k->n) : NAN;
}

struct atoll__difference atoll__sample_compare(const struct atoll__spread *s,
                                               const struct atoll__sample *a,
                                               const struct atoll__sample *b, double least)
{
    struct atoll__difference r = {.d = b->mean - a->mean, .low95 = NAN, .high95 = NAN, .p = NAN};
    const double own = (a->n > 0 ? a->n - 1.0 : 0) + (b->n > 0 ? b->n - 1.0 : 0);
    const double sum =
        (a->n > 1 ? (a->n - 1.0) * a->var : 0) + (b->n > 1 ? (b->n - 1.0) * b->var : 0);
    double dof;
    if (a->n == 0 || b->n == 0) {
        return r;
    }
    const double var = atoll__spread_var(s, own > 0 ? sum / own : NAN, own, &dof);
    if (!isfinite(var)) {
        return r;
    }
    const double se = sqrt(var / a->n + var / b->n), half = atoll_t975(dof) * se;
    r.low95 = r.d - half;
    r.high95 = r.d + half;
    /* The null hypothesis is |d| <= least; its worst case lies at the edge. */
    const double beyond = fabs(r.d) - least;
    r.p = beyond > 0 ? atoll_t_pvalue(beyond / se, dof) : 1;
    return r;
}
