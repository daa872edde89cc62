/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Figures of a plan that serves given rates. Every stage, the host's lock, its threads and the
 * shared link are full to rate x time per inference; their derivation: docs/method-plan.md.
 */
#include "plan_internal.h"

#include <math.h>

#define MIB 1048576.0

bool atoll__plan_is_rated(const struct atoll_plan *p)
{
    for (uint32_t m = 0; m < p->n_models; m++) {
        if (isfinite(p->models[m].rate_hz)) {
            return true;
        }
    }
    return false;
}

double atoll__plan_reload_mj(const struct atoll_stage_cost *c, const struct atoll_board *b)
{
    return fmax(0, b->transfer_mw.value - b->idle_mw.value) * c->load_us * 1e-6;
}

/* What one pipeline takes at its share of its model's rate. */
struct share {
    double interval_us, latency_us, worst_us, hz;
};

/* Everything that can be full, and what it adds up to. */
struct sums {
    double lock, threads, link, active_mw, active_u95_mw, latency_us_hz, all_hz;
    double stage;             ///< fullest
    uint32_t pipeline, place; ///< which that is
};

static double own_interval_us(const struct atoll_pipeline *p, double copies_us, uint32_t *slowest)
{
    double most_us = 0;
    for (uint32_t s = 0; s < p->n_stages; s++) {
        const struct atoll_stage *st = &p->stages[s];
        const double us =
            (st->cost.service_us + copies_us +
             (p->sharing == ATOLL_SHARING_RELOAD ? p->reload_frac * st->cost.load_us : 0)) /
            st->n_tpus;
        if (us > most_us || isnan(us)) {
            most_us = us;
            *slowest = s;
        }
    }
    return most_us;
}

/* Rates of a model's pipelines: in proportion to how fast they are. */
static void share_out(const struct atoll_plan *p, double copies_us, struct share *shares)
{
    for (uint32_t m = 0; m < p->n_models; m++) {
        double total = 0;
        for (uint32_t i = 0; i < p->n_pipelines; i++) {
            if (p->pipelines[i].model == m) {
                uint32_t slowest = 0;
                shares[i].interval_us = own_interval_us(&p->pipelines[i], copies_us, &slowest);
                total += 1 / shares[i].interval_us;
            }
        }
        for (uint32_t i = 0; i < p->n_pipelines; i++) {
            if (p->pipelines[i].model == m) {
                shares[i].hz = p->models[m].rate_hz / shares[i].interval_us / total;
            }
        }
    }
}

static void add_pipeline(const struct atoll_plan *p, uint32_t i, const struct atoll_board *b,
                         struct share *share, struct sums *t)
{
    const struct atoll_pipeline *pipe = &p->pipelines[i];
    const double threads = b->host_threads ? b->host_threads : 1;
    const bool reload = pipe->sharing == ATOLL_SHARING_RELOAD;
    const double reload_hz = reload ? share->hz * pipe->reload_frac : 0;
    const double link_mib_per_s = b->shared_link_mib_per_s.value;
    share->latency_us = share->worst_us = 0;
    for (uint32_t s = 0; s < pipe->n_stages; s++) {
        const struct atoll_stage_cost *c = &pipe->stages[s].cost;
        const struct atoll__plan_loads loads = atoll__plan_loads_of(c, b, &p->use);
        t->lock += share->hz * loads.lock_us * 1e-6;
        t->threads += share->hz * loads.thread_us * 1e-6 / threads;
        t->link += share->hz * loads.link_us * 1e-6;
        t->link +=
            link_mib_per_s > 0 ? reload_hz * (double)c->on_chip_bytes / MIB / link_mib_per_s : 0;
        t->active_mw += share->hz * c->active_mj + reload_hz * atoll__plan_reload_mj(c, b);
        t->active_u95_mw += share->hz * c->active_u95_mj;
        share->latency_us += c->latency_us + (reload ? pipe->reload_frac * c->load_us : 0);
        share->worst_us += c->latency_us + (reload_hz > 0 ? c->load_us : 0);
    }
    t->latency_us_hz += share->hz * share->latency_us;
    t->all_hz += share->hz;
}

/* Load of the fullest stage of a pipeline; a shared TPU carries its whole group. */
static double stage_load(const struct atoll_plan *p, const struct share *shares, uint32_t i)
{
    const struct atoll_pipeline *pipe = &p->pipelines[i];
    double load = 0;
    for (uint32_t k = 0; k < p->n_pipelines; k++) {
        const struct atoll_pipeline *o = &p->pipelines[k];
        if (k == i || (pipe->sharing != ATOLL_SHARING_NONE && o->sharing == pipe->sharing &&
                       o->group == pipe->group)) {
            load += shares[k].hz * shares[k].interval_us * 1e-6;
        }
    }
    return load;
}

/* What a model could be served at most while the others keep their rates: its TPUs, and what is
 * left of host and link. */
static double capacity_hz(const struct atoll_plan *p, uint32_t m, const struct share *shares,
                          const struct sums *own, const struct sums *all)
{
    const double most = p->utilisation_max_frac, hz = p->models[m].rate_hz;
    double factor = INFINITY;
    for (uint32_t i = 0; i < p->n_pipelines; i++) {
        const double mine = shares[i].hz * shares[i].interval_us * 1e-6;
        if (p->pipelines[i].model == m) {
            factor = fmin(factor, (most - stage_load(p, shares, i) + mine) / mine);
        }
    }
    factor = own->lock > 0 ? fmin(factor, (most - all->lock + own->lock) / own->lock) : factor;
    factor = own->threads > 0 ? fmin(factor, (most - all->threads + own->threads) / own->threads)
                              : factor;
    factor = own->link > 0 ? fmin(factor, (most - all->link + own->link) / own->link) : factor;
    return hz * fmax(0, factor);
}

static void set_models(struct atoll_plan *p, const struct atoll_board *b, struct share *shares,
                       const struct sums *all)
{
    for (uint32_t m = 0; m < p->n_models; m++) {
        struct atoll_plan_model *model = &p->models[m];
        struct sums own = {.lock = 0};
        model->latency_worst_us = 0;
        for (uint32_t i = 0; i < p->n_pipelines; i++) {
            if (p->pipelines[i].model == m) {
                add_pipeline(p, i, b, &shares[i], &own);
                model->latency_worst_us = fmax(model->latency_worst_us, shares[i].worst_us);
            }
        }
        model->latency_us = own.latency_us_hz / own.all_hz;
        model->capacity_hz = capacity_hz(p, m, shares, &own, all);
    }
}

static void set_energy(struct atoll_plan *p, const struct atoll_board *b, const struct sums *t)
{
    const struct atoll_quantity idle = atoll_board_idle_tpu_mw(b);
    const double powered = b->n_tpus > p->tpus_used ? b->n_tpus : p->tpus_used;
    const double waiting_mw = idle.value * powered + b->board_mw.value;
    const double idle_u95_mw = idle.u95 * powered;
    p->power_w = (waiting_mw + t->active_mw) * 1e-3;
    p->energy_mj = (waiting_mw + t->active_mw) / t->all_hz;
    p->energy_u95_mj = sqrt(t->active_u95_mw * t->active_u95_mw + idle_u95_mw * idle_u95_mw +
                            b->board_mw.u95 * b->board_mw.u95) /
                       t->all_hz;
}

/* The first three figures of a plan are those of its pipelines, as without rates. */
static void set_latency(struct atoll_plan *p, const struct share *shares, const struct sums *t)
{
    p->latency_mean_us = t->latency_us_hz / t->all_hz;
    p->latency_us = p->latency_worst_us = NAN;
    for (uint32_t i = 0; i < p->n_pipelines; i++) {
        struct atoll_pipeline *pipe = &p->pipelines[i];
        double u95_us = 0;
        for (uint32_t s = 0; s < pipe->n_stages; s++) {
            u95_us += pipe->stages[s].cost.latency_u95_us;
        }
        pipe->latency_us = shares[i].worst_us;
        pipe->interval_us = shares[i].interval_us;
        if (i == 0 || pipe->latency_us < p->latency_us) {
            p->latency_us = pipe->latency_us;
            p->latency_u95_us = u95_us;
        }
        p->latency_worst_us =
            i == 0 ? pipe->latency_us : fmax(p->latency_worst_us, pipe->latency_us);
    }
}

void atoll__plan_rate_figures(struct atoll_plan *p, const struct atoll_board *b, double streams,
                              struct atoll__plan_limits *limits)
{
    struct share shares[ATOLL_TPUS_MAX] = {{0}};
    struct sums t = {.stage = -1};
    const double copies_us =
        atoll_board_drive(b, &p->use, ATOLL_DRIVE_THREADED)->copy_interval_us.value * (streams - 1);
    limits->streams = streams;
    share_out(p, copies_us, shares);
    for (uint32_t i = 0; i < p->n_pipelines; i++) {
        add_pipeline(p, i, b, &shares[i], &t);
    }
    for (uint32_t i = 0; i < p->n_pipelines; i++) {
        const double load = stage_load(p, shares, i);
        if (load > t.stage) {
            t.stage = load;
            limits->pipeline = i;
            own_interval_us(&p->pipelines[i], copies_us, &limits->stage);
        }
    }
    limits->stage_frac = t.stage;
    limits->lock_frac = t.lock;
    limits->threads_frac = t.threads;
    limits->link_frac = t.link;
    const double full = fmax(fmax(t.stage, t.lock), fmax(t.threads, t.link));
    const struct atoll_stage_cost *slowest =
        &p->pipelines[limits->pipeline].stages[limits->stage].cost;
    p->headroom = p->utilisation_max_frac / full;
    p->throughput_hz = t.all_hz / full;
    p->throughput_u95_hz = p->throughput_hz * slowest->service_u95_us / slowest->service_us;
    p->interval_us = 1e6 / p->throughput_hz;
    set_models(p, b, shares, &t);
    set_latency(p, shares, &t);
    set_energy(p, b, &t);
}
