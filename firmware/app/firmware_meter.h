/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file firmware_meter.h
 * The meter's program: commands in, frames out (docs/wire-format.md). Free of any chip; the chip is
 * the functions port_*, which each port brings, and the tests on the host as well.
 *
 * A port's main(): set up the chip, fw_meter_init(), then fw_meter_poll() for ever. Its interrupts
 * call fw_scan_take() and fw_scan_skip() on fw_meter.scan and stamp what happens.
 */
#ifndef FW_METER_H
#define FW_METER_H

#include "firmware_scan.h"

#include <atoll_wire.h>
#include <stddef.h>

#define FW_VERSION_MAJOR 1
#define FW_VERSION_MINOR 0
#define FW_VERSION_PATCH 0

/** Codes of ERROR frames. */
enum fw_error {
    FW_OK = 0,           ///< answer to a self-test that found nothing
    FW_UNKNOWN = 1,      ///< command; detail: its type
    FW_REFUSED_SET = 2,  ///< detail: enum fw_refusal
    FW_RUNNING = 3,      ///< only when stopped
    FW_STORE_FAILED = 4, ///< what was read back differs; detail: channel
    FW_SELF_TEST = 5,    ///< detail: bits of enum fw_fault
};
enum fw_refusal { FW_BAD_CHANNELS = 1, FW_BAD_SUM, FW_TOO_FAST, FW_TOO_SLOW };
enum fw_fault {
    FW_FAULT_SUPPLY = 1,      ///< outside 4.5..5.5 V (5 V parts) or 3.0..3.6 V
    FW_FAULT_CONVERTER = 2,   ///< gives no or constant full-scale codes on its own reference
    FW_FAULT_CALIBRATION = 4, ///< a stored record is damaged
    FW_FAULT_CLOCK = 8,       ///< the crystal does not run: the clock is off by up to 1 %
};

struct fw_meter {
    struct fw_scan scan;
    struct atoll_wire_config config;
    uint32_t trigger_ticks; ///< period_ticks / (channels x conversions)
    uint8_t seq;
    bool running;
    uint16_t boots;
    uint16_t bad_calibration;  ///< channels whose record is damaged
    uint16_t channels_due;     ///< CHANNEL frames still to send
    uint16_t blocks_to_config; ///< DATA frames until CONFIG is said again
    uint8_t block_next;        ///< block to send next
    uint8_t delimiters;        ///< taken from the receiver
    struct atoll_wire_decoder decoder;
    uint8_t work[ATOLL_WIRE_FRAME_MAX];
};
extern struct fw_meter fw_meter;

void fw_meter_init(void);
/** Does what is due; never waits, except for the calibration store. */
void fw_meter_poll(void);

/* fw_store.c: one CHANNEL frame per channel in the port's memory, so its CRC-32 guards it. */

/** Counts this start; the number of it. */
uint16_t fw_store_boot(void);
/** false: damaged. A channel that was never written gives its default (day 0). */
bool fw_store_read(uint8_t index, struct atoll_wire_channel *c);
/** Writes and reads back. */
bool fw_store_write(const struct atoll_wire_channel *c);

/* ------------------------------------------------------------------ the chip */

struct port_facts {
    uint8_t device; ///< as in HELLO
    uint8_t channels, adc_bits;
    uint32_t tick_hz, reference_uv;
    uint16_t sensor_ua_per_mv; ///< that an uncalibrated channel is taken to have
    char name[16];
};
extern const struct port_facts port_facts;

/** Number of this very chip, 0: it has none. */
uint64_t port_unique(void);

/** Can it do this? 0 or enum fw_refusal. triggers: channels x conversions in a scan;
 *  trigger_ticks: their distance. */
uint8_t port_plan(uint8_t triggers, uint32_t trigger_ticks);
/** Begins scanning fw_meter.scan with the channels of the mask; stops it. */
void port_start(uint16_t channels, uint32_t trigger_ticks);
void port_stop(void);

/** Room in the sender's ring, in bytes; queues n <= room bytes. */
uint16_t port_room(void);
void port_send(const uint8_t *bytes, uint16_t n);
/** Next byte received, -1: none. */
int16_t port_receive(void);
/** Stamp of the `n`th delimiter received (modulo 4: the last four are kept). */
void port_delimiter_stamp(uint8_t n, struct fw_stamp *out);
/** Takes the oldest edge at the marker input; false: none. Edges that found no room are counted:
 *  *number tells how many came before it. */
bool port_edge(struct fw_stamp *out, bool *rising, uint16_t *number);
/** Reads the counts that the interrupts change. */
void port_counts(uint32_t *index, uint16_t *lost, uint16_t *slip);
uint16_t port_overruns(void);

/** Supply in mV, measured when stopped (0: not known); INT16_MIN: no thermometer. */
uint16_t port_supply_mv(void);
int16_t port_temperature_centi_c(void);
/** Bits of enum fw_fault; only when stopped. */
uint16_t port_self_test(void);

/** Non-volatile bytes; erased ones read 0xff. */
#define FW_STORE_BYTES 512
void port_store_read(uint16_t at, uint8_t *bytes, uint8_t n);
void port_store_write(uint16_t at, const uint8_t *bytes, uint8_t n);

#endif
