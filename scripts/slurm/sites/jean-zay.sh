# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Jean Zay (IDRIS), CPU nodes. NOT TESTED THERE: a start, from idris.fr/en/docs/jean-zay/slurm (partitions) and from
# published job scripts (--hint=nomultithread). generic.sh says how to use it; SBATCH_ACCOUNT is PROJECT@cpu.
TOISE_SITE=$(realpath "${BASH_SOURCE[0]}")
export TOISE_SITE
export SBATCH_PARTITION=cpu_p1 SBATCH_HINT=nomultithread
export TOISE_LAUNCH='srun --mpi=pmix'
# `module avail` has the versions. jansson and numactl may need a prefix: scripts/README.md, "Your cluster".
module load gcc openmpi openblas hwloc
