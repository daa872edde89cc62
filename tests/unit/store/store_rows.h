/* SPDX-License-Identifier: Apache-2.0 */
/* Rows for the tests of the store: every column filled by the tables, and whole small databases. */
#ifndef STORE_ROWS_H
#define STORE_ROWS_H

#include "../atoll_test.h"

#include "store_internal.h"

#include <math.h>

/* Text columns point into this. */
struct store_texts {
    char text[ATOLL__STORE_COLUMNS_MAX][40];
};

/* Fills a row with values that differ from column to column and from `salt` to `salt`. */
static inline void store_fill(const struct atoll__table *t, uint64_t salt, void *row,
                              struct store_texts *texts)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        const struct atoll__column *c = &t->columns[i];
        void *field = (char *)row + c->offset;
        const uint64_t bits = atoll_seed_mix(salt, i);
        if (c->type == ATOLL__COLUMN_TEXT) {
            (void)snprintf(texts->text[i], sizeof texts->text[i], "%.20s-%llx", c->name,
                           (unsigned long long)bits);
            const char *v = texts->text[i];
            memcpy(field, &v, sizeof v);
        } else if (c->type == ATOLL__COLUMN_REAL) {
            const double v = (double)(int64_t)bits / 1e7;
            memcpy(field, &v, sizeof v);
        } else if (c->type == ATOLL__COLUMN_BLOB) {
            const struct atoll__blob v = {"Sx", 2};
            memcpy(field, &v, sizeof v);
        } else {
            memcpy(field, &bits, sizeof bits);
        }
    }
}

static inline struct atoll_run_row store_run(const char *experiment, int64_t repeat)
{
    struct atoll_run_row r = {.experiment = experiment,
                              .model = "zoo:resnet50",
                              .strategy = "partition:2+1",
                              .tpus = 3,
                              .workload = "latency",
                              .repeat = repeat,
                              .status = "done",
                              .seed = UINT64_MAX - (uint64_t)repeat,
                              .origin = "simulated",
                              .host = "here",
                              .started = "2026-11-24T08:00:00Z",
                              .wall_s = 0.5,
                              .count = 100,
                              .order_index = 7 * repeat,
                              .p50_us = 1000.25 + (double)repeat,
                              .p99_us = 1.0 / 3.0,
                              .cold_us = NAN,
                              .energy_mj = INFINITY};
    return r;
}

/* Puts one whole run: row, two rails, samples, trace, timeline. */
static inline void store_put_whole_run(struct atoll_store *s, const struct atoll_run_row *r)
{
    struct atoll_err err = {0};
    int64_t id = 0;
    if (atoll_store_put_run(s, r, &id, &err)) {
        fail_msg("%s", err.text);
    }
    const double samples[3] = {1.25, 1000.0 + (double)r->repeat, 0.01};
    assert_int_equal(atoll_store_put_samples(s, id, samples, 3, &err), 0);
    for (int i = 0; i < 2; i++) {
        const struct atoll_rail_row rail = {
            .run = id, .rail = i ? "5v" : "12v", .energy_mj = 4.5 + i, .u95_mj = 0.1};
        assert_int_equal(atoll_store_put_rail(s, &rail, &err), 0);
    }
    const struct atoll_state_row state = {
        .run = id, .state = "load", .power_w = 0.2, .energy_mj = NAN, .goes_with = "stream"};
    const struct atoll_phase_row phase = {.run = id, .phase = "idle", .seconds = 0.2, .mean_w = 9};
    assert_int_equal(atoll_store_put_state(s, &state, &err), 0);
    assert_int_equal(atoll_store_put_phase(s, &phase, &err), 0);
    const uint64_t t_ns[2] = {5, 1000000};
    const float mw[4] = {1.0f, 2.5f, -3.0f, 1e9f};
    const char *const names[2] = {"12v", "5v"};
    assert_int_equal(atoll_store_put_trace(s, id, t_ns, mw, 2, 2, names, &err), 0);
    const struct atoll_span spans[2] = {{10, 20, 1, 0, 2, 7, 3}, {5, UINT64_MAX, 2, 1, 0, 6, 255}};
    assert_int_equal(atoll_store_put_timeline(s, id, spans, 2, &err), 0);
}

static inline struct atoll_store *store_open(const char *path, enum atoll_store_mode mode)
{
    struct atoll_store *s = NULL;
    struct atoll_err err = {0};
    if (atoll_store_open(path, mode, &s, &err)) {
        fail_msg("%s", err.text);
    }
    return s;
}

/* Everything that an experiment of `n` runs leaves, only the runs with repeat % shards == shard. */
static inline void store_put_experiment(struct atoll_store *s, int64_t n, int64_t shard,
                                        int64_t shards)
{
    struct atoll_err err = {0};
    const struct atoll_experiment_row e = {
        .key = "e1", .name = "first", .seed = 1, .repeats = n, .units = n};
    const struct atoll_model_row m = {
        .spec = "zoo:resnet50", .label = "resnet50", .sha256 = "00", .macs = 4e9};
    const struct atoll_plan_row p = {.experiment = "e1",
                                     .model = m.spec,
                                     .strategy = "partition:2+1",
                                     .tpus = 3,
                                     .latency_us = 5.5};
    const struct atoll_stage_row st = {
        .experiment = "e1", .model = m.spec, .strategy = p.strategy, .tpus_key = 3, .tpus = "0"};
    const struct atoll_layer_row l = {
        .experiment = "e1", .model = m.spec, .op = "CONV_2D", .bound = "array"};
    assert_int_equal(atoll_store_begin(s, &err), 0);
    assert_int_equal(atoll_store_put_experiment(s, &e, &err), 0);
    assert_int_equal(atoll_store_put_model(s, &m, &err), 0);
    assert_int_equal(atoll_store_put_plan(s, &p, &err), 0);
    assert_int_equal(atoll_store_put_stage(s, &st, &err), 0);
    assert_int_equal(atoll_store_put_layer(s, &l, &err), 0);
    const struct atoll_accuracy_row y = {.experiment = "e1",
                                         .model = m.spec,
                                         .data = "fashion_mnist",
                                         .part = "test",
                                         .task = "classify",
                                         .images = 10000,
                                         .top1 = 0.925,
                                         .mean_iou = NAN,
                                         .origin = "measured",
                                         .host = shard ? "there" : "here"};
    if (shard == 0) { /* one shard computes it */
        assert_int_equal(atoll_store_put_accuracy(s, &y, &err), 0);
    }
    const struct atoll_training_row t = {
        .key = "t1", .network = "compact", .epochs = 2, .calibration = 512, .top1 = NAN};
    assert_int_equal(atoll_store_put_training(s, &t, &err), 0);
    for (int64_t i = 1; i <= 2; i++) {
        const struct atoll_epoch_row h = {
            .training = "t1", .epoch = i, .loss = 1.5 / (double)i, .validation_loss = NAN};
        assert_int_equal(atoll_store_put_epoch(s, &h, &err), 0);
    }
    for (int64_t i = n; i-- > 0;) {
        if (i % shards == shard) {
            const struct atoll_run_row r = store_run("e1", i);
            store_put_whole_run(s, &r);
        }
    }
    assert_int_equal(atoll_store_commit(s, &err), 0);
}

static inline void store_append_line(void *buf, const char *line)
{
    atoll_buf_puts(buf, line);
    atoll_buf_puts(buf, "\n");
}
/* The canonical dump, owned. */
static inline char *store_canonical(struct atoll_store *s)
{
    struct atoll_buf b = {0};
    struct atoll_err err = {0};
    if (atoll_store_dump(s, true, store_append_line, &b, &err)) {
        fail_msg("%s", err.text);
    }
    return atoll_buf_take(&b, NULL);
}

static inline void store_remove(const char *path)
{
    char journal[320];
    (void)snprintf(journal, sizeof journal, "%s-journal", path);
    (void)unlink(path);
    (void)unlink(journal);
}

#endif
