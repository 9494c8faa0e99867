#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 300
# --launches: a process and a record for each, their summary, --budget, kills, refusals; toise report on their records.
# Noise is not tested: a summary may be inconclusive, and the exit code then says so.
. "$(dirname "$0")/../prelude.sh"
. scripts/mpi.sh
export OMP_NUM_THREADS=1
out=$work/records.jsonl
tiny=(train --model tiny-gpt2 --seq 32 --gbs 2 --steps 3 --warmup 0)

# count PATTERN FILE: matching lines
count() { grep -c -- "$1" "$2" || true; }
# judged FILE: the last line of FILE is a summary, and the exit code is its status
judged() {
    local status
    status=$(tail -n 1 "$1" | sed -n 's/.*"kind":"launches","status":"\([A-Z]*\)".*/\1/p')
    case $status$code in PASSED0 | INCONCLUSIVE3 | FAILED1) ;; *) fail "status $status, exit $code: $(cat "$work/err")" ;; esac
}

call "$toise" "${tiny[@]}" --launches 3 --ci 100% --out "$out" --json
judged "$work/out"
[ "$(wc -l <"$work/out")" = 4 ] && [ "$(count '^{"schema":"toise/1","kind":"train"' "$work/out")" = 3 ] || fail "--json: $(cut -c1-80 "$work/out")"
judged "$out"
[ "$(wc -l <"$out")" = 4 ] || fail "--out has $(wc -l <"$out") records, not four"
for i in 1 2 3; do grep -q "\"index\":$i,\"of\":3" "$out" || fail "no launch $i of 3"; done
[ "$(grep -o '"job":"[^"]*"' "$out" | sort -u | wc -l)" = 1 ] || fail 'the launches have several jobs'
[ "$(grep '"kind":"train"' "$out" | grep -o '"launch":{"id":"[^"]*"' | sort -u | wc -l)" = 3 ] || fail 'launches share an id'
# each is checked against the one before
[ "$(count '"history":' "$out")" = 2 ] || fail 'launches are not checked against earlier ones'
grep -qE '^launch 3 of 3   PASSED  .* tokens/s/node' "$work/err" || fail "no progress: $(cat "$work/err")"
grep -q '^    by launch ' "$work/err" || fail "no rate by launch: $(cat "$work/err")"

# The records say the same to toise report, in each form.
call "$toise" report "$out"
[ "$code" = 0 ] || fail "report: exit $code"
says '^tiny-gpt2, 2 x 32 tokens  fp32 .* tokens/s/node .* 3 PASSED '
call "$toise" report "$out" --ci 0.01%
[ "$code" = 3 ] || fail "report of noise: exit $code, not 3"
grep -qE 'the mean of 3 launches is known to .*, not to the \+-0.01% asked for: .* launches are needed' "$work/err" ||
    fail "the launches needed: $(cat "$work/err")"
says ' tokens/s/node ' # the figure is still shown
run 0 report "$out" --format md
says '^\| .* \| tiny-gpt2, 2 x 32 tokens \| fp32 \| [0-9.]+ tokens/s/node \|'
run 0 report "$out" --format csv
[ "$(sed -n 1p "$work/out" | tr -cd , | wc -c)" = "$(sed -n '2s/"[^"]*"//p' "$work/out" | tr -cd , | wc -c)" ] ||
    fail "CSV: $(cat "$work/out")"
run 0 report "$out" "$out" --json
grep -q '"met_again":3' "$work/out" || fail 'launches given twice count twice'
[ "$(wc -l <"$work/out")" = 1 ] && grep -q '"sha256":"[0-9a-f]\{64\}"' "$work/out" || fail 'no hash of the records'
refused 'needs files of records' "$toise" report
refused 'absent.jsonl' "$toise" report "$work/absent.jsonl"
echo '{"schema":"toise/1","kind":"project","status":"PASSED"}' >"$work/other.jsonl"
refused 'none of the 1 records has a rate' "$toise" report "$work/other.jsonl"
{ head -n 1 "$out" && echo 'not a record'; } >"$work/mixed.jsonl"
refused 'mixed.jsonl: line 2' "$toise" report "$work/mixed.jsonl"
run 0 report "$work/mixed.jsonl" --skip-bad
grep -q '1 lines are not records and were skipped' "$work/err" || fail 'a skipped line is not mentioned'

# Imported figures are taken, and labelled; texts for people hold no commands for a terminal.
printf 'node,metric,value,launch,better,unit\nn1,hpl,10,1,higher,GFLOP/s\nn1,hpl,11,2,higher,GFLOP/s\n' >"$work/hpl.csv"
run 0 import "$work/hpl.csv" --out "$work/hpl.jsonl"
run 0 report "$work/hpl.jsonl"
says '^hpl  *10.5 GFLOP/s .* 2 UNVERIFIED  UNVERIFIED$'
sed -n 1p "$out" | sed 's/"host":"/&\\u001b[31m/' >"$work/escape.jsonl"
run 0 report "$work/escape.jsonl"
! grep -q "$(printf '\033')" "$work/out" || fail 'a host name commands the terminal'

# A launch that FAILED takes the rate of all.
sed 's/"loss_first":\([^,]*\),\(.*\)"loss":\[[^,]*,/"loss_first":\1,\2"loss":[1.5,/' "$out" >"$work/wrong.jsonl"
call "$toise" "${tiny[@]}" --launches 2 --out "$work/wrong.jsonl"
[ "$code" = 1 ] || fail "launches that FAILED: exit $code"
says '^tiny-gpt2, 2 x 32 tokens  fp32  .* none '
says '2 FAILED'

# The budget ends it, and --min-steps outranks the budget.
call "$toise" "${tiny[@]}" --launches 1000 --budget 4 --ci 0.1%
[ "$code" = 3 ] && grep -q 'budget ended before' "$work/err" || fail "--budget: exit $code: $(cat "$work/err")"
call "$toise" train --model tiny-gpt2 --seq 32 --gbs 2 --min-steps 300 --budget 1 --ci 100% --out "$work/steps.jsonl"
[ "$(grep -o '"loss":\[[^]]*' "$work/steps.jsonl" | tr -cd , | wc -c)" -ge 300 ] || fail 'fewer steps than --min-steps'
# With one launch there is no interval.
call "$toise" "${tiny[@]}" --launches 1
[ "$code" = 3 ] && grep -q 'one launch has no interval' "$work/err" || fail "one launch: exit $code"

# kernels: a summary for each shape
echo 'elements 4096' >"$work/shapes.txt"
call "$toise" kernels --shapes "$work/shapes.txt" --op zero,adamw --isa ref --seconds 0.02 --launches 2 --ci 100% --json
[ "$(count '"kind":"launches"' "$work/out")" -ge 2 ] || fail "kernels: $(cut -c1-60 "$work/out") $(cat "$work/err")"

# stopped CODE SIGNAL OF: after the first launch SIGNAL reaches the command, or the launch that runs (OF is child)
stopped() {
    local want=$1 pid child
    shift
    rm -f "$work/cut.jsonl"
    "$toise" "${tiny[@]}" --launches 100 --out "$work/cut.jsonl" >"$work/out" 2>"$work/err" &
    pid=$!
    for ((i = 0; i < 600; i++)); do
        [ ! -s "$work/cut.jsonl" ] || break
        sleep 0.1
    done
    # a launch may end before the signal reaches it: the next one gets it
    if [ "$2" = command ]; then kill "-$1" "$pid"; fi
    for ((i = 0; i < 600; i++)); do
        kill -0 "$pid" 2>/dev/null || break
        child=$(cat "/proc/$pid/task/$pid/children" 2>/dev/null || true)
        [ "$2" != child ] || [ -z "$child" ] || kill "-$1" "${child%% *}" 2>/dev/null || true
        sleep 0.1
    done
    code=0
    wait "$pid" || code=$?
    [ "$code" = "$want" ] || fail "signal $1 to $2: exit $code: $(cat "$work/err")"
    [ "$(count '^{"schema":"toise/1","kind":"train"' "$work/cut.jsonl")" -ge 1 ] || fail "signal $1 to $2: finished launches are lost"
    says '^    by launch '
    tail -n 1 "$work/cut.jsonl" | grep -q '"kind":"launches"' || fail "signal $1 to $2: no summary of what finished"
}
stopped 3 TERM command
grep -q 'stopped by SIGTERM after [0-9]* of 100 launches' "$work/err" || fail "a stopped command: $(cat "$work/err")"
stopped 4 KILL child
grep -q 'ended with exit code 137' "$work/err" || fail "a killed launch: $(cat "$work/err")"

refused 'missing.txt' "$toise" "${tiny[@]}" --launches 3 --data "$work/missing.txt"
refused 'launches' "$toise" "${tiny[@]}" --launches 0
refused 'launches only measure' "$toise" "${tiny[@]}" --launches 3 --save "$work/none"
refused 'launches only measure' "$toise" "${tiny[@]}" --launches 3 --dry-run
refused 'both set the number of timed steps' "$toise" "${tiny[@]}" --min-steps 3
if command -v "${MPIRUN:-mpirun}" >/dev/null; then
    mpi_command
    call "${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n 2 "$toise" "${tiny[@]}" --launches 3 --data 'a b' --ci 2%
    [ "$code" = 2 ] && [ "$(count '^toise: ' "$work/err")" = 1 ] || fail "under mpirun: exit $code: $(cat "$work/err")"
    loop=$(sed -n 's/^toise: .*use this loop: //p' "$work/err")
    bash -n <<<"$loop" || fail "the loop is no shell: $loop"
    # shellcheck disable=SC2016  # the text of the loop
    [[ $loop = *'mpirun -n 2'*"--data 'a b' --ci 2%"*'--job $job; done'*'--ci 2%' && $loop != *--launches* ]] || fail "the loop: $loop"
else
    echo 'SKIP: --launches under mpirun: it is not installed'
fi
exit $bad
