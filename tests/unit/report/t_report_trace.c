/* SPDX-License-Identifier: Apache-2.0 */
/* Trace JSON: begin and end nest on every track, times rise, spans that overlap get their own
 * track. */
#include "report_scratch.h"

#include <atoll/report.h>

#include <jansson.h>
#include <string.h>

static int64_t put_run(struct atoll_store *s, const struct atoll_span *spans, size_t n)
{
    struct atoll_err err = {0};
    const struct atoll_experiment_row e = {.key = "k", .name = "trace", .seed = 1};
    struct atoll_run_row r = {.experiment = "k",
                              .model = "<b>",
                              .strategy = "vendor",
                              .tpus = 2,
                              .workload = "saturated",
                              .status = "done",
                              .origin = "simulated"};
    const uint64_t t_ns[] = {1000, 2000, 3000};
    const float mw[] = {1.5f, 10, 2.5f, 20, 3.5f, 30};
    const char *const rails[] = {"12V", "3V3"};
    int64_t id = 0;
    int code = atoll_store_put_experiment(s, &e, &err);
    code = code ? code : atoll_store_put_run(s, &r, &id, &err);
    code = code ? code : atoll_store_put_trace(s, id, t_ns, mw, 3, 2, rails, &err);
    code = code ? code : atoll_store_put_timeline(s, id, spans, n, &err);
    if (code) {
        fail_msg("%s", err.text);
    }
    return id;
}

struct track {
    int64_t tid;
    int depth;
    double last_us;
};
static void check_events(const json_t *events, size_t want_begin, size_t *tracks_out)
{
    struct track tracks[64] = {0};
    size_t n_tracks = 0, begins = 0, counters = 0, i;
    const json_t *v;
    json_array_foreach(events, i, v)
    {
        const char *ph = json_string_value(json_object_get(v, "ph"));
        assert_non_null(ph);
        counters += ph[0] == 'C';
        if (ph[0] != 'B' && ph[0] != 'E') {
            continue;
        }
        const int64_t tid = json_integer_value(json_object_get(v, "tid"));
        const double ts = json_number_value(json_object_get(v, "ts"));
        size_t k = 0;
        while (k < n_tracks && tracks[k].tid != tid) {
            k++;
        }
        if (k == n_tracks) {
            assert_in_range(n_tracks, 0, 63);
            tracks[n_tracks++] = (struct track){.tid = tid};
        }
        assert_true(ts >= tracks[k].last_us);
        tracks[k].last_us = ts;
        tracks[k].depth += ph[0] == 'B' ? 1 : -1;
        assert_true(tracks[k].depth >= 0);
        begins += ph[0] == 'B';
    }
    for (size_t k = 0; k < n_tracks; k++) {
        assert_int_equal(tracks[k].depth, 0);
    }
    assert_int_equal(begins, want_begin);
    assert_int_equal(counters, 6);
    *tracks_out = n_tracks;
}

static size_t write_and_check(struct atoll_span *spans, size_t n)
{
    struct atoll_err err = {0};
    struct atoll_store *s = NULL;
    const char *db = scratch_path("trace.db"), *out = scratch_path("trace.json");
    remove(db);
    assert_int_equal(atoll_store_open(db, ATOLL_STORE_WRITE, &s, &err), 0);
    const int64_t id = put_run(s, spans, n);
    if (atoll_report_trace(s, id, out, &err)) {
        fail_msg("%s", err.text);
    }
    atoll_store_close(&s);
    json_error_t fault;
    json_t *j = json_load_file(out, JSON_REJECT_DUPLICATES, &fault);
    if (!j) {
        fail_msg("%s at line %d", fault.text, fault.line);
    }
    size_t tracks = 0;
    check_events(json_object_get(j, "traceEvents"), n, &tracks);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(j, "otherData"), "model")), "<b>");
    json_decref(j);
    remove(db);
    remove(out);
    return tracks;
}

static void nesting(void **state)
{
    (void)state;
    /* One holds two, which follow each other without a gap: one track. */
    struct atoll_span inside[] = {
        {1000, 5000, 0, 0, 0, 1, 3}, {1000, 2000, 0, 0, 0, 1, 1}, {2000, 5000, 0, 0, 0, 1, 4}};
    assert_int_equal(write_and_check(inside, 3), 1);
    /* They cross: two tracks. Another TPU: a third. */
    struct atoll_span cross[] = {
        {1000, 3000, 0, 0, 0, 1, 3}, {2000, 4000, 0, 0, 0, 1, 4}, {1000, 4000, 1, 0, 1, 1, 3}};
    assert_int_equal(write_and_check(cross, 3), 3);
}

static void random_spans(void **state)
{
    (void)state;
    struct atoll_rng r;
    atoll_rng_seed(&r, 20261124);
    for (int round = 0; round < 20; round++) {
        struct atoll_span spans[60];
        for (size_t i = 0; i < 60; i++) {
            const uint64_t start = 1000 + atoll_rng_below(&r, 200);
            spans[i] = (struct atoll_span){
                start, start + atoll_rng_below(&r, 60), (uint32_t)atoll_rng_below(&r, 3), 0, 0,
                i,     (uint8_t)atoll_rng_below(&r, 6)};
        }
        write_and_check(spans, 60);
    }
}

static void missing(void **state)
{
    (void)state;
    struct fixture f = scratch_fixture();
    struct atoll_err err = {0};
    f.models = 1;
    f.tpus = 1;
    struct atoll_store *s = scratch_store("missing.db", &f);
    const char *out = scratch_path("missing.json");
    assert_int_equal(atoll_report_trace(s, 999999, out, &err), ATOLL_ENOTFOUND);
    assert_non_null(strstr(err.text, "run 999999"));
    assert_int_equal(atoll_report_trace(s, 1, out, &err), ATOLL_ENOTFOUND);
    assert_non_null(strstr(err.text, "keep_trace"));
    assert_int_equal(access(out, F_OK), -1);
    atoll_store_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nesting), cmocka_unit_test(random_spans),
                                       cmocka_unit_test(missing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
