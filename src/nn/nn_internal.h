/* SPDX-License-Identifier: Apache-2.0 */
/* Private to room `nn` and its tests. */
#ifndef ATOLL_NN_INTERNAL_H
#define ATOLL_NN_INTERNAL_H

#include <atoll/nn.h>

#define ATOLL__EVAL_BAD 0x80 /* in atoll_eval.correct: the image was left out */

/* TfLiteXNNPackDelegateOptions: only num_threads at offset 0 stayed where it was between versions;
 * the rest comes from the library's own defaults, in a block that is large enough for any of them.
 */
struct atoll__nn_xnn_options {
    int32_t num_threads;
    unsigned char rest[252];
};
struct atoll__nn_quant { /* TfLiteQuantizationParams */
    float scale;
    int32_t zero_point;
};
typedef void (*atoll__nn_reporter)(void *user, const char *format, va_list args);

/* The C interface of TFLite as far as it is used: X(result, name, arguments). */
#define ATOLL__NN_SYMBOLS(X)                                                                       \
    X(const char *, TfLiteVersion, (void))                                                         \
    X(void *, TfLiteModelCreateWithErrorReporter,                                                  \
      (const void *, size_t, atoll__nn_reporter, void *))                                          \
    X(void, TfLiteModelDelete, (void *))                                                           \
    X(void *, TfLiteInterpreterOptionsCreate, (void))                                              \
    X(void, TfLiteInterpreterOptionsDelete, (void *))                                              \
    X(void, TfLiteInterpreterOptionsSetNumThreads, (void *, int32_t))                              \
    X(void, TfLiteInterpreterOptionsAddDelegate, (void *, void *))                                 \
    X(void, TfLiteInterpreterOptionsSetErrorReporter, (void *, atoll__nn_reporter, void *))        \
    X(void *, TfLiteInterpreterCreate, (const void *, const void *))                               \
    X(void, TfLiteInterpreterDelete, (void *))                                                     \
    X(int, TfLiteInterpreterAllocateTensors, (void *))                                             \
    X(int, TfLiteInterpreterInvoke, (void *))                                                      \
    X(int, TfLiteInterpreterResetVariableTensors, (void *))                                        \
    X(int32_t, TfLiteInterpreterGetInputTensorCount, (const void *))                               \
    X(void *, TfLiteInterpreterGetInputTensor, (const void *, int32_t))                            \
    X(int32_t, TfLiteInterpreterGetOutputTensorCount, (const void *))                              \
    X(const void *, TfLiteInterpreterGetOutputTensor, (const void *, int32_t))                     \
    X(int, TfLiteTensorType, (const void *))                                                       \
    X(int32_t, TfLiteTensorNumDims, (const void *))                                                \
    X(int32_t, TfLiteTensorDim, (const void *, int32_t))                                           \
    X(size_t, TfLiteTensorByteSize, (const void *))                                                \
    X(void *, TfLiteTensorData, (const void *))                                                    \
    X(const char *, TfLiteTensorName, (const void *))                                              \
    X(struct atoll__nn_quant, TfLiteTensorQuantizationParams, (const void *))
/* Only with XNNPACK built in. */
#define ATOLL__NN_XNN_SYMBOLS(X)                                                                   \
    X(struct atoll__nn_xnn_options, TfLiteXNNPackDelegateOptionsDefault, (void))                   \
    X(void *, TfLiteXNNPackDelegateCreate, (const struct atoll__nn_xnn_options *))                 \
    X(void, TfLiteXNNPackDelegateDelete, (void *))

struct atoll_runtime {
    char path[1024];
    char version[64];
    void *library;
    bool has_xnnpack;
#define ATOLL__NN_MEMBER(result, name, arguments) result(*name) arguments;
    ATOLL__NN_SYMBOLS(ATOLL__NN_MEMBER)
    ATOLL__NN_XNN_SYMBOLS(ATOLL__NN_MEMBER)
#undef ATOLL__NN_MEMBER
};

/* Fails when an operator of the model is not made as the runtime's kernels take for granted. */
int atoll__nn_check_op(const struct atoll_model *m, uint32_t op, struct atoll_err *err);

#endif
