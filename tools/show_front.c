/* SPDX-License-Identifier: Apache-2.0 */
#include "show_plan.h"

#include <math.h>

int show_front(const struct atoll_front *f, const struct atoll_board *b, struct atoll_err *err)
{
    static const struct out_column columns[] = {
        {"plan", OUT_RIGHT},         {"TPUs", OUT_RIGHT},      {"latency ms", OUT_RIGHT},
        {"inferences/s", OUT_RIGHT}, {"energy mJ", OUT_RIGHT}, {"", OUT_LEFT},
    };
    static const struct out_column rated_columns[] = {
        {"plan", OUT_RIGHT},     {"TPUs", OUT_RIGHT}, {"latency ms", OUT_RIGHT},
        {"headroom", OUT_RIGHT}, {"W", OUT_RIGHT},    {"", OUT_LEFT},
    };
    const bool rated = f->n_plans > 0 && isfinite(f->plans[0]->headroom);
    struct out_table t;
    out_text("%u plans that no other beats in everything, on %s, all figures computed%s\n\n",
             f->n_plans, b->title,
             f->complete ? "" : "; the search was not complete, there may be more");
    out_table_start(&t, rated ? rated_columns : columns, sizeof columns / sizeof columns[0]);
    for (uint32_t i = 0; i < f->n_plans; i++) {
        const struct atoll_plan *p = f->plans[i];
        char shape[160];
        out_cell(&t, "%u", i + 1);
        out_cell(&t, "%u", p->tpus_used);
        out_cell_us(&t, rated && !p->by_worst ? p->latency_mean_us : p->latency_worst_us);
        out_cell_number(&t, rated ? "%.2f" : "%.1f", rated ? p->headroom : p->throughput_hz);
        out_cell_number(&t, "%.3f", rated ? p->power_w : p->energy_mj);
        out_cell(&t, "%s", atoll_plan_shape(p, shape));
    }
    return out_table_print(&t, err);
}
