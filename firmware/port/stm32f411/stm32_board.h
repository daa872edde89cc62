/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file stm32_board.h
 * The port for the STM32F411 in two parts. Common: stm32_main.c, stm32_line.c (USART 2),
 * stm32_sampler.c (blocks of codes to scans, times, edges), stm32_start.c. Of the chip, behind the
 * functions board_*: f411_clock.c, f411_converter.c, f411_flash.c. For the tests QEMU's model of an
 * STM32F405 takes their place with f405_qemu.c, since it has no converter, no DMA and no flash that
 * can be written.
 */
#ifndef STM32_BOARD_H
#define STM32_BOARD_H

#include "firmware_flashlog.h"
#include "firmware_meter.h"
#include "stm32_registers.h"

#define STM32_TICK_HZ UINT32_C(96000000)
#define STM32_PCLK1_HZ (STM32_TICK_HZ / 2)
#ifndef BAUD
#define BAUD 2000000
#endif

int main(void);
void stm32_set_up(void); ///< all that main does before its loop

/* ---------------------------------------------- what the chip or QEMU brings */

/** Clocks, pins and power; false: the crystal does not run, and the clock is off by up to 1 %. */
bool board_init(void);
uint64_t board_unique(void);

/** Begins: a trigger each trigger_ticks, a conversion a trigger through the `n` inputs in turn, the
 *  codes into stm32_sampler.codes, sampler_half() after each half of it. */
void board_scan(const uint8_t *inputs, uint8_t n, uint32_t trigger_ticks);
void board_scan_stop(void);
/** Codes that lie in the half under way, after board_scan_stop. */
uint16_t board_codes_in_half(void);

/** Triggers so far (modulo 2^32), ticks since the last one, and a free 16-bit clock of the same
 *  ticks, all of one moment. */
struct board_moment {
    uint32_t triggers, ticks;
    uint16_t clock;
};
struct board_moment board_now(void);

/** Hands bytes to the transmitter, which calls line_sent() when it has taken them all. */
void board_transmit(const uint8_t *bytes, uint16_t n);

/** Supply in mV and temperature in 1/100 degC (INT16_MIN: not known); only when stopped. */
void board_health(uint16_t *supply_mv, int16_t *temperature_centi_c);

/* ------------------------------------------------------------------- common */

/* A half holds a block's scans: 119 sums of at most 16 conversions of 12 bits. */
enum { SAMPLER_HALF_CODES = 119 * 16, SAMPLER_EDGES = 16 };

struct stm32_sampler {
    uint16_t codes[2 * SAMPLER_HALF_CODES];
    uint16_t half_codes; ///< in use
    uint8_t half;        ///< that fills
    uint32_t trigger_ticks;
    struct fw_position base; ///< where the half under way began
};
extern struct stm32_sampler stm32_sampler;

/** A half is full: to scans. */
void sampler_half(void);
/** Codes were missed: the scans up to trigger `at`, which begins a scan, are slips. */
void sampler_missed(uint32_t at);
/** The trigger at which the next scan begins, `ahead` triggers or more after `triggers`. */
uint32_t sampler_boundary(uint32_t triggers, uint32_t ahead);
/** An edge that came `ago` ticks before `m`. */
void sampler_edge(const struct board_moment *m, uint16_t ago, bool rising);
/** Edges that the hardware itself dropped. */
void sampler_edges_dropped(uint16_t n);
struct fw_stamp sampler_stamp(const struct board_moment *m, uint32_t ago);

/** Measures supply and temperature for STAT and the self-test; only when stopped. */
void health_measure(void);

void line_init(void);
void line_sent(void);

/* interrupts, by the names of the vectors in stm32_start.c */
void isr_systick(void);
void isr_dma1_stream6(void);
void isr_adc(void);
void isr_exti9_5(void);
void isr_tim4(void);
void isr_usart2(void);
void isr_tim5(void);
void isr_dma2_stream0(void);

#endif
