/* SPDX-License-Identifier: Apache-2.0 */
/* A power recording of any bytes as a replay meter, with rails named and without. */
#include "power_play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct atoll_meter_rail rails[2] = {{"12v", 12}, {"3v3", 3.3}};
    const struct atoll_meter_opts two = {.rails = rails, .n_rails = 2};
    const struct atoll_meter_opts own = {.keep_scans = true};
    return play_file("replay", &two, data, size) | play_file("replay", &own, data, size);
}
