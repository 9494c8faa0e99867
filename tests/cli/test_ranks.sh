#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 240
# Losses at one global batch are the same over 1, 2 and 4 ranks, layouts, and micro-batches. Each run finds the first one's
# record in its file, and the gate compares their losses. A record with another loss FAILS the next run. Families other
# than GPT-2 run in one of these shapes each, unless CHECK_FULL is set.
. "$(dirname "$0")/../prelude.sh"
. scripts/mpi.sh
no_grace

train() { # train FAMILY RANKS PRECISION FLAGS...: right or inconclusive, which time decides, are alike here
    local family=$1 ranks=$2 precision=$3 code=0
    shift 3
    mpi_launch "$ranks" "$toise" train --model "tiny-$family" --seq 64 --gbs 8 --warmup 1 --steps 12 --threads 1 \
        --precision "$precision" --out "$work/$family-$precision.jsonl" "$@" >"$work/out" 2>&1 || code=$?
    [ $code = 3 ] || return $code
}
bad() {
    echo "$1"
    tail -n 30 "$work/out"
    exit 1
}

agree() { # agree FAMILY PRECISION SHAPE...: each shape is RANKS FLAGS...
    local family=$1 precision=$2 how ranks flags
    shift 2
    train "$family" 1 "$precision" --mbs 8 || bad "1 rank, $family, $precision: exit $?"
    for how; do
        read -r ranks flags <<<"$how"
        # shellcheck disable=SC2086  # flags are several words
        train "$family" "$ranks" "$precision" $flags || bad "$how, $family, $precision: exit $?"
        grep -q 'residual .*PASSED  timed losses against earlier records' "$work/out" ||
            bad "$how, $family: no earlier record found"
        awk -v how="$how, $family, $precision" \
            '/earlier records/ { print how ": residual", $2, "of", $4 + 0 }' "$work/out"
    done
}

shapes=('1 --mbs 2' '2 --mbs 4' '2 --mbs 1' '4 --mbs 2' '2 --tp 2 --sp --mbs 4' '4 --zero 3 --mbs 1' '4 --tp 2 --zero 1 --mbs 2')
for precision in fp32 bf16; do
    agree gpt2 $precision "${shapes[@]}"
    for family in bloom llama mistral; do
        if check_full "losses of $family over other ranks and micro-batches"; then
            agree $family $precision "${shapes[@]}"
        else
            agree $family $precision '4 --mbs 1'
        fi
    done
done

# Step 3's loss is changed in its fifth digit in the newest record, which is the one that counts.
tail -n 1 "$work/gpt2-fp32.jsonl" >"$work/newest"
awk '{
    match($0, /"loss":\[[^]]*/)
    n = split(substr($0, RSTART + 8, RLENGTH - 8), loss, ",")
    loss[4] *= 1.0001
    list = loss[1]
    for (i = 2; i <= n; i++) list = list "," sprintf("%.12g", loss[i])
    print substr($0, 1, RSTART + 7) list substr($0, RSTART + RLENGTH)
}' "$work/newest" >>"$work/gpt2-fp32.jsonl"
code=0
train gpt2 1 fp32 || code=$?
[ $code = 1 ] || bad "a changed loss: exit $code, not 1"
grep -q '"status":"FAILED"' <(tail -n 1 "$work/gpt2-fp32.jsonl") || bad 'a changed loss: the record is not FAILED'
tail -n 1 "$work/gpt2-fp32.jsonl" >"$work/failed"
python3 -c 'import json, re, sys
r = json.load(open(sys.argv[1]))
sys.exit(bool(re.search("per_s|step_s", json.dumps([r["result"], r["samples"]]))))' "$work/failed" || bad 'a FAILED record holds a rate'
echo 'a changed loss FAILS'

# One rank reads the earlier record; all exit with the same code.
mpi_launch 2 bash -c '"$@"; echo "$?" >>'"$work/codes" - "$toise" train --model tiny-gpt2 --seq 64 --gbs 8 --warmup 1 \
    --steps 12 --threads 1 --out "$work/gpt2-fp32.jsonl" >"$work/out" 2>&1 || true
[ "$(sort "$work/codes" | tr '\n' ' ')" = '1 1 ' ] || bad "exit codes of the ranks: $(tr '\n' ' ' <"$work/codes")"
