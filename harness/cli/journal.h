/* SPDX-License-Identifier: Apache-2.0
 *
 * The journal of a command that trains: where it stands, what it holds of earlier processes, and what becomes of it. */
#ifndef TOISE_CLI_JOURNAL_H
#define TOISE_CLI_JOURNAL_H

#include <limits.h>

#include "cli/options.h"
#include "cli/trainer.h"
#include "journal/journal.h"
#include "journal/past.h"

/* NULL: not given. */
struct cli_journal_flags {
    const char *folder, *resume, *recover; /* resume: a journal; cli_journal_arguments makes it NULL for a checkpoint */
};
extern const struct cli_option cli_journal_options[]; /* --journal-dir, --resume, --recover */

/* Set to zero first; the context of train_options.on_window. */
struct cli_journal {
    struct journal journal;
    struct journal_past past;     /* of --resume and --recover, on rank 0 */
    struct train_earlier earlier; /* what a run that goes on adds to */
    json_t *words;                /* the command's arguments as strings, which the pointers below point into */
    char **arguments;             /* without --resume and --recover, after those of the journal */
    int count;
    bool checkpoint;        /* --resume names no journal but a checkpoint */
    bool saves;             /* the run has checkpoints, which it goes on from */
    char path[PATH_MAX];    /* of the journal that is written; "": none */
    struct base_error lost; /* why it lacks lines; code 0: it does not */
};

/* Sets the arguments: argv[argc], and before them those of the journal that --resume or --recover names, so that flags
 * given again count. If --resume names a checkpoint, or a folder of them, these are the flags of its work, of the names
 * in `work`, and --checkpoint=FOLDER. Collective. cli_journal_close frees everything, also after an error. */
int cli_journal_arguments(struct cli_journal *j, struct cli_journal_flags *flags, const char *const *work, int argc,
                          char *const *argv, struct comm *world, struct base_error *e);
/* BASE_USAGE: no journal can be made in --journal-dir. Creates nothing. */
int cli_journal_ask(const struct cli_journal_flags *flags, struct base_error *e);

/* What runs, for the journal's head and its comparison with earlier heads. */
struct cli_journal_run {
    const struct cli_trainer *trainer;
    const struct plan *plan;
    const struct train_options *options;
    const struct train_identity *id;
    const char *out;
};
/* Opens the journal: that of --resume, else one in --journal-dir, else beside `out`, else none. One beside `out` that
 * cannot be made is a warning. With --resume it checks that this is the same work, and sets j->earlier. Collective. */
int cli_journal_open(struct cli_journal *j, const struct cli_journal_flags *flags, const struct cli_journal_run *run,
                     struct comm *world, struct base_error *e);
/* For train_options.on_window, on all ranks. */
bool cli_journal_note(struct cli_journal *j, const struct train_result *result);
/* On rank 0, before the record is written: adds how the run ended, closes the journal, and sets the record's keys about
 * it. */
void cli_journal_record(struct cli_journal *j, const struct train_result *result, json_t *record);
/* On rank 0, after the record is in --out (`written`) or not: removes the journal of a run that came to its end and
 * whose record has its samples, and says where another one is. BASE_BROKEN: the journal lacks samples. */
int cli_journal_end(struct cli_journal *j, const struct train_result *result, bool written, FILE *page,
                    struct base_error *e);
void cli_journal_close(struct cli_journal *j);

#endif
