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

/* Names and summaries of the commands that begin with a first word ("zoo"). */
static size_t list_group(const char *first, struct atoll_buf *names, struct atoll_buf *summaries)
{
    char group[64];
    size_t n = 0;
    snprintf(group, sizeof group, "%.40s ", first);
    for (size_t i = 0; commands[i]; i++) {
        if (strncmp(commands[i]->name, group, strlen(group)) == 0) {
            atoll_buf_printf(names, "%s%s", n++ ? ", " : "", commands[i]->name + strlen(group));
            atoll_buf_printf(summaries, "  %-16s %s\n", commands[i]->name, commands[i]->summary);
        }
    }
    return n;
}

static int fail_group(int argc, char **argv, const char *names, struct atoll_err *err)
{
    if (argc > 1 && argv[1][0] != '-') {
        return atoll_fail(err, ATOLL_EUSAGE, "%s: \"%.100s\": expected one of %s", argv[0], argv[1],
                          names);
    }
    return atoll_fail(err, ATOLL_EUSAGE, "%s needs a second word: expected one of %s", argv[0],
                      names);
}

static int fail_command(const char *word, struct atoll_err *err)
{
    const char *names[64];
    size_t n = 0;
    for (; commands[n]; n++) {
        names[n] = commands[n]->name;
    }
    const char *near = opt_nearest(word, names, n);
    return atoll_fail(err, ATOLL_EUSAGE, "unknown command \"%.100s\"%s%s%s", word,
                      near ? "; did you mean " : "; \"atoll --help\" lists the known ones",
                      near ? near : "", near ? "?" : "");
}

/* No command of this name: the first word of a group, or a slip. */
static int answer_unknown(int argc, char **argv)
{
    struct atoll_err err = {0};
    struct atoll_buf names = {0}, summaries = {0};
    const bool group = list_group(argv[0], &names, &summaries) > 0;
    int code = 0;
    if (names.failed || summaries.failed) {
        code = atoll_fail_nomem(&err, "a list of commands", names.size);
    } else if (group && argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
        out_text("Commands:\n%s", summaries.data);
    } else {
        code = group ? fail_group(argc, argv, names.data, &err) : fail_command(argv[0], &err);
    }
    atoll_buf_finish(&names);
    atoll_buf_finish(&summaries);
    return finish("atoll", code, &err);
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

/* Warnings of the library, which goes on: a slower kernel, a checkpoint written over. */
static void tell(void *user, enum atoll_log_level level, const char *sentence)
{
    if (level == ATOLL_LOG_WARN) {
        fprintf(stderr, "%s: warning: %s\n", (const char *)user, sentence);
    }
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
        atoll_log_set(tell, who);
        code = common->help ? print_help(c, &call.err) : c->run(&call);
        atoll_log_set(NULL, NULL);
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
        return answer_unknown(argc - 1, argv + 1);
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
    signal(SIGXFSZ, SIG_IGN); /* and so is a limit on file sizes (ulimit -f) */
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
    return c ? run_command(c, argc - 1 - used, argv + 1 + used)
             : answer_unknown(argc - 1, argv + 1);
}
