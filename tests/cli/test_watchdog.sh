#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 400
# A rank that is killed, stopped or stuck, in each phase: the others name it and end with exit code 4 in time, and nothing
# is left. A job that is suspended as a whole goes on. tests/cli/test_watchdog_hosts.sh has several hosts.
. "$(dirname "$0")/../prelude.sh"
command -v "${MPIRUN:-mpirun}" >/dev/null || { echo 'SKIP: the watchdog: no mpirun'; exit 77; }
export OMP_NUM_THREADS=1 OMPI_MCA_btl_vader_backing_directory=$work/shm WORK=$work
mkdir "$work/shm"
limit=60
train=("$toise" train --model tiny-gpt2 --seq 32 --steps 40 --warmup 2 --threads 1 --timeout 2)

# A rank below a shell that keeps its process number and exit code. It ends with 0, so that mpirun lets the others be.
cat >"$work/rank.sh" <<'END'
rank=${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-0}}
"$@" &
echo $! >"$WORK/pid.$rank"
wait $!
echo $? >"$WORK/code.$rank"
END
# ranks N FLAGS...: the training in N ranks, each below such a shell
ranks() {
    local n=$1
    shift
    rm -f "$work"/pid.* "$work"/code.*
    # shellcheck disable=SC2016
    call bash -c '. scripts/mpi.sh; mpi_launch "$@"' - "$n" bash "$work/rank.sh" "${train[@]}" "$@"
}
state_of() { sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null || :; }
ended() { # ended RANK CODE WHAT: it ended so
    local got
    got=$(cat "$work/code.$1" 2>/dev/null) || got='no code'
    [ "$got" = "$2" ] || fail "$3: rank $1 ended with $got, not $2: $(tail -n 5 "$work/err")"
}
# What a run left: processes, files of shared memory.
nothing_left() {
    local file pid
    for file in "$work"/pid.*; do
        pid=$(cat "$file")
        case $(state_of "$pid") in '' | Z) ;; *) fail "$1: process $pid is left" && kill -9 "$pid" ;; esac
    done
    [ -z "$(ls "$work/shm")" ] || fail "$1: shared memory is left: $(ls "$work/shm")"
}
# shellcheck disable=SC2317  # the prelude calls it at the end
leave() {
    local file
    for file in "$work"/pid.*; do [ ! -e "$file" ] || kill -9 "$(cat "$file")" 2>/dev/null || :; done
    rm -rf "$work"
}

# fault CODE WORDS FAULT: rank 1 suffers it, and ends with CODE; rank 0 says WORDS of it, and ends with 4
fault() {
    ranks 2 --inject "hang:rank=1,$3"
    ended 0 4 "$3"
    ended 1 "$1" "$3"
    grep -qE "^toise: rank 1 \(host [^ ]+, process $(cat "$work/pid.1")\) $2" "$work/err" ||
        fail "$3: not \"$2\": $(tail -n 5 "$work/err")"
    nothing_left "$3"
}
stuck='has made no progress for [23]\.[0-9] s; phase:'
stopped='has been stopped for [23]\.[0-9] s; phase:'
killed='ended before the others; phase:'
fault 4 "$stuck gate: small model" phase=gate
fault 4 "$stuck timed steps, step 7" step=7
fault 137 "$stopped gate: the timed sizes" 'phase=gate: the timed,signal=19'
fault 137 "$stopped warm-up, step 1" phase=communication,step=1,signal=19
fault 137 "$killed gate: small model" phase=gate,signal=9
fault 137 "$killed timed steps, step 7" step=7,signal=9
if check_full 'faults in the other phases'; then
    for where in memory peak record step=0 step=1 step=30 phase=communication,step=9; do
        case $where in *=*) ;; *) where=phase=$where ;; esac
        fault 4 "$stuck" "$where"
        fault 137 "$stopped" "$where,signal=19"
        fault 137 "$killed" "$where,signal=9"
    done
fi

# The launcher sees it too: it passes the code on.
call bash -c '. scripts/mpi.sh; mpi_launch "$@"' - 2 "${train[@]}" --inject hang:rank=1,step=7
[ "$code" = 4 ] || fail "a stuck rank: mpirun ended with $code, not 4: $(tail -n 5 "$work/err")"

# What was measured is in the journal.
call bash -c '. scripts/mpi.sh; mpi_launch "$@"' - 2 "${train[@]}" --out "$work/run.jsonl" --inject hang:rank=1,step=20
[ "$code" = 4 ] || fail "with a journal: mpirun ended with $code, not 4: $(tail -n 5 "$work/err")"
journal=$(sed -n 's/^toise: what was measured is in \(.*\.journal\): .*/\1/p' "$work/err")
call "$toise" train --recover "$journal" --out "$work/run.jsonl"
grep -qE '"recovered": ?true' "$work/run.jsonl" || fail "--recover \"$journal\": $(cat "$work/err")"

grep -qE '"injected": ?"hang:rank=1,step=20"' "$work/run.jsonl" || fail 'a recovered record does not say that it was injected'
refused '--inject was "hang' bash -c '. scripts/mpi.sh; mpi_launch "$@"' - 2 "$toise" train --resume "$journal" --inject hang:rank=1,step=50000

# A rank alone watches itself.
call "${train[@]}" --inject hang:rank=0,step=7
[ "$code" = 4 ] || fail "one rank alone: exit $code, not 4: $(cat "$work/err")"
grep -q 'rank 0 .*has made no progress .*timed steps, step 7' "$work/err" || fail "one rank alone: $(cat "$work/err")"

# Standard error is a pipe that is full and that nobody reads: it ends all the same, by itself.
mkfifo "$work/full"
exec 8<>"$work/full"
dd if=/dev/zero of="$work/full" bs=4k oflag=nonblock 2>/dev/null || :
code=0
timeout 60 "${train[@]}" --out "$work/full.jsonl" --inject hang:rank=0,step=20 >"$work/out" 2>"$work/full" </dev/null || code=$?
exec 8>&-
[ "$code" = 4 ] || fail "standard error is full: exit $code, not 4"

# Shorter than the timeout, or without one, it goes on.
call "${train[@]}" --timeout 20 --inject hang:rank=0,step=7,seconds=3
[ "$code" = 0 ] || fail "a short hang: exit $code: $(cat "$work/err")"
call "${train[@]}" --timeout 0 --inject hang:rank=0,step=7,seconds=3
[ "$code" = 0 ] || fail "--timeout 0: exit $code: $(cat "$work/err")"

# All are stopped for longer than the timeout, as when Slurm suspends a job.
resume() {
    local pid
    for _ in $(seq 300); do
        sleep 0.1
        [ -s "$work/pid.0" ] && [ -s "$work/pid.1" ] || continue
        [ "$(state_of "$(cat "$work/pid.0")")$(state_of "$(cat "$work/pid.1")")" != TT ] || break
    done
    sleep 3
    cat "$work"/pid.* | xargs kill -CONT
}
rm -f "$work"/pid.*
resume &
ranks 2 --inject hang:rank=0,step=7,signal=19,seconds=0+hang:rank=1,step=7,signal=19,seconds=0
wait
ended 0 0 'a suspended job'
ended 1 0 'a suspended job'

# Ranks that share a node but not its processes, as in containers of their own: each watches itself.
if [ "$(id -u)" = 0 ] && unshare --pid --fork --mount-proc true 2>/dev/null; then
    # not by Open MPI's shared memory, which mistakes their process numbers for each other's
    call env OMPI_MCA_btl=tcp,self bash -c '. scripts/mpi.sh; mpi_launch "$@"' - 2 \
        unshare --pid --fork --mount-proc --kill-child "${train[@]}" --inject hang:rank=1,step=7
    grep -q 'rank 1 .*has made no progress .*timed steps, step 7' "$work/err" || fail "containers: $(cat "$work/err")"
    [ "$code" = 4 ] || fail "containers: exit $code, not 4"
else
    echo 'SKIP: ranks in containers of their own: no namespaces of processes'
fi

command=("${train[@]:1}")
refused 'at least 1 second, or 0 for no watchdog' "${train[@]}" --timeout 0.5
refused '--timeout' "${train[@]}" --timeout -1
refused '--inject: "stop" is no fault' "${train[@]}" --inject stop:rank=0
refused 'rank 5 does not exist' "${train[@]}" --inject hang:rank=5,step=1
exit $bad
