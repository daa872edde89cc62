/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What operators cost at least under the cost room's laws. Cycles and instructions add up over
 * operators, and so does what crosses the boundary of a segment. Streaming hides under the
 * computing of its own layer only: if all parameters were sent, a segment would take the sum of
 * max(work, stream) over its layers, and each byte that the cache holds saves at most its time on
 * the link. So the floor of a segment that fits the cache is what it costs, and only streaming is
 * bounded from below. A property test holds these floors against costed segments.
 */
#include "plan_internal.h"

#include <math.h>
#include <string.h>

#define MIB 1048576.0
/* A fully connected layer of few outputs counts 64 rows when cached and down to 16 when streamed.
 */
#define DENSE_STREAM_FRAC 0.25
/* Prices of the cache, as parts of the time of a byte on the link. Without a limit of its size, the
 * cache would save each layer e = max(0, stream - work). With room for c bytes it saves at most
 * t c + sum of max(0, e - t b) for any price t, so what streams takes at least the sum of
 * min(e, t b) - t c: the dual of a knapsack. The best price is the saving per byte of the last
 * layer that still fits. */
static const double prices[ATOLL_FLOOR_PRICES] = {0.85, 0.7, 0.5};
/* Energy where the profile lets some state draw less than idle: bounds nothing. */
#define NO_FLOOR_MJ (-1e12)

/* Every time and energy shrinks alike; what stands on chip, and power, do not. */
static void shrink(struct atoll_floor *f, double frac)
{
    double *const shrinking[] = {&f->work_us,     &f->stream_us,         &f->active_mj,
                                 &f->output_us,   &f->input_us,          &f->output_us_per_byte,
                                 &f->overflow_us, &f->input_us_per_byte, &f->call_us,
                                 &f->lock_us,     &f->thread_us};
    for (int i = 0; i < ATOLL_FLOOR_PRICES; i++) {
        f->stream_at_us[i] *= frac;
    }
    for (size_t i = 0; i < sizeof shrinking / sizeof shrinking[0]; i++) {
        *shrinking[i] *= frac;
    }
}

void atoll__planner_floor_of(const struct atoll__planner *pl, enum atoll__floor_kind kind,
                             uint32_t model, uint32_t op, struct atoll_floor *out)
{
    const struct atoll_oracle *own = pl->request->oracle;
    *out = (struct atoll_floor){0};
    if (own && own->floor) {
        own->floor(own->user, model, op, out);
    } else if (!own || own->floor_frac > 0) {
        const struct atoll__plan_floors *f = &pl->floors[model];
        *out = op == UINT32_MAX ? f->stage[kind] : f->ops[kind][op];
        shrink(out, own ? own->floor_frac : 1);
    }
}

void atoll__planner_floor(void *user, uint32_t model, uint32_t op, struct atoll_floor *out)
{
    atoll__planner_floor_of(user, ATOLL__FLOOR_BOTH, model, op, out);
}

/* ---------------------------------------------------------------------- the parts */

/* Factors of one board and way of driving. */
struct rates {
    double us_per_cycle, in_us_per_byte, out_us_per_byte, out_us_per_px, stream_us_per_byte;
    double compute_mw, moving_mw, mj_per_mac; ///< power above idle
    bool powered;                             ///< no state draws less than idle
};

static struct rates rates_of(const struct atoll_board *b, const struct atoll_use *u,
                             enum atoll_drive drive)
{
    const struct atoll_drive_cost *d = atoll_board_drive(b, u, drive);
    const double moving_mw = fmin(b->stream_mw.value, b->transfer_mw.value);
    return (struct rates){
        .us_per_cycle = 1e6 / atoll_board_clock_hz(b, u) * d->compute_scale.value,
        .in_us_per_byte = d->input_us_per_mib.value / MIB,
        .out_us_per_byte = d->output_us_per_mib.value / MIB,
        .out_us_per_px = d->output_us_per_kpx.value / 1e3,
        .stream_us_per_byte = b->stream_us_per_mib.value / MIB,
        .compute_mw = b->compute_mw.value - b->idle_mw.value,
        .moving_mw = moving_mw - b->idle_mw.value,
        .mj_per_mac = b->mj_per_gmac.value * 1e-9,
        .powered = fmin(moving_mw, b->compute_mw.value) >= b->idle_mw.value,
    };
}

/* The model as the floors see it. */
struct source {
    const struct atoll_model *m;
    const struct atoll_cost *cost;
    const struct atoll_program *p;
    struct atoll_stage_cost *alone;       ///< of each operator as a segment of its own
    const struct atoll_layer **layer;     ///< of each operator; NULL: on the CPU
    double base_bytes, instruction_bytes; ///< instructions: of any segment, of one operator
    double cache_bytes;                   ///< the most that a segment keeps on chip
    double image_excess_bytes; ///< so much less where it reads the image that the graph is given
};

static bool on_cpu(const struct source *s, uint32_t op)
{
    return s->layer[op] == NULL;
}

/* Tensors that the operator makes and somebody reads. `always`: the caller gets one, or the CPU,
 * and so it leaves the TPU wherever the cuts are. */
static uint32_t count_outputs(const struct source *s, const struct atoll_op *o, bool *always)
{
    const struct atoll_model *m = s->m;
    uint32_t n = 0;
    *always = false;
    for (uint32_t i = 0; i < o->n_outputs; i++) {
        const struct atoll_tensor *t = o->outputs[i] < 0 ? NULL : &m->tensors[o->outputs[i]];
        bool leaves = false;
        for (uint32_t j = 0; j < m->n_outputs; j++) {
            leaves = leaves || m->outputs[j] == o->outputs[i];
        }
        for (uint32_t j = 0; t && j < t->n_consumers; j++) {
            leaves = leaves || on_cpu(s, t->consumers[j]);
        }
        *always = *always || leaves;
        n += t && (leaves || t->n_consumers > 0);
    }
    return n;
}

/* Sending the first output to a segment that reads it. Sending costs at least its bytes; where an
 * operator reads nothing else, its own segment shows what they become on the link. */
static double sent_us(const struct source *s, const struct atoll_op *o, const struct rates *r)
{
    const struct atoll_tensor *t = &s->m->tensors[o->outputs[0]];
    double bytes = (double)t->bytes;
    for (uint32_t c = 0; c < t->n_consumers; c++) {
        const uint32_t reader = t->consumers[c];
        if (on_cpu(s, reader)) {
            return 0;
        }
        uint32_t inputs = 0;
        for (uint32_t i = 0; i < s->m->ops[reader].n_inputs; i++) {
            const int32_t in = s->m->ops[reader].inputs[i];
            inputs += in >= 0 && !s->m->tensors[in].is_constant;
        }
        bytes = inputs == 1 ? (double)s->alone[reader].input_bytes : bytes;
    }
    return bytes * r->in_us_per_byte;
}

/* What crosses the boundary: tensors between operators, and the caller's, which always cross. */
static void add_boundary(const struct source *s, uint32_t op, const struct rates *r,
                         struct atoll_floor *f, double *always_us)
{
    const struct atoll_op *o = &s->m->ops[op];
    const struct atoll_stage_cost *alone = &s->alone[op];
    bool always;
    const uint32_t outputs = count_outputs(s, o, &always);
    const double read_us = (double)alone->output_bytes * r->out_us_per_byte +
                           (double)alone->output_px * r->out_us_per_px;
    if (outputs == 1) {
        *always_us += always ? read_us : 0;
        f->output_us = always ? 0 : read_us;
        f->input_us = o->n_outputs == 1 ? sent_us(s, o, r) : 0;
    }
    bool only_given = true;
    double given_bytes = 0;
    for (uint32_t i = 0; i < o->n_inputs; i++) {
        const struct atoll_tensor *t = o->inputs[i] < 0 ? NULL : &s->m->tensors[o->inputs[i]];
        const bool given = t && !t->is_constant && t->n_consumers == 1 &&
                           (t->producer < 0 || on_cpu(s, (uint32_t)t->producer));
        only_given = only_given && (!t || t->is_constant || given);
        given_bytes += given ? (double)t->bytes : 0;
    }
    given_bytes = only_given ? (double)alone->input_bytes : given_bytes;
    *always_us += given_bytes * r->in_us_per_byte;
}

/* Where a segment that holds the operator keeps less, its parameters weigh so much more. */
static double excess_bytes(const struct source *s, uint32_t op)
{
    const struct atoll_op *o = &s->m->ops[op];
    for (uint32_t i = 0; i < o->n_inputs && s->m->n_inputs == 1; i++) {
        if (o->inputs[i] == s->m->inputs[0] && s->m->tensors[o->inputs[i]].n_consumers == 1) {
            return s->image_excess_bytes;
        }
    }
    return 0;
}

static struct atoll_floor floor_of(const struct source *s, uint32_t op, const struct rates *r)
{
    const struct atoll_layer *l = s->layer[op];
    struct atoll_floor f = {0};
    if (!l) {
        f.work_us = f.stream_us = s->alone[op].cpu_us;
        for (int i = 0; i < ATOLL_FLOOR_PRICES; i++) {
            f.stream_at_us[i] = f.work_us;
        }
        return f;
    }
    const bool dense = s->m->ops[op].code == ATOLL_OP_FULLY_CONNECTED;
    const double stream_bytes = (double)l->packed_bytes * (dense ? DENSE_STREAM_FRAC : 1);
    const double compute_us = l->cycles * r->us_per_cycle;
    double always_us = s->instruction_bytes * r->in_us_per_byte;
    add_boundary(s, op, r, &f, &always_us);
    f.calls = 1;
    f.work_us = compute_us + always_us;
    const double excess = excess_bytes(s, op);
    f.stream_us = fmax(compute_us, stream_bytes * r->stream_us_per_byte) + always_us +
                  excess * r->stream_us_per_byte;
    f.parameter_bytes = (double)l->packed_bytes + excess;
    for (int i = 0; i < ATOLL_FLOOR_PRICES; i++) {
        const double price_us = prices[i] * r->stream_us_per_byte;
        const double saved_us = fmax(0, stream_bytes * r->stream_us_per_byte - compute_us);
        f.stream_at_us[i] =
            f.work_us + fmin(saved_us, price_us * (double)l->packed_bytes) + price_us * excess;
    }
    f.active_mj = (r->compute_mw * compute_us + r->moving_mw * always_us) * 1e-6 +
                  r->mj_per_mac * (double)l->macs;
    f.active_mj = r->powered ? f.active_mj : NO_FLOOR_MJ;
    return f;
}

static struct atoll_floor stage_of(const struct source *s, const struct atoll_board *b,
                                   const struct rates *r, double call_us,
                                   const struct atoll_drive_cost *threaded)
{
    struct atoll_floor f = {.stream_us = s->cache_bytes * r->stream_us_per_byte,
                            .parameter_bytes = s->cache_bytes,
                            .overflow_us = b->stream_us.value};
    for (int i = 0; i < ATOLL_FLOOR_PRICES; i++) {
        f.stream_at_us[i] = prices[i] * f.stream_us;
    }
    /* A stage of CPU operators alone makes no call of a TPU. */
    f.call_us = call_us + s->base_bytes * r->in_us_per_byte;
    f.lock_us = threaded->serial_us.value;
    f.thread_us = threaded->call_us.value;
    f.moving_mj_per_us = r->powered ? r->moving_mw * 1e-6 : 0;
    return f;
}

/* ------------------------------------------------------------------------ the model */

static bool on_array(int32_t code)
{
    return code == ATOLL_OP_CONV_2D || code == ATOLL_OP_DEPTHWISE_CONV_2D ||
           code == ATOLL_OP_TRANSPOSE_CONV;
}

/* The most that a segment keeps. Without convolutions it may keep more than with them, which counts
 * only where it holds so much. */
static void find_cache(struct source *s)
{
    const double array_bytes = atoll_cost_most_kept_bytes(s->cost, true, false);
    const double other_bytes = atoll_cost_most_kept_bytes(s->cost, false, false);
    const double image_bytes = atoll_cost_most_kept_bytes(s->cost, true, true);
    double held_bytes = 0; /* by operators that are no convolutions */
    for (uint32_t i = 0; i < s->p->n_layers; i++) {
        const struct atoll_layer *l = &s->p->layers[i];
        held_bytes += on_array(s->m->ops[l->op].code) ? 0 : (double)l->packed_bytes;
    }
    s->cache_bytes = held_bytes > array_bytes ? fmax(array_bytes, other_bytes) : array_bytes;
    s->image_excess_bytes = held_bytes > image_bytes ? 0 : fmax(0, s->cache_bytes - image_bytes);
}

/* A program has so many bytes of instructions, and so many more for each operator at least; of a
 * chip that fetches them itself none go before it starts. */
static void find_instructions(struct source *s, const struct atoll_board *b)
{
    double least = INFINITY;
    for (uint32_t v = 0; v < s->m->n_ops; v++) {
        least = on_cpu(s, v) ? least : fmin(least, (double)s->alone[v].instruction_bytes);
    }
    s->base_bytes = floor(atoll_cost_constant(s->cost, "instruction_base_bytes"));
    s->instruction_bytes = isfinite(least) ? fmax(0, least - s->base_bytes) : 0;
    if (atoll_board_sent_bytes(b, 0, 1) == 0) {
        s->base_bytes = s->instruction_bytes = 0;
    }
}

static int cost_alone(struct atoll__planner *pl, struct source *s, struct atoll_err *err)
{
    const struct atoll_plan_request *q = pl->request;
    int rc = 0;
    for (uint32_t v = 0; v < s->m->n_ops && rc == 0; v++) {
        rc = atoll_cost_stage(s->cost, q->board, &q->use, &v, 1, &s->alone[v], err);
    }
    for (uint32_t i = 0; i < s->p->n_layers && rc == 0; i++) {
        const struct atoll_layer *l = &s->p->layers[i];
        s->layer[l->op] = l->kind == ATOLL_BOUND_CPU ? NULL : l;
    }
    return rc;
}

/* Of two floors the smaller in every time, so that it holds for both figures. Energy belongs to
 * the service. */
static struct atoll_floor lesser(const struct atoll_floor *service,
                                 const struct atoll_floor *latency)
{
    struct atoll_floor f = {
        .work_us = fmin(service->work_us, latency->work_us),
        .stream_us = fmin(service->stream_us, latency->stream_us),
        .active_mj = service->active_mj,
        .parameter_bytes = service->parameter_bytes,
        .output_us = fmin(service->output_us, latency->output_us),
        .input_us = fmin(service->input_us, latency->input_us),
        .calls = service->calls,
        .call_us = fmin(service->call_us, latency->call_us),
        .overflow_us = service->overflow_us,
        .lock_us = service->lock_us,
        .thread_us = service->thread_us,
    };
    for (int i = 0; i < ATOLL_FLOOR_PRICES; i++) {
        f.stream_at_us[i] = fmin(service->stream_at_us[i], latency->stream_at_us[i]);
    }
    return f;
}

static void fill_floors(struct atoll__planner *pl, const struct source *s,
                        struct atoll__plan_floors *f)
{
    const struct atoll_plan_request *q = pl->request;
    const enum atoll_drive drives[] = {
        [ATOLL__FLOOR_SERVICE] = ATOLL_DRIVE_THREADED, [ATOLL__FLOOR_LATENCY] = ATOLL_DRIVE_CALLED};
    for (int k = ATOLL__FLOOR_SERVICE; k < ATOLL__FLOOR_KINDS; k++) {
        const struct rates r = rates_of(q->board, &q->use, drives[k]);
        for (uint32_t v = 0; v < s->m->n_ops; v++) {
            f->ops[k][v] = floor_of(s, v, &r);
        }
        f->stage[k] = stage_of(s, q->board, &r,
                               atoll_board_drive(q->board, &q->use, drives[k])->call_us.value,
                               atoll_board_drive(q->board, &q->use, ATOLL_DRIVE_THREADED));
    }
    for (uint32_t v = 0; v < s->m->n_ops; v++) {
        f->ops[ATOLL__FLOOR_LATENCY][v].active_mj = f->ops[ATOLL__FLOOR_SERVICE][v].active_mj;
        f->ops[ATOLL__FLOOR_BOTH][v] =
            lesser(&f->ops[ATOLL__FLOOR_SERVICE][v], &f->ops[ATOLL__FLOOR_LATENCY][v]);
    }
    f->stage[ATOLL__FLOOR_BOTH] =
        lesser(&f->stage[ATOLL__FLOOR_SERVICE], &f->stage[ATOLL__FLOOR_LATENCY]);
    f->stage[ATOLL__FLOOR_LATENCY].moving_mj_per_us = 0;
}

static int make_floors(struct atoll__planner *pl, uint32_t model, const struct atoll_program *p,
                       struct atoll_err *err)
{
    struct source s = {.m = pl->views[model].model, .cost = pl->request->models[model], .p = p};
    const size_t n = s.m->n_ops;
    struct atoll__plan_floors *f = &pl->floors[model];
    for (int k = 0; k < ATOLL__FLOOR_KINDS; k++) {
        f->ops[k] = atoll_calloc(n + 1, sizeof *f->ops[k]);
    }
    s.alone = atoll_calloc(n + 1, sizeof *s.alone);
    s.layer = atoll_calloc(n + 1, sizeof *s.layer);
    int rc = 0;
    if (!f->ops[0] || !f->ops[1] || !f->ops[2] || !s.alone || !s.layer) {
        rc = atoll_fail_nomem(err, "operator floors", n * sizeof *s.alone);
    }
    rc = rc == 0 ? cost_alone(pl, &s, err) : rc;
    if (rc == 0) {
        find_cache(&s);
        find_instructions(&s, pl->request->board);
        fill_floors(pl, &s, f);
    }
    atoll_free(s.layer);
    atoll_free(s.alone);
    return rc;
}

int atoll__planner_floors(struct atoll__planner *pl, uint32_t model, struct atoll_err *err)
{
    const struct atoll_oracle *own = pl->request->oracle;
    if ((own && (own->floor || !(own->floor_frac > 0))) || pl->floors[model].ops[0]) {
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
    code = make_floors(pl, model, &p, err);
    atoll_program_finish(&p);
    return code;
}
