/* SPDX-License-Identifier: Apache-2.0 */
/* How many threads the kernels get when nobody says. They are a team that waits for its slowest
 * member: with another job on the machine a step on all cores takes several times as long as on
 * one. So a few steps are timed both ways at the start. */
#include "train_internal.h"

#include <unistd.h>

#define TIMED_STEPS 3

unsigned atoll__train_thread_choices(unsigned can[2])
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    can[0] = 1;
    can[1] = cores > 1 ? (unsigned)(cores < 256 ? cores : 256) : 1;
    return can[1] > 1 ? 2 : 1;
}

/* The median of the timed steps of a network that is thrown away. */
static int time_steps(const struct atoll_net *net, const struct atoll_trainer_opts *o,
                      double *seconds, struct atoll_err *err)
{
    struct atoll_trainer *t = NULL;
    double took[TIMED_STEPS] = {0};
    int rc = atoll_trainer_open(net, o, &t, err);
    for (int i = -1; i < TIMED_STEPS && rc == 0; i++) { /* -1: warm-up */
        const uint64_t start_ns = atoll_now_ns();
        rc = atoll_trainer_forward(t, true, err);
        rc = rc ? rc : atoll_trainer_backward(t, err);
        if (i >= 0) {
            took[i] = (double)(atoll_now_ns() - start_ns) * 1e-9;
        }
    }
    atoll_trainer_close(&t);
    atoll_sort(took, TIMED_STEPS);
    *seconds = took[TIMED_STEPS / 2];
    return rc;
}

int atoll__train_faster(const struct atoll_net *net, uint32_t batch, uint64_t seed,
                        const unsigned can[2], unsigned *threads, struct atoll_err *err)
{
    double seconds[2] = {0};
    int rc = 0;
    for (int i = 0; i < 2 && rc == 0; i++) {
        const struct atoll_trainer_opts o = {.batch = batch, .threads = can[i], .seed = seed};
        rc = time_steps(net, &o, &seconds[i], err);
    }
    if (rc == 0) {
        *threads = can[seconds[1] < seconds[0]];
    }
    return rc;
}
