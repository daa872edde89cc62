# SPDX-License-Identifier: Apache-2.0
"""The STM32 firmware in QEMU: atoll power against it, and what a frame costs in instructions.

usage: cli_stm32.py power ATOLL IMAGES | cli_stm32.py count IMAGES
"""
import json
import os
import re
import subprocess
import sys
import tempfile

QEMU = ['qemu-system-arm', '-machine', 'netduinoplus2', '-display', 'none', '-monitor', 'none',
        '-serial', 'null']
CORE_HZ, SCAN_HZ, SCANS, LINE_BYTES_PER_S = 96e6, 20000, 14, 400e3
CYCLES_PER_INSTRUCTION = 2  # assumed, on the safe side: see docs/power-testbed.md


def count(images):
    """Instructions of a frame of 8 channels x 14 scans, exact: one tick of QEMU's clock each."""
    with subprocess.Popen(QEMU + ['-icount', 'shift=0,sleep=off', '-serial', 'stdio', '-kernel',
                                  os.path.join(images, 'atoll-count.elf')],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as qemu:
        text = b''
        while not re.search(rb'copy \d+\n', text):
            got = qemu.stdout.read1(4096)
            assert got, text
            text += got
        qemu.kill()
    n = {key.decode(): int(value) for key, value in re.findall(rb'([a-z]+) (\d+)\n', text)}
    frames_per_s = SCAN_HZ / SCANS
    instructions = n['sums'] + n['frame'] + n['copy']
    load = instructions * frames_per_s * CYCLES_PER_INSTRUCTION / CORE_HZ
    line = n['bytes'] * frames_per_s
    print(f"a frame: {n['bytes']} bytes, {n['sums']} + {n['frame']} + {n['copy']} instructions "
          '(sums, frame, copy); '
          f'8 x 20 kHz: {instructions * frames_per_s / 1e6:.1f} million instructions/s, '
          f'{load:.0%} of the core at {CYCLES_PER_INSTRUCTION} cycles each; '
          f'{line / 1e3:.1f} kB/s, {line / LINE_BYTES_PER_S:.0%} of 4 Mbaud')
    assert n['bytes'] == 242
    assert load < 0.5
    assert line < 0.9 * LINE_BYTES_PER_S


def power(atoll, images):
    def answer(*args):
        done = subprocess.run([atoll, 'power', *args], capture_output=True, text=True, check=False,
                              timeout=60)
        # exit 1: a gap, reported, on a machine too busy for QEMU
        assert done.returncode in (0, 1), (args, done.returncode, done.stderr)
        return json.loads(done.stdout)

    with subprocess.Popen(QEMU + ['-chardev', 'pty,id=line', '-serial', 'chardev:line', '-kernel',
                                  os.path.join(images, 'atoll-qemu.elf')],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as qemu:
        try:
            port = re.search(r'/dev/\S+', qemu.stdout.readline()).group(0)
            meter = ['--json', '--meter', f'serial:{port},baud=2000000', '--seconds', '1']
            with tempfile.TemporaryDirectory() as directory:
                recording = os.path.join(directory, 'a.power')
                answers = [answer('test', *meter), answer('record', *meter, '--output', recording),
                           answer('replay', '--json', recording)]
        finally:
            qemu.kill()
    for j in answers:
        # code 548 of a channel nobody has calibrated: ACS725 of the data sheet on 12 V
        watt = (548 - 2048) * 3.3 / 4096 / 0.132 * 12
        rail = j['rails'][0]
        assert j['origin'] == 'measured' and rail['name'] == 'rail0', j
        assert abs(rail['mean_w'] / watt - 1) < 0.005, (rail, watt)


if sys.argv[1] == 'count':
    count(sys.argv[2])
else:
    power(*sys.argv[2:4])
