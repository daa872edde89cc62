/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file atoll_wire.h
 * Room `wire`: the frames between a power meter's microcontroller and the host, byte by byte in
 * docs/wire-format.md. The same code runs on both sides: freestanding C17, no heap, no C library,
 * no static state.
 *
 * On the line a frame is COBS(raw) 0x00. raw = (version << 4 | type), seq, body, CRC-32 (low byte
 * first). All numbers little-endian. raw has at most 254 bytes, so COBS costs one byte and works in
 * place.
 */
#ifndef ATOLL_WIRE_H
#define ATOLL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ATOLL_WIRE_VERSION 1
#define ATOLL_WIRE_RAW_MAX 254
#define ATOLL_WIRE_FRAME_MAX 256 ///< COBS code byte, raw, delimiter
#define ATOLL_WIRE_PAYLOAD_MAX 238
#define ATOLL_WIRE_CHANNELS_MAX 16
#define ATOLL_WIRE_TEXT_MAX 40

enum atoll_wire_type {
    /* device to host */
    ATOLL_WIRE_HELLO = 1, ///< at start and when asked
    ATOLL_WIRE_CONFIG,    ///< how DATA is to be read; before the first DATA and after each change
    ATOLL_WIRE_CHANNEL,   ///< one channel's place and calibration
    ATOLL_WIRE_DATA,      ///< scans
    ATOLL_WIRE_EVENT,     ///< a marker or an edge, at a scan
    ATOLL_WIRE_SYNC,      ///< answer to PING: where the device's clock stands
    ATOLL_WIRE_STAT,      ///< counters and health
    ATOLL_WIRE_ERROR,     ///< a command was refused, or something broke
    /* host to device */
    ATOLL_WIRE_ASK,  ///< asks for a frame of type `what`
    ATOLL_WIRE_SET,  ///< rate and channels; answered by CONFIG
    ATOLL_WIRE_RUN,  ///< starts or stops scanning
    ATOLL_WIRE_MARK, ///< answered by EVENT
    ATOLL_WIRE_PING, ///< answered by SYNC
    ATOLL_WIRE_STORE ///< writes one channel's calibration; answered by CHANNEL
};

enum atoll_wire_kind { ATOLL_WIRE_UNUSED, ATOLL_WIRE_CURRENT, ATOLL_WIRE_VOLTAGE };
enum atoll_wire_cause { ATOLL_WIRE_COMMAND, ATOLL_WIRE_RISING, ATOLL_WIRE_FALLING };

struct atoll_wire_hello {
    uint8_t device;      ///< 1 synth, 2 ATmega328P, 3 STM32F4
    uint8_t firmware[3]; ///< major, minor, patch
    uint8_t channels;    ///< it can scan
    uint16_t boots;      ///< starts since the calibration store was erased
    uint64_t unique;
    char name[16]; ///< padded with zeros; no final zero when full
};
struct atoll_wire_config {
    uint8_t id;            ///< DATA names the CONFIG it follows
    uint16_t channels;     ///< bit i: channel i is in each scan, lowest first
    uint8_t bits;          ///< of a packed sample: 10, 12 or 16
    uint8_t conversions;   ///< a sample is the sum of this many conversions
    uint8_t adc_bits;      ///< of one conversion
    uint32_t tick_hz;      ///< nominal clock of the scan timer
    uint32_t period_ticks; ///< of a scan; scan rate = tick_hz / period_ticks
    uint32_t reference_uv; ///< full scale of a conversion
};
struct atoll_wire_channel {
    uint8_t index;
    uint8_t kind;         ///< enum atoll_wire_kind
    uint8_t rail;         ///< channels of one rail share its number
    uint16_t nominal_mv;  ///< of the rail
    int32_t zero_256;     ///< one conversion at zero, in 1/256 of a code
    uint32_t gain;        ///< nA (current) or nV (voltage) per code of one conversion
    uint16_t gain_u_ppm;  ///< standard uncertainty of gain
    uint16_t zero_u_256;  ///< standard uncertainty of zero, 1/256 code
    uint16_t day;         ///< of calibration, days since 1970-01-01; 0: never
    int8_t temperature_c; ///< at calibration
    char name[12];
};
struct atoll_wire_data {
    uint8_t config;
    uint32_t first_scan; ///< counts scan triggers since RUN, lost and missed ones included
    uint16_t lost;       ///< scans thrown away by the device since RUN, total
    uint16_t slip;       ///< triggers that came while the last scan was under way, total
    uint8_t n_scans;
    uint8_t payload_bytes;
    const uint8_t *payload; ///< packed samples; decoded: lives until the next call of the decoder
};
struct atoll_wire_event {
    uint8_t cause; ///< enum atoll_wire_cause
    uint16_t id;
    uint32_t scan;
    uint16_t fraction; ///< of a scan period past the trigger of `scan`, 1/65536
};
struct atoll_wire_sync {
    uint16_t id;
    uint32_t scan;
    uint16_t fraction;
};
struct atoll_wire_stat {
    uint32_t scans, lost, slip;
    uint16_t overruns;   ///< bytes lost by the receiver of the device
    uint16_t bad_frames; ///< received by the device
    int16_t temperature_centi_c;
    uint16_t supply_mv;
};
struct atoll_wire_error {
    uint8_t code;
    uint16_t detail;
    uint8_t text_bytes;
    char text[ATOLL_WIRE_TEXT_MAX]; ///< not terminated
};
struct atoll_wire_set {
    uint16_t channels;
    uint8_t bits, conversions;
    uint32_t period_ticks;
};

struct atoll_wire_frame {
    uint8_t type; ///< enum atoll_wire_type
    uint8_t seq;  ///< counts the frames of a direction
    union {
        struct atoll_wire_hello hello;
        struct atoll_wire_config config;
        struct atoll_wire_channel channel; ///< CHANNEL and STORE
        struct atoll_wire_data data;
        struct atoll_wire_event event;
        struct atoll_wire_sync sync;
        struct atoll_wire_stat stat;
        struct atoll_wire_error error;
        struct atoll_wire_set set;
        uint8_t ask; ///< type asked for
        uint8_t run; ///< 1 start, 0 stop
        uint16_t id; ///< MARK and PING
    };
};

/** CRC-32 (IEEE 802.3, as in zlib: reflected, start and final XOR 0xffffffff). */
uint32_t atoll_wire_crc32(const uint8_t *bytes, size_t n);

/** Bytes that `samples` samples of `bits` bits take: packed low bits first, padded with zeros. */
size_t atoll_wire_packed_bytes(size_t samples, uint8_t bits);
/** Packs samples (each below 2^bits); returns the bytes written. bits: 10, 12 or 16. */
size_t atoll_wire_pack(uint8_t *out, const uint16_t *samples, size_t n, uint8_t bits);
void atoll_wire_unpack(uint16_t *samples, size_t n, const uint8_t *in, uint8_t bits);
/** Number of channels in a scan. */
uint8_t atoll_wire_count(uint16_t channels);

/** Writes a whole frame, delimiter included; returns its length, 0 when the frame cannot be said
 *  (unknown type, payload or text too long). */
size_t atoll_wire_encode(const struct atoll_wire_frame *f, uint8_t out[ATOLL_WIRE_FRAME_MAX]);

/** The same bytes as atoll_wire_encode makes of a DATA frame, packed straight into the frame: the
 *  way of a device, which has no cycles to lose. n samples of `bits` bits; d->payload is not used.
 */
size_t atoll_wire_encode_scans(uint8_t seq, const struct atoll_wire_data *d,
                               const uint16_t *samples, size_t n, uint8_t bits,
                               uint8_t out[ATOLL_WIRE_FRAME_MAX]);

/** The same in two steps, so that the samples' memory is free in between: packs (returns the bytes
 *  so far, 0 when the frame cannot be said), then seals with CRC, COBS and delimiter. */
size_t atoll_wire_begin_scans(uint8_t seq, const struct atoll_wire_data *d, const uint16_t *samples,
                              size_t n, uint8_t bits, uint8_t out[ATOLL_WIRE_FRAME_MAX]);
size_t atoll_wire_seal(uint8_t out[ATOLL_WIRE_FRAME_MAX], size_t raw_bytes);

/** Incremental decoder. Zero-initialise; caller's memory. */
struct atoll_wire_decoder {
    uint8_t bytes[ATOLL_WIRE_FRAME_MAX];
    uint16_t n;
    bool overlong; ///< more came than a frame can have: waits for the delimiter
    bool synced;   ///< a delimiter was seen: from now on what does not decode is damaged
    uint32_t good, damaged;
};
/** Takes bytes until a frame is complete or all are consumed, and returns the number taken. *got
 *  says whether *f was filled. Call again with the rest. Damaged frames are counted and skipped. */
size_t atoll_wire_decode(struct atoll_wire_decoder *d, const uint8_t *bytes, size_t n,
                         struct atoll_wire_frame *f, bool *got);

/** Order of DATA frames. Zero-initialise; zero it again after HELLO. */
struct atoll_wire_track {
    bool started;
    uint8_t seq;
    uint32_t first_scan; ///< of the last frame
    uint64_t next_scan;  ///< expected, unwrapped
    uint16_t lost, slip;
};
enum atoll_wire_order {
    ATOLL_WIRE_NEXT,      ///< continues without a gap
    ATOLL_WIRE_GAP,       ///< scans are missing in front of this frame
    ATOLL_WIRE_DUPLICATE, ///< seen before: drop it
    ATOLL_WIRE_RESTART    ///< the count went back: the device started anew
};
/** Where a DATA frame stands: *first the unwrapped index of its first scan, *missing the scans that
 *  are missing in front of it, of which *by_device were lost or slipped on the device itself. */
enum atoll_wire_order atoll_wire_follow(struct atoll_wire_track *t,
                                        const struct atoll_wire_frame *f, uint64_t *first,
                                        uint64_t *missing, uint64_t *by_device);

#ifdef __cplusplus
}
#endif
#endif
