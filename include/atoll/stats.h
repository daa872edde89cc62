/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file stats.h
 * Room `base`: the statistics that atoll's answers rest on. All exact for small n where the cited
 * source is; no function modifies its input unless it says "sorts".
 */
#ifndef ATOLL_STATS_H
#define ATOLL_STATS_H

#include <atoll/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An estimate with its 95 % interval. NAN in low95/high95: n was too small for an interval. */
struct atoll_interval {
    double value, low95, high95;
};

ATOLL_API double atoll_mean(const double *v, size_t n);  ///< NAN for n = 0
ATOLL_API double atoll_stdev(const double *v, size_t n); ///< n-1 form; NAN for n < 2
ATOLL_API void atoll_sort(double *v, size_t n);          ///< sorts in place, ascending; NAN last
/** Quantile of sorted data, linear between order statistics (Hyndman & Fan type 7), frac 0 to 1. */
ATOLL_API double atoll_quantile(const double *sorted, size_t n, double frac);
/** Quantile with a 95 % interval from order statistics, no distribution assumed: ranks
 *  from the binomial distribution, coverage >= 95 % (n=6: 1..6, 10: 2..9, 100: 40..61 for the
 *  median). Interval NAN where n is too small (p50 below 6, p90 below 29, p99 below 299).
 *  Hoefler & Belli SC'15; Le Boudec, Performance Evaluation, theorem 2.1. */
ATOLL_API struct atoll_interval atoll_quantile_ci(const double *sorted, size_t n, double frac);
/** Mean with Student-t 95 % interval (n >= 2). */
ATOLL_API struct atoll_interval atoll_mean_ci(const double *v, size_t n);
/** Wilson score interval of k successes in n trials (Wilson 1927). */
ATOLL_API struct atoll_interval atoll_wilson(uint64_t k, uint64_t n);
/** 97.5 % quantile of Student's t with `dof` > 0 degrees of freedom (fractions allowed). */
ATOLL_API double atoll_t975(double dof);
ATOLL_API double atoll_normal_cdf(double z);
/** Two-sided p-value of Student's t statistic. */
ATOLL_API double atoll_t_pvalue(double t, double dof);
/** Welch's t-test on two samples (each n >= 2): two-sided p; NAN when undefined. */
ATOLL_API double atoll_welch_pvalue(const double *a, size_t na, const double *b, size_t nb);
/** Mann-Whitney U, two-sided: exact distribution without ties for na+nb <= 40, else the normal
 *  approximation with tie and continuity correction. NAN: an empty sample, a NAN in one, or no
 *  memory. */
ATOLL_API double atoll_mann_whitney_pvalue(const double *a, size_t na, const double *b, size_t nb);
/** Holm's step-down adjustment, in place: p[i] becomes the adjusted p-value (Holm 1979). */
ATOLL_API int atoll_holm(double *p, size_t n);

#ifdef __cplusplus
}
#endif
#endif
