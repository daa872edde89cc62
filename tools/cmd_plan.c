/* SPDX-License-Identifier: Apache-2.0 */
/* atoll plan: which model in which segments on which TPUs. */
#include "plan_checks.h"
#include "plan_options.h"
#include "show_plan.h"

struct plan_opts {
    struct opt_common common;
    struct board_opts board;
    uint64_t tpus; ///< 0: all of the board
    const char *strategy, *cuts, *out;
    unsigned compiler;
    bool compare, pareto;
    struct plan_limits_opts limits;
    double time_limit_s;
    struct plan_checks_opts checks;
};

static const struct opt opts[] = {
    BOARD_OPTS(struct plan_opts),
    {.short_name = 'n',
     .long_name = "tpus",
     .type = OPT_UINT,
     .offset = offsetof(struct plan_opts, tpus),
     .argument = "N",
     .help = "TPUs to use",
     .fallback = "all of the board",
     .example = "atoll plan zoo:resnet50 --tpus 4 --strategy vendor",
     .low = 1,
     .high = ATOLL_TPUS_MAX},
    {.short_name = 's',
     .long_name = "strategy",
     .type = OPT_TEXT,
     .offset = offsetof(struct plan_opts, strategy),
     .argument = "S",
     .help = "single, replicas, vendor (the compiler's cuts), partition:A+B+... (independent "
             "pipelines), smallest_resident (the shortest pipeline that does not stream, "
             "replicated) or exact (the best for the objective, proven or with its gap)",
     .fallback = "the best of all for the objective",
     .example = "atoll plan zoo:resnet50 --strategy partition:4+4"},
    PLAN_LIMITS_OPTS(struct plan_opts),
    {.short_name = 'c',
     .long_name = "compare",
     .type = OPT_FLAG,
     .offset = offsetof(struct plan_opts, compare),
     .help = "Show every strategy and every partition of the TPUs side by side",
     .example = "atoll plan zoo:resnet50 --tpus 8 --compare"},
    {.long_name = "pareto",
     .type = OPT_FLAG,
     .offset = offsetof(struct plan_opts, pareto),
     .help = "Show every plan that no other one beats in latency, throughput and energy together",
     .example = "atoll plan zoo:mobilenet_v2 --tpus 4 --pareto"},
    {.long_name = "cuts",
     .type = OPT_TEXT,
     .offset = offsetof(struct plan_opts, cuts),
     .argument = "I,J,...",
     .help = "One pipeline, cut before operators I, J, ... in the order of the file",
     .example = "atoll plan zoo:mobilenet_v1 --cuts 12,20"},
    COMPILER_OPT(struct plan_opts),
    {.long_name = "time-limit",
     .type = OPT_REAL,
     .offset = offsetof(struct plan_opts, time_limit_s),
     .argument = "SECONDS",
     .help = "Stop searching after this time and keep what was found",
     .fallback = "2 s for exact",
     .low = 0.001,
     .high = 1e6},
    {.short_name = 'o',
     .long_name = "output",
     .type = OPT_TEXT,
     .offset = offsetof(struct plan_opts, out),
     .argument = "FILE",
     .help = "Write the plan, for atoll run and atoll split",
     .example = "atoll plan zoo:resnet50 --tpus 4 -o plan.json"},
    PLAN_CHECKS_OPTS(struct plan_opts),
    OPTS_END,
};
static const struct plan_opts defaults = {.board = {.name = BOARD_DEFAULT},
                                          .checks = PLAN_CHECKS_DEFAULTS};

/* plan.json with what was asked about the plan. */
static json_t *plan_json(const struct plan_checks *k, const struct atoll_comparison *c, uint32_t i)
{
    json_t *j = atoll_plan_to_json(c->plans[i]);
    if (j) {
        plan_checks_json(k, c, i, j);
    }
    return j;
}

static int write_plan(struct call *call, const struct plan_checks *k,
                      const struct atoll_comparison *c, uint32_t i)
{
    const struct plan_opts *o = call->opts;
    size_t n = 0;
    json_t *j = plan_json(k, c, i);
    char *text = j ? atoll_json_text(j, &n) : NULL;
    json_decref(j);
    if (!text) {
        return atoll_fail_nomem(&call->err, "the plan", 0);
    }
    const int code = atoll_write_file(o->out, text, n, &call->err);
    atoll_free(text);
    if (code == 0) {
        out_note(call, "wrote %s: %s\n", o->out, c->plans[i]->strategy);
    }
    return code;
}

/* Prints the chosen plan. One that does not apply is an answer of no. */
static int give_plan(struct call *call, const struct plan_checks *k,
                     const struct atoll_comparison *c)
{
    const uint32_t i = k->chosen < 0 ? 0 : (uint32_t)k->chosen;
    const struct atoll_plan *p = c->plans[i];
    int code = 0;
    if (call->json) {
        code = out_json(call, plan_json(k, c, i));
    } else {
        code = show_plan(p, k->request->board, &call->err);
        show_checks(k, c);
    }
    if (code == 0 && p->skipped) {
        code = atoll_fail(&call->err, ATOLL_ENO, "%s does not apply: %s", p->strategy, p->skipped);
    }
    if (code == 0 && p->headroom < 1 - 1e-9) {
        code = atoll_fail(&call->err, ATOLL_ENO, "%s serves only %.3g of the rates", p->strategy,
                          p->headroom);
    }
    return code;
}

static json_t *best_json(const struct atoll_comparison *c)
{
    json_t *best = json_object();
    for (unsigned o = 0; o < 3; o++) {
        json_object_set_new(best, atoll_objective_name((enum atoll_objective)o),
                            c->best[o] < 0 ? json_null() : json_integer(c->best[o]));
    }
    return best;
}

static int give_comparison(struct call *call, const struct plan_checks *k,
                           const struct atoll_comparison *c)
{
    if (!call->json) {
        int code = show_comparison(c, k->request->board, &call->err);
        if (code == 0 && k->verified) {
            code = show_verified(k, c, &call->err);
        }
        if (code == 0 && k->chosen >= 0 && (k->o->why || k->robust.n_rows || k->measured)) {
            out_text("\nChosen for %s: %s.\n", atoll_objective_name(k->request->objective),
                     c->plans[k->chosen]->strategy);
            show_checks(k, c);
        }
        return code;
    }
    json_t *j = atoll_json_answer("plan");
    json_t *plans = json_array();
    for (uint32_t i = 0; i < c->n_plans; i++) {
        json_array_append_new(plans, plan_json(k, c, i));
    }
    json_object_set_new(j, "origin", json_string("computed"));
    json_object_set_new(j, "plans", plans);
    json_object_set_new(j, "best", best_json(c));
    json_object_set_new(j, "chosen", k->chosen < 0 ? json_null() : json_integer(k->chosen));
    return out_json(call, j);
}

/* Checks, writes and prints what was planned. */
static int give(struct call *call, const struct atoll_plan_request *r,
                const struct atoll_measured *measured, struct atoll_comparison *c)
{
    const struct plan_opts *o = call->opts;
    struct plan_checks k = {.o = NULL};
    int code = plan_checks_run(&o->checks, r, measured, (enum atoll_compiler)o->compiler,
                               o->board.share, c, &k, &call->err);
    if (code == 0 && o->out && k.chosen >= 0) {
        code = write_plan(call, &k, c, (uint32_t)k.chosen);
    }
    if (code == 0 && o->compare) {
        code = give_comparison(call, &k, c);
    } else if (code == 0 && k.chosen < 0 && c->n_plans > 1) {
        code = atoll_fail(&call->err, ATOLL_ENO, "no strategy applies: %s", c->plans[0]->skipped);
    } else if (code == 0) {
        code = give_plan(call, &k, c);
    }
    plan_checks_finish(&k);
    return code;
}

static int pareto(struct call *call, const struct atoll_plan_request *r)
{
    struct atoll_front f = {.n_plans = 0};
    int code = atoll_plan_front(r, &f, &call->err);
    if (code == 0 && call->json) {
        json_t *j = atoll_json_answer("plan");
        json_t *plans = json_array();
        for (uint32_t i = 0; i < f.n_plans; i++) {
            json_array_append_new(plans, atoll_plan_to_json(f.plans[i]));
        }
        json_object_set_new(j, "origin", json_string("computed"));
        json_object_set_new(j, "front", plans);
        json_object_set_new(j, "complete", json_boolean(f.complete));
        code = out_json(call, j);
    } else if (code == 0) {
        code = show_front(&f, r->board, &call->err);
    }
    atoll_front_finish(&f);
    return code;
}

static int compare(struct call *call, const struct atoll_plan_request *r,
                   const struct atoll_measured *measured)
{
    struct atoll_comparison c = {0};
    int code = atoll_plan_compare(r, &c, &call->err);
    code = code ? code : give(call, r, measured, &c);
    atoll_comparison_finish(&c);
    return code;
}

/* A plan alone is a comparison of one. */
static int alone(struct atoll_plan *p, struct atoll_comparison *c, struct atoll_err *err)
{
    c->plans = atoll_calloc(1, sizeof(struct atoll_plan *));
    if (!c->plans) {
        atoll_plan_close(&p);
        return atoll_fail_nomem(err, "a plan", sizeof p);
    }
    c->plans[0] = p;
    c->n_plans = 1;
    c->best[0] = c->best[1] = c->best[2] = p->skipped ? -1 : 0;
    return 0;
}

static int solve(struct call *call, struct atoll_plan_request *r,
                 const struct atoll_measured *measured)
{
    const struct plan_opts *o = call->opts;
    uint32_t cuts[ATOLL_TPUS_MAX], n = 0;
    struct atoll_plan *p = NULL;
    struct atoll_comparison c = {0};
    if (o->checks.sensitivity || o->checks.robust) {
        return atoll_fail(&call->err, ATOLL_EUSAGE,
                          "--sensitivity and --robust look at all plans: leave out --strategy, "
                          "--cuts and limits");
    }
    int code = o->cuts ? parse_numbers("--cuts", o->cuts, ATOLL_OPS_MAX, cuts, ATOLL_TPUS_MAX, &n,
                                       &call->err)
                       : 0;
    r->cuts = cuts;
    r->n_cuts = n;
    code = code ? code : atoll_plan_solve(r, &p, &call->err);
    code = code ? code : alone(p, &c, &call->err);
    code = code ? code : give(call, r, measured, &c);
    atoll_comparison_finish(&c);
    return code;
}

static int plan_models(struct call *call, const struct models *m, const struct atoll_board *b)
{
    const struct plan_opts *o = call->opts;
    struct atoll_plan_request r = atoll_plan_request_default();
    r.models = (const struct atoll_cost *const *)m->cost;
    r.n_models = m->n;
    r.board = b;
    r.use = board_use(&o->board);
    struct plan_limits limits;
    int code = plan_limits_read(&o->limits, &limits, &r, &call->err);
    r.tpus = o->tpus ? (uint32_t)o->tpus : b->n_tpus;
    for (uint32_t t = 0; t < b->n_tpus && !o->tpus; t++) {
        r.tpus -= (uint32_t)(r.without >> t & 1);
    }
    r.want_sha256 = call->json || o->out;
    r.want_next_tpu = true;
    r.want_rivals = o->compare || o->checks.why || o->checks.sensitivity || o->checks.robust;
    r.time_limit_s = o->time_limit_s;
    struct atoll_measured *measured = NULL;
    code = code ? code : plan_checks_measured(&o->checks, &r, &measured, &call->err);
    if (code) {
        return code;
    }
    const bool limited = plan_limits_given(&o->limits, &r);
    r.strategy = o->cuts ? "cuts" : o->strategy ? o->strategy : limited ? "exact" : NULL;
    code = o->pareto                   ? pareto(call, &r)
           : o->compare || !r.strategy ? compare(call, &r, measured)
                                       : solve(call, &r, measured);
    atoll_measured_close(&measured);
    return code;
}

static int run(struct call *call)
{
    const struct plan_opts *o = call->opts;
    if ((o->strategy != NULL) + (o->cuts != NULL) + o->compare + o->pareto > 1) {
        return atoll_fail(&call->err, ATOLL_EUSAGE,
                          "expected at most one of --strategy, --cuts, --compare and --pareto");
    }
    struct atoll_board *b = NULL;
    struct models m = {.n = 0};
    int code = atoll_board_open(o->board.name, o->board.share, &b, &call->err);
    code = code ? code : models_open(&m, call->operands, call->n_operands, o->compiler, &call->err);
    code = code ? code : plan_models(call, &m, b);
    models_close(&m);
    atoll_board_close(&b);
    return code;
}

const struct command cmd_plan = {
    .name = "plan",
    .operands = "MODEL...",
    .summary = "Place models on the TPUs of a board: segments, pipelines, replicas, and why",
    .text = "All figures are computed from the cost laws; atoll run and atoll bench confirm them "
            "on a device. "
            "Several models share the TPUs in equal parts. A strategy that does not apply is exit "
            "code 1 with the "
            "reason.",
    .example = "atoll plan zoo:resnet50 --board asus_crl_g18u --tpus 8 --compare",
    .opts = opts,
    .defaults = &defaults,
    .opts_bytes = sizeof defaults,
    .operands_min = 1,
    .operands_max = MODELS_MAX,
    .run = run,
};
