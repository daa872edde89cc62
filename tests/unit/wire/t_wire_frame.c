/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: the bytes of docs/wire-format.md, every type there and back, what is refused, packing. */
#include "../atoll_test.h"

#include "atoll_wire.h"

/* The example of docs/wire-format.md, made with Python's zlib.crc32 and a COBS written apart. */
static void the_documented_bytes(void **state)
{
    (void)state;
    static const uint16_t samples[4] = {1, 1023, 512, 3};
    static const uint8_t expected[] = {0x06, 0x14, 0x07, 0x01, 0xe8, 0x03, 0x01, 0x02,
                                       0x02, 0x01, 0x01, 0x06, 0x02, 0x01, 0xfc, 0x0f,
                                       0xe0, 0x05, 0xe9, 0x3b, 0x46, 0x85, 0x00};
    uint8_t payload[8];
    uint8_t out[ATOLL_WIRE_FRAME_MAX];
    assert_int_equal(atoll_wire_pack(payload, samples, 4, 10), 5);
    const struct atoll_wire_frame f = {.type = ATOLL_WIRE_DATA,
                                       .seq = 7,
                                       .data = {.config = 1,
                                                .first_scan = 1000,
                                                .lost = 2,
                                                .n_scans = 2,
                                                .payload_bytes = 5,
                                                .payload = payload}};
    assert_int_equal(atoll_wire_encode(&f, out), sizeof expected);
    assert_memory_equal(out, expected, sizeof expected);
}

static void crc_check_value(void **state)
{
    (void)state;
    assert_true(atoll_wire_crc32((const uint8_t *)"123456789", 9) == UINT32_C(0xcbf43926));
    assert_true(atoll_wire_crc32(NULL, 0) == 0);
}

/* Encodes, decodes byte by byte, encodes again: the same bytes. */
static struct atoll_wire_frame there_and_back(const struct atoll_wire_frame *f)
{
    static struct atoll_wire_decoder d;
    uint8_t out[ATOLL_WIRE_FRAME_MAX];
    uint8_t again[ATOLL_WIRE_FRAME_MAX];
    struct atoll_wire_frame back;
    bool got = false;
    memset(&back, 0, sizeof back);
    memset(&d, 0, sizeof d);
    const size_t n = atoll_wire_encode(f, out);
    assert_true(n >= 8 && n <= ATOLL_WIRE_FRAME_MAX);
    for (size_t i = 0; i < n; i++) {
        assert_true(i == n - 1 || out[i] != 0);
        assert_int_equal(atoll_wire_decode(&d, out + i, 1, &back, &got), 1);
        assert_true(got == (i == n - 1));
    }
    assert_int_equal(back.type, f->type);
    assert_int_equal(back.seq, f->seq);
    assert_int_equal(atoll_wire_encode(&back, again), n);
    assert_memory_equal(out, again, n);
    return back;
}

static void every_type(void **state)
{
    (void)state;
    const struct atoll_wire_frame frames[] = {
        {.type = ATOLL_WIRE_HELLO,
         .seq = 255,
         .hello = {2, {1, 2, 3}, 6, 65535, UINT64_C(0x0102030405060708), "atoll meter"}},
        {.type = ATOLL_WIRE_CONFIG, .config = {9, 0x8001, 12, 6, 12, 16000000, 2000, 3300000}},
        {.type = ATOLL_WIRE_CHANNEL,
         .channel = {15, ATOLL_WIRE_VOLTAGE, 2, 12000, -70000, 26400000, 4000, 12, 20000, -40,
                     "12v_slot"}},
        {.type = ATOLL_WIRE_EVENT,
         .event = {ATOLL_WIRE_FALLING, 65535, UINT32_C(0xfffffffe), 32768}},
        {.type = ATOLL_WIRE_SYNC, .sync = {1, 2, 3}},
        {.type = ATOLL_WIRE_STAT, .stat = {1, 2, 3, 4, 5, -1234, 5012}},
        {.type = ATOLL_WIRE_ERROR, .error = {3, 500, 4, "adc!"}},
        {.type = ATOLL_WIRE_ASK, .ask = ATOLL_WIRE_HELLO},
        {.type = ATOLL_WIRE_SET, .set = {3, 10, 1, 4000}},
        {.type = ATOLL_WIRE_RUN, .run = 1},
        {.type = ATOLL_WIRE_MARK, .id = 77},
        {.type = ATOLL_WIRE_PING, .id = 78},
        {.type = ATOLL_WIRE_STORE,
         .channel = {0, ATOLL_WIRE_CURRENT, 0, 5000, 512 * 256, 1, 0, 0, 0, 0, ""}},
    };
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        const struct atoll_wire_frame back = there_and_back(&frames[i]);
        if (back.type == ATOLL_WIRE_CHANNEL) {
            assert_int_equal(back.channel.zero_256, -70000);
            assert_int_equal(back.channel.temperature_c, -40);
            assert_string_equal(back.channel.name, "12v_slot");
        } else if (back.type == ATOLL_WIRE_HELLO) {
            assert_true(back.hello.unique == frames[i].hello.unique);
        } else if (back.type == ATOLL_WIRE_STAT) {
            assert_int_equal(back.stat.temperature_centi_c, -1234);
        } else if (back.type == ATOLL_WIRE_ERROR) {
            assert_int_equal(back.error.text_bytes, 4);
            assert_memory_equal(back.error.text, "adc!", 4);
        }
    }
}

static void refuses_what_cannot_be_said(void **state)
{
    (void)state;
    uint8_t out[ATOLL_WIRE_FRAME_MAX];
    static const uint8_t payload[255] = {0};
    const struct atoll_wire_frame bad[] = {
        {.type = 0},
        {.type = 15},
        {.type = ATOLL_WIRE_CONFIG, .config = {1, 1, 11, 1, 10, 1, 1, 1}},
        {.type = ATOLL_WIRE_CONFIG, .config = {1, 0, 10, 1, 10, 1, 1, 1}},
        {.type = ATOLL_WIRE_DATA, .data = {.n_scans = 0, .payload_bytes = 2, .payload = payload}},
        {.type = ATOLL_WIRE_DATA, .data = {.n_scans = 1, .payload_bytes = 239, .payload = payload}},
        {.type = ATOLL_WIRE_ERROR, .error = {.text_bytes = ATOLL_WIRE_TEXT_MAX + 1}},
        {.type = ATOLL_WIRE_RUN, .run = 2},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(atoll_wire_encode(&bad[i], out), 0);
    }
    const struct atoll_wire_frame most = {
        .type = ATOLL_WIRE_DATA,
        .data = {.n_scans = 1, .payload_bytes = ATOLL_WIRE_PAYLOAD_MAX, .payload = payload}};
    assert_int_equal(atoll_wire_encode(&most, out), ATOLL_WIRE_FRAME_MAX);
    (void)there_and_back(&most);
}

static void packs_in_the_documented_order(void **state)
{
    (void)state;
    static const uint16_t samples[3] = {0x123, 0x3ff, 0x201};
    uint8_t out[8] = {0};
    uint16_t back[3];
    assert_int_equal(atoll_wire_pack(out, samples, 3, 12), 5);
    static const uint8_t twelve[5] = {0x23, 0xf1, 0x3f, 0x01, 0x02};
    assert_memory_equal(out, twelve, 5);
    for (int i = 0; i < 3; i++) {
        static const uint8_t bits[3] = {10, 12, 16};
        assert_int_equal(atoll_wire_pack(out, samples, 3, bits[i]),
                         atoll_wire_packed_bytes(3, bits[i]));
        atoll_wire_unpack(back, 3, out, bits[i]);
        assert_memory_equal(back, samples, sizeof samples);
    }
    assert_int_equal(atoll_wire_count(0), 0);
    assert_int_equal(atoll_wire_count(0x8421), 4);
}

static struct atoll_wire_frame scans(uint8_t seq, uint32_t first, uint8_t n, uint16_t lost,
                                     uint16_t slip)
{
    return (struct atoll_wire_frame){
        .type = ATOLL_WIRE_DATA,
        .seq = seq,
        .data = {.first_scan = first, .n_scans = n, .lost = lost, .slip = slip}};
}

static void follows_the_scan_count(void **state)
{
    (void)state;
    struct atoll_wire_track t = {0};
    uint64_t first = 0, missing = 0, own = 0;
    struct atoll_wire_frame f = scans(0, UINT32_C(0xfffffff0), 16, 5, 0);
    assert_int_equal(atoll_wire_follow(&t, &f, &first, &missing, &own), ATOLL_WIRE_NEXT);
    assert_true(first == UINT32_C(0xfffffff0));
    assert_int_equal(atoll_wire_follow(&t, &f, &first, &missing, &own), ATOLL_WIRE_DUPLICATE);
    f = scans(1, 0, 16, 5, 0); /* the 32-bit count wraps */
    assert_int_equal(atoll_wire_follow(&t, &f, &first, &missing, &own), ATOLL_WIRE_NEXT);
    assert_true(first == UINT64_C(0x100000000));
    f = scans(3, 40, 16, 5, 0); /* a frame was lost on the line */
    assert_int_equal(atoll_wire_follow(&t, &f, &first, &missing, &own), ATOLL_WIRE_GAP);
    assert_int_equal(missing, 24);
    assert_int_equal(own, 0);
    f = scans(4, 60, 16, 7, 2); /* the device lost 2 and missed 2 */
    assert_int_equal(atoll_wire_follow(&t, &f, &first, &missing, &own), ATOLL_WIRE_GAP);
    assert_int_equal(missing, 4);
    assert_int_equal(own, 4);
    f = scans(0, 0, 16, 0, 0);
    assert_int_equal(atoll_wire_follow(&t, &f, &first, &missing, &own), ATOLL_WIRE_RESTART);
    assert_int_equal(first, 0);
    f = scans(1, 16, 16, 0, 0);
    assert_int_equal(atoll_wire_follow(&t, &f, &first, &missing, &own), ATOLL_WIRE_NEXT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_documented_bytes),
        cmocka_unit_test(crc_check_value),
        cmocka_unit_test(every_type),
        cmocka_unit_test(refuses_what_cannot_be_said),
        cmocka_unit_test(packs_in_the_documented_order),
        cmocka_unit_test(follows_the_scan_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
