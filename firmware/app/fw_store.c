/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calibration store: a place of 48 bytes per channel, which holds that channel's frame as it
 * goes over the line (type STORE, CRC-32, delimiter), so the code that guards the line guards it.
 * In front of them the count of starts, twice (the second inverted).
 */
#include "firmware_meter.h"

enum { BOOTS_AT = 0, CHANNELS_AT = 16, PLACE_BYTES = 48 };

_Static_assert(CHANNELS_AT + FW_CHANNELS_MAX * PLACE_BYTES <= FW_STORE_BYTES, "store");

uint16_t fw_store_boot(void)
{
    uint8_t b[4];
    port_store_read(BOOTS_AT, b, 4);
    const uint16_t one = (uint16_t)(b[0] | b[1] << 8);
    const uint16_t two = (uint16_t)(b[2] | b[3] << 8);
    const uint16_t boots = (uint16_t)(((one ^ two) == 0xffff ? one : 0) + 1);
    b[0] = (uint8_t)boots;
    b[1] = (uint8_t)(boots >> 8);
    b[2] = (uint8_t)~b[0];
    b[3] = (uint8_t)~b[1];
    port_store_write(BOOTS_AT, b, 4);
    return boots;
}

/* What a channel is before anybody has calibrated it: the port's sensor on a 12 V rail, its data
 * sheet trusted. uV per code times uA per mV is nA per code. */
static void set_default(uint8_t index, struct atoll_wire_channel *c)
{
    static const char name[] = "rail0";
    const uint32_t codes = UINT32_C(1) << port_facts.adc_bits;
    *c = (struct atoll_wire_channel){.index = index,
                                     .kind = ATOLL_WIRE_CURRENT,
                                     .rail = index,
                                     .nominal_mv = 12000,
                                     .zero_256 = (int32_t)(codes * 128),
                                     .gain = port_facts.reference_uv / 16 *
                                             port_facts.sensor_ua_per_mv / (codes / 16),
                                     .gain_u_ppm = 15000,
                                     .zero_u_256 = 2048};
    for (uint8_t i = 0; i < 5; i++) {
        c->name[i] = name[i];
    }
    c->name[4] = (char)('0' + index);
}

bool fw_store_read(uint8_t index, struct atoll_wire_channel *c)
{
    uint8_t bytes[PLACE_BYTES];
    struct atoll_wire_frame f;
    bool got = false;
    port_store_read((uint16_t)(CHANNELS_AT + index * PLACE_BYTES), bytes, PLACE_BYTES);
    set_default(index, c);
    if (bytes[0] == 0xff) {
        return true; /* erased: a frame's first byte is at most its length */
    }
    struct atoll_wire_decoder *d = &fw_meter.decoder; /* memory is short; it is idle here */
    d->n = 0;
    d->overlong = false;
    (void)atoll_wire_decode(d, bytes, PLACE_BYTES, &f, &got);
    d->n = 0;
    d->overlong = false;
    if (!got || f.type != ATOLL_WIRE_STORE || f.channel.index != index) {
        return false;
    }
    *c = f.channel;
    return true;
}

bool fw_store_write(const struct atoll_wire_channel *c)
{
    struct atoll_wire_frame f = {.type = ATOLL_WIRE_STORE, .channel = *c};
    struct atoll_wire_channel back;
    const size_t n = atoll_wire_encode(&f, fw_meter.work);
    if (n == 0 || n > PLACE_BYTES) {
        return false;
    }
    port_store_write((uint16_t)(CHANNELS_AT + c->index * PLACE_BYTES), fw_meter.work, (uint8_t)n);
    if (!fw_store_read(c->index, &back)) {
        return false;
    }
    return back.zero_256 == c->zero_256 && back.gain == c->gain && back.day == c->day;
}
