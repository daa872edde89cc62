# SPDX-License-Identifier: Apache-2.0
"""How files look: tabs, blanks at line ends, line length, file length, unique names, licence line,
a final newline, and words that must not stand in the tree.

usage: layout.py ROOT | layout.py --self-test
"""
import collections
import os
import re
import sys

import lines

TEXT = ('.c', '.h', '.py', '.sh', '.js', '.css', '.build', '.yaml', '.md', '.txt')
CODE = ('.c', '.h', '.py', '.sh', '.js', '.css')
MAX_COLUMNS = {'.c': 100, '.h': 100, '.py': 110}
MAX_LINES = 800
UNIQUE_TOPS = ('src', 'tools', 'wire', 'firmware', 'tests', 'bench', 'examples')
SHARED_NAMES = {'meson.build'}
LICENCE = 'SPDX-License-Identifier: Apache-2.0'
UNFINISHED = re.compile(r'\b(TO' r'DO|FIX' r'ME|XX' r'X)\b')


def check_text(path, text):
    suffix = os.path.splitext(path)[1]
    problems = []
    for number, line in enumerate(text.split('\n'), 1):
        where = f'{path}:{number}:'
        if '\t' in line:
            problems.append(f'{where} a tab')
        if line != line.rstrip():
            problems.append(f'{where} blanks at the end of the line')
        if len(line) > MAX_COLUMNS.get(suffix, 10000):
            problems.append(f'{where} {len(line)} columns (at most {MAX_COLUMNS[suffix]})')
        if suffix in CODE and UNFINISHED.search(line):
            problems.append(f'{where} unfinished work')
    if text and not text.endswith('\n'):
        problems.append(f'{path}: no newline at the end')
    if suffix in CODE and LICENCE not in text[:400]:
        problems.append(f'{path}: no line with {LICENCE}')
    if suffix in ('.c', '.h') and text.count('\n') > MAX_LINES:
        problems.append(f'{path}: {text.count(chr(10))} lines (at most {MAX_LINES})')
    return problems


def check(root):
    problems, places = [], collections.defaultdict(list)
    for path in lines.tree_files(root):
        parts = path.split(os.sep)
        if not path.endswith(TEXT) or 'corpus' in parts or 'data' in parts:
            continue
        problems += check_text(path, lines.read(root, path))
        if path.endswith(lines.C_SUFFIXES) and parts[0] in UNIQUE_TOPS:
            places[parts[-1]].append(path)
    for name, paths in sorted(places.items()):
        if len(paths) > 1 and name not in SHARED_NAMES:
            problems.append(f'{name}: the name stands twice: {", ".join(paths)}')
    return problems


def self_test():
    head = f'/* {LICENCE} */\n'

    def planted(files, words):
        lines.expect(check, files, words)

    planted({'src/a/a.c': head + 'int a;\n'}, None)
    planted({'src/a/a.c': head + '\tint a;\n'}, 'a.c:2: a tab')
    planted({'src/a/a.c': head + 'int a; \n'}, 'blanks at the end')
    planted({'src/a/a.c': head + 'x' * (MAX_COLUMNS['.c'] + 1) + '\n'}, 'columns (at most')
    planted({'docs/a.md': 'x' * 300 + '\n'}, None)
    planted({'src/a/a.c': head + 'int a;'}, 'no newline')
    planted({'src/a/a.c': 'int a;\n'}, 'no line with SPDX')
    planted({'src/a/a.c': head + '/* TO' 'DO */\n'}, 'unfinished')
    planted({'src/a/a.c': head + '\n' * 800}, '801 lines')
    planted({'src/a/x.c': head, 'src/b/x.c': head}, 'stands twice')
    planted({'src/a/x.c': head, 'build-dev/x.c': ''}, None)
    planted({'include/atoll/x.h': head, 'include/atoll/impl/x.h': head}, None)
    print('self-test passed')
    return 0


if __name__ == '__main__':
    sys.exit(self_test() if sys.argv[1] == '--self-test' else lines.report(check(sys.argv[1])))
