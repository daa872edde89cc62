/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The STM32F411's register code on the host: memory stands at the addresses of the registers, and
 * this file does by hand what the blocks do, as RM0383 tells it: a trigger each update of timer 2,
 * a conversion a trigger through the sequence, a transfer a conversion into the ring. It shows that
 * the registers are set as written down here apart, that codes come out as the right sums, and that
 * a missed trigger shifts nothing. What the silicon does beyond that, only the silicon can show.
 */
#include "../atoll_test.h"

#include <errno.h>
#include <stm32_board.h>
#include <sys/mman.h>

/* ---------------------------------------------------------------- the hardware */

static const struct {
    uintptr_t at;
    size_t bytes;
} places[] = {{0x40000000, 0x1000},  /* timers */
              {0x40004000, 0x1000},  /* USART 2 */
              {0x40007000, 0x1000},  /* PWR */
              {0x40012000, 0x1000},  /* ADC */
              {0x40020000, 0x1000},  /* GPIO */
              {0x40023000, 0x1000},  /* RCC, flash */
              {0x40026000, 0x1000},  /* DMA */
              {0x08040000, 0x40000}, /* sectors 6, 7 */
              {0x1fff7000, 0x1000}}; /* factory's values */

static bool map_registers(void)
{
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        void *const want = (void *)places[i].at;
        void *const got = mmap(want, places[i].bytes, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (got != want) {
            print_message("skipped: 0x%zx is not free here\n", (size_t)places[i].at);
            return false;
        }
    }
    return true;
}

static uint32_t place_in_sequence, trigger_count;
static uint8_t sequence[8], n_sequence;
static struct atoll_wire_decoder decoder;
static struct atoll_wire_frame last[16];
static uint32_t seen[16];

static uint16_t code_of(uint32_t trigger)
{
    return (uint16_t)((trigger * 2654435761u) >> 20);
}

static void read_sequence(void)
{
    n_sequence = (uint8_t)((ADC1->sqr1 >> 20 & 15) + 1);
    for (uint8_t i = 0; i < n_sequence; i++) {
        sequence[i] = (uint8_t)((i < 6 ? ADC1->sqr3 >> (5 * i) : ADC1->sqr2 >> (5 * (i - 6))) & 31);
    }
}

/* DMA 1 stream 6: what was to be sent. The address's high half is lost in a register of 32 bits. */
static void (*on_data)(const struct atoll_wire_frame *f);
static void take_sent(void)
{
    while ((DMA1->stream[6].cr & 1) != 0) {
        const uintptr_t high = (uintptr_t)&stm32_sampler & ~(uintptr_t)UINT32_MAX;
        const uint8_t *bytes = (const uint8_t *)(high | DMA1->stream[6].m0ar);
        size_t n = DMA1->stream[6].ndtr;
        DMA1->stream[6].cr &= ~UINT32_C(1);
        for (size_t at = 0; at < n;) {
            struct atoll_wire_frame f;
            bool got = false;
            at += atoll_wire_decode(&decoder, bytes + at, n - at, &f, &got);
            if (got) {
                last[f.type] = f;
                seen[f.type]++;
                if (f.type == ATOLL_WIRE_DATA && on_data != NULL) {
                    on_data(&f);
                }
            }
        }
        isr_dma1_stream6();
    }
}

static void poll_meter(void)
{
    for (int i = 0; i < 20; i++) {
        fw_meter_poll();
        take_sent();
    }
}

static void send(struct atoll_wire_frame f)
{
    uint8_t bytes[ATOLL_WIRE_FRAME_MAX];
    const size_t n = atoll_wire_encode(&f, bytes);
    for (size_t i = 0; i < n; i++) {
        USART2->sr = 0xe0; /* TXE, TC, RXNE */
        USART2->dr = bytes[i];
        isr_usart2();
    }
    poll_meter();
}

static bool armed(void)
{
    return (ADC1->cr2 & 0x30000001) == 0x10000001;
}

/* One trigger: timer 5 counts it; the converter, if armed, converts; the code goes to the ring. */
static void trigger(bool converter_sees_it)
{
    const bool was_armed = armed();
    TIM5->cnt++;
    TIM2->cnt = 160; /* when the interrupt that the conversion brings is served */
    if (was_armed && converter_sees_it) {
        const bool shifted = place_in_sequence != trigger_count % n_sequence;
        volatile struct dma_stream_registers *s = &DMA2->stream[0];
        const uint32_t whole = 2u * stm32_sampler.half_codes;
        stm32_sampler.codes[whole - s->ndtr] =
            shifted ? UINT16_C(0xfff) : code_of(trigger_count); /* must not come out */
        place_in_sequence = (place_in_sequence + 1) % n_sequence;
        s->ndtr--;
        if (s->ndtr == whole / 2 || s->ndtr == 0) {
            DMA2->isr[0] = s->ndtr == 0 ? 0x20 : 0x10;
            s->ndtr = s->ndtr == 0 ? whole : s->ndtr;
            isr_dma2_stream0();
            DMA2->isr[0] = 0;
        }
    }
    trigger_count++;
    TIM2->cnt = 30;
    if ((TIM5->dier & 2) != 0 && TIM5->cnt == TIM5->ccr[0]) {
        isr_tim5();
    }
    if (!armed()) {
        place_in_sequence = 0; /* the converter was off */
    }
}

static struct {
    uint64_t scans, missing, by_device, next;
    struct atoll_wire_track track;
} got;

static void check_scans(const struct atoll_wire_frame *f)
{
    uint16_t samples[ATOLL_WIRE_PAYLOAD_MAX];
    uint64_t first = 0, missing = 0, own = 0;
    const struct atoll_wire_config *c = &fw_meter.config;
    const uint32_t n = atoll_wire_count(c->channels);
    const enum atoll_wire_order order = atoll_wire_follow(&got.track, f, &first, &missing, &own);
    assert_true(order == ATOLL_WIRE_NEXT || order == ATOLL_WIRE_GAP);
    atoll_wire_unpack(samples, n * f->data.n_scans, f->data.payload, c->bits);
    for (uint32_t i = 0; i < f->data.n_scans; i++) {
        for (uint32_t k = 0; k < n; k++) {
            uint32_t sum = 0;
            for (uint32_t r = 0; r < c->conversions; r++) {
                sum += code_of((uint32_t)(first + i) * n * c->conversions + r * n + k);
            }
            assert_int_equal(samples[i * n + k], sum);
        }
    }
    got.scans += f->data.n_scans;
    got.missing += missing;
    got.by_device += own;
    got.next = first + f->data.n_scans;
}

static void begin(uint16_t channels, uint8_t conversions, uint32_t trigger_ticks)
{
    memset(&got, 0, sizeof got);
    send((struct atoll_wire_frame){
        .type = ATOLL_WIRE_SET,
        .set = {.channels = channels,
                .bits = 16,
                .conversions = conversions,
                .period_ticks = trigger_ticks * atoll_wire_count(channels) * conversions}});
    on_data = check_scans;
    send((struct atoll_wire_frame){.type = ATOLL_WIRE_RUN, .run = 1});
    TIM2->cnt = 20; /* it runs */
    read_sequence();
    trigger_count = place_in_sequence = 0;
}

static void end(void)
{
    send((struct atoll_wire_frame){.type = ATOLL_WIRE_RUN, .run = 0});
    poll_meter();
    on_data = NULL;
}

/* --------------------------------------------------------------------- tests */

static int power_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const bool flash = places[i].at == 0x08040000;
        memset((void *)places[i].at, flash ? 0xff : 0, places[i].bytes);
    }
    RCC->cr = RCC_CR_HSERDY | RCC_CR_PLLRDY; /* the crystal runs, the PLL locks */
    RCC->cfgr = RCC_CFGR_SWS_PLL;
    FLASH->cr = FLASH_CR_LOCK;
    ADC1->sr = 2; /* EOC */
    ADC1->dr = 1489;
    *(volatile uint16_t *)(uintptr_t)0x1fff7a2a = 1500;
    *(volatile uint16_t *)(uintptr_t)0x1fff7a2c = 943;
    *(volatile uint16_t *)(uintptr_t)0x1fff7a2e = 1204;
    *(volatile uint32_t *)(uintptr_t)0x1fff7a10 = 0x11223344;
    memset(seen, 0, sizeof seen);
    fw_meter.bad_calibration = 0;
    stm32_set_up();
    return 0;
}

/* Each value written out here from the tables of RM0383. */
static void registers_are_set(void **state)
{
    (void)state;
    assert_int_equal(RCC->pllcfgr, 0x04403008); /* Q 4, HSE, P 2, N 192, M 8 */
    assert_int_equal(PWR->cr, 0xc000);
    assert_int_equal(FLASH->acr, 0x703);
    assert_int_equal(GPIOA->moder, 0x0000ffaf); /* PA0 1 4 5 6 7 analog, PA2 3 alternate */
    assert_int_equal(GPIOA->afr[0], 0x7700);
    assert_int_equal(GPIOB->moder, 0x0000200f);  /* PB0 1 analog, PB6 alternate */
    assert_int_equal(GPIOB->afr[0], 0x02000000); /* timer 4 */
    assert_int_equal(USART2->brr, BAUD == 2000000 ? 0x18 : USART2->brr); /* 48 MHz / 24 */
    assert_int_equal(USART2->cr1, 0x202c); /* UE, RXNEIE, TE, RE; 16 samples a bit */
    begin(0xff, 5, 120);
    assert_int_equal(ADC1->sqr1, 7 << 20);
    assert_int_equal(ADC1->sqr3, 0 | 1 << 5 | 4 << 10 | 5 << 15 | 6 << 20 | 7 << 25);
    assert_int_equal(ADC1->sqr2, 8 | 9 << 5);
    assert_int_equal(ADC1->cr1, 0x04000900); /* OVRIE, DISCEN, SCAN */
    assert_int_equal(ADC1->cr2, 0x16000301); /* rising, timer 2 TRGO, DDS, DMA, ADON */
    assert_int_equal(ADC_CCR & 0x30000, 0x10000);
    assert_int_equal(DMA2->stream[0].cr, 0x32d19);
    assert_int_equal(DMA2->stream[0].par, 0x4001204c);
    assert_int_equal(DMA2->stream[0].ndtr, 2 * 14 * 40);
    assert_int_equal(DMA2->stream[0].m0ar, (uint32_t)(uintptr_t)stm32_sampler.codes);
    assert_int_equal(TIM2->arr, 119);
    assert_int_equal(TIM2->cr2, 0x20);
    assert_int_equal(TIM2->cr1, 1);
    assert_int_equal(TIM5->smcr, 7);
    assert_int_equal(TIM4->ccmr1, 0x0201);
    assert_int_equal(TIM4->ccer, 0x31);
    assert_int_equal(DMA1->stream[6].cr & ~UINT32_C(0x17), 0x08000440);
    assert_int_equal(DMA1->stream[6].par, 0x40004404);
    end();
}

static void sums_come_out_right(void **state)
{
    (void)state;
    static const struct {
        uint16_t channels;
        uint8_t conversions;
        uint32_t trigger_ticks;
    } runs[] = {{0xff, 5, 120}, {0x01, 16, 6000}, {0x15, 3, 2000}, {0x80, 1, 960000}};
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        const uint32_t in_scan = atoll_wire_count(runs[i].channels) * (uint32_t)runs[i].conversions;
        begin(runs[i].channels, runs[i].conversions, runs[i].trigger_ticks);
        for (uint32_t k = 0; k < 500 * in_scan + in_scan / 2; k++) {
            trigger(true);
            if (k % in_scan == 0) {
                fw_meter_poll();
                take_sent();
            }
        }
        end();
        assert_int_equal(got.missing, 0);
        assert_int_equal(got.scans, 500); /* those of the half under way at the stop as well */
        assert_int_equal(last[ATOLL_WIRE_STAT].stat.slip, 0);
    }
}

/* Triggers that the converter does not see, and overruns: slips, counted, and nothing is shifted.
 */
static void a_missed_trigger_shifts_nothing(void **state)
{
    (void)state;
    begin(0x0f, 4, 500);
    for (uint32_t k = 0; k < 16 * 3000; k++) {
        const bool overrun = k % 11117 == 5000;
        trigger(k % 7001 < 7000 - k / 7001);
        if (overrun) {
            ADC1->sr = 0x20;
            isr_adc();
            place_in_sequence = 0;
        }
        if (k % 16 == 0) {
            fw_meter_poll();
            take_sent();
        }
    }
    end();
    const struct atoll_wire_stat *s = &last[ATOLL_WIRE_STAT].stat;
    print_message("%llu scans right, %u slips\n", (unsigned long long)got.scans, s->slip);
    assert_true(s->slip > 5);
    assert_int_equal(s->lost, 0);
    assert_int_equal(got.missing, got.by_device);
    assert_int_equal(got.missing, s->slip);
    assert_true(got.scans + got.missing >= 2999);
}

static double event_at(void)
{
    return last[ATOLL_WIRE_EVENT].event.scan + last[ATOLL_WIRE_EVENT].event.fraction / 65536.0;
}

static void edges_are_placed_to_the_tick(void **state)
{
    (void)state;
    begin(0x03, 8, 1000); /* a scan of 16 000 ticks */
    for (uint32_t k = 0; k < 500; k++) {
        trigger(true);
    }
    poll_meter();
    for (uint32_t i = 0; i < 20; i++) {
        trigger(true);
        const uint32_t now_ticks = 200 + 37 * i;
        const uint16_t rise = (uint16_t)(900 + 111 * i);
        TIM2->cnt = now_ticks;
        TIM4->cnt = 5000 * i;
        TIM4->ccr[0] = (uint16_t)(5000 * i - rise);
        TIM4->sr = 2;
        isr_tim4();
        poll_meter();
        assert_int_equal(last[ATOLL_WIRE_EVENT].event.cause, ATOLL_WIRE_RISING);
        assert_int_equal(last[ATOLL_WIRE_EVENT].event.id, 2 * i);
        const double truth = ((trigger_count - 1) * 1000.0 + now_ticks - rise) / 16000;
        test_close(event_at(), truth, 2.0 / 65536);
        /* both edges before the interrupt was served: in the order in which they came */
        TIM4->ccr[1] = (uint16_t)(5000 * i - 300);
        TIM4->sr = 4;
        isr_tim4();
        poll_meter();
        assert_int_equal(last[ATOLL_WIRE_EVENT].event.cause, ATOLL_WIRE_FALLING);
        test_close(event_at(), ((trigger_count - 1) * 1000.0 + now_ticks - 300) / 16000,
                   2.0 / 65536);
    }
    assert_int_equal(seen[ATOLL_WIRE_EVENT], 40);
    end();
}

static void health_and_self_test(void **state)
{
    (void)state;
    send((struct atoll_wire_frame){.type = ATOLL_WIRE_ASK, .ask = ATOLL_WIRE_ERROR});
    /* the one code serves both inputs: 3300 x 1500 / 1489 mV; 30 + 80 (1500 - 943) / 261 degC is
     * too hot to be true */
    assert_int_equal(last[ATOLL_WIRE_ERROR].error.code, FW_SELF_TEST);
    assert_int_equal(last[ATOLL_WIRE_ERROR].error.detail, FW_FAULT_CONVERTER);
    *(volatile uint16_t *)(uintptr_t)0x1fff7a2a = 1000;
    ADC1->dr = 1000;
    send((struct atoll_wire_frame){.type = ATOLL_WIRE_ASK, .ask = ATOLL_WIRE_ERROR});
    assert_int_equal(last[ATOLL_WIRE_ERROR].error.code, 0);
    send((struct atoll_wire_frame){.type = ATOLL_WIRE_ASK, .ask = ATOLL_WIRE_STAT});
    assert_int_equal(last[ATOLL_WIRE_STAT].stat.supply_mv, 3300);
    assert_int_equal(last[ATOLL_WIRE_STAT].stat.temperature_centi_c, 3000 + 57 * 8000 / 261);
    ADC1->dr = 0;
    send((struct atoll_wire_frame){.type = ATOLL_WIRE_ASK, .ask = ATOLL_WIRE_ERROR});
    assert_int_equal(last[ATOLL_WIRE_ERROR].error.detail, FW_FAULT_CONVERTER | FW_FAULT_SUPPLY);
    send((struct atoll_wire_frame){.type = ATOLL_WIRE_ASK, .ask = ATOLL_WIRE_HELLO});
    assert_true(last[ATOLL_WIRE_HELLO].hello.unique == 0x11223344);
}

static void flash_is_programmed_by_the_rules(void **state)
{
    (void)state;
    (void)port_flash_program(1, 8, 0x12345678); /* its answer needs a flag that clears */
    assert_int_equal(*(volatile uint32_t *)(uintptr_t)0x08060008, 0x12345678);
    assert_int_equal(FLASH->keyr, 0xcdef89ab);
    assert_int_equal(FLASH->cr, FLASH_CR_LOCK);
    FLASH->keyr = 0;
    FLASH->sr = 0;
    (void)port_flash_erase(0);
    assert_int_equal(FLASH->keyr, 0xcdef89ab);
    assert_int_equal(FLASH->cr, FLASH_CR_LOCK);
    assert_int_equal(FLASH->acr, 0x703); /* the data cache is on again, not in reset */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(registers_are_set, power_on),
        cmocka_unit_test_setup(sums_come_out_right, power_on),
        cmocka_unit_test_setup(a_missed_trigger_shifts_nothing, power_on),
        cmocka_unit_test_setup(edges_are_placed_to_the_tick, power_on),
        cmocka_unit_test_setup(health_and_self_test, power_on),
        cmocka_unit_test_setup(flash_is_programmed_by_the_rules, power_on),
    };
    if (!map_registers()) {
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
