#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 300
# Many more ranks than CPUs train a tiny model: the answer is right, and the page and the record say of each rank that no
# rate is a figure.
. "$(dirname "$0")/../prelude.sh"
. scripts/mpi.sh
command -v "${MPIRUN:-mpirun}" >/dev/null || { echo 'SKIP: many ranks: mpirun is not installed'; exit 77; }
mpi_machine
ranks=64
[ "$CORES" -lt 32 ] || ranks=$((2 * CORES))
mpi_command
limit=250
call "${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n "$ranks" env OMP_NUM_THREADS=1 "$toise" train --model tiny-gpt2 --seq 16 \
    --gbs "$ranks" --steps 3 --warmup 1 --threads 1 --out "$work/many.jsonl"
case $code in 0 | 3) ;; *) fail "$ranks ranks: exit $code: $(tail -n 5 "$work/out" "$work/err")" ;; esac
says "DP $ranks, global batch $ranks"
says "rank 0: $ranks ranks share [0-9]+ CPUs and wait for each other, so no rate is a figure: start at most [0-9]+"
says '^residual .*PASSED  same bits on all ranks'
[ "$(grep -o 'so no rate is a figure' "$work/many.jsonl" | wc -l)" = "$ranks" ] || fail 'the record does not say it of each rank'
exit $bad
