/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Speed of the simulated board: stage events per second on one core, against the aim of 5 million.
 * Eight TPUs as one saturated pipeline; jitter and heat on; no rail sink. Two programs: all
 * parameters cached, and half of the layers streaming over a shared link that is full.
 */
#include "device_internal.h"

#include <stdio.h>
#include <time.h>

#define AIM_PER_S 5e6

enum { TPUS = 8, LAYERS = 20, ITEMS = 100000, DEPTH = 16 };

/* Time of this process alone: other work on the machine does not count. */
static uint64_t cpu_ns(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static struct atoll_quantity q(double v)
{
    return (struct atoll_quantity){.value = v, .unit = "", .source = "", .date = ""};
}

static struct atoll_board make_board(void)
{
    struct atoll_board b = {.name = "bench",
                            .n_tpus = TPUS,
                            .clock = ATOLL_CLOCK_MAX,
                            .runner = ATOLL_RUNNER_PYTHON,
                            .host_threads = 4};
    for (int r = 0; r < 2; r++) {
        for (int d = 0; d < 2; d++) {
            b.drive[r][d] = (struct atoll_drive_cost){.call_us = q(900),
                                                      .serial_us = q(50),
                                                      .input_us_per_mib = q(100),
                                                      .output_us_per_mib = q(5700),
                                                      .compute_scale = q(1)};
        }
    }
    b.clock_max_hz = q(500e6);
    b.clock_standard_hz = q(250e6);
    b.stream_us_per_mib = q(2750);
    b.load_us_per_mib = q(2750);
    b.ambient_c = q(30);
    b.thermal_c_per_w = q(15);
    b.thermal_tau_s = q(30);
    b.trip_c[0] = 85;
    b.trip_c[1] = 90;
    b.trip_c[2] = 95;
    b.throttles = true;
    b.idle_mw = q(400);
    b.compute_mw = q(1500);
    b.stream_mw = q(1000);
    b.transfer_mw = q(800);
    b.jitter_run_frac = q(0.005);
    b.jitter_inference_frac = q(0.014);
    b.spike_frac = q(0.001);
    b.spike_us = q(500);
    return b;
}

static void silent(void *user, uint64_t t_ns, const double *rail_mw, uint32_t n)
{
    *(double *)user += rail_mw[0] * (double)(t_ns & 1) + n;
}

static int feed(struct atoll_device *d, const uint32_t *slots, struct atoll_err *err)
{
    struct atoll_device_event ev;
    uint32_t fed = 0;
    int rc = 0;
    for (; fed < DEPTH && rc == 0; fed++) {
        rc = atoll_device_submit(d, slots[0], 0, NULL, err);
    }
    for (uint32_t done = 0; done < ITEMS && rc == 0;) {
        rc = atoll_device_next(d, &ev, err);
        if (rc == 0 && ev.tag + 1 < TPUS) {
            rc = atoll_device_submit(d, slots[ev.tag + 1], ev.tag + 1, NULL, err);
        } else if (rc == 0) {
            done++;
            rc = fed++ < ITEMS ? atoll_device_submit(d, slots[0], 0, NULL, err) : 0;
        }
    }
    return rc;
}

static int measure(const char *what, bool streams, bool sink, struct atoll_err *err)
{
    struct atoll_board b = make_board();
    b.shared_link_mib_per_s = q(streams ? 1400 : 0);
    struct atoll_layer layers[LAYERS];
    for (uint32_t i = 0; i < LAYERS; i++) {
        layers[i] = (struct atoll_layer){
            .cycles = 40000, .stream_bytes = streams && i % 2 != 0 ? 60000 : 0, .macs = 50000000};
    }
    const struct atoll_program p = {.layers = layers,
                                    .n_layers = LAYERS,
                                    .n_tpu_ops = LAYERS,
                                    .on_chip_bytes = 3000000,
                                    .input_bytes = 100000,
                                    .output_bytes = 100000,
                                    .instruction_bytes = 50000};
    const struct atoll_device_opts o = {.board = &b, .seed = 1};
    struct atoll_device *d = NULL;
    uint32_t slots[TPUS] = {0};
    double sum = 0;
    int rc = atoll_device_open("sim", &o, &d, err);
    for (uint32_t i = 0; i < TPUS && rc == 0; i++) {
        rc = atoll__device_sim_load_program(d, i, &p, i, &slots[i], err);
    }
    rc = rc == 0 ? atoll_device_begin(d, ATOLL_DRIVE_THREADED, 1, err) : rc;
    if (rc == 0 && sink) {
        rc = atoll_device_rail_sink(d, silent, &sum, err);
    }
    const uint64_t from_ns = cpu_ns();
    rc = rc == 0 ? feed(d, slots, err) : rc;
    const double s = (double)(cpu_ns() - from_ns) / 1e9;
    if (rc == 0) {
        const double per_s = (double)atoll__device_sim_events(d) / s;
        (void)printf("sim %-28s %6.1f million stage events/s, aim %.0f, ratio %.2f; %.2f us per "
                     "inference of a stage\n",
                     what, per_s / 1e6, AIM_PER_S / 1e6, per_s / AIM_PER_S,
                     s * 1e6 / ((double)ITEMS * TPUS));
    }
    atoll_device_close(&d);
    return rc;
}

int main(void)
{
    struct atoll_err err = {0};
    if (measure("cached", false, false, &err) != 0 ||
        measure("streaming, link full", true, false, &err) != 0 ||
        measure("cached, rails watched", false, true, &err) != 0) {
        (void)fprintf(stderr, "bench_sim: %s\n", err.text);
        return 1;
    }
    return 0;
}
