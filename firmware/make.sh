#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiles the firmware: make.sh avr|stm32 SOURCE-TREE OUTPUT-DIRECTORY
# Writes .elf and what the flashing tools take (.hex, .bin), and says how large they are.
set -eu
what=$1 root=$2 out=$3
mkdir -p "$out"
common="-O2 -g -Wall -Wextra -Wshadow -Wstrict-prototypes -Werror -ffreestanding
    -ffunction-sections -fdata-sections -Wl,--gc-sections -I$root/wire -I$root/firmware/app"
wire="$root/wire/wire_crc.c $root/wire/wire_fields.c $root/wire/wire_frame.c $root/wire/wire_pack.c"
app="$root/firmware/app/fw_meter.c $root/firmware/app/fw_scan.c $root/firmware/app/fw_store.c"

# gcc 5, which Debian packages for this chip, does not know C17 by name; nothing here needs it.
# and of the frame's fields go away.
avr() {
    port=$root/firmware/port/atmega328p
    for baud in 500000 1000000; do
        image=$out/atoll-uno-$baud
        # shellcheck disable=SC2086 # lists
        avr-gcc -mmcu=atmega328p -DF_CPU=16000000 -DBAUD=$baud $common -std=gnu11 \
            -mcall-prologues -DATOLL_WIRE_PORT='"wire_port.h"' -I"$port" $wire $app "$port/uno.c" \
            -o "$image.elf"
        avr-objcopy -O ihex -R .eeprom "$image.elf" "$image.hex"
    done
    avr-size "$out"/atoll-uno-*.elf
}

"$what"
