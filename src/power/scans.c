/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to scans: decoding, order, gaps, the ring of recent scans with running sums. */
#include "power_internal.h"

#include <math.h>
#include <string.h>

enum { GAPS_MAX = 100000 };

static const char cause_line[] = "frames lost on the line";
static const char cause_device[] = "scans lost by the device";
static const char cause_restart[] = "device restarted";
static const char cause_range[] = "over range";

int atoll__power_ring_init(struct atoll_meter *m, struct atoll_err *err)
{
    /* 16 scans and 5 ms, more where the latency is not known yet: what the time map may still move
     * a marker by */
    const double reach_s = fmax(0.005, 8e-9 * m->setup.u_latency_ns);
    m->half_window = 16 + (uint32_t)(m->setup.rate_hz * reach_s);
    m->ring_rows = 1;
    while (m->ring_rows < 4 * m->half_window + 512) {
        m->ring_rows *= 2;
    }
    m->ring_codes = atoll_calloc((size_t)m->ring_rows * m->n_samples, sizeof *m->ring_codes);
    m->ring_sums = atoll_calloc((size_t)m->ring_rows * m->n_sums, sizeof *m->ring_sums);
    if (m->ring_codes == NULL || m->ring_sums == NULL) {
        return atoll_fail_nomem(err, "recent scans",
                                (size_t)m->ring_rows * (2 * m->n_samples + 8 * m->n_sums));
    }
    return 0;
}

static void add_gap(struct atoll_meter *m, uint64_t from, uint64_t to, const char *cause)
{
    struct power_gap *last = m->n_gaps > 0 ? &m->gaps[m->n_gaps - 1] : NULL;
    if (last != NULL && (m->n_gaps == GAPS_MAX || (last->to >= from && last->cause == cause))) {
        last->to = to; /* joins its neighbour; past the limit the last gap swallows what follows */
        return;
    }
    void *gaps = m->gaps;
    if (atoll_grow(&gaps, &m->gaps_capacity, m->n_gaps + 1, sizeof *m->gaps) != 0) {
        m->failed = ATOLL_ENOMEM;
        return;
    }
    m->gaps = gaps;
    m->gaps[m->n_gaps++] = (struct power_gap){.from = from, .to = to, .cause = cause};
}

static void keep_row(struct atoll_meter *m, const uint16_t *codes)
{
    const size_t at = (size_t)(m->next - m->first) * m->n_samples;
    void *kept = m->kept_codes;
    if (atoll_grow(&kept, &m->kept_capacity, at + m->n_samples, sizeof *m->kept_codes) != 0) {
        m->failed = ATOLL_ENOMEM;
        return;
    }
    m->kept_codes = kept;
    memcpy(m->kept_codes + at, codes, m->n_samples * sizeof *codes);
}

/* Sums of current times voltage: of the same scan, and of neighbours. Where the voltage is sampled
 * first, the one that follows the current is that of the next scan; else it is the other way
 * round. */
static void add_products(const struct atoll_meter *m, const uint16_t *codes, const uint16_t *before,
                         uint64_t *sums, const uint64_t *sums_before)
{
    for (uint32_t r = 0; r < m->n; r++) {
        const struct atoll_meter_voltage *v = &m->setup.voltages[r];
        const struct atoll_meter_channel *c = &m->setup.channels[r];
        if (v->measured) {
            const uint32_t at = m->product_at[r];
            const uint64_t beside = c->skew >= v->skew ? (uint64_t)before[c->at] * codes[v->at]
                                                       : (uint64_t)codes[c->at] * before[v->at];
            sums[at] = sums_before[at] + (uint64_t)codes[c->at] * codes[v->at];
            sums[at + 1] = sums_before[at + 1] + beside;
        }
    }
}

/* Appends one scan at `next`. */
static void append(struct atoll_meter *m, const uint16_t *codes)
{
    const uint32_t mask = m->ring_rows - 1;
    const size_t row = (size_t)(m->next & mask);
    const size_t before = (size_t)((m->next - 1) & mask);
    uint16_t *ring_codes = m->ring_codes + row * m->n_samples;
    uint64_t *sums = m->ring_sums + row * m->n_sums;
    const uint64_t *sums_before = m->ring_sums + before * m->n_sums;
    for (uint32_t c = 0; c < m->n_samples; c++) {
        ring_codes[c] = codes[c];
        sums[c] = sums_before[c] + codes[c];
    }
    if (m->n_sums > m->n_samples) {
        add_products(m, codes, m->ring_codes + before * m->n_samples, sums, sums_before);
    }
    if (m->keep && m->failed == 0) {
        keep_row(m, codes);
    }
    m->next++;
    if (m->next - m->ring_first > m->ring_rows) {
        m->ring_first = m->next - m->ring_rows;
    }
}

/* Bridges a gap with a straight line, so that sums stay usable; the gap is on record. */
static void bridge(struct atoll_meter *m, uint64_t missing, const uint16_t *after)
{
    const size_t last = (size_t)((m->next - 1) & (m->ring_rows - 1)) * m->n_samples;
    uint16_t before[ATOLL_WIRE_CHANNELS_MAX];
    memcpy(before, m->ring_codes + last, m->n_samples * sizeof before[0]);
    for (uint64_t i = 1; i <= missing; i++) {
        uint16_t codes[ATOLL_WIRE_CHANNELS_MAX];
        const double f = (double)i / (double)(missing + 1);
        for (uint32_t c = 0; c < m->n_samples; c++) {
            codes[c] = (uint16_t)(before[c] + f * ((double)after[c] - before[c]) + 0.5);
        }
        append(m, codes);
        if ((i & 255) == 0) {
            atoll__power_keep_windows(m);
        }
    }
}

static void check_range(struct atoll_meter *m, const uint16_t *codes)
{
    bool over = false;
    for (uint32_t c = 0; c < m->n_samples; c++) { /* a rail that is off has a voltage of 0 */
        over = over || (codes[c] == 0 && !m->is_voltage[c]) || codes[c] >= m->full_code;
    }
    if (over) {
        add_gap(m, m->next, m->next + 1, cause_range);
    }
}

/* Scans that passed while the device was down, by the clock of the host. */
static uint64_t missed_by_restart(const struct atoll_meter *m, uint8_t n_scans, uint64_t arrival_ns)
{
    const double edge = atoll__power_timemap_edge(&m->map, arrival_ns) -
                        m->map.latency_ns / atoll__power_timemap_period_ns(&m->map);
    const double missing = edge - n_scans - (double)m->next;
    return missing > 1 ? (uint64_t)missing : 1;
}

/* More missing scans than this in one run (18 hours at 1 kHz) mean that the count is damaged, or
 * that somebody wrote the recording by hand. */
static const uint64_t missing_max = 1u << 26;

static void take_data(struct atoll_meter *m, const struct atoll_wire_frame *f, uint64_t arrival_ns)
{
    const struct atoll_wire_data *d = &f->data;
    uint16_t codes[ATOLL_WIRE_PAYLOAD_MAX];
    uint64_t first = 0;
    uint64_t missing = 0;
    uint64_t by_device = 0;
    const size_t samples = (size_t)d->n_scans * m->n_samples;
    if (!m->configured || d->config != m->config.id || samples > ATOLL_WIRE_PAYLOAD_MAX ||
        d->payload_bytes != atoll_wire_packed_bytes(samples, m->config.bits)) {
        return; /* what follows shows the scans as missing */
    }
    const enum atoll_wire_order order =
        atoll_wire_follow(&m->track, f, &first, &missing, &by_device);
    if (order == ATOLL_WIRE_DUPLICATE) {
        return;
    }
    atoll_wire_unpack(codes, samples, d->payload, m->config.bits);
    const char *cause = by_device > 0 ? cause_device : cause_line;
    if (m->first == UINT64_MAX) {
        m->first = m->next = m->ring_first = first;
        missing = 0;
    } else if (order == ATOLL_WIRE_RESTART) {
        missing = missed_by_restart(m, d->n_scans, arrival_ns);
        cause = cause_restart;
    }
    if (missing > missing_max - m->bridged) {
        m->failed = ATOLL_EDEVICE;
        return;
    }
    if (missing > 0) {
        add_gap(m, m->next, m->next + missing, cause);
        bridge(m, missing, codes);
        m->bridged += missing;
    }
    for (uint8_t i = 0; i < d->n_scans; i++) {
        check_range(m, codes + (size_t)i * m->n_samples);
        append(m, codes + (size_t)i * m->n_samples);
    }
    atoll__power_timemap_add(&m->map, (double)m->next, arrival_ns);
}

static void take_config(struct atoll_meter *m, const struct atoll_wire_config *c)
{
    m->configured = atoll_wire_count(c->channels) == m->n_samples;
    m->config = *c;
    const uint32_t full = c->conversions * ((1u << c->adc_bits) - 1);
    m->full_code = (uint16_t)(full < UINT16_MAX ? full : UINT16_MAX);
}

/* An edge at the device's marker input is a marker, placed by the device itself. */
static void take_event(struct atoll_meter *m, const struct atoll_wire_event *e)
{
    if (e->cause == ATOLL_WIRE_COMMAND || m->first == UINT64_MAX) {
        return;
    }
    char label[40];
    const int32_t ahead = (int32_t)(e->scan - (uint32_t)m->track.next_scan);
    const double edge = (double)m->next + ahead + e->fraction / 65536.0;
    (void)snprintf(label, sizeof label, "%s edge %u",
                   e->cause == ATOLL_WIRE_RISING ? "rising" : "falling", e->id);
    if (edge >= (double)m->ring_first) {
        atoll__power_mark_edge(m, edge, label);
    }
}

static void take(struct atoll_meter *m, const struct atoll_wire_frame *f, uint64_t arrival_ns)
{
    switch (f->type) {
    case ATOLL_WIRE_DATA:
        take_data(m, f, arrival_ns);
        break;
    case ATOLL_WIRE_CONFIG:
        take_config(m, &f->config);
        break;
    case ATOLL_WIRE_EVENT:
        take_event(m, &f->event);
        break;
    default: /* identity, markers and health: for the drivers of hardware */
        if (m->driver->frame != NULL) {
            m->driver->frame(m->state, m, f, arrival_ns);
        }
    }
}

void atoll_meter_push(struct atoll_meter *m, const uint8_t *bytes, size_t n, uint64_t arrival_ns)
{
    atoll__power_record_bytes(m, bytes, n, arrival_ns);
    while (n > 0) {
        struct atoll_wire_frame f;
        bool got = false;
        const size_t taken = atoll_wire_decode(&m->decoder, bytes, n, &f, &got);
        bytes += taken;
        n -= taken;
        if (got) {
            take(m, &f, arrival_ns);
            atoll__power_keep_windows(m); /* after a stall many frames come at once */
        }
    }
}

double atoll__power_node(const struct atoll_meter *m, uint64_t t_ns)
{
    return atoll__power_timemap_edge(&m->map, t_ns) - 0.5;
}
