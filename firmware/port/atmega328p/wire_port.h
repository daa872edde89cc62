/* SPDX-License-Identifier: Apache-2.0 */
/* How wire_crc.c keeps its table in the program memory of an AVR. */
#ifndef WIRE_PORT_H
#define WIRE_PORT_H

#include <avr/pgmspace.h>

#define ATOLL_WIRE_FLASH PROGMEM
#define ATOLL_WIRE_FLASH_U32(p) pgm_read_dword(p)

#endif
