/* SPDX-License-Identifier: Apache-2.0 */
/* atoll store merge, atoll store dump. */
#include "common.h"

#include <atoll/store.h>

/* ----------------------------------------------------------------------- merge */

struct merge_opts {
    struct opt_common common;
};

static int merge_one(struct atoll_store *out, const char *path, struct atoll_err *err)
{
    struct atoll_store *in = NULL;
    int code = atoll_store_open(path, ATOLL_STORE_READ, &in, err);
    code = code ? code : atoll_store_merge(out, in, err);
    atoll_store_close(&in);
    return code;
}

static int run_merge(struct call *call)
{
    struct atoll_store *out = NULL;
    int code = atoll_store_open(call->operands[0], ATOLL_STORE_WRITE, &out, &call->err);
    for (unsigned i = 1; i < call->n_operands && code == 0; i++) {
        code = merge_one(out, call->operands[i], &call->err);
    }
    atoll_store_close(&out);
    if (code == 0 && call->json) {
        json_t *j = atoll_json_answer("store");
        json_object_set_new(j, "origin", json_string("computed")); /* counted */
        json_object_set_new(j, "db", out_string(call->operands[0]));
        json_object_set_new(j, "merged", json_integer((json_int_t)call->n_operands - 1));
        code = out_json(call, j);
    } else if (code == 0) {
        out_note(call, "merged %u databases into %s\n", call->n_operands - 1, call->operands[0]);
    }
    return code;
}

const struct command cmd_store_merge = {
    .name = "store merge",
    .operands = "OUT.db IN.db...",
    .summary = "Merge the databases of shards into one",
    .text =
        "Runs are joined by their natural keys: the same run twice is kept once, the same key with "
        "another result is an error.",
    .example = "atoll store merge all.db part0.db part1.db",
    .opts_bytes = sizeof(struct merge_opts),
    .operands_min = 2,
    .operands_max = 100000,
    .run = run_merge,
};

/* ------------------------------------------------------------------------ dump */

struct dump_opts {
    struct opt_common common;
    bool canonical;
};

static const struct opt dump_options[] = {
    {.long_name = "canonical",
     .type = OPT_FLAG,
     .offset = offsetof(struct dump_opts, canonical),
     .help = "Leave out host, wall clock and order: equal results give equal text"},
    OPTS_END,
};

static void put_line(void *user, const char *line)
{
    (void)user;
    out_text("%s\n", line);
}

static void add_line(void *user, const char *line)
{
    json_array_append_new(user, out_string(line));
}

static int run_dump(struct call *call)
{
    const struct dump_opts *o = call->opts;
    struct atoll_store *s = NULL;
    json_t *lines = call->json ? json_array() : NULL;
    int code = atoll_store_open(call->operands[0], ATOLL_STORE_READ, &s, &call->err);
    code = code ? code
                : atoll_store_dump(s, o->canonical, lines ? add_line : put_line, lines, &call->err);
    atoll_store_close(&s);
    if (code == 0 && lines) {
        json_t *j = atoll_json_answer("store");
        json_object_set(j, "lines", lines);
        code = out_json(call, j);
    }
    json_decref(lines);
    return code;
}

const struct command cmd_store_dump = {
    .name = "store dump",
    .operands = "DB",
    .summary = "Print a results database as text, rows by natural key",
    .example = "atoll store dump results.db --canonical",
    .opts = dump_options,
    .opts_bytes = sizeof(struct dump_opts),
    .operands_min = 1,
    .operands_max = 1,
    .run = run_dump,
};
