#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/virtual-cluster.sh: nodes with names and /dev/shm of their own, ranks by PMIx, two clusters at once, a node that
# dies. Nothing is left, also of jobs that run, and after an `up` that failed.
. "$(dirname "$0")/../prelude.sh"
script=scripts/virtual-cluster.sh

answers 2 'up N ' "$script"
answers 2 'up N ' "$script" sideways
answers 2 'not a number of nodes' "$script" up two
answers 2 'unknown flag --cpus' "$script" up 2 --cpus 4
answers 2 'cannot read the file "/nowhere"' "$script" up 2 --conf /nowhere
answers 1 'nothing is up' "$script" status
answers 0 '' "$script" down
TOISE_CLUSTER=$work answers 2 'not a folder of this script' "$script" down

cluster 3 || exit $bad
TOISE_CLUSTER="$work/a b" answers 2 'no folder with blanks' "$script" up 2
answers 0 'node3 idle' "$script" status
answers 2 'is one up already' "$script" up 2
answers 0 '^node2$' "$script" in node2 hostname
answers 2 'no machine of this cluster; there are control node1 node2 node3' "$script" in node4 true
# shellcheck disable=SC2016 # the nodes expand it
[ "$(timeout 60 srun -N 3 -n 3 sh -c 'touch /dev/shm/mine && echo "$(hostname) $(ls /dev/shm | wc -l) $TMPDIR${TOISE_CLUSTER-}"' | sort | xargs)" = \
    "node1 1 $TOISE_CLUSTER/tmp/node1 node2 1 $TOISE_CLUSTER/tmp/node2 node3 1 $TOISE_CLUSTER/tmp/node3" ] ||
    fail 'nodes do not have a name, /dev/shm and TMPDIR of their own'

# MPI between the nodes
OMP_NUM_THREADS=1 answers 0 '' timeout 60 srun --mpi=pmix -N 3 -n 3 "$BUILD/tests/mpi/test_comm" nodes 3

# a second cluster with another option, whose jobs are its own
echo 'KillWait=7' >"$work/more.conf"
(
    export TOISE_CLUSTER=$work/second
    answers 0 "export TOISE_CLUSTER=$work/second" "$script" up 1 --conf "$work/more.conf"
    eval "$(cat "$work/out")"
    answers 0 'KillWait *= 7 sec' scontrol show config
    [ "$(timeout 60 srun hostname)" = node1 ] || fail 'the second cluster runs no job'
    answers 0 '' "$script" down
    exit $bad
) || bad=1

# a job that runs while its node dies, and others while all ends
sbatch -w node3 --output=/dev/null --wrap 'sleep 1000' >/dev/null
sbatch -w node1 --output=/dev/null --wrap 'srun sleep 1000' >/dev/null
for _ in $(seq 100); do [ "$(squeue -h -t running | wc -l)" != 2 ] || break && sleep 0.1; done
srun -w node2 sleep 1000 2>/dev/null &
client=$!
for _ in $(seq 100); do [ "$(squeue -h -t running | wc -l)" != 3 ] || break && sleep 0.1; done
answers 0 '' "$script" kill node3
answers 2 'is gone' "$script" in node3 true
answers 0 '' "$script" down
[ ! -e "$work/cluster" ] || fail 'down left its folder'
for _ in $(seq 100); do kill -0 $client 2>/dev/null || break && sleep 0.1; done
! kill $client 2>/dev/null || fail 'a command waits for its job after down'
[ -z "$(alive)" ] || fail "down left processes: $(alive)"

# a Slurm that cannot start says why, and leaves nothing
echo 'NoSuchOption=1' >"$work/wrong.conf"
answers 1 'did not come up|NoSuchOption' "$script" up 1 --conf "$work/wrong.conf"
[ ! -e "$work/cluster" ] || fail 'a failed up left its folder'
! grep -lsE "$work/[c]luster" /proc/[0-9]*/cmdline || fail 'a failed up left processes'
exit $bad
