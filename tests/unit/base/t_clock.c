/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include <atoll/base.h>

#include <time.h>

static void time_passes(void **state)
{
    (void)state;
    const uint64_t start = atoll_now_ns();
    const struct timespec two_ms = {.tv_nsec = 2000000};
    assert_int_equal(nanosleep(&two_ms, NULL), 0);
    const uint64_t passed = atoll_now_ns() - start;
    assert_true(passed >= 2000000);
    assert_true(passed < UINT64_C(60000000000));
}

static void wall_time_reads_back_as_now(void **state)
{
    (void)state;
    char text[32];
    const time_t before = time(NULL);
    atoll_wall_iso8601(text);
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    char zone = 0;
    assert_int_equal(sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%c", &year, &month, &day, &hour, &minute,
                            &second, &zone),
                     7);
    assert_int_equal(zone, 'Z');
    assert_int_equal(strlen(text), 20);
    struct tm utc = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day,
                     .tm_hour = hour, .tm_min = minute, .tm_sec = second};
    const time_t written = timegm(&utc);
    assert_true(written >= before && written <= time(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_passes),
        cmocka_unit_test(wall_time_reads_back_as_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
