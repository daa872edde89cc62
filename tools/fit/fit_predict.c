/* SPDX-License-Identifier: Apache-2.0 */
/* From parameters to predicted times, by the library's own law. */
#include "fit.h"

#include <math.h>

static struct atoll_quantity *quantity_at(void *base, size_t offset)
{
    return (struct atoll_quantity *)(void *)((char *)base + offset);
}

void fit_apply(struct fit *f)
{
    for (int i = 0; i < f->n_params; i++) {
        const struct fit_param *p = &f->params[i];
        const double value = exp(p->log_value);
        struct fit_host *h = p->host >= 0 ? &f->hosts[p->host] : NULL;
        switch (p->place) {
        case FIT_CHIP:
            f->chip[p->chip] = value;
            break;
        case FIT_BOARD:
            quantity_at(&h->board, p->offset)->value = value;
            quantity_at(&h->board, p->offset)->u95 = value * p->rel_u95;
            break;
        case FIT_DRIVE:
            for (int d = 0; d < 2; d++) {
                if (p->drive == 2 || p->drive == d) {
                    struct atoll_quantity *q =
                        quantity_at(&h->board.drive[h->runner][d], p->offset);
                    q->value = value;
                    q->u95 = value * p->rel_u95;
                }
            }
            break;
        case FIT_ARRAY_FACTOR:
            h->array_factor = value;
            break;
        }
    }
}

static void stage_cost(const struct fit *f, const struct fit_host *h, const struct fit_stage *s,
                       struct atoll_stage_cost *out)
{
    double factor[FIT_CLASSES];
    for (int c = 0; c < FIT_CLASSES; c++) {
        factor[c] = f->chip[c];
    }
    if (h->array_factor > 0.0) {
        factor[FIT_CONV] = h->array_factor;
    }
    for (uint32_t i = 0; i < s->program.n_layers; i++) {
        double cycles = 0.0;
        for (int c = 0; c < FIT_CLASSES; c++) {
            cycles += factor[c] * s->unit[i * FIT_CLASSES + (uint32_t)c];
        }
        s->program.layers[i].cycles = cycles;
    }
    atoll_cost_stage_of(&s->program, &h->board, &h->use, out);
}

/** Sums over stages: latency and its half-width as plans add them, and the slowest service. */
struct totals {
    double latency_us, latency_u95_us, layers_us;
    double service_us, service_u95_us, service_layers_us;
};

static struct totals add_up(const struct fit *f, const struct fit_row *row)
{
    struct totals t = {0};
    for (uint32_t i = 0; i < row->n_stages; i++) {
        struct atoll_stage_cost c;
        stage_cost(f, &f->hosts[row->host], &row->stages[i], &c);
        t.latency_us += c.latency_us;
        t.latency_u95_us += c.latency_u95_us;
        t.layers_us += c.compute_us + c.stream_us;
        if (c.service_us > t.service_us) {
            t.service_us = c.service_us;
            t.service_u95_us = c.service_u95_us;
            t.service_layers_us = c.compute_us + c.stream_us;
        }
    }
    return t;
}

/** What a further independent copy adds, ms. */
static const struct atoll_quantity *copy_quantity(const struct fit *f, const struct fit_row *row)
{
    const struct fit_host *h = &f->hosts[row->host];
    const struct atoll_drive_cost *d = &h->board.drive[h->runner][0];
    return row->kind == FIT_COPIES ? &d->copy_us : &d->copy_interval_us;
}

static bool of_copies(const struct fit_row *row)
{
    return row->kind == FIT_COPIES || row->kind == FIT_COPIES_INTERVAL;
}

double fit_predict(const struct fit *f, const struct fit_row *row)
{
    if (of_copies(row)) {
        return row->one_ms + copy_quantity(f, row)->value * row->copies / 1e3;
    }
    const struct totals t = add_up(f, row);
    if (row->kind == FIT_INTERVAL) {
        return fmax(t.service_us / 1e3, row->host_ms * row->n_stages);
    }
    return t.latency_us / 1e3 + row->host_ms * row->n_stages;
}

double fit_predict_u95(const struct fit *f, const struct fit_row *row, double *layers_ms)
{
    *layers_ms = 0.0;
    if (of_copies(row)) {
        const double spread = f->hosts[row->host].board.jitter_run_frac.value * row->one_ms;
        return hypot(copy_quantity(f, row)->u95 * row->copies / 1e3, 1.96 * spread);
    }
    const struct totals t = add_up(f, row);
    *layers_ms = (row->kind == FIT_INTERVAL ? t.service_layers_us : t.layers_us) / 1e3;
    return (row->kind == FIT_INTERVAL ? t.service_u95_us : t.latency_u95_us) / 1e3;
}
