#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/layouts.sh BUILD FOLDER: what each layout's messages cost, beside what toise predict says from kernels and
# all-reduces alone: two ranks of this machine, two that share out experts with even and uneven loads, and four hosts of
# netns-hosts.sh at two rates. Writes the records to FOLDER and prints a table. Half an hour on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/mpi.sh
[ $# = 2 ] || { sed -n '3,5s/^# //p' "$0" >&2 && exit 2; }
toise=$(realpath "$1")/toise folder=$(realpath -m "$2")
mkdir -p "$folder"
rm -f "$folder"/*.jsonl
export OMP_NUM_THREADS=1 TOISE_HOSTS=$folder/hosts
common=(--bind none --overlap on --energy off --steps 6 --warmup 2)

# quietly COMMAND...: 3 is right too, as time decides it, and 1, as failed points have no rate that could be used
quietly() {
    local code=0
    "$@" >"$folder/out" 2>&1 </dev/null || code=$?
    [ $code = 0 ] || [ $code = 1 ] || [ $code = 3 ] || { cat "$folder/out" >&2 && exit 4; }
}
# measure NAME MACHINE RANKS WORK COMMAND...: predicts each layout of standard input, then trains it by COMMAND
measure() {
    local name=$1 machine=$2 ranks=$3 layout work
    read -ra work <<<"$4"
    shift 4
    while read -r layout; do
        # shellcheck disable=SC2086  # a layout is several words
        quietly "$toise" predict --machine "$machine" --ranks "$ranks" --threads 1 "${work[@]}" $layout \
            --out "$folder/$name, predicted.jsonl"
        # shellcheck disable=SC2086
        quietly "$@" "$toise" train --threads 1 "${common[@]}" "${work[@]}" $layout --out "$folder/$name.jsonl"
    done
}
mkdir -p "$folder/machines"
here=$folder/machines/here.jsonl
rm -f "$folder"/machines/*.jsonl
quietly "$toise" kernels --threads 1 --model gpt2-124m --seq 1024 --mbs 1 --dtype f32 --ci 20% --out "$here"
quietly mpi_launch 2 "$toise" comm --threads 1 --ci 50% --out "$here"
printf '%s\n' '' '--zero 1' '--zero 3' '--tp 2' '--tp 2 --sp' '--cp 2' '--pp 2' '--pp 2 --schedule zb' |
    measure 'two ranks' "$here" 2 '--model gpt2-124m --layers 4 --gbs 8 --mbs 1' mpi_launch 2
quietly "$toise" kernels --threads 1 --model mixtral-quarter --seq 512 --mbs 2 --dtype f32 --ci 20% --out "$here"
printf '%s\n' '' '--ep 2 --route balanced' '--ep 2' '--ep 2 --route skew=2' '--ep 2 --route skew=4' |
    measure 'experts' "$here" 2 '--model mixtral-quarter --layers 2 --seq 512 --gbs 4 --mbs 2' mpi_launch 2
quietly "$toise" kernels --threads 1 --model tiny-gpt2 --seq 64 --mbs 2 --dtype f32 --ci 50% --out "$folder/machines/tiny.jsonl"
for rate in 100mbit 1gbit; do
    hosts=$folder/machines/$rate.jsonl
    cp "$folder/machines/tiny.jsonl" "$hosts"
    scripts/netns-hosts.sh up 4 --rate $rate
    for ranks in 2 4; do
        quietly scripts/netns-hosts.sh run $ranks "$toise" comm --threads 1 --model tiny-gpt2 --ci 50% --out "$hosts"
    done
    printf '%s\n' '' '--zero 1' '--zero 3' '--tp 4' '--tp 4 --sp' '--cp 4' '--pp 2' '--pp 2 --schedule zb' '--tp 2 --pp 2' |
        measure "four hosts, $rate" "$hosts" 4 '--model tiny-gpt2 --seq 64 --gbs 16 --mbs 2' scripts/netns-hosts.sh run 4
    scripts/netns-hosts.sh down
done
python3 - "$folder" <<'END'
import glob, json, os, sys
print("| where | layout | step, s: measured, predicted | in flight | exposed: measured | predicted | bubble: measured, predicted, schedule's |")
print("|---|---|---|---|---|---|---|")
for path in sorted(glob.glob(sys.argv[1] + "/*.jsonl"), reverse=True):
    if path.endswith("predicted.jsonl"): continue
    for r, p in zip(map(json.loads, open(path)), map(json.loads, open(path[:-6] + ", predicted.jsonl"))):
        layout, x, y = r["layout"], r["result"], p["result"]
        assert all(p["layout"].get(a) == layout.get(a) for a in ("tp", "sp", "cp", "ep", "pp", "schedule", "zero")), path
        axes = [f"{a.upper()} {layout[a]}" for a in ("dp", "tp", "cp", "ep", "pp") if layout.get(a, 1) > 1]
        if "route" in r["config"]: axes.append(r["config"]["route"])
        if layout.get("sp"): axes.append("SP")
        if layout.get("schedule", "1f1b") != "1f1b": axes.append(layout["schedule"])
        if layout.get("zero"): axes.append(f"ZeRO {layout['zero']}")
        share = lambda of, step, key: ", ".join(f"{a} {v[key] / step:.1%}" for a, v in of["communication"].items() if v[key] is not None)
        bubble = f"{x['bubble']:.1%}, {y['bubble']:.1%}, {x['bubble_of_schedule']:.1%}" if "bubble" in x else ""
        measured, predicted = x["mean_step_s"], y["step_s"]
        print(f"| {os.path.basename(path)[:-6]} | {', '.join(axes)} | {measured:.3g}, {predicted:.3g} | {share(x, measured, 'total_s')} | "
              f"{share(x, measured, 'exposed_s')} | {share(y, predicted, 'exposed_s')} | {bubble} |")
END
