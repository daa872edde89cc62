/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of room `base` share with each other and with nobody else. */
#ifndef ATOLL_BASE_INTERNAL_H
#define ATOLL_BASE_INTERNAL_H

#include <atoll/base.h>

/* Regularised incomplete beta function I_x(a, b), a and b > 0, x in [0, 1]. */
double atoll__base_beta_inc(double a, double b, double x);

#endif
