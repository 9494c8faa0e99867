#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/predict.sh BUILD FOLDER: does this machine's own measurement predict its training? Times kernels of gpt2-124m on
# one rank, of half the cores and of all, and the sums of two ranks; writes predictions of runs that differ from what was
# timed in ranks, sequence length, micro-batch and precision to FOLDER/predicted.jsonl; only then trains them, and holds
# both side by side. Each command that measures waits for idle CPUs first, and a sum or a run is measured again, twice or
# once at most, if others took CPU time in a third of its samples: the last one counts, and all stay in FOLDER/all.jsonl.
# Kernels are timed in three rounds, whose medians count.
# BEFORE: words put before such a command, as BEFORE='flock quiet.lock'. MODEL, STEPS: otherwise gpt2-124m, 4.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/mpi.sh

toise=${1:-build}/toise folder=${2:-results/local/predict-$(date -u +%Y%m%dT%H%M%SZ)}
model=${MODEL:-gpt2-124m} steps=${STEPS:-4}
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
    "1 $CORES fp32 256 4 4" # as its kernels were timed
    "1 $CORES fp32 1024 1 1"
    "1 $CORES bf16 1024 1 1"
    "1 $CORES fp32 256 8 8"
    "2 $half fp32 256 4 2"
    "2 $half bf16 256 4 2"
    "2 $half fp32 512 2 1"
    "2 $half fp32 1024 2 1"
    "2 $half bf16 1024 2 1"
    "2 $half fp32 256 8 1"
)

# idle: waits until all CPUs but a twentieth were idle for two seconds; 40 at most
idle() {
    local i before after
    for ((i = 0; i < 20; i++)); do
        before=$(awk '/^cpu / { print $2 + $3 + $4 + $7 + $8 + $9, $5 + $6 }' /proc/stat)
        sleep 2
        after=$(awk '/^cpu / { print $2 + $3 + $4 + $7 + $8 + $9, $5 + $6 }' /proc/stat)
        ! awk -v a="$before" -v b="$after" 'BEGIN { split(a, x, " "); split(b, y, " ")
            exit !(20 * (y[1] - x[1]) < y[1] - x[1] + y[2] - x[2]) }' || return 0
    done
}
# disturbed FILE: the share of its samples in which others took CPU time
disturbed() {
    awk 'match($0, /"marks":\[(\[[^]]*\],?)*\]/) {
        text = substr($0, RSTART, RLENGTH)
        n += gsub(/\[/, "[", text) - 1
        m += gsub(/"(load|steal)"/, "", text)
    } END { printf "%.2f", n ? m / n : 0 }' "$1"
}
# measure TRIES FILE COMMAND...: its records, once undisturbed, appended to FILE; what is inconclusive or FAILED has no rate
# that anybody would use, and is no reason to stop
measure() {
    local tries=$1 to=$2 new=$folder/new.jsonl code try share
    shift 2
    for ((try = 1; try <= tries; try++)); do
        code=0
        rm -f "$new"
        BEFORE_IDLE=$(declare -f idle) "${before[@]}" bash -c 'eval "$BEFORE_IDLE"; idle; "$@"' - "$@" --out "$new" \
            >>"$folder/log" 2>&1 || code=$?
        case $code in 0 | 1 | 3) ;; *) tail -n 5 "$folder/log"; return $code ;; esac
        [ -s "$new" ] || return 0
        cat "$new" >>"$folder/all.jsonl"
        share=$(disturbed "$new")
        ! awk -v s="$share" 'BEGIN { exit !(s < 0.34) }' || break
        echo "  disturbed in $share of its samples, try $try of $tries"
    done
    cat "$new" >>"$to"
    rm -f "$new"
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
    quick=(--model "$model" --isa "$isa" --seconds 0.1 --width 0.5)
    for round in 1 2 3; do
        for threads in $(printf '%s\n' "$half" "$CORES" | sort -u); do
            echo "kernels of $model on $threads thread(s), $round of 3"
            measure 1 "$kernels" "$toise" kernels "${quick[@]}" --threads "$threads" --seq 256 --mbs 4
            measure 1 "$kernels" "$toise" kernels "${quick[@]}" --threads "$threads" --seq 128 --mbs 2 --op gemm,attention
            measure 1 "$kernels" "$toise" kernels "${quick[@]}" --threads "$threads" --seq 512 --mbs 1 --op attention
        done
    done
    echo "sums of two ranks"
    measure 3 "$kernels" "${two[@]}" "$toise" comm --model "$model" --threads "$half" --seconds 0.7
    mv "$kernels" "$machine"
fi

if [ ! -s "$predicted" ]; then
    for run in "${runs[@]}"; do
        read -r ranks threads precision seq gbs mbs <<<"$run"
        mapfile -t words < <(flags "$seq" "$gbs" "$mbs" "$precision" "$threads")
        "$toise" project --machine "$machine" "${words[@]}" --ranks "$ranks" --out "$predicted.part" >>"$folder/log"
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
    measure 2 "$trained" "${launch[@]}" "$toise" train "${words[@]}" --warmup 1 --steps "$steps"
done

printf '\n%-8s %-10s %-12s %5s  %8s %-17s %9s %7s %-7s %s\n' precision ranks batch micro predicted '90%' measured error inside label
inside=0 sum=0
for ((i = 1; i <= ${#runs[@]}; i++)); do
    read -r ranks threads precision seq gbs mbs <<<"${runs[i - 1]}"
    p=$(value "$predicted" $i step_s) low=$(value "$predicted" $i step_s_low) high=$(value "$predicted" $i step_s_high)
    t=$(value "$trained" $i step_s)
    line=$(awk -v p="$p" -v low="$low" -v high="$high" -v t="$t" 'BEGIN {
        if (t == "") t = "nan"
        printf "%8.3f [%.3f, %.3f]%*s %9.3f %+6.1f%% %s", p, low, high, 0, "", t, 100 * (p / t - 1), t >= low && t <= high ? "yes" : "NO" }')
    printf '%-8s %d x %-6s %d x %-8s %5d  %s     %s\n' "$precision" "$ranks" "$threads" "$gbs" "$seq" "$mbs" "$line" \
        "$(value "$predicted" $i label)"
    case $line in *yes) inside=$((inside + 1)) ;; esac
    sum=$(awk -v s="$sum" -v p="$p" -v t="$t" 'BEGIN { e = p / t - 1; print s + (e < 0 ? -e : e) }')
done
awk -v n="${#runs[@]}" -v s="$sum" -v k="$inside" 'BEGIN {
    printf "\n%d runs: mean error %.1f%%, inside the 90%% interval %d of %d\n", n, 100 * s / n, k, n }'
