#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# toise compare: verdicts, exit codes and pages on records made from one that was measured. What is no evidence is
# refused, or left out and named.
. "$(dirname "$0")/../prelude.sh"
command=(compare)
records=results/reference/amd-epyc-zen5-2-cores.jsonl

# side NAME FACTOR LAUNCHES [SED]: appends launches of the rate times FACTOR, with known noise, to $work/NAME.jsonl
side() {
    local name=$1 i rate
    for ((i = 1; i <= $3; i++)); do
        rate=$(awk -v f="$2" -v i="$i" 'BEGIN { printf "%.6f", 500 * f * (1 + 0.001 * (i * 3 % 7)) }')
        sed -n "1{s/\"id\":\"[^\"]*\"/\"id\":\"$name-$2-$i\"/;s/\"tokens_per_s\":[0-9.]*/\"tokens_per_s\":$rate/;${4:-};p}" \
            "$records" >>"$work/$name.jsonl"
    done
}
for pair in 'base 1' 'same 1.0005' 'fast 1.1' 'slow 0.9'; do
    read -r name factor <<<"$pair"
    side "$name" "$factor" 6
done
side few 0.5 4
side base 1 5 's/fp32/bf16/g'

call "$toise" compare --help
[ $code = 0 ] && says 'BASE NEW \[MORE' && says 'Exit codes: 0 faster or equivalent, 1 slower, 3 inconclusive' || fail '--help'

run 1 "$work/base.jsonl" "$work/slow.jsonl"
says '^toise compare   slower'
says '^ratio       0\.9000 \[0\.89[0-9]*, 0\.90[0-9]*\] .* -10\.00%, 95% interval, p '
says 'of these nodes; launches are the units, 6 against 6'
says '^could show  0\.[0-9]*% with power 0.9; 1% takes [0-9]* launches a side'
says '^base .*base.jsonl: 6 launches of 6 jobs on 1 node$'
says '^node-s v1 fp32 .* 6    6  slower'
says '^not paired .*base.jsonl line 7, node-s v1 bf16: no record of .*slow.jsonl did the same work; .*: bf16 \| fp32$'
run 0 "$work/base.jsonl" "$work/fast.jsonl"
says '^toise compare   faster'
run 0 "$work/base.jsonl" "$work/same.jsonl"
says '^toise compare   equivalent'
run 3 "$work/base.jsonl" "$work/same.jsonl" --delta 0.05%
run 0 "$work/base.jsonl" "$work/slow.jsonl" --delta 20%
run 3 "$work/base.jsonl" "$work/few.jsonl"
says 'inconclusive: fewer than five launches on a side'
run 1 "$work/base.jsonl" "$work/fast.jsonl" "$work/slow.jsonl"
says '^verdict .*fast.jsonl: faster'
says '^verdict .*slow.jsonl: slower'

# threads that differ explain a slower side; a setting alone does not
threads='s/"threads":2,"bucket/"threads":1,"bucket/;s/"peak_flop_per_s":50[0-9.]*,"br/"peak_flop_per_s":25e10,"br/'
parts='s/"forward":0.4[0-9]*/"forward":0.9/;s/"head":0.6[0-9]*/"head":1.2/;s/"backward":0.8[0-9]*/"backward":1.8/'
side threads 0.5 6 "$threads;$parts;s/\"kernel\":\"[^\"]*\"/\"kernel\":\"Linux 5.4\"/"
run 1 "$work/base.jsonl" "$work/threads.jsonl"
says '^likely      threads \(layout.threads: 2 \| 1\); moved with it: peak, matmul'
says '^differs     machine.kernel: '
[ "$(grep -c '^likely' "$work/out")" = 1 ] || fail 'a kernel without effect is blamed'

# other builds, and a CPU that toise does not use in full: a ratio, and no verdict
side build 0.5 6 's/"version":"0[^"]*"/"version":"9.9.9"/'
run 3 "$work/base.jsonl" "$work/build.jsonl"
says 'give --across-builds'
run 1 "$work/base.jsonl" "$work/build.jsonl" --across-builds
side unit 2 6 's/"cpu":"AMD EPYC"/"cpu":"Other","unused_matrix_unit":"AMX"/'
run 3 "$work/base.jsonl" "$work/unit.jsonl"
says 'lower bound'

# a failed launch has no rate, and is named; the same launch counts once
cp "$work/slow.jsonl" "$work/bad.jsonl"
side bad 1 1 's/"PASSED"/"FAILED","why":"the loss is wrong"/'
head -n 1 "$work/slow.jsonl" >>"$work/bad.jsonl"
run 1 "$work/base.jsonl" "$work/bad.jsonl"
says '^new .*: 6 launches .*; 1 FAILED, without a rate; 1 counted once'
says '^FAILED .*bad.jsonl line 7: the loss is wrong'
says '^counted .*bad.jsonl line 8: the same record as line 1 of '
sed 's/"PASSED"/"UNVERIFIED","why":"imported"/' "$work/slow.jsonl" >"$work/imported.jsonl"
run 1 "$work/base.jsonl" "$work/imported.jsonl"
says '^verdict .*slower \(of UNVERIFIED figures\)'

# folders, records out
mkdir "$work/a" "$work/b" "$work/none"
cp "$work/base.jsonl" "$work/a/"
split -l 3 --additional-suffix=.jsonl "$work/slow.jsonl" "$work/b/"
run 1 "$work/a" "$work/b" --json --out "$work/compared.jsonl"
[ "$(wc -l <"$work/out")" = 1 ] && [ "$(wc -l <"$work/compared.jsonl")" = 1 ] || fail '--json or --out is not one line'
grep -q '^toise compare' "$work/err" || fail '--json: no page on stderr'
for words in '"kind":"compare","status":"FAILED","why":"slower"' '"verdict":"slower"' '"p_holm":' '"needed":' '"detectable":'; do
    grep -qF -- "$words" "$work/out" || fail "the record lacks $words"
done
for other in base few threads build; do
    [ $other = base ] || "$toise" compare "$work/base.jsonl" "$work/$other.jsonl" --out "$work/compared.jsonl" >/dev/null || true
done
valid "$work/compared.jsonl"
[ "$(wc -l <"$work/compared.jsonl")" = 4 ] || fail 'a record is missing'

# bad input: one line that says where, nothing written
: >"$work/empty.jsonl"
{ head -n 2 "$work/slow.jsonl"; echo nonsense; tail -n +3 "$work/slow.jsonl"; } >"$work/broken.jsonl"
sed -n '/"kind":"kernel"/{p;q}' results/predict-amd-epyc-zen3/machine.jsonl >"$work/kernels.jsonl"
sed 's/node-s/node-m/' "$work/slow.jsonl" >"$work/other.jsonl"
sed 's/"PASSED"/"FAILED","why":"wrong"/' "$work/slow.jsonl" >"$work/failed.jsonl"
sed 's,toise/1,toise/2,' "$work/slow.jsonl" >"$work/newer.jsonl"
cp "$work/base.jsonl" "$work/copy.jsonl"
ln "$work/base.jsonl" "$work/link.jsonl"
cat >"$work/cases" <<END
no side is given: give at least two sides | 
give at least two sides, BASE and NEW | $work/base.jsonl
absent.jsonl: cannot read | $work/base.jsonl $work/absent.jsonl
empty.jsonl: holds no record | $work/base.jsonl $work/empty.jsonl
holds no *.jsonl file | $work/base.jsonl $work/none
broken.jsonl: line 3 is not a record | $work/base.jsonl $work/broken.jsonl
newer.jsonl: line 1: field "schema" must be | $work/base.jsonl $work/newer.jsonl
are the same file, and stand on two sides | $work/base.jsonl $work/base.jsonl
are the same file, and stand on two sides | $work/base.jsonl $work/link.jsonl
are of the same launch, base-1-1, and stand on two sides | $work/base.jsonl $work/copy.jsonl
nothing can be compared: $work/kernels.jsonl line 1: no record of $work/base.jsonl did the same work | $work/base.jsonl $work/kernels.jsonl
the nearest differs in workload.name: "node-s" | $work/base.jsonl $work/other.jsonl
failed.jsonl: none of its 6 records has a rate | $work/base.jsonl $work/failed.jsonl
--delta | $work/base.jsonl $work/slow.jsonl --delta 200%
--out | $work/base.jsonl $work/slow.jsonl --out $work/slow.jsonl
unknown flag | $work/base.jsonl $work/slow.jsonl --ci 1%
END
refused_lines "$work/cases"
run 1 "$work/base.jsonl" "$work/broken.jsonl" --skip-bad
says '^skipped     1 line'
if [ "$(id -u)" != 0 ]; then
    chmod 0 "$work/slow.jsonl"
    refused 'slow.jsonl: cannot read' "$toise" compare "$work/base.jsonl" "$work/slow.jsonl"
else
    echo 'SKIP: an unreadable file: root reads everything'
fi

# 4,096 nodes a side
awk 'BEGIN {
    for (s = 0; s < 2; s++) for (i = 0; i < 4096; i++)
        printf "{\"schema\":\"toise/1\",\"kind\":\"train\",\"status\":\"PASSED\",\"launch\":{\"id\":\"%d-%d\"},\"machine\":{\"host\":\"n%d\"}," \
            "\"workload\":{\"name\":\"node-s\",\"version\":1,\"precision\":\"fp32\"},\"layout\":{\"world\":1}," \
            "\"result\":{\"tokens_per_s\":%.3f}}\n", s, i, i, 500 + 20 * s + (i * 7 + s * 3) % 11 > ("'"$work"'/many" s ".jsonl")
}'
run 0 "$work/many0.jsonl" "$work/many1.jsonl"
says 'of nodes of these kinds; nodes are the units, 4096 against 4096'
exit $bad
