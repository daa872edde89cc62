#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs one golden test of the command: golden.sh ATOLL TESTS NAME
#
# NAME.sh runs in an empty directory with `atoll` on the path. Its output must equal NAME.out, its
# exit code NAME.exit (0 when absent), and each line of NAME.err must occur in its messages.
# With ATOLL_RECORD=1 the files are written instead; review the difference before committing it.
set -u
atoll=$(realpath "$1") tests=$(realpath "$2") name=$3
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/run"
ln -s "$atoll" "$work/bin/atoll"
script=$tests/golden/$name
(cd "$work/run" && PATH=$work/bin:/usr/bin:/bin LC_ALL=C sh "$script.sh") >"$work/out" 2>"$work/err"
code=$?
if [ "${ATOLL_RECORD:-}" = 1 ]; then
    cp "$work/out" "$script.out"
    rm -f "$script.exit" "$script.err"
    [ $code -eq 0 ] || echo $code >"$script.exit"
    [ -s "$work/err" ] && cp "$work/err" "$script.err"
    exit 0
fi
fail=0
expected=$(cat "$script.exit" 2>/dev/null || echo 0)
[ "$code" = "$expected" ] || { echo "exit code $code, expected $expected"; fail=1; }
diff -u "$script.out" "$work/out" || fail=1
if [ -f "$script.err" ]; then
    while IFS= read -r line; do
        grep -qF -- "$line" "$work/err" || { echo "not said: $line"; fail=1; }
    done <"$script.err"
elif [ -s "$work/err" ]; then
    echo "messages where none were expected:"
    fail=1
fi
[ $fail -eq 0 ] || { echo "messages were:"; cat "$work/err"; }
exit $fail
