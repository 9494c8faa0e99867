#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 240
# scripts/slurm/train.sbatch on a real Slurm of two virtual nodes: ranks, records, exit codes, srun and mpirun.
# Also which launches toise takes for those of another MPI.
. "$(dirname "$0")/../prelude.sh"
script=$PWD/scripts/slurm/train.sbatch

command -v mpirun >/dev/null || { echo 'SKIP: slurm: mpirun is not installed'; exit 77; }
cluster 2 || exit

as_user

# submit WANTED NAME SBATCH_FLAGS -- FLAGS: the job's exit code must be WANTED; sets log and record. Two nodes on one
# machine wait longer than they compute, so the check that windows cover the time may fail. Then the job must have said
# so, with exit code 1. Inconclusive depends on time and is accepted.
submit() {
    local wanted=$1 name=$2 code=0 flags=()
    shift 2
    while [ "$1" != -- ]; do flags+=("$1"); shift; done
    shift
    sbatch_wait "${flags[@]}" "$script" "$@" || code=$?
    log=$PWD/toise-train-$id.out record=$PWD/results/train-$id.jsonl
    if [ "$code" = 1 ] && grep -q '^toise: FAILED: windows cover' "$log"; then
        echo "SKIP: slurm, $name: rates: the two nodes share one machine's cores"
        code=0
    fi
    [ "$code$wanted" != 30 ] || code=0
    [ "$code" = "$wanted" ] || fail "$name: exit $code, not $wanted: $(cat "$log")"
    shown=$(head -n 1 "$log")
}
# says NAME FILE WORDS...: the file has each of the words
says() {
    local name=$1 file=$2 words
    shift 2
    for words in "$@"; do
        grep -Eq -- "$words" "$file" || fail "$name: no \"$words\" in $(basename "$file"): $(head -c 1500 "$file" 2>&1)"
    done
}
few=(--model tiny-gpt2 --seq 32 --gbs 4 --steps 2 --warmup 1)

# One node: one rank per NUMA node with all its CPUs; the job's number names the record's file.
submit 0 'one node' -- "${few[@]}"
says 'one node' "$record" '"status": ?"(PASSED|INCONCLUSIVE)"' '"world": ?1[,}]'
[ "$(wc -l <"$record")" = 1 ] || fail 'one node: not one record'
case $shown in *"1 ranks each, $(getconf _NPROCESSORS_ONLN) CPUs"*) ;; *) fail "one node: $shown" ;; esac

# Two nodes of two ranks, told apart; records where --out says.
submit 0 'two nodes' --nodes=2 --ntasks-per-node=2 -- "${few[@]}" --out mine.jsonl
says 'two nodes' mine.jsonl '"world": ?4[,}]' '"nodes": ?2[,}]'
! grep -Eq 'PASSED|INCONCLUSIVE' mine.jsonl || says 'two nodes' mine.jsonl '"node1"' '"node2"'
[ ! -e "$record" ] || fail 'two nodes: --out was not obeyed'
says 'two nodes' "$log" 'srun --mpi=pmix'

# The same by mpirun, for a Slurm without PMIx.
submit 0 'mpirun' --nodes=2 --ntasks-per-node=1 --export=ALL,TOISE_LAUNCH=mpirun -- "${few[@]}"
says 'mpirun' "$record" '"world": ?2[,}]' '"nodes": ?2[,}]'
says 'mpirun' "$log" '2 nodes, 1 ranks each.*mpirun'

# Several launches of one job, and their summary.
submit 0 'launches' --nodes=2 --ntasks-per-node=1 -- "${few[@]}" --launches 2 --ci=100%
says 'launches' "$log" '== launch 2 of 2' 'tiny-gpt2, 4 x 32 tokens  fp32 .* [12] (PASSED|INCONCLUSIVE|FAILED)'
[ "$(grep -c "\"job\": *\"slurm-$(basename "$record" | tr -cd 0-9)\"" "$record")" = 2 ] || fail "launches: $(cut -c1-300 "$record")"
submit 2 'no number of launches' -- "${few[@]}" --launches many

# srun's task count must equal MPI's; launches that only look different must be accepted.
alone=("$BUILD/toise" train "${few[@]}" --threads 1 --no-gate)
step() { # step NAME WANTED SRUN_FLAGS... -- COMMAND...: exit code of a step, its output in step.out
    local name=$1 wanted=$2 code=0
    shift 2
    timeout -k 5 60 srun "$@" >step.out 2>&1 || code=$?
    [ $code = "$wanted" ] || fail "$name: exit $code, not $wanted: $(head -c 1500 step.out)"
}
step 'srun without MPI' 2 -n 2 --mpi=none "${alone[@]}"
says 'srun without MPI' step.out 'toise: SLURM_STEP_NUM_TASKS=2: srun started 2 processes, but MPI sees 1'
step 'srun of one task' 3 -n 1 --mpi=none "${alone[@]}"
step 'srun of two tasks' 3 -n 2 --mpi=pmix "${alone[@]}"
says 'srun of two tasks' step.out '2 ranks'
step 'help under srun' 0 -n 2 --mpi=none "${alone[@]}" --help
step 'mpirun in a step' 3 -n 1 --mpi=none mpirun --allow-run-as-root --oversubscribe -n 2 "${alone[@]}"
says 'mpirun in a step' step.out '2 ranks'

# batch NAME WANTED SBATCH_FLAGS... -- COMMAND...: the same for a batch script submitted from this shell
batch() {
    local name=$1 wanted=$2 code=0 flags=()
    shift 2
    while [ "$1" != -- ]; do flags+=("$1"); shift; done
    shift
    sbatch_wait --output=step.out "${flags[@]}" --wrap="$*" || code=$?
    [ $code = "$wanted" ] || fail "$name: exit $code, not $wanted: $(head -c 1500 step.out)"
}
batch 'bare in a batch script' 3 -n 2 -- "${alone[@]}"
says 'bare in a batch script' step.out '1 rank '
batch 'fewer ranks than tasks' 3 -N 2 -n 4 -- mpirun --allow-run-as-root -n 2 --map-by ppr:1:node "${alone[@]}"
says 'fewer ranks than tasks' step.out '2 nodes, 2 ranks'
export SLURM_STEP_NUM_TASKS=2 # a job submitted from a step of two tasks takes its variables along
batch 'submitted from a step' 3 -- "${alone[@]}"
unset SLURM_STEP_NUM_TASKS

# Bad input ends the job with toise's exit code and leaves no record.
submit 2 'bad input' -- "${few[@]}" --precision fp64
says 'bad input' "$log" '^toise: '
[ ! -e "$record" ] || fail 'bad input: left a record'
submit 2 'no program' --export=ALL,TOISE=/nowhere/toise -- "${few[@]}"
says 'no program' "$log" 'no /nowhere/toise'
exit $bad
