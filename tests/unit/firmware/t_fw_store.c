/* SPDX-License-Identifier: Apache-2.0 */
/* The calibration store of firmware/app on a memory: what is kept, and what damage does. */
#include "../atoll_test.h"

#include <firmware_meter.h>

struct fw_meter fw_meter;
const struct port_facts port_facts = {.device = 2,
                                      .channels = FW_CHANNELS_MAX,
                                      .adc_bits = 10,
                                      .reference_uv = 5000000,
                                      .sensor_ua_per_mv = 5405};

static uint8_t memory[FW_STORE_BYTES];
static bool refuses; /* the memory takes no writes */

void port_store_read(uint16_t at, uint8_t *bytes, uint8_t n)
{
    assert_true(at + n <= FW_STORE_BYTES);
    memcpy(bytes, memory + at, n);
}

void port_store_write(uint16_t at, const uint8_t *bytes, uint8_t n)
{
    assert_true(at + n <= FW_STORE_BYTES);
    if (!refuses) {
        memcpy(memory + at, bytes, n);
    }
}

static int erase(void **state)
{
    (void)state;
    memset(memory, 0xff, sizeof memory);
    refuses = false;
    return 0;
}

static struct atoll_wire_channel sample(uint8_t index)
{
    struct atoll_wire_channel c = {.index = index,
                                   .kind = ATOLL_WIRE_CURRENT,
                                   .rail = index,
                                   .nominal_mv = (uint16_t)(3300 + index),
                                   .zero_256 = -5 - index,
                                   .gain = 26390000u + index,
                                   .gain_u_ppm = 4000,
                                   .zero_u_256 = 100,
                                   .day = (uint16_t)(20000 + index),
                                   .temperature_c = -3};
    (void)snprintf(c.name, sizeof c.name, "rail_%u", index);
    return c;
}

static void keeps_each_channel(void **state)
{
    (void)state;
    struct atoll_wire_channel c;
    for (uint8_t i = 0; i < FW_CHANNELS_MAX; i++) {
        assert_true(fw_store_read(i, &c)); /* never written: the sensor's data sheet */
        assert_int_equal(c.day, 0);
        assert_in_range(c.gain, 26380000, 26400000); /* 4.8828 mV / 185 mV/A */
        assert_int_equal(c.zero_256, 512 * 256);
        const struct atoll_wire_channel s = sample(i);
        assert_true(fw_store_write(&s));
    }
    for (uint8_t i = 0; i < FW_CHANNELS_MAX; i++) {
        const struct atoll_wire_channel s = sample(i);
        assert_true(fw_store_read(i, &c));
        assert_memory_equal(c.name, s.name, sizeof c.name);
        assert_int_equal(c.gain, s.gain);
        assert_int_equal(c.zero_256, s.zero_256);
        assert_int_equal(c.nominal_mv, s.nominal_mv);
        assert_int_equal(c.day, s.day);
        assert_int_equal(c.temperature_c, s.temperature_c);
    }
}

/* Every bit of a record, one at a time: found, and no other channel suffers. */
static void every_flipped_bit_shows(void **state)
{
    (void)state;
    struct atoll_wire_channel c;
    for (uint8_t i = 0; i < FW_CHANNELS_MAX; i++) {
        const struct atoll_wire_channel s = sample(i);
        assert_true(fw_store_write(&s));
    }
    const size_t at = 16 + 48 * 3;
    size_t record = 0;
    while (memory[at + record] != 0) {
        record++;
    }
    for (size_t bit = 0; bit < 8 * (record + 1); bit++) {
        memory[at + bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(fw_store_read(3, &c));
        assert_int_equal(c.day, 0); /* the default, not half a record */
        assert_true(fw_store_read(2, &c) && c.day == 20002);
        assert_true(fw_store_read(4, &c) && c.day == 20004);
        memory[at + bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(fw_store_read(3, &c) && c.day == 20003);
    /* a record in another channel's place is not taken either */
    memcpy(memory + at, memory + 16, 48);
    assert_false(fw_store_read(3, &c));
}

static void a_memory_that_refuses_is_noticed(void **state)
{
    (void)state;
    struct atoll_wire_channel s = sample(1);
    assert_true(fw_store_write(&s));
    refuses = true;
    s.gain++;
    assert_false(fw_store_write(&s));
}

static void counts_starts(void **state)
{
    (void)state;
    assert_int_equal(fw_store_boot(), 1);
    assert_int_equal(fw_store_boot(), 2);
    memory[0] ^= 1; /* power failed between the two copies */
    assert_int_equal(fw_store_boot(), 1);
    for (uint32_t i = 2; i < 65536; i++) {
        assert_int_equal(fw_store_boot(), i);
    }
    assert_int_equal(fw_store_boot(), 0);
    assert_int_equal(fw_store_boot(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(keeps_each_channel, erase),
        cmocka_unit_test_setup(every_flipped_bit_shows, erase),
        cmocka_unit_test_setup(a_memory_that_refuses_is_noticed, erase),
        cmocka_unit_test_setup(counts_starts, erase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
