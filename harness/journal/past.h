/* SPDX-License-Identifier: Apache-2.0
 *
 * A journal read back: the processes of a run, in order, and what each measured. */
#ifndef TOISE_JOURNAL_PAST_H
#define TOISE_JOURNAL_PAST_H

#include "guard/journal.h"
#include "train/record.h"

/* Lines first .. end - 1 of the journal are one process's; the first is its head. */
struct journal_process {
    size_t first, end;
    int warm, timed; /* steps */
};

struct journal_past {
    const char *path;
    struct guard_journal_text text;
    struct journal_process *process;
    int count;
    const json_t *head; /* of the last process */
};

/* Reads a journal of a training. BASE_USAGE with the file: it is none, it is damaged, or a later version wrote it.
 * `damaged`: takes what stands before the damage. Close it also after an error. */
int journal_read(struct journal_past *past, const char *path, bool damaged, struct base_error *e);
void journal_close(struct journal_past *past);

/* BASE_USAGE with the field, what the journal's run had and what this one has: they are not the same work on the same
 * kind of machine in the same layout. */
int journal_check(const struct journal_past *past, const struct plan *plan, const struct train_options *options,
                  const struct train_identity *id, const struct comm *world, const json_t *machine,
                  struct base_error *e);

/* The timed steps of the processes before `last`, and the losses of the one with most steps. journal_forget frees them,
 * also after an error. */
int journal_earlier(const struct journal_past *past, int last, struct train_earlier *earlier, struct base_error *e);
void journal_forget(struct train_earlier *earlier);
/* Gives the step times of rank 0 to all ranks. Collective. */
int journal_share(struct train_earlier *earlier, struct comm *world, struct base_error *e);

/* Adds to a train record which launches its samples come from: launch.resumes, and samples.processes. own: timed steps
 * of the record's launch. */
void journal_tell(const struct journal_past *past, int last, int own, json_t *record);

/* Whether line i of the journal has the key; the line, or NULL. */
const json_t *journal_line(const struct journal_past *past, size_t i, const char *key);

#endif
