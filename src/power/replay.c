/* SPDX-License-Identifier: Apache-2.0 */
/* The replay meter: a recording (record.c) as a meter. Its start is moved to the start asked for,
 * so that a recording can be laid under any run; its own markers come along. */
#include "power_internal.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

enum { HEADER_MAX = 1 << 20 };

struct replay {
    struct atoll_map map;
    size_t at;
    uint64_t recorded_start_ns, start_ns;
};

static uint64_t number(const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++) {
        v |= (uint64_t)p[i] << (8 * i);
    }
    return v;
}

/* ------------------------------------------------------------------- header */

/* A number of the header within [low, high]; null means infinite where that is allowed. */
static int get(const json_t *j, const char *path, const char *key, double low, double high,
               double *out, struct atoll_err *err)
{
    const json_t *v = json_object_get(j, key);
    const bool infinite = v != NULL && json_is_null(v) && isinf(high);
    const double number_value = infinite            ? INFINITY
                                : json_is_number(v) ? json_number_value(v)
                                                    : NAN;
    if (!(number_value >= low && number_value <= high)) {
        return atoll_fail(err, ATOLL_EINPUT,
                          "%s: header: '%s' is missing or out of range (expected %g to %g)", path,
                          key, low, high);
    }
    *out = number_value;
    return 0;
}

/* The same for a number that recordings of older versions do not have: then 0. */
static int get_newer(const json_t *j, const char *path, const char *key, double low, double high,
                     double *out, struct atoll_err *err)
{
    *out = 0;
    return json_object_get(j, key) == NULL ? 0 : get(j, path, key, low, high, out, err);
}

static int get_place(const json_t *j, const char *path, uint32_t *at, double *skew,
                     struct atoll_err *err)
{
    double place = 0;
    int rc = get_newer(j, path, "at", 0, ATOLL_WIRE_CHANNELS_MAX - 1, &place, err);
    *at = (uint32_t)place;
    return rc == 0 ? get_newer(j, path, "skew", -0.5, 0.5, skew, err) : rc;
}

static int get_voltage(const json_t *j, const char *path, struct atoll_meter_voltage *v,
                       struct atoll_err *err)
{
    if (j == NULL) {
        return 0;
    }
    v->measured = true;
    int rc = get(j, path, "zero_code", -1e6, 1e6, &v->zero_code, err);
    rc = rc == 0 ? get(j, path, "mv_per_code", 1e-9, 1e6, &v->mv_per_code, err) : rc;
    rc = rc == 0 ? get(j, path, "u_gain_frac", 0, 1, &v->u_gain_frac, err) : rc;
    rc = rc == 0 ? get(j, path, "u_zero_code", 0, 1e6, &v->u_zero_code, err) : rc;
    rc = rc == 0 ? get(j, path, "noise_code", 0, 1e6, &v->noise_code, err) : rc;
    return rc == 0 ? get_place(j, path, &v->at, &v->skew, err) : rc;
}

static int get_channel(const json_t *j, const char *path, struct atoll_meter_channel *c,
                       struct atoll_err *err)
{
    const struct {
        const char *key;
        double low, high;
        double *out;
    } fields[] = {{"volt", 1e-3, 1e4, &c->volt},
                  {"zero_code", -1e6, 1e6, &c->zero_code},
                  {"ma_per_code", 1e-9, 1e6, &c->ma_per_code},
                  {"u_gain_frac", 0, 1, &c->u_gain_frac},
                  {"gain_dof", 1, INFINITY, &c->gain_dof},
                  {"u_reference_frac", 0, 1, &c->u_reference_frac},
                  {"u_zero_code", 0, 1e6, &c->u_zero_code},
                  {"u_drift_code", 0, 1e6, &c->u_drift_code},
                  {"drift_tau_s", 0, 1e9, &c->drift_tau_s},
                  {"noise_code", 0, 1e6, &c->noise_code},
                  {"noise_dof", 1, INFINITY, &c->noise_dof}};
    int rc = 0;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0] && rc == 0; i++) {
        rc = get(j, path, fields[i].key, fields[i].low, fields[i].high, fields[i].out, err);
    }
    rc = rc == 0 ? get_newer(j, path, "u_volt_frac", 0, 1, &c->u_volt_frac, err) : rc;
    return rc == 0 ? get_place(j, path, &c->at, &c->skew, err) : rc;
}

/* Every channel lies within a scan. */
static int check_places(const struct atoll_meter_setup *s, const char *path, struct atoll_err *err)
{
    const uint32_t samples = s->n_samples > 0 ? s->n_samples : s->n_rails;
    for (uint32_t i = 0; i < s->n_rails; i++) {
        const struct atoll_meter_voltage *v = &s->voltages[i];
        if ((s->n_samples > 0 && s->channels[i].at >= samples) ||
            (v->measured && v->at >= samples)) {
            return atoll_fail(err, ATOLL_EINPUT,
                              "%s: header: channel %u lies outside a scan of %u samples", path, i,
                              samples);
        }
    }
    return 0;
}

static int read_setup(const json_t *j, const char *path, const struct atoll_meter_opts *o,
                      struct atoll_meter_setup *s, struct atoll_err *err)
{
    const char *schema = json_string_value(json_object_get(j, "schema"));
    const char *description = json_string_value(json_object_get(j, "description"));
    const char *origin = json_string_value(json_object_get(j, "origin"));
    const json_t *channels = json_object_get(j, "channels");
    if (schema == NULL || strcmp(schema, "atoll.power-record/1") != 0) {
        return atoll_fail(err, ATOLL_EINPUT,
                          "%s: header: schema '%.60s' (expected atoll.power-record/1)", path,
                          schema != NULL ? schema : "");
    }
    const size_t n = json_array_size(channels);
    if (o->n_rails == 0 ? n == 0 || n > ATOLL_METER_RAILS_MAX : n != o->n_rails) {
        return atoll_fail(err, ATOLL_EINPUT,
                          "%s: recorded with %zu channels, but %u rails are expected", path, n,
                          o->n_rails > 0 ? o->n_rails : ATOLL_METER_RAILS_MAX);
    }
    (void)snprintf(s->description, sizeof s->description, "recording: %s",
                   description != NULL ? description : "");
    s->origin = origin != NULL && strcmp(origin, "measured") == 0 ? ATOLL_ORIGIN_MEASURED
                                                                  : ATOLL_ORIGIN_SIMULATED;
    int rc = get(j, path, "rate_hz", 1e-3, 1e6, &s->rate_hz, err);
    rc = rc == 0 ? get(j, path, "u_rate_frac", 0, 1, &s->u_rate_frac, err) : rc;
    rc = rc == 0 ? get(j, path, "latency_ns", 0, 1e10, &s->latency_ns, err) : rc;
    rc = rc == 0 ? get(j, path, "u_latency_ns", 0, 1e10, &s->u_latency_ns, err) : rc;
    rc = rc == 0 ? get_newer(j, path, "jitter_ns", 0, 1e10, &s->jitter_ns, err) : rc;
    double samples = 0;
    rc = rc == 0 ? get_newer(j, path, "n_samples", 0, ATOLL_WIRE_CHANNELS_MAX, &samples, err) : rc;
    s->n_samples = (uint32_t)samples;
    rc = rc == 0 ? get_newer(j, path, "conversions", 0, 255, &s->conversions, err) : rc;
    s->watts = json_is_true(json_object_get(j, "watts"));
    s->n_rails = (uint32_t)n;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        const json_t *c = json_array_get(channels, i);
        const char *name = json_string_value(json_object_get(c, "name"));
        (void)snprintf(s->names[i], sizeof s->names[i], "%s", name != NULL ? name : "");
        rc = get_channel(c, path, &s->channels[i], err);
        rc = rc == 0 ? get_voltage(json_object_get(c, "voltage"), path, &s->voltages[i], err) : rc;
    }
    return rc == 0 ? check_places(s, path, err) : rc;
}

static int read_header(struct replay *r, const char *path, const struct atoll_meter_opts *o,
                       struct atoll_meter_setup *s, struct atoll_err *err)
{
    const size_t magic = sizeof ATOLL_RECORD_MAGIC - 1;
    if (r->map.size < magic + 4 || memcmp(r->map.data, ATOLL_RECORD_MAGIC, magic) != 0) {
        return atoll_fail(err, ATOLL_EINPUT,
                          "%s: not a power recording (expected it to begin with %s)", path,
                          ATOLL_RECORD_MAGIC);
    }
    const uint64_t n = number(r->map.data + magic, 4);
    if (n > HEADER_MAX || n > r->map.size - magic - 4) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: header of %llu bytes in a file of %zu", path,
                          (unsigned long long)n, r->map.size);
    }
    json_error_t why;
    json_t *j =
        json_loadb((const char *)r->map.data + magic + 4, (size_t)n, JSON_REJECT_DUPLICATES, &why);
    if (j == NULL) {
        return atoll_fail(err, ATOLL_EINPUT, "%s: header: line %d: %s", path, why.line, why.text);
    }
    const int rc = read_setup(j, path, o, s, err);
    json_decref(j);
    r->at = magic + 4 + (size_t)n;
    return rc;
}

/* ------------------------------------------------------------------- chunks */

struct chunk {
    char kind;
    uint64_t t_ns;
    const uint8_t *bytes;
    size_t n, end;
};

/* The chunk at r->at; false at the end, at a cut, and at what is no chunk. */
static bool peek(const struct replay *r, struct chunk *c)
{
    const size_t left = r->map.size - r->at;
    const uint8_t *p = r->map.data + r->at;
    if (left < 9) {
        return false;
    }
    const size_t length_bytes = p[0] == 'B' ? 4 : p[0] == 'M' || p[0] == 'L' ? 1 : 0;
    if ((length_bytes == 0 && p[0] != 'S') || left < 9 + length_bytes) {
        return false;
    }
    const uint64_t n = number(p + 9, (int)length_bytes);
    if (n > left - 9 - length_bytes) {
        return false;
    }
    *c = (struct chunk){.kind = (char)p[0],
                        .t_ns = number(p + 1, 8),
                        .bytes = p + 9 + length_bytes,
                        .n = (size_t)n,
                        .end = r->at + 9 + length_bytes + (size_t)n};
    return true;
}

static uint64_t shifted(const struct replay *r, uint64_t t_ns)
{
    return t_ns - r->recorded_start_ns + r->start_ns; /* modulo 2^64: also before the start */
}

static int take_marker(const struct replay *r, struct atoll_meter *m, const struct chunk *c,
                       struct atoll_err *err)
{
    char label[256];
    memcpy(label, c->bytes, c->n);
    label[c->n] = '\0';
    const int32_t made = atoll__power_mark(m, shifted(r, c->t_ns), label, err);
    return made < 0 ? made : 0;
}

/* What the meter knew of its latency at the end holds for the whole recording. */
static void take_latency(struct atoll_meter *m, const struct chunk *c)
{
    const uint64_t most_ns = UINT64_C(10000000000);
    const uint64_t u_ns = c->n == 8 ? number(c->bytes, 8) : UINT64_MAX;
    if (c->t_ns <= most_ns && u_ns <= most_ns) {
        m->map.latency_ns = (double)c->t_ns;
        m->map.u_latency_ns = (double)u_ns;
    }
}

/* Pushes chunks stamped up to t_ns, or all that are left. */
static int play(struct replay *r, struct atoll_meter *m, uint64_t t_ns, bool all,
                struct atoll_err *err)
{
    struct chunk c;
    int rc = 0;
    while (rc == 0 && peek(r, &c)) {
        const bool timed = c.kind == 'B' || c.kind == 'M';
        if (!all && timed && atoll__power_since(shifted(r, c.t_ns), t_ns) > 0) {
            return 0;
        }
        if (c.kind == 'B') {
            atoll_meter_push(m, c.bytes, c.n, shifted(r, c.t_ns));
        } else if (c.kind == 'M') {
            rc = take_marker(r, m, &c, err);
        } else if (c.kind == 'L') {
            take_latency(m, &c);
        }
        r->at = c.end;
    }
    return rc;
}

static int replay_start(void *state, struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err)
{
    struct replay *r = state;
    struct chunk c;
    const size_t begin = r->at;
    while (peek(r, &c) && c.kind != 'S') {
        r->at = c.end;
    }
    if (!peek(r, &c)) {
        return atoll_fail(err, ATOLL_EINPUT, "recording: has no start (cut short?)");
    }
    r->recorded_start_ns = c.t_ns;
    r->start_ns = t_ns;
    r->at = begin;
    return play(r, m, t_ns, false, err);
}

static int replay_advance(void *state, struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err)
{
    return play(state, m, t_ns, false, err);
}

static int replay_stop(void *state, struct atoll_meter *m, uint64_t t_ns, uint32_t scans,
                       struct atoll_err *err)
{
    (void)scans;
    return play(state, m, t_ns, true, err);
}

static void replay_close(void *state)
{
    struct replay *r = state;
    atoll_map_close(&r->map);
    atoll_free(r);
}

static int replay_open(const char *arg, const struct atoll_meter_opts *o,
                       struct atoll_meter_setup *setup, void **state, struct atoll_err *err)
{
    if (arg == NULL || *arg == '\0') {
        return atoll_fail(err, ATOLL_EUSAGE, "meter replay: names no file (expected replay:FILE)");
    }
    struct replay *r = atoll_calloc(1, sizeof *r);
    if (r == NULL) {
        return atoll_fail_nomem(err, "replay", sizeof *r);
    }
    int rc = atoll_map_open(arg, &r->map, err);
    rc = rc == 0 ? read_header(r, arg, o, setup, err) : rc;
    if (rc != 0) {
        replay_close(r);
        return rc;
    }
    *state = r;
    return 0;
}

const struct atoll_meter_driver atoll__power_replay = {
    .name = "replay",
    .recorded = true,
    .help = "FILE: a recording (atoll power record, atoll_meter_record)",
    .open = replay_open,
    .close = replay_close,
    .start = replay_start,
    .advance = replay_advance,
    .stop = replay_stop,
};
