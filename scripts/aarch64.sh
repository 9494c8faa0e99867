#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/aarch64.sh BUILD TARGET...             builds targets of the Makefile for 64-bit Arm, in the folder BUILD
# scripts/aarch64.sh --run BUILD PROGRAM [ARG...]  runs one of them on an emulated Arm CPU
# Needs aarch64-linux-gnu-gcc, qemu-aarch64 and apt-get. The libraries are Debian's packages for Arm, unpacked into
# BUILD-sysroot; nothing is installed. Exits 77 with a line "SKIP: ..." if something is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

packages='libc6-dev libgomp1 libcmocka-dev libopenblas-pthread-dev libnuma-dev libhwloc-dev libjansson-dev libopenmpi-dev'
skip() { echo "SKIP: $1"; exit 77; }
need() { command -v "$1" >/dev/null || skip "$2: $1 is not installed"; }

# With lists and a status of its own apt resolves for Arm alone, and changes nothing of this system.
apt() {
    apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Dir::State="$1/state" \
        -o Dir::State::status="$1/status" -o Dir::Cache="$1/cache" -o APT::Sandbox::User="$(id -un)" \
        -o Debug::NoLocking=1 "${@:2}" </dev/null
}
# The sysroot, complete or not at all.
sysroot() {
    local work=$1.part package
    [ ! -d "$1" ] || return 0
    rm -rf "$work"
    mkdir -p "$work/apt/state/lists/partial" "$work/apt/cache/archives/partial"
    : >"$work/apt/status"
    # shellcheck disable=SC2086 # a list of words
    if ! { apt "$work/apt" update && apt "$work/apt" -y --no-install-recommends --download-only install $packages; } \
        >"$work/log" 2>&1; then
        skip "libraries for Arm: apt-get cannot get them: $(grep -m 1 '^E:' "$work/log" || tail -n 1 "$work/log")"
    fi
    for package in "$work"/apt/cache/archives/{lib,linux-libc-dev,zlib,openmpi-common}*.deb; do
        dpkg-deb -x "$package" "$work/root"
    done
    rm -rf "$work/apt"
    mv "$work/root" "$1" && rm -rf "$work"
}

if [ "${1-}" = --run ]; then
    need qemu-aarch64 'an emulated Arm CPU'
    root=$2-sysroot at=$2-sysroot/usr/lib/aarch64-linux-gnu
    exec qemu-aarch64 -L "$root" -E "LD_LIBRARY_PATH=$at:$at/openblas-pthread:$root/lib/aarch64-linux-gnu" "${@:3}"
fi
[ $# -ge 2 ] || { sed -n '3,4s/^# //p' "$0" >&2; exit 2; }
need aarch64-linux-gnu-gcc 'a build for Arm'
need apt-get 'libraries for Arm'
build=$(realpath -m "$1") root=$build-sysroot at=$build-sysroot/usr/lib/aarch64-linux-gnu
sysroot "$root"
# The names of what pkg-config and mpicc would say. LOOK: no search for the libraries of this system.
exec make --no-print-directory BUILD="$build" CC="aarch64-linux-gnu-gcc --sysroot=$root" CFLAGS="${CFLAGS--O2}" \
    LIBS_C="-isystem $root/usr/include/aarch64-linux-gnu/openblas-pthread" LOOK=true \
    LIBS_L="-L$at/openblas-pthread -Wl,-rpath-link,$at -lhwloc -ljansson -lopenblas -lnuma -ldl -lm" \
    MPI_C="-isystem $at/openmpi/include" MPI_L="-L$at/openmpi/lib -lmpi" "${@:2}"
