/* SPDX-License-Identifier: Apache-2.0 */
/* Private to room `device`, its tests and its benchmark. */
#ifndef ATOLL_DEVICE_INTERNAL_H
#define ATOLL_DEVICE_INTERNAL_H

#include <atoll/impl/device.h>

extern const struct atoll_driver atoll__device_sim, atoll__device_cpu, atoll__device_edgetpu;

/** Loads a program made by hand instead of one from the cost room: what tests with hand-computed
 *  figures and the benchmark need. The program is copied. */
int atoll__device_sim_load_program(struct atoll_device *d, uint32_t tpu,
                                   const struct atoll_program *p, uint32_t cache_group,
                                   uint32_t *slot, struct atoll_err *err);
/** Events the engine has processed since it was opened. */
uint64_t atoll__device_sim_events(const struct atoll_device *d);

#endif
