/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is constant about a segment on a board, computed once when it is loaded. The source is the
 * program (cycles and bytes of each layer) and the board's constants, never a predicted time.
 */
#include "sim_internal.h"

#include <math.h>

#define MIB (1024.0 * 1024.0)

/* Layers may share a group when nothing that the engine decides can fall between them: both
 * without streaming, or (no shared link) with streaming wholly hidden behind compute. */
static bool hidden(const struct sim *sim, double compute_ns, double stream_mib)
{
    if (stream_mib <= 0) {
        return true;
    }
    return sim->shared_rate <= 0 &&
           stream_mib * sim->board->stream_us_per_mib.value * 1e3 <= compute_ns;
}

static void add_layer(struct sim_drive *d, const struct sim *sim, const struct atoll_layer *l,
                      double ns_per_cycle, bool *open)
{
    const bool on_host = l->kind == ATOLL_BOUND_CPU;
    const double compute_ns = on_host ? 0 : l->cycles * ns_per_cycle;
    const double stream_mib = on_host ? 0 : (double)l->stream_bytes / MIB;
    if (!(compute_ns > 0) && !(stream_mib > 0)) {
        return;
    }
    const bool merge = hidden(sim, compute_ns, stream_mib);
    if (!(merge && *open)) {
        d->groups[d->n_groups++] = (struct sim_group){.stream_mib = merge ? 0 : stream_mib};
    }
    struct sim_group *g = &d->groups[d->n_groups - 1];
    /* mJ/GMAC is pJ/MAC, and 1 mW is 1 pJ/ns */
    const double energy_pj =
        g->dynamic_mw * g->compute_ns + (double)l->macs * sim->board->mj_per_gmac.value;
    g->compute_ns += compute_ns;
    g->dynamic_mw = g->compute_ns > 0 ? energy_pj / g->compute_ns : 0;
    *open = merge;
}

static int init_drive(struct sim_drive *d, const struct sim *sim, const struct atoll_program *p,
                      const struct atoll_drive_cost *c, struct atoll_err *err)
{
    const double call_us = p->n_tpu_ops > 0 ? c->call_us.value : 0;
    const double serial_us = c->serial_us.value < call_us ? c->serial_us.value : call_us;
    d->serial_ns = serial_us * 1e3;
    d->unpack_ns =
        p->n_tpu_ops > 0 ? (double)p->output_px / 1e3 * c->output_us_per_kpx.value * 1e3 : 0;
    d->rest_ns = (call_us - serial_us + p->cpu_us) * 1e3;
    d->input_ns_per_mib = p->n_tpu_ops > 0 ? c->input_us_per_mib.value * 1e3 : 0;
    d->output_ns_per_mib = p->n_tpu_ops > 0 ? c->output_us_per_mib.value * 1e3 : 0;
    d->groups = atoll_calloc(p->n_layers > 0 ? p->n_layers : 1, sizeof *d->groups);
    if (d->groups == NULL) {
        return atoll_fail_nomem(err, "layers of a segment", p->n_layers * sizeof *d->groups);
    }
    bool open = false;
    for (uint32_t i = 0; i < p->n_layers; i++) {
        add_layer(d, sim, &p->layers[i], c->compute_scale.value / sim->clock_hz * 1e9, &open);
    }
    return 0;
}

int atoll__sim_slot_init(struct sim_slot *s, const struct sim *sim, const struct atoll_program *p,
                         struct atoll_err *err)
{
    for (uint32_t i = 0; i < p->n_layers; i++) {
        if (!(p->layers[i].cycles >= 0) || !isfinite(p->layers[i].cycles)) {
            return atoll_fail(err, ATOLL_EINTERNAL,
                              "sim: layer %u of the program has %g cycles (expected a number >= 0)",
                              i, p->layers[i].cycles);
        }
    }
    s->input_mib =
        (double)atoll_board_sent_bytes(sim->board, p->input_bytes, p->instruction_bytes) / MIB;
    s->output_mib = (double)p->output_bytes / MIB;
    s->load_mib = (double)p->on_chip_bytes / MIB;
    for (uint32_t i = 0; i < p->n_layers; i++) {
        s->streams =
            s->streams || (p->layers[i].stream_bytes > 0 && p->layers[i].kind != ATOLL_BOUND_CPU);
    }
    for (int d = 0; d < 2; d++) {
        const struct atoll_drive_cost *c =
            atoll_board_drive(sim->board, &sim->use, (enum atoll_drive)d);
        const int rc = init_drive(&s->by[d], sim, p, c, err);
        if (rc != 0) {
            atoll__sim_slot_finish(s);
            return rc;
        }
    }
    return 0;
}

void atoll__sim_slot_finish(struct sim_slot *s)
{
    for (int d = 0; d < 2; d++) {
        atoll_free(s->by[d].groups);
        s->by[d].groups = NULL;
    }
}
