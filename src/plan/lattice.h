/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file lattice.h
 * Down-sets of a graph of operators: the places where a pipeline can be cut. A down-set (ideal) is
 * closed under predecessors; a segmentation is a chain of them, {} < I1 < ... < all, and a stage
 * runs the difference of two neighbours (Tarnawski et al., NeurIPS 2020, section 3).
 */
#ifndef ATOLL_PLAN_LATTICE_H
#define ATOLL_PLAN_LATTICE_H

#include <atoll/plan.h>

/** A graph of operators in an executable order: edges go from lower to higher numbers. */
struct atoll__dag {
    uint32_t n;
    uint32_t *pred_start; ///< n+1 offsets into pred
    uint32_t *pred;
    uint32_t *succ_start; ///< n+1 offsets into succ
    uint32_t *succ;
    double *out_bytes;    ///< least bytes an operator hands to a successor; 0 for sinks
    double *out_us;       ///< reading back what an operator hands to later stages; at first 0
    double *in_us;        ///< sending it to a stage that reads it; at first 0
    uint32_t n_atoms;     ///< no cut parts the operators of an atom; at first each stands alone
    uint32_t *atom_start; ///< n_atoms+1 offsets into atom_ops
    uint32_t *atom_ops;   ///< ascending in each atom
    uint32_t *atom_of;    ///< n
    struct atoll_arena arena;
};
int atoll__dag_of_model(const struct atoll_model *m, struct atoll__dag *g, struct atoll_err *err);
/** From an edge list (from[i] < to[i] < n). out_bytes: n values, copied. */
int atoll__dag_of_edges(uint32_t n, const uint32_t *from, const uint32_t *to, uint32_t n_edges,
                        const double *out_bytes, struct atoll__dag *g, struct atoll_err *err);
/** Merges operators into atoms. group: n numbers; operators with the same number below n stay in
 *  one stage, others are free. What lies between members of a group joins it. */
int atoll__dag_merge(struct atoll__dag *g, const uint32_t *group, struct atoll_err *err);
/** True when no atom lies on both sides of a cut: stage_of holds the stage of each operator. */
bool atoll__dag_keeps_atoms(const struct atoll__dag *g, const uint32_t *stage_of);
/** Sets out_us and in_us from the floors of operators and stages. */
void atoll__dag_set_crossing(struct atoll__dag *g, const struct atoll_floor *floors,
                             const struct atoll_floor *stage);
void atoll__dag_finish(struct atoll__dag *g);

struct atoll__lattice {
    uint32_t n_ops, words;   ///< 64-bit words of one set
    uint32_t n;              ///< down-sets, by ascending size; 0 is empty, n-1 is everything
    uint64_t *bits;          ///< n * words
    uint32_t *size;          ///< atoms in each
    struct atoll_floor *sum; ///< of the floors of the operators in each
    double *cross;           ///< bytes that leave each
    uint32_t *crossing;      ///< operators whose output leaves each
    bool complete;           ///< every down-set of the graph is there
    uint32_t n_cap;
};
/** Builds level by level (level = number of atoms). A level of more than `width` sets keeps the
 *  prefix of the file order and those that send the fewest bytes; then `complete` is false. With
 *  sets_max > 0 it ends, not complete and of no use, as soon as there are more sets. */
int atoll__lattice_build(const struct atoll__dag *g, const struct atoll_floor *floors,
                         uint32_t width, uint32_t sets_max, struct atoll__lattice *l,
                         struct atoll_err *err);
/** A part of `l` that is quick to search and seldom far from the best: the sets that one operator's
 *  output leaves (block boundaries), and where those are few, of each of `bins` equal shares of the
 *  work the set that sends the fewest bytes. With the empty and the full set. */
int atoll__lattice_coarse(const struct atoll__lattice *l, uint32_t bins, struct atoll__lattice *out,
                          struct atoll_err *err);
void atoll__lattice_finish(struct atoll__lattice *l);

static inline const uint64_t *atoll__lattice_bits(const struct atoll__lattice *l, uint32_t i)
{
    return l->bits + (size_t)i * l->words;
}
static inline bool atoll__lattice_has(const struct atoll__lattice *l, uint32_t i, uint32_t op)
{
    return (atoll__lattice_bits(l, i)[op / 64] >> (op % 64)) & 1;
}
/** True when set `a` lies in set `b`. */
bool atoll__lattice_inside(const struct atoll__lattice *l, uint32_t a, uint32_t b);
/** Operators of b without a, ascending; returns their number (room for n_ops). */
uint32_t atoll__lattice_difference(const struct atoll__lattice *l, uint32_t a, uint32_t b,
                                   uint32_t *ops);

#endif
