/* SPDX-License-Identifier: Apache-2.0 */
/* Mean, spread, order. */
#include <atoll/stats.h>

#include <math.h>
#include <stdlib.h>

/* Neumaier's compensated sum of v[i] - shift: the error does not grow with n. */
static double sum_from(const double *v, size_t n, double shift)
{
    double sum = 0.0, lost = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double x = v[i] - shift;
        const double next = sum + x;
        lost += fabs(sum) >= fabs(x) ? (sum - next) + x : (x - next) + sum;
        sum = next;
    }
    return isfinite(sum) ? sum + lost : sum;
}

double atoll_mean(const double *v, size_t n)
{
    return n > 0 ? sum_from(v, n, 0.0) / (double)n : NAN;
}

/* Two passes; the second term removes what rounding left in the mean. */
double atoll_stdev(const double *v, size_t n)
{
    if (n < 2) {
        return NAN;
    }
    const double mean = atoll_mean(v, n);
    double squares = 0.0;
    for (size_t i = 0; i < n; i++) {
        squares += (v[i] - mean) * (v[i] - mean);
    }
    const double rest = sum_from(v, n, mean);
    const double variance = (squares - rest * rest / (double)n) / (double)(n - 1);
    return sqrt(variance < 0.0 ? 0.0 : variance);
}

static int compare_doubles(const void *pa, const void *pb)
{
    const double a = *(const double *)pa;
    const double b = *(const double *)pb;
    if (isnan(a) || isnan(b)) {
        return (isnan(a) ? 1 : 0) - (isnan(b) ? 1 : 0);
    }
    return (a > b) - (a < b);
}

void atoll_sort(double *v, size_t n)
{
    if (n > 1) {
        qsort(v, n, sizeof *v, compare_doubles);
    }
}

double atoll_quantile(const double *sorted, size_t n, double frac)
{
    if (n == 0 || !(frac >= 0.0 && frac <= 1.0)) {
        return NAN;
    }
    const double place = frac * (double)(n - 1);
    const size_t below = (size_t)place;
    if (below + 1 >= n) {
        return sorted[n - 1];
    }
    const double part = place - (double)below;
    if (part == 0.0 || sorted[below] == sorted[below + 1]) {
        return sorted[below];
    }
    return sorted[below] + part * (sorted[below + 1] - sorted[below]);
}
