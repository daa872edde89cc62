/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ATmega328P at 16 MHz (Arduino Uno). Chapters of the data sheet (DS40002061B) in brackets.
 *
 *   A0..A5 (A6, A7 on SMD parts)  channels 0..7, reference AVcc with 100 nF at AREF
 *   D8 (ICP1)                     marker input, pulled up, both edges
 *   D0, D1                        line to the host, BAUD 8N1
 *
 * Timer 1 counts to OCR1A; its compare match B, at the top as well, triggers the converter, so the
 * moment of sampling has no jitter (two converter clocks after the edge) [23.3, 23.4]. A trigger is
 * a rising edge of OCF1B: the interrupt must clear the flag before the next one, and a trigger that
 * comes earlier is lost without a sign in the hardware. The timer tells: read after a conversion it
 * has at least the time of a conversion, unless it has started again since (a slip).
 */
#include "firmware_meter.h"

#include <avr/eeprom.h>
#include <avr/interrupt.h>
#include <avr/io.h>
#include <string.h>
#include <util/atomic.h>

#ifndef BAUD
#define BAUD 500000
#endif
#define UBRR_VALUE (F_CPU / 8 / BAUD - 1)
_Static_assert((UBRR_VALUE + 1) * 8 * BAUD == F_CPU, "a rate that the clock divides to exactly");

enum {
    RX_RING = 64,           /* powers of two */
    EDGES = 4,              /* edges that wait for the main loop */
    DELIMITERS = 4,         /* stamps of delimiters kept */
    CONVERSION_CLOCKS = 13, /* 13.5 in truth [23.4]; a simulator counts 13 */
    /* converter clocks of a conversion and the longest wait for its interrupt must fit between two
     * triggers: 100 cycles when nothing else happens; 184 with a byte in and a byte out */
    WAIT_CYCLES = 100,
    TOP_MARGIN = 28 /* from reading the timer to clearing the flag it takes fewer cycles */
};

const struct port_facts port_facts = {.device = 2,
                                      .channels = FW_CHANNELS_MAX,
                                      .adc_bits = 10,
                                      .tick_hz = F_CPU,
                                      .reference_uv = 5000000,
                                      .sensor_ua_per_mv = 5405, /* ACS712-05B: 185 mV/A */
                                      .name = "atoll uno"};

static uint8_t tx_ring[256]; /* indexed by bytes, which wrap by themselves */
static volatile uint8_t tx_head, tx_tail;
static uint8_t rx_ring[RX_RING];
static volatile uint8_t rx_head, rx_tail;

static struct fw_stamp delimiter_stamps[DELIMITERS];
static volatile uint8_t delimiters;

static struct {
    struct fw_stamp stamp;
    bool rising;
    uint16_t number;
} edges[EDGES];
static volatile uint8_t edges_head, edges_tail;
static volatile uint16_t edge_count;

/* ADMUX of each place in a round, and of the two places behind its end */
static uint8_t mux[FW_CHANNELS_MAX + 2];
static uint16_t top, conversion_ticks, late_after;
static uint16_t supply_mv;

/* ----------------------------------------------------------------- interrupts */

/*
 * The converter is armed for the next trigger first, by hand in 36 cycles, where the compiler takes
 * 65: bytes in and out may have kept this interrupt waiting. What follows may take until the next
 * one: fw_scan_take(), by hand in the frequent case (first round, not the last channel), else in C.
 */
static volatile uint8_t next_mux; /* ADMUX of the conversion after the one awaited */
static volatile uint16_t code_taken;

void __vector_taken(void) __attribute__((signal, used));
void __vector_missed(void) __attribute__((signal, used));

#define RESTORE "pop r31\n\tpop r30\n\tpop r25\n\tpop r24\n\tout __SREG__, r24\n\tpop r24\n\t"

ISR(ADC_vect, ISR_NAKED)
{
    __asm__ volatile(
        "push r24\n\t"
        "in r24, __SREG__\n\t"
        "push r24\n\t"
        "push r25\n\t"
        "push r30\n\t"
        "push r31\n\t"
        "lds r24, %[timer]\n\t"
        "lds r25, %[timer] + 1\n\t"
        "lds r30, %[conversion]\n\t"
        "lds r31, %[conversion] + 1\n\t"
        "sub r24, r30\n\t"
        "sbc r25, r31\n\t"
        "lds r30, %[late]\n\t"
        "lds r31, %[late] + 1\n\t"
        "cp r24, r30\n\t"
        "cpc r25, r31\n\t"
        "brsh 1f\n\t"
        "lds r24, %[next]\n\t"
        "sts %[admux], r24\n\t" /* before the flag is cleared [23.5] */
        "ldi r24, %[flag]\n\t"
        "out %[flags], r24\n\t"
        "lds r24, %[adc]\n\t" /* before the next conversion ends */
        "lds r25, %[adc] + 1\n\t"
        "lds r30, %[round]\n\t"
        "tst r30\n\t"
        "brne 2f\n\t"
        "lds r30, %[channel]\n\t"
        "inc r30\n\t"
        "lds r31, %[channels]\n\t"
        "cp r30, r31\n\t"
        "brsh 2f\n\t"
        "sts %[channel], r30\n\t"
        "ldi r31, 0\n\t"
        "subi r30, lo8(-(%[mux]))\n\t"
        "sbci r31, hi8(-(%[mux]))\n\t"
        "ldd r30, Z + 1\n\t"
        "sts %[next], r30\n\t"
        "lds r30, %[at]\n\t"
        "lds r31, %[at] + 1\n\t"
        "st Z+, r24\n\t"
        "st Z+, r25\n\t"
        "sts %[at], r30\n\t"
        "sts %[at] + 1, r31\n\t" RESTORE "reti\n"
        "1:\n\t" RESTORE "jmp __vector_missed\n"
        "2:\n\t"
        "sts %[code], r24\n\t"
        "sts %[code] + 1, r25\n\t" RESTORE
        "jmp __vector_taken\n\t" ::[timer] "n"(_SFR_MEM_ADDR(TCNT1)),
        [conversion] "i"(&conversion_ticks), [late] "i"(&late_after), [next] "i"(&next_mux),
        [admux] "n"(_SFR_MEM_ADDR(ADMUX)), [flag] "n"(_BV(OCF1B)), [flags] "I"(_SFR_IO_ADDR(TIFR1)),
        [adc] "n"(_SFR_MEM_ADDR(ADC)), [code] "i"(&code_taken), [mux] "i"(mux),
        [round] "i"(&fw_meter.scan.round), [channel] "i"(&fw_meter.scan.channel),
        [channels] "i"(&fw_meter.scan.channels), [at] "i"(&fw_meter.scan.at));
}

/* A trigger has passed already, or comes while this is being decided and would be taken or not by
 * chance: wait for it. */
void __vector_missed(void)
{
    struct fw_scan *s = &fw_meter.scan;
    const uint16_t code = ADC;
    while (TCNT1 >= conversion_ticks) {
    }
    ADMUX = mux[s->channel + 2];
    TIFR1 = _BV(OCF1B);
    fw_scan_take(s, code);
    fw_scan_skip(s);
    next_mux = mux[s->channel + 1];
}

void __vector_taken(void)
{
    struct fw_scan *s = &fw_meter.scan;
    fw_scan_take(s, code_taken);
    next_mux = mux[s->channel + 1];
}

ISR(USART_UDRE_vect)
{
    uint8_t t = tx_tail;
    UDR0 = tx_ring[t];
    tx_tail = ++t;
    if (t == tx_head) {
        UCSR0B &= (uint8_t)~_BV(UDRIE0);
    }
}

/* Stamps are made while interrupts are off. */
static inline struct fw_stamp stamp_now(void)
{
    struct fw_stamp s;
    s.now = s.tick = TCNT1;
    s.busy = (ADCSRA & (_BV(ADSC) | _BV(ADIF))) != 0;
    s.index = (uint16_t)fw_meter.scan.index;
    s.channel = fw_meter.scan.channel;
    s.round = fw_meter.scan.round;
    return s;
}

/* The end of a frame: its time, with the others let in. */
void __vector_delimiter(void) __attribute__((signal, used));

void __vector_delimiter(void)
{
    const uint8_t n = delimiters;
    struct fw_stamp stamp;
    ATOMIC_BLOCK(ATOMIC_RESTORESTATE)
    {
        stamp = stamp_now();
    }
    delimiter_stamps[n & (DELIMITERS - 1)] = stamp;
    delimiters = (uint8_t)(n + 1);
}

/* A trigger must not wait for a byte: by hand in 47 cycles, where the compiler takes 100. A ring
 * that is lapped and a byte that the hardware lost both show as a damaged frame. */
ISR(USART_RX_vect, ISR_NAKED)
{
    __asm__ volatile("push r24\n\t"
                     "in r24, __SREG__\n\t"
                     "push r24\n\t"
                     "push r30\n\t"
                     "push r31\n\t"
                     "lds r30, %[head]\n\t"
                     "ldi r31, 0\n\t"
                     "subi r30, lo8(-(%[ring]))\n\t"
                     "sbci r31, hi8(-(%[ring]))\n\t"
                     "lds r24, %[data]\n\t"
                     "st Z, r24\n\t"
                     "lds r30, %[head]\n\t"
                     "inc r30\n\t"
                     "andi r30, %[mask]\n\t"
                     "sts %[head], r30\n\t"
                     "tst r24\n\t"
                     "brne 1f\n\t"
                     "sei\n\t"
                     "call __vector_delimiter\n"
                     "1:\n\t"
                     "pop r31\n\t"
                     "pop r30\n\t"
                     "pop r24\n\t"
                     "out __SREG__, r24\n\t"
                     "pop r24\n\t"
                     "reti" ::[head] "i"(&rx_head),
                     [ring] "i"(rx_ring), [data] "n"(_SFR_MEM_ADDR(UDR0)), [mask] "M"(RX_RING - 1));
}

/* The hardware stamps the edge itself, to the cycle [20.6]. */
ISR(TIMER1_CAPT_vect)
{
    const uint8_t head = edges_head;
    const uint8_t next = (uint8_t)(head + 1) & (EDGES - 1);
    const uint8_t control = TCCR1B;
    const uint16_t at = ICR1;
    if (next != edges_tail) {
        edges[head].stamp = stamp_now();
        edges[head].stamp.tick = at;
        edges[head].rising = (control & _BV(ICES1)) != 0;
        edges[head].number = edge_count;
        edges_head = next;
    }
    edge_count++;
    TCCR1B = control ^ _BV(ICES1);
    TIFR1 = _BV(ICF1); /* changing the edge may set the flag */
}

/* ------------------------------------------------------------------- sampling */

/* ADC prescaler: 2^n. The slowest clock that leaves time for the interrupt is the most exact. */
static uint8_t adc_prescaler(uint32_t trigger_ticks)
{
    for (uint8_t n = 7; n > 4; n--) {
        if (trigger_ticks >= ((27u << n) >> 1) + 184u) {
            return n;
        }
    }
    return 4;
}

uint8_t port_plan(uint8_t triggers, uint32_t trigger_ticks)
{
    (void)triggers;
    if (trigger_ticks < ((27u << 4) >> 1) + WAIT_CYCLES) {
        return FW_TOO_FAST;
    }
    return trigger_ticks > UINT16_MAX ? FW_TOO_SLOW : 0;
}

static uint16_t convert_once(uint8_t admux)
{
    ADMUX = admux;
    ADCSRB = 0;
    ADCSRA = _BV(ADEN) | 7;
    for (uint8_t i = 0; i < 8; i++) { /* the reference and the hold capacitor settle */
        ADCSRA |= _BV(ADSC);
        while ((ADCSRA & _BV(ADSC)) != 0) {
        }
        (void)ADC;
    }
    ADCSRA |= _BV(ADSC);
    while ((ADCSRA & _BV(ADSC)) != 0) {
    }
    return ADC;
}

/* AVcc by the bandgap of 1.1 V, which is right within 10 % from part to part [23.8]. */
static void measure_supply(void)
{
    const uint16_t code = convert_once(_BV(REFS0) | 14);
    supply_mv = code > 0 ? (uint16_t)(UINT32_C(1100) * 1024 / code) : 0;
}

void port_start(uint16_t channels, uint32_t trigger_ticks)
{
    uint8_t n = 0;
    for (uint8_t i = 0; i < FW_CHANNELS_MAX; i++) {
        if ((channels >> i & 1u) != 0) {
            mux[n++] = _BV(REFS0) | i;
        }
    }
    for (uint8_t i = 0; i < 2; i++) {
        mux[n + i] = mux[i % n];
    }
    measure_supply();
    const uint8_t prescaler = adc_prescaler(trigger_ticks);
    top = (uint16_t)(trigger_ticks - 1);
    conversion_ticks = (uint16_t)((uint16_t)(CONVERSION_CLOCKS - 1) << prescaler);
    late_after = top - TOP_MARGIN - conversion_ticks;
    TCCR1B = 0;
    TCNT1 = 0;
    OCR1A = top;
    OCR1B = top;
    ADMUX = mux[0];
    next_mux = mux[1];
    ADCSRB = _BV(ADTS2) | _BV(ADTS0); /* timer 1 compare match B */
    ADCSRA = _BV(ADEN) | _BV(ADATE) | _BV(ADIF) | _BV(ADIE) | prescaler;
    TIFR1 = _BV(OCF1B) | _BV(ICF1);
    TIMSK1 = _BV(ICIE1);
    /* to OCR1A, clock / 1, noise canceller, the edge that leaves the present level */
    TCCR1B = _BV(WGM12) | _BV(CS10) | _BV(ICNC1) | ((PINB & _BV(PINB0)) == 0 ? _BV(ICES1) : 0);
}

void port_stop(void)
{
    TCCR1B = 0;
    TIMSK1 = 0;
    ADCSRA = _BV(ADIF) | 7;
    measure_supply();
}

/* Interrupts stay on, since a trigger must not wait: the index read last shows whether one came
 * between. */
void port_counts(uint32_t *index, uint16_t *lost, uint16_t *slip)
{
    do {
        *index = fw_meter.scan.index;
        *lost = fw_meter.scan.lost;
        *slip = fw_meter.scan.slip;
    } while (*index != fw_meter.scan.index);
}

/* ----------------------------------------------------------------------- line */

uint16_t port_room(void)
{
    return (uint8_t)(tx_tail - tx_head - 1);
}

void port_send(const uint8_t *bytes, uint16_t n)
{
    uint8_t head = tx_head;
    for (; n > 0; n--) {
        tx_ring[head++] = *bytes++;
    }
    tx_head = head;
    ATOMIC_BLOCK(ATOMIC_RESTORESTATE)
    {
        if (tx_head != tx_tail) {
            UCSR0B |= _BV(UDRIE0);
        }
    }
}

int16_t port_receive(void)
{
    const uint8_t tail = rx_tail;
    if (tail == rx_head) {
        return -1;
    }
    const uint8_t byte = rx_ring[tail];
    rx_tail = (uint8_t)(tail + 1) & (RX_RING - 1);
    return byte;
}

/* Interrupts stay on: a stamp is written again four delimiters later, and then it is lost anyway.
 */
void port_delimiter_stamp(uint8_t n, struct fw_stamp *out)
{
    *out = delimiter_stamps[n & (DELIMITERS - 1)];
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
    edges_tail = (uint8_t)(tail + 1) & (EDGES - 1);
    return true;
}

uint16_t port_overruns(void)
{
    return 0; /* not counted: they show as bad frames */
}

/* --------------------------------------------------------------------- health */

uint64_t port_unique(void)
{
    return 0;
}

uint16_t port_supply_mv(void)
{
    return supply_mv;
}

int16_t port_temperature_centi_c(void)
{
    return INT16_MIN; /* the chip's own sensor is good for 10 degrees only */
}

uint16_t port_self_test(void)
{
    uint16_t faults = 0;
    measure_supply();
    if (supply_mv < 4000 || supply_mv > 6000) { /* the bandgap's 10 % on top of 4.5 to 5.5 V */
        faults |= FW_FAULT_SUPPLY;
    }
    if (convert_once(_BV(REFS0) | 15) > 8) { /* input: ground */
        faults |= FW_FAULT_CONVERTER;
    }
    return faults;
}

void port_store_read(uint16_t at, uint8_t *bytes, uint8_t n)
{
    eeprom_read_block(bytes, (const void *)at, n);
}

void port_store_write(uint16_t at, const uint8_t *bytes, uint8_t n)
{
    eeprom_update_block(bytes, (void *)at, n);
}

/* ----------------------------------------------------------------------- main */

int main(void)
{
    UCSR0A = _BV(U2X0);
    UBRR0 = UBRR_VALUE;
    UCSR0C = _BV(UCSZ01) | _BV(UCSZ00);
    UCSR0B = _BV(RXEN0) | _BV(TXEN0) | _BV(RXCIE0);
    PORTB = _BV(PORTB0); /* pull-up of the marker input */
    DIDR0 = 0x3f;        /* no digital input on the analog pins */
    sei();
    fw_meter_init();
    for (;;) {
        fw_meter_poll();
    }
}
