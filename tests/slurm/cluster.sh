#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sourced: a real Slurm of two virtual nodes on this machine, with all its files in one temporary folder.
#   cluster_missing     prints why there can be none here, or nothing
#   cluster_start DIR   starts munged, slurmctld and two slurmd; sets SLURM_CONF for the Slurm commands
#   cluster_stop DIR    ends them
# Needs root (slurmd does). Leaves /etc/slurm, the munge key and the daemons of this machine alone.

cluster_missing() {
    local name
    PATH=$PATH:/usr/sbin:/sbin
    [ "$(id -u)" = 0 ] || { echo 'not root'; return; }
    for name in slurmctld slurmd sbatch srun munged; do
        command -v "$name" >/dev/null || { echo "$name is not installed"; return; }
    done
    unshare --uts --ipc --mount true 2>/dev/null || echo 'may not make namespaces for the virtual nodes'
}

cluster_start() {
    local dir=$1 host cpus port i
    host=$(hostname -s)
    cpus=$(getconf _NPROCESSORS_ONLN)
    port=$((20000 + $$ % 20000))
    mkdir -p "$dir/state" "$dir/spool" "$dir/munge" "$dir/tmp-node1" "$dir/tmp-node2"
    chmod 755 "$dir" "$dir/munge"
    head -c 128 /dev/urandom >"$dir/munge/key"
    chmod 600 "$dir/munge/key"
    munged --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" --pid-file="$dir/munge/pid" \
        --log-file="$dir/munge/log" --seed-file="$dir/munge/seed" 2>"$dir/munge/stderr"

    cat >"$dir/slurm.conf" <<END
ClusterName=toise-test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool/%n
SlurmctldPidFile=$dir/slurmctld.pid
TmpFS=$dir/tmp-%n
SlurmdPidFile=$dir/slurmd-%n.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
SchedulerParameters=sched_interval=1,batch_sched_delay=0
NodeName=node1 NodeAddr=127.0.0.1 Port=$((port + 1)) CPUs=$cpus State=UNKNOWN
NodeName=node2 NodeAddr=127.0.0.1 Port=$((port + 2)) CPUs=$cpus State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
    export SLURM_CONF=$dir/slurm.conf
    slurmctld -c -f "$SLURM_CONF" >"$dir/slurmctld.out" 2>&1
    # Each node has its own name and /dev/shm, or MPI libraries take the two for one.
    for i in 1 2; do
        # shellcheck disable=SC2016
        unshare --uts --ipc --mount sh -c 'hostname "$1" && mount -t tmpfs tmpfs /dev/shm && exec slurmd -N "$1" -f "$2"' \
            - "node$i" "$SLURM_CONF" >"$dir/slurmd-node$i.out" 2>&1
    done
    for i in $(seq 100); do
        [ "$(sinfo -h -t idle -o %D 2>/dev/null)" != 2 ] || return 0
        sleep 0.2
    done
    echo 'the two nodes did not come up:'
    sinfo || true
    tail -n 20 "$dir"/*.out "$dir"/*.log "$dir"/munge/log
    return 1
}

cluster_stop() {
    local dir=$1 name pid
    [ ! -e "$dir/slurm.conf" ] || scancel -u root 2>/dev/null || true
    for name in slurmd-node1 slurmd-node2 slurmctld munge/pid; do
        pid=$(cat "$dir/$name" "$dir/$name.pid" 2>/dev/null) || true
        [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    done
    for i in $(seq 50); do # they remove their pid files as they leave
        [ -n "$(find "$dir" -name '*.pid' -o -path '*/munge/pid')" ] || break
        sleep 0.1
    done
}
