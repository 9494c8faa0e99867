#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 300
# A job that Slurm ends leaves a record and a page of what it measured, started by srun and by mpirun: by the signal
# before its time limit, by scancel, and by the limit itself.
. "$(dirname "$0")/../prelude.sh"
script=$tree/scripts/slurm/train.sbatch

command -v mpirun >/dev/null || { echo 'SKIP: slurm: mpirun is not installed'; exit 77; }
cluster 2 || exit
as_user

start() { # start SBATCH_FLAGS...: a training that would last for hours; returns when it has taken steps
    id=$(sbatch --parsable --nodes=2 --ntasks-per-node=1 "$@" "$script" --model tiny-gpt2 --seq 32 --gbs 4 --warmup 1 \
        --steps 100000 --launches 3)
    log=$PWD/toise-train-$id.out record=$PWD/results/train-$id.jsonl
    for _ in $(seq 300); do
        ! grep -qsE '^iteration' "$log" || return 0
        sleep 0.1
    done
    fail "job $id took no step: $(cat "$log")"
}
ends() { # ends NAME SIGNAL: soon, with one record that names the signal, and a page
    local name=$1
    for _ in $(seq 300); do
        [ -n "$(squeue -h -j "$id" 2>/dev/null)" ] || break
        sleep 0.1
    done
    [ -z "$(squeue -h -j "$id" -t PD,R 2>/dev/null)" ] || fail "$name: still runs: $(cat "$log")"
    [ "$(wc -l <"$record")" = 1 ] || fail "$name: not one record: $(tail -n 20 "$log")"
    grep -Eq "$2" "$record" || fail "$name: the record does not name $2: $(cut -c-400 "$record")"
    grep -q "stopped by $3" "$log" || fail "$name: the job does not say so: $(tail -n 20 "$log")"
    [ -s "${record%.jsonl}.html" ] || fail "$name: no page"
}

before_the_limit() { # before_the_limit LAUNCHER
    start --export=ALL,TOISE_LAUNCH="$1"
    scancel --batch --signal=USR1 "$id"
    ends "$1, the signal before the limit" SIGUSR1 SIGUSR1
}
cancelled() { # cancelled LAUNCHER WHY
    start --export=ALL,TOISE_LAUNCH="$1"
    scancel "$id"
    ends "$1, scancel" "$2" SIGTERM
}
before_the_limit 'srun --mpi=pmix'
# mpirun may kill the ranks at once; then the job makes the record of their journal
cancelled mpirun 'SIG(TERM|USR1)|the process ended after'
if check_full 'slurm: the signal by mpirun, scancel by srun, the limit itself'; then
    before_the_limit mpirun
    cancelled 'srun --mpi=pmix' 'SIG(TERM|USR1)'
    start --time=1 --signal=B:USR1@20
    for _ in $(seq 90); do [ -n "$(squeue -h -j "$id" -t R 2>/dev/null)" ] && sleep 1; done
    ends 'the limit itself' SIGUSR1 SIGUSR1
fi
exit $bad
