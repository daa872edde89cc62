/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recordings: what arrived, as it arrived, so that a replay takes the same way as the meter did.
 * "ATOLLPWR", length u32, that many bytes of JSON (rate, channels with their calibration), then
 * chunks; all numbers little-endian:
 *   'S' t u64                   start
 *   'B' arrival u64, n u32, n bytes
 *   'M' t u64, n u8, n bytes    marker and its label
 *   'L' latency u64, 8 u8, u64  what the meter learnt of its latency and the uncertainty of it, ns
 * A file that ends in the middle of a chunk (disk full, power cut) is good up to there.
 */
#include "power_internal.h"

#include <atoll/json.h>

#include <errno.h>
#include <math.h>
#include <string.h>

static json_t *voltage_json(const struct atoll_meter_voltage *v)
{
    json_t *j = json_object();
    int rc = atoll_json_set_number(j, "zero_code", v->zero_code);
    rc |= atoll_json_set_number(j, "mv_per_code", v->mv_per_code);
    rc |= atoll_json_set_number(j, "u_gain_frac", v->u_gain_frac);
    rc |= atoll_json_set_number(j, "u_zero_code", v->u_zero_code);
    rc |= atoll_json_set_number(j, "noise_code", v->noise_code);
    rc |= atoll_json_set_number(j, "at", v->at);
    rc |= atoll_json_set_number(j, "skew", v->skew);
    if (rc != 0) {
        json_decref(j);
        return NULL;
    }
    return j;
}

static json_t *channel_json(const struct atoll_meter *m, uint32_t i)
{
    const struct atoll_meter_channel *c = &m->setup.channels[i];
    json_t *j = json_object();
    const struct {
        const char *key;
        double value;
    } fields[] = {{"volt", c->volt},
                  {"u_volt_frac", c->u_volt_frac},
                  {"at", c->at},
                  {"skew", c->skew},
                  {"zero_code", c->zero_code},
                  {"ma_per_code", c->ma_per_code},
                  {"u_gain_frac", c->u_gain_frac},
                  {"gain_dof", c->gain_dof},
                  {"u_reference_frac", c->u_reference_frac},
                  {"u_zero_code", c->u_zero_code},
                  {"u_drift_code", c->u_drift_code},
                  {"drift_tau_s", c->drift_tau_s},
                  {"noise_code", c->noise_code},
                  {"noise_dof", c->noise_dof}};
    int rc = json_object_set_new(j, "name", json_string(m->rails[i].name));
    for (size_t k = 0; k < sizeof fields / sizeof fields[0]; k++) {
        rc |= atoll_json_set_number(j, fields[k].key, fields[k].value);
    }
    if (m->setup.voltages[i].measured) {
        rc |= json_object_set_new(j, "voltage", voltage_json(&m->setup.voltages[i]));
    }
    if (rc != 0) {
        json_decref(j);
        return NULL;
    }
    return j;
}

static json_t *header_json(const struct atoll_meter *m)
{
    json_t *channels = json_array();
    json_t *j = json_object();
    int rc = json_object_set_new(j, "schema", json_string("atoll.power-record/1"));
    rc |= json_object_set_new(j, "description", json_string(m->setup.description));
    rc |= json_object_set_new(j, "origin", json_string(atoll_origin_name(m->setup.origin)));
    rc |= atoll_json_set_number(j, "rate_hz", m->setup.rate_hz);
    rc |= atoll_json_set_number(j, "u_rate_frac", m->setup.u_rate_frac);
    rc |= atoll_json_set_number(j, "latency_ns", m->setup.latency_ns);
    rc |= atoll_json_set_number(j, "u_latency_ns", m->setup.u_latency_ns);
    rc |= atoll_json_set_number(j, "jitter_ns", m->setup.jitter_ns);
    rc |= atoll_json_set_number(j, "n_samples", m->setup.n_samples);
    rc |= atoll_json_set_number(j, "conversions", m->setup.conversions);
    rc |= json_object_set_new(j, "watts", json_boolean(m->setup.watts));
    for (uint32_t i = 0; i < m->n; i++) {
        rc |= json_array_append_new(channels, channel_json(m, i));
    }
    rc |= json_object_set_new(j, "channels", channels);
    if (rc != 0) {
        json_decref(j);
        return NULL;
    }
    return j;
}

static void put(FILE *f, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        (void)fputc((int)(v >> (8 * i) & 0xff), f);
    }
}

static bool put_header(FILE *f, const char *text, size_t n)
{
    (void)fputs(ATOLL_RECORD_MAGIC, f);
    put(f, n, 4);
    return fwrite(text, 1, n, f) == n && ferror(f) == 0;
}

int atoll_meter_record(struct atoll_meter *m, const char *path, struct atoll_err *err)
{
    if (m->record != NULL || m->started) {
        return atoll_fail(err, ATOLL_EUSAGE, "meter: a recording begins before start, once");
    }
    size_t n = 0;
    json_t *j = header_json(m);
    char *text = j != NULL ? atoll_json_text(j, &n) : NULL;
    json_decref(j);
    if (text == NULL) {
        return atoll_fail_nomem(err, "header of a recording", 0);
    }
    int rc = 0;
    FILE *f = fopen(path, "wb");
    if (f == NULL || !put_header(f, text, n)) {
        rc =
            atoll_fail(err, ATOLL_EIO, "%s: cannot write the recording: %s", path, strerror(errno));
    }
    atoll_free(text);
    if (rc != 0 && f != NULL) {
        (void)fclose(f);
    }
    m->record = rc == 0 ? f : NULL;
    return rc;
}

/* Errors of the stream stay set and are answered by record_stop. */
void atoll__power_record_bytes(struct atoll_meter *m, const uint8_t *bytes, size_t n,
                               uint64_t arrival_ns)
{
    if (m->record != NULL && n <= UINT32_MAX) {
        (void)fputc('B', m->record);
        put(m->record, arrival_ns, 8);
        put(m->record, n, 4);
        (void)fwrite(bytes, 1, n, m->record);
    }
}

void atoll__power_record_start(struct atoll_meter *m, uint64_t t_ns)
{
    if (m->record != NULL) {
        (void)fputc('S', m->record);
        put(m->record, t_ns, 8);
    }
}

void atoll__power_record_mark(struct atoll_meter *m, uint64_t t_ns, const char *label)
{
    if (m->record != NULL) {
        const size_t n = strlen(label) < 255 ? strlen(label) : 255;
        (void)fputc('M', m->record);
        put(m->record, t_ns, 8);
        put(m->record, n, 1);
        (void)fwrite(label, 1, n, m->record);
    }
}

int atoll_meter_record_stop(struct atoll_meter *m, struct atoll_err *err)
{
    if (m->record == NULL) {
        return 0;
    }
    if (m->started) {
        (void)fputc('L', m->record);
        put(m->record, (uint64_t)fmax(m->map.latency_ns, 0), 8);
        put(m->record, 8, 1);
        put(m->record, (uint64_t)m->map.u_latency_ns, 8);
    }
    errno = 0;
    bool bad = ferror(m->record) != 0;
    bad = fclose(m->record) != 0 || bad;
    m->record = NULL;
    return bad ? atoll_fail(err, ATOLL_EIO, "recording: not all could be written: %s",
                            errno != 0 ? strerror(errno) : "the disk is full or gone")
               : 0;
}

int atoll_meter_write_csv(struct atoll_meter *m, const char *path, struct atoll_err *err)
{
    struct atoll_trace t;
    struct atoll_buf b = {0};
    int rc = atoll_meter_trace(m, &t, err);
    if (rc != 0) {
        return rc;
    }
    atoll_buf_printf(&b, "# atoll power trace 1; %s; %s\nt_s", atoll_origin_name(m->setup.origin),
                     m->setup.description);
    for (uint32_t c = 0; c < m->n; c++) {
        atoll_buf_printf(&b, ",%s_w", m->rails[c].name);
    }
    for (size_t i = 0; i < t.n; i++) {
        const bool before = t.t_ns[i] < m->start_ns;
        const uint64_t ns = before ? m->start_ns - t.t_ns[i] : t.t_ns[i] - m->start_ns;
        atoll_buf_printf(&b, "\n%s%llu.%09llu", before ? "-" : "",
                         (unsigned long long)(ns / 1000000000),
                         (unsigned long long)(ns % 1000000000));
        for (uint32_t c = 0; c < m->n; c++) {
            char watt[40];
            const double mw = (double)t.rail_mw[i * m->n + c];
            atoll_format_double(watt, (double)(int64_t)(mw * 1e3 + (mw < 0 ? -0.5 : 0.5)) / 1e6);
            atoll_buf_printf(&b, ",%s", watt);
        }
    }
    atoll_buf_puts(&b, "\n");
    rc = b.failed ? atoll_fail_nomem(err, "csv", b.cap)
                  : atoll_write_file(path, b.data, b.size, err);
    atoll_buf_finish(&b);
    return rc;
}
