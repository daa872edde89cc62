/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gauss-Newton on weighted relative residuals with a numeric Jacobian; each step is one
 * least-squares problem for LAPACKE_dgels. Huber weights keep a few odd rows from pulling a
 * constant. The priors of the parameters are rows like any other.
 */
#include "fit.h"

#include <atoll/stats.h>

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HUBER 1.5     /* residuals beyond this many sigma count linearly */
#define STEP_LOG 1e-4 /* of the numeric Jacobian */
#define STEP_MAX 0.5  /* largest change of a logarithm in one step */

/** Arrays of one least-squares problem. */
struct system {
    const struct fit *f;
    const bool *use;
    int m, n;
    double *a, *b, *r, *base;
};

static double residual(const struct fit_row *row, double ms)
{
    return log(ms / row->ms) / row->sigma;
}

static double huber_cost(double r)
{
    const double x = fabs(r);
    return x <= HUBER ? 0.5 * x * x : HUBER * (x - 0.5 * HUBER);
}

static double total_cost(struct fit *f, const bool *use)
{
    double sum = 0.0;
    fit_apply(f);
    for (size_t i = 0; i < f->n_rows; i++) {
        if (use[i]) {
            sum += huber_cost(residual(&f->rows[i], fit_predict(f, &f->rows[i])));
        }
    }
    for (int j = 0; j < f->n_params; j++) {
        const double z = (f->params[j].log_value - log(f->params[j].prior)) / f->params[j].sigma;
        sum += 0.5 * z * z;
    }
    return sum;
}

/** Fills Jacobian and right side at the parameters at hand. */
static void linearise(struct fit *f, const bool *use, struct system *s)
{
    const int n = f->n_params;
    int at = 0;
    memset(s->a, 0, (size_t)s->m * (size_t)n * sizeof *s->a);
    fit_apply(f);
    for (size_t i = 0; i < f->n_rows; i++) {
        if (use[i]) {
            s->base[at] = fit_predict(f, &f->rows[i]);
            const double r = residual(&f->rows[i], s->base[at]);
            s->r[at] = fabs(r) <= HUBER ? 1.0 : sqrt(HUBER / fabs(r));
            s->b[at] = -r * s->r[at];
            at++;
        }
    }
    for (int j = 0; j < n; j++) {
        struct fit_param *p = &f->params[j];
        const double kept = p->log_value;
        p->log_value += STEP_LOG;
        fit_apply(f);
        at = 0;
        for (size_t i = 0; i < f->n_rows; i++) {
            if (!use[i]) {
                continue;
            }
            if (p->host < 0 || p->host == f->rows[i].host) {
                const double moved = fit_predict(f, &f->rows[i]);
                s->a[at * n + j] =
                    log(moved / s->base[at]) / STEP_LOG / f->rows[i].sigma * s->r[at];
            }
            at++;
        }
        p->log_value = kept;
        s->a[(at + j) * n + j] = 1.0 / p->sigma;
        s->b[at + j] = -(kept - log(p->prior)) / p->sigma;
    }
    fit_apply(f);
}

/** Variances from the normal matrix of the last Jacobian: diagonal of its inverse (Cholesky). */
static int uncertainties(struct fit *f, const struct system *s, struct atoll_err *err)
{
    const int n = f->n_params;
    double *c = atoll_calloc((size_t)n * (size_t)n, sizeof *c);
    if (c == NULL) {
        return atoll_fail_nomem(err, "covariance", (size_t)n * (size_t)n * sizeof *c);
    }
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
            double sum = 0.0;
            for (int k = 0; k < s->m; k++) {
                sum += s->a[k * n + i] * s->a[k * n + j];
            }
            c[i * n + j] = sum;
        }
    }
    int rc = LAPACKE_dpotrf(LAPACK_ROW_MAJOR, 'L', n, c, n) != 0 ||
             LAPACKE_dpotri(LAPACK_ROW_MAJOR, 'L', n, c, n) != 0;
    for (int i = 0; i < n && rc == 0; i++) {
        f->params[i].rel_u95 = 1.96 * sqrt(c[i * n + i]);
    }
    atoll_free(c);
    return rc == 0 ? 0 : atoll_fail(err, ATOLL_EINTERNAL, "covariance is not positive definite");
}

static void move(struct fit *f, const double *from, const double *step, double scale)
{
    for (int j = 0; j < f->n_params; j++) {
        const double d = step[j] > STEP_MAX ? STEP_MAX : step[j] < -STEP_MAX ? -STEP_MAX : step[j];
        f->params[j].log_value = from[j] + scale * d;
    }
}

/** One damped step; false when nothing improves any more. */
static bool improve(struct fit *f, const bool *use, const double *step)
{
    double from[FIT_PARAMS_MAX];
    const double before = total_cost(f, use);
    for (int j = 0; j < f->n_params; j++) {
        from[j] = f->params[j].log_value;
    }
    for (double scale = 1.0; scale > 1e-3; scale *= 0.5) {
        move(f, from, step, scale);
        if (total_cost(f, use) < before * (1.0 - 1e-9)) {
            return true;
        }
    }
    move(f, from, step, 0.0);
    fit_apply(f);
    return false;
}

int fit_solve(struct fit *f, const bool *use, int iterations, bool with_u95, struct atoll_err *err)
{
    struct system s = {.f = f, .use = use, .n = f->n_params};
    for (size_t i = 0; i < f->n_rows; i++) {
        s.m += use[i];
    }
    s.m += s.n;
    const size_t m = (size_t)s.m;
    s.a = atoll_calloc(m * (size_t)s.n, sizeof *s.a);
    s.b = atoll_calloc(m, sizeof *s.b);
    s.r = atoll_calloc(m, sizeof *s.r);
    s.base = atoll_calloc(m, sizeof *s.base);
    int rc = 0;
    if (s.a == NULL || s.b == NULL || s.r == NULL || s.base == NULL) {
        rc = atoll_fail_nomem(err, "least squares", m * (size_t)s.n * sizeof *s.a);
    }
    for (int it = 0; it < iterations && rc == 0; it++) {
        linearise(f, use, &s);
        if (LAPACKE_dgels(LAPACK_ROW_MAJOR, 'N', s.m, s.n, 1, s.a, s.n, s.b, 1) != 0) {
            rc = atoll_fail(err, ATOLL_EINTERNAL, "least squares: the matrix has no full rank");
        } else if (!improve(f, use, s.b)) {
            break;
        }
    }
    if (rc == 0 && with_u95) {
        linearise(f, use, &s);
        rc = uncertainties(f, &s, err);
    }
    atoll_free(s.a);
    atoll_free(s.b);
    atoll_free(s.r);
    atoll_free(s.base);
    fit_apply(f);
    return rc;
}

/* ------------------------------------------------------- cross-validation */

/** What is left out together with row i. */
enum left { LEFT_ROW, LEFT_FAMILY, LEFT_HOST };

static bool leaves(const struct fit *f, size_t i, size_t other, enum left what)
{
    switch (what) {
    case LEFT_ROW:
        return i == other;
    case LEFT_FAMILY:
        return strcmp(f->rows[i].family, f->rows[other].family) == 0;
    case LEFT_HOST:
        return f->rows[i].host == f->rows[other].host;
    }
    return false;
}

static double *slot(struct fit_row *r, enum left what)
{
    return what == LEFT_ROW      ? &r->row_out_ms
           : what == LEFT_FAMILY ? &r->family_out_ms
                                 : &r->host_out_ms;
}

/** Fits without what belongs to row i, from the full fit, and predicts what was left out. */
static int without(struct fit *f, size_t i, enum left what, const struct fit_param *full, bool *use,
                   struct atoll_err *err)
{
    for (size_t j = 0; j < f->n_rows; j++) {
        use[j] = !f->rows[j].shown && !leaves(f, i, j, what);
    }
    memcpy(f->params, full, sizeof f->params);
    if (what == LEFT_HOST) { /* nothing of the host may remain: its constants start at the prior */
        for (int j = 0; j < f->n_params; j++) {
            if (f->params[j].host == f->rows[i].host) {
                f->params[j].log_value = log(f->params[j].prior);
            }
        }
    }
    const int rc = fit_solve(f, use, what == LEFT_ROW ? 3 : 8, what != LEFT_ROW, err);
    for (size_t j = 0; j < f->n_rows && rc == 0; j++) {
        if (!leaves(f, i, j, what)) {
            continue;
        }
        *slot(&f->rows[j], what) = fit_predict(f, &f->rows[j]);
        if (what == LEFT_FAMILY) {
            f->rows[j].family_out_u95_ms =
                fit_predict_u95(f, &f->rows[j], &f->rows[j].family_out_layers_ms);
        } else if (what == LEFT_HOST) {
            double layers_ms;
            f->rows[j].host_out_u95_ms = fit_predict_u95(f, &f->rows[j], &layers_ms);
        }
    }
    return rc;
}

int fit_cross_validate(struct fit *f, struct atoll_err *err)
{
    static struct fit_param full[FIT_PARAMS_MAX];
    bool *use = atoll_calloc(f->n_rows, sizeof *use);
    int rc = use != NULL ? 0 : atoll_fail_nomem(err, "cross-validation", f->n_rows);
    memcpy(full, f->params, sizeof full);
    for (int what = LEFT_ROW; what <= LEFT_HOST && rc == 0; what++) {
        for (size_t i = 0; i < f->n_rows && rc == 0; i++) {
            if (!isfinite(*slot(&f->rows[i], (enum left)what))) {
                rc = without(f, i, (enum left)what, full, use, err);
            }
        }
    }
    memcpy(f->params, full, sizeof full);
    fit_apply(f);
    atoll_free(use);
    return rc;
}
