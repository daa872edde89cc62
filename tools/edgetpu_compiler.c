/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs edgetpu_compiler in a directory of its own beside the cache. The directory becomes the cache
 * entry by one rename, so an entry is complete or not there.
 */
#include "edgetpu_compiler.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { PATH_BYTES = 1024 };

struct job {
    const struct compiler_request *q;
    char cache[PATH_BYTES - 256], work[PATH_BYTES - 128], entry[PATH_BYTES - 128];
    char key[65];
};

void compiler_output(char name[512], const char *stem, uint32_t i, uint32_t n)
{
    if (n == 1) {
        (void)snprintf(name, 512, "%.400s_edgetpu.tflite", stem);
    } else {
        (void)snprintf(name, 512, "%.400s_segment_%u_of_%u_edgetpu.tflite", stem, i, n);
    }
}

/* ------------------------------------------------------------------ the process */

static int start(const char *const *argv, const char *log, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    int failed = posix_spawn_file_actions_init(&files);
    if (failed) {
        return failed;
    }
    failed = posix_spawnattr_init(&how);
    if (failed) {
        posix_spawn_file_actions_destroy(&files);
        return failed;
    }
    /* A group of its own: the installed compiler is a script, whose child must end with it. */
    failed = posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP);
    failed =
        failed ? failed : posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    failed = failed ? failed
                    : posix_spawn_file_actions_addopen(&files, 1, log, O_WRONLY | O_CREAT | O_TRUNC,
                                                       0666);
    failed = failed ? failed : posix_spawn_file_actions_adddup2(&files, 1, 2);
    failed =
        failed ? failed
               : posix_spawnp(pid, argv[0], &files, &how, (char *const *)(uintptr_t)argv, environ);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return failed;
}

/* False when the time was over; then the group is killed. */
static bool wait_for(pid_t pid, uint64_t limit_ns, int *status)
{
    const uint64_t begin = atoll_now_ns();
    const struct timespec nap = {.tv_nsec = 10 * 1000 * 1000};
    for (;;) {
        const pid_t ended = waitpid(pid, status, WNOHANG);
        if (ended == pid || (ended < 0 && errno != EINTR)) {
            return true;
        }
        if (atoll_now_ns() - begin > limit_ns) {
            (void)kill(-pid, SIGKILL);
            (void)waitpid(pid, status, 0);
            return false;
        }
        (void)nanosleep(&nap, NULL);
    }
}

static char *read_text(const char *path)
{
    struct atoll_map map = {0};
    struct atoll_buf b = {0};
    struct atoll_err ignored = {0};
    if (atoll_map_open(path, &map, &ignored) == 0) {
        atoll_buf_append(&b, map.data, map.size);
        atoll_map_close(&map);
    }
    atoll_buf_append(&b, "", 1);
    return atoll_buf_take(&b, NULL);
}

static int call_compiler(const char *const *argv, const char *log_path, uint32_t timeout_s,
                         int *status, bool *in_time, char **log, struct atoll_err *err)
{
    pid_t pid = 0;
    const int failed = start(argv, log_path, &pid);
    if (failed) {
        return atoll_fail(
            err, ATOLL_EDEVICE,
            "edgetpu_compiler: %s (x86-64 Linux only; --estimate computes its report without it)",
            strerror(failed));
    }
    *in_time = wait_for(pid, (uint64_t)timeout_s * 1000000000U, status);
    *log = read_text(log_path);
    return *log ? 0 : atoll_fail_nomem(err, "the log of the compiler", 0);
}

/* --------------------------------------------------------------- the directories */

static int make_dirs(const char *path, struct atoll_err *err)
{
    char part[PATH_BYTES];
    (void)snprintf(part, sizeof part, "%s", path);
    for (char *at = part + 1;; at++) {
        if (*at == '/' || *at == '\0') {
            const char was = *at;
            *at = '\0';
            if (mkdir(part, 0777) && errno != EEXIST) {
                return atoll_fail(err, ATOLL_EIO, "%s: cannot make the directory: %s", part,
                                  strerror(errno));
            }
            *at = was;
            if (was == '\0') {
                return 0;
            }
        }
    }
}

/* The directory of one run holds plain files only. */
static void remove_dir(const char *path)
{
    DIR *d = opendir(path);
    for (struct dirent *f = d ? readdir(d) : NULL; f; f = readdir(d)) {
        char file[PATH_BYTES + 256];
        (void)snprintf(file, sizeof file, "%s/%s", path, f->d_name);
        if (f->d_name[0] != '.') {
            (void)unlink(file);
        }
    }
    if (d) {
        (void)closedir(d);
    }
    (void)rmdir(path);
}

static int open_cache(struct job *j, struct atoll_err *err)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    const size_t cap = sizeof j->cache;
    int n = j->q->cache_dir ? snprintf(j->cache, cap, "%s", j->q->cache_dir)
            : xdg && *xdg   ? snprintf(j->cache, cap, "%s/atoll/compiled", xdg)
            : home && *home ? snprintf(j->cache, cap, "%s/.cache/atoll/compiled", home)
                            : snprintf(j->cache, cap, "/tmp/atoll-compiled");
    if (n < 1 || (size_t)n >= cap) {
        return atoll_fail(err, ATOLL_EUSAGE, "the path of the cache: found %d bytes, at most %zu",
                          n, cap - 1);
    }
    const int code = make_dirs(j->cache, err);
    (void)snprintf(j->work, sizeof j->work, "%s/work-XXXXXX", j->cache);
    if (code == 0 && !mkdtemp(j->work)) {
        return atoll_fail(err, ATOLL_EIO, "%s: cannot make a directory: %s", j->work,
                          strerror(errno));
    }
    return code;
}

/* What decides the result: the model, the compiler, the number of segments. */
static int make_key(struct job *j, const char *version, struct atoll_err *err)
{
    char sha256[65];
    struct atoll_buf b = {0};
    int code = atoll_model_sha256(j->q->model, sha256, err);
    atoll_buf_printf(&b, "%s\n%s\n%u\n", sha256, version, j->q->segments);
    if (code == 0 && b.failed) {
        code = atoll_fail_nomem(err, "a key", b.size);
    }
    if (code == 0) {
        atoll_sha256_hex(b.data, b.size, j->key);
        (void)snprintf(j->entry, sizeof j->entry, "%s/%s", j->cache, j->key);
    }
    atoll_buf_finish(&b);
    return code;
}

/* ----------------------------------------------------------------- one compilation */

/* First line of `edgetpu_compiler --version`. */
static int ask_version(struct job *j, char version[128], struct atoll_err *err)
{
    static const char *const argv[] = {"edgetpu_compiler", "--version", NULL};
    char path[PATH_BYTES], *text = NULL;
    int status = 0;
    bool in_time = false;
    (void)snprintf(path, sizeof path, "%s/version", j->work);
    const int code = call_compiler(argv, path, j->q->timeout_s, &status, &in_time, &text, err);
    if (code == 0) {
        (void)snprintf(version, 128, "%.*s", (int)strcspn(text, "\r\n"), text);
    }
    (void)unlink(path);
    atoll_free(text);
    return code;
}

/* Only what it left counts: it has ended with 0 and nothing written. */
static int check_outputs(const struct job *j, struct atoll_err *err)
{
    int code = 0;
    for (uint32_t i = 0; i < j->q->segments && code == 0; i++) {
        char name[512], path[PATH_BYTES + 512];
        struct atoll_model *m = NULL;
        compiler_output(name, COMPILER_STEM, i, j->q->segments);
        (void)snprintf(path, sizeof path, "%s/%s", j->work, name);
        code = atoll_model_open(path, &m, err);
        atoll_model_close(&m);
    }
    return code;
}

/* Keeps the log of a failure where the sentence says. */
static int explain(const struct job *j, const struct compiler_result *r, int status, bool in_time,
                   const struct compiler_failure *f, const char *missing, struct atoll_err *err)
{
    char from[PATH_BYTES], kept[PATH_BYTES], how[96];
    (void)snprintf(from, sizeof from, "%s/log", j->work);
    (void)snprintf(kept, sizeof kept, "%s/failed-%.16s.log", j->cache, j->key);
    (void)rename(from, kept);
    if (!in_time) {
        (void)snprintf(how, sizeof how, "stopped after %u s", j->q->timeout_s);
    } else if (WIFSIGNALED(status)) {
        (void)snprintf(how, sizeof how, "crashed with signal %d", WTERMSIG(status));
    } else if (WEXITSTATUS(status) == 0) {
        (void)snprintf(how, sizeof how, "ended without its output");
    } else {
        (void)snprintf(how, sizeof how, "failed with status %d", WEXITSTATUS(status));
    }
    return atoll_fail(err, f ? f->code : ATOLL_EDEVICE,
                      "edgetpu_compiler %s in attempt %u of %u: %s%s%s; its log: %s", how,
                      r->attempts, j->q->attempts, f ? f->what : missing, f ? "; " : "",
                      f ? f->helps : "", kept);
}

static int compile_once(struct job *j, struct compiler_result *r, bool *again,
                        struct atoll_err *err)
{
    char model[PATH_BYTES], log[PATH_BYTES], segments[48], timeout[24];
    int status = 0;
    bool in_time = false;
    (void)snprintf(model, sizeof model, "%s/" COMPILER_STEM ".tflite", j->work);
    (void)snprintf(log, sizeof log, "%s/log", j->work);
    (void)snprintf(segments, sizeof segments, "--num_segments=%u", j->q->segments);
    (void)snprintf(timeout, sizeof timeout, "%u", j->q->timeout_s);
    const char *const argv[] = {"edgetpu_compiler",
                                "-s",
                                "-o",
                                j->work,
                                "-t",
                                timeout,
                                model,
                                j->q->segments > 1 ? segments : NULL,
                                NULL};
    atoll_free(r->log);
    r->log = NULL;
    r->attempts++;
    int code = call_compiler(argv, log, j->q->timeout_s, &status, &in_time, &r->log, err);
    if (code) {
        return code;
    }
    struct atoll_err missing = {0};
    if (in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
        check_outputs(j, &missing) == 0) {
        return 0;
    }
    const struct compiler_failure *f = compiler_failure_of(r->log);
    /* A crash and a silent end come and go as the internal error does. */
    *again = in_time && (f ? f->again : WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return explain(j, r, status, in_time, f, missing.text[0] ? missing.text : "no known reason",
                   err);
}

/* A file as it is; a network of the zoo is written. */
static int place_model(const struct job *j, const char *path, struct atoll_err *err)
{
    char *real = j->q->model->file_bytes ? realpath(j->q->model->path, NULL) : NULL;
    const bool linked = real && symlink(real, path) == 0;
    free(real); /* of realpath */
    return linked ? 0 : atoll_model_write(j->q->model, path, err);
}

static int compile(struct job *j, struct compiler_result *r, struct atoll_err *err)
{
    char model[PATH_BYTES];
    (void)snprintf(model, sizeof model, "%s/" COMPILER_STEM ".tflite", j->work);
    int code = place_model(j, model, err);
    bool again = code == 0;
    while (again) {
        again = false;
        code = compile_once(j, r, &again, err);
        again = code != 0 && again && r->attempts < j->q->attempts;
    }
    if (code == 0) {
        (void)unlink(model);
        if (rename(j->work, j->entry) && errno != EEXIST && errno != ENOTEMPTY) {
            return atoll_fail(err, ATOLL_EIO, "%s: cannot be renamed: %s", j->work,
                              strerror(errno));
        }
    }
    return code;
}

int compiler_run(const struct compiler_request *q, struct compiler_result *out,
                 struct atoll_err *err)
{
    struct job j = {.q = q};
    struct compiler_result r = {.log = NULL};
    int code = open_cache(&j, err);
    if (code) {
        return code;
    }
    code = ask_version(&j, r.version, err);
    code = code ? code : make_key(&j, r.version, err);
    if (code == 0 && access(j.entry, F_OK)) {
        code = compile(&j, &r, err);
    }
    if (code == 0) {
        char log[PATH_BYTES];
        (void)snprintf(log, sizeof log, "%s/log", j.entry);
        (void)snprintf(r.dir, sizeof r.dir, "%s", j.entry);
        atoll_free(r.log);
        r.log = read_text(log);
        code = r.log ? 0 : atoll_fail_nomem(err, "the log of the compiler", 0);
    }
    remove_dir(j.work);
    if (code) {
        atoll_free(r.log);
    } else {
        *out = r;
    }
    return code;
}
