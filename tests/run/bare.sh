#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Proves the set-up: a clone of HEAD in a bare Debian 12 root (debootstrap minbase), where only
# ./run installs things. Needs root, debootstrap and the package registries of the host.
#
# usage: bare.sh [COMMAND...]    what to run there (default: the demo, twice, and look at its results)
# ATOLL_ARCH=i386 makes a root of another architecture that this machine can run.
set -eu
cd "$(dirname "$0")/../.."
release=bookworm

say() { printf '%s\n' "$*"; }
die() { say "$*" >&2; exit 5; }

[ "$(id -u)" = 0 ] || die "check-bare makes a root directory for chroot: please run it as root."
root=$(mktemp -d "${TMPDIR:-/tmp}/atoll-bare-XXXXXX")
chmod 755 "$root" # apt downloads as a user of its own
mounted=
clean_up() {
    for place in $mounted; do
        umount "$root/$place" || { say "$root/$place is still mounted"; return; }
    done
    rm -rf "$root"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

# The mirror that this machine is set up to use: one-line and deb822 files.
mirror() {
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
        [ -f "$file" ] || continue
        case $file in
        *.sources) awk -v release=$release '
            /^URIs:/ { uri = $2 }
            /^Suites:/ { for (i = 2; i <= NF; i++) if ($i == release && uri != "") { print uri; exit } }
            /^$/ { uri = "" }' "$file" ;;
        *) awk -v release=$release '
            $1 == "deb" { for (i = 2; i < NF; i++) if ($(i + 1) == release) { print $i; exit } }' "$file" ;;
        esac
    done | head -n 1
}

# How this machine reaches its registries: proxy, certificates, name service, pip's settings.
copy_settings() {
    for path in /etc/apt/apt.conf /etc/apt/apt.conf.d /etc/apt/auth.conf.d /etc/pip.conf /etc/hosts \
        /etc/resolv.conf /etc/ssl/certs /usr/local/share/ca-certificates "$HOME/.config/pip" "$HOME/.pip"; do
        [ -e "$path" ] || continue
        case $path in
        "$HOME"/*) to=$root/root/${path#"$HOME"/} ;;
        *) to=$root$path ;;
        esac
        mkdir -p "$(dirname "$to")"
        rm -rf "$to"
        cp -RL "$path" "$to" 2>/dev/null || true # a dangling link among the certificates is no loss
    done
    # hooks of other packages' making name programs that a bare root has not
    grep -lE '^[^#]*(Pre|Post)-(Invoke|Install)' "$root"/etc/apt/apt.conf.d/* 2>/dev/null | xargs -r rm -f
    {
        echo "deb $uri $release main"
        grep -rhs "$release-updates" /etc/apt/sources.list /etc/apt/sources.list.d | grep -q . &&
            echo "deb $uri $release-updates main"
    } >"$root/etc/apt/sources.list"
}

# Runs a command in the root with a clean environment but the host's ways to its registries.
# shellcheck disable=SC2046 # one argument for each setting
inside() {
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 CI=true \
        $(env | sed -n -E '/^(https?_proxy|HTTPS?_PROXY|no_proxy|NO_PROXY|PIP_[A-Z_]*|SSL_CERT_[A-Z]*|REQUESTS_CA_BUNDLE)=[^ ]*$/p') \
        chroot "$@" </dev/null
}

uri=$(mirror)
[ -n "$uri" ] || die "no Debian mirror for $release is set up in /etc/apt"
say "Making a bare $release root in $root ..."
debootstrap ${ATOLL_ARCH:+--arch="$ATOLL_ARCH"} --variant=minbase "$release" "$root" "$uri" >"$root.log" 2>&1 || {
    tail -n 5 "$root.log" >&2
    die "debootstrap failed; $root.log says more."
}
rm -f "$root.log"
copy_settings
attach() { # the tests of serial meters want terminals of their own
    if mount "$@" 2>/dev/null; then
        mounted="$mounted ${4#"$root/"}"
    else
        say "/${4#"$root/"} cannot be mounted here; going on without it"
    fi
}
attach -t proc proc "$root/proc"
attach -t devpts devpts "$root/dev/pts" -o newinstance,ptmxmode=0666
[ ! -e "$root/dev/pts/ptmx" ] || ln -sf pts/ptmx "$root/dev/ptmx"
git clone -q . "$root/atoll"
say "The clone is $(git -C "$root/atoll" log -1 --format='%h %s')"

if [ $# -gt 0 ]; then
    inside "$root" sh -c "cd /atoll && $*"
    exit
fi

say "--- as a user without root: the one command"
chown -R 65534 "$root/atoll"
if said=$(inside --userspec=65534:65534 "$root" sh /atoll/run demo 2>&1); then
    die "a user without root was not stopped: $said"
fi
say "$said"
case $said in
*"apt-get install --no-install-recommends gcc "*) ;;
*) die "the command to run was not printed" ;;
esac
chown -R 0 "$root/atoll"

say "--- the demo"
start=$(date +%s)
inside "$root" sh -c 'cd /atoll && ./run demo'
middle=$(date +%s)
say "--- the demo again"
again=$(inside "$root" sh -c 'cd /atoll && ./run demo')
end=$(date +%s)
say "$again" | tail -n 8
case $again in
*'Installing Debian packages'*) die "the second demo installed packages again" ;;
esac

for file in build/atoll build/libatoll.a build/libatoll.so build/demo/results.db build/demo/report.html; do
    [ -s "$root/atoll/$file" ] || die "$file was not made"
done
if inside "$root" dpkg-query -W chromium-headless-shell libcmocka-dev clang 2>/dev/null | grep -q .; then
    die "the demo installed more than the build group"
fi
[ "$((end - middle))" -le 30 ] || die "the second demo took $((end - middle)) s (at most 30)"
say "check-bare: all there; first demo $((middle - start)) s, second $((end - middle)) s"
