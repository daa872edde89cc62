/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Energy of one inference on the Dev Board Micro (whole board): the idle board for the time it
 * takes, and the arithmetic on top,
 *
 *     E = P_idle * t + e * GMAC
 *
 * Four networks are known layer by layer. Of the grid networks only width A and depth D are: their
 * arithmetic grows as A^2 (D + d0), and what each inference costs beside it is a constant, so
 *
 *     E = P_idle * t + c0 + c1 * A^2 + c2 * A^2 * D
 *
 * with constants from the grid's other rows. P_idle is measured (RADMA), not fitted.
 */
#include "fit.h"

#include <atoll/stats.h>

#include <lapacke.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 64, TERMS_MAX = 3 };

/** One measured inference; terms: what its energy above the idle board is linear in. */
struct point {
    const char *name;
    double ms, mj, model_ms; ///< model_ms NAN: the network is not known
    double term[TERMS_MAX];
    double given_mj, left_mj; ///< given the measured time: in-sample, and with the row left out
};
struct points {
    struct point v[ROWS_MAX];
    int n, terms;
    double c[TERMS_MAX];
    double idle_w;
};

/** Least squares on relative errors without point `skip` (-1: with all). */
static int solve(struct points *p, int skip, double c[TERMS_MAX])
{
    double a[ROWS_MAX * TERMS_MAX];
    double b[ROWS_MAX];
    int m = 0;
    for (int i = 0; i < p->n; i++) {
        if (i == skip) {
            continue;
        }
        for (int k = 0; k < p->terms; k++) {
            a[m * p->terms + k] = p->v[i].term[k] / p->v[i].mj;
        }
        b[m++] = (p->v[i].mj - p->idle_w * p->v[i].ms) / p->v[i].mj;
    }
    if (m < p->terms || LAPACKE_dgels(LAPACK_ROW_MAJOR, 'N', m, p->terms, 1, a, p->terms, b, 1)) {
        return -1;
    }
    memcpy(c, b, (size_t)p->terms * sizeof *c);
    return 0;
}

static double energy_mj(const struct points *p, const double *c, const struct point *x, double ms)
{
    double mj = p->idle_w * ms;
    for (int k = 0; k < p->terms; k++) {
        mj += c[k] * x->term[k];
    }
    return mj;
}

static int fit_points(struct points *p, struct atoll_err *err)
{
    if (solve(p, -1, p->c) != 0) {
        return atoll_fail(err, ATOLL_EINPUT, "energy_calib.tsv: too few inferences for the law");
    }
    for (int i = 0; i < p->n; i++) {
        double c[TERMS_MAX];
        struct point *x = &p->v[i];
        x->given_mj = energy_mj(p, p->c, x, x->ms);
        x->left_mj = solve(p, i, c) == 0 ? energy_mj(p, c, x, x->ms) : (double)NAN;
    }
    return 0;
}

/** The row of the fit for a network of the table; NULL: not one it knows. */
static const struct fit_row *known_row(const struct fit *f, const char *name)
{
    for (size_t r = 0; r < f->n_rows; r++) {
        if (strcmp(f->rows[r].family, "networks on the Micro") == 0 &&
            strcmp(f->rows[r].label, name) == 0) {
            return &f->rows[r];
        }
    }
    return NULL;
}

static double gmac_of(const struct fit_row *row)
{
    double gmac = 0;
    for (uint32_t k = 0; k < row->stages[0].program.n_layers; k++) {
        gmac += (double)row->stages[0].program.layers[k].macs / 1e9;
    }
    return gmac;
}

/** Width and depth of "Grid A1.25 D04 [Custom]". */
static bool grid_name(const char *name, double *width, double *depth)
{
    char *end = NULL;
    if (strncmp(name, "Grid A", 6) != 0) {
        return false;
    }
    *width = strtod(name + 6, &end);
    if (strncmp(end, " D", 2) != 0) {
        return false;
    }
    *depth = strtod(end + 2, NULL);
    return *width > 0.0 && *depth > 0.0;
}

/** Sorts the table's inferences into known networks and the grid. */
static void load(const struct fit *f, const struct tsv *t, struct points *known,
                 struct points *grid)
{
    for (size_t i = 0; i < t->n_rows; i++) {
        const char *name = tsv_text(t, i, "model_or_state");
        double width = 0;
        double depth = 0;
        if (strncmp(name, "idle, Edge TPU powered", 22) == 0) {
            known->idle_w = grid->idle_w = tsv_number(t, i, "power_w");
        }
        if (!tsv_is(t, i, "kind", "inference")) {
            continue;
        }
        struct point x = {.name = name,
                          .ms = tsv_number(t, i, "ms"),
                          .mj = tsv_number(t, i, "energy_mj"),
                          .model_ms = (double)NAN};
        const struct fit_row *row = known_row(f, name);
        if (row != NULL && known->n < ROWS_MAX) {
            x.model_ms = row->predicted_ms;
            x.term[0] = gmac_of(row);
            known->v[known->n++] = x;
        } else if (grid_name(name, &width, &depth) && grid->n < ROWS_MAX) {
            x.term[0] = 1;
            x.term[1] = width * width;
            x.term[2] = width * width * depth;
            grid->v[grid->n++] = x;
        }
    }
}

/** Median and worst of the errors given the time, percent; both sets together when b is given. */
static void print_errors(const struct fit *f, const char *what, const struct points *a,
                         const struct points *b)
{
    double in[2 * ROWS_MAX];
    double out[2 * ROWS_MAX];
    size_t n = 0;
    const struct points *sets[] = {a, b};
    for (int s = 0; s < 2; s++) {
        for (int i = 0; sets[s] != NULL && i < sets[s]->n; i++) {
            const struct point *x = &sets[s]->v[i];
            in[n] = 100 * fabs(x->given_mj / x->mj - 1);
            out[n++] = 100 * fabs(x->left_mj / x->mj - 1);
        }
    }
    if (n == 0) {
        return;
    }
    atoll_sort(in, n);
    atoll_sort(out, n);
    (void)fprintf(f->out, "| %s | %zu | %.1f / %.1f | %.1f / %.1f |\n", what, n,
                  atoll_quantile(in, n, 0.5), in[n - 1u], atoll_quantile(out, n, 0.5), out[n - 1u]);
}

static void print(const struct fit *f, const struct points *known, const struct points *grid)
{
    (void)fprintf(
        f->out,
        "\nDev Board Micro, whole board: %.3f W idle (measured); on top %.3g mJ/GMAC, and "
        "for the grid networks of width A and depth D %.2f + %.2f A^2 + %.3f A^2 D mJ\n\n"
        "| inference, mJ, given its ms | rows | in-sample, median / worst %% | row left "
        "out |\n|---|---|---|---|\n",
        known->idle_w, known->c[0], grid->c[0], grid->c[1], grid->c[2]);
    print_errors(f, "networks known layer by layer", known, NULL);
    print_errors(f, "grid networks", grid, NULL);
    print_errors(f, "all", known, grid);
    (void)fprintf(f->out, "\n| network | GMAC | measured mJ | given its ms | row left out | from "
                          "the model alone |\n|---|---|---|---|---|---|\n");
    for (int i = 0; i < known->n; i++) {
        const struct point *x = &known->v[i];
        (void)fprintf(f->out, "| %s | %.3f | %.3f | %+.1f | %+.1f | %+.1f |\n", x->name, x->term[0],
                      x->mj, 100 * (x->given_mj / x->mj - 1), 100 * (x->left_mj / x->mj - 1),
                      100 * (energy_mj(known, known->c, x, x->model_ms) / x->mj - 1));
    }
}

int fit_energy(struct fit *f, struct atoll_err *err)
{
    struct tsv t;
    struct points known = {.terms = 1};
    struct points grid = {.terms = 3};
    int rc = tsv_open(f->data, "energy_calib.tsv", &t, err);
    if (rc == 0) {
        load(f, &t, &known, &grid);
        rc = fit_points(&known, err);
    }
    rc = rc == 0 ? fit_points(&grid, err) : rc;
    if (rc == 0) {
        f->mj_per_gmac = known.c[0];
        print(f, &known, &grid);
    }
    tsv_close(&t);
    return rc;
}
