#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The launcher of another MPI starts that many processes, each of which is alone. toise compares the launcher's rank
# count with MPI's before any work; if ranks disagree, all exit. tests/slurm/test_train.sh tests Slurm's own counts.
. "$(dirname "$0")/../prelude.sh"
train=("$toise" train --model tiny-gpt2 --seq 32 --steps 1 --warmup 0 --threads 1 --out "$work/record.jsonl")

# ends NAME WANTED COMMAND...: its exit code, and output in $work/said
ends() {
    local name=$1 wanted=$2 code=0
    shift 2
    timeout -k 5 60 bash -c '. scripts/mpi.sh; "$@"' - "$@" >"$work/said" 2>&1 || code=$?
    [ $code = "$wanted" ] || fail "$name: exit $code, not $wanted: $(head -c 800 "$work/said")"
}
says() { # says NAME WORDS
    grep -qF -- "$2" "$work/said" || fail "$1: no \"$2\": $(head -c 800 "$work/said")"
}

# MPICH's and Intel's launchers set these; each process is refused, in one line with the cure.
for rank in 0 1; do
    ends "MPICH, rank $rank" 2 env PMI_RANK=$rank PMI_SIZE=2 MPI_LOCALNRANKS=2 MPI_LOCALRANKID=$rank "${train[@]}"
    says "MPICH, rank $rank" 'toise: PMI_SIZE=2: '
    says "MPICH, rank $rank" 'started 2 processes, but MPI sees 1'
    says "MPICH, rank $rank" 'This build has '
    [ "$(wc -l <"$work/said")" = 1 ] || fail "MPICH, rank $rank: more than a line"
done
for command in kernels comm project predict curve programme validate; do
    ends "MPICH, $command" 2 env PMI_RANK=0 PMI_SIZE=2 "$toise" "$command" --model gpt2-124m
    says "MPICH, $command" 'toise: PMI_SIZE=2: '
done
if [ -n "${SLURM_JOB_ID-}" ]; then # whose batch script may have the number from elsewhere
    echo 'SKIP: srun without MPI: inside a Slurm job'
else
    ends 'srun without MPI' 2 env SLURM_STEP_NUM_TASKS=2 SLURM_PROCID=1 "${train[@]}"
    says 'srun without MPI' 'toise: SLURM_STEP_NUM_TASKS=2: srun started 2 processes'
fi
[ ! -e "$work/record.jsonl" ] || fail 'refused, and left a record'

# Help and the version work in every shell.
for words in --help --version 'train --help' 'kernels -h'; do
    # shellcheck disable=SC2086  # several words
    ends "$words" 0 env PMI_RANK=0 PMI_SIZE=2 "$toise" $words
    # shellcheck disable=SC2086
    ends "$words, srun" 0 env SLURM_STEP_NUM_TASKS=2 "$toise" $words
done

# Valid: one process, and a script that requested more tasks than it starts.
ends 'MPICH, one' 0 env PMI_RANK=0 PMI_SIZE=1 "${train[@]}" --dry-run
ends 'a batch script' 0 env SLURM_NTASKS=4 SLURM_NPROCS=4 SLURM_PROCID=0 "${train[@]}" --dry-run

command -v "${MPIRUN:-mpirun}" >/dev/null || { echo 'SKIP: ranks that disagree on the launcher: no mpirun'; exit $bad; }
ends 'mpirun' 0 mpi_launch 2 "${train[@]}" --dry-run
ends 'mpirun below srun' 0 mpi_launch 2 env SLURM_STEP_NUM_TASKS=1 "${train[@]}" --dry-run
# shellcheck disable=SC2016
ends 'one rank of two' 2 mpi_launch 2 bash -c '[ "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}" = 0 ] ||
    export OMPI_COMM_WORLD_SIZE=3 PMI_SIZE=3; exec "$@"' - "${train[@]}"
says 'one rank of two' 'started 3 processes, but MPI sees 2'

# A library that is not the build's, as after `module load` of another: here one that only says so.
cat >"$work/other.c" <<'END'
#include <stdio.h>
int MPI_Get_library_version(char *text, int *length) { return *length = sprintf(text, "Open MPI v9.9.1, package: x"), 0; }
END
"${CC:-cc}" -shared -fPIC -o "$work/other.so" "$work/other.c"
ends 'another library' 2 mpi_launch 2 env LD_PRELOAD="$work/other.so" "${train[@]}"
says 'another library' 'but runs with Open MPI v9.9.1'
says 'another library' 'or build again with the one that runs'
[ "$(grep -c '^toise: ' "$work/said")" = 1 ] || fail "another library: not one line: $(cat "$work/said")"
ends 'another library, help' 0 mpi_launch 2 env LD_PRELOAD="$work/other.so" "$toise" --version
exit $bad
