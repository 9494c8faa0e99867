#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 300
# Another program that runs pinned to a core of a rank: a training's page and record name it, other commands warn once.
# Ranks of one run are no rivals. --bind of the commands that pin threads.
. "$(dirname "$0")/../prelude.sh"
first=$(taskset -cp $$ | sed 's/.*: *\([0-9]*\).*/\1/')
rivals=()
# shellcheck disable=SC2317  # called by the trap
finish() {
    kill "${rivals[@]}" 2>/dev/null || true
    leave
}
trap finish EXIT
if ! taskset -c "$first" true; then
    echo 'SKIP: rivals: no taskset'
    exit 77
fi
few=(train --model tiny-gpt2 --seq 32 --steps 1 --warmup 0 --no-gate --threads 1 --energy off)
done_well() { [ "$code" = 0 ] || [ "$code" = 3 ] || fail "$1: exit $code: $(tail -n 3 "$work/err")"; }
shared="CPU $first is shared with rival \(process"

ln -s "$(command -v bash)" "$work/rival"
spin() { # spin CPU: a rival there
    # shellcheck disable=SC2016  # the rival expands it
    taskset -c "$1" "$work/rival" -c 'while kill -0 "$0" 2>/dev/null; do for ((i = 0; i < 100000; i++)); do :; done; done' $$ &
    rivals+=($!)
    sleep 0.2
}
spin "$first"
rival=${rivals[0]}
call taskset -c "$first" "$toise" "${few[@]}" --out "$work/one.jsonl"
done_well train
says "^warning     rank 0: $shared $rival\), pinned there too$"
grep -qE "\"shared_cores\": ?\[.*\{\"cpu\": ?$first, ?\"process\": ?$rival, ?\"name\": ?\"rival\"" "$work/one.jsonl" ||
    fail "the record: $(grep -o '"shared_cores".\{80\}' "$work/one.jsonl")"
valid "$work/one.jsonl"
call taskset -c "$first" "$toise" "${few[@]}" --bind none
done_well 'bind none'
! grep -q 'is shared with' "$work/out" "$work/err" || fail 'threads that may move share a core'
echo 'NT 8 8 8' >"$work/shapes"
call taskset -c "$first" "$toise" kernels --shapes "$work/shapes" --dtype f32 --isa ref --seconds 0.01 --threads 1 --ci 100%
grep -qE "^toise: rank 0: .*$shared $rival\).*, pinned there too: move one of them \(taskset\), or pass --bind none$" "$work/err" ||
    fail "kernels: no warning: $(cat "$work/err")"

# Two ranks on two cores, each with a rival: a training's page has both, of other commands one rank warns. A rank is no
# rival of the other.
second=$(python3 -c 'import os, sys
of = lambda cpu: open(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read()
print(*[cpu for cpu in sorted(os.sched_getaffinity(0)) if of(cpu) != of(int(sys.argv[1]))][:1])' "$first" 2>/dev/null) || second=
if [ -z "$second" ] || ! command -v "${MPIRUN:-mpirun}" >/dev/null; then
    echo 'SKIP: rivals of two ranks: no second core, or no mpirun'
else
    # shellcheck disable=SC2016  # the inner shell expands it
    ranks() { call taskset -c "$first,$second" bash -c '. scripts/mpi.sh; mpi_launch "$@"' - 2 "$toise" "$@"; }
    spin "$second"
    ranks "${few[@]}" --gbs 2
    done_well '2 ranks'
    [ "$(grep -cE '^warning +rank [01]: CPU [0-9]+ is shared with rival ' "$work/out")" = 2 ] || fail "not two rivals: $(cat "$work/out")"
    ! grep -q 'shared with toise' "$work/out" "$work/err" || fail "a rank is a rival: $(cat "$work/out")"
    ranks comm --bytes 64 --seconds 0.01 --threads 1
    [ "$(grep -cE '^toise: rank [01]: CPU [0-9]+ is shared with rival ' "$work/err")" = 1 ] || fail "comm: not one warning: $(cat "$work/err")"
fi
kill "${rivals[@]}"
wait "${rivals[@]}" 2>/dev/null || true
rivals=()
call taskset -c "$first" "$toise" "${few[@]}"
! grep -q 'with rival' "$work/out" "$work/err" || fail 'a rival that is gone'
if command -v "${MPIRUN:-mpirun}" >/dev/null; then
    for command in 'comm --bytes 64 --seconds 0.01 --bind none' 'nodes --model tiny-gpt2 --rounds 8 --seq 32 --bind numa'; do
        # shellcheck disable=SC2016,SC2086  # the inner shell expands it; several words
        call bash -c '. scripts/mpi.sh; mpi_launch "$@"' - 2 "$toise" $command --threads 1
        case $code in 0 | 1 | 3) ;; *) fail "$command: exit $code: $(tail -n 3 "$work/err")" ;; esac
    done
fi
for command in comm nodes scale kernels; do
    refused '--bind: unknown "socket"; known: core, numa, none' "$toise" $command --bind socket
    call "$toise" $command --help
    says '--bind B +core [(]default[)], numa or none: each thread on a core of its own'
done
exit $bad
