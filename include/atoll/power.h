/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file power.h
 * Room `power`: meters. Timestamped scans of a board's rails in, energy between markers with its 95
 * % expanded uncertainty out (GUM, JCGM 100:2008). A meter is opened by name: `none`, `synth` (fed
 * by a simulated board through the same frames as hardware), `replay:FILE`, `serial:PORT` (atoll's
 * firmware), `hwmon` and `rapl` (what the kernel knows of this machine), `ps3:PORT` and
 * `ps3dump:FILE` (PowerSensor3), `csv:FILE`. docs/power-testbed.md has a section on each.
 *
 * Order of calls: open, (feed,) start, marks, stop, energy. A fed meter takes the power from the
 * first feed as having been there before, so the sink may be attached before or after start. stop
 * lets the meter run a few scans longer, so that the last marker has scans on both sides; start and
 * stop once.
 *
 * The scan index is the clock: energy is integrated by trapezoid on the scan grid with fractional
 * samples at the markers; a lost scan is a gap that is reported, never held.
 */
#ifndef ATOLL_POWER_H
#define ATOLL_POWER_H

#include <atoll/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ATOLL_METER_RAILS_MAX 8

struct atoll_meter;

struct atoll_meter_rail {
    const char *name; ///< borrowed while the meter is open
    double volt;      ///< nominal; NAN: the meter knows only the rail's power
};
struct atoll_meter_opts {
    const struct atoll_meter_rail *rails; ///< what is wired to which channel
    uint32_t n_rails; ///< 0: those that the meter knows of (serial, replay, the host's counters)
    double rate_hz;   ///< scans per second; 0: the meter's default
    uint64_t seed;    ///< synth: of its errors
    bool ideal;       ///< synth: no noise, no quantization, no gain or zero error (tests)
    bool keep_scans;  ///< keep all scans for atoll_meter_trace
    const char *calibration; ///< a file of atoll_calibration_write that is used; NULL: none
};
/** ATOLL_EUSAGE: unknown kind (known ones listed); ATOLL_EDEVICE: cannot be opened. "none" gives *m
 * = NULL. */
ATOLL_API int atoll_meter_open(const char *spec, const struct atoll_meter_opts *o,
                               struct atoll_meter **m, struct atoll_err *err);
ATOLL_API void atoll_meter_close(struct atoll_meter **m);

/** In whose time a meter lives: in that of the device that feeds it, in that of a recording, or in
 *  real time. ATOLL_EUSAGE: unknown kind. "none" counts as fed. */
enum atoll_meter_time { ATOLL_METER_FED, ATOLL_METER_REPLAYED, ATOLL_METER_LIVE };
ATOLL_API int atoll_meter_time_of(const char *spec, enum atoll_meter_time *out,
                                  struct atoll_err *err);

/** Meters that can be opened (beside "none"), for listings; NULL-terminated. */
struct atoll_meter_driver; ///< impl/meter.h
ATOLL_API const struct atoll_meter_driver *const *atoll_meter_drivers(void);

struct atoll_meter_listing {
    const char *name, *help; ///< static; help: what stands behind "name:"
    bool available;          ///< this machine has something that could be opened
    char detail[200];        ///< what, or why not; empty where there is nothing to look for
};
/** What this machine has for a driver. Opens no port (that would reset an Arduino). */
ATOLL_API void atoll_meter_list(const struct atoll_meter_driver *d,
                                struct atoll_meter_listing *out);

struct atoll_meter_info {
    const char *kind;         ///< "synth", ...
    const char *description;  ///< sensor, firmware, calibration date
    enum atoll_origin origin; ///< SIMULATED for synth, MEASURED for hardware
    double rate_hz;
    bool fed;                             ///< wants atoll_meter_feed
    bool keeps_scans;                     ///< opened with keep_scans: there is a trace
    uint32_t n_rails;                     ///< rails that atoll_meter_energy fills
    const struct atoll_meter_rail *rails; ///< borrowed while the meter is open
};
ATOLL_API void atoll_meter_info(const struct atoll_meter *m, struct atoll_meter_info *out);

ATOLL_API int atoll_meter_start(struct atoll_meter *m, uint64_t t_ns,
                                struct atoll_err *err); ///< host (device) time now
ATOLL_API int atoll_meter_stop(struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err);
/** For meters that are fed: the rails' power from `t_ns` on. Times must not go back. Signature of
 * atoll_rail_fn. */
ATOLL_API void atoll_meter_feed(void *meter, uint64_t t_ns, const double *rail_mw,
                                uint32_t n_rails);
/** Takes in what has arrived up to host time t_ns; only who waits for long without setting a marker
 *  needs it. ATOLL_EDEVICE: the meter is gone or silent. */
ATOLL_API int atoll_meter_advance(struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err);
/** Sets a marker at host time; returns its number >= 0 or a negative code. */
ATOLL_API int32_t atoll_meter_mark(struct atoll_meter *m, uint64_t t_ns, const char *label,
                                   struct atoll_err *err);

/** Number of markers set, and one of them (a replay brings those of the recording). An edge at the
 * device's marker input is a marker too ("rising edge 7"), placed by the device to a fraction of a
 * scan. `label` is borrowed. */
ATOLL_API int32_t atoll_meter_markers(const struct atoll_meter *m);
ATOLL_API int atoll_meter_marker(const struct atoll_meter *m, int32_t marker, uint64_t *t_ns,
                                 const char **label, struct atoll_err *err);

struct atoll_energy {
    double seconds; ///< by the host's clock between its own markers, else on the scan axis
    double energy_mj, u95_mj; ///< NAN when the window holds no scan
    double mean_w;
    double u_gain_mj, u_zero_mj, u_drift_mj, u_noise_mj, u_time_mj; ///< standard components
    double coverage_k;          ///< from the effective degrees of freedom
    uint64_t scans, lost_scans; ///< in the window
    double u_volt_mj; ///< standard component: the rails whose voltage is nominal, not measured
};
/** Energy of each rail (`rails[n_rails]`, may be NULL) and of all together between two markers.
 * ATOLL_ENO: a gap lies in the window (figures are filled all the same, err says where). */
ATOLL_API int atoll_meter_energy(struct atoll_meter *m, int32_t from, int32_t to,
                                 struct atoll_energy *rails, struct atoll_energy *total,
                                 struct atoll_err *err);

/** The energy and uncertainty to expect of a window of `seconds` that follows marker `to` and goes
 *  on as the one between the markers: same mean power, same steps at its ends. What stays a share
 * of the energy however long it lasts is gain, zero and drift. */
ATOLL_API int atoll_meter_foresee(struct atoll_meter *m, int32_t from, int32_t to, double seconds,
                                  struct atoll_energy *out, struct atoll_err *err);

/** Scans that are missing, in order; borrowed until the next call or close. */
struct atoll_meter_gap {
    uint64_t from_ns, to_ns; ///< host time
    uint64_t scans;
    const char *cause; ///< "frames lost on the line", "scans lost by the device", "device
                       ///< restarted", "over range"
};
ATOLL_API int atoll_meter_gaps(struct atoll_meter *m, const struct atoll_meter_gap **gaps,
                               size_t *n, struct atoll_err *err);
/** Host time of the first and the last scan that an energy can begin and end at. ATOLL_EUSAGE:
 * there are none. */
ATOLL_API int atoll_meter_range(const struct atoll_meter *m, uint64_t *first_ns, uint64_t *last_ns,
                                struct atoll_err *err);
/** The meter's clock against the host's: how much faster it runs (parts per million) and the
 *  standard uncertainty of a marker's place. */
ATOLL_API void atoll_meter_clock(const struct atoll_meter *m, double *rate_ppm,
                                 double *u_offset_ns);

/** Records every byte that arrives, with its arrival time, and the markers, to `path` until close
 * or record_stop. The file is a meter: "replay:PATH". Call before start. ATOLL_EIO: with the
 * system's reason; a failure while recording is answered by record_stop. */
ATOLL_API int atoll_meter_record(struct atoll_meter *m, const char *path, struct atoll_err *err);
ATOLL_API int atoll_meter_record_stop(struct atoll_meter *m, struct atoll_err *err);
/** The scans kept as CSV: comment lines with rails, then t_s (since start) and one column of watts
 * per rail. */
ATOLL_API int atoll_meter_write_csv(struct atoll_meter *m, const char *path, struct atoll_err *err);

/** Scans kept: times in ns (host time by the fitted map) and power per rail in mW, row-major
 * [n][n_rails]; borrowed until the next call or close. */
struct atoll_trace {
    const uint64_t *t_ns;
    const float *rail_mw;
    size_t n;
    uint32_t n_rails;
};
ATOLL_API int atoll_meter_trace(struct atoll_meter *m, struct atoll_trace *out,
                                struct atoll_err *err);

/* ------------------------------------------------------- test and calibration */

/** One item of a meter's own test. */
struct atoll_meter_check {
    char name[24];
    bool ok;
    char detail[100];
};
#define ATOLL_METER_CHECKS_MAX 16
/** Runs the device's own test, before start. *n: items filled, 0 where the meter has none (a
 * recording). ATOLL_EDEVICE: it does not answer; items that fail are no error. */
ATOLL_API int atoll_meter_self_test(struct atoll_meter *m,
                                    struct atoll_meter_check checks[ATOLL_METER_CHECKS_MAX],
                                    uint32_t *n, struct atoll_err *err);

enum atoll_calibration_kind {
    ATOLL_CALIBRATE_ZERO,   ///< nothing flows
    ATOLL_CALIBRATE_GAIN,   ///< a known current flows
    ATOLL_CALIBRATE_DIVIDER ///< the channel measures a voltage, which is known
};
struct atoll_calibration_opts {
    enum atoll_calibration_kind kind;
    uint32_t rail;
    double load_ma; ///< GAIN: the current that flows, or
    double load_mw; ///< the power that the load takes (with the voltage, where it is measured)
    double volt;    ///< DIVIDER: the voltage there
    double u_frac;  ///< standard uncertainty of that reference
    double sensor_mv_per_a;  ///< GAIN: what the data sheet says; 0: as known
    double sensor_zero_frac; ///< ZERO: of the converter's range, by the data sheet; 0: as known
    double nominal_volt;     ///< of the rail, to be kept with the rest; 0: as it is
    uint16_t day;            ///< days since 1970-01-01
    int8_t temperature_c;
};
/** What was found; codes are those of a scan's sample (sums of conversions). */
struct atoll_calibration {
    enum atoll_calibration_kind kind;
    uint32_t rail;
    char name[32];       ///< of the rail
    double nominal_volt; ///< of the rail; 0: as it was
    double conversions;  ///< in a sample
    double zero_code, u_zero_code;
    double per_code;    ///< mA, for a divider mV
    double u_gain_frac; ///< standard, the reference in it
    double u_reference_frac;
    double noise_code;                  ///< standard deviation of a scan
    double drift_code;                  ///< second half less first half of the record
    double was_zero_code, was_per_code; ///< before
    uint64_t scans;
    double seconds;
    uint16_t day;
    int8_t temperature_c;
};
/** Calibrates a rail from the scans between two markers of a meter that was opened with keep_scans
 * and stopped. ATOLL_EDEVICE: the record is no good (scans missing, over range, too noisy, it
 * drifts, too little signal, far from what the sensor can be); the sentence says what was found and
 * what was expected. The channel's zero must be known before its gain. */
ATOLL_API int atoll_meter_calibrate(struct atoll_meter *m, int32_t from, int32_t to,
                                    const struct atoll_calibration_opts *o,
                                    struct atoll_calibration *out, struct atoll_err *err);
/** Keeps it in the device, with date and check sum. ATOLL_EUNSUPPORTED: it has no memory for that
 * (see atoll_calibration_write). */
ATOLL_API int atoll_meter_store(struct atoll_meter *m, const struct atoll_calibration *c,
                                struct atoll_err *err);
/** Adds it to a calibration file (JSON), or replaces what is there of this rail and kind. A meter
 * that is opened with opts.calibration = path uses it. */
ATOLL_API int atoll_calibration_write(const char *path, const struct atoll_calibration *c,
                                      struct atoll_err *err);

#ifdef __cplusplus
}
#endif
#endif
