/* SPDX-License-Identifier: Apache-2.0 */
#include "uno_pty.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double chance(struct uno_pty *p)
{
    p->random = p->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(p->random >> 11) / 9007199254740992.0;
}

/* Loses and flips what comes out, in place. */
static size_t harm(struct uno_pty *p, const struct uno_faults *f, uint8_t *bytes, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (chance(p) < f->loss) {
            continue;
        }
        const bool flip = chance(p) < f->flip;
        bytes[kept++] = (uint8_t)(bytes[i] ^ (flip ? 1u << (p->random >> 61) : 0u));
    }
    return kept;
}

static void forward(struct uno_pty *p, const struct uno_faults *f)
{
    uint8_t in[64];
    const ssize_t n = read(p->fd, in, sizeof in);
    if (n > 0) {
        uno_send_bytes(p->uno, in, (size_t)n);
    }
    if (p->uno->n_out > 0) {
        (void)!write(p->fd, p->uno->out, harm(p, f, p->uno->out, p->uno->n_out));
        p->uno->n_out = 0;
    }
}

/* Half a millisecond at a time, then waits for the clock on the wall. */
static void *live(void *arg)
{
    struct uno_pty *p = arg;
    double last_s = now_s();
    double due = 0; /* cycles that should have passed */
    for (;;) {
        const double at_s = now_s();
        (void)pthread_mutex_lock(&p->lock);
        const bool stop = p->stop;
        const struct uno_faults faults = p->faults;
        const bool reset = p->reset;
        p->reset = false;
        due += (at_s - last_s) * UNO_HZ * faults.clock;
        last_s = at_s;
        p->cycle = uno_now(p->uno);
        const double ahead_s = ((double)p->cycle - due) / UNO_HZ;
        p->worst_lag = -ahead_s > p->worst_lag ? -ahead_s : p->worst_lag;
        (void)pthread_mutex_unlock(&p->lock);
        if (stop) {
            return NULL;
        }
        if (reset) {
            uno_reset(p->uno);
        }
        if (ahead_s > 0) {
            const struct timespec t = {.tv_nsec = (long)(ahead_s * 1e9)};
            (void)nanosleep(&t, NULL);
        }
        (void)uno_run(p->uno, uno_now(p->uno) + UNO_HZ / 2000);
        if (p->fd >= 0) {
            forward(p, &faults);
        }
    }
}

bool uno_pty_start(struct uno_pty *p, const char *elf, uint32_t baud, uno_wave_fn wave, void *ctx)
{
    *p = (struct uno_pty){.fd = -1, .held = -1, .faults = {.clock = 1}, .random = 1};
    p->uno = uno_open(elf, baud, wave, ctx);
    p->fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (p->uno == NULL || p->fd < 0 || grantpt(p->fd) != 0 || unlockpt(p->fd) != 0 ||
        ptsname_r(p->fd, p->path, sizeof p->path) != 0) {
        return false;
    }
    p->held = open(p->path, O_RDWR | O_NOCTTY);
    struct termios t;
    if (p->held < 0 || tcgetattr(p->held, &t) != 0) {
        return false;
    }
    cfmakeraw(&t);
    (void)tcsetattr(p->held, TCSANOW, &t);
    (void)pthread_mutex_init(&p->lock, NULL);
    return pthread_create(&p->thread, NULL, live, p) == 0;
}

void uno_pty_stop(struct uno_pty *p)
{
    (void)pthread_mutex_lock(&p->lock);
    p->stop = true;
    (void)pthread_mutex_unlock(&p->lock);
    (void)pthread_join(p->thread, NULL);
    (void)pthread_mutex_destroy(&p->lock);
    if (p->held >= 0) {
        (void)close(p->held);
    }
    if (p->fd >= 0) {
        (void)close(p->fd);
    }
    uno_close(p->uno);
}

uint64_t uno_pty_cycle(struct uno_pty *p)
{
    (void)pthread_mutex_lock(&p->lock);
    const uint64_t cycle = p->cycle;
    (void)pthread_mutex_unlock(&p->lock);
    return cycle;
}

double uno_pty_lag(struct uno_pty *p)
{
    (void)pthread_mutex_lock(&p->lock);
    const double lag = p->worst_lag;
    p->worst_lag = 0;
    (void)pthread_mutex_unlock(&p->lock);
    return lag;
}

void uno_pty_set_faults(struct uno_pty *p, const struct uno_faults *f)
{
    (void)pthread_mutex_lock(&p->lock);
    p->faults = *f;
    (void)pthread_mutex_unlock(&p->lock);
}

void uno_pty_reset(struct uno_pty *p)
{
    (void)pthread_mutex_lock(&p->lock);
    p->reset = true;
    (void)pthread_mutex_unlock(&p->lock);
}
