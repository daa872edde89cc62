# SPDX-License-Identifier: Apache-2.0
"""What the style checks share: the files of the tree, C text without comments and strings."""
import os
import re
import sys

C_SUFFIXES = ('.c', '.h')
SKIPPED_DIRS = {'.git', '.cache', '__pycache__', 'subprojects'}


def tree_files(root, dirs=('.',)):
    """Paths of all files below `dirs`, relative to root, sorted; build trees are left out."""
    found = []
    for top in dirs:
        for here, names, files in os.walk(os.path.join(root, top)):
            names[:] = sorted(n for n in names if n not in SKIPPED_DIRS and not n.startswith('build'))
            for name in files:
                found.append(os.path.relpath(os.path.join(here, name), root))
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding='utf-8', errors='surrogateescape') as file:
        return file.read()


_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code_only(text):
    """C text with comments and literals blanked; line numbers stay."""
    return _TOKEN.sub(lambda m: re.sub(r'[^\n]', ' ', m.group(0)), text)


def report(problems):
    """Prints each problem on a line; the exit code of the check."""
    for problem in problems:
        print(problem)
    print(f'{len(problems)} problems')
    return 1 if problems else 0


def plant(root, files):
    """Writes the files of a planted tree: path -> text."""
    for path, text in files.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, 'w', encoding='utf-8') as file:
            file.write(text)


def expect(check, files, words):
    """Self-test: `check(root)` on a planted tree finds exactly one problem, which has `words` in
    it; words None: it finds none."""
    import tempfile
    with tempfile.TemporaryDirectory() as root:
        plant(root, files)
        problems = check(root)
    good = not problems if words is None else len(problems) == 1 and words in problems[0]
    if not good:
        sys.exit(f'self-test: expected {words!r}, found {problems!r} in {sorted(files)}')
