# SPDX-License-Identifier: Apache-2.0
"""atoll power as a user sees it, with meters behind pseudo-terminals: calibration and what it refuses,
the device's own test, voltage channels, edges, faults of line and clock, a pulled cable, a full disk,
the live view, PowerSensor3.

usage: cli_meter.py ATOLL DIRECTORY-OF-THE-DOUBLES
"""
import json
import os
import pty
import resource
import select
import subprocess
import sys
import tempfile
import time

ATOLL, HERE = sys.argv[1:3]
TRUE_MA = 26.8  # meter_double.py


class Double:
    """A device to plug in."""

    def __init__(self, script, *args):
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, script), *args],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = self.process.stdout.readline().strip()

    def tell(self, *words, answered=True):
        self.process.stdin.write(' '.join(map(str, words)) + '\n')
        self.process.stdin.flush()
        return self.process.stdout.readline().strip() if answered else None

    def __enter__(self):
        return self

    def __exit__(self, *what):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(10)


def run(*args, code=0, **more):
    done = subprocess.run([ATOLL, 'power', *args], capture_output=True, text=True, check=False, timeout=60,
                          **more)
    assert done.returncode == code, f'{args}: exit {done.returncode}, expected {code}: {done.stderr}'
    return done


def answer(command, *args, code=0, **more):
    j = json.loads(run(command, '--json', *args, code=code, **more).stdout)
    assert j['schema'] == 'atoll.power/1', j['schema']
    return j


def object_of(out, told):
    assert out, f'no answer: {told}'
    return json.loads(out)


def says(done, *words):
    for word in words:
        assert word in done.stderr, f'{word!r} is not in: {done.stderr}'


# ------------------------------------------------------------------ calibration
def calibrate(meter, d):
    """Zero, gain and divider of a channel; then a known power is measured right."""
    before = answer('record', '--meter', meter, '--seconds', '0.5')
    assert 'not calibrated' in before['meter'], before['meter']
    j = answer('calibrate', '--meter', meter, '--rail', '0', '--zero', '--seconds', '1', '--name', '12v',
               '--temperature', '23', '--date', '2026-11-20')
    assert j['kind'] == 'zero' and j['rail'] == '12v' and j['kept_in'] == 'device', j
    assert j['day'] == 20777 and j['temperature_c'] == 23, j
    d.tell('ma', 0, 2000)
    j = answer('calibrate', '--meter', meter, '--rail', '12v', '--load-ma', '2000', '--load-u', '0.003',
               '--seconds', '1')
    assert abs(j['per_code'] * 15 / TRUE_MA - 1) < 0.004, j
    assert 0.003 <= j['u_gain_frac'] < 0.006 and j['u_reference_frac'] == 0.003, j
    nominal = answer('record', '--meter', meter + ',volts=0', '--seconds', '1')
    assert abs(nominal['mean_w'] / 24 - 1) < 0.004, nominal
    assert nominal['energy_u95_mj'] < 0.015 * nominal['energy_mj'], nominal
    assert answer('record', '--meter', meter, '--seconds', '1')['uncertainty']['volt_mj'] > 0
    d.tell('volt', 1, 12.3)
    answer('calibrate', '--meter', meter, '--rail', '1', '--divider', '12.3', '--load-u', '0.002',
           '--seconds', '1', '--name', '12v')
    right = answer('record', '--meter', meter, '--seconds', '1')
    assert abs(right['mean_w'] / 24.6 - 1) < 0.004, right
    assert abs(right['mean_w'] - 24.6) * right['seconds'] * 1e3 < right['energy_u95_mj'], right
    assert right['uncertainty']['volt_mj'] == 0, right
    d.tell('volt', 1, 11.5)
    d.tell('ma', 0, 1500)
    other = answer('run', '--meter', meter, '--', 'sleep', '0.7')
    assert abs(other['mean_w'] / (11.5 * 1.5) - 1) < 0.004, other
    # a load in watts: the voltage is measured as well
    j = answer('calibrate', '--meter', meter, '--rail', '12v', '--load-w', '17.25', '--load-u', '0.003',
               '--seconds', '1')
    assert abs(j['per_code'] * 7 / TRUE_MA - 1) < 0.005, j


def refuse(meter, d):
    """Each with the place, what was found and what was expected."""
    calibration = ['calibrate', '--meter', meter, '--rail', '12v', '--seconds', '1']
    says(run(*calibration, '--zero', code=4), 'calibration of 12v: zero at', 'expected', 'load really off')
    says(run(*calibration, '--load-ma', '3000', code=4), 'mA a code (expected')
    d.tell('ma', 0, 0)
    says(run(*calibration, '--load-ma', '1000', code=4), 'take a larger load')
    d.tell('noise', 40)
    says(run(*calibration, '--zero', code=4), 'too noisy: standard deviation')
    d.tell('noise', 2)
    d.tell('creep', 2)
    says(run(*calibration, '--zero', code=4), 'it drifts: +')
    d.tell('creep', 0)
    says(run(*calibration, code=2), 'say one of --zero')
    says(run(*calibration, '--zero', '--load-w', '3', code=2), 'say one of --zero')
    says(run(*calibration, '--zero', '--date', '20.11.2026', code=2), 'expected YYYY-MM-DD')
    says(run('calibrate', '--meter', meter, '--rail', '99', '--zero', code=2), "no channel '99'")
    d.tell('ma', 0, 1500)


def to_a_file(directory, meter, d):
    path = os.path.join(directory, 'cal.json')
    d.tell('ma', 0, 0)
    j = answer('calibrate', '--meter', meter, '--rail', '12v', '--zero', '--seconds', '1', '--output', path)
    assert j['kept_in'] == path, j
    d.tell('ma', 0, 1500)
    with_file = answer('record', '--meter', meter, '--seconds', '0.5', '--calibration', path)
    assert abs(with_file['mean_w'] / (11.5 * 1.5) - 1) < 0.005, with_file
    says(run('record', '--meter', meter, '--calibration', '/nonexistent.json', code=3), 'nonexistent')


# ---------------------------------------------------------------------- self-test
def self_test(meter, d):
    j = answer('test', '--meter', meter, '--seconds', '0.5')
    found = {c['name']: c for c in j['checks']}
    assert all(c['ok'] for c in j['checks']), j['checks']
    assert '4987 mV' in found['supply']['found'] and 'test double' in found['identity']['found'], found
    assert '12v, current, calibrated' in found['channel 0']['found'], found
    assert '12v, voltage' in found['channel 1']['found'], found
    d.tell('fault', 6)
    j = answer('test', '--meter', meter, '--seconds', '0.5', code=1)
    failed = [c['name'] for c in j['checks'] if not c['ok']]
    assert failed == ['converter', 'calibration store'], j['checks']
    text = run('test', '--meter', meter, '--seconds', '0.5', code=1).stdout
    assert 'converter          FAILED  constant or full-scale codes' in text, text
    d.tell('fault', 0)


# ------------------------------------------------------------------------- edges
def edges(directory, meter, d):
    path = os.path.join(directory, 'edges.power')
    with subprocess.Popen([ATOLL, 'power', 'record', '--meter', meter, '--seconds', '3', '--output', path],
                          stdout=subprocess.DEVNULL) as recorder:
        time.sleep(1.4)
        at = [int(d.tell('edge'))]
        time.sleep(0.5)
        at.append(int(d.tell('edge')))
    assert recorder.returncode == 0
    j = answer('replay', path, '--from', 'rising edge 0', '--to', 'rising edge 1')
    labels = [m['label'] for m in j['markers']]
    assert labels == ['begin', 'rising edge 0', 'rising edge 1', 'end'], labels
    assert abs(j['seconds'] - (at[1] - at[0]) / 1e9) < 0.01, (j['seconds'], at)
    says(run('replay', path, '--from', 'falling edge 9', code=3), "no marker 'falling edge 9'")


# ------------------------------------------------------------------------- faults
def faults(meter, d):
    watt = 11.5 * 1.5

    def near(j, part):
        assert abs(j['mean_w'] / watt - 1) < part, j

    for ppm in (-5000, 5000):
        d.tell('ppm', ppm)
        j = answer('record', '--meter', meter, '--seconds', '1')
        near(j, 0.005)
        assert abs(j['clock_ppm'] - ppm) < 4000 and j['lost_scans'] == 0, j
    d.tell('ppm', 0)
    d.tell('first', 2**32 - 1500)  # wraps after 1.5 s
    j = answer('record', '--meter', meter, '--seconds', '2')
    near(j, 0.005)
    assert j['lost_scans'] == 0, j
    d.tell('first', 0)
    for fault in (('loss', 0.01), ('flip', 0.01)):
        d.tell(*fault)
        with subprocess.Popen([ATOLL, 'power', 'record', '--meter', meter, '--seconds', '2', '--json'],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
            out, told = p.communicate(timeout=60)
        d.tell(fault[0], 0)
        if p.returncode == 4:  # every answer was damaged: said so, nothing measured
            assert 'meter' in told and not out, (out, told)
            continue
        j = object_of(out, told)
        assert p.returncode == 1 and j['lost_scans'] > 0 and j['gaps'], (fault, j)
        near(j, 0.02)
    with subprocess.Popen([ATOLL, 'power', 'record', '--meter', meter, '--seconds', '3', '--json'],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
        time.sleep(1.7)
        d.tell('restart')
        out, told = p.communicate(timeout=60)
    j = object_of(out, told)
    assert p.returncode == 1 and any(g['cause'] == 'device restarted' for g in j['gaps']), (told, j)
    near(j, 0.02)


def pulled(directory):
    """The cable in the middle of a run: exit 4, the recording is there and gives an energy."""
    path = os.path.join(directory, 'pulled.power')
    with Double('meter_double.py') as d:
        d.tell('ma', 0, 1000)
        with subprocess.Popen([ATOLL, 'power', 'record', '--meter', 'serial:' + d.port + ',volts=0',
                               '--output', path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as p:
            time.sleep(2.0)
            d.tell('close', answered=False)
            out, told = p.communicate(timeout=30)
    assert p.returncode == 4 and not out, (p.returncode, out)
    assert 'the line broke off' in told and f'what was recorded until then is in {path}' in told, told
    done = run('replay', '--json', path)
    says(done, 'was cut')
    j = json.loads(done.stdout)
    assert 0.5 < j['seconds'] < 2.2 and j['markers'][-1]['label'] == 'cut', j
    # not calibrated: the true gain and zero are off the data sheet's
    assert abs(j['mean_w'] - 12 * (1000 + 3.37 * TRUE_MA) / TRUE_MA * 26.393 / 1000) < 0.2, j


def disk_full(directory, meter):
    path = os.path.join(directory, 'full.power')

    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (12000, 12000))

    says(run('record', '--meter', meter, '--seconds', '1', '--output', '/dev/full', code=5), 'recording')
    done = run('record', '--meter', meter, '--seconds', '2', '--output', path, code=5, preexec_fn=small)
    says(done, 'recording: not all could be written', 'File too large')
    assert os.path.getsize(path) == 12000
    says(run('replay', path), 'was cut')
    says(run('record', '--meter', meter, '--seconds', '1', '--csv', '/dev/full', code=5), '/dev/full')
    done = run('record', '--meter', meter, '--seconds', '1', '--output', '/nonexistent/x', code=5)
    says(done, 'nonexistent')


def wrong_devices(directory):
    with Double('meter_double.py', 'other') as d:
        says(run('test', '--meter', 'serial:' + d.port, code=4), 'does not answer', 'is it a meter')
        says(run('test', '--meter', 'ps3:' + d.port, code=4), 'PowerSensor3')
    with Double('ps3_double.py') as d:
        says(run('test', '--meter', 'serial:' + d.port, code=4), 'does not answer')
    for kind in ('serial', 'ps3'):
        says(run('test', '--meter', kind + ':/dev/no-such-port', code=4), 'plugged in')
        says(run('test', '--meter', kind + ':/dev/null', code=4), 'no serial port')
    locked = os.path.join(directory, 'port')
    with open(locked, 'w', encoding='ascii'):
        os.chmod(locked, 0)
    os.chmod(directory, 0o755)
    if os.geteuid() == 0:
        def other():
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
    else:
        other = None
    if os.access(ATOLL, os.X_OK):
        done = subprocess.run([ATOLL, 'power', 'test', '--meter', 'serial:' + locked], capture_output=True,
                              text=True, check=False, preexec_fn=other)
        if 'dialout' in done.stderr or done.returncode == 4:
            says(done, 'Permission denied', 'dialout')
        else:
            print('not seen: a port without permission (nobody may not run', ATOLL + ')')


# ---------------------------------------------------------------------- live view
def live(meter):
    """On a terminal: a line of watts for each rail that is written over."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ['TERM'] = 'xterm'
        os.execv(ATOLL, [ATOLL, 'power', 'record', '--meter', meter, '--seconds', '2.5'])
    seen = b''
    while select.select([fd], [], [], 20)[0]:
        try:
            part = os.read(fd, 4096)
        except OSError:
            break
        if not part:
            break
        seen += part
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    text = seen.decode()
    looks = [t for t in text.split('\r\x1b[K') if ' W  12v ' in t]
    assert os.waitstatus_to_exitcode(status) == 0, text
    assert len(looks) >= 2, text
    assert abs(float(looks[-1].split('12v ')[1].split()[0]) / (11.5 * 1.5) - 1) < 0.01, looks
    assert 'energy J' in text, text


def power_sensor_3(directory):
    path = os.path.join(directory, 'ps3.power')
    with Double('ps3_double.py') as d:
        meter = 'ps3:' + d.port
        j = answer('record', '--meter', meter, '--seconds', '1', '--output', path)
        rails = {r['name']: r for r in j['rails']}
        assert abs(rails['12v_slot']['mean_w'] / 60 - 1) < 0.005, j
        assert abs(rails['3v3_slot']['mean_w'] / 3.3 - 1) < 0.01, j
        assert abs(j['rate_hz'] / 20000 - 1) < 0.01 and 'assumed' in j['meter'], j
        again = answer('replay', path)
        assert again['energy_mj'] == j['energy_mj'], (again, j)
        with subprocess.Popen([ATOLL, 'power', 'record', '--meter', meter, '--seconds', '2', '--json'],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
            time.sleep(1.8)
            d.tell('drop', answered=False)
            out, told = p.communicate(timeout=60)
        j = object_of(out, told)
        assert p.returncode == 1 and j['lost_scans'] >= 1, (told, j)


def everything(directory):
    with Double('meter_double.py') as d:
        meter = 'serial:' + d.port
        calibrate(meter, d)
        refuse(meter, d)
        to_a_file(directory, meter, d)
        self_test(meter, d)
        edges(directory, meter, d)
        live(meter)
        faults(meter, d)
        disk_full(directory, meter)
    pulled(directory)
    wrong_devices(directory)
    power_sensor_3(directory)


def main():
    with tempfile.TemporaryDirectory() as directory:
        everything(directory)


main()
