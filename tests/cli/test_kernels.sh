#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 300
# toise kernels: records and their keys, what is refused and how, --out appends. OpenBLAS forced to a slow core type is
# reported with the cure. Ranks are refused the same way. The roofline is drawn.
. "$(dirname "$0")/../prelude.sh"
unset TOISE_ISA OPENBLAS_CORETYPE

# Noise is not tested here: --ci 1 accepts any interval, and inconclusive is no failure.
quick=(--seconds 0.05 --ci 1)
done_well() { [ $code = 0 ] || [ $code = 3 ] || fail "$1: exit $code: $(cat "$work/out" "$work/err")"; }

cat >"$work/shapes.txt" <<'END'
# a matmul of each kind, attention with all options, rows, a vector
NT 96 64 80
TN 64 80 96   # accumulates
attention 2 4 2 64 32 window 24 alibi
rows 64 96
elements 10000
END

# every operation in both dtypes: a table for people
here=$({ "$toise" kernels --isa none 2>&1 || true; } | sed 's/.*take //; s/, openblas//; s/, /,/g') # the sets that this host can run
call "$toise" kernels --shapes "$work/shapes.txt" --isa "$here" "${quick[@]}" --out "$work/all.jsonl"
done_well 'all operations'
for words in 'gemm  *NT 96 x 64 x 80  *f32  *ref' 'attention_backward  *b 2 h 4 s 64 d 32 alibi w 24  *bf16' 'swiglu_backward' \
    'adamw  *10000  *bf16' 'geometric mean' '^roofs: ' 'GB/s  *measured .* bandwidth'; do
    grep -q "$words" "$work/out" || fail "the table lacks: $words"
done
[ "$here" = ref ] || says '^ *[0-9.]+ GFLOP/s   f32 [a-z0-9]+ micro-tile alone, in L1: matmuls reach [0-9.]+%$'
! grep -q '"variant":"\(ref\|openblas\)".*"tile_peak' "$work/all.jsonl" || fail 'a variant without a micro-tile has a tile_peak'
! grep -q FAILED "$work/out" || fail "a check failed: $(grep FAILED "$work/out")"
[ $code = 3 ] || [ ! -s "$work/err" ] || fail "standard error: $(cat "$work/err")"

# records: one JSON line a point and nothing else on stdout; a second run appends as many to the file
keys='schema kind status time version launch machine workload config layout samples result op shape m n k trans dtype variant
threads flop bytes flop_per_s byte_per_s fraction_of_roof fraction_of bound intensity peak_flop_per_s bandwidth_byte_per_s residual threshold
call_s call_s_low call_s_high confidence calls ratio_to_openblas interference marks shapes'
records() { # records ISA LINES LINES_IN_FILE
    call "$toise" kernels --shapes "$work/shapes.txt" --op gemm --dtype f32 --isa "$1" "${quick[@]}" --json \
        --out "$work/new/records.jsonl"
    done_well 'records'
    [ "$(wc -l <"$work/out")" = "$2" ] || fail "--json: not $2 lines: $(cut -c1-200 "$work/out")"
    ! grep -qv '^{.*}$' "$work/out" || fail 'a line of stdout is no record'
    [ "$(wc -l <"$work/new/records.jsonl")" = "$3" ] || fail "--out: $(wc -l <"$work/new/records.jsonl") lines"
}
records ref 2 2
records ref,openblas 5 7
for key in $keys; do
    head -n 1 "$work/out" | grep -q "\"$key\":" || fail "the record lacks \"$key\""
done
head -n 1 "$work/out" | grep -q '"kind":"kernel"' || fail 'not of kind kernel'
tail -n 1 "$work/out" | grep -q '"kind":"openblas".*"core":.*"cores":\[' || fail "no finding on OpenBLAS: $(tail -n 1 "$work/out")"
grep -q 'geometric mean' "$work/err" || fail 'with --json the table goes to standard error'
valid "$work/all.jsonl" "$work/new/records.jsonl"
call "$toise" kernels --op attention --model tiny-gpt2 --seq 64 --dtype bf16 "${quick[@]}" --json
done_well 'attention'
for key in b h kv_heads s d alibi; do grep -q "\"$key\":" "$work/out" || fail "attention lacks \"$key\""; done
! grep -q '"kind":"openblas"' "$work/out" || fail 'OpenBLAS was tried though it has no attention'

# the plan of it, and the flags
call "$toise" kernels --model tiny-gpt2 --seq 64 --dry-run
[ $code = 0 ] && grep -q '^qkv forward  *NT 256 x' "$work/out" && grep -q '^adamw' "$work/out" || fail "--dry-run: $(cat "$work/out" "$work/err")"
call "$toise" kernels --model tiny-gpt2 --seq 64 --op gemm --dtype f32 --isa ref --explain --dry-run
[ $code = 0 ] && grep -q 'caches of a thread' "$work/out" && grep -q 'shapes$' "$work/out" || fail "--explain --dry-run: $(cat "$work/out" "$work/err")"
call "$toise" kernels --help
[ $code = 0 ] && grep -q -e --shapes "$work/out" && ! grep -q openblas-probe "$work/out" || fail '--help'

# an operation that cannot be shown is an error, but the record is complete; one too large for memory is left out
call bash -c '"$@" >&-' - "$toise" kernels --shapes "$work/shapes.txt" --op gemm --dtype f32 --isa ref "${quick[@]}" --out "$work/closed.jsonl"
[ $code = 4 ] && [ "$(grep -c '^toise: cannot write to standard output$' "$work/err")" = 1 ] || fail "closed: exit $code: $(cat "$work/err")"
[ "$(wc -l <"$work/closed.jsonl")" = 2 ] && ! grep -qv '^{.*}$' "$work/closed.jsonl" || fail "closed: $(cut -c1-200 "$work/closed.jsonl")"
printf 'elements 1099511627776\nelements 8\n' >"$work/large.txt"
call "$toise" kernels --shapes "$work/large.txt" --op zero --isa ref "${quick[@]}"
done_well large
grep -q '^toise: left out zero 1099511627776: it needs .*; take a smaller shape$' "$work/err" || fail "large: $(cat "$work/err")"

# OpenBLAS forced to a core type that is wrong for any CPU of today
if ! grep -q '"dynamic_arch":true' "$work/new/records.jsonl" || [[ $here != *avx2* ]]; then
    echo 'SKIP: OpenBLAS forced to Prescott: no DYNAMIC_ARCH, or no AVX2 to beat it with'
else
    matmuls=(kernels --op gemm --shapes "$work/shapes.txt" --dtype f32 "${quick[@]}")
    call env OPENBLAS_CORETYPE=Prescott "$toise" "${matmuls[@]}" --isa openblas
    done_well Prescott
    grep -q 'core type Prescott, forced by OPENBLAS_CORETYPE=Prescott' "$work/out" || fail "Prescott is not named: $(cat "$work/out")"
    # an OpenBLAS older than the CPU may choose Prescott itself; then a better one must be named
    cure='(unset OPENBLAS_CORETYPE|export OPENBLAS_CORETYPE=[A-OQ-Z][A-Za-z]+)'
    grep -qE "the wrong one: .* GFLOP/s, .*%, are lost. The cure:  $cure\$" "$work/out" || fail "no cure: $(tail -n 4 "$work/out")"
    if check_full 'a wrong OpenBLAS that nobody asked for, and one asked for a core type that it lacks'; then
        # if not requested, a wrongly configured OpenBLAS is not used for comparison
        call env OPENBLAS_CORETYPE=Prescott "$toise" "${matmuls[@]}" --json
        done_well 'Prescott, not asked for'
        grep -q '"kind":"openblas".*"timed":false' "$work/out" && ! grep -q '"variant":"openblas"' "$work/out" ||
            fail "a wrong OpenBLAS was timed unasked: $(tail -n 1 "$work/out")"
        grep -q 'So its matmuls were not timed' "$work/err" || fail "nothing says that OpenBLAS was not timed: $(tail -n 4 "$work/err")"
        call env OPENBLAS_CORETYPE=quick "$toise" "${matmuls[@]}" --isa openblas
        done_well 'a core type of no OpenBLAS'
        grep -q 'though OPENBLAS_CORETYPE=quick asks for another' "$work/out" && ! grep -q 'quick cannot run' "$work/out" ||
            fail "a core type of no OpenBLAS: $(tail -n 5 "$work/out")"
    fi
fi

# bad input: exit 2, one line that names what, where and the fix; nothing on stdout, no file
mkdir "$work/folder"
bad_line() { printf 'NT 8 8 8\n%b\n' "$1" >"$work/bad.txt"; }
refused '--op: unknown "gem"; known: gemm, attention' "$toise" kernels --op gem --out "$work/none.jsonl"
refused '--op: no name' "$toise" kernels --op ,
refused '--dtype: unknown dtype "fp64"; take f32' "$toise" kernels --dtype fp64
refused '--isa: "sse" is unknown.*take ref' "$toise" kernels --isa sse
refused 'threads: 0 is out of range' "$toise" kernels --threads 0
refused 'seconds: 0 is out of range' "$toise" kernels --seconds 0
refused 'unknown flag "--shape"' "$toise" kernels --shape x
refused '--shapes: .*nothing.txt: No such file.*--model' "$toise" kernels --shapes "$work/nothing.txt"
refused '--shapes: .*folder is not a plain file' "$toise" kernels --shapes "$work/folder"
refused 'leave out one of the two' "$toise" kernels --shapes "$work/shapes.txt" --model tiny-gpt2
refused '--model: unknown "gpt9"' "$toise" kernels --model gpt9
refused '--seq 4096: tiny-gpt2 has' "$toise" kernels --model tiny-gpt2 --seq 4096
refused 'nothing to time' "$toise" kernels --op gemm --dtype bf16 --isa openblas
refused 'is a folder' "$toise" kernels --out "$work/folder"
cp "$work/shapes.txt" "$work/kept.txt"
refused '--out and --shapes are both .*shapes.txt' "$toise" kernels --shapes "$work/shapes.txt" --out "$work/shapes.txt"
cmp -s "$work/shapes.txt" "$work/kept.txt" || fail 'a file of shapes was appended to'
refused '--op: too many names' "$toise" kernels --op "$(printf 'gemm,%.0s' $(seq 200))"
for line in 'XT 8 8 8|bad.txt:2: unknown kind of shape "XT"; take NN' 'NT 8 8|:2: NT lacks its field K' 'NT 8 -8 8|:2: field N is "-8"; take' \
    'NT 8 8 8x|field K is "8x"' 'NT 8 8 8 8|"8" follows the last field' 'NT 8 99999999999999999999 8|field N' \
    'attention 1 4 3 8 8|KV_HEADS does not divide HEADS' 'attention 1 4 4 8 512|HEAD_DIM is "512"; take a whole number from 1 to 256' \
    'attention 1 4 4 8 8 window|lacks its field window' 'attention 1 4 4 8 8 flash|"flash" follows' 'rows 8|lacks its field COLS' \
    'elements 0|field N is "0"' 'a b c d e f g h i j k l m|too many words'; do
    bad_line "${line%%|*}"
    refused "${line#*|}" "$toise" kernels --shapes "$work/bad.txt" --out "$work/none.jsonl"
done
printf 'NT 8 8 8\nNT 8\0 8 8\n' >"$work/bad.txt"
refused 'bad.txt:2: a zero byte' "$toise" kernels --shapes "$work/bad.txt"
: >"$work/bad.txt"
refused 'nothing to time: .*bad.txt' "$toise" kernels --shapes "$work/bad.txt"
if [ "$(id -u)" != 0 ]; then
    : >"$work/locked" && chmod a-w "$work/locked"
    refused 'make it writable' "$toise" kernels --out "$work/locked"
fi
TOISE_ISA=sse refused 'TOISE_ISA=sse: unknown' "$toise" kernels --dry-run

# ranks
if command -v "${MPIRUN:-mpirun}" >/dev/null; then
    call bash -c '. scripts/mpi.sh; mpi_launch "$@"' - 2 "$toise" kernels --op gemm
    [ $code = 2 ] && [ "$(grep -c '^toise: .*one process.*-n 1' "$work/err")" = 1 ] || fail "two ranks: exit $code: $(cat "$work/err")"
    if check_full 'one rank below mpirun'; then
        call bash -c '. scripts/mpi.sh; mpi_launch "$@"' - 1 "$toise" kernels --op gemm --model tiny-gpt2 --seq 64 --dtype f32 --isa openblas "${quick[@]}"
        done_well 'one rank'
        grep -q 'OpenBLAS runs as' "$work/out" || fail 'one rank: no word of OpenBLAS'
    fi
else
    echo 'SKIP: ranks: mpirun is not installed'
fi

# the roofline
call scripts/roofline.sh "$work/nothing.jsonl" "$work/x.svg"
[ $code = 2 ] && grep -q 'cannot be read' "$work/err" || fail "roofline of nothing: $code"
if command -v gnuplot >/dev/null; then
    call scripts/roofline.sh "$work/all.jsonl" "$work/roofline.svg"
    [ $code = 0 ] && grep -q '</svg>' "$work/roofline.svg" || fail "roofline: exit $code: $(cat "$work/err")"
    for words in 'matmul f32' 'attention backward bf16' 'adamw f32' 'GB/s' 'threads, 20'; do
        grep -q "$words" "$work/roofline.svg" || fail "the roofline lacks: $words"
    done
    echo '{"kind":"train"}' >"$work/train.jsonl"
    call scripts/roofline.sh "$work/train.jsonl" "$work/x.svg"
    [ $code = 2 ] && [ ! -e "$work/x.svg" ] || fail "roofline of other records: $code"
else
    echo 'SKIP: roofline: gnuplot is not installed'
fi
exit $bad
