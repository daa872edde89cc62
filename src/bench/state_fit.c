/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Least squares of power over states. One walk over scans and changes builds the normal equations;
 * nothing is kept per scan. The clock of the meter is fitted to 0.1 ms only, so the shift between
 * power and timeline is one more unknown: Gauss-Newton, from the derivative of the fitted power
 * (what the TPUs' number in each state changed by from edge to edge of a cell). Residuals are alike
 * for about an inference, so the standard errors are those of Newey and West (1987, Bartlett
 * kernel), computed as moving sums of the scores.
 */
#include "state_fit.h"

#include <math.h>
#include <string.h>

/* Computing is many powers: that of a layer depends on its arithmetic. Its time is split into parts
 * by segment and by how far the inference is, each with a column of its own; the power of the state
 * is their mean by time. */
enum { PARTS = 8, TREND = ATOLL_STATE_COMPUTE + PARTS, SHIFT, COLUMNS };
enum { WALKS = 4, SCANS_MIN = 30 };

/* One scan as the fit sees it. Column 0 is the constant, in place of IDLE. */
struct cell {
    double power_w;
    double x[COLUMNS];
};
struct walk {
    const struct atoll__state_request *q;
    double period_ns, shift_ns;
    const double *beta; ///< for the derivative; NULL: no such column
    size_t scan, change, gap;
    int now[ATOLL_TPUS_MAX]; ///< column of each TPU
    double mean_compute_ns[ATOLL_TPUS_MAX];
    double since_ns[ATOLL_TPUS_MAX], computed_ns[ATOLL_TPUS_MAX]; ///< in the inference at hand
    double count[TREND]; ///< TPUs in each column at `at_ns`
    double at_ns;        ///< of the timeline, from q->from_ns
};

static void start(struct walk *w, const struct atoll__state_request *q, double period_ns,
                  double shift_ns, const double *beta)
{
    *w = (struct walk){.q = q, .period_ns = period_ns, .shift_ns = shift_ns, .beta = beta};
    w->count[ATOLL_STATE_IDLE] = q->n_tpus;
    w->at_ns = -INFINITY;
    uint64_t visits[ATOLL_STATES];
    atoll__state_visits(q->log, q->n_tpus, visits, w->mean_compute_ns);
}

/* Column of a stretch of computing, by the time computed before it in this inference. */
static int part_of(const struct walk *w, uint32_t tpu)
{
    const uint32_t segments = w->q->segment_of_tpu != NULL ? w->q->segments : 1;
    const uint32_t segment = w->q->segment_of_tpu != NULL ? w->q->segment_of_tpu[tpu] : 0;
    const int slices = segments < PARTS ? PARTS / (int)segments : 1;
    const double mean = w->mean_compute_ns[tpu];
    const double at = mean > 0 ? w->computed_ns[tpu] / mean * slices : 0;
    const int slice = at < slices ? (int)at : slices - 1;
    return ATOLL_STATE_COMPUTE + (int)(segment * (uint32_t)slices) % PARTS + slice;
}

static int column_of(struct walk *w, const struct atoll__state_change *c, double t_ns)
{
    if (w->now[c->tpu] >= ATOLL_STATE_COMPUTE) {
        w->computed_ns[c->tpu] += t_ns - w->since_ns[c->tpu];
    }
    w->since_ns[c->tpu] = t_ns;
    if (c->state == ATOLL_STATE_IDLE) {
        w->computed_ns[c->tpu] = 0;
    }
    return c->state == ATOLL_STATE_COMPUTE ? part_of(w, c->tpu) : (int)c->state;
}

static double from_start_ns(const struct walk *w, uint64_t t_ns)
{
    return (double)(int64_t)(t_ns - w->q->from_ns);
}

/* Up to `to_ns`; TPU-seconds spent meanwhile go to `spent` (may be NULL). */
static void pass(struct walk *w, double to_ns, double *spent)
{
    const struct atoll__state_log *log = w->q->log;
    for (;;) {
        const bool more = w->change < log->n;
        const double next_ns = more ? from_start_ns(w, log->changes[w->change].t_ns) : INFINITY;
        const double until_ns = next_ns < to_ns ? next_ns : to_ns;
        if (spent != NULL && until_ns > w->at_ns) {
            for (int s = 1; s < TREND; s++) {
                spent[s] += w->count[s] * (until_ns - w->at_ns);
            }
        }
        w->at_ns = until_ns > w->at_ns ? until_ns : w->at_ns;
        if (!(next_ns < to_ns)) {
            return;
        }
        const struct atoll__state_change *c = &log->changes[w->change++];
        if (c->tpu < w->q->n_tpus) {
            const int column = column_of(w, c, next_ns);
            w->count[w->now[c->tpu]]--;
            w->count[column]++;
            w->now[c->tpu] = column;
        }
    }
}

static bool in_gap(struct walk *w, uint64_t from_ns, uint64_t to_ns)
{
    while (w->gap < w->q->n_gaps && w->q->gaps[w->gap].to_ns <= from_ns) {
        w->gap++;
    }
    return w->gap < w->q->n_gaps && w->q->gaps[w->gap].from_ns < to_ns;
}

/* The next scan that counts; false: there is none. */
static bool next(struct walk *w, struct cell *c)
{
    const struct atoll_trace *t = w->q->trace;
    const uint64_t half_ns = (uint64_t)(w->period_ns / 2 + 0.5);
    for (; w->scan < t->n; w->scan++) {
        const uint64_t from = t->t_ns[w->scan] - half_ns, to = t->t_ns[w->scan] + half_ns;
        if (t->t_ns[w->scan] < w->q->from_ns + half_ns || in_gap(w, from, to)) {
            continue;
        }
        if (to > w->q->to_ns) {
            return false;
        }
        break;
    }
    if (w->scan == t->n) {
        return false;
    }
    const double middle_ns = from_start_ns(w, t->t_ns[w->scan]);
    const double from_ns = middle_ns - w->period_ns / 2 - w->shift_ns;
    double before[TREND];
    double spent[TREND] = {0};
    pass(w, from_ns, NULL);
    memcpy(before, w->count, sizeof before);
    pass(w, from_ns + w->period_ns, spent);
    *c = (struct cell){.power_w = 0};
    for (uint32_t r = 0; r < t->n_rails; r++) {
        c->power_w += (double)t->rail_mw[w->scan * t->n_rails + r] / 1e3;
    }
    c->x[0] = 1;
    c->x[TREND] = middle_ns / 1e9;
    for (int s = 1; s < TREND; s++) {
        c->x[s] = spent[s] / w->period_ns;
        c->x[SHIFT] += w->beta != NULL ? w->beta[s] * (before[s] - w->count[s]) / w->period_ns : 0;
    }
    w->scan++;
    return true;
}

/* Normal equations around the means. */
struct sums {
    size_t n;
    double mean[COLUMNS], mean_y;
    double xx[COLUMNS][COLUMNS], xy[COLUMNS], yy;
};

static void gather(const struct atoll__state_request *q, double period_ns, double shift_ns,
                   const double *beta, struct sums *s)
{
    struct walk w;
    struct cell c;
    *s = (struct sums){.n = 0};
    start(&w, q, period_ns, shift_ns, beta);
    while (next(&w, &c)) {
        double dx[COLUMNS];
        s->n++;
        const double dy = c.power_w - s->mean_y;
        s->mean_y += dy / (double)s->n;
        for (int i = 1; i < COLUMNS; i++) {
            dx[i] = c.x[i] - s->mean[i];
            s->mean[i] += dx[i] / (double)s->n;
        }
        for (int i = 1; i < COLUMNS; i++) {
            for (int k = 1; k <= i; k++) {
                s->xx[i][k] += dx[i] * (c.x[k] - s->mean[k]);
            }
            s->xy[i] += dx[i] * (c.power_w - s->mean_y);
        }
        s->yy += dy * (c.power_w - s->mean_y);
    }
    for (int i = 1; i < COLUMNS; i++) {
        for (int k = 1; k < i; k++) {
            s->xx[k][i] = s->xx[i][k];
        }
    }
}

/* Inverse of the n x n matrix a (symmetric, positive definite) in place, by Gauss and Jordan; the
 * pivots of a correlation matrix need no search. False: singular. */
static bool invert(double a[COLUMNS][COLUMNS], int n)
{
    for (int k = 0; k < n; k++) {
        const double pivot = a[k][k];
        if (!(pivot > 1e-14)) {
            return false;
        }
        a[k][k] = 1;
        for (int j = 0; j < n; j++) {
            a[k][j] /= pivot;
        }
        for (int i = 0; i < n; i++) {
            const double f = a[i][k];
            if (i == k) {
                continue;
            }
            a[i][k] = 0;
            for (int j = 0; j < n; j++) {
                a[i][j] -= f * a[k][j];
            }
        }
    }
    return true;
}

/* A solution: which columns are in, the inverse of their normal equations, coefficients. */
struct solution {
    int column[COLUMNS], n; ///< of the normal equations
    double inverse[COLUMNS][COLUMNS];
    double scale[COLUMNS];     ///< root of a column's sum of squares
    double tolerance[COLUMNS]; ///< by column: share of its variance that is its own
    double beta[COLUMNS];
};

static bool solve(const struct sums *s, struct solution *a)
{
    *a = (struct solution){.n = 0};
    for (int i = 1; i < COLUMNS; i++) {
        if (s->xx[i][i] > 1e-12 * (double)s->n * (i == SHIFT ? 1e-6 : 1)) {
            a->scale[a->n] = sqrt(s->xx[i][i]);
            a->column[a->n++] = i;
        }
    }
    for (int i = 0; i < a->n; i++) {
        for (int k = 0; k < a->n; k++) {
            a->inverse[i][k] = s->xx[a->column[i]][a->column[k]] / a->scale[i] / a->scale[k];
        }
        a->inverse[i][i] += 1e-9; /* columns that are the same share their power evenly */
    }
    if (!invert(a->inverse, a->n)) {
        return false;
    }
    for (int i = 0; i < a->n; i++) {
        a->tolerance[a->column[i]] = 1 / a->inverse[i][i];
        for (int k = 0; k < a->n; k++) {
            a->inverse[i][k] /= a->scale[i] * a->scale[k];
            a->beta[a->column[i]] += a->inverse[i][k] * s->xy[a->column[k]];
        }
    }
    a->beta[0] = s->mean_y;
    for (int i = 1; i < TREND; i++) {
        a->beta[0] -= a->beta[i] * s->mean[i];
    }
    return true;
}

/* Covariance of the scores with a Bartlett kernel of `span` scans: the sum over all windows of that
 * length of the square of the window's sum, by the length. `ring` holds span scores. */
struct scores {
    double meat[COLUMNS][COLUMNS], window[COLUMNS], squares;
    double (*ring)[COLUMNS];
    size_t span, n;
};

static void shift_window(struct scores *z, const double *score)
{
    double *old = z->ring[z->n % z->span];
    for (int i = 0; i < COLUMNS; i++) {
        z->window[i] += score[i] - old[i];
        old[i] = score[i];
    }
    z->n++;
    for (int i = 0; i < COLUMNS; i++) {
        for (int k = 0; k < COLUMNS; k++) {
            z->meat[i][k] += z->window[i] * z->window[k] / (double)z->span;
        }
    }
}

static void score_all(const struct atoll__state_request *q, const struct sums *s,
                      const struct solution *a, double period_ns, double shift_ns,
                      const double *slope, struct scores *z)
{
    static const double nothing[COLUMNS] = {0};
    struct walk w;
    struct cell c;
    start(&w, q, period_ns, shift_ns, slope);
    while (next(&w, &c)) {
        double score[COLUMNS];
        double left = c.power_w - s->mean_y;
        for (int i = 1; i < COLUMNS; i++) {
            left -= a->beta[i] * (c.x[i] - s->mean[i]);
        }
        score[0] = left;
        for (int i = 1; i < COLUMNS; i++) {
            score[i] = left * (c.x[i] - s->mean[i]);
        }
        z->squares += left * left;
        shift_window(z, score);
    }
    for (size_t i = 1; i < z->span; i++) {
        shift_window(z, nothing);
    }
}

/* A state's power as a sum of coefficients: its own, or those of the parts of computing by their
 * time. Idle is the mean power less what the other states take of it. */
static void shares(const struct sums *s, int state, double share[COLUMNS])
{
    double all = 0;
    memset(share, 0, COLUMNS * sizeof *share);
    share[state] = state == ATOLL_STATE_COMPUTE ? 0 : 1;
    for (int i = 1; i < TREND && state == ATOLL_STATE_IDLE; i++) {
        share[i] = -s->mean[i];
    }
    for (int i = ATOLL_STATE_COMPUTE; i < TREND; i++) {
        all += s->mean[i];
    }
    for (int i = ATOLL_STATE_COMPUTE; i < TREND && state == ATOLL_STATE_COMPUTE; i++) {
        share[i] = all > 0 ? s->mean[i] / all : 0;
    }
}

/* What it takes of each score: rows of the inverse, and 1/n of the mean's. */
static void weights(const struct sums *s, const struct solution *a, const double share[COLUMNS],
                    double v[COLUMNS])
{
    memset(v, 0, COLUMNS * sizeof *v);
    for (int i = 0; i < a->n; i++) {
        for (int k = 0; k < a->n; k++) {
            v[a->column[k]] += share[a->column[i]] * a->inverse[i][k];
        }
    }
    v[0] = share[0] / (double)s->n;
}

static double standard_error(const struct sums *s, const struct solution *a, const struct scores *z,
                             const double v[COLUMNS])
{
    double variance = 0;
    for (int i = 0; i < COLUMNS; i++) {
        for (int k = 0; k < COLUMNS; k++) {
            variance += v[i] * z->meat[i][k] * v[k];
        }
    }
    const double few = (double)s->n / (double)(s->n - (size_t)a->n - 1);
    return sqrt(fmax(variance, 0) * few);
}

/* Variance of a state's power for residuals of variance 1 that are all independent. */
static double spread2(const struct solution *a, const double share[COLUMNS],
                      const double v[COLUMNS])
{
    double variance = share[0] * v[0];
    for (int i = 0; i < a->n; i++) {
        variance += share[a->column[i]] * v[a->column[i]];
    }
    return fmax(variance, 0);
}

/* What the columns leave over does not average out over inferences, since the same layers come
 * again in each: it counts as often as there are different scans in one. */
static double repeated_error(const struct atoll__state_request *q, const struct solution *a,
                             double uneven_w, int state, const double share[COLUMNS],
                             const double v[COLUMNS])
{
    uint64_t visits[ATOLL_STATES];
    atoll__state_visits(q->log, q->n_tpus, visits, NULL);
    const double again = fmax((double)visits[state] / (q->segments > 0 ? q->segments : 1), 1);
    return uneven_w * sqrt(spread2(a, share, v) * again);
}

/* The normal equations with computing in one column. */
static void join_parts(const struct sums *s, struct sums *to)
{
    *to = (struct sums){.n = s->n, .mean_y = s->mean_y};
    for (int i = 1; i < COLUMNS; i++) {
        const int a = i > ATOLL_STATE_COMPUTE && i < TREND ? ATOLL_STATE_COMPUTE : i;
        to->mean[a] += s->mean[i];
        to->xy[a] += s->xy[i];
        for (int k = 1; k < COLUMNS; k++) {
            const int b = k > ATOLL_STATE_COMPUTE && k < TREND ? ATOLL_STATE_COMPUTE : k;
            to->xx[a][b] += s->xx[i][k];
        }
    }
}

/* The state whose column goes most nearly together with this one's. */
static int nearest(const struct sums *s, int column)
{
    int with = -1;
    double most = 0;
    for (int i = 1; i < ATOLL_STATES; i++) {
        const double r = s->xx[i][i] > 0
                             ? fabs(s->xx[i][column]) / sqrt(s->xx[i][i] * s->xx[column][column])
                             : 0;
        if (i != column && r > most) {
            most = r;
            with = i;
        }
    }
    return with;
}

/* One power for all computing and one for each of its parts are two models of the same run; what
 * they differ by is taken as the half width of a rectangle. The floor of the power moves with heat:
 * so far, over the run, is it uncertain what "idle" is. */
static double model_error(const struct sums *s, const struct solution *a,
                          const struct solution *plain, int state, double w)
{
    const double models = (w - plain->beta[state]) / sqrt(3);
    if (state != ATOLL_STATE_IDLE) {
        return models;
    }
    const double length_s = sqrt(12 * s->xx[TREND][TREND] / (double)s->n);
    return hypot(models, a->beta[TREND] * length_s / sqrt(12));
}

static void report_state(const struct atoll__state_request *q, const struct sums *s,
                         const struct solution *a, const struct solution *plain,
                         const struct scores *z, int state, struct atoll__state_fit *out)
{
    struct atoll__state_power *p = &out->state[state];
    double share[COLUMNS], v[COLUMNS];
    shares(s, state, share);
    weights(s, a, share, v);
    p->w = state == ATOLL_STATE_IDLE ? a->beta[0] : 0;
    for (int i = 1; i < TREND && state != ATOLL_STATE_IDLE; i++) {
        p->w += share[i] * a->beta[i];
    }
    /* a state that occurs once, such as load, has too few windows for the scores to speak */
    p->u_w = fmax(standard_error(s, a, z, v), out->residual_w * sqrt(spread2(a, share, v)));
    p->u_model_w = model_error(s, a, plain, state, p->w);
    if (state != ATOLL_STATE_IDLE) {
        p->u_model_w = hypot(p->u_model_w, repeated_error(q, a, out->uneven_w, state, share, v));
    }
}

static void report(const struct atoll__state_request *q, const struct sums *s,
                   const struct solution *a, const struct scores *z, struct atoll__state_fit *out)
{
    struct sums whole;
    struct solution plain = {.n = 0};
    join_parts(s, &whole);
    const bool solved = solve(&whole, &plain);
    out->scans = s->n;
    out->residual_w = sqrt(z->squares / (double)(s->n - (size_t)a->n - 1));
    /* the noise comes from a record of 256 scans: its variance is known to sqrt(2 / 255) = 9 % */
    const double noise2 = q->noise_w * q->noise_w;
    out->uneven_w = sqrt(fmax(out->residual_w * out->residual_w - noise2, 0) + 0.09 * noise2);
    out->dof = fmax((double)s->n / (double)z->span - a->n - 1, 2);
    for (int i = 0; i < ATOLL_STATES; i++) {
        out->state[i] = (struct atoll__state_power){NAN, NAN, NAN, -1};
        if (!solved || (i != ATOLL_STATE_IDLE && !(plain.tolerance[i] > 0))) {
            continue; /* never in it */
        }
        if (i != ATOLL_STATE_IDLE && plain.tolerance[i] < ATOLL__STATE_TOLERANCE) {
            out->state[i].with = nearest(&whole, i);
            continue;
        }
        report_state(q, s, a, &plain, z, i, out);
    }
}

int atoll__state_fit(const struct atoll__state_request *q, struct atoll__state_fit *out,
                     struct atoll_err *err)
{
    const struct atoll_trace *t = q->trace;
    struct sums s = {.n = 0};
    struct solution a = {.n = 0};
    if (t->n < SCANS_MIN || q->n_tpus > ATOLL_TPUS_MAX) {
        return atoll_fail(err, ATOLL_ENO, "power of the states: %zu scans (at least %d expected)",
                          t->n, SCANS_MIN);
    }
    const double period_ns = (double)(t->t_ns[t->n - 1] - t->t_ns[0]) / (double)(t->n - 1);
    double shift_ns = 0, slope[COLUMNS] = {0};
    bool solved = true;
    for (int i = 0; i < WALKS && solved; i++) {
        gather(q, period_ns, shift_ns, i > 0 ? slope : NULL, &s);
        solved = s.n >= SCANS_MIN && solve(&s, &a);
        memcpy(slope, i + 1 < WALKS && solved ? a.beta : slope, sizeof slope);
        if (i > 0 && i + 1 < WALKS && fabs(a.beta[SHIFT]) < 2 * period_ns) {
            shift_ns += a.beta[SHIFT];
        }
    }
    if (!solved || a.n < 2) {
        return atoll_fail(err, ATOLL_ENO,
                          "power of the states: %zu scans in which TPUs never change their state",
                          s.n);
    }
    const double alike = q->correlated_s * 1e9 / period_ns;
    const size_t most = s.n / 8;
    const size_t span = alike < 8 ? 8 : alike > (double)most ? most : (size_t)alike;
    struct scores z = {.span = span, .ring = atoll_calloc(span, sizeof *z.ring)};
    if (z.ring == NULL) {
        return atoll_fail_nomem(err, "the power of states", span * sizeof *z.ring);
    }
    score_all(q, &s, &a, period_ns, shift_ns, slope, &z);
    report(q, &s, &a, &z, out);
    out->shift_ns = shift_ns;
    atoll_free(z.ring);
    return 0;
}
