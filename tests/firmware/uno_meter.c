/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A meter to plug in: the Uno's image in simavr behind a pseudo-terminal. Prints the port, runs
 * until its input ends, says at each line of it how far behind real time it was.
 * usage: uno_meter IMAGES-DIRECTORY
 */
#include "uno_pty.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Channel 0: 2 A as an ACS712-05B shows them, with a dither of ten codes. */
static uint32_t wave(void *ctx, unsigned input, uint64_t cycle)
{
    (void)ctx;
    const uint64_t mixed = (cycle ^ input) * UINT64_C(0x9e3779b97f4a7c15);
    return 2476 + (input == 0 ? 370u : 0u) + (uint32_t)((mixed >> 33) % 49);
}

int main(int argc, char **argv)
{
    char elf[512];
    struct uno_pty p;
    (void)snprintf(elf, sizeof elf, "%s/atoll-uno-500000.elf", argc > 1 ? argv[1] : ".");
    if (!uno_pty_start(&p, elf, 500000, wave, NULL)) {
        return 1;
    }
    struct timespec t = {.tv_nsec = 200000000};
    (void)nanosleep(&t, NULL);
    struct atoll_wire_frame f = {.type = ATOLL_WIRE_STORE,
                                 .channel = {.kind = ATOLL_WIRE_CURRENT,
                                             .nominal_mv = 12000,
                                             .zero_256 = 130816,
                                             .gain = (uint32_t)(5000.0 / 1023 / 0.185 * 1e6 + 0.5),
                                             .gain_u_ppm = 1000,
                                             .zero_u_256 = 26,
                                             .day = 20000,
                                             .name = "12v_slot"}};
    uint8_t bytes[ATOLL_WIRE_FRAME_MAX];
    const size_t n = atoll_wire_encode(&f, bytes);
    if (write(p.held, bytes, n) != (ssize_t)n) {
        return 1;
    }
    t.tv_nsec = 400000000;
    (void)nanosleep(&t, NULL);
    (void)uno_pty_lag(&p);
    (void)printf("%s\n", p.path);
    (void)fflush(stdout);
    char line[16];
    while (fgets(line, sizeof line, stdin) != NULL) {
        (void)printf("%.6f\n", uno_pty_lag(&p));
        (void)fflush(stdout);
    }
    uno_pty_stop(&p);
    return 0;
}
