/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random streams of frames through a bad line: bytes lost, bits flipped, frames doubled, the start
 * cut off. The incremental decoder in random chunks and a plain reference (split at zeros, COBS as
 * published, CRC bit by bit) accept the same frames; what is accepted was sent; nothing that
 * arrived whole is refused.
 */
#include "../atoll_test.h"

#include "atoll_wire.h"

#include <atoll/base.h>

enum { FRAMES = 200, STREAM_MAX = FRAMES * 2 * ATOLL_WIRE_FRAME_MAX };

struct stream {
    uint8_t bytes[STREAM_MAX];
    size_t n;
};
struct frames {
    uint8_t raw[2 * FRAMES][ATOLL_WIRE_FRAME_MAX];
    size_t bytes[2 * FRAMES];
    size_t n;
};

static struct atoll_wire_frame random_data(struct atoll_rng *r, uint8_t *payload)
{
    struct atoll_wire_frame f = {.type = ATOLL_WIRE_DATA, .seq = (uint8_t)atoll_rng_u64(r)};
    f.data.payload_bytes = (uint8_t)(1 + atoll_rng_below(r, ATOLL_WIRE_PAYLOAD_MAX));
    f.data.n_scans = (uint8_t)(1 + atoll_rng_below(r, f.data.payload_bytes));
    f.data.first_scan = (uint32_t)atoll_rng_u64(r);
    f.data.payload = payload;
    atoll_rng_bytes(r, payload, f.data.payload_bytes);
    for (size_t i = 0; i < f.data.payload_bytes; i++) {
        payload[i] = atoll_rng_below(r, 3) == 0 ? 0 : payload[i];
    }
    return f;
}

static struct atoll_wire_frame random_frame(struct atoll_rng *r, uint8_t *payload)
{
    struct atoll_wire_frame f = {.type = ATOLL_WIRE_STAT, .seq = (uint8_t)atoll_rng_u64(r)};
    switch (atoll_rng_below(r, 4)) {
    case 0:
        f.stat.scans = (uint32_t)atoll_rng_u64(r);
        return f;
    case 1:
        f.type = ATOLL_WIRE_EVENT;
        f.event = (struct atoll_wire_event){.cause = (uint8_t)atoll_rng_below(r, 3),
                                            .scan = (uint32_t)atoll_rng_u64(r)};
        return f;
    default:
        return random_data(r, payload);
    }
}

static uint32_t crc_by_bits(const uint8_t *bytes, size_t n)
{
    uint32_t crc = UINT32_C(0xffffffff);
    for (size_t i = 0; i < 8 * n; i++) {
        const uint32_t bit = (crc ^ (uint32_t)bytes[i / 8] >> (i % 8)) & 1;
        crc = crc >> 1 ^ (bit != 0 ? UINT32_C(0xedb88320) : 0);
    }
    return ~crc;
}

/* COBS as Cheshire and Baker publish it, into another buffer; SIZE_MAX: not COBS. */
static size_t unstuff(const uint8_t *in, size_t n, uint8_t *out)
{
    size_t made = 0;
    for (size_t i = 0; i < n;) {
        const uint8_t code = in[i++];
        if (code == 0 || code - 1u > n - i) {
            return SIZE_MAX;
        }
        for (uint8_t k = 1; k < code; k++) {
            out[made++] = in[i++];
        }
        if (code < 255 && i < n) {
            out[made++] = 0;
        }
    }
    return made;
}

static void reference(const struct stream *s, struct frames *out)
{
    size_t from = 0;
    out->n = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (s->bytes[i] != 0) {
            continue;
        }
        uint8_t raw[STREAM_MAX / 100];
        const size_t n =
            i - from < ATOLL_WIRE_FRAME_MAX ? unstuff(s->bytes + from, i - from, raw) : SIZE_MAX;
        from = i + 1;
        if (n == SIZE_MAX || n < 6 || raw[0] >> 4 != 1) {
            continue;
        }
        const uint32_t crc = (uint32_t)raw[n - 4] | (uint32_t)raw[n - 3] << 8 |
                             (uint32_t)raw[n - 2] << 16 | (uint32_t)raw[n - 1] << 24;
        if (crc == crc_by_bits(raw, n - 4)) {
            memcpy(out->raw[out->n], raw, n);
            out->bytes[out->n++] = n;
        }
    }
}

static void incremental(const struct stream *s, struct atoll_rng *r, struct frames *out)
{
    struct atoll_wire_decoder d = {0};
    out->n = 0;
    for (size_t at = 0; at < s->n;) {
        size_t chunk = 1 + atoll_rng_below(r, 700);
        chunk = chunk < s->n - at ? chunk : s->n - at;
        while (chunk > 0) {
            struct atoll_wire_frame f;
            bool got = false;
            const size_t taken = atoll_wire_decode(&d, s->bytes + at, chunk, &f, &got);
            assert_true(taken > 0 && taken <= chunk);
            at += taken;
            chunk -= taken;
            if (got) {
                uint8_t frame[ATOLL_WIRE_FRAME_MAX];
                const size_t n = atoll_wire_encode(&f, frame);
                assert_true(n > 0);
                out->bytes[out->n] = unstuff(frame, n - 1, out->raw[out->n]);
                out->n++;
            }
        }
    }
    assert_int_equal(d.good, out->n);
}

static void add(struct stream *s, const uint8_t *bytes, size_t n)
{
    memcpy(s->bytes + s->n, bytes, n);
    s->n += n;
}

/* Sends a frame over the bad line; true when it arrived unharmed at least once. */
static bool send(struct stream *s, struct atoll_rng *r, const uint8_t *frame, size_t n, double bad)
{
    bool whole = true;
    for (size_t i = 0; i < n; i++) {
        if (atoll_rng_unit(r) < bad) {
            whole = false; /* the byte is lost */
            continue;
        }
        s->bytes[s->n++] = frame[i];
        if (atoll_rng_unit(r) < bad) {
            whole = false;
            s->bytes[s->n - 1] ^= (uint8_t)(1u << atoll_rng_below(r, 8));
        }
    }
    if (atoll_rng_below(r, 20) == 0) {
        add(s, frame, n);
    }
    return whole;
}

static bool stands_in(const struct frames *f, const uint8_t *raw, size_t n)
{
    for (size_t i = 0; i < f->n; i++) {
        if (f->bytes[i] == n && memcmp(f->raw[i], raw, n) == 0) {
            return true;
        }
    }
    return false;
}

static void over_a_bad_line(void **state)
{
    (void)state;
    static struct stream s;
    static struct frames sent, plain, fast;
    struct atoll_rng r;
    uint64_t harmed = 0;
    atoll_rng_seed(&r, test_seed());
    for (size_t round = 0; round < test_cases(60); round++) {
        const double bad = round % 3 == 0 ? 0 : 0.02 * atoll_rng_unit(&r);
        bool before = true; /* the frame in front arrived whole, its delimiter too */
        bool whole[FRAMES];
        s.n = sent.n = 0;
        for (size_t i = 0; i < FRAMES; i++) {
            uint8_t payload[ATOLL_WIRE_FRAME_MAX];
            uint8_t frame[ATOLL_WIRE_FRAME_MAX];
            const struct atoll_wire_frame f = random_frame(&r, payload);
            const size_t n = atoll_wire_encode(&f, frame);
            sent.bytes[i] = unstuff(frame, n - 1, sent.raw[i]);
            sent.n++;
            const bool arrived = send(&s, &r, frame, n, bad);
            whole[i] = before && arrived;
            before = arrived;
            harmed += !arrived;
        }
        const size_t cut = round % 2 == 0 ? 0 : atoll_rng_below(&r, sent.bytes[0] + 1);
        whole[0] = whole[0] && cut == 0;
        memmove(s.bytes, s.bytes + cut, s.n - cut);
        s.n -= cut;
        reference(&s, &plain);
        incremental(&s, &r, &fast);
        assert_int_equal(plain.n, fast.n);
        for (size_t i = 0; i < fast.n; i++) {
            assert_int_equal(plain.bytes[i], fast.bytes[i]);
            assert_memory_equal(plain.raw[i], fast.raw[i], fast.bytes[i]);
            assert_true(stands_in(&sent, fast.raw[i], fast.bytes[i]));
        }
        for (size_t i = 1; i < FRAMES; i++) {
            assert_true(!whole[i] || stands_in(&fast, sent.raw[i], sent.bytes[i]));
        }
    }
    print_message("%llu frames harmed, none accepted wrongly\n", (unsigned long long)harmed);
}

/* Noise alone: nothing comes out. */
static void noise_is_no_frame(void **state)
{
    (void)state;
    struct atoll_rng r;
    struct atoll_wire_decoder d = {0};
    atoll_rng_seed(&r, test_seed() + 1);
    for (size_t i = 0; i < test_cases(2000); i++) {
        uint8_t noise[512];
        struct atoll_wire_frame f;
        bool got = false;
        atoll_rng_bytes(&r, noise, sizeof noise);
        for (size_t at = 0; at < sizeof noise && !got;) {
            at += atoll_wire_decode(&d, noise + at, sizeof noise - at, &f, &got);
        }
        assert_false(got);
    }
    assert_true(d.damaged > 0);
}

static void packing_there_and_back(void **state)
{
    (void)state;
    struct atoll_rng r;
    atoll_rng_seed(&r, test_seed() + 2);
    for (size_t i = 0; i < test_cases(2000); i++) {
        static const uint8_t widths[3] = {10, 12, 16};
        const uint8_t bits = widths[i % 3];
        const size_t n = atoll_rng_below(&r, 100);
        uint16_t samples[100];
        uint16_t back[100];
        uint8_t out[200];
        for (size_t k = 0; k < n; k++) {
            samples[k] = (uint16_t)(atoll_rng_u64(&r) & ((1u << bits) - 1));
        }
        const size_t bytes = atoll_wire_pack(out, samples, n, bits);
        assert_int_equal(bytes, atoll_wire_packed_bytes(n, bits));
        atoll_wire_unpack(back, n, out, bits);
        assert_memory_equal(samples, back, n * sizeof samples[0]);
    }
}

/* A million DATA frames with 1 to 16 bits turned: none is taken for a frame. */
static void a_million_damaged_frames(void **state)
{
    (void)state;
    struct atoll_rng r;
    struct atoll_wire_decoder d = {0};
    uint64_t accepted = 0;
    atoll_rng_seed(&r, test_seed() + 4);
    for (size_t i = 0; i < 1000000; i++) {
        uint16_t samples[32];
        uint8_t bytes[ATOLL_WIRE_FRAME_MAX + 1];
        for (size_t k = 0; k < 32; k++) {
            samples[k] = (uint16_t)(i * 31 + k * 7) & 1023;
        }
        const struct atoll_wire_data scans = {
            .config = 1, .first_scan = (uint32_t)i * 8, .n_scans = 8};
        const size_t n = atoll_wire_encode_scans((uint8_t)i, &scans, samples, 32, 10, bytes);
        const uint64_t flips = 1 + i % 16;
        uint16_t turned[16];
        for (size_t k = 0; k < flips; k++) {
            bool fresh = false;
            while (!fresh) { /* a bit that was turned twice would be whole again */
                turned[k] = (uint16_t)atoll_rng_below(&r, n * 8);
                fresh = true;
                for (size_t before = 0; before < k; before++) {
                    fresh = fresh && turned[before] != turned[k];
                }
            }
            bytes[turned[k] / 8] = (uint8_t)(bytes[turned[k] / 8] ^ 1u << turned[k] % 8);
        }
        bytes[n] = 0;
        for (size_t at = 0; at < n + 1;) {
            struct atoll_wire_frame f;
            bool got = false;
            at += atoll_wire_decode(&d, bytes + at, n + 1 - at, &f, &got);
            accepted += got;
        }
    }
    assert_int_equal(accepted, 0);
    assert_true(d.damaged >= 999999);
}

/* Plain reference of the packing: bit by bit. */
static void pack_bits(uint8_t *out, const uint16_t *samples, size_t n, uint8_t bits)
{
    for (size_t i = 0; i < n * bits; i++) {
        const unsigned bit = ((unsigned)samples[i / bits] >> (i % bits)) & 1u;
        out[i / 8] = (uint8_t)((i % 8 == 0 ? 0 : out[i / 8]) | bit << i % 8);
    }
}

static void a_device_frames_scans_as_the_encoder_does(void **state)
{
    (void)state;
    struct atoll_rng r;
    atoll_rng_seed(&r, test_seed() + 3);
    for (size_t i = 0; i < test_cases(2000); i++) {
        static const uint8_t widths[3] = {10, 12, 16};
        const uint8_t bits = widths[i % 3];
        const size_t n = 1 + atoll_rng_below(&r, ATOLL_WIRE_PAYLOAD_MAX / 2);
        uint16_t samples[ATOLL_WIRE_PAYLOAD_MAX / 2];
        uint8_t payload[ATOLL_WIRE_PAYLOAD_MAX];
        uint8_t slow[ATOLL_WIRE_FRAME_MAX];
        uint8_t fast[ATOLL_WIRE_FRAME_MAX];
        for (size_t k = 0; k < n; k++) {
            samples[k] = (uint16_t)(atoll_rng_u64(&r) & ((1u << bits) - 1));
        }
        pack_bits(payload, samples, n, bits);
        struct atoll_wire_frame f = {
            .type = ATOLL_WIRE_DATA,
            .seq = (uint8_t)atoll_rng_u64(&r),
            .data = {.config = (uint8_t)atoll_rng_u64(&r),
                     .first_scan = (uint32_t)atoll_rng_u64(&r),
                     .lost = (uint16_t)atoll_rng_u64(&r),
                     .slip = (uint16_t)atoll_rng_u64(&r),
                     .n_scans = (uint8_t)(1 + atoll_rng_below(&r, n)),
                     .payload_bytes = (uint8_t)atoll_wire_packed_bytes(n, bits),
                     .payload = payload}};
        const size_t bytes = atoll_wire_encode(&f, slow);
        assert_true(bytes > 0);
        assert_int_equal(atoll_wire_encode_scans(f.seq, &f.data, samples, n, bits, fast), bytes);
        assert_memory_equal(fast, slow, bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_a_bad_line), cmocka_unit_test(noise_is_no_frame),
        cmocka_unit_test(a_million_damaged_frames), cmocka_unit_test(packing_there_and_back),
        cmocka_unit_test(a_device_frames_scans_as_the_encoder_does)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
