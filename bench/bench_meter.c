/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Speed of the synth meter end to end: power in, sensor model, frames, the decoder of the hardware,
 * running sums. Channel-samples per second on one core against the aim of 20 million.
 */
#include <atoll/power.h>

#include <stdio.h>
#include <time.h>

#define AIM_PER_S 20e6

/* Time of this process alone: other work on the machine does not count. */
static uint64_t cpu_ns(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int measure(uint32_t n_rails, double rate_hz, uint64_t change_ns, struct atoll_err *err)
{
    static const struct atoll_meter_rail rails[ATOLL_METER_RAILS_MAX] = {
        {"a", 12}, {"b", 12}, {"c", 12}, {"d", 12}, {"e", 5}, {"f", 5}, {"g", 5}, {"h", 5}};
    const struct atoll_meter_opts o = {
        .rails = rails, .n_rails = n_rails, .rate_hz = rate_hz, .seed = 1};
    const uint64_t end_ns = (uint64_t)(2e7 / n_rails / rate_hz * 1e9);
    struct atoll_meter *m = NULL;
    struct atoll_energy e = {0};
    int rc = atoll_meter_open("synth", &o, &m, err);
    const uint64_t from_ns = cpu_ns();
    rc = rc == 0 ? atoll_meter_start(m, 0, err) : rc;
    for (uint64_t t = 0; t < end_ns && rc == 0; t += change_ns) {
        double mw[ATOLL_METER_RAILS_MAX];
        for (uint32_t i = 0; i < n_rails; i++) {
            mw[i] = 1000 + (double)((t >> 20) + i) * 7 - (double)((t >> 24) * 112);
        }
        atoll_meter_feed(m, t, mw, n_rails);
        if (t == 0) {
            const int32_t k = atoll_meter_mark(m, 0, "from", err);
            rc = k < 0 ? k : 0;
        }
    }
    if (rc == 0) {
        const int32_t k = atoll_meter_mark(m, end_ns, "to", err);
        rc = k < 0 ? k : atoll_meter_stop(m, end_ns, err);
    }
    rc = rc == 0 ? atoll_meter_energy(m, 0, 1, NULL, &e, err) : rc;
    const double s = (double)(cpu_ns() - from_ns) / 1e9;
    if (rc == 0) {
        const double per_s = (double)e.scans * n_rails / s;
        (void)printf("meter %u rails at %6.0f Hz, a change each %5.0f us: %5.1f million "
                     "channel-samples/s, aim %.0f, ratio %.2f\n",
                     n_rails, rate_hz, (double)change_ns / 1e3, per_s / 1e6, AIM_PER_S / 1e6,
                     per_s / AIM_PER_S);
    }
    atoll_meter_close(&m);
    return rc;
}

int main(void)
{
    struct atoll_err err = {0};
    if (measure(2, 1000, 10000000, &err) != 0 || measure(3, 1000, 500000, &err) != 0 ||
        measure(8, 20000, 500000, &err) != 0) {
        (void)fprintf(stderr, "bench_meter: %s\n", err.text);
        return 1;
    }
    return 0;
}
