#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/roofline.sh RECORDS [OUT.svg]: draws the roofline (Williams et al. 2009) of records that
# `toise kernels --out RECORDS` measured, with gnuplot. It takes the machine and thread count of the last record. Top: matmul
# and attention under the peaks of their dtypes. Bottom: passes over memory under its bandwidth. FAILED records are left out.
set -euo pipefail

records=${1-} out=${2:-roofline.svg}
[ -n "$records" ] || { sed -n '3,5s/^# //p' "$0" >&2; exit 2; }
[ -r "$records" ] || { echo "roofline: $records: cannot be read; write it with toise kernels --out $records" >&2; exit 2; }
command -v gnuplot >/dev/null || { echo 'roofline: gnuplot is not installed: scripts/deps.sh all installs it or says how' >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# points: series, intensity, GFLOP/s; passes: GB/s, name; facts: words for the title, and the roofs.
awk -v dir="$work" '
function value(key,    text) { # the first word or number under a key
    if (!match($0, "\"" key "\"[ ]*:[ ]*(\"[^\"]*\"|[-+.0-9a-z]+)")) return ""
    text = substr($0, RSTART, RLENGTH)
    sub(/^"[^"]*"[ ]*:[ ]*/, "", text)
    gsub(/"/, "", text)
    return text
}
value("kind") == "kernel" {
    machine = value("host") "|" value("threads")
    n = ++count[machine]
    line[machine, n] = $0
    last = machine
}
END {
    for (i = 1; i <= count[last]; i++) {
        $0 = line[last, i]
        if (value("status") == "FAILED" || value("fraction_of_roof") == "") continue
        dtype = value("dtype"); op = value("op"); variant = value("variant")
        if ((x = value("bandwidth_byte_per_s")) + 0 > memory) memory = x + 0
        cpu = value("cpu"); host = value("host"); threads = value("threads"); date = substr(value("time"), 1, 10)
        if ((x = value("peak_flop_per_s")) != "") {
            if (x + 0 > peak[dtype]) peak[dtype] = x + 0
            name = (op == "gemm" ? "matmul" : op) " " dtype " " variant
            gsub("_", " ", name)
            if (!(name in series)) { series[name] = ++kinds; title[kinds] = name }
            rate = value("flop_per_s") / 1e9
            if (!lowest || rate < lowest) lowest = rate
            print value("intensity"), rate > (dir "/points." series[name])
        } else {
            name = op " " dtype " " variant
            gsub("_", " ", name)
            print value("byte_per_s") / 1e9, "\"" name "\"" > (dir "/passes")
            passes++
        }
    }
    printf "cpu = \"%s\"\nhost = \"%s\"\nthreads = %d\ndate = \"%s\"\nmemory = %g\nkinds = %d\npasses = %d\nlowest = %g\n", cpu, host, threads, \
        date, memory / 1e9, kinds, passes, lowest > (dir "/facts")
    printf "f32 = %g\nbf16 = %g\n", peak["f32"] / 1e9, peak["bf16"] / 1e9 > (dir "/facts")
    printf "array Title[%d]\n", kinds + 1 > (dir "/facts")
    for (k = 1; k <= kinds; k++) printf "Title[%d] = \"%s\"\n", k, title[k] > (dir "/facts")
    exit !(kinds + passes)
}' "$records" || { echo "roofline: $records: no record of kind \"kernel\" with a rate; write them with toise kernels --out $records" >&2; exit 2; }

cat >"$work/plot" <<'END'
load dir."/facts"
both = kinds > 0 && passes > 0
set terminal svg size 1000, (kinds > 0 ? 620 : 0) + (passes > 0 ? 120 + 22 * passes : 0) font "sans,13" background "white"
set output out
set multiplot title sprintf("%s (%s), %d threads, %s", cpu, host, threads, date) noenhanced font ",16"
split = both ? 1.0 - 620.0 / (740 + 22 * passes) : (kinds > 0 ? 0 : 1)
set grid lc rgb "#dddddd"
if (kinds > 0) {
    set origin 0, split
    set size 1, 0.96 - split
    set logscale xy
    set xrange [0.5:2000]
    top = f32 > bf16 ? f32 : bf16
    set yrange [(lowest < memory ? lowest / 2 : memory / 2):top * 1.6]
    set xlabel "FLOP per byte of operands, each read and written once"
    set ylabel "GFLOP/s"
    set key outside right top noenhanced
    roof(x, peak) = x * memory < peak ? x * memory : peak
    set samples 400
    set ytics ()
    set for [e = -3:7] ytics add (1 * 10.0**e, 2 * 10.0**e, 5 * 10.0**e)
    plot (f32 > 0 ? roof(x, f32) : NaN) lw 2 lc rgb "#222222" title (f32 > 0 ? sprintf("f32 roof: %.0f GFLOP/s, %.1f GB/s", f32, memory) : ""), \
        (bf16 > 0 ? roof(x, bf16) : NaN) lw 2 dt 2 lc rgb "#888888" title (bf16 > 0 ? sprintf("bf16 roof: %.0f GFLOP/s", bf16) : ""), \
        for [k = 1:kinds] sprintf("%s/points.%d", dir, k) using 1:2 with points pt (4 + k) ps 0.9 lw 1.5 title Title[k]
    set ytics autofreq
    unset logscale
}
if (passes > 0) {
    set origin 0, 0
    set size 1, kinds > 0 ? split : 0.94
    set key off
    unset ylabel
    set xlabel "GB/s of operands read and written once"
    set xrange [0:memory * 1.1]
    set yrange [passes - 0.4:-0.6]
    set lmargin 36
    set ytics noenhanced
    set arrow 1 from memory, graph 0 to memory, graph 1 nohead lw 2 lc rgb "#222222"
    set label 2 sprintf("memory %.1f GB/s", memory) at memory, graph 1.0 center offset 0, 0.6
    set boxwidth 0.6
    set style fill solid 0.6 noborder
    plot dir."/passes" using ($1 / 2):0:($1 / 2):(0.3):ytic(2) with boxxyerror lc rgb "#4477aa"
}
unset multiplot
END
mkdir -p "$(dirname "$out")"
gnuplot -e "dir='$work'; out='$work/out.svg'" "$work/plot"
mv "$work/out.svg" "$out"
echo "$out"
