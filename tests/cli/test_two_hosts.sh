#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The communication tests on two hosts (scripts/netns-hosts.sh). Nodes are told apart, and the ring goes node by node
# however ranks are placed. An aborted job ends on both.
. "$(dirname "$0")/../prelude.sh"
tests=$BUILD/tests/mpi
export OMP_NUM_THREADS=1
hosts 2 || exit

MAP=slot scripts/netns-hosts.sh run 4 "$tests/test_comm" nodes 2
MAP=node scripts/netns-hosts.sh run 3 "$tests/test_comm" nodes 2
MAP=node scripts/netns-hosts.sh run 4 "$tests/test_buckets"
MAP=slot scripts/netns-hosts.sh run 4 "$tests/test_split"
MAP=node scripts/netns-hosts.sh run 3 "$tests/test_split"
MAP=node scripts/netns-hosts.sh run 4 "$tests/test_messages"
MAP=node scripts/netns-hosts.sh run 4 "$tests/test_collectives"
code=0
scripts/netns-hosts.sh run 4 "$tests/test_comm" abort >/dev/null 2>&1 || code=$?
[ $code = 4 ] || { echo "an ended job on two hosts: exit code $code instead of 4" && exit 1; }
