# SPDX-License-Identifier: Apache-2.0
"""atoll train as a user meets it: answers, files, a kill in the middle, what is refused; then what it
made in a sweep with its accuracy, and in the report.

usage: training.py ATOLL
"""
import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

ATOLL = os.path.abspath(sys.argv[1])
NUMBER = (int, float)
NETWORK = """name: small
input: [32, 32, 3]
layers:
  - {op: conv, filters: 16, kernel: 3, stride: 2, norm: true, activation: relu}
  - {op: conv, filters: 24, kernel: 3, stride: 2, norm: true, activation: relu}
  - {op: global_pool}
  - {op: dense, units: UNITS}
"""
PLAIN = ('train', 'net.yaml', '--data', 'generated', '--threads', '1')
TRAIN = (*PLAIN, '--limit', '640')
LONG = (*PLAIN, '--limit', '2560', '--epochs', '5')


def call(*args, code=0):
    done = subprocess.run([ATOLL, *args], capture_output=True, text=True, check=False)
    assert done.returncode == code, f'{args}: exit {done.returncode}: {done.stderr}'
    return done


def answer(command, *args):
    j = json.loads(call(*args, '--json').stdout)
    assert j['schema'] == f'atoll.{command}/1' and isinstance(j['version'], str)
    return j


def write(name, text):
    with open(name, 'w', encoding='utf-8') as f:
        f.write(text)


def fields_and_files():
    j = answer('train', *TRAIN, '--epochs', '2', '-o', 'a', '--db', 'a.db')
    kinds = {'origin': str, 'network': str, 'parameters': int, 'data': str, 'directory': str,
             'seed': int, 'threads': int, 'kernels': str, 'epochs': int, 'seconds': NUMBER,
             'key': str, 'weights_sha256': str, 'images': int, 'top1': dict, 'history': list,
             'resumed_epochs': int, 'bad': int}
    for name, kind in kinds.items():
        assert isinstance(j[name], kind), f'{name}: {j[name]!r}'
    assert j['origin'] == 'measured' and j['epochs'] == 2 and j['threads'] == 1
    assert j['top1']['low95'] <= j['top1']['value'] <= j['top1']['high95']
    for i, epoch in enumerate(j['history']):
        assert epoch['epoch'] == i + 1
        for name in ('rate', 'loss', 'accuracy_frac', 'validation_loss',
                     'validation_accuracy_frac', 'seconds'):
            assert isinstance(epoch[name], NUMBER), name
    for name in ('model.tflite', 'model_int8.tflite', 'checkpoint', 'history.csv'):
        assert os.path.getsize(os.path.join('a', name)) > 0
    with open('a/history.csv', encoding='utf-8', newline='') as f:
        rows = list(csv.DictReader(f))
    assert [r['epoch'] for r in rows] == ['1', '2']
    assert float(rows[1]['loss']) == j['history'][1]['loss']
    tables = [json.loads(line)['table'] for line in call('store', 'dump', 'a.db').stdout.splitlines()]
    assert tables == ['training', 'epoch', 'epoch'], tables
    return j


def going_on(first):
    """A finished training is not repeated; one of another kind is refused, or written over."""
    again = answer('train', *TRAIN, '--epochs', '2', '-o', 'a', '--db', 'a.db', '--resume')
    assert again['resumed_epochs'] == 2 and again['seconds'] == 0
    assert again['weights_sha256'] == first['weights_sha256'] and again['key'] == first['key']
    other = (*TRAIN, '--epochs', '1', '-o', 'a', '--resume')
    assert 'another run' in call(*other, code=3).stderr
    done = call(*other, '--discard', '--json')
    assert 'started anew' in done.stderr and json.loads(done.stdout)['resumed_epochs'] == 0


def killed():
    """kill -9 after the first checkpoint: the rest gives the weights of the unbroken run."""
    whole = answer('train', *LONG, '-o', 'whole')
    with subprocess.Popen([ATOLL, *LONG, '-o', 'broken', '--quiet'], stdout=subprocess.DEVNULL) as p:
        for _ in range(6000):
            if os.path.exists('broken/checkpoint'):
                break
            time.sleep(0.01)
        p.send_signal(signal.SIGKILL)
        killed_it = p.wait() == -signal.SIGKILL
    rest = answer('train', *LONG, '-o', 'broken', '--resume')
    assert not killed_it or 1 <= rest['resumed_epochs'] <= 5, rest['resumed_epochs']
    assert rest['weights_sha256'] == whole['weights_sha256'], 'resumed is not unbroken'
    with open('whole/model_int8.tflite', 'rb') as a, open('broken/model_int8.tflite', 'rb') as b:
        assert a.read() == b.read()


def refused():
    write('seven.yaml', NETWORK.replace('UNITS', '7'))
    write('wild.yaml', 'rate: 1000\nwarm_up_frac: 0\nweight_decay: 1\n')
    write('typo.yaml', 'epoch: 3\n')
    write('layer.yaml', NETWORK.replace('kernel: 3', 'kernel: 0', 1).replace('UNITS', '24'))
    data = ('--data', 'generated', '--limit', '64', '-o', 'x')
    assert '7 classes' in call('train', 'seven.yaml', *data, code=3).stderr
    wild = ('--data', 'generated', '--limit', '1280', '-o', 'x', '-r', 'wild.yaml')
    assert 'not a number' in call('train', 'net.yaml', *wild, code=3).stderr
    assert not os.path.exists('x/model.tflite')
    assert 'typo.yaml:1: epoch' in call('train', 'net.yaml', *data, '-r', 'typo.yaml', code=3).stderr
    assert 'layer.yaml:4' in call('train', 'layer.yaml', *data, code=3).stderr
    assert '--data' in call('train', 'net.yaml', '-o', 'x', code=2).stderr
    assert 'unet' in call('train', 'zoo:unet_mobilenet_v2', *data, code=3).stderr
    call('train', 'net.yaml', '--data', 'nothing', '-o', 'x', code=2)
    call('train', 'none.yaml', *data, code=3)


def bad_image():
    """A corrupt picture is named; eval may leave it out, and then counts it."""
    for label in range(2):
        os.makedirs(f'set/{label}')
        for i in range(40):
            head = bytes([54, 0, 0, 0, 40, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 24, 0])
            with open(f'set/{label}/{i:02}.bmp', 'wb') as f:
                f.write(b'BM' + bytes(8) + head + bytes(24) + bytes([label * 200, i, 0, 0]))
    with open('set/1/07.bmp', 'wb') as f:
        f.write(b'BM broken')
    write('set.yaml', 'images: set\ntest_frac: 0.2\n')
    write('two.yaml', NETWORK.replace('UNITS', '2'))
    write('b.yaml', 'batch: 16\n')
    done = call('train', 'two.yaml', '--data', 'set.yaml', '-r', 'b.yaml', '-e', '1', '-o', 'y', code=3)
    assert '07.bmp' in done.stderr, done.stderr
    j = answer('train', 'train', 'two.yaml', '--data', 'set.yaml', '-r', 'b.yaml', '-e', '1', '-o', 'y',
               '--skip-bad')
    assert j['bad'] == 1
    os.remove('set/1/07.bmp')
    call('train', 'two.yaml', '--data', 'set.yaml', '-r', 'b.yaml', '-e', '1', '-o', 'y')
    with open('set/1/07.bmp', 'wb') as f:
        f.write(b'BM broken')
    whole = ('eval', 'y/model_int8.tflite', '--data', 'folder:set')
    done = subprocess.run([ATOLL, *whole], capture_output=True, text=True, check=False)
    if done.returncode == 4:
        assert 'no TFLite runtime' in done.stderr
        return False
    assert done.returncode == 3 and '07.bmp' in done.stderr, done.stderr
    j = answer('eval', *whole, '--skip-bad')
    assert j['images'] == 79 and j['bad'] == 1 and '07.bmp' in j['bad_first']
    return True


def in_a_sweep():
    """The trained network beside another, with its accuracy, and its epochs in the report."""
    write('e.yaml', 'name: t\nboard: usb3_x86\nmeter: synth\ntpus: 1\nstrategies: [single]\n'
                    'workloads: [{mode: latency, count: 5}]\nrepeats: 2\n'
                    'models: [zoo:mobilenet_v1, {model: whole/model_int8.tflite, accuracy: '
                    '{data: generated, limit: 200}}]\n')
    j = answer('bench', 'bench', 'e.yaml', '--db', 'e.db')
    assert j['evaluated'] == 1 and j['failed'] == 0
    call(*LONG, '-o', 'whole', '--resume', '--db', 'e.db')
    rows = [json.loads(line) for line in call('store', 'dump', 'e.db', '--canonical').stdout.splitlines()]
    y = next(r for r in rows if r['table'] == 'accuracy')
    t = next(r for r in rows if r['table'] == 'training')
    m = next(r for r in rows if r['table'] == 'model' and 'whole' in r['spec'])
    assert m['sha256'] == t['int8_sha256'] and y['images'] == 200
    assert 'host' not in y and 'seconds' not in y and 'host' not in t
    again = answer('eval', 'eval', 'whole/model_int8.tflite', '--data', 'generated', '--limit', '200')
    assert again['top1']['value'] == y['top1']
    call('store', 'merge', 'merged.db', 'e.db', 'a.db')
    call('report', 'e.db', '-o', 'r.html', '--csv', 'csv')
    with open('r.html', encoding='utf-8') as f:
        page = f.read()
    at = page.index('"trainings":')
    assert page[at:at + 20].startswith('"trainings":[{"m":0') and 'Right on' in page, page[at:at + 200]
    with open('csv/accuracy.csv', encoding='utf-8', newline='') as f:
        assert float(next(csv.DictReader(f))['top1']) == y['top1']
    with open('csv/epochs.csv', encoding='utf-8', newline='') as f:
        assert [r['epoch'] for r in csv.DictReader(f)] == ['1', '2', '3', '4', '5']
    write('crash.tflite', 'no model')
    call('eval', 'crash.tflite', '--data', 'generated', code=3)


def main():
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        write('net.yaml', NETWORK.replace('UNITS', '24'))
        done = subprocess.run([ATOLL, *TRAIN, '-e', '1', '-o', 'z'], capture_output=True, text=True,
                              check=False)
        if done.returncode == 3 and 'libdnnl-dev' in done.stderr:
            print('skipped: built without training (libdnnl-dev)')
            sys.exit(77)
        going_on(fields_and_files())
        killed()
        refused()
        if bad_image():
            in_a_sweep()
        else:
            print('the sweep with accuracy: skipped, no TFLite runtime')
        os.chdir('/')
    print('training behaves')


main()
