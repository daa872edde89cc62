/* SPDX-License-Identifier: Apache-2.0 */
#include "qemu_sim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { MARKER_LINE = 6, START_S = 20 }; /* PA6: QEMU 7.2 connects port A only */

static void pause_ms(long ms)
{
    const struct timespec t = {.tv_nsec = ms * 1000000};
    (void)nanosleep(&t, NULL);
}

static _Noreturn void become_qemu(const struct qemu *q, const char *elf, int out)
{
    char qtest[128];
    char monitor[128];
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(out, STDOUT_FILENO);
    (void)snprintf(qtest, sizeof qtest, "unix:%s/qtest,server=on,wait=off", q->directory);
    (void)snprintf(monitor, sizeof monitor, "unix:%s/monitor,server=on,wait=off", q->directory);
    (void)execlp("qemu-system-arm", "qemu-system-arm", "-machine", "netduinoplus2", "-accel", "tcg",
                 "-display", "none", "-kernel", elf, "-chardev", "pty,id=line", "-serial", "null",
                 "-serial", "chardev:line", "-qtest", qtest, "-qtest-log", "none", "-monitor",
                 monitor, (char *)NULL);
    _exit(127);
}

/* "char device redirected to /dev/pts/3 (label line)" */
static bool read_path(struct qemu *q, int from)
{
    char text[256] = "";
    size_t n = 0;
    struct pollfd wait = {.fd = from, .events = POLLIN};
    while (n < sizeof text - 1 && strchr(text, '\n') == NULL) {
        if (poll(&wait, 1, START_S * 1000) <= 0) {
            return false;
        }
        const ssize_t got = read(from, text + n, sizeof text - 1 - n);
        if (got <= 0) {
            return false;
        }
        n += (size_t)got;
        text[n] = '\0';
    }
    const char *at = strstr(text, "/dev/");
    const size_t length = at != NULL ? strcspn(at, " \n") : 0;
    if (length == 0 || length >= sizeof q->line) {
        return false;
    }
    memcpy(q->line, at, length);
    return true;
}

static int connect_to(const struct qemu *q, const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s/%s", q->directory, name);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    for (int i = 0; fd >= 0 && i < 100; i++) {
        if (connect(fd, (const struct sockaddr *)&a, sizeof a) == 0) {
            return fd;
        }
        pause_ms(50);
    }
    return fd;
}

bool qemu_open(struct qemu *q, const char *elf)
{
    int out[2];
    *q = (struct qemu){.fd = -1, .qtest = -1, .monitor = -1, .directory = "/tmp/atoll-qemu-XXXXXX"};
    if (mkdtemp(q->directory) == NULL || pipe2(out, O_CLOEXEC) != 0) {
        return false;
    }
    q->pid = fork();
    if (q->pid == 0) {
        become_qemu(q, elf, out[1]);
    }
    (void)close(out[1]);
    const bool started = q->pid > 0 && read_path(q, out[0]);
    (void)close(out[0]);
    struct termios t;
    q->fd = started ? open(q->line, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC) : -1;
    if (q->fd < 0 || tcgetattr(q->fd, &t) != 0) {
        (void)fprintf(stderr, "qemu-system-arm does not start\n");
        return false;
    }
    cfmakeraw(&t);
    (void)tcsetattr(q->fd, TCSANOW, &t);
    q->qtest = connect_to(q, "qtest");
    q->monitor = connect_to(q, "monitor");
    pause_ms(100);
    return q->qtest >= 0 && q->monitor >= 0;
}

void qemu_close(struct qemu *q)
{
    char path[128];
    if (q->pid > 0) {
        (void)kill(q->pid, SIGKILL);
        (void)waitpid(q->pid, NULL, 0);
    }
    const int fds[] = {q->fd, q->qtest, q->monitor};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    (void)snprintf(path, sizeof path, "%s/qtest", q->directory);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/monitor", q->directory);
    (void)unlink(path);
    (void)rmdir(q->directory);
}

void qemu_write(struct qemu *q, const uint8_t *bytes, size_t n)
{
    struct pollfd wait = {.fd = q->fd, .events = POLLOUT};
    for (size_t at = 0; at < n;) {
        const ssize_t put = write(q->fd, bytes + at, n - at);
        if (put > 0) {
            at += (size_t)put;
        } else if (poll(&wait, 1, 2000) <= 0) {
            return;
        }
    }
}

void qemu_send(struct qemu *q, struct atoll_wire_frame f)
{
    uint8_t bytes[ATOLL_WIRE_FRAME_MAX];
    f.seq = q->seq++;
    qemu_write(q, bytes, atoll_wire_encode(&f, bytes));
}

bool qemu_frame(struct qemu *q, int timeout_ms, struct atoll_wire_frame *f)
{
    for (;;) {
        while (q->at < q->n) {
            bool got = false;
            q->at += atoll_wire_decode(&q->decoder, q->bytes + q->at, q->n - q->at, f, &got);
            if (got) {
                return true;
            }
        }
        struct pollfd wait = {.fd = q->fd, .events = POLLIN};
        if (poll(&wait, 1, timeout_ms) <= 0) {
            return false;
        }
        const ssize_t n = read(q->fd, q->bytes, sizeof q->bytes);
        if (n <= 0 && errno != EAGAIN) {
            return false;
        }
        q->at = 0;
        q->n = n > 0 ? (size_t)n : 0;
    }
}

/* A command line, and its answer thrown away. */
static void say(int fd, const char *text)
{
    char answer[4096];
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    (void)!write(fd, text, strlen(text));
    if (poll(&wait, 1, 2000) > 0) {
        (void)!read(fd, answer, sizeof answer);
    }
}

void qemu_pin(struct qemu *q, bool level)
{
    char text[128];
    (void)snprintf(text, sizeof text,
                   "set_irq_in /machine/unattached/device[0]/syscfg unnamed-gpio-in %d %d\n",
                   MARKER_LINE, level);
    say(q->qtest, text);
}

void qemu_reset(struct qemu *q)
{
    say(q->monitor, "system_reset\n");
}
