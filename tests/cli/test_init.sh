#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Training can continue from saved weights, on two ranks as on one. Ranks whose path gives different weights exit with 2.
# A save onto a full disk leaves nothing, and the record is kept.
. "$(dirname "$0")/../prelude.sh"
. scripts/mpi.sh
bad() {
    echo "$1"
    tail -n 20 "$work/out"
    exit 1
}
# train FLAGS...: exit 0 or 3; whether it is inconclusive depends on time
train() {
    local code=0
    "${launch[@]}" "$toise" train "$@" >"$work/out" 2>&1 || code=$?
    [ $code = 3 ] || return $code
}
launch=()
loss() { grep -o '"loss":\[[^]]*' "$1" | tail -n 1 | cut -d'[' -f2; }

mkdir "$work/0" "$work/1"
for i in 0 1; do
    train --model tiny-mistral --seq 32 --steps 4 --warmup 0 --seed "$i" --save "$work/$i/w" ||
        bad "saving: exit $?"
    [ "$(ls "$work/$i/w")" = $'config.json\nmodel.safetensors' ] || bad 'the saved folder holds something else'
done
go_on=(--init "$work/0/w" --seq 32 --gbs 4 --steps 3 --warmup 0)
train "${go_on[@]}" --out "$work/one" || bad "going on: exit $?"
train --model tiny-mistral --seq 32 --gbs 4 --steps 3 --warmup 0 --out "$work/fresh" || bad "fresh: exit $?"
awk -v a="$(loss "$work/one")" -v b="$(loss "$work/fresh")" 'BEGIN { exit !(a + 0 < b - 0.05) }' ||
    bad "going on from 4 steps starts at $(loss "$work/one"), a fresh start at $(loss "$work/fresh")"

code=0
(ulimit -f 200 && exec "$toise" train --model tiny-mistral --seq 32 --steps 1 --save "$work/full" --out "$work/kept") \
    >"$work/out" 2>&1 || code=$?
[ $code = 4 ] || bad "a full disk: exit $code, not 4"
[ ! -e "$work/full" ] && [ ! -e "$work/full.part" ] || bad 'a full disk: something is left'
grep -Eq '"status":"(PASSED|INCONCLUSIVE)"' "$work/kept" || bad 'a full disk: the record is lost'

command -v "${MPIRUN:-mpirun}" >/dev/null || { echo 'SKIP: --init over ranks: mpirun is not installed'; exit 0; }
launch=(mpi_launch 2)
train "${go_on[@]}" --threads 1 --out "$work/one" || bad "two ranks: exit $?"
grep -q 'PASSED  timed losses against earlier records' "$work/out" || bad 'two ranks: no earlier record found'
code=0
find "$work/0/w" "$work/1/w" -type f -exec touch -d @1700000000 {} + # else their times tell them apart first
# shellcheck disable=SC2016  # each rank's own shell expands it
mpi_launch 2 bash -c 'cd "$0/${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-0}}" && exec "$@"' "$work" \
    "$toise" train --init w --seq 32 --gbs 2 --steps 1 --threads 1 >"$work/out" 2>&1 || code=$?
[ $code = 2 ] || bad "different weights: exit $code, not 2"
grep -q 'reads other weights' "$work/out" || bad 'different weights: it does not say so'
