/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run, phase by phase: idle baseline, creation, first inference, warm-up, steady window, drain.
 * Markers stand at the edges of baseline and window. docs/method-measurement.md is the long form.
 */
#include "run_internal.h"

#include <math.h>
#include <string.h>

#define IDLE_S 0.2

int atoll__run_sample(struct atoll__runner *r, double latency_us)
{
    struct atoll_run_result *o = r->out;
    if (atoll_grow((void **)&o->latency_us, &r->cap_samples, o->n + 1, sizeof *o->latency_us)) {
        return atoll_fail_nomem(r->err, "samples", o->n * sizeof *o->latency_us);
    }
    o->latency_us[o->n++] = latency_us;
    return 0;
}

int atoll__run_span(struct atoll__runner *r, const struct atoll_device_event *ev,
                    const struct atoll__place *at, uint64_t number)
{
    const uint64_t length_ns[6] = {ev->host_ns,    ev->input_ns,  ev->load_ns,
                                   ev->compute_ns, ev->stream_ns, ev->output_ns};
    struct atoll_run_result *o = r->out;
    const uint32_t most = r->q->timeline_max ? r->q->timeline_max : ATOLL__RUN_SPANS_MAX;
    uint64_t start = ev->start_ns;
    for (uint8_t kind = 0; kind < 6; kind++) {
        if (length_ns[kind] == 0 || o->n_spans >= most) {
            continue;
        }
        if (atoll_grow((void **)&o->timeline, &r->cap_spans, o->n_spans + 1, sizeof *o->timeline)) {
            return atoll_fail_nomem(r->err, "the timeline", o->n_spans * sizeof *o->timeline);
        }
        o->timeline[o->n_spans++] = (struct atoll_span){
            start, start + length_ns[kind], ev->tpu, at->pipe, at->stage, number, kind};
        start += length_ns[kind];
    }
    return 0;
}

static void look_at_tpus(struct atoll__runner *r)
{
    for (uint32_t i = 0; i < r->info.n_tpus; i++) {
        struct atoll_tpu_state state = {.temperature_c = NAN};
        if (atoll_device_tpu(r->q->device, i, &state, NULL) == 0) {
            r->out->temperature_max_c =
                fmax(r->out->temperature_max_c, state.temperature_c); /* fmax ignores NAN */
            r->out->throttled = r->out->throttled || state.throttled;
        }
    }
}

int atoll__run_window(struct atoll__runner *r, int end)
{
    r->counting = end == 0;
    r->recording = r->q->keep_timeline && !end && strcmp(r->window, "steady") == 0;
    r->window_ns[end] = atoll_device_now_ns(r->q->device);
    look_at_tpus(r);
    const int rc = atoll__run_phase(r, end ? "drain" : r->window);
    r->window_mark[end] = r->metered ? r->phase_mark[r->out->n_phases - 1] : -1;
    return rc;
}

bool atoll__run_enough(const struct atoll__runner *r)
{
    return r->out->n >= r->count &&
           atoll_device_now_ns(r->q->device) - r->window_ns[0] >= r->least_ns;
}

/* Nothing under way: before the run it is the floor of its power, behind it shows what heat left.
 */
static int rest(struct atoll__runner *r, const char *name)
{
    const double idle_s = r->q->idle_s > 0 ? r->q->idle_s : IDLE_S;
    if (!r->metered) {
        return 0;
    }
    const int rc = atoll__run_phase(r, name);
    const uint64_t until = atoll_device_now_ns(r->q->device) + (uint64_t)(idle_s * 1e9);
    return rc ? rc : atoll_device_idle_until(r->q->device, until, r->err);
}

/* Items side by side: the widest stage of each pipeline (copies of a whole model are replicas). */
static uint32_t count_streams(const struct atoll__runner *r)
{
    uint32_t streams = 0;
    for (uint32_t i = 0; i < r->n_pipes; i++) {
        const struct atoll_pipeline *p = &r->q->plan->pipelines[i];
        bool counted = false; /* those that share TPUs are one: the last of a group counts */
        for (uint32_t k = i + 1; k < r->n_pipes; k++) {
            const struct atoll_pipeline *o = &r->q->plan->pipelines[k];
            counted = counted || (p->sharing != ATOLL_SHARING_NONE && o->sharing == p->sharing &&
                                  o->group == p->group);
        }
        streams += counted ? 0 : r->pipes[i].replicas_max;
    }
    return streams;
}

/* Creation and the first inference of each pipeline that the workload will use. */
static int start_pipes(struct atoll__runner *r)
{
    const bool all =
        r->q->workload.mode != ATOLL_WORK_LATENCY && r->q->workload.mode != ATOLL_WORK_COLD;
    const enum atoll_drive drive = all ? ATOLL_DRIVE_THREADED : ATOLL_DRIVE_CALLED;
    const uint64_t create_ns = atoll_device_now_ns(r->q->device);
    int rc = atoll__run_build(r);
    rc = rc ? rc : atoll_device_begin(r->q->device, drive, all ? count_streams(r) : 1, r->err);
    r->recording = r->q->keep_timeline;
    rc = rc ? rc : atoll__run_single(r, r->order[0], &r->out->first_us);
    r->recording = false;
    r->out->cold_us = (double)(atoll_device_now_ns(r->q->device) - create_ns) / 1e3;
    for (uint32_t i = 1; i < r->n_pipes && all && !rc; i++) {
        double us = 0;
        rc = atoll__run_single(r, r->order[i], &us);
    }
    return rc;
}

int atoll__run_workload(struct atoll__runner *r)
{
    const int rc = atoll__run_phase(r, "warm-up");
    if (rc) {
        return rc;
    }
    switch (r->q->workload.mode) {
    case ATOLL_WORK_LATENCY:
        return atoll__run_closed(r);
    case ATOLL_WORK_SATURATED:
        return atoll__run_saturated(r);
    case ATOLL_WORK_RATE:
    case ATOLL_WORK_POISSON:
    case ATOLL_WORK_RATES:
    case ATOLL_WORK_RATES_POISSON:
        return atoll__run_open(r);
    case ATOLL_WORK_COLD:
        break;
    }
    return 0;
}

static int phases(struct atoll__runner *r)
{
    int rc = rest(r, "idle");
    r->idle_mark[0] = r->metered && !rc ? r->phase_mark[0] : -1;
    r->count = r->q->workload.count;
    r->window = "steady";
    if (r->q->workload.mode == ATOLL_WORK_COLD) { /* the start itself is what is measured */
        rc = rc ? rc : atoll__run_window(r, 0);
        r->idle_mark[1] = r->window_mark[0];
        rc = rc ? rc : start_pipes(r);
        rc = rc ? rc : atoll__run_window(r, 1);
    } else {
        rc = rc ? rc : atoll__run_phase(r, "load");
        r->idle_mark[1] = r->metered && !rc ? r->phase_mark[r->out->n_phases - 1] : -1;
        rc = rc ? rc : start_pipes(r);
        rc = rc ? rc : atoll__run_range(r);
        rc = rc ? rc : atoll__run_workload(r);
    }
    rc = rc ? rc : rest(r, "cool-down");
    return rc ? rc : atoll__run_phase(r, NULL);
}

static int figures(struct atoll__runner *r)
{
    struct atoll_run_result *o = r->out;
    const enum atoll_workload_mode mode = r->q->workload.mode;
    o->window_s = (double)(r->window_ns[1] - r->window_ns[0]) / 1e9;
    if (mode == ATOLL_WORK_SATURATED) {
        o->throughput_hz = atoll__run_throughput(r);
    } else if (mode != ATOLL_WORK_COLD && o->window_s > 0) {
        o->throughput_hz = (double)o->n / o->window_s;
    }
    int rc = atoll__run_latency_figures(r);
    rc = rc ? rc : atoll__run_energy_figures(r, mode == ATOLL_WORK_COLD ? 1 : o->n);
    rc = rc ? rc : atoll__run_stage_figures(r);
    return rc ? rc : atoll__run_model_figures(r);
}

static bool at_rates(const struct atoll_workload *w)
{
    return w->mode == ATOLL_WORK_RATES || w->mode == ATOLL_WORK_RATES_POISSON;
}

static int check_rates(const struct atoll_run_request *q, struct atoll_err *err)
{
    for (uint32_t m = 0; m < q->plan->n_models; m++) {
        if (!(q->plan->models[m].rate_hz > 0 && q->plan->models[m].rate_hz <= 1e6)) {
            return atoll_fail(err, ATOLL_EUSAGE,
                              "the plan has no rate for %s (atoll plan --rates makes one)",
                              q->plan->models[m].path);
        }
    }
    return 0;
}

static int check(const struct atoll_run_request *q, struct atoll_err *err)
{
    const struct atoll_workload *w = &q->workload;
    if (q->plan->skipped || q->plan->n_pipelines == 0) {
        return atoll_fail(err, ATOLL_EUSAGE, "the plan cannot be run: %s",
                          q->plan->skipped ? q->plan->skipped : "it has no pipeline");
    }
    if (w->mode != ATOLL_WORK_COLD && (w->count < 1 || w->count > 10000000)) {
        return atoll_fail(err, ATOLL_EUSAGE, "count is %u (1 to 10000000 expected)", w->count);
    }
    if ((w->mode == ATOLL_WORK_RATE || w->mode == ATOLL_WORK_POISSON) &&
        !(w->hz > 0 && w->hz <= 1e6)) {
        return atoll_fail(err, ATOLL_EUSAGE,
                          "the rate is %g Hz (above 0, at most 1000000 expected)", w->hz);
    }
    if (q->energy_u95_frac < 0 || q->energy_u95_frac > 1 ||
        (q->energy_u95_frac > 0 && (!q->meter || w->mode == ATOLL_WORK_COLD))) {
        return atoll_fail(err, ATOLL_EUSAGE, "an uncertainty of energy (%g) %s", q->energy_u95_frac,
                          q->energy_u95_frac < 0 || q->energy_u95_frac > 1
                              ? "is a share of it, above 0, at most 1"
                          : q->meter ? "needs a window whose length can be chosen; a cold start is "
                                       "as long as it is"
                                     : "needs a meter");
    }
    return at_rates(w) ? check_rates(q, err) : 0;
}

struct atoll_run_result atoll__run_no_result(void)
{
    return (struct atoll_run_result){.p50_us = {NAN, NAN, NAN},
                                     .p90_us = NAN,
                                     .p99_us = NAN,
                                     .min_us = NAN,
                                     .max_us = NAN,
                                     .mean_us = NAN,
                                     .stdev_us = NAN,
                                     .first_us = NAN,
                                     .cold_us = NAN,
                                     .throughput_hz = NAN,
                                     .window_s = NAN,
                                     .energy_mj = NAN,
                                     .energy_u95_mj = NAN,
                                     .idle_w = NAN,
                                     .mean_w = NAN,
                                     .energy_idle_share_frac = NAN,
                                     .energy_idle_mj = NAN,
                                     .energy_idle_u95_mj = NAN,
                                     .energy_above_mj = NAN,
                                     .energy_above_u95_mj = NAN,
                                     .states_shift_us = NAN,
                                     .temperature_max_c = NAN};
}

int atoll_run(const struct atoll_run_request *q, struct atoll_run_result *out,
              struct atoll_err *err)
{
    int rc = check(q, err);
    if (rc) {
        return rc;
    }
    struct atoll_run_result result = atoll__run_no_result();
    struct atoll__runner r = {.q = q, .out = &result, .err = err};
    atoll_arena_init(&r.arena);
    atoll_device_info(q->device, &r.info);
    if (at_rates(&q->workload)) {
        r.models = atoll_calloc(q->plan->n_models, sizeof *r.models);
        if (!r.models) {
            return atoll_fail_nomem(err, "the models of a run", q->plan->n_models);
        }
    }
    result.origin = r.info.origin;
    rc = atoll__run_meter_connect(&r);
    rc = rc ? rc : phases(&r);
    rc = atoll__run_meter_disconnect(&r, rc);
    rc = rc ? rc : figures(&r);
    atoll__run_free(&r);
    if (rc) {
        atoll_run_result_finish(&result);
        return rc;
    }
    *out = result;
    return 0;
}

void atoll_run_result_finish(struct atoll_run_result *r)
{
    if (!r) {
        return;
    }
    atoll_free(r->latency_us);
    atoll_free(r->stages);
    atoll_free(r->models);
    atoll_free(r->timeline);
    r->latency_us = NULL;
    r->stages = NULL;
    r->models = NULL;
    r->timeline = NULL;
    r->n = r->n_stages = r->n_models = 0;
    r->n_spans = 0;
}
