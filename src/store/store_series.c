/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Series <-> bytes. A packed series is one byte ('S' stored, 'Z' zlib), the raw size as a varint,
 * then the raw bytes, compressed or not. Raw bytes:
 *   samples   for each value, in 0.01 us: zigzag varint of the difference to the one before;
 *   trace     times: zigzag varints of second differences; then the floats' bytes, for each rail
 *             four planes (all first bytes, all second bytes, ...), since neighbours differ in
 *             the low bytes only;
 *   timeline  for each span varints: start (difference), length, tpu, pipeline, stage, item
 *             (difference), kind.
 * Varints are little-endian base 128. Raw bytes depend on the values alone; hashes are of them.
 */
#include "store_internal.h"

#include <math.h>
#include <string.h>
#include <zlib.h>

#define STORE_BELOW_BYTES 1000 /* zlib does not pay for less: setting it up costs more than a run */
#define SMALL_BYTES (16 << 10)
#define ZLIB_RATIO_MAX 1040 /* deflate cannot expand further: zlib.net/zlib_tech.html, 1032:1 */

static void put_varint(struct atoll_buf *b, uint64_t v)
{
    uint8_t bytes[10];
    size_t n = 0;
    do {
        bytes[n] = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        n++;
        v >>= 7;
    } while (v);
    atoll_buf_append(b, bytes, n);
}

static uint64_t zigzag(uint64_t difference)
{
    return (difference << 1) ^ (difference >> 63 ? UINT64_MAX : 0);
}
static uint64_t unzigzag(uint64_t v)
{
    return (v >> 1) ^ (v & 1 ? UINT64_MAX : 0);
}

/* A reader that stops at the end and says so. */
struct cursor {
    const uint8_t *p, *end;
    bool bad;
};
static uint64_t get_varint(struct cursor *c)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (c->p == c->end) {
            break;
        }
        const uint8_t byte = *c->p++;
        if (shift == 63 && byte > 1) {
            break;
        }
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            return v;
        }
    }
    c->bad = true;
    return 0;
}

static void *zlib_alloc(void *opaque, unsigned n, unsigned bytes)
{
    (void)opaque;
    return atoll_calloc(n, bytes);
}
static void zlib_free(void *opaque, void *p)
{
    (void)opaque;
    atoll_free(p);
}

static bool deflate_into(const struct atoll_buf *raw, struct atoll_buf *out)
{
    z_stream z = {.zalloc = zlib_alloc, .zfree = zlib_free};
    /* A small window needs a fraction of the memory, and that of the time. */
    const bool small = raw->size <= SMALL_BYTES;
    if (deflateInit2(&z, 6, Z_DEFLATED, small ? 12 : 15, small ? 5 : 8, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        return false;
    }
    const size_t room = deflateBound(&z, (uLong)raw->size);
    uint8_t *packed = atoll_alloc(room);
    z.next_in = (Bytef *)raw->data;
    z.avail_in = (unsigned)raw->size;
    z.next_out = packed;
    z.avail_out = (unsigned)room;
    const bool ok = packed && deflate(&z, Z_FINISH) == Z_STREAM_END;
    if (ok) {
        atoll_buf_append(out, packed, room - z.avail_out);
    }
    deflateEnd(&z);
    atoll_free(packed);
    return ok && !out->failed;
}

/* Wraps raw bytes; frees them. */
static int seal(struct atoll_buf *raw, struct atoll_buf *out, struct atoll_err *err)
{
    int rc = 0;
    if (raw->failed) {
        rc = atoll_fail_nomem(err, "a series", raw->size);
    } else if (raw->size > ATOLL__STORE_BLOB_BYTES_MAX) {
        rc = atoll_fail(err, ATOLL_ELIMIT, "a series of %zu bytes (at most %u)", raw->size,
                        ATOLL__STORE_BLOB_BYTES_MAX);
    } else {
        const bool zip = raw->size >= STORE_BELOW_BYTES;
        atoll_buf_puts(out, zip ? "Z" : "S");
        put_varint(out, raw->size);
        const bool ok = zip ? deflate_into(raw, out)
                            : (atoll_buf_append(out, raw->data, raw->size), true);
        rc = ok && !out->failed ? 0 : atoll_fail_nomem(err, "a packed series", raw->size);
    }
    atoll_buf_finish(raw);
    return rc;
}

static int damaged(struct atoll_err *err)
{
    return atoll_fail(err, ATOLL_EINPUT, "its bytes do not decode (damaged)");
}

static bool inflate_into(const uint8_t *data, size_t bytes, uint8_t *raw, size_t n)
{
    z_stream z = {.zalloc = zlib_alloc,
                  .zfree = zlib_free,
                  .next_in = (Bytef *)(uintptr_t)data,
                  .avail_in = (unsigned)bytes};
    if (inflateInit(&z) != Z_OK) {
        return false;
    }
    z.next_out = raw;
    z.avail_out = (unsigned)n;
    const bool ok = inflate(&z, Z_FINISH) == Z_STREAM_END && z.avail_out == 0 && z.avail_in == 0;
    inflateEnd(&z);
    return ok;
}

int atoll__series_open(const void *data, size_t bytes, uint8_t **out, size_t *n,
                       struct atoll_err *err)
{
    struct cursor c = {.p = data, .end = (const uint8_t *)data + bytes};
    if (bytes < 2 || bytes > ATOLL__STORE_BLOB_BYTES_MAX) {
        return damaged(err);
    }
    const char kind = (char)*c.p++;
    const uint64_t raw_bytes = get_varint(&c);
    const size_t left = (size_t)(c.end - c.p);
    if (c.bad || raw_bytes > ATOLL__STORE_BLOB_BYTES_MAX || (kind != 'S' && kind != 'Z') ||
        (kind == 'S' && raw_bytes != left) || (kind == 'Z' && raw_bytes / ZLIB_RATIO_MAX > left)) {
        return damaged(err);
    }
    uint8_t *raw = atoll_alloc((size_t)raw_bytes);
    if (!raw) {
        return atoll_fail_nomem(err, "a series", (size_t)raw_bytes);
    }
    if (kind == 'S') {
        memcpy(raw, c.p, left);
    } else if (!inflate_into(c.p, left, raw, (size_t)raw_bytes)) {
        atoll_free(raw);
        return damaged(err);
    }
    *out = raw;
    *n = (size_t)raw_bytes;
    return 0;
}

int atoll__series_pack_samples(const double *latency_us, size_t n, struct atoll_buf *out,
                               struct atoll_err *err)
{
    struct atoll_buf raw = {0};
    int64_t last = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(fabs(latency_us[i]) < 1e13)) {
            atoll_buf_finish(&raw);
            return atoll_fail(err, ATOLL_EUSAGE,
                              "sample %zu is %g us (a finite number below 1e13 expected)", i,
                              latency_us[i]);
        }
        const int64_t v = llround(latency_us[i] * 100.0);
        put_varint(&raw, zigzag((uint64_t)v - (uint64_t)last));
        last = v;
    }
    return seal(&raw, out, err);
}

int atoll__series_unpack_samples(const void *data, size_t bytes, size_t n, double **latency_us,
                                 struct atoll_err *err)
{
    uint8_t *raw = NULL;
    size_t raw_bytes = 0;
    int rc = atoll__series_open(data, bytes, &raw, &raw_bytes, err);
    if (rc) {
        return rc;
    }
    struct cursor c = {.p = raw, .end = raw + raw_bytes};
    double *v = n <= raw_bytes ? atoll_calloc(n ? n : 1, sizeof *v) : NULL;
    if (!v) {
        rc = n <= raw_bytes ? atoll_fail_nomem(err, "samples", n * sizeof *v) : damaged(err);
        atoll_free(raw);
        return rc;
    }
    uint64_t last = 0;
    for (size_t i = 0; i < n; i++) {
        last += unzigzag(get_varint(&c));
        v[i] = (double)(int64_t)last / 100.0;
    }
    if (c.bad || c.p != c.end) {
        atoll_free(v);
        rc = damaged(err);
    } else {
        *latency_us = v;
    }
    atoll_free(raw);
    return rc;
}

int atoll__series_pack_trace(const uint64_t *t_ns, const float *rail_mw, size_t n, uint32_t n_rails,
                             struct atoll_buf *out, struct atoll_err *err)
{
    struct atoll_buf raw = {0};
    uint64_t last = 0, step = 0;
    for (size_t i = 0; i < n; i++) {
        const uint64_t difference = t_ns[i] - last;
        put_varint(&raw, zigzag(difference - step));
        step = difference;
        last = t_ns[i];
    }
    for (uint32_t r = 0; r < n_rails; r++) {
        for (unsigned plane = 0; plane < 4; plane++) {
            for (size_t i = 0; i < n && !raw.failed; i++) {
                uint32_t bits = 0;
                memcpy(&bits, &rail_mw[i * n_rails + r], sizeof bits);
                const uint8_t byte = (uint8_t)(bits >> (8 * plane));
                atoll_buf_append(&raw, &byte, 1);
            }
        }
    }
    return seal(&raw, out, err);
}

static void unpack_trace(struct cursor *c, size_t n, uint32_t n_rails, uint64_t *t, float *mw)
{
    uint64_t last = 0, step = 0;
    for (size_t i = 0; i < n; i++) {
        step += unzigzag(get_varint(c));
        last += step;
        t[i] = last;
    }
    if (c->bad || (size_t)(c->end - c->p) != n * n_rails * 4) {
        c->bad = true;
        return;
    }
    for (uint32_t r = 0; r < n_rails; r++, c->p += 4 * n) {
        for (size_t i = 0; i < n; i++) {
            const uint32_t bits = (uint32_t)c->p[i] | (uint32_t)c->p[n + i] << 8 |
                                  (uint32_t)c->p[2 * n + i] << 16 | (uint32_t)c->p[3 * n + i] << 24;
            memcpy(&mw[i * n_rails + r], &bits, sizeof bits);
        }
    }
}

int atoll__series_unpack_trace(const void *data, size_t bytes, size_t n, uint32_t n_rails,
                               uint64_t **t_ns, float **rail_mw, struct atoll_err *err)
{
    uint8_t *raw = NULL;
    size_t raw_bytes = 0;
    int rc = atoll__series_open(data, bytes, &raw, &raw_bytes, err);
    if (rc) {
        return rc;
    }
    if (n > raw_bytes || n_rails > 64) {
        atoll_free(raw);
        return damaged(err);
    }
    struct cursor c = {.p = raw, .end = raw + raw_bytes};
    uint64_t *t = atoll_calloc(n ? n : 1, sizeof *t);
    float *mw = atoll_calloc(n * n_rails + 1, sizeof *mw);
    if (!t || !mw) {
        rc = atoll_fail_nomem(err, "a trace", n * (sizeof *t + n_rails * sizeof *mw));
    } else {
        unpack_trace(&c, n, n_rails, t, mw);
        rc = c.bad ? damaged(err) : 0;
    }
    atoll_free(raw);
    if (rc) {
        atoll_free(t);
        atoll_free(mw);
        return rc;
    }
    *t_ns = t;
    *rail_mw = mw;
    return 0;
}

int atoll__series_pack_timeline(const struct atoll_span *spans, size_t n, struct atoll_buf *out,
                                struct atoll_err *err)
{
    struct atoll_buf raw = {0};
    uint64_t start = 0, item = 0;
    for (size_t i = 0; i < n; i++) {
        const struct atoll_span *s = &spans[i];
        put_varint(&raw, zigzag(s->start_ns - start));
        put_varint(&raw, zigzag(s->end_ns - s->start_ns));
        put_varint(&raw, s->tpu);
        put_varint(&raw, s->pipeline);
        put_varint(&raw, s->stage);
        put_varint(&raw, zigzag(s->item - item));
        put_varint(&raw, s->kind);
        start = s->start_ns;
        item = s->item;
    }
    return seal(&raw, out, err);
}

static uint32_t get_u32(struct cursor *c, uint32_t max)
{
    const uint64_t v = get_varint(c);
    c->bad = c->bad || v > max;
    return (uint32_t)v;
}

int atoll__series_unpack_timeline(const void *data, size_t bytes, size_t n,
                                  struct atoll_span **spans, struct atoll_err *err)
{
    uint8_t *raw = NULL;
    size_t raw_bytes = 0;
    int rc = atoll__series_open(data, bytes, &raw, &raw_bytes, err);
    if (rc) {
        return rc;
    }
    struct cursor c = {.p = raw, .end = raw + raw_bytes};
    struct atoll_span *v = n <= raw_bytes / 7 ? atoll_calloc(n ? n : 1, sizeof *v) : NULL;
    if (!v) {
        rc = n <= raw_bytes / 7 ? atoll_fail_nomem(err, "a timeline", n * sizeof *v) : damaged(err);
        atoll_free(raw);
        return rc;
    }
    uint64_t start = 0, item = 0;
    for (size_t i = 0; i < n && !c.bad; i++) {
        start += unzigzag(get_varint(&c));
        v[i].start_ns = start;
        v[i].end_ns = start + unzigzag(get_varint(&c));
        v[i].tpu = get_u32(&c, UINT32_MAX);
        v[i].pipeline = get_u32(&c, UINT32_MAX);
        v[i].stage = get_u32(&c, UINT32_MAX);
        item += unzigzag(get_varint(&c));
        v[i].item = item;
        v[i].kind = (uint8_t)get_u32(&c, UINT8_MAX);
    }
    if (c.bad || c.p != c.end) {
        atoll_free(v);
        rc = damaged(err);
    } else {
        *spans = v;
    }
    atoll_free(raw);
    return rc;
}
