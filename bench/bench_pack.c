/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Throughput of the code that a meter's firmware shares with the host: sums of conversions, packing
 * and framing, and decoding, for 8 channels in sums of 5 conversions, on this machine. The aim is
 * the STM32's target, 8 x 20 kHz; what the code costs on its core is counted by tests/firmware
 * (stm32_count).
 */
#include <atoll/base.h>
#include <atoll_wire.h>
#include <firmware_scan.h>

#include <stdio.h>

enum { CHANNELS = 8, CONVERSIONS = 5, SCANS = 14, FRAMES = 200000 };
#define AIM_SAMPLES_PER_S (8 * 20000.0)

static uint64_t sink;

static double report(const char *what, uint64_t from_ns, size_t bytes)
{
    const double s = (double)(atoll_now_ns() - from_ns) / 1e9;
    const double samples = (double)FRAMES * SCANS * CHANNELS / s;
    (void)printf("pack %-22s %6.1f million samples/s (%5.0f x 8 x 20 kHz), %6.1f MB/s\n", what,
                 samples / 1e6, samples / AIM_SAMPLES_PER_S, (double)bytes * FRAMES / s / 1e6);
    return samples;
}

static void sum_codes(struct fw_scan *s, const uint16_t *codes)
{
    const uint64_t from_ns = atoll_now_ns();
    for (uint32_t f = 0; f < FRAMES; f++) {
        for (uint32_t i = 0; i < SCANS; i++) {
            fw_scan_whole(s, codes + (f & 7) + i * CHANNELS * CONVERSIONS);
        }
        struct fw_block *b = &s->blocks[f & 1];
        sink += b->samples[f % FW_BLOCK_SAMPLES];
        b->ready = false;
    }
    (void)report("codes to sums", from_ns, SCANS * CHANNELS * CONVERSIONS * 2);
}

static size_t frame_sums(const uint16_t *samples, uint8_t bits, uint8_t *frame)
{
    const struct atoll_wire_data d = {.config = 1, .n_scans = SCANS};
    const uint64_t from_ns = atoll_now_ns();
    size_t bytes = 0;
    for (uint32_t f = 0; f < FRAMES; f++) {
        bytes = atoll_wire_encode_scans((uint8_t)f, &d, samples + (f & 7), SCANS * CHANNELS, bits,
                                        frame);
        sink += frame[f % bytes];
    }
    (void)report(bits == 16 ? "sums to frames, 16 bit" : "codes to frames, 12 bit", from_ns, bytes);
    return bytes;
}

static int decode(const uint8_t *frame, size_t bytes)
{
    struct atoll_wire_decoder d = {0};
    uint16_t samples[SCANS * CHANNELS];
    const uint64_t from_ns = atoll_now_ns();
    for (uint32_t i = 0; i < FRAMES; i++) {
        struct atoll_wire_frame f;
        bool got = false;
        (void)atoll_wire_decode(&d, frame, bytes, &f, &got);
        if (!got) {
            return 1;
        }
        atoll_wire_unpack(samples, SCANS * CHANNELS, f.data.payload, 16);
        sink += samples[i % (SCANS * CHANNELS)];
    }
    (void)report("frames to sums", from_ns, bytes);
    return 0;
}

int main(void)
{
    static struct fw_scan s = {
        .channels = CHANNELS, .conversions = CONVERSIONS, .block_scans = SCANS};
    static uint16_t codes[8 + SCANS * CHANNELS * CONVERSIONS];
    uint8_t frame[ATOLL_WIRE_FRAME_MAX];
    for (uint32_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        codes[i] = (uint16_t)(i * 2654435761u >> 20);
    }
    fw_scan_start(&s);
    sum_codes(&s, codes);
    (void)frame_sums(codes, 12, frame);
    const size_t bytes = frame_sums(codes, 16, frame);
    return decode(frame, bytes) + (sink == 0);
}
