/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole chain: ResNet-50 as a pipeline on four simulated Edge TPUs, the board's rails as
 * millivolts at the inputs of the Arduino's real image in simavr, its frames through decoder, time
 * map and sums of the host, driven by the runner as any meter. All in virtual time, so nothing
 * depends on how busy this machine is. What comes out agrees with the engine's own account.
 */
#include "../unit/atoll_test.h"
#include "uno_sim.h"

#include <atoll/bench.h>
#include <atoll/impl/meter.h>
#include <atoll/zoo.h>

#include <math.h>
#include <stdlib.h>

static const char *images; /* directory */

enum { RAILS = 2, ZERO_MV = 2500, MV_PER_A = 185, CONVERSIONS = 7, RATE_HZ = 1000 };
static const double code_ma = 5000.0 / 1023 / MV_PER_A * 1e3; /* of one conversion */

/* A meter driver: the image, fed with the rails of a simulated board. */
struct sensors { ///< how far they are from what the meter believes
    double gain[RAILS], zero_mv[RAILS], clock_ppm;
    double u_gain, u_zero_mv; ///< what it believes of them, standard
    uint64_t seed;
};
struct chain {
    struct uno *u;
    const struct sensors *sensors;
    double volt[RAILS], ma[RAILS];
    bool fed, running;
    uint64_t start_ns, start_cycle;
    double hz; ///< cycles per second of host time
    struct atoll_wire_decoder decoder;
    struct atoll_wire_frame last;
    uint32_t seen[ATOLL_WIRE_STORE + 1];
    /* the truth: power since each time */
    uint64_t *t_ns;
    double *mw;
    size_t n, cap_t, cap_mw;
};
static const struct sensors *next_sensors; /* of the next open */
static struct chain *the_chain;

static uint32_t wave(void *ctx, unsigned input, uint64_t cycle)
{
    const struct chain *c = ctx;
    const uint64_t mixed = ((cycle ^ input) + c->sensors->seed) * UINT64_C(0x9e3779b97f4a7c15);
    /* ten codes of dither in steps of a millivolt, and the part of a millivolt that is cut off */
    const double dither = (double)((mixed >> 33) % 49) - 24 + (double)(mixed >> 11 & 1023) / 1024;
    const double mv = input < RAILS ? MV_PER_A * c->ma[input] / 1e3 * c->sensors->gain[input] +
                                          c->sensors->zero_mv[input]
                                    : 0;
    return (uint32_t)(ZERO_MV + mv + dither);
}

static void look(struct chain *c)
{
    for (size_t at = 0; at < c->u->n_out;) {
        bool got = false;
        struct atoll_wire_frame f;
        at += atoll_wire_decode(&c->decoder, c->u->out + at, c->u->n_out - at, &f, &got);
        if (got) {
            c->last = f;
            c->seen[f.type]++;
        }
    }
    c->u->n_out = 0;
}

/* Runs until one more frame of a type is there. */
static void await(struct chain *c, uint8_t type)
{
    const uint32_t had = c->seen[type];
    for (int i = 0; i < 20000 && c->seen[type] == had; i++) {
        assert_true(uno_run(c->u, uno_now(c->u) + UNO_HZ / 10000));
        look(c);
    }
    assert_true(c->seen[type] > had);
}

static void calibrate(struct chain *c)
{
    for (uint8_t i = 0; i < RAILS; i++) {
        struct atoll_wire_frame f = {
            .type = ATOLL_WIRE_STORE,
            .channel = {.index = i,
                        .kind = ATOLL_WIRE_CURRENT,
                        .rail = i,
                        .nominal_mv = (uint16_t)(c->volt[i] * 1e3 + 0.5),
                        .zero_256 = 130816, /* 511.5 less half a code: simavr cuts */
                        .gain = (uint32_t)(code_ma * 1e6 + 0.5),
                        .gain_u_ppm = (uint16_t)(c->sensors->u_gain * 1e6),
                        .day = 20000}};
        (void)snprintf(f.channel.name, sizeof f.channel.name, "rail%u", i);
        uno_send(c->u, &f);
        await(c, ATOLL_WIRE_CHANNEL);
    }
}

static void run_it(struct chain *c, bool on)
{
    struct atoll_wire_frame f = {.type = ATOLL_WIRE_RUN, .run = on};
    uno_send(c->u, &f);
}

/* From the end of a frame's last scan to the arrival of its last byte, as the line has it. */
static double latency_ns(struct chain *c)
{
    run_it(c, true);
    await(c, ATOLL_WIRE_DATA);
    const uint64_t scans = c->last.data.first_scan + c->last.data.n_scans;
    const double end = (double)c->u->start_cycle + (double)scans * UNO_HZ / RATE_HZ;
    const double late = ((double)uno_now(c->u) - end) / UNO_HZ * 1e9;
    run_it(c, false);
    assert_true(uno_run(c->u, uno_now(c->u) + UNO_HZ / 50));
    look(c);
    assert_true(late > 0 && late < 20e6);
    return late;
}

static int chain_open(const char *arg, const struct atoll_meter_opts *o,
                      struct atoll_meter_setup *setup, void **state, struct atoll_err *err)
{
    struct chain *c = calloc(1, sizeof *c);
    (void)err;
    assert_non_null(c);
    assert_int_equal(o->n_rails, RAILS);
    c->sensors = next_sensors;
    c->hz = UNO_HZ * (1 + c->sensors->clock_ppm / 1e6);
    c->u = uno_open(arg, 500000, wave, c);
    assert_non_null(c->u);
    await(c, ATOLL_WIRE_HELLO);
    *setup = (struct atoll_meter_setup){.origin = ATOLL_ORIGIN_SIMULATED,
                                        .rate_hz = RATE_HZ,
                                        .u_rate_frac = 0.003,
                                        .n_rails = RAILS};
    for (uint32_t i = 0; i < RAILS; i++) {
        c->volt[i] = o->rails[i].volt;
        setup->channels[i] = (struct atoll_meter_channel){
            .volt = o->rails[i].volt,
            .at = i,
            .zero_code = 511.0 * CONVERSIONS,
            .ma_per_code = code_ma / CONVERSIONS,
            .u_gain_frac = c->sensors->u_gain,
            .gain_dof = INFINITY,
            .u_zero_code = c->sensors->u_zero_mv / 5000 * 1023 * CONVERSIONS,
            .noise_code = 2.91 * sqrt(CONVERSIONS), /* the dither's 14.2 mV, rounding */
            .noise_dof = 255};
    }
    calibrate(c);
    struct atoll_wire_frame f = {
        .type = ATOLL_WIRE_SET,
        .set = {.channels = (1u << RAILS) - 1, .bits = 16, .conversions = CONVERSIONS}};
    struct atoll_wire_frame ask = {.type = ATOLL_WIRE_ASK, .ask = ATOLL_WIRE_CONFIG};
    uno_send(c->u, &ask);
    await(c, ATOLL_WIRE_CONFIG);
    f.set.period_ticks = c->last.config.tick_hz / RATE_HZ;
    uno_send(c->u, &f);
    await(c, ATOLL_WIRE_CONFIG);
    assert_int_equal(c->last.config.conversions, CONVERSIONS);
    setup->latency_ns = latency_ns(c);
    setup->u_latency_ns = 5e4; /* half a step of the simulation */
    *state = c;
    the_chain = c;
    return 0;
}

static void chain_close(void *state)
{
    struct chain *c = state;
    uno_close(c->u);
    atoll_free(c->t_ns);
    atoll_free(c->mw);
    free(c);
}

/* Lets the processor live up to a host time, a tenth of a millisecond at a time. */
static void live(struct chain *c, struct atoll_meter *m, uint64_t t_ns)
{
    const double ns = (double)(int64_t)(t_ns - c->start_ns);
    const double end = (double)c->start_cycle + ns * c->hz / 1e9;
    while ((double)uno_now(c->u) < end) {
        const uint64_t step = uno_now(c->u) + UNO_HZ / 10000;
        assert_true(uno_run(c->u, (double)step < end ? step : (uint64_t)end + 1));
        if (c->u->n_out > 0) {
            const double at = ((double)uno_now(c->u) - (double)c->start_cycle) / c->hz * 1e9;
            atoll_meter_push(m, c->u->out, c->u->n_out, c->start_ns + (uint64_t)(int64_t)at);
            c->u->n_out = 0;
        }
    }
}

static int chain_start(void *state, struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err)
{
    struct chain *c = state;
    (void)m;
    (void)err;
    c->start_ns = t_ns;
    return 0;
}

static void chain_feed(void *state, struct atoll_meter *m, uint64_t t_ns, const double *rail_mw,
                       uint32_t n_rails)
{
    struct chain *c = state;
    assert_int_equal(n_rails, RAILS);
    if (c->running) {
        live(c, m, t_ns);
    }
    for (uint32_t i = 0; i < RAILS; i++) {
        c->ma[i] = rail_mw[i] / c->volt[i];
    }
    if (!c->running) { /* 100 ms of scans in front of the first marker */
        c->running = true;
        c->start_cycle = uno_now(c->u) + UNO_HZ / 10;
        struct atoll_wire_frame ask = {.type = ATOLL_WIRE_ASK, .ask = ATOLL_WIRE_CONFIG};
        uno_send(c->u, &ask);
        run_it(c, true);
        live(c, m, t_ns);
    }
    if (atoll_grow((void **)&c->t_ns, &c->cap_t, c->n + 1, sizeof *c->t_ns) ||
        atoll_grow((void **)&c->mw, &c->cap_mw, c->n + 1, sizeof *c->mw)) {
        fail_msg("no memory");
    }
    c->t_ns[c->n] = t_ns;
    c->mw[c->n++] = rail_mw[0] + rail_mw[1];
}

static int chain_advance(void *state, struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err)
{
    struct chain *c = state;
    (void)err;
    if (c->running) {
        live(c, m, t_ns);
    }
    return 0;
}

static int chain_stop(void *state, struct atoll_meter *m, uint64_t t_ns, uint32_t scans,
                      struct atoll_err *err)
{
    (void)err;
    live(state, m, t_ns + (scans + 60) * UINT64_C(1000000));
    return 0;
}

static const struct atoll_meter_driver driver = {
    .name = "uno_in_simavr",
    .open = chain_open,
    .close = chain_close,
    .start = chain_start,
    .advance = chain_advance,
    .stop = chain_stop,
    .feed = chain_feed,
};

static double truth_mj(const struct chain *c, uint64_t from_ns, uint64_t to_ns)
{
    double pj = 0;
    for (size_t i = 0; i < c->n; i++) {
        const uint64_t end = i + 1 < c->n ? c->t_ns[i + 1] : to_ns;
        const uint64_t a = c->t_ns[i] > from_ns ? c->t_ns[i] : from_ns;
        const uint64_t b = end < to_ns ? end : to_ns;
        pj += b > a ? c->mw[i] * (double)(b - a) : 0;
    }
    return pj / 1e9;
}

/* ------------------------------------------------------------------- the board */

static struct atoll_board *board;
static struct atoll_model *model;
static struct atoll_cost *cost;
static struct atoll_plan *plan;

static int open_all(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    struct atoll_plan_request r = atoll_plan_request_default();
    int rc = atoll_board_open("asus_crl_g18u", NULL, &board, &err);
    rc = rc ? rc : atoll_zoo_build("resnet50", &model, &err);
    rc = rc ? rc : atoll_cost_open(model, ATOLL_COMPILER_V16, &cost, &err);
    r.models = (const struct atoll_cost *const *)&cost;
    r.n_models = 1;
    r.board = board;
    r.tpus = 4;
    r.strategy = "vendor";
    rc = rc ? rc : atoll_plan_solve(&r, &plan, &err);
    if (rc) {
        print_error("%s\n", err.text);
    }
    return rc;
}
static int close_all(void **state)
{
    (void)state;
    atoll_plan_close(&plan);
    atoll_cost_close(&cost);
    atoll_model_close(&model);
    atoll_board_close(&board);
    return 0;
}

struct answer {
    double measured_mj, u95_mj, truth_mj;     ///< of an inference, steady window
    double whole_mj, whole_u95_mj, engine_mj; ///< from loading to the end
    double compute_w, compute_u95_w, true_compute_w;
};

static int32_t marker(struct atoll_meter *m, const char *label)
{
    for (int32_t i = 0; i < atoll_meter_markers(m); i++) {
        const char *name = NULL;
        uint64_t t_ns = 0;
        assert_int_equal(atoll_meter_marker(m, i, &t_ns, &name, NULL), 0);
        if (strcmp(name, label) == 0) {
            return i;
        }
    }
    fail_msg("no marker %s", label);
    return -1;
}

static struct answer measure(const struct sensors *sensors, uint32_t count)
{
    char elf[512];
    struct atoll_err err = {0};
    struct answer a;
    struct atoll_run_result r = {0};
    const struct atoll_device_opts d = {.board = board, .seed = sensors->seed};
    struct atoll_meter_rail rails[RAILS];
    for (uint32_t i = 0; i < RAILS; i++) {
        rails[i] = (struct atoll_meter_rail){board->rails[i].name, board->rails[i].volt};
    }
    const struct atoll_meter_opts o = {.rails = rails, .n_rails = RAILS, .keep_scans = true};
    struct atoll_run_request q = {.plan = plan,
                                  .models = (const struct atoll_cost *const *)&cost,
                                  .workload = {ATOLL_WORK_SATURATED, 0, count},
                                  .seed = sensors->seed};
    (void)snprintf(elf, sizeof elf, "%s/atoll-uno-500000.elf", images);
    next_sensors = sensors;
    if (atoll_meter_open_driver(&driver, elf, &o, &q.meter, &err) ||
        atoll_device_open("sim", &d, &q.device, &err) || atoll_run(&q, &r, &err)) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(r.total.lost_scans, 0);
    assert_int_equal(the_chain->u->missed, 0);
    const struct atoll_phase_result *steady = &r.phases[3];
    assert_string_equal(steady->name, "steady");
    a.measured_mj = r.energy_mj;
    a.u95_mj = r.energy_u95_mj;
    a.truth_mj =
        truth_mj(the_chain, steady->from_ns, steady->to_ns) / (r.throughput_hz * r.total.seconds);
    struct atoll_energy whole;
    assert_int_equal(atoll_meter_energy(q.meter, marker(q.meter, "load"), marker(q.meter, "end"),
                                        NULL, &whole, &err),
                     0);
    a.whole_mj = whole.energy_mj;
    a.whole_u95_mj = whole.u95_mj;
    struct atoll_engine_state own[ATOLL_STATES];
    assert_int_equal(atoll_device_engine_mj(q.device, &a.engine_mj, &err), 0);
    assert_int_equal(atoll_device_engine_states(q.device, own, &err), 0);
    const struct atoll_engine_state *idle = &own[ATOLL_STATE_IDLE],
                                    *compute = &own[ATOLL_STATE_COMPUTE];
    a.true_compute_w = (compute->energy_mj / compute->tpu_s - idle->energy_mj / idle->tpu_s) / 1e3;
    a.compute_w = r.states[ATOLL_STATE_COMPUTE].power_w;
    a.compute_u95_w = r.states[ATOLL_STATE_COMPUTE].power_u95_w;
    atoll_run_result_finish(&r);
    atoll_meter_close(&q.meter);
    atoll_device_close(&q.device);
    return a;
}

/* Sensors that are what the meter believes: what is left is the chain. */
static void exact_sensors(void **state)
{
    (void)state;
    const struct sensors s = {.gain = {1, 1}, .clock_ppm = 3000, .u_gain = 1e-4, .seed = 1};
    const struct answer a = measure(&s, 100);
    print_message("an inference of ResNet-50 on 4 TPUs: %.3f mJ +-%.3f through the firmware, %.3f "
                  "by the rails; whole run %.2f mJ +-%.2f, engine %.2f; compute %.3f W +-%.3f, "
                  "engine %.3f\n",
                  a.measured_mj, a.u95_mj, a.truth_mj, a.whole_mj, a.whole_u95_mj, a.engine_mj,
                  a.compute_w, a.compute_u95_w, a.true_compute_w);
    test_close(a.measured_mj / a.truth_mj, 1, 0.002);
    test_close(a.whole_mj / a.engine_mj, 1, 0.002);
    test_close(a.measured_mj, a.truth_mj, a.u95_mj);
    test_close(a.whole_mj, a.engine_mj, a.whole_u95_mj);
    test_close(a.compute_w, a.true_compute_w, a.compute_u95_w);
}

/* Sensors and clocks drawn anew each time, as far off as the meter says. */
static void real_sensors(void **state)
{
    (void)state;
    const uint64_t seed = test_seed();
    const size_t n = test_cases(12);
    size_t inference = 0, whole = 0, states = 0;
    for (size_t i = 0; i < n; i++) {
        struct atoll_rng r;
        struct sensors s = {.u_gain = 0.005, .u_zero_mv = 1, .seed = seed + i};
        atoll_rng_seed(&r, seed + i);
        for (int k = 0; k < RAILS; k++) {
            s.gain[k] = 1 + s.u_gain * atoll_rng_normal(&r);
            s.zero_mv[k] = s.u_zero_mv * atoll_rng_normal(&r);
        }
        s.clock_ppm = 10000 * atoll_rng_unit(&r) - 5000;
        const struct answer a = measure(&s, 20);
        inference += fabs(a.measured_mj - a.truth_mj) <= a.u95_mj;
        whole += fabs(a.whole_mj - a.engine_mj) <= a.whole_u95_mj;
        states += fabs(a.compute_w - a.true_compute_w) <= a.compute_u95_w;
        assert_true(fabs(a.measured_mj - a.truth_mj) <= 2.5 * a.u95_mj);
    }
    print_message("inside the stated interval: inference %zu, whole run %zu, power of computing "
                  "%zu of %zu\n",
                  inference, whole, states, n);
    assert_true(inference * 10 >= n * 8 && whole * 10 >= n * 8 && states * 10 >= n * 8);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(exact_sensors),
                                       cmocka_unit_test(real_sensors)};
    images = argc > 1 ? argv[1] : ".";
    return cmocka_run_group_tests(tests, open_all, close_all);
}
