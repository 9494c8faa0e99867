#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/bench.sh BUILD [flags of toise train]: the main job, workload node-s, in both precisions. Launches of one rank
# per NUMA node; precisions alternate, since machines drift. At least three of each, then more until both means are known
# to 5% or four minutes are nearly over. Then toise report summarises them. Records go to results/local/. The exit code
# is the worst launch's, or 3 if a mean is known less well.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/mpi.sh

toise=${1:-build}/toise
shift || true
least=3 ci=5% most_s=220
stamp=$(date -u +%Y%m%dT%H%M%SZ)
out=results/local/$(hostname -s)-$stamp.jsonl
job=bench-$stamp
[ -z "${SLURM_JOB_ID:-}" ] || job=slurm-$SLURM_JOB_ID

mpi_machine
# node-s has four sequences a step, so four ranks at most.
ranks=1
for n in 2 4; do [ "$NUMA" -lt "$n" ] || ranks=$n; done
launcher=(mpi_launch_numa "$ranks")
command -v "${MPIRUN:-mpirun}" >/dev/null || launcher=()

# Ranks exit codes: an answer of no (1) is worse than inconclusive (3).
badness() { case $1 in 0) echo 0 ;; 3) echo 1 ;; 1) echo 2 ;; 2) echo 3 ;; 4) echo 4 ;; *) echo 5 ;; esac; }

worst=0
worsen() { [ "$(badness "$1")" -le "$(badness "$worst")" ] || worst=$1; }
report() { "$toise" report "$out" --ci $ci; }

# launch PRECISION FLAG...: false if the next launch would end the same way: bad input, a broken run or a kill
launch() {
    local code=0
    # the gate's pass at the timed sizes was the warm-up
    "${launcher[@]}" "$toise" train --workload node-s --precision "$1" --warmup 0 --steps 2 --job "$job" --out "$out" "${@:2}" || code=$?
    worsen $code
    case $code in 0 | 1 | 3) ;; *) return 1 ;; esac
}

round=0 longest=0
while :; do
    round=$((round + 1)) began=$SECONDS
    for precision in fp32 bf16; do
        printf '\n== launch %d, %s\n' $round $precision
        launch $precision "$@" || break 2
    done
    [ $((SECONDS - began)) -le $longest ] || longest=$((SECONDS - began))
    [ $round -ge $least ] || continue
    # more launches help only where all passed and the interval is too wide
    if [ "$worst" != 0 ] || report >/dev/null 2>&1 || [ $((SECONDS + longest)) -gt $most_s ]; then break; fi
done

echo
if [ -s "$out" ]; then
    code=0
    report || code=$?
    worsen $code
    echo "records: $out"
else
    echo "no launch came to a record"
fi

mpi_command
again="${MPI_COMMAND[*]} ${MPI_UNBOUND[*]}"
echo
if [ "$CORES" -gt 16 ]; then
    big=node-m
    [ "$CORES" -le 64 ] || big=node-l
    echo "This node has $CORES cores: node-s is too small to fill them, $big is the meaningful workload. Next:"
    again+=" -n $NUMA $toise train --workload $big"
else
    echo "Next: the same work shared by two ranks. (On a node of more than 16 cores: --workload node-m or node-l.)"
    again+=" -n 2 $toise train --workload node-s"
fi
echo "  $again --precision bf16 --out results/local/next.jsonl"
exit "$worst"
