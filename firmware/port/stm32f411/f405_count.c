/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many instructions the STM32F411 spends on a frame of 8 channels x 14 scans, each a sum of 5
 * conversions. For QEMU with -icount shift=0, where timer 5 counts one tick an instruction. Says
 * the counts of the interrupt's work (codes to sums), of the main loop's (sums to a frame), and of
 * the copy to the sender, then is idle.
 */
#include "stm32_board.h"

enum { CHANNELS = 8, CONVERSIONS = 5, SCANS = 14, FRAMES = 1000, COPIES = 30 };

const struct port_facts port_facts = {.device = 3, .channels = CHANNELS, .adc_bits = 12};

static uint16_t codes[SCANS * CHANNELS * CONVERSIONS];
static uint8_t frame[ATOLL_WIRE_FRAME_MAX];

uint64_t port_unique(void)
{
    return 0;
}
uint8_t port_plan(uint8_t triggers, uint32_t trigger_ticks)
{
    (void)triggers;
    (void)trigger_ticks;
    return 0;
}
void port_store_read(uint16_t at, uint8_t *bytes, uint8_t n)
{
    (void)at;
    for (; n > 0; n--) {
        *bytes++ = 0xff;
    }
}
void port_store_write(uint16_t at, const uint8_t *bytes, uint8_t n)
{
    (void)at;
    (void)bytes;
    (void)n;
}
uint16_t port_supply_mv(void)
{
    return 0;
}
int16_t port_temperature_centi_c(void)
{
    return 0;
}
uint16_t port_self_test(void)
{
    return 0;
}
void health_measure(void)
{
}

static void say(const char *text, uint32_t count)
{
    char digits[11];
    uint8_t n = 0;
    for (; *text != '\0'; text++) {
        USART2->dr = (uint8_t)*text;
    }
    do {
        digits[n++] = (char)('0' + count % 10);
        count /= 10;
    } while (count > 0);
    while (n > 0) {
        USART2->dr = (uint8_t)digits[--n];
    }
    USART2->dr = '\n';
}

int main(void)
{
    struct fw_scan *s = &fw_meter.scan;
    uint32_t scan_count = 0;
    uint32_t frame_count = 0;
    size_t bytes = 0;
    TIM5->arr = UINT32_MAX;
    TIM5->cr1 = TIM_CR1_CEN;
    USART2->cr1 = USART_CR1_UE | USART_CR1_TE;
    s->channels = CHANNELS;
    s->conversions = CONVERSIONS;
    s->block_scans = SCANS;
    fw_scan_start(s);
    for (unsigned f = 0; f < FRAMES; f++) {
        for (unsigned i = 0; i < sizeof codes / sizeof codes[0]; i++) {
            codes[i] = (uint16_t)((i * 37 + f * 11) & 4095);
        }
        const uint32_t from = TIM5->cnt;
        for (unsigned i = 0; i < SCANS; i++) {
            fw_scan_whole(s, codes + i * CHANNELS * CONVERSIONS);
        }
        const uint32_t summed = TIM5->cnt;
        struct fw_block *b = &s->blocks[f & 1];
        const struct atoll_wire_data d = {.config = 1, .first_scan = b->first, .n_scans = b->scans};
        bytes = atoll_wire_encode_scans((uint8_t)f, &d, b->samples, SCANS * CHANNELS, 16, frame);
        b->ready = false;
        const uint32_t framed = TIM5->cnt;
        scan_count += summed - from;
        frame_count += framed - summed;
    }
    /* interrupts off: the sender stays busy with the first frame, so the others are only copied */
    (void)irq_save();
    port_send(frame, (uint16_t)bytes);
    const uint32_t from = TIM5->cnt;
    for (unsigned i = 0; i < COPIES; i++) {
        port_send(frame, (uint16_t)bytes);
    }
    const uint32_t copy_count = TIM5->cnt - from;
    USART2->dr = '\n';
    say("bytes ", (uint32_t)bytes);
    say("sums ", scan_count / FRAMES);
    say("frame ", frame_count / FRAMES);
    say("copy ", copy_count / COPIES);
    for (;;) {
        __asm__ volatile("wfi");
    }
}
