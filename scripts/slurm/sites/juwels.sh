# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# JUWELS Cluster (JSC), whose srun starts ParaStation MPI by itself. NOT TESTED THERE: a start, from
# apps.fz-juelich.de/jsc/hps/juwels (psslurm instead of slurmd) and from published module lists (Stages/2025).
# generic.sh says how to use it; SBATCH_ACCOUNT is your budget.
TOISE_SITE=$(realpath "${BASH_SOURCE[0]}")
export TOISE_SITE
export SBATCH_PARTITION=batch
export TOISE_LAUNCH=srun
module load Stages/2025 GCC ParaStationMPI OpenBLAS hwloc jansson numactl
