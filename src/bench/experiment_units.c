/* SPDX-License-Identifier: Apache-2.0 */
/* From an experiment file to the list of runs: plans x workloads x repeats, each with its own
 * key. */
#include "experiment_internal.h"

#include <atoll/yaml.h>
#include <string.h>

static int nomem(struct atoll_err *err)
{
    return atoll_fail_nomem(err, "the units of an experiment", 0);
}

const char *atoll__experiment_clock(const struct atoll_experiment *e)
{
    const enum atoll_clock c = e->use.clock == ATOLL_CLOCK_DEFAULT ? e->board->clock : e->use.clock;
    return c == ATOLL_CLOCK_MAX ? "max" : "standard";
}

const char *atoll__experiment_runner(const struct atoll_experiment *e)
{
    const enum atoll_host_runner r =
        e->use.runner == ATOLL_RUNNER_DEFAULT ? e->board->runner : e->use.runner;
    return r == ATOLL_RUNNER_C ? "c" : "python";
}

const char *atoll__experiment_compiler(const struct atoll_experiment *e)
{
    return e->compiler == ATOLL_COMPILER_2019 ? "2019" : "v16";
}

/* ------------------------------------------------------------------- plans */

static int add_try(struct atoll_experiment *e, size_t *cap, uint32_t subject, uint32_t tpus,
                   const char *strategy, struct atoll_err *err)
{
    for (uint32_t i = e->n_tries;
         i-- > 0 && e->tries[i].subject == subject && e->tries[i].tpus == tpus;) {
        if (strcmp(e->tries[i].strategy, strategy) == 0) {
            return 0; /* named by itself and by "partitions" */
        }
    }
    if (atoll_grow((void **)&e->tries, cap, (size_t)e->n_tries + 1, sizeof *e->tries)) {
        return nomem(err);
    }
    char *copy = atoll_arena_printf(&e->arena, "%s", strategy);
    if (!copy) {
        return nomem(err);
    }
    e->tries[e->n_tries++] = (struct atoll__try){subject, copy, tpus, NULL};
    return 0;
}

static int add_partitions(struct atoll_experiment *e, size_t *cap, uint32_t subject, uint32_t tpus,
                          struct atoll_err *err)
{
    uint32_t n = 0;
    char **parts = atoll_plan_partitions(tpus, &n);
    if (!parts) {
        return nomem(err);
    }
    int rc = 0;
    for (uint32_t i = 0; i < n && !rc; i++) {
        char *strategy = atoll_arena_printf(&e->arena, "partition:%s", parts[i]);
        rc = strategy ? add_try(e, cap, subject, tpus, strategy, err) : nomem(err);
    }
    atoll_share_dirs_free(parts);
    return rc;
}

static bool asks_for_rate(enum atoll_workload_mode mode)
{
    return mode == ATOLL_WORK_SATURATED || mode == ATOLL_WORK_RATE || mode == ATOLL_WORK_POISSON;
}

/* "exact" is the best for what the workloads measure: for latency where one input is in the system
 * (latency, cold), for throughput where many are. Each plan then runs under all workloads. */
static int add_exact(struct atoll_experiment *e, size_t *cap, uint32_t subject, uint32_t tpus,
                     struct atoll_err *err)
{
    bool wanted[2] = {false, false};
    int rc = 0;
    for (uint32_t i = 0; i < e->n_workloads; i++) {
        wanted[asks_for_rate(e->workloads[i].mode)] = true;
    }
    if (wanted[0]) {
        rc = add_try(e, cap, subject, tpus, "exact:latency", err);
    }
    return rc || !wanted[1] ? rc : add_try(e, cap, subject, tpus, "exact:throughput", err);
}

/* Sum of "4+2+2". */
static uint32_t parts_sum(const char *strategy)
{
    uint32_t sum = 0, part = 0;
    for (const char *c = strategy + strlen("partition:"); *c; c++) {
        part = *c >= '0' && *c <= '9' && part < 1000 ? part * 10 + (uint32_t)(*c - '0') : 0;
        sum += c[1] == '+' || c[1] == '\0' ? part : 0;
    }
    return sum;
}

static int list_tries(struct atoll_experiment *e, struct atoll_err *err)
{
    size_t cap = 0;
    int rc = 0;
    for (uint32_t m = 0; m < e->n_subjects; m++) {
        for (uint32_t t = 0; t < e->n_tpus; t++) {
            for (uint32_t s = 0; s < e->n_strategies && !rc; s++) {
                const char *strategy = e->strategies[s];
                if (strcmp(strategy, "partitions") == 0) {
                    rc = add_partitions(e, &cap, m, e->tpus[t], err);
                } else if (strcmp(strategy, "exact") == 0) {
                    rc = add_exact(e, &cap, m, e->tpus[t], err);
                } else if (strncmp(strategy, "partition:", 10) != 0 ||
                           parts_sum(strategy) == e->tpus[t]) {
                    rc = add_try(e, &cap, m, e->tpus[t], strategy, err);
                }
            }
        }
    }
    return rc;
}

static int solve_one(void *user, size_t i, struct atoll_err *err)
{
    struct atoll_experiment *e = user;
    struct atoll__try *t = &e->tries[i];
    struct atoll__subject *m = &e->subjects[t->subject];
    const struct atoll_cost *const costs[1] = {m->cost};
    struct atoll_plan_request r = atoll_plan_request_default();
    r.models = costs;
    r.n_models = 1;
    r.board = e->board;
    r.use = e->use;
    r.tpus = t->tpus;
    r.strategy = t->strategy;
    const int rc = atoll_plan_solve(&r, &t->plan, err);
    if (rc) {
        return atoll_fail_at(err, "%s: %s, %s, %u TPUs", e->path, m->spec, t->strategy, t->tpus);
    }
    if (t->plan->n_models == 1) {
        memcpy(t->plan->models[0].sha256, m->sha256,
               sizeof m->sha256); /* hashed once for all plans */
    }
    return 0;
}

/* ------------------------------------------------------------------- units */

struct atoll_run_row atoll__sweep_key(const struct atoll_experiment *e, const struct atoll__unit *u,
                                      char workload[48])
{
    const struct atoll__try *t = &e->tries[u->attempt];
    return (struct atoll_run_row){.experiment = e->key,
                                  .model = e->subjects[t->subject].spec,
                                  .strategy = t->strategy,
                                  .tpus = t->tpus,
                                  .workload =
                                      atoll_workload_name(&e->workloads[u->workload], workload),
                                  .repeat = u->repeat};
}

/* Of the natural key without the experiment: shards and seeds do not depend on order, machine or
 * threads. */
static int hash_unit(const struct atoll_experiment *e, struct atoll__unit *u,
                     struct atoll_buf *text, struct atoll_err *err)
{
    char workload[48];
    const struct atoll_run_row k = atoll__sweep_key(e, u, workload);
    text->size = 0;
    atoll_buf_printf(text, "%s\n%s\n%lld\n%s\n%lld", k.model, k.strategy, (long long)k.tpus,
                     k.workload, (long long)k.repeat);
    if (text->failed) {
        return nomem(err);
    }
    u->hash = atoll_seed_mix(atoll_fnv1a(text->data, text->size, 0), 0);
    return 0;
}

static int list_units(struct atoll_experiment *e, struct atoll_err *err)
{
    uint64_t n = 0, per = 0;
    for (uint32_t i = 0; i < e->n_tries; i++) {
        n += e->tries[i].plan->skipped == NULL;
    }
    if (!atoll_mul_u64(e->n_workloads, e->repeats, &per) || !atoll_mul_u64(n, per, &n) ||
        n > 10000000) {
        return atoll_fail(err, ATOLL_ELIMIT, "%s: more than 10000000 runs", e->path);
    }
    e->units = atoll_arena_array(&e->arena, (size_t)n + 1, sizeof *e->units);
    if (!e->units) {
        return nomem(err);
    }
    struct atoll_buf text = {0};
    int rc = 0;
    for (uint32_t i = 0; i < e->n_tries && !rc; i++) {
        for (uint32_t k = 0; k < per && !e->tries[i].plan->skipped && !rc; k++) {
            struct atoll__unit *u = &e->units[e->n_units++];
            *u = (struct atoll__unit){
                .attempt = i, .workload = k / e->repeats, .repeat = k % e->repeats};
            rc = hash_unit(e, u, &text, err);
        }
    }
    atoll_buf_finish(&text);
    return rc;
}

/* Shuffled by the seed, so that neither heat nor drift becomes an effect of a model. */
static int shuffle(struct atoll_experiment *e, struct atoll_err *err)
{
    uint32_t *order = atoll_alloc(((size_t)e->n_units + 1) * sizeof *order);
    struct atoll__unit *shuffled =
        atoll_arena_array(&e->arena, (size_t)e->n_units + 1, sizeof *shuffled);
    if (!order || !shuffled) {
        atoll_free(order);
        return nomem(err);
    }
    for (uint32_t i = 0; i < e->n_units; i++) {
        order[i] = i;
    }
    struct atoll_rng rng;
    atoll_rng_seed(&rng, atoll_seed_mix(e->seed, 1));
    atoll_rng_shuffle(&rng, order, e->n_units);
    for (uint32_t i = 0; i < e->n_units; i++) {
        shuffled[i] = e->units[order[i]];
        shuffled[i].order_index = i;
    }
    atoll_free(order);
    e->units = shuffled;
    return 0;
}

/* --------------------------------------------------------------------- key */

static int make_key(struct atoll_experiment *e, struct atoll_err *err)
{
    struct atoll_buf b = {0};
    char number[40], workload[48];
    atoll_format_double(number, e->meter_hz);
    atoll_buf_printf(&b,
                     "atoll %s\nname %s\ndevice %s\nmeter %s %s\nclock %s\nrunner %s\ncompiler "
                     "%s\nrepeats %u\nseed %llu\nkeep %d %d\n",
                     ATOLL_VERSION, e->name, e->device, e->meter, number,
                     atoll__experiment_clock(e), atoll__experiment_runner(e),
                     atoll__experiment_compiler(e), e->repeats, (unsigned long long)e->seed,
                     (int)e->keep_trace, (int)e->keep_timeline);
    if (e->energy_u95_frac > 0) {
        atoll_format_double(number, e->energy_u95_frac);
        atoll_buf_printf(&b, "energy_u95 %s\n", number);
    }
    for (uint32_t i = 0; i < e->n_subjects; i++) {
        const struct atoll__accuracy *a = e->subjects[i].accuracy;
        atoll_buf_printf(&b, "model %s %s\n", e->subjects[i].spec, e->subjects[i].sha256);
        if (a) {
            atoll_buf_printf(&b, "accuracy %s %s %zu %d\n", a->data, atoll_part_name(a->part),
                             a->limit, (int)a->skip_bad);
        }
    }
    for (uint32_t i = 0; i < e->n_workloads; i++) {
        atoll_buf_printf(&b, "workload %s %u\n", atoll_workload_name(&e->workloads[i], workload),
                         e->workloads[i].count);
    }
    for (uint32_t i = 0; i < e->n_tries; i++) {
        atoll_buf_printf(&b, "plan %u %u %s\n", e->tries[i].subject, e->tries[i].tpus,
                         e->tries[i].strategy);
    }
    atoll_buf_printf(&b, "board\n%s", e->board->text);
    if (!b.failed) {
        atoll_sha256_hex(b.data, b.size, e->key);
    }
    const bool failed = b.failed;
    atoll_buf_finish(&b);
    return failed ? nomem(err) : 0;
}

int atoll__experiment_plan(struct atoll_experiment *e, struct atoll_err *err)
{
    int rc = list_tries(e, err);
    rc = rc ? rc : atoll_parallel(e->n_tries, 0, solve_one, e, err);
    rc = rc ? rc : make_key(e, err);
    rc = rc ? rc : list_units(e, err);
    return rc ? rc : shuffle(e, err);
}

/* ------------------------------------------------------------------ public */

int atoll_experiment_open(const char *path, const char *share, struct atoll_experiment **out,
                          struct atoll_err *err)
{
    return atoll_experiment_open_seeded(path, share, ATOLL_SEED_OF_FILE, out, err);
}

int atoll_experiment_open_seeded(const char *path, const char *share, uint64_t seed,
                                 struct atoll_experiment **out, struct atoll_err *err)
{
    struct atoll_experiment *e = atoll_calloc(1, sizeof *e);
    if (!e) {
        return nomem(err);
    }
    atoll_arena_init(&e->arena);
    int rc = atoll__experiment_read(e, path, share, err);
    e->seed = seed == ATOLL_SEED_OF_FILE ? e->seed : seed;
    rc = rc ? rc : atoll__experiment_plan(e, err);
    if (rc) {
        atoll_experiment_close(&e);
        return rc;
    }
    *out = e;
    return 0;
}

void atoll_experiment_close(struct atoll_experiment **e)
{
    if (!e || !*e) {
        return;
    }
    for (uint32_t i = 0; i < (*e)->n_tries; i++) {
        atoll_plan_close(&(*e)->tries[i].plan);
    }
    for (uint32_t i = 0; i < (*e)->n_subjects; i++) {
        atoll_cost_close(&(*e)->subjects[i].cost);
        atoll_model_close(&(*e)->subjects[i].model);
    }
    atoll_free((*e)->tries);
    atoll_board_close(&(*e)->board);
    atoll_yaml_close(&(*e)->doc);
    atoll_arena_finish(&(*e)->arena);
    atoll_free(*e);
    *e = NULL;
}

uint64_t atoll_experiment_units(const struct atoll_experiment *e)
{
    return e->n_units;
}

const char *atoll_experiment_key(const struct atoll_experiment *e)
{
    return e->key;
}
