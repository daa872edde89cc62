# SPDX-License-Identifier: Apache-2.0
"""The Python modules on the synth meter, its replay, and a tree that looks like the kernel's sensors:
known joules, recordings, calibration files, the calls of PMT, errors.

usage: power_module.py PYTHON-DIRECTORY LIBATOLL.SO
"""
import json
import os
import sys
import tempfile
import time

sys.path.insert(0, sys.argv[1])
os.environ['ATOLL_LIBRARY'] = sys.argv[2]
import atoll_pmt  # noqa: E402
import atoll_power  # noqa: E402

SECOND = 10**9
RAILS = [('12v', 12.0), ('3v3', 3.3)]


def measured(path):
    with atoll_power.Meter('synth', rails=RAILS, ideal=True, record=path, t_ns=SECOND) as meter:
        meter.feed([12.0, 3.3], SECOND)
        a = meter.mark('a', 2 * SECOND)
        meter.feed([24.0, 3.3], 3 * SECOND)
        meter.read(3 * SECOND)
        b = meter.mark('b', 4 * SECOND)
        meter.stop(4 * SECOND)
        assert meter.info()['rails'] == RAILS, meter.info()
        slot, small, both = meter.rails(a, b)
        assert abs(slot.joules - 36) < 0.04 and abs(small.joules - 6.6) < 0.01, (slot, small)
        assert abs(both.joules - 42.6) < 0.05 and both.u95 > 0 and not both.gap, both
        assert abs(both.seconds - 2) < 1e-9 and abs(both.watts - 21.3) < 0.03, both
        return both


def like_pmt(directory):
    """Two sensors of 12.34 W and 4.95 W; states are asked at once, in real time."""
    for name, files in (('hwmon0', {'name': 'ina226', 'power1_input': '12340000', 'power1_label': 'board'}),
                        ('hwmon1', {'name': 'ina3221', 'curr1_input': '1500', 'in1_input': '3300'})):
        os.makedirs(os.path.join(directory, name))
        for file_name, text in files.items():
            with open(os.path.join(directory, name, file_name), 'w', encoding='ascii') as out:
                out.write(text + '\n')
    spec, dump = 'hwmon:' + directory, os.path.join(directory, 'dump.power')
    meter = atoll_pmt.create(spec, rate_hz=100.0)
    meter.start_dump(dump)
    start = meter.read()
    time.sleep(0.3)
    end = meter.read()
    assert abs(meter.watts(start, end) - 17.29) < 0.01, meter.watts(start, end)
    assert 0.3 <= atoll_pmt.seconds(start, end) < 3, atoll_pmt.seconds(start, end)
    assert abs(atoll_pmt.joules(start, end) - 17.29 * meter.seconds(start, end)) < 0.02
    assert 0 < atoll_pmt.u95(start, end) < 0.1 * meter.joules(start, end)
    assert [round(r.watts, 2) for r in atoll_pmt.rails(start, end)] == [12.34, 4.95]
    assert abs(meter.get_measurement_interval() - 10) < 1e-9
    meter.stop_dump()
    with atoll_power.Meter('replay:' + dump, t_ns=SECOND) as again:
        again.stop(SECOND)
        assert abs(again.joules(0, 1).watts - 17.29) < 0.01
    before = len(os.listdir(directory))

    @atoll_pmt.measure(spec, rate_hz=100.0)
    def work(seconds):
        time.sleep(seconds)

    [one] = work(0.2)
    assert abs(one.watts - 17.29) < 0.01 and one.seconds >= 0.2 and one.u95 > 0, one
    assert len(os.listdir(directory)) == before
    calibration = os.path.join(directory, 'cal.json')
    with open(calibration, 'w', encoding='ascii') as out:
        json.dump({'schema': 'atoll.power-calibration/1', 'calibrations': [
            {'rail': 'board', 'kind': 'gain', 'per_code': 80.0, 'u_gain_frac': 0.01,
             'u_reference_frac': 0.01}]}, out)
    doubled = atoll_pmt.create(spec, rate_hz=100.0, calibration=calibration)
    start = doubled.read()
    time.sleep(0.1)
    assert abs(doubled.watts(start, doubled.read()) - (2 * 12.34 + 4.95)) < 0.02
    doubled.close()


def refused(spec, words, **more):
    try:
        atoll_power.Meter(spec, **more)
    except atoll_power.Error as error:
        assert words in str(error) and str(error).isascii(), error
    else:
        sys.exit(f'{spec}: was opened')


with tempfile.TemporaryDirectory() as directory:
    file = os.path.join(directory, 'a.power')
    first = measured(file)
    with atoll_power.Meter('replay:' + file, t_ns=7 * SECOND) as again:
        again.stop(7 * SECOND)
        assert again.info()['rails'] == RAILS, again.info()
        assert again.joules(0, 1).joules == first.joules
with tempfile.TemporaryDirectory() as directory:
    like_pmt(directory)
refused('hwmon:/nonexistent', 'no chip with power')
refused('synth', 'needs the rails')
refused('serial:/dev/no-such-port', 'plugged in')
refused('magic', 'unknown meter', rails=RAILS)
refused('none', 'measures nothing')
print('ok')
