/* SPDX-License-Identifier: Apache-2.0 */
/* The order and the cuts of edgetpu_compiler --num_segments, which libcoral's parameter-count
 * partitioner shares (google-coral/libcoral, coral/tools/partitioner). */
#include "model_internal.h"

/* Visits each operator that reads an output of `op` once, in the order of its outputs and of the
 * file. `seen[c]` remembers op + 1. */
typedef void (*child_fn)(void *user, uint32_t child);

static void each_child(const struct atoll_model *m, uint32_t op, uint32_t *seen, child_fn fn,
                       void *user)
{
    for (uint32_t i = 0; i < m->ops[op].n_outputs; i++) {
        const struct atoll_tensor *t = &m->tensors[m->ops[op].outputs[i]];
        for (uint32_t c = 0; c < t->n_consumers; c++) {
            if (seen[t->consumers[c]] != op + 1) {
                seen[t->consumers[c]] = op + 1;
                fn(user, t->consumers[c]);
            }
        }
    }
}

/* Kahn's algorithm with a double-ended list: `ready[front..back)`, taken from the back. Sinks are
 * pushed to the front. The list holds each operator once, so 2 * n_ops places are enough. */
struct kahn {
    uint32_t *in_degree, *out_degree, *seen, *ready;
    uint32_t front, back;
};

static void count_child(void *user, uint32_t child)
{
    struct kahn *k = user;
    k->in_degree[child]++;
    k->out_degree[k->front]++; /* front names the parent while degrees are counted */
}

static void release_child(void *user, uint32_t child)
{
    struct kahn *k = user;
    if (--k->in_degree[child] == 0) {
        if (k->out_degree[child] == 0) {
            k->ready[--k->front] = child;
        } else {
            k->ready[k->back++] = child;
        }
    }
}

static void order_ops(const struct atoll_model *m, struct kahn *k, uint32_t *order)
{
    const uint32_t n = m->n_ops;
    for (k->front = 0; k->front < n; k->front++) {
        each_child(m, k->front, k->seen, count_child, k);
    }
    for (uint32_t o = 0; o < n; o++) {
        k->seen[o] = 0;
    }
    k->front = k->back = n;
    for (uint32_t o = 0; o < n; o++) {
        if (k->in_degree[o] == 0) {
            k->ready[k->back++] = o;
        }
    }
    for (uint32_t done = 0; k->back > k->front; done++) {
        order[done] = k->ready[--k->back];
        each_child(m, order[done], k->seen, release_child, k);
    }
}

static int kahn_open(struct kahn *k, uint32_t n, struct atoll_err *err)
{
    /* One block: in-degree, out-degree, seen (n each) and the list (2 n). */
    k->in_degree = atoll_calloc((size_t)n * 5, sizeof *k->in_degree);
    if (k->in_degree == NULL) {
        return atoll_fail_nomem(err, "the order of operators",
                                (size_t)n * 5 * sizeof *k->in_degree);
    }
    k->out_degree = k->in_degree + n;
    k->seen = k->out_degree + n;
    k->ready = k->seen + n;
    return 0;
}

int atoll_model_vendor_order(const struct atoll_model *m, uint32_t *order, struct atoll_err *err)
{
    struct kahn k = {0};
    int rc = atoll__need_one_subgraph(m, err);
    rc = rc == 0 ? kahn_open(&k, m->n_ops, err) : rc;
    if (rc == 0) {
        order_ops(m, &k, order); /* complete: the graph was checked to be acyclic */
        atoll_free(k.in_degree);
    }
    return rc;
}

static bool is_sink(const struct atoll_model *m, uint32_t op)
{
    for (uint32_t i = 0; i < m->ops[op].n_outputs; i++) {
        if (m->tensors[m->ops[op].outputs[i]].n_consumers > 0) {
            return false;
        }
    }
    return true;
}

/* Raw bytes of all constant inputs; custom operators weigh nothing. */
static uint64_t weight_of(const struct atoll_model *m, uint32_t op)
{
    struct atoll_op_info info;
    atoll_op_info(m, op, &info);
    return m->ops[op].code == ATOLL_OP_CUSTOM ? 0 : info.const_bytes;
}

static int fail_empty(const struct atoll_model *m, uint32_t segment, uint32_t n, uint32_t op,
                      uint64_t limit, struct atoll_err *err)
{
    char buf[64];
    const uint64_t weight = weight_of(m, op);
    if (weight <= limit) {
        return atoll_fail(err, ATOLL_ENO,
                          "%s: the parameter-count rule leaves segment %u of %u empty: operator %u "
                          "(%.60s) is needed by a later segment",
                          m->path, segment, n, op, atoll_op_name(&m->ops[op], buf));
    }
    return atoll_fail(err, ATOLL_ENO,
                      "%s: the parameter-count rule leaves segment %u of %u empty: operator %u "
                      "(%.60s) has %llu bytes of parameters, a segment may take %llu",
                      m->path, segment, n, op, atoll_op_name(&m->ops[op], buf),
                      (unsigned long long)weight, (unsigned long long)limit);
}

static int cut_order(const struct atoll_model *m, uint32_t n, const uint32_t *order, uint32_t *cuts,
                     struct atoll_err *err)
{
    uint64_t total = 0;
    int64_t first_sink = m->n_ops;
    for (uint32_t i = 0; i < m->n_ops; i++) {
        total += weight_of(m, order[i]);
        first_sink = first_sink == m->n_ops && is_sink(m, order[i]) ? i : first_sink;
    }
    const uint64_t limit = total / n + 1;
    uint32_t at = 0;
    for (uint32_t s = 0; s + 1 < n; s++) {
        const int64_t last = first_sink - (int64_t)(n - s - 1);
        const uint32_t start = at;
        for (uint64_t size = 0; (int64_t)at <= last; at++) {
            const uint64_t weight = weight_of(m, order[at]);
            if (size + weight > limit) {
                break;
            }
            size += weight;
        }
        if (at == start) {
            return fail_empty(m, s, n, order[at], limit, err);
        }
        cuts[s] = at;
    }
    return 0;
}

int atoll_model_vendor_cuts(const struct atoll_model *m, uint32_t n, uint32_t *cuts,
                            struct atoll_err *err)
{
    if (n < 1 || n > m->n_ops) {
        return atoll_fail(err, ATOLL_EUSAGE, "%s: %u segments of %u operators", m->path, n,
                          m->n_ops);
    }
    uint32_t *order = atoll_calloc(m->n_ops, sizeof *order);
    uint32_t *found = atoll_calloc(n, sizeof *found);
    int rc = order == NULL || found == NULL
                 ? atoll_fail_nomem(err, "the order of operators", m->n_ops * sizeof *order)
                 : atoll_model_vendor_order(m, order, err);
    rc = rc == 0 ? cut_order(m, n, order, found, err) : rc;
    for (uint32_t i = 0; rc == 0 && i + 1 < n; i++) {
        cuts[i] = found[i];
    }
    atoll_free(order);
    atoll_free(found);
    return rc;
}
