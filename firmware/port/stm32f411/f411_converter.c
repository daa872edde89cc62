/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Converter, timers and DMA of the STM32F411.
 *
 *   timer 2   32 bits, starts anew every trigger_ticks; its update triggers the converter [13.3.15]
 *   ADC 1     discontinuous mode: each trigger one conversion, the inputs in turn [11.3.10]
 *   DMA 2     stream 0, channel 0: codes into a ring, an interrupt a half [9.3.9]
 *   timer 5   counts timer 2's updates: how many codes there must be
 *   timer 4   runs free; captures the edges at PB6, channel 1 the rising, 2 the falling ones
 *   DMA 1     stream 6, channel 4: bytes to USART 2
 *
 * A trigger that comes too early, or a code that the DMA takes too late (overrun), would shift all
 * codes that follow. Timer 5 tells: when the codes are not as many as the triggers, the ring is set
 * up anew and conversion begins again at the next start of a scan; what lies between are slips.
 */
#include "stm32_board.h"

enum {
    SETTLE_TICKS = 16,   /* timer 5 follows timer 2 by some ticks */
    GUARD_TICKS = 40,    /* from reading timer 2 to arming the converter it takes fewer */
    AHEAD_TRIGGERS = 4,  /* where conversion begins again at the earliest */
    CONVERT_TICKS = 140, /* from a trigger to its code in memory it takes fewer, 126 */
    STREAM6_SHIFT = 16
};

static uint32_t restart_at; /* trigger at which conversion begins again */
static bool scanning, waiting;
static uint16_t left_in_half;

/* --------------------------------------------------------------------- clocks */

struct board_moment board_now(void)
{
    struct board_moment m;
    do {
        m.triggers = TIM5->cnt;
        const uint16_t before = (uint16_t)TIM4->cnt;
        m.ticks = TIM2->cnt;
        m.clock = (uint16_t)(before + (uint16_t)((uint16_t)TIM4->cnt - before) / 2);
    } while (m.triggers != TIM5->cnt || (m.ticks < SETTLE_TICKS && (TIM2->cr1 & TIM_CR1_CEN) != 0));
    return m;
}

/* ------------------------------------------------------------------ converter */

/* Codes of the ring's present half that are in memory. */
static uint16_t codes_in_half(void)
{
    const uint16_t whole = (uint16_t)(2 * stm32_sampler.half_codes);
    const uint16_t from = stm32_sampler.half != 0 ? stm32_sampler.half_codes : 0;
    return (uint16_t)((whole - DMA2->stream[0].ndtr + whole - from) % whole);
}

static void stop_stream(volatile struct dma_stream_registers *stream)
{
    stream->cr &= ~(DMA_CR_EN | DMA_CR_HTIE | DMA_CR_TCIE | DMA_CR_TEIE);
    while ((stream->cr & DMA_CR_EN) != 0) { /* a transfer under way is finished [9.3.17] */
    }
}

/* The converter is steady 3 us after it was switched on: no trigger may come before. */
static void arm_ring(void)
{
    ADC1->cr2 = 0; /* the sequence begins anew at its first input */
    stop_stream(&DMA2->stream[0]);
    DMA2->ifcr[0] = DMA_FLAGS;
    DMA2->stream[0].par = (uint32_t)(uintptr_t)&ADC1->dr;
    DMA2->stream[0].m0ar = (uint32_t)(uintptr_t)stm32_sampler.codes;
    DMA2->stream[0].ndtr = 2u * stm32_sampler.half_codes;
    DMA2->stream[0].fcr = 0;
    DMA2->stream[0].cr = DMA_CR_CHSEL(0) | DMA_CR_PL(3) | DMA_CR_MSIZE_16 | DMA_CR_PSIZE_16 |
                         DMA_CR_MINC | DMA_CR_CIRC | DMA_CR_TCIE | DMA_CR_HTIE;
    DMA2->stream[0].cr |= DMA_CR_EN;
    ADC1->sr = 0;
    ADC1->cr1 = ADC_CR1_SCAN | ADC_CR1_DISCEN | ADC_CR1_OVRIE;
    ADC1->cr2 = ADC_CR2_ADON | ADC_CR2_DMA | ADC_CR2_DDS | ADC_CR2_EXTSEL_TIM2_TRGO;
}

static void set_sequence(const uint8_t *inputs, uint8_t n)
{
    uint32_t sqr3 = 0;
    uint32_t sqr2 = 0;
    for (uint8_t i = 0; i < n; i++) {
        if (i < 6) {
            sqr3 |= (uint32_t)inputs[i] << (5 * i);
        } else {
            sqr2 |= (uint32_t)inputs[i] << (5 * (i - 6));
        }
    }
    ADC1->sqr1 = ADC_SQR1_LENGTH(n);
    ADC1->sqr2 = sqr2;
    ADC1->sqr3 = sqr3;
    ADC1->smpr2 = UINT32_C(0x09249249); /* all of 0..9: 15 clocks */
    ADC_CCR = ADC_CCR_PRESCALER_4;      /* 24 MHz */
}

/* Some 10 us. */
static void pause_loops(void)
{
    for (volatile int i = 0; i < 200; i++) {
    }
}

void board_scan(const uint8_t *inputs, uint8_t n, uint32_t trigger_ticks)
{
    scanning = true;
    waiting = false;
    set_sequence(inputs, n);
    arm_ring();
    pause_loops();
    ADC1->cr2 |= ADC_CR2_EXTEN_RISING;
    TIM5->cr1 = 0;
    TIM5->smcr = TIM_SMCR_EXTERNAL_1;
    TIM5->arr = UINT32_MAX;
    TIM5->dier = 0;
    TIM5->cnt = 0;
    TIM5->cr1 = TIM_CR1_CEN;
    TIM4->arr = UINT16_MAX;
    TIM4->ccmr1 = TIM_CCMR1_CC1_TI1 | TIM_CCMR1_CC2_TI1;
    TIM4->ccer = TIM_CCER_CC1E | TIM_CCER_CC2E | TIM_CCER_CC2P;
    TIM4->sr = 0;
    TIM4->dier = TIM_CC1 | TIM_CC2;
    TIM4->cr1 = TIM_CR1_CEN;
    irq_enable(IRQ_TIM4, 1);
    irq_enable(IRQ_TIM5, 1);
    irq_enable(IRQ_ADC, 2);
    irq_enable(IRQ_DMA2_STREAM0, 2);
    TIM2->cr1 = 0;
    TIM2->cr2 = TIM_CR2_TRGO_UPDATE;
    TIM2->arr = trigger_ticks - 1;
    TIM2->cnt = 0;
    TIM2->cr1 = TIM_CR1_CEN;
}

void board_scan_stop(void)
{
    TIM2->cr1 = 0;
    pause_loops(); /* the last conversion ends */
    const uint32_t primask = irq_save();
    scanning = false;
    TIM4->dier = 0;
    TIM5->dier = 0;
    left_in_half = waiting ? 0 : codes_in_half();
    ADC1->cr2 = 0;
    ADC1->cr1 = 0;
    stop_stream(&DMA2->stream[0]);
    irq_restore(primask);
}

uint16_t board_codes_in_half(void)
{
    return left_in_half <= stm32_sampler.half_codes ? left_in_half : 0;
}

/* Codes and triggers have come apart. */
static void begin_again(void)
{
    arm_ring();
    waiting = true;
    restart_at = sampler_boundary(TIM5->cnt, AHEAD_TRIGGERS);
    TIM5->ccr[0] = restart_at;
    TIM5->sr = 0;
    TIM5->dier = TIM_CC1;
}

/* The trigger before the scan has passed; the next one must find the converter armed. */
void isr_tim5(void)
{
    TIM5->sr = 0;
    if (!waiting) {
        TIM5->dier = 0;
        return;
    }
    const uint32_t primask = irq_save();
    if (TIM5->cnt == restart_at && TIM2->cnt + GUARD_TICKS < stm32_sampler.trigger_ticks) {
        ADC1->cr2 |= ADC_CR2_EXTEN_RISING;
        waiting = false;
    }
    irq_restore(primask);
    if (waiting) {
        restart_at = sampler_boundary(TIM5->cnt, AHEAD_TRIGGERS);
        TIM5->ccr[0] = restart_at;
        return;
    }
    TIM5->dier = 0;
    sampler_missed(restart_at);
}

void isr_dma2_stream0(void)
{
    const uint32_t flags = DMA2->isr[0];
    DMA2->ifcr[0] = DMA_FLAGS;
    const uint32_t expected = stm32_sampler.half != 0 ? DMA_TCIF : DMA_HTIF;
    if (!scanning || waiting || (flags & (DMA_HTIF | DMA_TCIF)) == 0) {
        return;
    }
    const struct board_moment m = board_now();
    const uint32_t triggers = m.triggers - stm32_sampler.base.triggers;
    const uint32_t codes = codes_in_half();
    const bool late = triggers - stm32_sampler.half_codes > stm32_sampler.half_codes * 3u / 4;
    /* the oldest trigger without a code, if any: how long ago (codes is the younger reading) */
    const int64_t age_ticks =
        (int64_t)((int32_t)(triggers - codes) - 1) * stm32_sampler.trigger_ticks + m.ticks;
    const bool missed = triggers > codes && age_ticks > CONVERT_TICKS;
    if ((flags & (DMA_HTIF | DMA_TCIF)) != expected || late || missed) {
        begin_again();
        return;
    }
    sampler_half();
}

/* The only interrupt of the converter that is on: overrun. */
void isr_adc(void)
{
    if ((ADC1->sr & ADC_SR_OVR) != 0 && scanning && !waiting) {
        begin_again();
    }
    ADC1->sr = 0;
}

/* ---------------------------------------------------------------------- edges */

void isr_tim4(void)
{
    const struct board_moment m = board_now();
    const uint32_t flags = TIM4->sr;
    const uint16_t rising = (uint16_t)(m.clock - (uint16_t)TIM4->ccr[0]);
    const uint16_t falling = (uint16_t)(m.clock - (uint16_t)TIM4->ccr[1]);
    TIM4->sr = ~(flags & (TIM_CC1 | TIM_CC2 | TIM_SR_CC1OF | TIM_SR_CC2OF)); /* a zero clears */
    const int overwritten = ((flags & TIM_SR_CC1OF) != 0) + ((flags & TIM_SR_CC2OF) != 0);
    sampler_edges_dropped((uint16_t)overwritten);
    const bool both = (flags & TIM_CC1) != 0 && (flags & TIM_CC2) != 0;
    if (both && falling > rising) {
        sampler_edge(&m, falling, false);
    }
    if ((flags & TIM_CC1) != 0) {
        sampler_edge(&m, rising, true);
    }
    if ((flags & TIM_CC2) != 0 && !(both && falling > rising)) {
        sampler_edge(&m, falling, false);
    }
}

/* ----------------------------------------------------------------------- line */

void board_transmit(const uint8_t *bytes, uint16_t n)
{
    volatile struct dma_stream_registers *s = &DMA1->stream[6];
    stop_stream(s);
    DMA1->ifcr[1] = DMA_FLAGS << STREAM6_SHIFT;
    s->par = (uint32_t)(uintptr_t)&USART2->dr;
    s->m0ar = (uint32_t)(uintptr_t)bytes;
    s->ndtr = n;
    s->cr = DMA_CR_CHSEL(4) | DMA_CR_TO_PERIPHERAL | DMA_CR_MINC | DMA_CR_TCIE | DMA_CR_TEIE;
    irq_enable(IRQ_DMA1_STREAM6, 3);
    s->cr |= DMA_CR_EN;
}

void isr_dma1_stream6(void)
{
    DMA1->ifcr[1] = DMA_FLAGS << STREAM6_SHIFT;
    line_sent();
}

/* --------------------------------------------------------------------- health */

/* One conversion of an internal input by command, 480 clocks of sampling: 20 us, of which the
 * reference wants 10 [data sheet 6.3.22]. The first ones after switching it on are not used. */
static uint16_t convert(uint8_t input)
{
    uint16_t code = 0;
    ADC_CCR = ADC_CCR_PRESCALER_4 | ADC_CCR_TSVREFE;
    ADC1->cr1 = 0;
    ADC1->smpr1 = UINT32_C(7) << (3 * (ADC_INPUT_VREFINT - 10)) |
                  UINT32_C(7) << (3 * (ADC_INPUT_TEMPERATURE - 10));
    ADC1->sqr1 = ADC_SQR1_LENGTH(1);
    ADC1->sqr3 = input;
    ADC1->cr2 = ADC_CR2_ADON;
    for (unsigned i = 0; i < 8; i++) {
        ADC1->sr = 0;
        ADC1->cr2 = ADC_CR2_ADON | ADC_CR2_SWSTART;
        for (unsigned wait = 0; wait < 10000 && (ADC1->sr & ADC_SR_EOC) == 0; wait++) {
        }
        code = (uint16_t)ADC1->dr;
    }
    ADC1->cr2 = 0;
    return code;
}

void board_health(uint16_t *supply_mv, int16_t *temperature_centi_c)
{
    const uint16_t reference = convert(ADC_INPUT_VREFINT);
    const uint32_t sensor = convert(ADC_INPUT_TEMPERATURE);
    const int32_t span = (int32_t)TS_CAL2 - TS_CAL1;
    *supply_mv = 0;
    *temperature_centi_c = INT16_MIN;
    if (reference == 0 || reference >= 4095 || span <= 0) {
        return;
    }
    *supply_mv = (uint16_t)(UINT32_C(3300) * VREFINT_CAL / reference);
    const int32_t at_3v3 = (int32_t)(sensor * *supply_mv / 3300);
    const int32_t centi_c = 3000 + (at_3v3 - TS_CAL1) * 8000 / span;
    *temperature_centi_c = (int16_t)(centi_c < -27315 ? -27315 : centi_c > 32000 ? 32000 : centi_c);
}
