/* SPDX-License-Identifier: Apache-2.0 */
/* atoll devices: what this machine can drive, and the boards that are described. */
#include "common.h"

#include <atoll/device.h>
#include <atoll/power.h>

struct devices_opts {
    struct opt_common common;
    const char *share;
};

static const struct opt opts[] = {
    {.long_name = "share",
     .type = OPT_TEXT,
     .offset = offsetof(struct devices_opts, share),
     .argument = "DIR",
     .help = "Directory of data files, before ATOLL_SHARE and the installed ones"},
    OPTS_END,
};

static json_t *driver_json(const struct atoll_device_listing *l)
{
    return json_pack("{s:s, s:s, s:b, s:o, s:o}", "origin", "measured", "name", l->name,
                     "available", l->available, "detail", out_string(l->detail), "tpus",
                     l->n_tpus ? json_integer(l->n_tpus) : json_null());
}

static json_t *board_json(const struct atoll_board *b)
{
    return json_pack("{s:s, s:o, s:o, s:i, s:s, s:o}", "origin", "computed", "name",
                     out_string(b->name), "title", out_string(b->title), "tpus", (int)b->n_tpus,
                     "link", atoll_link_name(b->link), "path", out_string(b->path));
}

/* Every driver into the table or the list. */
static int list_drivers(struct call *call, struct out_table *t, json_t *list)
{
    int code = 0;
    for (const struct atoll_driver *const *d = atoll_drivers(); *d && code == 0; d++) {
        struct atoll_device_listing l = {.n_tpus = 0};
        code = atoll_device_list(*d, &l, &call->err);
        if (code == 0 && list) {
            json_array_append_new(list, driver_json(&l));
        } else if (code == 0) {
            out_cell(t, "%s", l.name);
            out_cell(t, "%s", l.available ? "yes" : "no");
            out_cell(t, "%s", l.detail);
        }
    }
    return code;
}

/* What real boards need, as found on this machine. */
static int list_machine(struct call *call, struct out_table *t, json_t *list)
{
    enum { FINDINGS_MAX = 96 };
    struct atoll_probe_finding *f = atoll_calloc(FINDINGS_MAX, sizeof *f);
    size_t n = 0;
    int code = f ? atoll_device_probe(NULL, f, FINDINGS_MAX, &n, &call->err)
                 : atoll_fail_nomem(&call->err, "the findings", FINDINGS_MAX * sizeof *f);
    for (size_t i = 0; i < n && i < FINDINGS_MAX && code == 0; i++) {
        if (list) {
            json_array_append_new(list,
                                  json_pack("{s:s, s:o, s:b, s:o}", "kind", f[i].kind, "name",
                                            out_string(f[i].name), "available", f[i].available,
                                            "detail", out_string(f[i].detail)));
        } else {
            out_cell(t, "%s", f[i].name);
            out_cell(t, "%s", f[i].kind);
            out_cell(t, "%s", f[i].available ? "yes" : "no");
            out_cell(t, "%s", f[i].detail);
        }
    }
    atoll_free(f);
    return code;
}

static int list_boards(struct call *call, struct out_table *t, json_t *list)
{
    const struct devices_opts *o = call->opts;
    char **names = atoll_board_names(o->share);
    int code = names ? 0 : atoll_fail_nomem(&call->err, "the names of the boards", 0);
    for (char **name = names; name && *name && code == 0; name++) {
        struct atoll_board *b = NULL;
        code = atoll_board_open(*name, o->share, &b, &call->err);
        if (code == 0 && list) {
            json_array_append_new(list, board_json(b));
        } else if (code == 0) {
            out_cell(t, "%s", b->name);
            out_cell(t, "%u", b->n_tpus);
            out_cell(t, "%s", b->title);
        }
        atoll_board_close(&b);
    }
    atoll_share_dirs_free(names);
    return code;
}

static int list_meters(struct call *call, struct out_table *t, json_t *list)
{
    (void)call;
    for (const struct atoll_meter_driver *const *d = atoll_meter_drivers(); *d; d++) {
        struct atoll_meter_listing l;
        atoll_meter_list(*d, &l);
        const char *detail = l.detail[0] ? l.detail : l.help;
        if (list) {
            json_array_append_new(list, json_pack("{s:s, s:b, s:o}", "name", l.name, "available",
                                                  l.available, "detail", out_string(detail)));
        } else {
            out_cell(t, "%s", l.name);
            out_cell(t, "%s", l.available ? "yes" : "no");
            out_cell(t, "%s", detail);
        }
    }
    return 0;
}

static int run_json(struct call *call)
{
    json_t *j = atoll_json_answer("devices");
    json_t *drivers = json_array(), *machine = json_array(), *boards = json_array();
    json_t *meters = json_array();
    int code = list_drivers(call, NULL, drivers);
    code = code ? code : list_meters(call, NULL, meters);
    code = code ? code : list_machine(call, NULL, machine);
    code = code ? code : list_boards(call, NULL, boards);
    json_object_set_new(j, "drivers", drivers);
    json_object_set_new(j, "meters", meters);
    json_object_set_new(j, "machine", machine);
    json_object_set_new(j, "boards", boards);
    if (code) {
        json_decref(j);
        return code;
    }
    return out_json(call, j);
}

static int print_part(struct call *call, const struct out_column *columns, size_t n,
                      int (*list)(struct call *call, struct out_table *t, json_t *none))
{
    struct out_table t;
    out_table_start(&t, columns, n);
    const int code = list(call, &t, NULL);
    const int printed = out_table_print(&t, &call->err);
    return code ? code : printed;
}

static int run(struct call *call)
{
    static const struct out_column drivers[] = {
        {"device", OUT_LEFT}, {"ready", OUT_LEFT}, {"detail", OUT_LEFT}};
    static const struct out_column meters[] = {
        {"meter", OUT_LEFT}, {"ready", OUT_LEFT}, {"detail", OUT_LEFT}};
    static const struct out_column machine[] = {
        {"this machine", OUT_LEFT}, {"kind", OUT_LEFT}, {"ready", OUT_LEFT}, {"detail", OUT_LEFT}};
    static const struct out_column boards[] = {
        {"board", OUT_LEFT}, {"TPUs", OUT_RIGHT}, {"what it is", OUT_LEFT}};
    if (call->json) {
        return run_json(call);
    }
    int code = print_part(call, drivers, 3, list_drivers);
    out_text("\n");
    code = code ? code : print_part(call, meters, 3, list_meters);
    out_text("\n");
    code = code ? code : print_part(call, machine, 4, list_machine);
    out_text("\n");
    return code ? code : print_part(call, boards, 3, list_boards);
}

const struct command cmd_devices = {
    .name = "devices",
    .operands = "",
    .summary = "List devices and meters that this machine can drive, and the board profiles",
    .example = "atoll devices",
    .opts = opts,
    .opts_bytes = sizeof(struct devices_opts),
    .run = run,
};
