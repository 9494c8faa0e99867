#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 600
# make bench-peers on the smallest workload: a ratio with its interval for each precision; or, without PyTorch, a SKIP that
# says what to install. The same for oneDNN's matmuls. Its intervals are Student's, and by ranks.
. "$(dirname "$0")/../prelude.sh"
python=${PYTHON:-python3}
code=0
"$python" tests/peers/bench.py "$BUILD" --workloads strong-tiny --rounds 2 --steps 2 --models "" --out "$work/peers.json" \
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
code=0
"$python" tests/peers/bench.py "$BUILD" --workloads '' --models tiny-gpt2 --seconds 0.05 >"$work/out" 2>"$work/err" || code=$?
if ! grep -q '^SKIP: .* oneDNN' "$work/out"; then
    [ $code = 0 ] || fail "exit $code: $(cat "$work/out" "$work/err")"
    for dtype in f32 bf16; do says "^matmuls of tiny-gpt2, $dtype, beside oneDNN [0-9.]+: ratio [0-9.]+, worst [0-9.]+, over 1[0-9] shapes; [0-9]+ behind"; done
    says '^  [0-9.]+ \[[0-9.]+, ([0-9.]+|inf)\]  qkv forward +NT 512 x 192 x 64 +to bf16 by brg:'
    ! grep -q 'is wrong' "$work/out" || fail "$(cat "$work/out")"
else
    echo 'SKIP: make bench-peers beside oneDNN: oneDNN is not installed'
fi
code=0
"$python" tests/peers/bench.py "$BUILD" --workloads '' --models tiny-gpt2 --onednn "$work/none.so" >"$work/out" 2>"$work/err" || code=$?
says "^SKIP: matmuls of tiny-gpt2 beside oneDNN: $work/none.so: .*: pip install onednn-cpu-gomp"
cc -shared -o "$work/old.so" -x c /dev/null
[ "$("$BUILD/tests/peers/onednn" "$work/old.so" tiny-gpt2 f32 1)" = "$work/old.so: it is older than oneDNN 3" ] || fail 'an old library'
PYTHONDONTWRITEBYTECODE=1 "$python" - <<'END' || fail 'the interval'
import sys
sys.path.insert(0, "tests/peers")
import bench
mean, low, high = bench.interval([1.1, 1.2, 1.3, 1.2])
# by hand: logs 0.09531, 0.18232, 0.26236, 0.18232; mean 0.18058, deviation 0.06823; t 3.182
assert abs(mean - 1.19791) < 1e-4 and abs(low - 1.07468) < 1e-3 and abs(high - 1.33527) < 1e-3, (mean, low, high)
assert bench.interval([2.0])[1:] == (0.0, float("inf"))
# by hand: 16 samples, half 3.92: the fifth and the thirteenth
assert bench.middle([x / 10 for x in range(20, 4, -1)]) == (1.25, 0.9, 1.7), bench.middle([x / 10 for x in range(20, 4, -1)])
assert bench.middle([2.0] * 5) == (2.0, 0.0, float("inf"))
line = lambda v, s: {"result": {"shape": "NN", "c_dtype": "f32", "variant": v, "call_s": 1}, "samples": {"call_s": s}, "implementation": v}
assert list(bench.paired([line("toise", [1, 2]), line("onednn", [2, 1])])) == [(("", "NN", "f32"), "onednn", [2, 0.5])]
record = lambda v, s: {"result": {"shape": "NN", "accumulate": False, "variant": v, "call_s": s, "call_s_low": 0.9 * s, "call_s_high": 1.1 * s}}
assert bench.slower([record("avx2", 1.0), record("avx512", 0.5), record("cblas", 0.7), record("openblas", 0.1)], "cblas") == ([1.4], [])
ratios, behind = bench.slower([record("avx512", 1.0), record("cblas", 0.5)], "cblas")
assert behind == [(0.5, "NN")], behind
END
exit $bad
