/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing the log of a flash; the format is in the header. */
#include "firmware_flashlog.h"

#define MAGIC UINT32_C(0x676c7461) /* "atlg" */
#define ERASED UINT32_MAX
#define RECORD_MARK UINT32_C(0xa5)
enum { HEADER_BYTES = 12, RECORD_MAX = 64, RECORD_WORDS = 2 + RECORD_MAX / 4 };

static void put_word(uint8_t *to, uint32_t word)
{
    for (uint8_t i = 0; i < 4; i++) {
        to[i] = (uint8_t)(word >> (8u * i));
    }
}

static uint32_t get_word(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
           (uint32_t)from[3] << 24;
}

static uint32_t header_crc(uint32_t generation)
{
    uint8_t bytes[8];
    put_word(bytes, MAGIC);
    put_word(bytes + 4, generation);
    return atoll_wire_crc32(bytes, sizeof bytes);
}

static uint32_t record_bytes(uint32_t n)
{
    return 8 + (n + 3) / 4 * 4;
}

/* ---------------------------------------------------------------------- reading */

static bool page_valid(uint8_t page, uint32_t *generation)
{
    *generation = port_flash_read(page, 4);
    return port_flash_read(page, 0) == MAGIC && port_flash_read(page, 8) == header_crc(*generation);
}

/* Takes the record at l->at; false: none, or a damaged one. */
static bool read_record(struct fw_flashlog *l)
{
    uint8_t raw[4 * RECORD_WORDS];
    const uint32_t head = port_flash_read(l->page, l->at);
    const uint32_t n = head & 0xff;
    const uint32_t to = head >> 8 & 0xffff;
    const uint32_t bytes = record_bytes(n);
    if (head >> 24 != RECORD_MARK || n == 0 || n > RECORD_MAX || to + n > FW_STORE_BYTES ||
        bytes > port_flash_page_bytes - l->at) {
        return false;
    }
    for (uint32_t i = 0; i < bytes; i += 4) {
        put_word(raw + i, port_flash_read(l->page, l->at + i));
    }
    if (get_word(raw + bytes - 4) != atoll_wire_crc32(raw, bytes - 4)) {
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        l->bytes[to + i] = raw[4 + i];
    }
    l->at += bytes;
    return true;
}

static bool erased_from(uint8_t page, uint32_t at)
{
    for (; at < port_flash_page_bytes; at += 4) {
        if (port_flash_read(page, at) != ERASED) {
            return false;
        }
    }
    return true;
}

void fw_flashlog_open(struct fw_flashlog *l)
{
    uint32_t generations[2];
    const bool valid[2] = {page_valid(0, &generations[0]), page_valid(1, &generations[1])};
    *l = (struct fw_flashlog){.page = 1}; /* none valid: the first write goes to page 0 */
    for (uint16_t i = 0; i < FW_STORE_BYTES; i++) {
        l->bytes[i] = 0xff;
    }
    if (!valid[0] && !valid[1]) {
        return;
    }
    const bool second_newer = (int32_t)(generations[1] - generations[0]) > 0;
    l->page = valid[0] && valid[1] ? second_newer : valid[1];
    l->generation = generations[l->page];
    l->at = HEADER_BYTES;
    while (l->at + 4 <= port_flash_page_bytes && read_record(l)) {
    }
    l->writable = erased_from(l->page, l->at);
}

void fw_flashlog_read(const struct fw_flashlog *l, uint16_t at, uint8_t *bytes, uint8_t n)
{
    for (uint8_t i = 0; i < n; i++) {
        bytes[i] = at + i < FW_STORE_BYTES ? l->bytes[at + i] : 0xff;
    }
}

/* ---------------------------------------------------------------------- writing */

static bool write_record(uint8_t page, uint32_t at, uint32_t to, const uint8_t *bytes, uint32_t n)
{
    uint8_t raw[4 * RECORD_WORDS];
    const uint32_t all = record_bytes(n);
    put_word(raw, RECORD_MARK << 24 | to << 8 | n);
    for (uint32_t i = 0; i < all - 8; i++) {
        raw[4 + i] = i < n ? bytes[i] : 0xff;
    }
    put_word(raw + all - 4, atoll_wire_crc32(raw, all - 4));
    for (uint32_t i = 0; i < all; i += 4) {
        if (!port_flash_program(page, at + i, get_word(raw + i))) {
            return false;
        }
    }
    return true;
}

/* All content to the other page, and from now on that one. */
static bool move(struct fw_flashlog *l)
{
    const uint8_t page = l->page ^ 1u;
    const uint32_t generation = l->generation + 1;
    uint32_t at = HEADER_BYTES;
    if (!erased_from(page, 0) && !port_flash_erase(page)) {
        return false;
    }
    for (uint32_t from = 0; from < FW_STORE_BYTES; from += RECORD_MAX) {
        bool used = false;
        for (uint32_t i = 0; i < RECORD_MAX; i++) {
            used = used || l->bytes[from + i] != 0xff;
        }
        if (used && !write_record(page, at, from, l->bytes + from, RECORD_MAX)) {
            return false;
        }
        at += used ? record_bytes(RECORD_MAX) : 0;
    }
    if (!port_flash_program(page, 0, MAGIC) || !port_flash_program(page, 4, generation) ||
        !port_flash_program(page, 8, header_crc(generation))) {
        return false;
    }
    l->page = page;
    l->generation = generation;
    l->at = at;
    l->writable = true;
    return true;
}

static bool append(struct fw_flashlog *l, uint16_t to, const uint8_t *bytes, uint8_t n)
{
    const uint32_t need = record_bytes(n);
    if (!l->writable || need > port_flash_page_bytes - l->at) {
        l->writable = false;
        if (!move(l) || need > port_flash_page_bytes - l->at) {
            return false;
        }
    }
    if (!write_record(l->page, l->at, to, bytes, n)) {
        l->writable = false; /* its end is damaged */
        return false;
    }
    l->at += need;
    return true;
}

bool fw_flashlog_write(struct fw_flashlog *l, uint16_t at, const uint8_t *bytes, uint8_t n)
{
    bool same = true;
    if (n == 0 || n > RECORD_MAX || at + n > FW_STORE_BYTES) {
        return false;
    }
    for (uint8_t i = 0; i < n; i++) {
        same = same && l->bytes[at + i] == bytes[i];
    }
    if (same) {
        return true;
    }
    if (!append(l, at, bytes, n)) {
        return false;
    }
    for (uint8_t i = 0; i < n; i++) {
        l->bytes[at + i] = bytes[i];
    }
    return true;
}
