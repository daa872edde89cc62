/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic on sizes and counters that says when the result does not fit. */
#include <atoll/base.h>

bool atoll_add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    if (b > UINT64_MAX - a) {
        return false;
    }
    *out = a + b;
    return true;
}

bool atoll_sub_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    if (b > a) {
        return false;
    }
    *out = a - b;
    return true;
}

bool atoll_mul_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    if (a > 0 && b > UINT64_MAX / a) {
        return false;
    }
    *out = a * b;
    return true;
}

uint64_t atoll_pad_u64(uint64_t v, uint64_t m)
{
    uint64_t padded = 0;
    return atoll_mul_u64(atoll_ceil_div_u64(v, m), m, &padded) ? padded : UINT64_MAX;
}

uint64_t atoll_ceil_div_u64(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}
