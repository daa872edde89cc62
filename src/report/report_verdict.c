/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict of each model in sentences, each computed from runs (or, where it says so, plans). */
#include "report_internal.h"

#include <math.h>
#include <string.h>

#define FINDINGS_PER_MODEL 5 /* beside accuracies */

struct out {
    const struct atoll__data *d;
    struct atoll_arena *a;
    struct atoll_finding *list;
    size_t n;
    bool failed;
};

static void say(struct out *o, const char *model, const char *topic, bool beyond_noise,
                const char *sentence)
{
    if (!sentence) {
        o->failed = true;
        return;
    }
    o->list[o->n++] = (struct atoll_finding){
        .model = model, .topic = topic, .sentence = sentence, .beyond_noise = beyond_noise};
}

static const char *arrangement_of(struct out *o, const struct atoll__config *c)
{
    return atoll__report_arrangement(o->a, o->d->strategies[c->strategy], c->tpus);
}

/* "17.44 ms (95 % 17.40 to 17.49)" */
static const char *estimate(struct out *o, const struct atoll__config *c, enum atoll__metric m)
{
    const struct atoll__estimate *e = &c->metric[m];
    const double k = atoll__metric_scale(m);
    const char *s;
    if (isfinite(e->low95)) {
        s = atoll_arena_printf(o->a, "%s %s (95 %% %s to %s)",
                               atoll__text_short(o->a, e->value * k, 4), atoll__metric_unit(m),
                               atoll__text_short(o->a, e->low95 * k, 4),
                               atoll__text_short(o->a, e->high95 * k, 4));
    } else {
        s = atoll_arena_printf(o->a, "%s %s (one repeat, no interval)",
                               atoll__text_short(o->a, e->value * k, 4), atoll__metric_unit(m));
    }
    return s ? s : "?";
}

/* "2.92 times (2.90 to 2.94)" */
static const char *times(struct out *o, double r, double low, double high)
{
    const char *s =
        isfinite(low)
            ? atoll_arena_printf(o->a, "%s times (%s to %s)", atoll__text_short(o->a, r, 3),
                                 atoll__text_short(o->a, low, 3), atoll__text_short(o->a, high, 3))
            : atoll_arena_printf(o->a, "%s times", atoll__text_short(o->a, r, 3));
    return s ? s : "?";
}

/* --------------------------------------------------------------------------- what streams */

static void say_streams(struct out *o, const struct atoll__model *m, const char *label)
{
    const char *s;
    if (!isfinite(m->off_one_bytes)) {
        return;
    }
    if (m->off_one_bytes <= 0) {
        const double bytes = m->row.stored_bytes;
        s = isfinite(bytes)
                ? atoll_arena_printf(
                      o->a, "Nothing streams: all %s of its weights stay on one chip (computed).",
                      atoll__text_bytes(o->a, bytes))
                : atoll_arena_printf(
                      o->a, "Nothing streams: all of its weights stay on one chip (computed).");
        say(o, label, "streams", true, s);
        return;
    }
    const char *one = atoll__text_bytes(o->a, m->off_one_bytes);
    const struct atoll__plan *p = m->resident_plan >= 0 ? &o->d->plans[m->resident_plan] : NULL;
    if (p && m->resident_tpus > 0) {
        s = atoll_arena_printf(o->a,
                               "It streams: on one TPU %s cross the link for every inference; %lld "
                               "TPUs are the fewest that hold "
                               "it all (%s, computed).",
                               one, (long long)m->resident_tpus,
                               atoll__report_arrangement(o->a, p->row.strategy, p->row.tpus));
    } else if (p && p->row.tpus > 1) {
        s = atoll_arena_printf(o->a,
                               "It streams: on one TPU %s cross the link for every inference, and "
                               "no pipeline tried holds it "
                               "all; least, %s, with %s (computed).",
                               one, atoll__text_bytes(o->a, p->row.off_chip_bytes),
                               atoll__report_arrangement(o->a, p->row.strategy, p->row.tpus));
    } else {
        s = atoll_arena_printf(o->a,
                               "It streams: on one TPU %s cross the link for every inference; no "
                               "pipeline of more TPUs was "
                               "planned (computed).",
                               one);
    }
    say(o, label, "streams", true, s);
}

/* ------------------------------------------------------------------------- which one wins */

static const char *const winner_of[] = {"Least time for one input", "Most throughput",
                                        "Least energy per inference"};
static const char *const gain_of[] = {"as fast as", "the throughput of", "less energy than"};

static const char *ties_of(struct out *o, const struct atoll__best *b)
{
    if (b->ties == 0) {
        return "";
    }
    const char *s = atoll_arena_printf(
        o->a, " No difference beyond noise to %zu of the other %zu arrangements.", b->ties,
        b->compared - 1);
    return s ? s : "?";
}

static const char *gain(struct out *o, const struct atoll__best *b)
{
    const char *s;
    if (b->metric == ATOLL__ENERGY) {
        /* Energy reads better as the share that is saved. */
        s = atoll_arena_printf(o->a, "; %s %% (%s to %s) less than one TPU",
                               atoll__text_short(o->a, 100 * (1 - 1 / b->ratio), 3),
                               atoll__text_short(o->a, 100 * (1 - 1 / b->ratio_low95), 3),
                               atoll__text_short(o->a, 100 * (1 - 1 / b->ratio_high95), 3));
    } else {
        s = atoll_arena_printf(o->a, "; %s %s one TPU",
                               times(o, b->ratio, b->ratio_low95, b->ratio_high95),
                               gain_of[b->metric]);
    }
    return s ? s : "?";
}

static void say_winner(struct out *o, const struct atoll__best *b, const char *label)
{
    const struct atoll__config *c = &o->d->configs[b->config];
    const char *topic = atoll__metric_name(b->metric), *figure = estimate(o, c, b->metric), *s;
    if (b->compared == 1) {
        s = atoll_arena_printf(o->a, "%s: %s, %s; nothing else was run to compare.",
                               winner_of[b->metric], arrangement_of(o, c), figure);
        say(o, label, topic, false, s);
    } else if (!b->noise_known) {
        s = atoll_arena_printf(o->a, "%s: %s, %s; with one repeat of each the noise is not known.",
                               winner_of[b->metric], arrangement_of(o, c), figure);
        say(o, label, topic, false, s);
    } else if (b->single >= 0 && (size_t)b->single == b->config && b->ties > 0) {
        s = atoll_arena_printf(
            o->a,
            "%s: no difference beyond noise between one TPU, %s, and the best of %zu arrangements.",
            winner_of[b->metric], figure, b->compared);
        say(o, label, topic, false, s);
    } else if (b->single >= 0 && (size_t)b->single == b->config) {
        const struct atoll__config *r =
            &o->d->configs[b->runner_up >= 0 ? (size_t)b->runner_up : b->config];
        s = atoll_arena_printf(o->a, "%s: one TPU alone, %s; next comes %s with %s.",
                               winner_of[b->metric], figure, arrangement_of(o, r),
                               estimate(o, r, b->metric));
        say(o, label, topic, true, s);
    } else if (b->single >= 0 && !b->beyond_noise) {
        s = atoll_arena_printf(o->a, "%s: %s, %s; no difference beyond noise to one TPU.",
                               winner_of[b->metric], arrangement_of(o, c), figure);
        say(o, label, topic, false, s);
    } else {
        s = atoll_arena_printf(o->a, "%s: %s, %s%s.%s", winner_of[b->metric], arrangement_of(o, c),
                               figure, b->single >= 0 ? gain(o, b) : "", ties_of(o, b));
        say(o, label, topic, true, s);
    }
}

/* ------------------------------------------------------------------------------ bottleneck */

static const char *largest_part(const struct atoll_stage_row *s, double *us)
{
    const double parts[] = {s->compute_us, s->stream_us, s->input_us, s->output_us, s->call_us};
    static const char *const names[] = {"compute", "streaming weights", "its input", "its output",
                                        "the host's call"};
    size_t k = 0;
    for (size_t i = 1; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i] > parts[k] || !isfinite(parts[k])) {
            k = i;
        }
    }
    *us = parts[k];
    return names[k];
}

/* Time between inputs of a stage at full load. */
static double interval_us(const struct atoll_stage_row *s)
{
    return s->service_us / (double)atoll__report_replicas(s);
}

/* One pipeline: its slowest and its fastest stage. */
struct pipe {
    const struct atoll_stage_row *slow, *fast;
    int64_t n;
};
static struct pipe read_pipe(const struct atoll_stage_row *rows, size_t n, size_t *i)
{
    struct pipe p = {0};
    const int64_t number = rows[*i].pipeline;
    for (; *i < n && rows[*i].pipeline == number; ++*i) {
        const struct atoll_stage_row *s = &rows[*i];
        p.n++;
        if (!isfinite(s->service_us)) {
            continue;
        }
        p.slow = !p.slow || interval_us(s) > interval_us(p.slow) ? s : p.slow;
        p.fast = !p.fast || interval_us(s) < interval_us(p.fast) ? s : p.fast;
    }
    return p;
}

/* Of several pipelines the quickest, which carries most of the throughput. */
static struct pipe main_pipe(const struct atoll__data *d, const struct atoll__plan *p)
{
    struct pipe best = {0};
    for (size_t i = 0; i < p->n_stages;) {
        const struct pipe k = read_pipe(&d->stages[p->stages], p->n_stages, &i);
        if (k.slow && (!best.slow || interval_us(k.slow) < interval_us(best.slow))) {
            best = k;
        }
    }
    return best;
}

static const char *where_of(struct out *o, const struct pipe *k)
{
    const struct atoll_stage_row *s = k->slow;
    const char *where =
        k->n > 1
            ? atoll_arena_printf(o->a, "stage %lld of %lld, TPU %s, operators %lld to %lld:",
                                 (long long)s->stage + 1, (long long)k->n, s->tpus ? s->tpus : "?",
                                 (long long)s->first_op, (long long)s->last_op)
            : "the one stage, the whole model:";
    return where ? where : "?";
}

static void say_bottleneck(struct out *o, const struct atoll__model *m, const char *label)
{
    const int64_t at =
        m->best[ATOLL__THROUGHPUT] >= 0 ? m->best[ATOLL__THROUGHPUT] : m->best[ATOLL__LATENCY];
    const int64_t plan = at >= 0 ? o->d->configs[o->d->best[at].config].plan : -1;
    const struct atoll__plan *p = plan >= 0 ? &o->d->plans[plan] : NULL;
    const struct pipe k = p ? main_pipe(o->d, p) : (struct pipe){0};
    double us = NAN;
    if (!k.slow) {
        return;
    }
    const char *part = largest_part(k.slow, &us);
    const char *share = isfinite(us) && k.slow->service_us > 0
                            ? atoll_arena_printf(o->a, ", the largest part of it %s (%s ms)", part,
                                                 atoll__text_short(o->a, us / 1e3, 3))
                            : "";
    const double ratio = interval_us(k.slow) / interval_us(k.fast);
    const char *spread =
        k.n > 1 && isfinite(ratio)
            ? atoll_arena_printf(o->a, " It takes %s times as long as the shortest stage.",
                                 atoll__text_short(o->a, ratio, 3))
            : "";
    const char *plan_name = atoll__report_arrangement(o->a, p->row.strategy, p->row.tpus);
    if (!share || !spread) {
        o->failed = true;
        return;
    }
    say(o, label, "bottleneck", true,
        atoll_arena_printf(
            o->a, "Throughput is bounded by %s %s ms%s (%s%s, computed).%s", where_of(o, &k),
            atoll__text_short(o->a, k.slow->service_us / 1e3, 3), share, plan_name,
            p->row.n_pipelines > 1 && k.n > 1 ? ", its quickest pipeline" : "", spread));
}

int atoll__report_verdict(const struct atoll__data *d, struct atoll_verdict *v,
                          struct atoll_err *err)
{
    *v = (struct atoll_verdict){0};
    v->arena = atoll_calloc(1, sizeof *v->arena);
    if (!v->arena) {
        return atoll_fail_nomem(err, "the verdict", sizeof *v->arena);
    }
    atoll_arena_init(v->arena);
    struct out o = {.d = d, .a = v->arena};
    o.list = atoll_arena_array(v->arena, d->n_models * FINDINGS_PER_MODEL + d->n_accuracies + 1,
                               sizeof *o.list);
    int e = o.list ? 0 : atoll_fail_nomem(err, "the findings", d->n_models * sizeof *o.list);
    for (size_t i = 0; !e && i < d->n_models; i++) {
        const struct atoll__model *m = &d->models[i];
        const char *text = atoll__report_label(d, (uint32_t)i);
        const char *label = atoll_arena_strndup(v->arena, text, strlen(text));
        o.failed = o.failed || !label;
        say_streams(&o, m, label);
        for (int k = 0; k < ATOLL__METRICS; k++) {
            if (m->best[k] >= 0) {
                say_winner(&o, &d->best[m->best[k]], label);
            }
        }
        say_bottleneck(&o, m, label);
        for (size_t k = 0; k < d->n_accuracies; k++) {
            if (d->accuracies[k].model == i) {
                say(&o, label, "accuracy", true,
                    atoll__report_accuracy_sentence(&d->accuracies[k], o.a));
            }
        }
        e = o.failed ? atoll_fail_nomem(err, "a finding", 1) : 0;
    }
    v->findings = o.list;
    v->n = o.n;
    e = e ? e : atoll__report_origin(d, d, v->arena, &v->origin, err);
    e = e ? e : atoll__report_headline(d, v, err);
    if (e) {
        atoll_verdict_finish(v);
    }
    return e;
}

int atoll_verdict_make(struct atoll_store *s, const char *experiment, struct atoll_verdict *v,
                       struct atoll_err *err)
{
    struct atoll__data d;
    struct atoll_verdict made;
    int e = atoll__report_load(s, experiment, &d, err);
    if (e) {
        return e;
    }
    e = atoll__report_verdict(&d, &made, err);
    atoll__report_unload(&d);
    if (!e) {
        *v = made;
    }
    return e;
}

void atoll_verdict_finish(struct atoll_verdict *v)
{
    if (v && v->arena) {
        atoll_arena_finish(v->arena);
        atoll_free(v->arena);
    }
    if (v) {
        *v = (struct atoll_verdict){0};
    }
}
