/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file qemu_sim.h
 * The STM32 firmware in QEMU's netduinoplus2: the line to the host as a pseudo-terminal, the marker
 * input and the reset button through QEMU's own sockets. QEMU runs in real time.
 */
#ifndef QEMU_SIM_H
#define QEMU_SIM_H

#include <atoll_wire.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct qemu {
    pid_t pid;
    char line[64];      ///< path of the pseudo-terminal
    char directory[64]; ///< of the sockets
    int fd, qtest, monitor;
    uint8_t seq;
    struct atoll_wire_decoder decoder;
    uint8_t bytes[4096]; ///< read and not decoded yet
    size_t at, n;
};
/** false and a line on stderr: it cannot be started. */
bool qemu_open(struct qemu *q, const char *elf);
void qemu_close(struct qemu *q);
void qemu_write(struct qemu *q, const uint8_t *bytes, size_t n);
void qemu_send(struct qemu *q, struct atoll_wire_frame f);
/** The next good frame; false: none came for timeout_ms. Its payload lives until the next call. */
bool qemu_frame(struct qemu *q, int timeout_ms, struct atoll_wire_frame *f);
void qemu_pin(struct qemu *q, bool level);
void qemu_reset(struct qemu *q);

/** The code of a trigger since RUN that f405_qemu.c makes of one of its inputs. */
static inline uint16_t qemu_code(uint8_t channel, uint32_t trigger)
{
    static const uint8_t inputs[8] = {0, 1, 4, 5, 6, 7, 8, 9};
    return (uint16_t)(500 + 200u * inputs[channel] + trigger % 97);
}

#endif
