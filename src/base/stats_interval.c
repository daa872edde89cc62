/* SPDX-License-Identifier: Apache-2.0 */
/* 95 % intervals: of a quantile (order statistics), a mean (Student), a proportion (Wilson). */
#include <atoll/stats.h>

#include "base_internal.h"

#include <math.h>

/* P(B <= k) for B binomial(n, p), 0 < p < 1; k may be -1 or n. */
static double binomial_cdf(int64_t k, size_t n, double p)
{
    if (k < 0) {
        return 0.0;
    }
    if ((uint64_t)k >= n) {
        return 1.0;
    }
    return atoll__base_beta_inc((double)n - (double)k, (double)k + 1.0, 1.0 - p);
}

/* Largest rank l in [0, n] with P(B <= l - 1) <= tail; 0: none. */
static size_t rank_low(size_t n, double p, double tail)
{
    size_t low = 0, high = n; /* the answer is in [low, high] */
    while (low < high) {
        const size_t middle = low + (high - low + 1) / 2;
        if (binomial_cdf((int64_t)middle - 1, n, p) <= tail) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

/* By symmetry: the rank from above of the quantile is the rank from below of its mirror image. */
static size_t rank_high(size_t n, double p, double tail)
{
    return n + 1 - rank_low(n, 1.0 - p, tail);
}

/* The interval [x_(l), x_(u)] covers the quantile with P(l <= B <= u - 1). Each side gets half of
 * the 5 %. A quantile so far out that one side cannot keep to its half takes the extreme value
 * there, and the other side gets what is left. False: even the whole range covers too little. */
static bool quantile_ranks(size_t n, double p, size_t *l, size_t *u)
{
    const double missed_low = pow(1.0 - p, (double)n); /* P(B = 0): below the smallest value */
    const double missed_high = pow(p, (double)n);      /* P(B = n): above the largest value */
    if (missed_low + missed_high > 0.05) {
        return false;
    }
    *l = missed_low > 0.025 ? 1 : rank_low(n, p, missed_high > 0.025 ? 0.05 - missed_high : 0.025);
    *u = missed_high > 0.025 ? n : rank_high(n, p, missed_low > 0.025 ? 0.05 - missed_low : 0.025);
    return *l >= 1 && *u <= n && *l < *u;
}

struct atoll_interval atoll_quantile_ci(const double *sorted, size_t n, double frac)
{
    struct atoll_interval i = {atoll_quantile(sorted, n, frac), NAN, NAN};
    size_t l = 0, u = 0;
    if (n > 0 && frac > 0.0 && frac < 1.0 && quantile_ranks(n, frac, &l, &u)) {
        i.low95 = sorted[l - 1];
        i.high95 = sorted[u - 1];
    }
    return i;
}

struct atoll_interval atoll_mean_ci(const double *v, size_t n)
{
    struct atoll_interval i = {atoll_mean(v, n), NAN, NAN};
    if (n >= 2) {
        const double half = atoll_t975((double)(n - 1)) * atoll_stdev(v, n) / sqrt((double)n);
        i.low95 = i.value - half;
        i.high95 = i.value + half;
    }
    return i;
}

struct atoll_interval atoll_wilson(uint64_t k, uint64_t n)
{
    if (n == 0 || k > n) {
        return (struct atoll_interval){NAN, NAN, NAN};
    }
    const double z = 1.959963984540054;
    const double trials = (double)n;
    const double share = (double)k / trials;
    const double scale = 1.0 + z * z / trials;
    const double middle = (share + z * z / (2.0 * trials)) / scale;
    const double half =
        z / scale * sqrt(share * (1.0 - share) / trials + z * z / (4.0 * trials * trials));
    /* at the ends the formula gives exactly 0 and 1; rounding must not leave the range */
    return (struct atoll_interval){share, k == 0 ? 0.0 : middle - half,
                                   k == n ? 1.0 : middle + half};
}
