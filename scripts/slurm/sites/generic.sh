# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A site file: what a cluster wants of every job. Copy it, fill in what your cluster needs, and read it before `make` and
# before sbatch:
#   . scripts/slurm/sites/mine.sh
# sbatch takes SBATCH_... from the environment; its flags override them, and they override #SBATCH lines. The job reads
# this file again, for the modules.
TOISE_SITE=$(realpath "${BASH_SOURCE[0]}")
export TOISE_SITE

# export SBATCH_ACCOUNT=project SBATCH_PARTITION=standard SBATCH_CONSTRAINT=genoa SBATCH_QOS=normal
# export TOISE_LAUNCH='srun --mpi=pmix'
# module load gcc openmpi openblas hwloc jansson numactl
