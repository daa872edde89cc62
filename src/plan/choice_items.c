/* SPDX-License-Identifier: Apache-2.0 */
/* What one model can do on TPUs of its own: a search for each model, and an item for each label. */
#include "choice.h"

#include <math.h>

/* Of one choice of pipelines side by side. */
#define MIX_STEPS 1000000u

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

void atoll__choice_clear(struct atoll__choice *c)
{
    for (uint32_t i = 0; i < c->n; i++) {
        atoll__search_finish(&c->search[i]);
    }
    c->n_items = 0;
    c->n_labels = 0;
}

int atoll__choice_add(struct atoll__choice *c, const struct atoll__choice_item *item,
                      struct atoll_err *err)
{
    if (item->tpus > c->tpus || (c->copy_us > 0 && item->streams > c->streams_max) ||
        !atoll__choice_within(c, item->load)) {
        return 0;
    }
    if (atoll_grow((void **)&c->items, &c->cap_items, c->n_items + 1, sizeof *c->items)) {
        return atoll_fail_nomem(err, "ways to serve a model", c->n_items * sizeof *c->items);
    }
    c->items[c->n_items++] = *item;
    return 0;
}

static int add_label(struct atoll__choice *c, uint32_t label, struct atoll_err *err)
{
    if (atoll_grow((void **)&c->labels, &c->cap_labels, c->n_labels + 1, sizeof *c->labels)) {
        return atoll_fail_nomem(err, "labels of a search", c->n_labels * sizeof *c->labels);
    }
    c->labels[c->n_labels++] = label;
    return 0;
}

/* ------------------------------------------------------------------- one search */

/* Largest load that still counts. */
static double full_max(const struct atoll__choice *c)
{
    const bool rate = c->objective == ATOLL_OBJECTIVE_THROUGHPUT && !c->front;
    return smaller(smaller(c->limits.full, c->limits.value[ATOLL_OBJECTIVE_THROUGHPUT]),
                   rate && c->found ? c->value : INFINITY);
}

static double latency_max_us(const struct atoll__choice *c, uint32_t i)
{
    double us = c->limits.latency_us[i];
    if (c->by_worst) {
        us = smaller(us, c->limits.value[ATOLL_OBJECTIVE_LATENCY] / c->weight[i]);
        if (c->objective == ATOLL_OBJECTIVE_LATENCY && c->found && !c->front) {
            us = smaller(us, c->value / c->weight[i]);
        }
    }
    return us;
}

static unsigned judged_criteria(const struct atoll__choice *c, uint32_t i)
{
    static const struct {
        enum atoll__load load;
        enum atoll__criterion criterion;
    } pairs[] = {
        {ATOLL__LOAD_STAGE, ATOLL__CRIT_INTERVAL},  {ATOLL__LOAD_LOCK, ATOLL__CRIT_LOCK},
        {ATOLL__LOAD_THREADS, ATOLL__CRIT_THREADS}, {ATOLL__LOAD_LINK, ATOLL__CRIT_LINK},
        {ATOLL__LOAD_ACTIVE, ATOLL__CRIT_ACTIVE},   {ATOLL__LOAD_MEAN, ATOLL__CRIT_LATENCY},
        {ATOLL__LOAD_WORST, ATOLL__CRIT_LATENCY},
    };
    unsigned judged = c->copy_us > 0 ? 1u << ATOLL__CRIT_WIDEST : 0;
    for (size_t k = 0; k < sizeof pairs / sizeof pairs[0]; k++) {
        judged |= c->judged & (1u << pairs[k].load) ? 1u << pairs[k].criterion : 0;
    }
    return judged | (isfinite(latency_max_us(c, i)) ? 1u << ATOLL__CRIT_LATENCY : 0);
}

static int search_model(struct atoll__choice *c, uint32_t i, struct atoll_err *err)
{
    struct atoll__exact *x = &c->exact[i];
    struct atoll__search *s = &c->search[i];
    const double interval_us = full_max(c) / c->rate_hz[i] * 1e6;
    const double latency_us = latency_max_us(c, i);
    *s = x->template;
    s->lattice = c->coarse ? &x->coarse : &x->full;
    s->spans = c->coarse ? &x->spans_coarse : &x->spans_full;
    s->memo = c->coarse ? &x->memo_coarse : &x->memo_full;
    s->judged = judged_criteria(c, i);
    s->replicas_max = c->copy_us > 0 ? c->streams_max : c->tpus;
    s->stage_extra_us = c->extra_us;
    s->resident = c->limits.resident;
    s->latency_max_us = isfinite(latency_us) ? latency_us : 0;
    s->interval_max_us = isfinite(interval_us) ? interval_us : 0;
    /* Where only the limit counts, a stage needs no more replicas than keep it. */
    s->interval_from_us = c->judged & (1u << ATOLL__LOAD_STAGE) ? 0 : s->interval_max_us;
    if (c->steps_max > 0) {
        s->steps_max = c->steps_max > c->steps ? c->steps_max - c->steps : 1;
    }
    const int rc = atoll__search_run(s, err);
    c->steps += s->steps;
    c->cut_short = c->cut_short || s->cut_short;
    return rc;
}

/* ------------------------------------------------------------------------ items */

/* Adds the share `frac` of a model's inferences, made by a pipeline of these criteria. */
static void add_criteria(const struct atoll__choice *c, uint32_t i, const double *crit, double frac,
                         struct atoll__choice_item *item)
{
    const double hz = c->rate_hz[i] * frac;
    const double threads = c->board->host_threads ? c->board->host_threads : 1;
    double all_hz = 0;
    for (uint32_t k = 0; k < c->n; k++) {
        all_hz += c->rate_hz[k];
    }
    const double worst_us = crit[ATOLL__CRIT_LATENCY] * c->weight[i];
    item->load[ATOLL__LOAD_LOCK] += hz * crit[ATOLL__CRIT_LOCK] * 1e-6;
    item->load[ATOLL__LOAD_THREADS] += hz * crit[ATOLL__CRIT_THREADS] * 1e-6 / threads;
    item->load[ATOLL__LOAD_LINK] += hz * crit[ATOLL__CRIT_LINK] * 1e-6;
    item->load[ATOLL__LOAD_ACTIVE] += hz * crit[ATOLL__CRIT_ACTIVE];
    item->load[ATOLL__LOAD_MEAN] += hz / all_hz * crit[ATOLL__CRIT_LATENCY];
    item->load[ATOLL__LOAD_WORST] = fmax(item->load[ATOLL__LOAD_WORST], worst_us);
    item->streams += (uint32_t)crit[ATOLL__CRIT_WIDEST];
    item->n_labels++;
}

static int add_single(struct atoll__choice *c, uint32_t i, uint32_t label, struct atoll_err *err)
{
    const struct atoll__label *l = &c->search[i].labels[label];
    struct atoll__choice_item item = {
        .models = 1u << i, .tpus = l->tpus, .labels = (uint32_t)c->n_labels};
    add_criteria(c, i, l->crit, 1, &item);
    if (c->judged & (1u << ATOLL__LOAD_STAGE)) { /* else the search has kept its limit */
        item.load[ATOLL__LOAD_STAGE] = c->rate_hz[i] * l->crit[ATOLL__CRIT_INTERVAL] * 1e-6;
    }
    const int rc = add_label(c, label, err);
    return rc ? rc : atoll__choice_add(c, &item, err);
}

/* Unlike pipelines beside each other take their share of the inferences, in proportion to their
 * rates. */
static int add_mix(struct atoll__choice *c, uint32_t i, const struct atoll__mix_item *items,
                   const struct atoll__mix *mix, struct atoll_err *err)
{
    const struct atoll__search *s = &c->search[i];
    struct atoll__choice_item item = {.models = 1u << i, .labels = (uint32_t)c->n_labels};
    double rate_hz = 0;
    for (uint32_t p = 0; p < mix->n; p++) {
        rate_hz += items[mix->items[p]].rate_hz;
    }
    int rc = 0;
    for (uint32_t p = 0; p < mix->n && rc == 0; p++) {
        const struct atoll__mix_item *it = &items[mix->items[p]];
        add_criteria(c, i, s->labels[it->source].crit, it->rate_hz / rate_hz, &item);
        item.tpus += it->tpus;
        rc = add_label(c, it->source, err);
    }
    item.load[ATOLL__LOAD_STAGE] = c->rate_hz[i] / rate_hz;
    return rc ? rc : atoll__choice_add(c, &item, err);
}

/* The fastest set of pipelines on each number of TPUs, where it has unlike ones: like ones are
 * replicas of a single pipeline. */
static int add_mixes(struct atoll__choice *c, uint32_t i, const struct atoll__mix_item *items,
                     uint32_t n, struct atoll_err *err)
{
    int rc = 0;
    uint32_t fit = 0; /* items are listed by TPUs */
    for (uint32_t k = 2; k <= c->tpus && rc == 0; k++) {
        while (fit < n && items[fit].tpus <= k) {
            fit++;
        }
        const struct atoll__mix_goal goal = {.tpus = k,
                                             .streams_max =
                                                 c->copy_us > 0 ? c->streams_max : c->tpus,
                                             .objective = ATOLL_OBJECTIVE_THROUGHPUT,
                                             .steps_max = MIX_STEPS,
                                             .best = INFINITY};
        struct atoll__mix mix = {.n = 0};
        rc = atoll__mix_best(items, fit, &goal, &mix, err);
        c->steps += mix.steps;
        bool unlike = false;
        for (uint32_t p = 1; p < mix.n; p++) {
            unlike = unlike || mix.items[p] != mix.items[0];
        }
        rc = rc == 0 && unlike ? add_mix(c, i, items, &mix, err) : rc;
    }
    return rc;
}

static int list_model(struct atoll__choice *c, uint32_t i, struct atoll_err *err)
{
    int rc = search_model(c, i, err);
    struct atoll__mix_item *items = NULL;
    size_t n = 0, cap = 0;
    const struct atoll__search *s = &c->search[i];
    for (uint32_t k = 1; k <= c->tpus && rc == 0; k++) {
        for (uint32_t l = atoll__search_final(s, k); l != ATOLL__LABEL_NONE && rc == 0;
             l = s->labels[l].next) {
            rc = add_single(c, i, l, err);
            if (rc == 0 && atoll_grow((void **)&items, &cap, n + 1, sizeof *items)) {
                rc = atoll_fail_nomem(err, "kinds of pipelines", n * sizeof *items);
            }
            if (rc == 0) {
                items[n++] = atoll__exact_item(&c->exact[i], s->labels[l].crit, k, l);
            }
        }
    }
    if (rc == 0 && n > 1 && (c->judged & (1u << ATOLL__LOAD_STAGE))) {
        rc = add_mixes(c, i, items, (uint32_t)n, err);
    }
    atoll_free(items);
    return rc;
}

int atoll__choice_list(struct atoll__choice *c, struct atoll_err *err)
{
    int rc = 0;
    atoll__choice_clear(c);
    for (uint32_t i = 0; i < c->n && rc == 0; i++) {
        rc = list_model(c, i, err);
    }
    return rc ? rc : atoll__choice_list_shared(c, err);
}

/* ----------------------------------------------------------------------- bounds */

/* The least of a model's criteria on k TPUs, from the floors of its operators: on every down-set
 * when the lattice holds them all, else spread evenly. */
static int floor_criteria(struct atoll__choice *c, uint32_t i, enum atoll_objective o, double *us,
                          struct atoll_err *err)
{
    const struct atoll__exact *x = &c->exact[i];
    const struct atoll_floor *sum = x->full.sum;
    struct atoll__search s = x->template;
    int rc = 0;
    s.lattice = &x->full;
    s.spans = &x->spans_full;
    s.replicas_max = s.tpus;
    s.goal = (struct atoll__goal){.set = true, .objective = o, .best = INFINITY};
    if (x->full.complete) {
        rc = atoll__search_bounds(&s, err);
    }
    const bool latency = o == ATOLL_OBJECTIVE_LATENCY;
    for (uint32_t k = 1; k <= c->tpus && rc == 0; k++) {
        const double spread_us = atoll__floor_us(&sum[0], &sum[x->full.n - 1], &s.stage_floor, k);
        us[k] = !x->full.complete ? spread_us / (latency ? 1 : k)
                : latency         ? s.left_us[k]
                                  : 1 / s.rate_of[k];
    }
    atoll__search_finish(&s);
    return rc;
}

int atoll__choice_list_floors(struct atoll__choice *c, struct atoll_err *err)
{
    int rc = 0;
    atoll__choice_clear(c);
    for (uint32_t i = 0; i < c->n && rc == 0; i++) {
        const struct atoll__exact *x = &c->exact[i];
        double interval_us[ATOLL_TPUS_MAX + 1], latency_us[ATOLL_TPUS_MAX + 1];
        rc = floor_criteria(c, i, ATOLL_OBJECTIVE_THROUGHPUT, interval_us, err);
        rc = rc ? rc : floor_criteria(c, i, ATOLL_OBJECTIVE_LATENCY, latency_us, err);
        double least_us = INFINITY;
        for (uint32_t k = 1; k <= c->tpus && rc == 0; k++) {
            least_us = smaller(least_us, latency_us[k]);
            const double crit[ATOLL__CRITERIA] = {[ATOLL__CRIT_ACTIVE] =
                                                      x->full.sum[x->full.n - 1].active_mj,
                                                  [ATOLL__CRIT_LATENCY] = least_us};
            struct atoll__choice_item item = {.models = 1u << i, .tpus = k};
            add_criteria(c, i, crit, 1, &item);
            item.load[ATOLL__LOAD_STAGE] = c->rate_hz[i] * interval_us[k] * 1e-6;
            rc = atoll__choice_add(c, &item, err);
        }
    }
    return rc ? rc : atoll__choice_list_shared(c, err);
}

/* --------------------------------------------------------------------- the best */

static int keep_own(struct atoll__choice *c, uint32_t i, uint32_t label, struct atoll_err *err)
{
    const struct atoll__search *s = &c->search[i];
    uint32_t sets[ATOLL_TPUS_MAX], replicas[ATOLL_TPUS_MAX];
    const uint32_t n = atoll__search_stages(s, label, sets, replicas);
    struct atoll__choice_pipe *p = &c->pipes[c->n_pipes];
    *p = (struct atoll__choice_pipe){.model = i, .group = c->n_pipes, .n_stages = n};
    c->n_pipes++;
    p->stages = atoll_arena_array(&c->arena, n, sizeof *p->stages);
    for (uint32_t k = 0; k < n; k++) {
        uint32_t *ops =
            p->stages ? atoll_arena_array(&c->arena, s->lattice->n_ops, sizeof *ops) : NULL;
        if (!ops) {
            return atoll_fail_nomem(err, "a stage", s->lattice->n_ops * sizeof *ops);
        }
        const uint32_t count =
            atoll__lattice_difference(s->lattice, k == 0 ? 0 : sets[k - 1], sets[k], ops);
        p->stages[k] = (struct atoll__draft_stage){ops, count, replicas[k]};
    }
    return 0;
}

/* Adds the pipeline of model `i` in a group. */
static struct atoll__choice_pipe *keep_member(struct atoll__choice *c,
                                              const struct atoll__choice_item *item, uint32_t i,
                                              uint32_t group, struct atoll_err *err)
{
    const uint32_t m = c->models[i];
    const uint32_t *ops = atoll__planner_order(c->planner, m, ATOLL__ORDER_FILE, err);
    struct atoll__choice_pipe *p = &c->pipes[c->n_pipes++];
    *p = (struct atoll__choice_pipe){
        .model = i, .group = group, .n_stages = 1, .sharing = item->sharing};
    p->stages = ops ? atoll_arena_array(&c->arena, 1, sizeof *p->stages) : NULL;
    if (!p->stages) {
        if (ops) {
            atoll_fail_nomem(err, "a stage", sizeof *p->stages);
        }
        return NULL;
    }
    *p->stages = (struct atoll__draft_stage){ops, c->planner->views[m].model->n_ops, item->tpus};
    return p;
}

static int keep_reload(struct atoll__choice *c, const struct atoll__choice_item *item,
                       struct atoll_err *err)
{
    const uint32_t group = c->n_pipes;
    for (uint32_t i = 0; i < c->n; i++) {
        if (!(item->models >> i & 1)) {
            continue;
        }
        double others_hz = 0;
        for (uint32_t k = 0; k < c->n; k++) {
            others_hz += k != i && (item->models >> k & 1) ? c->rate_hz[k] : 0;
        }
        struct atoll__choice_pipe *p = keep_member(c, item, i, group, err);
        if (!p) {
            return ATOLL_ENOMEM;
        }
        p->reload_frac = atoll__choice_reload_frac(c->rate_hz[i], others_hz);
    }
    return 0;
}

static int keep_team(struct atoll__choice *c, const struct atoll__choice_item *item,
                     struct atoll_err *err)
{
    const struct atoll__choice_team *team = &c->teams[item->team];
    const uint32_t group = c->n_pipes;
    for (uint32_t k = 0; k < team->n; k++) {
        struct atoll__choice_pipe *p = keep_member(c, item, team->order[k], group, err);
        if (!p) {
            return ATOLL_ENOMEM;
        }
        p->cost = &team->cost[k];
    }
    return 0;
}

int atoll__choice_keep(struct atoll__choice *c, const uint32_t *items, uint32_t n,
                       struct atoll_err *err)
{
    int rc = 0;
    c->n_pipes = 0;
    for (uint32_t k = 0; k < n && rc == 0; k++) {
        const struct atoll__choice_item *item = &c->items[items[k]];
        if (item->sharing != ATOLL_SHARING_NONE) {
            rc = item->sharing == ATOLL_SHARING_RELOAD ? keep_reload(c, item, err)
                                                       : keep_team(c, item, err);
            continue;
        }
        uint32_t i = 0;
        while (!(item->models >> i & 1)) {
            i++;
        }
        for (uint32_t l = 0; l < item->n_labels && rc == 0; l++) {
            rc = keep_own(c, i, c->labels[item->labels + l], err);
        }
    }
    return rc;
}
