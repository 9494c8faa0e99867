#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 300
# make bench-kernels: every operation of list.h is timed, rates and bytes match its operands, and Google Benchmark's
# compare.py reads the JSON.
. "$(dirname "$0")/../prelude.sh"
unset MAKEFLAGS MFLAGS
if ! printf '#include <benchmark/benchmark.h>\nBENCHMARK_MAIN();\n' |
    ${CXX:-c++} -x c++ - -o "$work/a.out" -lbenchmark -lpthread 2>/dev/null; then
    echo 'SKIP: kernel benches: Google Benchmark is not installed'
    exit 77
fi
make --no-print-directory BUILD="$BUILD" benches >"$work/make" 2>&1 || { cat "$work/make"; exit 1; }
bench=$BUILD/tests/bench/bench_kernels
export OMP_NUM_THREADS=1

"$bench" --benchmark_list_tests >"$work/names"
operations=$(sed -n 's/^ *K(\([a-z0-9_]*\), .*/\1/p' kernels/list.h | sort -u)
[ -n "$operations" ] || fail 'list.h names no operation'
for op in $operations; do
    grep -q "^$op/ref/" "$work/names" || fail "$op is not timed"
done
[ -z "$(sort "$work/names" | uniq -d)" ] || fail "one name twice: $(sort "$work/names" | uniq -d)"
code=0
"$bench" no-such-file >"$work/out" 2>&1 || code=$?
[ "$code" = 2 ] || fail "a file that is not there: exit $code"

# measure FILE FILTER REPETITIONS
measure() {
    "$bench" --benchmark_filter="$2" --benchmark_min_time=0.001 --benchmark_repetitions="$3" \
        --benchmark_out="$work/$1.json" --benchmark_out_format=json >/dev/null 2>"$work/err" ||
        fail "exit $?: $(cat "$work/err")"
}
quick='^(square_sum|triad)/ref/|^gemm/openblas/.*NT/.*/768/768/'
measure 1 "$quick" 3
measure 2 "$quick" 3
measure 3 '^norm_forward/ref/' 1

# Debian's modules need Debian's interpreter, even if another comes first in the path.
python=$(PATH=/usr/bin:$PATH command -v python3 || true)
if [ -z "$python" ]; then
    echo 'SKIP: form of the JSON of kernel benches: python3 is not installed'
else
    "$python" - "$work/1.json" "$work/3.json" <<'END' || fail 'the JSON is not as it should be'
import json, sys
files = [json.load(open(path)) for path in sys.argv[1:]]
for file in files:
    assert {"date", "num_cpus", "mhz_per_cpu", "library_build_type"} <= set(file["context"]), file["context"]
rows = [b for file in files for b in file["benchmarks"] if b["run_type"] == "iteration"]
assert len(rows) == 3 * 3 + 4, [b["name"] for b in rows]
for b in rows:
    for key in ("name", "real_time", "cpu_time", "time_unit", "repetitions", "repetition_index", "iterations",
                "bytes_per_second"):
        assert key in b, (key, b)
    second = b["real_time"] * {"ns": 1e-9, "us": 1e-6, "ms": 1e-3}[b["time_unit"]]
    n, op = 2048 * 4096, b["name"].split("/")[0]
    byte = {"square_sum": 4 * n, "triad": 12 * n, "gemm": 4 * (768 + 2 * 1024) * 768}.get(op)
    if op == "norm_forward":
        size, layer = (4 if "/f32/" in b["name"] else 2), "/layernorm/" in b["name"]
        byte = size * (2 * n + 4096 * (2 if layer else 1)) + 4 * 2048 * (2 if layer else 1)
    assert byte and abs(b["bytes_per_second"] * second / byte - 1) < 1e-6, b
    if op == "gemm":
        assert abs(b["FLOP/s"] * second / (2 * 1024 * 768**2) - 1) < 1e-6, b
    else:
        assert "FLOP/s" not in b, b
END
fi

compare=/usr/share/benchmark/compare.py
if [ ! -e "$compare" ]; then
    echo "SKIP: compare.py on kernel benches: $compare (Debian's libbenchmark-tools) is not installed"
elif ! "$python" -c 'import scipy' 2>/dev/null; then
    echo 'SKIP: compare.py on kernel benches: scipy, which it needs, is not installed'
else
    "$python" "$compare" benchmarks "$work/1.json" "$work/2.json" >"$work/out" 2>&1 || fail "compare.py: $(cat "$work/out")"
    grep -q 'triad/ref.*_pvalue' "$work/out" || fail "compare.py tests nothing: $(cat "$work/out")"
    "$python" "$compare" filters "$work/1.json" square_sum/ref triad/ref >"$work/out" 2>&1 ||
        fail "compare.py filters: $(cat "$work/out")"
fi
exit $bad
