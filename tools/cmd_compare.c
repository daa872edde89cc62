/* SPDX-License-Identifier: Apache-2.0 */
/* atoll compare: two results databases, run by run; exit 1 on a regression. */
#include "common.h"

#include <atoll/report.h>

struct compare_opts {
    struct opt_common common;
    bool all;
};

static const struct opt opts[] = {
    {.short_name = 'a',
     .long_name = "all",
     .type = OPT_FLAG,
     .offset = offsetof(struct compare_opts, all),
     .help = "List everything compared, not only what changed beyond noise"},
    OPTS_END,
};

static json_t *change_json(const struct atoll_change *c)
{
    json_t *j = json_pack("{s:o, s:o, s:I, s:o, s:s, s:b, s:b}", "model", out_string(c->model),
                          "strategy", out_string(c->strategy), "tpus", (json_int_t)c->tpus,
                          "workload", out_string(c->workload), "metric", c->metric, "worse",
                          c->worse, "better", c->better);
    atoll_json_set_number(j, "a", c->a);
    atoll_json_set_number(j, "b", c->b);
    atoll_json_set_number(j, "ratio", c->ratio);
    atoll_json_set_number(j, "ratio_low95", c->ratio_low95);
    atoll_json_set_number(j, "ratio_high95", c->ratio_high95);
    atoll_json_set_number(j, "p", c->p);
    atoll_json_set_number(j, "p_adjusted", c->p_adjusted);
    return j;
}

static int print_json(struct call *call, const struct atoll_comparison_report *r)
{
    json_t *j = atoll_json_answer("compare");
    json_t *changes = json_array();
    json_object_set_new(j, "origin", r->origin ? out_string(r->origin) : json_null());
    for (size_t i = 0; i < r->n; i++) {
        json_array_append_new(changes, change_json(&r->changes[i]));
    }
    json_object_set_new(j, "regression", json_boolean(r->regression));
    json_object_set_new(j, "sentence", out_string(r->sentence));
    json_object_set_new(j, "compared", json_integer((json_int_t)r->n));
    json_object_set_new(j, "worse", json_integer((json_int_t)r->n_worse));
    json_object_set_new(j, "better", json_integer((json_int_t)r->n_better));
    json_object_set_new(j, "only_a", json_integer((json_int_t)r->n_only_a));
    json_object_set_new(j, "only_b", json_integer((json_int_t)r->n_only_b));
    json_object_set_new(j, "changes", changes);
    return out_json(call, j);
}

static void add_row(struct out_table *t, const struct atoll_change *c)
{
    out_cell(t, "%s", c->model);
    out_cell(t, "%s", c->strategy);
    out_cell(t, "%lld", (long long)c->tpus);
    out_cell(t, "%s", c->workload);
    out_cell(t, "%s", c->metric);
    out_cell_number(t, "%.3f", c->a);
    out_cell_number(t, "%.3f", c->b);
    out_cell_number(t, "%+.2f %%", 100 * (c->ratio - 1));
    out_cell_number(t, "%.2g", c->p_adjusted);
    out_cell(t, "%s", c->worse ? "worse" : c->better ? "better" : "no difference beyond noise");
}

static int print_people(struct call *call, const struct atoll_comparison_report *r)
{
    static const struct out_column columns[] = {
        {"model", OUT_LEFT},    {"strategy", OUT_LEFT}, {"TPUs", OUT_RIGHT},
        {"workload", OUT_LEFT}, {"metric", OUT_LEFT},   {"A", OUT_RIGHT},
        {"B", OUT_RIGHT},       {"change", OUT_RIGHT},  {"p adjusted", OUT_RIGHT},
        {"", OUT_LEFT},
    };
    const struct compare_opts *o = call->opts;
    struct out_table t;
    size_t shown = 0;
    out_text("%s\n", r->sentence);
    out_table_start(&t, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < r->n; i++) {
        if (o->all || r->changes[i].worse || r->changes[i].better) {
            add_row(&t, &r->changes[i]);
            shown++;
        }
    }
    if (shown) {
        out_text("\n");
    }
    return shown ? out_table_print(&t, &call->err) : 0;
}

static int compare(struct call *call, struct atoll_store *a, struct atoll_store *b)
{
    struct atoll_comparison_report r = {.n = 0};
    int code = atoll_compare_stores(a, b, &r, &call->err);
    if (code) {
        return code;
    }
    code = call->json ? print_json(call, &r) : print_people(call, &r);
    if (code == 0 && r.regression) {
        code = ATOLL_ENO; /* the answer says which; no message on top */
    }
    atoll_comparison_report_finish(&r);
    return code;
}

static int run(struct call *call)
{
    struct atoll_store *a = NULL, *b = NULL;
    int code = atoll_store_open(call->operands[0], ATOLL_STORE_READ, &a, &call->err);
    code = code ? code : atoll_store_open(call->operands[1], ATOLL_STORE_READ, &b, &call->err);
    code = code ? code : compare(call, a, b);
    atoll_store_close(&a);
    atoll_store_close(&b);
    return code;
}

const struct command cmd_compare = {
    .name = "compare",
    .operands = "A.db B.db",
    .summary = "Compare two results databases and flag regressions of B against A",
    .text = "Exit code 1 when B is worse beyond noise anywhere. The statistics: "
            "docs/method-statistics.md.",
    .example = "atoll compare before.db after.db",
    .opts = opts,
    .opts_bytes = sizeof(struct compare_opts),
    .operands_min = 2,
    .operands_max = 2,
    .run = run,
};
