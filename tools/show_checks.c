/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of plans for people. */
#include "plan_checks.h"

#include <math.h>
#include <string.h>

static void print_figure(const char *name, const char *unit, const struct atoll_verified_figure *f,
                         double scale)
{
    if (isnan(f->predicted)) {
        out_text("  %-11s saturated ran %.3f +/- %.2g %s; the plan speaks of its rates\n", name,
                 f->found * scale, f->found_u95 * scale, unit);
        return;
    }
    out_text("  %-11s planned %.3f +/- %.3g %s, ran %.3f +/- %.2g (%+.1f %%): %s\n", name,
             f->predicted * scale, f->predicted_u95 * scale, unit, f->found * scale,
             f->found_u95 * scale, 100 * (f->found / f->predicted - 1),
             f->confirmed ? "confirmed" : "corrected");
}

static void print_verified(const struct atoll_verification *v)
{
    out_text("\n%s, %u runs each:\n", atoll_origin_name(v->origin), v->repeats);
    print_figure("latency", "ms", &v->latency_us, 1e-3);
    print_figure("throughput", "/s", &v->throughput_hz, 1);
    print_figure("energy", "mJ", &v->energy_mj, 1);
}

static void print_sensitivity(const struct plan_checks *k, const struct atoll_comparison *c)
{
    const struct atoll_robustness *b = &k->robust;
    const struct atoll_robust_row *row = &b->rows[k->chosen];
    out_wrapped(
        2,
        "- With costs off by up to %g %% (%llu draws, seed %llu) %s is the best of %u plans in "
        "%.0f %% of the draws; it misses the best by %.2g %% in the mean, %.2g %% at worst.",
        k->o->error_percent, (unsigned long long)k->o->draws, (unsigned long long)k->o->seed,
        c->plans[k->chosen]->strategy, c->n_plans, 100 * row->won_frac, 100 * row->regret_mean_frac,
        100 * row->regret_worst_frac);
    if (b->least_mean != k->chosen) {
        out_text("- Least regret in the mean: %s, %.2g %% (--robust mean).\n",
                 c->plans[b->least_mean]->strategy, 100 * b->rows[b->least_mean].regret_mean_frac);
    }
    if (b->least_worst != k->chosen) {
        out_text("- Least regret at worst: %s, %.2g %% (--robust worst).\n",
                 c->plans[b->least_worst]->strategy,
                 100 * b->rows[b->least_worst].regret_worst_frac);
    }
}

static void print_whatif(const struct atoll_whatif *w, enum atoll_objective o)
{
    static const char *const units[] = {"ms", "/s", "mJ"};
    const double scale = o == ATOLL_OBJECTIVE_LATENCY ? 1e-3 : 1;
    if (!w->another) {
        out_wrapped(2, "- If %s: the same choice, %.4g %s.", w->text, w->kept * scale, units[o]);
    } else if (isnan(w->kept)) {
        out_wrapped(2, "- If %s: %s, %.4g %s.", w->text, w->shape, w->best * scale, units[o]);
    } else {
        const double gain =
            o == ATOLL_OBJECTIVE_THROUGHPUT ? w->best / w->kept - 1 : 1 - w->best / w->kept;
        out_wrapped(2, "- If %s: %s would be better, %.4g instead of %.4g %s (by %.1f %%).",
                    w->text, w->shape, w->best * scale, w->kept * scale, units[o], 100 * gain);
    }
}

static void print_rate(const struct plan_checks *k, const struct atoll_comparison *c)
{
    const struct atoll_rate_limit *l = &k->rate;
    const char *other = c->plans[l->other]->strategy;
    switch (k->request->objective) {
    case ATOLL_OBJECTIVE_LATENCY:
        out_wrapped(2, "- Above %.1f inferences/s it cannot keep up; %s serves up to %.1f.",
                    l->rate_hz, other, l->better);
        break;
    case ATOLL_OBJECTIVE_THROUGHPUT:
        out_wrapped(
            2,
            "- Up to %.1f inferences/s %s serves too and answers sooner: %.3f ms instead of "
            "%.3f.",
            l->rate_hz, other, l->better / 1e3, l->kept / 1e3);
        break;
    case ATOLL_OBJECTIVE_ENERGY:
        out_wrapped(2,
                    "- Up to %.1f inferences/s %s serves too, with less energy above idle: %.2f mJ "
                    "instead of %.2f.",
                    l->rate_hz, other, l->better, l->kept);
        break;
    }
}

static void print_measured(const struct plan_checks *k, const struct atoll_plan *p)
{
    const struct atoll_measured_summary sum = atoll_measured_sum(k->measured);
    uint32_t stages = 0;
    const uint32_t n = atoll_measured_stages(k->measured, p, &stages);
    out_wrapped(
        2,
        "- %u of %u stages stand on %s times (%u segments in %u runs of %s); the others are "
        "computed.",
        n, stages, atoll_origin_name(sum.origin), sum.segments, sum.runs, k->o->measured);
}

void show_checks(const struct plan_checks *k, const struct atoll_comparison *c)
{
    if (k->chosen < 0) {
        return;
    }
    if (k->measured) {
        print_measured(k, c->plans[k->chosen]);
    }
    for (uint32_t i = 0; i < k->n_whatifs; i++) {
        print_whatif(&k->whatifs[i], k->request->objective);
    }
    if (k->rate.other >= 0) {
        print_rate(k, c);
    }
    if (k->robust.n_rows) {
        print_sensitivity(k, c);
    }
    if (k->verified && c->n_plans > 0 && !c->plans[k->chosen]->skipped) {
        print_verified(&k->verified[k->chosen]);
    }
}

/* ------------------------------------------------------------------ side by side */

static const char *verdict(const struct atoll_verification *v, char buf[64])
{
    const struct {
        const char *name;
        bool confirmed;
    } figures[] = {{"ms", v->latency_us.confirmed},
                   {"/s", v->throughput_hz.confirmed},
                   {"mJ", v->energy_mj.confirmed}};
    buf[0] = '\0';
    for (size_t i = 0; i < 3; i++) {
        const size_t at = strlen(buf);
        if (!figures[i].confirmed) {
            snprintf(buf + at, 64 - at, at ? ", %s" : "corrected: %s", figures[i].name);
        }
    }
    return buf[0] ? buf : "confirmed";
}

/* The figure of an objective as the runs gave it; less is better. */
static double found(const struct atoll_verification *v, unsigned o)
{
    return o == ATOLL_OBJECTIVE_LATENCY      ? v->latency_us.found
           : o == ATOLL_OBJECTIVE_THROUGHPUT ? 1 / v->throughput_hz.found
                                             : v->energy_mj.found;
}

static void print_best_found(const struct plan_checks *k, const struct atoll_comparison *c)
{
    for (unsigned o = 0; o < 3; o++) {
        int32_t best = c->best[o];
        for (uint32_t i = 0; best >= 0 && i < c->n_plans; i++) {
            if (!c->plans[i]->skipped &&
                found(&k->verified[i], o) < found(&k->verified[best], o) * (1 - 1e-3)) {
                best = (int32_t)i;
            }
        }
        if (best < 0) {
            continue;
        }
        const char *name = atoll_objective_name((enum atoll_objective)o);
        if (best == c->best[o]) {
            out_text("Best %s: %s, in the runs too.\n", name, c->plans[best]->strategy);
        } else {
            out_text("Best %s: planned %s, in the runs %s (by %.1f %%).\n", name,
                     c->plans[c->best[o]]->strategy, c->plans[best]->strategy,
                     100 * (found(&k->verified[c->best[o]], o) / found(&k->verified[best], o) - 1));
        }
    }
}

int show_verified(const struct plan_checks *k, const struct atoll_comparison *c,
                  struct atoll_err *err)
{
    static const struct out_column columns[] = {
        {"strategy", OUT_LEFT}, {"ms plan", OUT_RIGHT}, {"ran", OUT_RIGHT}, {"/s plan", OUT_RIGHT},
        {"ran", OUT_RIGHT},     {"mJ plan", OUT_RIGHT}, {"ran", OUT_RIGHT}, {"", OUT_LEFT},
    };
    struct out_table t;
    char buf[64];
    const int32_t any = c->best[0];
    if (any < 0) {
        return 0;
    }
    out_text("\nPlanned, and as it ran (%s, %u runs each):\n\n",
             atoll_origin_name(k->verified[any].origin), k->verified[any].repeats);
    out_table_start(&t, columns, sizeof columns / sizeof columns[0]);
    for (uint32_t i = 0; i < c->n_plans; i++) {
        const struct atoll_verification *v = &k->verified[i];
        if (c->plans[i]->skipped) {
            continue;
        }
        out_cell(&t, "%s", c->plans[i]->strategy);
        out_cell_number(&t, "%.3f", v->latency_us.predicted / 1e3);
        out_cell_number(&t, "%.3f", v->latency_us.found / 1e3);
        out_cell_number(&t, "%.1f", v->throughput_hz.predicted);
        out_cell_number(&t, "%.1f", v->throughput_hz.found);
        out_cell_number(&t, "%.2f", v->energy_mj.predicted);
        out_cell_number(&t, "%.2f", v->energy_mj.found);
        out_cell(&t, "%s", verdict(v, buf));
    }
    const int code = out_table_print(&t, err);
    if (code == 0) {
        out_text("\n");
        print_best_found(k, c);
    }
    return code;
}
