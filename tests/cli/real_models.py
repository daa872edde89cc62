# SPDX-License-Identifier: Apache-2.0
"""Info on every real model, a small sweep over every source model, and a sentence for those that no
sweep can take.

usage: real_models.py ATOLL SHARED_DIR
"""
import glob
import json
import os
import subprocess
import sys
import tempfile

ATOLL = os.path.abspath(sys.argv[1])
MODELS = os.path.join(sys.argv[2], 'models')
EXPERIMENT = """name: real-models
board: asus_crl_g18u
device: sim
meter: synth
models: {models}
tpus: [1, 2]
strategies: [single, replicas, vendor]
workloads: [{{mode: latency, count: 5}}, {{mode: saturated, count: 10}}]
repeats: 1
"""


def run(*args, code=0):
    done = subprocess.run([ATOLL, *args], capture_output=True, text=True, check=False)
    assert done.returncode == code, f'{args}: exit {done.returncode}: {done.stderr}'
    return done.stdout, done.stderr


def info(path):
    """The kind of a model; each answer says something of each part."""
    j = json.loads(run('info', path, '--json')[0])
    people = run('info', path)[0]
    assert os.path.basename(path) in people and len(people.splitlines()) >= 3, people
    if j['kind'] == 'tflite':
        assert j['operators'] and j['inputs'] and j['outputs'], path
        assert all(op['maps'] or op['why'] for op in j['operators']), path
    else:
        assert j['kind'] == 'edgetpu' and j['executables'], path
        for exe in j['executables']:
            assert exe['instruction_bytes'] == sum(exe['instruction_chunks']), path
            assert exe['inputs'] or exe['type'] == 'PARAMETER_CACHING', path
        assert 'edgetpu-custom-op' not in j['cpu_operators'], path
    return j['kind']


def bench(models):
    with open('real.yaml', 'w', encoding='utf-8') as f:
        f.write(EXPERIMENT.format(models=json.dumps(models)))
    j = json.loads(run('bench', 'real.yaml', '--db', 'real.db', '--json')[0])
    # single and replicas at one TPU, replicas at two, of two workloads, are the least of each model
    assert j['failed'] == 0 and j['done'] >= 6 * len(models), j
    report = json.loads(run('report', 'real.db', '-o', 'real.html', '--json')[0])
    told = {finding['model'] for finding in report['findings']}
    assert len(told) == len(models), f'{len(told)} of {len(models)} models in the verdict'


def refused(path):
    """A sweep and a plan of a compiled model: which file, and what to give instead."""
    with open('bad.yaml', 'w', encoding='utf-8') as f:
        f.write(EXPERIMENT.format(models=json.dumps([path])))
    for args in (('bench', 'bad.yaml', '--db', 'bad.db'), ('plan', path), ('run', path),
                 ('compile', '--estimate', path), ('split', path, '-n', '2', '-o', 'parts')):
        said = run(*args, code=3)[1]
        assert os.path.basename(path) in said and 'compiled' in said, f'{args}: {said}'


def main():
    files = sorted(glob.glob(os.path.join(MODELS, '**', '*.tflite'), recursive=True))
    if not files:
        print(f'skipped: no models under {MODELS}')
        sys.exit(77)
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        kinds = {path: info(path) for path in files}
        sources = [path for path in files if kinds[path] == 'tflite']
        compiled = [path for path in files if kinds[path] == 'edgetpu']
        bench(sources)
        refused(compiled[0])
        os.chdir('/')
    names = ' '.join(map(os.path.basename, files))
    assert all(part in names for part in ('posenet', 'lstm', 'deeplab')), names
    print(f'{len(sources)} source models told and swept, {len(compiled)} compiled ones told')


main()
