/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Strategy `exact` on several models with rates, and on limits and mixes of objectives, against
 * brute force: random chains and graphs with random costs, a host lock, threads, a shared link, a
 * price of streams side by side, and reloads. Brute force looks at every way to give each model one
 * pipeline of its own or to put models on the same TPUs, in turns or compiled together. The seed is
 * printed; ATOLL_SEED repeats one.
 */
#include "../../unit/plan/plan_fixture.h"

#include <stdlib.h>

#define MODELS 3
#define OPS_MAX 3
#define TPUS_MAX 4
#define PIPES_MAX 4000
#define MIB 1048576.0

struct net {
    uint32_t n;
    uint32_t preds[OPS_MAX]; ///< bit set of the operators that each one reads
    double compute_us[OPS_MAX], weight[OPS_MAX];
    double rate_hz, deadline_us;
    struct atoll_model *model;
    struct atoll_cost *cost;
};

struct world {
    uint32_t n_nets, tpus;
    struct net nets[MODELS];
    double cap, spill_us, host_us, lock_us, cpu_us, bytes, load_us;
    double max_w, utilisation;
    bool rated, resident, by_worst, together;
    struct atoll_board board;
};

/* A stage with `cap` of the cache. */
static void cost_in(const struct world *w, double cap, uint32_t model, const uint32_t *ops,
                    uint32_t n, struct atoll_stage_cost *out)
{
    const struct net *net = &w->nets[model];
    double kept = 0, t = w->host_us;
    uint32_t in = 0;
    *out = (struct atoll_stage_cost){.serial_us = w->lock_us, .input_bytes = (uint64_t)w->bytes};
    for (uint32_t i = 0; i < n; i++) {
        in |= 1u << ops[i];
    }
    for (uint32_t v = 0; v < net->n; v++) {
        const bool fits = kept + net->weight[v] <= cap;
        if (in >> v & 1) {
            kept += fits ? net->weight[v] : 0;
            t += net->compute_us[v] + (fits ? 0 : net->weight[v] * w->spill_us);
            out->off_chip_bytes += fits ? 0 : (uint64_t)net->weight[v];
        }
    }
    out->on_chip_bytes = (uint64_t)kept;
    out->load_us = kept > 0 ? w->load_us + kept : 0;
    out->cpu_us = w->cpu_us;
    out->service_us = t;
    out->latency_us = t + 0.5;
    out->active_mj = 0.001 * t + 0.003 * (n % 3);
}

static int world_stage(void *user, uint32_t model, const uint32_t *ops, uint32_t n,
                       struct atoll_stage_cost *out, struct atoll_err *err)
{
    const struct world *w = user;
    (void)err;
    cost_in(w, w->cap, model, ops, n, out);
    return 0;
}

/* Compiled together: the first takes what it needs of the cache, the next of what is left. */
static int world_together(void *user, const uint32_t *models, uint32_t n,
                          struct atoll_stage_cost *out, struct atoll_err *err)
{
    static const uint32_t ops[OPS_MAX] = {0, 1, 2};
    const struct world *w = user;
    double room = w->cap;
    (void)err;
    for (uint32_t i = 0; i < n; i++) {
        cost_in(w, room, models[i], ops, w->nets[models[i]].n, &out[i]);
        room -= (double)out[i].on_chip_bytes;
    }
    return 0;
}

/* Operators that add two earlier tensors; what nobody reads is an output. */
static void make_model(struct net *net, struct atoll_rng *r)
{
    static const float scale = 1.0f;
    static const int64_t zero = 0;
    struct atoll_err err = {0};
    struct atoll_builder *b = NULL;
    assert_int_equal(atoll_builder_create("random", "", &b, &err), 0);
    struct atoll_tensor t = {.name = "x", .type = ATOLL_TYPE_INT8, .rank = 2, .shape = {1, 16}};
    t.quant = (struct atoll_quant){.scale = &scale, .zero_point = &zero, .n = 1};
    int32_t made[OPS_MAX + 1], outputs[OPS_MAX];
    uint32_t read = 0, n_outputs = 0;
    const bool chain = atoll_rng_below(r, 2) == 0;
    made[0] = atoll_builder_tensor(b, &t, true, &err);
    for (uint32_t v = 0; v < net->n; v++) {
        char name[16];
        const uint32_t a = chain ? v : (uint32_t)atoll_rng_below(r, v + 1);
        const uint32_t c = chain ? v : (uint32_t)atoll_rng_below(r, v + 1);
        snprintf(name, sizeof name, "y%u", v);
        t.name = name;
        made[v + 1] = atoll_builder_tensor(b, &t, true, &err);
        const int32_t in[2] = {made[a], made[c]};
        const struct atoll_op op = {.code = ATOLL_OP_ADD,
                                    .inputs = in,
                                    .n_inputs = 2,
                                    .outputs = &made[v + 1],
                                    .n_outputs = 1,
                                    .attr = atoll_op_attr_default()};
        assert_true(atoll_builder_op(b, &op, &err) >= 0);
        net->preds[v] = (a > 0 ? 1u << (a - 1) : 0) | (c > 0 ? 1u << (c - 1) : 0);
        read |= net->preds[v];
    }
    for (uint32_t v = 0; v < net->n; v++) {
        if (!(read >> v & 1)) {
            outputs[n_outputs++] = made[v + 1];
        }
    }
    if (atoll_builder_finish(&b, made, 1, outputs, n_outputs, &net->model, &err)) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(atoll_cost_open(net->model, ATOLL_COMPILER_V16, &net->cost, &err), 0);
}

static void make_world(struct world *w, struct atoll_rng *r)
{
    memset(w, 0, sizeof *w);
    w->n_nets = 1 + (uint32_t)atoll_rng_below(r, MODELS);
    w->tpus = 1 + (uint32_t)atoll_rng_below(r, TPUS_MAX);
    w->board = free_board(TPUS_MAX);
    w->board.host_threads = 1 + (uint32_t)atoll_rng_below(r, 4);
    w->board.board_mw.value = (double)atoll_rng_below(r, 1000);
    w->board.transfer_mw.value = 100 + (double)atoll_rng_below(r, 1000);
    w->board.shared_link_mib_per_s.value = atoll_rng_below(r, 2) ? 0 : 1000;
    w->board.drive[1][ATOLL_DRIVE_THREADED].copy_interval_us.value = (double)atoll_rng_below(r, 4);
    w->cap = (double)atoll_rng_below(r, 12);
    w->spill_us = (double)atoll_rng_below(r, 6);
    w->host_us = 1 + (double)atoll_rng_below(r, 5);
    w->load_us = (double)atoll_rng_below(r, 20);
    const bool shared = atoll_rng_below(r, 2) == 0;
    w->lock_us = shared ? (double)atoll_rng_below(r, 4) : 0;
    w->cpu_us = shared ? (double)atoll_rng_below(r, 8) : 0;
    w->bytes = shared ? (double)atoll_rng_below(r, 4000) : 0;
    w->rated = atoll_rng_below(r, 4) != 0 || w->n_nets > 1;
    w->by_worst = atoll_rng_below(r, 2) == 0;
    w->together = atoll_rng_below(r, 2) == 0;
    w->resident = atoll_rng_below(r, 6) == 0;
    w->utilisation = 0.5 + 0.1 * (double)atoll_rng_below(r, 6);
    const bool deadline = atoll_rng_below(r, 4) == 0;
    for (uint32_t i = 0; i < w->n_nets; i++) {
        struct net *net = &w->nets[i];
        net->n = 1 + (uint32_t)atoll_rng_below(r, OPS_MAX);
        for (uint32_t v = 0; v < net->n; v++) {
            net->compute_us[v] = (double)atoll_rng_below(r, 20);
            net->weight[v] = (double)atoll_rng_below(r, 5);
        }
        net->rate_hz = w->rated ? 1000 + (double)atoll_rng_below(r, 30000) : 1;
        net->deadline_us = deadline ? 10 + (double)atoll_rng_below(r, 60) : INFINITY;
        make_model(net, r);
    }
    const double idle_w = (w->board.board_mw.value + 100 * TPUS_MAX) / 1e3;
    w->max_w = atoll_rng_below(r, 5) == 0 && w->rated ? idle_w + 2 * atoll_rng_unit(r) : 0;
}

/* ----------------------------------------------------------------- brute force */

/** A block: a pipeline of one model, or models on the same TPUs. */
struct block {
    uint32_t models, tpus, streams, n_stages, replicas[TPUS_MAX];
    double service_us[TPUS_MAX]; ///< of stages; of a group: busy time per second without copies
    double hz, lock, threads, link, active_mw, latency_hz, worst_us;
    bool streamed, late, group;
};

static struct block blocks[MODELS][PIPES_MAX];
static uint32_t n_blocks[MODELS];

static void count_in(const struct world *w, uint32_t model, const struct atoll_stage_cost *c,
                     double reload_hz, struct block *b)
{
    const double hz = w->nets[model].rate_hz, mib_per_s = w->board.shared_link_mib_per_s.value;
    b->lock += hz * c->serial_us * 1e-6;
    b->threads += hz * c->cpu_us * 1e-6 / w->board.host_threads;
    if (mib_per_s > 0) {
        const double bytes = (double)c->input_bytes + (double)c->off_chip_bytes;
        b->link += (hz * bytes + reload_hz * (double)c->on_chip_bytes) / MIB / mib_per_s;
    }
    const double reload_mj = (w->board.transfer_mw.value - 100) * c->load_us * 1e-6;
    b->active_mw += hz * c->active_mj + reload_hz * reload_mj;
    b->latency_hz += hz * c->latency_us + reload_hz * c->load_us;
    b->streamed = b->streamed || c->off_chip_bytes > 0;
}

static void list_pipes(const struct world *w, uint32_t model, uint32_t set,
                       const struct block *so_far)
{
    const struct net *net = &w->nets[model];
    const uint32_t all = (1u << net->n) - 1;
    if (set == all) {
        struct block *b = &blocks[model][n_blocks[model]++];
        assert_true(n_blocks[model] < PIPES_MAX);
        *b = *so_far;
        b->late = b->worst_us > net->deadline_us;
        return;
    }
    for (uint32_t add = 1; add <= all; add++) {
        uint32_t ops[OPS_MAX], n = 0;
        bool closed = (add & set) == 0;
        for (uint32_t v = 0; v < net->n && closed; v++) {
            if (add >> v & 1) {
                ops[n++] = v;
                closed = (net->preds[v] & ~(set | add)) == 0;
            }
        }
        for (uint32_t r = 1; closed && so_far->tpus + r <= w->tpus; r++) {
            struct atoll_stage_cost c;
            world_stage((void *)(uintptr_t)w, model, ops, n, &c, NULL);
            struct block next = *so_far;
            next.service_us[next.n_stages] = c.service_us;
            next.replicas[next.n_stages++] = r;
            next.tpus += r;
            next.streams = r > next.streams ? r : next.streams;
            next.worst_us += c.latency_us;
            count_in(w, model, &c, 0, &next);
            list_pipes(w, model, set | add, &next);
        }
    }
}

/* A group on 1, 2, ... TPUs; groups are listed under their first model. */
static void list_copies(const struct world *w, uint32_t first, const struct block *group)
{
    struct block b = *group;
    for (uint32_t r = 1; r <= w->tpus; r++) {
        b.tpus = b.streams = b.replicas[0] = r;
        blocks[first][n_blocks[first]++] = b;
    }
}

/* Models that take turns. */
static void list_groups(const struct world *w, uint32_t set)
{
    uint32_t first = 0;
    struct block b = {.models = set, .group = true};
    double hz = 0;
    while (!(set >> first & 1)) {
        first++;
    }
    for (uint32_t m = 0; m < w->n_nets; m++) {
        hz += set >> m & 1 ? w->nets[m].rate_hz : 0;
    }
    for (uint32_t m = 0; m < w->n_nets; m++) {
        static const uint32_t ops[OPS_MAX] = {0, 1, 2};
        const struct net *net = &w->nets[m];
        struct atoll_stage_cost c;
        if (!(set >> m & 1)) {
            continue;
        }
        world_stage((void *)(uintptr_t)w, m, ops, net->n, &c, NULL);
        const double reload_hz = fmin(net->rate_hz, hz - net->rate_hz);
        b.service_us[0] += net->rate_hz * c.service_us + reload_hz * c.load_us;
        b.hz += net->rate_hz;
        b.late = b.late || c.latency_us + c.load_us > net->deadline_us;
        b.worst_us = fmax(b.worst_us, c.latency_us + c.load_us);
        count_in(w, m, &c, reload_hz, &b);
    }
    list_copies(w, first, &b);
}

/* Every order of the models of a set, compiled together. */
static void list_teams(const struct world *w, uint32_t set, uint32_t *order, uint32_t n)
{
    uint32_t left = set;
    for (uint32_t i = 0; i < n; i++) {
        left &= ~(1u << order[i]);
    }
    for (uint32_t m = 0; m < w->n_nets; m++) {
        if (left >> m & 1) {
            order[n] = m;
            list_teams(w, set, order, n + 1);
        }
    }
    if (left) {
        return;
    }
    struct atoll_stage_cost c[MODELS];
    struct block b = {.models = set, .group = true};
    uint32_t first = MODELS;
    world_together((void *)(uintptr_t)w, order, n, c, NULL);
    for (uint32_t i = 0; i < n; i++) {
        const struct net *net = &w->nets[order[i]];
        first = order[i] < first ? order[i] : first;
        b.service_us[0] += net->rate_hz * c[i].service_us;
        b.hz += net->rate_hz;
        b.late = b.late || c[i].latency_us > net->deadline_us;
        b.worst_us = fmax(b.worst_us, c[i].latency_us);
        count_in(w, order[i], &c[i], 0, &b);
    }
    list_copies(w, first, &b);
}

struct figures {
    double full, energy_mj, watt, latency_us;
};

static struct figures judge(const struct world *w, const struct block *const *set, uint32_t n)
{
    double streams = 0, full = 0, lock = 0, threads = 0, link = 0, active = 0, hz = 0;
    double latency_hz = 0, worst_us = 0;
    for (uint32_t i = 0; i < n; i++) {
        streams += set[i]->streams;
    }
    const double copies_us =
        w->board.drive[1][ATOLL_DRIVE_THREADED].copy_interval_us.value * (streams - 1);
    for (uint32_t i = 0; i < n; i++) {
        const struct block *b = set[i];
        if (b->group) {
            full = fmax(full, (b->service_us[0] + b->hz * copies_us) / b->tpus * 1e-6);
        }
        for (uint32_t s = 0; s < b->n_stages; s++) {
            full = fmax(full, b->hz * (b->service_us[s] + copies_us) / b->replicas[s] * 1e-6);
        }
        lock += b->lock;
        threads += b->threads;
        link += b->link;
        active += b->active_mw;
        latency_hz += b->latency_hz;
        worst_us = fmax(worst_us, b->worst_us);
        hz += b->hz;
    }
    full = fmax(fmax(full, lock), fmax(threads, link));
    const double waiting_mw =
        atoll_board_idle_tpu_mw(&w->board).value * w->board.n_tpus + w->board.board_mw.value;
    const double mw = w->rated ? waiting_mw + active : waiting_mw + active / full;
    return (struct figures){.full = full,
                            .watt = mw / 1e3,
                            .energy_mj = w->rated ? mw / hz : active + waiting_mw * full,
                            .latency_us =
                                w->by_worst || w->n_nets == 1 ? worst_us : latency_hz / hz};
}

static double value_of(const struct figures *f, enum atoll_objective o)
{
    return o == ATOLL_OBJECTIVE_LATENCY  ? f->latency_us
           : o == ATOLL_OBJECTIVE_ENERGY ? f->energy_mj
                                         : f->full;
}

/* Smallest value of each objective, and of `then` among those within `limit` of `first`. */
struct best {
    double value[3];
    enum atoll_objective first, then;
    double limit, then_value;
    const struct atoll_front *front; ///< of which a plan must be as good as every plan; NULL
};

static struct figures figures_of(const struct world *w, const struct atoll_plan *p);

static bool front_covers(const struct world *w, const struct atoll_front *front,
                         const struct figures *f)
{
    bool covered = false;
    for (uint32_t i = 0; i < front->n_plans && !covered; i++) {
        const struct figures x = figures_of(w, front->plans[i]);
        covered = true;
        for (int o = 0; o < 3; o++) {
            covered = covered && value_of(&x, (enum atoll_objective)o) <=
                                     value_of(f, (enum atoll_objective)o) * (1 + 1e-8);
        }
    }
    return covered;
}

static void place_rest(const struct world *w, const struct block **set, uint32_t n, uint32_t placed,
                       uint32_t tpus, struct best *best)
{
    if (placed + 1 == 1u << w->n_nets) {
        const struct figures f = judge(w, set, n);
        if ((w->rated && f.full > w->utilisation * (1 + 1e-12)) ||
            (w->max_w > 0 && f.watt > w->max_w)) {
            return;
        }
        for (int o = 0; o < 3; o++) {
            best->value[o] = fmin(best->value[o], value_of(&f, (enum atoll_objective)o));
        }
        if (best->front && !front_covers(w, best->front, &f)) {
            fail_msg("a plan of %g us, load %g, %g mJ is not covered by the front of %u plans",
                     f.latency_us, f.full, f.energy_mj, best->front->n_plans);
        }
        if (value_of(&f, best->first) <= best->limit) {
            best->then_value = fmin(best->then_value, value_of(&f, best->then));
        }
        return;
    }
    uint32_t m = 0;
    while (placed >> m & 1) {
        m++;
    }
    for (uint32_t i = 0; i < n_blocks[m]; i++) {
        const struct block *b = &blocks[m][i];
        if (tpus + b->tpus <= w->tpus && !(b->models & placed) && !b->late &&
            !(w->resident && b->streamed)) {
            set[n] = b;
            place_rest(w, set, n + 1, placed | b->models, tpus + b->tpus, best);
        }
    }
}

static void brute_force(const struct world *w, struct best *best)
{
    const struct block *set[MODELS];
    place_rest(w, set, 0, 0, 0, best);
}

static void list_blocks(const struct world *w)
{
    memset(n_blocks, 0, sizeof n_blocks);
    for (uint32_t m = 0; m < w->n_nets; m++) {
        const struct block empty = {.models = 1u << m, .hz = w->nets[m].rate_hz};
        list_pipes(w, m, 0, &empty);
    }
    for (uint32_t set = 1; set < 1u << w->n_nets; set++) {
        if (set & (set - 1)) {
            uint32_t order[MODELS];
            list_groups(w, set);
            if (w->together) {
                list_teams(w, set, order, 0);
            }
        }
    }
}

/* ----------------------------------------------------------------------- solved */

/** A request and what it borrows. */
struct asked {
    const struct atoll_cost *models[MODELS];
    double rates_hz[MODELS], deadlines_us[MODELS];
    struct atoll_oracle oracle;
    struct atoll_plan_request q;
};

static void ask(struct world *w, struct asked *a)
{
    a->oracle = (struct atoll_oracle){
        .stage = world_stage, .together = w->together ? world_together : NULL, .user = w};
    struct atoll_plan_request q = atoll_plan_request_default();
    for (uint32_t i = 0; i < w->n_nets; i++) {
        a->models[i] = w->nets[i].cost;
        a->rates_hz[i] = w->nets[i].rate_hz;
        a->deadlines_us[i] = isfinite(w->nets[i].deadline_us) ? w->nets[i].deadline_us : 0;
    }
    q.models = a->models;
    q.n_models = w->n_nets;
    q.board = &w->board;
    q.tpus = w->tpus;
    q.strategy = "exact";
    q.oracle = &a->oracle;
    q.rates_hz = w->rated ? a->rates_hz : NULL;
    q.deadlines_us = a->deadlines_us;
    q.utilisation_max_frac = w->utilisation;
    q.max_w = w->max_w;
    q.resident = w->resident;
    q.by_worst = w->by_worst;
    a->q = q;
}

static struct atoll_plan *solve(struct world *w, enum atoll_objective o,
                                const enum atoll_objective *then, double tolerance)
{
    struct asked a;
    ask(w, &a);
    a.q.objective = o;
    if (then) {
        a.q.then[a.q.n_then++] = *then;
        a.q.tolerance_frac = tolerance;
    }
    struct atoll_err err = {0};
    struct atoll_plan *p = NULL;
    if (atoll_plan_solve(&a.q, &p, &err)) {
        fail_msg("%s", err.text);
    }
    return p;
}

static struct figures figures_of(const struct world *w, const struct atoll_plan *p)
{
    return (struct figures){.full = w->rated ? w->utilisation / p->headroom : p->interval_us * 1e-6,
                            .energy_mj = p->energy_mj,
                            .watt = p->power_w,
                            .latency_us = w->by_worst || w->n_nets == 1 ? p->latency_worst_us
                                                                        : p->latency_mean_us};
}

/* A model with unlike pipelines is beyond what brute force looks at. */
static bool has_unlike(const struct atoll_plan *p)
{
    for (uint32_t i = 1; i < p->n_pipelines; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (p->pipelines[i].model == p->pipelines[k].model) {
                return true;
            }
        }
    }
    return false;
}

static void check(int round, const struct world *w, const char *what, const struct atoll_plan *p,
                  enum atoll_objective o, double expected)
{
    if (p->skipped) {
        if (isfinite(expected)) {
            fail_msg("round %d, %s: none, brute force %.12g: %s", round, what, expected,
                     p->skipped);
        }
        return;
    }
    const struct figures f = figures_of(w, p);
    const double found = value_of(&f, o);
    if (found > expected * (1 + 1e-9) || (found < expected * (1 - 1e-9) && !has_unlike(p))) {
        fail_msg("round %d, %s of %u models on %u TPUs: %.12g, brute force %.12g", round, what,
                 w->n_nets, w->tpus, found, expected);
    }
    if ((w->rated && p->headroom < 1 - 1e-9) || p->tpus_used > w->tpus) {
        fail_msg("round %d, %s: headroom %g, %u TPUs", round, what, p->headroom, p->tpus_used);
    }
}

/* Every plan has one on the front that is as good in everything. */
static uint32_t check_front(struct world *w, struct best *best)
{
    struct asked a;
    struct atoll_err err = {0};
    struct atoll_front f = {.n_plans = 0};
    ask(w, &a);
    const int code = atoll_plan_front(&a.q, &f, &err);
    if (code && code != ATOLL_ENO) {
        fail_msg("%s", err.text);
    }
    assert_true(code == ATOLL_ENO || f.complete);
    best->front = &f;
    brute_force(w, best);
    best->front = NULL;
    const uint32_t n = f.n_plans;
    atoll_front_finish(&f);
    return n;
}

static void equals_brute_force(void **state)
{
    (void)state;
    const char *given = getenv("ATOLL_SEED");
    const uint64_t seed = given ? strtoull(given, NULL, 10) : 20261125;
    print_message("seed %llu\n", (unsigned long long)seed);
    struct atoll_rng r;
    atoll_rng_seed(&r, seed);
    uint32_t feasible = 0, shared = 0, proven = 0, solved = 0, on_fronts = 0, together = 0;
    for (int round = 0; round < 1000; round++) {
        struct world w;
        make_world(&w, &r);
        list_blocks(&w);
        struct best best = {.value = {INFINITY, INFINITY, INFINITY}, .limit = -1};
        brute_force(&w, &best);
        for (int o = 0; o < 3; o++) {
            struct atoll_plan *p = solve(&w, (enum atoll_objective)o, NULL, 0);
            check(round, &w, atoll_objective_name((enum atoll_objective)o), p,
                  (enum atoll_objective)o, best.value[o]);
            if (!p->skipped) {
                const double scale = o != ATOLL_OBJECTIVE_THROUGHPUT ? 1
                                     : w.n_nets == 1 && !w.rated     ? 1e6
                                                                     : 0;
                solved++;
                proven += p->gap_frac <= 1e-9;
                shared += p->pipelines[0].sharing == ATOLL_SHARING_RELOAD;
                together += p->pipelines[0].sharing == ATOLL_SHARING_CO_COMPILED;
                if (scale > 0 && !has_unlike(p) &&
                    p->lower_bound > best.value[o] * scale * (1 + 1e-9)) {
                    fail_msg("round %d: bound %g, brute force %g", round, p->lower_bound,
                             best.value[o] * scale);
                }
            }
            atoll_plan_close(&p);
        }
        feasible += isfinite(best.value[0]) ? 1 : 0;
        best.first = (enum atoll_objective)atoll_rng_below(&r, 3);
        best.then = (enum atoll_objective)((best.first + 1 + atoll_rng_below(&r, 2)) % 3);
        const double tolerance = 0.05 * (double)atoll_rng_below(&r, 4);
        best.limit = best.value[best.first] * (1 + tolerance) * (1 + 1e-12);
        best.then_value = INFINITY;
        brute_force(&w, &best);
        struct atoll_plan *p = solve(&w, best.first, &best.then, tolerance);
        if (!p->skipped && !has_unlike(p)) {
            check(round, &w, "one after the other", p, best.then, best.then_value);
        }
        atoll_plan_close(&p);
        on_fronts += round % 4 == 0 ? check_front(&w, &best) : 0;
        for (uint32_t i = 0; i < w.n_nets; i++) {
            atoll_cost_close(&w.nets[i].cost);
            atoll_model_close(&w.nets[i].model);
        }
    }
    print_message(
        "%u of 1000 feasible, %u of %u plans proven, %u take turns, %u compiled together, "
        "%u on 250 fronts\n",
        feasible, proven, solved, shared, together, on_fronts);
    assert_true(on_fronts > 100 && feasible > 300 && feasible < 1000 && shared > 50 &&
                together > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(equals_brute_force)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
