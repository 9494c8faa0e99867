#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The communication tests on two hosts (network namespaces). Nodes are told apart, and the ring goes node by node
# however ranks are placed. An aborted job ends on both.
. "$(dirname "$0")/../prelude.sh"
tests=$BUILD/tests/mpi
export OMP_NUM_THREADS=1

MAP=slot tests/mpi/netns.sh 4 "$tests/test_comm" nodes 2
MAP=node tests/mpi/netns.sh 3 "$tests/test_comm" nodes 2
MAP=node tests/mpi/netns.sh 4 "$tests/test_buckets"
MAP=slot tests/mpi/netns.sh 4 "$tests/test_split"
MAP=node tests/mpi/netns.sh 3 "$tests/test_split"
MAP=node tests/mpi/netns.sh 4 "$tests/test_messages"
MAP=node tests/mpi/netns.sh 4 "$tests/test_collectives"
code=0
tests/mpi/netns.sh 4 "$tests/test_comm" abort >/dev/null 2>&1 || code=$?
[ $code = 4 ] || { echo "an ended job on two hosts: exit code $code instead of 4" && exit 1; }
