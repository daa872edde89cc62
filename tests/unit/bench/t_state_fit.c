/* SPDX-License-Identifier: Apache-2.0 */
/* Power of states by regression: a case worked by hand, random timelines, what cannot be told
 * apart. */
#include "../atoll_test.h"

#include "state_fit.h"

#include <math.h>

enum { SCANS_MAX = 20000 };
#define MS UINT64_C(1000000)

/* A trace of one rail at 1 kHz, scan k in the middle of [k, k + 1) ms after `start_ns`. */
static uint64_t t_ns[SCANS_MAX];
static float mw[SCANS_MAX];

static struct atoll_trace trace(size_t n, uint64_t start_ns)
{
    for (size_t k = 0; k < n; k++) {
        t_ns[k] = start_ns + k * MS + MS / 2;
    }
    return (struct atoll_trace){.t_ns = t_ns, .rail_mw = mw, .n = n, .n_rails = 1};
}

/* 60 scans of one TPU: idle 20, computing 20, idle 20; the meter is off by +1, -1, -1, +1 W in
 * turn. By hand: both the turn and the pattern are even around the middle, so trend and shift are
 * 0. Idle is the mean of 40 scans (10 W), compute the difference of the means (3 W). Residuals are
 * 60 of
 * +-1, with 4 unknowns: s = sqrt(60 / 56). Standard errors: s sqrt(1/40), s sqrt(1/40 + 1/20), and
 * up to 7 % more since the shift is unknown as well (its column is two scans at the edges). */
static void by_hand(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    const uint64_t start = 7000 * MS;
    struct atoll_trace t = trace(60, start);
    for (int k = 0; k < 60; k++) {
        const bool on = k >= 20 && k < 40;
        mw[k] = (on ? 13000.0F : 10000.0F) + (k % 4 == 0 || k % 4 == 3 ? 1000.0F : -1000.0F);
    }
    struct atoll__state_log log = {0};
    atoll__state_note(&log, start + 20 * MS, 0, ATOLL_STATE_COMPUTE);
    atoll__state_note(&log, start + 40 * MS, 0, ATOLL_STATE_IDLE);
    const struct atoll__state_request q = {.trace = &t,
                                           .log = &log,
                                           .n_tpus = 1,
                                           .from_ns = start,
                                           .to_ns = start + 60 * MS,
                                           .correlated_s = 0.001,
                                           .segments = 1};
    struct atoll__state_fit f;
    if (atoll__state_fit(&q, &f, &err)) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(f.scans, 60);
    test_close(f.residual_w, sqrt(60.0 / 56), 1e-6);
    test_close(f.shift_ns, 0, 1);
    test_close(f.state[ATOLL_STATE_IDLE].w, 10, 1e-6);
    test_close(f.state[ATOLL_STATE_COMPUTE].w, 3, 1e-6);
    test_close(f.state[ATOLL_STATE_IDLE].u_w, f.residual_w * sqrt(1.0 / 40), 2e-3);
    test_close(f.state[ATOLL_STATE_COMPUTE].u_w, f.residual_w * sqrt(1.0 / 40 + 1.0 / 20), 2e-2);
    assert_true(isnan(f.state[ATOLL_STATE_LOAD].w) && f.state[ATOLL_STATE_LOAD].with == -1);
    double tpu_s[ATOLL_STATES];
    atoll__state_times(&log, 1, start + 10 * MS, start + 35 * MS, tpu_s);
    test_close(tpu_s[ATOLL_STATE_IDLE], 0.010, 1e-12);
    test_close(tpu_s[ATOLL_STATE_COMPUTE], 0.015, 1e-12);
    atoll_free(log.changes);
}

/* Random timelines of up to 8 TPUs with states of known power, seen `late_ns` later by a meter with
 * noise: the powers lie in their intervals, and the delay is found. */
static const double truth_w[ATOLL_STATES] = {9.5, 0.2, 0.5, 0.9, 1.4};

static double power_w(const int count[ATOLL_STATES])
{
    double w = truth_w[0];
    for (int s = 1; s < ATOLL_STATES; s++) {
        w += count[s] * truth_w[s];
    }
    return w;
}

/* Fills `mw` with the means of the cells, shifted. */
static void see(const struct atoll__state_log *log, size_t n, double late_ns, double noise_w,
                struct atoll_rng *r)
{
    enum atoll_power_state now[8] = {ATOLL_STATE_IDLE};
    int count[ATOLL_STATES] = {8};
    double at_ns = 0, ws = 0;
    size_t k = 0, i = 0;
    while (k < n) {
        const double edge_ns = (double)((k + 1) * MS);
        const double change_ns = i < log->n ? (double)log->changes[i].t_ns + late_ns : INFINITY;
        const double until_ns = fmin(edge_ns, change_ns);
        ws += power_w(count) * (until_ns - at_ns);
        at_ns = until_ns;
        if (change_ns <= edge_ns) {
            const struct atoll__state_change *c = &log->changes[i++];
            count[now[c->tpu]]--;
            count[c->state]++;
            now[c->tpu] = c->state;
        } else {
            mw[k++] = (float)(ws / (double)MS * 1e3 + 1e3 * noise_w * atoll_rng_normal(r));
            ws = 0;
        }
    }
}

/* Inferences of transfer, compute, stream, compute, transfer; the first one of each TPU loads. */
static void make_timeline(struct atoll__state_log *log, size_t n, uint32_t tpus,
                          struct atoll_rng *r)
{
    static const enum atoll_power_state order[] = {
        ATOLL_STATE_TRANSFER, ATOLL_STATE_LOAD,     ATOLL_STATE_COMPUTE, ATOLL_STATE_STREAM,
        ATOLL_STATE_COMPUTE,  ATOLL_STATE_TRANSFER, ATOLL_STATE_IDLE};
    for (uint32_t tpu = 0; tpu < tpus; tpu++) {
        double at_ns = 100e6 + 5e6 * atoll_rng_unit(r);
        bool loaded = false;
        while (at_ns < (double)n * 1e6 - 150e6) {
            for (size_t k = 0; k < sizeof order / sizeof order[0]; k++) {
                const double mean_ms = order[k] == ATOLL_STATE_TRANSFER ? 1.5
                                       : order[k] == ATOLL_STATE_LOAD   ? 15
                                       : order[k] == ATOLL_STATE_IDLE   ? 1
                                                                        : 4;
                if (order[k] == ATOLL_STATE_LOAD && loaded) {
                    continue;
                }
                atoll__state_note(log, (uint64_t)at_ns, tpu, order[k]);
                at_ns += 1e6 * mean_ms * (0.3 + 1.4 * atoll_rng_unit(r));
            }
            loaded = true;
        }
    }
    log->unsorted = true;
    atoll__state_sort(log);
}

static void random_timelines(void **state)
{
    (void)state;
    const uint64_t seed = test_seed();
    size_t inside = 0, all = 0;
    for (uint64_t i = 0; i < test_cases(60); i++) {
        struct atoll_rng r;
        struct atoll_err err = {0};
        atoll_rng_seed(&r, seed + i);
        const size_t n = 600 + (size_t)atoll_rng_below(&r, 2000);
        const uint32_t tpus = 1 + (uint32_t)atoll_rng_below(&r, 8);
        const double late_ns = 4e5 * (atoll_rng_unit(&r) - 0.5), noise_w = 0.1 * atoll_rng_unit(&r);
        struct atoll_trace t = trace(n, 0);
        struct atoll__state_log log = {0};
        make_timeline(&log, n, tpus, &r);
        see(&log, n, late_ns, noise_w, &r);
        const struct atoll__state_request q = {.trace = &t,
                                               .log = &log,
                                               .n_tpus = 8,
                                               .to_ns = n * MS,
                                               .correlated_s = 0.03,
                                               .noise_w = noise_w,
                                               .segments = 1};
        struct atoll__state_fit f;
        if (atoll__state_fit(&q, &f, &err)) {
            fail_msg("case %llu: %s", (unsigned long long)i, err.text);
        }
        for (int s = 0; s < ATOLL_STATES; s++) {
            const struct atoll__state_power *p = &f.state[s];
            const double u = hypot(p->u_w, p->u_model_w);
            assert_true(isfinite(p->w));
            assert_true(fabs(p->w - truth_w[s]) < 6 * u + 1e-4);
            inside += fabs(p->w - truth_w[s]) <= 2 * u + 1e-6;
            all++;
        }
        /* the delay, as far as the noise lets it be seen: slopes of a watt a TPU at the edges */
        test_close(f.shift_ns, late_ns, 2e4 + 6e5 * noise_w);
        atoll_free(log.changes);
    }
    print_message("true powers inside the interval: %zu of %zu\n", inside, all);
    assert_true(inside * 100 >= all * 92);
}

/* Streaming and computing in one rhythm that no scan resolves: their columns are one. */
static void what_goes_together_is_not_told_apart(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    struct atoll_rng r;
    const size_t n = 1000;
    struct atoll_trace t = trace(n, 0);
    struct atoll__state_log log = {0};
    atoll_rng_seed(&r, 1);
    for (uint64_t ms = 300; ms < 700; ms++) { /* 0.6 ms of computing and 0.4 of streaming a scan */
        atoll__state_note(&log, ms * MS, 0, ATOLL_STATE_COMPUTE);
        atoll__state_note(&log, ms * MS + 600000, 0, ATOLL_STATE_STREAM);
    }
    atoll__state_note(&log, 700 * MS, 0, ATOLL_STATE_IDLE);
    see(&log, n, 0, 0.02, &r);
    struct atoll__state_request q = {.trace = &t,
                                     .log = &log,
                                     .n_tpus = 8,
                                     .to_ns = n * MS,
                                     .correlated_s = 0.002,
                                     .noise_w = 0.02,
                                     .segments = 1};
    struct atoll__state_fit f;
    assert_int_equal(atoll__state_fit(&q, &f, &err), 0);
    assert_true(isnan(f.state[ATOLL_STATE_COMPUTE].w) && isnan(f.state[ATOLL_STATE_STREAM].w));
    assert_int_equal(f.state[ATOLL_STATE_COMPUTE].with, ATOLL_STATE_STREAM);
    assert_int_equal(f.state[ATOLL_STATE_STREAM].with, ATOLL_STATE_COMPUTE);
    test_close(f.state[ATOLL_STATE_IDLE].w, truth_w[0], 0.01);

    /* too little to go by */
    struct atoll__state_log none = {0};
    q.log = &none;
    assert_int_equal(atoll__state_fit(&q, &f, &err), ATOLL_ENO);
    assert_non_null(strstr(err.text, "never change"));
    t.n = 20;
    assert_int_equal(atoll__state_fit(&q, &f, &err), ATOLL_ENO);
    atoll_free(log.changes);
}

/* Scans that were lost are bridged by the meter; the fit leaves them out. */
static void gaps_are_left_out(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    struct atoll_rng r;
    struct atoll_trace t = trace(800, 0);
    struct atoll__state_log log = {0};
    atoll_rng_seed(&r, 1);
    make_timeline(&log, 800, 2, &r);
    see(&log, 800, 0, 0, &r);
    for (int k = 400; k < 450; k++) {
        mw[k] = 90000;
    }
    const struct atoll_meter_gap gap = {.from_ns = 400 * MS, .to_ns = 450 * MS, .scans = 50};
    const struct atoll__state_request q = {.trace = &t,
                                           .gaps = &gap,
                                           .n_gaps = 1,
                                           .log = &log,
                                           .n_tpus = 8,
                                           .to_ns = 800 * MS,
                                           .correlated_s = 0.03,
                                           .segments = 1};
    struct atoll__state_fit f;
    assert_int_equal(atoll__state_fit(&q, &f, &err), 0);
    assert_int_equal(f.scans, 750);
    for (int s = 0; s < ATOLL_STATES; s++) {
        test_close(f.state[s].w, truth_w[s], 2e-3);
    }
    atoll_free(log.changes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(random_timelines),
        cmocka_unit_test(what_goes_together_is_not_told_apart),
        cmocka_unit_test(gaps_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
