#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/bench.sh with a fake toise: what it runs in which order, medians over launches, the worst exit code.
. "$(dirname "$0")/../prelude.sh"
mkdir -p "$work/tree/build"
cp -r scripts "$work/tree/"

# Each launch takes its rate, status and exit code from the next line of a list.
cat >"$work/tree/build/toise" <<'END'
#!/usr/bin/env bash
here=$(dirname "$0")
echo "$*" >>"$here/calls"
while [ $# -gt 0 ]; do
    case $1 in --precision) precision=$2 ;; --out) out=$2 ;; esac
    shift
done
read -r rate status code < <(sed -n "$(wc -l <"$here/calls")p" "$here/says")
mkdir -p "$(dirname "$out")"
result='{"loss":[1,2]}'
[ "$status" != PASSED ] || result="{\"tokens_per_s\":1,\"tokens_per_s_per_node\":$rate,\"model_flop_per_s_per_node\": 7.5e11,
\"mfu\":0.5,\"step_s\":2.5}"
[ "$status" = BROKEN ] || tr -d '\n' <<<"{\"schema\":\"toise/1\",\"status\":\"$status\",\"machine\":{\"host\":\"h\",\"cpu\":\"c\",
\"bf16_native\":false},\"config\":{\"precision\":\"$precision\"},\"layout\":{\"world\":1,\"threads\":2},\"samples\":{\"step_s\":[9,9]},\"result\":$result}" >>"$out"
[ "$status" = BROKEN ] || echo >>"$out"
exit "$code"
END
chmod +x "$work/tree/build/toise"

# bench WANTED_EXIT LINES: a new run with these lines, by $launcher if set; output in $work/out
bench() {
    local code=0
    printf '%b' "$2" >"$work/tree/build/says"
    rm -rf "$work/tree/build/calls" "$work/tree/results"
    MPIRUN=$launcher bash "$work/tree/scripts/bench.sh" build >"$work/out" 2>&1 || code=$?
    [ "$code" = "$1" ] || fail "exit $code, not $1: $(cat "$work/out")"
}

launcher=mpirun
bench 0 '100 PASSED 0\n400 PASSED 0\n130 PASSED 0\n420 PASSED 0\n110 PASSED 0\n410 PASSED 0\n'
calls=$(sed 's/.*--workload \([^ ]*\) --precision \([^ ]*\).*/\1 \2/' "$work/tree/build/calls" | tr '\n' ';')
[ "$calls" = 'node-s fp32;node-s bf16;node-s fp32;node-s bf16;node-s fp32;node-s bf16;' ] || fail "launches: $calls"
grep -q '^fp32  *110.0 \[100.0, 130.0\]  *0.7500  *2.500  *50.0%  *3 PASSED$' "$work/out" || fail "fp32: $(cat "$work/out")"
grep -q '^bf16  *410.0 \[400.0, 420.0\] .* 3 PASSED$' "$work/out" || fail "bf16: $(cat "$work/out")"
grep -q 'emulated' "$work/out" || fail 'emulated BF16 is not said to be'
[ "$(cat "$work"/tree/results/local/*.jsonl | wc -l)" = 6 ] || fail 'not six records'

launcher=none-installed
bench 1 '100 PASSED 0\n400 FAILED 1\n130 PASSED 0\n420 FAILED 1\n110 INCONCLUSIVE 3\n410 FAILED 1\n'
grep -q '^bf16  *none .* 3 FAILED$' "$work/out" || fail "a failed precision has no rate: $(cat "$work/out")"
grep -q '^fp32  *115.0 .* 2 PASSED, 1 INCONCLUSIVE$' "$work/out" || fail "mixed launches: $(cat "$work/out")"

bench 4 '100 PASSED 0\n0 BROKEN 4\n'
[ "$(wc -l <"$work/tree/build/calls")" = 2 ] || fail 'it went on after a broken launch'
bench 2 '0 BROKEN 2\n'
grep -q 'no launch came to a record' "$work/out" || fail "nothing recorded: $(cat "$work/out")"
exit $bad
