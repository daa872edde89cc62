/* SPDX-License-Identifier: Apache-2.0 */
/* From reset to main: vectors, memory. Without C library: what the compiler calls is here. */
#include "stm32_board.h"

#include <stddef.h>

extern uint32_t stm32_stack_top, stm32_data_load, stm32_data_begin, stm32_data_end, stm32_bss_begin,
    stm32_bss_end;

void stm32_reset(void);
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memset(void *to, int value, size_t n);

__attribute__((optimize("no-tree-loop-distribute-patterns"))) void *memcpy(
    void *restrict to, const void *restrict from, size_t n)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    while (n-- > 0) {
        *t++ = *f++;
    }
    return to;
}

__attribute__((optimize("no-tree-loop-distribute-patterns"))) void *memset(void *to, int value,
                                                                           size_t n)
{
    uint8_t *t = to;
    while (n-- > 0) {
        *t++ = (uint8_t)value;
    }
    return to;
}

/* A fault, or an interrupt nobody asked for: starts anew, which the host sees by HELLO's count. */
static void reset_system(void)
{
    volatile uint32_t *const aircr = (volatile uint32_t *)(uintptr_t)0xe000ed0c;
    *aircr = UINT32_C(0x05fa0004);
    for (;;) {
    }
}

void stm32_reset(void)
{
    const uint32_t *from = &stm32_data_load;
    for (uint32_t *to = &stm32_data_begin; to < &stm32_data_end;) {
        *to++ = *from++;
    }
    for (uint32_t *to = &stm32_bss_begin; to < &stm32_bss_end;) {
        *to++ = 0;
    }
    (void)main();
    reset_system();
}

#define OPTIONAL_ISR(name) void name(void) __attribute__((weak, alias("unexpected")))
static void __attribute__((used)) unexpected(void)
{
    reset_system();
}
OPTIONAL_ISR(isr_systick);
OPTIONAL_ISR(isr_dma1_stream6);
OPTIONAL_ISR(isr_adc);
OPTIONAL_ISR(isr_exti9_5);
OPTIONAL_ISR(isr_tim4);
OPTIONAL_ISR(isr_usart2);
OPTIONAL_ISR(isr_tim5);
OPTIONAL_ISR(isr_dma2_stream0);

/* ARM DDI 0403 B1.5.3, RM0383 10.2 */
struct vectors {
    uint32_t *stack;
    void (*exception[15])(void);
    void (*irq[IRQS])(void);
};
__attribute__((section(".vectors"), used)) static const struct vectors vectors = {
    .stack = &stm32_stack_top,
    .exception = {[0] = stm32_reset,
                  [1] = unexpected,
                  [2] = unexpected,
                  [3] = unexpected,
                  [4] = unexpected,
                  [5] = unexpected,
                  [10] = unexpected,
                  [13] = unexpected,
                  [14] = isr_systick},
    .irq = {[IRQ_DMA1_STREAM6] = isr_dma1_stream6,
            [IRQ_ADC] = isr_adc,
            [IRQ_EXTI9_5] = isr_exti9_5,
            [IRQ_TIM4] = isr_tim4,
            [IRQ_USART2] = isr_usart2,
            [IRQ_TIM5] = isr_tim5,
            [IRQ_DMA2_STREAM0] = isr_dma2_stream0},
};
