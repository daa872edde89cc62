/* SPDX-License-Identifier: Apache-2.0 */
/* The sweep: shards, threads, order, death and resumption never change a result. */
#include "../atoll_test.h"

#include <atoll/bench.h>

#include <math.h>
#include <signal.h>
#include <sys/wait.h>

static char dir[256], yaml[300], db[4][300];

static const char experiment[] =
    "name: sweep\nboard: asus_crl_g18u\nmeter: synth\nmodels: "
    "[\"zoo:conv_chain?layers=6&filters=64\", "
    "\"zoo:cifar_resnet18\"]\ntpus: 1..3\nstrategies: [single, replicas, vendor, partitions, "
    "smallest_resident]\n"
    "workloads: [{mode: latency, count: 12}, {mode: saturated, count: 24}, {mode: poisson, hz: 50, "
    "count: 12}, "
    "{mode: cold}]\nrepeats: 2\nseed: 3\nkeep_trace: first\nkeep_timeline: first\n";

static int setup(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    test_scratch(dir);
    (void)snprintf(yaml, sizeof yaml, "%s/e.yaml", dir);
    for (int i = 0; i < 4; i++) {
        (void)snprintf(db[i], sizeof db[i], "%s/%d.db", dir, i);
    }
    return atoll_write_file(yaml, experiment, sizeof experiment - 1, &err);
}
static int teardown(void **state)
{
    (void)state;
    (void)unlink(yaml);
    for (int i = 0; i < 4; i++) {
        char journal[320];
        (void)snprintf(journal, sizeof journal, "%.299s-journal", db[i]);
        (void)unlink(db[i]);
        (void)unlink(journal);
    }
    return rmdir(dir);
}

static struct atoll_experiment *open_experiment(void)
{
    struct atoll_experiment *e = NULL;
    struct atoll_err err = {0};
    if (atoll_experiment_open(yaml, NULL, &e, &err)) {
        fail_msg("%s", err.text);
    }
    return e;
}
static struct atoll_bench_summary sweep(const char *to, struct atoll_bench_opts o)
{
    struct atoll_experiment *e = open_experiment();
    struct atoll_bench_summary sum = {0};
    struct atoll_err err = {0};
    if (atoll_bench(e, to, &o, &sum, &err)) {
        fail_msg("%s", err.text);
    }
    atoll_experiment_close(&e);
    return sum;
}
static void append(void *user, const char *line)
{
    atoll_buf_puts(user, line);
    atoll_buf_puts(user, "\n");
}
static char *canonical(const char *path)
{
    struct atoll_store *s = NULL;
    struct atoll_err err = {0};
    struct atoll_buf b = {0};
    if (atoll_store_open(path, ATOLL_STORE_READ, &s, &err) ||
        atoll_store_dump(s, true, append, &b, &err)) {
        fail_msg("%s", err.text);
    }
    atoll_store_close(&s);
    return atoll_buf_take(&b, NULL);
}
static void same(const char *a, const char *b)
{
    char *x = canonical(a), *y = canonical(b);
    for (size_t i = 0, line = 0; x[i] || y[i]; i++) {
        if (x[i] != y[i]) {
            fail_msg("the dumps differ:\n%.300s\n%.300s", x + line, y + line);
        }
        line = x[i] == '\n' ? i + 1 : line;
    }
    atoll_free(x);
    atoll_free(y);
}

static void threads_do_not_matter(void **state)
{
    (void)state;
    const struct atoll_bench_summary a = sweep(db[0], (struct atoll_bench_opts){.threads = 1});
    const struct atoll_bench_summary b = sweep(db[1], (struct atoll_bench_opts){.threads = 5});
    assert_int_equal(a.units, a.done);
    assert_int_equal(a.failed, 0);
    assert_int_equal(a.skipped, 2); /* partition:1 of each model */
    assert_int_equal(b.done, a.done);
    assert_int_equal(a.units, 2 * (4 + 6 + 7) * 4 * 2);
    same(db[0], db[1]);
}

static void shards_merge_into_the_whole(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    sweep(db[0], (struct atoll_bench_opts){0});
    struct atoll_store *merged = NULL;
    assert_int_equal(atoll_store_open(db[1], ATOLL_STORE_WRITE, &merged, &err), 0);
    uint64_t sum = 0, smallest = UINT64_MAX;
    for (uint32_t i = 0; i < 3; i++) {
        const struct atoll_bench_summary s =
            sweep(db[2], (struct atoll_bench_opts){.shard = 2 - i, .shards = 3});
        sum += s.done;
        smallest = s.done < smallest ? s.done : smallest;
        struct atoll_store *in = NULL;
        assert_int_equal(atoll_store_open(db[2], ATOLL_STORE_READ, &in, &err), 0);
        if (atoll_store_merge(merged, in, &err)) {
            fail_msg("%s", err.text);
        }
        atoll_store_close(&in);
        (void)unlink(db[2]);
    }
    atoll_store_close(&merged);
    assert_int_equal(sum, 272);
    assert_true(smallest > 272 / 3 / 2);
    same(db[0], db[1]);
}

/* Each run as long as its energy needs; a cold start is as it is; what cannot be had is a failed
 * row with the reason. */
struct ranged {
    size_t done, cold, failed;
    double asked_frac;
};
static int on_ranged(void *user, const struct atoll_run_row *r)
{
    struct ranged *g = user;
    if (strcmp(r->status, "failed") == 0) {
        g->failed++;
        assert_non_null(strstr(r->error, "gain is in the way"));
    } else if (strcmp(r->workload, "cold") == 0) {
        g->cold++;
        assert_true(isnan(r->energy_asked_frac));
    } else {
        g->done++;
        /* at 40 scans/s what the grid cannot see at the markers is most of it, and varies */
        assert_true(r->energy_u95_mj <= 1.25 * g->asked_frac * r->energy_mj);
        test_close(r->energy_asked_frac, g->asked_frac, 1e-12);
        assert_true(r->ranging_s > 0.1 && r->window_s > 0.1 && r->count >= 5);
    }
    return 0;
}
static void energy_as_certain_as_asked(void **state)
{
    (void)state;
    static const struct {
        const char *meter, *share;
        double frac;
    } cases[] = {{"\"synth:ina228\"", "0.3%", 0.003}, {"synth", "0.1%", 0.001}};
    for (size_t i = 0; i < 2; i++) {
        struct atoll_err err = {0};
        struct atoll_buf b = {0};
        atoll_buf_printf(&b,
                         "name: ranged\nboard: asus_crl_g18u\nmeter: %s\nmeter_hz: 40\n"
                         "energy_u95: %s\nmodels: [\"zoo:cifar_resnet18\"]\ntpus: 2\n"
                         "strategies: [vendor]\nworkloads: [{mode: latency, count: 5}, {mode: "
                         "saturated, count: 5}, {mode: cold}]\nrepeats: 2\n",
                         cases[i].meter, cases[i].share);
        assert_int_equal(atoll_write_file(yaml, b.data, b.size, &err), 0);
        atoll_buf_finish(&b);
        (void)unlink(db[0]);
        sweep(db[0], (struct atoll_bench_opts){0});
        struct ranged g = {.asked_frac = cases[i].frac};
        struct atoll_store *s = NULL;
        assert_int_equal(atoll_store_open(db[0], ATOLL_STORE_READ, &s, &err), 0);
        assert_int_equal(atoll_store_each_run(s, NULL, on_ranged, &g, &err), 0);
        atoll_store_close(&s);
        assert_int_equal(g.cold, 2);
        assert_int_equal(i == 0 ? g.done : g.failed, 4);
    }
}

struct stopper {
    uint64_t after;
};
static bool stop_after(void *user, uint64_t done, uint64_t total, const char *what)
{
    (void)total;
    (void)what;
    return done < ((const struct stopper *)user)->after;
}

static void resume_goes_on(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    struct atoll_bench_summary sum = {0};
    struct atoll_experiment *e = open_experiment();
    struct stopper one = {1};
    struct atoll_bench_opts o = {.progress = {stop_after, &one}};
    const int rc = atoll_bench(e, db[0], &o, &sum, &err);
    if (rc ==
        ATOLL_ENO) { /* a fast machine may have finished before the first group was committed */
        assert_non_null(strstr(err.text, "--resume goes on"));
    }
    o = (struct atoll_bench_opts){0};
    assert_int_equal(atoll_bench(e, db[0], &o, &sum, &err), ATOLL_EUSAGE);
    assert_non_null(strstr(err.text, "--resume"));
    o.resume = true;
    assert_int_equal(atoll_bench(e, db[0], &o, &sum, &err), 0);
    assert_int_equal(sum.already + sum.done, sum.units);
    assert_int_equal(atoll_bench(e, db[0], &o, &sum, &err), 0);
    assert_int_equal(sum.already, sum.units);
    assert_int_equal(sum.done, 0);
    o.shards = 2;
    o.shard = 2;
    assert_int_equal(atoll_bench(e, db[0], &o, &sum, &err), ATOLL_EUSAGE);
    atoll_experiment_close(&e);
    sweep(db[1], (struct atoll_bench_opts){0});
    same(db[0], db[1]);
}

/* Which runs are there, by number; a run once seen must never vanish or change its number. */
static int note(void *user, const struct atoll_run_row *r)
{
    int64_t *last = user;
    *last = r->id > *last ? r->id : *last;
    assert_string_equal(r->status, "done");
    return 0;
}

static void death_at_any_moment(void **state)
{
    (void)state;
    struct atoll_rng rng;
    atoll_rng_seed(&rng, test_seed());
    struct atoll_experiment *e = open_experiment();
    struct atoll_err err = {0};
    size_t deaths = 0, runs = 0;
    bool finished = false;
    for (size_t i = 0; i < 60 && !finished; i++) {
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            const struct atoll_bench_opts o = {.resume = true, .threads = 2};
            struct atoll_bench_summary sum;
            _exit(atoll_bench(e, db[0], &o, &sum, &err) ? 1 : 0);
        }
        (void)usleep((useconds_t)(1000 + atoll_rng_below(&rng, (10000 + 40000 * i) *
                                                                   (test_is_slow() ? 20 : 1))));
        (void)kill(child, SIGKILL);
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        finished = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        deaths += WIFSIGNALED(status);
        assert_true(finished || WIFSIGNALED(status));
        if (access(db[0], F_OK) == 0) {
            struct atoll_store *s = NULL;
            if (atoll_store_open(db[0], ATOLL_STORE_WRITE, &s, &err)) {
                fail_msg("%s", err.text);
            }
            struct atoll_run_set *set = NULL;
            int64_t last = 0;
            assert_int_equal(atoll_store_run_set(s, atoll_experiment_key(e), &set, &err), 0);
            assert_int_equal(atoll_store_each_run(s, NULL, note, &last, &err), 0);
            assert_true(atoll_run_set_count(set) >= runs);
            assert_int_equal(
                last, (int64_t)atoll_run_set_count(set)); /* none was deleted or written twice */
            runs = atoll_run_set_count(set);
            atoll_run_set_close(&set);
            atoll_store_close(&s);
        }
    }
    atoll_experiment_close(&e);
    assert_true(finished && deaths > 0);
    (void)printf("died %zu times\n", deaths);
    sweep(db[1], (struct atoll_bench_opts){0});
    same(db[0], db[1]);
}

struct looked {
    struct atoll_store *s;
    size_t runs, traces, timelines, samples;
};
static int look(void *user, const struct atoll_run_row *r)
{
    struct looked *l = user;
    struct atoll_err err = {0};
    double *v = NULL;
    uint64_t *t = NULL;
    float *mw = NULL;
    struct atoll_span *spans = NULL;
    size_t n = 0, n_trace = 0, n_spans = 0;
    uint32_t rails = 0;
    const bool cold = strcmp(r->workload, "cold") == 0;
    assert_int_equal(atoll_store_get_samples(l->s, r->id, &v, &n, &err), 0);
    assert_int_equal(n, r->count);
    assert_true(cold ? n == 0 : n >= 12);
    assert_true(isnan(r->p50_us) == cold);
    assert_true(r->cold_us >= r->first_us && r->first_us > 0);
    assert_true(r->energy_mj > 0 && r->energy_u95_mj > 0 && r->energy_u95_mj < r->energy_mj);
    assert_true(r->energy_idle_share_frac > 0.3 && r->energy_idle_share_frac < 1.05);
    assert_int_equal(r->meter_lost_scans, 0);
    assert_string_equal(r->origin, "simulated");
    assert_true(r->temperature_max_c > 20 && r->temperature_max_c < 90);
    assert_int_equal(atoll_store_get_trace(l->s, r->id, &t, &mw, &n_trace, &rails, &err), 0);
    assert_true((n_trace > 100) == (r->repeat == 0));
    assert_int_equal(atoll_store_get_timeline(l->s, r->id, &spans, &n_spans, &err), 0);
    assert_true((n_spans > 1) == (r->repeat == 0));
    atoll_free(v);
    atoll_free(t);
    atoll_free(mw);
    atoll_free(spans);
    l->runs++;
    return 0;
}
static int count_plan(void *user, const struct atoll_plan_row *p)
{
    size_t *n = user;
    n[p->skipped != NULL]++;
    assert_true(p->skipped ? p->json == NULL && isnan(p->latency_us)
                           : p->json[0] == '{' && !strchr(p->json, '\n') && p->latency_us > 0);
    return 0;
}
static int count_stage(void *user, const struct atoll_stage_row *s)
{
    ++*(size_t *)user;
    assert_true(s->tpus[0] && s->n_ops > 0 && s->first_op <= s->last_op && s->service_us > 0);
    test_close(s->on_chip_bytes + s->off_chip_bytes, s->stored_bytes, 0.5);
    return 0;
}
static int sum_layer(void *user, const struct atoll_layer_row *l)
{
    *(double *)user += l->us;
    assert_true(l->us >= 0 && l->bound[0] && l->op[0]);
    return 0;
}

static void everything_is_kept(void **state)
{
    (void)state;
    struct atoll_err err = {0};
    sweep(db[0], (struct atoll_bench_opts){0});
    struct looked l = {0};
    assert_int_equal(atoll_store_open(db[0], ATOLL_STORE_READ, &l.s, &err), 0);
    assert_int_equal(atoll_store_each_run(l.s, NULL, look, &l, &err), 0);
    assert_int_equal(l.runs, 272);
    size_t plans[2] = {0}, stages = 0;
    double layers_us = 0;
    assert_int_equal(atoll_store_each_plan(l.s, NULL, count_plan, plans, &err), 0);
    assert_int_equal(atoll_store_each_stage(l.s, NULL, count_stage, &stages, &err), 0);
    assert_int_equal(atoll_store_each_layer(l.s, NULL, sum_layer, &layers_us, &err), 0);
    assert_int_equal(plans[0], 34);
    assert_int_equal(plans[1], 2);
    assert_true(stages >= 34 && layers_us > 0);
    atoll_store_close(&l.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(energy_as_certain_as_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(threads_do_not_matter, setup, teardown),
        cmocka_unit_test_setup_teardown(shards_merge_into_the_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(resume_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(death_at_any_moment, setup, teardown),
        cmocka_unit_test_setup_teardown(everything_is_kept, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
