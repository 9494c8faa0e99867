#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 300
# check: no sanitizers: they do not allow RTLD_DEEPBIND, so a library's calls would reach OpenBLAS
# --backend cblas:PATH with libraries compiled from tests/unit/backend/fake.c, good and faulty, and with those that this
# machine has: whose functions multiply, what record and page say, what fails and what is refused.
. "$(dirname "$0")/../prelude.sh"
unset TOISE_ISA OPENBLAS_CORETYPE
export OMP_WAIT_POLICY=passive
if ! command -v "${CC:-cc}" >"$work/out"; then
    echo "SKIP: no C compiler (${CC:-cc}) for the libraries"
    exit 0
fi

fake() { # fake NAME FLAG...: compiles $work/NAME.so
    # shellcheck disable=SC2086  # a compiler may come with flags, as in CC="ccache gcc"
    ${CC:-cc} -O3 -shared -fPIC "${@:2}" -o "$work/$1.so" tests/unit/backend/fake.c -lpthread
}
fake good -fopenmp -DFAKE_THREADS=2 -DFAKE_OPENBLAS='"OpenBLAS 9.9.9 FAKE"'
fake bf16 -DFAKE_BF16
fake wrong -DFAKE_WRONG -DFAKE_BF16
fake wide -DFAKE_WIDE
fake greedy -fopenmp -DFAKE_THREADS=3
fake anew -DFAKE_NEW_THREADS
train=("$toise" train --model tiny-gpt2 --seq 32 --steps 2 --warmup 1 --ci 100%)
calls() { # calls: how often FP32 and BF16 reached the library's loops
    read -r f32 bf16 <"$work/calls"
}
done_well() { [ "$code" = 0 ] || [ "$code" = 3 ] || fail "$1: exit $code: $(cat "$work/out" "$work/err")"; }

# all FP32 matmuls of a step go through the library's own functions, on two threads; the gate passes them
call env FAKE_CALLS="$work/calls" "${train[@]}" --threads 2 --backend "cblas:$work/good.so" --out "$work/good.jsonl"
done_well train
says '^blas        OpenBLAS 9.9.9, /.*/good.so$'
says '^            for this CPU: Fast$'
says '^            matmuls in FP32, while those in BF16 are toise.s own; 2 of 2 threads, set by openblas_set_num_threads$'
says 'PASSED  every matmul at full size'
calls && [ "$f32" -gt 100 ] || fail "train: $f32 matmuls reached the library"
for words in '"gemm":"cblas"' '"name":"OpenBLAS","version":"9.9.9","core":"Fast","bf16":null' \
    '"threads":2,"threads_held_by":"openblas_set_num_threads","threads_used":2' "\"path\":\"$(realpath "$work")/good.so\""; do
    grep -qF "$words" "$work/good.jsonl" || fail "the record lacks $words: $(grep -o '"blas":{[^}]*}' "$work/good.jsonl")"
done
if python3 -c 'import jsonschema' 2>"$work/err"; then
    call python3 tests/cli/schema.py results/schema.json "$work/good.jsonl"
    [ "$code" = 0 ] || fail "the schema: $(cat "$work/out" "$work/err")"
else
    echo 'SKIP: the record by the schema: no python3 with jsonschema'
fi

# BF16 goes through cblas_sbgemm if there is one, else to toise; a serial library is named
call env FAKE_CALLS="$work/calls" "${train[@]}" --threads 1 --precision bf16 --backend "cblas:$work/bf16.so"
done_well bf16
says 'matmuls in FP32 and BF16; 1 of 1 threads, which nothing holds'
calls && [ "$bf16" -gt 100 ] || fail "bf16: $bf16 matmuls reached the library"
call env FAKE_CALLS="$work/calls" "${train[@]}" --threads 2 --precision bf16 --backend "cblas:$work/good.so"
done_well 'bf16 of toise'
calls && [ "$bf16" = 0 ] && says 'those in BF16 are toise.s own' || fail "bf16 of toise: $bf16 calls"

# wrong results fail, and have no rate
for precision in fp32 bf16; do
    call "${train[@]}" --threads 1 --precision $precision --backend "cblas:$work/wrong.so"
    [ "$code" = 1 ] && says FAILED && ! grep -q tokens/s "$work/out" || fail "wrong, $precision: exit $code: $(cat "$work/out")"
done
printf 'NT 96 64 80\n' >"$work/shapes.txt"
kernels=("$toise" kernels --shapes "$work/shapes.txt" --isa ref --seconds 0.02 --ci 100%)
call "${kernels[@]}" --threads 1 --backend "cblas:$work/wrong.so"
[ "$code" = 1 ] && says 'f32   ref .* (PASSED|INCONCLUSIVE)' && says 'f32   cblas .* FAILED' && says 'bf16  cblas .* FAILED' ||
    fail "kernels, wrong: exit $code: $(cat "$work/out" "$work/err")"

# toise kernels: a variant beside the others, in BF16 only if the library has it
call "${kernels[@]}" --threads 2 --backend "cblas:$work/good.so" --json
done_well kernels
grep -q '"dtype":"f32".*"variant":"cblas"' "$work/out" && ! grep -q '"dtype":"bf16".*"variant":"cblas"' "$work/out" ||
    fail "kernels: $(cut -c1-300 "$work/out")"
[ "$(grep -c '"blas":{"path"' "$work/out")" = 3 ] && grep -q '^blas        OpenBLAS 9.9.9' "$work/err" || fail "kernels: no blas"
call "${kernels[@]}" --threads 2 --dtype f32 --backend "cblas:$work/bf16.so"
done_well 'kernels, serial'
grep -q '^toise: .*/bf16.so multiplies on 1 of 2 threads: take a threaded build' "$work/err" || fail "serial: $(cat "$work/err")"

# bad input: one line with the cure. test_backend.c has more libraries, and files of other kinds.
echo 'GROUP ( libblas.so )' >"$work/script.so"
for command in train 'kernels --isa ref'; do
    read -ra words <<<"$command"
    refused 'unknown "mkl"; take toise, openblas or cblas:PATH' "$toise" "${words[@]}" --backend mkl
    refused "give the library's path: cblas:/" "$toise" "${words[@]}" --backend cblas:
    refused 'none.so: No such file' "$toise" "${words[@]}" --backend "cblas:$work/none.so" --out "$work/none.jsonl"
    refused 'perhaps a linker script' "$toise" "${words[@]}" --backend "cblas:$work/script.so"
    refused '64 bits (ILP64); take the build with 32-bit' "$toise" "${words[@]}" --threads 1 --backend "cblas:$work/wide.so"
    refused 'multiplies on 3 threads instead of 2.*pass --threads 3' "$toise" "${words[@]}" --threads 2 \
        --backend "cblas:$work/greedy.so"
done
refused '--backend openblas: it is a variant here' "$toise" kernels --backend openblas
refused 'none.so: No such file' "${train[@]}" --dry-run --backend "cblas:$work/none.so"
call "${train[@]}" --dry-run --threads 2 --backend "cblas:$work/good.so"
[ "$code" = 0 ] || fail "--dry-run: exit $code: $(cat "$work/err")"

# threads that are started for each call inherit the CPU of a pinned caller
if [ "$(nproc)" -gt 1 ]; then
    refused 'share a CPU.*OMP_PROC_BIND=false' "${train[@]}" --threads 2 --backend "cblas:$work/anew.so"
    call env OMP_PROC_BIND=false "${train[@]}" --threads 2 --backend "cblas:$work/anew.so"
    done_well 'threads for each call'
else
    echo 'SKIP: threads that share a CPU: only one CPU'
fi

# the OpenBLAS that toise is linked with: its threads are toise's, whatever its own variables say, and are counted
for setting in A=1 OPENBLAS_NUM_THREADS=1 OPENBLAS_NUM_THREADS=7; do
    call env $setting "${train[@]}" --threads 2 --backend openblas --out "$work/linked.jsonl"
    done_well "openblas, $setting"
    says '^            matmuls in FP32, while those in BF16 are toise.s own; 2 of 2 threads, set by openblas_set_num_threads$'
    grep -q '"gemm":"openblas"' "$work/linked.jsonl" && grep -q '"threads_used":2' "$work/linked.jsonl" || fail "openblas, $setting: the record"
    call env $setting "$toise" kernels --shapes "$work/shapes.txt" --isa ref,openblas --dtype f32 --seconds 0.02 --ci 100% --threads 2
    done_well "kernels, openblas, $setting"
    ! grep -q 'multiplies on' "$work/err" || fail "kernels, openblas, $setting: $(cat "$work/err")"
done

# ranks load it each, and agree when it is refused
if command -v mpirun >"$work/out"; then
    . scripts/mpi.sh
    ranks() { call bash -c '. scripts/mpi.sh; mpi_launch "$@"' - 2 "${train[@]}" --threads 1 --backend "cblas:$work/$1.so"; }
    ranks bf16
    done_well 'two ranks'
    says 'matmuls in FP32 and BF16; 1 of 1 threads'
    ranks wide
    [ "$code" = 2 ] && [ "$(grep -c '^toise: ' "$work/err")" = 1 ] || fail "two ranks refused: exit $code: $(cat "$work/err")"
else
    echo 'SKIP: ranks: no mpirun'
fi

# the libraries of this machine
shopt -s nullglob
found=("${TOISE_TEST_BLAS:-}" /usr/lib/*/blis-*/libblis.so.* /usr/lib/*/libblis.so /opt/intel/oneapi/mkl/latest/lib/libmkl_rt.so
    /usr/lib/*/libmkl_rt.so /usr/lib/*/openblas-{openmp,serial}/libopenblas.so.0 /opt/arm/armpl*/lib/libarmpl_lp64_mp.so)
tried=0
for library in "${found[@]}"; do
    [ -e "$library" ] || continue
    call "${train[@]}" --backend "cblas:$library"
    # a build whose threads are started anew for each call is refused, as above
    [ "$code" = 2 ] && grep -q 'share a CPU' "$work/err" || done_well "$library"
    tried=$((tried + 1))
done
[ $tried -gt 0 ] || echo 'SKIP: real libraries: no MKL, BLIS, ArmPL or second OpenBLAS here (TOISE_TEST_BLAS=PATH names one)'
exit $bad
