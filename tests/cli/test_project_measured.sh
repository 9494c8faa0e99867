#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 300
# toise project --machine RECORDS.jsonl: a machine's own kernels and sums price its own training, of one rank and of two;
# what is missing from the records is named with the command that measures it; what is damaged, with file, line and field.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/mpi.sh
toise=$(cd "${BUILD:-build}" && pwd)/toise
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
fail() { echo "$1"; bad=1; }
export OMP_NUM_THREADS=1
unset TOISE_ISA OPENBLAS_CORETYPE
m=$work/m.jsonl

run() { # run COMMAND...: its output in $work/out and $work/err, its exit code in $code
    code=0
    timeout 100 "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
}
refused() { # refused WORDS FLAG...: exit 2, one line that has the words, nothing on stdout, no file
    local words=$1
    shift
    run "$toise" project "$@"
    [ $code = 2 ] || fail "$*: exit $code, not 2: $(cat "$work/out" "$work/err")"
    [ "$(grep -c '^toise: ' "$work/err")" = 1 ] || fail "$*: not one line: $(cat "$work/err")"
    grep -q -- "$words" "$work/err" || fail "$*: lacks \"$words\": $(cat "$work/err")"
    [ ! -s "$work/out" ] && [ ! -e "$work/none.jsonl" ] || fail "$*: wrote something"
}
number() { grep -o "\"$1\":[0-9.e+-]*" "$work/out" | head -n 1 | sed 's/.*://'; }
within() { awk -v x="$1" -v low="$2" -v high="$3" 'BEGIN { exit !(x != "" && x + 0 >= low && x + 0 <= high) }'; }

# Of noise nothing is asked here: --width 1 takes any interval, and what a busy machine still leaves inconclusive counts.
quick=(--seconds 0.02 --width 1 --threads 1)
this=(--model tiny-gpt2 --seq 64)
isa=$({ "$toise" kernels --isa none 2>&1 || true; } | sed 's/.*take //; s/, openblas//; s/.*, //')
for batch in 4 2; do
    run "$toise" kernels "${this[@]}" --mbs $batch --isa "$isa" "${quick[@]}" --out "$m"
    [ $code != 2 ] && [ $code != 4 ] || fail "kernels: exit $code: $(cat "$work/err")"
done
sed -i 's/"status": *"INCONCLUSIVE"/"status":"PASSED"/' "$m"

run "$toise" project --machine "$m" --help
[ $code = 0 ] && grep -q -e '--ranks' "$work/out" && grep -q 'RECORDS.jsonl' "$work/out" || fail '--help'
run "$toise" project --machine "$m" "${this[@]}" --explain
[ $code = 0 ] || fail "one rank: exit $code: $(cat "$work/err")"
for words in '1 rank of 1 thread; global batch 4 x 64 tokens, micro-batch 4' '^step  *[0-9.e-]* s \[.*\], 90%, interpolated' \
    '^time .*forward .*head .*backward .*update' '^by kind .*matmul .*attention .*passes' 'qkv forward .* gemm NT .* timed' \
    'AdamW .* update '; do
    grep -q "$words" "$work/out" || fail "the page lacks \"$words\": $(cat "$work/out")"
done
run "$toise" project --machine="$m" "${this[@]}" --json --out "$work/project.jsonl"
[ $code = 0 ] && [ "$(wc -l <"$work/out")" = 1 ] && [ "$(wc -l <"$work/project.jsonl")" = 1 ] || fail "--json: $(cat "$work/err")"
for key in schema kind status time version machine config layout result step_s step_s_low step_s_high label tokens_per_s mfu \
    breakdown by_operation ops basis drift memory_bytes fits; do
    grep -q "\"$key\":" "$work/out" || fail "the record lacks \"$key\""
done
grep -q '"kind":"project"' "$work/out" || fail 'not of kind project'
predicted=$(number step_s)

# the step that it prices, within what a busy machine may do to either
run "$toise" train "${this[@]}" --gbs 4 --steps 30 --threads 1 --no-gate --json
[ $code = 3 ] || fail "train: exit $code: $(cat "$work/err")"
measured=$(sed 's/.*"result":{//' "$work/out" | grep -o '"step_s":[0-9.e+-]*' | head -n 1 | sed 's/.*://')
within "$(awk -v p="$predicted" -v t="$measured" 'BEGIN { print p / t }')" 0.25 4 || fail "predicted $predicted s, measured $measured s"

# two ranks need sums; a batch between or beyond those timed
refused 'no sums .* mpirun -n 2 toise comm --threads 1 --out' --machine "$m" "${this[@]}" --ranks 2 --out "$work/none.jsonl"
if command -v "${MPIRUN:-mpirun}" >/dev/null; then
    mpi_command
    run "${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n 2 "$toise" comm --model tiny-gpt2 "${quick[@]}" --out "$m"
    run "$toise" project --machine "$m" "${this[@]}" --ranks 2 --json
    [ $code = 0 ] || fail "two ranks: exit $code: $(cat "$work/err")"
    within "$(number message_s)" 1e-9 1 || fail "messages take $(number message_s) s"
else
    echo 'SKIP: two ranks: mpirun is not installed'
fi
run "$toise" project --machine "$m" "${this[@]}" --gbs 3 --json
[ $code = 0 ] && grep -q '"basis":"between"' "$work/out" || fail 'three sequences are between two and four'
run "$toise" project --machine "$m" "${this[@]}" --gbs 64 --json
[ $code = 0 ] && grep -q '"label":"extrapolated"' "$work/out" || fail 'sixty-four sequences are beyond four'

# what is missing or wrong
refused 'no gemm in fp32 on 2 threads .*those of 1 thread .*toise kernels .*--threads 2 --out' --machine "$m" "${this[@]}" --threads 2
refused 'precision.*fp16.*fp32 or bf16' --machine "$m" "${this[@]}" --precision fp16
refused '--tp' --machine "$m" "${this[@]}" --tp 2
refused 'gbs 3 does not divide over 2' --machine "$m" "${this[@]}" --gbs 3 --ranks 2
refused 'tiny-gpt9' --machine "$m" --model tiny-gpt9
refused 'absent.jsonl' --machine "$work/absent.jsonl" "${this[@]}"
damaged() { # damaged LINE SED WORDS
    sed "$1$2" "$m" >"$work/bad.jsonl"
    refused "bad.jsonl: line $1.*$3" --machine "$work/bad.jsonl" "${this[@]}" --out "$work/none.jsonl"
}
damaged 3 's/"call_s":[0-9.e+-]*,"call_s_low"/"call_s":-1,"call_s_low"/' 'result.call_s.*above 0'
damaged 3 's/"threads":1,"call_s"/"threads":0,"call_s"/' 'result.threads'
damaged 2 's/"flop_per_s":\([0-9]\)/"flop_per_s":9\1/' 'result.flop_per_s.*flop over call_s'
damaged 4 's/}$//' 'not a record'
exit $bad
