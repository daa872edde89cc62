# SPDX-License-Identifier: Apache-2.0
"""A PowerSensor3 behind a pseudo-terminal, as its stream is described: 5 A at 12 V on pair 0, 1 A at
3.3 V on pair 2, 20 kHz. Prints the port; `close` or the end of stdin ends it, `lose N` leaves N records
out, `drop` swallows one byte.
"""
import os
import select
import struct
import sys
import termios
import time
import tty

PERIOD_S = 50e-6
SENSORS = [(b'MLX-10A', b'12v_slot', 1.65, 0.12), (b'volt', b'12v_slot', 0.0, 0.2), (b'', b'', 0.0, 0.0),
           (b'', b'', 0.0, 0.0), (b'MLX-10A', b'3v3_slot', 1.65, 0.12), (b'volt', b'3v3_slot', 0.0, 0.5),
           (b'', b'', 0.0, 0.0), (b'', b'', 0.0, 0.0)]
VALUES = [5.0, 12.0, 0, 0, 1.0, 3.3, 0, 0]


def level(sensor, i):
    """With half a level of dither, so that a mean is better than a level."""
    _, _, vref, sensitivity = SENSORS[sensor]
    return int((vref + VALUES[sensor] * sensitivity) / 3.3 * 1023 + (i * 0.618) % 1)


def record(i):
    stamp = i * 50 % 1024
    words = bytearray([0xf0 | stamp >> 6, 0x40 | stamp & 63])
    for sensor in range(8):
        value = level(sensor, i)
        words += bytes([0x80 | sensor << 4 | value >> 6, value & 63])
    return bytes(words)


def main():
    fd, held = os.openpty()
    tty.setraw(held, termios.TCSANOW)
    os.set_blocking(fd, False)
    print(os.ttyname(held), flush=True)
    streaming, sent, config, drop = False, 0, 8, False
    start = 0.0
    while True:
        ready, _, _ = select.select([fd, sys.stdin], [], [], 0.001)
        if sys.stdin in ready:
            word, *args = (sys.stdin.readline() or 'close').split()
            if word == 'close':
                break
            if word == 'lose':
                sent += int(args[0])
            drop = word == 'drop'
        if fd in ready:
            for letter in os.read(fd, 64).decode('latin-1'):
                if config < 8:
                    config += 1
                elif letter == 'R':
                    config = 0
                elif letter in 'ST':
                    streaming, sent, start = letter == 'S', 0, time.monotonic()
                if config < 8:
                    kind, pair, vref, sensitivity = SENSORS[config]
                    os.write(fd, struct.pack('<16s16sff?', kind, pair, vref, sensitivity, bool(kind)))
                elif config == 8 and letter == 's':
                    os.write(fd, b'D')
        due = int((time.monotonic() - start) / PERIOD_S) if streaming else 0
        out = b''.join(record(i) for i in range(sent, due))
        sent = max(sent, due) if streaming else 0
        if drop and out:
            out, drop = out[:9] + out[10:], False
        while out:
            try:
                out = out[os.write(fd, out):]
            except BlockingIOError:
                select.select([], [fd], [], 0.1)
    os.close(held)
    os.close(fd)


main()
