/* SPDX-License-Identifier: Apache-2.0 */
/* IDX files (the format of MNIST): two zero bytes, type (8: bytes), number of dimensions, a
 * big-endian word for each, then the bytes. */
#include "data_internal.h"

#include <string.h>

enum { IDX_LIMIT = 1 << 30 };

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int parse_plain(const char *name, const uint8_t *b, size_t n, bool allow_short,
                       struct atoll_idx *out, struct atoll_err *err)
{
    const uint32_t magic = n >= 4 ? be32(b) : 0;
    if (magic != 0x801 && magic != 0x803) {
        return atoll_fail(err, ATOLL_EINPUT,
                          "%s: byte 0: 0x%08x is no IDX file of bytes (0x801 or 0x803 expected)",
                          name, magic);
    }
    const uint32_t ranks = magic & 0xff;
    const size_t head = 4 + 4 * (size_t)ranks;
    if (n < head) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: %zu bytes (a head of %zu expected)", name, n,
                          head);
    }
    struct atoll_idx f = {.n = be32(b + 4), .rows = 1, .columns = 1};
    if (ranks == 3) {
        f.rows = be32(b + 8);
        f.columns = be32(b + 12);
    }
    const uint64_t each = (uint64_t)f.rows * f.columns;
    if (f.rows == 0 || f.columns == 0 || f.rows > 4096 || f.columns > 4096 ||
        f.n > IDX_LIMIT / each) {
        return atoll_fail(err, ATOLL_ELIMIT,
                          "%s: byte 4: %u images of %u x %u (1 to 4096 a side, %d bytes in all)",
                          name, f.n, f.rows, f.columns, IDX_LIMIT);
    }
    const uint64_t expected = f.n * each;
    if (n - head < expected) {
        if (!allow_short) {
            return atoll_fail(err, ATOLL_EINPUT,
                              "%s: cut short: %zu bytes for %u of %u x %u (%llu expected)", name,
                              n - head, f.n, f.rows, f.columns, (unsigned long long)expected);
        }
        f.n = (uint32_t)((n - head) / each);
        f.cut_short = true;
    } else if (n - head > expected) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: byte %llu: %llu bytes behind the last image",
                          name, (unsigned long long)(head + expected),
                          (unsigned long long)(n - head - expected));
    }
    f.bytes = atoll_alloc((size_t)(f.n * each));
    if (f.bytes == NULL) {
        return atoll_fail_nomem(err, "images", (size_t)(f.n * each));
    }
    memcpy(f.bytes, b + head, (size_t)(f.n * each));
    *out = f;
    return 0;
}

int atoll_idx_parse(const char *name, const void *bytes, size_t n, bool allow_short,
                    struct atoll_idx *out, struct atoll_err *err)
{
    const uint8_t *b = bytes;
    if (n < 2 || b[0] != 0x1f || b[1] != 0x8b) {
        return parse_plain(name, b, n, allow_short, out, err);
    }
    uint8_t *unpacked = NULL;
    size_t size = 0;
    bool cut_short = false;
    int rc = atoll__data_gunzip(name, b, n, IDX_LIMIT + 16u, allow_short, &unpacked, &size,
                                &cut_short, err);
    if (rc != 0) {
        return rc;
    }
    rc = parse_plain(name, unpacked, size, allow_short, out, err);
    atoll_free(unpacked);
    if (rc == 0 && cut_short) {
        out->cut_short = true;
    }
    return rc;
}
