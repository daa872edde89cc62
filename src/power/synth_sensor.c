/* SPDX-License-Identifier: Apache-2.0 */
/* Sensors of the synth meter, and how one of their channels is drawn and calibrated. */
#include "synth_internal.h"

#include <atoll/stats.h>

#include <math.h>
#include <string.h>

enum { ZERO_SCANS = 256, GAIN_READINGS = 10 };

/* A zero measured at one temperature moves towards that of the warm sensor. */
static const double drift_tau_s = 300;

/* ACS712 (Allegro): 185 mV/A, 21 mVpp at 2 kHz (sigma = pp / 6.6), +-1.5 %, offset up to 216 mA,
 * zero slope -0.26..-0.08 mV/degC; 10-bit converter on 5 V as an ATmega328P has: 4.88 mV a code.
 * INA228-like: 16 of its bits on 5 mOhm, shunt 0.5 %, offset 1 uV. */
static const struct synth_sensor sensors[] = {
    {.name = "acs712",
     .title = "ACS712-05B, 10-bit converter on 5 V, sums of 8",
     .adc_bits = 10,
     .conversions = 8,
     .conversion_ma = 26.39,
     .noise_ma = 17,
     .gain_tolerance_frac = 0.0075,
     .zero_tolerance_ma = 100,
     .drift_ma = 3,
     .reading_frac = 0.008,
     .reference_frac = 0.003,
     .volt_frac = 0.003},
    {.name = "ina228",
     .title = "INA228, 5 mOhm shunt",
     .adc_bits = 16,
     .conversions = 1,
     .conversion_ma = 0.25,
     .noise_ma = 0.3,
     .gain_tolerance_frac = 0.003,
     .zero_tolerance_ma = 0.2,
     .drift_ma = 0.1,
     .reading_frac = 0.0015,
     .reference_frac = 0.0005,
     .volt_frac = 0.001},
};
const char atoll__synth_sensor_names[] = "acs712, ina228";

const struct synth_sensor atoll__synth_sensor_ideal = {
    .name = "ideal", .title = "ideal sensor", .adc_bits = 16, .conversions = 1, .conversion_ma = 1};

const struct synth_sensor *atoll__synth_sensor_find(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof sensors / sizeof sensors[0]; i++) {
        if (strlen(sensors[i].name) == n && strncmp(sensors[i].name, name, n) == 0) {
            return &sensors[i];
        }
    }
    return NULL;
}

double atoll__synth_noise(struct atoll_rng *r)
{
    const uint64_t u = atoll_rng_u64(r);
    const uint64_t sum = (u & 0xffff) + (u >> 16 & 0xffff) + (u >> 32 & 0xffff) + (u >> 48);
    return ((double)sum - 131070.0) / 37837.227; /* sqrt(4 (65536^2 - 1) / 12) */
}

static void calibrate_zero(const struct synth_channel *c, struct atoll_meter_channel *belief,
                           struct atoll_rng *r)
{
    double codes[ZERO_SCANS];
    for (int i = 0; i < ZERO_SCANS; i++) {
        codes[i] = floor(c->zero_code + c->noise_code * atoll__synth_noise(r) + 0.5);
    }
    const double sd = atoll_stdev(codes, ZERO_SCANS);
    /* rounding alone is uniform: at least 1/sqrt(12); what dither leaves of it in the mean: 0.1 */
    belief->zero_code = atoll_mean(codes, ZERO_SCANS);
    belief->noise_code = fmax(sd, 0.289);
    belief->noise_dof = ZERO_SCANS - 1;
    belief->u_zero_code = sqrt(sd * sd / ZERO_SCANS + 0.1 * 0.1 / 3);
}

static void calibrate_gain(const struct synth_channel *c, struct atoll_meter_channel *belief,
                           const struct synth_sensor *s, double reference_error,
                           struct atoll_rng *r)
{
    double readings[GAIN_READINGS];
    for (int i = 0; i < GAIN_READINGS; i++) {
        readings[i] =
            c->ma_per_code * (1 + reference_error) * (1 + s->reading_frac * atoll_rng_normal(r));
    }
    belief->ma_per_code = atoll_mean(readings, GAIN_READINGS);
    belief->u_gain_frac =
        atoll_stdev(readings, GAIN_READINGS) / sqrt(GAIN_READINGS) / belief->ma_per_code;
    belief->gain_dof = GAIN_READINGS - 1;
    belief->u_reference_frac = s->reference_frac;
}

double atoll__synth_voltage_init(struct atoll_meter_voltage *belief, const struct synth_sensor *s,
                                 double nominal_volt, struct atoll_rng *r)
{
    const double full_code = ((double)(1u << s->adc_bits) - 1) * s->conversions;
    const bool ideal = s == &atoll__synth_sensor_ideal;
    *belief = (struct atoll_meter_voltage){.measured = true,
                                           .mv_per_code = nominal_volt * 1.3e3 / full_code,
                                           .u_gain_frac = s->volt_frac,
                                           .noise_code = ideal ? 0 : 0.5 * sqrt(s->conversions),
                                           .u_zero_code = ideal ? 0 : 0.1 * s->conversions};
    return belief->mv_per_code * (1 + s->volt_frac * (ideal ? 0 : atoll_rng_normal(r)));
}

void atoll__synth_channel_init(struct synth_channel *c, struct atoll_meter_channel *belief,
                               const struct synth_sensor *s, double reference_error,
                               struct atoll_rng *r)
{
    const double code_ma = s->conversion_ma / s->conversions;
    const double middle = (double)(1u << (s->adc_bits - 1)) * s->conversions;
    if (s == &atoll__synth_sensor_ideal) {
        *c = (struct synth_channel){.zero_code = middle, .ma_per_code = code_ma};
        belief->zero_code = middle;
        belief->ma_per_code = code_ma;
        belief->gain_dof = belief->noise_dof = INFINITY;
        return;
    }
    /* each conversion is rounded by itself: its rounding is one more part of the noise */
    const double conversion_code =
        sqrt(pow(s->noise_ma / s->conversion_ma, 2) + (s->conversions > 1 ? 1.0 / 12 : 0));
    *c = (struct synth_channel){
        .zero_code = middle + s->zero_tolerance_ma * atoll_rng_normal(r) / code_ma,
        .ma_per_code = code_ma / (1 + s->gain_tolerance_frac * atoll_rng_normal(r)),
        .noise_code = conversion_code * sqrt(s->conversions),
        .drift_code = s->drift_ma * atoll_rng_normal(r) / code_ma};
    calibrate_zero(c, belief, r);
    calibrate_gain(c, belief, s, reference_error, r);
    belief->u_drift_code = s->drift_ma / code_ma;
    belief->drift_tau_s = drift_tau_s;
}
