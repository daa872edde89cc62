/* SPDX-License-Identifier: Apache-2.0 */
/* The Uno in simavr behind a pseudo-terminal, in real time: what a host program sees of a meter. */
#ifndef UNO_PTY_H
#define UNO_PTY_H

#include "uno_sim.h"

#include <pthread.h>

/** What is done to the meter, and to the bytes that it sends. */
struct uno_faults {
    double clock;      ///< how fast its clock runs; 1: as it should
    double loss, flip; ///< chance per byte
};
struct uno_pty {
    struct uno *uno;
    char path[128]; ///< of the end that the host opens
    int fd, held;   ///< held: the host's end, so that it may come and go
    pthread_t thread;
    pthread_mutex_t lock;
    bool stop, reset;
    struct uno_faults faults;
    uint64_t random;
    uint64_t cycle;   ///< where the processor is
    double worst_lag; ///< seconds behind real time
};
bool uno_pty_start(struct uno_pty *p, const char *elf, uint32_t baud, uno_wave_fn wave, void *ctx);
void uno_pty_stop(struct uno_pty *p);
uint64_t uno_pty_cycle(struct uno_pty *p);
/** From now on. */
void uno_pty_set_faults(struct uno_pty *p, const struct uno_faults *f);
/** Presses the reset button. */
void uno_pty_reset(struct uno_pty *p);
double uno_pty_lag(struct uno_pty *p);

#endif
