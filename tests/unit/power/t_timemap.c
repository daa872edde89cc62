/* SPDX-License-Identifier: Apache-2.0 */
/* The straight line between scan index and host time. */
#include "../atoll_test.h"

#include "power_internal.h"

#include <math.h>

static struct power_timemap make(double u_rate_frac)
{
    struct power_timemap t;
    const struct atoll_meter_setup s = {
        .rate_hz = 1000, .u_rate_frac = u_rate_frac, .latency_ns = 250e3, .u_latency_ns = 100e3};
    atoll__power_timemap_init(&t, &s);
    return t;
}

/* Exact arrivals: 1000.5 us a scan, the first edge at host time 5 s. */
static void exact_line(void **state)
{
    (void)state;
    struct power_timemap t = make(2e-3);
    for (uint64_t i = 1; i <= 100; i++) {
        atoll__power_timemap_add(&t, (double)(20 * i), 5000000000u + 20 * i * 1000500 + 250000);
    }
    test_close(atoll__power_timemap_period_ns(&t), 1000500,
               20); /* the prior still pulls a little */
    for (uint64_t i = 101; i <= 5000; i++) {
        atoll__power_timemap_add(&t, (double)(20 * i), 5000000000u + 20 * i * 1000500 + 250000);
    }
    test_close(atoll__power_timemap_period_ns(&t), 1000500, 0.01);
    test_close(atoll__power_timemap_edge(&t, 5000000000u + 777 * 1000500), 777, 1e-3);
    test_close(atoll__power_timemap_ns(&t, 777, 5000000000u), 777 * 1000500.0, 500);
}

static void before_any_frame_the_nominal_period_holds(void **state)
{
    (void)state;
    struct power_timemap t = make(2e-3);
    test_close(atoll__power_timemap_period_ns(&t), 1e6, 1e-9);
    atoll__power_timemap_add(&t, 20, 1000);
    test_close(atoll__power_timemap_period_ns(&t), 1e6, 1e-9);
    struct power_timemap exact = make(0); /* a clock without error needs no prior */
    atoll__power_timemap_add(&exact, 0, 0);
    atoll__power_timemap_add(&exact, 10, 10010000);
    test_close(atoll__power_timemap_period_ns(&exact), 1001000, 1e-6);
}

/* Latency jitter: the error of the map stays within what it claims. */
static void claims_its_uncertainty(void **state)
{
    (void)state;
    struct atoll_rng r;
    double sum = 0;
    atoll_rng_seed(&r, test_seed());
    for (int run = 0; run < 300; run++) {
        struct power_timemap t = make(2e-3);
        const double period = 1e6 * (1 + 2e-3 * atoll_rng_normal(&r));
        for (int i = 1; i <= 50; i++) {
            atoll__power_timemap_add(
                &t, 20.0 * i,
                (uint64_t)(1e9 + 20 * i * period + 150e3 + 100e3 * atoll_rng_exponential(&r)));
        }
        const double error = atoll__power_timemap_ns(&t, 500, 1000000000) - 500 * period;
        const double u = atoll__power_timemap_u_ns(&t, 500);
        assert_true(u >= 100e3 && u < 130e3);
        sum += error * error / (u * u) / 300;
    }
    assert_true(sum < 0.3); /* the mean of the jitter is known; its spread averages out */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_line),
        cmocka_unit_test(before_any_frame_the_nominal_period_holds),
        cmocka_unit_test(claims_its_uncertainty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
