#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tests/peers/arm.sh ARM EMULATED: on an emulated Arm CPU NEON gives the same bits as its emulation in plain C on this
# CPU, and a model trains with it and passes the gate. ARM: a build by scripts/aarch64.sh; EMULATED: one by make emulated.
# scripts/check.sh --full runs it.
. "$(dirname "$0")/../prelude.sh"
on_arm() { "$tree/scripts/aarch64.sh" --run "$1" "$1/$2" "${@:3}"; }

# Not rotary: of a c - b s either product may be the fused one, and compilers for x86 and for Arm choose differently.
digests() { grep '^[a-z0-9_]* neon ' | grep -v '^rotary '; }
on_arm "$1" tests/peers/bits 2>/dev/null | digests >"$work/arm" || fail 'on Arm: no digests'
"$2/tests/peers/bits" 2>/dev/null | digests >"$work/emulated" || fail 'emulated: no digests'
calls=$(wc -l <"$work/arm")
[ "$calls" -gt 1000 ] || fail "only $calls calls"
echo "neon: $calls calls"
diff "$work/arm" "$work/emulated" >"$work/diff" || { head -n 20 "$work/diff"; bad=1; }

for precision in fp32 bf16; do
    code=0
    on_arm "$1" toise train --model tiny-gpt2 --seq 16 --steps 2 --threads 2 --precision $precision --json \
        >"$work/out" 2>"$work/err" || code=$?
    case $code in 0 | 3) ;; *) fail "train $precision: exit $code: $(tail -n 3 "$work/err")" ;; esac # 3: time decides
    grep -q '"isa":"neon"' "$work/out" || fail "train $precision: not by neon: $(head -c 300 "$work/out")"
done
exit $bad
