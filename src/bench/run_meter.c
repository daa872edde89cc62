/* SPDX-License-Identifier: Apache-2.0 */
/* The meter of a run: which one fits, its start and stop, a marker at each change of phase. */
#include "run_internal.h"

#include <string.h>

#define ATTEND_NS UINT64_C(250000000)

static int fits(const struct atoll_device_info *d, const char *meter, enum atoll_meter_time t,
                struct atoll_err *err)
{
    if (d->virtual_time && t == ATOLL_METER_LIVE) {
        return atoll_fail(
            err, ATOLL_EUSAGE,
            "meter %s measures in real time, but device %s lives in a time of its own "
            "(its meter is synth)",
            meter, d->driver);
    }
    if (!d->virtual_time && t == ATOLL_METER_FED && strcmp(meter, "none") != 0) {
        return atoll_fail(err, ATOLL_EUSAGE,
                          "meter %s hears simulated boards only, but device %s is real (its meter "
                          "is real too, or none)",
                          meter, d->driver);
    }
    return 0;
}

int atoll_run_meter_fits(const struct atoll_device *d, const char *meter, struct atoll_err *err)
{
    struct atoll_device_info info;
    enum atoll_meter_time t = ATOLL_METER_FED;
    const int rc = atoll_meter_time_of(meter, &t, err);
    atoll_device_info(d, &info);
    return rc ? rc : fits(&info, meter, t, err);
}

int atoll_run_meter_open(const struct atoll_device *d, const struct atoll_board *b,
                         const char *meter, const struct atoll_meter_opts *o,
                         struct atoll_meter **m, struct atoll_err *err)
{
    struct atoll_meter_rail rails[ATOLL_METER_RAILS_MAX];
    struct atoll_meter_opts with = *o;
    enum atoll_meter_time t = ATOLL_METER_FED;
    int rc = atoll_run_meter_fits(d, meter, err);
    rc = rc ? rc : atoll_meter_time_of(meter, &t, err);
    if (rc) {
        return rc;
    }
    for (uint32_t i = 0; t == ATOLL_METER_FED && i < b->n_rails && i < ATOLL_METER_RAILS_MAX; i++) {
        rails[i] = (struct atoll_meter_rail){b->rails[i].name, b->rails[i].volt};
        with.rails = rails;
        with.n_rails = i + 1;
    }
    return atoll_meter_open(meter, &with, m, err);
}

int atoll__run_meter_connect(struct atoll__runner *r)
{
    struct atoll_device *const d = r->q->device;
    struct atoll_meter_info info;
    if (!r->q->meter) {
        return 0;
    }
    atoll_meter_info(r->q->meter, &info);
    enum atoll_meter_time t;
    if (atoll_meter_time_of(info.kind, &t, NULL) != 0) { /* a driver from outside the list */
        t = info.fed ? ATOLL_METER_FED : ATOLL_METER_LIVE;
    }
    r->live = t == ATOLL_METER_LIVE;
    int rc = fits(&r->info, info.kind, t, r->err);
    rc = rc ? rc : atoll_meter_start(r->q->meter, atoll_device_now_ns(d), r->err);
    if (rc) {
        return rc;
    }
    r->metered = true;
    r->advanced_ns = atoll_device_now_ns(d);
    r->out->n_rails = info.n_rails;
    if (info.fed) {
        rc = atoll_device_rail_sink(d, atoll_meter_feed, r->q->meter, r->err);
    }
    r->watching = info.keeps_scans && !rc;
    if (r->watching) {
        r->states_by_done = atoll_device_state_sink(d, atoll__state_note, &r->states, NULL) != 0;
    }
    return rc;
}

int atoll__run_meter_disconnect(struct atoll__runner *r, int rc)
{
    struct atoll_device *const d = r->q->device;
    struct atoll_meter_info info;
    if (!r->metered) {
        return rc;
    }
    atoll_meter_info(r->q->meter, &info);
    if (info.fed) {
        (void)atoll_device_rail_sink(d, NULL, NULL, NULL);
    }
    if (r->watching && !r->states_by_done) {
        (void)atoll_device_state_sink(d, NULL, NULL, NULL);
    }
    const int stop = atoll_meter_stop(r->q->meter, atoll_device_now_ns(d), rc ? NULL : r->err);
    return rc ? rc : stop;
}

int atoll__run_phase(struct atoll__runner *r, const char *name)
{
    struct atoll_run_result *o = r->out;
    if (!r->metered) {
        return 0;
    }
    const uint64_t now = atoll_device_now_ns(r->q->device);
    const int32_t marker = atoll_meter_mark(r->q->meter, now, name ? name : "end", r->err);
    if (marker < 0) {
        return (int)marker;
    }
    if (name && o->n_phases == ATOLL_PHASES_MAX) {
        return atoll_fail(r->err, ATOLL_EINTERNAL, "a run of more than %d phases",
                          ATOLL_PHASES_MAX);
    }
    if (o->n_phases > 0) {
        o->phases[o->n_phases - 1].to_ns = now;
    }
    r->phase_mark[o->n_phases] = marker;
    if (name) {
        o->phases[o->n_phases++] =
            (struct atoll_phase_result){.name = name, .from_ns = now, .to_ns = now};
    }
    return 0;
}

int atoll__run_meter_attend(struct atoll__runner *r)
{
    if (!r->live || !r->metered) {
        return 0;
    }
    const uint64_t now = atoll_device_now_ns(r->q->device);
    if (now - r->advanced_ns < ATTEND_NS) {
        return 0;
    }
    r->advanced_ns = now;
    return atoll_meter_advance(r->q->meter, now, r->err);
}
