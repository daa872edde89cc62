/* SPDX-License-Identifier: Apache-2.0 */
/* A recording written by hand: any header, scans of any waveform, markers, edges. */
#ifndef RECORDING_FIXTURE_H
#define RECORDING_FIXTURE_H

#include "../atoll_test.h"

#include <atoll/power.h>
#include <atoll_wire.h>

#include <math.h>

struct recording {
    FILE *f;
    uint8_t seq;
    double rate_hz;
    uint32_t n_samples;
};

static inline void rec_number(FILE *f, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        assert_true(fputc((int)(v >> (8 * i) & 0xff), f) != EOF);
    }
}

static inline void rec_chunk(struct recording *r, char kind, uint64_t t_ns)
{
    assert_true(fputc(kind, r->f) != EOF);
    rec_number(r->f, t_ns, 8);
}

static inline void rec_mark(struct recording *r, uint64_t t_ns, const char *label)
{
    rec_chunk(r, 'M', t_ns);
    rec_number(r->f, strlen(label), 1);
    assert_true(fputs(label, r->f) >= 0);
}

static inline void rec_frame(struct recording *r, struct atoll_wire_frame *f, uint64_t t_ns)
{
    uint8_t bytes[ATOLL_WIRE_FRAME_MAX];
    f->seq = r->seq++;
    const size_t n = atoll_wire_encode(f, bytes);
    assert_true(n > 0);
    rec_chunk(r, 'B', t_ns);
    rec_number(r->f, n, 4);
    assert_int_equal(fwrite(bytes, 1, n, r->f), n);
}

/* Header with these channels (JSON), start at 0, and the CONFIG of 16-bit samples. */
static inline struct recording rec_open(const char *path, double rate_hz, uint32_t n_samples,
                                        const char *channels)
{
    char text[2000];
    struct recording r = {.f = fopen(path, "wb"), .rate_hz = rate_hz, .n_samples = n_samples};
    const int n = snprintf(text, sizeof text,
                           "{\"schema\": \"atoll.power-record/1\", \"description\": \"by hand\", "
                           "\"origin\": \"measured\", \"rate_hz\": %g, \"u_rate_frac\": 0.001, "
                           "\"latency_ns\": 0, \"u_latency_ns\": 1000, \"n_samples\": %u, "
                           "\"channels\": [%s]}",
                           rate_hz, n_samples, channels);
    assert_true(r.f != NULL && n > 0 && (size_t)n < sizeof text);
    assert_true(fputs("ATOLLPWR", r.f) >= 0);
    rec_number(r.f, (uint64_t)n, 4);
    assert_true(fputs(text, r.f) >= 0);
    rec_chunk(&r, 'S', 0);
    struct atoll_wire_frame f = {.type = ATOLL_WIRE_CONFIG,
                                 .config = {.id = 1,
                                            .channels = (uint16_t)((1u << n_samples) - 1),
                                            .bits = 16,
                                            .conversions = 1,
                                            .adc_bits = 16,
                                            .tick_hz = 1000000000,
                                            .period_ticks = (uint32_t)(1e9 / rate_hz)}};
    rec_frame(&r, &f, 0);
    return r;
}

/* Scans [first, first + n) of code(channel, scan); markers go in between by themselves. */
static inline void rec_scans(struct recording *r, uint32_t first, uint32_t n,
                             double (*code)(uint32_t channel, uint32_t scan))
{
    uint16_t codes[ATOLL_WIRE_PAYLOAD_MAX / 2];
    uint8_t payload[ATOLL_WIRE_PAYLOAD_MAX];
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t c = 0; c < r->n_samples; c++) {
            codes[i * r->n_samples + c] = (uint16_t)lround(code(c, first + i));
        }
    }
    struct atoll_wire_frame f = {
        .type = ATOLL_WIRE_DATA,
        .data = {.config = 1, .first_scan = first, .n_scans = (uint8_t)n, .payload = payload}};
    f.data.payload_bytes = (uint8_t)atoll_wire_pack(payload, codes, (size_t)n * r->n_samples, 16);
    rec_frame(r, &f, (uint64_t)((first + n) / r->rate_hz * 1e9));
}

#define REC_CHANNEL                                                                                \
    "\"ma_per_code\": 0.1, \"zero_code\": 1000, \"u_gain_frac\": 0.001, \"gain_dof\": 9, "         \
    "\"u_reference_frac\": 0, \"u_zero_code\": 0.5, \"u_drift_code\": 0, \"drift_tau_s\": 300, "   \
    "\"noise_code\": 1, \"noise_dof\": 255"

#endif
