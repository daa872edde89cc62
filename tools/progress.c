/* SPDX-License-Identifier: Apache-2.0 */
/* The progress bar, and the wish to stop early. */
#include "out.h"

#include <signal.h>

#include <unistd.h>

#define REDRAW_NS UINT64_C(100000000)

static volatile sig_atomic_t stop_wanted;

/* A second signal ends the program at once, as it would without us. */
static void want_stop(int number)
{
    stop_wanted = 1;
    signal(number, SIG_DFL);
}

static void put_time_left(double seconds)
{
    if (seconds >= 5400) {
        fprintf(stderr, " %.1f h left ", seconds / 3600);
    } else if (seconds >= 90) {
        fprintf(stderr, " %.0f min left ", seconds / 60);
    } else {
        fprintf(stderr, " %.0f s left ", seconds);
    }
}

static bool draw(void *user, uint64_t done, uint64_t total, const char *what)
{
    struct out_progress *p = user;
    if (!p->drawn) {
        return !stop_wanted;
    }
    const uint64_t now_ns = atoll_now_ns();
    if (total == 0 || (now_ns - p->shown_ns < REDRAW_NS && done < total)) {
        return !stop_wanted;
    }
    static const char full[] = "########################################";
    const double frac = done < total ? (double)done / (double)total : 1;
    const int filled = (int)(frac * (double)(sizeof full - 1));
    fprintf(stderr, "\r\033[K[%.*s%*s] %3.0f %%", filled, full, (int)(sizeof full - 1) - filled, "",
            100 * frac);
    if (done > 0) {
        put_time_left((double)(now_ns - p->start_ns) * 1e-9 * (1 - frac) / frac);
    }
    fprintf(stderr, " %.40s", what ? what : "");
    fflush(stderr);
    p->shown_ns = now_ns;
    p->visible = true;
    return !stop_wanted;
}

struct atoll_progress out_progress_start(struct out_progress *p, const struct call *call)
{
    *p = (struct out_progress){.start_ns = atoll_now_ns()};
    p->drawn = !call->quiet && !call->json && isatty(STDERR_FILENO);
    signal(SIGINT, want_stop);
    signal(SIGTERM, want_stop);
    return (struct atoll_progress){.fn = draw, .user = p};
}

void out_progress_finish(struct out_progress *p)
{
    if (p->visible) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
}
