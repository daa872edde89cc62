/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What operators cost at least under the cost room's laws. Cycles add up over operators. Streaming
 * hides under the computing of its own layer only: if all parameters were sent, a segment would
 * take the sum of max(work, stream) over its layers, and each byte that the cache holds saves at
 * most its time on the link. A property test holds these floors against costed segments.
 */
#include "plan_internal.h"

#include <math.h>
#include <string.h>

#define MIB 1048576.0
/* A fully connected layer of few outputs counts 64 rows when cached and down to 16 when streamed.
 */
#define DENSE_STREAM_FRAC 0.25

void atoll__planner_floor(void *user, uint32_t model, uint32_t op, struct atoll_floor *out)
{
    const struct atoll__planner *pl = user;
    const struct atoll__plan_floors *f = &pl->floors[model];
    *out = op == UINT32_MAX ? f->stage : f->ops[op];
}

/* Factors of one board and use. */
struct rates {
    double us_per_cycle, threaded_us_per_cycle, us_per_byte;
    double busy_mw, mj_per_mac;
};

static struct rates rates_of(const struct atoll_board *b, const struct atoll_use *u)
{
    const double called = atoll_board_drive(b, u, ATOLL_DRIVE_CALLED)->compute_scale.value;
    const double threaded = atoll_board_drive(b, u, ATOLL_DRIVE_THREADED)->compute_scale.value;
    const double us_per_cycle = 1e6 / atoll_board_clock_hz(b, u);
    const double least_mw = fmin(b->compute_mw.value, b->stream_mw.value) - b->idle_mw.value;
    return (struct rates){.us_per_cycle = us_per_cycle * fmin(called, threaded),
                          .threaded_us_per_cycle = us_per_cycle * threaded,
                          .us_per_byte = b->stream_us_per_mib.value / MIB,
                          .busy_mw = fmax(0, least_mw),
                          .mj_per_mac = b->mj_per_gmac.value * 1e-9};
}

static struct atoll_floor floor_of(const struct atoll_model *m, const struct atoll_layer *l,
                                   const struct rates *r)
{
    const bool dense = m->ops[l->op].code == ATOLL_OP_FULLY_CONNECTED;
    const double bytes = (double)l->packed_bytes * (dense ? DENSE_STREAM_FRAC : 1);
    const double busy_us = l->cycles * r->threaded_us_per_cycle;
    const double work_us = l->cycles * r->us_per_cycle;
    return (struct atoll_floor){
        .work_us = work_us,
        .stream_us = fmax(work_us, bytes * r->us_per_byte),
        .active_mj = r->busy_mw * busy_us * 1e-6 + r->mj_per_mac * (double)l->macs,
    };
}

/* The most that any segment keeps on chip: the largest budget of the cost room's table. */
static double cache_mib(void)
{
    size_t n;
    const struct atoll_constant *c = atoll_constants(&n);
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        if (strncmp(c[i].name, "budget_", strlen("budget_")) == 0) {
            most = fmax(most, c[i].value);
        }
    }
    return most;
}

static int fill_floors(struct atoll__planner *pl, uint32_t model, const struct atoll_program *p,
                       struct atoll_err *err)
{
    const struct atoll_plan_request *req = pl->request;
    const struct atoll_model *m = pl->views[model].model;
    const struct rates r = rates_of(req->board, &req->use);
    struct atoll__plan_floors *f = &pl->floors[model];
    f->ops = atoll_calloc(m->n_ops, sizeof *f->ops);
    if (!f->ops) {
        return atoll_fail_nomem(err, "operator floors", m->n_ops * sizeof *f->ops);
    }
    for (uint32_t i = 0; i < p->n_layers; i++) {
        f->ops[p->layers[i].op] = floor_of(m, &p->layers[i], &r);
    }
    f->stage.stream_us = cache_mib() * MIB * r.us_per_byte;
    /* A stage of CPU operators alone makes no call of a TPU and reads nothing back. */
    if (p->cpu_ops == 0) {
        const struct atoll_drive_cost *called =
            atoll_board_drive(req->board, &req->use, ATOLL_DRIVE_CALLED);
        const struct atoll_drive_cost *threaded =
            atoll_board_drive(req->board, &req->use, ATOLL_DRIVE_THREADED);
        f->stage.work_us = fmin(called->call_us.value, threaded->call_us.value);
        f->stage.output_us_per_byte =
            fmin(called->output_us_per_mib.value, threaded->output_us_per_mib.value) / MIB;
        f->stage.input_us_per_byte =
            fmin(called->input_us_per_mib.value, threaded->input_us_per_mib.value) / MIB;
    }
    return 0;
}

int atoll__planner_floors(struct atoll__planner *pl, uint32_t model, struct atoll_err *err)
{
    if (pl->request->oracle || pl->floors[model].ops) {
        return 0;
    }
    const uint32_t n_ops = pl->views[model].model->n_ops;
    const uint32_t *order = atoll__planner_order(pl, model, ATOLL__ORDER_FILE, err);
    struct atoll_program p;
    int code = order ? atoll_cost_program(pl->request->models[model], order, n_ops, &p, err)
                     : ATOLL_ENOMEM;
    if (code) {
        return code;
    }
    code = fill_floors(pl, model, &p, err);
    atoll_program_finish(&p);
    return code;
}
