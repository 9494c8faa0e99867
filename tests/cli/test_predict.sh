#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 700
# toise predict: a machine's measured kernels and all-reduces price its training, of one rank and of two. Missing
# records are reported with the command that measures them, damaged ones with file, line and field.
. "$(dirname "$0")/../prelude.sh"
export OMP_NUM_THREADS=1
unset TOISE_ISA OPENBLAS_CORETYPE
m=$work/m.jsonl

limit=200
number() { grep -o "\"$1\":[0-9.e+-]*" "$work/out" | head -n 1 | sed 's/.*://'; }
within() { awk -v x="$1" -v low="$2" -v high="$3" 'BEGIN { exit !(x != "" && x + 0 >= low && x + 0 <= high) }'; }

# The recorded measurements of one machine: a test must not depend on rates of the moment.
cp results/predict-amd-epyc-zen3/machine.jsonl "$m"
this=(--model gpt2-124m --seq 256)

call "$toise" predict --machine "$m" --help
[ $code = 0 ] && grep -q -e '--ranks' "$work/out" && grep -q 'RECORDS.jsonl' "$work/out" || fail '--help'
call "$toise" predict --machine "$m" "${this[@]}" --explain
[ $code = 0 ] || fail "one rank: exit $code: $(cat "$work/err")"
for words in '1 rank of 2 threads; DP 1, global batch 4 x 256 tokens, micro-batch 4' '^step  *5\.721 s \[3\.714, 8\.812\], 90%, interpolated' \
    '^time .*forward .*head .*backward .*update' '^by kind .*matmul .*attention .*passes' 'qkv forward .* gemm NT .* timed' \
    'AdamW .* update '; do
    grep -q "$words" "$work/out" || fail "the page lacks \"$words\": $(cat "$work/out")"
done
call "$toise" predict --machine="$m" "${this[@]}" --json --out "$work/project.jsonl"
[ $code = 0 ] && [ "$(wc -l <"$work/out")" = 1 ] && [ "$(wc -l <"$work/project.jsonl")" = 1 ] || fail "--json: $(cat "$work/err")"
for key in schema kind status time version machine config layout result step_s step_s_low step_s_high label tokens_per_s mfu \
    breakdown by_operation ops basis drift memory_bytes fits; do
    grep -q "\"$key\":" "$work/out" || fail "the record lacks \"$key\""
done
grep -q '"kind":"project"' "$work/out" || fail 'not of kind project'
within "$(number step_s)" 5.7205 5.7215 || fail "a step of $(number step_s) s"

# two ranks need all-reduces. It trained in 5.610 s (trained.jsonl). Batches between or beyond the timed ones work too
grep -v '"kind":"comm"' "$m" >"$work/alone.jsonl"
refused 'no all-reduce .* mpirun -n 2 toise comm --threads 1 --out' "$toise" predict --machine "$work/alone.jsonl" "${this[@]}" --ranks 2 --threads 1 \
    --out "$work/none.jsonl"
call "$toise" predict --machine "$m" "${this[@]}" --ranks 2 --threads 1 --json
[ $code = 0 ] || fail "two ranks: exit $code: $(cat "$work/err")"
within "$(number step_s)" 5.6735 5.6745 || fail "a step of two ranks of $(number step_s) s"
within "$(number message_s)" 1e-9 1 || fail "messages take $(number message_s) s"
call "$toise" predict --machine "$m" "${this[@]}" --gbs 3 --json
[ $code = 0 ] && grep -q '"basis":"between"' "$work/out" || fail 'three sequences are between two and four'
call "$toise" predict --machine "$m" "${this[@]}" --gbs 64 --json
[ $code = 0 ] && grep -q '"label":"extrapolated"' "$work/out" || fail 'sixty-four sequences are beyond four'

# Layouts: each names the ranks that talk, and a pipeline its bubble.
while read -r layout; do
    # shellcheck disable=SC2086  # a layout is several words
    call "$toise" predict --machine "$m" "${this[@]}" --gbs 8 --mbs 1 --ranks 4 --threads 1 $layout --out "$work/layouts.jsonl"
    [ $code = 0 ] || fail "$layout: exit $code: $(cat "$work/err")"
    says '^messages +.* s exposed'
done <<'END'

--zero 2
--zero 3 --recompute full
--tp 4
--tp 4 --sp
--tp 2 --cp 2
--cp 4
--pp 4 --schedule zb
--pp 2 --tp 2 --schedule gpipe --stage-layers slots
--pp 2 --vp 2 --cp 2
--reproducible 4 --tp 2 --sp --pp 2
--reproducible 4 --zero 2 --mbs 2
END
valid "$work/layouts.jsonl"
python3 - "$work/layouts.jsonl" <<'END' || bad=1
import json, sys
for r in map(json.loads, open(sys.argv[1])):
    layout, x = r["layout"], r["result"]
    ranks = {a: layout.get(a, 1) for a in ("tp", "cp", "dp", "pp")}
    ranks["dp"] *= ranks["cp"]
    said = x["communication"]
    assert set(said) == {a for a in ranks if ranks[a] > 1}, (layout, said)
    assert all(0 < v["exposed_s"] < x["step_s"] for v in said.values()), (layout, said)
    assert ("pp" in layout) == (x["bubble"] > 0) and x["bubble"] < 1, (layout, x["bubble"])
    assert abs(sum(x["breakdown"].values()) / x["step_s"] - 1) < 1e-6 and abs(sum(x["by_operation"].values()) / x["step_s"] - 1) < 1e-6
END

# what is missing or wrong
refused 'no gemm in fp32 was timed with 3 threads (but with 2).*toise kernels .*--threads 3 --out' "$toise" predict --machine "$m" "${this[@]}" --threads 3
refused 'precision.*fp16.*fp32 or bf16' "$toise" predict --machine "$m" "${this[@]}" --precision fp16
refused '--tp 2 does not divide the 1 rank; take --tp 1' "$toise" predict --machine "$m" "${this[@]}" --tp 2
refused 'gbs 3 does not divide over 2' "$toise" predict --machine "$m" "${this[@]}" --gbs 3 --ranks 2
refused 'tiny-gpt9' "$toise" predict --machine "$m" --model tiny-gpt9
refused 'absent.jsonl' "$toise" predict --machine "$work/absent.jsonl" "${this[@]}"
refused '--machine is missing; give a file of records made by toise kernels' "$toise" predict "${this[@]}"
grep '"kind":"comm"' "$m" >"$work/sums.jsonl"
refused 'sums.jsonl has no records\|no record of kind' "$toise" predict --machine "$work/sums.jsonl" "${this[@]}"
sum=$(cksum <"$m")
refused '--out and --machine are both' "$toise" predict --machine "$m" "${this[@]}" --out "$work/./m.jsonl"
[ "$(cksum <"$m")" = "$sum" ] || fail 'what was measured was written to'
damaged() { # damaged LINE SED WORDS
    sed "$1$2" "$m" >"$work/bad.jsonl"
    refused "bad.jsonl: line $1.*$3" "$toise" predict --machine "$work/bad.jsonl" "${this[@]}" --out "$work/none.jsonl"
}
damaged 3 's/"call_s":[0-9.e+-]*,"call_s_low"/"call_s":-1,"call_s_low"/' 'result.call_s.*above 0'
damaged 3 's/"threads":1,"call_s"/"threads":0,"call_s"/' 'result.threads'
damaged 2 's/"flop_per_s":\([0-9]\)/"flop_per_s":9\1/' 'result.flop_per_s.*flop over call_s'
damaged 4 's/}$//' 'not a record'

# Records that toise writes today are read and priced whatever their rates: of the highest set, and of lower ones too.
set=$({ "$toise" kernels --isa none 2>&1 || true; } | sed 's/.*take //; s/, openblas//; s/.*, //')
for _ in 1 2 3; do # of so short samples a roof may come out too low beside other work, and what beats it has no rate
    rm -f "$work/today.jsonl"
    call "$toise" kernels --model tiny-gpt2 --seq 64 --mbs 4 --isa "$set" --seconds 0.02 --ci 1 --threads 1 \
        --out "$work/today.jsonl"
    [ $code = 1 ] || break
done
[ $code = 0 ] || [ $code = 3 ] || fail "kernels: exit $code: $(cat "$work/err")"
sed -i 's/"status": *"INCONCLUSIVE"/"status":"PASSED"/' "$work/today.jsonl"
for precision in fp32 bf16; do
    call "$toise" predict --machine "$work/today.jsonl" --model tiny-gpt2 --seq 64 --precision $precision --json
    [ $code = 0 ] && grep -q '"basis":"timed"' "$work/out" || fail "today's $precision: exit $code: $(cat "$work/err")"
done
exit $bad
