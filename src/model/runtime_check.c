/* SPDX-License-Identifier: Apache-2.0 */
/* What a TFLite runtime takes on trust. Its own verifier looks at the FlatBuffer only; files that
 * pass it can still abort the process (seen with flipped bits: a quantized operator without a
 * scale, a scale of 0). The reader's checks stand in front of these. */
#include "model_internal.h"

#define ACTIVATION_BYTES_MAX (UINT64_C(4) << 30)

/* Operators whose integer kernels compute with the scales of all 8- and 16-bit tensors. */
static bool computes_with_scales(int32_t code)
{
    static const int16_t codes[] = {
        ATOLL_OP_ADD,
        ATOLL_OP_SUB,
        ATOLL_OP_MUL,
        ATOLL_OP_CONV_2D,
        ATOLL_OP_DEPTHWISE_CONV_2D,
        ATOLL_OP_FULLY_CONNECTED,
        ATOLL_OP_TRANSPOSE_CONV,
        ATOLL_OP_AVERAGE_POOL_2D,
        ATOLL_OP_MAX_POOL_2D,
        ATOLL_OP_CONCATENATION,
        ATOLL_OP_SOFTMAX,
        ATOLL_OP_LOGISTIC,
        ATOLL_OP_TANH,
        ATOLL_OP_MEAN,
        ATOLL_OP_SUM,
        ATOLL_OP_L2_NORMALIZATION,
        ATOLL_OP_LEAKY_RELU,
        ATOLL_OP_PRELU,
        ATOLL_OP_HARD_SWISH,
        ATOLL_OP_QUANTIZE,
        ATOLL_OP_DEQUANTIZE,
        ATOLL_OP_RELU,
        ATOLL_OP_RELU6,
        ATOLL_OP_RELU_N1_TO_1,
        ATOLL_OP_MAXIMUM,
        ATOLL_OP_MINIMUM,
        ATOLL_OP_BATCH_MATMUL,
        ATOLL_OP_SQUARED_DIFFERENCE,
        ATOLL_OP_RSQRT,
        ATOLL_OP_PADV2,
        ATOLL_OP_PAD,
    };
    for (size_t i = 0; i < LEN(codes); i++) {
        if (codes[i] == code) {
            return true;
        }
    }
    return false;
}

static bool is_narrow(const struct atoll_tensor *t)
{
    return t->type == ATOLL_TYPE_INT8 || t->type == ATOLL_TYPE_UINT8 || t->type == ATOLL_TYPE_INT16;
}

static int check_scales(const struct atoll_model *m, struct atoll_err *err)
{
    uint64_t activations = 0;
    for (uint32_t i = 0; i < m->n_tensors; i++) {
        const struct atoll_tensor *t = &m->tensors[i];
        activations = t->is_constant ? activations : atoll__sat_add(activations, t->bytes);
        for (uint32_t k = 0; k < t->quant.n; k++) {
            if (!(t->quant.scale[k] > 0.0f)) {
                return atoll_fail(err, ATOLL_EINPUT,
                                  "%s: tensor %u '%.80s': quantization scale %u is %g (a runtime "
                                  "needs more than 0)",
                                  m->path, i, t->name, k, (double)t->quant.scale[k]);
            }
        }
    }
    return activations <= ACTIVATION_BYTES_MAX
               ? 0
               : atoll_fail(err, ATOLL_ELIMIT,
                            "%s: %llu bytes of activations (expected at most %llu)", m->path,
                            (unsigned long long)activations,
                            (unsigned long long)ACTIVATION_BYTES_MAX);
}

static int check_list(const struct atoll_model *m, uint32_t op, const int32_t *list, uint32_t n,
                      const char *role, struct atoll_err *err)
{
    char buf[64];
    for (uint32_t i = 0; i < n; i++) {
        const struct atoll_tensor *t = list[i] < 0 ? NULL : &m->tensors[list[i]];
        if (t != NULL && is_narrow(t) && t->quant.n == 0) {
            return atoll_fail(
                err, ATOLL_EINPUT,
                "%s: operator %u (%.60s): %s %u '%.80s' is %s without a quantization scale",
                m->path, op, atoll_op_name(&m->ops[op], buf), role, i, t->name,
                atoll_type_name(t->type));
        }
    }
    return 0;
}

int atoll_model_runtime_check(const struct atoll_model *m, struct atoll_err *err)
{
    int rc = atoll__need_one_subgraph(m, err);
    rc = rc == 0 ? check_scales(m, err) : rc;
    for (uint32_t o = 0; rc == 0 && o < m->n_ops; o++) {
        const struct atoll_op *op = &m->ops[o];
        if (computes_with_scales(op->code)) {
            rc = check_list(m, o, op->inputs, op->n_inputs, "input", err);
            rc = rc == 0 ? check_list(m, o, op->outputs, op->n_outputs, "output", err) : rc;
        }
    }
    return rc;
}
