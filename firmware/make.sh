#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiles the firmware: make.sh avr|stm32|qemu SOURCE-TREE OUTPUT-DIRECTORY
# Writes .elf and what the flashing tools take (.hex, .bin), and says how large they are.
set -eu
what=$1 root=$2 out=$3
mkdir -p "$out"
common="-O2 -g -Wall -Wextra -Wshadow -Wstrict-prototypes -Werror -ffreestanding
    -ffunction-sections -fdata-sections -Wl,--gc-sections -I$root/wire -I$root/firmware/app"
wire="$root/wire/wire_crc.c $root/wire/wire_fields.c $root/wire/wire_frame.c $root/wire/wire_pack.c"
app="$root/firmware/app/fw_meter.c $root/firmware/app/fw_scan.c $root/firmware/app/fw_store.c"

# gcc 5, which Debian packages for this chip, does not know C17 by name; nothing here needs it.
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

# stm32_image NAME OPTION... SOURCE...: in $port
stm32_image() {
    image=$out/$1
    shift
    # shellcheck disable=SC2086 # lists
    arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -nostdlib $common -std=c17 -DFW_TICK=uint32_t \
        -DFW_BLOCK_SAMPLES=119 -I"$port" -T "$port/stm32f411.ld" $wire $app \
        "$root/firmware/app/fw_flashlog.c" "$port/stm32_start.c" "$port/stm32_sampler.c" \
        "$port/stm32_line.c" "$@" -lgcc -o "$image.elf"
}

stm32() {
    port=$root/firmware/port/stm32f411
    chip="$port/stm32_main.c $port/f411_clock.c $port/f411_converter.c $port/f411_flash.c"
    for baud in 2000000 4000000; do
        # shellcheck disable=SC2086 # lists
        stm32_image atoll-blackpill-$baud -DBAUD=$baud -DHSE_HZ=25000000 -DHSE_BYPASS=0 \
            '-DBOARD_NAME="atoll blackpill"' $chip
    done
    # shellcheck disable=SC2086 # lists
    stm32_image atoll-nucleo-2000000 -DBAUD=2000000 -DHSE_HZ=8000000 -DHSE_BYPASS=1 \
        '-DBOARD_NAME="atoll nucleo"' $chip
    for elf in "$out"/atoll-blackpill-*.elf "$out"/atoll-nucleo-*.elf; do
        arm-none-eabi-objcopy -O binary "$elf" "${elf%.elf}.bin"
    done
    arm-none-eabi-size "$out"/atoll-blackpill-*.elf "$out"/atoll-nucleo-*.elf
}

# The same program for the machine that QEMU has, and one that counts its instructions.
qemu() {
    port=$root/firmware/port/stm32f411
    stm32_image atoll-qemu '-DBOARD_NAME="atoll qemu"' "$port/stm32_main.c" "$port/f405_qemu.c"
    stm32_image atoll-count '-DBOARD_NAME="atoll count"' "$port/f405_count.c" "$port/f405_qemu.c"
    arm-none-eabi-size "$out"/atoll-qemu.elf "$out"/atoll-count.elf
}

"$what"
