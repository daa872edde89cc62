/* SPDX-License-Identifier: Apache-2.0 */
/* The incomplete beta function and what follows from it: Student's t, the normal distribution. */
#include <atoll/stats.h>

#include "base_internal.h"

#include <float.h>
#include <math.h>

enum { FRACTION_MAX_TERMS = 100000 };

static double away_from_zero(double v)
{
    return fabs(v) < DBL_MIN / DBL_EPSILON ? DBL_MIN / DBL_EPSILON : v;
}

/* Continued fraction of DLMF 8.17.22, evaluated by the modified Lentz method. Converges in about
 * sqrt(max(a, b)) terms for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    double c = 1.0;
    double d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    double f = d;
    for (int m = 1; m <= FRACTION_MAX_TERMS; m++) {
        const double even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        f *= c * d;
        const double odd =
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        const double step = c * d;
        f *= step;
        if (fabs(step - 1.0) <= 2.0 * DBL_EPSILON) {
            break;
        }
    }
    return f;
}

static double log_gamma(double v)
{
    int sign = 0; /* lgamma() itself writes a global; the arguments here are positive */
    return lgamma_r(v, &sign);
}

double atoll__base_beta_inc(double a, double b, double x)
{
    if (!(x > 0.0)) {
        return isnan(x) ? NAN : 0.0;
    }
    if (x >= 1.0) {
        return 1.0;
    }
    const double log_front =
        log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log1p(-x);
    const double front = exp(log_front);
    if (x < (a + 1.0) / (a + b + 2.0)) {
        return front * beta_fraction(a, b, x) / a;
    }
    return 1.0 - front * beta_fraction(b, a, 1.0 - x) / b;
}

double atoll_normal_cdf(double z)
{
    return 0.5 * erfc(-z / sqrt(2.0));
}

/* Above this the t distribution equals the normal one to double precision at p = 0.05. */
static const double dof_normal = 1e9;

double atoll_t_pvalue(double t, double dof)
{
    if (isnan(t) || !(dof > 0.0)) {
        return NAN;
    }
    if (dof > dof_normal) {
        return erfc(fabs(t) / sqrt(2.0));
    }
    if (isinf(t)) {
        return 0.0;
    }
    /* dof / (dof + t^2), in a form that does not overflow */
    const double r = t / sqrt(dof);
    return atoll__base_beta_inc(dof / 2.0, 0.5, 1.0 / (1.0 + r * r));
}

double atoll_t975(double dof)
{
    if (!(dof > 0.0)) {
        return NAN;
    }
    double low = 1.0, high = 2.0;
    while (atoll_t_pvalue(high, dof) > 0.05) {
        low = high;
        high *= 2.0;
        if (isinf(high)) {
            return INFINITY;
        }
    }
    for (int i = 0; i < 200 && high - low > 2.0 * DBL_EPSILON * high; i++) {
        const double middle = low + (high - low) / 2.0;
        if (atoll_t_pvalue(middle, dof) > 0.05) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low + (high - low) / 2.0;
}
