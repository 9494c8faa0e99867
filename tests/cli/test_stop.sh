#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 300
# A signal ends a run in every phase with a record of what was measured, judged by the usual rule: train, kernels, roofs,
# comm. One rank that is told to stop ends all.
. "$(dirname "$0")/../prelude.sh"
. scripts/mpi.sh
export OMP_NUM_THREADS=1
out=$work/records.jsonl
tiny=(train --model tiny-gpt2 --seq 32 --gbs 2 --out "$out")

# await WHAT COMMAND...: until COMMAND succeeds, a minute at most
await() {
    local what=$1 i
    shift
    for ((i = 0; i < 600; i++)); do
        if "$@" 2>/dev/null; then return; fi
        sleep 0.1
    done
    fail "no $what within a minute: $(tail -n 3 "$work/err")"
}
# The process catches SIGTERM: bit 14 of its mask.
# shellcheck disable=SC2317  # called by await
catches() { (((0x$(awk '/^SigCgt/ { print $2 }' "/proc/$1/status") >> 14) & 1)); }
journal_has() { grep -q -- "$1" "$work"/*.journal; }
record_has() { grep -qE -- "$1" "$out" || fail "$phase: the record lacks $1: $(cut -c1-300 "$out")"; }

# stops PHASE SIGNAL CODE PATTERN ARGUMENTS...: toise gets SIGNAL once its journal has PATTERN, and ends with CODE
stops() {
    local signal=$2 want=$3 pattern=$4 pid code=0
    phase=$1
    shift 4
    rm -f "$out" "$work"/*.journal
    "$toise" "$@" >"$work/out" 2>"$work/err" </dev/null &
    pid=$!
    await "$pattern in the journal" journal_has "$pattern"
    await 'handler' catches "$pid"
    kill "-$signal" "$pid"
    wait "$pid" || code=$?
    [ "$code" = "$want" ] || fail "$phase: SIG$signal ends it with $code, not $want: $(tail -n 3 "$work/err")"
    record_has "\"stopped\":\"SIG$signal\""
    [ "$(wc -l <"$out")" = 1 ] || fail "$phase: $(wc -l <"$out") records"
    journal_has '"end":' || fail "$phase: the journal does not say how the run ended"
    ! tail -c 1 "$work"/*.journal | grep -q . || fail "$phase: the journal ends in a torn line"
}
stops gate TERM 3 '"journal":' train --model gpt2-124m --layers 1 --seq 256 --gbs 2 --steps 3 --out "$out"
record_has '"why":"stopped by SIGTERM before a timed step"'
! grep -q tokens_per_s "$out" || fail 'a run without a timed step has a rate'
stops warm-up INT 3 '"warm":3' "${tiny[@]}" --steps 3 --warmup 90000
record_has '"why":"stopped by SIGINT before a timed step"'
stops timed USR1 3 '"timed":' "${tiny[@]}" --steps 90000
record_has '"why":"stopped by SIGUSR1 after [0-9]+ of 90000 timed steps"'
record_has '"tokens_per_s":'
# as many steps as the rule wants: the answer stands
stops ruled XCPU 0 '"timed":9[0-9],' "${tiny[@]}" --min-steps 90000 --budget 10000 --ci 1
record_has '"status":"PASSED"'
stops unchecked HUP 3 '"timed":' "${tiny[@]}" --min-steps 90000 --budget 10000 --ci 1 --no-gate
cp "$out" "$work/kept.jsonl"

# measured COMMAND...: stopped by SIGTERM, once it has something to keep, it ends with 3 and keeps it
measured() {
    local pid code=0
    phase=$1
    rm -f "$out"
    "$toise" "$@" --out "$out" >"$work/out" 2>"$work/err" </dev/null &
    pid=$!
    await 'handler' catches "$pid"
    if [ "$1" = kernels ]; then await 'record' test -s "$out"; else sleep 1; fi
    kill -TERM "$pid"
    wait "$pid" || code=$?
    [ "$code" = 3 ] || fail "$phase: SIGTERM ends it with $code, not 3: $(tail -n 3 "$work/err")"
    grep -q 'stopped by SIGTERM after [1-9]' "$work/err" || fail "$phase: $(tail -n 3 "$work/err")"
    [ -s "$out" ] || fail "$phase: no record"
}
printf 'elements 4096\nelements 8192\nelements 16384\n' >"$work/shapes.txt"
measured kernels --shapes "$work/shapes.txt" --op zero,adamw --isa ref --seconds 2
measured roofs --seconds 30

# rank COMMAND...: one of two ranks gets SIGTERM, and both end with 3
rank() {
    local pid code=0 i ranks=''
    phase="$1 on two ranks"
    rm -f "$out" "$work"/*.journal
    "${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n 2 "$toise" "$@" --out "$out" >"$work/out" 2>"$work/err" </dev/null &
    pid=$!
    for ((i = 0; i < 600; i++)); do
        ranks=$(cat "/proc/$pid/task/$pid/children" 2>/dev/null || true)
        if [ "$(wc -w <<<"$ranks")" = 2 ]; then break; fi
        sleep 0.1
    done
    if [ "$1" = train ]; then await 'timed step' journal_has '"timed":'; else await 'record' test -s "$out"; fi
    kill -TERM "${ranks##* }" 2>/dev/null || kill -TERM "${ranks%% *}"
    wait "$pid" || code=$?
    [ "$code" = 3 ] || fail "$phase: exit $code, not 3: $(tail -n 3 "$work/err")"
    grep -q 'stopped by SIGTERM after [1-9]' "$work/err" || fail "$phase: $(tail -n 3 "$work/err")"
}
if command -v "${MPIRUN:-mpirun}" >/dev/null; then
    mpi_command
    rank "${tiny[@]:0:7}" --steps 90000
    record_has '"stopped":"SIGTERM"'
    rank comm --bytes 64,24MiB --seconds 3 --threads 1
else
    echo 'SKIP: two ranks: mpirun is not installed'
fi
[ ! -s "$work/kept.jsonl" ] || valid "$work/kept.jsonl"
exit $bad
