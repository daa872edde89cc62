/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions: checks that hold for every driver, then the driver's own. */
#include "device_internal.h"

#include <string.h>

const char *atoll_driver_name(const struct atoll_driver *d)
{
    return d->name;
}

int atoll_device_list(const struct atoll_driver *d, struct atoll_device_listing *out,
                      struct atoll_err *err)
{
    return d->list(out, err);
}

int atoll_device_open(const char *driver, const struct atoll_device_opts *o,
                      struct atoll_device **d, struct atoll_err *err)
{
    struct atoll_buf known = {0};
    for (const struct atoll_driver *const *i = atoll_drivers(); *i != NULL; i++) {
        if (strcmp((*i)->name, driver) == 0) {
            atoll_buf_finish(&known);
            return (*i)->open(o, d, err);
        }
        atoll_buf_printf(&known, "%s%s", known.size > 0 ? ", " : "", (*i)->name);
    }
    const int rc = atoll_fail(err, ATOLL_EUSAGE, "unknown device '%s' (known: %s)", driver,
                              known.data != NULL ? known.data : "none");
    atoll_buf_finish(&known);
    return rc;
}

void atoll_device_close(struct atoll_device **d)
{
    if (d != NULL && *d != NULL) {
        (*d)->driver->close(*d);
        *d = NULL;
    }
}

void atoll_device_info(const struct atoll_device *d, struct atoll_device_info *out)
{
    d->driver->info(d, out);
}

int atoll_device_load(struct atoll_device *d, uint32_t tpu, const struct atoll_device_segment *s,
                      uint32_t cache_group, uint32_t *slot, struct atoll_err *err)
{
    return d->driver->load(d, tpu, s, cache_group, slot, err);
}

int atoll_device_begin(struct atoll_device *d, enum atoll_drive drive, uint32_t pipelines,
                       struct atoll_err *err)
{
    return d->driver->begin(d, drive, pipelines, err);
}

int atoll_device_submit(struct atoll_device *d, uint32_t slot, uint64_t tag,
                        const struct atoll_device_io *io, struct atoll_err *err)
{
    return d->driver->submit(d, slot, tag, io, err);
}

int atoll_device_timer(struct atoll_device *d, uint64_t at_ns, uint64_t tag, struct atoll_err *err)
{
    return d->driver->timer(d, at_ns, tag, err);
}

int atoll_device_next(struct atoll_device *d, struct atoll_device_event *ev, struct atoll_err *err)
{
    return d->driver->next(d, ev, err);
}

uint64_t atoll_device_now_ns(const struct atoll_device *d)
{
    return d->driver->now_ns(d);
}

int atoll_device_idle_until(struct atoll_device *d, uint64_t at_ns, struct atoll_err *err)
{
    return d->driver->idle_until(d, at_ns, err);
}

int atoll_device_tpu(struct atoll_device *d, uint32_t tpu, struct atoll_tpu_state *out,
                     struct atoll_err *err)
{
    return d->driver->tpu(d, tpu, out, err);
}

int atoll_device_rail_sink(struct atoll_device *d, atoll_rail_fn fn, void *user,
                           struct atoll_err *err)
{
    if (d->driver->rail_sink == NULL) {
        return atoll_fail(err, ATOLL_EUNSUPPORTED,
                          "device %s runs in real time: its power needs a real meter",
                          d->driver->name);
    }
    return d->driver->rail_sink(d, fn, user, err);
}

int atoll_device_engine_mj(struct atoll_device *d, double *mj, struct atoll_err *err)
{
    if (d->driver->engine_mj == NULL) {
        return atoll_fail(err, ATOLL_EUNSUPPORTED, "device %s does not count its own energy",
                          d->driver->name);
    }
    return d->driver->engine_mj(d, mj, err);
}

const char *atoll_power_state_name(enum atoll_power_state s)
{
    static const char *const names[ATOLL_STATES] = {"idle", "transfer", "load", "stream",
                                                    "compute"};
    return (unsigned)s < ATOLL_STATES ? names[s] : "?";
}

int atoll_device_state_sink(struct atoll_device *d, atoll_state_fn fn, void *user,
                            struct atoll_err *err)
{
    if (d->driver->state_sink == NULL) {
        return atoll_fail(err, ATOLL_EUNSUPPORTED, "device %s does not see the states of its TPUs",
                          d->driver->name);
    }
    return d->driver->state_sink(d, fn, user, err);
}

int atoll_device_engine_states(struct atoll_device *d, struct atoll_engine_state out[ATOLL_STATES],
                               struct atoll_err *err)
{
    if (d->driver->engine_states == NULL) {
        return atoll_fail(err, ATOLL_EUNSUPPORTED, "device %s does not count its own energy",
                          d->driver->name);
    }
    return d->driver->engine_states(d, out, err);
}
