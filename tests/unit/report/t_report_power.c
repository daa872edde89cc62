/* SPDX-License-Identifier: Apache-2.0 */
/* The page's data of power: pyramids of traces, phases, power states, budget of the uncertainty. */
#include "report_scratch.h"

#include <atoll/report.h>

#include <jansson.h>
#include <math.h>
#include <string.h>

static json_t *data_of(const struct fixture *f)
{
    const struct atoll_report_writer *w = atoll_report_writer_find("json");
    struct atoll_store *s = scratch_store("power.db", f);
    struct atoll_err err = {0};
    const char *path = scratch_path("power.json");
    assert_non_null(w);
    if (w->write(s, path, &err)) {
        fail_msg("%s", err.text);
    }
    json_error_t why;
    json_t *j = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    if (!j) {
        fail_msg("line %d: %s", why.line, why.text);
    }
    remove(path);
    atoll_store_close(&s);
    return j;
}

static json_t *at(const json_t *j, const char *key, size_t i)
{
    json_t *v = json_array_get(json_object_get(j, key), i);
    assert_non_null(v);
    return v;
}

/* Lowest and highest value of a rail in a level. */
static void range(const json_t *level, size_t rail, double *low, double *high)
{
    const json_t *lo = at(level, "lo", rail);
    const json_t *hi = json_object_get(level, "hi") ? at(level, "hi", rail) : lo;
    assert_int_equal(json_array_size(lo), json_array_size(hi));
    *low = INFINITY;
    *high = -INFINITY;
    for (size_t i = 0; i < json_array_size(lo); i++) {
        const double a = json_number_value(json_array_get(lo, i));
        const double b = json_number_value(json_array_get(hi, i));
        assert_true(a <= b);
        *low = fmin(*low, a);
        *high = fmax(*high, b);
    }
}

static void traces_are_pyramids(void **state)
{
    (void)state;
    struct fixture f = scratch_fixture();
    f.traces = true;
    json_t *j = data_of(&f);
    const json_t *traces = json_object_get(j, "traces");
    assert_true(json_array_size(traces) > 0);
    size_t i;
    const json_t *t;
    json_array_foreach(traces, i, t)
    {
        const json_t *levels = json_object_get(t, "levels");
        assert_int_equal(json_array_size(levels), 2); /* 6000 scans: steps of 3, then all scans */
        double low[2], high[2], dt[2], end[2];
        for (size_t k = 0; k < 2; k++) {
            const json_t *l = json_array_get(levels, k);
            const size_t n = json_array_size(at(l, "lo", 0));
            assert_true(n * (json_object_get(l, "hi") ? 2 : 1) <= 4000);
            range(l, 0, &low[k], &high[k]);
            dt[k] = json_number_value(json_object_get(l, "dt"));
            end[k] = json_number_value(json_object_get(l, "t0")) + dt[k] * (double)n;
        }
        assert_true(low[0] <= low[1] && high[0] >= high[1]); /* no spike is lost */
        assert_true(fabs(dt[0] / dt[1] - 3) < 1e-6);
        assert_true(end[1] <= end[0] + dt[0]);
        const json_t *phases = json_object_get(t, "phases");
        assert_int_equal(json_array_size(phases), 4);
        const json_t *steady = json_array_get(phases, 2);
        assert_string_equal(json_string_value(json_object_get(steady, "name")), "steady");
        const double from = json_number_value(json_object_get(steady, "s"));
        assert_true(fabs(from / (end[0] - dt[0]) - 0.1) < 0.01);
        /* the finest level holds the beginning of the steady window */
        const json_t *fine = json_array_get(levels, 1);
        assert_true(json_number_value(json_object_get(fine, "t0")) < from && end[1] > from);
    }
    json_decref(j);
}

static void states_and_budget(void **state)
{
    (void)state;
    const struct fixture f = scratch_fixture();
    json_t *j = data_of(&f);
    const json_t *power = json_object_get(j, "power");
    const json_t *c = json_object_get(power, "c");
    const json_t *configs = json_object_get(j, "configs");
    const json_t *strategies = json_object_get(j, "strategies");
    const json_t *workloads = json_object_get(j, "workloads");
    const json_t *states = json_object_get(power, "states");
    assert_true(json_array_size(c) > 10);
    size_t partitions = 0;
    for (size_t i = 0; i < json_array_size(c); i++) {
        const size_t k = (size_t)json_integer_value(json_array_get(c, i));
        const char *strategy = json_string_value(
            json_array_get(strategies, (size_t)json_integer_value(at(configs, "s", k))));
        const char *workload = json_string_value(
            json_array_get(workloads, (size_t)json_integer_value(at(configs, "w", k))));
        partitions += strncmp(strategy, "partition:", 10) == 0;
        const json_t *stream = json_object_get(states, "stream");
        const json_t *compute = json_object_get(states, "compute");
        const bool busy = strcmp(workload, "saturated") == 0;
        assert_true(fabs(json_number_value(at(compute, "w", i)) - 1.4) < 1e-6);
        assert_true(fabs(json_number_value(at(compute, "wu", i)) - 0.098) < 1e-6);
        if (busy) {
            assert_true(fabs(json_number_value(at(stream, "w", i)) - 0.21) < 1e-6);
            assert_true(json_is_null(at(stream, "with", i)));
        } else {
            assert_true(json_is_null(at(stream, "w", i)));
            assert_string_equal(json_string_value(at(stream, "with", i)), "transfer");
        }
        const json_t *budget = json_object_get(power, "budget");
        assert_true(fabs(json_number_value(at(budget, "gain", i)) - 0.005) < 1e-6);
        assert_true(fabs(json_number_value(at(budget, "k", i)) - 2.2) < 1e-6);
        const double mj = json_number_value(at(configs, "mj", k));
        assert_true(fabs(json_number_value(at(power, "above", i)) / mj - 0.3) < 0.01);
    }
    assert_true(partitions <= 3 * f.models); /* the best of each objective */
    json_decref(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(traces_are_pyramids),
        cmocka_unit_test(states_and_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
