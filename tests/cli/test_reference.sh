#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The table of results/README.md is what scripts/reference.sh writes from results/reference/; a changed record is noticed.
. "$(dirname "$0")/../prelude.sh"
call bash scripts/reference.sh --check "$BUILD"
[ "$code" = 0 ] || fail "$(cat "$work/out" "$work/err")"

mkdir "$work/tree"
cp -r results scripts "$work/tree/"
mkdir "$work/tree/build"
ln -s "$toise" "$work/tree/build/toise"
cd "$work/tree"
sed -i 's/"tokens_per_s_per_node":[0-9]/&9/' results/reference/amd-epyc-zen5-2-cores.jsonl
call bash scripts/reference.sh --check
[ "$code" = 1 ] || fail "a changed record was not noticed: exit $code"
call bash scripts/reference.sh
call bash scripts/reference.sh --check
[ "$code" = 0 ] || fail "its own table is not up to date: $(cat "$work/out")"
[ -z "$(find results -name '.reference*')" ] || fail 'scratch files were left'
sed -i '/reference.sh: end/d' results/README.md
call bash scripts/reference.sh
[ "$code" = 2 ] || fail "a missing mark: exit $code"
exit $bad
