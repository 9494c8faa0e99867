#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 400
# The journal of toise train: nothing is lost by kill -9, a full disk or a slow folder; --resume and --recover; what they
# refuse. SIGTERM and the like: test_stop.sh. KILLS=1000 tests/soak/kills.sh is the long form of its last part.
. "$(dirname "$0")/../prelude.sh"
. scripts/mpi.sh
export OMP_NUM_THREADS=1
out=$work/records.jsonl
tiny=(train --model tiny-gpt2 --seq 32 --gbs 2)
python3 -c '' 2>/dev/null || { echo 'SKIP: journals: python3 is not installed' && exit 77; }

# field FILE EXPRESSION: python's value of it; r is the last record of FILE
field() { python3 -c 'import json, sys; r = json.loads(open(sys.argv[1]).readlines()[-1]); print(eval(sys.argv[2]))' "$@"; }
is() { [ "$(field "$1" "$2")" = "$3" ] || fail "$2 is $(field "$1" "$2"), not $3"; }
journals() { find "$work" -maxdepth 1 -name '*.journal'; }

# A run that came to its end leaves its cost, and no journal.
run 0 "${tiny[@]}" --steps 50 --out "$out"
[ -z "$(journals)" ] || fail "a whole run leaves $(journals)"
is "$out" "r['result']['journal']['lines'] == r['result']['journal']['acknowledged'] > 50" True
is "$out" "r['result']['windows']['journal_s'] > 0 and r['result']['windows']['covered'] > 0.98" True
run 0 "${tiny[@]}" --steps 5
[ -z "$(journals)" ] || fail 'a journal without --out or --journal-dir'
! grep -q '^journal' "$work/out" || fail 'a journal is named where there is none'

# killed FLAG...: kill -9 after some timed steps; the journal is $journal
killed() {
    local pid i
    rm -f "$work"/*.journal
    "$toise" "${tiny[@]}" "$@" >"$work/out" 2>"$work/err" </dev/null &
    pid=$!
    for ((i = 0; i < 1200; i++)); do
        if grep -q '"timed":' "$work"/*.journal 2>/dev/null; then break; fi
        sleep 0.05
    done
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null || true
    journal=$(journals)
}
rm "$out"
killed --steps 90000 --out "$out" --seed 7
[ ! -e "$out" ] || fail 'a killed run wrote a record'
cp "$journal" "$work/first"
timed=$(grep -c '"timed":' "$journal")

# --recover: the record of the dead run, that it can be compared with
run 3 train --recover "$journal" --out "$work/recovered.jsonl"
says 'recovered   from its journal'
is "$work/recovered.jsonl" "len(r['samples']['step_s'])" "$timed"
is "$work/recovered.jsonl" "r['why']" "the process ended after $timed timed steps, before its last checks"
is "$work/recovered.jsonl" "r['config']['seed'], r['result']['recovered'], r['result']['tokens_per_s'] > 0" "(7, True, True)"
valid "$work/recovered.jsonl"

# --resume goes on to the end; what is torn is said and left out
printf '{"timed":123,"step' >>"$journal"
run 0 train --resume "$journal" --steps $((timed + 20))
grep -q 'its last line is torn, and is left out' "$work/err" || fail "a torn line is not told: $(cat "$work/err")"
says "processes   2, of $timed [+] 20 timed steps"
says 'timed losses against earlier records'
is "$out" "len(r['samples']['step_s']), [p['timed_steps'] for p in r['samples']['processes']]" "($((timed + 20)), [$timed, 20])"
is "$out" "r['launch']['resumes'][0] == r['samples']['processes'][0]['launch'] != r['launch']['id']" True
[ -z "$(journals)" ] || fail "a run that went on to its end leaves $(journals)"
valid "$out"
# the samples of the first process count once
cat "$work/recovered.jsonl" >>"$out"
run 3 report "$out" --ci 1 # one launch has no interval
says '1 met again, counted once'

# other work, other layouts, other losses, what is no journal
cp "$work/first" "$work/again.journal"
refused 'config.seed was 7, and is 8 here' "$toise" train --resume "$work/again.journal" --seed 8
refused 'layout.threads was 1, and is 2 here' "$toise" train --resume "$work/again.journal" --threads 2
refused 'config.seq was 32, and is 64 here' "$toise" train --resume "$work/again.journal" --seq 64
refused 'No such file' "$toise" train --resume "$work/no.journal"
refused 'is not a journal' "$toise" train --resume "$out"
# edited journals: a line that is missing, stands twice or elsewhere, and a journal that stands twice
edited() { # edited WORDS SED_SCRIPT
    sed "$2" "$work/again.journal" >"$work/edited.journal"
    refused "$1" "$toise" train --recover "$work/edited.journal"
}
lines=$(grep -n '"timed":' "$work/again.journal" | sed -n '3,4s/:.*//p' | xargs)
read -r third fourth <<<"$lines"
edited "has step .* where step .* is due" "${third}d"
edited "has step .* where step .* is due" "${third}p"
edited "has step .* where step .* is due" "${third}{h;d};${fourth}G"
cat "$work/again.journal" "$work/again.journal" >"$work/edited.journal"
refused 'the process .* stands twice' "$toise" train --recover "$work/edited.journal"

refused 'is not a journal' "$toise" train --recover README.md
refused 'cannot be combined' "$toise" train --resume "$work/again.journal" --dry-run
refused 'both take the journal' "$toise" train --resume "$work/again.journal" --recover "$work/again.journal"
refused 'journal-dir' "$toise" "${tiny[@]}" --journal-dir /proc/none
refused 'journal-dir' "$toise" "${tiny[@]}" --journal-dir "$out"
sed -i '3s/"step_s":0/"step_s":1/' "$work/again.journal"
refused 'line 3 is damaged' "$toise" train --resume "$work/again.journal"
run 3 train --recover "$work/again.journal" --out "$work/damaged.jsonl"
grep -q 'line 3 is damaged: it is left out, and what follows it' "$work/err" || fail "damage is not told: $(cat "$work/err")"
cmp -s <(head -n 2 "$work/first") <(head -n 2 "$work/again.journal") || fail 'a refused journal was changed'
# rewritten FILE CHANGE: the first journal in FILE, with CHANGE made to each line o, and with right checksums
rewritten() {
    python3 - "$work/first" "$1" "$2" <<'EOF'
import hashlib, json, sys
with open(sys.argv[2], "w") as f:
    for line in open(sys.argv[1]):
        if not line.endswith("}\n"): break
        o = json.loads(line)
        del o["sum"]
        exec(sys.argv[3])
        body = json.dumps(o, separators=(",", ":"))[:-1]
        f.write('%s,"sum":"%s"}\n' % (body, hashlib.sha256(body.encode()).hexdigest()[:16]))
EOF
}
# losses that this work cannot have had, and a layout that this one does not name
rewritten "$work/other.journal" 'if "loss" in o: o["loss"] += 0.5'
rewritten "$work/zero.journal" 'if "layout" in o: o["layout"]["zero"] = 2'
refused 'layout.zero was 2, and is none here' "$toise" train --resume "$work/zero.journal" --zero 0
run 1 train --resume "$work/other.journal" --steps 3 --out "$work/wrong.jsonl"
says 'FAILED  timed losses against earlier records: step 0 of the journal'
is "$work/wrong.jsonl" "'tokens_per_s' in r['result']" False
cp "$work/first" "$work/busy.journal"
"$toise" train --resume "$work/busy.journal" >"$work/busy" 2>&1 </dev/null &
busy=$!
for ((i = 0; i < 900; i++)); do
    if [ "$(grep -c '"journal":' "$work/busy.journal")" = 2 ]; then break; fi
    sleep 0.1
done
refused 'another process writes this journal' "$toise" train --resume "$work/busy.journal"
kill -KILL $busy
wait $busy 2>/dev/null || true

# two ranks: the journal is rank 0's
if command -v "${MPIRUN:-mpirun}" >/dev/null; then
    rm -f "$work"/*.journal "$out"
    mpi_launch 2 "$toise" "${tiny[@]}" --steps 30 --warmup 1 --no-gate --journal-dir "$work" >"$work/out" 2>"$work/err" </dev/null || code=$?
    journal=$(journals)
    [ "$(grep -c '"timed":' "$journal")" = 30 ] && grep -q '"probe_s":' "$journal" || fail "two ranks: $(cut -c1-80 "$journal")"
    code=0
    mpi_launch 2 "$toise" train --resume "$journal" --steps 40 --out "$out" >"$work/out" 2>"$work/err" </dev/null || code=$?
    [ "$code" = 3 ] || fail "two ranks go on: exit $code: $(tail -n 3 "$work/err")"
    cp "$work/first" "$work/single.journal"
    code=0
    mpi_launch 2 "$toise" train --resume "$work/single.journal" >"$work/out" 2>"$work/err" </dev/null || code=$?
    [ "$code" = 2 ] && grep -q 'its run had 1 rank, and this one has 2' "$work/err" || fail "other ranks: $(cat "$work/err")"
    is "$out" "len(r['samples']['step_s']), len(r['result']['per_rank'])" '(40, 2)'
else
    echo 'SKIP: two ranks: mpirun is not installed'
fi

# a full disk: of the journal, then of --out
cat >"$work/full.sh" <<'END'
# full.sh FOLDER BLOCKS COMMAND...: COMMAND with a tmpfs of 64 KiB at FOLDER/small, BLOCKS of 4 KiB of it taken; what it
# leaves there is copied to FOLDER
set -e
mount -t tmpfs -o size=64k none "$1/small"
dd if=/dev/zero of="$1/small/taken" bs=4k count="$2" 2>/dev/null
code=0
"${@:3}" || code=$?
cp "$1"/small/* "$1/"
exit $code
END
mkdir "$work/small"
full() { call unshare -m --map-root-user bash "$work/full.sh" "$work" "$@"; }
if unshare -m --map-root-user mount -t tmpfs none /mnt 2>/dev/null; then
    rm -f "$work"/*.journal "$out"
    full 0 "$toise" train --model tiny-gpt2 --seq 64 --gbs 16 --steps 90000 --out "$out" --journal-dir "$work/small"
    [ "$code" = 4 ] || fail "the journal's disk is full: exit $code: $(tail -n 3 "$work/err")"
    grep -q '^toise: .*/small/.*\.journal: .* No space left on device' "$work/err" || fail "not named: $(cat "$work/err")"
    is "$out" "r['result']['stopped'], r['result']['journal']['failed'], r['status']" \
        "('a journal that cannot be written', 'No space left on device', 'INCONCLUSIVE')"
    is "$out" "len(r['samples']['step_s']) >= r['result']['journal']['acknowledged'] // 2 > 20" True
    valid "$out"
    rm -f "$work"/*.journal "$out"
    mkdir "$work/journal"
    full 15 "$toise" "${tiny[@]}" --steps 300 --out "$work/small/full.jsonl" --journal-dir "$work/journal"
    [ "$code" = 4 ] || fail "the disk of --out is full: exit $code: $(tail -n 3 "$work/err")"
    grep -q '^toise: .*/small/full.jsonl: record not written: No space left on device' "$work/err" || fail "not named: $(cat "$work/err")"
    grep '^{"schema"' "$work/out" >"$work/printed.jsonl" || fail 'the record was not printed'
    is "$work/printed.jsonl" "len(r['samples']['step_s'])" 300
    run 0 train --recover "$work"/journal/*.journal --out "$work/rescued.jsonl"
    is "$work/rescued.jsonl" "r['status'], len(r['samples']['step_s'])" "('PASSED', 300)"
else
    echo 'SKIP: full disks: this user can mount no tmpfs'
fi

# A slow folder: each sync takes four seconds, and no step does.
# shellcheck disable=SC2086  # a compiler may come with flags
if ${CC:-cc} -shared -fPIC -o "$work/fsync.so" tests/unit/guard/fsync.c -ldl 2>"$work/err"; then
    rm -f "$work"/*.journal "$out"
    LD_PRELOAD=$work/fsync.so FSYNC_DELAY_MS=4000 run 3 "${tiny[@]}" --steps 300 --no-gate --out "$out"
    is "$out" "max(r['samples']['step_s']) < 4 < r['result']['journal']['slowest_sync_s']" True
    is "$out" "r['result']['journal']['add_s'] < 4" True
    KILLS=${KILLS:-8} bash tests/soak/kills.sh || fail 'kills'
else
    echo 'SKIP: a slow folder, and kills: no C compiler'
fi
exit $bad
