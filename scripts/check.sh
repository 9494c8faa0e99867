#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/check.sh [--full] BUILD: runs every test of the tree on the build in BUILD. Ends with a line
# "N passed, N failed, N skipped" and exits 1 if one failed. --full adds the long ones.
# A test exits 0, or 77 if it cannot run at all. Each line "SKIP: what: why" that it prints counts as one skipped.
# A comment line in a test's source may say "check: ranks 1 3" (tests/mpi; default 1 2 4), "check: timeout 300" (seconds;
# default 120), "check: full" (only with --full), "check: no sanitizers: why", or "check: emulated" (it runs every kernel
# variant, and runs again with all of them emulated if this CPU lacks an instruction set).
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/mpi.sh

full=no
[ "${1-}" != --full ] || { full=yes; shift; }
CHECK_FULL=$([ $full = no ] || echo yes)
export CHECK_FULL # a test may do more then
BUILD=$(cd "${1:-build}" && pwd)
export BUILD
unset MAKEFLAGS MFLAGS # the builds below choose their own
jobs=$(nproc)
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}"
unset OMP_PLACES OMP_PROC_BIND OMP_THREAD_LIMIT GOMP_CPU_AFFINITY # tests of these set their own
# Tests with more threads than cores would waste their time spinning.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
trap 'kill $(jobs -p) 2>/dev/null; exit 130' INT TERM
passed=0 failed=0 skipped=0
failures=()

# note SOURCE KEY: the rest of the source's line "check: KEY ..."
note() { sed -n "s/^.*check: $2 *\(.*[^ */]\).*$/\1/p;T;q" "$1"; }
limit() {
    local t
    t=$(note "$1" timeout)
    echo $((${t:-120} * ${PATIENCE:-1}))
}
# Whether to run this test; a pattern that matched no file is no test.
wanted() { [ -e "$1" ] && { [ $full = yes ] || ! grep -q 'check: full' "$1"; }; }
seconds() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.1f s", b - a }'; }
skip() {
    skipped=$((skipped + 1))
    echo "SKIP: $1"
}

# execute NAME TIMEOUT COMMAND...: what it prints goes to its log, exit code and seconds beside that when it has ended
log_of() { echo "$logs/$(tr '/ ' '__' <<<"$1")"; }
execute() {
    local log limit=$2 code=0 began
    log=$(log_of "$1")
    shift 2
    began=$(date +%s.%N)
    timeout -k 10 "$limit" "$@" >"$log" 2>&1 </dev/null &
    trap 'kill $! 2>/dev/null; exit 130' INT TERM
    wait $! || code=$?
    [ $code != 124 ] || echo "no end after $limit s" >>"$log"
    echo "$code $(seconds "$began" "$(date +%s.%N)")" >"$log.end"
}
# report NAME: one line of what was executed; its exit code is left in $code.
report() {
    local name=$1 log line time skips=0
    log=$(log_of "$name")
    read -r code time <"$log.end"
    while IFS= read -r line; do
        skip "${line#SKIP: }"
        skips=$((skips + 1))
    done < <(grep -a '^SKIP: ' "$log" | sort -u)
    case $code in
    0) passed=$((passed + 1)) && echo "ok    $name  $time" ;;
    77) [ $skips -gt 0 ] || skip "$name: it said no reason" ;;
    *)
        failed=$((failed + 1)) failures+=("$name")
        echo "FAIL  $name  $time, exit $code; its last lines:"
        tail -n 40 "$log" | sed 's/^/      | /'
        ;;
    esac
}
run() { # run NAME TIMEOUT COMMAND...
    execute "$@" &
    wait $! || true
    report "$1"
}

# As many at once as there are cores. Labels: emulated and aarch64 are of the kernels.
unit_tests() { # unit_tests BUILD LABEL
    local source name reason begun=() shown=0 on=()
    [ "$2" != aarch64 ] || on=(scripts/aarch64.sh --run "$1")
    for source in tests/unit/*/test_*.c; do
        wanted "$source" || continue
        [ "$2" != emulated ] || grep -q 'check: emulated' "$source" || continue
        [ "$2" != aarch64 ] || [[ $source == tests/unit/kernels/* ]] || continue
        name=${source#tests/unit/} name=${name%.c}
        reason=$(note "$source" 'no sanitizers:')
        if [ "$2" = asan ] && [ -n "$reason" ]; then
            skip "$2 unit/$name: $reason"
            continue
        fi
        execute "${2:+$2 }unit/$name" "$(limit "$source")" "${on[@]}" "$1/tests/unit/$name" &
        begun+=("${2:+$2 }unit/$name")
        [ "$(jobs -pr | wc -l)" -lt "$jobs" ] || wait -n || true
        while [ -s "$(log_of "${begun[shown]-}").end" ]; do report "${begun[shown++]}"; done
    done
    wait
    for name in "${begun[@]:shown}"; do report "$name"; done
}

# Every variant in plain C, in a separate build, so that tests also cover what this CPU lacks.
emulated() {
    local native all
    run 'emulated build' 600 make -j"$jobs" --no-print-directory BUILD="$BUILD-emulated" EMULATE=1 \
        HARNESS_FROM="$BUILD" tests
    [ "$code" = 0 ] || return 0
    native=$("$BUILD/tests/peers/bits" sets | xargs)
    all=$("$BUILD-emulated/tests/peers/bits" sets | xargs)
    if [ "$native" != "$all" ] || [ $full = yes ]; then
        echo "kernel variants: this CPU runs $native; all of $all run emulated"
        unit_tests "$BUILD-emulated" emulated
    else
        echo "kernel variants: this CPU runs all of $all; make check-full runs them emulated too"
    fi
}

mpi_tests() { # mpi_tests BUILD LABEL
    local source name ranks n
    for source in tests/mpi/test_*.c; do
        wanted "$source" || continue
        name=$(basename "$source" .c)
        ranks=$(note "$source" ranks)
        for n in ${ranks:-1 2 4}; do
            run "${2:+$2 }mpi/$name, $n ranks" "$(limit "$source")" \
                env OMP_NUM_THREADS=1 bash -c '. scripts/mpi.sh; mpi_launch "$@"' - "$n" "$1/tests/mpi/$name"
        done
    done
}

script_tests() { # script_tests FILE...
    local source
    for source in "$@"; do
        wanted "$source" || continue
        run "${source#tests/}" "$(limit "$source")" bash "$source"
    done
}

# Everything again with the address and undefined-behaviour sanitizers, unit tests only (MPI too with --full).
sanitized() {
    local asan=$BUILD-asan
    # Not -Werror: the checks make the compiler's flow warnings less reliable.
    run 'sanitizer build' 600 make -j"$jobs" --no-print-directory BUILD="$asan" CFLAGS='-O1 -g' WERROR= \
        SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer' \
        "$([ $full = yes ] && echo tests || echo unit-tests)"
    [ "$code" = 0 ] || return 0
    export ASAN_OPTIONS="detect_leaks=1:abort_on_error=0" UBSAN_OPTIONS=print_stacktrace=1
    export LSAN_OPTIONS="suppressions=$PWD/tests/lsan.supp:print_suppressions=0"
    unit_tests "$asan" asan
    [ $full = no ] || mpi_tests "$asan" asan
    unset ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS
}

styles() {
    local files
    if command -v shellcheck >/dev/null; then
        mapfile -t files < <(find scripts tests .ci -name '*.sh' -o -name '*.sbatch' -o -path .ci/run)
        # shellcheck disable=SC2016 # the inner shell expands it
        run 'shellcheck' 120 bash -c 'printf "%s\0" "$@" | xargs -0 -n 8 -P "$0" shellcheck -x' "$jobs" "${files[@]}"
    else
        skip 'shellcheck: not installed'
    fi
    if clang-format --version 2>/dev/null | grep -q 'version 14\.'; then
        mapfile -t files < <(find kernels harness tests -name '*.[ch]' -o -name '*.cc')
        run 'clang-format' 120 clang-format --dry-run -Werror "${files[@]}"
    else
        skip 'clang-format: version 14 is not installed'
    fi
}

# The kernels must compile for another architecture. With --full all is built for it, and the tests of the kernels and
# one training run on an emulated CPU, which takes minutes.
aarch64() {
    local build=$BUILD-aarch64 source tests=()
    if ! echo '#include <stdlib.h>' | aarch64-linux-gnu-gcc -x c -fsyntax-only - 2>/dev/null; then
        skip 'kernels for aarch64: aarch64-linux-gnu-gcc and its C library are not installed'
        return
    fi
    run 'kernels for aarch64' 300 make -j"$jobs" --no-print-directory BUILD="$build" WERROR=1 \
        CC=aarch64-linux-gnu-gcc CFLAGS=-O2 kernels
    [ $full = yes ] || return 0
    build+=-full
    for source in tests/unit/kernels/test_*.c; do tests+=("$build/${source%.c}"); done
    run 'build for aarch64' 900 scripts/aarch64.sh "$build" -j"$jobs" WERROR=1 all "${tests[@]}" "$build/tests/peers/bits"
    [ "$code" = 0 ] || return 0
    CHECK_EMULATOR=yes PATIENCE=4 unit_tests "$build" aarch64
    skip 'aarch64: plain C and most placements of operands: an emulated CPU would take over half an hour'
    run 'aarch64 peers/arm.sh' 900 bash tests/peers/arm.sh "$build" "$BUILD-emulated"
}

# The other compiler, with strict warnings.
clang_build() {
    if echo 'int main(void) { return 0; }' | clang -fopenmp -x c - -o "$logs/a.out" 2>/dev/null; then
        run 'build with clang' 600 make -j"$jobs" --no-print-directory BUILD="$BUILD-clang" CC=clang WERROR=1 all tests
    else
        skip 'build with clang: clang and its OpenMP are not installed'
    fi
}

# Another MPI: its build passes the tests of several ranks, and a job of its own.
mpich() {
    if ! command -v mpicc.mpich >/dev/null || ! command -v mpirun.mpich >/dev/null; then
        skip 'MPICH: mpicc.mpich and mpirun.mpich are not installed'
        return
    fi
    # Not -Werror: gcc takes MPICH's MPI_STATUSES_IGNORE for an array that is too short.
    run 'build with MPICH' 900 make -j"$jobs" --no-print-directory BUILD="$BUILD-mpich" MPICC=mpicc.mpich WERROR= all tests
    [ "$code" = 0 ] || return 0
    PATIENCE=4 MPIRUN=mpirun.mpich mpi_tests "$BUILD-mpich" mpich # its ranks spin, also where cores are too few
    MPIRUN=mpirun.mpich BUILD=$BUILD-mpich run 'mpich cli/test_ranks.sh' 300 bash tests/cli/test_ranks.sh
}

unit_tests "$BUILD" ''
emulated
mpi_tests "$BUILD" ''
script_tests tests/cli/test_*.sh tests/peers/test_*.sh tests/slurm/test_*.sh tests/mutation/test_*.sh
styles
aarch64
[ $full = no ] || clang_build
[ $full = no ] || mpich
sanitized

[ $failed = 0 ] || printf 'failed: %s\n' "${failures[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
