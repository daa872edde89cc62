/* SPDX-License-Identifier: Apache-2.0 */
/* A table of power of any bytes as a csv meter. */
#include "power_play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct atoll_meter_opts o = {.keep_scans = true};
    return play_file("csv", &o, data, size);
}
