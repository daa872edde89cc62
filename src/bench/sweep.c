/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sweep. Each unit opens its own device and meter with seeds of its own, so that its result
 * does not depend on what ran before, beside it, or in which process. Devices in virtual time
 * run on all cores; a real one runs alone. Whoever has finished a unit takes the lock and writes
 * it: there is one writer at a time.
 *
 * A run and all that belongs to it is one transaction. Runs in virtual time take milliseconds,
 * so they are committed in groups, at the latest COMMIT_NS after the group began; progress
 * counts what is committed. A real run is committed at once. kill -9 loses at most the group
 * that was not yet counted.
 */
#include "experiment_internal.h"
#include "run_internal.h"

#include <math.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define COMMIT_NS UINT64_C(250000000)
#define COMMIT_TRIES 5 /* each waits for 2 s */
#define TIMELINE_SPANS_MAX                                                                         \
    240 /* a look at the first inference and at how the steady window begins */

struct sweep {
    const struct atoll_experiment *e;
    const struct atoll_bench_opts *o;
    struct atoll_bench_summary *sum;
    struct atoll_store *s;
    const struct atoll__unit **todo;
    size_t n_todo;
    bool virtual_time;
    char host[128];
    pthread_mutex_t lock; ///< guards all below, and the store
    bool in_transaction;
    uint64_t began_ns, written, failed; ///< of the group
    int stop;                           ///< code that ends the sweep early, and its sentence
    struct atoll_err why;
};

/* ----------------------------------------------------------------- one unit */

static bool keeps(enum atoll__keep what, const struct atoll__unit *u)
{
    return what == ATOLL__KEEP_ALL || (what == ATOLL__KEEP_FIRST && u->repeat == 0);
}

static uint64_t seed_of(const struct atoll_experiment *e, const struct atoll__unit *u)
{
    return atoll_seed_mix(e->seed, u->hash);
}

/* What a unit leaves until it is written. */
struct outcome {
    int code; ///< of the run itself: 0, or why it failed
    struct atoll_err why;
    struct atoll_run_result r;
    struct atoll_meter *meter;
    char started[32];
    double wall_s;
};

static int run_unit(const struct atoll_experiment *e, const struct atoll__unit *u,
                    struct outcome *out, struct atoll_err *err)
{
    const struct atoll__try *t = &e->tries[u->attempt];
    const struct atoll_cost *const costs[1] = {e->subjects[t->subject].cost};
    const uint64_t seed = seed_of(e, u);
    const struct atoll_device_opts device_opts = {.board = e->board,
                                                  .use = e->use,
                                                  .compiler = e->compiler,
                                                  .seed = atoll_seed_mix(seed, 1),
                                                  .share = e->share};
    struct atoll_device *device = NULL;
    const struct atoll_meter_opts meter_opts = {
        .rate_hz = e->meter_hz, .seed = atoll_seed_mix(seed, 2), .keep_scans = true};
    int rc = atoll_device_open(e->device, &device_opts, &device, err);
    rc = rc ? rc : atoll_run_meter_open(device, e->board, e->meter, &meter_opts, &out->meter, err);
    if (!rc) {
        const struct atoll_workload *w = &e->workloads[u->workload];
        const bool cold = w->mode == ATOLL_WORK_COLD; /* as long as it is */
        const struct atoll_run_request q = {.device = device,
                                            .energy_u95_frac = cold ? 0 : e->energy_u95_frac,
                                            .meter = out->meter,
                                            .plan = t->plan,
                                            .models = costs,
                                            .workload = *w,
                                            .seed = atoll_seed_mix(seed, 3),
                                            .keep_timeline = keeps(e->keep_timeline, u),
                                            .timeline_max = TIMELINE_SPANS_MAX};
        rc = atoll_run(&q, &out->r, err);
    }
    atoll_device_close(&device);
    return rc;
}

/* A run that fails is a row; a machine that fails ends the sweep. */
static bool is_fault_of_machine(int code)
{
    return atoll_code_exit(code) == 5;
}

/* ------------------------------------------------------------------ writing */

static void copy_figures(const struct atoll_run_result *r, struct atoll_run_row *row)
{
    row->count = (int64_t)r->n;
    row->p50_us = r->p50_us.value;
    row->p50_low95_us = r->p50_us.low95;
    row->p50_high95_us = r->p50_us.high95;
    row->p90_us = r->p90_us;
    row->p99_us = r->p99_us;
    row->min_us = r->min_us;
    row->max_us = r->max_us;
    row->mean_us = r->mean_us;
    row->stdev_us = r->stdev_us;
    row->first_us = r->first_us;
    row->cold_us = r->cold_us;
    row->throughput_hz = r->throughput_hz;
    row->energy_mj = r->energy_mj;
    row->energy_u95_mj = r->energy_u95_mj;
    row->energy_idle_share_frac = r->energy_idle_share_frac;
    row->mean_w = r->mean_w;
    row->temperature_max_c = r->temperature_max_c;
    row->throttled = r->throttled;
    row->outliers = (int64_t)r->outliers;
    row->meter_lost_scans = (int64_t)r->total.lost_scans;
    row->idle_w = r->idle_w;
    row->window_s = r->window_s;
    row->energy_above_mj = r->energy_above_mj;
    row->energy_above_u95_mj = r->energy_above_u95_mj;
    const struct atoll_energy *e = &r->total;
    const double per = r->energy_mj / e->energy_mj; /* NAN without a meter */
    row->u_gain_mj = e->u_gain_mj * per;
    row->u_zero_mj = e->u_zero_mj * per;
    row->u_drift_mj = e->u_drift_mj * per;
    row->u_noise_mj = e->u_noise_mj * per;
    row->u_time_mj = e->u_time_mj * per;
    row->u_volt_mj = e->u_volt_mj * per;
    row->coverage_k = isnan(per) ? NAN : e->coverage_k;
    row->energy_asked_frac = r->ranging.asked_frac > 0 ? r->ranging.asked_frac : NAN;
    row->ranging_s = r->ranging.asked_frac > 0 ? r->ranging.window_s : NAN;
}

static int put_rails(struct sweep *w, int64_t run, const struct outcome *o, struct atoll_err *err)
{
    struct atoll_meter_info info;
    int rc = 0;
    if (!o->meter) {
        return 0;
    }
    atoll_meter_info(o->meter, &info);
    for (uint32_t i = 0; i < o->r.n_rails && !rc; i++) {
        const struct atoll_energy *g = &o->r.rails[i];
        const struct atoll_rail_row row = {
            run,          info.rails[i].name, g->energy_mj,  g->u95_mj,     g->mean_w,
            g->u_gain_mj, g->u_zero_mj,       g->u_drift_mj, g->u_noise_mj, g->u_time_mj};
        rc = atoll_store_put_rail(w->s, &row, err);
    }
    return rc;
}

static int put_states(struct sweep *w, int64_t run, const struct atoll_run_result *r,
                      struct atoll_err *err)
{
    int rc = 0;
    for (int i = 0; i < ATOLL_STATES && r->states_known && !rc; i++) {
        const struct atoll_state_result *k = &r->states[i];
        const struct atoll_state_row row = {
            .run = run,
            .state = atoll_power_state_name((enum atoll_power_state)i),
            .tpu_s = k->tpu_s,
            .power_w = k->power_w,
            .power_u95_w = k->power_u95_w,
            .energy_mj = k->energy_mj,
            .energy_u95_mj = k->energy_u95_mj,
            .goes_with =
                k->with < 0 ? NULL : atoll_power_state_name((enum atoll_power_state)k->with)};
        rc = atoll_store_put_state(w->s, &row, err);
    }
    return rc;
}

static int put_phases(struct sweep *w, int64_t run, const struct atoll_run_result *r,
                      struct atoll_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; i < r->n_phases && !rc; i++) {
        const struct atoll_phase_result *k = &r->phases[i];
        const struct atoll_phase_row row = {.run = run,
                                            .index = i,
                                            .phase = k->name,
                                            .from_s = (double)k->from_ns / 1e9,
                                            .seconds = (double)(k->to_ns - k->from_ns) / 1e9,
                                            .energy_mj = k->energy.energy_mj,
                                            .u95_mj = k->energy.u95_mj,
                                            .mean_w = k->energy.mean_w};
        rc = atoll_store_put_phase(w->s, &row, err);
    }
    return rc;
}

static int put_trace(struct sweep *w, int64_t run, struct atoll_meter *m, struct atoll_err *err)
{
    struct atoll_trace t = {0};
    struct atoll_meter_info info;
    const char *names[ATOLL_METER_RAILS_MAX];
    int rc = atoll_meter_trace(m, &t, err);
    atoll_meter_info(m, &info);
    for (uint32_t i = 0; i < info.n_rails; i++) {
        names[i] = info.rails[i].name;
    }
    return rc || t.n == 0
               ? rc
               : atoll_store_put_trace(w->s, run, t.t_ns, t.rail_mw, t.n, t.n_rails, names, err);
}

static int put_run(struct sweep *w, const struct atoll__unit *u, const struct outcome *o,
                   struct atoll_err *err)
{
    char workload[48];
    const bool done = o->code == 0;
    const struct atoll_run_result none = atoll__run_no_result();
    struct atoll_run_row row = atoll__sweep_key(w->e, u, workload);
    copy_figures(done ? &o->r : &none, &row);
    row.status = done ? "done" : "failed";
    row.error = done ? NULL : o->why.text;
    row.seed = seed_of(w->e, u);
    row.order_index = u->order_index;
    row.origin = done ? atoll_origin_name(o->r.origin) : NULL;
    row.host = w->host;
    row.started = o->started;
    row.wall_s = o->wall_s;
    int64_t run = 0;
    int rc = atoll_store_put_run(w->s, &row, &run, err);
    if (rc || !done) {
        return rc;
    }
    rc = o->r.n ? atoll_store_put_samples(w->s, run, o->r.latency_us, o->r.n, err) : 0;
    rc = rc ? rc : put_rails(w, run, o, err);
    rc = rc ? rc : put_states(w, run, &o->r, err);
    if (!rc && (keeps(w->e->keep_trace, u) || keeps(w->e->keep_timeline, u))) {
        rc = put_phases(w, run, &o->r, err);
    }
    if (!rc && o->meter && keeps(w->e->keep_trace, u)) {
        rc = put_trace(w, run, o->meter, err);
    }
    return rc || !o->r.n_spans
               ? rc
               : atoll_store_put_timeline(w->s, run, o->r.timeline, o->r.n_spans, err);
}

/* Ends the group; tells how far the sweep is. */
static int commit(struct sweep *w, struct atoll_err *err)
{
    if (!w->in_transaction) {
        return 0;
    }
    /* A reader may hold the file for longer than one wait: a report of a large database. */
    int rc = atoll_store_commit(w->s, err);
    for (int i = 1; i < COMMIT_TRIES && rc == ATOLL_EBUSY; i++) {
        rc = atoll_store_commit(w->s, err);
    }
    if (rc) {
        return rc;
    }
    w->in_transaction = false;
    w->sum->done += w->written - w->failed;
    w->sum->failed += w->failed;
    w->written = w->failed = 0;
    const uint64_t finished = w->sum->done + w->sum->failed + w->sum->already;
    const struct atoll_progress *p = &w->o->progress;
    if (p->fn && !p->fn(p->user, finished, w->sum->units, "runs")) {
        return atoll_fail(err, ATOLL_ENO, "stopped after %llu of %llu runs; --resume goes on",
                          (unsigned long long)finished, (unsigned long long)w->sum->units);
    }
    return 0;
}

static int write_unit(struct sweep *w, const struct atoll__unit *u, const struct outcome *o,
                      struct atoll_err *err)
{
    int rc = 0;
    if (!w->in_transaction) {
        rc = atoll_store_begin(w->s, err);
        w->in_transaction = rc == 0;
        w->began_ns = atoll_now_ns();
    }
    rc = rc ? rc : put_run(w, u, o, err);
    if (rc) {
        return rc;
    }
    w->written++;
    w->failed += o->code != 0;
    return !w->virtual_time || atoll_now_ns() - w->began_ns >= COMMIT_NS ? commit(w, err) : 0;
}

static int job(void *user, size_t index, struct atoll_err *err)
{
    struct sweep *w = user;
    const struct atoll__unit *u = w->todo[index];
    struct outcome o = {0};
    atoll_wall_iso8601(o.started);
    const uint64_t start_ns = atoll_now_ns();
    o.code = run_unit(w->e, u, &o, &o.why);
    o.wall_s = (double)(atoll_now_ns() - start_ns) / 1e9;
    int rc = 0;
    if (is_fault_of_machine(o.code)) {
        rc = atoll_fail(err, o.code, "%s", o.why.text);
    } else {
        (void)pthread_mutex_lock(&w->lock);
        if (!w->stop) { /* else others that are under way must not write into a broken group */
            w->stop = write_unit(w, u, &o, &w->why);
        }
        rc = w->stop ? atoll_fail(err, w->stop, "%s", w->why.text) : 0;
        (void)pthread_mutex_unlock(&w->lock);
    }
    atoll_run_result_finish(&o.r);
    atoll_meter_close(&o.meter);
    return rc;
}

/* ---------------------------------------------------------------- the sweep */

/* Opens the device once: is it there, and which version is it? */
static int look_at_device(struct sweep *w, char version[128], struct atoll_err *err)
{
    const struct atoll_experiment *e = w->e;
    const struct atoll_device_opts o = {.board = e->board,
                                        .use = e->use,
                                        .compiler = e->compiler,
                                        .seed = e->seed,
                                        .share = e->share};
    struct atoll_device *d = NULL;
    int rc = strcmp(e->device, "cpu") == 0 ? atoll__accuracy_try_files(e, err) : 0;
    rc = rc ? rc : atoll_device_open(e->device, &o, &d, err);
    if (rc) {
        return rc;
    }
    struct atoll_device_info info;
    atoll_device_info(d, &info);
    w->virtual_time = info.virtual_time;
    (void)snprintf(version, 128, "%s", info.version);
    const int fits = atoll_run_meter_fits(d, e->meter, err);
    atoll_device_close(&d);
    return fits ? atoll_fail_at(err, "%s", e->path) : 0;
}

static int choose_units(struct sweep *w, const struct atoll_run_set *have, struct atoll_err *err)
{
    const struct atoll_experiment *e = w->e;
    const uint32_t shards = w->o->shards ? w->o->shards : 1;
    w->todo = atoll_alloc(((size_t)e->n_units + 1) * sizeof *w->todo);
    if (!w->todo) {
        return atoll_fail_nomem(err, "the list of runs", e->n_units);
    }
    for (uint32_t i = 0; i < e->n_units; i++) {
        const struct atoll__unit *u = &e->units[i];
        if (u->hash % shards != w->o->shard) {
            continue;
        }
        char workload[48];
        const struct atoll_run_row key = atoll__sweep_key(e, u, workload);
        w->sum->units++;
        if (atoll_run_set_has(have, &key)) {
            w->sum->already++;
        } else {
            w->todo[w->n_todo++] = u;
        }
    }
    return 0;
}

static int prepare(struct sweep *w, const char *db, struct atoll_err *err)
{
    const struct atoll_experiment *e = w->e;
    char version[128] = "";
    struct atoll_run_set *have = NULL;
    int rc = look_at_device(w, version, err);
    rc = rc ? rc : atoll_store_open(db, ATOLL_STORE_WRITE, &w->s, err);
    rc = rc ? rc : atoll_store_run_set(w->s, e->key, &have, err);
    if (!rc && !w->o->resume && atoll_run_set_count(have) > 0) {
        rc = atoll_fail(err, ATOLL_EUSAGE,
                        "%s: holds %zu runs of this experiment already; --resume goes on with it",
                        db, atoll_run_set_count(have));
    }
    rc = rc ? rc : choose_units(w, have, err);
    atoll_run_set_close(&have);
    rc = rc ? rc : atoll_store_begin(w->s, err);
    rc = rc ? rc : atoll__sweep_put_experiment(e, w->s, version, err);
    return rc ? rc : atoll_store_commit(w->s, err);
}

static int sweep(struct sweep *w, const char *db, struct atoll_err *err)
{
    int rc = prepare(w, db, err);
    if (rc) {
        return rc;
    }
    rc = w->o->no_accuracy ? 0 : atoll__accuracy_run(w->e, w->o, w->host, w->s, w->sum, err);
    if (rc) {
        return rc;
    }
    rc = atoll_parallel(w->n_todo, w->virtual_time ? w->o->threads : 1, job, w, err);
    /* What was finished is kept, whatever ended the sweep; unless the store itself is at fault. */
    if (!rc || rc != w->stop) {
        struct atoll_err late = {0};
        const int code = commit(w, &late);
        if (!rc && code) {
            rc = atoll_fail(err, code, "%s", late.text);
        }
    }
    return rc;
}

int atoll_bench(const struct atoll_experiment *e, const char *db, const struct atoll_bench_opts *o,
                struct atoll_bench_summary *out, struct atoll_err *err)
{
    if (o->shards && o->shard >= o->shards) {
        return atoll_fail(err, ATOLL_EUSAGE, "shard %u of %u (0 to %u expected)", o->shard,
                          o->shards, o->shards - 1);
    }
    struct atoll_bench_summary sum = {0};
    struct sweep w = {.e = e, .o = o, .sum = &sum, .lock = PTHREAD_MUTEX_INITIALIZER};
    const uint64_t start_ns = atoll_now_ns();
    if (gethostname(w.host, sizeof w.host - 1) != 0) {
        w.host[0] = '\0';
    }
    for (uint32_t i = 0; i < e->n_tries; i++) {
        sum.skipped += e->tries[i].plan->skipped != NULL;
    }
    const int rc = sweep(&w, db, err);
    if (w.s) {
        atoll_store_rollback(w.s);
    }
    atoll_store_close(&w.s);
    atoll_free(w.todo);
    (void)pthread_mutex_destroy(&w.lock);
    sum.seconds = (double)(atoll_now_ns() - start_ns) / 1e9;
    if (!rc || rc == ATOLL_ENO) {
        *out = sum;
    }
    return rc;
}
