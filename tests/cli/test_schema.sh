#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 300
# results/schema.json describes every record that a command writes, and those in results/. Each command of toise --help
# has an example here. Wrong records are refused by the schema.
. "$(dirname "$0")/../prelude.sh"
. scripts/mpi.sh
no_grace
export OMP_NUM_THREADS=1
unset TOISE_ISA OPENBLAS_CORETYPE
out=$work/records.jsonl

# makes CODES ARGUMENTS...: toise ends with one of the codes ("0 3": noise is not tested here), and appends a record
makes() {
    local codes=$1 before
    shift
    before=$(wc -l <"$out")
    call "${launcher[@]}" "$toise" "$@" --out "$out"
    [[ " $codes " = *" $code "* ]] || fail "$*: exit $code, not $codes: $(grep '^toise: ' "$work/err")"
    [ "$(wc -l <"$out")" -gt "$before" ] || fail "$*: wrote no record"
}
# the same on two ranks
makes_on_two() {
    if ! command -v "${MPIRUN:-mpirun}" >/dev/null; then
        echo "SKIP: records of $2 on two ranks: mpirun is not installed"
        return
    fi
    mpi_command
    launcher=("${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n 2)
    makes "$@"
    launcher=()
}
launcher=()
: >"$out"
tiny=(--model tiny-gpt2 --seq 64 --steps 2)
quick=(--seconds 0.01 --ci 1)

# Fits of few runs, with all of one curve: a copy of the tree that toise finds from where it stands.
mkdir -p "$work/tree/build"
cp "$toise" "$work/tree/build/"
mkdir "$work/tree/harness"
cp -r harness/catalog "$work/tree/harness/"
awk 'NR == 1 || NR % 30 == 0 || /^internlm-/' harness/catalog/runs/published.csv >"$work/tree/harness/catalog/runs/published.csv"

# example COMMAND: makes records of it, of every form; false if this test has none
example() {
    case $1 in
    train)
        makes '0 3' train "${tiny[@]}"
        makes '0 3' train "${tiny[@]}" --precision bf16 --data README.md
        makes 3 train "${tiny[@]}" --no-gate --profile --save "$work/weights"
        makes '0 3' train "${tiny[@]}" --init "$work/weights"
        makes '0 3' train --model tiny-mistral --layers 1 --seq 64 --steps 2
        call "$toise" train "${tiny[@]}" --dry-run --json && cat "$work/out" >>"$out"
        makes_on_two '0 3' train "${tiny[@]}" --steps 8
        makes '0 3' train "${tiny[@]}" --launches 2
        ;;
    sbatch)
        echo '{"name": "x", "work": [{"command": "train", "workload": "node-s", "nodes": [1]}]}' >"$work/campaign.json"
        makes 0 sbatch "$work/campaign.json" --dir "$work/campaign"
        ;;
    info)
        makes 0 info
        makes_on_two 0 info
        ;;
    nodes)
        makes 3 nodes --model tiny-gpt2 --rounds 5 --bytes 64
        makes_on_two 1 nodes --unit rank --model tiny-gpt2 --rounds 5 --bytes 64 --threads 1 --hosts nowhere7
        ;;
    roofs) makes '0 3' roofs "${quick[@]}" ;;
    comm)
        makes_on_two '0 3' comm --bytes 64,24MiB "${quick[@]}" --threads 1
        makes_on_two '0 3' comm --op all -b 8 -e 4K -f 8 "${quick[@]}" --threads 1
        ;;
    kernels) # matmuls and kind openblas take long: test_kernels.sh checks them
        printf 'attention 1 2 1 64 32 window 16 alibi\nrows 16 64\nelements 1024\n' >"$work/shapes.txt"
        makes '0 3' kernels --shapes "$work/shapes.txt" --op attention,rows,vectors --isa ref "${quick[@]}"
        makes '0 3' kernels --model tiny-gpt2 --seq 64 --mbs 1 --op attention --dtype f32 --isa ref "${quick[@]}"
        ;;
    scale)
        makes '0 3' scale --unit rank --counts 1 --workload strong-tiny --repeats 1 --steps 1 --warmup 0
        makes_on_two '0 3' scale --unit rank --workload weak-tiny --repeats 2 --steps 2 --warmup 0
        call "$toise" scale --workload strong-tiny --units 6 --rate 1000 --dry-run --json && cat "$work/out" >>"$out"
        ;;
    report) makes 0 report results/reference/*.jsonl ;;
    project)
        makes 0 project --model bloom-176b --machine jean-zay-a100,jean-zay-h100 --accelerators 64 --tokens 1e9 \
            --explain --search --slow-node 0.1
        makes 1 project --model llama-3-405b --machine jean-zay-v100-32gb --accelerators 8
        makes 0 project --model mixtral-8x7b --machine eos --accelerators 64
        ;;
    predict)
        makes 0 predict --machine results/predict-amd-epyc-zen3/machine.jsonl
        makes 0 predict --machine results/predict-amd-epyc-zen3/machine.jsonl --ranks 2 --threads 1 --precision bf16
        ;;
    compare)
        for i in 1 3; do sed -n "${i}p" results/reference/amd-epyc-zen5-2-cores.jsonl >"$work/side$i.jsonl"; done
        makes 3 compare "$work/side1.jsonl" "$work/side3.jsonl" # one launch a side
        ;;
    accept) makes 3 accept harness/catalog/tenders/example.json results/reference/intel-xeon-2023-2-cores.jsonl ;;
    curve) toise=$work/tree/build/toise makes 0 curve internlm ;;
    ab)
        # now far above the other side, now far below
        local swings="n=\$(cat '$work/n' 2>/dev/null || echo 0); echo \$((n + 1)) >'$work/n'; set -- 10 1000; shift \$((n % 2)); echo \$1"
        makes 0 ab 'echo 100' 'echo 100' --metric printed --better higher --blocks 6
        makes 3 ab 'echo 100' "$swings" --metric printed --better higher --blocks 5 --warmup 0
        ;;
    programme) makes 0 programme france-2023 ;;
    import)
        for file in tests/cli/import/*.log tests/cli/import/nccl-tests.{txt,json} tests/cli/import/google-benchmark.json \
            tests/cli/import/figures.csv; do
            makes 0 import "$file"
        done
        ;;
    validate)
        makes 0 validate
        makes 1 validate --max-mean 0.1
        toise=$work/tree/build/toise makes 0 validate --fit --ablate --parameters "$work/parameters.json"
        ;;
    *) return 1 ;;
    esac
}

commands=0 listed=0
for command in $("$toise" --help | sed -n 's/^  \([a-z]*\)  *.*$/\1/p'); do
    commands=$((commands + 1))
    example "$command" || fail "toise $command: add an example of its records to tests/cli/test_schema.sh"
done
[ $commands -ge 8 ] || fail "toise --help lists $commands commands"

mapfile -t kept < <(find results -name local -prune -o -name '*.jsonl' -print)
valid "$out" "${kept[@]}"
[ -n "$kinds" ] || exit $bad
# Each kind of the schema was seen, or another test checks it.
for kind in $(sed -n 's/^ *"kind": {"enum": \[\(.*\)\]},$/\1/p' results/schema.json | tr -d '",'); do
    [ "$kind" != openblas ] || continue
    listed=$((listed + 1))
    [[ $'\n'$kinds$'\n' = *$'\n'$kind$'\n'* ]] || fail "no example has the kind $kind"
done
[ $listed -ge 8 ] || fail "the schema lists $listed kinds"

# A good record, spoilt by each of these edits, is refused, and the key is named.
grep -m 1 '"kind":"train","status":"PASSED"' results/reference/amd-epyc-zen5-2-cores.jsonl >"$work/good.jsonl"
while IFS='|' read -r words edit; do
    sed "$edit" "$work/good.jsonl" >>"$work/spoilt.jsonl"
    echo "$words" >>"$work/words"
done <<'END'
schema: 'toise/2'|s,"toise/1","toise/2",
kind: 'trains'|s,"kind":"train","kind":"trains",
status: 'passed'|s,"PASSED","passed"\,"why":"spoilt",
'why' is a required|s,"PASSED","BROKEN",
result: |s,"PASSED","FAILED"\,"why":"spoilt",
result.step_s: 'fast'|s,"result":{"step_s":[0-9.]*,"result":{"step_s":"fast",
layout: 'threads' is a required|s,"threads":2,"fibres":2,
result.residual: 'gradients' is a required|s,"gradients":[0-9.]*\,"opt,"opt,
result.mfu: |s,"mfu":[0-9.]*,"mfu":1.5,
result: Additional|s,"result":{,&"unlisted":1\,,
END
good=$bad
valid "$work/spoilt.jsonl" >"$work/said"
bad=$good
line=0
while read -r words; do
    line=$((line + 1))
    grep -qF -- "spoilt.jsonl:$line: kind train" "$work/said" && grep -F -- "spoilt.jsonl:$line:" "$work/said" | grep -F -- "$words" >/dev/null ||
        fail "line $line: the schema does not refuse it with \"$words\": $(cat "$work/said")"
done <"$work/words"
# Readers skip keys that they do not know.
! grep -q '"additionalProperties": false' results/schema.json || fail 'the schema forbids keys of later versions'
exit $bad
