/* SPDX-License-Identifier: Apache-2.0 */
/* A file as a meter, whatever is in it: refused with a sentence that names the file, or played to
 * its end with energies that are numbers; a failing allocation gives ATOLL_ENOMEM or the same
 * answer as before. */
#ifndef POWER_PLAY_H
#define POWER_PLAY_H

#include "fuzz.h"

#include <atoll/power.h>

#include <math.h>
#include <string.h>
#include <unistd.h>

static inline int play_meter(struct atoll_meter *m)
{
    struct atoll_energy e;
    struct atoll_trace t;
    const struct atoll_meter_gap *gaps = NULL;
    size_t n = 0;
    int rc = atoll_meter_start(m, 1000, NULL);
    if (rc != ATOLL_OK) {
        return rc;
    }
    (void)atoll_meter_mark(m, 50000000, "middle", NULL);
    rc = atoll_meter_stop(m, 100000000, NULL);
    for (int32_t i = 1; rc == ATOLL_OK && i < atoll_meter_markers(m) && i < 4; i++) {
        const int code = atoll_meter_energy(m, i - 1, i, NULL, &e, NULL);
        if (code == ATOLL_OK) {
            FUZZ_CHECK(isfinite(e.energy_mj) && e.u95_mj >= 0 && e.seconds > 0);
        }
    }
    (void)atoll_meter_trace(m, &t, NULL);
    (void)atoll_meter_gaps(m, &gaps, &n, NULL);
    return rc;
}

static inline int open_and_play(const char *spec, const struct atoll_meter_opts *o,
                                struct atoll_err *err)
{
    struct atoll_meter *m = NULL;
    int rc = atoll_meter_open(spec, o, &m, err);
    FUZZ_CHECK((rc == ATOLL_OK) == (m != NULL));
    rc = m != NULL ? play_meter(m) : rc;
    atoll_meter_close(&m);
    return rc;
}

static inline int play_file(const char *kind, const struct atoll_meter_opts *o, const uint8_t *data,
                            size_t size)
{
    char spec[64];
    struct atoll_err err = {0};
    FILE *f = tmpfile();
    if (f == NULL || fwrite(data, 1, size, f) != size || fflush(f) != 0) {
        return f != NULL ? fclose(f) : 0;
    }
    (void)snprintf(spec, sizeof spec, "%s:/dev/fd/%d", kind, fileno(f));
    const int code = open_and_play(spec, o, &err);
    FUZZ_CHECK(err.code == ATOLL_OK || strstr(err.text, spec + strlen(kind) + 1) != NULL);
    atoll_alloc_fail_after(1 + atoll_fnv1a(data, size, 0) % 12);
    const int again = open_and_play(spec, o, NULL);
    atoll_alloc_fail_after(0);
    FUZZ_CHECK(again == code || again == ATOLL_ENOMEM || again == ATOLL_EINPUT);
    (void)fclose(f);
    return 0;
}

#endif
