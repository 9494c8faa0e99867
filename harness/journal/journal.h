/* SPDX-License-Identifier: Apache-2.0
 *
 * The journal of a training: its head, which says what runs, then a line for each step, peak and probe, as they come.
 *
 * The room journal/ promises that what a run measured outlives it: the journal is written between timed windows
 * (this file), and read back (past.h) by a process that goes on with the run, or that makes its record (recover.h). It
 * needs guard/, train/ and records/. It does not know flags, or where a journal stands. A run of several processes has
 * one journal, with a head for each. */
#ifndef TOISE_JOURNAL_JOURNAL_H
#define TOISE_JOURNAL_JOURNAL_H

#include "guard/journal.h"
#include "train/record.h"

#define JOURNAL_SCHEMA "toise/1"
/* Seconds that the end of a run waits for a folder that does not answer. */
#define JOURNAL_PATIENCE_S 20

/* A journal that is being written; on rank 0. */
struct journal {
    struct guard_journal *lines;    /* NULL: none */
    int warm, timed, peaks, probes; /* of the result, that have their lines */
    bool gate, overlap;
};

/* The journal's head: arguments[count] of the command line, and what identifies the run. NULL: an
 * argument is not UTF-8. */
json_t *journal_head(const struct plan *plan, const struct train_options *options, const struct train_identity *id,
                     const struct comm *world, json_t *machine, char *const *arguments, int count);
/* Adds what the result has and the journal has not. Never waits. False: the journal cannot be written any more. */
bool journal_note(struct journal *journal, const struct train_result *result);
/* Adds the rest, and how the run ended, and closes the journal; waits for the folder up to JOURNAL_PATIENCE_S. *cost,
 * for the record: {"lines", "acknowledged", "syncs", "sync_s", "slowest_sync_s", "add_s", "cpu_s", "failed"}.
 * BASE_BROKEN: the journal lacks lines. */
int journal_end(struct journal *journal, const struct train_result *result, json_t **cost, struct base_error *e);

#endif
