/* SPDX-License-Identifier: Apache-2.0 */
/* Solving one request. */
#include "plan_internal.h"

#include <math.h>
#include <string.h>

const char *atoll_objective_name(enum atoll_objective o)
{
    static const char *const names[] = {"latency", "throughput", "energy"};
    return (unsigned)o < 3 ? names[o] : "?";
}

const char *atoll_sharing_name(enum atoll_sharing s)
{
    static const char *const names[] = {"own", "reload", "co_compiled"};
    return (unsigned)s < 3 ? names[s] : "?";
}

struct atoll_plan_request atoll_plan_request_default(void)
{
    return (struct atoll_plan_request){.tpus = 1,
                                       .strategy = "single",
                                       .objective = ATOLL_OBJECTIVE_LATENCY,
                                       .utilisation_max_frac = 0.9};
}

/* The strategy of a text and the argument behind its colon. */
static const struct atoll__plan_strategy *find_strategy(const char *text, const char **argument)
{
    for (const struct atoll__plan_strategy *s = atoll__plan_strategies; s->name; s++) {
        const size_t n = strlen(s->name);
        if (strncmp(text, s->name, n) != 0) {
            continue;
        }
        if (text[n] == ':' && s->argument != ATOLL__ARGUMENT_NONE) {
            *argument = text + n + 1;
            return s;
        }
        if (text[n] == '\0' && s->argument != ATOLL__ARGUMENT_PARTS) {
            *argument = text + n;
            return s;
        }
    }
    return NULL;
}

bool atoll_plan_strategy_known(const char *text)
{
    const char *argument = NULL;
    const struct atoll__plan_strategy *s = find_strategy(text, &argument);
    uint32_t parts[ATOLL_TPUS_MAX], n;
    if (s && s->argument == ATOLL__ARGUMENT_PARTS) {
        return atoll__plan_parse_parts(argument, parts, &n, NULL) == 0;
    }
    bool known = s && !*argument;
    for (int o = 0; s && o < 3; o++) {
        known = known || strcmp(argument, atoll_objective_name((enum atoll_objective)o)) == 0;
    }
    return known;
}

int atoll__plan_request_check(const struct atoll_plan_request *r, struct atoll_err *err)
{
    if (r->n_models == 0 || !r->board) {
        return atoll_fail(err, ATOLL_EUSAGE, "a plan needs a model and a board");
    }
    if (r->tpus < 1 || r->tpus > r->board->n_tpus) {
        return atoll_fail(err, ATOLL_EUSAGE, "%u TPUs asked for, board %s has %u", r->tpus,
                          r->board->name, r->board->n_tpus);
    }
    if (r->n_models > ATOLL_TPUS_MAX) {
        return atoll_fail(err, ATOLL_EUSAGE, "%u models, at most %u fit a plan", r->n_models,
                          ATOLL_TPUS_MAX);
    }
    return atoll__plan_limits_check(r, err);
}

static int check_strategy(const char *strategy, struct atoll_err *err)
{
    const char *argument;
    if (strategy && find_strategy(strategy, &argument)) {
        return 0;
    }
    return atoll_fail(
        err, ATOLL_EUSAGE,
        "strategy \"%s\" is not known (known: single, replicas, vendor, "
        "partition:A+B+..., smallest_resident, exact, apart, cuts, libcoral_profiled, "
        "depth_balanced, replicated_bottleneck)",
        strategy ? strategy : "");
}

/* Strings and models of a plan live in its arena, so that a plan outlives its request. */
static int fill_header(struct atoll__planner *pl, struct atoll_plan *p, const char *strategy,
                       uint32_t tpus, struct atoll_err *err)
{
    const struct atoll_plan_request *r = pl->request;
    const char *argument;
    p->strategy = atoll_arena_strndup(p->arena, strategy, strlen(strategy));
    p->rule_of = find_strategy(strategy, &argument)->rule_of;
    p->board = atoll_arena_strndup(p->arena, r->board->name, strlen(r->board->name));
    p->models = atoll_arena_array(p->arena, r->n_models, sizeof *p->models);
    if (!p->strategy || !p->board || !p->models) {
        return atoll_fail_nomem(err, "a plan's header", r->n_models * sizeof *p->models);
    }
    p->tpus = tpus;
    p->objective = r->objective;
    p->use.clock = r->use.clock == ATOLL_CLOCK_DEFAULT ? r->board->clock : r->use.clock;
    p->use.runner = r->use.runner == ATOLL_RUNNER_DEFAULT ? r->board->runner : r->use.runner;
    p->n_models = r->n_models;
    p->n_then = r->n_then;
    memcpy(p->then, r->then, sizeof p->then);
    p->tolerance_frac = r->tolerance_frac;
    p->max_w = r->max_w;
    p->min_rate_hz = r->min_rate_hz;
    p->resident = r->resident;
    p->by_worst = r->by_worst;
    p->without = r->without;
    p->utilisation_max_frac = r->rates_hz ? r->utilisation_max_frac : NAN;
    for (uint32_t i = 0; i < r->n_models; i++) {
        const char *path = pl->views[i].model->path;
        p->models[i].path = atoll_arena_strndup(p->arena, path, strlen(path));
        if (!p->models[i].path) {
            return atoll_fail_nomem(err, "a model's path", strlen(path));
        }
        p->models[i].rate_hz = r->rates_hz ? r->rates_hz[i] : NAN;
        p->models[i].capacity_hz = NAN;
        p->models[i].deadline_us =
            r->deadlines_us && r->deadlines_us[i] > 0 ? r->deadlines_us[i] : NAN;
        p->models[i].latency_us = p->models[i].latency_worst_us = NAN;
        memcpy(p->models[i].sha256, pl->sha256[i], sizeof pl->sha256[i]);
    }
    return 0;
}

/* A strategy that does not apply leaves a plan without pipelines and the reason. */
static int skip(struct atoll_plan *p, const char *why, struct atoll_err *err)
{
    p->n_pipelines = 0;
    p->pipelines = NULL;
    p->tpus_used = 0;
    p->skipped = atoll_arena_strndup(p->arena, why, strlen(why));
    return p->skipped ? 0 : atoll_fail_nomem(err, "a reason", strlen(why));
}

int atoll__plan_end(struct atoll__planner *pl, struct atoll_plan *p, struct atoll_err *err)
{
    struct atoll__plan_limits limits;
    struct atoll_err why = {0};
    atoll__plan_figures(p, pl->request->board, &limits);
    if (atoll__plan_keeps(p, pl->request, &why)) {
        return skip(p, why.text, err);
    }
    return atoll__plan_explain(p, pl->request->board, &limits, err);
}

static int fill_plan(struct atoll__planner *pl, struct atoll_plan *p, const char *strategy,
                     uint32_t tpus, struct atoll_err *err)
{
    if (pl->deadline_ns && atoll_now_ns() > pl->deadline_ns) {
        return skip(p, "the time limit was reached before this strategy's turn", err);
    }
    const char *argument = NULL;
    struct atoll__plan_draft draft = {.planner = pl, .plan = p, .tpus = tpus};
    struct atoll_err why = {0};
    const int code = find_strategy(strategy, &argument)->fill(&draft, argument, &why);
    if (code == ATOLL_ENO) {
        return skip(p, why.text, err);
    }
    return code ? atoll_fail(err, code, "%s", why.text) : atoll__plan_end(pl, p, err);
}

int atoll__plan_begin(struct atoll__planner *pl, const char *strategy, uint32_t tpus,
                      struct atoll_plan **plan, struct atoll_err *err)
{
    struct atoll_plan *p = NULL;
    int code = check_strategy(strategy, err);
    code = code ? code : atoll__plan_create(&p, err);
    code = code ? code : fill_header(pl, p, strategy, tpus, err);
    if (code) {
        atoll_plan_close(&p);
        return code;
    }
    *plan = p;
    return 0;
}

int atoll__plan_make(struct atoll__planner *pl, const char *strategy, uint32_t tpus,
                     struct atoll_plan **plan, struct atoll_err *err)
{
    struct atoll_plan *p = NULL;
    int code = atoll__plan_begin(pl, strategy, tpus, &p, err);
    code = code ? code : fill_plan(pl, p, strategy, tpus, err);
    if (code) {
        atoll_plan_close(&p);
        return code;
    }
    *plan = p;
    return 0;
}

int atoll_plan_solve(const struct atoll_plan_request *r, struct atoll_plan **plan,
                     struct atoll_err *err)
{
    int code = atoll__plan_request_check(r, err);
    if (!code) {
        code = check_strategy(r->strategy, err);
    }
    struct atoll__planner pl;
    if (!code) {
        code = atoll__planner_init(&pl, r, err);
    }
    if (code) {
        return code;
    }
    struct atoll_plan *p = NULL;
    code = atoll__plan_make(&pl, r->strategy, r->tpus, &p, err);
    if (!code && r->want_next_tpu) {
        code = atoll__plan_explain_next(&pl, p, err);
    }
    atoll__planner_finish(&pl);
    if (code) {
        atoll_plan_close(&p);
        return code;
    }
    *plan = p;
    return 0;
}
