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

static struct errors errors_of(const struct fit *f, int column, const char *family, int host)
{
    double *v = atoll_calloc(f->n_rows + 1u, sizeof *v);
    struct errors e = {.median = (double)NAN, .p90 = (double)NAN};
    if (v == NULL) {
        return e;
    }
    for (size_t i = 0; i < f->n_rows; i++) {
        const struct fit_row *r = &f->rows[i];
        const double ms = column_of(r, column);
        if ((family == NULL || strcmp(r->family, family) == 0) && (host < 0 || r->host == host) &&
            isfinite(ms)) {
            v[e.n++] = fabs(ms / r->ms - 1.0);
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

static void print_line(const struct fit *f, const char *name, const char *family, int host)
{
    const size_t n = errors_of(f, 0, family, host).n;
    if (n == 0) {
        return;
    }
    (void)fprintf(f->out, "| %s | %zu ", name, n);
    for (int c = 0; c < 4; c++) {
        const struct errors e = errors_of(f, c, family, host);
        if (isfinite(e.median)) {
            (void)fprintf(f->out, "| %.1f / %.1f ", 100 * e.median, 100 * e.p90);
        } else {
            (void)fprintf(f->out, "| - ");
        }
    }
    (void)fprintf(f->out, "|\n");
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
    for (size_t i = 0; i < f->n_rows; i++) {
        list[i] = &f->rows[i];
    }
    qsort(list, f->n_rows, sizeof *list, by_worst);
    (void)fprintf(f->out, "\n| worst rows | host | measured ms | in-sample ms | row left out ms "
                          "|\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < count && i < f->n_rows; i++) {
        (void)fprintf(f->out, "| %s | %s | %.3f | %.3f | %.3f |\n", list[i]->label,
                      f->hosts[list[i]->host].name, list[i]->ms, list[i]->predicted_ms,
                      list[i]->row_out_ms);
    }
    atoll_free(list);
}

void fit_report(const struct fit *f, bool rows)
{
    (void)fprintf(f->out,
                  "%zu rows, %d parameters (with priors)\n\n| constant | host | value | u95 "
                  "|\n|---|---|---|---|\n",
                  f->n_rows, f->n_params);
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
    for (size_t i = 0; i < f->n_rows; i++) {
        bool seen = false;
        for (size_t j = 0; j < i && !seen; j++) {
            seen = strcmp(f->rows[j].family, f->rows[i].family) == 0;
        }
        if (!seen) {
            print_line(f, f->rows[i].family, f->rows[i].family, -1);
        }
    }
    print_head(f, "host");
    for (int h = 0; h < f->n_hosts; h++) {
        print_line(f, f->hosts[h].name, NULL, h);
    }
    print_worst(f, 20);
    if (rows) {
        print_rows(f);
    }
}
