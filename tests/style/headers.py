# SPDX-License-Identifier: Apache-2.0
"""Each public header compiles alone, as C17 and as C++17, without a warning.

usage: headers.py ROOT CC [CXX] | headers.py --self-test CC [CXX]
"""
import os
import subprocess
import sys

import lines

FLAGS = ['-fsyntax-only', '-Wall', '-Wextra', '-Wpedantic', '-Werror', '-Iinclude', '-Iwire']


def compile_alone(root, header, command, language):
    source = f'#include "{header}"\nextern int not_an_empty_file;\n'
    result = subprocess.run(command + language + FLAGS + ['-'], input=source, text=True, cwd=root,
                            capture_output=True, check=False)
    first = result.stderr.strip().split('\n')[0]
    return None if result.returncode == 0 else f'{header}: as {language[-1]}: {first}'


def check(root, cc, cxx):
    problems = []
    for path in lines.tree_files(root, ('include', 'wire')):
        if not path.endswith('.h'):
            continue
        header = os.path.relpath(path, 'include') if path.startswith('include') else path
        header = os.path.relpath(header, 'wire') if header.startswith('wire') else header
        found = [compile_alone(root, header, cc, ['-x', 'c', '-std=c17'])]
        if cxx:
            found.append(compile_alone(root, header, cxx, ['-x', 'c++', '-std=c++17']))
        problems += [sentence for sentence in found if sentence]
    return problems


def self_test(cc, cxx):
    def planted(text, words, with_cxx=cxx):
        files = {'include/atoll/a.h': text, 'wire/w.h': ''}
        lines.expect(lambda root: check(root, cc, with_cxx), files, words)

    planted('#include <stdint.h>\nuint8_t f(void);\n', None)
    planted('uint8_t f(void);\n', 'as -std=c17', None)
    planted('static inline int f(int *class) { return class[0]; }\n', None, None)
    if cxx:
        planted('static inline int f(int *class) { return class[0]; }\n', 'as -std=c++17')
    print('self-test passed')
    return 0


def main(argv):
    cc = argv[1].split()
    cxx = argv[2].split() if len(argv) > 2 else None
    return self_test(cc, cxx) if argv[0] == '--self-test' else lines.report(check(argv[0], cc, cxx))


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
