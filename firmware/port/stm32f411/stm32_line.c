/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line to the host: USART 2 at BAUD, 8N1 [19.6]. PA2 sends, PA3 receives, both alternate
 * function 7. Bytes out by DMA from a ring; bytes in by interrupt, the most urgent one, since a
 * zero is stamped.
 */
#include "stm32_board.h"

enum { TX_RING = 8192, RX_RING = 256, DELIMITERS = 4 }; /* powers of two */

static uint8_t tx_ring[TX_RING];
static volatile uint16_t tx_head, tx_tail, tx_under_way;
static uint8_t rx_ring[RX_RING];
static volatile uint8_t rx_head, rx_tail;
static volatile uint16_t overruns;
static struct fw_stamp stamps[DELIMITERS];
static volatile uint8_t delimiters;

/* BRR is the divider in 1/16; with OVER8 its last four bits count eighths [19.3.4]. */
#define DIVIDER_16 ((STM32_PCLK1_HZ + BAUD / 2) / BAUD)
#define DIVIDER_8 ((2 * STM32_PCLK1_HZ + BAUD / 2) / BAUD)
#define FAST (16 * BAUD > STM32_PCLK1_HZ)
_Static_assert(8 * BAUD <= STM32_PCLK1_HZ, "6 Mbaud are the most");
_Static_assert(STM32_PCLK1_HZ % (BAUD / 2) == 0, "a rate that the clock divides to exactly");

void line_init(void)
{
    USART2->brr = FAST ? (DIVIDER_8 / 16 << 4 | (DIVIDER_8 % 16) / 2) : DIVIDER_16;
    USART2->cr3 = USART_CR3_DMAT;
    USART2->cr1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE | USART_CR1_RXNEIE |
                  (FAST ? USART_CR1_OVER8 : 0);
    irq_enable(IRQ_USART2, 0);
}

/* The bytes up to the end of the ring, or up to the head. */
static void transmit(void)
{
    const uint16_t head = tx_head;
    const uint16_t tail = tx_tail;
    tx_under_way = (uint16_t)((head >= tail ? head : TX_RING) - tail);
    if (tx_under_way > 0) {
        board_transmit(tx_ring + tail, tx_under_way);
    }
}

void line_sent(void)
{
    tx_tail = (uint16_t)((tx_tail + tx_under_way) & (TX_RING - 1));
    transmit();
}

uint16_t port_room(void)
{
    return (uint16_t)((tx_tail - tx_head - 1) & (TX_RING - 1));
}

void port_send(const uint8_t *bytes, uint16_t n)
{
    uint16_t head = tx_head;
    for (; n > 0; n--) {
        tx_ring[head] = *bytes++;
        head = (uint16_t)((head + 1) & (TX_RING - 1));
    }
    tx_head = head;
    const uint32_t primask = irq_save();
    if (tx_under_way == 0) {
        transmit();
    }
    irq_restore(primask);
}

/* Reading SR and then DR takes the byte and clears an overrun [19.6.1]. */
void isr_usart2(void)
{
    const uint32_t status = USART2->sr;
    if ((status & (USART_SR_RXNE | USART_SR_ORE)) == 0) {
        return;
    }
    const uint8_t byte = (uint8_t)USART2->dr;
    overruns = (uint16_t)(overruns + ((status & USART_SR_ORE) != 0));
    rx_ring[rx_head] = byte; /* a ring that is lapped shows as a damaged frame */
    rx_head = (uint8_t)(rx_head + 1);
    if (byte == 0) {
        const struct board_moment now = board_now();
        stamps[delimiters & (DELIMITERS - 1)] = sampler_stamp(&now, 0);
        delimiters = (uint8_t)(delimiters + 1);
    }
}

int16_t port_receive(void)
{
    const uint8_t tail = rx_tail;
    if (tail == rx_head) {
        return -1;
    }
    rx_tail = (uint8_t)(tail + 1);
    return rx_ring[tail];
}

void port_delimiter_stamp(uint8_t n, struct fw_stamp *out)
{
    const uint32_t primask = irq_save();
    *out = stamps[n & (DELIMITERS - 1)];
    irq_restore(primask);
}

uint16_t port_overruns(void)
{
    return overruns;
}
