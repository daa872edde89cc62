/* SPDX-License-Identifier: Apache-2.0 */
/* The key `accuracy` of an experiment: which images a model is shown, and the evaluation itself.
 * A model is evaluated once, whatever the arrangements: their outputs are those of the whole. */
#include "experiment_internal.h"

#include <atoll/nn.h>
#include <atoll/yaml.h>
#include <string.h>

/* ------------------------------------------------------------------ reading */

static int read_map(const struct atoll_yaml *n, struct atoll__accuracy *a, struct atoll_err *err)
{
    struct {
        const struct atoll_yaml *data;
        const char *part;
        int64_t limit;
        bool skip_bad;
    } raw = {NULL, "test", 0, false};
    const struct atoll_yaml_field fields[] = {
        {"data", ATOLL_YAML_NODE, 0, true, 0, 0},
        {"part", ATOLL_YAML_STRING, (size_t)((char *)&raw.part - (char *)&raw), false, 0, 0},
        {"limit", ATOLL_YAML_INT, (size_t)((char *)&raw.limit - (char *)&raw), false, 1, 1e9},
        {"skip_bad", ATOLL_YAML_BOOL, (size_t)((char *)&raw.skip_bad - (char *)&raw), false, 0, 0},
    };
    const int rc = atoll_yaml_read(n, fields, sizeof fields / sizeof fields[0], &raw, err);
    if (rc) {
        return rc;
    }
    static const enum atoll_part parts[] = {ATOLL_PART_TEST, ATOLL_PART_VALIDATION,
                                            ATOLL_PART_TRAIN};
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(raw.part, atoll_part_name(parts[i])) == 0) {
            *a =
                (struct atoll__accuracy){raw.data, NULL, parts[i], (size_t)raw.limit, raw.skip_bad};
            return 0;
        }
    }
    return atoll_yaml_fail(atoll_yaml_get(n, "part"), err,
                           "\"%.60s\" is not known (test, validation, train expected)", raw.part);
}

int atoll__accuracy_read(struct atoll_experiment *e, const struct atoll_yaml *n,
                         const struct atoll__accuracy **out, struct atoll_err *err)
{
    struct atoll__accuracy *a = atoll_arena_array(&e->arena, 1, sizeof *a);
    if (!a) {
        return atoll_fail_nomem(err, "an experiment", sizeof *a);
    }
    *a = (struct atoll__accuracy){.node = n, .part = ATOLL_PART_TEST};
    if (n->kind == ATOLL_YAML_SCALAR) {
        const char *text = NULL;
        const int rc = atoll_yaml_string(n, &text, err);
        if (rc || strcmp(text, "none") == 0) {
            *out = NULL;
            return rc;
        }
    } else {
        const int rc = read_map(n, a, err);
        if (rc) {
            return rc;
        }
    }
    struct atoll_buf name = {0};
    atoll_yaml_flow(a->node, &name);
    a->data = name.failed ? NULL : atoll_arena_strndup(&e->arena, name.data, name.size);
    atoll_buf_finish(&name);
    *out = a;
    return a->data ? 0 : atoll_fail_nomem(err, "an experiment", 0);
}

/* --------------------------------------------------------------- evaluation */

static struct atoll_accuracy_row key_of(const struct atoll_experiment *e,
                                        const struct atoll__subject *m)
{
    return (struct atoll_accuracy_row){.experiment = e->key,
                                       .model = m->spec,
                                       .data = m->accuracy->data,
                                       .part = atoll_part_name(m->accuracy->part)};
}

/* One shard computes it, chosen by the natural key as runs are. */
static bool is_mine(const struct atoll__subject *m, const struct atoll_bench_opts *o)
{
    uint64_t h = atoll_fnv1a(m->spec, strlen(m->spec), 0);
    h = atoll_fnv1a(m->accuracy->data, strlen(m->accuracy->data), h);
    return o->shards < 2 || atoll_seed_mix(h, 0) % o->shards == o->shard;
}

static int open_data(const struct atoll_experiment *e, const struct atoll__accuracy *a,
                     struct atoll_dataset **d, struct atoll_err *err)
{
    struct atoll_data_opts o = atoll_data_opts_default();
    struct atoll_err why = {0};
    o.base_dir = e->dir;
    o.parts = 1u << a->part;
    o.seed = e->seed;
    o.skip_bad = a->skip_bad;
    if (a->limit > 0 && a->limit < 5000) {
        o.n_generated[a->part] = (uint32_t)a->limit;
    }
    const int rc = atoll_dataset_open_node(a->node, &o, d, &why);
    if (rc) {
        atoll_yaml_fail(a->node, err, "%.900s", why.text);
        if (err) {
            err->code = rc;
        }
    }
    return rc;
}

static int put(const struct atoll_experiment *e, const struct atoll__subject *m,
               const struct atoll_runtime *rt, const struct atoll_dataset *d,
               const struct atoll_eval *v, const char *host, struct atoll_store *s,
               struct atoll_err *err)
{
    struct atoll_dataset_info info;
    atoll_dataset_info(d, &info);
    struct atoll_accuracy_row r = key_of(e, m);
    char started[32];
    atoll_wall_iso8601(started);
    r.image_limit = (int64_t)m->accuracy->limit;
    r.task = atoll_task_name(v->task);
    r.images = (int64_t)v->images;
    r.bad = (int64_t)(v->n_bad + info.n_bad);
    r.classes = v->n_classes;
    r.bad_first = info.n_bad ? info.bad_first : v->n_bad ? v->bad_first : NULL;
    r.top1 = v->top1.value;
    r.top1_low95 = v->top1.low95;
    r.top1_high95 = v->top1.high95;
    r.top5 = v->top5.value;
    r.top5_low95 = v->top5.low95;
    r.top5_high95 = v->top5.high95;
    r.pixel_frac = v->pixels.value;
    r.pixel_low95 = v->pixels.low95;
    r.pixel_high95 = v->pixels.high95;
    r.mean_iou = v->mean_iou;
    r.ap = v->ap;
    r.ap50 = v->ap50;
    r.ap75 = v->ap75;
    r.origin = atoll_origin_name(ATOLL_ORIGIN_MEASURED);
    r.runtime = atoll_runtime_version(rt);
    r.kernels = atoll_kernels_name(v->kernels);
    r.host = host;
    r.started = started;
    r.seconds = v->seconds;
    r.images_per_s = v->images_per_s;
    int rc = atoll_store_begin(s, err);
    rc = rc ? rc : atoll_store_put_accuracy(s, &r, err);
    return rc ? rc : atoll_store_commit(s, err);
}

static int evaluate(const struct atoll_experiment *e, const struct atoll__subject *m,
                    const struct atoll_bench_opts *o, const char *host, struct atoll_store *s,
                    struct atoll_err *err)
{
    const struct atoll_runtime *rt = NULL;
    struct atoll_dataset *d = NULL;
    struct atoll_eval v = {0};
    struct atoll_err why = {0};
    int rc = open_data(e, m->accuracy, &d, err);
    if (rc) {
        return rc;
    }
    rc = atoll_runtime_open(NULL, &rt, &why);
    if (rc == 0 && m->model->file_bytes > 0) {
        rc = atoll_interp_try(rt, m->model, NULL, &why);
    }
    const struct atoll_eval_request q = {.rt = rt,
                                         .model = m->model,
                                         .data = d,
                                         .part = m->accuracy->part,
                                         .limit = m->accuracy->limit,
                                         .threads = o->threads,
                                         .progress = o->progress};
    rc = rc ? rc : atoll_eval_run(&q, &v, &why);
    if (rc) {
        (void)atoll_fail(err, rc, "%s: accuracy of %s on %s: %.700s%s", e->path, m->spec,
                         m->accuracy->data, why.text,
                         rc == ATOLL_EDEVICE ? " (bench --no-accuracy does without)" : "");
    }
    rc = rc ? rc : put(e, m, rt, d, &v, host, s, err);
    atoll_eval_finish(&v);
    atoll_dataset_close(&d);
    return rc;
}

int atoll__accuracy_try_files(const struct atoll_experiment *e, struct atoll_err *err)
{
    const struct atoll_runtime *rt = NULL;
    int rc = 0;
    for (uint32_t i = 0; i < e->n_subjects && !rc; i++) {
        if (e->subjects[i].model->file_bytes > 0) {
            rc = atoll_runtime_open(NULL, &rt, err);
            rc = rc ? rc : atoll_interp_try(rt, e->subjects[i].model, NULL, err);
        }
    }
    return rc;
}

int atoll__accuracy_run(const struct atoll_experiment *e, const struct atoll_bench_opts *o,
                        const char *host, struct atoll_store *s, struct atoll_bench_summary *sum,
                        struct atoll_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; i < e->n_subjects && !rc; i++) {
        const struct atoll__subject *m = &e->subjects[i];
        bool found = false;
        if (!m->accuracy || !is_mine(m, o)) {
            continue;
        }
        const struct atoll_accuracy_row key = key_of(e, m);
        rc = atoll_store_has_accuracy(s, &key, &found, err);
        if (!rc && !found) {
            rc = evaluate(e, m, o, host, s, err);
            sum->evaluated += rc == 0;
        }
    }
    return rc;
}
