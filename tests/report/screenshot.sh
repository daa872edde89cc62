#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Takes the pictures of a report by the same path as the browser test.
# screenshot.sh REPORT.html OUT.png [WIDTH [HEIGHT [FLAGS [SCALE]]]]; FLAGS: dark, or empty
# The README's picture: screenshot.sh build/demo/report.html docs/img/report.png 1280 1740 '' 0.8
set -eu
page=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
out=$2
width=${3:-1280}
height=${4:-1500}
browser=${ATOLL_BROWSER:-chromium-headless-shell}
if ! command -v "$browser" >/dev/null 2>&1; then
    echo "screenshot.sh: $browser is missing (Debian package chromium-headless-shell)" >&2
    exit 77
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$browser" --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars \
    --force-device-scale-factor="${6:-1}" \
    --user-data-dir="$dir" --window-size="$width,$height" --virtual-time-budget=5000 \
    --screenshot="$dir/shot.png" "file://$page${5:+#$5}" >/dev/null 2>&1
mv "$dir/shot.png" "$out"
