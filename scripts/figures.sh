#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/figures.sh [BUILD]: every figure that toise computes without a clock, one a line: command, path in the record,
# figure to four digits. To show that a change moves no figure, compare the output before and after:
#   scripts/figures.sh build >before; ...; scripts/figures.sh build | diff before -
set -euo pipefail
cd "$(dirname "$0")/.."

toise=$(cd "${1:-build}" && pwd)/toise
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMP_NUM_THREADS=1 TOISE_ISA=avx2
unset OPENBLAS_CORETYPE

# Records to lines, without what differs from launch to launch: date, launch, machine, and measured times.
flatten() {
    awk -v what="$1" '
    function leaf(text) {
        if (path ~ /(^|\.)(time|fitted|version|launch)(\.|$)/) return
        if (path ~ /process, before$|memory_bytes_per_rank$/) return # the process is measured, and a part of the sum
        if (text ~ /^-?[0-9]/) text = sprintf("%.4g", text)
        print what, path, text
    }
    function value(    key, i, outer) {
        outer = path
        sub(/^ +/, "", rest)
        if (match(rest, /^"([^"\\]|\\.)*"/)) { key = substr(rest, 1, RLENGTH); rest = substr(rest, RLENGTH + 1); leaf(key) }
        else if (match(rest, /^[-+.0-9a-zA-Z]+/)) { key = substr(rest, 1, RLENGTH); rest = substr(rest, RLENGTH + 1); leaf(key) }
        else if (rest ~ /^\[/) {
            rest = substr(rest, 2)
            for (i = 0; rest !~ /^ *\]/; i++) { path = outer "." i; value(); sub(/^[, ]+/, "", rest) }
            sub(/^ *\]/, "", rest)
        } else if (rest ~ /^\{/) {
            rest = substr(rest, 2)
            while (match(rest, /^ *"([^"\\]|\\.)*": */)) {
                key = substr(rest, 1, RLENGTH); gsub(/^ *"|": *$/, "", key); rest = substr(rest, RLENGTH + 1)
                path = outer (outer == "" ? "" : ".") key
                value(); sub(/^[, ]+/, "", rest)
            }
            sub(/^ *\}/, "", rest)
        } else { print "figures.sh: no JSON: " substr(rest, 1, 60) > "/dev/stderr"; exit 1 }
        path = outer
    }
    { rest = $0; path = ""; value() }' | sed "s|$PWD/||g; s|$work/||g"
}

# figure NAME COMMAND...: of the record that the command prints; "does not fit" is a figure too.
figure() {
    local name=$1 code=0
    shift
    "$toise" "$@" --json >"$work/out" 2>"$work/err" || code=$?
    case $code in 0 | 1 | 3) ;; *) cat "$work/err" >&2; return $code ;; esac
    echo "$name exit $code"
    flatten "$name" <"$work/out"
}

figure validate validate
figure validate-fit validate --fit --summary --parameters "$work/parameters.json"
flatten parameters < <(tr -d '\n' <"$work/parameters.json")

bloom=(--model bloom-176b --machine jean-zay-a100 --accelerators 384 --gbs 2048 --tp 4 --pp 12 --mbs 2)
figure project-bloom project "${bloom[@]}" --tokens 366e9
figure project-bloom-explained project "${bloom[@]}" --explain
figure project-bloom-search project --model bloom-176b --machine jean-zay-a100 --accelerators 384 --gbs 2048 --search
figure project-bloom-machines project --model bloom-176b --machine jean-zay-a100,jean-zay-h100,jupiter-booster --accelerators 384
figure project-llama-3 project --model llama-3-405b --machine jean-zay-h100 --accelerators 1024 --gbs 1024
figure project-mixtral project --model mixtral-8x7b --machine jean-zay-h100 --accelerators 128 --ep 8 --explain
figure project-deadline project --model llama-2-7b --machine jean-zay-h100 --tokens 1e12 --deadline 30
figure project-hours project --model mistral-7b --machine cluster --set nodes=32 --hours 500000
figure programme programme france-2023
for curve in harness/catalog/curves/*.json; do
    curve=$(basename "$curve" .json)
    figure "curve-$curve" curve "$curve"
done

measured=results/predict-amd-epyc-zen3/machine.jsonl
figure predict-one-rank predict --machine "$measured" --model gpt2-124m --seq 256 --explain
figure predict-two-ranks predict --machine "$measured" --model gpt2-124m --seq 512 --gbs 2 --ranks 2 --threads 1

figure plan-node-s train --workload node-s --dry-run
figure plan-mistral train --model mistral-7b --seq 2048 --world 8 --gbs 16 --precision bf16 --dry-run

# Losses of a training; its times are not figures.
for precision in fp32 bf16; do
    for model in tiny-gpt2 tiny-bloom tiny-llama tiny-mistral; do
        figure "train-$model-$precision" train --model "$model" --seq 64 --gbs 4 --steps 4 --warmup 1 --precision "$precision" --threads 1 |
            grep -E ' (config|layout|result\.(loss|grad_norm))'
    done
done
