#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make score-detector: scores the detector of slow nodes, and draws its surface. SCORE is the share of the usual runs,
# which take twenty minutes. Tables go to stdout and to $BUILD/detector.txt, the drawing to $BUILD/detector.svg.
set -euo pipefail
cd "$(dirname "$0")/../.."
BUILD=$(realpath -m "${BUILD:-build}")
code=0
"$BUILD/tests/soak/detector" "${SCORE:-1}" | tee "$BUILD/detector.txt" || code=$?
if ! command -v gnuplot >/dev/null; then
    echo 'SKIP: the drawing: gnuplot is not installed'
    exit $code
fi

# Columns of the surface, in percent: nodes, spread, smallest, then what is found at 2, 3, 5, 10 and 20%.
sed -n '/^| nodes/,$p' "$BUILD/detector.txt" | tr -d '|%,' | sed 's,MISSED,,' | awk '/^ [0-9]/ { print $1, $2, $6, $8, $9, $10, $11, $12 }' \
    >"$BUILD/detector.data"
gnuplot <<END
set terminal svg size 900, 340 font "sans,13" background "white" noenhanced
set output "$BUILD/detector.svg"
set multiplot layout 1,2
set grid
set key right center reverse Left
set logscale x
set xlabel "a node is slower by, %"
set ylabel "found, %"
set xrange [1.8:200]
set yrange [0:105]
set xtics (2, 3, 5, 10, 20)
set title "1,024 nodes"
plot for [s in "0.0 0.3 1.0 3.0"] sprintf("< awk '\$1 == 1024 && \$2 == %s { n = split(\"2 3 5 10 20\", at); for (i = 1; i <= n; i++) print at[i], \$(3 + i) }' $BUILD/detector.data", s) with linespoints title "spread ".s."%"
unset key
set xrange [14:12000]
set title "the smallest slowdown that is found in 95%"
set xlabel "nodes"
set ylabel "%"
set logscale y
set yrange [1:50]
set xtics (16, 64, 256, 1024, 10000)
set ytics (1, 2, 5, 10, 20, 50)
plot for [s in "0.0 0.3 1.0 3.0"] sprintf("< awk '\$2 == %s { print \$1, \$3 }' $BUILD/detector.data", s) with linespoints title "spread ".s."%"
unset multiplot
END
echo "drawn into $BUILD/detector.svg"
exit $code
