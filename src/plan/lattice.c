/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice.h"

#include <stdlib.h>
#include <string.h>

/* -------------------------------------------------------------------- lattice */

void atoll__lattice_finish(struct atoll__lattice *l)
{
    atoll_free(l->bits);
    atoll_free(l->size);
    atoll_free(l->sum);
    atoll_free(l->cross);
    atoll_free(l->crossing);
    memset(l, 0, sizeof *l);
}

static int lattice_reserve(struct atoll__lattice *l, uint32_t need, struct atoll_err *err)
{
    if (need <= l->n_cap) {
        return 0;
    }
    const uint32_t cap = need < 64 ? 64 : need + need / 2;
    void *bits = atoll_realloc(l->bits, (size_t)cap * l->words * sizeof *l->bits);
    l->bits = bits ? bits : l->bits;
    void *size = atoll_realloc(l->size, cap * sizeof *l->size);
    l->size = size ? size : l->size;
    void *sum = atoll_realloc(l->sum, cap * sizeof *l->sum);
    l->sum = sum ? sum : l->sum;
    void *cross = atoll_realloc(l->cross, cap * sizeof *l->cross);
    l->cross = cross ? cross : l->cross;
    void *crossing = atoll_realloc(l->crossing, cap * sizeof *l->crossing);
    l->crossing = crossing ? crossing : l->crossing;
    if (!bits || !size || !sum || !cross || !crossing) {
        return atoll_fail_nomem(err, "down-sets", cap);
    }
    l->n_cap = cap;
    return 0;
}

static bool has_bit(const uint64_t *set, uint32_t v)
{
    return (set[v / 64] >> (v % 64)) & 1;
}

/* All that the atom's operators read lies in the set, or in the atom. */
static bool preds_inside(const struct atoll__dag *g, const uint64_t *set, uint32_t atom)
{
    for (uint32_t i = g->atom_start[atom]; i < g->atom_start[atom + 1]; i++) {
        const uint32_t v = g->atom_ops[i];
        for (uint32_t e = g->pred_start[v]; e < g->pred_start[v + 1]; e++) {
            if (!has_bit(set, g->pred[e]) && g->atom_of[g->pred[e]] != atom) {
                return false;
            }
        }
    }
    return true;
}

static bool all_succs_inside(const struct atoll__dag *g, const uint64_t *set, uint32_t v)
{
    for (uint32_t e = g->succ_start[v]; e < g->succ_start[v + 1]; e++) {
        if (!has_bit(set, g->succ[e])) {
            return false;
        }
    }
    return true;
}

/* Adds operator `v` to the last set, with its sums. */
static void lattice_join(struct atoll__lattice *l, const struct atoll__dag *g,
                         const struct atoll_floor *floors, uint32_t v)
{
    uint64_t *set = l->bits + (size_t)l->n * l->words;
    set[v / 64] |= UINT64_C(1) << (v % 64);
    double cross = l->cross[l->n];
    uint32_t crossing = l->crossing[l->n];
    if (g->succ_start[v] != g->succ_start[v + 1]) {
        cross += g->out_bytes[v];
        crossing++;
    }
    for (uint32_t e = g->pred_start[v]; e < g->pred_start[v + 1]; e++) {
        const uint32_t p = g->pred[e];
        bool seen = false; /* two tensors between the same operators make two edges */
        for (uint32_t f = g->pred_start[v]; f < e; f++) {
            seen = seen || g->pred[f] == p;
        }
        if (!seen && all_succs_inside(g, set, p)) {
            cross -= g->out_bytes[p];
            crossing--;
        }
    }
    struct atoll_floor *a = &l->sum[l->n];
    a->work_us += floors[v].work_us;
    a->stream_us += floors[v].stream_us;
    for (int i = 0; i < ATOLL_FLOOR_PRICES; i++) {
        a->stream_at_us[i] += floors[v].stream_at_us[i];
    }
    a->parameter_bytes += floors[v].parameter_bytes;
    a->calls += floors[v].calls;
    a->active_mj += floors[v].active_mj;
    l->cross[l->n] = cross;
    l->crossing[l->n] = crossing;
}

/* Adds set `from` plus an atom as a new last set. */
static int lattice_push(struct atoll__lattice *l, const struct atoll__dag *g,
                        const struct atoll_floor *floors, uint32_t from, uint32_t atom,
                        struct atoll_err *err)
{
    const int rc = lattice_reserve(l, l->n + 1, err);
    if (rc != 0) {
        return rc;
    }
    memcpy(l->bits + (size_t)l->n * l->words, atoll__lattice_bits(l, from),
           l->words * sizeof *l->bits);
    l->size[l->n] = l->size[from] + 1;
    l->cross[l->n] = l->cross[from];
    l->crossing[l->n] = l->crossing[from];
    l->sum[l->n] = l->sum[from];
    for (uint32_t i = g->atom_start[atom]; i < g->atom_start[atom + 1]; i++) {
        lattice_join(l, g, floors, g->atom_ops[i]);
    }
    l->n++;
    return 0;
}

static bool same_set(const struct atoll__lattice *l, uint32_t a, uint32_t b)
{
    return memcmp(atoll__lattice_bits(l, a), atoll__lattice_bits(l, b),
                  l->words * sizeof(uint64_t)) == 0;
}

struct level {
    uint32_t *table; ///< open addressing: 1 + index of a set, 0 empty
    uint32_t mask;
    uint32_t *slots; ///< those in use, to be emptied for the next level
    uint32_t n_slots;
};

/* Finds set number `i` among this level's; true when it was there already. */
static bool level_add(struct level *t, const struct atoll__lattice *l, uint32_t i)
{
    const uint64_t h = atoll_fnv1a(atoll__lattice_bits(l, i), l->words * sizeof(uint64_t), 0);
    for (uint32_t slot = (uint32_t)h & t->mask;; slot = (slot + 1) & t->mask) {
        if (t->table[slot] == 0) {
            t->table[slot] = i + 1;
            t->slots[t->n_slots++] = slot;
            return false;
        }
        if (same_set(l, t->table[slot] - 1, i)) {
            return true;
        }
    }
}

struct rank {
    double cross;
    uint32_t index;
    bool prefix;
};

static int by_cross(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;
    if (x->prefix != y->prefix) {
        return x->prefix ? -1 : 1;
    }
    if (x->cross < y->cross || x->cross > y->cross) {
        return x->cross < y->cross ? -1 : 1;
    }
    return (x->index > y->index) - (x->index < y->index);
}

static int by_index(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;
    return (x->index > y->index) - (x->index < y->index);
}

static bool is_prefix(const struct atoll__lattice *l, uint32_t i)
{
    const uint64_t *set = atoll__lattice_bits(l, i);
    uint32_t v = 0;
    while (v < l->n_ops && has_bit(set, v)) {
        v++;
    }
    for (uint32_t rest = v; rest < l->n_ops; rest++) {
        if (has_bit(set, rest)) {
            return false;
        }
    }
    return true;
}

/* Keeps the best `width` sets of the level that begins at `first`. */
static int level_trim(struct atoll__lattice *l, uint32_t first, uint32_t width,
                      struct atoll_err *err)
{
    const uint32_t n = l->n - first;
    if (n <= width) {
        return 0;
    }
    struct rank *r = atoll_calloc(n, sizeof *r);
    if (r == NULL) {
        return atoll_fail_nomem(err, "down-sets", n * sizeof *r);
    }
    for (uint32_t i = 0; i < n; i++) {
        r[i] = (struct rank){
            .cross = l->cross[first + i], .index = first + i, .prefix = is_prefix(l, first + i)};
    }
    qsort(r, n, sizeof *r, by_cross);
    qsort(r, width, sizeof *r,
          by_index); /* the kept ones move down in ascending order, so none is overwritten early */
    for (uint32_t i = 0; i < width; i++) {
        const uint32_t to = first + i, from = r[i].index;
        memmove(l->bits + (size_t)to * l->words, l->bits + (size_t)from * l->words,
                l->words * sizeof *l->bits);
        l->size[to] = l->size[from];
        l->sum[to] = l->sum[from];
        l->cross[to] = l->cross[from];
        l->crossing[to] = l->crossing[from];
    }
    l->n = first + width;
    l->complete = false;
    atoll_free(r);
    return 0;
}

/* Makes the sets with one operator more out of those in [begin, end). */
static int level_next(struct atoll__lattice *l, const struct atoll__dag *g,
                      const struct atoll_floor *floors, uint32_t begin, uint32_t end,
                      struct level *t, struct atoll_err *err)
{
    for (uint32_t i = begin; i < end; i++) {
        for (uint32_t a = 0; a < g->n_atoms; a++) {
            const uint64_t *set = atoll__lattice_bits(l, i);
            if (has_bit(set, g->atom_ops[g->atom_start[a]]) || !preds_inside(g, set, a)) {
                continue;
            }
            if (2 * (l->n - end + 1) > t->mask) {
                l->complete =
                    false; /* a level wider than the table: the rest of it is not looked at */
                return 0;
            }
            const int rc = lattice_push(l, g, floors, i, a, err);
            if (rc != 0) {
                return rc;
            }
            if (level_add(t, l, l->n - 1)) {
                l->n--;
            }
        }
    }
    return 0;
}

static void level_clear(struct level *t)
{
    for (uint32_t i = 0; i < t->n_slots; i++) {
        t->table[t->slots[i]] = 0;
    }
    t->n_slots = 0;
}

static int build_levels(struct atoll__lattice *l, const struct atoll__dag *g,
                        const struct atoll_floor *floors, uint32_t width, uint32_t sets_max,
                        struct level *t, struct atoll_err *err)
{
    int rc = lattice_reserve(l, 1, err);
    if (rc != 0) {
        return rc;
    }
    memset(l->bits, 0, l->words * sizeof *l->bits);
    l->size[0] = 0;
    l->sum[0] = (struct atoll_floor){0};
    l->cross[0] = 0;
    l->crossing[0] = 0;
    l->n = 1;
    for (uint32_t begin = 0, level = 0; level < g->n_atoms && rc == 0; level++) {
        const uint32_t end = l->n;
        level_clear(t);
        rc = level_next(l, g, floors, begin, end, t, err);
        rc = rc == 0 ? level_trim(l, end, width, err) : rc;
        if (sets_max > 0 && l->n > sets_max) {
            l->complete = false;
            break;
        }
        begin = end;
    }
    return rc;
}

int atoll__lattice_build(const struct atoll__dag *g, const struct atoll_floor *floors,
                         uint32_t width, uint32_t sets_max, struct atoll__lattice *l,
                         struct atoll_err *err)
{
    memset(l, 0, sizeof *l);
    l->n_ops = g->n;
    l->words = (g->n + 63) / 64 + (g->n == 0);
    l->complete = true;
    struct level t = {.mask = 1};
    const uint32_t all = g->n_atoms < 20 ? UINT32_C(4) << g->n_atoms : UINT32_MAX;
    while (t.mask < 64 * width && t.mask < all) {
        t.mask *= 2;
    }
    t.table = atoll_calloc(t.mask, sizeof *t.table);
    t.slots = atoll_calloc(t.mask, sizeof *t.slots);
    t.mask--;
    const int rc = t.table && t.slots ? build_levels(l, g, floors, width, sets_max, &t, err)
                                      : atoll_fail_nomem(err, "down-sets", t.mask);
    atoll_free(t.table);
    atoll_free(t.slots);
    if (rc != 0) {
        atoll__lattice_finish(l);
    }
    return rc;
}

/* Marks, for each equal share of the work, the set that sends the fewest bytes. */
static void mark_bins(const struct atoll__lattice *l, uint32_t bins, bool *keep)
{
    const double all_us = l->sum[l->n - 1].work_us;
    for (uint32_t bin = 0; bin < bins && all_us > 0; bin++) {
        uint32_t best = 0;
        for (uint32_t i = 1; i + 1 < l->n; i++) {
            const bool inside = (uint32_t)(l->sum[i].work_us / all_us * bins) == bin;
            if (inside && (best == 0 || l->cross[i] < l->cross[best])) {
                best = i;
            }
        }
        keep[best] = true;
    }
}

static int copy_set(const struct atoll__lattice *l, uint32_t i, struct atoll__lattice *out,
                    struct atoll_err *err)
{
    const int rc = lattice_reserve(out, out->n + 1, err);
    if (rc == 0) {
        memcpy(out->bits + (size_t)out->n * l->words, atoll__lattice_bits(l, i),
               l->words * sizeof *l->bits);
        out->size[out->n] = l->size[i];
        out->sum[out->n] = l->sum[i];
        out->cross[out->n] = l->cross[i];
        out->crossing[out->n] = l->crossing[i];
        out->n++;
    }
    return rc;
}

int atoll__lattice_coarse(const struct atoll__lattice *l, uint32_t bins, struct atoll__lattice *out,
                          struct atoll_err *err)
{
    memset(out, 0, sizeof *out);
    out->n_ops = l->n_ops;
    out->words = l->words;
    bool *keep = atoll_calloc(l->n, sizeof *keep);
    if (keep == NULL) {
        return atoll_fail_nomem(err, "down-sets", l->n);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        keep[i] = i == 0 || i == l->n - 1 || l->crossing[i] == 1;
        kept += keep[i];
    }
    if (kept < bins) {
        mark_bins(l, bins, keep);
    }
    int rc = 0;
    for (uint32_t i = 0; i < l->n && rc == 0; i++) {
        rc = keep[i] ? copy_set(l, i, out, err) : 0;
    }
    out->complete = l->complete && out->n == l->n;
    atoll_free(keep);
    if (rc != 0) {
        atoll__lattice_finish(out);
    }
    return rc;
}

bool atoll__lattice_inside(const struct atoll__lattice *l, uint32_t a, uint32_t b)
{
    const uint64_t *x = atoll__lattice_bits(l, a), *y = atoll__lattice_bits(l, b);
    for (uint32_t w = 0; w < l->words; w++) {
        if (x[w] & ~y[w]) {
            return false;
        }
    }
    return true;
}

uint32_t atoll__lattice_difference(const struct atoll__lattice *l, uint32_t a, uint32_t b,
                                   uint32_t *ops)
{
    const uint64_t *x = atoll__lattice_bits(l, a), *y = atoll__lattice_bits(l, b);
    uint32_t n = 0;
    for (uint32_t w = 0; w < l->words; w++) {
        for (uint64_t rest = y[w] & ~x[w]; rest != 0; rest &= rest - 1) {
            ops[n++] = w * 64 + (uint32_t)__builtin_ctzll(rest);
        }
    }
    return n;
}
