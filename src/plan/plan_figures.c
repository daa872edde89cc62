/* SPDX-License-Identifier: Apache-2.0 */
/* The closed formulas. Their derivation and sources: docs/method-plan.md. */
#include "plan_internal.h"

#include <math.h>

#define MIB 1048576.0

/* Unlike fmax, an unknown stays unknown. */
static double larger(double a, double b)
{
    return isnan(a) || isnan(b) ? NAN : a > b ? a : b;
}

/* Items that can be under way side by side: the widest stage of each pipeline. */
static double count_streams(const struct atoll_plan *p)
{
    double streams = 0;
    for (uint32_t i = 0; i < p->n_pipelines; i++) {
        uint32_t widest = 1;
        for (uint32_t s = 0; s < p->pipelines[i].n_stages; s++) {
            widest = p->pipelines[i].stages[s].n_tpus > widest ? p->pipelines[i].stages[s].n_tpus
                                                               : widest;
        }
        /* Those that share TPUs are one stream together: the last of a group counts. */
        bool counted = false;
        for (uint32_t k = i + 1; k < p->n_pipelines; k++) {
            counted = counted || (p->pipelines[i].sharing != ATOLL_SHARING_NONE &&
                                  p->pipelines[k].sharing == p->pipelines[i].sharing &&
                                  p->pipelines[k].group == p->pipelines[i].group);
        }
        streams += counted ? 0 : widest;
    }
    return streams;
}

/* What one inference asks of a pipeline and of what all pipelines share. */
struct demand {
    double latency_us, latency_u95_us;
    double interval_us, interval_u95_us; ///< of the slowest stage, its replicas counted
    double lock_us;                      ///< under the host's lock
    double thread_us;                    ///< on a thread of the host
    double link_us;                      ///< on the shared link
    double active_mj, active_u95_mj;
    uint32_t slowest;
};

static double link_bytes(const struct atoll_stage_cost *c)
{
    return (double)c->input_bytes + (double)c->output_bytes + (double)c->instruction_bytes +
           (double)c->off_chip_bytes;
}

struct atoll__plan_loads atoll__plan_loads_of(const struct atoll_stage_cost *c,
                                              const struct atoll_board *b,
                                              const struct atoll_use *use)
{
    const double link_mib_per_s = b->shared_link_mib_per_s.value;
    return (struct atoll__plan_loads){
        .lock_us = c->serial_us,
        .thread_us = atoll_board_drive(b, use, ATOLL_DRIVE_THREADED)->call_us.value + c->cpu_us,
        .link_us = link_mib_per_s > 0 ? link_bytes(c) / MIB / link_mib_per_s * 1e6 : 0,
    };
}

/* Pipelines side by side slow each other: a further stream adds copy_interval_us to the interval.
 */
static struct demand demand_of(const struct atoll_plan *p, const struct atoll_pipeline *pipe,
                               const struct atoll_board *b, double streams)
{
    struct demand d = {.interval_us = 0};
    const struct atoll_drive_cost *drive = atoll_board_drive(b, &p->use, ATOLL_DRIVE_THREADED);
    const double copies_us = drive->copy_interval_us.value * (streams - 1);
    for (uint32_t s = 0; s < pipe->n_stages; s++) {
        const struct atoll_stage *st = &pipe->stages[s];
        const double interval_us = (st->cost.service_us + copies_us) / st->n_tpus;
        if (interval_us > d.interval_us) {
            d.slowest = s;
            d.interval_u95_us = st->cost.service_u95_us / st->n_tpus;
        }
        d.interval_us = larger(d.interval_us, interval_us);
        d.latency_us += st->cost.latency_us;
        d.latency_u95_us += st->cost.latency_u95_us;
        const struct atoll__plan_loads loads = atoll__plan_loads_of(&st->cost, b, &p->use);
        d.lock_us += loads.lock_us;
        d.thread_us += loads.thread_us;
        d.link_us += loads.link_us;
        d.active_mj += st->cost.active_mj;
        d.active_u95_mj += st->cost.active_u95_mj;
    }
    return d;
}

/* Sums over the pipelines, each running at its own pace. */
struct total {
    double rate_hz, rate_u95_hz;
    double active_mw, active_u95_mw; ///< energy above idle per time
};

static struct total place(struct atoll_plan *p, const struct atoll_board *b,
                          struct atoll__plan_limits *l)
{
    struct total t = {0};
    double slowest_us = -1;
    const double threads = b->host_threads ? b->host_threads : 1;
    l->streams = count_streams(p);
    p->latency_us = p->latency_worst_us = NAN;
    for (uint32_t i = 0; i < p->n_pipelines; i++) {
        struct atoll_pipeline *pipe = &p->pipelines[i];
        const struct demand d = demand_of(p, pipe, b, l->streams);
        pipe->latency_us = d.latency_us;
        pipe->interval_us = d.interval_us;
        if (i == 0 || d.latency_us < p->latency_us) {
            p->latency_us = d.latency_us;
            p->latency_u95_us = d.latency_u95_us;
        }
        p->latency_worst_us = i == 0 ? d.latency_us : larger(p->latency_worst_us, d.latency_us);
        const double rate_hz = 1e6 / d.interval_us;
        t.rate_hz += rate_hz;
        t.rate_u95_hz += rate_hz * d.interval_u95_us / d.interval_us;
        t.active_mw += rate_hz * d.active_mj;
        t.active_u95_mw += rate_hz * d.active_u95_mj;
        l->lock_frac += rate_hz * d.lock_us * 1e-6;
        l->threads_frac += rate_hz * d.thread_us * 1e-6 / threads;
        l->link_frac += rate_hz * d.link_us * 1e-6;
        const double service_us = pipe->stages[d.slowest].cost.service_us;
        if (service_us > slowest_us) {
            slowest_us = service_us;
            l->pipeline = i;
            l->stage = d.slowest;
        }
    }
    return t;
}

static void set_energy(struct atoll_plan *p, const struct atoll_board *b, const struct total *t)
{
    const struct atoll_quantity idle = atoll_board_idle_tpu_mw(b);
    const double powered = b->n_tpus > p->tpus_used ? b->n_tpus : p->tpus_used;
    const double interval_s = p->interval_us * 1e-6;
    const double interval_u95_s = interval_s * p->throughput_u95_hz / p->throughput_hz;
    const double waiting_mw = idle.value * powered + b->board_mw.value;
    p->energy_mj = t->active_mw / t->rate_hz + waiting_mw * interval_s;
    const double active = t->active_u95_mw / t->rate_hz;
    const double idle_part = idle.u95 * powered * interval_s;
    const double board_part = b->board_mw.u95 * interval_s;
    const double time_part = waiting_mw * interval_u95_s;
    p->energy_u95_mj = sqrt(active * active + idle_part * idle_part + board_part * board_part +
                            time_part * time_part);
}

void atoll__plan_figures(struct atoll_plan *p, const struct atoll_board *b,
                         struct atoll__plan_limits *limits)
{
    *limits = (struct atoll__plan_limits){0};
    if (p->n_pipelines == 0) {
        return;
    }
    if (atoll__plan_is_rated(p)) {
        atoll__plan_rate_figures(p, b, count_streams(p), limits);
        return;
    }
    const struct total t = place(p, b, limits);
    /* Lock, threads and shared link serve all pipelines alike: each slows by the same factor. */
    const double host_frac = larger(limits->lock_frac, limits->threads_frac);
    const double slow = larger(1, larger(host_frac, limits->link_frac));
    for (uint32_t i = 0; i < p->n_pipelines; i++) {
        p->pipelines[i].interval_us *= slow;
    }
    p->throughput_hz = t.rate_hz / slow;
    p->throughput_u95_hz = t.rate_u95_hz / slow;
    p->interval_us = 1e6 / p->throughput_hz;
    set_energy(p, b, &t);
}

void atoll_plan_figures(struct atoll_plan *p, const struct atoll_board *b)
{
    struct atoll__plan_limits limits;
    atoll__plan_figures(p, b, &limits);
}
