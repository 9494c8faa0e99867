#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/deps.sh [--check|--print|--try] [build|bench|test|all|full]
# Compiles small programs to find what is missing for the build (default), make bench-kernels, the tests, or everything
# that make check can use, or check-full. Installs it with apt, as root or by passwordless sudo. Otherwise prints what to
# install, by distribution and by module, and exits 2. Silent if nothing is missing. --check: prints one line, installs
# nothing. --print: all packages, missing or not. --try: installs if it can, exits 0. Honours CC, CXX, MPICC, DEPS_PREFIX.
set -euo pipefail
cd "$(dirname "$0")/.."

# need   | groups     | Debian, Ubuntu            | RHEL, Rocky, Fedora   | openSUSE, SLE              | Spack
TABLE='
compiler | build      | gcc libc6-dev             | gcc                   | gcc                        | gcc
mpi      | build      | libopenmpi-dev            | openmpi-devel         | openmpi4-devel             | openmpi
openblas | build      | libopenblas-dev           | openblas-devel        | libopenblas_pthreads-devel | openblas
numa     | build      | libnuma-dev               | numactl-devel         | libnuma-devel              | numactl
hwloc    | build      | libhwloc-dev              | hwloc-devel           | hwloc-devel                | hwloc
jansson  | build      | libjansson-dev            | jansson-devel         | libjansson-devel           | jansson
pkg-config | build    | pkg-config                | pkgconf-pkg-config    | pkg-config                 | pkgconf
c++      | bench      | g++                       | gcc-c++               | gcc-c++                    | gcc
benchmark| bench      | libbenchmark-dev          | google-benchmark-devel| benchmark-devel            | benchmark
mpirun   | test       | openmpi-bin               | openmpi               | openmpi4                   | openmpi
cmocka   | test       | libcmocka-dev             | libcmocka-devel       | libcmocka-devel            | cmocka
jsonschema | test     | python3-jsonschema        | python3-jsonschema    | python3-jsonschema         | py-jsonschema
shellcheck | extra    | shellcheck                | ShellCheck            | ShellCheck                 | -
slurm    | extra      | slurm-wlm                 | slurm-slurmctld slurm-slurmd | slurm slurm-node    | slurm
munge    | extra      | munge                     | munge                 | munge                      | munge
aarch64  | extra      | gcc-aarch64-linux-gnu libc6-dev-arm64-cross | gcc-aarch64-linux-gnu | cross-aarch64-gcc12        | -
compare  | extra      | libbenchmark-tools python3-scipy | -              | -                          | -
ip       | extra      | iproute2                  | iproute iproute-tc    | iproute2                   | iproute2
nsenter  | extra      | util-linux                | util-linux            | util-linux                 | util-linux
gnuplot  | extra      | gnuplot-nox               | gnuplot               | gnuplot                    | gnuplot
mpich    | full       | libmpich-dev mpich        | mpich-devel           | mpich-devel                | mpich
qemu-x86_64 | full    | qemu-user                 | qemu-user             | qemu-linux-user            | qemu
qemu-aarch64 | full   | qemu-user                 | qemu-user             | qemu-linux-user            | qemu
browser  | full       | chromium                  | chromium              | chromium                   | -
clang-format | extra  | clang-format              | clang-tools-extra     | clang-tools                | llvm
'
CC=${CC:-cc} CXX=${CXX:-c++} MPICC=${MPICC:-mpicc}

mode=install group=build
for arg in "$@"; do
    case $arg in
    --check | --print | --try) mode=${arg#--} ;;
    build | bench | test | all | full) group=$arg ;;
    *) sed -n '3,7s/^# //p' "$0" >&2; exit 2 ;;
    esac
done
case $group in
build) groups='build' ;;
bench | test) groups="build $group" ;;
all) groups='build bench test extra' ;;
full) groups='build bench test extra full' ;;
esac

# column N NEED: the cell of the table, without padding.
rows() { sed 's/ *| */|/g; s/ *$//; /|/!d' <<<"$TABLE"; }
column() { rows | awk -F'|' -v n="$1" -v need="$2" '$1 == need { print $n }'; }
needs_of() { rows | awk -F'|' -v groups=" $1 " 'index(groups, " " $2 " ") { print $1 }'; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
have() { command -v "$1" >/dev/null 2>&1; }
# links COMPILER LANGUAGE PROGRAM [FLAGS]: whether the program compiles and links with the Makefile's flags and these.
links() {
    local compiler=$1 language=$2 program=$3
    shift 3
    # shellcheck disable=SC2086  # a compiler may come with flags, as in CC="ccache gcc"
    printf '%b\n' "$program" | $compiler -x "$language" - -o "$scratch/a.out" "$@" 2>/dev/null
}
# What each library's program includes and calls.
declare -A INCLUDE=([mpi]=mpi.h [openblas]=cblas.h [numa]=numa.h [hwloc]=hwloc.h [jansson]=jansson.h)
declare -A CALL=([mpi]='MPI_Finalize();' [openblas]='openblas_get_config(); cblas_sscal(0, 0, 0, 1);'
    [numa]='numa_available();' [hwloc]='hwloc_get_api_version();' [jansson]='json_object();')
library() { # library NEED...: all in one program
    local need headers='' calls=''
    for need in "$@"; do headers+="#include <${INCLUDE[$need]}>\n" calls+="${CALL[$need]} "; done
    links "$CC" c "${headers}int main(void) { $calls return 0; }" -fopenmp "${flags[@]}"
}

present() {
    case $1 in
    compiler) links "$CC" c 'int main(void) {\n#pragma omp parallel\n{} return 0; }' -fopenmp ;;
    mpi | openblas | numa | hwloc | jansson) library "$1" ;;
    pkg-config) have pkg-config || library openblas hwloc jansson ;; # only a way to find the others
    c++) links "$CXX" c++ 'int main() { return 0; }' ;;
    benchmark)
        links "$CXX" c++ '#include <benchmark/benchmark.h>\nBENCHMARK_MAIN();' "${flags[@]}" -lbenchmark -lpthread
        ;;
    cmocka)
        links "$CC" c "$(printf '#include <%s.h>\\n' stdarg stddef stdint setjmp cmocka)int main(void) { fail(); }" \
            "${flags[@]}" -lcmocka
        ;;
    mpirun) have "${MPIRUN:-mpirun}" ;;
    jsonschema) /usr/bin/python3 -c 'import jsonschema' 2>/dev/null || python3 -c 'import jsonschema' 2>/dev/null ;;
    slurm) have slurmctld && have slurmd && have sbatch ;;
    mpich) have mpicc.mpich && have mpirun.mpich ;;
    browser) have chromium || have chromium-browser || have google-chrome ;;
    munge) have munged || [ -x /usr/sbin/munged ] ;;
    compare) [ -e /usr/share/benchmark/compare.py ] && /usr/bin/python3 -c 'import scipy' 2>/dev/null ;;
    aarch64) links aarch64-linux-gnu-gcc c '#include <stdlib.h>\nint main(void) { return 0; }' -fopenmp ;;
    ip) have ip && have tc ;;
    nsenter) have nsenter && have unshare ;;
    *) have "$1" ;;
    esac
}

# Sets the array `missing`. All libraries of the build are first tried in one program.
look() {
    local need libraries='mpi openblas numa hwloc jansson' together=no
    # The Makefile's include and link flags, read again because pkg-config may have more by now.
    read -ra flags <<<"$(MAKEFLAGS='' make -s --no-print-directory deps-flags DEPS_PREFIX="${DEPS_PREFIX:-}")"
    missing=()
    # shellcheck disable=SC2086
    library $libraries && together=yes
    for need in $(needs_of "$groups"); do
        case " $libraries compiler pkg-config " in
        *" $need "*) [ $together = yes ] && continue ;;
        esac
        present "$need" || missing+=("$need")
    done
}

packages() { # packages COLUMN NEED...
    local n=$1 need
    shift
    for need in "$@"; do column "$n" "$need"; done | tr ' ' '\n' | grep -vx -e '-' | sort -u | tr '\n' ' '
}

explain() {
    cat <<END
Install with your package manager:
  Debian, Ubuntu      apt-get install $(packages 3 "$@")
  RHEL, Rocky         dnf install $(packages 4 "$@")
                      (EPEL and CRB enabled; then: module load mpi/openmpi-x86_64)
  openSUSE, SLE       zypper install $(packages 5 "$@")
  Spack               spack install $(packages 6 "$@")
Without root on a cluster, the modules are usually named
  module load gcc openmpi openblas hwloc jansson numactl
and a private prefix that holds include/ and lib/ (a Spack view, conda, your own builds) is used with
  make DEPS_PREFIX=/path/to/prefix
Other compilers: make CC=... MPICC=...
END
}

apt_install() {
    local root=() try
    [ "$(id -u)" = 0 ] || root=(sudo -n)
    apt() {
        "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" \
            </dev/null >"$scratch/apt" 2>&1
    }
    apt install -y --no-install-recommends "$@" && return
    # The lists may be absent or stale. Another apt may hold their lock, which has no timeout.
    for try in 1 2 3 4 5 6; do apt update && break; sleep $((try * 5)); done
    apt install -y --no-install-recommends "$@" || { tail -n 20 "$scratch/apt" >&2; return 1; }
}

if [ "$mode" = print ]; then
    # shellcheck disable=SC2046
    explain $(needs_of "$groups")
    exit 0
fi
look
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$mode" = check ]; then
    echo "toise: missing for the build: ${missing[*]/#compiler/$CC}: run scripts/deps.sh $group, which installs them or says how" >&2
    exit 2
fi
if have apt-get && { [ "$(id -u)" = 0 ] || { have sudo && sudo -n true 2>/dev/null; }; }; then
    read -ra wanted <<<"$(packages 3 "${missing[@]}")"
    echo "deps: installing ${wanted[*]}"
    apt_install "${wanted[@]}" || echo "deps: apt-get failed, see above" >&2
    look
    [ ${#missing[@]} -gt 0 ] || exit 0
fi
[ "$mode" != try ] || exit 0
{ echo "toise: missing: ${missing[*]/#compiler/$CC}"; explain "${missing[@]}"; } >&2
exit 2
