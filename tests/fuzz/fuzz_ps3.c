/* SPDX-License-Identifier: Apache-2.0 */
/* The words of a PowerSensor3 of any bytes: how they are cut into calls makes no difference, levels
 * and time stamps are ten bits, and the rate that the stamps give is none or one that can be. */
#include "fuzz.h"

#include "ps3_internal.h"

#include <math.h>

enum { RECORDS = 256 };

static size_t take_all(const uint8_t *data, size_t size, size_t chunk, struct ps3_record *out)
{
    struct ps3_stream s;
    size_t n = 0;
    atoll__ps3_stream_init(&s);
    while (size > 0) {
        size_t left = chunk < size ? chunk : size;
        size -= left;
        while (left > 0) {
            struct ps3_record r;
            bool got = false;
            const size_t taken = atoll__ps3_stream_take(&s, data, left, &r, &got);
            FUZZ_CHECK(taken > 0 && taken <= left);
            data += taken;
            left -= taken;
            if (got && n < RECORDS) {
                out[n++] = r;
            }
        }
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ps3_record whole[RECORDS];
    static struct ps3_record cut[RECORDS];
    uint16_t stamps[RECORDS];
    const size_t n = take_all(data, size, size, whole);
    FUZZ_CHECK(n == take_all(data, size, 1, cut));
    for (size_t i = 0; i < n; i++) {
        FUZZ_CHECK(whole[i].stamp_us == cut[i].stamp_us && whole[i].marker == cut[i].marker);
        FUZZ_CHECK(whole[i].stamp_us < PS3_STAMP_US);
        stamps[i] = whole[i].stamp_us;
        for (int k = 0; k < PS3_SENSORS; k++) {
            FUZZ_CHECK(whole[i].levels[k] == cut[i].levels[k] && whole[i].levels[k] < 1024);
        }
    }
    const double us = atoll__ps3_period_us(stamps, n);
    FUZZ_CHECK(isnan(us) || (us > 0 && us < PS3_STAMP_US));
    return 0;
}
