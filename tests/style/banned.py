# SPDX-License-Identifier: Apache-2.0
"""Calls that must not be made, by the list in tests/style/banned.tsv.

usage: banned.py ROOT | banned.py --self-test
"""
import re
import sys

import lines

LIST = 'tests/style/banned.tsv'


def read_list(text):
    rows = [line.split('\t') for line in text.splitlines() if line and not line.startswith('#')]
    return {name: (where.split(), allowed.split(), why) for name, where, allowed, why in rows}


def check(root):
    banned = read_list(lines.read(root, LIST))
    call = re.compile(r'(?<![\w.>])(' + '|'.join(map(re.escape, banned)) + r')[ \t]*\(')
    tops = sorted({top for where, _, _ in banned.values() for top in where})
    problems = []
    for path in lines.tree_files(root, tops):
        if not path.endswith(lines.C_SUFFIXES):
            continue
        code = lines.code_only(lines.read(root, path))
        for found in call.finditer(code):
            where, allowed, why = banned[found.group(1)]
            if path.split('/')[0] in where and path not in allowed:
                line = code.count('\n', 0, found.start()) + 1
                problems.append(f'{path}:{line}: calls {found.group(1)}: {why}')
    return problems


def self_test():
    table = 'exit\tsrc wire\t-\tends\nfree\tsrc\tsrc/base/alloc.c\tours\nstrcpy\tsrc tools\t-\tno bound\n'

    def planted(path, text, words):
        lines.expect(check, {LIST: table, path: text}, words)

    planted('src/a/a.c', 'f();\nexit(1);\n', 'a.c:2: calls exit: ends')
    planted('wire/a.h', 'exit (1);\n', 'calls exit')
    planted('tools/a.c', 'exit(1); strcpy(a, b);\n', 'calls strcpy')
    planted('src/a/a.c', '/* exit(1) */ // exit(2)\n"exit(3)"; x_exit(4); p->exit(5); exit_now(6);\n', None)
    planted('src/a/a.c', '/* " */ exit(1); /* " */\n', 'calls exit')
    planted('src/base/alloc.c', 'free(p);\n', None)
    planted('src/a/a.c', 'free(p);\n', 'calls free')
    planted('tests/a.c', 'free(p);\n', None)
    print('self-test passed')
    return 0


if __name__ == '__main__':
    sys.exit(self_test() if sys.argv[1] == '--self-test' else lines.report(check(sys.argv[1])))
