#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: full
# check: timeout 600
# scripts/figures.sh prints every figure that does not depend on time, reproducibly, and no other.
. "$(dirname "$0")/../prelude.sh"

for i in 1 2; do scripts/figures.sh "$BUILD" >"$work/$i" || fail "figures.sh: exit $?"; done
cmp "$work/1" "$work/2" || fail "two runs differ: $(diff "$work/1" "$work/2" | head -n 5)"
for name in validate validate-fit parameters project-bloom project-bloom-search project-mixtral programme predict-two-ranks \
    plan-node-s train-tiny-llama-bf16 $(cd harness/catalog/curves && printf 'curve-%s\n' *.json | sed 's/\.json//'); do
    [ "$(grep -c "^$name " "$work/1")" -gt 10 ] || fail "no figures of $name"
done
! grep -qF "$PWD" "$work/1" || fail 'a path of this machine'
exit $bad
