# SPDX-License-Identifier: Apache-2.0
"""Every JSON answer of the command holds the fields that scripts rely on, of the agreed kind.

usage: json_fields.py ATOLL
"""
import json
import os
import sqlite3
import subprocess
import sys
import tempfile

ATOLL = os.path.abspath(sys.argv[1])
NUMBER = (int, float)


def or_null(kind):
    return (kind if isinstance(kind, tuple) else (kind,)) + (type(None),)


def run(*args, code=0):
    done = subprocess.run([ATOLL, *args], capture_output=True, text=True, check=False)
    assert done.returncode == code, f'{args}: exit {done.returncode}: {done.stderr}'
    return done.stdout


ORIGINS = ('measured', 'simulated', 'computed')


def has_origin(j, where, said=False):
    """Every number stands in an object that says its origin, or inside such an object."""
    if isinstance(j, dict):
        if 'origin' in j:
            assert j['origin'] in ORIGINS, f'{where}: origin {j["origin"]!r}'
            said = True
        for key, value in j.items():
            has_origin(value, f'{where}.{key}', said)
    elif isinstance(j, list):
        for value in j:
            has_origin(value, f'{where}[]', said)
    else:
        assert said or isinstance(j, bool) or not isinstance(j, NUMBER), f'{where}: no origin'


def answer(command, *args, code=0):
    """The one JSON object of an answer."""
    text = run(*args, '--json', code=code)
    j = json.loads(text)
    assert j['schema'] == f'atoll.{command}/1', j['schema']
    assert isinstance(j['version'], str)
    has_origin(j, command)
    return j


def fields(where, j, kinds):
    for name, kind in kinds.items():
        assert name in j, f'{where}: {name} is missing'
        good = isinstance(j[name], kind) and (kind is bool or not isinstance(j[name], bool)
                                              or kind == or_null(bool))
        assert good, f'{where}: {name} is {j[name]!r}'


def of_list(where, items, kind):
    assert isinstance(items, list), f'{where}: not a list'
    assert all(isinstance(i, kind) for i in items), f'{where}: {items!r}'


PLAN = {'strategy': str, 'latency_us': or_null(NUMBER), 'latency_worst_us': or_null(NUMBER),
        'interval_us': or_null(NUMBER), 'throughput_hz': or_null(NUMBER), 'energy_mj': or_null(NUMBER),
        'energy_u95_mj': or_null(NUMBER), 'lower_bound': or_null(NUMBER), 'gap_frac': or_null(NUMBER),
        'pipelines': list, 'origin': str}
STAGE = {'tpus': list, 'operators': list, 'service_us': NUMBER, 'on_chip_bytes': int,
         'off_chip_bytes': int, 'input_bytes': int, 'output_bytes': int}


def check_plan(j, n_ops):
    fields('plan', j, PLAN)
    assert j['origin'] == 'computed'
    if j.get('skipped'):
        assert j['pipelines'] == [] and j['latency_us'] is None
        return
    rate = 0
    for pipe in j['pipelines']:
        fields('pipeline', pipe, {'model': dict, 'latency_us': NUMBER, 'interval_us': NUMBER,
                                  'stages': list})
        fields('model', pipe['model'], {'path': str, 'sha256': str})
        assert len(pipe['model']['sha256']) == 64
        rate += 1e6 / pipe['interval_us']
        operators = []
        for stage in pipe['stages']:
            fields('stage', stage, STAGE)
            of_list('tpus', stage['tpus'], int)
            operators += stage['operators']
        assert sorted(operators) == list(range(n_ops))
    assert abs(j['throughput_hz'] / rate - 1) < 1e-9
    assert abs(j['interval_us'] * j['throughput_hz'] / 1e6 - 1) < 1e-9
    assert j['latency_worst_us'] >= j['latency_us']


def where_time_goes():
    """What `info` says of time adds up, on a network that streams, on two boards."""
    for board, faster in (('asus_crl_g18u', 'max'), ('usb3_pi4', 'standard')):
        j = answer('info', 'info', 'zoo:inception_v3', '--board', board, '--clock', faster)
        t = j['time']
        fields('time', t, {'board': str, 'latency_us': NUMBER, 'latency_u95_us': NUMBER,
                           'call_us': NUMBER, 'load_us': NUMBER, 'bound_us': dict})
        assert t['board'] == board and t['load_us'] > 0
        close = 1e-9 * t['latency_us']
        assert abs(sum(t['bound_us'].values()) - t['latency_us']) < close, t
        parts = ('call_us', 'input_us', 'compute_us', 'stream_us', 'stream_start_us', 'output_us',
                 'cpu_us')
        assert abs(sum(t[p] for p in parts) - t['latency_us']) < close, t
        assert t['first_latency_us'] == t['latency_us'] + t['load_us']
        us = {op['index']: op['us'] for op in j['operators']}
        assert abs(sum(us.values()) - t['compute_us'] - t['stream_us'] - t['cpu_us']) < close
        assert len(j['costliest']) == 10
        top = [us[i] for i in j['costliest']]
        assert top == sorted(us.values(), reverse=True)[:10]
        for op in j['operators']:
            assert op['bound'] in ('array', 'depthwise', 'vector', 'link', 'free', 'cpu')
            streams = op['on_chip'] is False
            assert streams == (op['stream_bytes'] > 0)
            assert (op['bound'] == 'link') == (op['stream_us'] > op['compute_us'])
            assert op['padding_frac'] is None or 0 <= op['padding_frac'] < 1
        assert any(op['bound'] == 'link' for op in j['operators'])
    text = run('info', 'zoo:inception_v3', '--board', 'asus_crl_g18u', '--top', '3')
    assert 'The 3 costliest operators' in text and 'streamed' in text
    assert 'on chip' in run('info', 'zoo:inception_v3', '--all')
    assert all(w in text for w in ('array:', 'link:', 'call:', 'padding')), text


def zoo_and_info():
    j = answer('zoo', 'zoo', 'list')
    for network in j['networks']:
        fields('network', network, {'name': str, 'parameters': list, 'source': str})
        for parameter in network['parameters']:
            fields('parameter', parameter, {'name': str, 'default': str})
    names = [n['name'] for n in j['networks']]
    assert 'mobilenet_v1' in names and 'cifar_resnet50' in names
    j = answer('zoo', 'zoo', 'write', 'mobilenet_v1', '--set', 'size=96', '--set', 'alpha=0.25',
               '-o', 'm.tflite')
    fields('zoo write', j, {'path': str, 'sha256': str})
    j = answer('info', 'info', 'm.tflite')
    assert j['kind'] == 'tflite'
    fields('totals', j['totals'], {'macs': int, 'weight_bytes': int, 'bias_bytes': int})
    for number, op in enumerate(j['operators']):
        fields('operator', op, {'index': int, 'op': str, 'inputs': list, 'output_shape': list,
                                'output_shapes': list, 'macs': int, 'weight_bytes': int,
                                'bias_bytes': int, 'maps': bool, 'why': or_null(str)})
        assert op['index'] == number and op['maps'] == (op['why'] is None)
        of_list('inputs', op['inputs'], int)
        assert op['output_shapes'][0] == op['output_shape']
    where_time_goes()
    assert j['totals']['macs'] == sum(op['macs'] for op in j['operators'])
    ssd = answer('info', 'info', 'zoo:ssd_mobilenet_v1')
    last = ssd['operators'][-1]
    assert not last['maps'] and last['op'] in last['why']


def split_and_compile():
    j = answer('split', 'split', 'm.tflite', '-n', '2', '-o', 'parts')
    assert [s['path'] for s in j['segments']] == [f'parts/m_segment_{i}_of_2.tflite' for i in (0, 1)]
    for s in j['segments']:
        assert os.path.getsize(s['path']) > 0
        of_list('operators', s['operators'], int)
    j = answer('compile', 'compile', '--estimate', 'zoo:resnet50', '-n', '2')
    assert j['origin'] == 'computed' and len(j['segments']) == 2
    for s in j['segments']:
        fields('segment', s, {'operators': list, 'stored_bytes': int, 'on_chip_bytes': int,
                              'off_chip_bytes': int, 'narrow_bytes_per_tile': int, 'input_bytes': int,
                              'output_bytes': int})
        assert s['stored_bytes'] == s['on_chip_bytes'] + s['off_chip_bytes']
    one = answer('compile', 'compile', '--estimate', 'zoo:resnet50')
    for segment in j['segments'] + one['segments']:
        t = segment['time']
        fields('time', t, {'board': str, 'latency_us': NUMBER, 'latency_u95_us': NUMBER,
                           'service_us': NUMBER, 'load_us': NUMBER, 'family': str})
        assert t['latency_us'] > t['latency_u95_us'] > 0 and t['load_us'] > 0
    assert isinstance(one['assumption'], str) and 'MiB' in one['assumption'], one['assumption']
    assert one['together'] is None
    names = ['zoo:mobilenet_v2', 'zoo:googlenet']
    for order in (names, names[::-1]):
        both = answer('compile', 'compile', '--estimate', *order, '--board', 'usb3_x86')
        alone = [answer('compile', 'compile', '--estimate', n)['segments'][0] for n in order]
        first, second = both['segments']
        assert [s['model'] for s in both['segments']] == order
        assert first['on_chip_bytes'] == min(alone[0]['on_chip_bytes'], first['budget_bytes'])
        assert second['budget_bytes'] == first['budget_bytes'] - first['on_chip_bytes']
        # a dense layer is stored in larger groups when it is cached
        assert abs(second['stored_bytes'] / alone[1]['stored_bytes'] - 1) < 0.02
        shared = both['together']
        fields('together', shared, {'mean_us': NUMBER, 'apart_random_us': NUMBER,
                                    'apart_turns_us': NUMBER, 'reload_us': NUMBER})
        assert abs(shared['apart_turns_us'] - shared['apart_random_us']
                   - shared['reload_us'] / 2) < 1e-6
    run('compile', *names, code=2)
    run('compile', '--estimate', *names, '-n', '2', code=2)
    assert one['segments'][0]['off_chip_bytes'] > 0, 'ResNet-50 does not fit one TPU'


FIGURE = {'predicted': NUMBER, 'predicted_u95': NUMBER, 'found': NUMBER, 'found_u95': NUMBER,
          'error_frac': NUMBER, 'confirmed': bool}
DRAWN = {'objective': str, 'error_frac': NUMBER, 'draws': int, 'seed': int, 'won_frac': NUMBER,
         'regret_mean_frac': NUMBER, 'regret_worst_frac': NUMBER}


def checked_plans():
    """Plans with what runs, drawn errors and changed platforms say about them."""
    args = ('plan', 'zoo:resnet50', '--tpus', '4', '--objective', 'throughput', '--seed', '3',
            '--verify', '--why', '--draws', '50')
    j = answer('plan', *args, '--compare', '--robust', 'mean')
    exact = [p for p in j['plans'] if p['strategy'].split(':')[0] == 'exact']
    assert {p['objective'] for p in exact if 'draw' not in p['strategy']} == {
        'latency', 'throughput', 'energy'}
    rules = {p['strategy']: p['rule_of'] for p in j['plans']}
    for rule in ('libcoral_profiled', 'depth_balanced', 'replicated_bottleneck', 'vendor'):
        assert isinstance(rules[rule], str), rule
    assert rules['exact'] is None
    for p in j['plans']:
        if not p['skipped']:
            assert p['verified']['origin'] == 'simulated'
            for name in ('latency_us', 'throughput_hz', 'energy_mj'):
                fields('verified ' + name, p['verified'][name], FIGURE)
                assert abs(p['verified'][name]['error_frac']) < 0.5, p['strategy']
            fields('sensitivity', p['sensitivity'], DRAWN)
            for stages in (q['stages'] for q in p['pipelines']):
                assert all(-1e-9 <= s['slack_frac'] < 1 for s in stages)
    means = [p['sensitivity']['regret_mean_frac'] for p in j['plans'] if not p['skipped']]
    chosen = j['plans'][j['chosen']]
    assert chosen['sensitivity']['regret_mean_frac'] == min(means)
    changes = {c['change']: c for c in chosen['changes']}
    assert set(changes) >= {'link_twice', 'link_half', 'host_twice', 'host_half', 'clock_half',
                            'memory_twice', 'memory_half', 'one_tpu_less'}, changes
    assert changes['clock_half']['best'] < chosen['throughput_hz'] < changes['link_twice']['best']
    assert changes['one_tpu_less']['kept'] is None
    assert changes['memory_half']['best'] < chosen['throughput_hz'] * 1.001
    assert changes['memory_twice']['best'] > chosen['throughput_hz'] * 0.999
    single = answer('plan', *args)
    fields('verified', single['verified']['energy_mj'], FIGURE)
    assert run(*args, '--json') == run(*args, '--json'), 'the same seed gives the same answer'
    run('plan', 'zoo:resnet50', '--strategy', 'vendor', '--robust', 'mean', code=2)
    with open('measured.yaml', 'w', encoding='utf-8') as f:
        f.write('name: m\nboard: asus_crl_g18u\ndevice: sim\nmeter: none\n'
                'models: [zoo:resnet50]\ntpus: [4]\nstrategies: [vendor]\nrepeats: 2\n'
                'workloads: [{mode: latency, count: 5}, {mode: saturated, count: 20}]\n'
                'keep_timeline: all\n')
    run('bench', 'measured.yaml', '--db', 'measured.db', '--quiet')
    told = ('plan', 'zoo:resnet50', '--tpus', '4', '--strategy', 'vendor', '--measured',
            'measured.db')
    assert answer('plan', *told)['measured']['stages_measured'] == 0, 'simulated times were taken'
    some = answer('plan', *told, '--measured-any')
    fields('measured', some['measured'], {'database': str, 'segments': int, 'runs': int,
                                          'stages_measured': int, 'stages': int})
    assert some['measured']['origin'] == 'simulated'
    assert some['measured']['stages_measured'] == some['measured']['stages'] == 4
    assert some['measured']['runs'] == 4
    run('plan', 'zoo:resnet50', '--measured-any', code=2)


def plans():
    n_ops = len(answer('info', 'info', 'zoo:resnet50')['operators'])
    for strategy in ('single', 'replicas', 'vendor', 'partition:2+2', 'smallest_resident'):
        args = ('plan', 'zoo:resnet50', '--board', 'asus_crl_g18u', '--tpus', '4', '--strategy', strategy)
        j = answer('plan', *args)
        assert j['strategy'] == strategy
        check_plan(j, n_ops)
        assert run(*args, '--json') == run(*args, '--json')
    j = answer('plan', 'plan', 'zoo:resnet50', '--tpus', '8', '--compare')
    assert len([p for p in j['plans'] if p['strategy'].startswith('partition:')]) == 22
    for plan in j['plans']:
        check_plan(plan, n_ops)
    for objective, better in (('latency', min), ('throughput', max), ('energy', min)):
        key = {'latency': 'latency_us', 'throughput': 'throughput_hz', 'energy': 'energy_mj'}[objective]
        values = [p[key] for p in j['plans'] if p[key] is not None]
        assert j['plans'][j['best'][objective]][key] == better(values), objective
    checked_plans()
    j = answer('plan', 'plan', 'zoo:dense_chain?units=1000', '--tpus', '4', '--strategy', 'vendor', code=1)
    assert j['skipped'] and j['energy_mj'] is None
    answer('plan', 'plan', 'zoo:resnet50', '--cuts', '10,20,40', '-o', 'plan.json')
    with open('plan.json', encoding='utf-8') as f:
        check_plan(json.load(f), n_ops)


def devices_and_run():
    j = answer('devices', 'devices')
    names = [b['name'] for b in j['boards']]
    assert {'usb3_x86', 'usb2_x86', 'usb3_pi4', 'usb2_pi3', 'pcie_x86', 'dev_board',
            'dev_board_micro', 'asus_crl_g18u'} <= set(names), names
    for driver in j['drivers']:
        fields('driver', driver, {'name': str, 'available': bool, 'detail': str, 'tpus': or_null(int)})
    assert any(d['name'] == 'sim' and d['available'] for d in j['drivers'])
    for args in (('plan.json',), ('zoo:resnet50', '--tpus', '2', '--strategy', 'replicas')):
        for mode in ('latency', 'saturated', 'rate=30', 'poisson=30'):
            args_all = ('run', *args, '--device', 'sim', '--board', 'asus_crl_g18u', '--count', '50',
                        '--mode', mode, '--seed', '7')
            j = answer('run', *args_all)
            assert j['origin'] == 'simulated'
            fields('run', j, {'latency_us': dict, 'throughput_hz': NUMBER, 'energy_mj': NUMBER,
                              'energy_u95_mj': NUMBER, 'energy_idle_share_frac': or_null(NUMBER),
                              'stages': list})
            fields('latency_us', j['latency_us'],
                   {**dict.fromkeys(('p50', 'min', 'max', 'mean', 'first'), NUMBER),
                    'p90': or_null(NUMBER), 'p99': or_null(NUMBER)})  # null when the runs are too few
            assert j['latency_us']['min'] <= j['latency_us']['p50'] <= j['latency_us']['max']
            assert j['energy_u95_mj'] > 0
            fields('run', j, {'energy_idle_mj': NUMBER, 'energy_above_idle_mj': NUMBER,
                              'energy_above_idle_u95_mj': NUMBER, 'energy_u95_frac': NUMBER, 'meter': dict,
                              'uncertainty': dict, 'ranging': type(None), 'phases': list, 'states': list})
            parts = sum(s['energy_mj'] for s in j['states'] if s['energy_mj'] is not None)
            assert abs(parts / j['energy_mj'] - 1) < 0.02 and len(j['states']) == 5, j['states']
            assert run(*args_all, '--json') == run(*args_all, '--json'), 'the same seed gave another run'
    ranged = answer('run', 'run', 'plan.json', '--mode', 'saturated', '--count', '5',
                    '--meter', 'synth:ina228', '--energy-u95', '0.5%')
    assert 0 < ranged['energy_u95_frac'] <= 0.005 and ranged['ranging']['asked_frac'] == 0.005
    assert ranged['window_s'] >= ranged['ranging']['needed_s']
    answer('run', 'run', 'plan.json', '--count', '20', '--samples', 's.csv')
    with open('s.csv', encoding='utf-8') as f:
        assert f.readline() == 'sample,latency_us\n' and len(f.readlines()) == 20


EXPERIMENT = """name: small
board: asus_crl_g18u
device: sim
meter: synth
models: [zoo:mobilenet_v2?alpha=0.35&size=96, zoo:resnet50]
tpus: [1, 2]
strategies: [single, replicas, vendor, partitions, smallest_resident]
workloads: [{mode: latency, count: 10}, {mode: saturated, count: 20}]
repeats: 2
seed: 1
keep_trace: all
"""


def sweep():
    with open('small.yaml', 'w', encoding='utf-8') as f:
        f.write(EXPERIMENT)
    whole = answer('bench', 'bench', 'small.yaml', '--db', 'whole.db')
    fields('bench', whole, {'units': int, 'done': int, 'already': int, 'skipped': int, 'failed': int,
                            'seconds': NUMBER})
    assert whole['done'] > 0 and whole['failed'] == 0
    run('bench', 'small.yaml', '--db', 'whole.db', code=2)
    for i, seed in enumerate(('2', '3', '2')):
        run('bench', 'small.yaml', '--db', f'seed{i}.db', '--seed', seed, '--quiet')
    drawn = [run('store', 'dump', f'seed{i}.db', '--canonical') for i in (0, 1, 2)]
    assert drawn[0] == drawn[2] != drawn[1], 'the seed decides, and nothing else'
    again = answer('bench', 'bench', 'small.yaml', '--db', 'whole.db', '--resume')
    assert again['done'] == 0 and again['already'] == whole['done']
    for i in (0, 1):
        run('bench', 'small.yaml', '--db', f'part{i}.db', '--shard', f'{i}/2', '--quiet')
    answer('store', 'store', 'merge', 'merged.db', 'part0.db', 'part1.db')
    dump = run('store', 'dump', 'whole.db', '--canonical')
    assert dump and dump == run('store', 'dump', 'merged.db', '--canonical'), 'merged is not single'
    j = answer('report', 'report', 'whole.db', '-o', 'r.html', '--csv', 'csv')
    assert len(j['headline']) == 3 and j['findings'] and j['origin'] == 'simulated'
    for finding in j['findings']:
        fields('finding', finding, {'model': or_null(str), 'topic': str, 'sentence': str,
                                    'beyond_noise': bool})
    assert os.path.getsize('r.html') < 3 << 20
    for name in ('runs.csv', 'segments.csv', 'samples.csv', 'states.csv'):
        assert os.path.getsize(f'csv/{name}') > 0
    run('report', 'whole.db', '--trace', '1', '-o', 't.json')
    with open('t.json', encoding='utf-8') as f:
        assert json.load(f)
    j = answer('compare', 'compare', 'whole.db', 'merged.db')
    assert j['regression'] is False and j['worse'] == 0 and j['origin'] == 'simulated'
    lock = sqlite3.connect('merged.db', isolation_level=None)
    lock.execute('BEGIN EXCLUSIVE')
    run('bench', 'small.yaml', '--db', 'merged.db', '--resume', code=5)
    lock.close()


def regression():
    """Half the clock is slower beyond noise; the other way round it is not worse."""
    for clock in ('max', 'standard'):
        with open('clock.yaml', 'w', encoding='utf-8') as f:
            f.write(EXPERIMENT.replace('repeats: 2', 'repeats: 5').replace('tpus: [1, 2]', 'tpus: [1]')
                    .replace('keep_trace: all', 'keep_trace: none') + f'clock: {clock}\n')
        run('bench', 'clock.yaml', '--db', f'{clock}.db', '--quiet')
    j = answer('compare', 'compare', 'max.db', 'standard.db', code=1)
    assert j['regression'] is True and j['worse'] > 0
    assert all(c['ratio'] > 1 for c in j['changes'] if c['worse'] and c['metric'] == 'p50_us')
    j = answer('compare', 'compare', 'standard.db', 'max.db')
    assert j['regression'] is False and j['better'] > 0


INTERVAL = {'value': NUMBER, 'low95': or_null(NUMBER), 'high95': or_null(NUMBER)}


def accuracy():
    """eval, and run on the host with an image; without the runtime both say so and end with 4."""
    model = 'zoo:cifar_squeezenet1_1?classes=24'
    first = subprocess.run([ATOLL, 'eval', model, '--data', 'generated', '--limit', '40', '--json'],
                           capture_output=True, text=True, check=False)
    if first.returncode == 4:
        assert 'no TFLite runtime' in first.stderr, first.stderr
        print('eval and run on the host: skipped, no TFLite runtime')
        return
    j = answer('eval', 'eval', model, '--data', 'generated', '--limit', '40', '--confusion',
               '--against', model + '&seed=2')
    fields('eval', j, {'images': int, 'top1': dict, 'top5': dict, 'images_per_s': NUMBER,
                       'origin': str, 'kernels': str, 'runtime': str, 'bad': int,
                       'bad_first': or_null(str), 'classes': list, 'confusion': list, 'model': dict})
    assert j['images'] == 40 and j['origin'] == 'measured' and len(j['classes']) == 24
    fields('top1', j['top1'], INTERVAL)
    fields('top5', j['top5'], INTERVAL)
    assert sum(map(sum, j['confusion'])) == 40
    fields('against', j['against'], {'mcnemar_p': NUMBER, 'difference': dict, 'top1': dict,
                                     'both_right': int, 'both_wrong': int})
    run('eval', model, '--data', 'cifar10:/nowhere', code=3)
    run('eval', model, '--data', 'nothing', code=2)
    run('eval', model, code=2)
    run('eval', 'zoo:cifar_squeezenet1_1', '--data', 'generated', '--limit', '5', code=3)
    with open('two.bmp', 'wb') as f:  # 1 x 1 pixel
        f.write(b'BM' + bytes(8) + bytes([54, 0, 0, 0, 40, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 24, 0])
                + bytes(24) + bytes([1, 2, 3, 0]))
    j = answer('run', 'run', model, '--device', 'cpu', '--input', 'two.bmp', '--top', '3', '--output',
               'out.raw')
    fields('run', j, {'latency_us': dict, 'throughput_hz': NUMBER, 'energy_mj': or_null(NUMBER),
                      'stages': list, 'top': list})
    assert j['origin'] == 'measured' and len(j['top']) == 3 and os.path.getsize('out.raw') == 24
    fields('top', j['top'][0], {'class': int, 'label': or_null(str), 'score': NUMBER})
    run('run', model, '--device', 'sim', '--input', 'two.bmp', code=2)
    run('run', model, '--device', 'cpu', '--input', 'out.raw', code=3)


def main():
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        zoo_and_info()
        split_and_compile()
        plans()
        devices_and_run()
        sweep()
        accuracy()
        regression()
        os.chdir('/')
    print('all answers hold their fields')


main()
