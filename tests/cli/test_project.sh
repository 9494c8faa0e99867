#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 120
# toise project: BLOOM as it ran and on other machines, a search, its cost, budgets, the trace, records. What does not
# fit exits with 1 and says so. Bad input is refused in one line, with nothing half-written.
. "$(dirname "$0")/../prelude.sh"

command=(project)
# number KEY: the figure in the first record.
number() { sed -n "1s/.*\"$1\": *\([0-9.e+-]*\)[,}].*/\1/p" "$work/out"; }
holds() { awk "BEGIN { exit !($1) }" || fail "not so: $1"; }
within() { # within KEY LOW HIGH
    holds "$(number "$1") >= $2 && $(number "$1") <= $3"
}

bloom=(--model bloom-176b --machine jean-zay-a100 --accelerators 384 --seq 2048 --gbs 2048)
as_it_ran=(--tp 4 --pp 12 --vp 1 --cp 1 --zero 1 --mbs 2 --recompute full --schedule 1f1b --no-sp --framework megatron
    --blocking --slots)

# As it ran: published 105.2 s a step, 1,082,990 accelerator-hours, 117 days.
run 0 "${bloom[@]}" "${as_it_ran[@]}" --tokens 366e9 --ramp-batch 192 --ramp-tokens 20e9 --json
within step_s 94 116
within accelerator_hours 950000 1220000
within goodput 0.85 0.97
grep -q '"status": *"PASSED"' "$work/out" || fail 'the record has not PASSED'
parts=$(sed -n '1s/.*"breakdown": *{\([^}]*\)}.*/\1/p' "$work/out" | tr ',' '\n' | sed 's/.*: *//' | paste -sd+)
holds "($parts) / $(number step_s) > 0.999999 && ($parts) / $(number step_s) < 1.000001"
for term in $(sed -n '1s/.*"breakdown": *{\([^}]*\)}.*/\1/p' "$work/out" | tr ',' '\n' | sed 's/"\([a-z0-9_]*\)".*/\1/'); do
    grep -q "\`$term\`" results/README.md || fail "results/README.md lacks the term $term"
done
holds "$(number pipeline_simulated_s) / $(number pipeline_s) > 0.97 && $(number pipeline_simulated_s) / $(number pipeline_s) < 1.03"
holds "$(number accelerator_hours) / $(number days) / 9216 > 0.99999 && $(number accelerator_hours) / $(number days) / 9216 < 1.00001"
grep -q '"mwh_facility": *null' "$work/out" || fail 'the power of a node of Jean Zay is unknown'

# A search finds a layout that fits and is no slower.
ran=$(number step_s)
run 0 "${bloom[@]}" --search --json
holds "$(sed -n '1s/.*"result": *{"step_s": *\([0-9.e+-]*\).*/\1/p' "$work/out") < $ran"
run 0 "${bloom[@]}" --search
says 'layouts priced'
[ "$(grep -c '^ .* TP [0-9]' "$work/out")" = 10 ] || fail 'the search does not list ten layouts'

# Two machines side by side; a model too large for one node; run assumptions and facts.
run 0 --model llama-2-7b --machine jean-zay-v100-32gb,jean-zay-a100,jean-zay-h100 --accelerators 64 --seq 4096 --tokens 1e12
says '^jean-zay-h100 +64 '
says 'time of a training on jean-zay-v100-32gb over that on'
run 1 --model bloom-176b --machine jean-zay-a100 --accelerators 8 --seq 2048 --gbs 2048
says 'FAILED: memory: a rank needs [0-9.]+ GB, more than its 85.9 GB'
says '^would fit +on [0-9]+: TP '
run 1 "${bloom[@]}" --tp 1 --pp 3 --zero 0
says '^would fit +on 384: TP [48]'
run 1 --model llama-3-405b --machine cluster --set nodes=1
says '^would fit +nothing on this machine'
run 0 "${bloom[@]}" "${as_it_ran[@]}" --explain
says '^data_parallel +[0-9]'
says '^node.rail_bytes_per_s .* derived'
run 0 --model llama-3-8b --machine alice-recoque --accelerators 256
says '^label +announced: the machine is announced'
says '^facts +weakest: accelerator.peak_flop_per_s, assumed'

# A mixture of experts: in a given layout, with its terms; searched; priced with all parameters in a checkpoint.
moe=(--model mixtral-8x7b --machine jean-zay-h100 --accelerators 128)
run 0 "${moe[@]}" --ep 8 --explain --tokens 1e12
says '46,702,792,704 parameters, 12,879,925,248 of them active \(2 of 8 experts\)'
says '^layout .* EP 8 '
says '^label +interpolated'
for term in experts router all_to_all 'of data_parallel'; do says "^$term +[0-9]"; done
run 0 "${moe[@]}" --ep 8 --tp 1 --pp 4 --mbs 1 --json
grep -q '"ep":8' "$work/out" || fail 'the record lacks its expert parallel ranks'
parts=$(sed -n '1s/.*"breakdown": *{\([^}]*\)}.*/\1/p' "$work/out" | tr ',' '\n' | sed 's/.*: *//' | paste -sd+)
holds "($parts) / $(number step_s) > 0.999999 && ($parts) / $(number step_s) < 1.000001"
holds "$(number pipeline_simulated_s) / $(number pipeline_s) > 0.97 && $(number pipeline_simulated_s) / $(number pipeline_s) < 1.03"
run 0 "${moe[@]}" --json # one rank's, unless asked or searched
grep -q '"ep":1,' "$work/out" || fail 'expert parallel ranks that nobody asked for'
run 0 "${moe[@]}" --search
says 'layouts priced'
says '^ .* TP [0-9].* EP [248] '
# The release notes of Megatron-Core 0.9: 468 TFLOP/s on H100 nodes, in its reference layout for 64 of them. It is inside
# the interval: 2.90 s a step.
run 0 --model mixtral-8x7b --machine eos --accelerators 64 --seq 4096 --gbs 256 --mbs 1 --tp 1 --pp 4 --vp 8 --cp 1 --ep 8 --json
within step_s_low 2 2.9
within step_s_high 2.9 6

run 0 --model llama-3-8b --machine cluster --set nodes=16,node.rail_bytes_per_s=25e9
says 'on 128 of cluster'

# From accelerator hours to tokens, and from a deadline to a layout.
run 0 --model llama-2-7b --machine jean-zay-h100 --accelerators 64 --hours 100000 --json
within accelerator_hours 99900 100100
run 0 --model llama-2-7b --machine jean-zay-h100 --tokens 1e12 --deadline 30 --json
within days 1 30
run 1 --model llama-2-7b --machine jean-zay-h100 --tokens 1e12 --deadline 0.01
says 'no number of its accelerators meets the deadline'

# One slow node of BLOOM's: most of its slowdown reaches the step, since all wait except the ends of the pipeline.
run 0 "${bloom[@]}" "${as_it_ran[@]}" --slow-node 0.1
says '^slow node +one node that takes 1.1 times as long: a step of 11[0-9.]+ s, [78]\.[0-9]% more'
run 0 "${bloom[@]}" "${as_it_ran[@]}" --slow-node 0.1 --json
within loss 0.07 0.09

# The trace and the records.
run 0 "${bloom[@]}" "${as_it_ran[@]}" --trace "$work/trace.json" --out "$work/records.jsonl"
[ "$(grep -o '"ph": *"X"' "$work/trace.json" | wc -l)" -ge $((12 * 128 * 2)) ] || fail 'the trace lacks events'
[ "$(wc -l <"$work/records.jsonl")" = 1 ] || fail 'not one record'
fsdp=(--model llama-2-7b --machine jean-zay-h100 --accelerators 64 --tp 1 --pp 1 --zero 3 --framework fsdp --seq 2048 --gbs 128)
run 0 "${fsdp[@]}" --mbs 2 --trace "$work/fsdp.json"
says '^pipeline .* by simulated events'
[ "$(grep -o '"cat": *"gather' "$work/fsdp.json" | wc -l)" = 64 ] || fail 'the trace lacks gathers of 32 layers, forward and backward'
echo old >"$work/trace.json" # is made anew, whatever it held
run 0 "${bloom[@]}" "${as_it_ran[@]}" --trace "$work/trace.json"
grep -q traceEvents "$work/trace.json" || fail 'the trace is not made anew'
run 0 --list
says '^jean-zay-a100 +Jean Zay'
run 0 --help

# A system in Calculon's format, as in its repository since 2023: a peak by type, memory without a limit.
networks='[{"bandwidth":300,"efficiency":0.65,"size":8,"latency":1e-5,"ops":{"p2p":[1.0,null]},"must_be_filled":true},
           {"bandwidth":25,"efficiency":0.9,"size":65536,"latency":2e-5,"processor_usage":0.02}]'
cat >"$work/system.json" <<END
{"matrix":{"float16":{"tflops":250,"gflops_efficiency":[[128,0.99],[0,0.1]]},"float8":{"tflops":500,"gflops_efficiency":[[0,0.9]]}},
 "vector":{"float16":{"tflops":70,"gflops_efficiency":[[0,0.9]]}},"processing_mode":"no_overlap","networks":$networks,
 "mem1":{"GiB":80000000000,"GBps":2048,"MB_efficiency":[[0,0.9]]},"mem2":{"GiB":512,"GBps":32,"MB_efficiency":[[0,0.9]]}}
END
run 0 --model gpt3-175b --machine "$work/system.json" --accelerators 64 --seq 2048 --gbs 64 --search --explain
says 'peak 250 TFLOP/s bf16 each'
says '^remarks +bfloat16 taken at the rate of matrix.float16; mem1.GiB 8e\+10 taken for no limit'
says '^memory .* GB, without limit: weights'
says '^accelerator.memory_bytes +no limit'
! grep -Eqi '[^a-z](nan|inf)[^a-z]' "$work/out" || fail 'a figure that is none stands on the page'
run 0 --model gpt3-175b --machine "$work/system.json" --accelerators 64 --seq 2048 --gbs 64 --tp 8 --pp 8 --json
grep -q '"memory_bytes":null,"remarks":"bfloat16' "$work/out" || fail 'the record does not say that memory has no limit'
sed 's/"tflops":250,//' "$work/system.json" >"$work/half.json"

# Refused: exit 2, one line on stderr, nothing on stdout, nothing written.
cat >"$work/cases" <<END
--model is missing | --machine eos
--machine is missing | --model bloom-176b
unknown "nowhere" | --model bloom-176b --machine nowhere
unknown "bloom-1" | --model bloom-1 --machine eos
has only 416 | --model bloom-176b --machine jean-zay-a100 --accelerators 1024
has 8; give whole nodes, as 376 or 384 | --model bloom-176b --machine jean-zay-a100 --accelerators 380
--tp 3 does not divide | --model bloom-176b --machine jean-zay-a100 --accelerators 384 --tp 3
has no bf16 | --model bloom-176b --machine jean-zay-v100-32gb --precision bf16
known: bf16, fp16, tf32, fp32 | --model bloom-176b --machine eos --precision int8
known: megatron, | --model bloom-176b --machine eos --framework torch
give KEY=VALUE | --model bloom-176b --machine eos --set nodes
--sp and --no-sp | --model bloom-176b --machine eos --sp --no-sp
go together | --model bloom-176b --machine eos --ramp-batch 16
whole training; give also --tokens | --model bloom-176b --machine eos --mtbf 5000

opposite questions | --model bloom-176b --machine eos --tokens 1e9 --hours 5
leave out --accelerators | --model bloom-176b --machine eos --tokens 1e9 --deadline 5 --accelerators 8
1024 positions | --model gpt2-124m --machine eos --seq 4096
--ep 3 does not divide the 8 experts of mixtral-8x7b; take 2 | --model mixtral-8x7b --machine eos --ep 3
--ep 8 does not divide the 4 data parallel ranks, which share out the experts; take 4 | --model mixtral-8x7b --machine eos --accelerators 64 --tp 8 --pp 2 --ep 8
llama-2-7b is dense; leave out --ep | --model llama-2-7b --machine eos --accelerators 64 --ep 8
--ep: 0 is out of range | --model mixtral-8x7b --machine eos --ep 0
give only one to --machine | --model llama-2-7b --machine eos,alps --accelerators 8 --trace $work/two.json
too many for trace viewers | --model llama-2-7b --machine eos --accelerators 32 --pp 32 --mbs 1 --gbs 1048576 --trace $work/two.json
are both | --model llama-2-7b --machine eos --trace $work/two.json --out $work/two.json
--trace and --out are both | --model llama-2-7b --machine eos --trace $work/two.json --out $work/./two.json
--trace and --model are both | --model $work/kept/config.json --machine eos --trace $work/kept/link.json
--out and --machine are both | --model llama-2-7b --machine eos,$work/kept/machine.json --out $work/kept/machine.json
--out and --parameters are both | --model llama-2-7b --machine eos --parameters $work/kept/parameters.json --out $work/kept/parameters.json
choose another path with --trace | --model llama-2-7b --machine eos --trace $work/kept/machine.json/trace.json
is impossible (MFU | --model llama-2-7b --machine eos --accelerators 128 --parameters $work/parameters.json
would never end | --model llama-2-7b --machine eos --accelerators 4096 --tokens 1e12 --mtbf 1
would never end | --model llama-2-7b --machine eos --hours 1000 --wall 100
is a folder | --model llama-2-7b --machine eos --out $work
half.json: field "matrix.float16.tflops" is missing | --model gpt3-175b --machine $work/half.json
absent.json | --model llama-2-7b --machine eos --parameters $work/absent.json
--slow-node | --model llama-2-7b --machine eos --slow-node -0.1
run toise curve lucie | --curve lucie
run toise curve --list | --list-curves
run toise curve SERIES | --curve --svg x.svg
run toise programme france-2023 | --campaign=france-2023 --json
run toise predict --machine | --machine results/predict-amd-epyc-zen3/machine.jsonl --seq 512 --ranks 2 --threads 1
run toise predict --machine | --model gpt2-124m --machine eos,results/predict-amd-epyc-zen3/machine.jsonl
remove the extra comma | --model llama-2-7b --machine eos,
unknown flag | --model llama-2-7b --machine eos --fast
END
# Parameters that exceed the peak of an H100 seventy times.
sed '/"hopper.matmul_share"/,/value/ s/"value": 0\.\([0-9]*\)/"value": 7\1/' harness/catalog/parameters.json >"$work/parameters.json"
# Input files are never overwritten.
mkdir "$work/kept"
echo '{"model_type":"gpt2"}' >"$work/kept/config.json"
ln -s config.json "$work/kept/link.json"
cp harness/catalog/machines/eos.json "$work/kept/machine.json"
cp harness/catalog/parameters.json "$work/kept/parameters.json"
sum=$(cat "$work"/kept/*.json | cksum)
refused_lines "$work/cases"
[ "$(cat "$work"/kept/*.json | cksum)" = "$sum" ] || fail 'a file that was read was written'
[ ! -e "$work/two.json" ] || fail 'a trace was written though it was refused'
exit $bad
