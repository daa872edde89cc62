/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ps3 meter: a PowerSensor3 at its port. One letter is a command: R sends the configuration
 * (eight records of 41 bytes, each waits for any byte; then D), S starts the stream, T stops it.
 * The words of the stream become scans in frames, and take the way of every other meter.
 */
#include "ps3_internal.h"
#include "serial_internal.h"

#include <math.h>
#include <string.h>
#include <time.h>

enum { ANSWER_MS = 2000, QUIET_MS = 150, LOOK_RECORDS = 400 };
static const double latency_ns = 5e5, u_latency_ns = 3e5; /* a USB frame or two; assumed */

struct ps3 {
    struct serial_port port;
    struct ps3_stream stream;
    struct ps3_clock clock;
    struct power_frames frames;
    struct ps3_assumed assumed;
    uint32_t n;                ///< pairs in use
    uint8_t pairs[PS3_PAIRS];  ///< of each rail
    struct atoll_meter *meter; ///< while draining
    /* until start */
    uint8_t answer[PS3_CONFIG_BYTES];
    size_t n_answer;
    uint16_t stamps[LOOK_RECORDS];
    size_t n_stamps;
};

static int command(struct ps3 *p, char letter, struct atoll_err *err)
{
    return atoll__serial_write(&p->port, (const uint8_t *)&letter, 1, err);
}

/* ---------------------------------------------------------------- configuration */

static void take_answer(void *ctx, const uint8_t *bytes, size_t n, uint64_t arrival_ns)
{
    struct ps3 *p = ctx;
    (void)arrival_ns;
    const size_t room = sizeof p->answer - p->n_answer;
    const size_t take = n < room ? n : room;
    memcpy(p->answer + p->n_answer, bytes, take);
    p->n_answer += take;
}

static void take_nothing(void *ctx, const uint8_t *bytes, size_t n, uint64_t arrival_ns)
{
    (void)ctx;
    (void)bytes;
    (void)n;
    (void)arrival_ns;
}

static int wait_answer(struct ps3 *p, size_t n, struct atoll_err *err)
{
    const uint64_t end_ns = atoll_now_ns() + atoll__serial_ms(ANSWER_MS);
    int rc = 0;
    while (rc == 0 && p->n_answer < n) {
        if (atoll_now_ns() > end_ns) {
            return atoll_fail(err, ATOLL_EDEVICE,
                              "meter %s: does not answer as a PowerSensor3 does (%zu bytes of its "
                              "configuration, expected %zu)",
                              p->port.path, p->n_answer, n);
        }
        atoll__serial_pause();
        rc = atoll__serial_drain(&p->port, take_answer, p, err);
    }
    return rc;
}

struct sensor {
    char pair[17];
    double vref, sensitivity;
    bool used;
};

static float float_at(const uint8_t *bytes)
{
    const uint32_t bits = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                          (uint32_t)bytes[3] << 24;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static int read_sensor(struct ps3 *p, uint8_t index, struct sensor *s, struct atoll_err *err)
{
    p->n_answer = 0;
    int rc = command(p, index == 0 ? 'R' : 's', err);
    rc = rc == 0 ? wait_answer(p, PS3_CONFIG_BYTES, err) : rc;
    if (rc != 0) {
        return rc;
    }
    memcpy(s->pair, p->answer + 16, 16);
    s->pair[16] = '\0';
    s->vref = (double)float_at(p->answer + 32);
    s->sensitivity = (double)float_at(p->answer + 36);
    s->used = p->answer[40] != 0;
    const bool sane = isfinite(s->vref) && fabs(s->vref) < 100 && isfinite(s->sensitivity) &&
                      fabs(s->sensitivity) > 1e-6 && fabs(s->sensitivity) < 1e6;
    if (s->used && (!sane || p->answer[40] > 1)) {
        return atoll_fail(err, ATOLL_EDEVICE,
                          "meter %s: sensor %u: reference %g V, sensitivity %g (is it a "
                          "PowerSensor3? psconfig sets them)",
                          p->port.path, index, s->vref, s->sensitivity);
    }
    return 0;
}

static int read_sensors(struct ps3 *p, struct sensor sensors[PS3_SENSORS], struct atoll_err *err)
{
    int rc = command(p, 'T', err);
    const uint64_t end_ns = atoll_now_ns() + atoll__serial_ms(QUIET_MS);
    while (rc == 0 && atoll_now_ns() < end_ns) { /* what it was still sending */
        atoll__serial_pause();
        rc = atoll__serial_drain(&p->port, take_nothing, p, err);
    }
    for (uint8_t i = 0; rc == 0 && i < PS3_SENSORS; i++) {
        rc = read_sensor(p, i, &sensors[i], err);
    }
    p->n_answer = 0;
    rc = rc == 0 ? command(p, 's', err) : rc;
    rc = rc == 0 ? wait_answer(p, 1, err) : rc;
    if (rc == 0 && p->answer[0] != 'D') {
        rc =
            atoll_fail(err, ATOLL_EDEVICE, "meter %s: ends its configuration with %#x (expected D)",
                       p->port.path, p->answer[0]);
    }
    return rc;
}

/* ------------------------------------------------------------------------- open */

static void take_stamps(void *ctx, const uint8_t *bytes, size_t n, uint64_t arrival_ns)
{
    struct ps3 *p = ctx;
    (void)arrival_ns;
    while (n > 0) {
        struct ps3_record r;
        bool got = false;
        const size_t taken = atoll__ps3_stream_take(&p->stream, bytes, n, &r, &got);
        bytes += taken;
        n -= taken;
        if (got && p->n_stamps < LOOK_RECORDS) {
            p->stamps[p->n_stamps++] = r.stamp_us;
        }
    }
}

/* How fast it scans: the boards differ. */
static int find_rate(struct ps3 *p, struct atoll_err *err)
{
    atoll__ps3_stream_init(&p->stream);
    int rc = command(p, 'S', err);
    const uint64_t end_ns = atoll_now_ns() + atoll__serial_ms(ANSWER_MS);
    while (rc == 0 && p->n_stamps < LOOK_RECORDS && atoll_now_ns() < end_ns) {
        atoll__serial_pause();
        rc = atoll__serial_drain(&p->port, take_stamps, p, err);
    }
    if (rc != 0) {
        return rc;
    }
    p->clock = (struct ps3_clock){.period_us = atoll__ps3_period_us(p->stamps, p->n_stamps),
                                  .timed = true};
    if (!(p->clock.period_us > 0)) {
        return atoll_fail(err, ATOLL_EDEVICE,
                          "meter %s: streams no records with time stamps (%zu came, %llu words "
                          "were damaged)",
                          p->port.path, p->n_stamps, (unsigned long long)p->stream.words_dropped);
    }
    return 0;
}

static int describe(struct ps3 *p, const struct sensor sensors[PS3_SENSORS],
                    const struct atoll_meter_opts *o, struct atoll_meter_setup *s,
                    struct atoll_err *err)
{
    const double levels_per_v = 1023 / 3.3;
    for (uint8_t i = 0; i < PS3_PAIRS; i++) {
        if (sensors[2 * i].used && sensors[2 * i + 1].used) {
            p->pairs[p->n++] = i;
        }
    }
    if (p->n == 0 || (o->n_rails > 0 && o->n_rails != p->n)) {
        return atoll_fail(err, ATOLL_EDEVICE,
                          "meter %s: has %u pairs of sensors in use (expected %u)", p->port.path,
                          p->n, o->n_rails > 0 ? o->n_rails : 1);
    }
    s->n_rails = p->n;
    s->n_samples = 2 * p->n;
    s->rate_hz = 1e6 / p->clock.period_us;
    s->u_rate_frac = 0.01; /* stamps are whole microseconds */
    s->latency_ns = latency_ns;
    s->u_latency_ns = u_latency_ns;
    s->origin = ATOLL_ORIGIN_MEASURED;
    for (uint32_t i = 0; i < p->n; i++) {
        const struct sensor *current = &sensors[2 * p->pairs[i]];
        const struct sensor *volt = current + 1;
        atoll__ps3_channel(s, i, current->vref * levels_per_v,
                           1e3 / levels_per_v / current->sensitivity, volt->vref * levels_per_v,
                           1e3 / levels_per_v / volt->sensitivity, 1, &p->assumed);
        s->channels[i].volt = o->n_rails > 0 ? o->rails[i].volt : 1;
        (void)snprintf(s->names[i], sizeof s->names[i], "%.15s", current->pair);
        if (s->names[i][0] == '\0') {
            (void)snprintf(s->names[i], sizeof s->names[i], "pair%u", p->pairs[i]);
        }
    }
    s->watts = o->n_rails == 0; /* it knows no nominal voltage, only what it measures */
    (void)snprintf(s->description, sizeof s->description,
                   "PowerSensor3 at %.60s, %.0f Hz, assumed standard uncertainty: gain %.3g %%, "
                   "voltage %.3g %%, zero %.3g mA",
                   p->port.path, s->rate_hz, p->assumed.gain_frac * 100, p->assumed.volt_frac * 100,
                   p->assumed.zero_ma);
    return 0;
}

static void ps3_close(void *state)
{
    struct ps3 *p = state;
    if (p->port.reading) {
        (void)command(p, 'T', NULL);
    }
    atoll__serial_close(&p->port);
    atoll_free(p);
}

static int ps3_open(const char *arg, const struct atoll_meter_opts *o,
                    struct atoll_meter_setup *setup, void **state, struct atoll_err *err)
{
    struct sensor sensors[PS3_SENSORS] = {{{0}, 0, 0, false}};
    struct ps3 *p = atoll_calloc(1, sizeof *p);
    if (p == NULL) {
        return atoll_fail_nomem(err, "ps3 meter", sizeof *p);
    }
    p->assumed = atoll__ps3_assumed;
    const struct power_option options[] = {{"gain", 0, 1, &p->assumed.gain_frac},
                                           {"volt", 0, 1, &p->assumed.volt_frac},
                                           {"zero", 0, 1e5, &p->assumed.zero_ma}};
    p->port.baud = 4000000; /* a USB device takes any */
    int rc = atoll__power_options("ps3", arg, p->port.path, sizeof p->port.path, options, 3, err);
    if (rc == 0 && p->port.path[0] == '\0') {
        rc = atoll_fail(err, ATOLL_EUSAGE, "meter ps3: names no port (expected ps3:/dev/ttyACM0)");
    }
    rc = rc == 0 ? atoll__serial_open(&p->port, err) : rc;
    rc = rc == 0 ? read_sensors(p, sensors, err) : rc;
    rc = rc == 0 ? find_rate(p, err) : rc;
    rc = rc == 0 ? describe(p, sensors, o, setup, err) : rc;
    if (rc != 0) {
        ps3_close(p);
        return rc;
    }
    atoll__power_frames_init(&p->frames, 2 * p->n, 10, setup->rate_hz);
    *state = p;
    return 0;
}

/* --------------------------------------------------------------------- running */

static void take_stream(void *ctx, const uint8_t *bytes, size_t n, uint64_t arrival_ns)
{
    struct ps3 *p = ctx;
    while (n > 0) {
        struct ps3_record r;
        bool got = false;
        const size_t taken = atoll__ps3_stream_take(&p->stream, bytes, n, &r, &got);
        bytes += taken;
        n -= taken;
        if (!got) {
            continue;
        }
        uint16_t codes[PS3_SENSORS];
        const uint32_t missing =
            atoll__ps3_missing(&p->clock, p->meter, p->frames.pending, r.stamp_us, arrival_ns);
        if (missing > 0) {
            atoll__power_frames_skip(&p->frames, p->meter, missing, arrival_ns);
        }
        for (uint32_t i = 0; i < p->n; i++) {
            codes[2 * i] = r.levels[2 * p->pairs[i]];
            codes[2 * i + 1] = r.levels[2 * p->pairs[i] + 1];
        }
        atoll__power_frames_add(&p->frames, p->meter, codes, arrival_ns);
    }
}

static int drain(void *state, struct atoll_meter *m, struct atoll_err *err)
{
    struct ps3 *p = state;
    p->meter = m;
    const int rc = atoll__serial_drain(&p->port, take_stream, p, err);
    p->meter = NULL;
    return rc;
}

static int ps3_start(void *state, struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err)
{
    struct ps3 *p = state;
    int rc = atoll__serial_now(&p->port, t_ns, err);
    if (rc != 0) {
        return rc;
    }
    /* it streams since open; what came until now has no use */
    rc = atoll__serial_drain(&p->port, take_nothing, p, err);
    atoll__ps3_stream_init(&p->stream);
    return rc == 0 ? atoll__serial_wait(&p->port, m, 2.0 * m->half_window + 0.2 * m->setup.rate_hz,
                                        drain, p, err)
                   : rc;
}

static int ps3_advance(void *state, struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err)
{
    struct ps3 *p = state;
    (void)t_ns;
    int rc = drain(p, m, err);
    (void)pthread_mutex_lock(&p->port.lock);
    const uint64_t last_ns = p->port.last_arrival_ns;
    (void)pthread_mutex_unlock(&p->port.lock);
    return rc ? rc : atoll__serial_silent(&p->port, last_ns, err);
}

static int ps3_stop(void *state, struct atoll_meter *m, uint64_t t_ns, uint32_t scans,
                    struct atoll_err *err)
{
    struct ps3 *p = state;
    int rc = drain(p, m, err);
    rc = rc == 0
             ? atoll__serial_wait(&p->port, m, atoll__power_node(m, t_ns) + scans, drain, p, err)
             : rc;
    (void)command(p, 'T', NULL);
    return rc;
}

const struct atoll_meter_driver atoll__power_ps3 = {
    .name = "ps3",
    .help = "PORT[,gain=FRAC][,volt=FRAC][,zero=MA]: a PowerSensor3",
    .open = ps3_open,
    .close = ps3_close,
    .start = ps3_start,
    .advance = ps3_advance,
    .stop = ps3_stop,
    .present = atoll__serial_present,
};
