/* SPDX-License-Identifier: Apache-2.0
 *
 * A campaign: what to run on how many nodes, how often. Its jobs are launches of one command on one number of nodes.
 * Each job has a file of records of its own in the campaign's folder, which says what is done.
 *
 * The room jobs/ promises the jobs of a campaign's file, their state by their records and by Slurm's queue, and a shell
 * script that submits those that are missing. It needs base/ and records/, and Slurm's commands. It does not know what
 * the jobs measure. */
#ifndef TOISE_JOBS_JOBS_H
#define TOISE_JOBS_JOBS_H

#include <limits.h>

#include "records/record.h"

enum { JOBS_MOST = 4096, JOBS_FLAGS = 32, JOBS_WORK = 256, JOBS_COUNTS = 64 };

/* What a job's records say, and the queue. */
enum jobs_state {
    JOBS_NEW,     /* never submitted */
    JOBS_WAITING, /* in the queue, or runs */
    JOBS_DONE,    /* all launches have a record that counts: PASSED or INCONCLUSIVE */
    JOBS_FAILED,  /* it ended without them */
    JOBS_STATES
};
const char *jobs_state_name(enum jobs_state state); /* "new", ... */

/* A command that campaigns may run. */
struct jobs_command {
    const char *name, *kind; /* "train"; the kind of its records */
    bool sized;              /* it has --workload and --precision */
    bool repeats;            /* its script has --launches */
    bool alone;              /* each node makes a launch by itself, so a launch of n nodes is n launches */
};

/* A row of the campaign's "work". Texts belong to the campaign. */
struct jobs_work {
    const struct jobs_command *command;
    const char *workload, *precision, *label, *time; /* NULL: not given */
    int nodes[JOBS_COUNTS], node_counts;
    int launches; /* of a job */
    const char *flags[JOBS_FLAGS];
    int flag_count;
};

struct jobs_job {
    char name[320]; /* "train-node-m-bf16-4n-day2-job1"; names its files */
    const struct jobs_work *work;
    int nodes, day;   /* day: from 1; later days start later */
    int done, failed; /* launches whose records count, and others */
    char id[32];      /* of Slurm, the last one; "": none */
    int submitted;    /* its place in the order of submissions, from 1; 0: never */
    enum jobs_state state;
    char why[160]; /* if it failed */
};

struct jobs_campaign {
    json_t *json; /* owns the texts */
    const char *name;
    char path[PATH_MAX], folder[PATH_MAX], site[PATH_MAX]; /* site: "" if the campaign has none */
    const char *sbatch[JOBS_FLAGS];                        /* flags of every sbatch */
    int sbatch_count;
    int at_once; /* so many jobs may run at the same time */
    struct jobs_work work[JOBS_WORK];
    int work_count;
    struct jobs_job *jobs; /* [count], in the order in which they are submitted */
    int count;
};

/* Reads and checks a campaign's file. folder: where its files are; NULL: results/NAME. BASE_USAGE with file and field.
 * jobs_close frees it, also after an error. */
int jobs_read(struct jobs_campaign *c, const char *path, const char *folder, struct base_error *e);
void jobs_close(struct jobs_campaign *c);

/* Sets the state of every job. Asks squeue only about jobs that are submitted and not done. BASE_USAGE: a file of
 * records is none, or squeue cannot be asked. */
int jobs_look(struct jobs_campaign *c, struct base_error *e);

/* Writes FOLDER/submit.sh, which submits the launches that are missing of all jobs that do not wait. Each job waits for
 * the end, good or bad, of the one `at_once` before it. The script runs once: afterwards it refuses, since what is
 * missing is another matter then. Returns the number of jobs in *count. */
int jobs_write(const struct jobs_campaign *c, int *count, struct base_error *e);
/* Runs it. The script notes each job when it is submitted. BASE_USAGE: sbatch refused. */
int jobs_submit(const struct jobs_campaign *c, struct base_error *e);

/* The record of kind "jobs". */
json_t *jobs_record(const struct jobs_campaign *c);

#endif
