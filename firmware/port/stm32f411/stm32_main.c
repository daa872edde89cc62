/* SPDX-License-Identifier: Apache-2.0 */
/*
 * STM32F411 at 96 MHz (Nucleo-F411RE, "Black Pill"). Sections of RM0383 in brackets, here and in
 * the files beside this one.
 *
 *   PA0 PA1 PA4 PA5 PA6 PA7 PB0 PB1  channels 0..7, 0 to 3.3 V and no more
 *   PB6                              marker input, pulled up, both edges
 *   PA2, PA3                         line to the host, BAUD 8N1
 */
#include "stm32_board.h"

#ifndef BOARD_NAME
#define BOARD_NAME "atoll stm32f411"
#endif

static bool crystal;
static uint16_t supply_mv;
static int16_t temperature_centi_c = INT16_MIN;
static struct fw_flashlog store;

const struct port_facts port_facts = {.device = 3,
                                      .channels = FW_CHANNELS_MAX,
                                      .adc_bits = 12,
                                      .tick_hz = STM32_TICK_HZ,
                                      .reference_uv = 3300000,
                                      .sensor_ua_per_mv = 7576, /* ACS725, 10 A: 132 mV/A */
                                      .name = BOARD_NAME};

uint64_t port_unique(void)
{
    return board_unique();
}

/* A conversion takes 15 + 12 clocks of the converter, four ticks each [11.5]; two more clocks until
 * the trigger is seen. */
uint8_t port_plan(uint8_t triggers, uint32_t trigger_ticks)
{
    (void)triggers;
    if (trigger_ticks < (15 + 12 + 2) * 4) {
        return FW_TOO_FAST;
    }
    return trigger_ticks > STM32_TICK_HZ ? FW_TOO_SLOW : 0;
}

void health_measure(void)
{
    board_health(&supply_mv, &temperature_centi_c);
}

uint16_t port_supply_mv(void)
{
    return supply_mv;
}

int16_t port_temperature_centi_c(void)
{
    return temperature_centi_c;
}

/* VDDA by the internal reference, whose code at 3.3 V the factory wrote down; and the chip's
 * temperature, a second known voltage. */
uint16_t port_self_test(void)
{
    uint16_t faults = crystal ? 0 : FW_FAULT_CLOCK;
    health_measure();
    if (supply_mv < 3000 || supply_mv > 3600) {
        faults |= FW_FAULT_SUPPLY;
    }
    if (supply_mv == 0 || temperature_centi_c < -4000 || temperature_centi_c > 12500) {
        faults |= FW_FAULT_CONVERTER;
    }
    return faults;
}

void port_store_read(uint16_t at, uint8_t *bytes, uint8_t n)
{
    fw_flashlog_read(&store, at, bytes, n);
}

void port_store_write(uint16_t at, const uint8_t *bytes, uint8_t n)
{
    (void)fw_flashlog_write(&store, at, bytes, n); /* the caller reads back */
}

void stm32_set_up(void)
{
    crystal = board_init();
    line_init();
    fw_flashlog_open(&store);
    fw_meter_init();
}

int main(void)
{
    stm32_set_up();
    for (;;) {
        fw_meter_poll();
    }
}
