/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict and the best arrangements as Markdown, for a message or an issue. */
#include "report_internal.h"

#include <math.h>
#include <string.h>

/* Markdown passes HTML through and a bar ends a cell: both are disarmed. */
static void put_markdown(struct atoll_buf *b, const char *s)
{
    for (const char *p = s ? s : ""; *p; p++) {
        if (*p == '\n' || *p == '\r') {
            atoll_buf_puts(b, " ");
        } else if (*p == '<') {
            atoll_buf_puts(b, "&lt;");
        } else if (*p == '&') {
            atoll_buf_puts(b, "&amp;");
        } else {
            if (strchr("\\`*_[]|#!", *p)) {
                atoll_buf_puts(b, "\\");
            }
            atoll_buf_append(b, p, 1);
        }
    }
}

static void put_best_cell(struct atoll__data *d, struct atoll_buf *b, int64_t best)
{
    if (best < 0) {
        atoll_buf_puts(b, " – |");
        return;
    }
    const struct atoll__best *k = &d->best[best];
    const struct atoll__config *c = &d->configs[k->config];
    const struct atoll__estimate *e = &c->metric[k->metric];
    const double scale = atoll__metric_scale(k->metric);
    atoll_buf_printf(b, " %s %s", atoll__text_short(&d->arena, e->value * scale, 4),
                     atoll__metric_unit(k->metric));
    if (isfinite(e->low95)) {
        atoll_buf_printf(b, " [%s, %s]", atoll__text_short(&d->arena, e->low95 * scale, 4),
                         atoll__text_short(&d->arena, e->high95 * scale, 4));
    }
    atoll_buf_puts(b, ", ");
    put_markdown(b, atoll__report_arrangement(&d->arena, d->strategies[c->strategy], c->tpus));
    atoll_buf_puts(b, " |");
}

static void put_accuracy_cell(struct atoll__data *d, struct atoll_buf *b, uint32_t model)
{
    for (size_t i = 0; i < d->n_accuracies; i++) {
        const struct atoll_accuracy_row *r = &d->accuracies[i].row;
        if (d->accuracies[i].model == model && isfinite(r->top1)) {
            atoll_buf_printf(b, " %.2f %% [%.2f, %.2f] |", 100 * r->top1, 100 * r->top1_low95,
                             100 * r->top1_high95);
            return;
        }
    }
    atoll_buf_puts(b, " – |");
}

static void put_table(struct atoll__data *d, struct atoll_buf *b)
{
    const bool accuracy = d->n_accuracies > 0;
    atoll_buf_printf(b,
                     "| model | streams on one TPU | least time | most throughput | least energy "
                     "|%s\n|---|---|---|---|---|%s\n",
                     accuracy ? " top-1 |" : "", accuracy ? "---|" : "");
    for (uint32_t m = 0; m < d->n_models; m++) {
        atoll_buf_puts(b, "| ");
        put_markdown(b, atoll__report_label(d, m));
        atoll_buf_printf(b, " | %s |", atoll__text_bytes(&d->arena, d->models[m].off_one_bytes));
        for (int k = 0; k < ATOLL__METRICS; k++) {
            put_best_cell(d, b, d->models[m].best[k]);
        }
        if (accuracy) {
            put_accuracy_cell(d, b, m);
        }
        atoll_buf_puts(b, "\n");
    }
}

static void put_all(struct atoll__data *d, const struct atoll_verdict *v, struct atoll_buf *b)
{
    const char *model = NULL;
    atoll_buf_puts(b, "# ");
    put_markdown(b, d->experiment.name ? d->experiment.name : "experiment");
    atoll_buf_puts(b, "\n\n");
    for (int i = 0; i < 3; i++) {
        atoll_buf_puts(b, "- ");
        put_markdown(b, v->headline[i]);
        atoll_buf_puts(b, "\n");
    }
    atoll_buf_puts(b, "\nBytes are computed; time, throughput and energy are ");
    put_markdown(b, d->origin ? d->origin : "not run");
    atoll_buf_puts(b, ", with 95 % intervals over repeats.\n\n");
    put_table(d, b);
    for (size_t i = 0; i < v->n; i++) {
        const struct atoll_finding *f = &v->findings[i];
        if (f->model && (!model || strcmp(model, f->model) != 0)) {
            atoll_buf_puts(b, "\n## ");
            put_markdown(b, f->model);
            atoll_buf_puts(b, "\n\n");
            model = f->model;
        }
        atoll_buf_puts(b, "- ");
        put_markdown(b, f->sentence);
        atoll_buf_puts(b, "\n");
    }
}

static int fill_markdown(struct atoll_store *s, struct atoll__data *d,
                         const struct atoll_verdict *v, struct atoll_buf *b, struct atoll_err *err)
{
    (void)s;
    (void)err;
    put_all(d, v, b);
    return 0;
}

int atoll__write_markdown(struct atoll_store *s, const char *path, struct atoll_err *err)
{
    return atoll__report_write(s, path, fill_markdown, err);
}
