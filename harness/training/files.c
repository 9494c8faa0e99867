/* SPDX-License-Identifier: Apache-2.0
 *
 * What a run reads and writes, checked before any long work. */
#include "training/training.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/folder.h"
#include "cli/paths.h"
#include "records/record.h"

/* Whether --save can be written. make: creates the folders above it, after all other checks passed. */
static int check_save(const struct training_flags *f, const struct checkpoint *from, bool make, struct base_error *e) {
    if (!f->save) return BASE_OK;
    return f->save_every ? checkpoint_root_check(f->save, from, make, e) : checkpoint_folder_check(f->save, make, e);
}

int training_make_save(const struct training_flags *f, const struct checkpoint *from, struct base_error *e) {
    return check_save(f, from, true, e);
}

int training_see_save(const struct training_flags *f, const struct comm *world, struct base_error *e) {
    if (!f->save_every || !access(f->save, W_OK | X_OK)) return BASE_OK;
    return base_fail(e, BASE_USAGE, "--save %s: rank %d cannot write there: %s; name a folder that all nodes share",
                     f->save, world->rank, strerror(errno));
}

int training_check_outputs(const struct training_flags *f, const struct checkpoint *from, struct base_error *e) {
    const char *journal = f->journal.folder;
    const char *out = f->output.out, *save = f->save;
    if (out && save && (cli_path_within(out, save) || cli_path_within(save, out)))
        return base_fail(e, BASE_USAGE, "--out and --save: %s cannot be a file and a folder; give two different paths",
                         cli_path_within(out, save) ? save : out);
    if (f->save_every && journal && cli_path_within(journal, save))
        return base_fail(e, BASE_USAGE, "--journal-dir %s: is in the folder of checkpoints; name another", journal);
    int code = cli_options_apart(&training_command, f, e);
    if (!code) code = record_check(out, e);
    if (!code) code = record_check_anew(f->trace, "--trace", e);
    if (!code) code = cli_journal_ask(&f->journal, e);
    return code ? code : check_save(f, from, false, e);
}

int training_open_inputs(struct comm *world, const struct training_flags *f, const struct plan *plan,
                         struct train_options *o, struct base_error *e) {
    int code = BASE_OK;
    if (world->rank == 0 && f->output.out) code = train_history(f->output.out, plan, o, e);
    if ((code = comm_agree(world, code, e)) || (code = train_inputs(o, plan, world, e))) return code;
    return o->from ? train_same_work(plan, o, e) : BASE_OK; /* the same on all ranks, as train_inputs compared */
}

void training_close_inputs(struct train_options *o) {
    data_close(o->source);
    free(o->history.loss);
}
