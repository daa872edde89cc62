/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs of operators, and which operators no cut may part. */
#include <stdlib.h>
#include <string.h>

#include "lattice.h"

void atoll__dag_finish(struct atoll__dag *g)
{
    atoll_arena_finish(&g->arena);
    memset(g, 0, sizeof *g);
}

int atoll__dag_of_edges(uint32_t n, const uint32_t *from, const uint32_t *to, uint32_t n_edges,
                        const double *out_bytes, struct atoll__dag *g, struct atoll_err *err)
{
    memset(g, 0, sizeof *g);
    g->n = n;
    g->pred_start = atoll_arena_array(&g->arena, (size_t)n + 1, sizeof *g->pred_start);
    g->succ_start = atoll_arena_array(&g->arena, (size_t)n + 1, sizeof *g->succ_start);
    g->pred = atoll_arena_array(&g->arena, (size_t)n_edges + 1, sizeof *g->pred);
    g->succ = atoll_arena_array(&g->arena, (size_t)n_edges + 1, sizeof *g->succ);
    g->out_bytes = atoll_arena_array(&g->arena, (size_t)n + 1, sizeof *g->out_bytes);
    g->out_us = atoll_arena_array(&g->arena, (size_t)n + 1, sizeof *g->out_us);
    g->in_us = atoll_arena_array(&g->arena, (size_t)n + 1, sizeof *g->in_us);
    g->atom_start = atoll_arena_array(&g->arena, (size_t)n + 1, sizeof *g->atom_start);
    g->atom_ops = atoll_arena_array(&g->arena, (size_t)n + 1, sizeof *g->atom_ops);
    g->atom_of = atoll_arena_array(&g->arena, (size_t)n + 1, sizeof *g->atom_of);
    uint32_t *fill = atoll_arena_array(&g->arena, 2 * ((size_t)n + 1), sizeof *fill);
    if (!g->out_us || !g->in_us || !g->atom_start || !g->atom_ops || !g->atom_of ||
        !g->pred_start || !g->succ_start || !g->pred || !g->succ || !g->out_bytes || !fill) {
        atoll__dag_finish(g);
        return atoll_fail_nomem(err, "operator graph", n_edges);
    }
    for (uint32_t e = 0; e < n_edges; e++) {
        g->succ_start[from[e] + 1]++;
        g->pred_start[to[e] + 1]++;
    }
    for (uint32_t v = 0; v < n; v++) {
        g->succ_start[v + 1] += g->succ_start[v];
        g->pred_start[v + 1] += g->pred_start[v];
    }
    uint32_t *fill_pred = fill + n + 1;
    for (uint32_t e = 0; e < n_edges; e++) {
        g->succ[g->succ_start[from[e]] + fill[from[e]]++] = to[e];
        g->pred[g->pred_start[to[e]] + fill_pred[to[e]]++] = from[e];
    }
    memcpy(g->out_bytes, out_bytes, n * sizeof *out_bytes);
    g->n_atoms = n;
    for (uint32_t v = 0; v < n; v++) {
        g->atom_start[v + 1] = v + 1;
        g->atom_ops[v] = g->atom_of[v] = v;
    }
    return 0;
}

static uint32_t count_edges(const struct atoll_model *m, uint32_t *from, uint32_t *to)
{
    uint32_t n = 0;
    for (uint32_t t = 0; t < m->n_tensors; t++) {
        const struct atoll_tensor *x = &m->tensors[t];
        if (x->producer < 0) {
            continue;
        }
        for (uint32_t c = 0; c < x->n_consumers; c++) {
            if (x->consumers[c] == (uint32_t)x->producer) {
                continue;
            }
            if (from != NULL) {
                from[n] = (uint32_t)x->producer;
                to[n] = x->consumers[c];
            }
            n++;
        }
    }
    return n;
}

int atoll__dag_of_model(const struct atoll_model *m, struct atoll__dag *g, struct atoll_err *err)
{
    memset(g, 0, sizeof *g);
    const uint32_t n_edges = count_edges(m, NULL, NULL);
    uint32_t *from = atoll_calloc((size_t)n_edges + 1, sizeof *from);
    uint32_t *to = atoll_calloc((size_t)n_edges + 1, sizeof *to);
    double *bytes = atoll_calloc((size_t)m->n_ops + 1, sizeof *bytes);
    int rc;
    if (from == NULL || to == NULL || bytes == NULL) {
        rc = atoll_fail_nomem(err, "operator graph", n_edges);
        goto done;
    }
    count_edges(m, from, to);
    for (uint32_t v = 0; v < m->n_ops; v++) {
        for (uint32_t o = 0; o < m->ops[v].n_outputs; o++) {
            const int32_t t = m->ops[v].outputs[o];
            const double b = t >= 0 ? (double)m->tensors[t].bytes : 0;
            if (t >= 0 && m->tensors[t].n_consumers > 0 && (bytes[v] <= 0 || b < bytes[v])) {
                bytes[v] = b; /* of several outputs the smallest: all that surely crosses a cut */
            }
        }
    }
    rc = atoll__dag_of_edges(m->n_ops, from, to, n_edges, bytes, g, err);
done:
    atoll_free(bytes);
    atoll_free(to);
    atoll_free(from);
    return rc;
}

bool atoll__dag_keeps_atoms(const struct atoll__dag *g, const uint32_t *stage_of)
{
    for (uint32_t a = 0; a < g->n_atoms; a++) {
        for (uint32_t i = g->atom_start[a] + 1; i < g->atom_start[a + 1]; i++) {
            if (stage_of[g->atom_ops[i]] != stage_of[g->atom_ops[i - 1]]) {
                return false;
            }
        }
    }
    return true;
}

void atoll__dag_set_crossing(struct atoll__dag *g, const struct atoll_floor *floors,
                             const struct atoll_floor *stage)
{
    for (uint32_t v = 0; v < g->n; v++) {
        g->out_us[v] = floors[v].output_us + stage->output_us_per_byte * g->out_bytes[v];
        g->in_us[v] = floors[v].input_us + stage->input_us_per_byte * g->out_bytes[v];
    }
}
