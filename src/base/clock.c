/* SPDX-License-Identifier: Apache-2.0 */
#include <atoll/base.h>

#include <string.h>
#include <time.h>

uint64_t atoll_now_ns(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

void atoll_wall_iso8601(char out[32])
{
    const time_t now = time(NULL);
    struct tm utc = {0};
    if (gmtime_r(&now, &utc) == NULL || strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0) {
        memcpy(out, "1970-01-01T00:00:00Z", 21);
    }
}
