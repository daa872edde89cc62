/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strategy `exact`: what pipelines side by side can give at most. With streams beside it, a stage
 * takes c (n - 1) longer for n streams, and a pipeline of widest stage w brings w of them. So: the
 * least interval of one pipeline on each number of TPUs for each width, from floors; then a
 * knapsack over (TPUs, streams) for each number of streams. A number that cannot beat the best plan
 * known is not searched, and the others know what may run beside a pipeline.
 */
#include <math.h>
#include <string.h>

#include "exact.h"

/* Widths with a recursion of their own; those between count as the next one. */
static uint32_t next_width(uint32_t w)
{
    return w < 4 ? w + 1 : w + w / 2;
}

int atoll__exact_make_widths(struct atoll__exact *x, const struct atoll__goal *goal,
                             uint32_t streams, struct atoll__exact_widths *out,
                             struct atoll_err *err)
{
    const uint32_t tpus = x->draft->tpus, widest = streams > 1 ? streams : tpus;
    double widest_rate[ATOLL_TPUS_MAX + 1];
    int rc = 0;
    out->n = 0;
    out->streams = streams;
    for (uint32_t w = 1; w < widest; w = next_width(w)) {
        out->w[out->n++] = w;
    }
    out->w[out->n++] = widest;
    /* The widest first: what may run beside a narrow pipeline is as wide as any. */
    for (uint32_t i = out->n; i-- > 0 && rc == 0;) {
        struct atoll__search s = x->template;
        s.replicas_max = out->w[i];
        s.stage_extra_us = x->copy_us * (streams - 1);
        s.lattice = x->is_glued ? &x->relaxed : &x->full;
        s.spans = x->is_glued ? &x->spans_relaxed : &x->spans_full;
        s.goal = *goal;
        s.others_rate = i + 1 < out->n ? widest_rate : NULL;
        rc = atoll__search_bounds(&s, err);
        for (uint32_t k = 1; k <= tpus && rc == 0; k++) {
            const bool useless = s.left_us[k] >= s.first_limit_us[k];
            out->least_us[i][k] = useless ? INFINITY : s.left_us[k];
        }
        if (i + 1 == out->n) {
            memcpy(widest_rate, s.rate_of, sizeof widest_rate);
        }
        atoll__search_finish(&s);
    }
    return rc;
}

void atoll__exact_rates(const struct atoll__exact *x, const struct atoll__exact_widths *widths,
                        uint32_t streams, double *others_rate, double *lower_us)
{
    const uint32_t tpus = x->draft->tpus;
    double most[ATOLL_TPUS_MAX + 1][ATOLL_TPUS_MAX + 1];
    memset(most, 0, sizeof most);
    for (uint32_t j = 1; j <= tpus; j++) {
        for (uint32_t i = 0; i < widths->n; i++) {
            const uint32_t brings = (i > 0 ? widths->w[i - 1] : 0) + 1;
            const double extra_us = x->copy_us * (streams - widths->streams) / widths->w[i];
            for (uint32_t k = 1; k <= j && brings <= streams; k++) {
                const double us = widths->least_us[i][k] + extra_us;
                const double rate = us > 0 ? 1 / us : INFINITY;
                for (uint32_t n = brings; n <= streams; n++) {
                    most[j][n] = fmax(most[j][n], rate + most[j - k][n - brings]);
                }
            }
        }
    }
    for (uint32_t j = 0; j <= tpus; j++) {
        others_rate[j] = most[j][streams - 1];
    }
    *lower_us = 1 / most[tpus][streams];
}
