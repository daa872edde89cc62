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
            break;
        case FIT_DRIVE:
            for (int d = 0; d < 2; d++) {
                if (p->drive == 2 || p->drive == d) {
                    quantity_at(&h->board.drive[h->runner][d], p->offset)->value = value;
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

double fit_predict(const struct fit *f, const struct fit_row *row)
{
    const struct fit_host *h = &f->hosts[row->host];
    double sum = 0.0;
    double most = 0.0;
    if (row->kind == FIT_COPIES) {
        return row->one_ms + h->board.drive[h->runner][0].copy_us.value * row->copies / 1e3;
    }
    for (uint32_t i = 0; i < row->n_stages; i++) {
        struct atoll_stage_cost c;
        stage_cost(f, h, &row->stages[i], &c);
        sum += c.latency_us;
        most = c.service_us > most ? c.service_us : most;
    }
    return (row->kind == FIT_INTERVAL ? most : sum) / 1e3;
}
