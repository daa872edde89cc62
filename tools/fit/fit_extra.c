/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small fits beside the one of times: energy of inferences and switches on the Dev Board Micro, and
 * what loading parameters costs. Straight lines y = a + b x with relative weights, each row also
 * predicted with itself left out.
 */
#include "fit.h"

#include <atoll/stats.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX 64

struct line {
    double x[LINE_MAX], y[LINE_MAX];
    size_t n;
    bool through_zero; ///< a = 0
};

static double median_ratio(const struct line *l, size_t skip)
{
    double v[LINE_MAX];
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        if (i != skip) {
            v[n++] = l->y[i] / l->x[i];
        }
    }
    atoll_sort(v, n);
    return atoll_quantile(v, n, 0.5);
}

/** Weighted least squares without row `skip` (LINE_MAX: all rows). */
static void solve_line(const struct line *l, size_t skip, double *a, double *b)
{
    double s = 0;
    double sx = 0;
    double sy = 0;
    double sxx = 0;
    double sxy = 0;
    for (size_t i = 0; i < l->n; i++) {
        const double w = i == skip ? 0.0 : 1.0 / (l->y[i] * l->y[i]);
        s += w;
        sx += w * l->x[i];
        sy += w * l->y[i];
        sxx += w * l->x[i] * l->x[i];
        sxy += w * l->x[i] * l->y[i];
    }
    if (l->through_zero) { /* the median ratio: a few rows that wait for the link are far off */
        *a = 0;
        *b = median_ratio(l, skip);
        return;
    }
    *b = (s * sxy - sx * sy) / (s * sxx - sx * sx);
    *a = (sy - *b * sx) / s;
}

static void print_line_fit(const struct fit *f, const char *what, const struct line *l, double *a,
                           double *b)
{
    double in[LINE_MAX];
    double out[LINE_MAX];
    if (l->n < 3) {
        return;
    }
    solve_line(l, LINE_MAX, a, b);
    for (size_t i = 0; i < l->n; i++) {
        double ai;
        double bi;
        solve_line(l, i, &ai, &bi);
        in[i] = fabs((*a + *b * l->x[i]) / l->y[i] - 1.0);
        out[i] = fabs((ai + bi * l->x[i]) / l->y[i] - 1.0);
    }
    atoll_sort(in, l->n);
    atoll_sort(out, l->n);
    (void)fprintf(f->out, "| %s | %zu | %.4g | %.4g | %.1f / %.1f | %.1f / %.1f |\n", what, l->n,
                  *a, *b, 100 * atoll_quantile(in, l->n, 0.5), 100 * in[l->n - 1u],
                  100 * atoll_quantile(out, l->n, 0.5), 100 * out[l->n - 1u]);
}

static void add_point(struct line *l, double x, double y)
{
    if (l->n < LINE_MAX && isfinite(x) && isfinite(y)) {
        l->x[l->n] = x;
        l->y[l->n++] = y;
    }
}

/** Parameter MiB of the rows of load_times.tsv whose networks are known. */
static double loaded_mib(const char *name)
{
    static const struct {
        const char *part;
        double mib;
    } known[] = {{"Dense256", 0.06445},  {"Dense1024", 1.00781},
                 {"Dense2048", 4.01563}, {"PoseNet 481x641", 1.37769},
                 {"64 KB", 0.0625},      {"1 MB", 1.0},
                 {"8 MB", 8.0}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strstr(name, known[i].part) != NULL) {
            return known[i].mib;
        }
    }
    return (double)NAN;
}

/** Loading: first inference less the steady one, and plain uploads. */
static int load_line(const struct fit *f, struct line *l, struct atoll_err *err)
{
    struct tsv t;
    const int rc = tsv_open(f->data, "load_times.tsv", &t, err);
    for (size_t i = 0; i < t.n_rows; i++) {
        const double mib = loaded_mib(tsv_text(&t, i, "model_or_size"));
        if (tsv_is(&t, i, "kind", "parameter upload time")) {
            add_point(l, mib, tsv_number(&t, i, "ms"));
        } else if (tsv_is(&t, i, "kind", "cold") && i + 1u < t.n_rows) {
            add_point(l, mib, tsv_number(&t, i, "ms") - tsv_number(&t, i + 1u, "ms"));
        }
    }
    tsv_close(&t);
    return rc;
}

static int energy_lines(const struct fit *f, struct line *inference, struct line *switches,
                        struct atoll_err *err)
{
    struct tsv t;
    const int rc = tsv_open(f->data, "energy_calib.tsv", &t, err);
    for (size_t i = 0; i < t.n_rows; i++) {
        if (tsv_is(&t, i, "kind", "inference")) {
            add_point(inference, tsv_number(&t, i, "ms"), tsv_number(&t, i, "energy_mj"));
        } else if (tsv_is(&t, i, "kind", "switch")) {
            add_point(switches, tsv_number(&t, i, "ms"), tsv_number(&t, i, "energy_mj"));
        }
    }
    tsv_close(&t);
    return rc;
}

int fit_extra(struct fit *f, struct atoll_err *err)
{
    struct line loads = {0};
    struct line inference = {.through_zero = true};
    struct line switches = {0};
    double a = 0;
    double b = 0;
    int rc = load_line(f, &loads, err);
    rc = rc == 0 ? energy_lines(f, &inference, &switches, err) : rc;
    if (rc != 0) {
        return rc;
    }
    (void)fprintf(f->out,
                  "\n| line | rows | a | b | in-sample, median / worst %% | row left out |\n"
                  "|---|---|---|---|---|---|\n");
    print_line_fit(f, "loading, ms against MiB, USB 3", &loads, &a, &b);
    f->load_ms = a;
    f->load_ms_per_mib = b;
    print_line_fit(f, "inference, mJ against ms, Micro", &inference, &a, &b);
    print_line_fit(f, "model switch, mJ against ms, Micro", &switches, &a, &b);
    return fit_energy(f, err);
}
