/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of room `base` share with each other and with nobody else. */
#ifndef ATOLL_BASE_INTERNAL_H
#define ATOLL_BASE_INTERNAL_H

#include <atoll/base.h>

/* Regularised incomplete beta function I_x(a, b), a and b > 0, x in [0, 1]. */
double atoll__base_beta_inc(double a, double b, double x);

/* Reads all of `text` as a decimal number ("-1.5e3"; no hex, inf, nan, blanks), in any locale.
 * False when it is not one or is too large for a double. */
bool atoll__base_parse_double(const char *text, double *out);

/* Prints a finite number so that it reads back to the same double, in any locale. */
void atoll__base_print_double(char out[40], double v);

#endif
