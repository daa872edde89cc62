# SPDX-License-Identifier: Apache-2.0
"""The Python module on the synth meter and its replay: known joules, recordings, errors.

usage: power_module.py PYTHON-DIRECTORY LIBATOLL.SO
"""
import os
import sys
import tempfile

sys.path.insert(0, sys.argv[1])
os.environ['ATOLL_LIBRARY'] = sys.argv[2]
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
        pmt = atoll_power.PmtMeter(meter)
        assert pmt.joules(a, b) == both.joules and pmt.seconds(a, b) == both.seconds
        return both


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
refused('synth', 'needs the rails')
refused('serial:/dev/no-such-port', 'plugged in')
refused('magic', 'unknown meter', rails=RAILS)
refused('none', 'measures nothing')
print('ok')
