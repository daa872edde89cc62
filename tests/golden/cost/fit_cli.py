# SPDX-License-Identifier: Apache-2.0
"""The fit refuses wrong calls and damaged tables with a sentence and the right exit code."""
import os
import shutil
import subprocess
import sys
import tempfile

FIT, SOURCE, DATA = sys.argv[1:4]


def run(*args):
    return subprocess.run([FIT, '--share', os.path.join(SOURCE, 'share'), '--print-only', '--no-cross',
                           *args], capture_output=True, text=True)


def expect(done, code, words):
    assert done.returncode == code, f'exit {done.returncode}, expected {code}: {done.stderr}'
    assert all(w in done.stderr for w in words), done.stderr


expect(run(), 2, ['usage'])
expect(run('--from', 'x', '--colour', 'red'), 2, ['usage'])
with tempfile.TemporaryDirectory() as empty:
    done = run('--from', empty)
    assert done.returncode in (3, 5), done.stderr
    assert 'networks_latency.tsv' in done.stderr, done.stderr
if not os.path.exists(os.path.join(DATA, 'board_8tpu.tsv')):
    print(f'skipped: {DATA}/board_8tpu.tsv is missing')
    sys.exit(77)
with tempfile.TemporaryDirectory() as damaged:
    for name in os.listdir(DATA):
        if name.endswith('.tsv'):
            shutil.copy(os.path.join(DATA, name), damaged)
    with open(os.path.join(damaged, 'board_8tpu.tsv'), 'a') as f:
        f.write('resnet50\t224\n')
    expect(run('--from', damaged), 3, ['board_8tpu.tsv:18', 'found 2 cells, expected 7'])
with tempfile.TemporaryDirectory() as own:
    for name in os.listdir(DATA):
        if name.endswith('.tsv'):
            shutil.copy(os.path.join(DATA, name), own)
    with open(os.path.join(own, 'networks_latency.tsv'), 'a') as f:
        for model, ms in (('mobilenet_v1', 9.0), ('mobilenet_v2', 11.0), ('resnet50', 700.0)):
            f.write(f'{model}\t224x224\tboard:usb2_pi3\t{ms}\tme\t\n')
    done = run('--from', own)
    assert done.returncode == 0, done.stderr
    assert '| own measurements | 3 ' in done.stdout and '| usb2_pi3 | 3 ' in done.stdout
    with open(os.path.join(own, 'networks_latency.tsv'), 'a') as f:
        f.write('mobilenet_v1\t224x224\tboard:no_such_board\t1\tme\t\n')
    expect(run('--from', own), 3, ['no_such_board'])
