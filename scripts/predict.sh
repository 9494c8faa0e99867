#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/predict.sh BUILD FOLDER: does this machine's measurement predict its training? Times the kernels of gpt2-124m on
# one rank, with half the cores and with all, and the all-reduces of two ranks. Writes predictions to
# FOLDER/predicted.jsonl, for runs that differ from the timed ones in ranks, sequence length, micro-batch and precision.
# Only then it trains them and compares, with the share of CPU time that other processes took. Kernels are timed in
# ROUNDS (3) launches; their medians count. What FOLDER already holds is not measured again. BEFORE: words put before each
# command that measures, for example BEFORE='flock quiet.lock'. MODEL, STEPS: default gpt2-124m, 4.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/mpi.sh

toise=${1:-build}/toise folder=${2:-results/local/predict-$(date -u +%Y%m%dT%H%M%SZ)}
model=${MODEL:-gpt2-124m} steps=${STEPS:-4} rounds=${ROUNDS:-3}
read -ra before <<<"${BEFORE-}"
kernels=$folder/kernels.jsonl machine=$folder/machine.jsonl predicted=$folder/predicted.jsonl trained=$folder/trained.jsonl
mkdir -p "$folder"
unset OPENBLAS_CORETYPE
mpi_command
mpi_machine
half=$((CORES / 2))
[ "$half" -ge 1 ] || half=1

# RANKS THREADS PRECISION SEQ GBS MBS
runs=(
    "2 $half fp32 256 4 2"
    "1 $CORES fp32 256 4 4" # as its kernels were timed
    "2 $half bf16 256 4 2"
    "2 $half fp32 512 2 1"
    "1 $CORES fp32 1024 1 1"
    "1 $CORES bf16 1024 1 1"
    "2 $half bf16 1024 2 1"
    "2 $half fp32 1024 2 1"
    "2 $half fp32 256 8 1"
    "1 $CORES fp32 256 8 8"
)

# others FILE LINE THREADS: the share of rank 0's CPUs that other processes took during the record's steps
others() {
    sed -n "$2p" "$1" | awk -v threads="$3" '
        function total(key,    text, part, n, i, sum) {
            if (!match($0, "\"" key "\":\\[[^]]*\\]")) return 0
            text = substr($0, RSTART, RLENGTH)
            gsub(/^[^[]*\[|\]$/, "", text)
            n = split(text, part, ",")
            for (i = 1; i <= n; i++) sum += part[i]
            return sum
        }
        { wall = threads * total("rank0_step_s")
          printf "%.0f%%", wall ? 100 * (total("other_s") + total("steal_s")) / wall : 0 }'
}
# measure COMMAND...: continues if a record is inconclusive or FAILED; nobody uses its rate
measure() {
    local code=0
    "${before[@]}" "$@" >>"$folder/log" 2>&1 || code=$?
    case $code in 0 | 1 | 3) return 0 ;; esac
    tail -n 5 "$folder/log"
    return $code
}
value() { # value FILE LINE KEY: the first of that name from the result on
    sed -n "$2p" "$1" | sed 's/.*"result":{//' | grep -o "\"$3\":[^,}]*" | head -n 1 | sed 's/^[^:]*://; s/"//g'
}
two=("${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n 2)
flags() { # flags SEQ GBS MBS PRECISION THREADS
    printf '%s\n' --model "$model" --seq "$1" --gbs "$2" --mbs "$3" --precision "$4" --threads "$5"
}

if [ ! -s "$machine" ]; then
    isa=$({ "$toise" kernels --isa none 2>&1 || true; } | sed 's/.*take //; s/, openblas//; s/.*, //') # the best
    quick=(--model "$model" --isa "$isa" --seconds 0.1 --ci 50% --out "$kernels")
    for ((round = 1; round <= rounds; round++)); do
        for threads in $(printf '%s\n' "$half" "$CORES" | sort -u); do
            echo "kernels of $model on $threads thread(s), $round of $rounds"
            measure "$toise" kernels "${quick[@]}" --threads "$threads" --seq 256 --mbs 4
            measure "$toise" kernels "${quick[@]}" --threads "$threads" --seq 128 --mbs 2 --op gemm,attention
            measure "$toise" kernels "${quick[@]}" --threads "$threads" --seq 512 --mbs 1 --op attention
        done
    done
    echo "sums of two ranks"
    measure "${two[@]}" "$toise" comm --model "$model" --threads "$half" --seconds 0.7 --out "$kernels"
    mv "$kernels" "$machine"
fi

if [ ! -s "$predicted" ]; then
    for run in "${runs[@]}"; do
        read -r ranks threads precision seq gbs mbs <<<"$run"
        mapfile -t words < <(flags "$seq" "$gbs" "$mbs" "$precision" "$threads")
        "$toise" predict --machine "$machine" "${words[@]}" --ranks "$ranks" --out "$predicted.part" >>"$folder/log"
    done
    mv "$predicted.part" "$predicted"
    echo "predictions: $predicted"
fi

touch "$trained"
done_already=$(wc -l <"$trained")
for ((i = done_already; i < ${#runs[@]}; i++)); do
    read -r ranks threads precision seq gbs mbs <<<"${runs[i]}"
    mapfile -t words < <(flags "$seq" "$gbs" "$mbs" "$precision" "$threads")
    launch=()
    [ "$ranks" = 1 ] || launch=("${two[@]}")
    echo "training: $ranks x $threads threads, $precision, $gbs x $seq tokens, micro-batch $mbs"
    measure "${launch[@]}" "$toise" train "${words[@]}" --warmup 1 --steps "$steps" --out "$trained"
done

printf '\n%-9s %-6s %-9s %5s %9s %-18s %9s %7s  %-6s %-12s %s\n' precision ranks batch micro predicted 90% measured error \
    inside label others
inside=0 sum=0 n=0
for ((i = 1; i <= $(wc -l <"$trained"); i++)); do
    read -r ranks threads precision seq gbs mbs <<<"${runs[i - 1]}"
    p=$(value "$predicted" $i step_s) low=$(value "$predicted" $i step_s_low) high=$(value "$predicted" $i step_s_high)
    # kernels are timed by medians, but under a CPU quota by the clock; the step is compared in the same way
    measured=step_s
    ! sed -n "${i}p" "$trained" | grep -q '"cpu_quota": *{' || measured=mean_step_s
    t=$(value "$trained" $i $measured)
    [ -n "$t" ] || { echo "run $i has no rate"; continue; }
    read -r error is <<<"$(awk -v p="$p" -v low="$low" -v high="$high" -v t="$t" \
        'BEGIN { printf("%+.1f%% %s", 100 * (p / t - 1), (t >= low && t <= high) ? "yes" : "NO") }')"
    range=$(printf '[%.3f, %.3f]' "$low" "$high")
    printf '%-9s %-6s %-9s %5d %9.3f %-18s %9.3f %7s  %-6s %-12s %s\n' "$precision" "$ranks x $threads" "$gbs x $seq" "$mbs" \
        "$p" "$range" "$t" "$error" "$is" "$(value "$predicted" $i label)" "$(others "$trained" $i "$threads")"
    [ "$is" = NO ] || inside=$((inside + 1))
    n=$((n + 1))
    sum=$(awk -v s="$sum" -v p="$p" -v t="$t" 'BEGIN { e = p / t - 1; print s + (e < 0 ? -e : e) }')
done
awk -v n="$n" -v s="$sum" -v k="$inside" 'BEGIN {
    printf "\n%d runs: mean error %.1f%%, inside the 90%% interval %d of %d\n", n, 100 * s / n, k, n }'
