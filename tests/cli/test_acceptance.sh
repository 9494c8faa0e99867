#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/slurm/acceptance.sbatch when a copy crashes, and after a requeue. Slurm's commands and toise are stand-ins here;
# tests/slurm/test_jobs.sh has the real ones. No job script runs outside Slurm.
. "$(dirname "$0")/../prelude.sh"
mkdir "$work/bin" "$work/job"
export PATH=$work/bin:$PATH STUB=$work/stub TOISE=$work/bin/toise TOISE_RESULTS=$work/job/results TOISE_LAUNCH=srun
export TOISE_SLURM=$PWD/scripts/slurm SLURM_JOB_ID=7 SLURM_JOB_NUM_NODES=2 'SLURM_JOB_NODELIST=n[1-2]'
unset SLURM_RESTART_COUNT SLURM_NTASKS_PER_NODE SLURM_CPUS_PER_TASK SLURM_CPUS_ON_NODE SLURM_JOB_CPUS_PER_NODE TOISE_SITE
unset TOISE_NODES_ASKED
for script in scripts/slurm/*.sbatch; do SLURM_JOB_ID='' refused 'submit this with sbatch' bash "$script"; done
cat >"$work/bin/scontrol" <<'END2'
#!/usr/bin/env bash
[ "$2" != hostnames ] || printf 'n1\nn2\n'
END2
printf '#!/bin/sh\n' | tee "$work/bin/squeue" "$work/bin/sinfo" >"$work/bin/ldd"
cat >"$work/bin/srun" <<'END2'
#!/usr/bin/env bash
while [ $# -gt 0 ] && [ "$1" != "$TOISE" ]; do shift; done
exec "$@"
END2
# A launch adds its record. The file $STUB/crash-N lets the next launch of copy N crash, and leaves its journal.
cat >"$work/bin/toise" <<'END2'
#!/usr/bin/env bash
echo "$*" >>"$STUB/calls"
command=$1
[ "$command" != accept ] || exit "$(cat "$STUB/verdict")"
while [ $# -gt 0 ]; do
    case $1 in
    --out) out=$2 ;;
    --journal-dir) journals=$2 ;;
    --resume | --recover) old=$2 how=$1 ;;
    esac
    shift
done
[ "$command" = train ] || exit 0
id=$(basename "$out" .jsonl)-$RANDOM$RANDOM line='{"launch": {"id": "%s", "job": "slurm-7"%s}}\n'
mkdir -p "$(dirname "$out")"
if [ -e "$STUB/crash-$(basename "$out" .jsonl)" ] && [ -z "${old-}" ]; then
    rm "$STUB/crash-$(basename "$out" .jsonl)"
    printf "$line" "$id" '' >"$journals/toise-$id.journal"
    exit 137
fi
[ -z "${old-}" ] || before=$(grep -oE '"id": "[^"]*' "$old" | sed 's/.*"//')
case ${how-} in
--resume) printf "$line" "$id" ", \"resumes\": [\"$before\"]" >>"$out" && rm "$old" ;;
--recover) printf "$line" "$before" '' >>"$out" ;;
*) printf "$line" "$id" '' >>"$out" ;;
esac
END2
chmod +x "$work/bin"/*
echo '{"workload": "node-s", "precision": "fp32", "nodes": 2, "pledged": {"tokens_per_s_per_node": 1}}' >"$work/tender.json"

# begin NAME: what the stand-ins did is forgotten
begin() {
    name=$1
    rm -rf "$STUB" "$TOISE_RESULTS"
    mkdir -p "$STUB"
    echo 0 >"$STUB/verdict"
}
# submit CODE: the job ends so
submit() {
    local limit=30
    call bash scripts/slurm/acceptance.sbatch "$work/tender.json" --launches 3
    [ $code = "$1" ] || fail "$name: exit $code, not $1: $(cat "$work/out" "$work/err")"
}
# has COPY RECORDS: so many are in the file of a copy
has() {
    local lines
    lines=$(wc -l <"$TOISE_RESULTS/acceptance-7/$1.jsonl")
    [ "$lines" = "$2" ] || fail "$name: $1 has $lines records, not $2"
}

begin 'all is well'
submit 0
has copy-1 3
has copy-2 3
grep -q '^accept ' "$STUB/calls" || fail "$name: nobody judged"
echo 1 >"$STUB/verdict"
submit 1

# Its journal becomes a record of that copy, and what was measured is judged.
begin 'a copy crashes'
touch "$STUB/crash-copy-2"
submit 4
has copy-1 1
has copy-2 1
grep -q '^accept ' "$STUB/calls" || fail "$name: nobody judged"
grep -q '^report ' "$STUB/calls" || fail "$name: no page"

# The copy that lacks a launch decides; it goes on with its own journal.
begin 'a requeue'
folder=$TOISE_RESULTS/acceptance-7
mkdir -p "$folder" "$TOISE_RESULTS/journals/copy-2"
for i in 1 2 3; do echo "{\"launch\": {\"id\": \"a$i\", \"job\": \"slurm-7\"}}" >>"$folder/copy-1.jsonl"; done
sed '3d; s/"a/"b/' "$folder/copy-1.jsonl" >"$folder/copy-2.jsonl"
echo '{"launch": {"id": "b3", "job": "slurm-7"}}' >"$TOISE_RESULTS/journals/copy-2/toise-b3.journal"
SLURM_RESTART_COUNT=1 submit 0
has copy-2 3
grep -q '"resumes": \["b3"\]' "$folder/copy-2.jsonl" || fail "$name: $(cat "$folder/copy-2.jsonl")"
grep -q 'copy 2 goes on with .*copy-2/toise-b3.journal' "$work/out" || fail "$name: $(cat "$work/out")"
exit $bad
