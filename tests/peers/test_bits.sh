#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 600
# Every variant of list.h gives the same bits on its instruction set and emulated in plain C, wherever this CPU has the
# set. That is what proves the emulation, which stands for the set on CPUs that lack it.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(cd "${BUILD:-build}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset MAKEFLAGS MFLAGS
make --no-print-directory -j"$(nproc)" BUILD="$build-emulated" EMULATE=1 HARNESS_FROM="$build" \
    "$build-emulated/tests/peers/bits" >"$work/make" 2>&1 || { cat "$work/make"; exit 1; }

"$build/tests/peers/bits" >"$work/native" 2>/dev/null
"$build-emulated/tests/peers/bits" >"$work/emulated" 2>/dev/null
bad=0
for set in $("$build-emulated/tests/peers/bits" sets); do
    [ "$set" != ref ] || continue
    if ! "$build/tests/peers/bits" sets | grep -qx "$set"; then
        echo "SKIP: bits of $set: this CPU or build lacks it, so that there is nothing to compare with"
        continue
    fi
    for tree in native emulated; do grep "^[a-z0-9_]* $set " "$work/$tree" >"$work/$tree.$set" || true; done
    calls=$(wc -l <"$work/emulated.$set")
    [ "$calls" -gt 100 ] || { echo "$set: only $calls calls"; bad=1; }
    echo "$set: $calls calls"
    diff "$work/native.$set" "$work/emulated.$set" >"$work/diff" || { head -n 20 "$work/diff"; bad=1; }
done
exit $bad
