/* SPDX-License-Identifier: Apache-2.0 */
/* A board with round numbers, programs made by hand, and small runners on the device interface. */
#ifndef SIM_FIXTURE_H
#define SIM_FIXTURE_H

#include "../atoll_test.h"

#include "device_internal.h"

#define FIX_MIB (1024u * 1024u)

static inline struct atoll_quantity fix_q(double v)
{
    return (struct atoll_quantity){.value = v, .unit = "", .source = "", .date = ""};
}

/* 500 MHz, call 100 us (20 of them under the lock), input 1 us/KiB, output twice that. */
static inline struct atoll_board fix_board(uint32_t n_tpus)
{
    struct atoll_board b = {.name = "fixture",
                            .n_tpus = n_tpus,
                            .link = ATOLL_LINK_USB3,
                            .clock = ATOLL_CLOCK_MAX,
                            .runner = ATOLL_RUNNER_PYTHON,
                            .host_threads = 64};
    for (int r = 0; r < 2; r++) {
        for (int d = 0; d < 2; d++) {
            b.drive[r][d] =
                (struct atoll_drive_cost){.call_us = fix_q(100),
                                          .serial_us = fix_q(d == ATOLL_DRIVE_THREADED ? 20 : 0),
                                          .input_us_per_mib = fix_q(1024),
                                          .output_us_per_mib = fix_q(2048),
                                          .output_us_per_kpx = fix_q(10),
                                          .compute_scale = fix_q(1),
                                          .copy_us = fix_q(7),
                                          .copy_interval_us = fix_q(9)};
        }
    }
    b.clock_max_hz = fix_q(500e6);
    b.clock_standard_hz = fix_q(250e6);
    b.stream_us_per_mib = fix_q(2560);
    b.load_us = fix_q(50);
    b.load_us_per_mib = fix_q(2560);
    b.ambient_c = fix_q(25);
    b.thermal_c_per_w = fix_q(10);
    b.thermal_tau_s = fix_q(20);
    b.trip_c[0] = 85;
    b.trip_c[1] = 90;
    b.trip_c[2] = 95;
    b.throttles = true;
    b.idle_mw = fix_q(500);
    b.compute_mw = fix_q(1500);
    b.stream_mw = fix_q(1000);
    b.transfer_mw = fix_q(800);
    b.mj_per_gmac = fix_q(2);
    b.board_mw = fix_q(3000);
    b.rails[0] = (struct atoll_rail){.name = "12v", .volt = 12, .share_frac = 0.75};
    b.rails[1] = (struct atoll_rail){.name = "3v3", .volt = 3.3, .share_frac = 0.25};
    b.n_rails = 2;
    return b;
}

/* One layer of `compute_us` at 500 MHz that streams `stream_kib`; 100 KiB in, 50 KiB out. */
static inline struct atoll_layer fix_layer(double compute_us, uint64_t stream_kib)
{
    return (struct atoll_layer){.cycles = compute_us * 500,
                                .stream_bytes = stream_kib * 1024,
                                .macs = (uint64_t)(compute_us * 1e6),
                                .kind = ATOLL_BOUND_ARRAY};
}

static inline struct atoll_program fix_program(struct atoll_layer *layers, uint32_t n,
                                               uint64_t on_chip_kib)
{
    return (struct atoll_program){.layers = layers,
                                  .n_layers = n,
                                  .n_tpu_ops = n,
                                  .on_chip_bytes = on_chip_kib * 1024,
                                  .input_bytes = 90 * 1024,
                                  .instruction_bytes = 10 * 1024,
                                  .output_bytes = 50 * 1024};
}

static inline struct atoll_device *fix_open(const struct atoll_board *b, uint64_t seed,
                                            bool no_jitter)
{
    struct atoll_device *d = NULL;
    struct atoll_err err = {0};
    const struct atoll_device_opts o = {.board = b, .seed = seed, .no_jitter = no_jitter};
    if (atoll_device_open("sim", &o, &d, &err) != 0) {
        fail_msg("%s", err.text);
    }
    return d;
}

static inline uint32_t fix_load(struct atoll_device *d, uint32_t tpu, const struct atoll_program *p,
                                uint32_t group)
{
    uint32_t slot = 0;
    assert_int_equal(atoll__device_sim_load_program(d, tpu, p, group, &slot, NULL), 0);
    return slot;
}

static inline struct atoll_device_event fix_next(struct atoll_device *d)
{
    struct atoll_device_event ev;
    struct atoll_err err = {0};
    if (atoll_device_next(d, &ev, &err) != 0) {
        fail_msg("%s", err.text);
    }
    return ev;
}

/* Submits one inference and waits for it. */
static inline struct atoll_device_event fix_run(struct atoll_device *d, uint32_t slot)
{
    assert_int_equal(atoll_device_submit(d, slot, 0, NULL, NULL), 0);
    const struct atoll_device_event ev = fix_next(d);
    assert_int_equal(ev.kind, ATOLL_EVENT_DONE);
    return ev;
}

static inline double fix_us(const struct atoll_device_event *ev)
{
    return (double)(ev->time_ns - ev->submit_ns) / 1e3;
}

/* Chain of stages kept full: `count` items through slots[0..n), each stage handing over to the
 * next, `depth` items in the system. Returns the mean interval of the later half, before the chain
 * runs empty, in us. */
static inline double fix_saturate(struct atoll_device *d, const uint32_t *slots, uint32_t n,
                                  uint32_t count, uint32_t depth)
{
    const uint32_t from = count / 2;
    const uint32_t to = count - depth;
    uint32_t fed = 0;
    uint64_t from_ns = 0;
    uint64_t to_ns = 0;
    for (; fed < depth; fed++) {
        assert_int_equal(atoll_device_submit(d, slots[0], 0, NULL, NULL), 0);
    }
    for (uint32_t done = 0; done < count;) {
        const struct atoll_device_event ev = fix_next(d);
        assert_int_equal(ev.kind, ATOLL_EVENT_DONE);
        const uint32_t stage = (uint32_t)ev.tag + 1;
        if (stage < n) {
            assert_int_equal(atoll_device_submit(d, slots[stage], stage, NULL, NULL), 0);
            continue;
        }
        done++;
        from_ns = done == from ? ev.time_ns : from_ns;
        to_ns = done == to ? ev.time_ns : to_ns;
        if (fed < count) {
            fed++;
            assert_int_equal(atoll_device_submit(d, slots[0], 0, NULL, NULL), 0);
        }
    }
    return (double)(to_ns - from_ns) / 1e3 / (to - from);
}

#endif
