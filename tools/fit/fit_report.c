/* SPDX-License-Identifier: Apache-2.0 */
/* Error columns per family and host, and the worst rows. */
#include "fit.h"

#include <atoll/stats.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** Median and 90th percentile of the absolute relative error of one column over some rows. */
struct errors {
    double median, p90;
    size_t n;
};

static double column_of(const struct fit_row *r, int column)
{
    const double ms[] = {r->predicted_ms, r->row_out_ms, r->family_out_ms, r->host_out_ms};
    return ms[column];
}

/** Which rows a line of the report is about. */
struct choice {
    const char *family; ///< NULL: any
    int host;           ///< -1: any
    int kind;           ///< enum fit_kind; -1: any
    bool on_card;       ///< only networks on the card, not copies
    bool rounding;      ///< errors only beyond what the source rounds away
};

static bool chosen(const struct fit_row *r, const struct choice *c)
{
    return (c->family == NULL || strcmp(r->family, c->family) == 0) &&
           (c->host < 0 || r->host == c->host) && (c->kind < 0 || (int)r->kind == c->kind) &&
           (!c->on_card || strstr(r->family, "on the card") != NULL) &&
           (c->family != NULL || !r->shown);
}

static double error_of(const struct fit_row *r, double ms, bool rounding)
{
    const double off_ms = fabs(ms - r->ms) - (rounding ? r->half_ms : 0.0);
    return off_ms > 0.0 ? off_ms / r->ms : 0.0;
}

static struct errors errors_of(const struct fit *f, int column, const struct choice *c)
{
    double *v = atoll_calloc(f->n_rows + 1u, sizeof *v);
    struct errors e = {.median = (double)NAN, .p90 = (double)NAN};
    if (v == NULL) {
        return e;
    }
    for (size_t i = 0; i < f->n_rows; i++) {
        const struct fit_row *r = &f->rows[i];
        const double ms = column_of(r, column);
        if (chosen(r, c) && isfinite(ms)) {
            v[e.n++] = error_of(r, ms, c->rounding);
        }
    }
    atoll_sort(v, e.n);
    if (e.n > 0) {
        e.median = atoll_quantile(v, e.n, 0.5);
        e.p90 = atoll_quantile(v, e.n, 0.9);
    }
    atoll_free(v);
    return e;
}

static void print_line(const struct fit *f, const char *name, const struct choice *choice)
{
    const size_t n = errors_of(f, 0, choice).n;
    if (n == 0) {
        return;
    }
    (void)fprintf(f->out, "| %s | %zu ", name, n);
    for (int c = 0; c < 4; c++) {
        const struct errors e = errors_of(f, c, choice);
        if (isfinite(e.median)) {
            (void)fprintf(f->out, "| %.1f / %.1f ", 100 * e.median, 100 * e.p90);
        } else {
            (void)fprintf(f->out, "| - ");
        }
    }
    (void)fprintf(f->out, "|\n");
}

/** Share of rows whose truth lies in the interval that the library states, with the family or the
 *  host left out. */
static void print_coverage(const struct fit *f, const char *name, const struct choice *c)
{
    size_t n[2] = {0};
    size_t in[2] = {0};
    for (size_t i = 0; i < f->n_rows; i++) {
        const struct fit_row *r = &f->rows[i];
        const double ms[] = {r->family_out_ms, r->host_out_ms};
        const double u95[] = {r->family_out_u95_ms, r->host_out_u95_ms};
        for (int k = 0; k < 2 && chosen(r, c); k++) {
            n[k] += isfinite(ms[k]) ? 1 : 0;
            in[k] += isfinite(ms[k]) && fabs(ms[k] - r->ms) <= u95[k] + r->half_ms ? 1 : 0;
        }
    }
    if (n[0] > 0 && n[1] > 0) {
        (void)fprintf(f->out, "| %s | %zu | %.0f | %.0f |\n", name, n[0],
                      100.0 * (double)in[0] / (double)n[0], 100.0 * (double)in[1] / (double)n[1]);
    }
}

static void print_head(const struct fit *f, const char *what)
{
    (void)fprintf(f->out,
                  "\n| %s | rows | in-sample | row left out | family left out | host left out |\n"
                  "|---|---|---|---|---|---|\n",
                  what);
}

static double worst_of(const struct fit_row *r)
{
    const double ms = isfinite(r->row_out_ms) ? r->row_out_ms : r->predicted_ms;
    return fabs(log(ms / r->ms));
}

static int by_worst(const void *a, const void *b)
{
    const double x = worst_of(*(const struct fit_row *const *)a);
    const double y = worst_of(*(const struct fit_row *const *)b);
    return x > y ? -1 : x < y;
}

/** Every row of the card and of the networks, for the method page. */
static void print_rows(const struct fit *f)
{
    (void)fprintf(f->out,
                  "\n| row | host | measured ms | in-sample | row out | family out | host out |\n"
                  "|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < f->n_rows; i++) {
        const struct fit_row *r = &f->rows[i];
        (void)fprintf(f->out, "| %s | %s | %.3f | %+.1f | %+.1f | %+.1f | %+.1f |\n", r->label,
                      f->hosts[r->host].name, r->ms, 100 * (r->predicted_ms / r->ms - 1),
                      100 * (r->row_out_ms / r->ms - 1), 100 * (r->family_out_ms / r->ms - 1),
                      100 * (r->host_out_ms / r->ms - 1));
    }
}

static void print_worst(const struct fit *f, size_t count)
{
    const struct fit_row **list = atoll_calloc(f->n_rows + 1u, sizeof(struct fit_row *));
    if (list == NULL) {
        return;
    }
    size_t n = 0;
    for (size_t i = 0; i < f->n_rows; i++) {
        if (!f->rows[i].shown) {
            list[n++] = &f->rows[i];
        }
    }
    qsort(list, n, sizeof *list, by_worst);
    (void)fprintf(f->out, "\n| worst rows | host | measured ms | in-sample ms | row left out ms "
                          "|\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < count && i < n; i++) {
        (void)fprintf(f->out, "| %s | %s | %.3f | %.3f | %.3f |\n", list[i]->label,
                      f->hosts[list[i]->host].name, list[i]->ms, list[i]->predicted_ms,
                      list[i]->row_out_ms);
    }
    atoll_free(list);
}

/** Calls back with every family, in the order of the rows. */
static void each_family(const struct fit *f,
                        void (*call)(const struct fit *, const char *, const struct choice *))
{
    for (size_t i = 0; i < f->n_rows; i++) {
        bool seen = false;
        for (size_t j = 0; j < i && !seen; j++) {
            seen = strcmp(f->rows[j].family, f->rows[i].family) == 0;
        }
        if (!seen) {
            call(f, f->rows[i].family, &(struct choice){f->rows[i].family, -1, -1, false, false});
        }
    }
}

void fit_report(const struct fit *f, bool rows)
{
    size_t fitted = 0;
    for (size_t i = 0; i < f->n_rows; i++) {
        fitted += !f->rows[i].shown;
    }
    (void)fprintf(f->out,
                  "%zu rows fitted, %zu predicted beside them; %d parameters (with priors)\n\n| "
                  "constant | host | value | u95 "
                  "|\n|---|---|---|---|\n",
                  fitted, f->n_rows - fitted, f->n_params);
    for (int i = 0; i < f->n_params; i++) {
        const struct fit_param *p = &f->params[i];
        const double v = exp(p->log_value);
        (void)fprintf(f->out, "| %s%s | %s | %.5g | %.2g |\n", p->name,
                      p->place == FIT_DRIVE && p->drive == 1 ? ", threads" : "",
                      p->host < 0 ? "chip" : f->hosts[p->host].name, v, v * p->rel_u95);
    }
    (void)fprintf(f->out,
                  "\nErrors: median / 90th percentile of |predicted / measured - 1|, percent.\n");
    print_head(f, "family");
    each_family(f, print_line);
    print_line(f, "MobileNet v1, beyond what its sources round away",
               &(struct choice){"MobileNet v1", -1, -1, false, true});
    print_head(f, "8-TPU card");
    print_line(f, "stages called by hand", &(struct choice){NULL, -1, FIT_LATENCY, true, false});
    print_line(f, "runner's interval", &(struct choice){NULL, -1, FIT_INTERVAL, true, false});
    print_line(f, "copies: latency", &(struct choice){NULL, -1, FIT_COPIES, true, false});
    print_line(f, "copies: interval", &(struct choice){NULL, -1, FIT_COPIES_INTERVAL, true, false});
    print_head(f, "host");
    for (int h = 0; h < f->n_hosts; h++) {
        print_line(f, f->hosts[h].name, &(struct choice){NULL, h, -1, false, false});
    }
    (void)fprintf(f->out,
                  "\nShare of rows inside the stated 95 %% interval, percent.\n\n"
                  "| family | rows | family left out | host left out |\n|---|---|---|---|\n");
    each_family(f, print_coverage);
    print_coverage(f, "all", &(struct choice){NULL, -1, -1, false, false});
    print_worst(f, 20);
    if (rows) {
        print_rows(f);
    }
}
