#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 240
# toise import: every format becomes records with all samples, warm-up apart, and their origin. Damaged, mixed, foreign
# and large files are refused or read to the end. compare takes the records, and says that they are UNVERIFIED.
. "$(dirname "$0")/../prelude.sh"
command=(import)
in=tests/cli/import
out=$work/out.jsonl

# has TEXT: the one record of the last `record` has it
has() { grep -qF -- "$1" "$work/record" || fail "the record lacks $1: $(cut -c1-1500 "$work/record")"; }
# record NUMBER ARGUMENTS...: imports, and keeps that record in $work/record
record() {
    run 0 "${@:2}" --json
    sed -n "$1p" "$work/out" >"$work/record"
}
lines() { [ "$(wc -l <"$work/out")" = "$1" ] || fail "$(wc -l <"$work/out") records, not $1"; }

record 1 $in/megatron.log --node gpu7 --nodes 2 --machine eos --model llama-3-8b
lines 1
for text in '"status":"UNVERIFIED"' '"kind":"train"' '"host":"gpu7"' '"name":"eos"' '"model":"llama-3-8b"' '"lines":[34,42]' \
    "\"sha256\":\"$(sha256sum <$in/megatron.log | cut -d' ' -f1)\"" '"warmup":{"step_s":[20.1124' '"iteration":[2,3,4,5,6,7,8]' \
    '"step_s":4.1,"step_s_low":4.09' '"tokens_per_s":127875.1' '"seq":4096' '"global_batch":128' '"kv_heads":8' '"tp":2' '"dp":4' \
    '"precision":"bf16"' '"tokens_per_s_per_node":63937.5' '"nodes":2' '"zero":1' '"loss_first":11.962' '"nan_iterations":0'; do
    has "$text"
done
record 1 $in/megatron.log --warmup 3
has '"iteration":[4,5,6,7,8]'
record 1 $in/megatron.log --warmup 100 # nothing is left to time, and it says so
has 'warm-up alone'
! grep -q tokens_per_s "$work/record" || fail 'a rate of warm-up'

# two starts in one log: the second begins at the checkpoint, and its iterations do not join the first's
record 2 $in/megatron-restart.log
lines 2
has '"index":2'
has '"iteration":[50,60]'
has '"warmup":{"step_s":[19.0,5.6'
has '"steps":10'
sed -n 1p "$work/out" >"$work/record"
has '"loss":[12.0,11.0,10.0,9.0,null]'
has '"nan_iterations":10'
has '"joules_per_accelerator":[2255.0'
# without the list of arguments the iterations that go back tell
sed '/^----.*arguments/d; /^  [a-z_]* \.\.\./d; /using world/d; /^ loading/d' $in/megatron-restart.log >"$work/bare.log"
run 0 "$work/bare.log" --json
lines 2
record 1 $in/megatron-2021.log --seq 1024
has '"steps":100'
has '"loss":[6.7'
! grep -q tokens_per_s "$work/record" || fail 'tokens/s without a batch'
record 1 $in/megatron-deepspeed.log
has '"repeated":5'
has '"step_s":[104.2'
has '"tflop_per_s_per_accelerator_square":[149.'

record 3 $in/nccl-tests.txt
lines 8
for text in '"op":"all_reduce"' '"bytes":1048576' '"count":262144' '"dtype":"f32"' '"redop":"sum"' '"place":"out"' '"wrong":0' \
    '"time_s":[4e-5]' '"calls":20' '"warmup_calls":5' '"algbw_byte_per_s":26210000000.0' '"world":8' '"nodes":2' '"host":"gpu000"' \
    '"accelerator":"NVIDIA H100 80GB HBM3"'; do
    has "$text"
done
sed -n 8p "$work/out" >"$work/record"
has '"op":"all_to_all"'
has '"wrong":null'
has '"index":2'
record 1 $in/nccl-tests-2.13.txt --op broadcast
has '"op":"broadcast"'
has '"world":2'
record 2 $in/nccl-tests-iterations.txt
has '"p99_s":4.8'
has '"cv":0.0456'
record 1 $in/nccl-tests.json
lines 2
has '"calls":1'
has '"confidence":0.9'
[ "$(grep -o '"time_s":\[[^]]*' "$work/record" | tr -cd , | wc -c)" = 19 ] || fail 'not all 20 samples'
! grep -q SECRET "$work/record" || fail 'the environment was copied'
record 1 $in/google-benchmark.json
lines 2
for text in '"kind":"kernel"' '"op":"gemm/512/real_time"' '"call_s":[0.00125,0.00135' '"calls":[500,500,500]' '"aggregates":{"mean":' \
    '"cv":{"call":0.038' '"counters":{"FLOP/s":[214748364800.0' '"host":"node07"' '"threads":1'; do
    has "$text"
done
! grep -q BigO "$work/out" || fail 'a fit over sizes became a record'
sed -n 2p "$work/out" >"$work/record"
has '"status":"FAILED","why":"Google Benchmark: no such device"'
record 1 $in/figures.csv
lines 4
for text in '"kind":"figure"' '"metric":"stream triad"' '"value":[203.1' '"unit":"GB/s"' '"better":"higher"' '"host":"n01"' '"lines":[2,3]'; do
    has "$text"
done
printf 'sep=;\nnode;metric;value\nn1;watts;1.234,5\nn1;watts;1.235,5\n' >"$work/comma.csv"
record 1 "$work/comma.csv"
has '"value":[1234.5,1235.5]'

# the same file gives the same launches; the page says what is what
run 0 $in/*.log $in/nccl-tests.txt $in/*.json $in/figures.csv --out "$out"
says '^toise import   .* UNVERIFIED'
says '^train   launch 2 of 2: a step 4.10 s \[4.09 s, 4.11 s\], 2 samples, warm-up 2; .* tokens/s'
says '^kernel  broken: .*FAILED: Google Benchmark: no such device'
says '5 lines that stand there twice'
valid "$out"
run 0 $in/megatron.log --out "$out"
[ "$(grep -F "$(basename $in)/megatron.log" "$out" | grep -o '"id":"[^"]*"' | sort -u | wc -l)" = 1 ] || fail 'another id for the same file'

# colours, NUL, CRLF, a byte-order mark and progress bars change nothing
{
    printf '\xef\xbb\xbf'
    sed 's/^ \[2026/\x1b[32m 37%|###  |\r [2026/; s/$/\x1b[0m\r/' $in/megatron.log | sed '40s/^/\x00\x00\x00/'
} >"$work/dressed.log"
record 1 "$work/dressed.log"
has '"tokens_per_s":127875.1'
has '"iteration":[2,3,4,5,6,7,8]'

# refused: file, line and cure; nothing is written
cat $in/megatron.log $in/nccl-tests.txt >"$work/mixed.log"
cat $in/megatron.log $in/megatron.log >"$work/twice.log"
sed '37s/4090.0.*/40/; 37q' $in/megatron.log | head -c -1 >"$work/torn.log"
sed '37s/(ms)/(us)/' $in/megatron.log >"$work/units.log"
sed '37s/4090.0/4090,0/' $in/megatron.log >"$work/locale.log"
iconv -t UTF-16 $in/megatron.log >"$work/utf16.log"
: >"$work/empty.log"
printf 'nothing to see\n' >"$work/notes.txt"
sed 's/(us)/(ms)/' $in/nccl-tests.txt >"$work/units.txt"
sed 's/ 26.21 / 26210 /' $in/nccl-tests.txt >"$work/contradiction.txt"
head -n 19 $in/nccl-tests.txt | head -c -30 >"$work/torn.txt"
head -c 900 $in/google-benchmark.json >"$work/torn.json"
sed 's/"ms"/"min"/' $in/google-benchmark.json >"$work/units.json"
sed 's/1.25000.*e+00/NaN/' $in/google-benchmark.json >"$work/nan.json"
echo '{"results": []}' >"$work/other.json"
sed 's/203.1/fast/' $in/figures.csv >"$work/word.csv"
sed '3s,GB/s,MB/s,' $in/figures.csv >"$work/units.csv"
sed 's/203.1/inf/' $in/figures.csv >"$work/inf.csv"
cat >"$work/cases" <<END
mixed.log: line 34 is of Megatron-LM, line 59 of nccl-tests | $work/mixed.log
twice.log: line 77 repeats line 34 | $work/twice.log
torn.log: line 37: it has no | $work/torn.log
units.log: line 37: "elapsed time per iteration (us): 4090.0": the unit must be (ms) or (s) | $work/units.log
locale.log: line 37: "elapsed time per iteration (ms)": "4090,0" is not a number, or has a decimal comma | $work/locale.log
utf16.log: is UTF-16 | $work/utf16.log
empty.log: is empty | $work/empty.log
notes.txt: is of no known format: looked for lines | $work/notes.txt
--from megatron | $work/notes.txt
--from names: looked for the table's heading | $in/megatron.log --from nccl-tests
--from names: looked for | $in/google-benchmark.json --from csv
give it with --op | $in/nccl-tests-2.13.txt
leave out --op | $in/nccl-tests.txt --op all_gather
the unit of time is "(ms)", not (us) | $work/units.txt
line 19: time and algbw contradict each other | $work/contradiction.txt
torn.txt: line 19: the row has 9 of 13 columns | $work/torn.txt
torn.json: line | $work/torn.json
time_unit is "min" | $work/units.json
nan.json: line 31 | $work/nan.json
other.json: is of no known format | $work/other.json
word.csv:2: value "fast" | $work/word.csv
units.csv: line 3: the unit of stream triad changes from "GB/s" to "MB/s" | $work/units.csv
inf.csv:2: value "inf" | $work/inf.csv
holds records of toise already | $out
absent.log | $in/absent.log
is a folder | $in
not a plain file | /dev/zero
FILE is missing | --node x
--from: unknown "nccl" | $in/nccl-tests.txt --from nccl
are both | $out --out $out
END
refused_lines "$work/cases"

# --skip-bad uses the rest, and counts
record 1 "$work/units.log" --skip-bad
has '"iteration":[2,4,5,6,7,8]'
grep -q 'skipped     1 damaged line.*units.log: line 37' "$work/err" || fail "not said: $(cat "$work/err")"
has '"skipped":1'
record 1 "$work/torn.txt" --skip-bad
has '"complete":false'
run 0 "$work/word.csv" --skip-bad --json
lines 4
sed -n 1p "$work/out" >"$work/record"
has '"value":[202.7]'

# a large log, in seconds: no timing here, only that it is read to its end
awk 'BEGIN { for (i = 1; i <= 60000; i++) printf "node%05d: WARNING: a line of no interest, of about one hundred characters, stands here\n", i }' >"$work/large.log"
cat $in/megatron.log >>"$work/large.log"
record 1 "$work/large.log"
has '"lines":[60034,60042]'

# compare takes them: what was measured elsewhere gets the same statistics and a label
for side in base new; do
    awk -v side=$side 'BEGIN { print "node,metric,value,unit,better"
        for (i = 1; i <= 6; i++) printf "n%d,triad,%.2f,GB/s,higher\n", i, (side == "new" ? 210 : 200) + i / 10 }' >"$work/$side.csv"
    run 0 "$work/$side.csv" --out "$work/$side.jsonl"
done
call "$toise" compare "$work/base.jsonl" "$work/new.jsonl"
says 'verdict .*faster.*UNVERIFIED'

# what the installed Google Benchmark writes today
cat >"$work/bench.cc" <<'END'
#include <benchmark/benchmark.h>
static void add(benchmark::State &s) {
    for (auto _ : s)
        for (int i = 0; i < s.range(0); i++) benchmark::DoNotOptimize(i);
    s.counters["FLOP/s"] = benchmark::Counter(static_cast<double>(s.iterations()), benchmark::Counter::kIsRate);
}
BENCHMARK(add)->Arg(8)->Arg(64)->Unit(benchmark::kMicrosecond);
static void broken(benchmark::State &s) {
    s.SkipWithError("no such unit");
    for (auto _ : s) {}
}
BENCHMARK(broken);
BENCHMARK_MAIN();
END
if g++ -O1 -std=c++17 "$work/bench.cc" -o "$work/bench" -lbenchmark -lpthread 2>/dev/null; then
    "$work/bench" --benchmark_min_time=0.001 --benchmark_repetitions=3 --benchmark_out="$work/bench.json" \
        --benchmark_out_format=json >/dev/null 2>&1
    record 2 "$work/bench.json"
    lines 3
    has '"op":"add/64"'
    [ "$(grep -o '"call_s":\[[^]]*' "$work/record" | tr -cd , | wc -c)" = 2 ] || fail 'not three repetitions'
    has '"median":{"call_s":'
    valid "$work/out"
else
    echo 'SKIP: import of what Google Benchmark writes: it is not installed'
fi
exit $bad
