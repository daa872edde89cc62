#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Opens reports in a headless browser and lets the page check itself ("#selftest"): console errors,
# empty charts, text that overflows, at the widths of a phone and of a desktop, light and dark.
# browser.sh MAKE_FIXTURE [REPORT.html]    exit 77: no browser
set -eu
make_fixture=$1
browser=${ATOLL_BROWSER:-chromium-headless-shell}
if ! command -v "$browser" >/dev/null 2>&1; then
    echo "SKIPPED: $browser is missing (Debian package chromium-headless-shell); the report was not opened"
    exit 77
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

# one PAGE WIDTH FLAGS NAME FIGURES
one() {
    url="file://$1#selftest$3"
    "$browser" --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$dir/profile" \
        --window-size="$2,900" --virtual-time-budget=15000 --timeout=60000 --dump-dom "$url" \
        >"$dir/dom.html" 2>"$dir/messages" || {
        echo "FAILED: $4: the browser ended with an error"
        tail -5 "$dir/messages"
        failed=1
        return
    }
    answer=$(sed -n 's/.*<pre id="selftest">\({.*}\)<\/pre>.*/\1/p' "$dir/dom.html")
    case $answer in
    *"\"innerWidth\":$2,\"figures\":$5,"*'"faults":[]}'*)
        echo "ok: $4 at $2 px: $(echo "$answer" | sed 's/.*"figures":\([0-9]*\).*/\1/') figures"
        ;;
    '')
        echo "FAILED: $4 at $2 px: the page gave no answer"
        grep CONSOLE "$dir/messages" | head -5 || true
        failed=1
        ;;
    *)
        echo "FAILED: $4 at $2 px: $answer" | cut -c1-2000
        failed=1
        ;;
    esac
    if grep -q 'INFO:CONSOLE.*\(Uncaught\|Refused\|rror\)' "$dir/messages"; then
        echo "FAILED: $4 at $2 px: the console has errors"
        grep CONSOLE "$dir/messages" | head -5
        failed=1
    fi
}

if [ $# -gt 1 ]; then
    cp "$2" "$dir/given.html"
    pages=given
else
    "$make_fixture" "$dir/plain.db" "$dir/plain.html" traces=1 samples=0 repeats=3 training=1
    "$make_fixture" "$dir/hostile.db" "$dir/hostile.html" hostile=1 traces=1 training=1 samples=0 repeats=2 models=6 tpus=3
    "$make_fixture" "$dir/tiny.db" "$dir/tiny.html" samples=0 repeats=1 models=1 tpus=1
    pages='plain hostile tiny'
    # A real sweep of the simulated board, by the command itself.
    atoll=${ATOLL_BUILD:-build}/atoll
    quick=${ATOLL_SOURCE:-.}/share/experiments/quick.yaml
    if [ -x "$atoll" ] && [ -e "$quick" ]; then
        "$atoll" bench --quiet "$quick" --db "$dir/quick.db" >/dev/null
        "$atoll" report --quiet "$dir/quick.db" -o "$dir/quick.html"
        pages="$pages quick"
    else
        echo "not checked: the report of a sweep ($atoll is not built)"
    fi
fi
for page in $pages; do
    # Seven figures, three of power where runs were metered, one where a power trace was kept, two
    # where a training is told.
    figures=7
    if grep -q '"power":{"c":\[[0-9]' "$dir/$page.html"; then figures=$((figures + 3)); fi
    if grep -q '"traces":\[{' "$dir/$page.html"; then figures=$((figures + 1)); fi
    if grep -q '"trainings":\[{' "$dir/$page.html"; then figures=$((figures + 2)); fi
    one "$dir/$page.html" 390 "" "$page" $figures
    one "$dir/$page.html" 1280 "" "$page" $figures
    case $page in
    plain | given) one "$dir/$page.html" 390 ",dark" "$page, dark" $figures ;;
    esac
done

# The check must be able to fail: a page whose data is damaged, and one whose text is too wide.
if [ $# -eq 1 ]; then
    sed 's/"schema":"atoll.report\/1"/"schema":"atoll.report\/1",,/' "$dir/tiny.html" >"$dir/broken.html"
    sed 's/<h2 id="h-tables">/<h2 id="h-tables" style="width:2000px">/' "$dir/tiny.html" >"$dir/wide.html"
    sed 's/"op":\[[^]]*\]/"op":[]/; s/"us":\[[^]]*\]/"us":[]/; s/"layers":{"m":\[[^]]*\]/"layers":{"m":[]/' \
        "$dir/tiny.html" >"$dir/empty.html"
    for page in broken wide empty; do
        if (failed=0; one "$dir/$page.html" 390 "" "$page" 10; [ $failed -eq 0 ]) >/dev/null; then
            echo "FAILED: the check did not notice the $page page"
            failed=1
        else
            echo "ok: the $page page is noticed"
        fi
    done
fi
exit $failed
