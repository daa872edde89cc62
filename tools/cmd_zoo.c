/* SPDX-License-Identifier: Apache-2.0 */
/* atoll zoo list, atoll zoo write. */
#include "common.h"

#include <string.h>

/* ------------------------------------------------------------------------ list */

struct list_opts {
    struct opt_common common;
};

static json_t *network_json(const struct atoll_zoo_network *n)
{
    json_t *parameters = json_array();
    for (size_t i = 0; i < n->n_params; i++) {
        json_array_append_new(parameters, json_pack("{s:s, s:s}", "name", n->params[i].name,
                                                    "default", n->params[i].default_value));
    }
    return json_pack("{s:s, s:o, s:s}", "name", n->name, "parameters", parameters, "source",
                     n->source);
}

static int list_json(struct call *call, const struct atoll_zoo_network *networks, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(list, network_json(&networks[i]));
    }
    json_t *j = atoll_json_answer("zoo");
    json_object_set_new(j, "networks", list);
    return out_json(call, j);
}

static int run_list(struct call *call)
{
    static const struct out_column columns[] = {
        {"network", OUT_LEFT}, {"parameters and defaults", OUT_LEFT}, {"source", OUT_LEFT}};
    size_t n = 0;
    const struct atoll_zoo_network *networks = atoll_zoo_list(&n);
    if (call->json) {
        return list_json(call, networks, n);
    }
    struct out_table t;
    out_table_start(&t, columns, 3);
    for (size_t i = 0; i < n; i++) {
        struct atoll_buf b = {0};
        for (size_t k = 0; k < networks[i].n_params; k++) {
            atoll_buf_printf(&b, "%s%s=%s", k ? " " : "", networks[i].params[k].name,
                             networks[i].params[k].default_value);
        }
        out_cell(&t, "%s", networks[i].name);
        out_cell(&t, "%s", b.data ? b.data : "");
        out_cell(&t, "%s", networks[i].source);
        atoll_buf_finish(&b);
    }
    return out_table_print(&t, &call->err);
}

const struct command cmd_zoo_list = {
    .name = "zoo list",
    .operands = "",
    .summary = "List the networks that atoll can build, with their parameters",
    .text = "Any of them is a model argument: zoo:NAME or zoo:NAME?key=value&key=value.",
    .example = "atoll zoo list",
    .opts_bytes = sizeof(struct list_opts),
    .run = run_list,
};

/* ----------------------------------------------------------------------- write */

struct write_opts {
    struct opt_common common;
    struct opt_list set;
    const char *out;
};

static const struct opt write_options[] = {
    {.short_name = 's',
     .long_name = "set",
     .type = OPT_LIST,
     .offset = offsetof(struct write_opts, set),
     .argument = "KEY=VALUE",
     .help = "Set a parameter of the network (may be repeated)",
     .example = "atoll zoo write mobilenet_v2 --set alpha=0.5 --set size=96 -o small.tflite"},
    {.short_name = 'o',
     .long_name = "output",
     .type = OPT_TEXT,
     .offset = offsetof(struct write_opts, out),
     .argument = "FILE",
     .help = "File to write (required)"},
    OPTS_END,
};

/* "NAME?key=value&key=value" from the operand and the options. */
static int spec_of(struct call *call, struct atoll_buf *spec)
{
    const struct write_opts *o = call->opts;
    const char *name = call->operands[0];
    name += strncmp(name, "zoo:", 4) == 0 ? 4 : 0;
    atoll_buf_puts(spec, name);
    bool begun = strchr(name, '?') != NULL;
    for (size_t i = 0; i < o->set.n; i++) {
        if (!strchr(o->set.items[i], '=')) {
            return atoll_fail(&call->err, ATOLL_EUSAGE,
                              "option --set: found \"%s\", expected KEY=VALUE", o->set.items[i]);
        }
        atoll_buf_printf(spec, "%c%s", begun ? '&' : '?', o->set.items[i]);
        begun = true;
    }
    return spec->failed ? atoll_fail_nomem(&call->err, "the name of the network", spec->size) : 0;
}

static int write_model(struct call *call, const char *spec)
{
    const struct write_opts *o = call->opts;
    struct atoll_model *m = NULL;
    char sha256[65];
    int code = atoll_zoo_build(spec, &m, &call->err);
    code = code ? code : atoll_model_sha256(m, sha256, &call->err);
    code = code ? code : atoll_model_write(m, o->out, &call->err);
    if (code == 0 && call->json) {
        json_t *j = atoll_json_answer("zoo");
        json_object_set_new(j, "path", out_string(o->out));
        json_object_set_new(j, "network", out_string(spec));
        json_object_set_new(j, "sha256", json_string(sha256));
        code = out_json(call, j);
    } else if (code == 0) {
        out_note(call, "wrote %s: zoo:%s, %u operators\n", o->out, spec, m->n_ops);
    }
    atoll_model_close(&m);
    return code;
}

static int run_write(struct call *call)
{
    const struct write_opts *o = call->opts;
    if (!o->out) {
        return atoll_fail(&call->err, ATOLL_EUSAGE, "option -o FILE is missing");
    }
    struct atoll_buf spec = {0};
    int code = spec_of(call, &spec);
    if (code == 0) {
        code = write_model(call, spec.data);
    }
    atoll_buf_finish(&spec);
    return code;
}

const struct command cmd_zoo_write = {
    .name = "zoo write",
    .operands = "NAME",
    .summary = "Write a network of the zoo as an int8 .tflite file with seeded weights",
    .text =
        "Keys: alpha, size (pixels a side), classes, layers, filters, kernel, units, inputs, bias "
        "(seeded or zero), seed; atoll zoo list shows which network has which.",
    .example = "atoll zoo write mobilenet_v2 -o mobilenet_v2.tflite",
    .opts = write_options,
    .opts_bytes = sizeof(struct write_opts),
    .operands_min = 1,
    .operands_max = 1,
    .run = run_write,
};
