#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 600
# make bench-peers on the smallest workload: a ratio with its interval for each precision; or, without PyTorch, a SKIP that
# says what to install. Its interval is Student's.
. "$(dirname "$0")/../prelude.sh"
python=${PYTHON:-python3}
code=0
"$python" tests/peers/bench.py "$BUILD" --workloads strong-tiny --rounds 2 --steps 2 --no-matmuls --out "$work/peers.json" \
    >"$work/out" 2>"$work/err" || code=$?
if "$python" -c 'import torch' 2>/dev/null; then
    [ $code = 0 ] || fail "exit $code: $(cat "$work/out" "$work/err")"
    for precision in fp32 bf16; do says "^strong-tiny +$precision +toise +[0-9.]+ tokens/s, .*PyTorch .* ratio [0-9.]+ \[[0-9.]+, [0-9.]+\]"; done
    "$python" -c 'import json, sys; assert len(json.load(open(sys.argv[1]))) == 2' "$work/peers.json" || fail 'the file of --out'
else
    [ $code = 77 ] || fail "without PyTorch: exit $code: $(cat "$work/out" "$work/err")"
    says '^  SKIP: PyTorch, eager: SKIP: torch_step: PyTorch is not installed \(pip install torch\)'
    says '^SKIP: strong-tiny bf16: no form of PyTorch runs'
    echo 'SKIP: make bench-peers beside PyTorch: PyTorch is not installed'
fi
PYTHONDONTWRITEBYTECODE=1 "$python" - <<'END' || fail 'the interval'
import sys
sys.path.insert(0, "tests/peers")
import bench
mean, low, high = bench.interval([1.1, 1.2, 1.3, 1.2])
# by hand: logs 0.09531, 0.18232, 0.26236, 0.18232; mean 0.18058, deviation 0.06823; t 3.182
assert abs(mean - 1.19791) < 1e-4 and abs(low - 1.07468) < 1e-3 and abs(high - 1.33527) < 1e-3, (mean, low, high)
assert bench.interval([2.0])[1:] == (0.0, float("inf"))
record = lambda v, s: {"result": {"shape": "NN", "accumulate": False, "variant": v, "call_s": s, "call_s_low": 0.9 * s, "call_s_high": 1.1 * s}}
assert bench.slower([record("avx2", 1.0), record("avx512", 0.5), record("cblas", 0.7), record("openblas", 0.1)], "cblas") == ([1.4], [])
ratios, behind = bench.slower([record("avx512", 1.0), record("cblas", 0.5)], "cblas")
assert behind == [(0.5, "NN")], behind
END
exit $bad
