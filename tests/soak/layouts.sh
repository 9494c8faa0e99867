#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make soak: healthy layouts raise no alarm. Draws LAYOUTS of them at random (default 1,000) over 1 to 16 ranks, and
# checks each as tests/mpi/support/layouts.h says. Takes about half an hour; SEED=N repeats the draws.
set -euo pipefail
cd "$(dirname "$0")/../.."
BUILD=$(realpath -m "${BUILD:-build}")
. scripts/mpi.sh
worlds=(1 2 3 4 6 8 12 16)
DRAWS=$(((${LAYOUTS:-1000} + ${#worlds[@]} - 1) / ${#worlds[@]}))
export DRAWS SEED="${SEED:-$(date +%s)}" OMP_NUM_THREADS=1
bad=0
for ranks in "${worlds[@]}"; do
    echo "== layouts of $ranks ranks"
    mpi_launch "$ranks" "$BUILD/tests/mpi/test_layouts_drawn" || bad=1
done
exit $bad
