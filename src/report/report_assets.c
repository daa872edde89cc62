/* SPDX-License-Identifier: Apache-2.0 */
/* Page, styles, scripts and Chart.js as bytes; embed.sh makes report_assets_data.h at build time.
 */
#include "report_internal.h"

#include "report_assets_data.h"

const struct atoll__asset atoll__report_assets[] = {REPORT_ASSETS};
const size_t atoll__report_n_assets = sizeof atoll__report_assets / sizeof *atoll__report_assets;
