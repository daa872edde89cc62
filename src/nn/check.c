/* SPDX-License-Identifier: Apache-2.0 */
/* What makes the TFLite runtime crash instead of refusing: found by feeding it damaged files (one
 * to four flipped bits), kept here as checks. tests/property/nn repeats that search. */
#include "nn_internal.h"

#include <math.h>

#define TENSOR_BYTES_MAX (UINT64_C(1) << 31)
#define SUM_BYTES_MAX (UINT64_C(1) << 32)

static const char *name_of(const struct atoll_tensor *t)
{
    return t->name[0] != '\0' ? t->name : "(no name)";
}

static bool is_quantized_type(enum atoll_type t)
{
    return t == ATOLL_TYPE_INT8 || t == ATOLL_TYPE_UINT8 || t == ATOLL_TYPE_INT16 ||
           t == ATOLL_TYPE_INT32 || t == ATOLL_TYPE_INT64 || t == ATOLL_TYPE_INT4;
}

/* Zero points that a type can hold; biases (int32, int64) have none. */
static void zero_point_range(enum atoll_type t, int64_t *low, int64_t *high)
{
    switch (t) {
    case ATOLL_TYPE_INT8:
        *low = -128, *high = 127;
        break;
    case ATOLL_TYPE_UINT8:
        *low = 0, *high = 255;
        break;
    case ATOLL_TYPE_INT16:
        *low = -32768, *high = 32767;
        break;
    case ATOLL_TYPE_INT4:
        *low = -8, *high = 7;
        break;
    default:
        *low = INT32_MIN, *high = INT32_MAX;
        break;
    }
}

static int check_quant(const struct atoll_model *m, uint32_t index, struct atoll_err *err)
{
    const struct atoll_tensor *t = &m->tensors[index];
    const struct atoll_quant *q = &t->quant;
    int64_t low = 0, high = 0;
    if (q->n == 0 || !is_quantized_type(t->type)) {
        return 0;
    }
    zero_point_range(t->type, &low, &high);
    if (q->n > 1 &&
        (q->dimension < 0 || q->dimension >= t->rank || (uint32_t)t->shape[q->dimension] != q->n)) {
        return atoll_fail(err, ATOLL_EINPUT,
                          "%s: tensor %u (%s): %u scales along dimension %d do not fit its shape",
                          m->path, index, name_of(t), q->n, q->dimension);
    }
    for (uint32_t i = 0; i < q->n; i++) {
        if (!isfinite(q->scale[i]) || q->scale[i] <= 0) {
            return atoll_fail(err, ATOLL_EINPUT,
                              "%s: tensor %u (%s): scale %u is %g (positive and finite expected)",
                              m->path, index, name_of(t), i, (double)q->scale[i]);
        }
        if (q->zero_point[i] < low || q->zero_point[i] > high) {
            return atoll_fail(err, ATOLL_EINPUT,
                              "%s: tensor %u (%s): zero point %lld (%lld to %lld expected)",
                              m->path, index, name_of(t), (long long)q->zero_point[i],
                              (long long)low, (long long)high);
        }
    }
    return 0;
}

static int check_tensor(const struct atoll_model *m, uint32_t index, uint64_t *sum,
                        struct atoll_err *err)
{
    const struct atoll_tensor *t = &m->tensors[index];
    if (t->bytes > TENSOR_BYTES_MAX || !atoll_add_u64(*sum, t->bytes, sum) ||
        *sum > SUM_BYTES_MAX) {
        return atoll_fail(err, ATOLL_ELIMIT,
                          "%s: tensor %u (%s): %llu bytes, or more than %llu with those before it",
                          m->path, index, name_of(t), (unsigned long long)t->bytes,
                          (unsigned long long)SUM_BYTES_MAX);
    }
    return check_quant(m, index, err);
}

int atoll_runtime_check(const struct atoll_model *m, struct atoll_err *err)
{
    uint64_t sum = 0;
    if (m->n_subgraphs != 1) {
        return atoll_fail(err, ATOLL_EUNSUPPORTED, "%s: %u subgraphs (1 expected)", m->path,
                          m->n_subgraphs);
    }
    if (m->n_ops == 0 || m->n_inputs == 0 || m->n_outputs == 0) {
        return atoll_fail(err, ATOLL_EINPUT,
                          "%s: %u operators, %u inputs, %u outputs (at least one each expected)",
                          m->path, m->n_ops, m->n_inputs, m->n_outputs);
    }
    for (uint32_t i = 0; i < m->n_tensors; i++) {
        const int rc = check_tensor(m, i, &sum, err);
        if (rc != 0) {
            return rc;
        }
    }
    for (uint32_t i = 0; i < m->n_ops; i++) {
        const int rc = atoll__nn_check_op(m, i, err);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}
