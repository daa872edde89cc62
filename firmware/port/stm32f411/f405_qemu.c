/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In place of f411_*.c for QEMU's netduinoplus2 (STM32F405), in the tests only. QEMU 7.2 models the
 * USARTs, SysTick, EXTI and SYSCFG; timer 5 counts nanoseconds; there is no converter, no DMA, no
 * clock control, no flash controller and no pin. Codes come from a formula that the tests know, for
 * each trigger that the clock says has passed; the store lies in memory that a reset does not
 * clear.
 */
#include "stm32_board.h"

enum { SYSTICK_HZ = 1000, CORE_HZ = 168000000, PAGE_BYTES = 4096, EDGE_LINE = 6 };

static uint64_t past_ns; /* until `last_ns` of timer 5 */
static uint32_t last_ns;
static uint64_t start_ns;
static uint32_t next_trigger; /* whose code is not made yet */
static uint8_t scanned[FW_CHANNELS_MAX], n_scanned;
static bool scanning, level;

/* ----------------------------------------------------------------------- time */

static uint64_t now_ns(void)
{
    const uint32_t primask = irq_save();
    const uint32_t ns = TIM5->cnt;
    past_ns += ns - last_ns;
    last_ns = ns;
    const uint64_t all = past_ns;
    irq_restore(primask);
    return all;
}

struct board_moment board_now(void)
{
    const uint64_t ticks = (now_ns() - start_ns) * (STM32_TICK_HZ / 1000000) / 1000;
    const uint32_t trigger_ticks = stm32_sampler.trigger_ticks;
    if (!scanning) {
        return (struct board_moment){0};
    }
    return (struct board_moment){.triggers = (uint32_t)(ticks / trigger_ticks),
                                 .ticks = (uint32_t)(ticks % trigger_ticks),
                                 .clock = (uint16_t)ticks};
}

bool board_init(void)
{
    SYSTICK->rvr = CORE_HZ / SYSTICK_HZ - 1;
    SYSTICK->cvr = 0;
    SYSTICK->csr = 7;                         /* the core's clock, interrupt, on */
    EXTI->rtsr = EXTI->ftsr = BIT(EDGE_LINE); /* of port A, as after reset */
    EXTI->imr = BIT(EDGE_LINE);
    irq_enable(IRQ_EXTI9_5, 1);
    irq_enable(IRQ_DMA1_STREAM6, 3);
    TIM5->arr = UINT32_MAX;
    TIM5->cr1 = TIM_CR1_CEN;
    return true;
}

uint64_t board_unique(void)
{
    return UINT64_C(0x0405000000000411);
}

/* ------------------------------------------------------------------- converter */

/* tests/firmware/qemu_sim.h has the same formula. */
static uint16_t code_of(uint32_t trigger)
{
    return (uint16_t)(500 + 200 * scanned[trigger % n_scanned] + trigger % 97);
}

/* QEMU stands still for tens of milliseconds when its host is busy, and then both blocks would fill
 * at once: half a second of triggers may wait, as in no real chip, and what is more is lost. */
static bool may_wait(uint32_t late_triggers)
{
    return fw_meter.scan.other->ready &&
           (uint64_t)late_triggers * stm32_sampler.trigger_ticks < STM32_TICK_HZ / 2;
}

static void convert_until(uint32_t triggers, bool patient)
{
    struct stm32_sampler *p = &stm32_sampler;
    uint32_t in_half = next_trigger - p->base.triggers;
    while ((int32_t)(triggers - next_trigger) > 0) {
        if (patient && in_half + 1u == p->half_codes && may_wait(triggers - next_trigger)) {
            return;
        }
        p->codes[(p->half != 0 ? p->half_codes : 0) + in_half] = code_of(next_trigger);
        next_trigger++;
        if (++in_half == p->half_codes) {
            sampler_half();
            in_half = 0;
        }
    }
}

void isr_systick(void)
{
    (void)now_ns(); /* before timer 5 comes round */
    if (scanning) {
        convert_until(board_now().triggers, true);
    }
}

void board_scan(const uint8_t *inputs, uint8_t n, uint32_t trigger_ticks)
{
    (void)trigger_ticks;
    for (uint8_t i = 0; i < n; i++) {
        scanned[i] = inputs[i];
    }
    n_scanned = n;
    next_trigger = 0;
    start_ns = now_ns();
    scanning = true;
}

void board_scan_stop(void)
{
    const uint32_t primask = irq_save();
    convert_until(board_now().triggers, false);
    scanning = false;
    irq_restore(primask);
}

uint16_t board_codes_in_half(void)
{
    return (uint16_t)(next_trigger - stm32_sampler.base.triggers);
}

void board_health(uint16_t *supply_mv, int16_t *temperature_centi_c)
{
    *supply_mv = 3300;
    *temperature_centi_c = 2500;
}

/* Each change of the line's level is an edge. */
void isr_exti9_5(void)
{
    const struct board_moment m = board_now();
    EXTI->pr = BIT(EDGE_LINE);
    level = !level;
    sampler_edge(&m, 0, level);
}

/* ------------------------------------------------------------------------ line */

/* Byte by byte, then the interrupt that the DMA would raise. */
void board_transmit(const uint8_t *bytes, uint16_t n)
{
    for (; n > 0; n--) {
        USART2->dr = *bytes++;
    }
    NVIC->ispr[IRQ_DMA1_STREAM6 / 32] = BIT(IRQ_DMA1_STREAM6 % 32);
}

void isr_dma1_stream6(void)
{
    line_sent();
}

/* ----------------------------------------------------------------------- flash */

const uint32_t port_flash_page_bytes = PAGE_BYTES;
/* QEMU starts with zeros: words are kept inverted, so that they read as erased */
__attribute__((section(".keep"))) static uint32_t pages[2][PAGE_BYTES / 4];

uint32_t port_flash_read(uint8_t page, uint32_t at)
{
    return ~pages[page][at / 4];
}

bool port_flash_program(uint8_t page, uint32_t at, uint32_t word)
{
    pages[page][at / 4] |= ~word;
    return ~pages[page][at / 4] == word;
}

bool port_flash_erase(uint8_t page)
{
    for (unsigned i = 0; i < PAGE_BYTES / 4; i++) {
        pages[page][i] = 0;
    }
    return true;
}
