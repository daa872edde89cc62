/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The comparison on sweeps of the simulated board: a board profile with every time 3 % longer must
 * be called a regression, sweeps that differ by their seed only must not. ATOLL_SEEDS=34 runs 102
 * pairs.
 */
#include "../../unit/atoll_test.h"

#include <atoll/bench.h>
#include <atoll/report.h>

#include <stdint.h>
#include <string.h>

static char dir[256];

static void read_text(const char *path, struct atoll_buf *b)
{
    struct atoll_map map = {0};
    struct atoll_err err = {0};
    if (atoll_map_open(path, &map, &err)) {
        fail_msg("%s", err.text);
    }
    atoll_buf_append(b, map.data, map.size);
    atoll_map_close(&map);
}

/* Is this line of a profile a time of the host, the link or the chip? */
static bool is_time(const char *line, size_t n)
{
    char text[64];
    const size_t k = n < sizeof text - 1 ? n : sizeof text - 1;
    memcpy(text, line, k);
    text[k] = '\0';
    const char *colon = strchr(text, ':');
    if (!colon || strstr(text, "spike_us")) {
        return false;
    }
    text[colon - text] = '\0';
    const size_t name = strlen(text);
    return strstr(text, "_us_per_") || strstr(text, "compute_scale") ||
           (name > 3 && strcmp(text + name - 3, "_us") == 0);
}

/* The profile with every time `factor` as long. */
static void write_board(const char *path, double factor)
{
    struct atoll_buf in = {0}, out = {0};
    struct atoll_err err = {0};
    char *given = NULL;
    size_t changed = 0;
    assert_int_equal(atoll_share_find(NULL, "boards/asus_crl_g18u.yaml", &given, &err), 0);
    read_text(given, &in);
    for (const char *line = in.data; *line;) {
        const char *end = strchr(line, '\n');
        const size_t n = end ? (size_t)(end - line) + 1 : strlen(line);
        const char *value = strstr(line, "{value: ");
        if (value && value < line + n && is_time(line, n)) {
            char *rest = NULL;
            const double v = strtod(value + 8, &rest);
            atoll_buf_append(&out, line, (size_t)(value + 8 - line));
            atoll_buf_printf(&out, "%.9g", v * factor);
            atoll_buf_append(&out, rest, (size_t)(line + n - rest));
            changed++;
        } else {
            atoll_buf_append(&out, line, n);
        }
        line += n;
    }
    assert_in_range(changed, 10, 100);
    assert_int_equal(atoll_write_file(path, out.data, out.size, &err), 0);
    atoll_buf_finish(&in);
    atoll_buf_finish(&out);
    atoll_free(given);
}

static void sweep(const char *db, const char *board, uint64_t seed)
{
    struct atoll_buf yaml = {0};
    struct atoll_err err = {0};
    struct atoll_experiment *e = NULL;
    struct atoll_bench_summary sum = {0};
    const struct atoll_bench_opts o = {.shards = 1};
    char path[300];
    snprintf(path, sizeof path, "%s/sweep.yaml", dir);
    atoll_buf_printf(&yaml,
                     "name: compare\nboard: %s\ndevice: sim\nmeter: synth\n"
                     "models: [zoo:mobilenet_v1, zoo:resnet50]\ntpus: [1, 2]\n"
                     "strategies: [single, replicas, vendor]\n"
                     "workloads: [{mode: latency, count: 20}, {mode: saturated, count: 40}]\n"
                     "repeats: 5\nseed: %llu\n",
                     board, (unsigned long long)seed);
    int rc = atoll_write_file(path, yaml.data, yaml.size, &err);
    rc = rc ? rc : atoll_experiment_open(path, NULL, &e, &err);
    rc = rc ? rc : atoll_bench(e, db, &o, &sum, &err);
    if (rc) {
        fail_msg("%s", err.text);
    }
    atoll_experiment_close(&e);
    atoll_buf_finish(&yaml);
    remove(path);
}

static bool regression(uint64_t seed, const char *board_a, const char *board_b, bool print)
{
    struct atoll_err err = {0};
    struct atoll_store *s[2] = {NULL, NULL};
    struct atoll_comparison_report r = {0};
    char db[2][300];
    for (int i = 0; i < 2; i++) {
        snprintf(db[i], sizeof db[i], "%s/%d.db", dir, i);
        sweep(db[i], i ? board_b : board_a, 2 * seed + (uint64_t)i);
        assert_int_equal(atoll_store_open(db[i], ATOLL_STORE_READ, &s[i], &err), 0);
    }
    if (atoll_compare_stores(s[0], s[1], &r, &err)) {
        fail_msg("%s", err.text);
    }
    const bool answer = r.regression;
    if (answer == print) {
        print_message("seed %llu: %s\n", (unsigned long long)seed, r.sentence);
    }
    atoll_comparison_report_finish(&r);
    for (int i = 0; i < 2; i++) {
        atoll_store_close(&s[i]);
        remove(db[i]);
    }
    return answer;
}

static void on_the_board(void **state)
{
    (void)state;
    const unsigned n = (unsigned)test_cases(3);
    const uint64_t seed = test_seed() * 100000;
    char board[2][300];
    unsigned found = 0, alarms = 0;
    test_scratch(dir);
    for (int i = 0; i < 2; i++) {
        snprintf(board[i], sizeof board[i], "%s/board%d.yaml", dir, i);
        write_board(board[i], i ? 1.03 : 1);
    }
    for (unsigned i = 0; i < n; i++) {
        found += regression(seed + i, board[0], board[1], false);
        alarms += regression(seed + 50000 + i, board[0], board[0], true);
    }
    print_message("3 %% longer found in %u of %u; false alarms in %u of %u\n", found, n, alarms, n);
    for (int i = 0; i < 2; i++) {
        remove(board[i]);
    }
    rmdir(dir);
    assert_true(found * 100 >= n * 99);
    assert_true(alarms * 100 <= n * 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(on_the_board)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
