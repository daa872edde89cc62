# SPDX-License-Identifier: Apache-2.0
"""Tables and ledger rows of bench_rivals.

usage: bench_rivals > rivals.tsv
       rivals.py rivals.tsv --docs docs/method-plan.md
       rivals.py rivals.tsv --ledger bench/ledger.csv COMMIT "MACHINE"

The tables stand in the page between the lines `rivals: begin` and `rivals: end`.
"""
import csv
import datetime
import math
import sys

BEGIN, END = '<!-- rivals: begin -->', '<!-- rivals: end -->'
BOARDS = ('asus_crl_g18u', 'pcie_x86', 'usb3_x86')
OBJECTIVES = ('latency', 'throughput', 'energy')
RULES = (('vendor', "compiler's cuts"), ('replicas', 'replicas'),
         ('smallest_resident', 'smallest resident'), ('libcoral_profiled', 'libcoral profiled'),
         ('depth_balanced', 'depth-balanced'), ('replicated_bottleneck', 'replicated bottleneck'))
SHOWN = ('mobilenet_v1', 'efficientnet_lite0', 'resnet18', 'resnet50', 'resnet101', 'resnet152',
         'googlenet', 'bn_inception', 'inception_v3', 'inception_v4', 'inception_resnet_v2',
         'densenet121', 'densenet201', 'xception', 'vgg16', 'ssd_mobilenet_v1')


def read(path):
    """{(network, board, tpus, objective): {strategy: figure of it / figure of exact}}"""
    cases = {}
    with open(path, encoding='utf-8') as f:
        for network, board, tpus, objective, strategy, rival, exact, _ in csv.reader(
                f, delimiter='\t'):
            gains = cases.setdefault((network, board, int(tpus), objective), {})
            gains[strategy] = float(rival) / float(exact)
    return cases


def mean(values):
    return math.exp(sum(map(math.log, values)) / len(values)) if values else math.nan


def best(gains):
    return min(gains.values())


def of_board(cases, board, objective):
    return [g for (_, b, _, o), g in cases.items() if (b, o) == (board, objective)]


def board_table(cases):
    heads = ['best of all'] + [name for _, name in RULES]
    lines = ['| board | objective | ' + ' | '.join(heads) + ' |', '|---|---|' + '---|' * len(heads)]
    for board in BOARDS:
        for objective in OBJECTIVES:
            gains = of_board(cases, board, objective)
            cells = []
            for values in [[best(g) for g in gains]] + [[g[r] for g in gains if r in g]
                                                        for r, _ in RULES]:
                cells.append(f'{mean(values):.2f} ({max(values):.1f})')
            lines.append(f'| {board} | {objective} | ' + ' | '.join(cells) + ' |')
    return lines


def network_table(cases):
    lines = ['| network | ' + ' | '.join(OBJECTIVES) + ' |', '|---|---|---|---|']
    for network in SHOWN:
        cells = []
        for objective in OBJECTIVES:
            gains = cases.get((network, BOARDS[0], 8, objective))
            if gains:
                name = min(gains, key=gains.get)
                cells.append(f'{gains[name]:.2f} ({name})')
        if cells:
            lines.append(f'| {network} | ' + ' | '.join(cells) + ' |')
    return lines


def page(cases):
    gains = [best(g) for g in cases.values()]
    networks = len({key[0] for key in cases})
    return [
        BEGIN,
        f'{networks} networks of the zoo x 1..8 TPUs x {len(BOARDS)} boards x 3 objectives: '
        f'{len(cases)} cases, {sum(len(g) for g in cases.values())} pairs (`bench_rivals`, sticks '
        f'on `usb3_x86` and `pcie_x86` taken as 8). `exact` is worse than a rival in '
        f'{sum(g < 1 - 1e-9 for g in gains)} cases and better than the best of them in '
        f'{sum(g > 1 + 1e-3 for g in gains)} (by more than 0.1 %). Geometric mean of figure of the '
        'rival / figure of `exact` where the rival has a result, and the largest in brackets:', '',
        *board_table(cases), '',
        f'Eight TPUs of {BOARDS[0]}, gain over the best rival (its name):', '',
        *network_table(cases), END]


def write_docs(path, cases):
    with open(path, encoding='utf-8') as f:
        text = f.read()
    head, rest = text.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    with open(path, 'w', encoding='utf-8') as f:
        f.write(head + '\n'.join(page(cases)) + tail)


def write_ledger(path, cases, commit, machine):
    day = datetime.date.today().isoformat()
    networks = len({key[0] for key in cases})
    rows = [('rivals_exact_worse', sum(best(g) < 1 - 1e-9 for g in cases.values()), 'cases', '',
             f'of {len(cases)}: {networks} networks x 1..8 TPUs x 3 boards x 3 objectives')]
    for objective in OBJECTIVES:
        gains = of_board(cases, BOARDS[0], objective)
        note = f'{BOARDS[0]}; geometric mean; figure of the rival / of exact; computed'
        rows.append((f'exact_over_best_of_all_{objective}', f'{mean([best(g) for g in gains]):.3f}',
                     'ratio', '', note))
        for rule, _ in RULES:
            values = [g[rule] for g in gains if rule in g]
            rows.append((f'exact_over_{rule}_{objective}', f'{mean(values):.3f}', 'ratio', '',
                         f'{note}; {len(values)} cases with a result, largest {max(values):.2f}'))
    with open(path, 'a', encoding='utf-8', newline='') as f:
        out = csv.writer(f, lineterminator='\n')
        for name, value, unit, ratio, note in rows:
            out.writerow([day, commit, machine, name, value, unit, ratio, note])


def main():
    cases = read(sys.argv[1])
    if sys.argv[2] == '--docs':
        write_docs(sys.argv[3], cases)
    else:
        write_ledger(sys.argv[3], cases, sys.argv[4], sys.argv[5])


if __name__ == '__main__':
    main()
