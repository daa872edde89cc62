#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What ./run says and asks for before it builds, with programs of our own in the place of the
# system's: they write down how they were called.
# shellcheck disable=SC2016 # the fakes expand their own arguments
set -eu
run=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/bin" "$scratch/tree"
cp "$run" "$scratch/tree/run"
cd "$scratch/tree"

# fake NAME BODY: a program that logs its call and then does BODY
fake() {
    printf '#!/bin/sh\necho "%s $*" >>"%s/calls"\n%s\n' "$1" "$scratch" "$2" >"$scratch/bin/$1"
    chmod +x "$scratch/bin/$1"
}

fail() {
    echo "$1"
    echo "--- said:"; cat "$scratch/said"
    echo "--- called:"; cat "$scratch/calls"
    exit 1
}

# go EXPECTED-EXIT VERB...
go() {
    expected=$1
    shift
    : >"$scratch/calls"
    code=0
    PATH=$scratch/bin:$PATH ./run "$@" >"$scratch/said" 2>&1 </dev/null || code=$?
    [ $code = "$expected" ] || fail "./run $*: exit $code (expected $expected)"
}

says() { grep -q -- "$1" "$scratch/said" || fail "it did not say: $1"; }
called() { grep -q -- "$1" "$scratch/calls" || fail "it did not call: $1"; }
not_called() { ! grep -q -- "$1" "$scratch/calls" || fail "it called: $1"; }

fake apt-get 'case "$*" in *assume-no*) echo "Need to get 7 MB of archives."; exit 1;; esac'
fake sudo 'exit 1'
fake meson 'mkdir -p build; : >build/build.ninja'
fake ninja ''
fake python3 'exit 1'
fake dpkg 'echo amd64'

# A user without root and without sudo gets the one command, and nothing is tried.
fake dpkg-query 'exit 1'
fake id 'echo 1000'
go 5 build
says 'apt-get update && apt-get install --no-install-recommends gcc libc6-dev meson'
not_called '^apt-get'

# Root: what and how much is said before; only what is missing is installed.
fake id 'echo 0'
fake dpkg-query 'case "$4" in meson | ninja-build) echo "deinstall";; *) echo installed;; esac'
go 0 build
says 'Installing Debian packages: meson ninja-build'
says 'Need to get 7 MB'
called '^apt-get .*install meson ninja-build'
not_called 'install .*gcc'

# All there: the package manager is not asked, and a registry out of reach is one sentence.
fake dpkg-query 'echo installed'
go 0 build
not_called '^apt-get'
says 'could not be reached: going on without the TFLite runtime'
called '^ninja'

go 2 frobnicate
go 2
go 2 demo --frobnicate
go 2 check --frobnicate
go 0 --help
# The commands that the demo ends with stand in the README, where a test runs them.
next=$(sed -n 's/^  \(build\/atoll .*\)$/\1/p' "$run")
[ "$(echo "$next" | wc -l)" = 3 ] || fail "the demo does not end with three commands: $next"
echo "$next" | while read -r line; do
    grep -qxF -- "$line" "$(dirname "$run")/README.md" || fail "not in the README: $line"
done
echo passed
