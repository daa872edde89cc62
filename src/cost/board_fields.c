/* SPDX-License-Identifier: Apache-2.0 */
/* The one description of a board profile's quantities: where they stand in the file and in the
 * struct. */
#include "board_internal.h"

#define B(section, member, unit, low, high)                                                        \
    {                                                                                              \
        section, #member, offsetof(struct atoll_board, member), unit, low, high                    \
    }
#define D(member, unit, low, high)                                                                 \
    {                                                                                              \
        NULL, #member, offsetof(struct atoll_drive_cost, member), unit, low, high                  \
    }

static const struct atoll__board_field fields[] = {
    B("clocks", clock_max_hz, "Hz", 1e6, 1e10),
    B("clocks", clock_standard_hz, "Hz", 1e6, 1e10),
    B("link_cost", stream_us, "us", 0, 1e6),
    B("link_cost", stream_us_per_mib, "us/MiB", 0, 1e6),
    B("link_cost", load_us, "us", 0, 1e7),
    B("link_cost", load_us_per_mib, "us/MiB", 0, 1e7),
    B("link_cost", shared_link_mib_per_s, "MiB/s", 0, 1e6),
    B("heat", ambient_c, "degC", -40, 125),
    B("heat", thermal_c_per_w, "degC/W", 0, 1000),
    B("heat", thermal_tau_s, "s", 0, 1e5),
    B("power", idle_mw, "mW", 0, 1e6),
    B("power", compute_mw, "mW", 0, 1e6),
    B("power", stream_mw, "mW", 0, 1e6),
    B("power", transfer_mw, "mW", 0, 1e6),
    B("power", mj_per_gmac, "mJ/GMAC", 0, 1e3),
    B("power", leak_mw_per_c, "mW/degC", 0, 1e3),
    B("power", board_mw, "mW", 0, 1e6),
    B("spread", jitter_run_frac, "1", 0, 1),
    B("spread", jitter_inference_frac, "1", 0, 1),
    B("spread", spike_frac, "1", 0, 1),
    B("spread", spike_us, "us", 0, 1e7),
};
static const struct atoll__board_field drive_fields[] = {
    D(call_us, "us", 0, 1e7),
    D(input_us_per_mib, "us/MiB", 0, 1e7),
    D(output_us_per_mib, "us/MiB", 0, 1e7),
    D(output_us_per_kpx, "us/kpx", 0, 1e6),
    D(serial_us, "us", 0, 1e7),
    D(copy_us, "us", 0, 1e7),
    D(copy_interval_us, "us", 0, 1e7),
    D(compute_scale, "1", 0.01, 100),
};

const struct atoll__board_field *atoll__board_fields(size_t *n)
{
    *n = sizeof fields / sizeof fields[0];
    return fields;
}

const struct atoll__board_field *atoll__board_drive_fields(size_t *n)
{
    *n = sizeof drive_fields / sizeof drive_fields[0];
    return drive_fields;
}

const char *const atoll__board_sections[] = {"clocks", "link_cost", "heat",
                                             "power",  "spread",    NULL};
const char *const atoll__board_links[] = {"pcie", "usb3", "usb2", "onboard", NULL};
const char *const atoll__board_clocks[] = {"default", "standard", "max", NULL};
const char *const atoll__board_runners[] = {"default", "python", "c", NULL};
const char *const atoll__board_drives[] = {"called", "threaded", NULL};
