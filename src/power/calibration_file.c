/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calibrations in a file, for meters without a memory of their own:
 * {"schema": "atoll.power-calibration/1", "calibrations": [{"rail", "kind", "zero_code",
 * "u_zero_code", "per_code", "u_gain_frac", "u_reference_frac", "noise_code", "day",
 * "temperature_c"}]}. Codes are those of one conversion, so that the file fits any rate.
 */
#include "power_internal.h"

#include <atoll/json.h>

#include <math.h>
#include <string.h>

static const char schema[] = "atoll.power-calibration/1";
static const char *const kinds[] = {"zero", "gain", "divider"};
enum { N_KINDS = 3 };

static json_t *entry_json(const struct atoll_calibration *c)
{
    const double k = c->conversions > 0 ? c->conversions : 1;
    json_t *j = json_object();
    int rc = json_object_set_new(j, "rail", json_string(c->name));
    rc |= json_object_set_new(j, "kind", json_string(kinds[c->kind]));
    if (c->kind != ATOLL_CALIBRATE_GAIN) {
        rc |= atoll_json_set_number(j, "zero_code", c->zero_code / k);
        rc |= atoll_json_set_number(j, "u_zero_code", c->u_zero_code / k);
    }
    if (c->kind != ATOLL_CALIBRATE_ZERO) {
        rc |= atoll_json_set_number(j, "per_code", c->per_code * k);
        rc |= atoll_json_set_number(j, "u_gain_frac", c->u_gain_frac);
        rc |= atoll_json_set_number(j, "u_reference_frac", c->u_reference_frac);
    }
    rc |= atoll_json_set_number(j, "noise_code", c->noise_code / sqrt(k));
    rc |= json_object_set_new(j, "day", json_integer(c->day));
    rc |= json_object_set_new(j, "temperature_c", json_integer(c->temperature_c));
    if (rc != 0) {
        json_decref(j);
        return NULL;
    }
    return j;
}

static bool is_of(const json_t *entry, const char *rail, const char *kind)
{
    const char *r = json_string_value(json_object_get(entry, "rail"));
    const char *k = json_string_value(json_object_get(entry, "kind"));
    return r != NULL && k != NULL && strcmp(r, rail) == 0 && strcmp(k, kind) == 0;
}

/* The list of a file; borrowed from *j. */
static int open_list(const char *path, json_t **j, json_t **list, struct atoll_err *err)
{
    int rc = atoll_json_open(path, j, err);
    if (rc != 0) {
        return rc;
    }
    const char *found = json_string_value(json_object_get(*j, "schema"));
    *list = json_object_get(*j, "calibrations");
    if (found == NULL || strcmp(found, schema) != 0 || !json_is_array(*list)) {
        json_decref(*j);
        *j = NULL;
        return atoll_fail(err, ATOLL_EINPUT, "%s: schema '%.60s' (expected %s)", path,
                          found != NULL ? found : "", schema);
    }
    return 0;
}

int atoll_calibration_write(const char *path, const struct atoll_calibration *c,
                            struct atoll_err *err)
{
    json_t *j = NULL;
    json_t *list = NULL;
    struct atoll_err why = {0};
    int rc = open_list(path, &j, &list, &why);
    if (rc == ATOLL_ENOTFOUND) {
        j = json_object();
        list = json_array();
        rc = json_object_set_new(j, "schema", json_string(schema)) |
                     json_object_set_new(j, "calibrations", list)
                 ? ATOLL_ENOMEM
                 : 0;
    }
    if (rc != 0) {
        json_decref(j);
        return atoll_fail(err, rc, "%s", why.code != 0 ? why.text : "no memory");
    }
    for (size_t i = json_array_size(list); i-- > 0;) {
        if (is_of(json_array_get(list, i), c->name, kinds[c->kind])) {
            (void)json_array_remove(list, i);
        }
    }
    size_t n = 0;
    char *text = NULL;
    if (json_array_append_new(list, entry_json(c)) == 0) {
        text = atoll_json_text(j, &n);
    }
    json_decref(j);
    rc = text != NULL ? atoll_write_file(path, text, n, err)
                      : atoll_fail_nomem(err, "calibration", 0);
    atoll_free(text);
    return rc;
}

static int get(const char *path, size_t entry, const json_t *j, const char *key, double low,
               double high, double *out, struct atoll_err *err)
{
    const json_t *v = json_object_get(j, key);
    const double value = json_is_number(v) ? json_number_value(v) : NAN;
    if (!(value >= low && value <= high)) {
        return atoll_fail(
            err, ATOLL_EINPUT,
            "%s: calibration %zu: '%s' is missing or out of range (expected %g to %g)", path, entry,
            key, low, high);
    }
    *out = value;
    return 0;
}

static int apply(const char *path, size_t entry, const json_t *j, enum atoll_calibration_kind kind,
                 struct atoll_meter_channel *c, struct atoll_meter_voltage *v, double k,
                 struct atoll_err *err)
{
    double zero = 0;
    double u_zero = 0;
    double noise = 0;
    double per_code = 0;
    double u_gain = 0;
    double u_reference = 0;
    int rc = 0;
    if (kind != ATOLL_CALIBRATE_GAIN) {
        rc = get(path, entry, j, "zero_code", -1e6, 1e6, &zero, err);
        rc = rc == 0 ? get(path, entry, j, "u_zero_code", 0, 1e6, &u_zero, err) : rc;
        rc = rc == 0 ? get(path, entry, j, "noise_code", 0, 1e6, &noise, err) : rc;
    }
    if (rc == 0 && kind != ATOLL_CALIBRATE_ZERO) {
        rc = get(path, entry, j, "per_code", 1e-9, 1e6, &per_code, err);
        rc = rc == 0 ? get(path, entry, j, "u_gain_frac", 0, 1, &u_gain, err) : rc;
        rc = rc == 0 ? get(path, entry, j, "u_reference_frac", 0, 1, &u_reference, err) : rc;
    }
    if (rc != 0) {
        return rc;
    }
    if (kind == ATOLL_CALIBRATE_ZERO) {
        c->zero_code = zero * k;
        c->u_zero_code = u_zero * k;
        c->noise_code = noise * sqrt(k);
    } else if (kind == ATOLL_CALIBRATE_GAIN) {
        c->ma_per_code = per_code / k;
        c->u_reference_frac = u_reference;
        c->u_gain_frac = sqrt(fmax(u_gain * u_gain - u_reference * u_reference, 0));
        c->gain_dof = INFINITY;
    } else if (v->measured) {
        v->mv_per_code = per_code / k;
        v->u_gain_frac = u_gain;
    }
    return 0;
}

int atoll__power_calibration_use(const char *path, const struct atoll_meter_rail *rails,
                                 uint32_t n_rails, struct atoll_meter_setup *s,
                                 struct atoll_err *err)
{
    json_t *j = NULL;
    json_t *list = NULL;
    const double k = s->conversions > 0 ? s->conversions : 1;
    int rc = open_list(path, &j, &list, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        bool used = false;
        for (uint32_t r = 0; r < n_rails && !used; r++) {
            for (int kind = 0; kind < N_KINDS && !used; kind++) {
                used = is_of(entry, rails[r].name, kinds[kind]);
                rc = used ? apply(path, i, entry, (enum atoll_calibration_kind)kind,
                                  &s->channels[r], &s->voltages[r], k, err)
                          : 0;
            }
        }
        if (!used) {
            const char *rail = json_string_value(json_object_get(entry, "rail"));
            rc = atoll_fail(err, ATOLL_EINPUT,
                            "%s: calibration %zu: rail '%.40s' or its kind is none of this meter's",
                            path, i, rail != NULL ? rail : "");
        }
    }
    json_decref(j);
    return rc;
}
