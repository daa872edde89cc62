/* SPDX-License-Identifier: Apache-2.0 */
/* Experiment files: what is understood, what is refused, and what the refusal says. */
#include "../atoll_test.h"

#include <atoll/bench.h>

static char dir[256], path[300];

static int setup(void **state)
{
    (void)state;
    test_scratch(dir);
    (void)snprintf(path, sizeof path, "%s/e.yaml", dir);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(dir);
}

/* A good file, line by line, in which single lines are replaced. */
static const char *const good[] = {"name: t",
                                   "board: asus_crl_g18u",
                                   "device: sim",
                                   "meter: synth",
                                   "models: [\"zoo:conv_chain?layers=3\"]",
                                   "tpus: [1, 2]",
                                   "strategies: [single, replicas]",
                                   "workloads: [{mode: latency, count: 5}]",
                                   "repeats: 3",
                                   "seed: 7",
                                   "keep_trace: none"};
enum { LINES = sizeof good / sizeof good[0] };

static int open_with(size_t line, const char *text, struct atoll_experiment **e,
                     struct atoll_err *err)
{
    struct atoll_buf b = {0};
    for (size_t i = 0; i < LINES; i++) {
        const char *l = i == line ? text : good[i];
        if (l) {
            atoll_buf_printf(&b, "%s\n", l);
        } else {
            atoll_buf_puts(&b, "\n"); /* left out; the lines below keep their numbers */
        }
    }
    assert_int_equal(atoll_write_file(path, b.data, b.size, err), 0);
    atoll_buf_finish(&b);
    return atoll_experiment_open(path, NULL, e, err);
}
static uint64_t units(size_t line, const char *text)
{
    struct atoll_experiment *e = NULL;
    struct atoll_err err = {0};
    if (open_with(line, text, &e, &err)) {
        fail_msg("%s", err.text);
    }
    const uint64_t n = atoll_experiment_units(e);
    atoll_experiment_close(&e);
    return n;
}

/* "exact" is one plan for what one input asks and one for what many ask; each runs under both. */
static void exact_for_each_workload(void **state)
{
    (void)state;
    struct atoll_buf b = {0};
    struct atoll_experiment *e = NULL;
    struct atoll_err err = {0};
    for (size_t i = 0; i < LINES; i++) {
        atoll_buf_printf(&b, "%s\n",
                         i == 6   ? "strategies: [exact]"
                         : i == 7 ? "workloads: [{mode: latency, count: 5}, {mode: saturated, "
                                    "count: 5}]"
                                  : good[i]);
    }
    assert_int_equal(atoll_write_file(path, b.data, b.size, &err), 0);
    atoll_buf_finish(&b);
    assert_int_equal(atoll_experiment_open(path, NULL, &e, &err), 0);
    assert_int_equal(atoll_experiment_units(e), 2 * 2 * 2 * 3);
    atoll_experiment_close(&e);
}

static void counts_units(void **state)
{
    (void)state;
    assert_int_equal(units(LINES, NULL), 2 * 2 * 3);
    assert_int_equal(units(5, "tpus: 1..4"), 4 * 2 * 3);
    assert_int_equal(units(5, "tpus: [1..2, 5, 7..8]"), 5 * 2 * 3);
    assert_int_equal(units(5, "tpus: 8"), 2 * 3);
    assert_int_equal(units(6, "strategies: [partitions]"), 2 * 3); /* two of 2; one TPU has none */
    assert_int_equal(units(6, "strategies: [partitions, \"partition:1+1\", \"partition:4+4\"]"),
                     2 * 3);
    /* exact: for latency alone; with a workload of many inputs also for throughput */
    assert_int_equal(units(6, "strategies: [exact]"), 2 * 3);
    assert_int_equal(units(6, "strategies: [exact, \"exact:energy\"]"), 2 * 2 * 3);
    assert_int_equal(units(7, "workloads: [{mode: latency, count: 5}, {mode: cold}, {mode: rate, "
                              "hz: 3, count: 2}, {mode: rate, hz: 4, count: 2}]"),
                     4 * 12);
    assert_int_equal(units(8, NULL), 4 * 5); /* repeats: 5 unless said */
    assert_int_equal(units(10, "clock: standard"), 12);
    assert_int_equal(
        units(10, "host_runner: c\ncompiler: 2019\nmeter_hz: 2000\nkeep_timeline: all"), 12);
    assert_int_equal(units(10, "energy_u95: 1.5 %\nmeter_hz: 2000"), 12);
}

static void refused(size_t line, const char *text, const char *words)
{
    struct atoll_experiment *e = NULL;
    struct atoll_err err = {0};
    char place[320];
    (void)snprintf(place, sizeof place, "%s:%zu:", path, line + 1);
    const int rc = open_with(line, text, &e, &err);
    if (atoll_code_exit(rc) != 3 || !strstr(err.text, words) ||
        (text && !strstr(err.text, place))) {
        fail_msg("\"%s\": %s \"%s\", expected exit code 3, \"%s\" and %s",
                 text ? text : "(left out)", atoll_code_name(rc), err.text, words, place);
    }
    assert_null(e);
}
static void refuses_with_line_and_key(void **state)
{
    (void)state;
    refused(10, "keep_traces: none", "keep_traces");
    refused(10, "keep_trace: some", "none, first, all expected");
    refused(0, NULL, "name");
    refused(4, NULL, "models");
    refused(5, NULL, "tpus");
    refused(6, NULL, "strategies");
    refused(7, NULL, "workloads");
    refused(1, "board: asus", "asus_crl_g18u");
    refused(1, "board: ./none.yaml", "none.yaml");
    refused(2, "device: gpu", "sim");
    refused(3, "meter: ampere", "replay:FILE expected");
    refused(3, "meter: \"serial:\"", "serial:PORT");
    refused(10, "energy_u95: lots", "no share of the energy");
    refused(10, "energy_u95: 120%", "no share of the energy");
    refused(3, "energy_u95: 2%\nmeter: none", "needs a meter");
    refused(4, "models: zoo:resnet50", "models");
    refused(4, "models: []", "0 models");
    refused(4, "models: [zoo:resnet51]", "resnet50");
    refused(4, "models: [zoo:resnet50?size=-1]", "size");
    refused(4, "models: [none.tflite]", "none.tflite");
    refused(4, "models: [\"zoo:conv_chain?layers=3\", \"zoo:conv_chain?layers=3\"]", "twice");
    refused(5, "tpus: [0]", "tpus");
    refused(5, "tpus: [9]", "tpus");
    refused(5, "tpus: 1..9", "such as 1..8");
    refused(5, "tpus: 3..1", "such as 1..8");
    refused(5, "tpus: 1..2.5", "such as 1..8");
    refused(5, "tpus: []", "no number of TPUs");
    refused(5, "tpus: [1, 1..2]", "twice");
    refused(6, "strategies: [best]", "unknown strategy \"best\"");
    refused(6, "strategies: [\"exact:speed\"]", "unknown strategy \"exact:speed\"");
    refused(6, "strategies: [cuts]", "unknown strategy \"cuts\"");
    refused(6, "strategies: [single, single]", "twice");
    refused(7, "workloads: [{mode: latency}]", "needs a count");
    refused(7, "workloads: [{mode: cold, count: 3}]", "takes no count");
    refused(7, "workloads: [{mode: rate, count: 3}]", "needs hz");
    refused(7, "workloads: [{mode: latency, count: 3, hz: 3}]", "takes no hz");
    refused(7, "workloads: [{mode: burst, count: 3}]", "latency, saturated");
    refused(7, "workloads: [{mode: latency, count: 3}, {mode: latency, count: 4}]", "twice");
    refused(7, "workloads: [latency]", "workloads");
    refused(5, "tpus: [{a: 1}]", "tpus");
    refused(5, "tpus: {a: 1}", "tpus");
    refused(4, "models: [[zoo:resnet50]]", "models");
    refused(6, "strategies: [~]", "strategies");
    refused(6, "strategies: single", "strategies");
    refused(8, "repeats: 0", "repeats");
    refused(9, "seed: -1", "seed");
    refused(9, "seed: x", "seed");
    refused(10, "accuracy: {part: test}", "data");
    refused(10, "accuracy: {data: generated, part: all}", "test, validation, train expected");
    refused(10, "accuracy: {data: generated, limit: 0}", "limit");
    refused(10, "accuracy: {data: generated, resize: short}", "resize");
    refused(10, "accuracy: [generated]", "accuracy");
    refused(4, "models: [{model: \"zoo:conv_chain?layers=3\", data: generated}]", "data");
    refused(4, "models: [{accuracy: generated}]", "model");
    refused(10, "clock: fast", "standard, max expected");
    refused(10, "compiler: 2020", "v16, 2019 expected");
    struct atoll_experiment *e = NULL;
    struct atoll_err err = {0};
    assert_int_equal(atoll_experiment_open("/none/e.yaml", NULL, &e, &err), ATOLL_ENOTFOUND);
}

static void key_of(size_t line, const char *text, char key[65])
{
    struct atoll_experiment *e = NULL;
    struct atoll_err err = {0};
    if (open_with(line, text, &e, &err)) {
        fail_msg("%s", err.text);
    }
    (void)snprintf(key, 65, "%s", atoll_experiment_key(e));
    atoll_experiment_close(&e);
}
static void the_key_is_the_meaning(void **state)
{
    (void)state;
    char base[65], other[65];
    key_of(LINES, NULL, base);
    assert_int_equal(strlen(base), 64);
    key_of(5, "tpus:   1..2   # the same", other);
    assert_string_equal(base, other);
    static const struct {
        size_t line;
        const char *text;
    } changes[] = {{0, "name: u"},
                   {1, "board: usb3_x86"},
                   {3, "meter: none"},
                   {4, "models: [\"zoo:conv_chain?layers=4\"]"},
                   {5, "tpus: 1"},
                   {6, "strategies: [single]"},
                   {7, "workloads: [{mode: latency, count: 6}]"},
                   {8, "repeats: 4"},
                   {9, "seed: 8"},
                   {10, "keep_trace: all"},
                   {10, "clock: standard"},
                   {10, "host_runner: c"},
                   {10, "compiler: 2019"},
                   {10, "accuracy: generated"},
                   {10, "accuracy: {data: generated, limit: 9}"},
                   {10, "meter_hz: 100"}};
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        if (changes[i].line == 1) {
            continue; /* one TPU only: another number of TPUs would be refused */
        }
        key_of(changes[i].line, changes[i].text, other);
        if (strcmp(base, other) == 0) {
            fail_msg("\"%s\" does not change the key", changes[i].text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(exact_for_each_workload, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_units, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_with_line_and_key, setup, teardown),
        cmocka_unit_test_setup_teardown(the_key_is_the_meaning, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
