/* SPDX-License-Identifier: Apache-2.0 */
/* Reading plan.json. The file is not trusted: every count, range and text is checked. */
#include "plan_fields.h"
#include "plan_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 4096u

/* Where in the file the reader stands, for its sentences. */
struct reader {
    const char *name;
    struct atoll_plan *plan;
    struct atoll_err *err;
    uint32_t pipeline, stage;
    bool lists_models;              ///< plan->models stands already
    uint32_t owner[ATOLL_TPUS_MAX]; ///< of a TPU: its pipeline + 1; 0: none yet
};

static int fail_stage(struct reader *r, const char *key, const char *expected)
{
    return atoll_fail(r->err, ATOLL_EINPUT, "%s: pipelines[%u].stages[%u].%s: expected %s", r->name,
                      r->pipeline, r->stage, key, expected);
}

static int fail_head(struct reader *r, const char *key, const char *expected)
{
    return atoll_fail(r->err, ATOLL_EINPUT, "%s: %s: expected %s", r->name, key, expected);
}

/* -------------------------------------------------------------------- scalars */

/* A text copied into the plan; *out stays NULL when the key is absent or null. */
static int read_text(struct reader *r, const json_t *j, const char *key, const char **out)
{
    const json_t *v = json_object_get(j, key);
    if (!v || json_is_null(v)) {
        return 0;
    }
    if (!json_is_string(v) || json_string_length(v) > TEXT_MAX ||
        strlen(json_string_value(v)) != json_string_length(v)) {
        return fail_head(r, key, "a text of at most 4096 bytes, or null");
    }
    *out = atoll_arena_strndup(r->plan->arena, json_string_value(v), json_string_length(v));
    return *out ? 0 : atoll_fail_nomem(r->err, "a text of a plan", json_string_length(v));
}

static bool read_number(const json_t *j, const char *key, double *out)
{
    const json_t *v = json_object_get(j, key);
    *out = NAN;
    if (v && !json_is_null(v)) {
        *out = json_number_value(v);
        return json_is_number(v) && isfinite(*out) && *out >= 0;
    }
    return true;
}

static bool read_count(const json_t *j, const char *key, uint64_t *out)
{
    const json_t *v = json_object_get(j, key);
    *out = 0;
    if (v && !json_is_null(v)) {
        *out = (uint64_t)json_integer_value(v);
        return json_is_integer(v) && json_integer_value(v) >= 0;
    }
    return true;
}

/* The position of a text among names, *out untouched when the key is absent. */
static int read_choice(struct reader *r, const json_t *j, const char *key, const char *const *names,
                       const char *expected, unsigned *out)
{
    const json_t *v = json_object_get(j, key);
    if (!v || json_is_null(v)) {
        return 0;
    }
    for (unsigned i = 0; json_is_string(v) && names[i]; i++) {
        if (strcmp(names[i], json_string_value(v)) == 0) {
            *out = i;
            return 0;
        }
    }
    return fail_head(r, key, expected);
}

/* --------------------------------------------------------------------- stages */

static int read_numbers(struct reader *r, const json_t *j, const char *key, uint32_t below,
                        uint32_t most, uint32_t **out, uint32_t *n)
{
    char expected[96];
    const json_t *list = json_object_get(j, key);
    snprintf(expected, sizeof expected, "a list of 1 to %u numbers from 0 to %u", most, below - 1);
    if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > most) {
        return fail_stage(r, key, expected);
    }
    *n = (uint32_t)json_array_size(list);
    *out = atoll_arena_array(r->plan->arena, *n, sizeof **out);
    if (!*out) {
        return atoll_fail_nomem(r->err, "a list of a plan", *n * sizeof **out);
    }
    for (uint32_t i = 0; i < *n; i++) {
        const json_t *v = json_array_get(list, i);
        if (!json_is_integer(v) || json_integer_value(v) < 0 ||
            json_integer_value(v) >= (json_int_t)below) {
            return fail_stage(r, key, expected);
        }
        (*out)[i] = (uint32_t)json_integer_value(v);
    }
    return 0;
}

static int read_cost(struct reader *r, const json_t *j, struct atoll_stage_cost *c)
{
#define GET_NUMBER(key)                                                                            \
    if (!read_number(j, #key, &c->key)) {                                                          \
        return fail_stage(r, #key, "a number from 0 up, or null");                                 \
    }
#define GET_COUNT(key)                                                                             \
    if (!read_count(j, #key, &c->key)) {                                                           \
        return fail_stage(r, #key, "a whole number from 0 up");                                    \
    }
    ATOLL__PLAN_NUMBERS(GET_NUMBER)
    ATOLL__PLAN_COUNTS(GET_COUNT)
#undef GET_NUMBER
#undef GET_COUNT
    c->strips = json_is_true(json_object_get(j, "strips"));
    return read_text(r, j, "warning", &c->warning);
}

/* May the only stage of this pipeline be on the TPUs of another one? Then both are of one group,
 * with one stage on the same TPUs. */
static bool shares(const struct reader *r, uint32_t other, const struct atoll_stage *st)
{
    const struct atoll_pipeline *a = &r->plan->pipelines[other];
    const struct atoll_pipeline *b = &r->plan->pipelines[r->pipeline];
    return other != r->pipeline && b->sharing != ATOLL_SHARING_NONE && a->sharing == b->sharing &&
           a->group == b->group && a->n_stages == 1 && b->n_stages == 1 &&
           a->stages[0].n_tpus == st->n_tpus &&
           memcmp(a->stages[0].tpus, st->tpus, st->n_tpus * sizeof *st->tpus) == 0;
}

static int read_stage(struct reader *r, const json_t *j, struct atoll_stage *st)
{
    if (!json_is_object(j)) {
        return atoll_fail(r->err, ATOLL_EINPUT, "%s: pipelines[%u].stages[%u]: expected an object",
                          r->name, r->pipeline, r->stage);
    }
    int code = read_numbers(r, j, "tpus", ATOLL_TPUS_MAX, ATOLL_TPUS_MAX, &st->tpus, &st->n_tpus);
    for (uint32_t i = 0; code == 0 && i < st->n_tpus; i++) {
        uint32_t *owner = &r->owner[st->tpus[i]];
        if (*owner > 0 && !shares(r, *owner - 1, st)) {
            code = fail_stage(r, "tpus", "TPUs that no other stage has, or those of its group");
        }
        r->plan->tpus_used += *owner == 0;
        *owner = r->pipeline + 1;
    }
    if (code == 0) {
        code = read_numbers(r, j, "operators", ATOLL_OPS_MAX, ATOLL_OPS_MAX, &st->ops, &st->n_ops);
    }
    return code ? code : read_cost(r, j, &st->cost);
}

/* The stages together hold each operator from 0 up exactly once. */
static int check_covers(struct reader *r, const struct atoll_pipeline *pipe)
{
    uint64_t total = 0;
    for (uint32_t s = 0; s < pipe->n_stages; s++) {
        total += pipe->stages[s].n_ops;
    }
    bool *seen = atoll_calloc((size_t)total, sizeof *seen);
    if (!seen) {
        return atoll_fail_nomem(r->err, "a check of operators", (size_t)total);
    }
    int code = 0;
    for (r->stage = 0; r->stage < pipe->n_stages && code == 0; r->stage++) {
        const struct atoll_stage *st = &pipe->stages[r->stage];
        for (uint32_t i = 0; i < st->n_ops && code == 0; i++) {
            if (st->ops[i] >= total || seen[st->ops[i]]) {
                code = atoll_fail(r->err, ATOLL_EINPUT,
                                  "%s: pipelines[%u].stages[%u].operators: found %u, expected each "
                                  "operator from 0 to %llu once",
                                  r->name, r->pipeline, r->stage, st->ops[i],
                                  (unsigned long long)total - 1);
            } else {
                seen[st->ops[i]] = true;
            }
        }
    }
    atoll_free(seen);
    return code;
}

/* ------------------------------------------------------------------ pipelines */

/* "path" and "sha256" of an object. */
static int read_identity(struct reader *r, const json_t *j, struct atoll_plan_model *m)
{
    *m = (struct atoll_plan_model){.rate_hz = NAN,
                                   .capacity_hz = NAN,
                                   .latency_us = NAN,
                                   .latency_worst_us = NAN,
                                   .deadline_us = NAN};
    const int code = read_text(r, j, "path", &m->path);
    if (code || !m->path) {
        return code ? code : fail_head(r, "model.path", "a path or zoo:NAME");
    }
    const json_t *sha = json_object_get(j, "sha256");
    if (sha && !json_is_null(sha)) {
        const char *text = json_is_string(sha) ? json_string_value(sha) : "";
        if (strlen(text) != 64 || strspn(text, "0123456789abcdef") != 64) {
            return fail_head(r, "model.sha256", "64 hex digits, or null");
        }
        memcpy(m->sha256, text, 65);
    }
    return 0;
}

static bool same_model(const struct atoll_plan_model *a, const struct atoll_plan_model *b)
{
    return strcmp(a->path, b->path) == 0 && strcmp(a->sha256, b->sha256) == 0;
}

/* The model of a pipeline: the entry of plan->models that it numbers, or in files without that
 * list an entry shared by pipelines that name the same one. */
static int read_model(struct reader *r, const json_t *j, uint32_t *index)
{
    struct atoll_plan *p = r->plan;
    const json_t *model = json_object_get(j, "model");
    const json_t *number = json_object_get(model, "number");
    struct atoll_plan_model m;
    const int code = read_identity(r, model, &m);
    if (code) {
        return code;
    }
    if (r->lists_models && number) {
        *index = (uint32_t)json_integer_value(number);
        if (!json_is_integer(number) || json_integer_value(number) < 0 ||
            json_integer_value(number) >= (json_int_t)p->n_models ||
            !same_model(&m, &p->models[*index])) {
            return fail_head(r, "pipelines[].model.number", "the place of this model in models");
        }
        return 0;
    }
    for (*index = 0; *index < p->n_models; (*index)++) {
        if (same_model(&m, &p->models[*index])) {
            return 0;
        }
    }
    if (r->lists_models) {
        return fail_head(r, "pipelines[].model", "a model of the list models");
    }
    p->models[p->n_models++] = m;
    return 0;
}

static int read_models(struct reader *r, const json_t *j)
{
    struct atoll_plan *p = r->plan;
    const json_t *list = json_object_get(j, "models");
    const size_t n = json_array_size(list);
    p->models = atoll_arena_array(p->arena, ATOLL_TPUS_MAX, sizeof *p->models);
    if (!p->models) {
        return atoll_fail_nomem(r->err, "models", ATOLL_TPUS_MAX * sizeof *p->models);
    }
    if (!list) {
        return 0;
    }
    if (!json_is_array(list) || (n == 0 && !p->skipped) || n > ATOLL_TPUS_MAX) {
        return fail_head(r, "models", "a list of 1 to 64 models");
    }
    r->lists_models = n > 0; /* a plan that does not apply has none */
    int code = 0;
    for (size_t i = 0; i < n && code == 0; i++) {
        const json_t *v = json_array_get(list, i);
        struct atoll_plan_model *m = &p->models[p->n_models++];
        code = read_identity(r, v, m);
        if (code == 0 && (!read_number(v, "rate_hz", &m->rate_hz) || m->rate_hz <= 0 ||
                          !read_number(v, "capacity_hz", &m->capacity_hz) ||
                          !read_number(v, "latency_us", &m->latency_us) ||
                          !read_number(v, "latency_worst_us", &m->latency_worst_us) ||
                          !read_number(v, "deadline_us", &m->deadline_us))) {
            code = fail_head(r, "models[]", "numbers from 0 up, rates above 0, or null");
        }
        if (code == 0 && isnan(m->rate_hz) != isnan(p->models[0].rate_hz)) {
            code = fail_head(r, "models[].rate_hz", "rates of all models or of none");
        }
    }
    return code;
}

static int read_sharing(struct reader *r, const json_t *j, struct atoll_pipeline *pipe)
{
    static const char *const names[] = {"own", "reload", "co_compiled", NULL};
    unsigned sharing = 0;
    uint64_t group = 0;
    const int code = read_choice(r, j, "sharing", names, "own, reload or co_compiled", &sharing);
    if (code) {
        return code;
    }
    if (!read_count(j, "group", &group) || group >= ATOLL_TPUS_MAX) {
        return fail_head(r, "pipelines[].group", "a number below 64, or null");
    }
    if (!read_number(j, "reload_frac", &pipe->reload_frac) || pipe->reload_frac > 1) {
        return fail_head(r, "pipelines[].reload_frac", "a number from 0 to 1, or null");
    }
    pipe->sharing = (enum atoll_sharing)sharing;
    pipe->group = (uint32_t)group;
    pipe->reload_frac = isnan(pipe->reload_frac) ? 0 : pipe->reload_frac;
    return 0;
}

static int read_pipeline(struct reader *r, const json_t *j, struct atoll_pipeline *pipe)
{
    const json_t *stages = json_object_get(j, "stages");
    if (!json_is_array(stages) || json_array_size(stages) == 0 ||
        json_array_size(stages) > ATOLL_TPUS_MAX) {
        return fail_head(r, "pipelines[].stages", "a list of 1 to 64 stages");
    }
    if (!read_number(j, "latency_us", &pipe->latency_us) ||
        !read_number(j, "interval_us", &pipe->interval_us)) {
        return fail_head(r, "pipelines[].latency_us, interval_us", "numbers from 0 up, or null");
    }
    const int sharing = read_sharing(r, j, pipe);
    if (sharing) {
        return sharing;
    }
    pipe->n_stages = (uint32_t)json_array_size(stages);
    pipe->stages = atoll_arena_array(r->plan->arena, pipe->n_stages, sizeof *pipe->stages);
    if (!pipe->stages) {
        return atoll_fail_nomem(r->err, "stages", pipe->n_stages * sizeof *pipe->stages);
    }
    int code = read_model(r, j, &pipe->model);
    for (r->stage = 0; r->stage < pipe->n_stages && code == 0; r->stage++) {
        code = read_stage(r, json_array_get(stages, r->stage), &pipe->stages[r->stage]);
    }
    return code ? code : check_covers(r, pipe);
}

static int read_pipelines(struct reader *r, const json_t *j)
{
    struct atoll_plan *p = r->plan;
    const json_t *list = json_object_get(j, "pipelines");
    const size_t n = json_array_size(list);
    if (!json_is_array(list) || n > ATOLL_TPUS_MAX || (n == 0 && !p->skipped)) {
        return fail_head(r, "pipelines", "a list of 1 to 64 pipelines");
    }
    p->pipelines = atoll_arena_array(p->arena, n, sizeof *p->pipelines);
    if (!p->pipelines) {
        return atoll_fail_nomem(r->err, "pipelines", n * sizeof *p->pipelines);
    }
    int code = 0;
    for (r->pipeline = 0; r->pipeline < n && code == 0; r->pipeline++) {
        code = read_pipeline(r, json_array_get(list, r->pipeline), &p->pipelines[r->pipeline]);
    }
    p->n_pipelines = (uint32_t)n;
    return code;
}

/* ----------------------------------------------------------------------- head */

static int read_choices(struct reader *r, const json_t *j)
{
    static const char *const clocks[] = {"default", "standard", "max", NULL};
    static const char *const runners[] = {"default", "python", "c", NULL};
    static const char *const objectives[] = {"latency", "throughput", "energy", NULL};
    unsigned clock = 0, runner = 0, objective = 0;
    int code = read_choice(r, j, "clock", clocks, "standard or max", &clock);
    code = code ? code : read_choice(r, j, "host_runner", runners, "python or c", &runner);
    code = code ? code
                : read_choice(r, j, "objective", objectives, "latency, throughput or energy",
                              &objective);
    r->plan->use = (struct atoll_use){.clock = (enum atoll_clock)clock,
                                      .runner = (enum atoll_host_runner)runner};
    r->plan->objective = (enum atoll_objective)objective;
    return code;
}

static int read_texts(struct reader *r, const json_t *j)
{
    struct atoll_plan *p = r->plan;
    const struct {
        const char *key;
        const char **out;
    } texts[] = {
        {"strategy", &p->strategy},     {"board", &p->board},     {"skipped", &p->skipped},
        {"bottleneck", &p->bottleneck}, {"streams", &p->streams}, {"next_tpu", &p->next_tpu},
        {"assumption", &p->assumption}, {"rule_of", &p->rule_of},
    };
    int code = 0;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && code == 0; i++) {
        code = read_text(r, j, texts[i].key, texts[i].out);
    }
    if (code == 0 && (!p->strategy || !p->board)) {
        code = fail_head(r, p->strategy ? "board" : "strategy", "a text");
    }
    return code;
}

static int read_figures(struct reader *r, const json_t *j)
{
    struct atoll_plan *p = r->plan;
    const struct {
        const char *key;
        double *out;
    } numbers[] = {
        {"latency_us", &p->latency_us},
        {"latency_u95_us", &p->latency_u95_us},
        {"latency_worst_us", &p->latency_worst_us},
        {"interval_us", &p->interval_us},
        {"throughput_hz", &p->throughput_hz},
        {"throughput_u95_hz", &p->throughput_u95_hz},
        {"energy_mj", &p->energy_mj},
        {"energy_u95_mj", &p->energy_u95_mj},
        {"lower_bound", &p->lower_bound},
        {"gap_frac", &p->gap_frac},
        {"latency_mean_us", &p->latency_mean_us},
        {"power_w", &p->power_w},
        {"headroom", &p->headroom},
        {"tolerance_frac", &p->tolerance_frac},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (!read_number(j, numbers[i].key, numbers[i].out)) {
            return fail_head(r, numbers[i].key, "a number from 0 up, or null");
        }
    }
    return 0;
}

static int read_then(struct reader *r, const json_t *j)
{
    struct atoll_plan *p = r->plan;
    const json_t *list = json_object_get(j, "then");
    if (list && (!json_is_array(list) || json_array_size(list) > 2)) {
        return fail_head(r, "then", "a list of up to 2 objectives");
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        unsigned o = 0;
        while (o < 3 && (!name || strcmp(name, atoll_objective_name((enum atoll_objective)o)))) {
            o++;
        }
        if (o == 3) {
            return fail_head(r, "then", "latency, throughput or energy");
        }
        p->then[p->n_then++] = (enum atoll_objective)o;
    }
    return 0;
}

static int read_limits(struct reader *r, const json_t *j)
{
    static const char *const latencies[] = {"mean", "worst", NULL};
    struct atoll_plan *p = r->plan;
    const json_t *limits = json_object_get(j, "limits");
    const json_t *without = json_object_get(limits, "without");
    unsigned latency = 0;
    if (!read_number(limits, "max_w", &p->max_w) ||
        !read_number(limits, "min_rate_hz", &p->min_rate_hz) ||
        !read_number(limits, "utilisation_max_frac", &p->utilisation_max_frac) ||
        p->utilisation_max_frac > 1) {
        return fail_head(r, "limits", "numbers from 0 up, or null");
    }
    p->max_w = isnan(p->max_w) ? 0 : p->max_w;
    p->min_rate_hz = isnan(p->min_rate_hz) ? 0 : p->min_rate_hz;
    p->tolerance_frac = isnan(p->tolerance_frac) ? 0 : p->tolerance_frac;
    p->resident = json_is_true(json_object_get(limits, "resident"));
    for (size_t i = 0; i < json_array_size(without); i++) {
        const json_t *t = json_array_get(without, i);
        if (!json_is_integer(t) || json_integer_value(t) < 0 ||
            json_integer_value(t) >= ATOLL_TPUS_MAX) {
            return fail_head(r, "limits.without", "TPUs from 0 to 63");
        }
        p->without |= UINT64_C(1) << json_integer_value(t);
    }
    const int code = read_choice(r, j, "latency_of", latencies, "mean or worst", &latency);
    p->by_worst = latency == 1;
    return code ? code : read_then(r, j);
}

static int read_head(struct reader *r, const json_t *j)
{
    const char *schema = json_string_value(json_object_get(j, "schema"));
    if (!schema || strcmp(schema, "atoll.plan/1") != 0) {
        return atoll_fail(r->err, ATOLL_EINPUT,
                          "%s: schema: found \"%.64s\", expected \"atoll.plan/1\"", r->name,
                          schema ? schema : "");
    }
    int code = read_texts(r, j);
    code = code ? code : read_choices(r, j);
    code = code ? code : read_figures(r, j);
    return code ? code : read_limits(r, j);
}

/* TPUs asked for, at least as many as the stages use. */
static int read_tpus(struct reader *r, const json_t *j)
{
    const json_t *v = json_object_get(j, "tpus");
    r->plan->tpus = r->plan->tpus_used;
    if (v) {
        if (!json_is_integer(v) || json_integer_value(v) < r->plan->tpus_used ||
            json_integer_value(v) > ATOLL_TPUS_MAX) {
            return fail_head(r, "tpus", "a number from the TPUs in use up to 64");
        }
        r->plan->tpus = (uint32_t)json_integer_value(v);
    }
    return 0;
}

int atoll_plan_from_json(const char *name, const json_t *j, struct atoll_plan **plan,
                         struct atoll_err *err)
{
    struct reader r = {.name = name, .err = err};
    int code = atoll__plan_create(&r.plan, err);
    code = code ? code : read_head(&r, j);
    code = code ? code : read_models(&r, j);
    code = code ? code : read_pipelines(&r, j);
    code = code ? code : read_tpus(&r, j);
    if (code) {
        atoll_plan_close(&r.plan);
        return code;
    }
    *plan = r.plan;
    return 0;
}

int atoll_plan_open(const char *path, struct atoll_plan **plan, struct atoll_err *err)
{
    json_t *j = NULL;
    int code = atoll_json_open(path, &j, err);
    if (code == 0) {
        code = atoll_plan_from_json(path, j, plan, err);
        json_decref(j);
    }
    return code;
}

/* ----------------------------------------------------------- against the model */

int atoll_plan_check(const struct atoll_plan *p, uint32_t model, const struct atoll_model *m,
                     struct atoll_err *err)
{
    uint32_t *segment = atoll_calloc(m->n_ops, sizeof *segment);
    int code = segment ? 0 : atoll_fail_nomem(err, "a segmentation", m->n_ops * sizeof *segment);
    for (uint32_t i = 0; i < p->n_pipelines && code == 0; i++) {
        const struct atoll_pipeline *pipe = &p->pipelines[i];
        uint64_t n = 0;
        for (uint32_t s = 0; pipe->model == model && s < pipe->n_stages; s++) {
            for (uint32_t k = 0; k < pipe->stages[s].n_ops; k++, n++) {
                if (pipe->stages[s].ops[k] < m->n_ops) {
                    segment[pipe->stages[s].ops[k]] = s;
                }
            }
        }
        if (pipe->model != model) {
            continue;
        }
        if (n != m->n_ops) {
            code = atoll_fail(err, ATOLL_EINPUT,
                              "pipeline %u of the plan holds %llu operators, %s has %u", i,
                              (unsigned long long)n, m->path, m->n_ops);
        } else {
            const struct atoll_segmentation seg = {.n = pipe->n_stages, .seg_of_op = segment};
            code = atoll_segmentation_check(m, &seg, err);
        }
    }
    atoll_free(segment);
    return code;
}
