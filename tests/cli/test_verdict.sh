#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A run's verdict and exit code: too little time is inconclusive, and an earlier record that disagrees fails. Also:
# OpenMP told to place its threads still uses every CPU.
. "$(dirname "$0")/../prelude.sh"

# ends CODE FLAG...: a small run exits so; its output is in $work/said. 0 also accepts 3, which depends on time
ends() {
    local code=0 wanted=$1
    "$toise" train --model tiny-gpt2 --seq 64 "${@:2}" >"$work/said" 2>&1 </dev/null || code=$?
    [ "$code$wanted" != 30 ] || code=0
    [ $code = "$wanted" ] || fail "$*: exit $code: $(tail -n 3 "$work/said")"
}
says() { grep -q -- "$1" "$work/said" || fail "not said: $1"; }

ends 3 --ci 0.1% --budget 1 --gbs 8192 --no-gate --warmup 0
says INCONCLUSIVE

ends 0 --steps 3 --out "$work/records.jsonl"
ends 0 --steps 3 --seed 2 --out "$work/records.jsonl"
ends 0 --steps 3 --out "$work/records.jsonl"
says 'PASSED  timed losses against earlier records: .* of record 1\|PASSED  timed losses against earlier records$'
sed -i 's/"loss_first":\([^,]*\),\(.*\)"loss":\[[^,]*,/"loss_first":\1,\2"loss":[1.5,/' "$work/records.jsonl"
ends 1 --steps 3 --out "$work/records.jsonl"
says 'FAILED  timed losses against earlier records: step 0'

# Losses of an inconclusive run count if the gate passed them; those that it never checked do not.
ends 0 --steps 3 --out "$work/unsure.jsonl"
sed -i 's/"status":"PASSED"/"status":"INCONCLUSIVE"/' "$work/unsure.jsonl"
ends 0 --steps 3 --out "$work/unsure.jsonl"
says 'PASSED  timed losses against earlier records'
ends 3 --steps 3 --no-gate --out "$work/unchecked.jsonl"
ends 0 --steps 3 --out "$work/unchecked.jsonl"
! grep -q 'against earlier records' "$work/said" || fail 'losses that no gate saw were taken'

# Weights that are read are other work than those that are made.
ends 0 --steps 3 --save "$work/weights"
ends 0 --steps 3 --init "$work/weights" --out "$work/init.jsonl"
ends 0 --steps 3 --out "$work/init.jsonl"
! grep -q 'against earlier records' "$work/said" || fail 'losses after --init were taken for those of a fresh start'

# A file with other contents is another workload, whatever its name.
for day in 1 2; do
    head -c 4000 /dev/zero | tr '\0' "$day" >"$work/text"
    touch -d "2001-01-0$day" "$work/text"
    ends 0 --steps 3 --data "$work/text" --out "$work/data.jsonl"
done
says 'bytes of text, 4,000'

# One step has no interval.
ends 0 --steps 1 --warmup 0 --out "$work/one.jsonl"
says 'wall clock  .* for 1 step, .* a step (too few for an interval)'
grep -q '"mean_step_s_low":null,"mean_step_s_high":null' "$work/one.jsonl" || fail 'one step has an interval'

ends 0 --steps 3
layout=$(grep '^layout' "$work/said")
OMP_PROC_BIND=true ends 0 --steps 3
[ "$(grep '^layout' "$work/said")" = "$layout" ] || fail "OMP_PROC_BIND: $(grep '^layout' "$work/said")"
exit $bad
