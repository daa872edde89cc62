/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to room `power`. The way of a scan:
 *
 *   driver --bytes, arrival--> decoder (wire) --> scans.c: ring of codes and running sums, gaps
 *                                             --> timemap.c: scan index <-> host time
 *   marker --> waits until the scans around it are there --> keeps a window of them --> energy.c
 *
 * Scan k is the mean over the cell [k, k+1) of the device's clock and stands at the node k + 1/2.
 * Sums are integers (codes), so nothing is lost however long the meter runs; memory is the ring and
 * one window per marker, unless keep_scans asks for all.
 */
#ifndef ATOLL_POWER_INTERNAL_H
#define ATOLL_POWER_INTERNAL_H

#include <atoll/impl/meter.h>
#include <atoll_wire.h>

#include <stdio.h>

/** Times are unsigned and may lie before a start at 0: differences are modulo 2^64, signed. */
static inline double atoll__power_since(uint64_t t_ns, uint64_t reference_ns)
{
    return (double)(int64_t)(t_ns - reference_ns);
}

/** Straight line of arrival time over scan edges, by least squares with the nominal period as a
 *  prior, so that the first frames do not decide the rate alone. */
struct power_timemap {
    double period_ns;   ///< nominal
    double u_period_ns; ///< of that, standard
    double latency_ns, u_latency_ns, jitter_ns;
    uint64_t origin_ns; ///< host time that y counts from
    uint64_t n;
    double mean_x, mean_y, sxx, sxy, syy;
    uint32_t held_up; ///< frames in a row that came too late to say anything
};
void atoll__power_timemap_init(struct power_timemap *t, const struct atoll_meter_setup *s);
void atoll__power_timemap_add(struct power_timemap *t, double edge, uint64_t arrival_ns);
double atoll__power_timemap_period_ns(const struct power_timemap *t);
double atoll__power_timemap_edge(const struct power_timemap *t,
                                 uint64_t t_ns); ///< scan edges at a host time
/** The other way: host time of an edge, from a reference time on. */
double atoll__power_timemap_ns(const struct power_timemap *t, double edge, uint64_t reference_ns);
double atoll__power_timemap_u_ns(const struct power_timemap *t,
                                 double edge); ///< standard uncertainty

/** Scans around a marker: rows of codes (m->n_samples each) and of sums (m->n_sums each, up to and
 *  with the row). */
struct power_window {
    uint64_t first;
    uint32_t n;
    uint16_t *codes;
    uint64_t *sums;
};
struct power_marker {
    uint64_t t_ns; ///< of an edge: by the time map when it was asked last
    bool on_grid;  ///< the device stamped it: `edge` is its place, free of the link's latency
    double edge;
    char label[40];
    bool kept;
    struct power_window window;
};

struct power_gap {
    uint64_t from, to; ///< scans [from, to)
    const char *cause; ///< static
};

struct atoll_meter {
    const struct atoll_meter_driver *driver;
    void *state;
    struct atoll_meter_setup setup;
    struct atoll_meter_rail rails[ATOLL_METER_RAILS_MAX];
    uint32_t n;         ///< rails
    uint32_t n_samples; ///< in a scan: a current for each rail, a voltage for some
    /* in a row of sums: one for each sample, then for each rail with a voltage two sums of products
     * (energy.c) from product_at[rail] on */
    uint32_t n_sums, product_at[ATOLL_METER_RAILS_MAX];
    bool is_voltage[ATOLL_WIRE_CHANNELS_MAX];
    char *names;
    bool keep, started, stopped;
    uint64_t start_ns;
    int failed; ///< code of a failure while scans arrived
    /* bytes to scans */
    struct atoll_wire_decoder decoder;
    struct atoll_wire_track track;
    struct atoll_wire_config config;
    bool configured;
    uint16_t full_code;              ///< at it or at 0 the converter is over range
    uint64_t first, next;            ///< scans known: [first, next)
    uint64_t bridged;                ///< of them missing
    uint32_t ring_rows, half_window; ///< rows: a power of two
    uint64_t ring_first;             ///< oldest row that is valid
    uint16_t *ring_codes;
    uint64_t *ring_sums;
    uint16_t *kept_codes; ///< keep_scans: all rows from `first`
    size_t kept_capacity; ///< in codes
    struct power_timemap map;
    struct power_gap *gaps;
    size_t n_gaps, gaps_capacity;
    struct atoll_meter_gap *public_gaps;
    size_t public_gaps_capacity;
    struct power_marker *markers;
    size_t n_markers, markers_capacity, first_waiting;
    uint64_t last_mark_ns; ///< of the host's markers
    /* what atoll_meter_trace lends */
    uint64_t *trace_ns;
    float *trace_mw;
    size_t trace_ns_capacity, trace_mw_capacity;
    FILE *record;
};

/* scans.c */
int atoll__power_ring_init(struct atoll_meter *m, struct atoll_err *err);
/** Keeps the window of each marker whose scans are all there. */
void atoll__power_keep_windows(struct atoll_meter *m);
/** Node coordinate (scan k stands at k) of a host time, by the present time map. */
double atoll__power_node(const struct atoll_meter *m, uint64_t t_ns);

/* calibration_file.c: what the file knows of these rails goes into the setup. */
int atoll__power_calibration_use(const char *path, const struct atoll_meter_rail *rails,
                                 uint32_t n_rails, struct atoll_meter_setup *s,
                                 struct atoll_err *err);

/* record.c; the file is read by replay.c */
#define ATOLL_RECORD_MAGIC "ATOLLPWR"
void atoll__power_record_start(struct atoll_meter *m, uint64_t t_ns);
void atoll__power_record_bytes(struct atoll_meter *m, const uint8_t *bytes, size_t n,
                               uint64_t arrival_ns);
void atoll__power_record_mark(struct atoll_meter *m, uint64_t t_ns, const char *label);

/* marker.c: sets a marker without asking the driver to advance. */
int32_t atoll__power_mark(struct atoll_meter *m, uint64_t t_ns, const char *label,
                          struct atoll_err *err);
/** A marker that the device stamped at an edge of the scan axis. */
void atoll__power_mark_edge(struct atoll_meter *m, double edge, const char *label);
/** Node coordinate of a marker, and its host time. */
double atoll__power_marker_node(const struct atoll_meter *m, const struct power_marker *k);
uint64_t atoll__power_marker_ns(const struct atoll_meter *m, const struct power_marker *k);

/* energy.c: power of a rail at row `row` of `n` rows of codes, in mW; the voltage, where it is
 * measured, is taken at the moment of the current. */
double atoll__power_at(const struct atoll_meter *m, const uint16_t *codes, size_t n, size_t row,
                       uint32_t rail);

extern const struct atoll_meter_driver atoll__power_synth, atoll__power_replay, atoll__power_serial,
    atoll__power_hwmon, atoll__power_rapl, atoll__power_ps3, atoll__power_ps3dump, atoll__power_csv;

#endif
