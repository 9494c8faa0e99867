#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# toise accept: verdicts, exit codes and pages on records made from one that was measured. Wrong tenders are refused by
# field; launches that are no evidence are left out and named.
. "$(dirname "$0")/../prelude.sh"
command=(accept)
records=results/reference/amd-epyc-zen5-2-cores.jsonl

# launches NAME HOST RATE COUNT [SED]: appends launches of about this rate on a host to $work/NAME.jsonl
launches() {
    local i rate
    for ((i = 1; i <= $4; i++)); do
        rate=$(awk -v r="$3" -v i="$i" 'BEGIN { printf "%.4f", r * (1 + 0.002 * (i * 3 % 7 - 3)) }')
        sed -n "1{s/\"id\":\"[^\"]*\"/\"id\":\"$1-$2-$i\"/;s/\"host\":\"vm\"/\"host\":\"$2\"/g;s/\"tokens_per_s_per_node\":[0-9.]*/\"tokens_per_s_per_node\":$rate/;${5:-};p}" \
            "$records" >>"$work/$1.jsonl"
    done
}
# tender NAME [PLEDGES [MORE]]: $work/NAME.json
tender() {
    printf '{"title": "three nodes", "workload": "node-s", "precision": "fp32", "nodes": 3, "pledged": {%s}%s}\n' \
        "${2:-\"tokens_per_s_per_node\": 500}" "${3:-}" >"$work/$1.json"
}

call "$toise" accept --help
[ $code = 0 ] && says 'TENDER.json RECORDS' && says 'Exit codes: 0 accepted, 1 rejected, 3 inconclusive' || fail '--help'

tender plain
for host in n1 n2 n3; do launches good $host 505 6; done
run 0 "$work/plain.json" "$work/good.jsonl"
says '^toise accept   PASSED   accepted$'
says '^measured    3 of 3 nodes, 18 launches of 18 jobs$'
says '^kept        rate of the slowest  *505(\.[0-9]*)? \[50[0-9.]*, 50[0-9.]*\] tokens/s/node; pledged 500$'
says '18 launches of 3 places, which vary by 0\.[0-9]*%$'

# one slow node decides; a node that is just below the pledge but above the tolerance is not accepted either
for host in n1 n2; do launches slow $host 510 6; done
launches slow n3 480 6
run 1 "$work/plain.json" "$work/slow.jsonl"
says '^toise accept   FAILED   rejected: tokens_per_s_per_node is broken$'
says '^broken      rate of the slowest  *480'
says 'AMD EPYC: n3$'
run 0 "$work/plain.json" "$work/good.jsonl" --out "$work/out.jsonl"
run 1 "$work/plain.json" "$work/slow.jsonl" --out "$work/out.jsonl"

# too few launches, too few nodes, noise
for host in n1 n2 n3; do launches few $host 505 4; done
run 3 "$work/plain.json" "$work/few.jsonl"
says 'inconclusive: tokens_per_s_per_node is undecided: a place has 4 launches; each needs at least 5$'
for host in n1 n2; do launches two $host 505 6; done
run 3 "$work/plain.json" "$work/two.jsonl"
says 'inconclusive: only 2 of 3 nodes have launches$'
for host in n1 n2 n3; do for rate in 400 600; do launches noisy$rate $host $rate 3; done; done
cat "$work"/noisy*00.jsonl >"$work/noisy.jsonl"
run 3 "$work/plain.json" "$work/noisy.jsonl" --out "$work/out.jsonl"
says '18 launches of 3 places, which vary by 2[0-9]%; a decision takes about [0-9]* of each$'
says 'the interval reaches from the pledge to below what is never accepted'

# what is no evidence; a launch that FAILED rejects
cp "$work/good.jsonl" "$work/more.jsonl"
cat "$work/good.jsonl" >>"$work/more.jsonl"
launches more n1 100 2 's/"fp32"/"bf16"/g'
launches more n2 100 1 's/"loss":0[^,]*,"gradients"/"gradients"/'
launches more n3 100 1 's/"nodes":1,"dp"/"nodes":7,"dp"/'
run 0 "$work/plain.json" "$work/more.jsonl"
says '^left out    18 of a launch that was counted already$'
says '^left out    2 of another workload or precision$'
says '^left out    1 trained without a gate$'
says '^left out    1 on another number of nodes$'
cp "$work/good.jsonl" "$work/faults.jsonl"
launches faults n1 100 2 's/"result":{/"result":{"injected":"slow:rank=0,factor=2",/'
launches faults n2 100 1 's/"result":{/"result":{"injected":"slow:rank=0,factor=2",/;s/"status":"PASSED"/"status":"FAILED"/;s/"id":"faults-n2-1"/"id":"failed"/'
launches faults n3 100 1 's/"result":{/"result":{"stopped":"SIGTERM",/'
sed -n '1s/"id":"good-n1-1"/"id":"on","resumes":["good-n1-1"]/p' "$work/good.jsonl" >>"$work/faults.jsonl"
run 0 "$work/plain.json" "$work/faults.jsonl"
says '^measured    3 of 3 nodes, 18 launches'
says '^left out    3 with faults of --inject, which measured no machine$'
says '^left out    1 stopped early$'
says '^left out    1 that another launch went on with$'
cp "$work/good.jsonl" "$work/wrong.jsonl"
launches wrong n2 505 1 's/"status":"PASSED"/"status":"FAILED","why":"gradients"/;s/"samples":{.*"result":{.*"residual"/"samples":{},"result":{"residual"/;s/"id":"wrong-n2-1"/"id":"wrong"/'
run 1 "$work/plain.json" "$work/wrong.jsonl" --out "$work/out.jsonl"
says '^toise accept   FAILED   rejected: 1 launch FAILED the checks$'
says '^FAILED      .*wrong.jsonl line 19, AMD EPYC: vm: gradients$|^FAILED      .*wrong.jsonl line 19, AMD EPYC: n2: gradients$'

# all pledges at once
for host in n1 n2 n3; do
    launches all $host 505 5 's/"step_s":\[[^]]*\]/"step_s":[2.0,2.0,2.0,2.0]/;s/"joules_per_token":[^,]*,//;s/"wall_s":[0-9.]*,//;s/"result":{/"result":{"wall_s":660,/;s/"residual":/"energy":{"status":"measured","joules_per_token":0.4,"sources":[]},"residual":/'
    launches all $host-large 480 5 's/"layout":{"world":1,"nodes":1/"layout":{"world":3,"nodes":3/'
done
tender all '"tokens_per_s_per_node": 500, "sustained_minutes": 10, "spread": 0.05, "efficiency": {"nodes": 3, "least": 0.9}, "joules_per_token": 0.5'
run 0 "$work/all.json" "$work/all.jsonl" --out "$work/out.jsonl"
[ "$(grep -c '^kept ' "$work/out")" = 5 ] || fail "not five pledges kept: $(cat "$work/out")"
says 'efficiency at the larger size *95\.[0-9]* \[9'
tender efficient '"efficiency": {"nodes": 3, "least": 0.99}'
run 1 "$work/efficient.json" "$work/all.jsonl"
tender hungry '"joules_per_token": 0.3'
run 1 "$work/hungry.json" "$work/all.jsonl"
tender unmeasured '"joules_per_token": 0.5'
run 3 "$work/unmeasured.json" "$work/good.jsonl"
says 'energy is unmeasured'
tender long '"tokens_per_s_per_node": 500, "sustained_minutes": 12'
refused 'no record is of a launch of node-s in fp32 on 1 node; .* are shorter than the pledged minutes' "$toise" accept "$work/long.json" "$work/good.jsonl"

# tenders and records that are wrong
tender unknown '"tokens_per_s": 500'
tender nothing ' '
tender zero '"tokens_per_s_per_node": 0'
tender text '"tokens_per_s_per_node": "fast"'
tender alone '"sustained_minutes": 10'
tender least '"efficiency": {"nodes": 3}'
tender larger '"efficiency": {"nodes": 4, "least": 0.9}'
tender small '"efficiency": {"nodes": 1, "least": 0.9}'
tender field '' ', "color": 3'
tender copies '' ', "copy_nodes": 2'
tender strict '' ', "tolerance": 0'
sed 's/node-s/node-x/' "$work/plain.json" >"$work/workload.json"
sed 's/fp32/fp64/' "$work/plain.json" >"$work/precision.json"
sed 's/"nodes": 3/"nodes": 2.5/' "$work/plain.json" >"$work/half.json"
sed 's/"nodes": 3, //' "$work/plain.json" >"$work/nodes.json"
echo '[1]' >"$work/list.json"
echo '{"workload": ' >"$work/torn.json"
launches versions n1 500 2 's/"version":"0.1.0"/"version":"9.9"/'
cat "$work/good.jsonl" >>"$work/versions.jsonl"
refused_lines /dev/stdin <<END
TENDER.json is missing |
records are missing | $work/plain.json
no-such.json | no-such.json $work/good.jsonl
unknown key "tokens_per_s"; known keys: tokens_per_s_per_node | $work/unknown.json $work/good.jsonl
nothing is pledged | $work/nothing.json $work/good.jsonl
field pledged.tokens_per_s_per_node must be a number above 0 | $work/zero.json $work/good.jsonl
field pledged.tokens_per_s_per_node must be a number above 0 | $work/text.json $work/good.jsonl
says how long a rate holds | $work/alone.json $work/good.jsonl
field pledged.efficiency.least must be | $work/least.json $work/good.jsonl
field pledged.efficiency.nodes is 4, and the machine has 3 | $work/larger.json $work/good.jsonl
field pledged.efficiency.nodes must be a whole number, 2 to | $work/small.json $work/good.jsonl
unknown key "color" | $work/field.json $work/good.jsonl
do not fill 3 nodes | $work/copies.json $work/good.jsonl
field tolerance must be | $work/strict.json $work/good.jsonl
unknown "node-x"; known: | $work/workload.json $work/good.jsonl
field precision must be "fp32" or "bf16" | $work/precision.json $work/good.jsonl
field nodes must be a whole number | $work/half.json $work/good.jsonl
field nodes must be a whole number | $work/nodes.json $work/good.jsonl
must be an object | $work/list.json $work/good.jsonl
torn.json | $work/torn.json $work/good.jsonl
a tender takes records of one version | $work/plain.json $work/versions.jsonl
no record is of a launch of node-s in fp32 | $work/plain.json results/predict-amd-epyc-zen3/machine.jsonl
END

# the example of harness/accept/README.md
run 3 harness/catalog/tenders/example.json results/reference/intel-xeon-2023-2-cores.jsonl --out "$work/out.jsonl"
says 'measured    1 of 2 nodes'

valid "$work/out.jsonl"
call "$toise" report "$work/out.jsonl" --html "$work/page.html"
grep -q 'Pledged figures, of the worst place' "$work/page.html" || fail 'the HTML page lacks the tender'
exit $bad
