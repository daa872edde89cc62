/* SPDX-License-Identifier: Apache-2.0 */
/* Samples of 10, 12 or 16 bits as a string of bits, low bits first. */
#include "atoll_wire.h"

size_t atoll_wire_packed_bytes(size_t samples, uint8_t bits)
{
    return (samples * bits + 7) / 8;
}

uint8_t atoll_wire_count(uint16_t channels)
{
    uint8_t n = 0;
    for (; channels != 0; channels = (uint16_t)(channels & (channels - 1u))) {
        n++;
    }
    return n;
}

static void pack16(uint8_t *out, const uint16_t *samples, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = (uint8_t)samples[i];
        out[2 * i + 1] = (uint8_t)(samples[i] >> 8);
    }
}

/* Four samples are five bytes. Constant shifts, since the small processor has no others. */
static void pack10(uint8_t *out, const uint16_t *samples, size_t fours)
{
    for (; fours > 0; fours--, samples += 4) {
        *out++ = (uint8_t)samples[0];
        *out++ = (uint8_t)(samples[0] >> 8 | samples[1] << 2);
        *out++ = (uint8_t)(samples[1] >> 6 | samples[2] << 4);
        *out++ = (uint8_t)(samples[2] >> 4 | samples[3] << 6);
        *out++ = (uint8_t)(samples[3] >> 2);
    }
}

size_t atoll_wire_pack(uint8_t *out, const uint16_t *samples, size_t n, uint8_t bits)
{
    if (bits == 16) {
        pack16(out, samples, n);
        return 2 * n;
    }
    uint32_t held = 0; /* bits not written yet, fewer than 8 between samples */
    uint8_t n_held = 0;
    size_t at = 0;
    if (bits == 10) {
        pack10(out, samples, n / 4);
        at = n / 4 * 5;
        samples += n / 4 * 4;
        n %= 4;
    }
    for (size_t i = 0; i < n; i++) {
        held |= (uint32_t)samples[i] << n_held;
        n_held = (uint8_t)(n_held + bits);
        for (; n_held >= 8; n_held = (uint8_t)(n_held - 8)) {
            out[at++] = (uint8_t)held;
            held >>= 8;
        }
    }
    if (n_held > 0) {
        out[at++] = (uint8_t)held;
    }
    return at;
}

void atoll_wire_unpack(uint16_t *samples, size_t n, const uint8_t *in, uint8_t bits)
{
    if (bits == 16) {
        for (size_t i = 0; i < n; i++) {
            samples[i] = (uint16_t)(in[2 * i] | in[2 * i + 1] << 8);
        }
        return;
    }
    const uint32_t mask = (1u << bits) - 1;
    uint32_t held = 0;
    uint8_t n_held = 0;
    for (size_t i = 0; i < n; i++) {
        for (; n_held < bits; n_held = (uint8_t)(n_held + 8)) {
            held |= (uint32_t)*in++ << n_held;
        }
        samples[i] = (uint16_t)(held & mask);
        held >>= bits;
        n_held = (uint8_t)(n_held - bits);
    }
}
