/* SPDX-License-Identifier: Apache-2.0
 *
 * Joules of timed windows, over all nodes, with where they come from.
 *
 * The room energy/ promises that a figure was read from a counter or a sensor, never assumed. Else it says
 * "unmeasured" and why. It names the source, what it covers, who else is on it, its rate and its coverage. One rank of
 * each node reads, in threads of their own that call no MPI and run beside the compute CPUs where there are such. It
 * needs base/, records/ and comm/. It does not know what is timed, nor what a token is.
 *
 * Sources, in the order of the table energy_readers: a command of the user's; Cray's pm_counters; RAPL by powercap;
 * hwmon; Slurm's energy gathering. All that can be read are. The headline is the first that covers whole nodes, else
 * the first. */
#ifndef TOISE_ENERGY_ENERGY_H
#define TOISE_ENERGY_ENERGY_H

#include <jansson.h>
#include <stdbool.h>

#include "base/threads.h"
#include "comm/comm.h"

enum energy_kind { ENERGY_COMMAND, ENERGY_CRAY, ENERGY_RAPL, ENERGY_HWMON, ENERGY_SLURM, ENERGY_KINDS };

enum energy_state {
    ENERGY_MEASURED,   /* or: can be */
    ENERGY_ABSENT,     /* no such files */
    ENERGY_PERMISSION, /* files that this user may not read */
    ENERGY_FAULT,      /* frozen, not a number, too little coverage, ... */
    ENERGY_SKIPPED     /* not asked for */
};
const char *energy_state_name(enum energy_state state);

struct energy_options {
    const char *root;    /* before /sys and /proc: "" is this machine, else a made tree of a test */
    const char *choice;  /* "auto", "off", or sources by name: "cray,rapl". NULL: auto */
    const char *command; /* prints watts, or joules as "1234 J"; NULL: none */
    /* CPUs of this rank, and how many of them compute; those behind are for the readers. NULL: any */
    const struct base_cpus *cpus;
    int threads;
};

/* BASE_USAGE: an unknown source, a command without a use, or "command" without a command. */
int energy_check(const struct energy_options *options, struct base_error *e);

struct energy;
/* Finds the sources and starts to sample them, well before anything is timed, so that slow counters cover the
 * beginning. Collective. BASE_USAGE on all ranks: a source that was asked for by name cannot be read on a node. */
int energy_open(struct energy **energy, const struct energy_options *options, struct comm *world, struct base_error *e);

struct energy_windows {
    const double *start, *seconds; /* [count]; start by base_clock_now */
    int count;
    double units;     /* of work in a window over all ranks, for joules a unit */
    const char *unit; /* "token": its figure is joules_per_token */
};
/* Takes the last readings, then stops sampling. Returns the record's `energy` on rank 0, else NULL. A window is the
 * same stretch of time on all ranks. Collective. */
json_t *energy_finish(struct energy *energy, const struct energy_windows *windows, struct comm *world);
/* Stops sampling if it has not; NULL is allowed. */
void energy_close(struct energy *energy);

/* What can be read on this node, one object for each source. */
json_t *energy_list(const struct energy_options *options);

#endif
