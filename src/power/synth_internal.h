/* SPDX-License-Identifier: Apache-2.0 */
/* The synth meter: a sensor model (synth_sensor.c) and a device that scans it (synth.c). */
#ifndef ATOLL_SYNTH_INTERNAL_H
#define ATOLL_SYNTH_INTERNAL_H

#include "power_internal.h"

/** A kind of current sensor with its converter; facts of the parts, see docs/method-energy.md. */
struct synth_sensor {
    const char *name, *title;
    uint8_t adc_bits, conversions;                 ///< a scan's sample is the sum of conversions
    double conversion_ma;                          ///< current per code of one conversion
    double noise_ma;                               ///< of one conversion, standard deviation
    double gain_tolerance_frac, zero_tolerance_ma; ///< before calibration, standard deviation
    double drift_ma;       ///< of the zero after it was measured, standard deviation
    double reading_frac;   ///< spread of one gain reading
    double reference_frac; ///< of the reference load, standard
    double volt_frac;      ///< of a voltage channel's gain after calibration, standard
};
/** NULL: unknown. The list of names for messages. */
const struct synth_sensor *atoll__synth_sensor_find(const char *name, size_t n);
extern const char atoll__synth_sensor_names[];
extern const struct synth_sensor atoll__synth_sensor_ideal;

/** One channel as it truly is; its calibration holds what the meter believes. */
struct synth_channel {
    double zero_code, ma_per_code, noise_code;
    double drift_code; ///< where the zero ends up
    double residue;    ///< ideal: rounding carried to the next scan, so that none is lost
};
/** Draws a channel within the sensor's tolerances and calibrates it as a real one is: zero from
 *  256 scans without current, gain from 10 readings of a reference load. */
void atoll__synth_channel_init(struct synth_channel *c, struct atoll_meter_channel *belief,
                               const struct synth_sensor *s, double reference_error,
                               struct atoll_rng *r);
/** A voltage channel for a rail of this nominal voltage: the belief, and the true gain in mV per
 *  code. */
double atoll__synth_voltage_init(struct atoll_meter_voltage *belief, const struct synth_sensor *s,
                                 double nominal_volt, struct atoll_rng *r);
/** Mean 0, standard deviation 1; cheap: sum of four uniforms. */
double atoll__synth_noise(struct atoll_rng *r);

#endif
