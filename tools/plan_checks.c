/* SPDX-License-Identifier: Apache-2.0 */
#include "plan_checks.h"

#include <math.h>

const char *const robust_choices[] = {"none", "mean", "worst", NULL};

#define RESOLVES 8u

static int verify_plans(struct plan_checks *k, const struct atoll_comparison *c,
                        enum atoll_compiler compiler, const char *share, struct atoll_err *err)
{
    const struct atoll_verify_request base = {.models = k->request->models,
                                              .board = k->request->board,
                                              .compiler = compiler,
                                              .share = share,
                                              .seed = k->o->seed};
    int code = 0;
    k->verified = atoll_calloc((size_t)c->n_plans + 1, sizeof *k->verified);
    if (!k->verified) {
        return atoll_fail_nomem(err, "verified plans", c->n_plans * sizeof *k->verified);
    }
    for (uint32_t i = 0; i < c->n_plans && code == 0; i++) {
        struct atoll_verify_request q = base;
        q.plan = c->plans[i];
        code = c->plans[i]->skipped ? 0 : atoll_verify(&q, &k->verified[i], err);
    }
    return code;
}

static int try_robustness(struct plan_checks *k, struct atoll_comparison *c, struct atoll_err *err)
{
    const struct atoll_robust_opts opts = {.error_frac = k->o->error_percent / 100,
                                           .draws = (uint32_t)k->o->draws,
                                           .resolves = RESOLVES,
                                           .seed = k->o->seed};
    const int code = atoll_plan_robustness(k->request, &opts, c, &k->robust, err);
    if (code == 0 && k->o->robust) {
        k->chosen = k->o->robust == 1 ? k->robust.least_mean : k->robust.least_worst;
    }
    return code;
}

int plan_checks_measured(const struct plan_checks_opts *o, struct atoll_plan_request *r,
                         struct atoll_measured **m, struct atoll_err *err)
{
    const struct atoll_measured_request q = {.db = o->measured,
                                             .board = r->board,
                                             .use = r->use,
                                             .models = r->models,
                                             .n_models = r->n_models,
                                             .any_origin = o->measured_any};
    *m = NULL;
    if (!o->measured) {
        return o->measured_any
                   ? atoll_fail(err, ATOLL_EUSAGE, "--measured-any goes with --measured")
                   : 0;
    }
    const int code = atoll_measured_open(&q, m, err);
    r->oracle = code ? NULL : atoll_measured_oracle(*m);
    return code;
}

int plan_checks_run(const struct plan_checks_opts *o, const struct atoll_plan_request *r,
                    const struct atoll_measured *measured, enum atoll_compiler compiler,
                    const char *share, struct atoll_comparison *c, struct plan_checks *out,
                    struct atoll_err *err)
{
    *out = (struct plan_checks){.o = o,
                                .request = r,
                                .measured = measured,
                                .rate = {.rate_hz = NAN, .other = -1},
                                .chosen = c->best[r->objective]};
    if (out->chosen < 0) {
        return 0;
    }
    int code = o->sensitivity || o->robust ? try_robustness(out, c, err) : 0;
    code = code || !o->verify ? code : verify_plans(out, c, compiler, share, err);
    if (code == 0 && o->why) {
        code = atoll_plan_whatif(r, c->plans[out->chosen], out->whatifs, &out->n_whatifs, err);
        out->rate = atoll_plan_rate_limit(c, (uint32_t)out->chosen, r->objective);
    }
    return code;
}

void plan_checks_finish(struct plan_checks *k)
{
    atoll_free(k->verified);
    k->verified = NULL;
    atoll_robustness_finish(&k->robust);
}

/* ------------------------------------------------------------------------------ JSON */

static json_t *figure_json(const struct atoll_verified_figure *f)
{
    json_t *j = json_object();
    atoll_json_set_number(j, "predicted", f->predicted);
    atoll_json_set_number(j, "predicted_u95", f->predicted_u95);
    atoll_json_set_number(j, "found", f->found);
    atoll_json_set_number(j, "found_u95", f->found_u95);
    atoll_json_set_number(j, "error_frac", f->found / f->predicted - 1);
    json_object_set_new(j, "confirmed", json_boolean(f->confirmed));
    return j;
}

static json_t *verified_json(const struct plan_checks *k, uint32_t i)
{
    const struct atoll_verification *v = &k->verified[i];
    json_t *j = json_object();
    json_object_set_new(j, "origin", json_string(atoll_origin_name(v->origin)));
    json_object_set_new(j, "repeats", json_integer(v->repeats));
    json_object_set_new(j, "seed", json_integer((json_int_t)k->o->seed));
    json_object_set_new(j, "latency_us", figure_json(&v->latency_us));
    json_object_set_new(j, "throughput_hz", figure_json(&v->throughput_hz));
    json_object_set_new(j, "energy_mj", figure_json(&v->energy_mj));
    return j;
}

static json_t *measured_json(const struct plan_checks *k, const struct atoll_plan *p)
{
    const struct atoll_measured_summary sum = atoll_measured_sum(k->measured);
    uint32_t stages = 0;
    const uint32_t n = atoll_measured_stages(k->measured, p, &stages);
    json_t *j = json_object();
    json_object_set_new(j, "origin", json_string(atoll_origin_name(sum.origin)));
    json_object_set_new(j, "database", out_string(k->o->measured));
    json_object_set_new(j, "segments", json_integer(sum.segments));
    json_object_set_new(j, "runs", json_integer(sum.runs));
    json_object_set_new(j, "stages_measured", json_integer(n));
    json_object_set_new(j, "stages", json_integer(stages));
    return j;
}

static json_t *sensitivity_json(const struct plan_checks *k, uint32_t i)
{
    const struct atoll_robust_row *row = &k->robust.rows[i];
    json_t *j = json_object();
    json_object_set_new(j, "objective", json_string(atoll_objective_name(k->request->objective)));
    atoll_json_set_number(j, "error_frac", k->o->error_percent / 100);
    json_object_set_new(j, "draws", json_integer((json_int_t)k->o->draws));
    json_object_set_new(j, "seed", json_integer((json_int_t)k->o->seed));
    atoll_json_set_number(j, "won_frac", row->won_frac);
    atoll_json_set_number(j, "regret_mean_frac", row->regret_mean_frac);
    atoll_json_set_number(j, "regret_worst_frac", row->regret_worst_frac);
    return j;
}

static json_t *changes_json(const struct plan_checks *k, const struct atoll_comparison *c)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < k->n_whatifs; i++) {
        const struct atoll_whatif *w = &k->whatifs[i];
        json_t *j = json_object();
        json_object_set_new(j, "change", json_string(w->change));
        json_object_set_new(j, "if", json_string(w->text));
        atoll_json_set_number(j, "kept", w->kept);
        atoll_json_set_number(j, "best", w->best);
        atoll_json_set_number(j, "gap_frac", w->gap_frac);
        json_object_set_new(j, "another_plan", json_boolean(w->another));
        json_object_set_new(j, "shape", json_string(w->shape));
        json_array_append_new(list, j);
    }
    if (k->rate.other >= 0) {
        const bool above = k->request->objective == ATOLL_OBJECTIVE_LATENCY;
        json_t *j = json_object();
        json_object_set_new(j, "change", json_string(above ? "rate_above" : "rate_up_to"));
        atoll_json_set_number(j, "rate_hz", k->rate.rate_hz);
        json_object_set_new(j, "strategy", out_string(c->plans[k->rate.other]->strategy));
        atoll_json_set_number(j, "kept", k->rate.kept);
        atoll_json_set_number(j, "best", k->rate.better);
        json_array_append_new(list, j);
    }
    return list;
}

void plan_checks_json(const struct plan_checks *k, const struct atoll_comparison *c, uint32_t i,
                      json_t *plan)
{
    if (c->plans[i]->skipped) {
        return;
    }
    if (k->measured) {
        json_object_set_new(plan, "measured", measured_json(k, c->plans[i]));
    }
    if (k->verified) {
        json_object_set_new(plan, "verified", verified_json(k, i));
    }
    if (i < k->robust.n_rows) {
        json_object_set_new(plan, "sensitivity", sensitivity_json(k, i));
    }
    if (k->o->why && (int32_t)i == k->chosen) {
        json_object_set_new(plan, "changes", changes_json(k, c));
    }
}
