#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Both a rank that ends the job and a call that MPI refuses end all ranks with exit code 4; the call is named.
# (mpirun passes MPI_Abort's code on. It reports a rank killed by a signal as 128 + the signal.)
. "$(dirname "$0")/../prelude.sh"
. scripts/mpi.sh
program=$BUILD/tests/mpi/test_comm

# ends WORD PATTERN: test_comm WORD on 3 ranks exits 4 and prints PATTERN. Open MPI sometimes loses the last output of
# a dying job ("Data unpack would read past end of buffer"), but never its code. So the pattern may need a few tries.
ends() {
    local code said='' try
    for try in 1 2 3 4 5 6 7 8; do
        code=0
        said=$(mpi_launch 3 "$program" "$1" 2>&1 </dev/null) || code=$?
        [ $code = 4 ] || fail "test_comm $1, try $try: exit code $code instead of 4"
        if grep -q "$2" <<<"$said"; then return; fi
    done
    echo "test_comm $1: \"$2\" is not in: $said"
    bad=1
}

ends abort 'errorcode 4\|exit\|abort'
ends error '^toise: MPI_Allgather failed on rank [0-2], host .*: '
exit $bad
