/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The upstream link that all TPUs share. A flow alone runs at its own rate (the TPU's link and
 * the host's copy). When the sum of own rates exceeds the shared rate, the shared rate is divided
 * max-min fairly: nobody gets more than it can use, the others get equal parts.
 */
#include "sim_internal.h"

static uint64_t end_of_flow(const struct sim_tpu *t, uint64_t now_ns)
{
    return sim_after(now_ns, t->left_mib / t->rate);
}

/* Brings what is left up to date, before rates change. */
static void settle(struct sim *s)
{
    for (uint32_t i = 0; i < s->n_tpus; i++) {
        struct sim_tpu *t = &s->tpus[i];
        if (t->flowing) {
            t->left_mib -= t->rate * (double)(s->now_ns - t->flow_since_ns);
            if (t->left_mib < 0) {
                t->left_mib = 0;
            }
            t->flow_since_ns = s->now_ns;
        }
    }
}

/* Water filling: flows that need less than an equal part keep their own rate and leave the rest
 * to the others; repeated until the part grows no more. */
static double fair_part(const struct sim *s)
{
    double part = 0;
    double next = s->shared_rate / s->flows;
    while (next > part) {
        double kept = 0;
        uint32_t n_kept = 0;
        part = next;
        for (uint32_t i = 0; i < s->n_tpus; i++) {
            if (s->tpus[i].flowing && s->tpus[i].own_rate <= part) {
                kept += s->tpus[i].own_rate;
                n_kept++;
            }
        }
        if (n_kept < s->flows) {
            next = (s->shared_rate - kept) / (s->flows - n_kept);
        }
    }
    return part;
}

static void share(struct sim *s)
{
    settle(s);
    const bool full = s->demand > s->shared_rate;
    const double part = full ? fair_part(s) : 0;
    for (uint32_t i = 0; i < s->n_tpus; i++) {
        struct sim_tpu *t = &s->tpus[i];
        if (!t->flowing) {
            continue;
        }
        const double rate = full && t->own_rate > part ? part : t->own_rate;
        if (rate < t->rate || rate > t->rate) {
            t->rate = rate;
            t->flow_ns = end_of_flow(t, s->now_ns);
            atoll__sim_reschedule(s, i);
        }
    }
    s->full = full;
}

static void changed(struct sim *s)
{
    if (s->shared_rate > 0 && (s->full || s->demand > s->shared_rate)) {
        share(s);
    }
}

void atoll__sim_flow_start(struct sim *s, uint32_t tpu, double mib, double own_rate)
{
    struct sim_tpu *t = &s->tpus[tpu];
    t->flowing = true;
    t->left_mib = mib;
    t->own_rate = t->rate = own_rate;
    t->flow_since_ns = s->now_ns;
    t->flow_ns = end_of_flow(t, s->now_ns);
    s->flows++;
    s->demand += own_rate;
    changed(s);
}

void atoll__sim_flow_end(struct sim *s, uint32_t tpu)
{
    struct sim_tpu *t = &s->tpus[tpu];
    t->flowing = false;
    t->flow_ns = SIM_NEVER;
    s->flows--;
    /* An idle link starts from zero again, so that rounding cannot pile up. */
    s->demand = s->flows > 0 ? s->demand - t->own_rate : 0;
    changed(s);
}
