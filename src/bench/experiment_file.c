/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an experiment file. Every complaint names file, line and key. */
#include "experiment_internal.h"

#include <atoll/yaml.h>
#include <atoll/zoo.h>
#include <string.h>

#define MODELS_MAX 1000
#define WORKLOADS_MAX 50
#define STRATEGIES_MAX 200

/* The file as it stands. */
struct raw {
    const char *name, *board, *device, *meter, *keep_trace, *keep_timeline, *clock, *runner,
        *compiler, *energy_u95;
    const struct atoll_yaml *board_node, *models, *tpus, *strategies, *workloads, *accuracy;
    int64_t repeats, seed;
    double meter_hz;
};

static const char *const keep_names[] = {"none", "first", "all", NULL};
static const char *const clock_names[] = {"", "standard", "max", NULL};
static const char *const runner_names[] = {"", "python", "c", NULL};
static const char *const compiler_names[] = {"v16", "2019", NULL};

/* Index of a text among names; -1 and a sentence when it is none of them. */
static int choose(const struct atoll_yaml *map, const char *key, const char *text,
                  const char *const *names, int *out, struct atoll_err *err)
{
    for (int i = 0; names[i]; i++) {
        if (strcmp(names[i], text) == 0) {
            *out = i;
            return 0;
        }
    }
    struct atoll_buf known = {0};
    for (int i = 0; names[i]; i++) {
        atoll_buf_printf(&known, "%s%s", known.size ? ", " : "", names[i]);
    }
    const struct atoll_yaml *node = atoll_yaml_get(map, key);
    const int rc = atoll_yaml_fail(node ? node : map, err, "\"%.60s\" is not known (%s expected)",
                                   text, known.data ? known.data : "");
    atoll_buf_finish(&known);
    return rc;
}

static int nomem(struct atoll_err *err)
{
    return atoll_fail_nomem(err, "an experiment", 0);
}

/* Path as the experiment file means it: relative to its directory. */
static const char *beside(struct atoll_experiment *e, const char *path)
{
    return path[0] == '/' || !e->dir[0] ? path
                                        : atoll_arena_printf(&e->arena, "%s/%s", e->dir, path);
}

static int read_board(struct atoll_experiment *e, const struct raw *raw,
                      const struct atoll_yaml *root, const char *share, struct atoll_err *err)
{
    const bool is_file = strchr(raw->board, '/') || strstr(raw->board, ".yaml");
    const char *which = is_file ? beside(e, raw->board) : raw->board;
    if (!which) {
        return nomem(err);
    }
    struct atoll_err why = {0};
    const int rc = atoll_board_open(which, share, &e->board, &why);
    if (rc) {
        atoll_yaml_fail(atoll_yaml_get(root, "board"), err, "%.900s", why.text);
        if (err) {
            err->code = rc;
        }
    }
    return rc;
}

static int check_device(const struct raw *raw, const struct atoll_yaml *root, struct atoll_err *err)
{
    const char *names[16] = {NULL};
    int ignored = 0;
    for (size_t i = 0; i + 1 < sizeof names / sizeof names[0] && atoll_drivers()[i]; i++) {
        names[i] = atoll_driver_name(atoll_drivers()[i]);
    }
    return choose(root, "device", raw->device, names, &ignored, err);
}

static int check_meter(const struct raw *raw, const struct atoll_yaml *root, struct atoll_err *err)
{
    const char *m = raw->meter;
    const bool names_nothing = strcmp(m, "serial:") == 0 || strcmp(m, "replay:") == 0 ||
                               strcmp(m, "serial") == 0 || strcmp(m, "replay") == 0;
    enum atoll_meter_time t;
    struct atoll_err why = {0};
    if (!names_nothing && atoll_meter_time_of(m, &t, &why) == 0) {
        return 0;
    }
    return atoll_yaml_fail(atoll_yaml_get(root, "meter"), err,
                           "%.200s (such as none, synth, serial:PORT or replay:FILE expected)",
                           names_nothing ? m : why.text);
}

static int read_energy_u95(struct atoll_experiment *e, const struct raw *raw,
                           const struct atoll_yaml *root, struct atoll_err *err)
{
    struct atoll_err why = {0};
    if (!raw->energy_u95) {
        return 0;
    }
    if (atoll_run_share_parse(raw->energy_u95, &e->energy_u95_frac, &why)) {
        return atoll_yaml_fail(atoll_yaml_get(root, "energy_u95"), err, "%.200s", why.text);
    }
    return strcmp(raw->meter, "none") == 0
               ? atoll_yaml_fail(atoll_yaml_get(root, "energy_u95"), err,
                                 "an uncertainty of energy needs a meter (meter: none)")
               : 0;
}

/* ------------------------------------------------------------------ models */

/* "zoo:mobilenet_v2?alpha=1.0" -> "mobilenet_v2 alpha=1.0"; a path -> its name without directory
 * and suffix. */
static const char *label_of(struct atoll_experiment *e, const char *spec)
{
    const bool zoo = strncmp(spec, "zoo:", 4) == 0;
    const char *slash = strrchr(spec, '/');
    char *label = atoll_arena_printf(&e->arena, "%s", zoo ? spec + 4 : slash ? slash + 1 : spec);
    char *suffix = label ? strstr(label, ".tflite") : NULL;
    if (suffix && !zoo && !suffix[7]) {
        *suffix = '\0';
    }
    for (char *c = label; zoo && c && *c; c++) {
        *c = *c == '?' || *c == '&' ? ' ' : *c;
    }
    for (uint32_t i = 0; i < e->n_subjects && label; i++) {
        if (strcmp(e->subjects[i].label, label) == 0) {
            return spec; /* two files of the same name */
        }
    }
    return label;
}

/* An item of a list of texts. */
static int read_item(const struct atoll_yaml *n, const char *key, const char **text,
                     struct atoll_err *err)
{
    return atoll_yaml_string(n, text, NULL) ? atoll_yaml_fail(n, err, "%s: a text expected", key)
                                            : 0;
}

/* A model: its name, or a map {model: NAME, accuracy: ...}. */
static int read_model_item(struct atoll_experiment *e, const struct atoll_yaml *n,
                           struct atoll__subject *s, struct atoll_err *err)
{
    struct {
        const char *model;
        const struct atoll_yaml *accuracy;
    } raw = {NULL, NULL};
    const struct atoll_yaml_field fields[] = {
        {"model", ATOLL_YAML_STRING, 0, true, 0, 0},
        {"accuracy", ATOLL_YAML_NODE, (size_t)((char *)&raw.accuracy - (char *)&raw), false, 0, 0},
    };
    s->accuracy = e->accuracy;
    if (n->kind != ATOLL_YAML_MAP) {
        return read_item(n, "models", &s->spec, err);
    }
    int rc = atoll_yaml_read(n, fields, sizeof fields / sizeof fields[0], &raw, err);
    s->spec = raw.model;
    return rc || !raw.accuracy ? rc : atoll__accuracy_read(e, raw.accuracy, &s->accuracy, err);
}

static int read_models(struct atoll_experiment *e, const struct atoll_yaml *list,
                       struct atoll_err *err)
{
    int rc = atoll_yaml_expect(list, ATOLL_YAML_LIST, err);
    if (rc) {
        return rc;
    }
    if (list->count < 1 || list->count > MODELS_MAX) {
        return atoll_yaml_fail(list, err, "%zu models (1 to %d expected)", list->count, MODELS_MAX);
    }
    e->subjects = atoll_arena_array(&e->arena, list->count, sizeof *e->subjects);
    if (!e->subjects) {
        return nomem(err);
    }
    for (const struct atoll_yaml *n = list->first; n; n = n->next) {
        struct atoll__subject *s = &e->subjects[e->n_subjects];
        rc = read_model_item(e, n, s, err);
        for (uint32_t i = 0; i < e->n_subjects && !rc; i++) {
            if (strcmp(e->subjects[i].spec, s->spec) == 0) {
                rc = atoll_yaml_fail(n, err, "model \"%.100s\" stands twice", s->spec);
            }
        }
        if (rc) {
            return rc;
        }
        s->label = label_of(e, s->spec);
        if (!s->label) {
            return nomem(err);
        }
        e->n_subjects++;
        struct atoll_err why = {0};
        rc = atoll_zoo_open(s->spec, e->dir[0] ? e->dir : NULL, &s->model, &why);
        if (!rc && atoll_model_is_compiled(s->model)) {
            rc = atoll_fail(&why, ATOLL_EINPUT,
                            "%s: compiled for the Edge TPU; give the source model it was made from",
                            s->spec);
        }
        rc = rc ? rc : atoll_cost_open(s->model, e->compiler, &s->cost, &why);
        if (rc) {
            atoll_yaml_fail(n, err, "%.900s", why.text);
            if (err) {
                err->code = rc;
            }
            return rc;
        }
    }
    return 0;
}

static int hash_model(void *user, size_t i, struct atoll_err *err)
{
    struct atoll_experiment *e = user;
    return atoll_model_sha256(e->subjects[i].model, e->subjects[i].sha256, err);
}

/* -------------------------------------------------------------------- TPUs */

static int add_tpus(struct atoll_experiment *e, const struct atoll_yaml *n, int64_t from,
                    int64_t to, struct atoll_err *err)
{
    for (int64_t t = from; t <= to; t++) {
        for (uint32_t i = 0; i < e->n_tpus; i++) {
            if (e->tpus[i] == (uint32_t)t) {
                return atoll_yaml_fail(n, err, "%lld TPUs stand twice", (long long)t);
            }
        }
        e->tpus[e->n_tpus++] = (uint32_t)t;
    }
    return 0;
}

/* "4", or "1..8" */
static bool parse_range(const char *text, int64_t most, int64_t *from, int64_t *to)
{
    char first[32] = "";
    const char *dots = strstr(text, "..");
    const size_t n = dots ? (size_t)(dots - text) : strlen(text);
    double low = 0, high = 0;
    if (n >= sizeof first) {
        return false;
    }
    memcpy(first, text, n);
    if (!atoll_parse_double(first, &low) || !atoll_parse_double(dots ? dots + 2 : first, &high) ||
        !(low >= 1 && low <= high && high <= (double)most)) {
        return false;
    }
    *from = (int64_t)low;
    *to = (int64_t)high;
    return low == (double)*from && high == (double)*to;
}

static int read_tpu_range(struct atoll_experiment *e, const struct atoll_yaml *n,
                          struct atoll_err *err)
{
    int64_t from = 0, to = 0;
    const char *text = n->kind == ATOLL_YAML_SCALAR && n->text ? n->text : "a list or map";
    if (!parse_range(text, e->board->n_tpus, &from, &to)) {
        return atoll_yaml_fail(n, err,
                               "tpus: \"%.40s\" is no number of TPUs of board %s (1 to %u, or a "
                               "range such as 1..%u, expected)",
                               text, e->board->name, e->board->n_tpus, e->board->n_tpus);
    }
    return add_tpus(e, n, from, to, err);
}

static int read_tpus(struct atoll_experiment *e, const struct atoll_yaml *node,
                     struct atoll_err *err)
{
    e->tpus = atoll_arena_array(&e->arena, ATOLL_TPUS_MAX, sizeof *e->tpus);
    if (!e->tpus) {
        return nomem(err);
    }
    if (node->kind == ATOLL_YAML_SCALAR) {
        return read_tpu_range(e, node, err);
    }
    int rc = atoll_yaml_expect(node, ATOLL_YAML_LIST, err);
    for (const struct atoll_yaml *n = node->first; n && !rc; n = n->next) {
        rc = read_tpu_range(e, n, err);
    }
    return rc || e->n_tpus
               ? rc
               : atoll_yaml_fail(node, err, "no number of TPUs (such as 1..8 expected)");
}

/* -------------------------------------------------- strategies and workloads */

static bool is_strategy(const char *text)
{
    return strcmp(text, "partitions") == 0 ||
           (strcmp(text, "cuts") != 0 && atoll_plan_strategy_known(text));
}

static int unknown_strategy(const struct atoll_yaml *n, struct atoll_err *err)
{
    struct atoll_buf known = {0};
    for (const char *const *s = atoll_plan_strategies(); *s; s++) {
        atoll_buf_printf(&known, "%s, ", *s);
    }
    const int rc = atoll_yaml_fail(n, err,
                                   "unknown strategy \"%.60s\" (%sexact:latency, "
                                   "exact:throughput, exact:energy, partitions, partition:4+2+2 "
                                   "and the published searches are known)",
                                   n->text, known.data ? known.data : "");
    atoll_buf_finish(&known);
    return rc;
}

static int read_strategies(struct atoll_experiment *e, const struct atoll_yaml *list,
                           struct atoll_err *err)
{
    int rc = atoll_yaml_expect(list, ATOLL_YAML_LIST, err);
    if (rc) {
        return rc;
    }
    if (list->count < 1 || list->count > STRATEGIES_MAX) {
        return atoll_yaml_fail(list, err, "%zu strategies (1 to %d expected)", list->count,
                               STRATEGIES_MAX);
    }
    e->strategies = atoll_arena_array(&e->arena, list->count, sizeof *e->strategies);
    if (!e->strategies) {
        return nomem(err);
    }
    for (const struct atoll_yaml *n = list->first; n; n = n->next) {
        const char *text = NULL;
        rc = read_item(n, "strategies", &text, err);
        if (rc) {
            return rc;
        }
        if (!is_strategy(text)) {
            return unknown_strategy(n, err);
        }
        for (uint32_t i = 0; i < e->n_strategies; i++) {
            if (strcmp(e->strategies[i], text) == 0) {
                return atoll_yaml_fail(n, err, "strategy \"%.60s\" stands twice", text);
            }
        }
        e->strategies[e->n_strategies++] = text;
    }
    return 0;
}

static int read_workload(const struct atoll_yaml *n, struct atoll_workload *w,
                         struct atoll_err *err)
{
    struct {
        const char *mode;
        int64_t count;
        double hz;
    } raw = {NULL, 0, 0};
    const struct atoll_yaml_field fields[] = {
        {"mode", ATOLL_YAML_STRING, 0, true, 0, 0},
        {"count", ATOLL_YAML_INT, (size_t)((char *)&raw.count - (char *)&raw), false, 1, 10000000},
        {"hz", ATOLL_YAML_DOUBLE, (size_t)((char *)&raw.hz - (char *)&raw), false, 1e-6, 1e6},
    };
    if (n->kind != ATOLL_YAML_MAP) {
        return atoll_yaml_fail(n, err,
                               "workloads: a map such as {mode: latency, count: 100} expected");
    }
    int rc = atoll_yaml_read(n, fields, sizeof fields / sizeof fields[0], &raw, err);
    if (rc) {
        return rc;
    }
    static const char *const names[] = {"latency", "saturated", "rate", "poisson", "cold", NULL};
    static const enum atoll_workload_mode modes[] = {ATOLL_WORK_LATENCY, ATOLL_WORK_SATURATED,
                                                     ATOLL_WORK_RATE, ATOLL_WORK_POISSON,
                                                     ATOLL_WORK_COLD};
    int index = 0;
    rc = choose(n, "mode", raw.mode, names, &index, err);
    if (rc) {
        return rc;
    }
    *w = (struct atoll_workload){modes[index], raw.hz, (uint32_t)raw.count};
    const bool rated = w->mode == ATOLL_WORK_RATE || w->mode == ATOLL_WORK_POISSON;
    if (rated != (atoll_yaml_get(n, "hz") != NULL)) {
        return atoll_yaml_fail(
            n, err, rated ? "mode %s needs hz, arrivals per second" : "mode %s takes no hz",
            raw.mode);
    }
    if ((w->mode == ATOLL_WORK_COLD) == (raw.count != 0)) {
        return atoll_yaml_fail(n, err,
                               raw.count ? "mode %s takes no count: each repeat is one start"
                                         : "mode %s needs a count",
                               raw.mode);
    }
    return 0;
}

static int read_workloads(struct atoll_experiment *e, const struct atoll_yaml *list,
                          struct atoll_err *err)
{
    int rc = atoll_yaml_expect(list, ATOLL_YAML_LIST, err);
    if (rc) {
        return rc;
    }
    if (list->count < 1 || list->count > WORKLOADS_MAX) {
        return atoll_yaml_fail(list, err, "%zu workloads (1 to %d expected)", list->count,
                               WORKLOADS_MAX);
    }
    e->workloads = atoll_arena_array(&e->arena, list->count, sizeof *e->workloads);
    if (!e->workloads) {
        return nomem(err);
    }
    for (const struct atoll_yaml *n = list->first; n; n = n->next) {
        struct atoll_workload *w = &e->workloads[e->n_workloads];
        rc = read_workload(n, w, err);
        if (rc) {
            return rc;
        }
        char a[48], b[48];
        for (uint32_t i = 0; i < e->n_workloads; i++) {
            if (strcmp(atoll_workload_name(w, a), atoll_workload_name(&e->workloads[i], b)) == 0) {
                return atoll_yaml_fail(n, err, "workload %s stands twice", a);
            }
        }
        e->n_workloads++;
    }
    return 0;
}

/* ----------------------------------------------------------------- the file */

static int read_raw(const struct atoll_yaml *root, struct raw *raw, struct atoll_err *err)
{
#define FIELD(key, type, field, required, low, high)                                               \
    {                                                                                              \
        key, ATOLL_YAML_##type, offsetof(struct raw, field), required, low, high                   \
    }
    static const struct atoll_yaml_field fields[] = {
        FIELD("name", STRING, name, true, 0, 0),
        FIELD("board", STRING, board, true, 0, 0),
        FIELD("device", STRING, device, false, 0, 0),
        FIELD("meter", STRING, meter, false, 0, 0),
        FIELD("meter_hz", DOUBLE, meter_hz, false, 1, 1e6),
        FIELD("energy_u95", STRING, energy_u95, false, 0, 0),
        FIELD("models", NODE, models, true, 0, 0),
        FIELD("tpus", NODE, tpus, true, 0, 0),
        FIELD("strategies", NODE, strategies, true, 0, 0),
        FIELD("workloads", NODE, workloads, true, 0, 0),
        FIELD("repeats", INT, repeats, false, 1, 100000),
        FIELD("seed", INT, seed, false, 0, 9007199254740992),
        FIELD("keep_trace", STRING, keep_trace, false, 0, 0),
        FIELD("keep_timeline", STRING, keep_timeline, false, 0, 0),
        FIELD("clock", STRING, clock, false, 0, 0),
        FIELD("host_runner", STRING, runner, false, 0, 0),
        FIELD("accuracy", NODE, accuracy, false, 0, 0),
        FIELD("compiler", STRING, compiler, false, 0, 0),
    };
#undef FIELD
    const int rc = atoll_yaml_expect(root, ATOLL_YAML_MAP, err);
    return rc ? rc : atoll_yaml_read(root, fields, sizeof fields / sizeof fields[0], raw, err);
}

static int read_options(struct atoll_experiment *e, const struct raw *raw,
                        const struct atoll_yaml *root, struct atoll_err *err)
{
    int trace = 0, timeline = 0, clock = 0, runner = 0, compiler = 0;
    int rc = choose(root, "keep_trace", raw->keep_trace, keep_names, &trace, err);
    rc = rc ? rc : choose(root, "keep_timeline", raw->keep_timeline, keep_names, &timeline, err);
    rc = rc ? rc : choose(root, "clock", raw->clock, clock_names, &clock, err);
    rc = rc ? rc : choose(root, "host_runner", raw->runner, runner_names, &runner, err);
    rc = rc ? rc : choose(root, "compiler", raw->compiler, compiler_names, &compiler, err);
    rc = rc ? rc : check_device(raw, root, err);
    rc = rc ? rc : check_meter(raw, root, err);
    rc = rc ? rc : read_energy_u95(e, raw, root, err);
    e->name = raw->name;
    e->device = raw->device;
    e->meter = raw->meter;
    e->meter_hz = raw->meter_hz;
    e->repeats = (uint32_t)raw->repeats;
    e->seed = (uint64_t)raw->seed;
    e->keep_trace = (enum atoll__keep)trace;
    e->keep_timeline = (enum atoll__keep)timeline;
    e->use = (struct atoll_use){(enum atoll_clock)clock, (enum atoll_host_runner)runner};
    e->compiler = (enum atoll_compiler)compiler;
    return rc;
}

static int open_yaml(struct atoll_experiment *e, const char *path, const char *share,
                     struct atoll_err *err)
{
    struct atoll_map map = {0};
    int rc = atoll_map_open(path, &map, err);
    if (rc) {
        return rc;
    }
    const char *slash = strrchr(path, '/');
    e->path = atoll_arena_printf(&e->arena, "%s", path);
    e->share = share ? atoll_arena_printf(&e->arena, "%s", share) : NULL;
    e->dir =
        atoll_arena_strndup(&e->arena, path, slash ? (size_t)(slash - path) + (slash == path) : 0);
    e->yaml = atoll_arena_strndup(&e->arena, map.size ? (const char *)map.data : "", map.size);
    rc = e->path && e->dir && e->yaml && (e->share || !share)
             ? atoll_yaml_parse(path, e->yaml, map.size, &e->doc, err)
             : nomem(err);
    atoll_map_close(&map);
    return rc;
}

int atoll__experiment_read(struct atoll_experiment *e, const char *path, const char *share,
                           struct atoll_err *err)
{
    struct raw raw = {.device = "sim",
                      .meter = "none",
                      .keep_trace = "none",
                      .keep_timeline = "none",
                      .clock = "",
                      .runner = "",
                      .compiler = "v16",
                      .repeats = 5,
                      .seed = 1};
    int rc = open_yaml(e, path, share, err);
    if (rc) {
        return rc;
    }
    const struct atoll_yaml *root = atoll_yaml_root(e->doc);
    rc = read_raw(root, &raw, err);
    rc = rc ? rc : read_options(e, &raw, root, err);
    rc = rc ? rc : read_board(e, &raw, root, share, err);
    rc = rc ? rc : read_tpus(e, raw.tpus, err);
    rc = rc ? rc : read_strategies(e, raw.strategies, err);
    rc = rc ? rc : read_workloads(e, raw.workloads, err);
    rc = rc || !raw.accuracy ? rc : atoll__accuracy_read(e, raw.accuracy, &e->accuracy, err);
    rc = rc ? rc : read_models(e, raw.models, err);
    return rc ? rc : atoll_parallel(e->n_subjects, 0, hash_model, e, err);
}
