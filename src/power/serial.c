/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The serial meter: firmware/ on a microcontroller. Open finds out who is there and what it can
 * measure; start sets it going; what the frames say goes the same way as with every other meter.
 *
 * Time: frames arrive late by what the line and the bridge take, which is not known beforehand. A
 * PING is stamped by the device as its last byte comes in, so a SYNC says which scan it was at a
 * host time that lies between sending the PING and receiving the SYNC. The quickest of them fixes
 * the latency that the time map takes off all arrivals; half of its round trip, as a rectangle, is
 * the uncertainty.
 */
#include "serial_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HELLO_MS = 4000, ANSWER_MS = 1000, SILENCE_MS = 2000, MAP_FRAMES = 8 };
static const double resonator_frac = 0.003; /* +-0.5 % as a rectangle */
static const double drift_ma = 3, drift_tau_s = 300;
static const double conversion_noise_code = 0.7; /* ACS712 and rounding, docs/method-energy.md */
static const double best_conversions_hz = 15000; /* more cost the converter's accuracy */

struct serial {
    struct serial_port port;
    struct atoll_wire_decoder decoder; ///< until start; then the meter's own decodes
    struct atoll_wire_hello hello;
    struct atoll_wire_config config;
    struct atoll_wire_channel channels[ATOLL_WIRE_CHANNELS_MAX];
    uint16_t known; ///< channels that were introduced
    bool greeted, configured, refused;
    struct atoll_wire_error error;
    struct atoll_wire_set set;
    bool running;
    double best_round_ns;
    struct atoll_meter *meter; ///< while draining
};

static uint64_t ms_ns(uint64_t ms)
{
    return ms * 1000000;
}

static int ask(struct serial *s, uint8_t what, struct atoll_err *err)
{
    struct atoll_wire_frame f = {.type = ATOLL_WIRE_ASK, .ask = what};
    return atoll__serial_send(&s->port, &f, err);
}

static int run(struct serial *s, bool on, struct atoll_err *err)
{
    struct atoll_wire_frame f = {.type = ATOLL_WIRE_RUN, .run = on};
    return atoll__serial_send(&s->port, &f, err);
}

/* ------------------------------------------------------------------ greetings */

static void greet(void *ctx, const uint8_t *bytes, size_t n, uint64_t arrival_ns)
{
    struct serial *s = ctx;
    (void)arrival_ns;
    while (n > 0) {
        struct atoll_wire_frame f;
        bool got = false;
        const size_t taken = atoll_wire_decode(&s->decoder, bytes, n, &f, &got);
        bytes += taken;
        n -= taken;
        if (!got) {
            continue;
        }
        if (f.type == ATOLL_WIRE_HELLO) {
            s->hello = f.hello;
            s->greeted = true;
        } else if (f.type == ATOLL_WIRE_CHANNEL) {
            s->channels[f.channel.index] = f.channel;
            s->known |= (uint16_t)(1u << f.channel.index);
        } else if (f.type == ATOLL_WIRE_CONFIG) {
            s->config = f.config;
            s->configured = true;
        } else if (f.type == ATOLL_WIRE_ERROR) {
            s->error = f.error;
            s->refused = true;
        }
    }
}

static bool know_all(const struct serial *s)
{
    return s->known == (uint16_t)((1u << s->hello.channels) - 1);
}

static bool knows(const struct serial *s, uint8_t what)
{
    return what == ATOLL_WIRE_HELLO     ? s->greeted
           : what == ATOLL_WIRE_CHANNEL ? know_all(s)
                                        : s->configured || s->refused;
}

/* Asks again and again until the answer is there; a line that was just opened loses some, and an
 * Arduino that was just reset sits in its boot loader for two seconds. */
static int learn(struct serial *s, uint8_t what, uint64_t patience_ms, struct atoll_err *err)
{
    const uint64_t end_ns = atoll_now_ns() + ms_ns(patience_ms);
    uint64_t again_ns = 0;
    int rc = 0;
    while (rc == 0 && !knows(s, what)) {
        const uint64_t now_ns = atoll_now_ns();
        if (now_ns > end_ns) {
            return atoll_fail(err, ATOLL_EDEVICE,
                              "meter %s: %s (is it a meter with atoll's firmware, at %u baud?)",
                              s->port.path,
                              s->decoder.good + s->decoder.damaged > 0 ? "does not answer in frames"
                                                                       : "does not answer",
                              s->port.baud);
        }
        if (now_ns > again_ns) {
            again_ns = now_ns + ms_ns(300);
            rc = what == ATOLL_WIRE_HELLO ? run(s, false, err) : 0;
            rc = rc == 0 ? ask(s, what, err) : rc;
        }
        atoll__serial_pause();
        rc = rc == 0 ? atoll__serial_drain(&s->port, greet, s, err) : rc;
    }
    return rc;
}

static int configure(struct serial *s, struct atoll_err *err)
{
    struct atoll_wire_frame f = {.type = ATOLL_WIRE_SET, .set = s->set};
    s->configured = s->refused = false;
    int rc = atoll__serial_send(&s->port, &f, err);
    const uint64_t end_ns = atoll_now_ns() + ms_ns(ANSWER_MS);
    while (rc == 0 && !s->configured && !s->refused && atoll_now_ns() < end_ns) {
        atoll__serial_pause();
        rc = atoll__serial_drain(&s->port, greet, s, err);
    }
    if (rc == 0 && s->refused) {
        return atoll_fail(err, ATOLL_EDEVICE, "meter %s: %.*s (code %u, detail %u)", s->port.path,
                          (int)s->error.text_bytes, s->error.text, s->error.code, s->error.detail);
    }
    if (rc == 0 && !s->configured) {
        return atoll_fail(err, ATOLL_EDEVICE, "meter %s: does not answer SET", s->port.path);
    }
    return rc;
}

/* ---------------------------------------------------------------------- setup */

/* Sums of as many conversions as keep the converter slow enough to be exact. */
static void choose(struct serial *s, uint16_t mask, double rate_hz)
{
    const double n = atoll_wire_count(mask);
    const double fit = floor(best_conversions_hz / (rate_hz * n));
    const double k = fit < 1 ? 1 : fit > 16 ? 16 : fit;
    const double full = k * ((double)(1u << s->config.adc_bits) - 1);
    s->set = (struct atoll_wire_set){.channels = mask,
                                     .bits = full < 1024   ? 10
                                             : full < 4096 ? 12
                                                           : 16,
                                     .conversions = (uint8_t)(full < 65536 ? k : 1),
                                     .period_ticks = (uint32_t)(s->config.tick_hz / rate_hz + 0.5)};
}

static void describe_channel(const struct serial *s, const struct atoll_wire_channel *c,
                             double volt, struct atoll_meter_channel *out)
{
    const double k = s->config.conversions;
    const double ma = c->gain / 1e6; /* of one conversion */
    *out = (struct atoll_meter_channel){.volt = volt > 0 ? volt : c->nominal_mv / 1e3,
                                        .zero_code = c->zero_256 / 256.0 * k,
                                        .ma_per_code = ma / k,
                                        .u_gain_frac = c->gain_u_ppm / 1e6,
                                        .gain_dof = INFINITY,
                                        .u_zero_code = c->zero_u_256 / 256.0 * k,
                                        .u_drift_code = drift_ma / ma * k,
                                        .drift_tau_s = drift_tau_s,
                                        .noise_code = conversion_noise_code * sqrt(k),
                                        .noise_dof = 255};
}

static int describe(struct serial *s, const uint8_t *wired, uint32_t n,
                    const struct atoll_meter_opts *o, struct atoll_meter_setup *setup,
                    struct atoll_err *err)
{
    uint16_t day = UINT16_MAX;
    for (uint32_t i = 0; i < n; i++) {
        const struct atoll_wire_channel *c = &s->channels[wired[i]];
        describe_channel(s, c, o->n_rails > 0 ? o->rails[i].volt : 0, &setup->channels[i]);
        if (!(setup->channels[i].volt > 0) || c->gain == 0) {
            return atoll_fail(err, ATOLL_EDEVICE,
                              "meter %s: channel %u has no voltage or no gain; calibrate it",
                              s->port.path, c->index);
        }
        (void)snprintf(setup->names[i], sizeof setup->names[i], "%.12s", c->name);
        day = c->day < day ? c->day : day;
    }
    setup->n_rails = n;
    setup->origin = ATOLL_ORIGIN_MEASURED;
    setup->rate_hz = (double)s->config.tick_hz / s->config.period_ticks;
    setup->u_rate_frac = resonator_frac;
    setup->latency_ns = 1e7; /* until SYNC says better */
    setup->u_latency_ns = 1e7;
    char age[40] = "not calibrated";
    if (day > 0) {
        (void)snprintf(age, sizeof age, "calibrated on day %u since 1970", day);
    }
    (void)snprintf(setup->description, sizeof setup->description,
                   "%.16s, firmware %u.%u.%u, sums of %u, %s", s->hello.name, s->hello.firmware[0],
                   s->hello.firmware[1], s->hello.firmware[2], s->config.conversions, age);
    return 0;
}

static int identify(struct serial *s, const struct atoll_meter_opts *o,
                    struct atoll_meter_setup *setup, struct atoll_err *err)
{
    uint8_t wired[ATOLL_METER_RAILS_MAX];
    uint32_t n = 0;
    uint16_t mask = 0;
    int rc = learn(s, ATOLL_WIRE_HELLO, HELLO_MS, err);
    if (rc == 0 && (s->hello.channels == 0 || s->hello.channels > ATOLL_WIRE_CHANNELS_MAX - 1)) {
        rc = atoll_fail(err, ATOLL_EDEVICE, "meter %s: says it has %u channels", s->port.path,
                        s->hello.channels);
    }
    rc = rc == 0 ? learn(s, ATOLL_WIRE_CHANNEL, ANSWER_MS, err) : rc;
    s->configured = s->refused = false;
    rc = rc == 0 ? learn(s, ATOLL_WIRE_CONFIG, ANSWER_MS, err) : rc;
    if (rc != 0) {
        return rc;
    }
    bool calibrated = false;
    for (uint8_t i = 0; i < s->hello.channels; i++) {
        calibrated = calibrated || s->channels[i].day > 0;
    }
    /* asked for no rails: those that somebody has calibrated, else the first channel */
    const uint32_t want = o->n_rails > 0 ? o->n_rails : calibrated ? ATOLL_METER_RAILS_MAX : 1;
    for (uint8_t i = 0; i < s->hello.channels && n < want; i++) {
        if (s->channels[i].kind == ATOLL_WIRE_CURRENT &&
            (o->n_rails > 0 || !calibrated || s->channels[i].day > 0)) {
            wired[n++] = i;
            mask |= (uint16_t)(1u << i);
        }
    }
    if (n == 0 || n < o->n_rails) {
        return atoll_fail(err, ATOLL_EDEVICE,
                          "meter %s: has %u usable current channels (expected %u)", s->port.path, n,
                          o->n_rails > 0 ? o->n_rails : 1);
    }
    choose(s, mask, o->rate_hz > 0 ? o->rate_hz : 1000);
    rc = configure(s, err);
    return rc == 0 ? describe(s, wired, n, o, setup, err) : rc;
}

static int parse(struct serial *s, const char *arg, struct atoll_err *err)
{
    const size_t n = arg != NULL ? strcspn(arg, ",") : 0;
    s->port.baud = 500000;
    if (n == 0 || n >= sizeof s->port.path) {
        return atoll_fail(err, ATOLL_EUSAGE,
                          "meter serial: names no port (expected serial:/dev/ttyACM0)");
    }
    memcpy(s->port.path, arg, n);
    if (arg[n] == ',') {
        double baud = 0;
        if (strncmp(arg + n + 1, "baud=", 5) != 0 || !atoll_parse_double(arg + n + 6, &baud) ||
            !(baud >= 1 && baud <= 1e8)) {
            return atoll_fail(err, ATOLL_EUSAGE, "meter serial: '%s' (expected baud=N)",
                              arg + n + 1);
        }
        s->port.baud = (uint32_t)baud;
    }
    return 0;
}

static void serial_close(void *state)
{
    struct serial *s = state;
    if (s->port.reading && s->running) {
        (void)run(s, false, NULL);
    }
    atoll__serial_close(&s->port);
    atoll_free(s);
}

static int serial_open(const char *arg, const struct atoll_meter_opts *o,
                       struct atoll_meter_setup *setup, void **state, struct atoll_err *err)
{
    struct serial *s = atoll_calloc(1, sizeof *s);
    if (s == NULL) {
        return atoll_fail_nomem(err, "serial meter", sizeof *s);
    }
    s->best_round_ns = INFINITY;
    int rc = parse(s, arg, err);
    rc = rc == 0 ? atoll__serial_open(&s->port, err) : rc;
    rc = rc == 0 ? identify(s, o, setup, err) : rc;
    if (rc != 0) {
        serial_close(s);
        return rc;
    }
    *state = s;
    return 0;
}

/* -------------------------------------------------------------------- running */

static void take(void *ctx, const uint8_t *bytes, size_t n, uint64_t arrival_ns)
{
    struct serial *s = ctx;
    atoll_meter_push(s->meter, bytes, n, arrival_ns);
}

static int drain(struct serial *s, struct atoll_meter *m, struct atoll_err *err)
{
    s->meter = m;
    const int rc = atoll__serial_drain(&s->port, take, s, err);
    s->meter = NULL;
    return rc;
}

/* What a SYNC says of the latency of frames. The device's count is 32 bits; the map knows which. */
static void take_sync(struct serial *s, struct atoll_meter *m, const struct atoll_wire_sync *y,
                      uint64_t arrival_ns)
{
    (void)pthread_mutex_lock(&s->port.lock);
    const bool old = (uint16_t)(s->port.pings - y->id) > SERIAL_PINGS;
    const uint64_t sent_ns = s->port.ping_ns[y->id % SERIAL_PINGS];
    (void)pthread_mutex_unlock(&s->port.lock);
    if (old || m->map.n < MAP_FRAMES) {
        return;
    }
    const double ping_bytes = 10; /* id and frame; ten bits each on the line */
    const double wire_ns = ping_bytes * 10 * 1e9 / s->port.baud;
    const double round_ns = atoll__power_since(arrival_ns, sent_ns);
    const int32_t ahead = (int32_t)(y->scan - (uint32_t)m->track.next_scan);
    const double edge = (double)m->next + ahead + y->fraction / 65536.0;
    if (round_ns < wire_ns || round_ns > s->best_round_ns || round_ns > 1e9) {
        return;
    }
    /* the device stamped the PING between its sending and the arrival of the answer, whose own way
     * takes at least as long as the PING's */
    const double free_ns = fmax(round_ns - 2 * wire_ns, 0);
    const double at_ns = atoll__power_since(sent_ns, m->map.origin_ns) + wire_ns + free_ns / 2;
    const double arrives_ns =
        m->map.mean_y + (edge - m->map.mean_x) * atoll__power_timemap_period_ns(&m->map);
    s->best_round_ns = round_ns;
    m->map.latency_ns = floor(fmax(arrives_ns - at_ns, 0)); /* whole: a recording keeps it */
    m->map.u_latency_ns = floor(free_ns / 2 / sqrt(3) + 2e4);
}

static void serial_frame(void *state, struct atoll_meter *m, const struct atoll_wire_frame *f,
                         uint64_t arrival_ns)
{
    struct serial *s = state;
    if (f->type == ATOLL_WIRE_SYNC) {
        take_sync(s, m, &f->sync, arrival_ns);
    } else if (f->type == ATOLL_WIRE_HELLO &&
               s->running) { /* it started anew: set it going again */
        struct atoll_wire_frame again = {.type = ATOLL_WIRE_SET, .set = s->set};
        (void)atoll__serial_send(&s->port, &again, NULL);
        (void)run(s, true, NULL);
    }
}

/* Waits until the meter has taken in `scans` scans, or fails. */
static int wait_for(struct serial *s, struct atoll_meter *m, double scans, struct atoll_err *err)
{
    int rc = drain(s, m, err);
    uint64_t had = m->next;
    uint64_t since_ns = atoll_now_ns();
    while (rc == 0 && (m->first == UINT64_MAX || (double)m->next < scans)) {
        if (m->next != had) {
            had = m->next;
            since_ns = atoll_now_ns();
        } else if (atoll_now_ns() - since_ns > ms_ns(SILENCE_MS)) {
            return atoll_fail(err, ATOLL_EDEVICE, "meter %s: has been silent for %d ms",
                              s->port.path, SILENCE_MS);
        }
        atoll__serial_pause();
        rc = drain(s, m, err);
    }
    return rc;
}

static int serial_start(void *state, struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err)
{
    struct serial *s = state;
    const uint64_t now_ns = atoll_now_ns();
    if (now_ns - t_ns > ms_ns(60000)) {
        return atoll_fail(err, ATOLL_EUSAGE,
                          "meter %s: measures in real time; a simulated device runs in its own "
                          "(use the synth meter)",
                          s->port.path);
    }
    int rc = run(s, true, err);
    s->running = rc == 0;
    (void)pthread_mutex_lock(&s->port.lock);
    s->port.ping = true;
    (void)pthread_mutex_unlock(&s->port.lock);
    /* scans in front of the first marker, and time for the first answers to PING */
    const double first = 2.0 * m->half_window + 0.3 * m->setup.rate_hz;
    return rc == 0 ? wait_for(s, m, first, err) : rc;
}

static int serial_advance(void *state, struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err)
{
    struct serial *s = state;
    (void)t_ns;
    int rc = drain(s, m, err);
    (void)pthread_mutex_lock(&s->port.lock);
    const uint64_t last_ns = s->port.last_arrival_ns;
    (void)pthread_mutex_unlock(&s->port.lock);
    if (rc == 0 && atoll_now_ns() - last_ns > ms_ns(SILENCE_MS)) {
        rc = atoll_fail(err, ATOLL_EDEVICE, "meter %s: has been silent for %d ms", s->port.path,
                        SILENCE_MS);
    }
    return rc;
}

static int serial_stop(void *state, struct atoll_meter *m, uint64_t t_ns, uint32_t scans,
                       struct atoll_err *err)
{
    struct serial *s = state;
    int rc = drain(s, m, err);
    rc = rc == 0 ? wait_for(s, m, atoll__power_node(m, t_ns) + scans, err) : rc;
    (void)pthread_mutex_lock(&s->port.lock);
    s->port.ping = false;
    (void)pthread_mutex_unlock(&s->port.lock);
    s->running = false;
    (void)run(s, false, NULL);
    return rc;
}

const struct atoll_meter_driver atoll__power_serial = {
    .name = "serial",
    .help = "PORT[,baud=N]: a microcontroller with atoll's firmware (docs/power-testbed.md)",
    .open = serial_open,
    .close = serial_close,
    .start = serial_start,
    .advance = serial_advance,
    .stop = serial_stop,
    .frame = serial_frame,
};
