#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 240
# toise train --reproducible as a user meets it: losses, gradient norms and saved weights of every layout have the same
# bits, also after a checkpoint that goes on in another one; and what cannot have them is refused.
. "$(dirname "$0")/../prelude.sh"
. scripts/mpi.sh
no_grace

train() { # train RANKS FLAGS...: its exit code; 3 is right too, as time decides it
    local ranks=$1 code=0
    shift
    mpi_launch "$ranks" "$toise" train --warmup 0 --energy off "$@" >"$work/out" 2>&1 || code=$?
    [ $code = 3 ] || return $code
}

for how in 'gpt2 fp32 4' 'llama bf16 2'; do
    read -r family precision leaves <<<"$how"
    sizes=(--model "tiny-$family" --precision "$precision" --seq 64 --gbs 8 --reproducible "$leaves")
    four='--tp 4'
    [ "$leaves" = 4 ] || four='--pp 2 --mbs 1 --schedule gpipe' # two key/value heads
    train 1 "${sizes[@]}" --threads 1 --mbs 1 --steps 6 --save "$work/truth" --out "$work/truth.jsonl" ||
        fail "$how: exit $?: $(tail -3 "$work/out")"
    for layout in '1 --threads 2 --mbs 8' '2 --mbs 2' '2 --zero 3' '2 --tp 2 --sp' '4 --tp 2 --zero 1' "4 $four" \
        '2 --pp 2 --mbs 1 --schedule zb' '4 --pp 2 --tp 2 --sp --mbs 2 --recompute full'; do
        read -r ranks flags <<<"$layout"
        # shellcheck disable=SC2086  # flags are several words
        train "$ranks" "${sizes[@]}" --threads 1 $flags --steps 6 --save "$work/other" --out "$work/other.jsonl" ||
            fail "$how, $layout: exit $?: $(tail -3 "$work/out")"
        cmp "$work/truth/model.safetensors" "$work/other/model.safetensors" || fail "$how, $layout: other weights"
        rm -rf "$work/other"
    done
    valid "$work/other.jsonl"
    python3 - "$work/truth.jsonl" "$work/other.jsonl" <<'END' || fail "$how: other losses"
import json, sys
truth, *others = [r for path in sys.argv[1:] for r in map(json.loads, open(path))]
assert truth["layout"]["reproducible"] in (2, 4) and len(others) == 8
for r in others:
    for key in "loss", "grad_norm":
        assert r["result"][key] == truth["result"][key], (r["layout"], key, r["result"][key], truth["result"][key])
END
    grep -q "reproducible up to $leaves" "$work/out" || fail "$how: the page's layout: $(grep layout "$work/out")"
    train 2 "${sizes[@]}" --threads 1 --tp 2 --steps 3 --save "$work/run" --save-every 3 || fail "$how: exit $?"
    train 2 --resume "$work/run" --threads 1 --zero 1 --mbs 1 --steps 3 --save "$work/other" ||
        fail "$how: resumed: exit $?: $(tail -3 "$work/out")"
    cmp "$work/truth/model.safetensors" "$work/other/model.safetensors" || fail "$how: other weights after --resume"
    rm -rf "$work"/{truth,other,run,truth.jsonl,other.jsonl}
done

refused() { # refused WORDS FLAGS...
    local words=$1 code=0
    shift
    "$toise" train --model tiny-gpt2 --seq 64 --gbs 8 --dry-run "$@" >"$work/out" 2>&1 || code=$?
    [ $code = 2 ] || fail "$*: exit $code"
    grep -qF -- "$words" "$work/out" || fail "$*: $(tail -1 "$work/out")"
}
refused 'take a power of two up to 64' --reproducible 3
refused 'leave out one of them' --reproducible 4 --backend openblas
refused 'whole sequences, which --cp cuts' --reproducible 4 --world 2 --cp 2
refused 'tiny-mixtral has experts' --reproducible 4 --model tiny-mixtral
refused 'take --zero 1, or one micro-batch a rank: --mbs 4' --reproducible 4 --world 2 --zero 2 --mbs 1
refused 'does not divide the 4 sequences of --gbs' --reproducible 8 --gbs 4
exit $bad
