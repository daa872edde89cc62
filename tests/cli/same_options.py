# SPDX-License-Identifier: Apache-2.0
"""Help, man page and completion of each command list the same options, and every example in a help
is a line that the command accepts. The build makes a man page for every command.

usage: same_options.py ATOLL tools/manual/meson.build
"""
import os
import re
import subprocess
import sys

ATOLL, MANUAL = os.path.abspath(sys.argv[1]), sys.argv[2]


def run(*args):
    return subprocess.run([ATOLL, *args], capture_output=True, text=True, check=True).stdout


def commands():
    """Names from the overview: two spaces, the name, two or more spaces."""
    part = run('--help').split('Commands:\n')[1].split('\n\n')[0]
    return [re.match(r'  (\S+(?: \S+)?)  ', line).group(1) for line in part.splitlines()]


def long_options(text):
    return set(re.findall(r'--([a-z0-9][a-z0-9-]*)', text))


def of_help(name):
    part = run(*name.split(), '--help').split('\nOptions:\n')[1].split('\nExample:')[0]
    lines = [line for line in part.splitlines() if re.match(r'\s+-', line)]
    return long_options('\n'.join(line[:32] for line in lines))


def of_man(name):
    page = run('__man', name).replace('\\-', '-').split('.SH OPTIONS')[1].split('.SH EXAMPLE')[0]
    return long_options('\n'.join(line for line in page.splitlines() if line.startswith('.B ')))


def of_completion(name, text):
    matches = re.findall(rf"^    '{re.escape(name)}'\) words='([^']*--help[^']*)'", text, re.M)
    assert len(matches) == 1, name
    return long_options(matches[0])


def completed(completion, *words):
    """What bash offers for the last of the words."""
    script = completion + f"""
COMP_WORDS=(atoll {' '.join(repr(w) for w in words)}); COMP_CWORD={len(words)}
_atoll; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    return subprocess.run(['bash'], input=script, capture_output=True, text=True, check=True).stdout.split()


def check_completion(completion):
    for words, expected in ((('pl',), ['plan']), (('zoo', ''), ['list', 'write']),
                            (('zoo', 'write', '--se'), ['--set']), (('plan', '--cl'), ['--clock']),
                            (('plan', '--clock', ''), ['profile', 'standard', 'max']),
                            (('compile', 'm.tflite', '--est'), ['--estimate'])):
        offered = completed(completion, *words)
        assert offered == expected, f'{words}: offered {offered}'


def main():
    names = commands()
    assert len(names) >= 6
    completion = run('__completion')
    with open(MANUAL, encoding='utf-8') as f:
        listed = re.findall(r"'([^']+)'", re.search(r'tool_commands = \[(.*?)\]', f.read(), re.S).group(1))
    assert sorted(listed) == sorted(names), f'{MANUAL} lists {listed}, the command has {names}'
    for name in names:
        told = of_help(name)
        assert {'help', 'json', 'quiet'} <= told, name
        assert told == of_man(name), f'{name}: help {told}, man {of_man(name)}'
        assert told == of_completion(name, completion), f'{name}: help {told}'
        text = run(*name.split(), '--help')
        assert f'\nExample:\n  $ atoll {name}' in text, name
    check_completion(completion)
    print(f'{len(names)} commands, each with the same options in help, man page and completion')


main()
