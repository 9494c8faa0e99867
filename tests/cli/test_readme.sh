#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check: timeout 600
# What README.md says can be typed: every block fenced as ```sh is run as it stands, in a copy of this tree (other
# fences are output). Commands that would take long are shortened from outside: in the copy build/toise plans (--dry-run)
# what is not about tiny-gpt2. Those that another test covers, or that reach outside, are named and left out.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -e README.md ] || { echo 'SKIP: README: there is none'; exit 77; }
BUILD=$(cd "${BUILD:-build}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

mkdir -p "$work/tree" "$work/home"
find . -mindepth 1 -maxdepth 1 ! -name .git ! -name 'build*' ! -name results -exec cp -a -t "$work/tree" {} +
mkdir "$work/tree/results"
cp -a results/*.md results/predict-* "$work/tree/results/" 2>/dev/null || true
cp -a "$BUILD" "$work/tree/build"
mv "$work/tree/build/toise" "$work/tree/build/toise.real"
cat >"$work/tree/build/toise" <<'END'
#!/bin/sh
real=$(dirname "$0")/toise.real
case "$*" in
*tiny-gpt2* | *--help* | *--version* | *--dry-run* | validate* | project* | predict* | curve* | programme*) exec "$real" "$@" ;;
*) exec "$real" "$@" --dry-run ;;
esac
END
chmod +x "$work/tree/build/toise"

# Who covers a command that is not run here; nothing for those that are.
covered() {
    case $1 in
    'make check'* | .ci/run* | 'bash .ci/run'*) echo 'this run' ;;
    'make bench'*) echo 'tests/cli/test_bench.sh' ;;
    'build/toise curve'*) echo 'tests/cli/test_curve.sh' ;;
    scripts/roofline.sh*) echo 'tests/cli/test_kernels.sh' ;;
    'mpirun '*' comm'*) echo 'tests/cli/test_comm.sh' ;;
    scripts/predict.sh*) echo 'tests/cli/test_predict.sh, as far as it takes minutes' ;;
    sbatch*) echo 'tests/slurm/test_train.sh' ;;
    sudo* | 'git clone'* | 'cd toise'* | 'module load'* | apt* | scripts/deps.sh*) echo 'nobody: it reaches outside the tree' ;;
    esac
}

# block NUMBER LINE: runs the script $work/block, found at LINE of README.md
block() {
    local number=$1 at=$2 line by code=0
    : >"$work/script"
    while IFS= read -r line; do
        by=$(covered "$line")
        if [ -n "$by" ]; then echo "README.md:$at: not run: $line (covered by $by)"; else echo "$line" >>"$work/script"; fi
    done <"$work/block"
    (
        cd "$work/tree"
        export HOME=$work/home OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
        unset MAKEFLAGS MFLAGS BUILD
        timeout -k 5 120 bash -euo pipefail "$work/script"
    ) >"$work/out" 2>&1 </dev/null || code=$?
    if [ $code != 0 ]; then
        echo "README.md:$at: block $number: exit $code:"
        sed 's/^/  $ /' "$work/script"
        tail -n 20 "$work/out"
        bad=1
    fi
}

number=0 inside=no n=0
while IFS= read -r line; do
    n=$((n + 1))
    case $inside$line in
    no'```sh') inside=sh at=$n && : >"$work/block" ;;
    no'```'*) inside=other ;;
    sh'```' | other'```')
        if [ $inside = sh ]; then number=$((number + 1)) && block "$number" "$at"; fi
        inside=no
        ;;
    sh*) echo "$line" >>"$work/block" ;;
    esac
done <README.md
[ "$number" -gt 0 ] || { echo 'README.md has no ```sh block'; bad=1; }
echo "$number blocks run"

# Links to files of this tree lead somewhere.
while IFS= read -r link; do
    [ -e "${link%%#*}" ] || { echo "README.md links to $link, which is not there"; bad=1; }
done < <(grep -o '](\([^)]*\))' README.md | sed 's/^](//; s/)$//' | grep -v -e '^[a-z]*:' -e '^#')
exit $bad
