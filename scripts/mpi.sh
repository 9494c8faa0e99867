#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sourced by the other scripts: how to start ranks here. MPIRUN names another launcher than mpirun.
#   mpi_options            sets the array MPI_OPTIONS to what any launch here needs: root, oversubscription
#   mpi_launch N COMMAND   runs COMMAND in N unbound ranks
# shellcheck disable=SC2034  # MPI_OPTIONS is for those who source this

mpi_options() {
    MPI_OPTIONS=()
    case "$("${MPIRUN:-mpirun}" --version 2>/dev/null | tr '\n' ' ')" in
    *'Open MPI'* | *OpenRTE* | *prterun*)
        [ "$(id -u)" != 0 ] || MPI_OPTIONS+=(--allow-run-as-root)
        # Without these ranks are refused beyond the cores, and in containers that hide the topology.
        MPI_OPTIONS+=(--oversubscribe)
        MPI_UNBOUND=(--bind-to none)
        ;;
    *HYDRA* | *Hydra* | *Intel*) MPI_UNBOUND=(-bind-to none) ;;
    *) MPI_UNBOUND=() ;;
    esac
}

mpi_launch() {
    local ranks=$1
    shift
    [ -n "${MPI_OPTIONS+set}" ] || mpi_options
    "${MPIRUN:-mpirun}" "${MPI_OPTIONS[@]}" "${MPI_UNBOUND[@]}" -n "$ranks" "$@"
}
