/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chrome trace JSON of one run ("Trace Event Format", Google 2016; Perfetto opens it). Begin and
 * end events must nest on a track, but a TPU computes while it streams: each TPU gets as many
 * tracks (lanes) as its overlapping spans need, and a span goes to the first lane where it nests.
 */
#include "report_internal.h"

#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"host", "input", "load", "compute", "stream", "output"};

/* Lanes of one TPU: a stack of open spans each. */
struct lane {
    uint64_t *ends;
    size_t n, cap;
};
struct lanes {
    struct lane *v;
    size_t n, cap;
    uint32_t tpu;
};
struct out {
    struct atoll_buf *b;
    uint64_t zero_ns;
    size_t events;
};

static void comma(struct out *o)
{
    atoll_buf_puts(o->b, o->events++ ? ",\n" : "\n");
}

/* Trace times are microseconds; three decimals keep the nanoseconds. */
static void put_time(struct out *o, uint64_t t_ns)
{
    const uint64_t t = t_ns - o->zero_ns;
    atoll_buf_printf(o->b, "\"ts\":%llu.%03u", (unsigned long long)(t / 1000),
                     (unsigned)(t % 1000));
}

static unsigned track_of(const struct lanes *l, size_t lane)
{
    return l->tpu * 16u + (unsigned)lane;
}

static void put_end(struct out *o, const struct lanes *l, size_t lane)
{
    struct lane *k = &l->v[lane];
    comma(o);
    atoll_buf_printf(o->b, "{\"ph\":\"E\",\"pid\":1,\"tid\":%u,", track_of(l, lane));
    put_time(o, k->ends[--k->n]);
    atoll_buf_puts(o->b, "}");
}

static void put_track_name(struct out *o, const struct lanes *l, size_t lane)
{
    comma(o);
    atoll_buf_printf(o->b,
                     "{\"ph\":\"M\",\"pid\":1,\"tid\":%u,\"name\":\"thread_name\",\"args\":{"
                     "\"name\":\"TPU %u%s\"}}",
                     track_of(l, lane), l->tpu, lane ? " (at the same time)" : "");
}

static int put_span(struct out *o, struct lanes *l, const struct atoll_span *s)
{
    size_t k = 0;
    for (; k < l->n; k++) {
        struct lane *lane = &l->v[k];
        while (lane->n > 0 && lane->ends[lane->n - 1] <= s->start_ns) {
            put_end(o, l, k);
        }
        if (lane->n == 0 || lane->ends[lane->n - 1] >= s->end_ns) {
            break;
        }
    }
    if (k == l->n) {
        if (atoll_grow((void **)&l->v, &l->cap, l->n + 1, sizeof *l->v)) {
            return ATOLL_ENOMEM;
        }
        l->v[l->n++] = (struct lane){0};
        put_track_name(o, l, k);
    }
    struct lane *lane = &l->v[k];
    if (atoll_grow((void **)&lane->ends, &lane->cap, lane->n + 1, sizeof *lane->ends)) {
        return ATOLL_ENOMEM;
    }
    lane->ends[lane->n++] = s->end_ns;
    comma(o);
    atoll_buf_printf(o->b, "{\"ph\":\"B\",\"pid\":1,\"tid\":%u,", track_of(l, k));
    put_time(o, s->start_ns);
    atoll_buf_printf(
        o->b,
        ",\"name\":\"%s\",\"cat\":\"tpu\",\"args\":{\"input\":%llu,\"pipeline\":%u,\"stage\":%u}}",
        s->kind < sizeof kinds / sizeof *kinds ? kinds[s->kind] : "other",
        (unsigned long long)s->item, s->pipeline, s->stage);
    return 0;
}

static void finish_lanes(struct out *o, struct lanes *l, bool close)
{
    for (size_t k = 0; k < l->n; k++) {
        while (close && l->v[k].n > 0) {
            put_end(o, l, k);
        }
        atoll_free(l->v[k].ends);
    }
    atoll_free(l->v);
    *l = (struct lanes){0};
}

/* By TPU, then start, the longer first: a span that holds others comes before them. */
static int compare_spans(const void *x, const void *y)
{
    const struct atoll_span *a = x, *b = y;
    int c = (a->tpu > b->tpu) - (a->tpu < b->tpu);
    c = c ? c : (a->start_ns > b->start_ns) - (a->start_ns < b->start_ns);
    c = c ? c : (a->end_ns < b->end_ns) - (a->end_ns > b->end_ns);
    c = c ? c : (a->item > b->item) - (a->item < b->item);
    return c ? c : (a->kind > b->kind) - (a->kind < b->kind);
}

static int put_spans(struct out *o, struct atoll_span *spans, size_t n)
{
    struct lanes l = {0};
    int e = 0;
    if (n) {
        qsort(spans, n, sizeof *spans, compare_spans);
    }
    for (size_t i = 0; !e && i < n; i++) {
        if (l.n && l.tpu != spans[i].tpu) {
            finish_lanes(o, &l, true);
        }
        l.tpu = spans[i].tpu;
        /* A span that ends before it begins is a damaged one. */
        e = spans[i].end_ns >= spans[i].start_ns ? put_span(o, &l, &spans[i]) : 0;
    }
    finish_lanes(o, &l, e == 0);
    return e;
}

static void put_power(struct out *o, const uint64_t *t_ns, const float *mw, size_t n,
                      uint32_t rails, char *names)
{
    char *rest = names;
    for (uint32_t r = 0; r < rails; r++) {
        char *end = rest ? strchr(rest, ',') : NULL;
        if (end) {
            *end = '\0';
        }
        for (size_t i = 0; i < n; i++) {
            comma(o);
            atoll_buf_puts(o->b, "{\"ph\":\"C\",\"pid\":1,\"name\":");
            atoll__text_json(o->b, rest ? rest : "rail");
            atoll_buf_puts(o->b, ",");
            put_time(o, t_ns[i]);
            atoll_buf_puts(o->b, ",\"args\":{\"mW\":");
            atoll__text_number(o->b, (double)mw[i * rails + r], 7);
            atoll_buf_puts(o->b, "}}");
        }
        rest = end ? end + 1 : NULL;
    }
}

/* --------------------------------------------------------------------------- the one run */

struct wanted {
    int64_t id;
    bool found;
    struct atoll_buf *b;
};
static int on_run(void *u, const struct atoll_run_row *r)
{
    struct wanted *w = u;
    if (r->id != w->id) {
        return 0;
    }
    w->found = true;
    atoll_buf_puts(w->b, "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"schema\":\"atoll.trace/"
                         "1\",\"version\":\"" ATOLL_VERSION "\",\"model\":");
    atoll__text_json(w->b, r->model);
    atoll_buf_puts(w->b, ",\"strategy\":");
    atoll__text_json(w->b, r->strategy);
    atoll_buf_puts(w->b, ",\"workload\":");
    atoll__text_json(w->b, r->workload);
    atoll_buf_puts(w->b, ",\"origin\":");
    atoll__text_json(w->b, r->origin);
    atoll_buf_printf(w->b, ",\"tpus\":%lld,\"repeat\":%lld,\"run\":%lld},\"traceEvents\":[",
                     (long long)r->tpus, (long long)r->repeat, (long long)r->id);
    return 0;
}

struct series {
    uint64_t *t_ns;
    float *mw;
    struct atoll_span *spans;
    char *names;
    size_t n, n_spans;
    uint32_t rails;
};

static int put_events(struct atoll_buf *b, struct series *s, struct atoll_err *err)
{
    struct out o = {.b = b, .zero_ns = UINT64_MAX};
    for (size_t i = 0; i < s->n_spans; i++) {
        o.zero_ns = s->spans[i].start_ns < o.zero_ns ? s->spans[i].start_ns : o.zero_ns;
    }
    o.zero_ns = s->n && s->t_ns[0] < o.zero_ns ? s->t_ns[0] : o.zero_ns;
    comma(&o);
    atoll_buf_puts(
        b, "{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{\"name\":\"atoll\"}}");
    const int e = put_spans(&o, s->spans, s->n_spans);
    put_power(&o, s->t_ns, s->mw, s->n, s->rails, s->names);
    atoll_buf_puts(b, "\n]}\n");
    return e || b->failed ? atoll_fail_nomem(err, "the trace", b->size) : 0;
}

int atoll_report_trace(struct atoll_store *s, int64_t run, const char *path, struct atoll_err *err)
{
    struct atoll_buf b = {0};
    struct series k = {0};
    struct wanted w = {.id = run, .b = &b};
    int e = atoll_store_each_run(s, NULL, on_run, &w, err);
    if (!e && !w.found) {
        e = atoll_fail(err, ATOLL_ENOTFOUND, "run %lld is not in the database", (long long)run);
    }
    e = e ? e : atoll_store_get_timeline(s, run, &k.spans, &k.n_spans, err);
    e = e ? e : atoll_store_get_trace(s, run, &k.t_ns, &k.mw, &k.n, &k.rails, err);
    e = e ? e : atoll_store_get_trace_names(s, run, &k.names, err);
    if (!e && k.n == 0 && k.n_spans == 0) {
        e = atoll_fail(err, ATOLL_ENOTFOUND,
                       "run %lld kept no timeline and no power trace, expected an experiment with "
                       "keep_trace: first or all",
                       (long long)run);
    }
    e = e ? e : put_events(&b, &k, err);
    e = e ? e : atoll_write_file(path, b.data, b.size, err);
    atoll_free(k.t_ns);
    atoll_free(k.mw);
    atoll_free(k.spans);
    atoll_free(k.names);
    atoll_buf_finish(&b);
    return e;
}
