/* SPDX-License-Identifier: Apache-2.0 */
#include "atoll_test.h"

#include <atoll/base.h>

static int calls;
static enum atoll_log_level last_level;
static char last[1100];

static void keep(void *user, enum atoll_log_level level, const char *sentence)
{
    assert_ptr_equal(user, &calls);
    calls++;
    last_level = level;
    (void)snprintf(last, sizeof last, "%s", sentence);
}

static void silent_until_set_and_after_reset(void **state)
{
    (void)state;
    atoll_log(ATOLL_LOG_WARN, "nobody hears %d", 1);
    assert_int_equal(calls, 0);
    atoll_log_set(keep, &calls);
    atoll_log(ATOLL_LOG_WARN, "segment %d of %s", 2, "m");
    assert_int_equal(calls, 1);
    assert_int_equal(last_level, ATOLL_LOG_WARN);
    assert_string_equal(last, "segment 2 of m");
    atoll_log(ATOLL_LOG_DEBUG, "%2000d", 1);
    assert_int_equal(strlen(last), 999); /* cut, not overrun */
    atoll_log_set(NULL, NULL);
    atoll_log(ATOLL_LOG_INFO, "x");
    assert_int_equal(calls, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(silent_until_set_and_after_reset)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
