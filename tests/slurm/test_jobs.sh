#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 420
# The job scripts of scripts/slurm/ on a real Slurm of two virtual nodes behind one switch each, as a user has them who
# has only sbatch: records and pages in results/, site files, an installed tree, fewer nodes than asked, a program that
# this node cannot load, a requeue, the end of the time. test_train.sh has train.sbatch's ranks and exit codes.
. "$(dirname "$0")/../prelude.sh"
scripts=$tree/scripts/slurm
few=(--model tiny-gpt2 --seq 32 --gbs 4 --steps 2 --warmup 1)

command -v mpirun >/dev/null || { echo 'SKIP: slurm: mpirun is not installed'; exit 77; }
cat >"$work/conf" <<'END'
TopologyPlugin=topology/tree
SwitchName=leaf1 Nodes=node1
SwitchName=leaf2 Nodes=node2
SwitchName=core Switches=leaf[1-2]
END
cluster 2 --conf "$work/conf" || exit
as_user

# job WANTED SCRIPT SBATCH_FLAGS... -- ARGUMENTS...: its exit code, or a pattern of several; the job's number in $id, its output in $log
job() {
    local wanted=$1 script=$2 code=0 flags=()
    shift 2
    while [ "$1" != -- ]; do flags+=("$1"); shift; done
    shift
    name="$script ${flags[*]}"
    sbatch_wait "${flags[@]}" "${from:-$scripts}/$script.sbatch" "$@" || code=$?
    log=$PWD/toise-$script-$id.out
    # Two nodes on one machine wait longer than they compute, so the check that windows cover the time may fail.
    if [ "$code" = 1 ] && grep -q '^toise: FAILED: windows cover' "$log"; then code=0; fi
    [ "$code$wanted" != 30 ] || code=0
    # shellcheck disable=SC2053  # a pattern
    [[ $code == $wanted ]] || fail "$name: exit $code, not $wanted: $(tail -n 20 "$log")"
}
# has FILE PATTERN...: the file has each of them
has() {
    local file=$1 pattern
    shift
    for pattern; do
        grep -Eq -- "$pattern" "$file" || fail "$name: no \"$pattern\" in $(basename "$file"): $(tail -c 1500 "$file" 2>&1)"
    done
}

# What the nodes are: where the record says the ranks were, and a page.
job 0 info --nodes=2 --
has "results/info-$id.jsonl" '"kind": ?"info"' '"hosts": ?"node\[1-2\]"' '"name": ?"core.leaf1"' '"name": ?"core.leaf2"' \
    '"node_list": ?"node\[1-2\]"'
has "results/info-$id.html" '</html>'
has "$log" 'info.sbatch: 2 nodes, 1 ranks each' '^switches    core.leaf1: node1; core.leaf2: node2'

# mpirun hands node1's variables to all, so Slurm's table is asked. A node without a rank is named.
job 0 info --nodes=2 --export=ALL,TOISE_LAUNCH=mpirun --
has "results/info-$id.jsonl" '"name": ?"core.leaf1"' '"name": ?"core.leaf2"'
name='a node without a rank'
sbatch_wait --nodes=2 --output=unused.out --wrap="srun --mpi=pmix --nodes=1 --ntasks=1 build/toise info --out unused.jsonl" || fail "$name: $(cat unused.out)"
has unused.jsonl '"unused": ?"node2"'
has unused.out '^caution     nodes of the job without a rank: node2'

# Each node by itself, at once.
printf 'elements 1024\n' >shapes.txt
job 0 kernels --nodes=2 -- --shapes shapes.txt --op vectors --isa ref --seconds 0.01 --ci 1
has "results/kernels-$id.jsonl" '"kind": ?"kernel".*"host": ?"node1"' '"kind": ?"kernel".*"host": ?"node2"'
has "results/kernels-$id.html" '</html>'

# A curve, a verdict on each node, and a tender, whose copies fill the nodes at once. Two nodes on one machine only show
# that the jobs do it.
if check_full 'slurm: a curve by scale.sbatch'; then
    job '[013]' scale --nodes=2 -- --workload weak-tiny --repeats 1 --steps 1 --warmup 0
    has "results/scale-$id.jsonl" '"kind": ?"scale"'
fi
job '[013]' nodes --nodes=2 -- --model tiny-gpt2 --seq 32 --rounds 5
has "results/nodes-$id.jsonl" '"kind": ?"nodes"' '"node2"'
cat >tender.json <<'END'
{"title": "two nodes", "workload": "weak-tiny", "precision": "fp32", "nodes": 2,
 "pledged": {"tokens_per_s_per_node": 1e9, "efficiency": {"nodes": 2, "least": 0.5}}}
END
job '[13]' acceptance --nodes=2 -- tender.json --launches 1 --steps 1 --warmup 0
has "results/acceptance-$id.jsonl" '"kind": ?"accept"'
for part in copy-1 copy-2 together; do has "results/acceptance-$id/$part.jsonl" '"name": ?"weak-tiny"'; done
has "results/acceptance-$id.html" '</html>'
job 2 acceptance --nodes=1 --
has "$log" 'the first argument is the tender'
echo '{"title": "no work"}' >wrong.json
job 2 acceptance -- wrong.json
has "$log" 'acceptance.sbatch: wrong.json: field workload'

# Fewer nodes than asked for, a site file that the job reads again, and an installed tree, seen from another folder.
installed=$work/installed/share/toise # as `make install` does
mkdir -p "$work/installed/bin" "$installed/slurm"
cp "$BUILD/toise" "$work/installed/bin/"
cp -r "$tree/harness/catalog" "$tree/scripts/mpi.sh" "$installed/"
cp "$scripts"/*.sbatch "$scripts/common.sh" "$installed/slurm/"
cat >site.sh <<'END'
TOISE_SITE=$(realpath "${BASH_SOURCE[0]}")
export TOISE_SITE SBATCH_PARTITION=all TOISE_LAUNCH='srun --mpi=pmix --label'
echo "site: modules for ${SLURM_JOB_ID:-the login node}"
END
mkdir empty && cd empty
(
    # shellcheck source=/dev/null
    . ../site.sh
    from=$installed/slurm TOISE_NODES_ASKED=3 job 0 info --nodes=1-3 --
    has "$log" "^site: modules for $id" '2 nodes .node\[1-2\]. of the 3 asked for' 'srun --mpi=pmix --label'
    has "results/info-$id.jsonl" '"asked": ?3[,}]'
    exit $bad
) || bad=1
cd ..

# A node that dies before the ranks start (--no-kill) is named, and the others go on.
name='a node that died'
echo 'sleep 5' >slow.sh
id=$(TOISE_SITE=$PWD/slow.sh sbatch --parsable --no-kill --nodes=2 "$scripts/info.sbatch")
for _ in $(seq 100); do [ -z "$(squeue -h -j "$id" -t R)" ] || break; sleep 0.1; done
scontrol update nodename=node2 state=down reason=test
for _ in $(seq 60); do [ -n "$(squeue -h -j "$id" 2>/dev/null)" ] || break; sleep 0.5; done
scontrol update nodename=node2 state=resume
has "toise-info-$id.out" '1 nodes .node1. of the 2 asked for; gone: node2'
has "results/info-$id.jsonl" '"hosts": ?"node1"' '"asked": ?2[,}]'

# A program whose library this node lacks, and none at all: before anything starts.
echo 'int missing(void) { return 0; }' >missing.c
echo 'int missing(void); int main(void) { return missing(); }' >main.c
# shellcheck disable=SC2086  # a compiler may come with flags
${CC:-cc} -shared -fPIC -o libmissing.so missing.c && ${CC:-cc} -o needs-it main.c -L. -lmissing && rm libmissing.so
job 2 info --export=ALL,TOISE="$PWD/needs-it" --
has "$log" 'needs-it needs libmissing.so, which node[12] lacks: load the modules of the build'
job 2 info --export=ALL,TOISE=/nowhere/toise --
has "$log" 'info.sbatch: no /nowhere/toise'

# requeued: the job $id is requeued, and ends
requeued() {
    local _
    scontrol requeue "$id" || fail 'the job ended before it could be requeued'
    for _ in $(seq 60); do # Slurm would wait for two minutes
        scontrol update "jobid=$id" starttime=now 2>/dev/null || true
        ! grep -q "start 2 of job $id" "$log" || break
        sleep 1
    done
    for _ in $(seq 60); do [ -n "$(squeue -h -j "$id" -t PD,R,CG 2>/dev/null)" ] || break; sleep 1; done
}

# Requeued in the second of two launches: the second start, in the same output and records, goes on with that one.
name=requeue
id=$(sbatch --parsable "$scripts/train.sbatch" "${few[@]}" --steps 300 --launches 2 --ci 100%)
log=$PWD/toise-train-$id.out
for _ in $(seq 600); do
    ! awk '/^== launch 2/ { second = 1 } second && /^iteration  *[1-9][0-9]/ { found = 1 } END { exit !found }' "$log" 2>/dev/null || break
    sleep 0.1
done
requeued
has "$log" "train.sbatch: start 2 of job $id, after a requeue" 'goes on with results/journals/toise-.*\.journal' \
    'tiny-gpt2, 4 x 32 tokens  fp32 .* [12] (PASSED|INCONCLUSIVE)'
[ "$(grep -c '^== launch 1 of 2' "$log")" = 1 ] || fail "requeue: the first launch ran again: $(cat "$log")"
has "results/train-$id.jsonl" '"restarts": ?"1"' '"resumes": ?\["'

check_full 'slurm: a requeue of a sweep' || exit $bad
# A sweep that was cut short starts again, though its first runs have records.
name='requeue of a sweep'
id=$(sbatch --parsable --nodes=1 --ntasks-per-node=2 "$scripts/scale.sbatch" --workload strong-tiny --unit rank \
    --repeats 2 --steps 1 --warmup 0)
log=$PWD/toise-scale-$id.out
for _ in $(seq 300); do [ ! -s "results/scale-$id.jsonl" ] || break; sleep 0.1; done
requeued
has "$log" "scale.sbatch: start 2 of job $id, after a requeue" '^run   4 of 4 '
[ "$(grep -c '"kind": *"train".*"restarts": *"1"' "results/scale-$id.jsonl")" = 4 ] ||
    fail "$name: not four runs of the second start: $(cat "$log")"
exit $bad
