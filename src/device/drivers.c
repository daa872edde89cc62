/* SPDX-License-Identifier: Apache-2.0 */
/* The list of device drivers compiled in. A new driver adds its line here. */
#include "device_internal.h"

static const struct atoll_driver *const drivers[] = {
    &atoll__device_sim,
    &atoll__device_cpu,
    &atoll__device_edgetpu,
    NULL,
};

const struct atoll_driver *const *atoll_drivers(void)
{
    return drivers;
}
