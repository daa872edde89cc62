/* SPDX-License-Identifier: Apache-2.0 */
/* A plan's figures against runs: one input at a time, and saturated under a meter, each repeated on
 * a fresh device. */
#include <math.h>

#include <atoll/bench.h>

#define REPEATS 5u
#define REPEATS_MAX 64u
#define COUNT_LATENCY 100u
#define COUNT_SATURATED 300u

static int open_meter(const struct atoll_board *b, uint64_t seed, struct atoll_meter **m,
                      struct atoll_err *err)
{
    struct atoll_meter_rail rails[ATOLL_METER_RAILS_MAX];
    struct atoll_meter_opts o = {.rails = rails, .seed = seed};
    for (; o.n_rails < b->n_rails && o.n_rails < ATOLL_METER_RAILS_MAX; o.n_rails++) {
        rails[o.n_rails] =
            (struct atoll_meter_rail){b->rails[o.n_rails].name, b->rails[o.n_rails].volt};
    }
    return atoll_meter_open("synth", &o, m, err);
}

/* One run of one workload. A simulated board has its simulated meter; a real one is only timed. */
static int run_once(const struct atoll_verify_request *q, enum atoll_workload_mode mode,
                    uint64_t seed, struct atoll_run_result *out, struct atoll_err *err)
{
    const struct atoll_device_opts d = {.board = q->board,
                                        .use = q->plan->use,
                                        .compiler = q->compiler,
                                        .seed = atoll_seed_mix(seed, 1),
                                        .share = q->share};
    const bool saturated = mode == ATOLL_WORK_SATURATED;
    const uint32_t count = q->count ? q->count : saturated ? COUNT_SATURATED : COUNT_LATENCY;
    struct atoll_run_request r = {.plan = q->plan,
                                  .models = q->models,
                                  .workload = {.mode = mode, .count = count},
                                  .seed = atoll_seed_mix(seed, 2)};
    struct atoll_device_info info = {.virtual_time = false};
    int rc = atoll_device_open(q->device ? q->device : "sim", &d, &r.device, err);
    if (rc == 0) {
        atoll_device_info(r.device, &info);
    }
    if (rc == 0 && saturated && info.virtual_time) {
        rc = open_meter(q->board, atoll_seed_mix(seed, 3), &r.meter, err);
    }
    rc = rc ? rc : atoll_run(&r, out, err);
    atoll_meter_close(&r.meter);
    atoll_device_close(&r.device);
    return rc;
}

/* found[n], one of each repeat; `within_u95` is what repeats cannot show. */
static struct atoll_verified_figure judge(double predicted, double predicted_u95,
                                          const double *found, uint32_t n, double within_u95)
{
    const struct atoll_interval mean = atoll_mean_ci(found, n);
    struct atoll_verified_figure f = {.predicted = predicted,
                                      .predicted_u95 = predicted_u95,
                                      .found = atoll_mean(found, n),
                                      .found_u95 = NAN};
    if (isfinite(mean.high95)) {
        f.found_u95 = hypot(mean.high95 - f.found, within_u95);
    }
    f.confirmed = fabs(f.found - predicted) <= predicted_u95; /* false where one is not known */
    return f;
}

int atoll_verify(const struct atoll_verify_request *q, struct atoll_verification *out,
                 struct atoll_err *err)
{
    const struct atoll_plan *p = q->plan;
    const uint32_t n = q->repeats == 0            ? REPEATS
                       : q->repeats < REPEATS_MAX ? q->repeats
                                                  : REPEATS_MAX;
    double latency_us[REPEATS_MAX], hz[REPEATS_MAX], mj[REPEATS_MAX], meter_u95_mj = 0;
    struct atoll_verification v = {.repeats = n};
    int rc = 0;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        struct atoll_run_result r = {.n = 0};
        const uint64_t seed = atoll_seed_mix(q->seed, i);
        rc = run_once(q, ATOLL_WORK_LATENCY, atoll_seed_mix(seed, ATOLL_WORK_LATENCY), &r, err);
        latency_us[i] = rc ? NAN : r.p50_us.value;
        atoll_run_result_finish(&r);
        rc = rc ? rc
                : run_once(q, ATOLL_WORK_SATURATED, atoll_seed_mix(seed, ATOLL_WORK_SATURATED), &r,
                           err);
        hz[i] = rc ? NAN : r.throughput_hz;
        mj[i] = rc ? NAN : r.energy_mj;
        meter_u95_mj = rc ? NAN : fmax(meter_u95_mj, r.energy_u95_mj);
        v.origin = r.origin;
        atoll_run_result_finish(&r);
    }
    if (rc) {
        return rc;
    }
    v.latency_us = judge(p->latency_us, p->latency_u95_us, latency_us, n, 0);
    v.throughput_hz = judge(p->throughput_hz, p->throughput_u95_hz, hz, n, 0);
    const bool rated = p->n_models > 0 && p->models[0].rate_hz > 0;
    v.energy_mj = judge(rated ? NAN : p->energy_mj, p->energy_u95_mj, mj, n, meter_u95_mj);
    *out = v;
    return 0;
}
