/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file firmware_flashlog.h
 * The bytes of the calibration store on a flash that can only be erased by the page: a log of what
 * was written, with a copy in memory. Free of any chip.
 *
 * Page: magic, generation, CRC-32 of both; then records: 0xa5 << 24 | at << 8 | n, n bytes in
 * words, CRC-32 of all that. All words little-endian. When a page is full or its end is damaged,
 * the whole content goes to the other page, whose header is written last: power may fail at any
 * word.
 */
#ifndef FW_FLASHLOG_H
#define FW_FLASHLOG_H

#include "firmware_meter.h"

struct fw_flashlog {
    uint8_t bytes[FW_STORE_BYTES]; ///< what the log says; never written: 0xff
    uint8_t page;                  ///< in use
    bool writable;                 ///< `page` can take more at `at`
    uint32_t generation, at;
};
void fw_flashlog_open(struct fw_flashlog *l);
void fw_flashlog_read(const struct fw_flashlog *l, uint16_t at, uint8_t *bytes, uint8_t n);
/** false: the flash did not take it; then the old content stays. */
bool fw_flashlog_write(struct fw_flashlog *l, uint16_t at, const uint8_t *bytes, uint8_t n);

/* Two pages, 0 and 1, of port_flash_page_bytes; `at` is a multiple of 4. An erased word reads
 * 0xffffffff; programming turns ones to zeros. */
extern const uint32_t port_flash_page_bytes;
uint32_t port_flash_read(uint8_t page, uint32_t at);
bool port_flash_program(uint8_t page, uint32_t at, uint32_t word);
bool port_flash_erase(uint8_t page);

#endif
