/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The RAPL meter: energy counters of the host's processor (powercap in sysfs). A rail is a package,
 * or the memory of one, which a package's counter does not hold; the parts of a package (core,
 * uncore) and the whole machine (psys) would count twice. Counters wrap at max_energy_range_uj.
 */
#include "frames.h"

#include <math.h>
#include <string.h>

enum { PATH_BYTES = 300, ZONE_BYTES = 260, PACKAGES_MAX = 8, PARTS_MAX = 5 };
static const double gain_default = 0.03;
static const double latency_ns = 5e5, u_latency_ns = 3e5; /* counters move about once a ms */

struct zone {
    char energy[PATH_BYTES];
    double range_uj, last_uj, sum_uj;
    bool begun;
};

struct rapl {
    struct power_poll poll;
    struct zone zones[ATOLL_METER_RAILS_MAX];
    char names[ATOLL_METER_RAILS_MAX][16];
    uint32_t n;
};

/* "intel-rapl:0" is a package (or psys), "intel-rapl:0:2" a part of it. */
static void consider(struct rapl *r, const char *root, int package, int part)
{
    char directory[ZONE_BYTES];
    char path[PATH_BYTES];
    char name[16];
    if (part < 0) {
        (void)snprintf(directory, sizeof directory, "%.180s/intel-rapl:%d", root, package);
    } else {
        (void)snprintf(directory, sizeof directory, "%.180s/intel-rapl:%d:%d", root, package, part);
    }
    (void)snprintf(path, sizeof path, "%s/name", directory);
    if (!atoll__power_read_line(path, name, sizeof name) ||
        !(part >= 0 ? strcmp(name, "dram") == 0 : strncmp(name, "package", 7) == 0) ||
        r->n == ATOLL_METER_RAILS_MAX) {
        return;
    }
    struct zone *z = &r->zones[r->n];
    (void)snprintf(z->energy, sizeof z->energy, "%s/energy_uj", directory);
    (void)snprintf(path, sizeof path, "%s/max_energy_range_uj", directory);
    if (atoll__power_read_number(path, &z->range_uj, NULL) != 0) {
        z->range_uj = 0;
    }
    if (part >= 0) {
        (void)snprintf(r->names[r->n], sizeof r->names[0], "dram-%u", (unsigned)package % 10);
    } else {
        (void)snprintf(r->names[r->n], sizeof r->names[0], "%s", name);
    }
    r->n++;
}

static int look(struct rapl *r, const char *root, struct atoll_err *err)
{
    for (int package = 0; package < PACKAGES_MAX; package++) {
        for (int part = -1; part < PARTS_MAX; part++) {
            consider(r, root, package, part);
        }
    }
    if (r->n == 0) {
        return atoll_fail(err, ATOLL_EDEVICE,
                          "meter rapl: %s: no package is there (expected intel-rapl:0; kernel "
                          "module intel_rapl_msr)",
                          root);
    }
    return 0;
}

static int read_values(void *source, double *values, struct atoll_err *err)
{
    struct rapl *r = source;
    for (uint32_t i = 0; i < r->n; i++) {
        struct zone *z = &r->zones[i];
        double uj = 0;
        const int rc = atoll__power_read_number(z->energy, &uj, err);
        if (rc != 0) {
            return rc;
        }
        const double step = uj - z->last_uj;
        if (z->begun && step < 0 && !(z->range_uj > z->last_uj)) {
            return atoll_fail(err, ATOLL_EDEVICE,
                              "%s: went from %.0f back to %.0f, and where it wraps is not known "
                              "(max_energy_range_uj %.0f)",
                              z->energy, z->last_uj, uj, z->range_uj);
        }
        z->sum_uj += !z->begun ? 0 : step >= 0 ? step : step + z->range_uj;
        z->last_uj = uj;
        z->begun = true;
        values[i] = z->sum_uj / 1e3;
    }
    return 0;
}

static void rapl_close(void *state)
{
    struct rapl *r = state;
    atoll__power_poll_finish(&r->poll);
    atoll_free(r);
}

static int rapl_open(const char *arg, const struct atoll_meter_opts *o,
                     struct atoll_meter_setup *setup, void **state, struct atoll_err *err)
{
    char root[200];
    double gain_frac = gain_default;
    const struct power_option options[] = {{"gain", 0, 1, &gain_frac}};
    int rc = atoll__power_options("rapl", arg, root, sizeof root, options, 1, err);
    if (rc != 0) {
        return rc;
    }
    if (root[0] == '\0') {
        (void)snprintf(root, sizeof root, "/sys/class/powercap");
    }
    struct rapl *r = atoll_calloc(1, sizeof *r);
    if (r == NULL) {
        return atoll_fail_nomem(err, "rapl meter", sizeof *r);
    }
    const double rate_hz = o->rate_hz > 0 ? o->rate_hz : 100;
    double values[ATOLL_METER_RAILS_MAX];
    rc = look(r, root, err);
    atoll__power_poll_init(&r->poll, r->n, true, rate_hz);
    r->poll.read = read_values;
    r->poll.source = r;
    r->poll.latency_ns = latency_ns;
    r->poll.u_latency_ns = u_latency_ns;
    rc = rc == 0 ? read_values(r, values, err) : rc;
    if (rc == 0 && o->n_rails > 0 && o->n_rails != r->n) {
        rc = atoll_fail(err, ATOLL_EDEVICE, "meter rapl: %s: has %u rails (expected %u)", root,
                        r->n, o->n_rails);
    }
    if (rc != 0) {
        rapl_close(r);
        return rc;
    }
    atoll__power_cells_setup(setup, r->n, rate_hz, gain_frac, 0);
    memcpy(setup->names, r->names, sizeof r->names);
    (void)snprintf(setup->description, sizeof setup->description,
                   "RAPL counters in %.80s, assumed standard uncertainty %.3g %%", root,
                   gain_frac * 100);
    *state = r;
    return 0;
}

static int rapl_start(void *state, struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err)
{
    struct rapl *r = state;
    return atoll__power_poll_start(&r->poll, m, t_ns, err);
}

static int rapl_advance(void *state, struct atoll_meter *m, uint64_t t_ns, struct atoll_err *err)
{
    struct rapl *r = state;
    (void)t_ns;
    return atoll__power_poll_advance(&r->poll, m, err);
}

static int rapl_stop(void *state, struct atoll_meter *m, uint64_t t_ns, uint32_t scans,
                     struct atoll_err *err)
{
    struct rapl *r = state;
    return atoll__power_poll_stop(&r->poll, m, t_ns, scans, err);
}

static bool rapl_present(char *detail, size_t n)
{
    struct rapl *r = atoll_calloc(1, sizeof *r);
    struct atoll_err why = {0};
    double values[ATOLL_METER_RAILS_MAX];
    if (r == NULL) {
        return false;
    }
    const bool there =
        look(r, "/sys/class/powercap", &why) == 0 && read_values(r, values, &why) == 0;
    if (there) {
        (void)snprintf(detail, n, "%u rails: %s%s", r->n, r->names[0], r->n > 1 ? ", ..." : "");
    } else {
        (void)snprintf(detail, n, "%s", why.text);
    }
    atoll_free(r);
    return there;
}

const struct atoll_meter_driver atoll__power_rapl = {
    .name = "rapl",
    .help = "[DIRECTORY][,gain=FRAC]: energy counters of this machine's processors",
    .open = rapl_open,
    .close = rapl_close,
    .start = rapl_start,
    .advance = rapl_advance,
    .stop = rapl_stop,
    .present = rapl_present,
};
