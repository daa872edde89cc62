/* SPDX-License-Identifier: Apache-2.0 */
/** @file compare_internal.h What the two files of the comparison share. */
#ifndef ATOLL_COMPARE_INTERNAL_H
#define ATOLL_COMPARE_INTERNAL_H

#include "report_internal.h"

/** A configuration with the data that its indices point into. */
struct atoll__entry {
    const struct atoll__config *c;
    const struct atoll__data *d;
};
struct atoll__pair {
    struct atoll__entry side[2];
    uint32_t workload; ///< of side 0
};
/** Sums over the keys of a family of what each repeat deviates from its key's mean. */
struct atoll__blocks {
    double *sum;
    uint32_t *count;
    size_t n, cap_sum, cap_count;
};
/** All keys of one workload and metric. */
struct atoll__family {
    double sum;   ///< of log ratios b/a
    double least; ///< sum of the keys' smallest changes that count, as logarithms
    uint32_t keys;
    struct atoll__blocks side[2];
    struct atoll__spread spread;
};
struct atoll__comparing {
    struct atoll__data d[2];
    struct atoll__pair *pairs; ///< sorted by key
    size_t n_pairs;
    struct atoll__family *families; ///< [workload of side 0][metric]
    size_t n_families;
};

/** Smallest change of a pair that counts, as a logarithm: 1 %, for energy more (two meters). */
double atoll__pair_least(const struct atoll__pair *p, int metric);
int atoll__entry_compare(const struct atoll__entry *x, const struct atoll__entry *y);
/** Fits the families' spreads and gathers their blocks from the runs. */
int atoll__compare_families(struct atoll__comparing *c, struct atoll_store *const store[2],
                            struct atoll_err *err);
void atoll__compare_families_free(struct atoll__comparing *c);
/** The common shift of a family's keys, tested by its repeats as blocks. */
struct atoll__difference atoll__family_shift(const struct atoll__family *f);

#endif
