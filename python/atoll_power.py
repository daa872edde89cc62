# SPDX-License-Identifier: Apache-2.0
"""Power meters of atoll from Python, by ctypes: open, mark, read, joules.

    with atoll_power.Meter('serial:/dev/ttyACM0') as meter:
        a = meter.mark('begin')
        work()
        b = meter.mark('end')
        meter.stop()
        print(meter.joules(a, b))         # Energy(joules=..., u95=..., seconds=..., gap=False)

The library is libatoll.so: ATOLL_LIBRARY names it, else the system's one is taken. For users of PMT
there is atoll_pmt.py beside this file.
"""
import collections
import ctypes
import ctypes.util
import os
import time

Energy = collections.namedtuple('Energy', 'joules u95 seconds watts gap')
RAILS_MAX = 8
NO = -1  # ATOLL_ENO: a gap lies in the window


class _Rail(ctypes.Structure):
    _fields_ = [('name', ctypes.c_char_p), ('volt', ctypes.c_double)]


class _Opts(ctypes.Structure):
    _fields_ = [('rails', ctypes.POINTER(_Rail)), ('n_rails', ctypes.c_uint32), ('rate_hz', ctypes.c_double),
                ('seed', ctypes.c_uint64), ('ideal', ctypes.c_bool), ('keep_scans', ctypes.c_bool),
                ('calibration', ctypes.c_char_p)]


class _Info(ctypes.Structure):
    _fields_ = [('kind', ctypes.c_char_p), ('description', ctypes.c_char_p), ('origin', ctypes.c_int),
                ('rate_hz', ctypes.c_double), ('fed', ctypes.c_bool), ('n_rails', ctypes.c_uint32),
                ('rails', ctypes.POINTER(_Rail))]


class _Energy(ctypes.Structure):
    _fields_ = [(name, ctypes.c_double) for name in (
        'seconds', 'energy_mj', 'u95_mj', 'mean_w', 'u_gain_mj', 'u_zero_mj', 'u_drift_mj', 'u_noise_mj',
        'u_time_mj', 'coverage_k')] + [
            ('scans', ctypes.c_uint64), ('lost_scans', ctypes.c_uint64), ('u_volt_mj', ctypes.c_double)]


class _Err(ctypes.Structure):
    _fields_ = [('code', ctypes.c_int), ('text', ctypes.c_char * 1000)]


class Error(RuntimeError):
    """What the library says; `code` is its (negative) number."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


def _load():
    path = os.environ.get('ATOLL_LIBRARY') or ctypes.util.find_library('atoll')
    if not path:
        raise OSError('libatoll is not installed, and ATOLL_LIBRARY does not name it')
    lib = ctypes.CDLL(path)
    meter, err = ctypes.c_void_p, ctypes.c_void_p
    lib.atoll_meter_open.argtypes = [ctypes.c_char_p, ctypes.POINTER(_Opts), ctypes.POINTER(meter), err]
    lib.atoll_meter_close.argtypes = [ctypes.POINTER(meter)]
    lib.atoll_meter_close.restype = None
    lib.atoll_meter_info.argtypes = [meter, ctypes.POINTER(_Info)]
    lib.atoll_meter_info.restype = None
    for name in ('start', 'stop', 'advance'):
        getattr(lib, 'atoll_meter_' + name).argtypes = [meter, ctypes.c_uint64, err]
    lib.atoll_meter_mark.argtypes = [meter, ctypes.c_uint64, ctypes.c_char_p, err]
    lib.atoll_meter_mark.restype = ctypes.c_int32
    lib.atoll_meter_record.argtypes = [meter, ctypes.c_char_p, err]
    lib.atoll_meter_feed.argtypes = [meter, ctypes.c_uint64, ctypes.POINTER(ctypes.c_double), ctypes.c_uint32]
    lib.atoll_meter_feed.restype = None
    lib.atoll_meter_energy.argtypes = [meter, ctypes.c_int32, ctypes.c_int32, ctypes.POINTER(_Energy),
                                       ctypes.POINTER(_Energy), err]
    return lib


class Meter:
    """A meter by its name, started. rails: (name, volt) pairs; none: those that the meter knows of.
    Times are in nanoseconds of the monotonic clock; without one, now."""

    def __init__(self, spec, rails=(), rate_hz=0.0, seed=0, ideal=False, record=None, t_ns=None,
                 calibration=None):
        self._lib, self._meter = _load(), ctypes.c_void_p()
        self._err = _Err()
        self._rails = (_Rail * max(1, len(rails)))(*[_Rail(name.encode(), volt) for name, volt in rails])
        opts = _Opts(self._rails, len(rails), rate_hz, seed, ideal, False,
                     None if calibration is None else os.fsencode(calibration))
        self._call(self._lib.atoll_meter_open, spec.encode(), ctypes.byref(opts),
                   ctypes.byref(self._meter))
        if not self._meter:
            raise Error(0, f'{spec} measures nothing')
        try:
            if record is not None:
                self._call(self._lib.atoll_meter_record, self._meter, os.fsencode(record))
            self._call(self._lib.atoll_meter_start, self._meter, self._now(t_ns))
        except Error:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()

    @staticmethod
    def _now(t_ns):
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC) if t_ns is None else t_ns

    def _call(self, function, *args):
        """The library's answer; a negative one raises, but for a gap."""
        code = function(*args, ctypes.byref(self._err))
        if code < 0 and code != NO:
            raise Error(code, self._err.text.decode(errors='replace'))
        return code

    def info(self):
        """Kind, description, scans per second and the rails as (name, volt)."""
        out = _Info()
        self._lib.atoll_meter_info(self._meter, ctypes.byref(out))
        rails = [(out.rails[i].name.decode(), out.rails[i].volt) for i in range(out.n_rails)]
        return {'kind': out.kind.decode(), 'description': out.description.decode(), 'rate_hz': out.rate_hz,
                'rails': rails}

    def feed(self, watts, t_ns=None):
        """The rails' power from now on, for the synth meter."""
        self._lib.atoll_meter_feed(self._meter, self._now(t_ns),
                                   (ctypes.c_double * len(watts))(*[1e3 * w for w in watts]), len(watts))

    def mark(self, label='', t_ns=None):
        """Sets a marker; its number."""
        return self._call(self._lib.atoll_meter_mark, self._meter, self._now(t_ns), label.encode())

    def read(self, t_ns=None):
        """Takes in what has arrived: call it now and then where markers are far apart."""
        self._call(self._lib.atoll_meter_advance, self._meter, self._now(t_ns))

    def stop(self, t_ns=None):
        self._call(self._lib.atoll_meter_stop, self._meter, self._now(t_ns))

    def joules(self, a, b):
        """Energy of all rails between two markers, with its 95 % uncertainty. After stop, or once
        the scans around b have come."""
        return self.rails(a, b)[-1]

    def rails(self, a, b):
        """The same for each rail, and last for all of them together."""
        rails, total = (_Energy * RAILS_MAX)(), _Energy()
        gap = self._call(self._lib.atoll_meter_energy, self._meter, a, b, rails, ctypes.byref(total)) == NO
        n = len(self.info()['rails'])
        return [Energy(e.energy_mj / 1e3, e.u95_mj / 1e3, e.seconds, e.mean_w, gap)
                for e in list(rails[:n]) + [total]]

    def close(self):
        self._lib.atoll_meter_close(ctypes.byref(self._meter))
