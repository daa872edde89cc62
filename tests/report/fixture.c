/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define KIB 1024.0
#define MIB (1024.0 * 1024.0)
#define ON_CHIP (7.6 * MIB)
#define MAX_STAGES 8
#define FIXTURE_SHA "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct net {
    const char *name;
    double stored_mib, compute_us;
    int ops, size;
    double depthwise; ///< share of the compute that depthwise layers take
};
static const struct net nets[FIXTURE_MODELS] = {
    {"mobilenet_v1", 4.3, 2300, 31, 224, .28},  {"mobilenet_v2", 3.7, 2500, 66, 224, .42},
    {"resnet18", 11.3, 4100, 30, 224, 0},       {"resnet50", 24.6, 9300, 73, 224, 0},
    {"resnet101", 43.2, 17800, 141, 224, 0},    {"resnet152", 58.4, 26100, 209, 224, 0},
    {"inception_v3", 23.1, 10400, 126, 299, 0}, {"inception_v4", 41.4, 21800, 205, 299, 0},
    {"densenet121", 8.4, 8100, 372, 224, 0},    {"densenet201", 19.8, 14400, 612, 224, 0},
    {"xception", 22.1, 15900, 134, 299, .35},   {"efficientnet_lite4", 13.6, 9900, 158, 300, .38},
    {"vgg16", 132.4, 24100, 22, 224, 0},        {"squeezenet1_1", 1.3, 1700, 41, 224, 0},
};
static const char *const hostile_names[] = {
    "<script>alert(1)</script>", "\"quoted\" & <b>bold</b> 'name'",
    "bad\xff\xfeutf8",           "</script><img src=x onerror=alert(2)>",
    "=HYPERLINK(\"x\")",
};

struct stage {
    double stored, on, off, in, out, compute, stream, input, output, call, service;
    int first, last, tpu;
};
struct pipe {
    struct stage s[MAX_STAGES];
    unsigned n;
    double latency, interval, off, on;
};
struct plan {
    char strategy[40];
    unsigned tpus, n;
    struct pipe p[MAX_STAGES];
    double latency, interval, energy, on, off;
};
struct writer {
    const struct fixture *f;
    struct atoll_store *s;
    struct atoll_err *err;
    struct atoll_rng rng;
    const char *spec[FIXTURE_MODELS];
    char names[FIXTURE_MODELS][96];
    int64_t order;
};
static const char key[] = "f1x7u4e0f1x7u4e0f1x7u4e0f1x7u4e0f1x7u4e0f1x7u4e0f1x7u4e0f1x7u4e0";

struct fixture fixture_default(void)
{
    return (struct fixture){.seed = 1,
                            .models = FIXTURE_MODELS,
                            .tpus = 8,
                            .repeats = 5,
                            .samples = 20,
                            .partitions = true,
                            .time_factor = 1,
                            .run_sd = 0.005,
                            .within_sd = 0.014};
}

/* A pipeline of n stages: bytes and operators cut evenly, the first stages compute a little more.
 */
static void cut(const struct net *m, unsigned n, unsigned first_tpu, struct pipe *p)
{
    *p = (struct pipe){.n = n};
    for (unsigned i = 0; i < n; i++) {
        struct stage *s = &p->s[i];
        const double weight = 1 + 0.25 * ((n - 1) / 2.0 - i) / n;
        s->stored = m->stored_mib * MIB / n * (1 + 0.12 * (i - (n - 1) / 2.0) / n);
        s->on = fmin(s->stored, ON_CHIP);
        s->off = s->stored - s->on;
        s->in = i == 0 ? m->size * m->size * 3.0 : 120 * KIB / (i + 1);
        s->out = i + 1 == n ? 1000 : 120 * KIB / (i + 2);
        s->compute = m->compute_us / n * weight;
        s->stream = s->off / MIB * 2650;
        s->input = s->in / 400;
        s->output = s->out / 90;
        s->call = 110;
        s->service = fmax(s->compute, s->stream) + s->input + s->output + s->call;
        s->first = (int)(i * (unsigned)m->ops / n);
        s->last = (int)((i + 1) * (unsigned)m->ops / n) - 1;
        s->tpu = (int)(first_tpu + i);
        p->latency += s->service;
        p->interval = fmax(p->interval, s->service);
        p->off += s->off;
        p->on += s->on;
    }
}

static void figures(struct plan *p, unsigned board_tpus)
{
    double hz = 0;
    p->latency = INFINITY;
    p->on = p->off = 0;
    for (unsigned i = 0; i < p->n; i++) {
        hz += 1e6 / p->p[i].interval;
        p->latency = fmin(p->latency, p->p[i].latency);
        p->on += p->p[i].on;
        p->off += p->p[i].off;
    }
    p->interval = 1e6 / hz;
    /* Board 4.6 W and 0.35 W of each TPU idle, 1.4 W more of a busy one, 0.9 mJ a streamed MiB. */
    p->energy = (4.6 + 0.35 * board_tpus) * p->interval * 1e-3 + 1.4 * p->p[0].latency * 1e-3 +
                0.9 * p->p[0].off / MIB;
}

/* ------------------------------------------------------------------------------- rows */

static int put_experiment(struct writer *w)
{
    struct atoll_experiment_row e = {
        .key = key,
        .name = w->f->hostile ? "<script>alert('x')</script>" : "fixture",
        .yaml = "name: fixture\nrepeats: 5\n",
        .board = "asus_crl_g18u",
        .board_title = "ASUS CRL-G18U-P3DF, 8 Edge TPUs on PCIe",
        .board_yaml = "name: asus_crl_g18u\n",
        .device = "sim",
        .meter = "synth",
        .clock = "max",
        .runner = "c",
        .compiler = "v16",
        .atoll_version = ATOLL_VERSION,
        .device_version = "sim 1",
        .seed = w->f->seed,
        .repeats = w->f->repeats,
        .tpus_max = w->f->tpus,
        .assumptions = "link bandwidth of the card is assumed\nidle power of the board is assumed"};
    return atoll_store_put_experiment(w->s, &e, w->err);
}

static int put_model(struct writer *w, unsigned m)
{
    const struct net *k = &nets[m];
    const bool hostile = w->f->hostile && m < sizeof hostile_names / sizeof *hostile_names;
    snprintf(w->names[m], sizeof w->names[m], hostile ? "%s" : "zoo:%s",
             hostile ? hostile_names[m] : k->name);
    w->spec[m] = w->names[m];
    struct atoll_model_row r = {.spec = w->spec[m],
                                .label = hostile ? hostile_names[m] : k->name,
                                .sha256 = FIXTURE_SHA,
                                .source = "table of the fixture",
                                .ops = k->ops,
                                .macs = k->compute_us * 2e5,
                                .weight_bytes = k->stored_mib * MIB * 0.97,
                                .stored_bytes = k->stored_mib * MIB,
                                .input_h = k->size,
                                .input_w = k->size};
    int e = atoll_store_put_model(w->s, &r, w->err);
    static const char *const ops[] = {"CONV_2D",         "DEPTHWISE_CONV_2D", "ADD",
                                      "AVERAGE_POOL_2D", "FULLY_CONNECTED",   "SOFTMAX"};
    static const char *const bounds[] = {"array",  "depthwise", "vector",
                                         "vector", "link",      "vector"};
    for (int i = 0; !e && i < k->ops; i++) {
        const int kind = i + 1 == k->ops   ? 5
                         : i + 2 == k->ops ? 4
                         : i + 3 == k->ops ? 3
                         : i % 5 == 4      ? 2
                                           : i % 2 && k->depthwise > 0;
        const double share = kind == 1 ? k->depthwise : kind == 0 ? 1 - k->depthwise : 0.05;
        struct atoll_layer_row l = {.experiment = key,
                                    .model = w->spec[m],
                                    .index = i,
                                    .op = ops[kind],
                                    .bound = bounds[kind],
                                    .us = k->compute_us / k->ops * share * 2,
                                    .cycles = 1e4,
                                    .ideal_cycles = 9e3,
                                    .macs = 1e6,
                                    .stored_bytes = 1e4,
                                    .stream_bytes = 0};
        e = atoll_store_put_layer(w->s, &l, w->err);
    }
    return e;
}

static int put_plan(struct writer *w, unsigned m, const struct plan *p, const char *skipped)
{
    unsigned stages = 0;
    for (unsigned i = 0; i < p->n; i++) {
        stages += p->p[i].n;
    }
    struct atoll_plan_row r = {.experiment = key,
                               .model = w->spec[m],
                               .strategy = p->strategy,
                               .tpus = p->tpus,
                               .tpus_used = stages,
                               .n_pipelines = p->n,
                               .n_stages = stages,
                               .json = "{}",
                               .latency_us = p->latency,
                               .latency_u95_us = p->latency * 0.03,
                               .latency_worst_us = p->latency,
                               .interval_us = p->interval,
                               .throughput_hz = 1e6 / p->interval,
                               .energy_mj = p->energy,
                               .energy_u95_mj = p->energy * 0.05,
                               .lower_bound = NAN,
                               .gap_frac = NAN,
                               .on_chip_bytes = p->on,
                               .off_chip_bytes = p->off,
                               .skipped = skipped,
                               .bottleneck = "the slowest stage",
                               .streams = p->off > 0 ? "something streams" : "nothing streams"};
    if (w->f->doctor_plan) {
        w->f->doctor_plan(w->f->user, &r);
    }
    int e = atoll_store_put_plan(w->s, &r, w->err);
    for (unsigned i = 0; !e && i < p->n; i++) {
        for (unsigned k = 0; !e && k < p->p[i].n; k++) {
            const struct stage *s = &p->p[i].s[k];
            char tpus[8], first[32], last[32];
            snprintf(tpus, sizeof tpus, "%d", s->tpu);
            snprintf(first, sizeof first, "block%d/conv", s->first / 3);
            snprintf(last, sizeof last, "block%d/add", s->last / 3);
            struct atoll_stage_row row = {.experiment = key,
                                          .model = w->spec[m],
                                          .strategy = p->strategy,
                                          .tpus_key = p->tpus,
                                          .pipeline = i,
                                          .stage = k,
                                          .tpus = tpus,
                                          .n_ops = s->last - s->first + 1,
                                          .first_op = s->first,
                                          .last_op = s->last,
                                          .first_name = first,
                                          .last_name = last,
                                          .stored_bytes = s->stored,
                                          .on_chip_bytes = s->on,
                                          .off_chip_bytes = s->off,
                                          .narrow_bytes_per_tile = 90000,
                                          .input_bytes = s->in,
                                          .output_bytes = s->out,
                                          .compute_us = s->compute,
                                          .stream_us = s->stream,
                                          .input_us = s->input,
                                          .output_us = s->output,
                                          .call_us = s->call,
                                          .latency_us = s->service,
                                          .service_us = s->service,
                                          .load_us = s->stored / 300,
                                          .strips = 0};
            if (w->f->doctor_stage) {
                w->f->doctor_stage(w->f->user, &row);
            }
            e = atoll_store_put_stage(w->s, &row, w->err);
        }
    }
    return e;
}

static int put_trace(struct writer *w, int64_t run, const struct plan *p)
{
    enum { SCANS = 6000, RAILS = 2, ITEMS = 60 };
    static uint64_t t[SCANS];
    static float mw[SCANS * RAILS];
    static struct atoll_span spans[ITEMS * MAX_STAGES * 3];
    static const char *const rails[RAILS] = {"12V slot", "3V3 slot"};
    size_t n = 0;
    const double interval_ns = p->p[0].interval * 1e3;
    for (unsigned item = 0; item < ITEMS; item++) {
        double at = 20e6 + item * interval_ns;
        for (unsigned k = 0; k < p->p[0].n; k++) {
            const struct stage *s = &p->p[0].s[k];
            const double part[3] = {s->input * 1e3, fmax(s->compute, s->stream) * 1e3,
                                    s->output * 1e3};
            static const uint8_t kind[3] = {1, 3, 5};
            for (int i = 0; i < 3; i++) {
                spans[n++] = (struct atoll_span){(uint64_t)at,
                                                 (uint64_t)(at + part[i]),
                                                 (uint32_t)s->tpu,
                                                 0,
                                                 k,
                                                 item,
                                                 i == 1 && s->stream > s->compute ? 4 : kind[i]};
                at += part[i];
            }
            at += s->call * 1e3;
        }
    }
    const double end_ns = 20e6 + ITEMS * interval_ns;
    for (int i = 0; i < SCANS; i++) {
        t[i] = (uint64_t)(i * end_ns / SCANS);
        const double busy =
            (double)t[i] < 20e6 ? 0 : 0.5 + 0.5 * sin((double)t[i] / interval_ns * 6.283);
        mw[i * RAILS] =
            (float)(5200 + 1500 * busy * p->p[0].n / 2 + 40 * atoll_rng_normal(&w->rng));
        mw[i * RAILS + 1] = (float)(1900 + 500 * busy + 15 * atoll_rng_normal(&w->rng));
    }
    int e = atoll_store_put_trace(w->s, run, t, mw, SCANS, RAILS, rails, w->err);
    static const char *const phases[] = {"idle", "load", "steady", "cool-down"};
    static const double from[] = {0, 0.02, 0.1, 0.95, 1};
    for (int64_t i = 0; !e && i < 4; i++) {
        const struct atoll_phase_row row = {.run = run,
                                            .index = i,
                                            .phase = phases[i],
                                            .from_s = from[i] * end_ns / 1e9,
                                            .seconds = (from[i + 1] - from[i]) * end_ns / 1e9,
                                            .energy_mj = 7000 * from[i + 1],
                                            .u95_mj = 50,
                                            .mean_w = 7};
        e = atoll_store_put_phase(w->s, &row, w->err);
    }
    return e ? e : atoll_store_put_timeline(w->s, run, spans, n, w->err);
}

/* One input at a time, transfers and streaming cannot be told apart. */
static int put_states(struct writer *w, int64_t run, double energy, double interval, bool busy)
{
    static const char *const names[] = {"idle", "transfer", "load", "stream", "compute"};
    static const double share[] = {0.7, 0.02, 0, 0.08, 0.2}, watt[] = {0, 0.2, 0.22, 0.21, 1.4};
    int e = 0;
    for (int i = 0; !e && i < 5; i++) {
        const bool told = busy || (i != 1 && i != 3);
        const double w_state = i == 0 ? 0.7 * energy / interval * 1e3 : watt[i];
        const struct atoll_state_row r = {.run = run,
                                          .state = names[i],
                                          .tpu_s = i == 0 ? 4 : share[i],
                                          .power_w = told ? w_state : NAN,
                                          .power_u95_w = told ? 0.07 * w_state : NAN,
                                          .energy_mj = told ? share[i] * energy : NAN,
                                          .energy_u95_mj = told ? 0.07 * share[i] * energy : NAN,
                                          .goes_with = told ? NULL : names[4 - i]};
        e = atoll_store_put_state(w->s, &r, w->err);
    }
    return e;
}

static int put_run(struct writer *w, unsigned m, const struct plan *p, const char *workload,
                   unsigned repeat, double sd, double shared)
{
    const struct fixture *f = w->f;
    const bool busy = strcmp(workload, "saturated") == 0;
    const double factor = f->time_factor * exp(shared + sd * atoll_rng_normal(&w->rng));
    const double count = busy ? 1000 : 100;
    const double latency = p->latency * factor * (busy ? 1.6 : 1) *
                           exp(1.25 * f->within_sd / sqrt(count) * atoll_rng_normal(&w->rng));
    const double interval = busy ? p->interval * factor : latency;
    const double energy = p->energy * factor * (busy ? 1 : 1.1 * p->latency / p->interval) *
                          exp(0.003 * atoll_rng_normal(&w->rng));
    struct atoll_run_row r = {.experiment = key,
                              .model = w->spec[m],
                              .strategy = p->strategy,
                              .tpus = p->tpus,
                              .workload = workload,
                              .repeat = repeat,
                              .status = "done",
                              .seed = f->seed * 1000 + (uint64_t)w->order,
                              .order_index = w->order,
                              .origin = "simulated",
                              .host = "fixture",
                              .started = "2026-11-24T08:30:00Z",
                              .wall_s = 0.01,
                              .count = (int64_t)count,
                              .p50_us = latency,
                              .p50_low95_us = latency * 0.998,
                              .p50_high95_us = latency * 1.002,
                              .p90_us = latency * 1.018,
                              .p99_us = latency * 1.034,
                              .min_us = latency * 0.96,
                              .max_us = latency * 1.05,
                              .mean_us = latency,
                              .stdev_us = latency * f->within_sd,
                              .first_us = latency + 9000,
                              .cold_us = NAN,
                              .throughput_hz = 1e6 / interval,
                              .energy_mj = energy,
                              .energy_u95_mj = energy * 0.012,
                              .energy_idle_share_frac = 0.7,
                              .idle_w = 0.7 * energy / interval * 1e3,
                              .window_s = count * interval * 1e-6,
                              .energy_above_mj = 0.3 * energy,
                              .energy_above_u95_mj = 0.005 * energy,
                              .u_gain_mj = 0.005 * energy,
                              .u_zero_mj = 0.001 * energy,
                              .u_drift_mj = 0.0001 * energy,
                              .u_noise_mj = 0.0005 * energy,
                              .u_time_mj = 0.0002 * energy,
                              .u_volt_mj = 0,
                              .coverage_k = 2.2,
                              .energy_asked_frac = NAN,
                              .ranging_s = NAN,
                              .mean_w = energy / interval * 1e3,
                              .temperature_max_c = 52};
    w->order++;
    if (f->doctor_run) {
        f->doctor_run(f->user, &r);
    }
    int64_t id = 0;
    int e = atoll_store_put_run(w->s, &r, &id, w->err);
    double v[1000];
    const size_t n = f->samples < 1000 ? f->samples : 1000;
    for (size_t i = 0; i < n; i++) {
        v[i] = latency * exp(f->within_sd * atoll_rng_normal(&w->rng));
    }
    e = e || n == 0 ? e : atoll_store_put_samples(w->s, id, v, n, w->err);
    struct atoll_rail_row rail = {.run = id,
                                  .rail = "12V slot",
                                  .energy_mj = energy * count,
                                  .u95_mj = energy * count * 0.012,
                                  .mean_w = r.mean_w,
                                  .u_gain_mj = 1,
                                  .u_zero_mj = 1,
                                  .u_drift_mj = 1,
                                  .u_noise_mj = 1,
                                  .u_time_mj = 1};
    e = e ? e : atoll_store_put_rail(w->s, &rail, w->err);
    e = e ? e : put_states(w, id, energy, interval, busy);
    return !e && f->traces && repeat == 0 && busy && p->tpus >= 4 ? put_trace(w, id, p) : e;
}

static int put_all_of(struct writer *w, unsigned m, struct plan *p)
{
    figures(p, 8);
    int e = put_plan(w, m, p, NULL);
    const double sd = w->f->run_sd * exp(w->f->unlike * atoll_rng_normal(&w->rng));
    for (unsigned r = 0; !e && r < w->f->repeats; r++) {
        struct atoll_rng shared;
        atoll_rng_seed(&shared, atoll_seed_mix(w->f->seed, 77 + r));
        const double block = w->f->repeat_sd * atoll_rng_normal(&shared);
        e = put_run(w, m, p, "latency", r, sd, block);
        e = e ? e : put_run(w, m, p, "saturated", r, sd, block);
    }
    return e;
}

/* ------------------------------------------------------------------------------ strategies */

static int put_partitions(struct writer *w, unsigned m, unsigned left, unsigned largest,
                          unsigned *parts, unsigned n)
{
    if (left > 0) {
        int e = 0;
        for (unsigned k = left < largest ? left : largest; !e && k > 0; k--) {
            parts[n] = k;
            e = put_partitions(w, m, left - k, k, parts, n + 1);
        }
        return e;
    }
    struct plan p = {.n = n};
    size_t at = (size_t)snprintf(p.strategy, sizeof p.strategy, "partition:");
    for (unsigned i = 0; i < n; i++) {
        at += (size_t)snprintf(p.strategy + at, sizeof p.strategy - at, i ? "+%u" : "%u", parts[i]);
        cut(&nets[m], parts[i], p.tpus, &p.p[i]);
        p.tpus += parts[i];
    }
    return put_all_of(w, m, &p);
}

static int put_strategies(struct writer *w, unsigned m)
{
    int e = 0;
    struct plan one = {.strategy = "single", .tpus = 1, .n = 1};
    cut(&nets[m], 1, 0, &one.p[0]);
    e = put_all_of(w, m, &one);
    for (unsigned t = 1; !e && t <= w->f->tpus; t++) {
        struct plan replicas = {.strategy = "replicas", .tpus = t, .n = t},
                    vendor = {.strategy = "vendor", .tpus = t, .n = 1};
        for (unsigned i = 0; i < t; i++) {
            cut(&nets[m], 1, i, &replicas.p[i]);
        }
        cut(&nets[m], t, 0, &vendor.p[0]);
        e = put_all_of(w, m, &replicas);
        e = e ? e : put_all_of(w, m, &vendor);
        unsigned parts[8];
        e = e || !w->f->partitions ? e : put_partitions(w, m, t, t, parts, 0);
    }
    struct plan none = {.strategy = "exact", .tpus = 1, .n = 0};
    return e ? e : put_plan(w, m, &none, "not in this fixture");
}

/* One training and the accuracy of what it made; hostile names come along. */
static int put_training(struct writer *w)
{
    const bool hostile = w->f->hostile;
    const struct atoll_accuracy_row y = {.experiment = key,
                                         .model = w->spec[0],
                                         .data = hostile ? hostile_names[1] : "fashion_mnist",
                                         .part = "test",
                                         .task = "classify",
                                         .images = 10000,
                                         .bad = hostile,
                                         .classes = 10,
                                         .bad_first = hostile ? hostile_names[2] : NULL,
                                         .top1 = 0.9197,
                                         .top1_low95 = 0.9142,
                                         .top1_high95 = 0.9249,
                                         .top5 = 0.998,
                                         .top5_low95 = 0.9969,
                                         .top5_high95 = 0.9987,
                                         .pixel_frac = NAN,
                                         .pixel_low95 = NAN,
                                         .pixel_high95 = NAN,
                                         .mean_iou = NAN,
                                         .ap = NAN,
                                         .ap50 = NAN,
                                         .ap75 = NAN,
                                         .origin = "measured",
                                         .runtime = "2.17.1",
                                         .kernels = "xnnpack",
                                         .seconds = 1,
                                         .images_per_s = 10000};
    const struct atoll_training_row t = {.key = "t",
                                         .calibration = 512,
                                         .network = hostile ? hostile_names[0] : "compact",
                                         .data = hostile ? hostile_names[3] : "fashion_mnist",
                                         .recipe = "6 epochs",
                                         .seed = 1,
                                         .threads = 1,
                                         .epochs = 6,
                                         .parameters = 77754,
                                         .kernels = "oneDNN",
                                         .int8_sha256 = FIXTURE_SHA,
                                         .images = 10000,
                                         .top1 = 0.9205,
                                         .top1_low95 = 0.915,
                                         .top1_high95 = 0.9256};
    int e = atoll_store_put_accuracy(w->s, &y, w->err);
    e = e ? e : atoll_store_put_training(w->s, &t, w->err);
    for (int i = 1; i <= 6 && !e; i++) {
        const struct atoll_epoch_row h = {.training = "t",
                                          .epoch = i,
                                          .rate = 0.1 / i,
                                          .loss = 0.2 + 0.4 / i,
                                          .accuracy_frac = 0.95 - 0.15 / i,
                                          .validation_loss = 0.22 + 0.4 / i,
                                          .validation_accuracy_frac = 0.93 - 0.15 / i,
                                          .seconds = 7};
        e = atoll_store_put_epoch(w->s, &h, w->err);
    }
    return e;
}

int fixture_write(const char *path, const struct fixture *f, struct atoll_err *err)
{
    struct writer w = {.f = f, .err = err};
    atoll_rng_seed(&w.rng, f->seed);
    int e = atoll_store_open(path, ATOLL_STORE_WRITE, &w.s, err);
    e = e ? e : atoll_store_begin(w.s, err);
    e = e ? e : put_experiment(&w);
    for (unsigned m = 0; !e && m < f->models && m < FIXTURE_MODELS; m++) {
        e = put_model(&w, m);
        e = e ? e : put_strategies(&w, m);
    }
    e = e || !f->training ? e : put_training(&w);
    e = e ? e : atoll_store_commit(w.s, err);
    atoll_store_close(&w.s);
    return e;
}
