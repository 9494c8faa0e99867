/* SPDX-License-Identifier: Apache-2.0
 *
 * Compares what the launcher's environment says about this process with what MPI says. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "comm/comm.h"

/* Open MPI's mpirun, any PMIx launcher (srun --mpi=pmix, prterun), any PMI launcher (MPICH's and Intel's mpirun, srun
 * --mpi=pmi2). Not SLURM_PROCID: Slurm sets it in every batch script, also for programs without ranks. */
bool comm_launched(void) {
    return getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMIX_RANK") || getenv("PMI_RANK");
}

/* Nearest first. mpirun starts its daemons with srun, and MPI programs below them; each sets its own variable. */
static const struct launcher {
    const char *size, *name;
} launchers[] = {
    {"OMPI_COMM_WORLD_SIZE", "Open MPI's mpirun"},
    {"PMI_SIZE", "MPICH's or Intel MPI's mpirun (or srun --mpi=pmi2)"},
    {"SLURM_STEP_NUM_TASKS", "srun"},
};
enum { LAUNCHERS = sizeof launchers / sizeof *launchers, SLURM = LAUNCHERS - 1 };

static const char *value_of(const char *name) {
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

/* Index of the launcher that started this process; LAUNCHERS: none. A PMIx launcher other than Slurm's sets no size, so
 * any srun above it does not count. */
static int nearest(void) {
    const char *space = value_of("PMIX_NAMESPACE");
    for (int i = 0; i < LAUNCHERS; i++)
        if (value_of(launchers[i].size)) return i == SLURM && space && strncmp(space, "slurm.", 6) ? LAUNCHERS : i;
    return LAUNCHERS;
}

const char *comm_launcher_name(void) {
    return nearest() == SLURM ? "srun" : "mpirun";
}

/* Slurm sets no SLURM_STEP_* for a batch script. It may have inherited them from the step that submitted it.
 * slurmstepd, the parent of each step, has the title "slurmstepd: [JOB.STEP]". */
static bool in_batch_script(void) {
    char path[64], title[64];
    for (long long pid = getppid(); pid > 1; pid = base_file_field_number(path, "PPid")) {
        snprintf(path, sizeof path, "/proc/%lld/cmdline", pid);
        if (base_file_line(path, title, sizeof title) && !strncmp(title, "slurmstepd: [", 13))
            return strstr(title, ".batch]") || strstr(title, ".interactive]");
        snprintf(path, sizeof path, "/proc/%lld/status", pid);
    }
    return false;
}

/* In a heterogeneous job SLURM_STEP_NUM_TASKS counts only one component's tasks. */
static bool slurm_may_differ(long started, int seen) {
    return in_batch_script() || (value_of("SLURM_HET_SIZE") && seen > started);
}

int comm_launcher_check(const struct comm *world, struct base_error *e) {
    const int i = nearest();
    if (i == LAUNCHERS) return BASE_OK;
    const char *name = launchers[i].size, *value = value_of(name);
    char *end, library[64];
    const long started = strtol(value, &end, 10);
    if (!isdigit((unsigned char)value[0]) || *end || started < 1)
        return base_fail(e, BASE_USAGE, "%s=%s: not a number of processes; unset it, or let the launcher set it", name,
                         value);
    if (started == world->size || (i == SLURM && slurm_may_differ(started, world->size))) return BASE_OK;
    snprintf(library, sizeof library, "%.*s", (int)strcspn(comm_library(), ","), comm_library());
    const bool open = strstr(library, "Open MPI") != NULL;
    return base_fail(e, BASE_USAGE,
                     "%s=%s: %s started %ld process%s, but MPI sees %d%s. This build has %s: start it with %s; to run "
                     "one process alone, unset %s",
                     name, value, launchers[i].name, started, started == 1 ? "" : "es", world->size,
                     world->size == 1 ? ", so each would run alone on the same CPUs" : "", library,
                     open ? "Open MPI's mpirun or srun --mpi=pmix" : "that MPI's own mpiexec or srun --mpi=pmi2", name);
}
