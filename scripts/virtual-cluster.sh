#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A real Slurm on this machine: munged, slurmctld and N slurmd, each node with a name, a port, a spool folder, processes
# and /dev/shm of its own. Leaves /etc/slurm, the munge key and the daemons of this machine alone.
#   up N [--conf FILE]   makes node1 to nodeN, each with all CPUs of this machine; FILE: more lines for slurm.conf
#                        and topology.conf (those with SwitchName).
#                        Prints what the shell needs: eval "$(scripts/virtual-cluster.sh up 2)"
#   status               what sinfo says; exit 1: there is none
#   in NODE COMMAND...   COMMAND on a node, or on "control", where slurmctld and munged run
#   kill NODE            the node is gone at once, with all its processes
#   down                 ends it, with all its jobs
# TOISE_CLUSTER is the folder of the cluster, so several may be up. Needs root, Slurm and munge. Where they lack, or the
# kernel has no namespaces, it prints "SKIP: slurm: why" and exits 77.
set -euo pipefail
. "$(dirname "$(realpath "$0")")/namespaces.sh"

chosen=${TOISE_CLUSTER-}
dir=$(realpath -m "${TOISE_CLUSTER:-${XDG_RUNTIME_DIR:-/tmp}/toise-cluster-$(id -u)}")
export TOISE_CLUSTER=$dir SLURM_CONF=$dir/slurm.conf
PATH=$PATH:/usr/sbin:/sbin

usage() {
    sed -n '5,11s/^# //p' "$0" >&2
    exit 2
}
refuse() {
    echo "virtual-cluster.sh: $*" >&2
    exit 2
}

missing() { # prints why there can be none here, or nothing
    local name why
    why=$(space_missing)
    for name in slurmctld slurmd sbatch srun munged; do
        [ -n "$why" ] || command -v "$name" >/dev/null || why="$name is not installed"
    done
    [ -z "$why" ] || echo "$why"
}

# free_ports COUNT: the first of so many in a row that nothing uses. Below those that Linux gives out itself.
free_ports() {
    local first
    while :; do
        first=$((20000 + (RANDOM * 32768 + RANDOM) % (12000 - $1)))
        # Without IPv6 there is no tcp6, and some awk would fail.
        { cat /proc/net/tcp /proc/net/tcp6 2>/dev/null || :; } | awk -v first="$first" -v count="$1" '
            $2 ~ /^[0-9A-F]+:[0-9A-F]+$/ {
                hexadecimal = substr($2, length($2) - 3)
                port = 0
                for (i = 1; i <= 4; i++) port = port * 16 + index("123456789ABCDEF", substr(hexadecimal, i, 1))
                if (port >= first && port < first + count) used = 1
            }
            END { exit used }' && break
    done
    echo "$first"
}

configure() { # configure N PORT CONF: writes slurm.conf and what it names
    local n=$1 port=$2 conf=$3 i
    mkdir "$dir/state" "$dir/spool" "$dir/munge"
    head -c 128 /dev/urandom >"$dir/munge/key"
    chmod 600 "$dir/munge/key"
    # Open MPI names its folders by host and process number, which two clusters may share.
    # Records say nothing of this script's variables.
    # shellcheck disable=SC2016 # the prolog expands it
    printf '#!/bin/sh\necho "export TMPDIR=%s/tmp/$SLURMD_NODENAME"\necho "unset TOISE_CLUSTER"\necho "unset TOISE_HOSTS"\n' \
        "$dir" >"$dir/prolog"
    chmod 755 "$dir/prolog"
    cat >"$SLURM_CONF" <<END
ClusterName=toise-test
SlurmctldHost=control(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool/%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd-%n.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd-%n.log
TmpFS=$dir/tmp/%n
TaskProlog=$dir/prolog
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
SchedulerParameters=sched_interval=1,batch_sched_delay=0
END
    for ((i = 1; i <= n; i++)); do
        echo "NodeName=node$i NodeAddr=127.0.0.1 Port=$((port + i)) CPUs=$(getconf _NPROCESSORS_ONLN) State=UNKNOWN"
    done >>"$SLURM_CONF"
    echo 'PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP' >>"$SLURM_CONF"
    [ -n "$conf" ] || return 0
    grep -v '^SwitchName=' "$conf" >>"$SLURM_CONF" || :
    grep '^SwitchName=' "$conf" >"$dir/topology.conf" || rm "$dir/topology.conf"
}

start() { # start N: the daemons; 1: some node is not idle in time
    local n=$1 i
    # shellcheck disable=SC2016 # the inner shell expands it
    space_open "$dir" control -- sh -c 'munged --foreground --force --key-file="$0/munge/key" \
        --socket="$0/munge/socket" --pid-file="$0/munge/pid" --seed-file="$0/munge/seed" &
        exec slurmctld -D -c -f "$0/slurm.conf"' "$dir"
    for ((i = 1; i <= n; i++)); do space_open "$dir" "node$i" -- slurmd -D -N "node$i" -f "$SLURM_CONF"; done
    SECONDS=0
    while [ $SECONDS -lt 60 ] && ! compgen -G "$dir/*.ended" >/dev/null; do
        [ "$(timeout 5 sinfo -h -t idle -o %D 2>/dev/null)" != "$n" ] || return 0
        sleep 0.2
    done
    echo "virtual-cluster.sh: the $n nodes did not come up:"
    tail -n 20 "$dir"/*.log
    return 1
}

up() {
    local n=${1-} conf='' why
    [[ $n =~ ^[1-9][0-9]{0,2}$ ]] || refuse "up: \"$n\" is not a number of nodes; take 1 to 999"
    shift
    if [ $# -gt 0 ]; then
        [ "$1" = --conf ] || refuse "up: unknown flag $1; there is --conf"
        conf=${2-}
        [ $# = 2 ] && [ -f "$conf" ] && [ -r "$conf" ] || refuse "--conf: cannot read the file \"$conf\""
    fi
    why=$(missing)
    [ -z "$why" ] || { echo "SKIP: slurm: $why" && exit 77; }
    space_folder "$dir"
    trap 'space_close "$dir"' EXIT
    trap 'exit 130' INT TERM
    configure "$n" "$(free_ports $((n + 1)))" "$conf"
    start "$n" >&2
    trap - EXIT INT TERM
    echo "export SLURM_CONF=$SLURM_CONF"
    [ -z "$chosen" ] || echo "export TOISE_CLUSTER=$dir"
    echo "# $n nodes are idle. End them: scripts/virtual-cluster.sh down"
}

# Else commands such as srun, which are not on the cluster's machines, would wait for their jobs for ever.
stop_jobs() {
    local i
    [ -n "$(timeout 5 squeue -h 2>/dev/null)" ] && timeout 5 scancel -u "$(id -un)" 2>/dev/null || return 0
    for ((i = 0; i < 20; i++)); do
        [ -n "$(timeout 5 squeue -h 2>/dev/null)" ] || return 0
        sleep 0.1
    done
}

machine_named() { # machine_named NAME: exits 2 if there is none
    [ -e "$dir/${1:-?}.space" ] ||
        refuse "\"${1-}\" is no machine of this cluster; there are $(cd "$dir" && echo *.space | sed 's/\.space//g')"
}

[ $# -ge 1 ] || usage
verb=$1
shift
case $verb in
up)
    up "$@"
    exit
    ;;
down) [ -e "$dir" ] || exit 0 ;;
status | in | kill) ;;
*) usage ;;
esac
space_known "$dir"
case $verb in
down)
    stop_jobs
    space_close "$dir"
    ;;
status)
    timeout 20 sinfo -N -o '%N %t %c %E' || { echo 'virtual-cluster.sh: slurmctld does not answer' >&2 && exit 1; }
    ;;
kill)
    machine_named "${1-}"
    space_kill "$dir" "$1"
    ;;
in)
    machine_named "${1-}"
    [ $# -gt 1 ] || usage
    space_enter "$dir" "$@"
    ;;
esac
