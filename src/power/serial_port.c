/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The port by termios. A thread reads large blocks, since the kernel holds only some kilobytes, and
 * stamps them; whoever owns the meter takes them from the queue in its own thread. The same thread
 * writes PINGs, so that the answers are evenly spread.
 */
#include "serial_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 4096, PING_MS = 100 };
/* More than a minute of the fastest line that nobody took: the owner has stopped. */
static const size_t queue_max = 64u << 20;

static speed_t speed_of(uint32_t baud)
{
    static const struct {
        uint32_t baud;
        speed_t speed;
    } speeds[] = {{115200, B115200},   {230400, B230400},   {500000, B500000},
                  {1000000, B1000000}, {2000000, B2000000}, {4000000, B4000000}};
    for (size_t i = 0; i < sizeof speeds / sizeof speeds[0]; i++) {
        if (speeds[i].baud == baud) {
            return speeds[i].speed;
        }
    }
    return B0;
}

static int fail_open(const struct serial_port *p, struct atoll_err *err)
{
    const char *help = errno == EACCES ? " (is your user in the group dialout?)"
                       : errno == ENOENT
                           ? " (is the meter plugged in? ls /dev/ttyACM* /dev/ttyUSB*)"
                       : errno == EWOULDBLOCK || errno == EBUSY ? " (another program uses it)"
                                                                : "";
    return atoll_fail(err, ATOLL_EDEVICE, "meter %s: cannot be opened: %s%s", p->path,
                      strerror(errno), help);
}

static int configure(const struct serial_port *p, struct atoll_err *err)
{
    struct termios t;
    const speed_t speed = speed_of(p->baud);
    if (speed == B0) {
        return atoll_fail(err, ATOLL_EUSAGE,
                          "meter serial: baud=%u (known: 115200, 230400, 500000, 1000000, 2000000, "
                          "4000000)",
                          p->baud);
    }
    if (tcgetattr(p->fd, &t) != 0) {
        return atoll_fail(err, ATOLL_EDEVICE, "meter %s: is no serial port: %s", p->path,
                          strerror(errno));
    }
    cfmakeraw(&t);
    t.c_cflag |= CLOCAL | CREAD;
    t.c_cflag &= ~(tcflag_t)(HUPCL | CSTOPB | CRTSCTS); /* HUPCL: closing would reset an Arduino */
    t.c_cc[VMIN] = 0;
    t.c_cc[VTIME] = 0;
    if (cfsetispeed(&t, speed) != 0 || cfsetospeed(&t, speed) != 0 ||
        tcsetattr(p->fd, TCSANOW, &t) != 0) {
        return atoll_fail(err, ATOLL_EDEVICE, "meter %s: cannot be set to %u baud: %s", p->path,
                          p->baud, strerror(errno));
    }
    (void)tcflush(p->fd, TCIOFLUSH);
    return 0;
}

/* ----------------------------------------------------------------- the reader */

static void put(uint8_t *to, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        to[i] = (uint8_t)(v >> (8 * i));
    }
}

static uint64_t get(const uint8_t *from, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++) {
        v |= (uint64_t)from[i] << (8 * i);
    }
    return v;
}

static void keep(struct serial_port *p, const uint8_t *bytes, size_t n, uint64_t arrival_ns)
{
    (void)pthread_mutex_lock(&p->lock);
    void *queue = p->queue;
    if (p->n_queue > queue_max ||
        atoll_grow(&queue, &p->queue_capacity, p->n_queue + 12 + n, 1) != 0) {
        p->failed = p->failed == 0 ? ENOMEM : p->failed;
    } else {
        p->queue = queue;
        put(p->queue + p->n_queue, arrival_ns, 8);
        put(p->queue + p->n_queue + 8, n, 4);
        memcpy(p->queue + p->n_queue + 12, bytes, n);
        p->n_queue += 12 + n;
        p->last_arrival_ns = arrival_ns;
    }
    (void)pthread_mutex_unlock(&p->lock);
}

static void fail_line(struct serial_port *p, int code)
{
    (void)pthread_mutex_lock(&p->lock);
    p->failed = p->failed == 0 ? code : p->failed;
    (void)pthread_mutex_unlock(&p->lock);
}

static void ping(struct serial_port *p)
{
    (void)pthread_mutex_lock(&p->lock);
    const bool wanted = p->ping;
    const uint16_t id = p->pings;
    if (wanted) {
        p->pings++;
        p->ping_ns[id % SERIAL_PINGS] = atoll_now_ns();
    }
    (void)pthread_mutex_unlock(&p->lock);
    if (wanted) {
        struct atoll_wire_frame f = {.type = ATOLL_WIRE_PING, .id = id};
        (void)atoll__serial_send(p, &f, NULL); /* a line that is gone shows when reading */
    }
}

static bool asked_to_stop(struct serial_port *p)
{
    (void)pthread_mutex_lock(&p->lock);
    const bool stop = p->stop_asked;
    (void)pthread_mutex_unlock(&p->lock);
    return stop;
}

static void *read_line(void *arg)
{
    struct serial_port *p = arg;
    uint8_t bytes[READ_BYTES];
    uint64_t pinged_ns = 0;
    while (!asked_to_stop(p)) {
        struct pollfd wait = {.fd = p->fd, .events = POLLIN};
        const int ready = poll(&wait, 1, PING_MS / 2);
        const uint64_t now_ns = atoll_now_ns();
        if (now_ns - pinged_ns > PING_MS * UINT64_C(1000000)) {
            pinged_ns = now_ns;
            ping(p);
        }
        if (ready <= 0) {
            continue;
        }
        const ssize_t n = read(p->fd, bytes, sizeof bytes);
        if (n > 0) {
            keep(p, bytes, (size_t)n, now_ns);
        } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
            fail_line(p, n == 0 ? -1 : errno);
            return NULL;
        }
    }
    return NULL;
}

/* ----------------------------------------------------------------------- life */

int atoll__serial_open(struct serial_port *p, struct atoll_err *err)
{
    p->fd = open(p->path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (p->fd < 0) {
        return fail_open(p, err);
    }
    int rc = flock(p->fd, LOCK_EX | LOCK_NB) != 0 ? fail_open(p, err) : configure(p, err);
    (void)pthread_mutex_init(&p->lock, NULL);
    if (rc == 0 && pthread_create(&p->thread, NULL, read_line, p) != 0) {
        rc = atoll_fail(err, ATOLL_ENOMEM, "meter %s: no thread to read it", p->path);
    }
    if (rc != 0) {
        (void)pthread_mutex_destroy(&p->lock);
        (void)close(p->fd);
        p->fd = -1;
        return rc;
    }
    p->reading = true;
    return 0;
}

void atoll__serial_close(struct serial_port *p)
{
    if (!p->reading) {
        return;
    }
    (void)pthread_mutex_lock(&p->lock);
    p->stop_asked = true;
    (void)pthread_mutex_unlock(&p->lock);
    (void)pthread_join(p->thread, NULL);
    (void)pthread_mutex_destroy(&p->lock);
    (void)close(p->fd);
    atoll_free(p->queue);
    p->reading = false;
}

int atoll__serial_send(struct serial_port *p, struct atoll_wire_frame *f, struct atoll_err *err)
{
    uint8_t bytes[ATOLL_WIRE_FRAME_MAX];
    (void)pthread_mutex_lock(&p->lock);
    f->seq = p->seq++;
    (void)pthread_mutex_unlock(&p->lock);
    return atoll__serial_write(p, bytes, atoll_wire_encode(f, bytes), err);
}

bool atoll__serial_present(char *detail, size_t n)
{
    glob_t found = {0};
    int rc = glob("/dev/ttyACM*", 0, NULL, &found);
    rc = glob("/dev/ttyUSB*", rc == 0 ? GLOB_APPEND : 0, NULL, &found) == 0 ? 0 : rc;
    const bool there = rc == 0 && found.gl_pathc > 0;
    if (there) {
        const bool free_to_use = access(found.gl_pathv[0], R_OK | W_OK) == 0;
        (void)snprintf(detail, n, "%zu ports that may be one: %.60s%s%s", (size_t)found.gl_pathc,
                       found.gl_pathv[0], found.gl_pathc > 1 ? ", ..." : "",
                       free_to_use ? "" : " (no permission: group dialout)");
    } else {
        (void)snprintf(detail, n, "no port is there (/dev/ttyACM*, /dev/ttyUSB*)");
    }
    globfree(&found);
    return there;
}

int atoll__serial_write(struct serial_port *p, const uint8_t *bytes, size_t n,
                        struct atoll_err *err)
{
    for (size_t at = 0; at < n;) {
        const ssize_t put_n = write(p->fd, bytes + at, n - at);
        struct pollfd wait = {.fd = p->fd, .events = POLLOUT};
        if (put_n > 0) {
            at += (size_t)put_n;
        } else if ((errno != EAGAIN && errno != EINTR) || poll(&wait, 1, 500) <= 0) {
            return atoll_fail(err, ATOLL_EDEVICE, "meter %s: cannot be written to: %s", p->path,
                              strerror(errno));
        }
    }
    return 0;
}

int atoll__serial_drain(struct serial_port *p,
                        void (*take)(void *ctx, const uint8_t *bytes, size_t n,
                                     uint64_t arrival_ns),
                        void *ctx, struct atoll_err *err)
{
    (void)pthread_mutex_lock(&p->lock);
    uint8_t *queue = p->queue;
    const size_t n = p->n_queue;
    const int failed = p->failed;
    p->queue = NULL;
    p->n_queue = p->queue_capacity = 0;
    (void)pthread_mutex_unlock(&p->lock);
    for (size_t at = 0; at < n;) {
        const size_t bytes = (size_t)get(queue + at + 8, 4);
        take(ctx, queue + at + 12, bytes, get(queue + at, 8));
        at += 12 + bytes;
    }
    atoll_free(queue);
    if (failed == 0) {
        return 0;
    }
    return atoll_fail(err, failed == ENOMEM ? ATOLL_ENOMEM : ATOLL_EDEVICE,
                      "meter %s: the line broke off: %s", p->path,
                      failed < 0 ? "closed (cable pulled?)" : strerror(failed));
}

void atoll__serial_pause(void)
{
    const struct timespec t = {.tv_nsec = 2000000};
    (void)nanosleep(&t, NULL);
}

int atoll__serial_now(const struct serial_port *p, uint64_t t_ns, struct atoll_err *err)
{
    if (atoll_now_ns() - t_ns > atoll__serial_ms(60000)) {
        return atoll_fail(err, ATOLL_EUSAGE,
                          "meter %s: measures in real time; a simulated device runs in its own "
                          "(use the synth meter)",
                          p->path);
    }
    return 0;
}

int atoll__serial_silent(const struct serial_port *p, uint64_t since_ns, struct atoll_err *err)
{
    enum { SILENCE_MS = 2000 };
    if (atoll_now_ns() - since_ns > atoll__serial_ms(SILENCE_MS)) {
        return atoll_fail(err, ATOLL_EDEVICE, "meter %s: has been silent for %d ms", p->path,
                          SILENCE_MS);
    }
    return 0;
}

int atoll__serial_wait(struct serial_port *p, struct atoll_meter *m, double scans,
                       int (*drain)(void *state, struct atoll_meter *m, struct atoll_err *err),
                       void *state, struct atoll_err *err)
{
    int rc = drain(state, m, err);
    uint64_t had = m->next;
    uint64_t since_ns = atoll_now_ns();
    while (rc == 0 && (m->first == UINT64_MAX || (double)m->next < scans)) {
        if (m->next != had) {
            had = m->next;
            since_ns = atoll_now_ns();
        }
        rc = atoll__serial_silent(p, since_ns, err);
        if (rc == 0) {
            atoll__serial_pause();
            rc = drain(state, m, err);
        }
    }
    return rc;
}
