#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sourced by other scripts: how to start ranks on this machine. MPIRUN names another launcher than mpirun.
#   mpi_machine              sets CPUS, CORES and NUMA to the hardware threads, cores and NUMA nodes that this process may
#                            use, CORES_EACH to the cores of the smallest of these nodes
#   mpi_command              sets MPI_COMMAND and MPI_UNBOUND, below
#   mpi_launch N COMMAND     runs COMMAND in N ranks, unbound
#   mpi_launch_numa N COMMAND  the same, each rank bound to its NUMA node where there are N of them
# shellcheck disable=SC2034  # some of these variables are for those who source this

mpi_machine() {
    local allowed
    allowed=$(awk '/^Cpus_allowed_list/ { print $2 }' /proc/self/status)
    read -r CPUS CORES NUMA CORES_EACH < <(lscpu -p=CPU,CORE,NODE | awk -F, -v allowed="$allowed" '
        BEGIN {
            n = split(allowed, part, ",")
            for (i = 1; i <= n; i++) {
                split(part[i], end, "-")
                for (c = end[1] + 0; c <= (end[2] == "" ? end[1] : end[2]) + 0; c++) mine[c] = 1
            }
        }
        !/^#/ && ($1 in mine) { cpus++ }
        !/^#/ && ($1 in mine) && !core[$2]++ { cores++; if (!node[$3]++) numa++ }
        END {
            for (i in node) if (!least || node[i] < least) least = node[i]
            print cpus, cores, numa, least
        }')
}

# Sets MPI_COMMAND to the launcher with the options that every launch needs, and MPI_UNBOUND to those that turn binding off.
mpi_command() {
    MPI_COMMAND=("${MPIRUN:-mpirun}") MPI_UNBOUND=()
    case "$("${MPI_COMMAND[@]}" --version 2>/dev/null | tr '\n' ' ')" in
    *'Open MPI'* | *OpenRTE* | *prterun*)
        [ "$(id -u)" != 0 ] || MPI_COMMAND+=(--allow-run-as-root)
        # Or more ranks than cores are refused, also in containers that hide the topology.
        MPI_COMMAND+=(--oversubscribe)
        MPI_UNBOUND=(--bind-to none)
        ;;
    *HYDRA* | *Hydra* | *Intel*) MPI_UNBOUND=(-bind-to none) ;;
    esac
}

# Without stdin, of which mpirun would take what a loop's `read` is to get.
mpi_launch() {
    local ranks=$1
    shift
    mpi_command
    "${MPI_COMMAND[@]}" "${MPI_UNBOUND[@]}" -n "$ranks" "$@" </dev/null
}

mpi_launch_numa() {
    local ranks=$1
    shift
    mpi_command
    mpi_machine
    if [ "$ranks" = "$NUMA" ] && [ "$ranks" != 1 ] && [ "${MPI_UNBOUND[*]}" = '--bind-to none' ]; then
        "${MPI_COMMAND[@]}" --map-by "numa:PE=$CORES_EACH" --bind-to core -n "$ranks" "$@" </dev/null
    else
        mpi_launch "$ranks" "$@" # toise shares a node's cores among its ranks itself
    fi
}
