/* SPDX-License-Identifier: Apache-2.0 */
/* atoll split: cuts a model into segment files. */
#include "common.h"

#include <atoll/plan.h>

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

struct split_opts {
    struct opt_common common;
    uint64_t segments;
    const char *cuts, *plan, *out;
};

static const struct opt opts[] = {
    {.short_name = 'n',
     .long_name = "segments",
     .type = OPT_UINT,
     .offset = offsetof(struct split_opts, segments),
     .argument = "N",
     .help = "Cut into N segments by the compiler's rule (parameter bytes)",
     .example = "atoll split zoo:resnet50 -n 4 -o segments",
     .low = 1,
     .high = 1000},
    {.long_name = "cuts",
     .type = OPT_TEXT,
     .offset = offsetof(struct split_opts, cuts),
     .argument = "I,J,...",
     .help = "Cut before operators I, J, ... in the order of the file",
     .example = "atoll split zoo:mobilenet_v1 --cuts 12,20 -o segments"},
    {.long_name = "plan",
     .type = OPT_TEXT,
     .offset = offsetof(struct split_opts, plan),
     .argument = "FILE",
     .help = "Cut as the pipelines of a plan say"},
    {.short_name = 'o',
     .long_name = "output",
     .type = OPT_TEXT,
     .offset = offsetof(struct split_opts, out),
     .argument = "DIR",
     .help = "Directory to write to, made if it is missing (required)"},
    OPTS_END,
};

/* Segment of each operator, and how many there are. */
struct cut {
    uint32_t *seg_of_op;
    uint32_t n;
};

static int cut_by_rule(const struct atoll_model *m, uint32_t n, struct cut *c,
                       struct atoll_err *err)
{
    uint32_t *order = atoll_calloc(2 * (size_t)m->n_ops, sizeof *order);
    if (!order) {
        return atoll_fail_nomem(err, "an order", 2 * m->n_ops * sizeof *order);
    }
    uint32_t *starts = order + m->n_ops;
    int code = n > m->n_ops
                   ? atoll_fail(err, ATOLL_EUSAGE, "%s has %u operators, %u segments asked for",
                                m->path, m->n_ops, n)
                   : 0;
    code = code ? code : atoll_model_vendor_order(m, order, err);
    code = code ? code : n > 1 ? atoll_model_vendor_cuts(m, n, starts, err) : 0;
    for (uint32_t i = 0, s = 0; code == 0 && i < m->n_ops; i++) {
        s += s + 1 < n && i == starts[s];
        c->seg_of_op[order[i]] = s;
    }
    c->n = n;
    atoll_free(order);
    return code;
}

static int cut_at(const struct atoll_model *m, const char *text, struct cut *c,
                  struct atoll_err *err)
{
    uint32_t starts[256], n = 0;
    int code = parse_numbers("--cuts", text, m->n_ops, starts, 256, &n, err);
    for (uint32_t i = 0; code == 0 && i < n; i++) {
        if (starts[i] <= (i ? starts[i - 1] : 0)) {
            code = atoll_fail(err, ATOLL_EUSAGE,
                              "option --cuts: found %u, expected ascending positions from 1",
                              starts[i]);
        }
    }
    for (uint32_t i = 0, s = 0; code == 0 && i < m->n_ops; i++) {
        s += s < n && i == starts[s];
        c->seg_of_op[i] = s;
    }
    c->n = n + 1;
    return code;
}

static json_t *names_json(const struct atoll_model *m, const int32_t *list, uint32_t n)
{
    json_t *j = json_array();
    for (uint32_t i = 0; i < n; i++) {
        json_array_append_new(j, out_string(m->tensors[list[i]].name));
    }
    return j;
}

static json_t *segment_json(const char *path, const struct atoll_model *seg, const struct cut *c,
                            uint32_t index, uint32_t n_ops)
{
    json_t *operators = json_array();
    for (uint32_t i = 0; i < n_ops; i++) {
        if (c->seg_of_op[i] == index) {
            json_array_append_new(operators, json_integer(i));
        }
    }
    return json_pack("{s:o, s:o, s:o, s:o}", "path", out_string(path), "operators", operators,
                     "inputs", names_json(seg, seg->inputs, seg->n_inputs), "outputs",
                     names_json(seg, seg->outputs, seg->n_outputs));
}

static int write_segments(struct call *call, const struct atoll_model *m, const struct cut *c,
                          json_t *list)
{
    const struct split_opts *o = call->opts;
    const struct atoll_segmentation s = {.n = c->n, .seg_of_op = c->seg_of_op};
    char name[128];
    model_stem(m->path, name);
    int code = atoll_segmentation_check(m, &s, &call->err);
    for (uint32_t i = 0; i < c->n && code == 0; i++) {
        char path[1024];
        struct atoll_model *seg = NULL;
        snprintf(path, sizeof path, "%.800s/%s_segment_%u_of_%u.tflite", o->out, name, i, c->n);
        code = atoll_model_segment(m, &s, i, &seg, &call->err);
        code = code ? code : atoll_model_write(seg, path, &call->err);
        if (code == 0) {
            json_array_append_new(list, segment_json(path, seg, c, i, m->n_ops));
            if (!call->json) {
                out_text("%s  %u operators, %u inputs, %u outputs\n", path, seg->n_ops,
                         seg->n_inputs, seg->n_outputs);
            }
        }
        atoll_model_close(&seg);
    }
    return code;
}

/* ------------------------------------------------------------------ from a plan */

/* The plan's entry for this model: the only one, or the one with this hash. */
static int find_model(const struct atoll_plan *p, const struct atoll_model *m, uint32_t *index,
                      struct atoll_err *err)
{
    char sha256[65];
    int code = atoll_model_sha256(m, sha256, err);
    for (*index = 0; code == 0 && *index < p->n_models; (*index)++) {
        if (strcmp(p->models[*index].sha256, sha256) == 0 ||
            (!p->models[*index].sha256[0] && p->n_models == 1)) {
            return 0;
        }
    }
    return code ? code
                : atoll_fail(err, ATOLL_EINPUT,
                             "%s: the plan was made for another model (no entry with sha256 %s)",
                             m->path, sha256);
}

static void cut_of_pipeline(const struct atoll_pipeline *pipe, struct cut *c)
{
    c->n = pipe->n_stages;
    for (uint32_t s = 0; s < pipe->n_stages; s++) {
        for (uint32_t i = 0; i < pipe->stages[s].n_ops; i++) {
            c->seg_of_op[pipe->stages[s].ops[i]] = s;
        }
    }
}

/* Pipelines of one length share their files, so they must be cut alike. */
static int split_by_plan(struct call *call, const struct atoll_model *m, const struct atoll_plan *p,
                         struct cut *c, json_t *list)
{
    uint32_t model = 0;
    int code = find_model(p, m, &model, &call->err);
    code = code ? code : atoll_plan_check(p, model, m, &call->err);
    const size_t bytes = m->n_ops * sizeof *c->seg_of_op;
    uint32_t *earlier = atoll_alloc(bytes);
    struct cut e = {.seg_of_op = earlier};
    code = code || earlier ? code : atoll_fail_nomem(&call->err, "a segmentation", bytes);
    for (uint32_t i = 0; code == 0 && i < p->n_pipelines; i++) {
        bool written = false;
        if (p->pipelines[i].model != model) {
            continue;
        }
        cut_of_pipeline(&p->pipelines[i], c);
        for (uint32_t k = 0; k < i && code == 0; k++) {
            if (p->pipelines[k].model != model || p->pipelines[k].n_stages != c->n) {
                continue;
            }
            cut_of_pipeline(&p->pipelines[k], &e);
            written = true;
            if (memcmp(earlier, c->seg_of_op, bytes) != 0) {
                code =
                    atoll_fail(&call->err, ATOLL_EINPUT,
                               "pipelines %u and %u of the plan have %u stages each but other cuts",
                               k, i, c->n);
            }
        }
        code = code || written ? code : write_segments(call, m, c, list);
    }
    atoll_free(earlier);
    return code;
}

/* ---------------------------------------------------------------------- command */

static int split_model(struct call *call, const struct atoll_model *m, json_t *list)
{
    const struct split_opts *o = call->opts;
    struct cut c = {.seg_of_op = atoll_calloc(m->n_ops, sizeof *c.seg_of_op)};
    struct atoll_plan *p = NULL;
    int code = c.seg_of_op
                   ? 0
                   : atoll_fail_nomem(&call->err, "a segmentation", m->n_ops * sizeof *c.seg_of_op);
    if (code == 0 && o->plan) {
        code = atoll_plan_open(o->plan, &p, &call->err);
        code = code ? code : split_by_plan(call, m, p, &c, list);
    } else if (code == 0) {
        code = o->cuts ? cut_at(m, o->cuts, &c, &call->err)
                       : cut_by_rule(m, (uint32_t)o->segments, &c, &call->err);
        code = code ? code : write_segments(call, m, &c, list);
    }
    atoll_plan_close(&p);
    atoll_free(c.seg_of_op);
    return code;
}

static int run(struct call *call)
{
    const struct split_opts *o = call->opts;
    if ((o->segments > 0) + (o->cuts != NULL) + (o->plan != NULL) != 1 || !o->out) {
        return atoll_fail(&call->err, ATOLL_EUSAGE,
                          "expected one of -n N, --cuts I,J,... and --plan FILE, and -o DIR");
    }
    if (mkdir(o->out, 0777) && errno != EEXIST) {
        return atoll_fail(&call->err, ATOLL_EIO, "%s: %s", o->out, strerror(errno));
    }
    struct atoll_model *m = NULL;
    json_t *list = json_array();
    int code = source_model_open(call->operands[0], &m, &call->err);
    code = code ? code : split_model(call, m, list);
    if (code == 0 && call->json) {
        json_t *j = atoll_json_answer("split");
        json_object_set_new(j, "origin", json_string("computed"));
        json_object_set(j, "segments", list);
        code = out_json(call, j);
    }
    json_decref(list);
    atoll_model_close(&m);
    return code;
}

const struct command cmd_split = {
    .name = "split",
    .operands = "MODEL",
    .summary = "Cut a model into segments and write each as a .tflite file",
    .text = "Writes NAME_segment_<i>_of_<N>.tflite. A tensor needed later is an output of its "
            "producer's segment and "
            "an input of each segment that consumes it. -n cuts as edgetpu_compiler --num_segments "
            "does.",
    .example = "atoll split zoo:resnet50 -n 4 -o segments",
    .opts = opts,
    .opts_bytes = sizeof(struct split_opts),
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
