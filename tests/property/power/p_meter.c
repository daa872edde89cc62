/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interval that a meter states, against the energy that truly flowed: for random waveforms,
 * windows, sensors and clock errors the truth lies inside in 95 % of the cases, per rail and in
 * total, and the interval is no wider than three times the error's root mean square.
 * 2000 seeds; ATOLL_SEEDS multiplies them.
 */
#include "meter_fixture.h"

#include <math.h>

struct tally {
    uint32_t n, inside;
    double error2, u95;
};

static void count(struct tally *t, const struct atoll_energy *e, double truth)
{
    const double error = (e->energy_mj - truth) / truth;
    t->n++;
    t->inside += fabs(e->energy_mj - truth) <= e->u95_mj;
    t->error2 += error * error;
    t->u95 += e->u95_mj / truth;
}

static void check(const char *what, const struct tally *t)
{
    const double share = (double)t->inside / t->n;
    const double rms = sqrt(t->error2 / t->n);
    const double u95 = t->u95 / t->n;
    print_message("%s: inside %u of %u (%.1f %%), rms error %.3f %%, stated +-%.3f %%\n", what,
                  t->inside, t->n, 100 * share, 100 * rms, 100 * u95);
    assert_true(share >= 0.93 && share <= 0.97);
    assert_true(u95 <= 3 * rms);
}

static void covers(const char *spec)
{
    struct tally total = {0};
    struct tally rail = {0};
    struct atoll_rng r;
    atoll_rng_seed(&r, test_seed());
    for (size_t i = 0; i < test_cases(2000); i++) {
        const struct atoll_meter_opts o = fix_opts(atoll_rng_u64(&r), false);
        struct atoll_meter *m = fix_meter(spec, &o);
        struct atoll_energy rails[2];
        const uint64_t period_ns = 2 * FIX_MS + atoll_rng_below(&r, 400 * FIX_MS);
        const uint64_t on_ns = 1 + atoll_rng_below(&r, period_ns - 1);
        const uint64_t from_ns = 100 * FIX_MS + atoll_rng_below(&r, FIX_S);
        const uint64_t to_ns = from_ns + FIX_S + atoll_rng_below(&r, 3 * FIX_S);
        const double low = 2000 + 4000 * atoll_rng_unit(&r);
        const double mj = fix_square(m, 5, to_ns + FIX_MS, period_ns, on_ns, low,
                                     low + 15000 * atoll_rng_unit(&r), from_ns, to_ns);
        const struct atoll_energy e = fix_energy(m, rails);
        assert_true(e.coverage_k >= 1.95 && e.coverage_k < 2.4);
        count(&total, &e, mj);
        count(&rail, &rails[0], 0.8 * mj);
        atoll_meter_close(&m);
    }
    check(spec, &total);
    check("  12 V rail alone", &rail);
}

static void acs712(void **state)
{
    (void)state;
    covers("synth:acs712");
}

static void ina228(void **state)
{
    (void)state;
    covers("synth:ina228");
}

/* Rails off their nominal voltage by 1 % (standard): measured, and not. */
static void volts(void **state)
{
    (void)state;
    covers("synth:acs712,rail=0.01,volts");
    covers("synth:ina228,rail=0.01,volts");
    covers("synth:acs712,rail=0.01");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(acs712), cmocka_unit_test(ina228),
                                       cmocka_unit_test(volts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
