/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registers that the port uses, of the STM32F411 (reference manual RM0383, section of each
 * block in brackets) and of the Cortex-M4 (ARM DDI 0403, section B3.2). The STM32F405 that QEMU
 * models has the same blocks at the same addresses.
 */
#ifndef STM32_REGISTERS_H
#define STM32_REGISTERS_H

#include <stdint.h>

#define REGISTERS(type, address) ((volatile struct type *)(uintptr_t)(address))
#define BIT(n) (UINT32_C(1) << (n))

/* ---------------------------------------------------- flash interface [3.8] */
struct flash_registers {
    uint32_t acr, keyr, optkeyr, sr, cr;
};
#define FLASH REGISTERS(flash_registers, 0x40023c00)
#define FLASH_ACR_LATENCY(n) (n)
#define FLASH_ACR_PRFTEN BIT(8)
#define FLASH_ACR_ICEN BIT(9)
#define FLASH_ACR_DCEN BIT(10)
#define FLASH_ACR_ICRST BIT(11)
#define FLASH_ACR_DCRST BIT(12)
#define FLASH_SR_ERRORS (BIT(1) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8))
#define FLASH_SR_BSY BIT(16)
#define FLASH_CR_PG BIT(0)
#define FLASH_CR_SER BIT(1)
#define FLASH_CR_SNB(n) ((uint32_t)(n) << 3)
#define FLASH_CR_PSIZE_32 (UINT32_C(2) << 8)
#define FLASH_CR_STRT BIT(16)
#define FLASH_CR_LOCK BIT(31)
#define FLASH_KEY_1 UINT32_C(0x45670123)
#define FLASH_KEY_2 UINT32_C(0xcdef89ab)

/* -------------------------------------------------------- power control [5.4] */
struct pwr_registers {
    uint32_t cr, csr;
};
#define PWR REGISTERS(pwr_registers, 0x40007000)
#define PWR_CR_VOS_SCALE_1 (UINT32_C(3) << 14)

/* ------------------------------------------------------------- clocks [6.3] */
struct rcc_registers {
    uint32_t cr, pllcfgr, cfgr, cir;
    uint32_t unused_10[8];
    uint32_t ahb1enr, ahb2enr;
    uint32_t unused_38[2];
    uint32_t apb1enr, apb2enr;
};
#define RCC REGISTERS(rcc_registers, 0x40023800)
#define RCC_CR_HSEON BIT(16)
#define RCC_CR_HSERDY BIT(17)
#define RCC_CR_HSEBYP BIT(18)
#define RCC_CR_PLLON BIT(24)
#define RCC_CR_PLLRDY BIT(25)
#define RCC_PLLCFGR_M(n) (n)
#define RCC_PLLCFGR_N(n) ((uint32_t)(n) << 6)
#define RCC_PLLCFGR_P_2 0
#define RCC_PLLCFGR_SRC_HSE BIT(22)
#define RCC_PLLCFGR_Q(n) ((uint32_t)(n) << 24)
#define RCC_CFGR_SW_PLL 2
#define RCC_CFGR_SWS_MASK (UINT32_C(3) << 2)
#define RCC_CFGR_SWS_PLL (UINT32_C(2) << 2)
#define RCC_CFGR_PPRE1_2 (UINT32_C(4) << 10)
#define RCC_AHB1_GPIOA BIT(0)
#define RCC_AHB1_GPIOB BIT(1)
#define RCC_AHB1_DMA1 BIT(21)
#define RCC_AHB1_DMA2 BIT(22)
#define RCC_APB1_TIM2 BIT(0)
#define RCC_APB1_TIM4 BIT(2)
#define RCC_APB1_TIM5 BIT(3)
#define RCC_APB1_USART2 BIT(17)
#define RCC_APB1_PWR BIT(28)
#define RCC_APB2_ADC1 BIT(8)
#define RCC_APB2_SYSCFG BIT(14)

/* --------------------------------------------------------------- pins [8.4] */
struct gpio_registers {
    uint32_t moder, otyper, ospeedr, pupdr, idr, odr, bsrr, lckr, afr[2];
};
#define GPIOA REGISTERS(gpio_registers, 0x40020000)
#define GPIOB REGISTERS(gpio_registers, 0x40020400)
enum { PIN_INPUT = 0, PIN_OUTPUT = 1, PIN_ALTERNATE = 2, PIN_ANALOG = 3 };

/* -------------------------------------- pins as interrupts: SYSCFG [7.2], EXTI [10.3] */
struct syscfg_registers {
    uint32_t memrmp, pmc, exticr[4], cmpcr;
};
struct exti_registers {
    uint32_t imr, emr, rtsr, ftsr, swier, pr;
};
#define SYSCFG REGISTERS(syscfg_registers, 0x40013800)
#define EXTI REGISTERS(exti_registers, 0x40013c00)

/* ---------------------------------------------------------------- DMA [9.5] */
struct dma_stream_registers {
    uint32_t cr, ndtr, par, m0ar, m1ar, fcr;
};
struct dma_registers {
    uint32_t isr[2], ifcr[2]; /* low and high half: streams 0..3, 4..7 */
    struct dma_stream_registers stream[8];
};
#define DMA1 REGISTERS(dma_registers, 0x40026000)
#define DMA2 REGISTERS(dma_registers, 0x40026400)
#define DMA_CR_EN BIT(0)
#define DMA_CR_TEIE BIT(2)
#define DMA_CR_HTIE BIT(3)
#define DMA_CR_TCIE BIT(4)
#define DMA_CR_TO_PERIPHERAL (UINT32_C(1) << 6)
#define DMA_CR_CIRC BIT(8)
#define DMA_CR_MINC BIT(10)
#define DMA_CR_PSIZE_16 (UINT32_C(1) << 11)
#define DMA_CR_MSIZE_16 (UINT32_C(1) << 13)
#define DMA_CR_PL(n) ((uint32_t)(n) << 16)
#define DMA_CR_CHSEL(n) ((uint32_t)(n) << 25)
/* flags of a stream, to be shifted to its place: 0, 6, 16, 22 */
#define DMA_TEIF BIT(3)
#define DMA_HTIF BIT(4)
#define DMA_TCIF BIT(5)
#define DMA_FLAGS UINT32_C(0x3d)

/* -------------------------------------------------------------- ADC [11.12] */
struct adc_registers {
    uint32_t sr, cr1, cr2, smpr1, smpr2, jofr[4], htr, ltr, sqr1, sqr2, sqr3, jsqr, jdr[4], dr;
};
#define ADC1 REGISTERS(adc_registers, 0x40012000)
#define ADC_CCR (*(volatile uint32_t *)(uintptr_t)0x40012304)
#define ADC_SR_EOC BIT(1)
#define ADC_SR_OVR BIT(5)
#define ADC_CR1_SCAN BIT(8)
#define ADC_CR1_DISCEN BIT(11) /* DISCNUM 0: one conversion a trigger */
#define ADC_CR1_OVRIE BIT(26)
#define ADC_CR2_ADON BIT(0)
#define ADC_CR2_DMA BIT(8)
#define ADC_CR2_DDS BIT(9)
#define ADC_CR2_EXTSEL_TIM2_TRGO (UINT32_C(6) << 24)
#define ADC_CR2_EXTEN_RISING (UINT32_C(1) << 28)
#define ADC_CR2_SWSTART BIT(30)
#define ADC_SQR1_LENGTH(n) (((uint32_t)(n)-1) << 20)
#define ADC_CCR_PRESCALER_4 (UINT32_C(1) << 16)
#define ADC_CCR_TSVREFE BIT(23)
enum {
    ADC_SAMPLE_3 = 0,
    ADC_SAMPLE_15,
    ADC_SAMPLE_28,
    ADC_SAMPLE_56,
    ADC_SAMPLE_84,
    ADC_SAMPLE_112,
    ADC_SAMPLE_144,
    ADC_SAMPLE_480
};
enum { ADC_INPUT_VREFINT = 17, ADC_INPUT_TEMPERATURE = 18 };

/* -------------------------------------------------- timers 2 to 5 [13.4] */
struct timer_registers {
    uint32_t cr1, cr2, smcr, dier, sr, egr, ccmr1, ccmr2, ccer, cnt, psc, arr, unused_30, ccr[4];
};
#define TIM2 REGISTERS(timer_registers, 0x40000000) /* 32 bits */
#define TIM4 REGISTERS(timer_registers, 0x40000800) /* 16 bits */
#define TIM5 REGISTERS(timer_registers, 0x40000c00) /* 32 bits */
#define TIM_CR1_CEN BIT(0)
#define TIM_CR2_TRGO_UPDATE (UINT32_C(2) << 4)
#define TIM_SMCR_EXTERNAL_1                                                                        \
    7                  /* counts its trigger input; TS 0: ITR0, of timer 5 that is timer 2         \
                        */
#define TIM_CC1 BIT(1) /* in DIER and SR */
#define TIM_CC2 BIT(2)
#define TIM_SR_CC1OF BIT(9)
#define TIM_SR_CC2OF BIT(10)
#define TIM_CCMR1_CC1_TI1 (UINT32_C(1) << 0)
#define TIM_CCMR1_CC2_TI1 (UINT32_C(2) << 8)
#define TIM_CCER_CC1E BIT(0)
#define TIM_CCER_CC2E BIT(4)
#define TIM_CCER_CC2P BIT(5)

/* ------------------------------------------------------------ USART [19.6] */
struct usart_registers {
    uint32_t sr, dr, brr, cr1, cr2, cr3;
};
#define USART2 REGISTERS(usart_registers, 0x40004400)
#define USART_SR_ORE BIT(3)
#define USART_SR_RXNE BIT(5)
#define USART_CR1_RE BIT(2)
#define USART_CR1_TE BIT(3)
#define USART_CR1_RXNEIE BIT(5)
#define USART_CR1_UE BIT(13)
#define USART_CR1_OVER8 BIT(15)
#define USART_CR3_DMAT BIT(7)

/* -------------------- factory's values: unique number [24.1], data sheet 6.3.21, 6.3.22 */
#define UNIQUE_ID ((const volatile uint32_t *)(uintptr_t)0x1fff7a10)
#define VREFINT_CAL (*(const volatile uint16_t *)(uintptr_t)0x1fff7a2a) /* at 3.3 V, 30 degC */
#define TS_CAL1 (*(const volatile uint16_t *)(uintptr_t)0x1fff7a2c)     /* 30 degC */
#define TS_CAL2 (*(const volatile uint16_t *)(uintptr_t)0x1fff7a2e)     /* 110 degC */

/* ------------------------------------------------------------------ the core */
struct nvic_registers {
    uint32_t iser[8], unused_20[24], icer[8], unused_a0[24], ispr[8];
};
struct systick_registers {
    uint32_t csr, rvr, cvr;
};
#define NVIC REGISTERS(nvic_registers, 0xe000e100)
#define NVIC_PRIORITY ((volatile uint8_t *)(uintptr_t)0xe000e400)
#define SYSTICK REGISTERS(systick_registers, 0xe000e010)
enum {
    IRQ_DMA1_STREAM6 = 17,
    IRQ_ADC = 18,
    IRQ_EXTI9_5 = 23,
    IRQ_TIM4 = 30,
    IRQ_USART2 = 38,
    IRQ_TIM5 = 50,
    IRQ_DMA2_STREAM0 = 56,
    IRQS = 86
};

#if defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 77 /* M: the chip itself */
/** Enables an interrupt; priority 0 is the most urgent of 16. */
static inline void irq_enable(unsigned irq, unsigned priority)
{
    NVIC_PRIORITY[irq] = (uint8_t)(priority << 4);
    NVIC->iser[irq / 32] = BIT(irq % 32);
}

/** Interrupts off; returns what irq_restore wants. */
static inline uint32_t irq_save(void)
{
    uint32_t primask;
    __asm__ volatile("mrs %0, primask\n\tcpsid i" : "=r"(primask)::"memory");
    return primask;
}
static inline void irq_restore(uint32_t primask)
{
    __asm__ volatile("msr primask, %0" ::"r"(primask) : "memory");
}
#else /* the tests on the host, which call the interrupts themselves */
static inline void irq_enable(unsigned irq, unsigned priority)
{
    (void)irq;
    (void)priority;
}
static inline uint32_t irq_save(void)
{
    return 0;
}
static inline void irq_restore(uint32_t primask)
{
    (void)primask;
}
#endif

#endif
