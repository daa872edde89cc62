/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole models on the same TPUs: compiled together they split the cache, and no one evicts another.
 * Compiled apart they take turns, and who comes after another model loads its
 * parameters anew: counted as often as arrivals can alternate, so that no order of arrivals needs
 * more. Copies of such a TPU share the arrivals evenly.
 */
#include "choice.h"

#include <math.h>

#define MIB 1048576.0

double atoll__choice_reload_frac(double rate_hz, double others_hz)
{
    return others_hz < rate_hz ? others_hz / rate_hz : 1;
}

/* Adds one model of a group to an item; its stage takes all operators. */
static void add_member(const struct atoll__choice *c, uint32_t i, double others_hz, double all_hz,
                       const struct atoll_stage_cost *s, struct atoll__choice_item *item)
{
    const struct atoll_use *use = &c->planner->request->use;
    const struct atoll__plan_loads loads = atoll__plan_loads_of(s, c->board, use);
    const double hz = c->rate_hz[i];
    const double threads = c->board->host_threads ? c->board->host_threads : 1;
    const bool reload = item->sharing == ATOLL_SHARING_RELOAD;
    const double reload_hz = reload ? hz * atoll__choice_reload_frac(hz, others_hz) : 0;
    const double worst_us = s->latency_us + (reload_hz > 0 ? s->load_us : 0);
    const double link = c->board->shared_link_mib_per_s.value;
    item->load[ATOLL__LOAD_STAGE] +=
        (hz * (s->service_us + c->extra_us) + reload_hz * s->load_us) * 1e-6;
    item->load[ATOLL__LOAD_LOCK] += hz * loads.lock_us * 1e-6;
    item->load[ATOLL__LOAD_THREADS] += hz * loads.thread_us * 1e-6 / threads;
    item->load[ATOLL__LOAD_LINK] += hz * loads.link_us * 1e-6;
    item->load[ATOLL__LOAD_LINK] +=
        link > 0 ? reload_hz * (double)s->on_chip_bytes / MIB / link : 0;
    item->load[ATOLL__LOAD_ACTIVE] +=
        hz * s->active_mj + reload_hz * atoll__plan_reload_mj(s, c->board);
    item->load[ATOLL__LOAD_MEAN] += (hz * s->latency_us + reload_hz * s->load_us) / all_hz;
    item->load[ATOLL__LOAD_WORST] = fmax(item->load[ATOLL__LOAD_WORST], worst_us * c->weight[i]);
    item->n_labels +=
        worst_us > c->limits.latency_us[i] ||
        (c->limits.resident && s->off_chip_bytes > 0); /* counts what breaks a limit */
}

static uint32_t count_bits(uint32_t set)
{
    uint32_t n = 0;
    for (; set; set &= set - 1) {
        n++;
    }
    return n;
}

/* ------------------------------------------------------------- compiled together */

static int add_team(struct atoll__choice *c, const struct atoll__choice_team *order,
                    struct atoll_err *err)
{
    const struct atoll_oracle *oracle = &c->planner->oracle;
    struct atoll__choice_team team = *order;
    uint32_t models[ATOLL__CHOICE_SHARE];
    for (uint32_t i = 0; i < team.n; i++) {
        models[i] = c->models[team.order[i]];
    }
    const int rc = oracle->together(oracle->user, models, team.n, team.cost, err);
    if (rc) {
        return rc;
    }
    if (atoll_grow((void **)&c->teams, &c->cap_teams, c->n_teams + 1, sizeof *c->teams)) {
        return atoll_fail_nomem(err, "models compiled together", c->n_teams * sizeof *c->teams);
    }
    c->teams[c->n_teams++] = team;
    return 0;
}

/* Every order of the models of `set` behind those that stand already: who is served first with
 * cache matters. Of four models, only the order in which they were given. */
static int add_orders(struct atoll__choice *c, uint32_t set, struct atoll__choice_team *team,
                      struct atoll_err *err)
{
    int rc = 0;
    if (team->n == count_bits(set)) {
        return add_team(c, team, err);
    }
    for (uint32_t i = 0; i < c->n && rc == 0; i++) {
        bool used = !(set >> i & 1);
        for (uint32_t k = 0; k < team->n; k++) {
            used = used || team->order[k] == i;
        }
        if (used) {
            continue;
        }
        team->order[team->n++] = i;
        rc = add_orders(c, set, team, err);
        team->n--;
        if (count_bits(set) > 3) {
            break;
        }
    }
    return rc;
}

static bool shareable(uint32_t set)
{
    return count_bits(set) > 1 && count_bits(set) <= ATOLL__CHOICE_SHARE;
}

int atoll__choice_list_teams(struct atoll__choice *c, struct atoll_err *err)
{
    int rc = 0;
    if (c->planner->request->compile_alone || !c->planner->oracle.together) {
        return 0;
    }
    for (uint32_t set = 1; set < 1u << c->n && rc == 0; set++) {
        struct atoll__choice_team team = {.models = set};
        rc = shareable(set) ? add_orders(c, set, &team, err) : 0;
    }
    return rc;
}

/* ----------------------------------------------------------------------- items */

/* The group on 1, 2, ... TPUs. */
static int add_copies(struct atoll__choice *c, const struct atoll__choice_item *one,
                      struct atoll_err *err)
{
    int rc = 0;
    for (uint32_t k = 1; one->n_labels == 0 && k <= c->tpus && rc == 0; k++) {
        struct atoll__choice_item item = *one;
        item.tpus = item.streams = k;
        item.load[ATOLL__LOAD_STAGE] /= k;
        rc = atoll__choice_add(c, &item, err);
    }
    return rc;
}

static double rate_of(const struct atoll__choice *c, uint32_t set)
{
    double hz = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        hz += set >> i & 1 ? c->rate_hz[i] : 0;
    }
    return hz;
}

static int add_group(struct atoll__choice *c, uint32_t set, const struct atoll_stage_cost *whole,
                     struct atoll_err *err)
{
    const double hz = rate_of(c, set), all_hz = rate_of(c, UINT32_MAX);
    struct atoll__choice_item one = {.models = set, .sharing = ATOLL_SHARING_RELOAD};
    for (uint32_t i = 0; i < c->n; i++) {
        if (set >> i & 1) {
            add_member(c, i, hz - c->rate_hz[i], all_hz, &whole[i], &one);
        }
    }
    return add_copies(c, &one, err);
}

static int add_teams(struct atoll__choice *c, struct atoll_err *err)
{
    int rc = 0;
    for (uint32_t t = 0; t < c->n_teams && rc == 0; t++) {
        const struct atoll__choice_team *team = &c->teams[t];
        struct atoll__choice_item one = {
            .models = team->models, .team = t, .sharing = ATOLL_SHARING_CO_COMPILED};
        for (uint32_t k = 0; k < team->n; k++) {
            add_member(c, team->order[k], 0, rate_of(c, UINT32_MAX), &team->cost[k], &one);
        }
        rc = add_copies(c, &one, err);
    }
    return rc;
}

int atoll__choice_list_shared(struct atoll__choice *c, struct atoll_err *err)
{
    struct atoll_stage_cost whole[ATOLL__CHOICE_MODELS];
    int rc = 0;
    for (uint32_t i = 0; i < c->n && c->n > 1 && rc == 0; i++) {
        const struct atoll__plan_segment s = {.model = c->models[i],
                                              .order = ATOLL__ORDER_FILE,
                                              .end = c->planner->views[c->models[i]].model->n_ops};
        rc = atoll__planner_cost(c->planner, &s, &whole[i], err);
    }
    for (uint32_t set = 1; set < 1u << c->n && rc == 0; set++) {
        rc = shareable(set) ? add_group(c, set, whole, err) : 0;
    }
    return rc ? rc : add_teams(c, err);
}
