/* SPDX-License-Identifier: Apache-2.0 */
/* A synth meter on two rails, fed with waveforms whose energy is known. */
#ifndef METER_FIXTURE_H
#define METER_FIXTURE_H

#include "../atoll_test.h"

#include <atoll/power.h>

static const struct atoll_meter_rail fix_rails[2] = {{"12v_slot", 12}, {"3v3_slot", 3.3}};

static inline struct atoll_meter *fix_meter(const char *spec, const struct atoll_meter_opts *o)
{
    struct atoll_meter *m = NULL;
    struct atoll_err err = {0};
    if (atoll_meter_open(spec, o, &m, &err) != 0) {
        fail_msg("%s", err.text);
    }
    return m;
}

static inline struct atoll_meter_opts fix_opts(uint64_t seed, bool ideal)
{
    return (struct atoll_meter_opts){
        .rails = fix_rails, .n_rails = 2, .seed = seed, .ideal = ideal};
}

static inline void fix_feed(struct atoll_meter *m, uint64_t t_ns, double mw_12v, double mw_3v3)
{
    const double mw[2] = {mw_12v, mw_3v3};
    atoll_meter_feed(m, t_ns, mw, 2);
}

static inline int32_t fix_mark(struct atoll_meter *m, uint64_t t_ns)
{
    struct atoll_err err = {0};
    const int32_t k = atoll_meter_mark(m, t_ns, "mark", &err);
    if (k < 0) {
        fail_msg("%s", err.text);
    }
    return k;
}

/* Square wave: `high` for `on_ns` of each `period_ns`, else `low`; the second rail takes a quarter.
 * Marks at from and to. Returns the energy between them on both rails. */
static inline double fix_square(struct atoll_meter *m, uint64_t start_ns, uint64_t end_ns,
                                uint64_t period_ns, uint64_t on_ns, double low, double high,
                                uint64_t from_ns, uint64_t to_ns)
{
    double pj = 0;
    assert_int_equal(atoll_meter_start(m, start_ns, NULL), 0);
    bool marked[2] = {false, false};
    for (uint64_t t = start_ns; t < end_ns;) {
        const uint64_t phase = (t - start_ns) % period_ns;
        const double mw = phase < on_ns ? high : low;
        const uint64_t next = t + (phase < on_ns ? on_ns - phase : period_ns - phase);
        fix_feed(m, t, mw, mw / 4);
        if (!marked[0] && from_ns < next) {
            marked[0] = true;
            (void)fix_mark(m, from_ns);
        }
        if (!marked[1] && to_ns < next) {
            marked[1] = true;
            (void)fix_mark(m, to_ns);
        }
        const uint64_t a = t > from_ns ? t : from_ns;
        const uint64_t b = next < to_ns ? next : to_ns;
        pj += b > a ? 1.25 * mw * (double)(b - a) : 0;
        t = next;
    }
    assert_int_equal(atoll_meter_stop(m, end_ns, NULL), 0);
    return pj / 1e9;
}

static inline struct atoll_energy fix_energy(struct atoll_meter *m, struct atoll_energy *rails)
{
    struct atoll_energy e = {0};
    struct atoll_err err = {0};
    if (atoll_meter_energy(m, 0, 1, rails, &e, &err) != 0) {
        fail_msg("%s", err.text);
    }
    return e;
}

#define FIX_MS UINT64_C(1000000)
#define FIX_S UINT64_C(1000000000)

#endif
