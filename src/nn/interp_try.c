/* SPDX-License-Identifier: Apache-2.0 */
/* A trial of a model in a child process. The checks in front of the runtime are made for the
 * crashes that are known; a file from elsewhere may know another one. A crash, or an inference
 * without end, then takes the child and leaves a sentence. */
#include "nn_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIAL_MS 120000

/* What the child tells: nothing at all when it crashed. */
struct told {
    int code;
    struct atoll_err err;
};

static int try_here(const struct atoll_runtime *rt, const struct atoll_model *m,
                    const struct atoll_interp_opts *o, struct atoll_err *err)
{
    struct atoll_interp *it = NULL;
    uint32_t n = 0;
    int rc = atoll_interp_open(rt, m, o, &it, err);
    if (rc != 0) {
        return rc;
    }
    const struct atoll_interp_tensor *in = atoll_interp_inputs(it, &n);
    for (uint32_t i = 0; i < n; i++) {
        memset(in[i].data, 0, in[i].bytes);
    }
    rc = atoll_interp_invoke(it, err);
    atoll_interp_close(&it);
    return rc;
}

static _Noreturn void be_child(int to, const struct atoll_runtime *rt, const struct atoll_model *m,
                               const struct atoll_interp_opts *o)
{
    static const int deadly[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    struct told t = {0};
    const int nowhere = open("/dev/null", O_WRONLY);
    if (nowhere >= 0) { /* the runtime's own words, which the real run will say again */
        (void)dup2(nowhere, STDOUT_FILENO);
        (void)dup2(nowhere, STDERR_FILENO);
    }
    for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++) {
        (void)signal(deadly[i], SIG_DFL);
    }
    t.code = try_here(rt, m, o, &t.err);
    (void)!write(to, &t, sizeof t);
    _exit(0);
}

/* Waits for the child's answer; false: none, it is dead. *late: it took too long. */
static bool listen_to(int from, struct told *t, bool *late)
{
    const uint64_t end_ns = atoll_now_ns() + TRIAL_MS * UINT64_C(1000000);
    size_t n = 0;
    for (;;) {
        const uint64_t now_ns = atoll_now_ns();
        struct pollfd p = {.fd = from, .events = POLLIN};
        const int left_ms = now_ns < end_ns ? (int)((end_ns - now_ns) / 1000000) + 1 : 0;
        const int ready = poll(&p, 1, left_ms);
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        if (ready <= 0) {
            *late = true;
            return false;
        }
        const ssize_t got = read(from, (char *)t + n, sizeof *t - n);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        n += (size_t)got;
        if (n == sizeof *t) {
            return true;
        }
    }
}

int atoll_interp_try(const struct atoll_runtime *rt, const struct atoll_model *m,
                     const struct atoll_interp_opts *opts, struct atoll_err *err)
{
    int rc = atoll_runtime_check(m, err);
    int ends[2];
    if (rc != 0) {
        return rc;
    }
    if (pipe(ends) != 0) {
        return atoll_fail(err, ATOLL_EIO, "a pipe for a trial of %s: %s", m->path, strerror(errno));
    }
    const pid_t child = fork();
    if (child == 0) {
        (void)close(ends[0]);
        be_child(ends[1], rt, m, opts);
    }
    (void)close(ends[1]);
    if (child < 0) {
        rc =
            atoll_fail(err, ATOLL_EIO, "a process for a trial of %s: %s", m->path, strerror(errno));
        (void)close(ends[0]);
        return rc;
    }
    struct told t = {0};
    bool late = false;
    const bool heard = listen_to(ends[0], &t, &late);
    int status = 0;
    (void)close(ends[0]);
    if (!heard) {
        (void)kill(child, SIGKILL); /* ours alone: it has not been waited for */
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (heard) {
        if (t.code != 0 && err != NULL) {
            *err = t.err;
        }
        return t.code;
    }
    if (late) {
        return atoll_fail(err, ATOLL_EINPUT,
                          "%s: the runtime came to no end with it in %d s (a trial in a process of "
                          "its own)",
                          m->path, TRIAL_MS / 1000);
    }
    return atoll_fail(err, ATOLL_EINPUT,
                      "%s: the runtime crashes on it (%s, in a trial in a process of its own)",
                      m->path, WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "it ended");
}
