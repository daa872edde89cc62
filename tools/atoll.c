/* SPDX-License-Identifier: Apache-2.0 */
/* The command `atoll`: finds the subcommand, reads its options, runs it, turns codes into exits. */
#include "commands.h"
#include "opt.h"
#include "out.h"

#include <signal.h>
#include <string.h>

static int finish(const char *who, int code, struct atoll_err *err)
{
    if (code == 0 || code == ATOLL_ENO) {
        struct atoll_err write_err = {0};
        const int write_code = out_finish(&write_err);
        if (write_code) {
            code = write_code;
            *err = write_err;
        }
    }
    if (code && err->text[0]) {
        fprintf(stderr, "%s: %s\n", who, err->text);
    }
    return atoll_code_exit(code);
}

static int print_text(void (*make)(struct atoll_buf *out))
{
    struct atoll_buf b = {0};
    struct atoll_err err = {0};
    make(&b);
    if (b.failed) {
        return finish("atoll", atoll_fail_nomem(&err, "the text", 0), &err);
    }
    out_bytes(b.data, b.size);
    atoll_buf_finish(&b);
    return finish("atoll", 0, &err);
}

/* A command of one word, or of two ("zoo list"); *used words of the line. */
static const struct command *find(int argc, char **argv, int *used)
{
    char two[64];
    *used = 2;
    if (argc > 1) {
        snprintf(two, sizeof two, "%.24s %.24s", argv[0], argv[1]);
        const struct command *c = command_find(two);
        if (c) {
            return c;
        }
    }
    *used = 1;
    return command_find(argv[0]);
}

/* The commands that begin with a first word ("zoo"), and the message for the rest. */
static int fail_unknown(int argc, char **argv)
{
    struct atoll_err err = {0};
    const char *names[64];
    char group[64];
    size_t n = 0, verbs = 0;
    struct atoll_buf list = {0};
    snprintf(group, sizeof group, "%.40s ", argv[0]);
    for (; commands[n]; n++) {
        names[n] = commands[n]->name;
        if (strncmp(names[n], group, strlen(group)) == 0) {
            atoll_buf_printf(&list, "%s%s", verbs++ ? ", " : "", names[n] + strlen(group));
        }
    }
    if (verbs) {
        const bool given = argc > 1 && argv[1][0] != '-';
        atoll_fail(&err, ATOLL_EUSAGE, "%s%s%s%s: expected one of %s", argv[0],
                   given ? ": \"" : " needs a second word", given ? argv[1] : "", given ? "\"" : "",
                   list.data ? list.data : "");
    } else {
        const char *near = opt_nearest(argv[0], names, n);
        atoll_fail(&err, ATOLL_EUSAGE, "unknown command \"%.100s\"%s%s%s", argv[0],
                   near ? "; did you mean " : "; \"atoll --help\" lists the known ones",
                   near ? near : "", near ? "?" : "");
    }
    atoll_buf_finish(&list);
    return finish("atoll", ATOLL_EUSAGE, &err);
}

static int print_help(const struct command *c, struct atoll_err *err)
{
    struct atoll_buf b = {0};
    opt_help(c, &b);
    const int code = b.failed ? atoll_fail_nomem(err, "the help", 0) : 0;
    if (!code) {
        out_bytes(b.data, b.size);
    }
    atoll_buf_finish(&b);
    return code;
}

static int run_command(const struct command *c, int argc, char **argv)
{
    struct call call = {.command = c};
    char who[64];
    snprintf(who, sizeof who, "atoll %s", c->name);
    call.opts = atoll_calloc(1, c->opts_bytes);
    call.operands = atoll_calloc((size_t)argc + 1, sizeof *call.operands);
    int code = call.opts && call.operands ? 0 : atoll_fail_nomem(&call.err, "the options", 0);
    if (!code) {
        if (c->defaults) {
            memcpy(call.opts, c->defaults, c->opts_bytes);
        }
        code = opt_parse(&call, argc, argv);
    }
    if (!code) {
        const struct opt_common *common = call.opts;
        code = common->help ? print_help(c, &call.err) : c->run(&call);
    }
    const int exit_code = finish(who, code, &call.err);
    atoll_free(call.opts);
    atoll_free(call.operands);
    return exit_code;
}

/* Hidden: what the build makes man pages and the completion from. */
static int run_hidden(int argc, char **argv)
{
    if (strcmp(argv[0], "__completion") == 0) {
        return print_text(manual_completion);
    }
    struct atoll_err err = {0};
    const struct command *c = argc > 1 ? command_find(argv[1]) : NULL;
    struct atoll_buf b = {0};
    if (argc > 1 && !c) {
        return fail_unknown(argc - 1, argv + 1);
    }
    manual_page(c, &b);
    const int code = b.failed ? atoll_fail_nomem(&err, "the page", 0) : 0;
    out_bytes(b.data ? b.data : "", b.size);
    atoll_buf_finish(&b);
    return finish("atoll", code, &err);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is a failed write: exit 5 with a sentence */
    if (argc < 2) {
        struct atoll_buf b = {0};
        manual_usage(&b);
        fputs(b.data ? b.data : "", stderr);
        atoll_buf_finish(&b);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        return print_text(manual_usage);
    }
    if (strcmp(argv[1], "--version") == 0) {
        struct atoll_err err = {0};
        out_text("atoll %s\n", ATOLL_VERSION);
        return finish("atoll", 0, &err);
    }
    if (strcmp(argv[1], "__man") == 0 || strcmp(argv[1], "__completion") == 0) {
        return run_hidden(argc - 1, argv + 1);
    }
    int used = 0;
    const struct command *c = find(argc - 1, argv + 1, &used);
    return c ? run_command(c, argc - 1 - used, argv + 1 + used) : fail_unknown(argc - 1, argv + 1);
}
