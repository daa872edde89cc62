/* SPDX-License-Identifier: Apache-2.0 */
/* Where the time of a program goes, operator by operator, on one TPU of a board. */
#include "cost_internal.h"

#include <stdlib.h>

/** Share of the array's work that is padding: 0 for operators that do no arithmetic. */
static double waste_of(const struct atoll_layer *l)
{
    const double full = atoll__constants_default.v[ATOLL__K_CONV_FACTOR] * l->ideal_cycles;
    if (l->kind != ATOLL_BOUND_ARRAY || !(l->cycles > 0.0) || full >= l->cycles) {
        return 0.0;
    }
    return 1.0 - full / l->cycles;
}

static void one(const struct atoll_layer *l, const struct atoll__rates *r,
                struct atoll_layer_cost *out)
{
    const double compute_us = r->us_per_cycle[ATOLL_DRIVE_CALLED] * l->cycles;
    const double stream_us = r->us_per_stream_byte * (double)l->stream_bytes;
    *out = (struct atoll_layer_cost){.op = l->op,
                                     .cycles = l->cycles,
                                     .compute_us = compute_us,
                                     .stream_us = stream_us,
                                     .waste_frac = waste_of(l),
                                     .parameter_bytes = l->packed_bytes,
                                     .on_chip = l->packed_bytes > 0 && l->stream_bytes == 0};
    if (l->kind == ATOLL_BOUND_CPU) {
        out->bound = ATOLL_BOUND_CPU;
        out->us = l->cpu_us;
        return;
    }
    out->bound = stream_us > compute_us ? ATOLL_BOUND_LINK : l->kind;
    out->us = stream_us > compute_us ? stream_us : compute_us;
}

void atoll_program_breakdown(const struct atoll_program *p, const struct atoll_board *b,
                             const struct atoll_use *u, struct atoll_layer_cost *out)
{
    const struct atoll__rates r = atoll__cost_rates(b, u);
    struct atoll_stage_cost stage;
    atoll_cost_stage_of(p, b, u, &stage);
    for (uint32_t i = 0; i < p->n_layers; i++) {
        one(&p->layers[i], &r, &out[i]);
        out[i].share_frac = stage.latency_us > 0.0 ? out[i].us / stage.latency_us : 0.0;
    }
}

/** Descending time, then order of execution. */
struct entry {
    double us;
    uint32_t at;
};

static int longest_first(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    if (x->us > y->us || x->us < y->us) {
        return x->us > y->us ? -1 : 1;
    }
    return x->at < y->at ? -1 : x->at > y->at;
}

int atoll_program_costliest(const struct atoll_layer_cost *layers, uint32_t n, uint32_t *top,
                            uint32_t n_top, struct atoll_err *err)
{
    struct entry *list = atoll_calloc(n + 1u, sizeof *list);
    if (list == NULL) {
        return atoll_fail_nomem(err, "layers by time", n * sizeof *list);
    }
    for (uint32_t i = 0; i < n; i++) {
        list[i] = (struct entry){.us = layers[i].us, .at = i};
    }
    qsort(list, n, sizeof *list, longest_first);
    for (uint32_t i = 0; i < n_top && i < n; i++) {
        top[i] = list[i].at;
    }
    atoll_free(list);
    return 0;
}
