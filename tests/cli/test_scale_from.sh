#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# toise scale --from: curves of records made from one that was measured. Pages, drawing, exit codes; what contradicts a
# curve is refused; predictions are written down, then scored.
. "$(dirname "$0")/../prelude.sh"
command=(scale --from)
reference=results/reference/intel-xeon-2023-2-cores.jsonl

# run_of FILE N LAUNCH FACTOR [SED]: a launch on N nodes of one rank each, at 100 N / (1 + 0.05 (N - 1)) tokens/s times
# FACTOR
run_of() {
    local rate
    rate=$(awk -v n="$2" -v f="$4" 'BEGIN { printf "%.6f", 100 * n / (1 + 0.05 * (n - 1)) * f }')
    sed -n "1{s/\"id\":\"[^\"]*\"/\"id\":\"$2-$3\"/;s/\"nodes\":1/\"nodes\":$2/g;s/\"world\":1,\"dp\":1/\"world\":$2,\"dp\":$2/
        s/\"global_batch\":4/\"global_batch\":512/;s/\"tokens_per_s\":[0-9.]*/\"tokens_per_s\":$rate/;${5:-};p}" "$reference" >>"$work/$1.jsonl"
}
for n in 1 2 4 8; do
    run_of strong $n 1 1.00$((n % 3))
    run_of strong $n 2 0.99$((9 - n % 4))
    run_of strong $n 3 1.001
done

call "$toise" scale --help
[ $code = 0 ] && says '--from' && says '--svg' || fail '--help'

run 0 "$work/strong.jsonl" --out "$work/out.jsonl"
says '^toise scale   strong, 4 points by node   PASSED'
says '^base        1 node: 100\.[0-9] tokens/s, a step of .*, 3 runs$'
says '^nodes +tokens/s +interval +per node +speed-up'
says ' 8 +59[0-9]\.[0-9] +\[.* 0\.74[0-9] +\[0\.7'
says '^amdahl      off the points by 0\.'
says '^ +serial_share 0\.0[45][0-9]* \[0\.04'
says '^ +efficiency under 50%: from 2[0-2]\.?[0-9]* nodes on \['
says '^ +n = 80, 10 times the largest: .* tokens/s \[.*\], efficiency 0\.2[0-9]* \[.*\]  extrapolated$'
says '^ +n = 800, 100 times the largest: no rate: a batch of 512 sequences has none for some of 800 ranks$'
says '^ledger      off the points by '
says '^  assumed   alpha and beta are fitted to these points: '

# a point that is off by its losses, or FAILED, has no rate
run_of wrong 1 1 1
run_of wrong 2 1 1 's/"loss":\[10\.9450/"loss":[10.9550/'
run_of wrong 4 1 1
run 1 "$work/wrong.jsonl"
says "^FAILED      n = 2: the result differs from the base's: step 0 of .*: residual .*, threshold 16"
says '^ +2 +- +- +- +- +- +- +- +- +- +1  FAILED$'
sed 's/"PASSED"/"FAILED","why":"made so"/' "$work/strong.jsonl" >"$work/failed.jsonl"
run 1 "$work/failed.jsonl"
says '^base        none: no point has a rate'

# one point, imported figures, efficiency above 1
run_of one 1 1 1
run_of one 1 2 1
run 3 "$work/one.jsonl"
says 'one point is no curve'
sed 's/"status":"PASSED"/"status":"UNVERIFIED","why":"imported"/' "$work/strong.jsonl" >"$work/imported.jsonl"
run 0 "$work/imported.jsonl"
says '^why         imported figures: toise checked nothing'
for i in 1 2 3; do
    run_of better 1 $i "1.00$i"
    run_of better 2 $i "1.20$i" 's/"micro_batch":4/"micro_batch":8/'
done
run 0 "$work/better.jsonl"
says '^flag        n = 2: efficiency 1\.1[0-9]* is above 1: the micro-batch is 8, in the base 4: larger matmuls$'

# the ledger's own model from timed all-reduces
sed -n '/"op":"all_reduce"/p' results/predict-amd-epyc-zen3/machine.jsonl |
    sed 's/"nodes":1/"nodes":2/g;s/"cpu":"[^"]*"/"cpu":"Intel(R) Xeon(R) Processor"/;s/"threads":1/"threads":2/' >"$work/links.jsonl"
run 0 "$work/strong.jsonl" "$work/links.jsonl" --out "$work/out.jsonl"
says '^ +s_per_byte_between_nodes [0-9.e-]* \['
says '^ +efficiency under 50%: '
sed 's/"cpu":"[^"]*"/"cpu":"Other"/' "$work/links.jsonl" >"$work/other.jsonl"
run 0 "$work/strong.jsonl" "$work/other.jsonl"
says '^ledger      not fitted: fewer than three all-reduces between nodes were timed on this CPU|records of toise comm or roofs are of another CPU'

# records out, drawing, pages of records
[ "$(wc -l <"$work/out.jsonl")" = 2 ] || fail '--out is not two records'
valid "$work/out.jsonl"
call "$toise" report "$work/out.jsonl"
[ $code = 0 ] && says '^toise scale   strong, 4 points by node   PASSED' || fail 'toise report shows no curve'
if command -v gnuplot >/dev/null; then
    run 0 "$work/strong.jsonl" --svg "$work/curve.svg"
    grep -q '</svg>' "$work/curve.svg" && grep -q 'measured' "$work/curve.svg" || fail 'no drawing'
    call "$toise" report "$work/strong.jsonl" "$work/out.jsonl" --html "$work/page.html"
    grep -q 'section id="scaling"' "$work/page.html" && grep -q 'strong scaling by node' "$work/page.html" || fail 'no section of the page'
else
    echo 'SKIP: drawings of curves: gnuplot is not installed'
fi

# what is no curve: one line that says where, nothing written
run_of batch 1 1 1
run_of batch 2 1 1 's/"global_batch":512/"global_batch":500/'
run_of threads 1 1 1
run_of threads 2 1 1 's/"threads":2/"threads":1/'
run_of version 1 1 1
run_of version 2 1 1 's/"version":"0.1.0"/"version":"9"/'
: >"$work/empty.jsonl"
cat >"$work/cases" <<END
batch.jsonl line 2: the global batch is 500 on 2 nodes, but 512 on 1: strong scaling keeps it | $work/batch.jsonl --mode strong
batch.jsonl line 2: the batch of a node is 250 on 2, but 512 on 1: weak scaling keeps it | $work/batch.jsonl
threads.jsonl line 2: layout.threads is 1, but 2 in | $work/threads.jsonl
version.jsonl line 2: version is "9", but "0.1.0" in | $work/version.jsonl
holds no record | $work/empty.jsonl
none of the | $work/links.jsonl
absent.jsonl: cannot read | $work/absent.jsonl
END
refused_lines "$work/cases"
exit $bad
