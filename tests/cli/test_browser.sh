#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: full
# check: timeout 300
# The page of toise report in a real browser: headless Chromium opens it without a message on its console, lays out every
# section and drawing, in light and dark.
. "$(dirname "$0")/../prelude.sh"
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
[ -n "$browser" ] || { echo 'SKIP: the page in a browser: chromium is not installed'; exit 77; }
run 0 report results/predict-amd-epyc-zen3/machine.jsonl results/predict-amd-epyc-zen3/trained.jsonl \
    results/reference/amd-epyc-zen5-2-cores.jsonl results/scaling-intel-xeon-2023/100mbit.jsonl --html "$work/page.html"

# The last thing on the page reports what the browser made of it, as text that --dump-dom prints.
cat >"$work/script" <<'EOF'
<script>
const boxes = [...document.querySelectorAll("section, svg, table")].map(x => x.getBoundingClientRect());
document.title = ["laid out", document.querySelectorAll("section").length, document.querySelectorAll("svg").length,
    boxes.every(b => b.width > 50 && b.height > 10)].join(" ");
</script>
EOF
sed -e "/<\/main>/r $work/script" "$work/page.html" >"$work/asked.html"
drawings=$(grep -c '<svg' "$work/page.html" || true)
sections=$(grep -c '<section' "$work/page.html" || true)
[ "$sections" -ge 10 ] || fail "the page has only $sections sections"
for mode in '' --force-dark-mode; do
    # shellcheck disable=SC2086  # no mode is no argument
    timeout 120 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$work/profile" --enable-logging=stderr \
        $mode --dump-dom "file://$work/asked.html" >"$work/dom" 2>"$work/console" || fail "$browser failed: $(tail -n 3 "$work/console")"
    grep -q "<title>laid out $sections $drawings true</title>" "$work/dom" ||
        fail "not laid out: $(grep -o '<title>[^<]*' "$work/dom"), of $sections sections, $drawings drawings"
    ! grep 'CONSOLE' "$work/console" || fail 'the browser had something to say'
done
exit $bad
