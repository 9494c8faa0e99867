#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 900
# A folder built on one machine runs on another CPU, in another place, without a network and without a home folder:
# outside the files of an instruction set no object has its instructions. With CHECK_FULL it also runs on emulated CPUs,
# and the build itself has no network.
. "$(dirname "$0")/../prelude.sh"
few=(--model tiny-gpt2 --seq 32 --gbs 4 --steps 2 --warmup 1 --threads 1)
passes() { # passes NAME COMMAND...: exit 0, or 3, which time decides
    local name=$1
    shift
    call "$@"
    case $code in 0 | 3) ;; *) fail "$name: exit $code: $(tail -n 3 "$work/out" "$work/err")" ;; esac
}

# Every x86-64 has SSE2; VEX and EVEX instructions start with v. The compiler's own flags may ask for more.
case "$(uname -m) ${CFLAGS-}" in
x86_64*-march* | x86_64*-mavx*) echo 'SKIP: instructions of the base set: CFLAGS asks for more' ;;
x86_64*)
    mapfile -t objects < <(find "$BUILD/harness" "$BUILD/kernels" -name '*.o' ! -name '*_avx2.o' ! -name '*_avx512*.o')
    objdump -d --no-show-raw-insn "${objects[@]}" >"$work/code"
    awk -F'\t' '/file format/ { file = $0 } $2 ~ /^v[a-z0-9]+ / && $2 !~ /^(verr|verw|vm)/ { if (!seen[file]++) print file $2 }' \
        "$work/code" >"$work/found"
    [ ${#objects[@]} -gt 100 ] && [ ! -s "$work/found" ] || fail "instructions beyond x86-64: $(head -n 5 "$work/found")"
    ;;
*) echo 'SKIP: instructions of the base set: only known for x86-64' ;;
esac

# Elsewhere: the program and the catalogue, nothing else.
mkdir -p "$work/moved/build" "$work/moved/harness"
cp "$toise" "$work/moved/build/"
cp -r harness/catalog "$work/moved/harness/"
moved=$work/moved/build/toise
cd /
passes 'another place' env -u HOME "$moved" train "${few[@]}"
if unshare --net true 2>/dev/null; then
    passes 'no network' unshare --net env -u HOME "$moved" train "${few[@]}"
else
    echo 'SKIP: a run without a network: no network namespaces here'
fi
check_full 'emulated CPUs' || exit $bad

# CPUs without AVX, with AVX2 and no AVX-512. OpenBLAS and toise choose their kernels when they start.
limit=300
for row in 'Nehalem ref' 'Haswell avx2 --no-gate'; do # the gate would take minutes with emulated vectors
    read -r cpu isa gate <<<"$row"
    if [ "$(uname -m)" != x86_64 ] || ! command -v qemu-x86_64 >/dev/null; then
        echo "SKIP: an emulated $cpu: qemu-x86_64 is not installed, or this is no x86-64"
        continue
    fi
    passes "an emulated $cpu" qemu-x86_64 -cpu "$cpu" "$moved" train "${few[@]}" ${gate:+"$gate"} --json
    grep -q "\"isa\": *\"$isa\"" "$work/out" || fail "an emulated $cpu: not $isa: $(head -c 300 "$work/out")"
done

cd "$tree"
limit=600
if unshare --net true 2>/dev/null; then
    call env -u MAKEFLAGS -u MFLAGS unshare --net make BUILD="$work/built" -j2 all
    [ $code = 0 ] || fail "a build without a network: exit $code: $(tail -n 5 "$work/err")"
fi
exit $bad
