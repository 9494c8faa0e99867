#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/bench.sh BUILD [flags of toise train]: the main job, workload node-s. Three launches in each precision, one
# rank per NUMA node; precisions alternate, since machines drift. Then prints a summary. Records go to results/local/.
# The exit code is the worst launch's.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/mpi.sh

toise=${1:-build}/toise
shift || true
launches=3
out=results/local/$(hostname -s)-$(date -u +%Y%m%dT%H%M%SZ).jsonl

mpi_machine
# node-s has four sequences a step, so four ranks at most.
ranks=1
for n in 2 4; do [ "$NUMA" -lt "$n" ] || ranks=$n; done
launch=(mpi_launch_numa "$ranks")
command -v "${MPIRUN:-mpirun}" >/dev/null || launch=()

# Ranks exit codes: an answer of no (1) is worse than inconclusive (3).
badness() { case $1 in 0) echo 0 ;; 3) echo 1 ;; 1) echo 2 ;; 2) echo 3 ;; 4) echo 4 ;; *) echo 5 ;; esac; }

worst=0
for i in $(seq $launches); do
    for precision in fp32 bf16; do
        echo
        echo "== launch $i of $launches, $precision"
        code=0
        # the gate's pass at the timed sizes was the warm-up
        "${launch[@]}" "$toise" train --workload node-s --precision $precision --warmup 0 --steps 2 --out "$out" "$@" ||
            code=$?
        [ "$(badness "$code")" -le "$(badness "$worst")" ] || worst=$code
        # Bad input, a broken run or a kill: the next launch would end the same way.
        case $code in 0 | 1 | 3) ;; *) break 2 ;; esac
    done
done

echo
if [ -s "$out" ]; then
    # The first word or number at a key of a record; records are one line each.
    awk '
    function value(key,    text) {
        if (!match($0, "\"" key "\"[ ]*:[ ]*(\"[^\"]*\"|[-+.0-9a-z]+)")) return ""
        text = substr($0, RSTART, RLENGTH)
        sub(/^"[^"]*"[ ]*:[ ]*/, "", text)
        gsub(/"/, "", text)
        return text
    }
    function sorted(precision, key,    n, i, j, x) { # the launches of one precision into s[1..n]
        n = count[precision, key]
        for (i = 1; i <= n; i++) s[i] = sample[precision, key, i] + 0
        for (i = 2; i <= n; i++) for (j = i; j > 1 && s[j] < s[j - 1]; j--) { x = s[j]; s[j] = s[j - 1]; s[j - 1] = x }
        return n
    }
    function median(precision, key,    n) {
        n = sorted(precision, key)
        return n % 2 ? s[(n + 1) / 2] : (s[n / 2] + s[n / 2 + 1]) / 2
    }
    {
        p = value("precision")
        if (!(p in launches)) order[++kinds] = p
        launches[p]++
        verdict[p, value("status")]++
        if (p == "bf16" && value("bf16_native") == "false") emulated = 1
        for (k = split("tokens_per_s_per_node model_flop_per_s_per_node mfu step_s", keys, " "); k; k--)
            if ((x = value(keys[k])) != "" && x != "null") sample[p, keys[k], ++count[p, keys[k]]] = x
        host = value("host"); cpu = value("cpu"); world = value("world"); threads = value("threads")
    }
    END {
        printf "node-s (gpt2-124m, 4 x 256 tokens) on %s, %s: %s x %s threads\n\n", host, cpu, world, threads
        printf "%-10s %14s %-19s %10s %8s %8s   %s\n", \
            "precision", "tokens/s/node", "[low, high]", "TFLOP/s", "step s", "MFU", "launches"
        for (i = 1; i <= kinds; i++) {
            p = order[i]
            if ((n = sorted(p, "tokens_per_s_per_node"))) {
                range = sprintf("[%.1f, %.1f]", s[1], s[n])
                printf "%-10s %14.1f %-19s %10.4f %8.3f %7.1f%%   ", p, median(p, "tokens_per_s_per_node"), range, \
                    median(p, "model_flop_per_s_per_node") / 1e12, median(p, "step_s"), 100 * median(p, "mfu")
            } else printf "%-10s %14s %-19s %10s %8s %8s   ", p, "none", "", "", "", ""
            text = ""
            for (k = split("PASSED FAILED INCONCLUSIVE BROKEN", names, " "); k; k--)
                if (verdict[p, names[k]]) text = verdict[p, names[k]] " " names[k] (text == "" ? "" : ", " text)
            print text
        }
        if (emulated) print "\nNo BF16 dot that would be faster: BF16 is emulated at FP32 speed."
        print "\nMedians of the launches: tokens/s by the clock, the median step, MFU against the peak measured beside them."
    }' "$out"
    echo "records: $out"
else
    echo "no launch came to a record"
fi

mpi_command
again="${MPI_COMMAND[*]} ${MPI_UNBOUND[*]}"
echo
if [ "$CORES" -gt 16 ]; then
    big=node-m
    [ "$CORES" -le 64 ] || big=node-l
    echo "This node has $CORES cores: node-s is too small to fill them, $big is the meaningful workload. Next:"
    again+=" -n $NUMA $toise train --workload $big"
else
    echo "Next: the same work shared by two ranks. (On a node of more than 16 cores: --workload node-m or node-l.)"
    again+=" -n 2 $toise train --workload node-s"
fi
echo "  $again --precision bf16 --out results/local/next.jsonl"
exit "$worst"
