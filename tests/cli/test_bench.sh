#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/bench.sh with a fake toise: what it runs in which order, when it stops, the summary, the worst exit code.
. "$(dirname "$0")/../prelude.sh"
mkdir -p "$work/tree/build"
cp -r scripts "$work/tree/"

# Each launch takes its rate, status and exit code from the next line of a list; the last line counts for all others.
cat >"$work/tree/build/toise" <<END
#!/usr/bin/env bash
real='$toise'
END
cat >>"$work/tree/build/toise" <<'END'
[ "$1" != report ] || exec "$real" "$@"
here=$(dirname "$0")
echo "$*" >>"$here/calls"
while [ $# -gt 0 ]; do
    case $1 in --precision) precision=$2 ;; --out) out=$2 ;; --job) job=$2 ;; esac
    shift
done
n=$(wc -l <"$here/calls") lines=$(wc -l <"$here/says")
read -r rate status code < <(sed -n "$((n < lines ? n : lines))p" "$here/says")
mkdir -p "$(dirname "$out")"
result='{"loss":[1,2]}'
[ "$status" != PASSED ] || result="{\"tokens_per_s\":$rate,\"tokens_per_s_per_node\":$rate,\"mfu\":0.5}"
[ "$status" = BROKEN ] || tr -d '\n' <<<"{\"schema\":\"toise/1\",\"kind\":\"train\",\"status\":\"$status\",\"why\":\"made so\",
\"launch\":{\"id\":\"$n\",\"job\":\"$job\"},\"machine\":{\"host\":\"h\",\"cpu\":\"c\",\"bf16_native\":false},
\"workload\":{\"name\":\"node-s\"},\"config\":{\"precision\":\"$precision\",\"global_batch\":4,\"seq\":250},
\"layout\":{\"world\":1,\"nodes\":1,\"threads\":2},\"ledger\":{\"model_flop\":1e12},\"samples\":{\"step_s\":[9,9]},\"result\":$result}" >>"$out"
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
calls() { wc -l <"$work/tree/build/calls"; }

# Six launches are enough if both means are known to 5%.
launcher=mpirun
bench 0 '100 PASSED 0\n400 PASSED 0\n101 PASSED 0\n404 PASSED 0\n102 PASSED 0\n408 PASSED 0\n'
calls=$(sed 's/.*--workload \([^ ]*\) --precision \([^ ]*\).*/\1 \2/' "$work/tree/build/calls" | tr '\n' ';')
[ "$calls" = 'node-s fp32;node-s bf16;node-s fp32;node-s bf16;node-s fp32;node-s bf16;' ] || fail "launches: $calls"
says '^h, c: 1 x 2 threads; job bench-'
says '^node-s  fp32  *101.0 tokens/s/node  *\[98.6, 103.5\]  *2.5%  *0.1010  *9.902  *50.0%  3 PASSED  PASSED$'
says '^node-s  bf16  *404.0 tokens/s/node '
[ "$(grep -c 'emulated' "$work/out")" = 1 ] || fail 'emulated BF16 is not said to be'
[ "$(cat "$work"/tree/results/local/*.jsonl | wc -l)" = 6 ] || fail 'not six records'
[ "$(grep -o -- '--job [^ ]*' "$work/tree/build/calls" | sort -u | wc -l)" = 1 ] || fail 'the launches have several jobs'

# A fourth of each if FP32 needs it.
bench 0 '95 PASSED 0\n400 PASSED 0\n100 PASSED 0\n400 PASSED 0\n100 PASSED 0\n400 PASSED 0\n100 PASSED 0\n400 PASSED 0\n'
[ "$(calls)" = 8 ] || fail "$(calls) launches, not 8"
says '^node-s  fp32 .* PASSED$'

# No time is left for a fourth: the figure is shown, with what it would need. The limit is 220 s after the start.
sed -i 's/most_s=220/most_s=-1/' "$work/tree/scripts/bench.sh"
bench 3 '90 PASSED 0\n400 PASSED 0\n100 PASSED 0\n400 PASSED 0\n110 PASSED 0\n400 PASSED 0\n'
[ "$(calls)" = 6 ] || fail "$(calls) launches without time"
says '^node-s  fp32  *99.3 tokens/s/node .* INCONCLUSIVE$'
says 'INCONCLUSIVE: the mean of 3 launches is known to .* more launches are needed'

launcher=none-installed
bench 1 '100 PASSED 0\n400 FAILED 1\n130 PASSED 0\n420 FAILED 1\n110 INCONCLUSIVE 3\n410 FAILED 1\n'
says '^node-s  bf16  *none .* 3 FAILED *FAILED$'
says '^node-s  fp32  *113.0 .* 2 PASSED, 1 INCONCLUSIVE  INCONCLUSIVE$'

bench 4 '100 PASSED 0\n0 BROKEN 4\n'
[ "$(calls)" = 2 ] || fail 'it went on after a broken launch'
bench 2 '0 BROKEN 2\n'
says 'no launch came to a record'
exit $bad
