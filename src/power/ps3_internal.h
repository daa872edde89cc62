/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PowerSensor3 (github.com/nlesc-recruit/PowerSensor3): what its stream and its dump files have in
 * common. A record is one sample of each sensor and a time stamp: ten bits of microseconds. The
 * stream has no count of records, so the stamps are the count: the step between two of them says
 * how many records are missing, up to 1 ms; a longer loss shows as a lasting delay of what follows.
 */
#ifndef ATOLL_PS3_INTERNAL_H
#define ATOLL_PS3_INTERNAL_H

#include "frames.h"

enum { PS3_SENSORS = 8, PS3_PAIRS = 4, PS3_CONFIG_BYTES = 41, PS3_STAMP_US = 1024 };

/* ------------------------------------------------------------------ the stream */

struct ps3_record {
    uint16_t stamp_us;
    uint16_t levels[PS3_SENSORS]; ///< 0..1023
    bool marker;
};
struct ps3_stream {
    uint8_t high;
    bool half;    ///< `high` waits for its low byte
    uint8_t next; ///< sensor expected, PS3_SENSORS: a time stamp
    uint64_t words_dropped;
    struct ps3_record record;
};
void atoll__ps3_stream_init(struct ps3_stream *s);
/** Takes bytes until a record is complete (*got) or all are consumed; returns the number taken.
 *  A record that is not whole is dropped. */
size_t atoll__ps3_stream_take(struct ps3_stream *s, const uint8_t *bytes, size_t n,
                              struct ps3_record *out, bool *got);

/* ------------------------------------------------------------- records to scans */

struct ps3_clock {
    double period_us;
    bool begun, timed; ///< timed: records carry stamps
    uint16_t stamp_us;
    struct power_timemap ripe, young; ///< the time map two looks ago, and one
    uint32_t looks;
    double least_ns, late_ns, records; ///< delay against the ripe one in this look: least, mean
    uint64_t since_ns;
};
/** Most frequent step between stamps, NAN when there are too few of them. */
double atoll__ps3_period_us(const uint16_t *stamps_us, size_t n);
/** How many scans are missing in front of a record with this stamp that came at host_ns. A long
 * loss takes what it spoilt out of the time map. */
uint32_t atoll__ps3_missing(struct ps3_clock *c, struct atoll_meter *m, uint32_t pending,
                            uint16_t stamp_us, uint64_t host_ns);

/** What is assumed of its sensors: the device stores no uncertainty. */
struct ps3_assumed {
    double gain_frac, volt_frac, zero_ma;
};
extern const struct ps3_assumed atoll__ps3_assumed;
void atoll__ps3_channel(struct atoll_meter_setup *s, uint32_t pair, double zero_code,
                        double ma_per_code, double volt_zero_code, double mv_per_code,
                        double levels_per_code, const struct ps3_assumed *a);

#endif
