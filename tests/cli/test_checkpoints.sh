#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 500
# Checkpoints of toise train: what they hold, how a run goes on from one in its own layout and in others, what is
# refused, and that a kill at any moment or a full disk leaves the last complete one; all that also while training goes
# on. KILLS=500 makes the part of the kills long.
. "$(dirname "$0")/../prelude.sh"
. scripts/mpi.sh
no_grace
python3 -c '' 2>/dev/null || { echo 'SKIP: checkpoints: python3 is not installed' && exit 77; }
export OMP_NUM_THREADS=1
out=$work/records.jsonl saves=$work/saves
tiny=(train --model tiny-llama --seq 32 --gbs 4 --warmup 0 --energy off)

field() { python3 -c 'import json, sys; r = json.loads(open(sys.argv[1]).readlines()[-1]); print(eval(sys.argv[2]))' "$@"; }
is() { [ "$(field "$1" "$2")" = "$3" ] || fail "$2 is $(field "$1" "$2"), not $3"; }
listed() { [ "$(cd "$1" && echo *)" = "$2" ] || fail "$1 has $(ls "$1"), not $2"; }
# on RANKS FLAGS...: its exit code; 3 is right too, as time decides it
on() {
    local ranks=$1 code=0
    shift
    mpi_launch "$ranks" "$toise" train --warmup 0 --energy off "$@" >"$work/out" 2>&1 || code=$?
    [ $code = 3 ] || return $code
}

# trained FLAGS...: toise train, which time may call inconclusive
trained() {
    call "$toise" train "$@"
    [ $code = 0 ] || [ $code = 3 ] || fail "train $*: exit $code: $(tail -n 3 "$work/out" "$work/err")"
}

# The whole run, then one that is saved and goes on: the same losses to the last bit.
trained "${tiny[@]:1}" --steps 12 --out "$out"
field "$out" "r['result']['loss'][5:9]" >"$work/whole"
trained "${tiny[@]:1}" --steps 5 --save "$saves" --save-every 2 --out "$out"
listed "$saves" 'step-00000002 step-00000004 step-00000005'
listed "$saves/step-00000005" 'checkpoint.json config.json model.safetensors optimizer.safetensors'
says 'checkpoints 3, every 2 steps: .* written at .*/s; with reading back .* s a step'
is "$out" "len(r['result']['checkpoints']['write_s']), r['result']['windows']['save_s'] > 0, r['result']['windows']['covered'] > 0.98" '(3, True, True)'
trained --resume "$saves" --steps 4 --warmup 0 --energy off --out "$out"
says 'resumed     from the checkpoint of step 5'
says 'iteration      9/9'
says 'PASSED  timed losses against earlier records'
[ "$(field "$out" "r['result']['loss']")" = "$(cat "$work/whole")" ] || fail 'the run that goes on has other losses'
is "$out" "r['result']['first_step']" 5

# Other layouts go on within the gate's bound, and save in theirs what the next goes on from.
from=$saves/step-00000004
for how in '2 --tp 2 --sp' '2 --pp 2' '2 --zero 3' '4 --tp 2 --pp 2' '4 --tp 2 --zero 2' '1'; do
    read -r ranks flags <<<"$how"
    # shellcheck disable=SC2086  # flags are several words
    on "$ranks" --resume "$from" $flags --steps 1 --save "$work/next" --save-every 1 --keep 1 --out "$out" ||
        fail "$how: exit $?: $(tail -3 "$work/out")"
    says 'PASSED  timed losses against earlier records'
    rm -rf "$work/before" && mv "$work/next" "$work/before"
    from=$work/before
    [ "$ranks" = 1 ] || compgen -G "$from/step-*/model-00001-of-0000$ranks.safetensors" >/dev/null || fail "$how: $(ls "$from"/*)"
done
listed "$work/before" step-00000010
valid "$out"

# Shards load as weights, of which transformers reads the same index.
on 2 --resume "$saves" --tp 2 --steps 1 --save "$work/shards" --save-every 1 || fail "shards: exit $?"
listed "$work/shards/step-00000006" "checkpoint.json config.json model-00001-of-00002.safetensors \
model-00002-of-00002.safetensors model.safetensors.index.json optimizer-00001-of-00002.safetensors \
optimizer-00002-of-00002.safetensors optimizer.safetensors.index.json"
trained --init "$work/shards/step-00000006" --seq 32 --gbs 4 --steps 2 --energy off
# What a workload fixes holds, and so does the precision.
trained --resume "$saves" --steps 1 --warmup 0 --precision fp32 --energy off
refused 'config.precision was "fp32", and is "bf16" here: a checkpoint goes on only with the same work; leave out what differs' \
    "$toise" train --resume "$saves" --precision bf16
refused 'config.seed was 1, and is 2 here' "$toise" train --resume "$saves" --seed 2
refused 'config.seq was 32, and is 16 here' "$toise" train --resume "$saves" --seq-length 16

# --keep; a run goes on in the same folder; what may not be in it
trained --resume "$saves" --steps 6 --warmup 0 --energy off --save "$saves" --save-every 2 --keep 2
listed "$saves" 'step-00000005 step-00000010 step-00000011' # the first is what it went on from
refused 'has a checkpoint of step 11, and this run begins at step 10: go on from that (--resume' \
    "$toise" train --resume "$saves/step-00000010" --save "$saves" --save-every 2
refused 'holds checkpoints that this run does not go on from: --resume' "$toise" "${tiny[@]}" --save "$saves" --save-every 2
mkdir -p "$work/other" "$saves/step-00000012.part"
touch "$work/other/notes" "$saves/step-00000012.part/checkpoint.json"
refused 'holds notes, which is no checkpoint; name a new folder' "$toise" "${tiny[@]}" --save "$work/other" --save-every 2
refused '--save-every needs --save' "$toise" "${tiny[@]}" --save-every 2
refused '--keep needs --save-every' "$toise" "${tiny[@]}" --save "$work/x" --keep 2
refused 'neither a checkpoint nor a folder of checkpoints' "$toise" train --resume "$work/other"
refused 'No such file' "$toise" train --resume "$work/none"
refused 'cannot be combined' "$toise" train --resume "$saves" --dry-run

# What killed runs left is no checkpoint, and is removed by the next run that saves.
trained --resume "$saves" --steps 1 --warmup 0 --energy off --save "$saves" --save-every 5
says 'resumed     from the checkpoint of step 11'
listed "$saves" 'step-00000005 step-00000010 step-00000011 step-00000012'

# Damage: a bit, a file's length, a list that is none.
cp -r "$saves/step-00000012" "$work/bad"
python3 - "$work/bad/optimizer.safetensors" <<'END'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(-3, 2); byte = f.read(1); f.seek(-3, 2); f.write(bytes([byte[0] ^ 4]))
END
refused "tensor 'exp_avg_sq.lm_head.weight' is not what was written: its checksum is .*; take another checkpoint" \
    "$toise" train --resume "$work/bad" --steps 1
truncate -s 5000 "$work/bad/optimizer.safetensors"
refused 'optimizer.safetensors has 5000 bytes, and had' "$toise" train --resume "$work/bad"
rm "$work/bad/optimizer.safetensors"
refused 'optimizer.safetensors is missing; take another checkpoint' "$toise" train --resume "$work/bad"
while IFS='|' read -r change words; do
    sed "$change" "$saves/step-00000012/checkpoint.json" >"$work/bad/checkpoint.json"
    refused "$words" "$toise" train --resume "$work/bad"
done <<'END'
s/"toise.1"/"toise\/2"/|checkpoint must be "toise/1", not "toise/2": read it with the toise that wrote it
s/"step": 12/"step": "12"/|step must be a whole number from 1 to 1000000000
s/"files"/"file"/|files must be a list of files
s/"bytes": /"bytes": -/|is no file with bytes and tensors
1d|checkpoint.json
END

# What the list says, and no more: flags of the work alone, its own step, its own files.
edit() { # edit PYTHON: changes a copy of the newest checkpoint's list, o
    rm -rf "$work/edit" && mkdir "$work/edit" && cp -r "$saves/step-00000012" "$work/edit"
    python3 -c "import json, sys; p = sys.argv[1]; o = json.load(open(p)); $1; json.dump(o, open(p, 'w'))" \
        "$work/edit/step-00000012/checkpoint.json"
}
for words in '["--energy=command", "--power-cmd=touch '"$work"'/pwned; echo 1"]' '[1]' '["--out=x"]' '["--dry-run"]' '["--seed"]'; do
    edit "o['arguments'] = $words"
    refused 'arguments.0. is not a flag of what was trained; take another checkpoint' "$toise" train --resume "$work/edit" --steps 1
done
[ ! -e "$work/pwned" ] || fail 'a checkpoint ran a command'
edit "o['arguments'] = []"
refused 'arguments must be a list of flags' "$toise" train --resume "$work/edit"
edit "o['step'] = 13"
refused 'checkpoint.json says step 13; take another checkpoint' "$toise" train --resume "$work/edit"
edit "o['step'] = 10**18"
refused 'says step 1000000000000000000' "$toise" train --resume "$work/edit"
edit "del o['files'][1]"
refused 'optimizer.safetensors' "$toise" train --resume "$work/edit" --steps 1
edit "o['files'][0]['tensors'].popitem()"
refused 'tensors, and .* were written' "$toise" train --resume "$work/edit" --steps 1
mkdir "$work/edit/step-00000099"
refused 'its newest, .*step-00000099, has no checkpoint.json: remove it, or name another one' "$toise" train --resume "$work/edit"
refused 'is a file of a checkpoint; give its folder' "$toise" train --resume "$saves/step-00000012/checkpoint.json"
cp -r "$work/shards" "$work/stray"
cp "$saves/step-00000012/model.safetensors" "$work/stray/step-00000006"
trained --resume "$work/stray" --steps 1 --warmup 0 --energy off # a file that it does not list is not read
cp -r "$saves/step-00000012" "$work/"$'caf\xe9'
refused 'must be UTF-8' "$toise" train --resume "$work/"$'caf\xe9'

# Only folders of this training, one run at a time; no link is followed.
refused 'holds checkpoints that this run does not go on from' "$toise" train --resume "$work/shards" --save "$saves" --save-every 2
mkdir "$work/kept" "$work/links"
cp -r "$saves/step-00000012" "$work/links"
echo mine >"$work/kept/model.json"
ln -s "$work/kept" "$work/links/step-00000001"
refused 'holds step-00000001, which is no checkpoint' "$toise" train --resume "$work/links" --save "$work/links" --save-every 1
rm "$work/links/step-00000001" && mkdir "$work/links/step-00000001" "$work/links/step-2" && echo mine >"$work/links/step-00000001/notes"
refused 'holds step-2, which is no checkpoint' "$toise" train --resume "$work/links" --save "$work/links" --save-every 1
rmdir "$work/links/step-2"
trained --resume "$work/links" --steps 1 --warmup 0 --energy off --save "$work/links" --save-every 1 --keep 1
[ "$(cat "$work/kept/model.json" "$work/links"/step-00000001*/notes | xargs)" = 'mine mine' ] || fail 'a user'"'"'s files are gone'
"$toise" "${tiny[@]}" --steps 90000 --save "$work/locked" --save-every 80000 >"$work/other.out" 2>&1 </dev/null &
for ((i = 0; i < 600; i++)); do
    if grep -q '^iteration' "$work/other.out"; then break; fi
    sleep 0.05
done
refused 'another run is saving there' "$toise" "${tiny[@]}" --save "$work/locked" --save-every 2
kill -TERM $!
wait $! || true
grep -q "^checkpoints go on with toise train --resume $work/locked" "$work/other.out" || fail 'a stopped run does not say how to go on'

# Neither the batch, nor the names of files, nor the weights that it once began from bind a checkpoint to its world.
cp README.md "$work/data.txt"
trained --model tiny-gpt2 --seq 32 --data "$work/data.txt" --steps 2 --energy off --save "$work/data" --save-every 2
mv "$work/data.txt" "$work/moved.txt" && touch "$work/moved.txt"
on 2 --resume "$work/data" --data "$work/moved.txt" --pp 2 --steps 1 || fail "moved data: exit $?: $(tail -3 "$work/out")"
(cat LICENSE README.md) | head -c "$(stat -c %s README.md)" >"$work/data.txt"
refused 'hash of the first samples was' "$toise" train --resume "$work/data" --steps 1
run 0 train --model tiny-bloom --seq 32 --gbs 2 --steps 2 --energy off --save "$work/weights"
trained --init "$work/weights" --seq 32 --gbs 2 --lr 1e-4 --steps 2 --energy off --save "$work/tuned" --save-every 2 --out "$work/tuned.jsonl"
rm -r "$work/weights"
trained --resume "$work/tuned" --steps 1 --energy off --save "$work/tuned" --save-every 1 --out "$work/tuned.jsonl"
trained --resume "$work/tuned" --steps 1 --energy off --out "$work/tuned.jsonl"
is "$work/tuned.jsonl" "r['config']['init'].endswith('weights'), r['config']['optimizer']['lr']" '(True, 0.0001)'
trained --workload strong-tiny --steps 1 --warmup 0 --energy off --save "$work/workload" --save-every 1
on 2 --resume "$work/workload" --steps 1 --lr 6e-4 2>/dev/null && fail 'a workload took another --lr'
on 2 --resume "$work/workload" --steps 1 --zero 1 || fail "a workload: exit $?: $(tail -3 "$work/out")"

# A journal goes on with the measurement, not with the training.
"$toise" "${tiny[@]}" --steps 90000 --save "$work/measured" --save-every 80000 --journal-dir "$work" >"$work/other.out" 2>&1 </dev/null &
for ((i = 0; i < 600; i++)); do
    if grep -q '"timed":' "$work"/*.journal 2>/dev/null; then break; fi
    sleep 0.05
done
kill -KILL $!
wait $! 2>/dev/null || true
refused 'cannot be combined: its steps are trained again' "$toise" train --resume "$work"/*.journal --save "$work/more"
trained --resume "$work"/*.journal --steps "$(($(grep -c '"timed":' "$work"/*.journal) + 5))"
grep -q -- '--save is left out' "$work/err" || fail "no word that --save is left out: $(cat "$work/err")"

# A request to stop saves the last step; a full disk keeps the record and says so, and leaves the checkpoints before.
"$toise" "${tiny[@]}" --steps 90000 --save "$work/stopped" --save-every 80000 >"$work/out" 2>&1 </dev/null &
for ((i = 0; i < 600; i++)); do
    if grep -q '^iteration' "$work/out"; then break; fi
    sleep 0.05
done
kill -TERM $!
wait $! || true
compgen -G "$work/stopped/step-*/checkpoint.json" >/dev/null || fail "a stopped run saved no checkpoint: $(tail -3 "$work/out")"
trained --resume "$work/stopped" --steps 1 --warmup 0 --energy off
code=0
(
    trap '' XFSZ
    ulimit -f 100
    "$toise" "${tiny[@]}" --steps 50 --save "$work/full" --save-every 2 --out "$work/full.jsonl" >"$work/out" 2>"$work/err"
) || code=$?
[ $code = 4 ] || fail "a full disk: exit $code"
grep -q 'step-00000002.part/model.safetensors.* File too large' "$work/err" || fail "a full disk: $(cat "$work/err")"
says 'stopped     by a checkpoint that cannot be saved'
listed "$work/full" '*'
is "$work/full.jsonl" "r['result']['stopped'], len(r['result']['loss'])" "('a checkpoint that cannot be saved', 3)"
valid "$work/full.jsonl"

# kill -9 at random moments, of one rank of two or of one alone: the newest checkpoint is whole.
RANDOM=${SEED:-1}
mpi_command
gone=0
for ((k = 1; k <= ${KILLS:-6}; k++)); do
    rm -rf "$work/killed"
    ranks=() flags=()
    [ $((k % 3)) != 0 ] || ranks=("${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n 2) flags=(--zero 1)
    [ $((k % 2)) = 0 ] || flags+=(--async-save)
    "${ranks[@]}" "$toise" "${tiny[@]}" --steps 90000 --no-gate --save "$work/killed" --save-every 1 --keep 3 "${flags[@]}" \
        >"$work/out" 2>&1 </dev/null &
    pid=$!
    for ((i = 0; i < 600; i++)); do
        if [ -e "$work/killed/step-00000002" ]; then break; fi
        sleep 0.02
    done
    sleep "$(awk -v r="$RANDOM" 'BEGIN { print 0.3 * r / 32767 }')"
    victim=$pid
    [ ${#ranks[@]} = 0 ] || victim=$(pgrep -f "save $work/killed" | tail -n 1)
    kill -KILL "$victim" 2>/dev/null || true
    wait $pid 2>/dev/null || true
    while pgrep -f "save $work/killed" >/dev/null; do sleep 0.05; done
    if [ -n "$(find "$work/killed" -name '*.part')" ]; then gone=$((gone + 1)); fi
    newest=$(find "$work/killed" -maxdepth 1 -name 'step-*' ! -name '*.part' | sort | tail -n 1)
    trained --resume "$work/killed" --steps 1 --warmup 0 --energy off
    says "resumed     from the checkpoint of step $((10#${newest##*-}))"
done
[ "${KILLS:-6}" -lt 20 ] || [ $gone -gt 0 ] || fail 'no kill met a checkpoint that was being written'
echo "${KILLS:-6} kills, $gone while a checkpoint was written or removed: the newest is always whole"

# --async-save: the same bytes, what it costs, and the memory that a dry run counts.
refused '--async-save needs --save-every' "$toise" "${tiny[@]}" --async-save
refused '--async-save needs --save-every' "$toise" "${tiny[@]}" --async-save --save "$work/x"
alike() { # alike ROOT ROOT: their checkpoints have the same bytes, but for what names the launch
    python3 - "$@" <<'END' || fail "$1 and $2 differ"
import json, os, sys
def read(root):
    files = {}
    for folder, _, names in os.walk(root):
        for name in names:
            if name == ".lock": continue
            text = open(os.path.join(folder, name), "rb").read()
            if name == "checkpoint.json":
                text = json.loads(text)
                del text["launch"]
            files[os.path.relpath(os.path.join(folder, name), root)] = text
    return files
one, two = map(read, sys.argv[1:])
if one != two or len(one) < 12: sys.exit([k for k in one.keys() | two.keys() if one.get(k) != two.get(k)] or "few files")
END
}
for how in '1' '2 --zero 1' '2 --tp 2'; do
    read -r ranks flags <<<"$how"
    rm -rf "$work/once" "$work/aside"
    for save in "$work/once" "$work/aside --async-save"; do
        # shellcheck disable=SC2086  # flags are several words
        on "$ranks" "${tiny[@]:1}" $flags --steps 8 --save $save --save-every 3 --out "$work/aside.jsonl" ||
            fail "$how, $save: exit $?: $(tail -3 "$work/out")"
    done
    listed "$work/aside" 'step-00000003 step-00000006 step-00000008'
    alike "$work/once" "$work/aside"
    says '^checkpoints 3, every 3 steps: .* written at .*/s; hidden .* of .* s, stall .* s a step, .*% of one, and .* s at the end$'
done
valid "$work/aside.jsonl"
python3 - "$work/aside.jsonl" <<'END' || bad=1
import json, sys
r = json.loads(open(sys.argv[1]).readlines()[-1])
c, memory = r["result"]["checkpoints"], r["ledger"]["memory"]
busy = [w + k for w, k in zip(c["write_s"], c["check_s"])]
if not all(0 <= h <= b for h, b in zip(c["hidden_s"], busy)): sys.exit(f"more was hidden than written: {c}")
if not 0 < c["end_s"] <= c["wait_s"][-2] + c["wait_s"][-1] + c["copy_s"][-1] + 1e-9: sys.exit(f"the end: {c}")
stall = (sum(c["copy_s"]) + sum(c["wait_s"]) - c["end_s"]) / 9
if abs(c["stall_s_per_step"] / stall - 1) > 1e-9: sys.exit(f"the stall of a step is not {stall}: {c}")
if not memory["checkpoint copy (FP32)"] > 12 * r["config"]["parameters"] / 2: sys.exit(f"the copy is no memory: {memory}")
END
trained --resume "$work/aside" --steps 4 --warmup 0 --energy off --save "$work/aside" --save-every 2 --keep 2 --async-save
says 'resumed     from the checkpoint of step 8'
listed "$work/aside" 'step-00000008 step-00000010 step-00000012'
run 0 "${tiny[@]}" --save "$work/planned" --save-every 3 --async-save --dry-run --json
is "$work/out" "r['ledger']['memory']['checkpoint copy (FP32)'] - 12 * r['config']['parameters'] < 64" True
is "$work/out" "abs(sum(r['ledger']['memory'].values()) - r['ledger']['memory_bytes_per_rank']) < 1" True
[ ! -e "$work/planned" ] || fail 'a dry run made a folder'

# No step waits for a slow disk, of which each file takes 1.5 seconds; the end does, and as a rule longer than the watchdog's
# patience, since one file after the other is progress. A disk that hangs is none.
# shellcheck disable=SC2086  # a compiler may come with flags
if ${CC:-cc} -shared -fPIC -o "$work/fsync.so" tests/unit/guard/fsync.c -ldl 2>"$work/err"; then
    slow() { LD_PRELOAD=$work/fsync.so FSYNC_OF=.safetensors.part FSYNC_DELAY_MS=$1 "${@:2}"; }
    slow 1500 trained "${tiny[@]:1}" --steps 1500 --no-gate --save "$work/slow" --save-every 1400 --async-save --timeout 2.5 \
        --out "$work/slow.jsonl"
    is "$work/slow.jsonl" "max(r['samples']['step_s']) < 1.5 < 3 < r['result']['checkpoints']['write_s'][0]" True
    is "$work/slow.jsonl" "0 < r['result']['checkpoints']['hidden_s'][0], r['result']['checkpoints']['end_s'] > 1.5" '(True, True)'
    slow 9000 run 4 "${tiny[@]}" --steps 10 --no-gate --save "$work/hangs" --save-every 10 --async-save --timeout 2
    grep -q 'saving a checkpoint' "$work/err" || fail "a disk that hangs: $(cat "$work/err")"
    listed "$work/hangs" step-00000010.part

    # kill -9 while the second one is certainly being written; a request to stop then ends it, and saves the last step
    ended() { # ended SIGNAL
        rm -rf "$work/cut"
        LD_PRELOAD=$work/fsync.so FSYNC_OF=.safetensors.part FSYNC_DELAY_MS=800 "$toise" "${tiny[@]}" --steps 90000 --no-gate \
            --save "$work/cut" --save-every 100 --async-save >"$work/out" 2>&1 </dev/null &
        for ((i = 0; i < 600; i++)); do
            if [ -e "$work/cut/step-00000200.part" ]; then break; fi
            sleep 0.02
        done
        kill "-$1" $!
        wait $! 2>/dev/null || true
    }
    ended TERM
    says 'stopped     by SIGTERM'
    [ -e "$work/cut/step-00000200/checkpoint.json" ] || fail "what was written at SIGTERM is lost: $(ls "$work/cut")"
    [ "$(find "$work/cut" -name '*.part' | wc -l) $(find "$work/cut" -name checkpoint.json | wc -l)" = '0 3' ] || fail "SIGTERM: $(ls "$work/cut")"
    ended KILL
    listed "$work/cut" 'step-00000100 step-00000200.part'
    trained --resume "$work/cut" --steps 1 --warmup 0 --energy off --save "$work/cut" --save-every 9
    says 'resumed     from the checkpoint of step 100'
    listed "$work/cut" 'step-00000100 step-00000101'
else
    echo 'SKIP: slow disks: no C compiler'
fi

# A disk that is full for one rank of two, and a folder that is taken away: both ranks end, and what was complete stays.
ends() { # ends HOW PATTERN COMMAND...: what happens once two checkpoints are complete, and what toise says then
    local pid code=0
    rm -rf "$work/ends"
    (
        trap '' XFSZ
        exec "${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n 2 "$toise" "${tiny[@]}" --zero 1 --steps 90000 --no-gate \
            --save "$work/ends" --save-every 100 --async-save --out "$work/ends.jsonl" >"$work/out" 2>&1 </dev/null
    ) &
    pid=$!
    for ((i = 0; i < 600; i++)); do
        if [ -e "$work/ends/step-00000200" ]; then break; fi
        sleep 0.02
    done
    "${@:3}"
    wait $pid || code=$?
    [ $code = 4 ] || fail "$1: exit $code: $(tail -n 3 "$work/out")"
    grep -q -- "$2" "$work/out" || fail "$1: lacks \"$2\": $(cat "$work/out")"
    says 'stopped     by a checkpoint that cannot be saved'
    [ -z "$(find "$work" -path '*/ends*/*.part')" ] || fail "$1: $(ls "$work"/ends*)"
}
# shellcheck disable=SC2317  # ends calls it
full() { prlimit --fsize=4096: --pid "$(pgrep -f "save $work/ends" | tail -n 1)"; }
if command -v prlimit >/dev/null; then
    ends 'a full disk' 'step-.*.part/.*.safetensors.* File too large' full
    trained --resume "$work/ends" --steps 1 --warmup 0 --energy off
else
    echo 'SKIP: a disk that is full for one rank: prlimit is not installed'
fi
rm -rf "$work/gone"
ends 'a folder that is taken away' 'toise: .*/ends/step-.* No such file or directory' mv "$work/ends" "$work/gone"
trained --resume "$work/gone" --steps 1 --warmup 0 --energy off
valid "$work/ends.jsonl"
exit $bad
