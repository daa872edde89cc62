# SPDX-License-Identifier: Apache-2.0
"""atoll run and bench on the device cpu, in real time, under the firmware in simavr as their meter.

usage: cli_run_meter.py ATOLL UNO_METER IMAGES-DIRECTORY
"""
import json
import os
import sqlite3
import subprocess
import sys
import tempfile

ATOLL, METER, IMAGES = sys.argv[1:4]
WATT = 24.0  # 2 A at 12 V, whatever the host does
MODEL = 'zoo:conv_chain?layers=4&filters=16&size=32'


def atoll(*args, code=0):
    done = subprocess.run([ATOLL, *args], capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == code, f'{args}: exit {done.returncode}, expected {code}: {done.stderr}'
    return done


def without_meter(directory):
    """What does not fit is refused before any port is opened."""
    said = atoll('run', MODEL, '--device', 'sim', '--meter', 'serial:/dev/ttyACM99', code=2).stderr
    assert 'real time' in said and 'synth' in said, said
    yaml = os.path.join(directory, 'sim.yaml')
    with open(yaml, 'w', encoding='utf-8') as file:
        file.write('name: x\nboard: asus_crl_g18u\ndevice: sim\nmeter: serial:/dev/ttyACM99\n'
                   f'models: ["{MODEL}"]\ntpus: 1\nstrategies: [single]\n'
                   'workloads: [{mode: latency, count: 5}]\n')
    said = atoll('bench', yaml, '--db', os.path.join(directory, 'sim.db'), code=2).stderr
    assert 'sim.yaml' in said and 'real time' in said, said


def on_cpu(directory, port):
    said = atoll('run', MODEL, '--device', 'cpu', '--meter', 'synth', code=2).stderr
    assert 'simulated boards only' in said, said
    said = atoll('run', MODEL, '--device', 'cpu', '--meter', 'serial:/dev/ttyACM99', code=4).stderr
    assert 'plugged in' in said, said
    meter = 'serial:' + port
    j = json.loads(atoll('run', MODEL, '--device', 'cpu', '--meter', meter, '--mode', 'saturated',
                         '--count', '50', '--energy-u95', '7%', '--json').stdout)
    assert j['origin'] == 'measured' and j['meter']['kind'] == 'serial', j
    assert j['meter']['origin'] == 'measured' and j['meter']['lost_scans'] == 0, j['meter']
    assert abs(j['mean_w'] / WATT - 1) < 0.01 and abs(j['idle_w'] / WATT - 1) < 0.01, j
    assert abs(j['energy_mj'] / (1e3 * WATT / j['throughput_hz']) - 1) < 0.01, j
    # this host paces the emulator's clock: half a millisecond in windows of 0.2 s is the emulator's
    # error and not the meter's
    pace = 0.0025 * j['energy_mj']
    assert abs(j['energy_above_idle_mj']) <= 2 * j['energy_above_idle_u95_mj'] + pace, j
    assert 0 < j['energy_u95_frac'] <= 0.07 and j['ranging']['asked_frac'] == 0.07, j
    assert [p['name'] for p in j['phases']] == ['idle', 'load', 'warm-up', 'ranging', 'drain', 'warm-up',
                                                'steady', 'drain', 'cool-down'], j['phases']
    assert [r['name'] for r in j['rails']] == ['12v_slot'], j['rails']
    # the load is constant: whatever states are known, none takes more than its uncertainty
    for state in j['states']:
        if state['state'] != 'idle' and state['power_w'] is not None:
            assert abs(state['power_w']) <= 2 * state['power_u95_w'] + 0.05, state
    # a rail that nobody measures may be 5 % off: no window makes up for that
    said = atoll('run', MODEL, '--device', 'cpu', '--meter', meter, '--energy-u95', '1%', code=1).stderr
    assert 'voltage is in the way' in said, said
    yaml, db = os.path.join(directory, 'cpu.yaml'), os.path.join(directory, 'cpu.db')
    with open(yaml, 'w', encoding='utf-8') as file:
        file.write(f'name: real\nboard: asus_crl_g18u\ndevice: cpu\nmeter: "{meter}"\nenergy_u95: 7%\n'
                   f'models: ["{MODEL}"]\ntpus: 1\nstrategies: [single]\nrepeats: 2\nkeep_trace: first\n'
                   'workloads: [{mode: latency, count: 20}]\n')
    atoll('bench', yaml, '--db', db, '--quiet')
    again = json.loads(atoll('bench', yaml, '--db', db, '--resume', '--json').stdout)
    assert again['already'] == 2 and again['done'] == 0, again
    rows = sqlite3.connect(db)
    runs = rows.execute('SELECT status, origin, mean_w, energy_mj, energy_u95_mj, energy_asked_frac, '
                        'u_gain_mj FROM run').fetchall()
    assert len(runs) == 2, runs
    for status, origin, mean_w, mj, u95, asked, gain in runs:
        assert status == 'done' and origin == 'measured' and asked == 0.07, runs
        assert abs(mean_w / WATT - 1) < 0.01 and 0 < u95 < 0.07 * mj and gain > 0, runs
    assert rows.execute('SELECT DISTINCT rail FROM rail').fetchall() == [('12v_slot',)]
    assert rows.execute("SELECT count(*) FROM series WHERE kind = 'trace'").fetchone() == (1,)
    assert rows.execute("SELECT count(*) FROM phase WHERE phase = 'steady'").fetchone() == (1,)
    rows.close()


def main():
    with tempfile.TemporaryDirectory() as directory:
        without_meter(directory)
        devices = subprocess.run([ATOLL, 'run', MODEL, '--device', 'cpu', '--count', '3'],
                                 capture_output=True, text=True, check=False)
        if devices.returncode != 0:
            print('skipped: the device cpu cannot be used here:', devices.stderr.strip())
            return 77
        with subprocess.Popen([METER, IMAGES], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as sim:
            lines = iter(sim.stdout.readline, '')
            port = next(line.strip() for line in lines if line.startswith('/dev/'))
            try:
                on_cpu(directory, port)
            except AssertionError as fault:
                print(fault)
                sim.stdin.write('\n')
                sim.stdin.flush()
                behind = float(next(lines))
                if behind < 0.02:
                    raise
                print(f'skipped: too busy to simulate in real time ({behind:.3f} s behind)')
                return 77
            finally:
                sim.stdin.close()
    return 0


sys.exit(main())
