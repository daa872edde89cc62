/* SPDX-License-Identifier: Apache-2.0 */
/* The page: a template with {{marks}}, filled with text that is escaped here and with the data. */
#include "report_internal.h"

#include <string.h>

struct page {
    struct atoll_store *store;
    const struct atoll__data *d;
    const struct atoll_verdict *v;
    struct atoll_buf *b;
    struct atoll_err *err;
};

static const struct atoll__asset *find_asset(const char *name, size_t n)
{
    for (size_t i = 0; i < atoll__report_n_assets; i++) {
        if (strlen(atoll__report_assets[i].name) == n &&
            memcmp(atoll__report_assets[i].name, name, n) == 0) {
            return &atoll__report_assets[i];
        }
    }
    return NULL;
}

static const char *or_else(const char *s, const char *otherwise)
{
    return s && *s ? s : otherwise;
}

/* ------------------------------------------------------------------------------ the parts */

static int put_title(struct page *p)
{
    atoll__text_html(p->b, or_else(p->d->experiment.name, "experiment without a name"));
    return 0;
}

static int put_version(struct page *p)
{
    atoll_buf_puts(p->b, ATOLL_VERSION);
    return 0;
}

static int put_origin(struct page *p)
{
    atoll__text_html(p->b, or_else(p->d->origin, "not run"));
    return 0;
}

static int put_lede(struct page *p)
{
    const struct atoll_experiment_row *e = &p->d->experiment;
    atoll__text_html(p->b, or_else(e->board_title, or_else(e->board, "an unnamed board")));
    atoll_buf_printf(p->b, ", %zu models, 1 to %lld TPUs, %zu workloads, %lld repeats: %llu runs",
                     p->d->n_models, (long long)e->tpus_max, p->d->n_workloads,
                     (long long)e->repeats, (unsigned long long)p->d->n_runs);
    if (e->units > 0 && (uint64_t)e->units != p->d->n_runs) {
        atoll_buf_printf(p->b, " of %lld planned", (long long)e->units);
    }
    if (p->d->n_failed) {
        atoll_buf_printf(p->b, ", %llu of them failed", (unsigned long long)p->d->n_failed);
    }
    if (p->d->started) {
        atoll_buf_puts(p->b, ". <span class=\"nowrap\">");
        atoll__text_html(p->b, p->d->started);
        atoll_buf_puts(p->b, "</span>");
    }
    return 0;
}

static int put_headline(struct page *p)
{
    for (int i = 0; i < 3; i++) {
        atoll_buf_puts(p->b, "<li>");
        atoll__text_html(p->b, p->v->headline[i]);
        atoll_buf_puts(p->b, "</li>\n");
    }
    return 0;
}

static int put_verdict(struct page *p)
{
    const struct atoll__data *d = p->d;
    size_t k = 0;
    for (uint32_t m = 0; m < d->n_models; m++) {
        const char *label = atoll__report_label(d, m);
        atoll_buf_printf(p->b, "<article data-model=\"%u\">\n<h3>", m);
        atoll__text_html(p->b, label);
        atoll_buf_puts(p->b, "</h3>\n<dl>\n");
        /* Findings come model by model, in the order of the models. */
        for (;
             k < p->v->n && p->v->findings[k].model && strcmp(p->v->findings[k].model, label) == 0;
             k++) {
            const struct atoll_finding *f = &p->v->findings[k];
            atoll_buf_puts(p->b, "<dt>");
            atoll__text_html(p->b, f->topic);
            atoll_buf_puts(p->b, f->beyond_noise ? "</dt><dd>" : "</dt><dd class=\"noise\">");
            atoll__text_html(p->b, f->sentence);
            atoll_buf_puts(p->b, "</dd>\n");
        }
        atoll_buf_puts(p->b, "</dl>\n</article>\n");
    }
    if (d->n_models == 0) {
        atoll_buf_puts(p->b, "<p class=\"none\">This experiment has no run yet.</p>\n");
    }
    return 0;
}

static void put_pair(struct atoll_buf *b, const char *key, const char *value)
{
    if (value && *value) {
        atoll_buf_printf(b, "<dt>%s</dt><dd>", key);
        atoll__text_html(b, value);
        atoll_buf_puts(b, "</dd>\n");
    }
}

static void put_text_details(struct atoll_buf *b, const char *title, const char *text)
{
    if (text && *text) {
        atoll_buf_printf(b, "<details><summary>%s</summary><pre>", title);
        atoll__text_html(b, text);
        atoll_buf_puts(b, "</pre></details>\n");
    }
}

static const char method_notes[] = "<h3>How the numbers were made</h3>\n"
                                   "<p class=\"note\"><b>Measured</b> numbers come from a device "
                                   "and a meter, <b>simulated</b> ones from the simulated "
                                   "board in virtual time under the same meter, <b>computed</b> "
                                   "ones from the cost model without any run. Each figure says "
                                   "which it shows.</p>\n"
                                   "<p class=\"note\">A run gives one median of its inferences. A "
                                   "configuration is the geometric mean over its repeats; its "
                                   "95 % interval is that of the mean over repeats with a variance "
                                   "moderated over all configurations of the same workload "
                                   "(Smyth 2004). The interval of an energy also holds the meter's "
                                   "expanded uncertainty. A difference is beyond noise when "
                                   "its t-test on logarithms, adjusted by Holm over all "
                                   "comparisons of the sentence, has p below 0.05. Of arrangements "
                                   "that differ by noise only, the one with fewest TPUs is "
                                   "recommended. See docs/method-statistics.md of atoll.</p>\n";

static int put_provenance(struct page *p)
{
    const struct atoll__data *d = p->d;
    const struct atoll_experiment_row *e = &d->experiment;
    struct atoll_buf *b = p->b;
    char seed[24];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)e->seed);
    atoll_buf_puts(b, "<dl class=\"prov\">\n");
    put_pair(b, "Experiment", e->name);
    put_pair(b, "Key (sha256)", e->key);
    put_pair(b, "Board", e->board);
    put_pair(b, "Board title", e->board_title);
    put_pair(b, "Device", e->device);
    put_pair(b, "Device version", e->device_version);
    put_pair(b, "Meter", e->meter);
    put_pair(b, "Clock of the TPUs", e->clock);
    put_pair(b, "Host runner", e->runner);
    put_pair(b, "Compiler rules", e->compiler);
    put_pair(b, "Seed", seed);
    put_pair(b, "atoll that ran it", e->atoll_version);
    put_pair(b, "atoll that wrote this", ATOLL_VERSION);
    put_pair(b, "First run", d->started);
    put_pair(b, "Last run", d->ended);
    for (size_t i = 0; i < d->n_hosts && i < 8; i++) {
        put_pair(b, "Host", d->hosts[i]);
    }
    atoll_buf_puts(b, "</dl>\n");
    put_text_details(b, "Assumed constants of the board", e->assumptions);
    put_text_details(b, "Experiment file", e->yaml);
    put_text_details(b, "Board profile", e->board_yaml);
    atoll_buf_puts(b, "<details><summary>Models and their hashes</summary><dl class=\"prov\">\n");
    for (uint32_t m = 0; m < d->n_models; m++) {
        atoll_buf_puts(b, "<dt>");
        atoll__text_html(b, atoll__report_label(d, m));
        atoll_buf_puts(b, "</dt><dd>");
        atoll__text_html(b, d->models[m].row.spec);
        atoll_buf_puts(b, "; sha256 ");
        atoll__text_html(b, or_else(d->models[m].row.sha256, "not known"));
        atoll_buf_puts(b, "; ");
        atoll__text_html(b, or_else(d->models[m].row.source, "no source given"));
        atoll_buf_puts(b, "</dd>\n");
    }
    atoll_buf_puts(b, "</dl></details>\n");
    atoll_buf_puts(b, method_notes);
    return 0;
}

static int put_data(struct page *p)
{
    return atoll__report_block(p->store, p->d, p->v, p->b, p->err);
}

/* ------------------------------------------------------------------------------- the page */

static const struct {
    const char *name;
    int (*put)(struct page *p);
} parts[] = {
    {"title", put_title},           {"version", put_version},
    {"origin", put_origin},         {"lede", put_lede},
    {"headline", put_headline},     {"verdict", put_verdict},
    {"provenance", put_provenance}, {"data", put_data},
};

static int put_mark(struct page *p, const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (strlen(parts[i].name) == n && memcmp(parts[i].name, name, n) == 0) {
            return parts[i].put(p);
        }
    }
    const struct atoll__asset *a = find_asset(name, n);
    if (!a) {
        return atoll_fail(p->err, ATOLL_EINTERNAL, "the page has the unknown mark '%.*s'", (int)n,
                          name);
    }
    atoll_buf_append(p->b, a->data, a->size);
    return 0;
}

static int fill_page(struct page *p)
{
    const struct atoll__asset *page = find_asset("page", 4);
    if (!page) {
        return atoll_fail(p->err, ATOLL_EINTERNAL, "the page's template was not embedded");
    }
    const char *at = (const char *)page->data, *end = at + page->size;
    while (at < end) {
        const char *open = at;
        while (open + 1 < end && !(open[0] == '{' && open[1] == '{')) {
            open++;
        }
        if (open + 1 >= end) {
            break;
        }
        const char *close = open + 2;
        while (close + 1 < end && !(close[0] == '}' && close[1] == '}')) {
            close++;
        }
        atoll_buf_append(p->b, at, (size_t)(open - at));
        const int e = put_mark(p, open + 2, (size_t)(close - open - 2));
        if (e) {
            return e;
        }
        at = close + 2;
    }
    atoll_buf_append(p->b, at, (size_t)(end - at));
    return p->b->failed ? atoll_fail_nomem(p->err, "the page", p->b->size) : 0;
}

static int fill_html(struct atoll_store *s, struct atoll__data *d, const struct atoll_verdict *v,
                     struct atoll_buf *b, struct atoll_err *err)
{
    struct page p = {.store = s, .d = d, .v = v, .b = b, .err = err};
    return fill_page(&p);
}

int atoll__write_html(struct atoll_store *s, const char *path, struct atoll_err *err)
{
    return atoll__report_write(s, path, fill_html, err);
}
