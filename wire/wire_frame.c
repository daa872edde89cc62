/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: header, body, CRC, COBS in place; the incremental decoder; the order of DATA frames. */
#include "wire_fields.h"

enum { HEADER_BYTES = 2, CRC_BYTES = 4 };

/* Replaces each zero by the distance to the next one; bytes[0] holds the first distance. */
static void cobs_encode(uint8_t *bytes, size_t n)
{
    size_t last = n; /* where the next zero stands; the delimiter counts as one */
    for (size_t i = n; i-- > 1;) {
        if (bytes[i] == 0) {
            bytes[i] = (uint8_t)(last - i);
            last = i;
        }
    }
    bytes[0] = (uint8_t)last;
}

static bool cobs_decode(uint8_t *bytes, size_t n)
{
    size_t at = bytes[0];
    while (at < n) {
        const uint8_t step = bytes[at];
        if (step == 0) {
            return false;
        }
        bytes[at] = 0;
        at += step;
    }
    return at == n;
}

size_t atoll_wire_seal(uint8_t out[ATOLL_WIRE_FRAME_MAX], size_t n)
{
    uint8_t *raw = out + 1;
    const uint32_t crc = atoll_wire_crc32(raw, n);
    for (uint8_t i = 0; i < CRC_BYTES; i++) {
        raw[n + i] = (uint8_t)(crc >> (8u * i));
    }
    cobs_encode(out, 1 + n + CRC_BYTES);
    out[1 + n + CRC_BYTES] = 0;
    return 1 + n + CRC_BYTES + 1;
}

size_t atoll_wire_encode(const struct atoll_wire_frame *f, uint8_t out[ATOLL_WIRE_FRAME_MAX])
{
    struct atoll_wire_frame copy = *f;
    uint8_t *raw = out + 1;
    struct wire_cursor c = {.at = raw + HEADER_BYTES, .end = raw + ATOLL_WIRE_RAW_MAX - CRC_BYTES};
    raw[0] = (uint8_t)(ATOLL_WIRE_VERSION << 4 | f->type);
    raw[1] = f->seq;
    atoll__wire_fields(&c, &copy);
    if (c.bad) {
        return 0;
    }
    return atoll_wire_seal(out, (size_t)(c.at - raw));
}

size_t atoll_wire_begin_scans(uint8_t seq, const struct atoll_wire_data *d, const uint16_t *samples,
                              size_t n, uint8_t bits, uint8_t out[ATOLL_WIRE_FRAME_MAX])
{
    uint8_t *raw = out + 1;
    if (d->n_scans == 0 || n < d->n_scans ||
        atoll_wire_packed_bytes(n, bits) > ATOLL_WIRE_PAYLOAD_MAX) {
        return 0;
    }
    raw[0] = ATOLL_WIRE_VERSION << 4 | ATOLL_WIRE_DATA;
    raw[1] = seq;
    raw[2] = d->config;
    raw[3] = (uint8_t)d->first_scan;
    raw[4] = (uint8_t)(d->first_scan >> 8);
    raw[5] = (uint8_t)(d->first_scan >> 16);
    raw[6] = (uint8_t)(d->first_scan >> 24);
    raw[7] = (uint8_t)d->lost;
    raw[8] = (uint8_t)(d->lost >> 8);
    raw[9] = (uint8_t)d->slip;
    raw[10] = (uint8_t)(d->slip >> 8);
    raw[11] = d->n_scans;
    return 12 + atoll_wire_pack(raw + 12, samples, n, bits);
}

size_t atoll_wire_encode_scans(uint8_t seq, const struct atoll_wire_data *d,
                               const uint16_t *samples, size_t n, uint8_t bits,
                               uint8_t out[ATOLL_WIRE_FRAME_MAX])
{
    const size_t raw = atoll_wire_begin_scans(seq, d, samples, n, bits, out);
    return raw > 0 ? atoll_wire_seal(out, raw) : 0;
}

/* The n bytes in front of a delimiter, as a frame. */
static bool parse(uint8_t *bytes, size_t n, struct atoll_wire_frame *f)
{
    if (n < 1 + HEADER_BYTES + CRC_BYTES || !cobs_decode(bytes, n)) {
        return false;
    }
    uint8_t *raw = bytes + 1;
    uint8_t *crc_at = bytes + n - CRC_BYTES;
    uint32_t crc = 0;
    for (uint8_t i = 0; i < CRC_BYTES; i++) {
        crc |= (uint32_t)crc_at[i] << (8u * i);
    }
    if (raw[0] >> 4 != ATOLL_WIRE_VERSION || crc != atoll_wire_crc32(raw, (size_t)(crc_at - raw))) {
        return false;
    }
    struct wire_cursor c = {.at = raw + HEADER_BYTES, .end = crc_at, .reading = true};
    f->type = raw[0] & 15u;
    f->seq = raw[1];
    atoll__wire_fields(&c, f);
    return !c.bad && c.at == c.end;
}

size_t atoll_wire_decode(struct atoll_wire_decoder *d, const uint8_t *bytes, size_t n,
                         struct atoll_wire_frame *f, bool *got)
{
    *got = false;
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] != 0) {
            d->overlong = d->overlong || d->n >= ATOLL_WIRE_FRAME_MAX - 1;
            if (!d->overlong) {
                d->bytes[d->n++] = bytes[i];
            }
            continue;
        }
        const uint16_t have = d->n;
        const bool overlong = d->overlong;
        const bool synced = d->synced;
        d->n = 0;
        d->overlong = false;
        d->synced = true;
        if (!overlong && parse(d->bytes, have, f)) {
            d->good++;
            *got = true;
            return i + 1;
        }
        d->damaged += synced && have > 0;
    }
    return n;
}

enum atoll_wire_order atoll_wire_follow(struct atoll_wire_track *t,
                                        const struct atoll_wire_frame *f, uint64_t *first,
                                        uint64_t *missing, uint64_t *by_device)
{
    const struct atoll_wire_data *d = &f->data;
    const uint32_t ahead = d->first_scan - (uint32_t)t->next_scan;
    enum atoll_wire_order order = ATOLL_WIRE_NEXT;
    if (t->started && f->seq == t->seq && d->first_scan == t->first_scan) {
        return ATOLL_WIRE_DUPLICATE;
    }
    *missing = *by_device = 0;
    if (t->started && ahead >= UINT32_C(0x80000000)) {
        order = ATOLL_WIRE_RESTART;
        t->next_scan = d->first_scan;
    } else {
        *missing = t->started ? ahead : 0;
        t->next_scan += ahead;
        order = *missing > 0 ? ATOLL_WIRE_GAP : ATOLL_WIRE_NEXT;
    }
    if (order == ATOLL_WIRE_GAP) {
        const uint16_t own =
            (uint16_t)((uint16_t)(d->lost - t->lost) + (uint16_t)(d->slip - t->slip));
        *by_device = own < *missing ? own : *missing;
    }
    *first = t->next_scan;
    t->started = true;
    t->seq = f->seq;
    t->first_scan = d->first_scan;
    t->next_scan += d->n_scans;
    t->lost = d->lost;
    t->slip = d->slip;
    return order;
}
