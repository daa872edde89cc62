# SPDX-License-Identifier: Apache-2.0
"""atoll compile against a double of edgetpu_compiler (fake_compiler.sh): what is tried again, what is
not, what counts as success, what the log tells, what is kept.

usage: compiler_double.py ATOLL FAKE
"""
import glob
import json
import os
import subprocess
import sys
import tempfile
import time

ATOLL, FAKE = map(os.path.abspath, sys.argv[1:3])


class Place:
    """An empty directory with its own cache and a plan for the double."""

    def __init__(self, work, *plan):
        self.dir = tempfile.mkdtemp(dir=work)
        os.makedirs(f'{self.dir}/bin')
        os.symlink(FAKE, f'{self.dir}/bin/edgetpu_compiler')
        with open(f'{self.dir}/plan', 'w', encoding='utf-8') as f:
            f.write('\n'.join(plan) + '\n')
        with open(f'{self.dir}/calls', 'w', encoding='utf-8'):
            pass
        self.env = {**os.environ, 'PATH': f'{self.dir}/bin:/usr/bin:/bin',
                    'FAKE_PLAN': f'{self.dir}/plan', 'FAKE_CALLS': f'{self.dir}/calls',
                    'XDG_CACHE_HOME': f'{self.dir}/cache'}

    def compile(self, *args, code=0):
        done = subprocess.run([ATOLL, 'compile', *args], cwd=self.dir, env=self.env, text=True,
                              capture_output=True, check=False, timeout=50)
        assert done.returncode == code, f'{args}: exit {done.returncode}: {done.stderr}'
        # nothing half made stays behind, whatever happened
        assert not glob.glob(f'{self.dir}/cache/atoll/compiled/work-*')
        return done.stdout if code == 0 else done.stderr

    def calls(self):
        with open(f'{self.dir}/calls', encoding='utf-8') as f:
            return len(f.readlines())


def one_model(work):
    p = Place(work, 'ok', 'refuse')
    subprocess.run([ATOLL, 'zoo', 'write', 'mobilenet_v1', '-s', 'size=32', '-s', 'alpha=0.25', '-o',
                    f'{p.dir}/net.tflite', '--quiet'], check=True)
    j = json.loads(p.compile('net.tflite', '--json'))
    assert j['schema'] == 'atoll.compile/1' and j['origin'] == 'computed'
    assert j['compiler_version'] == 'Edge TPU Compiler version 16.0.384591198'
    assert j['attempts'] == 1 and j['cached'] is False
    s, = j['segments']
    assert s['path'] == './net_edgetpu.tflite' and s['file_bytes'] == os.path.getsize(f'{p.dir}/{s["path"]}')
    told = {'on_chip_bytes': round(3.33 * 2**20), 'off_chip_bytes': 0, 'subgraphs': 1, 'operations': 31,
            'on_chip_remaining_bytes': 4.25 * 2**20, 'input_bytes': round(3.41 * 2**20),
            'output_bytes': 604.5 * 2**10}
    assert {key: s[key] for key in told} == told, s
    assert [(o['op'], o['count']) for o in s['operators']] == [
        ('CONV_2D', 14), ('DEPTHWISE_CONV_2D', 13), ('SOFTMAX', 1)]
    assert s['operators'][2]['status'].startswith('Operation is otherwise supported')
    # the same content under another name: from the cache, without a call
    os.rename(f'{p.dir}/net.tflite', f'{p.dir}/other.tflite')
    again = json.loads(p.compile('other.tflite', '--json'))
    assert again['cached'] is True and again['attempts'] == 0 and p.calls() == 1
    assert again['segments'][0]['path'] == './other_edgetpu.tflite'
    assert {key: again['segments'][0][key] for key in told} == told
    # another number of segments is another result
    p.compile('other.tflite', '-n', '2', code=4)
    assert p.calls() == 2


SMALL = 'zoo:dense_chain?layers=3&units=64'


def segments(work):
    p = Place(work, 'ok')
    os.mkdir(f'{p.dir}/parts')
    text = p.compile(SMALL, '-n', '2', '-o', 'parts')
    made = sorted(os.path.basename(f) for f in glob.glob(f'{p.dir}/parts/*'))
    assert made == [f'dense_chain_layers_3_units_64_segment_{i}_of_2_edgetpu.tflite' for i in (0, 1)], made
    assert '3.33MiB cached, 0.00B streamed' in text and '3.33MiB cached, 1.00B streamed' in text, text


def failures(work):
    for plan, calls in ((('internal', 'silent', 'ok'), 3), (('crash', 'ok'), 2), (('truncated', 'ok'), 2)):
        p = Place(work, *plan)
        j = json.loads(p.compile(SMALL, '--json'))
        assert j['attempts'] == calls == p.calls(), plan
    for plan, code, calls, words in (
            (('internal',) * 4, 4, 3, 'attempt 3 of 3: an internal error; it often passes'),
            (('silent',) * 4, 4, 3, 'ended without its output'),
            (('crash',) * 4, 4, 3, 'signal 11'),
            (('unquantized', 'ok'), 3, 1, 'not quantized'),
            (('refuse', 'ok'), 4, 1, 'status 7')):
        p = Place(work, *plan)
        said = p.compile(SMALL, code=code)
        assert words in said and p.calls() == calls, f'{plan}: {p.calls()} calls: {said}'
        log = said.split('its log: ')[1].strip()
        with open(log, encoding='utf-8') as f:
            assert f.read().startswith('Edge TPU Compiler version'), log
        assert not glob.glob(f'{p.dir}/*.tflite')
    p = Place(work, 'internal', 'ok')
    p.compile(SMALL, '--attempts', '1', code=4)
    assert p.calls() == 1
    # after a failure the next call starts anew
    assert 'cached' in p.compile(SMALL) and p.calls() == 2


def time_limit(work):
    p = Place(work, 'hang', 'ok')
    begin = time.monotonic()
    said = p.compile(SMALL, '--timeout', '1', code=4)
    assert 'stopped after 1 s' in said and p.calls() == 1, said
    assert time.monotonic() - begin < 30, 'the double hangs for 60 s'


def main():
    with tempfile.TemporaryDirectory() as work:
        one_model(work)
        segments(work)
        failures(work)
        time_limit(work)
    print('edgetpu_compiler is driven as its interface asks')


main()
