/* SPDX-License-Identifier: Apache-2.0 */
/* Gzip files as a whole in memory, with a limit against files that unpack to everything there is.
 */
#include "data_internal.h"

#include <zlib.h>

enum { FIRST_BYTES = 1 << 16 };

static int inflate_all(z_stream *z, size_t limit, uint8_t **out, size_t *size)
{
    size_t cap = 0;
    int rc = Z_OK;
    while (rc == Z_OK) {
        if (*size == cap) {
            if (cap > limit ||
                atoll_grow((void **)out, &cap, cap == 0 ? FIRST_BYTES : cap + 1, 1) != 0) {
                return cap > limit ? Z_BUF_ERROR : Z_MEM_ERROR;
            }
        }
        const size_t room = cap - *size > UINT32_MAX / 2 ? UINT32_MAX / 2 : cap - *size;
        z->next_out = *out + *size;
        z->avail_out = (uInt)room;
        rc = inflate(z, Z_NO_FLUSH);
        *size += room - z->avail_out;
        if (rc == Z_STREAM_END && z->avail_in > 0) {
            rc = inflateReset(z); /* files may be several gzip streams in a row */
        }
    }
    return rc;
}

int atoll__data_gunzip(const char *name, const uint8_t *bytes, size_t n, size_t limit,
                       bool allow_short, uint8_t **out, size_t *size, bool *cut_short,
                       struct atoll_err *err)
{
    if (n > UINT32_MAX) {
        return atoll_fail(err, ATOLL_ELIMIT, "%s: %zu bytes (at most %u expected)", name, n,
                          UINT32_MAX);
    }
    z_stream z = {.next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)n};
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) {
        return atoll_fail_nomem(err, "zlib's state", 0);
    }
    uint8_t *unpacked = NULL;
    size_t length = 0;
    const int rc = inflate_all(&z, limit, &unpacked, &length);
    const size_t at = n - z.avail_in;
    (void)inflateEnd(&z);
    const bool damaged = rc != Z_STREAM_END && rc != Z_MEM_ERROR;
    const bool too_large = length > limit;
    if (rc == Z_STREAM_END && !too_large) {
        *cut_short = false;
    } else if (damaged && allow_short && !too_large && length > 0) {
        *cut_short = true;
    } else {
        atoll_free(unpacked);
        if (rc == Z_MEM_ERROR) {
            return atoll_fail_nomem(err, "an unpacked file", length);
        }
        if (too_large) {
            return atoll_fail(err, ATOLL_ELIMIT, "%s: unpacks to more than %zu bytes", name, limit);
        }
        return atoll_fail(err, ATOLL_EINPUT, "%s: byte %zu: the gzip data is %s", name, at,
                          rc == Z_BUF_ERROR ? "cut short" : "damaged");
    }
    *out = unpacked;
    *size = length;
    return 0;
}
