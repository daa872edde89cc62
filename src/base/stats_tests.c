/* SPDX-License-Identifier: Apache-2.0 */
/* Are two samples different? Welch, Mann-Whitney, and Holm's care when many are compared. */
#include <atoll/stats.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { EXACT_MAX_N = 40, EXACT_MAX_U = EXACT_MAX_N / 2 * (EXACT_MAX_N / 2) };

double atoll_welch_pvalue(const double *a, size_t na, const double *b, size_t nb)
{
    if (na < 2 || nb < 2) {
        return NAN;
    }
    const double sa = atoll_stdev(a, na), sb = atoll_stdev(b, nb);
    const double va = sa * sa / (double)na, vb = sb * sb / (double)nb;
    const double v = va + vb;
    if (!(v > 0.0)) {
        return NAN;
    }
    const double dof = v * v / (va * va / (double)(na - 1) + vb * vb / (double)(nb - 1));
    return atoll_t_pvalue((atoll_mean(a, na) - atoll_mean(b, nb)) / sqrt(v), dof);
}

/* Number of the arrangements of na and nb values for each U, as coefficients of the Gaussian
 * binomial: the product over i of (1 - q^(nb + i)) / (1 - q^i). They stay below 2^37, so doubles
 * hold them exactly. */
static void count_arrangements(size_t na, size_t nb, double count[EXACT_MAX_U + 1])
{
    const size_t top = na * nb;
    memset(count, 0, (EXACT_MAX_U + 1) * sizeof *count);
    count[0] = 1.0;
    for (size_t i = 1; i <= na; i++) {
        for (size_t u = top; u >= nb + i; u--) {
            count[u] -= count[u - nb - i];
        }
        for (size_t u = i; u <= top; u++) {
            count[u] += count[u - i];
        }
    }
}

/* `u` is a whole number: there are no ties. */
static double exact_pvalue(double u, size_t na, size_t nb)
{
    double count[EXACT_MAX_U + 1];
    count_arrangements(na, nb, count);
    const double smaller = fmin(u, (double)(na * nb) - u); /* the distribution is symmetric */
    double tail = 0.0, all = 0.0;
    for (size_t i = 0; i <= na * nb; i++) {
        all += count[i];
        if ((double)i <= smaller) {
            tail += count[i];
        }
    }
    return fmin(1.0, 2.0 * tail / all);
}

struct ranked {
    double value;
    bool first; /* belongs to sample a */
};

static int compare_ranked(const void *pa, const void *pb)
{
    const double a = ((const struct ranked *)pa)->value;
    const double b = ((const struct ranked *)pb)->value;
    return (a > b) - (a < b);
}

/* Sum of the (mean) ranks of sample a, and the sum over ties of t^3 - t. */
static void sum_ranks(const struct ranked *r, size_t n, double *ranks, double *ties)
{
    *ranks = 0.0;
    *ties = 0.0;
    size_t i = 0;
    while (i < n) {
        size_t end = i + 1;
        while (end < n && r[end].value == r[i].value) {
            end++;
        }
        const double t = (double)(end - i);
        const double rank = (double)i + (t + 1.0) / 2.0;
        *ties += t * t * t - t;
        for (; i < end; i++) {
            *ranks += r[i].first ? rank : 0.0;
        }
    }
}

static double pvalue_of_ranked(const struct ranked *r, size_t na, size_t nb)
{
    double ranks = 0.0, ties = 0.0;
    sum_ranks(r, na + nb, &ranks, &ties);
    const double a = (double)na, b = (double)nb, n = a + b;
    const double u = ranks - a * (a + 1.0) / 2.0;
    if (ties == 0.0 && na + nb <= EXACT_MAX_N) {
        return exact_pvalue(u, na, nb);
    }
    const double variance = a * b / 12.0 * (n + 1.0 - ties / (n * (n - 1.0)));
    const double distance = fabs(u - a * b / 2.0) - 0.5;
    if (!(variance > 0.0) || distance <= 0.0) {
        return 1.0;
    }
    return erfc(distance / sqrt(variance) / sqrt(2.0));
}

double atoll_mann_whitney_pvalue(const double *a, size_t na, const double *b, size_t nb)
{
    if (na == 0 || nb == 0 || na > SIZE_MAX - nb) {
        return NAN;
    }
    struct ranked *r = atoll_calloc(na + nb, sizeof *r);
    if (r == NULL) {
        return NAN;
    }
    bool has_nan = false;
    for (size_t i = 0; i < na + nb; i++) {
        r[i] = (struct ranked){.value = i < na ? a[i] : b[i - na], .first = i < na};
        has_nan = has_nan || isnan(r[i].value);
    }
    double p = NAN;
    if (!has_nan) {
        qsort(r, na + nb, sizeof *r, compare_ranked);
        p = pvalue_of_ranked(r, na, nb);
    }
    atoll_free(r);
    return p;
}

struct indexed {
    double p;
    size_t index;
};

static int compare_indexed(const void *pa, const void *pb)
{
    const struct indexed *a = pa, *b = pb;
    if (a->p != b->p) {
        return a->p > b->p ? 1 : -1;
    }
    return (a->index > b->index) - (a->index < b->index);
}

/* An undefined p-value (NAN) stays NAN and is not counted among the tests. */
int atoll_holm(double *p, size_t n)
{
    struct indexed *order = atoll_calloc(n, sizeof *order);
    if (order == NULL) {
        return ATOLL_ENOMEM;
    }
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isnan(p[i])) {
            order[m++] = (struct indexed){p[i], i};
        }
    }
    if (m > 1) {
        qsort(order, m, sizeof *order, compare_indexed);
    }
    double highest = 0.0;
    for (size_t i = 0; i < m; i++) {
        highest = fmax(highest, fmin(1.0, (double)(m - i) * order[i].p));
        p[order[i].index] = highest;
    }
    atoll_free(order);
    return ATOLL_OK;
}
