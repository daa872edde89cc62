/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file impl/meter.h
 * For those who write a meter driver: one const struct of functions, listed in src/power/meters.c.
 * A driver brings bytes (the frames of room `wire`) with their arrival times and the calibration
 * of its channels; decoding, time map, gaps, markers, energy and uncertainty are the same for all.
 */
#ifndef ATOLL_IMPL_METER_H
#define ATOLL_IMPL_METER_H

#include <atoll/power.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What is known of the current channel of a rail: current = (code - zero_code) * ma_per_code,
 * power = current * voltage. All u_ are standard uncertainties; a dof of INFINITY: known, not
 * estimated from readings.
 */
struct atoll_meter_channel {
    double volt;        ///< nominal
    double u_volt_frac; ///< how far the rail may be off it; not used where it is measured
    uint32_t at;        ///< place of its sample in a scan
    double skew;        ///< it is sampled this part of a scan after the scan's middle
    double zero_code, ma_per_code;
    double u_gain_frac, gain_dof; ///< this channel's own part
    double u_reference_frac;      ///< of the reference that all channels were calibrated with
    double u_zero_code;
    double u_drift_code, drift_tau_s; ///< zero drifts to +-u_drift_code as 1 - exp(-t / tau)
    double noise_code, noise_dof;     ///< white, of one scan
};

/** The voltage channel of a rail, where one is wired: voltage = (code - zero_code) * mv_per_code.
 */
struct atoll_meter_voltage {
    bool measured;
    double zero_code, mv_per_code;
    double u_gain_frac, u_zero_code, noise_code; ///< standard
    uint32_t at;
    double skew; ///< as of the current
};

/** A driver's answer to open. One current channel per rail, in the rails' order. */
struct atoll_meter_setup {
    char description[200];
    enum atoll_origin origin;
    double rate_hz;                  ///< nominal
    double u_rate_frac;              ///< of the microcontroller's clock, standard
    double latency_ns, u_latency_ns; ///< from the end of a frame's last scan to its arrival
    double jitter_ns;                ///< spread of that from frame to frame; 0: u_latency_ns
    struct atoll_meter_channel channels[ATOLL_METER_RAILS_MAX];
    struct atoll_meter_voltage voltages[ATOLL_METER_RAILS_MAX];
    uint32_t n_samples; ///< in a scan; 0: one for each rail, in order, without skew
    double conversions; ///< in a sample, for what is known of one; 0: one
    bool watts;         ///< the meter knows power, not current: channels are given at 1 V
    /* asked for no rails: those that the meter brings; their volts are the channels' */
    uint32_t n_rails;
    char names[ATOLL_METER_RAILS_MAX][16];
};

struct atoll_wire_frame; ///< atoll_wire.h

struct atoll_meter_driver {
    const char *name;
    const char *help; ///< what stands after "name:" in a spec, and what it means
    bool recorded;    ///< it plays what was measured before
    /** Opens by the text after "name:" (NULL: none); fills *setup and *state. o->rails is checked;
     *  o->n_rails 0 asks for the meter's own (ATOLL_EUSAGE where it has none). */
    int (*open)(const char *arg, const struct atoll_meter_opts *o, struct atoll_meter_setup *setup,
                void **state, struct atoll_err *err);
    void (*close)(void *state);
    int (*start)(void *state, struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err);
    /** Pushes what has arrived up to host time t_ns. */
    int (*advance)(void *state, struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err);
    /** Pushes up to t_ns and at least `scans` scans beyond it. */
    int (*stop)(void *state, struct atoll_meter *m, uint64_t t_ns, uint32_t scans,
                struct atoll_err *err);
    /** Optional: takes the power of the rails from t_ns on. */
    void (*feed)(void *state, struct atoll_meter *m, uint64_t t_ns, const double *rail_mw,
                 uint32_t n_rails);
    /** Optional: a frame that is neither DATA nor CONFIG, in the thread that called push. */
    void (*frame)(void *state, struct atoll_meter *m, const struct atoll_wire_frame *f,
                  uint64_t arrival_ns);
    /** Optional: runs the device's own test while it does not scan; one line for each item. */
    int (*self_test)(void *state, struct atoll_meter_check *checks, uint32_t *n,
                     struct atoll_err *err);
    /** Optional: is there anything on this machine that it could open? Says what, or why not. */
    bool (*present)(char *detail, size_t n);
    /** Optional: keeps a calibration in the device; only after stop. */
    int (*store)(void *state, const struct atoll_calibration *c, struct atoll_err *err);
};

/** atoll_meter_open with a driver that is not in the list. */
ATOLL_API int atoll_meter_open_driver(const struct atoll_meter_driver *driver, const char *arg,
                                      const struct atoll_meter_opts *o, struct atoll_meter **m,
                                      struct atoll_err *err);
/** Bytes from the device that arrived at host time arrival_ns. A failure (no memory) is kept and
 *  answered by the next energy or trace. */
ATOLL_API void atoll_meter_push(struct atoll_meter *m, const uint8_t *bytes, size_t n,
                                uint64_t arrival_ns);

#ifdef __cplusplus
}
#endif
#endif
