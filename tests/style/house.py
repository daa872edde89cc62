# SPDX-License-Identifier: Apache-2.0
"""The include rule: each room includes only what docs/house.tsv allows it.

usage: house.py ROOT | house.py --self-test
"""
import os
import re
import sys

import lines

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
# All that freestanding C offers; wire/ runs on microcontrollers without a C library.
FREESTANDING = {'float.h', 'iso646.h', 'limits.h', 'stdalign.h', 'stdarg.h', 'stdbool.h', 'stddef.h',
                'stdint.h', 'stdnoreturn.h'}


class House:
    def __init__(self, text):
        self.rows, self.header_room, self.library = {}, {}, {}
        for line in text.splitlines():
            if not line or line.startswith('#'):
                continue
            kind, name, includes, headers = line.split('\t')
            names = [] if includes == '-' else includes.split()
            if kind == 'library':
                self.library[name] = set(names)
                continue
            self.rows[name] = names
            for header in [name] + ([] if headers == '-' else headers.split()):
                self.header_room[header] = name

    def allowed(self, room):
        """The room itself, base, its row and the rows of those rooms. wire stands alone."""
        seen, todo = set(), [room] + ([] if room in ('wire', 'firmware') else ['base'])
        while todo:
            at = todo.pop()
            if at not in seen:
                seen.add(at)
                todo += self.rows[at]
        return seen


def room_of(path, house):
    """Room that a file belongs to; 'tools' and 'public' are not rooms. None: not ours to check."""
    parts = path.split(os.sep)
    if parts[0] == 'src' and len(parts) > 2:
        return parts[1]
    if parts[0] == 'include':
        return house.header_room.get(os.path.splitext(parts[-1])[0], parts[-1])
    return parts[0] if parts[0] in ('wire', 'firmware', 'tools') else None


def target_room(root, path, room, mark, target, house):
    """Room of an included header of ours, or None for a header of the system or a library. A header
    that the build makes carries its room's name in front."""
    if target.startswith('atoll/'):
        name = os.path.splitext(os.path.basename(target))[0]
        return house.header_room.get(name, name)
    if target.startswith('src/'):
        return target.split('/')[1]
    if os.path.exists(os.path.join(root, 'wire', target)):
        return 'wire'
    beside = os.path.exists(os.path.join(root, os.path.dirname(path), target))
    if mark == '<' or beside or target.startswith(room + '_'):
        return None
    return 'unknown'


def check_include(root, path, room, mark, target, house):
    """A sentence when the include is not allowed, else None."""
    to = target_room(root, path, room, mark, target, house)
    if to is not None and to not in house.rows:
        return f'includes {target}, which belongs to no room of docs/house.tsv'
    if room == 'tools':
        if target.startswith('src/') or target.startswith('atoll/impl/'):
            return f'includes {target} (the command uses the public headers only)'
        return f'includes the library {target}' if target in house.library else None
    if to is not None and to not in house.allowed(room):
        return f'room {room} includes {target} of room {to}'
    if target.startswith('src/') and to != room:
        return f'includes {target}, which is private to room {to}'
    if target in house.library and room not in house.library[target]:
        return f'room {room} includes the library {target}'
    if room == 'wire' and to is None and mark == '<' and target not in FREESTANDING:
        return f'room wire includes {target} (freestanding headers only)'
    if mark == '"' and '..' in target.split('/'):
        return f'includes {target} through another directory'
    return None


def check(root):
    house = House(lines.read(root, 'docs/house.tsv'))
    problems = []
    for path in lines.tree_files(root, ('src', 'include', 'wire', 'tools', 'firmware')):
        room = room_of(path, house)
        if room is None or not path.endswith(lines.C_SUFFIXES):
            continue
        if room != 'tools' and room not in house.rows:
            problems.append(f'{path}: room {room} is not in docs/house.tsv')
            continue
        text = lines.read(root, path)
        for found in INCLUDE.finditer(text):
            sentence = check_include(root, path, room, found.group(1), found.group(2), house)
            if sentence:
                problems.append(f'{path}:{text.count(chr(10), 0, found.start()) + 1}: {sentence}')
    return problems


def self_test():
    table = ('room\tbase\t-\tjson\nroom\twire\t-\t-\nroom\tmodel\tbase\t-\nroom\tcost\tmodel\t-\n'
             'room\tplan\tcost\t-\nroom\tpower\twire\t-\nlibrary\tyaml.h\tbase\t-\n')

    def planted(path, text, words, **more):
        lines.expect(check, {'docs/house.tsv': table, path: text, **more}, words)

    planted('src/plan/a.c', '#include <atoll/cost.h>\n#include <atoll/model.h>\n#include <atoll/json.h>\n'
            '#include <stdio.h>\n', None)
    planted('src/model/a.c', '\n#include <atoll/plan.h>\n', 'a.c:2: room model includes atoll/plan.h')
    planted('src/cost/a.c', '#include <atoll/power.h>\n', 'of room power')
    planted('src/cost/a.c', '#include <yaml.h>\n', 'the library yaml.h')
    planted('src/base/a.c', '#include <yaml.h>\n', None)
    planted('src/cost/a.c', '#include "src/cost/cost_config.h"\n', None)
    planted('src/cost/a.c', '#include "src/model/model_internal.h"\n', 'private to room model')
    planted('src/model/a.c', '#include "src/cost/cost_internal.h"\n', 'of room cost')
    planted('src/cost/a.c', '#include "plan_internal.h"\n', 'belongs to no room')
    planted('src/cost/a.c', '#include "cost_made_by_the_build.h"\n', None)
    planted('src/cost/a.c', '#include "../model/x.h"\n', 'through another', **{'src/model/x.h': ''})
    planted('src/garden/a.c', '', 'room garden is not in')
    planted('include/atoll/model.h', '#include <atoll/cost.h>\n', 'room model includes')
    planted('include/atoll/garden.h', '', 'is not in docs/house.tsv')
    planted('include/atoll/impl/cost.h', '#include <atoll/plan.h>\n', 'room cost includes')
    planted('wire/frame.c', '#include <stdint.h>\n#include "frame.h"\n', None, **{'wire/frame.h': ''})
    planted('wire/frame.c', '#include <string.h>\n', 'freestanding')
    planted('wire/frame.c', '#include <atoll/base.h>\n', 'of room base')
    planted('src/power/a.c', '#include <frame.h>\n#include <atoll/base.h>\n', None, **{'wire/frame.h': ''})
    planted('src/plan/a.c', '#include <frame.h>\n', 'of room wire', **{'wire/frame.h': ''})
    planted('tools/a.c', '#include <atoll/plan.h>\n', None)
    planted('tools/a.c', '#include <atoll/impl/plan.h>\n', 'public headers only')
    planted('tools/a.c', '#include "src/plan/x.h"\n', 'public headers only')
    print('self-test passed')
    return 0


if __name__ == '__main__':
    sys.exit(self_test() if sys.argv[1] == '--self-test' else lines.report(check(sys.argv[1])))
