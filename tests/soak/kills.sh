#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make soak: kills toise train at random moments (KILLS of them, 1,000 by default), and takes from its journal what no
# sync had made safe, as a power cut would. Every acknowledged sample must be in the record that --recover makes, to the
# last bit, and at times --resume goes on. Every fourth run has two ranks, of which a random one is killed.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/mpi.sh
BUILD=$(realpath -m "${BUILD:-build}")
KILLS=${KILLS:-1000} RANDOM=${SEED:-1}
toise=$BUILD/toise
export OMP_NUM_THREADS=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0 early=0 kept=0 safe=0 gone=0 resumed=0
fail() {
    echo "kill $i: $1"
    bad=1
}
command -v python3 >/dev/null || { echo 'SKIP: kills: python3 is not installed' && exit 0; }
# shellcheck disable=SC2086  # a compiler may come with flags
${CC:-cc} -shared -fPIC -o "$work/fsync.so" tests/unit/guard/fsync.c -ldl || { echo 'SKIP: kills: no C compiler' && exit 0; }
mpi_command

# The children of a process, and theirs.
below() {
    local child
    for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null || true); do echo "$child" && below "$child"; done
}

# compare JOURNAL BYTES [RECORD]: the timed steps in the first BYTES of the journal are the first of the record; prints
# their number and the record's
compare() {
    python3 - "$@" <<'EOF'
import json, sys
journal, record = open(sys.argv[1], "rb").read()[:int(sys.argv[2])], sys.argv[3]
safe = [json.loads(l) for l in journal.split(b"\n") if l.endswith(b"}")]
steps = [l["step_s"] for l in safe if "timed" in l]
try:
    found = json.loads(open(record).readline())["samples"]["step_s"]
except FileNotFoundError:
    found = []
if found[:len(steps)] != steps: sys.exit("of %d acknowledged steps the record lacks some: it has %d" % (len(steps), len(found)))
print(len(steps), len(found))
EOF
}

for ((i = 1; i <= KILLS; i++)); do
    [ $((i % 100)) != 0 ] || echo "kill $i: $safe acknowledged samples so far"
    rm -f "$work"/*.journal "$work"/{acks,r.jsonl,recovered.jsonl}
    ranks=() all=() victim='' gate=(--no-gate)
    [ $((i % 3)) != 0 ] || gate=()
    [ $((i % 4)) != 0 ] || ranks=("${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n 2)
    FSYNC_LOG=$work/acks LD_PRELOAD=$work/fsync.so "${ranks[@]}" "$toise" train --model tiny-gpt2 --seq 16 --gbs 2 \
        --steps 50000 "${gate[@]}" --journal-dir "$work" >"$work/out" 2>"$work/err" </dev/null &
    pid=$!
    # every second kill comes after some timed step, however slow this machine is
    for ((w = 0; w < 300 && i % 2; w++)); do
        if grep -qs '"timed":' "$work"/*.journal; then break; fi
        sleep 0.05
    done
    sleep "$(awk -v r="$RANDOM" 'BEGIN { print 0.05 + 0.8 * r / 32767 }')"
    victim=$pid
    if [ ${#ranks[@]} != 0 ]; then
        mapfile -t all < <(below $pid)
        [ ${#all[@]} = 0 ] || victim=${all[RANDOM % ${#all[@]}]}
    fi
    kill -KILL "$victim" 2>/dev/null || true
    { # without the shell's word that it was killed
        # Open MPI's mpirun can wait for ever for a rank that was killed while it started
        for ((w = 0; w < 100; w++)); do
            kill -0 $pid || break
            sleep 0.1
        done
        [ $w != 100 ] || kill -KILL $pid || true
        wait $pid || true
        # a rank whose launcher was killed may live for a moment
        for victim in "${all[@]}"; do
            while kill -KILL "$victim"; do sleep 0.01; done
        done
    } 2>/dev/null
    journal=$(echo "$work"/*.journal)
    if [ ! -s "$journal" ] || [ ! -s "$work/acks" ]; then
        early=$((early + 1))
        continue
    fi
    acknowledged=$(sort -n "$work/acks" | tail -n 1) size=$(stat -c %s "$journal")
    cut=$((acknowledged + (size > acknowledged ? RANDOM % (size - acknowledged + 1) : 0)))
    truncate -s $cut "$journal"
    code=0
    "$toise" train --recover "$journal" --out "$work/recovered.jsonl" >"$work/out" 2>"$work/err" </dev/null || code=$?
    [ $code = 3 ] || fail "--recover: exit $code: $(tail -n 1 "$work/err")"
    if read -r mine found < <(compare "$journal" "$acknowledged" "$work/recovered.jsonl" 2>"$work/why"); then
        safe=$((safe + mine)) kept=$((kept + found)) gone=$((gone + (mine > 0)))
    else
        fail "$(cat "$work/why")"
    fi
    # single processes: two ranks are told apart by the layout
    [ $((i % 10)) = 1 ] && [ ${#ranks[@]} = 0 ] || continue
    code=0
    cp "$journal" "$work/copy"
    "$toise" train --resume "$journal" --steps 5 --out "$work/r.jsonl" >"$work/out" 2>"$work/err" </dev/null || code=$?
    ! grep -q 'windows cover' "$work/err" || continue # so busy is this machine
    [ $code = 0 ] || [ $code = 3 ] || fail "--resume: exit $code: $(tail -n 1 "$work/err")" # 3: --no-gate
    compare "$work/copy" "$acknowledged" "$work/r.jsonl" >/dev/null 2>"$work/why" || fail "after --resume: $(cat "$work/why")"
    resumed=$((resumed + 1))
done
echo "$KILLS kills: $early before the journal's head, $gone after timed steps; $safe acknowledged samples, all kept" \
    "($kept with those not yet acknowledged); $resumed went on"
exit $bad
