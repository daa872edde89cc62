/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file impl/device.h
 * For those who write a device driver: one const struct of functions, listed in
 * src/device/drivers.c. A driver's state begins with `struct atoll_device`. Entries marked
 * optional may be NULL; the public functions then answer ATOLL_EUNSUPPORTED.
 */
#ifndef ATOLL_IMPL_DEVICE_H
#define ATOLL_IMPL_DEVICE_H

#include <atoll/device.h>

#ifdef __cplusplus
extern "C" {
#endif

struct atoll_driver {
    const char *name;
    int (*list)(struct atoll_device_listing *out, struct atoll_err *err);
    int (*open)(const struct atoll_device_opts *o, struct atoll_device **d, struct atoll_err *err);
    void (*close)(struct atoll_device *d); ///< frees d; accepts half-built ones
    void (*info)(const struct atoll_device *d, struct atoll_device_info *out);
    int (*load)(struct atoll_device *d, uint32_t tpu, const struct atoll_device_segment *s,
                uint32_t cache_group, uint32_t *slot, struct atoll_err *err);
    int (*begin)(struct atoll_device *d, enum atoll_drive drive, uint32_t pipelines,
                 struct atoll_err *err);
    int (*submit)(struct atoll_device *d, uint32_t slot, uint64_t tag,
                  const struct atoll_device_io *io, struct atoll_err *err);
    int (*timer)(struct atoll_device *d, uint64_t at_ns, uint64_t tag, struct atoll_err *err);
    int (*next)(struct atoll_device *d, struct atoll_device_event *ev, struct atoll_err *err);
    uint64_t (*now_ns)(const struct atoll_device *d);
    int (*idle_until)(struct atoll_device *d, uint64_t at_ns, struct atoll_err *err);
    int (*tpu)(struct atoll_device *d, uint32_t tpu, struct atoll_tpu_state *out,
               struct atoll_err *err);
    int (*rail_sink)(struct atoll_device *d, atoll_rail_fn fn, void *user,
                     struct atoll_err *err);                                     ///< optional
    int (*engine_mj)(struct atoll_device *d, double *mj, struct atoll_err *err); ///< optional
    int (*state_sink)(struct atoll_device *d, atoll_state_fn fn, void *user,
                      struct atoll_err *err); ///< optional
    int (*engine_states)(struct atoll_device *d, struct atoll_engine_state *out,
                         struct atoll_err *err); ///< optional
};

struct atoll_device {
    const struct atoll_driver *driver;
};

#ifdef __cplusplus
}
#endif
#endif
