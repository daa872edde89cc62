/* SPDX-License-Identifier: Apache-2.0 */
/* How the golden tables spell shapes, types and operators. */
#ifndef ATOLL_TESTS_GOLDEN_TEXT_H
#define ATOLL_TESTS_GOLDEN_TEXT_H

#include <atoll/model.h>

#include <stdarg.h>
#include <string.h>

static inline void say(char *out, size_t size, const char *fmt, ...) ATOLL_PRINTF(3, 4);
static inline void say(char *out, size_t size, const char *fmt, ...)
{
    const size_t used = strlen(out);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(out + used, size - used, fmt, ap);
    va_end(ap);
}

static inline void say_shape(char *out, size_t size, const struct atoll_tensor *t)
{
    for (int32_t i = 0; i < t->rank; i++) {
        say(out, size, i > 0 ? "x%d" : "%d", (int)t->shape[i]);
    }
}

static inline const char *short_type(enum atoll_type t)
{
    switch (t) {
    case ATOLL_TYPE_UINT8: return "u8";
    case ATOLL_TYPE_INT8: return "i8";
    case ATOLL_TYPE_INT16: return "i16";
    case ATOLL_TYPE_INT32: return "i32";
    case ATOLL_TYPE_INT64: return "i64";
    case ATOLL_TYPE_FLOAT32: return "f32";
    default: return atoll_type_name(t);
    }
}

static inline void say_op(char *out, size_t size, const struct atoll_op *op)
{
    char buf[64];
    say(out, size, op->code == ATOLL_OP_CUSTOM ? "CUSTOM:%s" : "%s", atoll_op_name(op, buf));
}

#endif
