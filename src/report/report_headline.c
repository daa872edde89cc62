/* SPDX-License-Identifier: Apache-2.0 */
/* The whole experiment in three lines: memory, time, throughput and energy. */
#include "report_internal.h"

#include <math.h>
#include <string.h>

static const char *names_of(struct atoll_arena *a, const struct atoll__data *d,
                            const uint32_t *list, size_t n)
{
    const char *s = "";
    for (size_t i = 0; i < n && i < 3; i++) {
        s = atoll_arena_printf(a, "%s%s%s", s, i ? ", " : "", atoll__report_label(d, list[i]));
        if (!s) {
            return "?";
        }
    }
    return n > 3 ? atoll_arena_printf(a, "%s and %zu more", s, n - 3) : s;
}

/* Line 1: what ran, and what streams. */
static const char *memory_line(const struct atoll__data *d, struct atoll_arena *a)
{
    size_t known = 0, streams = 0, cured = 0;
    int64_t least = INT64_MAX, most = 0;
    for (size_t i = 0; i < d->n_models; i++) {
        const struct atoll__model *m = &d->models[i];
        known += isfinite(m->off_one_bytes) ? 1 : 0;
        if (m->off_one_bytes > 0) {
            streams++;
            if (m->resident_tpus > 0) {
                cured++;
                least = m->resident_tpus < least ? m->resident_tpus : least;
                most = m->resident_tpus > most ? m->resident_tpus : most;
            }
        }
    }
    const char *board = d->experiment.board_title && *d->experiment.board_title
                            ? d->experiment.board_title
                        : d->experiment.board ? d->experiment.board
                                              : "an unnamed board";
    const char *range = cured == 0      ? ""
                        : least == most ? atoll_arena_printf(a, " with %lld TPUs", (long long)least)
                                        : atoll_arena_printf(a, " with %lld to %lld TPUs",
                                                             (long long)least, (long long)most);
    const char *memory =
        known == 0 ? ""
        : streams == 0
            ? ": none streams weights, one TPU holds each"
            : atoll_arena_printf(a, ": %zu stream%s weights on one TPU, %zu of them stop%s%s",
                                 streams, streams == 1 ? "s" : "", cured, cured == 1 ? "s" : "",
                                 range);
    if (!range || !memory) {
        return NULL;
    }
    return atoll_arena_printf(a, "%zu model%s on %s, %llu runs (%s)%s.", d->n_models,
                              d->n_models == 1 ? "" : "s", board, (unsigned long long)d->n_runs,
                              d->origin ? d->origin : "no run finished", memory);
}

/* Line 2: whose single input gets faster by several TPUs, beyond noise. */
static const char *time_line(const struct atoll__data *d, struct atoll_arena *a, uint32_t *list)
{
    size_t judged = 0, gains = 0, n_same = 0;
    const struct atoll__best *most = NULL;
    for (size_t i = 0; i < d->n_best; i++) {
        const struct atoll__best *b = &d->best[i];
        if (b->metric != ATOLL__LATENCY || b->single < 0 || b->compared < 2 || !b->noise_known) {
            continue;
        }
        judged++;
        if (b->beyond_noise && b->ratio > 1) {
            gains++;
            most = !most || b->ratio > most->ratio ? b : most;
        } else {
            list[n_same++] = b->model;
        }
    }
    if (judged == 0) {
        return "Time of one input: no comparison with one TPU over two or more repeats was run.";
    }
    if (gains == 0) {
        return atoll_arena_printf(
            a, "Time of one input: several TPUs bring no gain beyond noise for any of %zu models.",
            judged);
    }
    const struct atoll__config *c = &d->configs[most->config];
    const char *rest = n_same == 0 ? ""
                                   : atoll_arena_printf(a, "; no gain beyond noise for %s",
                                                        names_of(a, d, list, n_same));
    return !rest ? NULL
                 : atoll_arena_printf(
                       a,
                       "Time of one input: several TPUs help %zu of %zu models, most %s, %s times "
                       "(%s to %s) as fast with %s%s.",
                       gains, judged, atoll__report_label(d, most->model),
                       atoll__text_short(a, most->ratio, 3),
                       atoll__text_short(a, most->ratio_low95, 3),
                       atoll__text_short(a, most->ratio_high95, 3),
                       atoll__report_arrangement(a, d->strategies[c->strategy], c->tpus), rest);
}

/* Kinds of arrangement that win: one TPU, replicas, one pipeline, several pipelines. */
enum { ONE, REPLICAS, PIPELINE, MIXED, KINDS };
static int kind_of(const struct atoll__data *d, const struct atoll__config *c)
{
    const struct atoll__plan *p = c->plan >= 0 ? &d->plans[c->plan] : NULL;
    if (!p || p->n_stages == 0) {
        const char *s = d->strategies[c->strategy];
        return strcmp(s, "single") == 0     ? ONE
               : strcmp(s, "replicas") == 0 ? REPLICAS
               : strchr(s, '+')             ? MIXED
                                            : PIPELINE;
    }
    /* Replicas are one stage on several TPUs, or several pipelines of one stage. */
    if ((int64_t)p->n_stages <= p->row.n_pipelines) {
        return p->row.tpus_used > 1 ? REPLICAS : ONE;
    }
    return p->row.n_pipelines <= 1 ? PIPELINE : MIXED;
}

static const char *winners(const struct atoll__data *d, struct atoll_arena *a, enum atoll__metric m)
{
    static const char *const names[KINDS] = {"one TPU", "replicas", "one pipeline",
                                             "several pipelines"};
    size_t count[KINDS] = {0}, known = 0;
    const char *s = "";
    for (size_t i = 0; i < d->n_best; i++) {
        if (d->best[i].metric == m && d->best[i].compared > 1) {
            count[kind_of(d, &d->configs[d->best[i].config])]++;
            known += d->best[i].noise_known;
        }
    }
    size_t shown = 0;
    for (int round = 0; round < KINDS; round++) {
        int k = 0;
        for (int j = 1; j < KINDS; j++) {
            k = count[j] > count[k] ? j : k;
        }
        if (count[k] == 0) {
            break;
        }
        s = atoll_arena_printf(a, "%s%s%s (%zu)", s, shown++ ? ", " : "", names[k], count[k]);
        if (!s) {
            return NULL;
        }
        count[k] = 0;
    }
    return shown == 0 ? "nothing to compare"
           : known    ? s
                      : atoll_arena_printf(a, "%s, noise not known", s);
}

static const char *load_line(const struct atoll__data *d, struct atoll_arena *a)
{
    const char *hz = winners(d, a, ATOLL__THROUGHPUT), *mj = winners(d, a, ATOLL__ENERGY);
    return hz && mj ? atoll_arena_printf(a,
                                         "Models by the arrangement that wins: throughput: %s; "
                                         "energy per inference: %s.",
                                         hz, mj)
                    : NULL;
}

int atoll__report_headline(const struct atoll__data *d, struct atoll_verdict *v,
                           struct atoll_err *err)
{
    uint32_t *list = atoll_calloc(d->n_models + 1, sizeof *list);
    if (!list) {
        return atoll_fail_nomem(err, "the headline", d->n_models * sizeof *list);
    }
    v->headline[0] = memory_line(d, v->arena);
    v->headline[1] = time_line(d, v->arena, list);
    v->headline[2] = load_line(d, v->arena);
    atoll_free(list);
    return v->headline[0] && v->headline[1] && v->headline[2]
               ? 0
               : atoll_fail_nomem(err, "the headline", 1);
}
