/* SPDX-License-Identifier: Apache-2.0 */
/* A growing text buffer that remembers its first failure. */
#include <atoll/base.h>

#include <string.h>

void atoll_buf_finish(struct atoll_buf *b)
{
    atoll_free(b->data);
    *b = (struct atoll_buf){0};
}

/* Makes room for n more bytes and the final NUL. */
static bool reserve(struct atoll_buf *b, size_t n)
{
    if (b->failed) {
        return false;
    }
    void *data = b->data;
    if (n >= SIZE_MAX - b->size || atoll_grow(&data, &b->cap, b->size + n + 1, 1) != ATOLL_OK) {
        b->failed = true;
        return false;
    }
    b->data = data;
    return true;
}

void atoll_buf_append(struct atoll_buf *b, const void *bytes, size_t n)
{
    if (!reserve(b, n)) {
        return;
    }
    if (n > 0) {
        memcpy(b->data + b->size, bytes, n);
    }
    b->size += n;
    b->data[b->size] = '\0';
}

void atoll_buf_puts(struct atoll_buf *b, const char *s)
{
    atoll_buf_append(b, s, strlen(s));
}

void atoll_buf_printf(struct atoll_buf *b, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, fmt, args);
    if (n < 0) {
        b->failed = true;
    } else if (reserve(b, (size_t)n)) {
        (void)vsnprintf(b->data + b->size, (size_t)n + 1, fmt, again);
        b->size += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

char *atoll_buf_take(struct atoll_buf *b, size_t *size)
{
    atoll_buf_append(b, "", 0); /* an empty buffer gives "" */
    if (b->failed) {
        atoll_buf_finish(b);
        return NULL;
    }
    char *data = b->data;
    if (size != NULL) {
        *size = b->size;
    }
    *b = (struct atoll_buf){0};
    return data;
}

void atoll_format_bytes(char out[32], uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double v = (double)bytes;
    size_t unit = 0;
    while (v >= 1024.0 && unit + 1 < sizeof units / sizeof units[0]) {
        v /= 1024.0;
        unit++;
    }
    (void)snprintf(out, 32, "%.2f%s", v, units[unit]);
}
