# SPDX-License-Identifier: Apache-2.0
"""Every `build/atoll ...` line of the README and every example of a help runs as it stands.

usage: readme_commands.py ATOLL SOURCE_ROOT
"""
import os
import re
import shlex
import subprocess
import sys
import tempfile

ATOLL, ROOT = os.path.abspath(sys.argv[1]), sys.argv[2]
# Examples that need a results database, which is made first, or run for longer than a test may.
NEEDS_DB = ('report', 'store', 'compare')


def run(line, where):
    words = shlex.split(line)
    done = subprocess.run([ATOLL, *words[1:]], capture_output=True, text=True, cwd=where, check=False)
    if done.returncode == 4 and 'no TFLite runtime' in done.stderr:
        print(f'not run, there is no TFLite runtime: {line}')
        return
    if done.returncode == 3 and 'was built without training' in done.stderr:
        print(f'not run, built without training: {line}')
        return
    assert done.returncode == 0, f'{line}\n  exit {done.returncode}: {done.stderr}'
    assert done.stdout or done.stderr, f'{line}: said nothing'


def readme_lines():
    with open(os.path.join(ROOT, 'README.md'), encoding='utf-8') as f:
        blocks = re.findall(r'```sh\n(.*?)```', f.read(), re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith('build/atoll ')]


def examples():
    overview = subprocess.run([ATOLL, '--help'], capture_output=True, text=True, check=True).stdout
    part = overview.split('Commands:\n')[1].split('\n\n')[0]
    names = re.findall(r'^  ([a-z]+(?: [a-z]+)?)  ', part, re.M)
    for name in names:
        text = subprocess.run([ATOLL, *name.split(), '--help'], capture_output=True, text=True,
                              check=True).stdout
        yield from (line.strip()[2:] for line in text.splitlines() if line.strip().startswith('$ atoll '))


def main():
    lines = readme_lines()
    assert len(lines) >= 3, lines
    with tempfile.TemporaryDirectory() as work:
        for line in lines:
            run(line, work)
        n = 0
        for line in examples():
            # power needs a meter: tests/firmware/cli_power.py
            if line.split()[1] not in NEEDS_DB + ('bench', 'power'):
                run(line, work)
                n += 1
    print(f'{len(lines)} lines of the README and {n} examples of the helps ran')


main()
