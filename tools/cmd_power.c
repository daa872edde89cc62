/* SPDX-License-Identifier: Apache-2.0 */
/* atoll power record, run, test and replay. */
#include "power_meter.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct power_opts {
    struct opt_common common;
    const char *meter, *output, *csv, *calibration, *from, *to;
    double rate_hz, seconds;
};

#define RECORD_OPTS                                                                                \
    {.short_name = 'o',                                                                            \
     .long_name = "output",                                                                        \
     .type = OPT_TEXT,                                                                             \
     .offset = offsetof(struct power_opts, output),                                                \
     .argument = "FILE",                                                                           \
     .help = "Record all that the meter says; atoll power replay reads it"},                       \
    {                                                                                              \
        .long_name = "csv", .type = OPT_TEXT, .offset = offsetof(struct power_opts, csv),          \
        .argument = "FILE.csv", .help = "Write time and watts of each scan"                        \
    }

static const struct power_opts defaults = {.meter = POWER_METER_DEFAULT, .seconds = 3};
static const struct power_opts record_defaults = {.meter = POWER_METER_DEFAULT};

/* ----------------------------------------------------------------- a session */

struct session {
    struct atoll_meter *meter;
    int32_t from, to;
    uint64_t from_ns;
    struct atoll_meter_check *checks; ///< power test: what the device finds of itself
    uint32_t n_checks;
};

static int begin(struct call *call, struct session *s)
{
    const struct power_opts *o = call->opts;
    int code = power_open(call, o->meter, o->rate_hz, o->csv != NULL, o->calibration, &s->meter);
    if (code == 0 && s->checks != NULL) {
        code = atoll_meter_self_test(s->meter, s->checks, &s->n_checks, &call->err);
    }
    if (code == 0 && o->output != NULL) {
        code = atoll_meter_record(s->meter, o->output, &call->err);
    }
    code = code ? code : atoll_meter_start(s->meter, atoll_now_ns(), &call->err);
    if (code == 0) {
        s->from_ns = atoll_now_ns();
        s->from = atoll_meter_mark(s->meter, s->from_ns, "begin", &call->err);
        code = s->from < 0 ? s->from : 0;
    }
    return code;
}

static int end(struct call *call, struct session *s)
{
    s->to = atoll_meter_mark(s->meter, atoll_now_ns(), "end", &call->err);
    const int code = s->to < 0 ? s->to : 0;
    return code ? code : atoll_meter_stop(s->meter, atoll_now_ns(), &call->err);
}

/* What was recorded is kept, whatever happened; the first failure is the one to tell. */
static int save(struct call *call, struct session *s, int code)
{
    const struct power_opts *o = call->opts;
    struct atoll_err *err = code ? NULL : &call->err;
    const int recorded = s->meter != NULL ? atoll_meter_record_stop(s->meter, err) : 0;
    if (code && o->output != NULL && s->meter != NULL && recorded == 0) {
        (void)atoll_fail(&call->err, code, "%.600s; what was recorded until then is in %.200s",
                         call->err.text, o->output);
    }
    code = code ? code : recorded;
    if (code == 0 && o->csv != NULL) {
        code = atoll_meter_write_csv(s->meter, o->csv, &call->err);
    }
    return code;
}

static int show(struct call *call, struct session *s, json_t *j)
{
    struct power_view v;
    int code = power_energy(call, s->meter, s->from, s->to, &v);
    if (code == 0 && j != NULL) {
        code = power_json(call, s->meter, &v, s->from_ns, j);
    } else if (code == 0) {
        code = power_show(call, s->meter, &v);
    }
    return code ? code : v.gap ? ATOLL_ENO : 0;
}

/* Prints the answer, also when it is "no"; takes j. */
static int answer(struct call *call, json_t *j, int code)
{
    if (j == NULL || (code != 0 && code != ATOLL_ENO)) {
        json_decref(j);
        return code;
    }
    const int printed = out_json(call, j);
    return printed ? printed : code;
}

/* --------------------------------------------------------------------- record */

/* Mean power since the last look, on a terminal. */
static void live(struct session *s, int32_t *last, uint64_t *last_ns, bool *visible)
{
    const uint64_t now_ns = atoll_now_ns();
    if (now_ns - *last_ns < UINT64_C(500000000)) {
        return;
    }
    /* the mark before the last has all its scans */
    const int32_t mark = atoll_meter_mark(s->meter, now_ns, "look", NULL);
    struct atoll_energy rails[ATOLL_METER_RAILS_MAX];
    struct atoll_energy total;
    struct atoll_meter_info info;
    atoll_meter_info(s->meter, &info);
    const int code = mark >= 2 && *last > 0
                         ? atoll_meter_energy(s->meter, *last - 1, *last, rails, &total, NULL)
                         : ATOLL_EUSAGE;
    if (code == 0 || code == ATOLL_ENO) {
        (void)fprintf(stderr, "\r\033[K%8.1f s  %8.3f W", (double)(now_ns - s->from_ns) / 1e9,
                      total.mean_w);
        for (uint32_t i = 0; i < info.n_rails; i++) {
            (void)fprintf(stderr, "  %s %.3f", info.rails[i].name, rails[i].mean_w);
        }
        (void)fprintf(stderr, "%s", code == ATOLL_ENO ? "  (scans missing)" : "");
        (void)fflush(stderr);
        *visible = true;
    }
    *last = mark;
    *last_ns = now_ns;
}

static void pause_ms(unsigned ms)
{
    const struct timespec t = {.tv_nsec = (long)ms * 1000000};
    (void)nanosleep(&t, NULL);
}

static int watch(struct call *call, struct session *s)
{
    const struct power_opts *o = call->opts;
    struct out_progress bar;
    const struct atoll_progress progress = out_progress_start(&bar, call);
    const bool terminal = !call->quiet && !call->json && isatty(STDERR_FILENO);
    int32_t last = 0;
    uint64_t last_ns = s->from_ns;
    bool visible = false;
    int code = 0;
    while (code == 0 && progress.fn(progress.user, 0, 0, NULL) &&
           (!(o->seconds > 0) || (double)(atoll_now_ns() - s->from_ns) < o->seconds * 1e9)) {
        code = atoll_meter_advance(s->meter, atoll_now_ns(), &call->err);
        if (terminal) {
            live(s, &last, &last_ns, &visible);
        }
        pause_ms(5);
    }
    if (visible) {
        (void)fputs("\r\033[K", stderr);
    }
    return code;
}

/* ----------------------------------------------------------------------- test */

/* Items of the device itself, and what a short measurement says. */
static int show_checks(struct call *call, struct session *s, json_t *j)
{
    static const struct out_column columns[] = {
        {"test", OUT_LEFT}, {"result", OUT_LEFT}, {"found", OUT_LEFT}};
    struct out_table t;
    bool good = true;
    json_t *list = json_array();
    out_table_start(&t, columns, 3);
    for (uint32_t i = 0; i < s->n_checks; i++) {
        const struct atoll_meter_check *c = &s->checks[i];
        good = good && c->ok;
        json_array_append_new(list, json_pack("{s:s, s:b, s:o}", "name", c->name, "ok", c->ok,
                                              "found", out_string(c->detail)));
        if (j == NULL) {
            out_cell(&t, "%s", c->name);
            out_cell(&t, "%s", c->ok ? "ok" : "FAILED");
            out_cell(&t, "%s", c->detail);
        }
    }
    int printed = 0;
    if (j != NULL) {
        json_object_set_new(j, "checks", list);
    } else {
        printed = out_table_print(&t, &call->err);
        json_decref(list);
        out_text("\n");
    }
    return printed ? printed
           : good  ? 0
                   : atoll_fail(&call->err, ATOLL_ENO, "the meter's own test found faults");
}

static int record(struct call *call)
{
    json_t *j = call->json ? atoll_json_answer("power") : NULL;
    struct session s = {0};
    int code = begin(call, &s);
    code = code ? code : watch(call, &s);
    code = code ? code : end(call, &s);
    code = save(call, &s, code);
    code = code ? code : show(call, &s, j);
    atoll_meter_close(&s.meter);
    return answer(call, j, code);
}

static int test(struct call *call)
{
    struct atoll_meter_check checks[ATOLL_METER_CHECKS_MAX];
    json_t *j = call->json ? atoll_json_answer("power") : NULL;
    struct session s = {.checks = checks};
    int code = begin(call, &s);
    code = code ? code : watch(call, &s);
    code = code ? code : end(call, &s);
    const int found = code ? code : show_checks(call, &s, j);
    code = code ? code : show(call, &s, j);
    atoll_meter_close(&s.meter);
    return answer(call, j, code == 0 || code == ATOLL_ENO ? (found ? found : code) : code);
}

/* ------------------------------------------------------------------------ run */

/* The command's own output must not mix with the one JSON object. */
static void become(struct call *call, char **argv)
{
    if (call->json) {
        (void)dup2(STDERR_FILENO, STDOUT_FILENO);
    }
    (void)signal(SIGPIPE, SIG_DFL); /* what atoll ignores for itself */
    (void)signal(SIGXFSZ, SIG_DFL);
    (void)execvp(argv[0], argv);
    (void)dprintf(STDERR_FILENO, "atoll power run: %s: %s\n", argv[0], strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

static int wait_for(struct call *call, struct session *s, pid_t child, const sigset_t *child_ends,
                    int *status)
{
    const struct timespec look = {.tv_nsec = 20000000};
    int code = 0;
    for (;;) {
        const pid_t ended = waitpid(child, status, code ? 0 : WNOHANG);
        if (ended == child) {
            return code;
        }
        if (ended < 0 && errno != EINTR) {
            return atoll_fail(&call->err, ATOLL_EINTERNAL, "the command cannot be waited for: %s",
                              strerror(errno));
        }
        code = code ? code : atoll_meter_advance(s->meter, atoll_now_ns(), &call->err);
        if (code == 0) {
            (void)sigtimedwait(child_ends, NULL, &look);
        }
    }
}

static int execute(struct call *call, struct session *s, int *exit_code)
{
    char *argv[256];
    const unsigned n = call->n_operands < 255 ? call->n_operands : 255;
    for (unsigned i = 0; i < n; i++) {
        argv[i] = atoll_strdup(call->operands[i]);
    }
    argv[n] = NULL;
    sigset_t child_ends;
    sigset_t before;
    (void)sigemptyset(&child_ends);
    (void)sigaddset(&child_ends, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &child_ends, &before);
    int code = begin(call, s);
    const pid_t child = code ? -1 : fork();
    if (child == 0) {
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
        become(call, argv);
    }
    if (code == 0 && child < 0) {
        code = atoll_fail(&call->err, ATOLL_EIO, "no new process: %s", strerror(errno));
    }
    int status = 0;
    code = code ? code : wait_for(call, s, child, &child_ends, &status);
    code = code ? code : end(call, s);
    *exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    for (unsigned i = 0; i < n; i++) {
        atoll_free(argv[i]);
    }
    return code;
}

static int run(struct call *call)
{
    json_t *j = call->json ? atoll_json_answer("power") : NULL;
    struct session s = {0};
    int exit_code = 0;
    int code = execute(call, &s, &exit_code);
    code = save(call, &s, code);
    code = code ? code : show(call, &s, j);
    atoll_meter_close(&s.meter);
    if (j != NULL) {
        json_object_set_new(j, "command_exit", json_integer(exit_code));
    }
    if (code == 0 && exit_code != 0) {
        code = atoll_fail(&call->err, ATOLL_ENO, "the command ended with %d", exit_code);
    }
    return answer(call, j, code);
}

/* --------------------------------------------------------------------- replay */

/* A recording that was cut (cable, disk, power) ends at its last scan. */
static int mark_cut(struct call *call, struct session *s)
{
    const int32_t n = atoll_meter_markers(s->meter);
    uint64_t first_ns = 0;
    uint64_t last_ns = 0;
    if (n >= 2) {
        return 0;
    }
    int code = n == 1 ? atoll_meter_range(s->meter, &first_ns, &last_ns, &call->err) : ATOLL_EINPUT;
    if (code == 0) {
        const int32_t made = atoll_meter_mark(s->meter, last_ns, "cut", &call->err);
        code = made < 0 ? ATOLL_EINPUT : 0;
    }
    if (code) {
        return atoll_fail(&call->err, ATOLL_EINPUT,
                          "%s: holds %d markers, an energy needs two (was the recording cut?)",
                          call->operands[0], (int)n);
    }
    (void)fprintf(stderr, "%s: was cut; the energy ends at its last scan\n", call->operands[0]);
    return 0;
}

static int find_marker(struct call *call, const struct session *s, const char *label, int32_t *at)
{
    uint64_t t_ns = 0;
    const char *have = NULL;
    for (int32_t i = 0; i < atoll_meter_markers(s->meter); i++) {
        if (atoll_meter_marker(s->meter, i, &t_ns, &have, NULL) == 0 && strcmp(have, label) == 0) {
            *at = i;
            return 0;
        }
    }
    return atoll_fail(&call->err, ATOLL_EINPUT, "%s: holds no marker '%s'", call->operands[0],
                      label);
}

static int replay(struct call *call)
{
    const struct power_opts *o = call->opts;
    struct session s = {0};
    char spec[4200];
    if (strlen(call->operands[0]) > 4096) {
        return atoll_fail(&call->err, ATOLL_EUSAGE, "the file's name is too long");
    }
    const bool named = strncmp(call->operands[0], "csv:", 4) == 0 ||
                       strncmp(call->operands[0], "ps3dump:", 8) == 0 ||
                       strncmp(call->operands[0], "replay:", 7) == 0;
    (void)snprintf(spec, sizeof spec, "%s%s", named ? "" : "replay:", call->operands[0]);
    int code = power_open(call, spec, 0, o->csv != NULL, o->calibration, &s.meter);
    s.from_ns = UINT64_C(1000000000000); /* any time: a recording is moved to where it is played */
    code = code ? code : atoll_meter_start(s.meter, s.from_ns, &call->err);
    code = code ? code : atoll_meter_stop(s.meter, s.from_ns, &call->err);
    code = code ? code : mark_cut(call, &s);
    s.to = code ? 0 : atoll_meter_markers(s.meter) - 1;
    code = code || o->from == NULL ? code : find_marker(call, &s, o->from, &s.from);
    code = code || o->to == NULL ? code : find_marker(call, &s, o->to, &s.to);
    json_t *j = call->json ? atoll_json_answer("power") : NULL;
    code = code ? code : save(call, &s, 0);
    code = code ? code : show(call, &s, j);
    atoll_meter_close(&s.meter);
    return answer(call, j, code);
}

/* --------------------------------------------------------------------- tables */

#define CALIBRATION_OPT                                                                            \
    {                                                                                              \
        .long_name = "calibration", .type = OPT_TEXT,                                              \
        .offset = offsetof(struct power_opts, calibration), .argument = "FILE",                    \
        .help = "Use the calibrations of this file (atoll power calibrate --output)"               \
    }

static const struct opt record_table[] = {POWER_METER_OPT(struct power_opts),
                                          POWER_RATE_OPT(struct power_opts),
                                          CALIBRATION_OPT,
                                          {.short_name = 's',
                                           .long_name = "seconds",
                                           .type = OPT_REAL,
                                           .offset = offsetof(struct power_opts, seconds),
                                           .argument = "S",
                                           .help = "How long",
                                           .fallback = "until interrupted",
                                           .low = 0.01,
                                           .high = 1e7},
                                          RECORD_OPTS,
                                          {.long_name = NULL}};
static const struct opt run_table[] = {POWER_METER_OPT(struct power_opts),
                                       POWER_RATE_OPT(struct power_opts),
                                       CALIBRATION_OPT,
                                       RECORD_OPTS,
                                       {.long_name = NULL}};
static const struct opt test_table[] = {POWER_METER_OPT(struct power_opts),
                                        POWER_RATE_OPT(struct power_opts),
                                        CALIBRATION_OPT,
                                        {.short_name = 's',
                                         .long_name = "seconds",
                                         .type = OPT_REAL,
                                         .offset = offsetof(struct power_opts, seconds),
                                         .argument = "S",
                                         .help = "How long",
                                         .fallback = "3",
                                         .low = 0.5,
                                         .high = 1000},
                                        {.long_name = NULL}};
static const struct opt replay_table[] = {{.long_name = "csv",
                                           .type = OPT_TEXT,
                                           .offset = offsetof(struct power_opts, csv),
                                           .argument = "FILE.csv",
                                           .help = "Write time and watts of each scan"},
                                          CALIBRATION_OPT,
                                          {.long_name = "from",
                                           .type = OPT_TEXT,
                                           .offset = offsetof(struct power_opts, from),
                                           .argument = "LABEL",
                                           .help = "Marker to begin at",
                                           .fallback = "the first"},
                                          {.long_name = "to",
                                           .type = OPT_TEXT,
                                           .offset = offsetof(struct power_opts, to),
                                           .argument = "LABEL",
                                           .help = "Marker to end at",
                                           .fallback = "the last"},
                                          {.long_name = NULL}};

const struct command cmd_power_record = {
    .name = "power record",
    .operands = "",
    .summary = "Measure power and record it, with watts per rail shown live",
    .text = "Exit code 1: scans are missing. What was recorded is kept whatever happens.",
    .example = "atoll power record --seconds 10 --output idle.power",
    .opts = record_table,
    .defaults = &record_defaults,
    .opts_bytes = sizeof(struct power_opts),
    .run = record,
};
const struct command cmd_power_run = {
    .name = "power run",
    .operands = "-- COMMAND [ARGUMENT]...",
    .summary = "Energy of a command, with its 95 % uncertainty",
    .text = "Exit code 1: the command failed, or scans are missing in its time.",
    .example = "atoll power run -- sleep 2",
    .opts = run_table,
    .defaults = &defaults,
    .opts_bytes = sizeof(struct power_opts),
    .operands_min = 1,
    .operands_max = 255,
    .run = run,
};
const struct command cmd_power_test = {
    .name = "power test",
    .operands = "",
    .summary = "The meter's own test, item by item, and whether all scans come in time",
    .text = "Exit code 1: an item failed, or scans are missing.",
    .example = "atoll power test --meter serial:/dev/ttyACM0",
    .opts = test_table,
    .defaults = &defaults,
    .opts_bytes = sizeof(struct power_opts),
    .run = test,
};
const struct command cmd_power_replay = {
    .name = "power replay",
    .operands = "FILE",
    .summary = "Energy between two markers of a recording",
    .text = "FILE is a recording of atoll's, csv:FILE a table of power, ps3dump:FILE a dump of "
            "PowerSensor3.\nMarkers are those of the host, and the edges at the meter's marker "
            "input (\"rising "
            "edge 0\", ...).",
    .example = "atoll power replay idle.power",
    .opts = replay_table,
    .defaults = &defaults,
    .opts_bytes = sizeof(struct power_opts),
    .operands_min = 1,
    .operands_max = 1,
    .run = replay,
};
