#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/floors.sh accepts this tree, is fast, and reports a breach of each rule in a copy of it.
. "$(dirname "$0")/../prelude.sh"
scripts/floors.sh

fresh() {
    rm -rf "$work/tree"
    mkdir "$work/tree"
    cp -r kernels harness tests scripts "$work/tree/"
}
fresh

# caught RULE FILE LINE: with LINE appended to FILE (created if needed), the tree is refused with FILE, the line's
# number and RULE. ok FILE LINE: it is still accepted.
caught() {
    local rule=$1 file=$2 text=$3 out number
    mkdir -p "$(dirname "$work/tree/$file")"
    if [ -e "$work/tree/$file" ]; then cp "$work/tree/$file" "$work/saved"; else rm -f "$work/saved"; fi
    printf '%b\n' "$text" >>"$work/tree/$file"
    number=$(wc -l <"$work/tree/$file")
    if out=$(bash "$work/tree/scripts/floors.sh" 2>&1); then
        echo "accepted, should not be ($rule): $file: $text"
        bad=1
    elif ! grep -Fq "$file:$number: " <<<"$out" || ! grep -Fq -- "$rule" <<<"$out"; then
        echo "refused, but without \"$file:$number:\" and \"$rule\": $text -> $out"
        bad=1
    fi
    restore "$file"
}
ok() {
    local file=$1 text=$2 out
    if [ -e "$work/tree/$file" ]; then cp "$work/tree/$file" "$work/saved"; else rm -f "$work/saved"; fi
    printf '%b\n' "$text" >>"$work/tree/$file"
    if ! out=$(bash "$work/tree/scripts/floors.sh" 2>&1); then
        echo "refused, should not be: $file: $text -> $out"
        bad=1
    fi
    restore "$file"
}
restore() { if [ -e "$work/saved" ]; then cp "$work/saved" "$work/tree/$1"; else rm -f "$work/tree/$1"; fi; }

mkdir -p "$work/tree/tests/unit"
: >"$work/tree/tests/unit/zz.h"

caught 'base (floor 1) may not include from data (floor 3)' harness/base/error.h '#include "data/data.h"'
caught 'data (floor 3) may not include from comm (floor 3)' harness/data/zz.c '#include "comm/comm.h"'
caught 'data (floor 3) may not include from comm (floor 3)' harness/data/zz.c '  #  include "../comm/comm.h"'
caught 'model (floor 3) may not include from plan (floor 4)' harness/model/zz.c '#include "plan/plan.h"'
caught 'plan (floor 4) may not include from measure' harness/plan/zz.c '#include "harness/measure/samples.h"'
caught 'measure (floor 4) may not include from train' harness/measure/zz.c '#include "train/train.h"'
caught 'machine (floor 5) may not include from parallel' harness/machine/zz.c '#include "parallel/step.h"'
caught 'report (floor 9) may not include from cli' harness/report/zz.c '#include "cli/cli.h"'
caught 'kernels (floor 0) may not include from base' kernels/zz.c '#include "harness/base/error.h"'
caught 'kernels (floor 0) may not include from base' kernels/gemm/zz.c '#include "../../harness/base/error.h"'
caught 'may not include from tests/' harness/cli/zz.c '#include "tests/unit/zz.h"'
caught 'has no floor' harness/attic/zz.c ''
caught 'mpi.h may be included in harness/comm/ only' harness/train/zz.c '#include <mpi.h>'
caught 'mpi.h may be included in harness/comm/ only' tests/unit/zz.c '#include <mpi.h>'
caught 'numa.h may be included in harness/base/ only' harness/comm/zz.c '#include <numa.h>'
caught 'hwloc.h may be included in harness/base/ only' harness/measure/zz.c '#include "hwloc.h"'
caught 'cblas.h may be included in kernels/ only' harness/base/zz.c '#include <cblas.h>'
caught 'benchmark/benchmark.h may be included in tests/bench/ only' tests/unit/zz.cc '#include <benchmark/benchmark.h>'
caught 'names its file' harness/train/zz.c '#include HEADER'
for call in malloc calloc realloc free fopen printf; do
    caught "kernels/ never allocates and does no I/O: $call" kernels/zz.c "void f(void) { (void)$call(0); }"
done
caught 'an inline function in a header is static' harness/base/error.h 'inline int zz(void) { return 1; }'
caught 'main.c stays under 60 lines' harness/commands/main.c "$(printf '\\n%.0s' $(seq 60))"

ok harness/train/zz.c '#include "plan/plan.h"\n#include "kernels.h"\n#include <stdio.h>\n#include "zz_local.h"'
ok harness/comm/zz.c '#include <mpi.h>\n#include "base/error.h"\n#include "comm/comm.h"'
ok kernels/zz.c '/* malloc( and\n#include "base/error.h"\n printf( */ const char *s = "free("; // realloc(\nint xfree(int);'
ok harness/base/zz.h 'static inline int zz(void) { return 1; }\nstatic\ninline int zy(void) { return 1; }'

# Two files with cblas.h are one too many, whichever they are.
echo '#include <cblas.h>' >"$work/tree/kernels/zz_one.c"
caught 'one file only' kernels/zz_two.c '#include <cblas.h>'

for i in {1..30}; do : >"$work/tree/harness/check/zz_$i.h"; done
out=$(bash "$work/tree/scripts/floors.sh" 2>&1) && fail 'a room of more than 30 files is accepted'
grep -q '^harness/check:1: a room holds at most' <<<"$out" || fail "a crowded room: $out"
exit $bad
