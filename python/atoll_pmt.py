# SPDX-License-Identifier: Apache-2.0
"""A back end in the style of the Power Measurement Toolkit (PMT) on atoll's meters:

    import atoll_pmt as pmt
    meter = pmt.create('serial:/dev/ttyACM0')      # or 'hwmon', 'rapl', 'ps3:PORT', ...
    start = meter.read()
    work()
    end = meter.read()
    print(pmt.joules(start, end), pmt.watts(start, end), pmt.seconds(start, end))

The calls of PMT are create, read, joules, watts, seconds, start_dump, stop_dump and the decorator
measure; beyond them u95 gives the 95 % uncertainty of the joules, rails each rail, gap whether scans
are missing. A state may be asked at once: the scans around it are waited for.
"""
import collections
import functools
import time

import atoll_power

State = collections.namedtuple('State', 'meter marker t_ns')
Measure = collections.namedtuple('Measure', 'seconds joules watts u95')
USAGE = -2  # ATOLL_EUSAGE: among others, no scans around a marker yet
PATIENCE_S = 5.0


class PMT:
    """A started meter. start_dump must come first, since a recording begins before the first scan."""

    def __init__(self, spec, **more):
        self._spec, self._more, self._meter, self._dump = spec, more, None, None

    def _started(self):
        if self._meter is None:
            self._meter = atoll_power.Meter(self._spec, record=self._dump, **self._more)
        return self._meter

    def read(self):
        t_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        meter = self._started()
        t_ns = max(t_ns, time.clock_gettime_ns(time.CLOCK_MONOTONIC))
        return State(self, meter.mark('read', t_ns), t_ns)

    def energies(self, start, end):
        """Energy of each rail, and last of all (atoll_power.Energy)."""
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self._meter.rails(start.marker, end.marker)
            except atoll_power.Error as error:
                if error.code != USAGE or end.t_ns <= start.t_ns or time.monotonic() > until:
                    raise
            time.sleep(0.005)
            self._meter.read()

    def start_dump(self, path):
        """Records all from here on; `atoll power replay PATH` reads it."""
        if self._meter is not None:
            raise atoll_power.Error(0, 'start_dump comes before the first read')
        self._dump = path

    def stop_dump(self):
        self.close()

    def get_measurement_interval(self):
        """Milliseconds between two scans."""
        return 1e3 / self._started().info()['rate_hz']

    def close(self):
        if self._meter is not None:
            self._meter.close()
            self._meter = None

    # as PMT has them: functions of two states
    @staticmethod
    def joules(start, end):
        return joules(start, end)

    @staticmethod
    def watts(start, end):
        return watts(start, end)

    @staticmethod
    def seconds(start, end):
        return seconds(start, end)


def create(spec, **more):
    """A meter by atoll's name of it; more: rate_hz, rails."""
    return PMT(spec, **more)


def _total(start, end):
    return start.meter.energies(start, end)[-1]


def joules(start, end):
    return _total(start, end).joules


def watts(start, end):
    return _total(start, end).watts


def seconds(start, end):
    return _total(start, end).seconds


def u95(start, end):
    """Half the width of the interval in which the joules lie with 95 %."""
    return _total(start, end).u95


def gap(start, end):
    """Are scans missing in between?"""
    return _total(start, end).gap


def rails(start, end):
    """Energies of each rail."""
    return start.meter.energies(start, end)[:-1]


def measure(spec, **more):
    """Decorator: the function returns the list of its measures, as PMT's does."""
    def around(function):
        @functools.wraps(function)
        def measured(*args, **names):
            meter = create(spec, **more)
            try:
                start = meter.read()
                inner = function(*args, **names)
                end = meter.read()
                total = _total(start, end)
            finally:
                meter.close()
            own = Measure(total.seconds, total.joules, total.watts, total.u95)
            return [own] + (inner if isinstance(inner, list) else [])
        return measured
    return around
