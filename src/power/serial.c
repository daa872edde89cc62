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

enum { MAP_FRAMES = 8 };
/* A rail that nobody measures: supplies promise +-5 %; as a rectangle. */
static const double rail_frac = 0.05 / 1.7320508075688772;

static int set_option(struct serial *s, const char *item, struct atoll_err *err)
{
    double v = 0;
    const char *equals = strchr(item, '=');
    const size_t n = equals != NULL ? (size_t)(equals - item) : 0;
    if (n == 4 && memcmp(item, "baud", 4) == 0 && atoll_parse_double(equals + 1, &v) && v >= 1 &&
        v <= 1e8) {
        s->port.baud = (uint32_t)v;
    } else if (n == 5 && memcmp(item, "volts", 5) == 0 && atoll_parse_double(equals + 1, &v) &&
               v >= 0 && v <= 0.5) {
        s->volt_frac = v;
    } else if (n == 7 && memcmp(item, "channel", 7) == 0 && equals[1] != '\0' &&
               strlen(equals + 1) < sizeof s->only) {
        (void)snprintf(s->only, sizeof s->only, "%s", equals + 1);
    } else {
        return atoll_fail(err, ATOLL_EUSAGE,
                          "meter serial: '%s' (expected baud=N, volts=FRAC or channel=NAME)", item);
    }
    return 0;
}

static int parse(struct serial *s, const char *arg, struct atoll_err *err)
{
    const size_t n = arg != NULL ? strcspn(arg, ",") : 0;
    s->port.baud = 500000;
    s->volt_frac = rail_frac;
    if (n == 0 || n >= sizeof s->port.path) {
        return atoll_fail(err, ATOLL_EUSAGE,
                          "meter serial: names no port (expected serial:/dev/ttyACM0)");
    }
    memcpy(s->port.path, arg, n);
    int rc = 0;
    for (const char *at = arg + n; rc == 0 && *at == ',';) {
        char item[64];
        const size_t length = strcspn(at + 1, ",");
        (void)snprintf(item, sizeof item, "%.*s", length < 60 ? (int)length : 60, at + 1);
        rc = set_option(s, item, err);
        at += 1 + length;
    }
    return rc;
}

static void serial_close(void *state)
{
    struct serial *s = state;
    if (s->port.reading && s->running) {
        (void)atoll__serial_run(s, false, NULL);
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
    rc = rc == 0 ? atoll__serial_identify(s, o, setup, err) : rc;
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

static int drain(void *state, struct atoll_meter *m, struct atoll_err *err)
{
    struct serial *s = state;
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
        (void)atoll__serial_run(s, true, NULL);
    }
}

static int serial_start(void *state, struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err)
{
    struct serial *s = state;
    const uint64_t now_ns = atoll_now_ns();
    int rc = atoll__serial_now(&s->port, t_ns, err);
    if (rc != 0) {
        return rc;
    }
    /* the answer to SET, so that scans are read although the line may lose the next CONFIG */
    struct atoll_wire_frame known = {.type = ATOLL_WIRE_CONFIG, .config = s->config};
    uint8_t bytes[ATOLL_WIRE_FRAME_MAX];
    atoll_meter_push(m, bytes, atoll_wire_encode(&known, bytes), now_ns);
    rc = atoll__serial_run(s, true, err);
    s->running = rc == 0;
    (void)pthread_mutex_lock(&s->port.lock);
    s->port.ping = true;
    (void)pthread_mutex_unlock(&s->port.lock);
    /* scans in front of the first marker, and time for the first answers to PING */
    const double first = 2.0 * m->half_window + 0.3 * m->setup.rate_hz;
    return rc == 0 ? atoll__serial_wait(&s->port, m, first, drain, s, err) : rc;
}

static int serial_advance(void *state, struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err)
{
    struct serial *s = state;
    (void)t_ns;
    int rc = drain(s, m, err);
    (void)pthread_mutex_lock(&s->port.lock);
    const uint64_t last_ns = s->port.last_arrival_ns;
    (void)pthread_mutex_unlock(&s->port.lock);
    return rc ? rc : atoll__serial_silent(&s->port, last_ns, err);
}

static int serial_stop(void *state, struct atoll_meter *m, uint64_t t_ns, uint32_t scans,
                       struct atoll_err *err)
{
    struct serial *s = state;
    int rc = drain(s, m, err);
    rc = rc == 0
             ? atoll__serial_wait(&s->port, m, atoll__power_node(m, t_ns) + scans, drain, s, err)
             : rc;
    (void)pthread_mutex_lock(&s->port.lock);
    s->port.ping = false;
    (void)pthread_mutex_unlock(&s->port.lock);
    s->running = false;
    (void)atoll__serial_run(s, false, NULL);
    return rc;
}

const struct atoll_meter_driver atoll__power_serial = {
    .name = "serial",
    .help = "PORT[,baud=N][,volts=FRAC][,channel=NAME]: a microcontroller with atoll's firmware "
            "(docs/power-testbed.md)",
    .open = serial_open,
    .close = serial_close,
    .start = serial_start,
    .advance = serial_advance,
    .stop = serial_stop,
    .frame = serial_frame,
    .self_test = atoll__serial_self_test,
    .store = atoll__serial_store,
    .present = atoll__serial_present,
};
