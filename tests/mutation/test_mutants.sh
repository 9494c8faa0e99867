#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: full
# check: timeout 1500
# tests/mutation/test_mutants.sh [WORD...]: do the unit tests notice a wrong kernel? Applies each mutation of table.txt (or
# those whose line has one of the words) by itself to a copy of the tree, rebuilds what depends on it, and runs its tests:
# one must fail. Exits 1 if a mutant survives, if a mutant marked equivalent does not, if a pattern is not found exactly
# once, or if an operation of list.h has no mutant.
set -euo pipefail
cd "$(dirname "$0")/../.."
table=$PWD/tests/mutation/table.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset MAKEFLAGS MFLAGS BUILD
export OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive
bad=0
fail() { echo "$1"; bad=1; }

# Instruction sets of this CPU; the objects of others are not built.
isas=ref
cpu=" $(sed -n 's/^flags[^:]*: //p;T;q' /proc/cpuinfo 2>/dev/null) "
[[ $cpu != *' avx2 '* ]] || isas+=' avx2'
[[ $cpu != *' avx512bw '* || $cpu != *' avx512vl '* || $cpu != *' avx512dq '* ]] || isas+=' avx512'
[[ $cpu != *' avx512_bf16 '* ]] || isas+=' avx512bf16'
[ "$(uname -m)" != aarch64 ] || isas+=' neon'

mkdir "$work/tree"
cp -r kernels harness scripts tests Makefile "$work/tree/"
cd "$work/tree"
build() { # build JOBS TARGET...: what make says goes to build.log; a mutant may well leave something unused
    make --no-print-directory -j"$1" CFLAGS=-O1 WERROR= ISAS="${isas#ref}" BUILD=build "${@:2}" >build.log 2>&1
}
passes() { { timeout 120 "build/tests/unit/$1" >test.log 2>&1; } 2>/dev/null; } # nor what bash says of a signal

# The table has a mutation a line: "operations | set | tests | file | old ==> new". A line "equivalent: why" says why
# the mutant before it gives the same results.
trim() { sed 's/^ *//; s/ *$//' <<<"$1"; }
mutations=() reasons=()
while IFS= read -r line; do
    case $line in
    '#'* | '') ;;
    *equivalent:*) reasons[${#mutations[@]} - 1]=$(trim "${line#*equivalent:}") ;;
    *) mutations+=("$line") ;;
    esac
done <"$table"

operations=$(sed -n 's/^ *K(\([a-z0-9_]*\), .*/\1/p' kernels/list.h | sort -u)
for op in $operations; do
    grep -qw "$op" <<<"$(cut -d'|' -f1 "$table")" || fail "no mutant of $op in $table"
done

chosen() { # chosen LINE WORD...
    local word
    [ $# -gt 1 ] || return 0
    for word in "${@:2}"; do [[ $1 != *"$word"* ]] || return 0; done
    return 1
}

read -ra tests <<<"$(grep -v '^#' "$table" | awk -F'|' 'NF > 4 { print $3 }' | tr ' ' '\n' | sort -u | tr '\n' ' ')"
build "$(nproc)" "${tests[@]/#/build/tests/unit/}" || { tail -n 20 build.log; exit 1; }
for test in "${tests[@]}"; do
    passes "$test" || { echo "$test fails on the kernels as they are"; tail -n 20 test.log; exit 1; }
done
cp -rp build good

# Restores what a mutant rebuilt, with the old time stamps.
restore() {
    local made
    cp -p "$1.good" "$1"
    while IFS= read -r made; do cp -p "good/${made#build/}" "$made"; done < <(find build -type f -newer stamp)
}

# mutate LINE REASON: applies, builds, tests, restores; prints one line with the result.
mutate() {
    local ops isa names file files rest old new content room test others=() by=
    IFS='|' read -r ops isa names file rest <<<"$1" # the rest may hold bars
    ops=$(trim "$ops") isa=$(trim "$isa") file=$(trim "$file") rest=$(trim "$rest")
    old=${rest%% ==> *} new=${rest#* ==> } files=$file
    # shellcheck disable=SC2086  # the column is a pattern
    if [ "$(cat $files | grep -oF -- "$old" | wc -l)" != 1 ]; then
        echo "FAILED: not exactly once in $files: $old"
        return
    elif [[ " $isas " != *" ${isa%@*} "* ]]; then
        echo "SKIP: mutant of $file ($old): this CPU lacks ${isa%@*}"
        return
    fi
    # shellcheck disable=SC2086
    file=$(grep -lF -- "$old" $files) content=$(<"$file")
    room=${isa#*@}
    [ "$room" = "$isa" ] || mapfile -t others < <(find build -name '*.o' ! -path "*/$room/*" -printf '-o\n%p\n')
    cp -p "$file" "$file.good"
    touch stamp
    sleep 0.01
    printf '%s\n' "${content/"$old"/"$new"}" >"$file"
    for test in $names; do
        if ! build 1 "${others[@]}" "build/tests/unit/$test"; then
            echo "FAILED: does not build: $file: $new: $(tail -n 3 build.log)"
            restore "$file"
            return
        fi
        passes "$test" || { by=$test && break; }
    done
    restore "$file"
    if [ -n "$by" ] && [ -n "$2" ]; then
        echo "FAILED: not equivalent, $by tells it: $file: $old ==> $new"
    elif [ -n "$by" ]; then
        echo "killed by $by: $ops: $old ==> $new"
    elif [ -n "$2" ]; then
        echo "equivalent: $ops: $old ==> $new: $2"
    else
        echo "FAILED: survived: $ops: $file: $old ==> $new"
    fi
}

# Each worker has its own copy of the tree and takes every n-th mutation.
worker() {
    local i
    cp -rp "$work/tree" "$work/$1" && cd "$work/$1"
    for ((i = $1; i < ${#mutations[@]}; i += workers)); do
        ! chosen "${mutations[i]}" "${words[@]}" || mutate "${mutations[i]}" "${reasons[i]-}"
    done
}
workers=$(nproc) words=("$@")
for ((w = 0; w < workers; w++)); do worker $w | tee "$work/said.$w" & done
wait
cat "$work"/said.* >"$work/said"
! grep "^FAILED" "$work/said" || bad=1 # once more, at the end
echo "$(grep -c '^killed' "$work/said") mutants killed, $(grep -c '^equivalent' "$work/said") equivalent," \
    "$(grep -c '^SKIP' "$work/said") skipped, $(grep -c '^FAILED' "$work/said") failed"
exit $bad
