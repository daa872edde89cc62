/* SPDX-License-Identifier: Apache-2.0 */
/* Scans of foreign meters into frames, and the options behind a meter's name. */
#include "frames.h"

#include <string.h>

void atoll__power_frames_init(struct power_frames *f, uint32_t n_samples, uint8_t adc_bits,
                              double rate_hz)
{
    *f = (struct power_frames){.n_samples = n_samples, .adc_bits = adc_bits, .rate_hz = rate_hz};
}

static void send(struct power_frames *f, struct atoll_meter *m, struct atoll_wire_frame *w,
                 uint64_t arrival_ns)
{
    uint8_t bytes[ATOLL_WIRE_FRAME_MAX];
    w->seq = f->seq++;
    atoll_meter_push(m, bytes, atoll_wire_encode(w, bytes), arrival_ns);
}

static void send_config(struct power_frames *f, struct atoll_meter *m, uint64_t arrival_ns)
{
    struct atoll_wire_frame w = {.type = ATOLL_WIRE_CONFIG,
                                 .config = {.id = 1,
                                            .channels = (uint16_t)((1u << f->n_samples) - 1),
                                            .bits = 16,
                                            .conversions = 1,
                                            .adc_bits = f->adc_bits,
                                            .tick_hz = 1000000000,
                                            .period_ticks = (uint32_t)(1e9 / f->rate_hz + 0.5)}};
    send(f, m, &w, arrival_ns);
}

void atoll__power_frames_flush(struct power_frames *f, struct atoll_meter *m, uint64_t end_ns)
{
    uint8_t payload[ATOLL_WIRE_PAYLOAD_MAX];
    if (f->pending == 0) {
        return;
    }
    if (f->since_config == 0) { /* again now and then, so that each part of a recording has it */
        send_config(f, m, end_ns);
    }
    f->since_config = (f->since_config + 1) % 64;
    const size_t n = atoll_wire_pack(payload, f->codes, (size_t)f->pending * f->n_samples, 16);
    struct atoll_wire_frame w = {.type = ATOLL_WIRE_DATA,
                                 .data = {.config = 1,
                                          .first_scan = f->first,
                                          .lost = f->lost,
                                          .n_scans = (uint8_t)f->pending,
                                          .payload_bytes = (uint8_t)n,
                                          .payload = payload}};
    f->first += f->pending;
    f->pending = 0;
    send(f, m, &w, end_ns);
}

void atoll__power_frames_add(struct power_frames *f, struct atoll_meter *m, const uint16_t *codes,
                             uint64_t end_ns)
{
    memcpy(f->codes + (size_t)f->pending * f->n_samples, codes, f->n_samples * sizeof *codes);
    f->pending++;
    if ((f->pending + 1) * f->n_samples > FRAME_CODES) {
        atoll__power_frames_flush(f, m, end_ns);
    }
}

void atoll__power_frames_skip(struct power_frames *f, struct atoll_meter *m, uint32_t n,
                              uint64_t end_ns)
{
    atoll__power_frames_flush(f, m, end_ns);
    f->first += n;
    f->lost = (uint16_t)(f->lost + n);
}

/* ---------------------------------------------------------------------- options */

static int fail_option(const char *meter, const char *item, const struct power_option *options,
                       size_t n, struct atoll_err *err)
{
    struct atoll_buf known = {0};
    for (size_t i = 0; i < n; i++) {
        atoll_buf_printf(&known, "%s%s=%g..%g", i > 0 ? ", " : "", options[i].key, options[i].low,
                         options[i].high);
    }
    const int rc = atoll_fail(err, ATOLL_EUSAGE, "meter %s: '%s' (expected %s)", meter, item,
                              known.data != NULL ? known.data : "no options");
    atoll_buf_finish(&known);
    return rc;
}

static bool set_option(const char *item, const struct power_option *options, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const size_t key = strlen(options[i].key);
        double v = 0;
        if (strncmp(item, options[i].key, key) == 0 && item[key] == '=' &&
            atoll_parse_double(item + key + 1, &v) && v >= options[i].low && v <= options[i].high) {
            *options[i].to = v;
            return true;
        }
    }
    return false;
}

int atoll__power_options(const char *meter, const char *arg, char *first, size_t n,
                         const struct power_option *options, size_t n_options,
                         struct atoll_err *err)
{
    const char *at = arg != NULL ? arg : "";
    const size_t length = strcspn(at, ",");
    if (length >= n) {
        return atoll_fail(err, ATOLL_EUSAGE, "meter %s: a name of %zu bytes (expected at most %zu)",
                          meter, length, n - 1);
    }
    memcpy(first, at, length);
    first[length] = '\0';
    for (at += length; *at == ',';) {
        char item[64];
        const size_t item_length = strcspn(at + 1, ",");
        (void)snprintf(item, sizeof item, "%.*s", item_length < 60 ? (int)item_length : 60, at + 1);
        if (!set_option(item, options, n_options)) {
            return fail_option(meter, item, options, n_options, err);
        }
        at += 1 + item_length;
    }
    return 0;
}
