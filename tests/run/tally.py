# SPDX-License-Identifier: Apache-2.0
"""Adds up the results that meson left in build trees, lists what failed and what was skipped and
why, and ends with the line "N passed, N failed, N skipped". Exit 1 when anything failed.

usage: tally.py [--ledger FILE.csv] BUILD_DIR... | tally.py --self-test
"""
import datetime
import glob
import json
import os
import platform
import subprocess
import sys
import tempfile

GOOD = {'OK', 'EXPECTEDFAIL'}
SKIPPED = {'SKIP'}


def results(build_dir):
    """Rows of the test logs of a build tree; a tree where nothing ran is a failure."""
    logs = sorted(glob.glob(os.path.join(build_dir, 'meson-logs', 'testlog*.json')))
    rows = []
    for log in logs:
        with open(log, encoding='utf-8') as file:
            rows += [json.loads(line) for line in file if line.strip()]
    return rows or [{'name': 'no test ran', 'result': 'FAIL', 'stdout': ''}]


def reason(row):
    """Last line that the test said."""
    said = (row.get('stdout') or '') + '\n' + (row.get('stderr') or '')
    said = [line.strip() for line in said.split('\n') if line.strip()]
    return said[-1][:200] if said else 'it did not say why'


def tally(build_dirs):
    counts, notes = {'passed': 0, 'failed': 0, 'skipped': 0}, []
    for build_dir in build_dirs:
        for row in results(build_dir):
            if row['result'] in GOOD:
                counts['passed'] += 1
            elif row['result'] in SKIPPED:
                counts['skipped'] += 1
                notes.append(f'skipped: {build_dir}: {row["name"]}: {reason(row)}')
            else:
                counts['failed'] += 1
                notes.append(f'FAILED: {build_dir}: {row["name"]}: {row["result"]}')
    return counts, notes


def append_ledger(path, line):
    """One row by the columns of bench/ledger.csv."""
    commit = subprocess.run(['git', 'rev-parse', '--short', 'HEAD'], capture_output=True, text=True,
                            check=False).stdout.strip()
    machine = f'{platform.machine()} {os.cpu_count()} cores'
    with open(path, 'a', encoding='utf-8') as file:
        passed = line.split()[0]
        file.write(f'{datetime.date.today()},{commit},{machine},check --long,{passed},tests,,"{line}"\n')


def main(argv):
    ledger = None
    if argv[:1] == ['--ledger']:
        ledger, argv = argv[1], argv[2:]
    counts, notes = tally(argv)
    for note in sorted(notes):
        print(note)
    line = ', '.join(f'{n} {what}' for what, n in counts.items())
    if ledger:
        append_ledger(ledger, line)
    print(line)
    return 1 if counts['failed'] or not counts['passed'] else 0


def self_test():
    with tempfile.TemporaryDirectory() as root:
        os.mkdir(os.path.join(root, 'meson-logs'))
        rows = [{'name': 'a', 'result': 'OK'}, {'name': 'b', 'result': 'SKIP', 'stdout': 'no x\n'},
                {'name': 'c', 'result': 'FAIL'}, {'name': 'd', 'result': 'TIMEOUT'},
                {'name': 'e', 'result': 'ERROR'}, {'name': 'f', 'result': 'UNEXPECTEDPASS'},
                {'name': 'g', 'result': 'EXPECTEDFAIL'}]
        with open(os.path.join(root, 'meson-logs', 'testlog.json'), 'w', encoding='utf-8') as file:
            file.writelines(json.dumps(row) + '\n' for row in rows)
        counts, notes = tally([root])
        assert counts == {'passed': 2, 'failed': 4, 'skipped': 1}, counts
        assert f'skipped: {root}: b: no x' in notes, notes
        assert tally([os.path.join(root, 'none')])[0]['failed'] == 1
    print('self-test passed')
    return 0


if __name__ == '__main__':
    sys.exit(self_test() if sys.argv[1:] == ['--self-test'] else main(sys.argv[1:]))
