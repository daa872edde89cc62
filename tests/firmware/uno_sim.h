/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file uno_sim.h
 * The firmware image of the Arduino Uno in simavr, with what simavr 1.6 lacks bridged: the timer's
 * trigger of the converter (with the edge rule of OCF1B), and sample and hold. Every trigger and
 * the code that must come of it is on record, so that each sample on the way out can be checked.
 */
#ifndef UNO_SIM_H
#define UNO_SIM_H

#include <atoll_wire.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UNO_HZ = 16000000, UNO_VCC_MV = 5000, UNO_VECTORS = 26 };
enum { UNO_ADC = 21, UNO_UDRE = 19, UNO_RX = 18, UNO_CAPTURE = 10 };

/** Millivolts at an input at a time since the start of the processor. */
typedef uint32_t (*uno_wave_fn)(void *ctx, unsigned input, uint64_t cycle);

struct uno_isr {
    uint64_t entries, cycles, max_cycles, entered;
};
struct uno {
    struct avr_t *avr;
    struct avr_irq_t *adc_irq, *uart_irq, *port_irq;
    uno_wave_fn wave;
    void *ctx;
    /* triggers since the timer was started */
    uint16_t *codes; ///< must come out; UINT16_MAX: the trigger was missed
    size_t n_triggers, cap;
    uint64_t missed, ignored;  ///< OCF1B not cleared in time; converter busy
    uint64_t start_cycle;      ///< the timer's
    uint64_t clear_max_cycles; ///< from the entry of the converter's interrupt to OCF1B's clearing
    bool flag, timing, edge_waits;
    /* what came out and is not taken yet */
    uint8_t *out;
    size_t n_out, out_cap;
    /* what is to go in, one byte per byte time */
    uint8_t in[512];
    size_t n_in, in_at;
    uint64_t next_in_cycle, byte_cycles;
    uint64_t rx_cycle; ///< of the last byte received
    struct uno_isr isr[UNO_VECTORS];
    uint8_t seq;
};

/** NULL and a line on stderr when the image cannot be loaded. baud: the image's. */
struct uno *uno_open(const char *elf, uint32_t baud, uno_wave_fn wave, void *ctx);
void uno_close(struct uno *u);
void uno_reset(struct uno *u);
/** Runs up to a cycle; false: the processor crashed. */
bool uno_run(struct uno *u, uint64_t until_cycle);
uint64_t uno_now(const struct uno *u);
void uno_send_bytes(struct uno *u, const uint8_t *bytes, size_t n);
void uno_send(struct uno *u, struct atoll_wire_frame *f);
void uno_pin(struct uno *u, bool level); ///< marker input
/** The EEPROM, 1024 bytes; valid until close. */
uint8_t *uno_eeprom(struct uno *u);

#endif
