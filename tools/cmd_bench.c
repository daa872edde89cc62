/* SPDX-License-Identifier: Apache-2.0 */
/* atoll bench: runs an experiment into a results database. */
#include "common.h"

#include <atoll/bench.h>
#include <atoll/report.h>
#include <string.h>

struct bench_opts {
    struct opt_common common;
    const char *db, *shard, *share;
    bool resume, no_accuracy;
    uint64_t threads, seed;
};

static const struct opt opts[] = {
    {.long_name = "db",
     .type = OPT_TEXT,
     .offset = offsetof(struct bench_opts, db),
     .argument = "FILE",
     .help = "Results database, made if it is missing (required)",
     .example = "atoll bench share/experiments/demo.yaml --db results.db"},
    {.long_name = "shard",
     .type = OPT_TEXT,
     .offset = offsetof(struct bench_opts, shard),
     .argument = "I/N",
     .help = "Run the I-th of N equal parts, I from 0; atoll store merge joins their databases",
     .fallback = "0/1"},
    {.long_name = "resume",
     .type = OPT_FLAG,
     .offset = offsetof(struct bench_opts, resume),
     .help = "Go on with what the database has not; needed when it holds this experiment"},
    {.long_name = "no-accuracy",
     .type = OPT_FLAG,
     .offset = offsetof(struct bench_opts, no_accuracy),
     .help = "Leave out the accuracy that the experiment asks for, where there is no TFLite "
             "runtime"},
    {.long_name = "threads",
     .type = OPT_UINT,
     .offset = offsetof(struct bench_opts, threads),
     .argument = "N",
     .help = "Simulated runs at a time",
     .fallback = "one for each core",
     .low = 1,
     .high = 1024},
    {.long_name = "seed",
     .type = OPT_UINT,
     .offset = offsetof(struct bench_opts, seed),
     .argument = "SEED",
     .help = "Seed of order, jitter and arrivals; with another one it is another experiment",
     .fallback = "the file's",
     .high = 9e15},
    {.long_name = "share",
     .type = OPT_TEXT,
     .offset = offsetof(struct bench_opts, share),
     .argument = "DIR",
     .help = "Directory of data files, before ATOLL_SHARE and the installed ones"},
    OPTS_END,
};
static const struct bench_opts defaults = {.seed = ATOLL_SEED_OF_FILE};

static int parse_shard(struct call *call, struct atoll_bench_opts *b)
{
    const struct bench_opts *o = call->opts;
    uint64_t v[2] = {0, 1};
    const char *at = o->shard ? o->shard : "0/1";
    for (int i = 0; i < 2; i++) {
        const char *begin = at;
        for (v[i] = 0; *at >= '0' && *at <= '9' && v[i] < UINT32_MAX; at++) {
            v[i] = v[i] * 10 + (uint64_t)(*at - '0');
        }
        if (at == begin || *at != (i == 0 ? '/' : '\0')) {
            v[1] = 0;
            break;
        }
        at += i == 0;
    }
    if (v[0] >= v[1] || v[1] > 1000000) {
        return atoll_fail(&call->err, ATOLL_EUSAGE,
                          "option --shard: found \"%s\", expected I/N with 0 <= I < N <= 1000000",
                          o->shard);
    }
    b->shard = (uint32_t)v[0];
    b->shards = (uint32_t)v[1];
    return 0;
}

static int print_json(struct call *call, const struct atoll_experiment *e,
                      const struct atoll_bench_summary *s)
{
    const struct bench_opts *o = call->opts;
    json_t *j = atoll_json_answer("bench");
    json_object_set_new(j, "origin", json_string("measured")); /* of the seconds, by the clock */
    json_object_set_new(j, "db", out_string(o->db));
    json_object_set_new(j, "experiment", out_string(atoll_experiment_key(e)));
    json_object_set_new(j, "units", json_integer((json_int_t)s->units));
    json_object_set_new(j, "done", json_integer((json_int_t)s->done));
    json_object_set_new(j, "already", json_integer((json_int_t)s->already));
    json_object_set_new(j, "skipped", json_integer((json_int_t)s->skipped));
    json_object_set_new(j, "failed", json_integer((json_int_t)s->failed));
    json_object_set_new(j, "evaluated", json_integer((json_int_t)s->evaluated));
    atoll_json_set_number(j, "seconds", s->seconds);
    return out_json(call, j);
}

/* The verdict, when the database already allows one. */
static void print_verdict(const char *db)
{
    struct atoll_store *store = NULL;
    struct atoll_verdict v = {.n = 0};
    struct atoll_err err = {0};
    int code = atoll_store_open(db, ATOLL_STORE_READ, &store, &err);
    code = code ? code : atoll_verdict_make(store, NULL, &v, &err);
    for (int i = 0; i < 3 && code == 0; i++) {
        if (v.headline[i]) {
            out_text("%s\n", v.headline[i]);
        }
    }
    for (size_t i = 0; i < v.n && code == 0; i++) {
        if (v.findings[i].model && strcmp(v.findings[i].topic, "accuracy") == 0) {
            out_text("Accuracy of %s: %s\n", v.findings[i].model, v.findings[i].sentence);
        }
    }
    if (code == 0) {
        atoll_verdict_finish(&v);
    }
    atoll_store_close(&store);
}

static int print_summary(struct call *call, const struct atoll_bench_summary *s)
{
    const struct bench_opts *o = call->opts;
    out_text("%llu runs done in %.1f s", (unsigned long long)s->done, s->seconds);
    if (s->already) {
        out_text(", %llu were done before", (unsigned long long)s->already);
    }
    if (s->evaluated) {
        out_text(", accuracy of %llu model%s measured", (unsigned long long)s->evaluated,
                 s->evaluated == 1 ? "" : "s");
    }
    if (s->skipped) {
        out_text(", %llu do not apply", (unsigned long long)s->skipped);
    }
    if (s->failed) {
        out_text(", %llu failed", (unsigned long long)s->failed);
    }
    out_text("; results in %s\n", o->db);
    print_verdict(o->db);
    return 0;
}

static int run_experiment(struct call *call, struct atoll_bench_opts *b)
{
    const struct bench_opts *o = call->opts;
    struct atoll_experiment *e = NULL;
    struct atoll_bench_summary s = {.units = 0};
    struct out_progress bar;
    int code = atoll_experiment_open_seeded(call->operands[0], o->share, o->seed, &e, &call->err);
    if (code == 0) {
        b->progress = out_progress_start(&bar, call);
        code = atoll_bench(e, o->db, b, &s, &call->err);
        out_progress_finish(&bar);
    }
    if (code == ATOLL_ENO) {
        code = atoll_fail(&call->err, ATOLL_ENO,
                          "stopped after %llu of %llu runs; --resume goes on from here",
                          (unsigned long long)(s.done + s.already), (unsigned long long)s.units);
    }
    if (code == 0) {
        code = call->json ? print_json(call, e, &s) : print_summary(call, &s);
    }
    if (code == 0 && s.failed) {
        code = atoll_fail(&call->err, ATOLL_ENO, "%llu runs failed; the database holds the reasons",
                          (unsigned long long)s.failed);
    }
    atoll_experiment_close(&e);
    return code;
}

static int run(struct call *call)
{
    const struct bench_opts *o = call->opts;
    struct atoll_bench_opts b = {.resume = o->resume,
                                 .no_accuracy = o->no_accuracy,
                                 .threads = (unsigned)o->threads};
    if (!o->db) {
        return atoll_fail(&call->err, ATOLL_EUSAGE, "option --db FILE is missing");
    }
    const int code = parse_shard(call, &b);
    return code ? code : run_experiment(call, &b);
}

const struct command cmd_bench = {
    .name = "bench",
    .operands = "EXPERIMENT.yaml",
    .summary = "Run an experiment: models x TPUs x strategies x workloads x repeats",
    .text =
        "The runs are shuffled by the experiment's seed. Each finished run is in the database at "
        "once; after an end at any moment --resume goes on without losing or repeating one.",
    .example = "atoll bench share/experiments/demo.yaml --db results.db --resume",
    .opts = opts,
    .defaults = &defaults,
    .opts_bytes = sizeof defaults,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
