/* SPDX-License-Identifier: Apache-2.0 */
/* Codes to scans by the half of the ring, and the times of what happens in between. */
#include "stm32_board.h"

struct stm32_sampler stm32_sampler;

static struct {
    struct fw_stamp stamp;
    bool rising;
    uint16_t number;
} edges[SAMPLER_EDGES];
static volatile uint8_t edges_head, edges_tail;
static volatile uint16_t edge_count;

/* Channel i of the meter is this input of the converter [data sheet table 8]: PA0 PA1 PA4 PA5 PA6
 * PA7 PB0 PB1. */
static const uint8_t inputs[FW_CHANNELS_MAX] = {0, 1, 4, 5, 6, 7, 8, 9};

static uint16_t scan_triggers(void)
{
    return (uint16_t)(fw_meter.scan.channels * fw_meter.scan.conversions);
}

/* ------------------------------------------------------------------ interrupts */

/* Those that make stamps are more urgent than this one, so both parts of `base` change at once. */
static void set_base(uint32_t triggers, uint32_t scan)
{
    const uint32_t primask = irq_save();
    stm32_sampler.base = (struct fw_position){.triggers = triggers, .scan = scan};
    irq_restore(primask);
}

static void take_scans(const uint16_t *codes, uint16_t n)
{
    struct fw_scan *s = &fw_meter.scan;
    const uint16_t triggers = scan_triggers();
    for (; n >= triggers; n = (uint16_t)(n - triggers), codes += triggers) {
        fw_scan_whole(s, codes);
    }
}

void sampler_half(void)
{
    struct stm32_sampler *p = &stm32_sampler;
    take_scans(p->codes + (p->half != 0 ? p->half_codes : 0), p->half_codes);
    p->half ^= 1u;
    set_base(p->base.triggers + p->half_codes, fw_meter.scan.index);
}

uint32_t sampler_boundary(uint32_t triggers, uint32_t ahead)
{
    const uint32_t since = triggers + ahead - stm32_sampler.base.triggers;
    const uint32_t n = scan_triggers();
    return stm32_sampler.base.triggers + (since + n - 1) / n * n;
}

void sampler_missed(uint32_t at)
{
    const uint32_t scans = (at - stm32_sampler.base.triggers) / scan_triggers();
    fw_scan_miss(&fw_meter.scan, scans);
    stm32_sampler.half = 0;
    set_base(at, fw_meter.scan.index);
}

struct fw_stamp sampler_stamp(const struct board_moment *m, uint32_t ago)
{
    struct fw_stamp stamp = {0};
    if (stm32_sampler.trigger_ticks == 0) {
        return stamp; /* has never run */
    }
    fw_scan_stamp(&fw_meter.scan, &stm32_sampler.base, m->triggers, m->ticks, ago,
                  stm32_sampler.trigger_ticks, &stamp);
    return stamp;
}

void sampler_edge(const struct board_moment *m, uint16_t ago, bool rising)
{
    const uint8_t head = edges_head;
    const uint8_t next = (uint8_t)((head + 1) % SAMPLER_EDGES);
    if (next != edges_tail) {
        edges[head].stamp = sampler_stamp(m, ago);
        edges[head].rising = rising;
        edges[head].number = edge_count;
        edges_head = next;
    }
    edge_count++;
}

void sampler_edges_dropped(uint16_t n)
{
    edge_count = (uint16_t)(edge_count + n);
}

/* -------------------------------------------------------------- the main loop's */

void port_start(uint16_t channels, uint32_t trigger_ticks)
{
    struct stm32_sampler *p = &stm32_sampler;
    uint8_t scanned[FW_CHANNELS_MAX];
    uint8_t n = 0;
    for (uint8_t i = 0; i < FW_CHANNELS_MAX; i++) {
        if (((uint32_t)channels >> i & 1u) != 0) {
            scanned[n++] = inputs[i];
        }
    }
    health_measure();
    p->half_codes = (uint16_t)(fw_meter.scan.block_scans * scan_triggers());
    p->half = 0;
    p->trigger_ticks = trigger_ticks;
    p->base = (struct fw_position){0};
    board_scan(scanned, n, trigger_ticks);
}

void port_stop(void)
{
    struct stm32_sampler *p = &stm32_sampler;
    board_scan_stop();
    take_scans(p->codes + (p->half != 0 ? p->half_codes : 0), board_codes_in_half());
    set_base(p->base.triggers, fw_meter.scan.index);
    health_measure();
}

/* The scan under way by the count of triggers: the codes come later, by the half. */
void port_counts(uint32_t *index, uint16_t *lost, uint16_t *slip)
{
    const uint32_t primask = irq_save();
    *index = fw_meter.scan.index;
    *lost = fw_meter.scan.lost;
    *slip = fw_meter.scan.slip;
    if (fw_meter.running) {
        const uint32_t since = board_now().triggers - stm32_sampler.base.triggers;
        *index = stm32_sampler.base.scan + since / scan_triggers();
    }
    irq_restore(primask);
}

bool port_edge(struct fw_stamp *out, bool *rising, uint16_t *number)
{
    const uint8_t tail = edges_tail;
    if (tail == edges_head) {
        return false;
    }
    *out = edges[tail].stamp;
    *rising = edges[tail].rising;
    *number = edges[tail].number;
    edges_tail = (uint8_t)((tail + 1) % SAMPLER_EDGES);
    return true;
}
