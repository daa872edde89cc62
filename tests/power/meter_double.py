# SPDX-License-Identifier: Apache-2.0
"""A power meter behind a pseudo-terminal, written from docs/wire-format.md alone: the device that the
tests of `atoll power` talk to. Faults on command.

usage: meter_double.py [other]     prints the port, then obeys lines on stdin:
  ma CHANNEL MA | volt CHANNEL V | noise CODES | creep CODES_PER_S | ppm N | loss P | flip P
  first SCAN (the count begins there) | restart | edge | fault BITS | close
`other` is a device that talks but is no meter.
"""
import math
import os
import random
import select
import struct
import sys
import termios
import time
import tty
import zlib

HELLO, CONFIG, CHANNEL, DATA, EVENT, SYNC, STAT, ERROR, ASK, SET, RUN, MARK, PING, STORE = range(1, 15)
TICK_HZ, ADC_BITS, BLOCK_S = 16000000, 10, 0.02
# as an ACS712-05B truly is: zero and gain off the data sheet's (512 codes, 26.39 mA a code)
TRUE_ZERO, TRUE_MA = 515.37, 26.8
TRUE_MV = 14.9  # of a divider


def cobs(raw):
    out, block = bytearray(), bytearray()
    for byte in raw:
        if byte == 0:
            out += bytes([len(block) + 1]) + block
            block = bytearray()
        else:
            block.append(byte)
    return bytes(out + bytes([len(block) + 1]) + block + b'\0')


def uncobs(line):
    out, at = bytearray(), 0
    while at < len(line):
        code = line[at]
        out += line[at + 1:at + code]
        at += code
        if at < len(line):
            out.append(0)
    return bytes(out)


class Meter:
    def __init__(self, fd):
        self.fd, self.seq, self.boots, self.fault = fd, 0, 1, 0
        self.noise, self.creep, self.ppm, self.loss, self.flip, self.first = 2.0, 0.0, 0.0, 0.0, 0.0, 0
        self.ma, self.volt, self.random = [0.0] * 6, [0.0] * 6, random.Random(1)
        self.stored = {}
        self.buffer, self.running, self.config_id = b'', False, 0
        self.mask, self.bits, self.conversions, self.period = 1, 10, 1, TICK_HZ // 1000
        self.edges = 0

    # ------------------------------------------------------------------ frames
    def send(self, kind, body):
        raw = bytes([0x10 | kind, self.seq & 255]) + body
        self.seq += 1
        line = bytearray(cobs(raw + struct.pack('<I', zlib.crc32(raw))))
        if self.loss:
            line = bytearray(b for b in line if self.random.random() >= self.loss)
        if self.flip:
            for i in range(len(line)):
                if self.random.random() < self.flip:
                    line[i] ^= 1 << self.random.randrange(8)
        try:
            os.write(self.fd, line)
        except (BlockingIOError, OSError):
            pass

    def channel(self, i):
        if i in self.stored:
            return self.stored[i]
        return struct.pack('<BBBHiIHHHb12s', i, 1, i, 12000, 512 * 256, 26393000, 15000, 2048, 0, 0,
                           f'rail{i}'.encode())

    def send_config(self):
        self.send(CONFIG, struct.pack('<BHBBBIII', self.config_id, self.mask, self.bits, self.conversions,
                                      ADC_BITS, TICK_HZ, self.period, 5000000))

    # ------------------------------------------------------------------- scans
    def rate(self):
        return TICK_HZ / self.period * (1 + self.ppm / 1e6)

    def place(self):
        """Scan and fraction now."""
        if not self.running:
            return 0, 0
        at = (time.monotonic() - self.start) * self.rate()
        return (self.first + int(at)) & 0xffffffff, int(at % 1 * 65536)

    def sample(self, channel, scan):
        if self.volt[channel] > 0:
            code = self.volt[channel] * 1000 / TRUE_MV
        else:
            code = TRUE_ZERO + self.ma[channel] / TRUE_MA + self.creep * scan / self.rate()
        k = self.conversions
        full = k * ((1 << ADC_BITS) - 1)
        total = k * code + self.random.gauss(0, self.noise / 3 * math.sqrt(k))
        return max(0, min(full, round(total)))

    def send_scans(self):
        block = max(1, int(self.rate() * BLOCK_S))
        channels = [i for i in range(6) if self.mask >> i & 1]
        block = min(block, 64 // len(channels))
        now = (time.monotonic() - self.start) * self.rate()
        while self.done + block <= now:
            packed, n = 0, 0
            for scan in range(self.done, self.done + block):
                for c in channels:
                    packed |= self.sample(c, scan) << n
                    n += self.bits
            payload = packed.to_bytes((n + 7) // 8, 'little')
            self.send(DATA, struct.pack('<BIHHB', self.config_id, (self.first + self.done) & 0xffffffff, 0, 0,
                                        block) + payload)
            self.done += block
            if self.done // block % 50 == 0:
                self.send_config()

    # ---------------------------------------------------------------- commands
    def run(self, on):
        self.running, self.done, self.start = on, 0, time.monotonic()
        if on:
            self.send_config()

    def ask(self, what):
        if what == HELLO:
            self.send(HELLO, struct.pack('<BBBBBHQ16s', 2, 1, 0, 0, 6, self.boots, 0x1234, b'test double'))
        elif what == CONFIG:
            self.send_config()
        elif what == CHANNEL:
            for i in range(6):
                self.send(CHANNEL, self.channel(i))
        elif what == STAT:
            self.send(STAT, struct.pack('<IIIHHhH', 0, 0, 0, 0, 0, 2150, 4987))
        elif what == ERROR:
            self.send(ERROR, struct.pack('<BH', 5 if self.fault else 0, self.fault) +
                      (b'self-test failed' if self.fault else b'ok'))

    def obey(self, kind, body):
        if kind == ASK:
            self.ask(body[0])
        elif kind == SET:
            self.mask, self.bits, self.conversions, self.period = struct.unpack('<HBBI', body)
            self.config_id = (self.config_id + 1) & 255
            self.send_config()
        elif kind == RUN:
            self.run(body[0] == 1)
        elif kind == PING:
            scan, fraction = self.place()
            self.send(SYNC, body + struct.pack('<IH', scan, fraction))
        elif kind == MARK:
            scan, fraction = self.place()
            self.send(EVENT, b'\0' + body + struct.pack('<IH', scan, fraction))
        elif kind == STORE:
            self.stored[body[0]] = body
            self.send(CHANNEL, body)

    def receive(self):
        try:
            self.buffer += os.read(self.fd, 4096)
        except OSError:
            return
        *lines, self.buffer = self.buffer.split(b'\0')
        for line in lines:
            raw = uncobs(line)
            if len(raw) >= 6 and zlib.crc32(raw[:-4]) == struct.unpack('<I', raw[-4:])[0]:
                self.obey(raw[0] & 15, raw[2:-4])

    def restart(self):
        self.boots += 1
        self.running, self.seq = False, 0
        time.sleep(0.1)
        self.ask(HELLO)

    def edge(self):
        scan, fraction = self.place()
        self.send(EVENT, struct.pack('<BHIH', 1, self.edges, scan, fraction))
        self.edges += 1
        print(f'{time.clock_gettime_ns(time.CLOCK_MONOTONIC)}', flush=True)

    def command(self, line):
        word, *args = line.split()
        if word in ('ma', 'volt'):
            getattr(self, word)[int(args[0])] = float(args[1])
        elif word in ('noise', 'creep', 'ppm', 'loss', 'flip'):
            setattr(self, word, float(args[0]))
        elif word in ('first', 'fault'):
            setattr(self, word, int(args[0]))
        elif word == 'restart':
            self.restart()
        elif word == 'edge':
            self.edge()
        elif word == 'close':
            return False
        if word != 'edge':
            print('ok', flush=True)
        return True


def main():
    fd, held = os.openpty()
    tty.setraw(held, termios.TCSANOW)
    os.set_blocking(fd, False)
    print(os.ttyname(held), flush=True)
    meter, other = Meter(fd), 'other' in sys.argv[1:]
    while True:
        ready, _, _ = select.select([fd, sys.stdin], [], [], 0.004)
        if sys.stdin in ready:
            line = sys.stdin.readline()
            if not line or not meter.command(line):
                break
        if other:
            if fd in ready:
                os.read(fd, 4096)
            os.write(fd, b'$GPGGA,123519,4807.038,N\r\n')
            continue
        if fd in ready:
            meter.receive()
        if meter.running:
            meter.send_scans()
    os.close(held)
    os.close(fd)


main()
