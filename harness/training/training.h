/* SPDX-License-Identifier: Apache-2.0
 *
 * The room training/ turns the command line of `toise train` into a run: its flags, what they resolve to, and the files
 * that it reads and writes.
 *
 * It promises that nonsense is refused once, with the cure, before any long work, and that nothing is created by a
 * check. It needs cli/ and the rooms whose options it fills in. It does not run or show anything. */
#ifndef TOISE_TRAINING_TRAINING_H
#define TOISE_TRAINING_TRAINING_H

#include "cli/cli.h"
#include "cli/journal.h"
#include "cli/launches.h"
#include "cli/trainer.h"
#include "plan/plan.h"
#include "training/layout.h"

#define TRAINING_USUAL_CI 0.05 /* unless --ci or --steps is given */

/* NULL, 0 and NAN: not given. */
struct training_flags {
    struct cli_training training;
    const char *workload, *data, *format, *init, *save, *checkpoint;
    const char *energy, *power_command, *energy_root, *inject;
    int64_t launches, steps, min_steps, warmup, threads, seed, world, ranks_per_node, save_every, keep;
    double lr, ci, budget, timeout;
    const char *backend;
    const char *trace, *order;
    int bind, overlap;
    bool dry_run, no_gate, profile, async_save;
    struct training_layout layout;
    struct cli_journal_flags journal;
    struct cli_launch launch;
    struct cli_output output;
};
extern const struct cli_command training_command;
/* Reads the flags, after those of the journal or checkpoint that --resume or --recover names. Collective. */
int training_read_flags(struct training_flags *flags, struct cli_journal *journal, struct comm *world, int argc,
                        char *const *argv, struct base_error *e);

/* What the flags resolve to. */
struct training {
    struct plan_request request;
    struct train_options options;
    struct cli_workload workload; /* .name[0] == 0: none */
    bool rebatched;               /* its global batch is not that of the workload on these nodes */
    struct checkpoint from;       /* .about NULL: the start */
};
/* Sets every default except threads and the micro-batch (0: not given). `real`: the ranks of this process. */
int training_resolve(const struct training_flags *flags, const struct comm *real, struct training *training,
                     struct base_error *e);
/* --resume DIR: opens the checkpoint, which the caller closes. The global batch is the checkpoint's: a workload's would
 * be that of this world. */
int training_begin_from(const struct training_flags *flags, struct training *training, struct base_error *e);
/* Chooses the sizes that depend on the machine, then plans. Refuses a plan that does not fit. Collective. */
int training_plan(struct comm *world, struct training *training, struct plan *plan, struct base_error *e);
struct train_identity training_identity(const struct training *training, const struct record_launch *launch,
                                        const char *threads_from);
/* A checkpoint's `arguments`: the flags with which this work can be asked for again. Of a model in a file the
 * checkpoint's own config.json is read. NULL: one is not UTF-8. */
json_t *training_work_of(const struct training_flags *flags, const struct training *training);

/* Whether all outputs can be written. Dry runs ask, too. */
int training_check_outputs(const struct training_flags *flags, const struct checkpoint *from, struct base_error *e);
/* Once all other checks passed, on rank 0: makes the folders above --save. Then whether each rank can write there. */
int training_make_save(const struct training_flags *flags, const struct checkpoint *from, struct base_error *e);
int training_see_save(const struct training_flags *flags, const struct comm *world, struct base_error *e);
/* Opens what the run reads: data, weights, and the earlier records of --out. Rank 0 reads the records, also without the
 * gate, to refuse a file that holds none. Dry runs do it, too. Collective. */
int training_open_inputs(struct comm *world, const struct training_flags *flags, const struct plan *plan,
                         struct train_options *options, struct base_error *e);
void training_close_inputs(struct train_options *options);

/* The map of ranks (plan/grid.h), on rank 0: on the nodes of this world, or of --world if --ranks-per-node says. Warns
 * if tensor parallel ranks that fit on a node are on several. Collective. */
int training_list_ranks(struct comm *world, const struct training_flags *flags, const struct plan_layout *layout,
                        json_t **grid, struct base_error *e);
/* Its warning alone. Collective. */
int training_warn_apart(struct comm *world, const struct training_flags *flags, const struct plan *plan,
                        struct base_error *e);

#endif
