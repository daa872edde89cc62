/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the counters of a host in a thread of its own, at even times, so that what is measured does
 * not depend on when somebody asks. */
#include "frames.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct power_polled {
    uint64_t t_ns;
    double values[ATOLL_METER_RAILS_MAX];
};

enum { QUEUE_MAX = 1 << 20, SILENCE_MS = 2000 };

void atoll__power_poll_init(struct power_poll *p, uint32_t n, bool counters, double rate_hz)
{
    p->period_ns = (uint64_t)(1e9 / rate_hz);
    atoll__power_cells_init(&p->cells, n, counters, rate_hz);
    (void)pthread_mutex_init(&p->lock, NULL);
}

static bool keep(struct power_poll *p, uint64_t t_ns, const double *values,
                 const struct atoll_err *failed)
{
    (void)pthread_mutex_lock(&p->lock);
    void *queue = p->queue;
    if (failed->code != 0) {
        p->failed = *failed;
    } else if (p->n_queue >= QUEUE_MAX ||
               atoll_grow(&queue, &p->queue_capacity, p->n_queue + 1, sizeof *p->queue) != 0) {
        (void)atoll_fail_nomem(&p->failed, "values that nobody took", sizeof *p->queue);
    } else {
        p->queue = queue;
        struct power_polled *q = &p->queue[p->n_queue++];
        q->t_ns = t_ns;
        memcpy(q->values, values, p->cells.n * sizeof *values);
    }
    const bool go_on = !p->stop_asked && p->failed.code == 0;
    (void)pthread_mutex_unlock(&p->lock);
    return go_on;
}

static void *poll_values(void *arg)
{
    struct power_poll *p = arg;
    uint64_t due_ns = atoll_now_ns();
    for (;;) {
        double values[ATOLL_METER_RAILS_MAX];
        struct atoll_err failed = {0};
        const uint64_t before_ns = atoll_now_ns();
        (void)p->read(p->source, values, &failed);
        const uint64_t after_ns = atoll_now_ns();
        if (!keep(p, before_ns + (after_ns - before_ns) / 2, values, &failed)) {
            return NULL;
        }
        due_ns += p->period_ns;
        if (due_ns < after_ns) { /* late: no use in catching up */
            due_ns = after_ns;
        }
        const uint64_t wait_ns = due_ns - after_ns;
        const struct timespec t = {.tv_sec = (time_t)(wait_ns / 1000000000),
                                   .tv_nsec = (long)(wait_ns % 1000000000)};
        (void)nanosleep(&t, NULL);
    }
}

int atoll__power_poll_advance(struct power_poll *p, struct atoll_meter *m, struct atoll_err *err)
{
    (void)pthread_mutex_lock(&p->lock);
    struct power_polled *queue = p->queue;
    const size_t n = p->n_queue;
    const struct atoll_err failed = p->failed;
    p->queue = NULL;
    p->n_queue = p->queue_capacity = 0;
    (void)pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < n; i++) {
        atoll__power_cells_add(&p->cells, m, queue[i].t_ns, queue[i].values);
    }
    atoll_free(queue);
    atoll__power_cells_flush(&p->cells, m);
    return failed.code != 0 ? atoll_fail(err, failed.code, "%s", failed.text) : 0;
}

/* Until `scans` scans are there. */
static int wait_for(struct power_poll *p, struct atoll_meter *m, double scans,
                    struct atoll_err *err)
{
    int rc = atoll__power_poll_advance(p, m, err);
    const uint64_t patience_ns =
        (uint64_t)SILENCE_MS * 1000000 + 2 * (uint64_t)m->half_window * 2 * p->period_ns;
    const uint64_t end_ns = atoll_now_ns() + patience_ns;
    while (rc == 0 && (m->first == UINT64_MAX || (double)m->next < scans)) {
        const struct timespec t = {.tv_nsec = 2000000};
        if (atoll_now_ns() > end_ns) {
            return atoll_fail(err, ATOLL_EDEVICE, "meter %s: gives no values", m->driver->name);
        }
        (void)nanosleep(&t, NULL);
        rc = atoll__power_poll_advance(p, m, err);
    }
    return rc;
}

int atoll__power_poll_start(struct power_poll *p, struct atoll_meter *m, uint64_t t_ns,
                            struct atoll_err *err)
{
    if (atoll_now_ns() - t_ns > UINT64_C(60000000000)) {
        return atoll_fail(err, ATOLL_EUSAGE,
                          "meter %s: measures in real time; a simulated device runs in its own "
                          "(use the synth meter)",
                          m->driver->name);
    }
    m->map.latency_ns = floor(p->latency_ns); /* whole: a recording keeps it */
    m->map.u_latency_ns = floor(p->u_latency_ns);
    if (pthread_create(&p->thread, NULL, poll_values, p) != 0) {
        return atoll_fail(err, ATOLL_ENOMEM, "meter %s: no thread to read it", m->driver->name);
    }
    p->running = true;
    return wait_for(p, m, 2.0 * m->half_window, err);
}

static void end_thread(struct power_poll *p)
{
    if (p->running) {
        (void)pthread_mutex_lock(&p->lock);
        p->stop_asked = true;
        (void)pthread_mutex_unlock(&p->lock);
        (void)pthread_join(p->thread, NULL);
        p->running = false;
    }
}

int atoll__power_poll_stop(struct power_poll *p, struct atoll_meter *m, uint64_t t_ns,
                           uint32_t scans, struct atoll_err *err)
{
    const int rc = wait_for(p, m, atoll__power_node(m, t_ns) + scans, err);
    end_thread(p);
    return rc;
}

void atoll__power_poll_finish(struct power_poll *p)
{
    end_thread(p);
    (void)pthread_mutex_destroy(&p->lock);
    atoll_free(p->queue);
}

/* ------------------------------------------------------------------ small files */

bool atoll__power_read_line(const char *path, char *out, size_t n)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t got = fd >= 0 ? read(fd, out, n - 1) : -1;
    if (fd >= 0) {
        const int why = errno;
        (void)close(fd);
        errno = why;
    }
    if (got < 0) {
        return false;
    }
    out[got] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
    return true;
}

int atoll__power_read_number(const char *path, double *out, struct atoll_err *err)
{
    char text[40];
    errno = 0;
    for (int tries = 0; tries < 3; tries++) {
        if (!atoll__power_read_line(path, text, sizeof text)) {
            const char *help = errno == EACCES || errno == EPERM
                                   ? " (only root may read it: sudo chmod a+r on that file, or a "
                                     "udev rule, docs/power-testbed.md)"
                                   : "";
            return atoll_fail(err, ATOLL_EDEVICE, "%s: cannot be read: %s%s", path,
                              errno != 0 ? strerror(errno) : "empty", help);
        }
        if (atoll_parse_double(text, out)) {
            return 0;
        }
    }
    return atoll_fail(err, ATOLL_EDEVICE, "%s: holds '%.30s' (expected a number)", path, text);
}
