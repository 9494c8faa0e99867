#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/layouts.sh BUILD FOLDER: what each layout's messages cost: two ranks of this machine, and four hosts of
# netns-hosts.sh at two rates. Writes the records to FOLDER and prints a table. Five minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/mpi.sh
[ $# = 2 ] || { sed -n '3,4s/^# //p' "$0" >&2 && exit 2; }
toise=$(realpath "$1")/toise folder=$(realpath -m "$2")
mkdir -p "$folder"
rm -f "$folder"/*.jsonl
export OMP_NUM_THREADS=1 TOISE_HOSTS=$folder/hosts
common=(--threads 1 --bind none --overlap on --energy off --steps 6 --warmup 2)

# measure NAME COMMAND...: one record for each line of layouts; 3 is right too, as time decides it
measure() {
    local name=$1 code layout
    shift
    while read -r layout; do
        code=0
        # shellcheck disable=SC2086  # a layout is several words
        "$@" "${common[@]}" --out "$folder/$name.jsonl" $layout >"$folder/out" 2>&1 </dev/null || code=$?
        [ $code = 0 ] || [ $code = 3 ] || { cat "$folder/out" >&2 && exit 4; }
    done
}
printf '%s\n' '' '--zero 1' '--zero 3' '--tp 2' '--tp 2 --sp' '--cp 2' '--pp 2' |
    measure 'two ranks' mpi_launch 2 "$toise" train --model gpt2-124m --layers 4 --gbs 8 --mbs 1
for rate in 100mbit 1gbit; do
    scripts/netns-hosts.sh up 4 --rate $rate
    printf '%s\n' '' '--zero 1' '--zero 3' '--tp 4' '--tp 4 --sp' '--cp 4' '--pp 2' '--tp 2 --pp 2' |
        measure "four hosts, $rate" scripts/netns-hosts.sh run 4 "$toise" train --model tiny-gpt2 --seq 64 --gbs 16 --mbs 2
    scripts/netns-hosts.sh down
done
python3 - "$folder" <<'END'
import glob, json, os, sys
print("| where | layout | step, s | in flight | exposed | bubble: measured, schedule's |\n|---|---|---|---|---|---|")
for path in sorted(glob.glob(sys.argv[1] + "/*.jsonl"), reverse=True):
    for r in map(json.loads, open(path)):
        layout, x = r["layout"], r["result"]
        axes = [f"{a.upper()} {layout[a]}" for a in ("dp", "tp", "cp", "pp") if layout.get(a, 1) > 1]
        if layout.get("sp"): axes.append("SP")
        if layout.get("zero"): axes.append(f"ZeRO {layout['zero']}")
        share = lambda key: ", ".join(f"{a} {v[key] / x['mean_step_s']:.1%}" for a, v in x["communication"].items() if v[key] is not None)
        bubble = f"{x['bubble']:.1%}, {x['bubble_of_schedule']:.1%}" if "bubble" in x else ""
        where = os.path.basename(path)[:-6]
        print(f"| {where} | {', '.join(axes)} | {x['mean_step_s']:.3g} | {share('total_s')} | {share('exposed_s')} | {bubble} |")
END
