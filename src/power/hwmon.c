/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hwmon meter: power sensors that the kernel's drivers show in sysfs (INA2xx, INA3221, the
 * monitors of boards). Each chip's powerN_input (uW), else currN_input (mA) times inN_input (mV),
 * is a rail. How good they are nobody says: gain and zero are assumptions, stated in the
 * description.
 */
#include "frames.h"

#include <math.h>
#include <string.h>

enum { PATH_BYTES = 300, INPUTS_MAX = 16, CHIPS_MAX = 64 };
static const double gain_default = 0.02, zero_default_w = 0.05;

struct sensor {
    char power[PATH_BYTES], current[PATH_BYTES], voltage[PATH_BYTES]; ///< empty: not there
};

struct hwmon {
    struct power_poll poll;
    struct sensor sensors[ATOLL_METER_RAILS_MAX];
    char names[ATOLL_METER_RAILS_MAX][16];
    uint32_t n, found;
    double interval_ms; ///< longest update_interval
};

static bool exists(const char *path)
{
    char text[8];
    return atoll__power_read_line(path, text, sizeof text);
}

static void name_rail(struct hwmon *h, const char *chip, const char *kind, int input)
{
    char path[PATH_BYTES];
    char label[40];
    char name[40];
    char *to = h->names[h->n];
    (void)snprintf(path, sizeof path, "%.250s/%s%d_label", chip, kind, input);
    if (atoll__power_read_line(path, label, sizeof label) && label[0] != '\0') {
        (void)snprintf(to, sizeof h->names[0], "%.15s", label);
        return;
    }
    (void)snprintf(path, sizeof path, "%.250s/name", chip);
    if (!atoll__power_read_line(path, name, sizeof name)) {
        (void)snprintf(name, sizeof name, "hwmon");
    }
    (void)snprintf(label, sizeof label, "%.11s_%d", name, input);
    (void)snprintf(to, sizeof h->names[0], "%.15s", label);
}

static void add(struct hwmon *h, const char *chip, int input, const struct sensor *s)
{
    h->found++;
    if (h->n < ATOLL_METER_RAILS_MAX) {
        name_rail(h, chip, s->power[0] != '\0' ? "power" : "in", input);
        h->sensors[h->n++] = *s;
    }
}

static void look_at_chip(struct hwmon *h, const char *chip)
{
    char path[PATH_BYTES];
    double ms = 0;
    const uint32_t before = h->found;
    for (int i = 1; i <= INPUTS_MAX; i++) {
        struct sensor s = {0};
        (void)snprintf(s.power, sizeof s.power, "%.250s/power%d_input", chip, i);
        if (!exists(s.power)) {
            (void)snprintf(s.power, sizeof s.power, "%.250s/power%d_average", chip, i);
        }
        if (exists(s.power)) {
            add(h, chip, i, &s);
        }
    }
    for (int i = 1; i <= INPUTS_MAX && h->found == before; i++) {
        struct sensor s = {0};
        (void)snprintf(s.current, sizeof s.current, "%.250s/curr%d_input", chip, i);
        (void)snprintf(s.voltage, sizeof s.voltage, "%.250s/in%d_input", chip, i);
        if (exists(s.current) && exists(s.voltage)) {
            add(h, chip, i, &s);
        }
    }
    (void)snprintf(path, sizeof path, "%.250s/update_interval", chip);
    if (h->found > before && exists(path) && atoll__power_read_number(path, &ms, NULL) == 0) {
        h->interval_ms = fmax(h->interval_ms, ms);
    }
}

/* The chips below a directory, or that directory itself when it is one. */
static void look(struct hwmon *h, const char *root)
{
    char chip[PATH_BYTES];
    char name[PATH_BYTES];
    for (int i = 0; i < CHIPS_MAX; i++) {
        (void)snprintf(chip, sizeof chip, "%.200s/hwmon%d", root, i);
        (void)snprintf(name, sizeof name, "%.250s/name", chip);
        if (exists(name)) {
            look_at_chip(h, chip);
        }
    }
    if (h->found == 0) {
        look_at_chip(h, root);
    }
}

static int read_values(void *source, double *values, struct atoll_err *err)
{
    const struct hwmon *h = source;
    int rc = 0;
    for (uint32_t i = 0; i < h->n && rc == 0; i++) {
        const struct sensor *s = &h->sensors[i];
        double ma = 0;
        double mv = 0;
        if (s->power[0] != '\0') {
            rc = atoll__power_read_number(s->power, &values[i], err);
            values[i] /= 1e3; /* uW */
        } else {
            rc = atoll__power_read_number(s->current, &ma, err);
            rc = rc == 0 ? atoll__power_read_number(s->voltage, &mv, err) : rc;
            values[i] = ma * mv / 1e3;
        }
    }
    return rc;
}

static void hwmon_close(void *state)
{
    struct hwmon *h = state;
    atoll__power_poll_finish(&h->poll);
    atoll_free(h);
}

static int describe(struct hwmon *h, const struct atoll_meter_opts *o, const char *root,
                    double gain_frac, double zero_w, struct atoll_meter_setup *setup,
                    struct atoll_err *err)
{
    if (h->found == 0) {
        return atoll_fail(err, ATOLL_EDEVICE,
                          "meter hwmon: %s: no chip with power, or current and voltage, is there",
                          root);
    }
    if (h->found > h->n) {
        return atoll_fail(err, ATOLL_EUSAGE,
                          "meter hwmon: %s: %u rails (at most %d; name one chip's directory)", root,
                          h->found, ATOLL_METER_RAILS_MAX);
    }
    if (o->n_rails > 0 && o->n_rails != h->n) {
        return atoll_fail(err, ATOLL_EDEVICE, "meter hwmon: %s: has %u rails (expected %u)", root,
                          h->n, o->n_rails);
    }
    atoll__power_cells_setup(setup, h->n, o->rate_hz > 0 ? o->rate_hz : 100, gain_frac, zero_w);
    memcpy(setup->names, h->names, sizeof h->names);
    const double interval_ns = (h->interval_ms > 0 ? h->interval_ms : 10) * 1e6;
    h->poll.latency_ns = interval_ns / 2;
    h->poll.u_latency_ns = interval_ns / sqrt(12);
    (void)snprintf(
        setup->description, sizeof setup->description,
        "hwmon %.80s, assumed standard uncertainty: gain %.3g %%, zero %.3g W, values up "
        "to %.3g ms old",
        root, gain_frac * 100, zero_w, interval_ns / 1e6);
    return 0;
}

static int hwmon_open(const char *arg, const struct atoll_meter_opts *o,
                      struct atoll_meter_setup *setup, void **state, struct atoll_err *err)
{
    char root[200];
    double gain_frac = gain_default;
    double zero_w = zero_default_w;
    const struct power_option options[] = {{"gain", 0, 1, &gain_frac}, {"zero", 0, 1e3, &zero_w}};
    int rc = atoll__power_options("hwmon", arg, root, sizeof root, options, 2, err);
    if (rc != 0) {
        return rc;
    }
    if (root[0] == '\0') {
        (void)snprintf(root, sizeof root, "/sys/class/hwmon");
    }
    struct hwmon *h = atoll_calloc(1, sizeof *h);
    if (h == NULL) {
        return atoll_fail_nomem(err, "hwmon meter", sizeof *h);
    }
    look(h, root);
    atoll__power_poll_init(&h->poll, h->n, false, o->rate_hz > 0 ? o->rate_hz : 100);
    h->poll.read = read_values;
    h->poll.source = h;
    double values[ATOLL_METER_RAILS_MAX];
    rc = describe(h, o, root, gain_frac, zero_w, setup, err);
    rc = rc == 0 ? read_values(h, values, err) : rc;
    if (rc != 0) {
        hwmon_close(h);
        return rc;
    }
    *state = h;
    return 0;
}

static int hwmon_start(void *state, struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err)
{
    struct hwmon *h = state;
    return atoll__power_poll_start(&h->poll, m, t_ns, err);
}

static int hwmon_advance(void *state, struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err)
{
    struct hwmon *h = state;
    (void)t_ns;
    return atoll__power_poll_advance(&h->poll, m, err);
}

static int hwmon_stop(void *state, struct atoll_meter *m, uint64_t t_ns, uint32_t scans,
                      struct atoll_err *err)
{
    struct hwmon *h = state;
    return atoll__power_poll_stop(&h->poll, m, t_ns, scans, err);
}

static bool hwmon_present(char *detail, size_t n)
{
    struct hwmon *h = atoll_calloc(1, sizeof *h);
    if (h == NULL) {
        return false;
    }
    look(h, "/sys/class/hwmon");
    (void)snprintf(detail, n,
                   h->found > 0 ? "%u rails in /sys/class/hwmon: %s%s"
                                : "no power sensor in /sys/class/hwmon",
                   h->found, h->names[0], h->found > 1 ? ", ..." : "");
    const bool there = h->found > 0;
    atoll_free(h);
    return there;
}

const struct atoll_meter_driver atoll__power_hwmon = {
    .name = "hwmon",
    .help = "[DIRECTORY][,gain=FRAC][,zero=W]: power sensors that the kernel knows",
    .open = hwmon_open,
    .close = hwmon_close,
    .start = hwmon_start,
    .advance = hwmon_advance,
    .stop = hwmon_stop,
    .present = hwmon_present,
};
