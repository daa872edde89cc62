/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power traces, phases and timelines for the page: a few runs. A trace is a pyramid: its first
 * level is the whole run, each further one is four times finer around the beginning of the steady
 * window, the last one holds the scans themselves. A level has at most 4000 points a rail: lowest
 * and highest of each step, so that no spike is lost. The page shows the finest level that covers
 * what is looked at.
 */
#include "report_internal.h"

#include <math.h>
#include <string.h>

#define TRACES_MAX 12
/* No further trace once the page has this size: it stays under 3 MB with the scripts. */
#define PAGE_BYTES 2000000u
#define POINTS_MAX 4000
#define SPANS_MAX 2000

struct candidate {
    int64_t run, repeat;
    uint32_t config;
    int rank; ///< 0: best throughput of its model, 1: best otherwise, 2: any
};
struct search {
    const struct atoll__data *d;
    struct candidate *list;
    size_t n, cap, hint;
};

int64_t atoll__report_config_of(const struct atoll__data *d, const struct atoll_run_row *r,
                                size_t *hint)
{
    if (r->status && strcmp(r->status, "done") != 0) {
        return -1;
    }
    for (size_t k = 0; k < d->n_configs; k++) {
        const size_t i = (*hint + k) % d->n_configs;
        const struct atoll__config *c = &d->configs[i];
        if (c->tpus == r->tpus && strcmp(d->strategies[c->strategy], r->strategy) == 0 &&
            strcmp(d->workloads[c->workload], r->workload) == 0 &&
            strcmp(d->models[c->model].row.spec, r->model) == 0) {
            *hint = i;
            return (int64_t)i;
        }
    }
    return -1;
}

static int on_run(void *u, const struct atoll_run_row *r)
{
    struct search *s = u;
    const int64_t config = atoll__report_config_of(s->d, r, &s->hint);
    if (config < 0) {
        return 0;
    }
    if (atoll_grow((void **)&s->list, &s->cap, s->n + 1, sizeof *s->list)) {
        return ATOLL_ENOMEM;
    }
    s->list[s->n++] = (struct candidate){
        .run = r->id, .repeat = r->repeat, .config = (uint32_t)config, .rank = 2};
    return 0;
}

/* A trace: times even, milliwatts by scan and rail. */
struct trace {
    const uint64_t *t_ns;
    const float *mw;
    size_t n;
    uint32_t rails;
};

/* Lowest or highest value of a rail in each step of `width` scans, whole milliwatts. */
static void write_extremes(struct atoll_buf *b, const struct trace *t, size_t from, size_t to,
                           size_t width, bool highest)
{
    for (uint32_t r = 0; r < t->rails; r++) {
        atoll_buf_puts(b, r ? ",[" : "[");
        for (size_t k = from; k < to; k += width) {
            float v = t->mw[k * t->rails + r];
            for (size_t i = k; i < k + width && i < to; i++) {
                const float w = t->mw[i * t->rails + r];
                v = (highest ? w > v : w < v) ? w : v;
            }
            atoll_buf_puts(b, k > from ? "," : "");
            atoll__text_number(b, round((double)v), 7);
        }
        atoll_buf_puts(b, "]");
    }
}

static void write_level(struct atoll_buf *b, const struct trace *t, size_t from, size_t to,
                        size_t width)
{
    const double scan_ms = (double)(t->t_ns[t->n - 1] - t->t_ns[0]) * 1e-6 / (double)(t->n - 1);
    atoll_buf_puts(b, "{\"t0\":");
    atoll__text_number(b, (double)(t->t_ns[from] - t->t_ns[0]) * 1e-6, 9);
    atoll_buf_puts(b, ",\"dt\":");
    atoll__text_number(b, scan_ms * (double)width, 12);
    atoll_buf_printf(b, ",\"scans\":%zu,\"lo\":[", width);
    write_extremes(b, t, from, to, width, false);
    if (width > 1) {
        atoll_buf_puts(b, "],\"hi\":[");
        write_extremes(b, t, from, to, width, true);
    }
    atoll_buf_puts(b, "]}");
}

static void write_levels(struct atoll_buf *b, const struct trace *t, uint64_t focus_ns)
{
    size_t focus = 0;
    while (focus + 1 < t->n && t->t_ns[focus] < focus_ns) {
        focus++;
    }
    atoll_buf_puts(b, ",\"levels\":[");
    if (t->n >= 2 && t->n <= POINTS_MAX) {
        write_level(b, t, 0, t->n, 1);
    }
    size_t width = t->n > POINTS_MAX ? (t->n + POINTS_MAX / 2 - 1) / (POINTS_MAX / 2) : 0;
    for (bool first = true; width > 0; first = false) {
        const size_t span = width == 1 ? POINTS_MAX : POINTS_MAX / 2 * width;
        const size_t before = span / 8; /* a little of what led there */
        size_t from = first || focus < before ? 0 : focus - before;
        from = !first && from + span > t->n ? t->n - span : from;
        atoll_buf_puts(b, first ? "" : ",\n");
        write_level(b, t, from, from + span < t->n ? from + span : t->n, width);
        width = width == 1 ? 0 : width > 4 ? width / 4 : 1;
    }
    atoll_buf_puts(b, "]");
}

struct phases {
    struct atoll_buf *b;
    uint64_t zero_ns, steady_ns; ///< UINT64_MAX: no steady window is on record
    bool write;
    size_t n;
};
static int on_phase(void *u, const struct atoll_phase_row *r)
{
    struct phases *p = u;
    if (strcmp(r->phase, "steady") == 0 && r->from_s >= 0 && r->from_s < 1e9) {
        p->steady_ns = (uint64_t)(r->from_s * 1e9);
    }
    if (!p->write || !(r->seconds > 0)) {
        return 0;
    }
    atoll_buf_printf(p->b, "%s{\"name\":", p->n++ ? "," : "");
    atoll__text_json(p->b, r->phase);
    atoll_buf_puts(p->b, ",\"s\":");
    atoll__text_number(p->b, r->from_s * 1e3 - (double)p->zero_ns * 1e-6, 9);
    atoll_buf_puts(p->b, ",\"ms\":");
    atoll__text_number(p->b, r->seconds * 1e3, 9);
    atoll_buf_puts(p->b, ",\"mj\":");
    atoll__text_number(p->b, r->energy_mj, 6);
    atoll_buf_puts(p->b, ",\"u95\":");
    atoll__text_number(p->b, r->u95_mj, 3);
    atoll_buf_puts(p->b, "}");
    return 0;
}

static void write_spans(struct atoll_buf *b, const struct atoll_span *spans, size_t n,
                        uint64_t zero_ns)
{
    static const char *const names[] = {"tpu", "kind", "s", "e"};
    n = n > SPANS_MAX ? SPANS_MAX : n;
    atoll_buf_puts(b, ",\"spans\":{");
    for (size_t k = 0; k < 4; k++) {
        atoll_buf_printf(b, "%s\"%s\":[", k ? "," : "", names[k]);
        for (size_t i = 0; i < n; i++) {
            const struct atoll_span *p = &spans[i];
            const double value[] = {p->tpu, p->kind, ((double)p->start_ns - (double)zero_ns) * 1e-6,
                                    ((double)p->end_ns - (double)zero_ns) * 1e-6};
            atoll_buf_puts(b, i ? "," : "");
            atoll__text_number(b, value[k], 7);
        }
        atoll_buf_puts(b, "]");
    }
    atoll_buf_puts(b, "}");
}

/* Names of the rails, in the trace's order. */
static void write_rail_names(struct atoll_buf *b, char *names, uint32_t rails)
{
    char *rest = names;
    for (uint32_t i = 0; i < rails; i++) {
        char *comma = rest ? strchr(rest, ',') : NULL;
        if (comma) {
            *comma = '\0';
        }
        atoll_buf_puts(b, i ? "," : "");
        atoll__text_json(b, rest ? rest : "rail");
        rest = comma ? comma + 1 : NULL;
    }
}

static int write_one(struct atoll_store *s, const struct atoll__data *d, const struct candidate *c,
                     size_t *written, struct atoll_buf *b, struct atoll_err *err)
{
    uint64_t *t_ns = NULL;
    float *mw = NULL;
    struct atoll_span *spans = NULL;
    char *names = NULL;
    size_t n = 0, n_spans = 0;
    uint32_t rails = 0;
    int e = atoll_store_get_trace(s, c->run, &t_ns, &mw, &n, &rails, err);
    e = e ? e : atoll_store_get_timeline(s, c->run, &spans, &n_spans, err);
    e = e ? e : atoll_store_get_trace_names(s, c->run, &names, err);
    if (e || (n < 2 && n_spans == 0)) {
        goto done;
    }
    uint64_t zero_ns = n ? t_ns[0] : UINT64_MAX;
    for (size_t i = 0; n == 0 && i < n_spans; i++) {
        zero_ns = spans[i].start_ns < zero_ns ? spans[i].start_ns : zero_ns;
    }
    const struct atoll__config *k = &d->configs[c->config];
    atoll_buf_printf(b,
                     "%s{\"m\":%u,\"s\":%u,\"t\":%lld,\"w\":%u,\"run\":%lld,\"repeat\":%lld,"
                     "\"points\":%zu,\"rails\":[",
                     *written ? ",\n" : "", k->model, k->strategy, (long long)k->tpus, k->workload,
                     (long long)c->run, (long long)c->repeat, n);
    write_rail_names(b, names, rails);
    atoll_buf_puts(b, "]");
    struct phases p = {.b = b, .zero_ns = zero_ns, .steady_ns = UINT64_MAX};
    e = atoll_store_each_phase(s, c->run, on_phase, &p, err);
    write_levels(b, &(struct trace){t_ns, mw, n, rails}, p.steady_ns);
    atoll_buf_puts(b, ",\"phases\":[");
    p.write = true;
    e = e ? e : atoll_store_each_phase(s, c->run, on_phase, &p, err);
    atoll_buf_puts(b, "]");
    write_spans(b, spans, n_spans, zero_ns);
    atoll_buf_puts(b, "}");
    ++*written;
done:
    atoll_free(t_ns);
    atoll_free(mw);
    atoll_free(spans);
    atoll_free(names);
    return e;
}

int atoll__report_traces(struct atoll_store *s, const struct atoll__data *d, struct atoll_buf *b,
                         struct atoll_err *err)
{
    struct search w = {.d = d};
    size_t written = 0;
    atoll_buf_puts(b, ",\n\"traces\":[");
    int e = d->n_configs ? atoll_store_each_run(s, d->experiment.key, on_run, &w, err) : 0;
    if (e == ATOLL_ENOMEM) {
        atoll_fail_nomem(err, "the runs with traces", w.n * sizeof *w.list);
    }
    for (size_t i = 0; i < d->n_best; i++) {
        for (size_t k = 0; k < w.n; k++) {
            const int rank = d->best[i].metric == ATOLL__THROUGHPUT ? 0 : 1;
            if (w.list[k].config == d->best[i].config && rank < w.list[k].rank) {
                w.list[k].rank = rank;
            }
        }
    }
    /* The best arrangements first, then whatever else kept a trace. */
    for (int round = 0; round < 3; round++) {
        for (size_t k = 0; !e && k < w.n && written < TRACES_MAX && b->size < PAGE_BYTES; k++) {
            if (w.list[k].rank == round) {
                e = write_one(s, d, &w.list[k], &written, b, err);
            }
        }
    }
    atoll_free(w.list);
    atoll_buf_puts(b, "]");
    return e;
}
