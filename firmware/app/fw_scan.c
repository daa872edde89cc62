/* SPDX-License-Identifier: Apache-2.0 */
/* Where a stamp lies on the axis of scans. */
#include "firmware_scan.h"

/* 65536 x ticks / period, bit by bit: a division of 64 bits takes an AVR ten times as long. */
static uint16_t part_of(uint32_t ticks, uint32_t period)
{
    uint16_t part = 0;
    if (ticks >= period) {
        return UINT16_MAX;
    }
    for (uint8_t i = 0; i < 16; i++) {
        const bool carry = (ticks & UINT32_C(0x80000000)) != 0;
        ticks <<= 1;
        part = (uint16_t)(part << 1);
        if (carry || ticks >= period) {
            ticks -= period;
            part |= 1u;
        }
    }
    return part;
}

void fw_scan_place(const struct fw_scan *s, const struct fw_stamp *stamp, uint32_t index,
                   uint32_t trigger_ticks, uint32_t *scan, uint16_t *fraction)
{
    const int16_t triggers = (int16_t)(s->channels * s->conversions);
    /* the trigger that `tick` counts from: that of the conversion awaited, when it is busy */
    int16_t trigger = (int16_t)(stamp->round * s->channels + stamp->channel);
    /* busy in the last ticks before the timer starts again: by the trigger at its top already */
    const bool early = stamp->busy && (uint32_t)stamp->now + FW_TOP_TICKS >= trigger_ticks;
    trigger =
        (int16_t)(trigger - (stamp->busy && !early ? 0 : 1) - (stamp->tick > stamp->now ? 1 : 0));
    uint32_t at = index - (uint16_t)((uint16_t)index - stamp->index);
    while (trigger < 0) {
        trigger = (int16_t)(trigger + triggers);
        at--;
    }
    *scan = at;
    *fraction = part_of((uint32_t)trigger * trigger_ticks + stamp->tick,
                        (uint32_t)triggers * trigger_ticks);
}

void fw_scan_stamp(const struct fw_scan *s, const struct fw_position *base, uint32_t triggers,
                   uint32_t ticks, uint32_t ago, uint32_t trigger_ticks, struct fw_stamp *out)
{
    const int32_t in_scan = s->channels * s->conversions;
    /* from the trigger before base's first one, in ticks; then trigger awaited, from base on */
    const int64_t at = (int64_t)(int32_t)(triggers - base->triggers) * trigger_ticks + ticks - ago;
    int64_t awaited = at / trigger_ticks;
    if (at < 0 && awaited * trigger_ticks != at) {
        awaited--; /* towards the past, not towards 0 */
    }
    out->tick = out->now = (FW_TICK)(at - awaited * trigger_ticks);
    int32_t scans = (int32_t)(awaited / in_scan);
    if (awaited < 0 && (int64_t)scans * in_scan != awaited) {
        scans--;
    }
    const int32_t place = (int32_t)(awaited - (int64_t)scans * in_scan);
    out->index = (uint16_t)(base->scan + (uint32_t)scans);
    out->channel = (uint8_t)(place % s->channels);
    out->round = (uint8_t)(place / s->channels);
    out->busy = false;
}
