/* SPDX-License-Identifier: Apache-2.0 */
/* Writing plan.json. Its fields: docs/method-plan.md. */
#include "plan_fields.h"
#include "plan_internal.h"

#include <math.h>

static json_t *text_or_null(const char *text)
{
    return text && *text ? json_string(text) : json_null();
}

static json_t *numbers_to_json(const uint32_t *v, uint32_t n)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list && i < n; i++) {
        if (json_array_append_new(list, json_integer(v[i]))) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *stage_to_json(const struct atoll_pipeline *pipe, const struct atoll_stage *s)
{
    const double share_us = s->cost.service_us / s->n_tpus;
    json_t *j = json_object();
    int bad = json_object_set_new(j, "tpus", numbers_to_json(s->tpus, s->n_tpus));
    bad |= json_object_set_new(j, "operators", numbers_to_json(s->ops, s->n_ops));
#define PUT_COUNT(name)                                                                            \
    bad |= json_object_set_new(j, #name, json_integer((json_int_t)s->cost.name));
#define PUT_NUMBER(name) bad |= atoll_json_set_number(j, #name, s->cost.name);
    ATOLL__PLAN_NUMBERS(PUT_NUMBER)
    ATOLL__PLAN_COUNTS(PUT_COUNT)
#undef PUT_COUNT
#undef PUT_NUMBER
    bad |= atoll_json_set_number(j, "slack_frac", 1 - share_us / pipe->interval_us);
    bad |= json_object_set_new(j, "strips", json_boolean(s->cost.strips));
    bad |= json_object_set_new(j, "warning", text_or_null(s->cost.warning));
    if (bad) {
        json_decref(j);
        return NULL;
    }
    return j;
}

static json_t *pipeline_to_json(const struct atoll_plan *p, const struct atoll_pipeline *pipe)
{
    json_t *j = json_object();
    json_t *model = json_object();
    const struct atoll_plan_model *m = &p->models[pipe->model];
    int bad = json_object_set_new(model, "path", json_string(m->path));
    bad |= json_object_set_new(model, "sha256", text_or_null(m->sha256));
    bad |= json_object_set_new(j, "model", model);
    bad |= atoll_json_set_number(j, "latency_us", pipe->latency_us);
    bad |= atoll_json_set_number(j, "interval_us", pipe->interval_us);
    bad |= json_object_set_new(model, "number", json_integer(pipe->model));
    bad |= json_object_set_new(j, "sharing", json_string(atoll_sharing_name(pipe->sharing)));
    bad |= json_object_set_new(j, "group", pipe->sharing ? json_integer(pipe->group) : json_null());
    bad |= atoll_json_set_number(j, "reload_frac", pipe->reload_frac);
    json_t *stages = json_array();
    for (uint32_t i = 0; i < pipe->n_stages; i++) {
        bad |= json_array_append_new(stages, stage_to_json(pipe, &pipe->stages[i]));
    }
    bad |= json_object_set_new(j, "stages", stages);
    if (bad) {
        json_decref(j);
        return NULL;
    }
    return j;
}

static const char *clock_name(enum atoll_clock c)
{
    return c == ATOLL_CLOCK_MAX ? "max" : "standard";
}

static const char *runner_name(enum atoll_host_runner r)
{
    return r == ATOLL_RUNNER_C ? "c" : "python";
}

static int put_head(const struct atoll_plan *p, json_t *j)
{
    int bad = json_object_set_new(j, "strategy", json_string(p->strategy));
    bad |= json_object_set_new(j, "rule_of", text_or_null(p->rule_of));
    bad |= json_object_set_new(j, "skipped", text_or_null(p->skipped));
    bad |= json_object_set_new(j, "board", json_string(p->board));
    bad |= json_object_set_new(j, "clock", json_string(clock_name(p->use.clock)));
    bad |= json_object_set_new(j, "host_runner", json_string(runner_name(p->use.runner)));
    bad |= json_object_set_new(j, "tpus", json_integer(p->tpus));
    bad |= json_object_set_new(j, "tpus_used", json_integer(p->tpus_used));
    bad |= json_object_set_new(j, "objective", json_string(atoll_objective_name(p->objective)));
    return bad;
}

static int put_figures(const struct atoll_plan *p, json_t *j)
{
    int bad =
        json_object_set_new(j, "origin", json_string(atoll_origin_name(ATOLL_ORIGIN_COMPUTED)));
    bad |= atoll_json_set_number(j, "latency_us", p->latency_us);
    bad |= atoll_json_set_number(j, "latency_u95_us", p->latency_u95_us);
    bad |= atoll_json_set_number(j, "latency_worst_us", p->latency_worst_us);
    bad |= atoll_json_set_number(j, "interval_us", p->interval_us);
    bad |= atoll_json_set_number(j, "throughput_hz", p->throughput_hz);
    bad |= atoll_json_set_number(j, "throughput_u95_hz", p->throughput_u95_hz);
    bad |= atoll_json_set_number(j, "energy_mj", p->energy_mj);
    bad |= atoll_json_set_number(j, "energy_u95_mj", p->energy_u95_mj);
    bad |= atoll_json_set_number(j, "latency_mean_us", p->latency_mean_us);
    bad |= atoll_json_set_number(j, "power_w", p->power_w);
    bad |= atoll_json_set_number(j, "headroom", p->headroom);
    bad |= atoll_json_set_number(j, "lower_bound", p->lower_bound);
    bad |= atoll_json_set_number(j, "gap_frac", p->gap_frac);
    return bad;
}

static json_t *models_to_json(const struct atoll_plan *p)
{
    json_t *list = json_array();
    int bad = 0;
    for (uint32_t i = 0; i < p->n_models; i++) {
        const struct atoll_plan_model *m = &p->models[i];
        json_t *j = json_object();
        bad |= json_object_set_new(j, "path", json_string(m->path));
        bad |= json_object_set_new(j, "sha256", text_or_null(m->sha256));
        bad |= atoll_json_set_number(j, "rate_hz", m->rate_hz);
        bad |= atoll_json_set_number(j, "capacity_hz", m->capacity_hz);
        bad |= atoll_json_set_number(j, "latency_us", m->latency_us);
        bad |= atoll_json_set_number(j, "latency_worst_us", m->latency_worst_us);
        bad |= atoll_json_set_number(j, "deadline_us", m->deadline_us);
        bad |= json_array_append_new(list, j);
    }
    if (bad) {
        json_decref(list);
        return NULL;
    }
    return list;
}

/* What was asked for beside the objective. */
static int put_limits(const struct atoll_plan *p, json_t *j)
{
    json_t *limits = json_object();
    json_t *then = json_array();
    json_t *without = json_array();
    int bad = 0;
    for (uint32_t i = 0; i < p->n_then; i++) {
        bad |= json_array_append_new(then, json_string(atoll_objective_name(p->then[i])));
    }
    for (uint32_t t = 0; t < ATOLL_TPUS_MAX; t++) {
        bad |= p->without >> t & 1 ? json_array_append_new(without, json_integer(t)) : 0;
    }
    bad |= json_object_set_new(j, "then", then);
    bad |= atoll_json_set_number(j, "tolerance_frac", p->tolerance_frac);
    bad |= json_object_set_new(limits, "without", without);
    bad |= json_object_set_new(limits, "resident", json_boolean(p->resident));
    bad |= atoll_json_set_number(limits, "utilisation_max_frac", p->utilisation_max_frac);
    bad |= atoll_json_set_number(limits, "max_w", p->max_w > 0 ? p->max_w : NAN);
    bad |= atoll_json_set_number(limits, "min_rate_hz", p->min_rate_hz > 0 ? p->min_rate_hz : NAN);
    bad |= json_object_set_new(j, "limits", limits);
    bad |= json_object_set_new(j, "latency_of", json_string(p->by_worst ? "worst" : "mean"));
    return bad;
}

json_t *atoll_plan_to_json(const struct atoll_plan *p)
{
    json_t *j = atoll_json_answer("plan");
    json_t *pipelines = json_array();
    int bad = put_head(p, j) | put_figures(p, j) | put_limits(p, j);
    bad |= json_object_set_new(j, "models", models_to_json(p));
    bad |= json_object_set_new(j, "bottleneck", text_or_null(p->bottleneck));
    bad |= json_object_set_new(j, "streams", text_or_null(p->streams));
    bad |= json_object_set_new(j, "next_tpu", text_or_null(p->next_tpu));
    bad |= json_object_set_new(j, "assumption", text_or_null(p->assumption));
    for (uint32_t i = 0; i < p->n_pipelines; i++) {
        bad |= json_array_append_new(pipelines, pipeline_to_json(p, &p->pipelines[i]));
    }
    bad |= json_object_set_new(j, "pipelines", pipelines);
    if (bad) {
        json_decref(j);
        return NULL;
    }
    return j;
}
