#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 2400
# check: no sanitizers: they keep a shadow of the memory, which is resident too
# The resident memory of a rank is within 5% of the plan: of each workload, in both precisions, with and without
# recompute, on one and two ranks. In make check the tiny ones; in make check-full each that fits into this machine.
. "$(dirname "$0")/../prelude.sh"
limit=600
few=(--steps 1 --warmup 0 --energy off --out "$work/all.jsonl")
done_well() { [ "$code" = 0 ] || [ "$code" = 3 ] || fail "$1: exit $code: $(tail -n 3 "$work/out" "$work/err")"; }

for workload in weak-tiny strong-tiny; do
    for precision in fp32 bf16; do
        for recompute in none selective full; do
            call "$toise" train --workload $workload --precision $precision --recompute $recompute "${few[@]}"
            done_well "$workload $precision $recompute"
        done
    done
done
says '^memory +[0-9.]+ [MG]iB at the peak of a rank, [0-9.]+ [MG]iB planned; '
says '^            18.0 bytes a parameter for weights, gradients and moments; the least of bf16 is 18$'
if command -v "${MPIRUN:-mpirun}" >/dev/null; then
    . scripts/mpi.sh
    # shellcheck disable=SC2016  # the inner shell expands it
    call bash -c '. scripts/mpi.sh; mpi_launch "$@"' - 2 "$toise" train --workload weak-tiny --threads 1 "${few[@]}"
    done_well '2 ranks'
    # what checkpoints need for tensors that are put together counts
    call bash -c '. scripts/mpi.sh; mpi_launch "$@"' - 2 "$toise" train --model gpt2-124m --layers 1 --seq 64 --gbs 2 --zero 1 \
        --threads 1 --no-gate "${few[@]}" --save "$work/saves" --save-every 1000
    done_well '2 ranks that save'
    call bash -c '. scripts/mpi.sh; mpi_launch "$@"' - 2 "$toise" train --model gpt2-124m --layers 1 --seq 64 --gbs 2 --zero 1 \
        --threads 1 --no-gate "${few[@]}" --steps 2 --save "$work/aside" --save-every 1 --async-save
    done_well '2 ranks that save while they train'
    # gathered rows of nearly a quarter of the table are no state
    run 0 train --model tiny-gpt2 --world 2 --seq 31 --gbs 2 --mbs 1 --dry-run
    says '^  gathered rows  '
    says '^  16.0 bytes a parameter for weights, gradients and moments; the least of fp32 is 16$'
else
    echo 'SKIP: memory of two ranks: mpirun is not installed'
fi

# Of a workload: bytes of a rank with the gate, then model, layers, sequence length and micro-batch, which decide them.
sizes() {
    "$toise" train --workload "$1" --precision "$2" --recompute "$3" --dry-run --json 2>"$work/err" |
        python3 -c 'import json, sys; x = json.load(sys.stdin); l, c = x["ledger"], x["config"]
print(l["memory_bytes_per_rank"] + l.get("gate_bytes_per_rank", 0), c["model"], c["layers"], c["seq"], x["layout"]["micro_batch"])'
}
fits() { awk -v bytes="$1" '/^MemAvailable/ { exit !($2 * 1024 > 1.1 * bytes) }' /proc/meminfo; } # with a tenth to spare
seen=' '
if check_full 'memory of the larger workloads'; then
    for file in harness/catalog/workloads/*.json; do
        workload=$(basename "$file" .json)
        [[ $workload != *-tiny ]] || continue
        for case in 'fp32 none' 'bf16 none' 'bf16 full'; do
            read -r precision recompute <<<"$case"
            read -r bytes model layers seq micro < <(sizes "$workload" "$precision" "$recompute")
            if ! fits "$bytes"; then
                echo "SKIP: memory of $workload, $case: it needs more than this machine has free"
            elif [[ $seen != *" $case $model $layers $seq $micro;"* ]]; then # several workloads are the same to a rank
                seen+=" $case $model $layers $seq $micro;"
                # one micro-batch: a step of more of them has no more memory, and may take an hour
                call "$toise" train --model "$model" --layers "$layers" --seq "$seq" --mbs "$micro" --gbs "$micro" \
                    --precision "$precision" --recompute "$recompute" --no-gate "${few[@]}"
                done_well "$workload $case"
            fi
        done
    done
fi

[ -s "$work/all.jsonl" ] || exit 1
valid "$work/all.jsonl"
python3 - "$work/all.jsonl" <<'END' || bad=1
import json, sys
bad = 0
for line in open(sys.argv[1]):
    x = json.loads(line)
    r, ledger = x["result"], x["ledger"]
    over = r["peak_memory_bytes"] / r["predicted_memory_bytes"] - 1
    what = f'{(x["workload"] or x["config"]).get("name", x["config"]["model"])} {x["config"]["precision"]}, recompute {x["layout"].get("recompute", "none")}, {x["layout"]["world"]} rank(s), sequences of {x["config"]["seq"]}'
    print(f'{what}: {r["peak_memory_bytes"] / 2**20:.1f} MiB, {over:+.2%} of the plan; '
          f'{ledger["memory"]["process, before"] / 2**20:.1f} MiB before the arenas; huge {r["per_rank"][0]["pages_huge"]}')
    if abs(over) > 0.05: bad, _ = 1, print(f"{what}: resident and planned memory differ by more than 5%")
    if abs(sum(ledger["memory"].values()) - r["predicted_memory_bytes"]) > 1: bad, _ = 1, print(f"{what}: the parts are not the sum")
    k = r["per_rank"][0]
    if (k["pages_huge"] or 0) == 0 and not k.get("pages_huge_why"): bad, _ = 1, print(f"{what}: no huge pages, and no reason")
sys.exit(bad)
END
exit $bad
