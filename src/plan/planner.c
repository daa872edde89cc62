/* SPDX-License-Identifier: Apache-2.0 */
/* The planner: orders of operators and costs of segments, each made once. */
#include "plan_internal.h"
#include "rivals.h"

static int cost_room_stage(void *user, uint32_t model, const uint32_t *ops, uint32_t n,
                           struct atoll_stage_cost *out, struct atoll_err *err)
{
    const struct atoll__planner *pl = user;
    const struct atoll_plan_request *r = pl->request;
    return atoll_cost_stage(r->models[model], r->board, &r->use, ops, n, out, err);
}

static int cost_room_together(void *user, const uint32_t *models, uint32_t n,
                              struct atoll_stage_cost *out, struct atoll_err *err)
{
    const struct atoll__planner *pl = user;
    const struct atoll_plan_request *r = pl->request;
    const struct atoll_cost *costs[ATOLL_TPUS_MAX] = {NULL};
    struct atoll_program programs[ATOLL_TPUS_MAX];
    for (uint32_t i = 0; i < n; i++) {
        costs[i] = r->models[models[i]];
    }
    const int rc = atoll_cost_programs_together(costs, n, programs, err);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        atoll_cost_stage_of(&programs[i], r->board, &r->use, &out[i]);
        atoll_program_finish(&programs[i]);
    }
    return rc;
}

int atoll__planner_init(struct atoll__planner *pl, const struct atoll_plan_request *r,
                        struct atoll_err *err)
{
    *pl = (struct atoll__planner){.request = r};
    pl->oracle = r->oracle ? *r->oracle
                           : (struct atoll_oracle){.stage = cost_room_stage,
                                                   .together = cost_room_together,
                                                   .floor = atoll__planner_floor,
                                                   .user = pl};
    if (r->time_limit_s > 0) {
        pl->deadline_ns = atoll_now_ns() + (uint64_t)(r->time_limit_s * 1e9);
    }
    pl->views = atoll_calloc(r->n_models, sizeof *pl->views);
    pl->sha256 = atoll_calloc(r->n_models, sizeof *pl->sha256);
    pl->floors = atoll_calloc(r->n_models, sizeof *pl->floors);
    pl->stash =
        atoll_calloc((size_t)r->n_models * ATOLL__FLOOR_KINDS, sizeof(struct atoll__exact *));
    if (!pl->views || !pl->sha256 || !pl->floors || !pl->stash) {
        atoll__planner_finish(pl);
        return atoll_fail_nomem(err, "the planner's models", r->n_models * sizeof *pl->views);
    }
    int code = atoll__plan_keep_make(r, &pl->keep, err);
    for (uint32_t i = 0; i < r->n_models && code == 0; i++) {
        pl->views[i].model = atoll_cost_model(r->models[i]);
        code = r->want_sha256 ? atoll_model_sha256(pl->views[i].model, pl->sha256[i], err) : 0;
    }
    if (code) {
        atoll__planner_finish(pl);
    }
    return code;
}

void atoll__planner_finish(struct atoll__planner *pl)
{
    for (uint32_t i = 0; pl->views && i < pl->request->n_models; i++) {
        for (int o = 0; o < ATOLL__ORDERS; o++) {
            atoll_free(pl->views[i].order[o]);
        }
    }
    for (uint32_t i = 0; pl->floors && i < pl->request->n_models; i++) {
        for (int k = 0; k < ATOLL__FLOOR_KINDS; k++) {
            atoll_free(pl->floors[i].ops[k]);
        }
    }
    atoll__exact_stash_free(pl->stash, pl->request ? pl->request->n_models : 0);
    atoll__plan_keep_free(pl->keep, pl->keep ? pl->request->n_models : 0);
    atoll_free(pl->floors);
    atoll_free(pl->views);
    atoll_free(pl->sha256);
    atoll_free(pl->table);
    *pl = (struct atoll__planner){0};
}

const uint32_t *atoll__planner_order(struct atoll__planner *pl, uint32_t model,
                                     enum atoll__plan_order o, struct atoll_err *err)
{
    struct atoll__plan_view *v = &pl->views[model];
    if (v->order[o]) {
        return v->order[o];
    }
    const uint32_t n = v->model->n_ops;
    uint32_t *order = atoll_calloc(n, sizeof *order);
    if (!order) {
        atoll_fail_nomem(err, "an order of operators", n * sizeof *order);
        return NULL;
    }
    int code = 0;
    if (o == ATOLL__ORDER_FILE) {
        for (uint32_t i = 0; i < n; i++) {
            order[i] = i;
        }
    } else if (o == ATOLL__ORDER_VENDOR) {
        code = atoll_model_vendor_order(v->model, order, err);
    } else {
        code = atoll__depth_order(v->model, order, err);
    }
    if (code) {
        atoll_free(order);
        return NULL;
    }
    return v->order[o] = order;
}

/* Operators are below 2^18 (ATOLL_OPS_MAX), so a segment fits one word; + 1 keeps 0 free. */
static uint64_t segment_key(const struct atoll__plan_segment *s)
{
    return ((((uint64_t)s->model * ATOLL__ORDERS + (uint64_t)s->order) << 36) |
            ((uint64_t)s->begin << 18) | s->end) +
           1;
}

static struct atoll__plan_entry *find_entry(struct atoll__plan_entry *table, size_t cap,
                                            uint64_t key)
{
    size_t at = (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (cap - 1);
    while (table[at].key != 0 && table[at].key != key) {
        at = (at + 1) & (cap - 1);
    }
    return &table[at];
}

/* Keeps the table at most half full. */
static int make_room(struct atoll__planner *pl, struct atoll_err *err)
{
    if (pl->table_cap > 0 && pl->table_used * 2 < pl->table_cap) {
        return 0;
    }
    const size_t cap = pl->table_cap ? pl->table_cap * 2 : 128;
    struct atoll__plan_entry *table = atoll_calloc(cap, sizeof *table);
    if (!table) {
        return atoll_fail_nomem(err, "the table of segment costs", cap * sizeof *table);
    }
    for (size_t i = 0; i < pl->table_cap; i++) {
        if (pl->table[i].key) {
            *find_entry(table, cap, pl->table[i].key) = pl->table[i];
        }
    }
    atoll_free(pl->table);
    pl->table = table;
    pl->table_cap = cap;
    return 0;
}

int atoll__planner_cost(struct atoll__planner *pl, const struct atoll__plan_segment *s,
                        struct atoll_stage_cost *out, struct atoll_err *err)
{
    int code = make_room(pl, err);
    if (code) {
        return code;
    }
    struct atoll__plan_entry *e = find_entry(pl->table, pl->table_cap, segment_key(s));
    if (!e->key) {
        const uint32_t *order = atoll__planner_order(pl, s->model, s->order, err);
        if (!order) {
            return err ? err->code : ATOLL_ENOMEM;
        }
        code = pl->oracle.stage(pl->oracle.user, s->model, order + s->begin, s->end - s->begin,
                                &e->cost, err);
        if (code) {
            return code;
        }
        e->key = segment_key(s);
        pl->table_used++;
    }
    *out = e->cost;
    return 0;
}

int atoll__planner_vendor_cuts(struct atoll__planner *pl, uint32_t model, uint32_t n,
                               uint32_t *starts, struct atoll_err *err)
{
    const struct atoll_model *m = pl->views[model].model;
    if (n > m->n_ops) {
        return atoll_fail(err, ATOLL_ENO, "%u stages are more than the %u operators of %s", n,
                          m->n_ops, m->path);
    }
    return atoll_model_vendor_cuts(m, n, starts, err);
}
