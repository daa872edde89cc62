/* SPDX-License-Identifier: Apache-2.0 */
/* Power traces and timelines for the page: a few runs, at most 4000 points a rail. */
#include "report_internal.h"

#include <string.h>

#define TRACES_MAX 12
/* No further trace once the page has this size: it stays under 3 MB with the scripts. */
#define PAGE_BYTES 2000000u
#define POINTS_MAX 4000
#define SPANS_MAX  2000

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

static int on_run(void *u, const struct atoll_run_row *r)
{
    struct search *s = u;
    const struct atoll__data *d = s->d;
    if (r->status && strcmp(r->status, "done") != 0) {
        return 0;
    }
    for (size_t k = 0; k < d->n_configs; k++) {
        const size_t i = (s->hint + k) % d->n_configs;
        const struct atoll__config *c = &d->configs[i];
        if (c->tpus != r->tpus || strcmp(d->strategies[c->strategy], r->strategy) != 0 ||
            strcmp(d->workloads[c->workload], r->workload) != 0 ||
            strcmp(d->models[c->model].row.spec, r->model) != 0) {
            continue;
        }
        s->hint = i;
        if (atoll_grow((void **)&s->list, &s->cap, s->n + 1, sizeof *s->list)) {
            return ATOLL_ENOMEM;
        }
        s->list[s->n++] =
            (struct candidate){.run = r->id, .repeat = r->repeat, .config = (uint32_t)i, .rank = 2};
        return 0;
    }
    return 0;
}

/* Lowest and highest value of each rail in each step, so that no spike is lost. */
static void write_trace(struct atoll_buf *b, const uint64_t *t_ns, const float *mw, size_t n,
                        uint32_t rails)
{
    const size_t steps = n <= POINTS_MAX ? n : POINTS_MAX / 2, points = n <= POINTS_MAX ? 1 : 2;
    atoll_buf_puts(b, ",\"t_ms\":[");
    for (size_t k = 0; k < steps * points; k++) {
        const size_t from = k / points * n / steps, to = (k / points + 1) * n / steps;
        const size_t at = k % points == 0 ? from : from + (to - from) / 2;
        atoll_buf_puts(b, k ? "," : "");
        atoll__text_number(b, (double)(t_ns[at] - t_ns[0]) * 1e-6, 8);
    }
    atoll_buf_puts(b, "],\"mw\":[");
    for (uint32_t r = 0; r < rails; r++) {
        atoll_buf_puts(b, r ? "],[" : "[");
        for (size_t k = 0; k < steps; k++) {
            size_t low = k * n / steps, high = low;
            for (size_t i = low; i < (k + 1) * n / steps; i++) {
                low = mw[i * rails + r] < mw[low * rails + r] ? i : low;
                high = mw[i * rails + r] > mw[high * rails + r] ? i : high;
            }
            const size_t pair[2] = {low < high ? low : high, low < high ? high : low};
            for (size_t j = 0; j < points; j++) {
                atoll_buf_puts(b, k || j ? "," : "");
                atoll__text_number(b, (double)mw[pair[j] * rails + r], 5);
            }
        }
    }
    atoll_buf_puts(b, rails ? "]]" : "]");
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
    write_trace(b, t_ns, mw, n, rails);
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
