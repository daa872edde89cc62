/* SPDX-License-Identifier: Apache-2.0 */
#include "uno_sim.h"

#include <avr_adc.h>
#include <avr_eeprom.h>
#include <avr_ioport.h>
#include <avr_timer.h>
#include <avr_uart.h>
#include <sim_avr.h>
#include <sim_elf.h>
#include <sim_interrupts.h>
#include <sim_io.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TIFR1_AT = 0x36,
    TCCR1B_AT = 0x81,
    ADCSRA_AT = 0x7a,
    OCF1B_BIT = 2,
    ICF1_BIT = 5,
    ICES1_BIT = 6,
    ADSC_BIT = 6,
    ADATE_BIT = 5,
    COMPB_VECTOR = 12
};

static void *grown(void *p, size_t bytes)
{
    void *q = realloc(p, bytes);
    if (q == NULL) {
        (void)fprintf(stderr, "no memory\n");
        exit(5);
    }
    return q;
}

/* ------------------------------------------------------------------ converter */

/* Timer 1 reached OCR1B: OCF1B rises, unless it is still set, and only a rising edge triggers. */
static void on_compare(struct avr_irq_t *irq, uint32_t value, void *param)
{
    struct uno *u = param;
    (void)irq;
    const uint8_t adcsra = u->avr->data[ADCSRA_AT];
    if (value == 0 || (adcsra & 1u << ADATE_BIT) == 0) {
        return;
    }
    if (u->n_triggers == u->cap) {
        u->cap = u->cap ? 2 * u->cap : 65536;
        u->codes = grown(u->codes, u->cap * sizeof *u->codes);
    }
    u->codes[u->n_triggers++] = UINT16_MAX;
    if (u->flag) {
        u->missed++;
        return;
    }
    u->flag = true;
    if ((adcsra & 1u << ADSC_BIT) != 0) {
        u->ignored++;
        return;
    }
    avr_raise_irq(u->adc_irq + ADC_IRQ_IN_TRIGGER, 1);
}

static void on_tifr1(struct avr_t *avr, avr_io_addr_t addr, uint8_t v, void *param)
{
    struct uno *u = param;
    (void)addr;
    /* simavr clears all flags of the timer, whichever was written: the capture's comes back */
    if (u->edge_waits && (v & 1u << ICF1_BIT) == 0) {
        for (int i = 0; i < avr->interrupts.vector_count; i++) {
            if (avr->interrupts.vector[i]->vector == UNO_CAPTURE) {
                (void)avr_raise_interrupt(avr, avr->interrupts.vector[i]);
            }
        }
    }
    if ((v & 1u << OCF1B_BIT) != 0) {
        u->flag = false;
        const uint64_t took = u->avr->cycle - u->isr[UNO_ADC].entered;
        u->clear_max_cycles = u->timing && took > u->clear_max_cycles ? took : u->clear_max_cycles;
    }
}

static void on_tccr1b(struct avr_t *avr, avr_io_addr_t addr, uint8_t v, void *param)
{
    struct uno *u = param;
    (void)addr;
    const bool timing = (v & 7u) != 0;
    if (timing && !u->timing) {
        u->n_triggers = 0;
        u->missed = u->ignored = 0;
        u->start_cycle = avr->cycle;
    }
    u->timing = timing;
}

/* A conversion begins: hold the input that is selected now. */
static void on_conversion(struct avr_irq_t *irq, uint32_t value, void *param)
{
    struct uno *u = param;
    union {
        avr_adc_mux_t mux;
        uint32_t bits;
    } e = {.bits = value};
    (void)irq;
    if (e.mux.kind != ADC_MUX_SINGLE) {
        return;
    }
    const uint32_t mv = u->wave(u->ctx, e.mux.src, u->avr->cycle);
    for (int i = 0; i < 8; i++) {
        avr_raise_irq(u->adc_irq + ADC_IRQ_ADC0 + i, mv);
    }
    if ((u->avr->data[ADCSRA_AT] & 1u << ADATE_BIT) != 0 && u->n_triggers > 0) {
        u->codes[u->n_triggers - 1] = (uint16_t)(mv * 1023 / UNO_VCC_MV); /* as simavr has it */
    }
}

/* ----------------------------------------------------------------------- line */

static void on_byte(struct avr_irq_t *irq, uint32_t value, void *param)
{
    struct uno *u = param;
    (void)irq;
    if (u->n_out == u->out_cap) {
        u->out_cap = u->out_cap ? 2 * u->out_cap : 65536;
        u->out = grown(u->out, u->out_cap);
    }
    u->out[u->n_out++] = (uint8_t)value;
}

static void feed(struct uno *u)
{
    if (u->in_at < u->n_in && u->avr->cycle >= u->next_in_cycle) {
        avr_raise_irq(u->uart_irq + UART_IRQ_INPUT, u->in[u->in_at++]);
        u->next_in_cycle = u->avr->cycle + u->byte_cycles;
        if (u->in_at == u->n_in) {
            u->in_at = u->n_in = 0;
        }
    }
}

void uno_send_bytes(struct uno *u, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n && u->n_in < sizeof u->in; i++) {
        u->in[u->n_in++] = bytes[i];
    }
}

void uno_send(struct uno *u, struct atoll_wire_frame *f)
{
    uint8_t bytes[ATOLL_WIRE_FRAME_MAX];
    f->seq = u->seq++;
    uno_send_bytes(u, bytes, atoll_wire_encode(f, bytes));
}

/* ----------------------------------------------------------------- interrupts */

struct isr_hook {
    struct uno *u;
    int vector;
};
static struct isr_hook hooks[UNO_VECTORS];

static void on_isr(struct avr_irq_t *irq, uint32_t value, void *param)
{
    const struct isr_hook *h = param;
    struct uno_isr *s = &h->u->isr[h->vector];
    (void)irq;
    if (value != 0) {
        s->entered = h->u->avr->cycle;
        s->entries++;
        h->u->edge_waits = h->u->edge_waits && h->vector != UNO_CAPTURE;
        if (h->vector == UNO_RX) {
            h->u->rx_cycle = s->entered;
        }
        return;
    }
    const uint64_t took = h->u->avr->cycle - s->entered;
    s->cycles += took;
    s->max_cycles = took > s->max_cycles ? took : s->max_cycles;
}

/* ----------------------------------------------------------------------- life */

struct uno *uno_open(const char *path, uint32_t baud, uno_wave_fn wave, void *ctx)
{
    struct uno *u = calloc(1, sizeof *u);
    elf_firmware_t image = {0};
    if (u == NULL || elf_read_firmware(path, &image) != 0) {
        (void)fprintf(stderr, "%s: cannot load the firmware image\n", path);
        free(u);
        return NULL;
    }
    u->avr = avr_make_mcu_by_name("atmega328p");
    u->wave = wave;
    u->ctx = ctx;
    u->byte_cycles = (uint64_t)UNO_HZ * 11 / baud; /* as many bits as simavr counts */
    avr_init(u->avr);
    u->avr->log = LOG_ERROR;
    u->avr->frequency = UNO_HZ;
    avr_load_firmware(u->avr, &image);
    u->avr->frequency = UNO_HZ;
    u->avr->vcc = u->avr->avcc = u->avr->aref = UNO_VCC_MV;
    uint32_t flags = 0;
    avr_ioctl(u->avr, AVR_IOCTL_UART_GET_FLAGS('0'), &flags);
    flags &= ~(uint32_t)(AVR_UART_FLAG_STDIO | AVR_UART_FLAG_POLL_SLEEP);
    avr_ioctl(u->avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
    u->adc_irq = avr_io_getirq(u->avr, AVR_IOCTL_ADC_GETIRQ, 0);
    u->uart_irq = avr_io_getirq(u->avr, AVR_IOCTL_UART_GETIRQ('0'), 0);
    u->port_irq = avr_io_getirq(u->avr, AVR_IOCTL_IOPORT_GETIRQ('B'), 0);
    avr_irq_register_notify(u->adc_irq + ADC_IRQ_OUT_TRIGGER, on_conversion, u);
    avr_irq_register_notify(u->uart_irq + UART_IRQ_OUTPUT, on_byte, u);
    avr_irq_register_notify(avr_get_interrupt_irq(u->avr, COMPB_VECTOR) + AVR_INT_IRQ_PENDING,
                            on_compare, u);
    avr_register_io_write(u->avr, TIFR1_AT, on_tifr1, u);
    avr_register_io_write(u->avr, TCCR1B_AT, on_tccr1b, u);
    for (int v = 1; v < UNO_VECTORS; v++) {
        avr_irq_t *irq = avr_get_interrupt_irq(u->avr, (uint8_t)v);
        if (irq != NULL) {
            hooks[v] = (struct isr_hook){.u = u, .vector = v};
            avr_irq_register_notify(irq + AVR_INT_IRQ_RUNNING, on_isr, &hooks[v]);
        }
    }
    return u;
}

void uno_reset(struct uno *u)
{
    avr_reset(u->avr);
    u->timing = u->flag = false;
}

void uno_close(struct uno *u)
{
    if (u != NULL) {
        avr_terminate(u->avr);
        free(u->codes);
        free(u->out);
        free(u);
    }
}

bool uno_run(struct uno *u, uint64_t until_cycle)
{
    while (u->avr->cycle < until_cycle) {
        feed(u);
        const int state = avr_run(u->avr);
        if (state == cpu_Done || state == cpu_Crashed) {
            return false;
        }
    }
    return true;
}

uint64_t uno_now(const struct uno *u)
{
    return u->avr->cycle;
}

void uno_pin(struct uno *u, bool level)
{
    const bool rising = (u->avr->data[TCCR1B_AT] & 1u << ICES1_BIT) != 0;
    u->edge_waits = u->timing && level == rising;
    avr_raise_irq(u->port_irq, level);
    avr_raise_irq(avr_io_getirq(u->avr, AVR_IOCTL_TIMER_GETIRQ('1'), TIMER_IRQ_IN_ICP), level);
}

uint8_t *uno_eeprom(struct uno *u)
{
    avr_eeprom_desc_t d = {.ee = NULL, .offset = 0, .size = 0};
    avr_ioctl(u->avr, AVR_IOCTL_EEPROM_GET, &d);
    return d.ee;
}
