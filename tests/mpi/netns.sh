#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tests/mpi/netns.sh RANKS COMMAND...: runs COMMAND in RANKS ranks on two hosts, and exits as it does.
# The hosts are two network namespaces of this machine with names of their own, joined by a cable (veth): ranks of
# one share memory, ranks of two speak TCP. MAP=node deals ranks out in turn, the default MAP=slot fills host by host.
# Needs root, iproute2 and Open MPI; where they lack it prints "SKIP: two hosts: why" and exits 77.
set -euo pipefail

# inside HOST COMMAND...: COMMAND in that host's namespace, under its name
inside() {
    local host=$1
    shift
    # shellcheck disable=SC2016 # the inner shell expands them
    exec ip netns exec "$host" unshare --uts sh -c 'hostname "$0" && exec "$@"' "$host" "$@"
}

# As mpirun's remote shell: agent HOST WORDS...
if [ "${1-}" = --agent ]; then
    host=$2
    shift 2
    inside "$host" sh -c "$*"
fi

skip() {
    echo "SKIP: two hosts: $*"
    exit 77
}

[ $# -ge 2 ] || { sed -n '3,6s/^# //p' "$0" && exit 2; }
ranks=$1
shift
[ "$(id -u)" = 0 ] || skip 'only root makes network namespaces'
command -v ip >/dev/null || skip 'ip (iproute2) is not installed'
grep -q 'Open MPI' <<<"$(mpirun --version 2>/dev/null)" || skip 'mpirun is not Open MPI'

a=toise-$$-a b=toise-$$-b
cleanup() {
    ip netns del "$a" 2>/dev/null || :
    ip netns del "$b" 2>/dev/null || :
}
trap cleanup EXIT
trap 'exit 130' INT TERM
{ ip netns add "$a" && ip netns add "$b" && unshare --uts true; } 2>/dev/null || skip 'no network namespaces here'
ip -n "$a" link add eth0 type veth peer name eth0 netns "$b" 2>/dev/null || skip 'no virtual cables (veth) here'
ip -n "$a" address add 10.77.0.1/24 dev eth0
ip -n "$b" address add 10.77.0.2/24 dev eth0
for host in "$a" "$b"; do
    ip -n "$host" link set lo up
    ip -n "$host" link set eth0 up
done

slots=$(((ranks + 1) / 2))
# Each host would think the cores its own: so ranks are told to yield.
# Not exec: the shell stays to clean up. mpirun reaches the other host through this script.
(inside "$a" mpirun --allow-run-as-root --oversubscribe --bind-to none -n "$ranks" \
    -H "$a:$slots,$b:$slots" --map-by "${MAP:-slot}" \
    --mca plm_rsh_agent "$(realpath "$0") --agent" --mca oob_tcp_if_include eth0 \
    --mca mpi_yield_when_idle 1 --mca pml ob1 --mca btl tcp,vader,self --mca btl_tcp_if_include eth0 "$@")
