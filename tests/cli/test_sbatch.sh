#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# toise sbatch: the jobs of a campaign, their state by records and queue, and the script that submits what is missing.
# Slurm's commands are stand-ins here; tests/slurm has the real ones.
. "$(dirname "$0")/../prelude.sh"
command=(sbatch)
mkdir "$work/bin" "$work/site"
export PATH=$work/bin:$PATH STUB=$work/stub
mkdir "$STUB"

# sbatch numbers its jobs and keeps their arguments; it refuses those with the word in $STUB/refuses. squeue lists
# $STUB/queue, and fails if there is none.
cat >"$work/bin/sbatch" <<'END'
#!/usr/bin/env bash
refuses=$(cat "$STUB/refuses" 2>/dev/null)
[ -z "$refuses" ] || [[ "$*" != *"$refuses"* ]] || { echo 'sbatch: error: invalid partition specified' >&2; exit 1; }
id=$((100 + $(ls "$STUB" | grep -c '^job')))
printf '%s\n' "TOISE=$TOISE SITE=${TOISE_SITE-}" "$@" >"$STUB/job-$id"
echo "$id;cluster"
END
cat >"$work/bin/squeue" <<'END'
#!/usr/bin/env bash
cat "$STUB/queue" 2>/dev/null || { echo 'squeue: error: no controller' >&2; exit 1; }
END
chmod +x "$work/bin/sbatch" "$work/bin/squeue"

: >"$work/site/here.sh"
cat >"$work/campaign.json" <<'END'
{"name": "upgrade", "about": "before and after", "site": "site/here.sh", "sbatch": ["--partition=it's here"],
 "launches": 3, "days": 2, "work": [
  {"command": "train", "workload": "node-s", "precision": "bf16", "nodes": [1, 4], "time": "00:20:00",
   "flags": ["--ci", "2%"]}]}
END
run 0 "$work/campaign.json" --dir "$work/all" --json
valid "$work/out"
run 0 "$work/campaign.json" --dir "$work/all"
says '^toise sbatch   upgrade in .*: 0 of 4 jobs done, 0 waiting, 0 failed, 4 new$'
says '^train-node-s-bf16-4n-day2-job1 +4 +0 of 3 +new +-$'
says 'submit.sh submits 4 jobs; so does --submit$'
[ -z "$(ls "$STUB")" ] || fail 'submitted without --submit'
bash -n "$work/all/submit.sh" || fail 'submit.sh is no script'

# Submitted in order, each after the end of the one before; later days begin later. Words reach sbatch whole.
: >"$STUB/queue"
printf '100\n101\n102\n103\n' >"$STUB/queue"
run 0 "$work/campaign.json" --dir "$work/all" --submit
says '0 of 4 jobs done, 4 waiting'
[ "$(cat "$work/all/submitted")" = "100 train-node-s-bf16-1n-day1-job1
101 train-node-s-bf16-4n-day1-job1
102 train-node-s-bf16-1n-day2-job1
103 train-node-s-bf16-4n-day2-job1" ] || fail "submitted: $(cat "$work/all/submitted")"
for words in "TOISE=$toise SITE=$work/site/here.sh" --dependency=afterany:102 --nodes=4 --begin=now+1days "--partition=it's here" \
    --time=00:20:00 --workload=node-s --precision=bf16 --ci 2% --launches=3 \
    "--out=$work/all/train-node-s-bf16-4n-day2-job1.jsonl" "--output=$work/all/train-node-s-bf16-4n-day2-job1-%j.out"; do
    grep -qxF -- "$words" "$STUB/job-103" || fail "sbatch lacks $words: $(cat "$STUB/job-103")"
done
grep -q 'slurm/train.sbatch$' "$STUB/job-103" || fail 'not its script'
! grep -q dependency "$STUB/job-100" || fail 'the first job waits'
refused 'add --resume' "$toise" sbatch "$work/campaign.json" --dir "$work/all" --submit

# What its records say: one job is done, one lacks a launch, one died, one ran on too few nodes.
record() { # record JOB LAUNCH NODES STATUS
    printf '{"schema": "toise/1", "kind": "train", "status": "%s", "why": "of a test", "launch": {"id": "%s", "nodes": %d}}\n' \
        "$4" "$2" "$3" >>"$work/all/train-node-s-bf16-$1.jsonl"
}
for launch in a b c; do record 1n-day1-job1 $launch 1 PASSED; done
record 4n-day1-job1 d 4 PASSED
record 4n-day1-job1 e 4 INCONCLUSIVE
for launch in f g h; do record 4n-day2-job1 $launch 2 PASSED; done
: >"$STUB/queue"
run 1 "$work/campaign.json" --dir "$work/all"
says '1 of 4 jobs done, 0 waiting, 3 failed'
says '^train-node-s-bf16-1n-day1-job1 +1 +3 of 3 +done +100$'
says '^train-node-s-bf16-4n-day1-job1 +4 +2 of 3 +failed +101 +job 101 ended with 2 of 3 launches$'
says '^train-node-s-bf16-1n-day2-job1 .* job 102 ended with 0 of 3 launches$'
says '^train-node-s-bf16-4n-day2-job1 .* a launch ran on 2 nodes$'

# Only what is missing goes again; what waits does not.
rm -r "${STUB:?}"/* "$work/all/submitted"
printf '100 train-node-s-bf16-1n-day1-job1\n7 train-node-s-bf16-1n-day2-job1\n' >"$work/all/submitted"
printf '77\n7\n100\n101\n' >"$STUB/queue"
run 0 "$work/campaign.json" --dir "$work/all" --submit --resume
[ -e "$STUB/job-101" ] && [ ! -e "$STUB/job-102" ] || fail "resumed: $(ls "$STUB")"
grep -qx -- --launches=1 "$STUB/job-100" || fail 'did not ask for the launch that is missing'
grep -qx -- --dependency=afterany:7 "$STUB/job-100" || fail 'does not wait for what waits'

# A refusal keeps what was submitted before it.
rm -r "${STUB:?}"/*
echo --nodes=4 >"$STUB/refuses"
echo 100 >"$STUB/queue"
run 2 "$work/campaign.json" --dir "$work/refused" --submit
grep -q 'sbatch refused a job; those before it are submitted: sbatch: error: invalid partition' "$work/err" || fail "$(cat "$work/err")"
says '^train-node-s-bf16-1n-day1-job1 .* waiting +100$'
rm "$STUB/queue" "$STUB/refuses"
refused 'squeue does not say whether job 100 still waits: squeue: error: no controller' \
    "$toise" sbatch "$work/campaign.json" --dir "$work/refused"

# Bad campaigns, each with a message that names the field.
while IFS='|' read -r words json; do
    echo "$json" >"$work/bad.json"
    refused "$words" "$toise" sbatch "$work/bad.json" --dir "$work/none"
done <<'END'
field "name": must be a plain name|{"name": "../x", "work": [{"command": "train", "workload": "node-s", "nodes": [1]}]}
unknown key "node"|{"name": "x", "work": [{"command": "train", "workload": "node-s", "node": [1]}]}
field "work.1.command": must be train|{"name": "x", "work": [{"command": "rm", "nodes": [1]}]}
field "work.1.nodes": must be a list|{"name": "x", "work": [{"command": "train", "workload": "node-s", "nodes": 4}]}
field "work.1.nodes": names a number twice|{"name": "x", "work": [{"command": "train", "workload": "node-s", "nodes": [2, 2]}]}
work.1.workload": unknown "node-x"|{"name": "x", "work": [{"command": "train", "workload": "node-x", "nodes": [1]}]}
field "work.1.workload": is missing|{"name": "x", "work": [{"command": "train", "nodes": [1]}]}
field "work.1.precision": must be fp32 or bf16|{"name": "x", "work": [{"command": "train", "workload": "node-s", "precision": "fp8", "nodes": [1]}]}
field "work.1.flags": --out cannot be given|{"name": "x", "work": [{"command": "train", "workload": "node-s", "flags": ["--out=x"], "nodes": [1]}]}
field "launches": must be a whole number|{"name": "x", "launches": 0, "work": [{"command": "train", "workload": "node-s", "nodes": [1]}]}
make the job train-node-s-1n-day1-job1: give one of them a "label"|{"name": "x", "work": [{"command": "train", "workload": "node-s", "nodes": [1]}, {"command": "train", "workload": "node-s", "nodes": [1], "flags": ["--ci", "1%"]}]}
field "sbatch": each must be one flag|{"name": "x", "sbatch": ["x.sh"], "work": [{"command": "train", "workload": "node-s", "nodes": [1]}]}
field "sbatch": --array cannot be given|{"name": "x", "sbatch": ["--array=1-5"], "work": [{"command": "train", "workload": "node-s", "nodes": [1]}]}
field "site": no such file|{"name": "x", "site": "nowhere.sh", "work": [{"command": "train", "workload": "node-s", "nodes": [1]}]}
field "work": must be a list|{"name": "x"}
END
refused 'is missing' "$toise" sbatch
exit $bad
