/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators that no cut may part become one atom. What lies on a way between two of them must join
 * them, since a stage is the difference of two down-sets: so atoms are the strongly connected
 * components of the graph in which the members of a group also form a ring (Tarjan 1972).
 */
#include <string.h>

#include "lattice.h"

#define UNSEEN UINT32_MAX

struct tarjan {
    const struct atoll__dag *g;
    uint32_t *ring; ///< next member of the group; itself where it is alone
    uint32_t *order, *low, *edge, *stack, *path, *atom;
    uint32_t seen, on_stack, depth, atoms;
};

/* Edge number `e` of v: its successors, then its neighbour in the ring. */
static bool next_of(const struct tarjan *t, uint32_t v, uint32_t e, uint32_t *to)
{
    const uint32_t degree = t->g->succ_start[v + 1] - t->g->succ_start[v];
    if (e > degree) {
        return false;
    }
    *to = e < degree ? t->g->succ[t->g->succ_start[v] + e] : t->ring[v];
    return true;
}

static void enter(struct tarjan *t, uint32_t v)
{
    t->order[v] = t->low[v] = t->seen++;
    t->edge[v] = 0;
    t->stack[t->on_stack++] = v;
    t->path[t->depth++] = v;
}

static void leave(struct tarjan *t, uint32_t v)
{
    t->depth--;
    if (t->depth > 0 && t->low[v] < t->low[t->path[t->depth - 1]]) {
        t->low[t->path[t->depth - 1]] = t->low[v];
    }
    if (t->low[v] != t->order[v]) {
        return;
    }
    uint32_t w;
    do {
        w = t->stack[--t->on_stack];
        t->atom[w] = t->atoms;
    } while (w != v);
    t->atoms++;
}

static void visit(struct tarjan *t, uint32_t root)
{
    enter(t, root);
    while (t->depth > 0) {
        const uint32_t v = t->path[t->depth - 1];
        uint32_t to;
        if (!next_of(t, v, t->edge[v]++, &to)) {
            leave(t, v);
        } else if (t->order[to] == UNSEEN) {
            enter(t, to);
        } else if (t->atom[to] == UNSEEN && t->order[to] < t->low[v]) {
            t->low[v] = t->order[to];
        }
    }
}

/* Makes the members of each group a ring; `last` and `first` are scratch, n entries each. */
static void make_rings(struct tarjan *t, const uint32_t *group, uint32_t *last, uint32_t *first)
{
    const uint32_t n = t->g->n;
    memset(last, 0xff, n * sizeof *last);
    for (uint32_t v = 0; v < n; v++) {
        t->ring[v] = v;
        if (group[v] >= n) {
            continue;
        }
        if (last[group[v]] == UNSEEN) {
            first[group[v]] = v;
        } else {
            t->ring[last[group[v]]] = v;
            t->ring[v] = first[group[v]];
        }
        last[group[v]] = v;
    }
}

/* Atoms by their first operator, so that a graph without groups keeps its numbers. */
static void number_atoms(struct atoll__dag *g, const struct tarjan *t, uint32_t *number)
{
    memset(number, 0xff, t->atoms * sizeof *number);
    g->n_atoms = 0;
    memset(g->atom_start, 0, ((size_t)g->n + 1) * sizeof *g->atom_start);
    for (uint32_t v = 0; v < g->n; v++) {
        if (number[t->atom[v]] == UNSEEN) {
            number[t->atom[v]] = g->n_atoms++;
        }
        g->atom_of[v] = number[t->atom[v]];
        g->atom_start[g->atom_of[v] + 1]++;
    }
    for (uint32_t a = 0; a < g->n_atoms; a++) {
        g->atom_start[a + 1] += g->atom_start[a];
    }
    uint32_t *fill = number + t->atoms;
    memset(fill, 0, g->n_atoms * sizeof *fill);
    for (uint32_t v = 0; v < g->n; v++) {
        const uint32_t a = g->atom_of[v];
        g->atom_ops[g->atom_start[a] + fill[a]++] = v;
    }
}

int atoll__dag_merge(struct atoll__dag *g, const uint32_t *group, struct atoll_err *err)
{
    const size_t n = (size_t)g->n + 1;
    uint32_t *scratch = atoll_calloc(9 * n, sizeof *scratch);
    if (!scratch) {
        return atoll_fail_nomem(err, "operators kept together", 9 * n * sizeof *scratch);
    }
    struct tarjan t = {.g = g,
                       .ring = scratch,
                       .order = scratch + n,
                       .low = scratch + 2 * n,
                       .edge = scratch + 3 * n,
                       .stack = scratch + 4 * n,
                       .path = scratch + 5 * n,
                       .atom = scratch + 6 * n};
    make_rings(&t, group, scratch + 7 * n, scratch + 8 * n);
    memset(t.order, 0xff, n * sizeof *t.order);
    memset(t.atom, 0xff, n * sizeof *t.atom);
    for (uint32_t v = 0; v < g->n; v++) {
        if (t.order[v] == UNSEEN) {
            visit(&t, v);
        }
    }
    number_atoms(g, &t, scratch + 7 * n);
    atoll_free(scratch);
    return 0;
}
