/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranging: a short window like the one that will count, and from its power and the meter's budget
 * the length at which the uncertainty asked for is reached. What stays a share of the energy (gain,
 * zero, drift) no length can help; then the answer is no, and says which of them it is.
 */
#include "run_internal.h"

#include <math.h>
#include <string.h>

#define PASS_S 0.2        /* of the ranging pass, at least */
#define PASS_COUNT 10     /* inferences of it, at least */
#define STEP 1.25         /* between the lengths that are tried */
#define AIM_FRAC 0.97     /* of what is asked for: the window's own power differs a little */
#define WINDOW_MAX_S 3600 /* unless the request says otherwise */

static double share95(const struct atoll_energy *e)
{
    return e->u95_mj / fabs(e->energy_mj);
}

/* The pass leaves nothing behind but its markers. */
static void forget(struct atoll__runner *r)
{
    r->out->n = 0;
    for (uint32_t i = 0; i < r->n_pipes; i++) {
        r->pipes[i].n_done = 0;
        for (uint32_t s = 0; s < r->pipes[i].n_stages; s++) {
            struct atoll__stage *stage = &r->pipes[i].stages[s];
            stage->runs = stage->busy_ns = stage->wait_ns = 0;
        }
    }
}

/* Waits until the scans behind the window's end are there. */
static int settle(struct atoll__runner *r, struct atoll_energy *e)
{
    struct atoll_meter_info info;
    struct atoll_err why = {0};
    atoll_meter_info(r->q->meter, &info);
    const double step_s = fmin(fmax(20 / info.rate_hz, 0.02), 0.5);
    int rc = ATOLL_EUSAGE;
    for (int i = 0; i < 60 && rc == ATOLL_EUSAGE; i++) {
        const uint64_t until = atoll_device_now_ns(r->q->device) + (uint64_t)(step_s * 1e9);
        rc = atoll_device_idle_until(r->q->device, until, r->err);
        rc = rc ? rc : atoll_meter_advance(r->q->meter, until, r->err);
        if (rc) {
            return rc;
        }
        rc = atoll_meter_energy(r->q->meter, r->window_mark[0], r->window_mark[1], NULL, e, &why);
    }
    return rc == 0 || rc == ATOLL_ENO
               ? 0
               : atoll_fail(r->err, rc, "energy of the ranging pass: %s", why.text);
}

static int foresee(struct atoll__runner *r, double seconds, struct atoll_energy *e)
{
    return atoll_meter_foresee(r->q->meter, r->window_mark[0], r->window_mark[1], seconds, e,
                               r->err);
}

static int refuse(struct atoll__runner *r, const struct atoll_energy *best, double most_s)
{
    const struct {
        const char *name, *help;
        double u_mj;
    } parts[] = {
        {"gain", "calibrate it against a better reference, or take a better sensor",
         best->u_gain_mj},
        {"zero", "take the zero anew, of more scans, or a sensor of less range", best->u_zero_mj},
        {"drift", "let the meter warm up and take the zero just before", best->u_drift_mj},
        {"noise", "allow a longer window, or scan faster", best->u_noise_mj},
        {"time", "allow a longer window", best->u_time_mj},
        {"voltage", "measure the rails' voltage", best->u_volt_mj},
    };
    const double percent = 100 * best->coverage_k / fabs(best->energy_mj);
    struct atoll_buf list = {0};
    size_t worst = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        atoll_buf_printf(&list, "%s%s %.2g %%", i ? ", " : "", parts[i].name,
                         percent * parts[i].u_mj);
        worst = parts[i].u_mj > parts[worst].u_mj ? i : worst;
    }
    const int rc = atoll_fail(
        r->err, ATOLL_ENO,
        "energy within %.3g %% (95 %%) cannot be had: the best window of at most %.0f s (%.3g s) "
        "gives %.3g %% (%s); %s is in the way: %s",
        100 * r->q->energy_u95_frac, most_s, best->seconds, 100 * share95(best),
        list.data ? list.data : "", parts[worst].name, parts[worst].help);
    atoll_buf_finish(&list);
    return rc;
}

/* Shortest window that does: uncertainty falls with its length, until drift turns it. */
static int choose(struct atoll__runner *r, double from_s, double *needed_s)
{
    const double aim = AIM_FRAC * r->q->energy_u95_frac;
    const double most_s = r->q->window_max_s > 0 ? r->q->window_max_s : WINDOW_MAX_S;
    struct atoll_energy best = {.u95_mj = INFINITY, .energy_mj = 1};
    double short_s = 0;
    for (double s = fmin(from_s, most_s);; s = fmin(s * STEP, most_s)) {
        struct atoll_energy e;
        const int rc = foresee(r, s, &e);
        if (rc) {
            return rc;
        }
        best = share95(&e) < share95(&best) ? e : best;
        if (share95(&e) <= aim) {
            break;
        }
        if (s >= most_s) {
            return refuse(r, &best, most_s);
        }
        short_s = s;
    }
    double long_s = best.seconds;
    for (int i = 0; i < 20 && short_s > 0; i++) {
        struct atoll_energy e;
        const double s = (short_s + long_s) / 2;
        const int rc = foresee(r, s, &e);
        if (rc) {
            return rc;
        }
        *(share95(&e) <= aim ? &long_s : &short_s) = s;
    }
    *needed_s = long_s;
    return 0;
}

int atoll__run_range(struct atoll__runner *r)
{
    struct atoll_ranging_result *g = &r->out->ranging;
    struct atoll_energy e;
    if (!(r->q->energy_u95_frac > 0)) {
        return 0;
    }
    r->window = "ranging";
    r->count = PASS_COUNT;
    r->least_ns = (uint64_t)(PASS_S * 1e9);
    int rc = atoll__run_workload(r);
    rc = rc ? rc : settle(r, &e);
    if (rc) {
        return rc;
    }
    g->asked_frac = r->q->energy_u95_frac;
    g->window_s = e.seconds;
    g->u95_frac = share95(&e);
    rc = choose(r, e.seconds, &g->needed_s);
    forget(r);
    r->window = "steady";
    r->count = r->q->workload.count;
    r->least_ns = (uint64_t)(g->needed_s * 1e9);
    return rc;
}

int atoll_run_share_parse(const char *text, double *frac, struct atoll_err *err)
{
    char number[40] = "";
    const size_t n = strcspn(text, " %");
    const char *rest = text + n + strspn(text + n, " ");
    const bool percent = strcmp(rest, "%") == 0;
    double v = 0;
    (void)snprintf(number, sizeof number, "%.*s", n < 32 ? (int)n : 32, text);
    if ((*rest && !percent) || !atoll_parse_double(number, &v) ||
        !(v > 0 && v <= (percent ? 100 : 1))) {
        return atoll_fail(err, ATOLL_EUSAGE,
                          "\"%.40s\" is no share of the energy (2%% or 0.02 expected)", text);
    }
    *frac = percent ? v / 100 : v;
    return 0;
}
