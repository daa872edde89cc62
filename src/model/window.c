/* SPDX-License-Identifier: Apache-2.0 */
/* Output size of a sliding window, as TensorFlow computes it. */
#include "model_internal.h"

int32_t atoll_window_out(int32_t in, int32_t kernel, int32_t stride, int32_t dilation,
                         enum atoll_padding p)
{
    if (in <= 0 || kernel <= 0 || stride <= 0 || dilation <= 0) {
        return 0;
    }
    if (p == ATOLL_PADDING_SAME) {
        return (int32_t)(((int64_t)in + stride - 1) / stride);
    }
    const int64_t room = (int64_t)in - ((int64_t)kernel - 1) * dilation - 1;
    return room < 0 ? 0 : (int32_t)(room / stride) + 1;
}
