/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interval that a meter states, through the real image of the Uno: for each seed a modelled
 * ACS712-05B (gain, zero, noise, drift of the data sheet), a clock that is off and a latency; zero
 * and gain are calibrated by what the firmware sends, as `atoll power calibrate` does; then a
 * square wave is measured. The truth must lie inside in 90 of 100 seeds, and the interval must not
 * be wider than three times the rms error. simavr's time is the time of a recording
 * (src/power/record.c), so a busy machine makes no difference. ATOLL_SEEDS multiplies the seeds.
 */
#include "../unit/atoll_test.h"
#include "uno_sim.h"

#include <atoll/power.h>

#include <math.h>
#include <stdlib.h>

enum {
    TRIGGER_TICKS = 1066,
    CONVERSIONS = 15,
    LEAD_MS = 100,
    TAIL_MS = 80,
    PINGS = 8,
    FRAMES_MAX = 2000
};
static const double mv_per_a = 185, noise_mv = 3.15, drift_ma = 3, drift_tau_s = 300;
static const double reference_frac = 0.003, clock_frac = 3e-3;
static const double scan_ns = 1e9 * TRIGGER_TICKS * CONVERSIONS / UNO_HZ;

static const char *images;

/* What is done to the clock, and while the square wave is measured to the line and the device. */
struct faults {
    double clock_ppm;  ///< NAN: by chance
    double loss, flip; ///< chance per byte
    bool restart;
};
struct rig {
    struct uno *uno;
    struct faults faults;
    bool harming; ///< between the markers: the serial driver waits at the ends for what it needs
    struct atoll_rng rng;
    double slow; ///< host time per device time
    double gain, zero_mv, drift_mv;
    uint64_t drift_from; ///< cycle
    /* what flows, in A: `low`, and `high` in the first part of each period */
    double low, high;
    uint64_t period, on, from;
};

static double host_ns(const struct rig *r, uint64_t cycle)
{
    return 1e9 + (double)cycle * 1e9 / UNO_HZ * r->slow;
}

static double amperes(const struct rig *r, uint64_t cycle)
{
    return (cycle - r->from) % r->period < r->on ? r->high : r->low;
}

static uint32_t sensor(void *ctx, unsigned input, uint64_t cycle)
{
    struct rig *r = ctx;
    (void)input;
    const double s = (double)(cycle - r->drift_from) / UNO_HZ;
    const double mv = 2500 + r->zero_mv + r->drift_mv * (1 - exp(-s / drift_tau_s)) +
                      mv_per_a * r->gain * amperes(r, cycle) + noise_mv * atoll_rng_normal(&r->rng);
    return mv > 0 ? (uint32_t)(mv + 0.5) : 0;
}

/* Ampere-seconds of host time between two cycles. */
static double charge(const struct rig *r, uint64_t from, uint64_t to)
{
    double sum = 0;
    for (uint64_t at = from; at < to;) {
        const uint64_t phase = (at - r->from) % r->period;
        uint64_t next = at - phase + (phase < r->on ? r->on : r->period);
        next = next < to ? next : to;
        sum += amperes(r, at) * (double)(next - at);
        at = next;
    }
    return sum / UNO_HZ * r->slow;
}

/* -------------------------------------------------------------------- recording */

struct recording {
    FILE *file;
    struct atoll_wire_decoder decoder;
    size_t n;
    bool restarted; ///< then it counts from 0 again
    double edge[FRAMES_MAX], arrival_ns[FRAMES_MAX];
    double ping_ns[PINGS];
    double best_round_ns, sync_edge, sync_ns;
};

static void put(FILE *f, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        (void)fputc((int)(v >> (8 * i) & 0xff), f);
    }
}

static void begin_recording(struct recording *rec, const char *path)
{
    char text[1000];
    *rec = (struct recording){.file = fopen(path, "wb"), .best_round_ns = INFINITY};
    assert_non_null(rec->file);
    const int n = snprintf(
        text, sizeof text,
        "{\"schema\": \"atoll.power-record/1\", \"description\": \"simavr\", \"origin\": "
        "\"measured\", "
        "\"rate_hz\": %.9f, \"u_rate_frac\": %g, \"latency_ns\": 1e6, \"u_latency_ns\": 1e6, "
        "\"n_samples\": 1, \"conversions\": %d, \"watts\": false, \"channels\": [{\"name\": "
        "\"rail0\", "
        "\"volt\": 12, \"u_volt_frac\": 0, \"at\": 0, \"skew\": 0, \"zero_code\": %d, "
        "\"ma_per_code\": %.9f, \"u_gain_frac\": 0.015, \"gain_dof\": null, \"u_reference_frac\": "
        "0, "
        "\"u_zero_code\": %d, \"u_drift_code\": %.9f, \"drift_tau_s\": %g, \"noise_code\": %.9f, "
        "\"noise_dof\": 255}]}",
        1e9 / scan_ns, clock_frac, CONVERSIONS, 512 * CONVERSIONS, 26.39 / CONVERSIONS,
        8 * CONVERSIONS, drift_ma / 26.39 * CONVERSIONS, drift_tau_s, 0.7 * sqrt(CONVERSIONS));
    (void)fputs("ATOLLPWR", rec->file);
    put(rec->file, (uint64_t)n, 4);
    (void)fwrite(text, 1, (size_t)n, rec->file);
}

static void take_frame(struct recording *rec, const struct atoll_wire_frame *f, double arrival_ns)
{
    const double wire_ns = 10 * 10 * 1e9 / 500000; /* of a PING */
    rec->restarted = rec->restarted || f->type == ATOLL_WIRE_HELLO;
    if (f->type == ATOLL_WIRE_DATA && rec->n < FRAMES_MAX && !rec->restarted) {
        rec->edge[rec->n] = f->data.first_scan + (double)f->data.n_scans;
        rec->arrival_ns[rec->n++] = arrival_ns;
    } else if (f->type == ATOLL_WIRE_SYNC) { /* as in src/power/serial.c */
        const double round_ns = arrival_ns - rec->ping_ns[f->sync.id % PINGS];
        if (round_ns < rec->best_round_ns) {
            rec->best_round_ns = round_ns;
            rec->sync_edge = f->sync.scan + f->sync.fraction / 65536.0;
            rec->sync_ns =
                rec->ping_ns[f->sync.id % PINGS] + wire_ns + fmax(round_ns - 2 * wire_ns, 0) / 2;
        }
    }
}

/* Loses and flips what comes out, in place. */
static void harm(struct rig *r)
{
    struct uno *u = r->uno;
    size_t kept = 0;
    for (size_t i = 0; i < u->n_out; i++) {
        if (atoll_rng_unit(&r->rng) < r->faults.loss) {
            continue;
        }
        const bool flip = atoll_rng_unit(&r->rng) < r->faults.flip;
        u->out[kept++] = (uint8_t)(u->out[i] ^ (flip ? 1u << atoll_rng_below(&r->rng, 8) : 0u));
    }
    u->n_out = kept;
}

static void take_bytes(struct rig *r, struct recording *rec)
{
    struct uno *u = r->uno;
    if (r->harming) {
        harm(r);
    }
    if (u->n_out == 0) {
        return;
    }
    const double arrival_ns = host_ns(r, uno_now(u)) + 2e5 + 1e5 * atoll_rng_exponential(&r->rng);
    (void)fputc('B', rec->file);
    put(rec->file, (uint64_t)arrival_ns, 8);
    put(rec->file, u->n_out, 4);
    (void)fwrite(u->out, 1, u->n_out, rec->file);
    for (size_t at = 0; at < u->n_out;) {
        struct atoll_wire_frame f;
        bool got = false;
        at += atoll_wire_decode(&rec->decoder, u->out + at, u->n_out - at, &f, &got);
        if (got) {
            take_frame(rec, &f, arrival_ns);
        }
    }
    u->n_out = 0;
}

static void run_ms(struct rig *r, struct recording *rec, double ms)
{
    for (const uint64_t end = uno_now(r->uno) + (uint64_t)(ms * UNO_HZ / 1e3);
         uno_now(r->uno) < end;) {
        assert_true(uno_run(r->uno, uno_now(r->uno) + UNO_HZ / 2000));
        if (rec != NULL) {
            take_bytes(r, rec);
        } else {
            r->uno->n_out = 0;
        }
    }
}

static void mark(const struct rig *r, struct recording *rec)
{
    (void)fputc('M', rec->file);
    put(rec->file, (uint64_t)host_ns(r, uno_now(r->uno)), 8);
    put(rec->file, 0, 1);
}

/* What the answers to PING say of the frames' latency. */
static void end_recording(struct recording *rec)
{
    const double p =
        (rec->arrival_ns[rec->n - 1] - rec->arrival_ns[0]) / (rec->edge[rec->n - 1] - rec->edge[0]);
    double late_ns = 0;
    for (size_t i = 0; i < rec->n; i++) {
        late_ns += (rec->arrival_ns[i] - rec->sync_ns - (rec->edge[i] - rec->sync_edge) * p) /
                   (double)rec->n;
    }
    assert_true(late_ns > 0 && isfinite(rec->best_round_ns));
    (void)fputc('L', rec->file);
    put(rec->file, (uint64_t)late_ns, 8);
    put(rec->file, 8, 1);
    put(rec->file, (uint64_t)(rec->best_round_ns / 2 / sqrt(3) + 2e4), 8);
    assert_int_equal(fclose(rec->file), 0);
}

static void go(struct rig *r)
{
    const struct atoll_wire_set set = {.channels = 1,
                                       .bits = 16,
                                       .conversions = CONVERSIONS,
                                       .period_ticks = TRIGGER_TICKS * CONVERSIONS};
    uno_send(r->uno, &(struct atoll_wire_frame){.type = ATOLL_WIRE_SET, .set = set});
    uno_send(r->uno, &(struct atoll_wire_frame){.type = ATOLL_WIRE_RUN, .run = 1});
}

/* The reset button, and what the serial driver does when HELLO comes. */
static void restart(struct rig *r, struct recording *rec)
{
    uno_reset(r->uno);
    run_ms(r, rec, 40);
    go(r);
}

/* Scans for a while with two markers in it; charge: what flowed between them. */
static double record(struct rig *r, const char *path, double ms)
{
    struct recording rec;
    begin_recording(&rec, path);
    (void)fputc('S', rec.file);
    put(rec.file, (uint64_t)host_ns(r, uno_now(r->uno)), 8);
    go(r);
    for (uint16_t i = 0; i < PINGS; i++) {
        run_ms(r, &rec, (double)LEAD_MS / PINGS);
        rec.ping_ns[i] = host_ns(r, uno_now(r->uno));
        uno_send(r->uno, &(struct atoll_wire_frame){.type = ATOLL_WIRE_PING, .id = i});
    }
    mark(r, &rec);
    const uint64_t from = uno_now(r->uno);
    r->harming = r->faults.loss > 0 || r->faults.flip > 0;
    run_ms(r, &rec, ms / 2);
    if (r->faults.restart) {
        restart(r, &rec);
    }
    run_ms(r, &rec, ms / 2);
    r->harming = false;
    mark(r, &rec);
    const uint64_t to = uno_now(r->uno);
    run_ms(r, &rec, TAIL_MS);
    end_recording(&rec);
    uno_send(r->uno, &(struct atoll_wire_frame){.type = ATOLL_WIRE_RUN, .run = 0});
    run_ms(r, NULL, 30);
    return charge(r, from, to);
}

/* ----------------------------------------------------------------------- meter */

static struct atoll_meter *replay(const char *path, const char *calibration)
{
    char spec[400];
    struct atoll_err err = {0};
    struct atoll_meter *m = NULL;
    const struct atoll_meter_opts o = {.keep_scans = true, .calibration = calibration};
    (void)snprintf(spec, sizeof spec, "replay:%s", path);
    int rc = atoll_meter_open(spec, &o, &m, &err);
    rc = rc == 0 ? atoll_meter_start(m, 0, &err) : rc;
    rc = rc == 0 ? atoll_meter_stop(m, UINT64_C(10000000000), &err) : rc;
    if (rc != 0) {
        fail_msg("%s", err.text);
    }
    return m;
}

static void calibrate(struct rig *r, const char *path, const char *calibration, double load_ma)
{
    struct atoll_err err = {0};
    struct atoll_calibration c = {0};
    const struct atoll_calibration_opts o = {.kind = load_ma > 0 ? ATOLL_CALIBRATE_GAIN
                                                                 : ATOLL_CALIBRATE_ZERO,
                                             .load_ma = load_ma,
                                             .u_frac = reference_frac,
                                             .day = 20781};
    r->low = r->high = load_ma / 1e3 * (1 + reference_frac * atoll_rng_normal(&r->rng));
    (void)record(r, path, 300);
    struct atoll_meter *m = replay(path, load_ma > 0 ? calibration : NULL);
    int rc = atoll_meter_calibrate(m, 0, 1, &o, &c, &err);
    rc = rc == 0 ? atoll_calibration_write(calibration, &c, &err) : rc;
    atoll_meter_close(&m);
    if (rc != 0) {
        fail_msg("%s", err.text);
    }
}

/* ATOLL_ENO: a gap is reported. */
static int measure(uint64_t seed, const struct faults *f, double *truth_mj, struct atoll_energy *e)
{
    char directory[256];
    char path[300];
    char calibration[300];
    char elf[512];
    struct rig r = {.period = UNO_HZ, .on = 0};
    test_scratch(directory);
    (void)snprintf(path, sizeof path, "%s/a.power", directory);
    (void)snprintf(calibration, sizeof calibration, "%s/c.json", directory);
    (void)snprintf(elf, sizeof elf, "%s/atoll-uno-500000.elf", images);
    atoll_rng_seed(&r.rng, seed);
    const double ppm = clock_frac * atoll_rng_normal(&r.rng);
    const double off = isnan(f->clock_ppm) ? fmin(fmax(ppm, -5e-3), 5e-3) : f->clock_ppm / 1e6;
    r.slow = 1 / (1 + off);
    r.gain = 1 + 0.0075 * atoll_rng_normal(&r.rng);
    r.zero_mv = 80 * (atoll_rng_unit(&r.rng) - 0.5);
    r.drift_mv = drift_ma / 1e3 * mv_per_a * atoll_rng_normal(&r.rng);
    r.uno = uno_open(elf, 500000, sensor, &r);
    assert_non_null(r.uno);
    run_ms(&r, NULL, 50);
    calibrate(&r, path, calibration, 0);
    calibrate(&r, path, calibration, 3000);
    r.from = r.drift_from = uno_now(r.uno);
    r.period = UNO_HZ / 500 + atoll_rng_below(&r.rng, UNO_HZ * 2 / 5);
    r.on = 1 + atoll_rng_below(&r.rng, r.period - 1);
    r.low = 0.2 + 0.3 * atoll_rng_unit(&r.rng);
    r.high = r.low + 1.5 * atoll_rng_unit(&r.rng);
    r.faults = *f;
    *truth_mj = 12e3 * record(&r, path, 600);
    uno_close(r.uno);
    struct atoll_err err = {0};
    struct atoll_meter *m = replay(path, calibration);
    const int rc = atoll_meter_energy(m, 0, 1, NULL, e, &err);
    atoll_meter_close(&m);
    (void)unlink(path);
    (void)unlink(calibration);
    (void)rmdir(directory);
    if (rc != 0 && rc != ATOLL_ENO) {
        fail_msg("%s", err.text);
    }
    return rc;
}

/* Seeds of one kind: how many lie inside, how many with a gap, error and interval. */
struct tally {
    size_t n, inside, gaps;
    double rms, u95;
};

static struct tally run_seeds(const char *what, size_t n, uint64_t seed, const struct faults *f)
{
    struct tally t = {.n = n};
    for (size_t i = 0; i < n; i++) {
        struct atoll_energy e = {0};
        double truth_mj = 0;
        const int rc = measure(atoll_seed_mix(seed, i), f, &truth_mj, &e);
        const double error = e.energy_mj / truth_mj - 1;
        assert_true((rc == ATOLL_ENO) == (e.lost_scans > 0));
        t.gaps += rc == ATOLL_ENO;
        t.inside += fabs(e.energy_mj - truth_mj) <= e.u95_mj;
        t.rms += error * error;
        t.u95 += e.u95_mj / truth_mj;
    }
    t.rms = sqrt(t.rms / (double)n);
    t.u95 /= (double)n;
    print_message("%s: inside %zu of %zu, %zu with a gap reported; rms error %.3f %%, stated "
                  "+-%.3f %% (%.2f x)\n",
                  what, t.inside, n, t.gaps, 100 * t.rms, 100 * t.u95, t.u95 / t.rms);
    return t;
}

static void the_interval_holds(void **state)
{
    (void)state;
    const struct faults none = {.clock_ppm = NAN};
    const struct tally t = run_seeds("sensors by chance", test_cases(100), test_seed(), &none);
    assert_int_equal(t.gaps, 0);
    assert_true(t.inside * 10 >= t.n * 9);
    assert_true(t.u95 <= 3 * t.rms);
}

static void a_clock_that_is_off(void **state)
{
    (void)state;
    for (int sign = -1; sign <= 1; sign += 2) {
        const struct faults f = {.clock_ppm = sign * 5000};
        const struct tally t =
            run_seeds(sign > 0 ? "clock +5000 ppm" : "clock -5000 ppm", 20, 51, &f);
        assert_int_equal(t.gaps, 0);
        assert_true(t.inside >= 17); /* of 20 at 95 %: fewer in one of 60 runs */
    }
}

/* The line or the device fails: the gap is reported, each time. */
static void gaps_are_reported(void **state)
{
    (void)state;
    const struct {
        const char *what;
        struct faults f;
    } kinds[] = {{"1 % of the bytes lost", {.clock_ppm = NAN, .loss = 0.01}},
                 {"0.1 % of the bytes with a flipped bit", {.clock_ppm = NAN, .flip = 1e-3}},
                 {"restart", {.clock_ppm = NAN, .restart = true}}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const struct tally t = run_seeds(kinds[i].what, 10, 77 + i, &kinds[i].f);
        /* a flip may spare the window's frames; then there is no gap, and none is reported */
        assert_true(t.gaps + (kinds[i].f.flip > 0 ? 5 : 0) >= t.n);
        assert_true(t.gaps > 0 && t.rms < 0.2); /* nearly half of the scans may be missing */
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_interval_holds),
        cmocka_unit_test(a_clock_that_is_off),
        cmocka_unit_test(gaps_are_reported),
    };
    images = argc > 1 ? argv[1] : ".";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
