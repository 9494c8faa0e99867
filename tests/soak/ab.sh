#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make soak: what toise ab does with real noise. First 1,000 short launches of equal work are timed and resampled in
# stretches of time. Then come 100 live comparisons, with slow-downs injected as extra work, and our kernels against
# OpenBLAS. Takes about an hour on a quiet machine; LAUNCHES and TRIALS change that. What this noise does not allow is
# printed as SKIP, with the blocks that it would take.
set -euo pipefail
cd "$(dirname "$0")/../.."
BUILD=$(realpath -m "${BUILD:-build}")
LAUNCHES=${LAUNCHES:-1000} TRIALS=${TRIALS:-100}
work=$BUILD/tests/soak/work
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
bad=0

# units for about 0.2 s, a multiple of 100, so that percents are whole units
began=$(date +%s%N)
"$work" 400
units=$(awk -v ns=$(($(date +%s%N) - began)) 'BEGIN { n = 100 * int(0.2e9 / (ns / 400) / 100 + 0.5); print n < 100 ? 100 : n }')
extra() { echo $((units * (100 + $1) / 100)); }

echo "== $LAUNCHES launches of $units units of work"
python3 - "$work" "$units" "$LAUNCHES" >"$out/seconds" <<'EOF'
import subprocess, sys, time
for _ in range(int(sys.argv[3])):
    start = time.monotonic()
    subprocess.run([sys.argv[1], sys.argv[2]], check=True)
    print(time.monotonic() - start)
EOF
"$BUILD/tests/soak/resample" "$out/seconds" || bad=1

# live PERCENT TRIALS: so many comparisons of the work with itself, slowed by so many percent; counts verdicts
live() {
    local slower=$1 trials=$2 i code
    declare -A count=([faster]=0 [slower]=0 [equivalent]=0 [inconclusive]=0)
    for i in $(seq "$trials"); do
        code=0
        "$BUILD/toise" ab "$work $units" "$work $(extra "$slower")" --seed "$i" --json --out "$out/live.jsonl" \
            2>/dev/null >"$out/one" || code=$?
        case $code in 0 | 1 | 3) ;; *) echo "toise ab: exit $code" && exit 1 ;; esac
        verdict=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["result"]["verdict"])' "$out/one")
        count[$verdict]=$((count[$verdict] + 1))
    done
    echo "live, B slower by $slower%: $trials trials: ${count[slower]} slower, ${count[faster]} faster," \
        "${count[equivalent]} equivalent, ${count[inconclusive]} undecided"
    wrong=${count[faster]}
    [ "$slower" != 0 ] || wrong=$((count[faster] + count[slower]))
    # of 40 trials at 2.5%, four or more come once in 50 soaks
    [ "$wrong" -le 4 ] || { echo "MISSED: $wrong false verdicts" && bad=1; }
}
echo "== $TRIALS live comparisons"
live 0 $((TRIALS * 4 / 10))
live 5 $((TRIALS * 3 / 10))
live 2 $((TRIALS * 3 / 10))

echo '== our kernels against OpenBLAS'
train="$BUILD/toise train --model gpt2-124m --layers 2 --seq 128 --gbs 2 --steps 4 --no-gate --json"
code=0
"$BUILD/toise" ab "$train --backend openblas" "$train" --blocks 12 || code=$?
case $code in 0 | 1 | 3) ;; *) bad=1 ;; esac
exit $bad
