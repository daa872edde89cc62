/* SPDX-License-Identifier: Apache-2.0 */
/* What the power commands share: a meter by its name, and an energy shown. */
#ifndef ATOLL_TOOLS_POWER_METER_H
#define ATOLL_TOOLS_POWER_METER_H

#include <atoll/json.h>
#include <atoll/power.h>

#include "opt.h"
#include "out.h"

#define POWER_METER_OPT(opts_type)                                                                 \
    {                                                                                              \
        .short_name = 'm', .long_name = "meter", .type = OPT_TEXT,                                 \
        .offset = offsetof(opts_type, meter), .argument = "METER",                                 \
        .help = "serial:PORT, hwmon, rapl, ps3:PORT, replay:FILE (docs/power-testbed.md)",         \
        .fallback = "serial:/dev/ttyACM0"                                                          \
    }
#define POWER_RATE_OPT(opts_type)                                                                  \
    {                                                                                              \
        .short_name = 'r', .long_name = "rate", .type = OPT_REAL,                                  \
        .offset = offsetof(opts_type, rate_hz), .argument = "HZ", .help = "Scans per second",      \
        .fallback = "the meter's, 1000", .low = 1, .high = 1e6                                     \
    }
#define POWER_METER_DEFAULT "serial:/dev/ttyACM0"

/** Opens a meter with its own rails. "none" and meters that are fed are refused. */
int power_open(struct call *call, const char *spec, double rate_hz, bool keep,
               const char *calibration, struct atoll_meter **m);

/** Energy between two markers with rails, budget and gaps. */
struct power_view {
    struct atoll_energy total, rails[ATOLL_METER_RAILS_MAX];
    bool gap;
};
/** 0, also when a gap lies in the window (then v->gap). */
int power_energy(struct call *call, struct atoll_meter *m, int32_t from, int32_t to,
                 struct power_view *v);
/** Adds origin, seconds, energy, rails, budget and gaps. from_ns: what gap times count from. */
int power_json(struct call *call, struct atoll_meter *m, const struct power_view *v,
               uint64_t from_ns, json_t *j);
int power_show(struct call *call, struct atoll_meter *m, const struct power_view *v);

#endif
