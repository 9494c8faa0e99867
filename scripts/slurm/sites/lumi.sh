# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# LUMI-C (CSC), with Cray MPICH. NOT TESTED THERE: a start, from the LUMI user guide (docs.lumi-supercomputer.eu: partition
# standard has whole nodes, accounts are project_..., start by srun). generic.sh says how to use it; SBATCH_ACCOUNT is
# your project. Build with `make CC=cc MPICC=cc`: Cray's compiler adds MPI by itself. hwloc,
# jansson, numactl and OpenBLAS come from a prefix: scripts/README.md, "Your cluster"; add DEPS_PREFIX=... to make.
TOISE_SITE=$(realpath "${BASH_SOURCE[0]}")
export TOISE_SITE
export SBATCH_PARTITION=standard
export TOISE_LAUNCH='srun --mpi=cray_shasta'
module load LUMI partition/C PrgEnv-gnu cray-mpich
