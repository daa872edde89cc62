# SPDX-License-Identifier: Apache-2.0
"""The committed constants are those of a fresh fit: the fit writes into a scratch tree, and every
number of the table and of the profiles must be within 1 % of the committed one.

usage: fit_again.py FIT SOURCE DATA; 77 when the data are not at hand.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

NUMBER = re.compile(r'-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?')
DATE = re.compile(r'\d{4}-\d{2}-\d{2}')


def differing(name, a, b):
    """Sentences about lines of two texts whose words or numbers differ."""
    lines_a, lines_b = a.splitlines(), b.splitlines()
    if len(lines_a) != len(lines_b):
        return [f'{name}: {len(lines_a)} lines committed, {len(lines_b)} from the fit']
    problems = []
    for number, (x, y) in enumerate(zip(lines_a, lines_b), 1):
        x, y = DATE.sub('', x), DATE.sub('', y)
        if NUMBER.sub('#', x).split() != NUMBER.sub('#', y).split():
            problems.append(f'{name}:{number}: committed {x.strip()!r}, fitted {y.strip()!r}')
            continue
        for p, q in zip(NUMBER.findall(x), NUMBER.findall(y)):
            if abs(float(p) - float(q)) > 0.01 * max(abs(float(p)), abs(float(q))):
                problems.append(f'{name}:{number}: committed {p}, fitted {q}')
    return problems


def main(fit, source, data):
    if not os.path.exists(os.path.join(data, 'board_8tpu.tsv')):
        print(f'skipped: {data}/board_8tpu.tsv is missing')
        return 77
    with tempfile.TemporaryDirectory() as scratch:
        names = ['src/cost/constants_table.h']
        names += ['share/boards/' + n for n in sorted(os.listdir(os.path.join(source, 'share/boards')))]
        for name in names:
            os.makedirs(os.path.dirname(os.path.join(scratch, name)), exist_ok=True)
            shutil.copy(os.path.join(source, name), os.path.join(scratch, name))
        os.makedirs(os.path.join(scratch, 'docs/img'))
        subprocess.run([fit, '--from', data, '--share', os.path.join(source, 'share'), '--no-cross',
                        '--source', scratch], check=True, stdout=subprocess.DEVNULL)
        problems = []
        for name in names:
            with open(os.path.join(source, name)) as a, open(os.path.join(scratch, name)) as b:
                problems += differing(name, a.read(), b.read())
    for problem in problems:
        print(problem)
    print(f'{len(names)} files compared, {len(problems)} differences')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:4]))
