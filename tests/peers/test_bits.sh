#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 600
# Every variant of list.h gives the same bits on its instruction set and emulated in plain C, if this CPU has the set.
# So the emulation can replace the set in tests on CPUs that lack it.
. "$(dirname "$0")/../prelude.sh"

unset MAKEFLAGS MFLAGS
make --no-print-directory -j"$(nproc)" BUILD="$BUILD-emulated" EMULATE=1 HARNESS_FROM="$BUILD" \
    "$BUILD-emulated/tests/peers/bits" >"$work/make" 2>&1 || { cat "$work/make"; exit 1; }

"$BUILD/tests/peers/bits" >"$work/native" 2>/dev/null
"$BUILD-emulated/tests/peers/bits" >"$work/emulated" 2>/dev/null
for set in $("$BUILD-emulated/tests/peers/bits" sets); do
    [ "$set" != ref ] || continue
    if ! "$BUILD/tests/peers/bits" sets | grep -qx "$set"; then
        echo "SKIP: bits of $set: this CPU or build lacks it, so that there is nothing to compare with"
        continue
    fi
    for tree in native emulated; do grep "^[a-z0-9_]* $set " "$work/$tree" >"$work/$tree.$set" || true; done
    calls=$(wc -l <"$work/emulated.$set")
    [ "$calls" -gt 100 ] || fail "$set: only $calls calls"
    echo "$set: $calls calls"
    diff "$work/native.$set" "$work/emulated.$set" >"$work/diff" || { head -n 20 "$work/diff"; bad=1; }
done
exit $bad
