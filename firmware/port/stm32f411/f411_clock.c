/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks, power and pins of the STM32F411. */
#include "stm32_board.h"

/* 8 MHz from the Nucleo's ST-LINK (no crystal: bypass), 25 MHz crystal on the Black Pill. */
#ifndef HSE_HZ
#define HSE_HZ 8000000
#endif
#ifndef HSE_BYPASS
#define HSE_BYPASS 1
#endif
enum { HSI_HZ = 16000000, WAIT_LOOPS = 200000 };

static bool wait_for(const volatile uint32_t *where, uint32_t bits)
{
    for (uint32_t i = 0; i < WAIT_LOOPS; i++) {
        if ((*where & bits) == bits) {
            return true;
        }
    }
    return false;
}

/* VCO = 1 MHz x 192, of that the half: 96 MHz; APB1 the half of it, its timers run at 96 MHz all
 * the same [6.2]. Three wait states for more than 90 MHz at 2.7 V or more [3.4.1]. */
static bool start_clock(void)
{
    RCC->apb1enr |= RCC_APB1_PWR;
    PWR->cr |= PWR_CR_VOS_SCALE_1; /* before the PLL is on [5.1.3] */
    FLASH->acr = FLASH_ACR_LATENCY(3) | FLASH_ACR_PRFTEN | FLASH_ACR_ICEN | FLASH_ACR_DCEN;
    RCC->cr |= HSE_BYPASS ? RCC_CR_HSEBYP : 0;
    RCC->cr |= RCC_CR_HSEON;
    const bool crystal = wait_for(&RCC->cr, RCC_CR_HSERDY);
    const uint32_t source = crystal ? RCC_PLLCFGR_SRC_HSE | RCC_PLLCFGR_M(HSE_HZ / 1000000)
                                    : RCC_PLLCFGR_M(HSI_HZ / 1000000);
    RCC->pllcfgr = source | RCC_PLLCFGR_N(192) | RCC_PLLCFGR_P_2 | RCC_PLLCFGR_Q(4);
    RCC->cr |= RCC_CR_PLLON;
    (void)wait_for(&RCC->cr, RCC_CR_PLLRDY);
    RCC->cfgr = RCC_CFGR_PPRE1_2 | RCC_CFGR_SW_PLL;
    (void)wait_for(&RCC->cfgr, RCC_CFGR_SWS_PLL);
    return crystal;
}

static void set_pin(volatile struct gpio_registers *port, unsigned pin, uint32_t mode,
                    uint32_t function)
{
    port->afr[pin / 8] |= function << (pin % 8 * 4);
    port->moder = (port->moder & ~(UINT32_C(3) << (2 * pin))) | mode << (2 * pin);
}

bool board_init(void)
{
    static const uint8_t analog_a[] = {0, 1, 4, 5, 6, 7};
    const bool crystal = start_clock();
    RCC->ahb1enr |= RCC_AHB1_GPIOA | RCC_AHB1_GPIOB | RCC_AHB1_DMA1 | RCC_AHB1_DMA2;
    RCC->apb1enr |= RCC_APB1_TIM2 | RCC_APB1_TIM4 | RCC_APB1_TIM5 | RCC_APB1_USART2;
    RCC->apb2enr |= RCC_APB2_ADC1;
    (void)RCC->apb2enr; /* two cycles until a block may be touched [6.2.14] */
    for (unsigned i = 0; i < sizeof analog_a; i++) {
        set_pin(GPIOA, analog_a[i], PIN_ANALOG, 0);
    }
    set_pin(GPIOB, 0, PIN_ANALOG, 0);
    set_pin(GPIOB, 1, PIN_ANALOG, 0);
    set_pin(GPIOA, 2, PIN_ALTERNATE, 7); /* USART 2 */
    set_pin(GPIOA, 3, PIN_ALTERNATE, 7);
    GPIOA->pupdr |= UINT32_C(1) << 6;    /* an open input is silent */
    GPIOA->ospeedr |= UINT32_C(2) << 4;  /* edges of 4 Mbaud */
    set_pin(GPIOB, 6, PIN_ALTERNATE, 2); /* timer 4, channel 1 */
    GPIOB->pupdr |= UINT32_C(1) << 12;
    return crystal;
}

/* Lot, wafer and place: 96 bits folded to 64. */
uint64_t board_unique(void)
{
    return (uint64_t)(UNIQUE_ID[1] ^ UNIQUE_ID[2]) << 32 | UNIQUE_ID[0];
}
