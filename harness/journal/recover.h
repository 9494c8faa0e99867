/* SPDX-License-Identifier: Apache-2.0
 *
 * The result of a run whose process is gone, from its journal. */
#ifndef TOISE_JOURNAL_RECOVER_H
#define TOISE_JOURNAL_RECOVER_H

#include "journal/past.h"

/* Sets the result of the last process as train_run would have, but for what other ranks and the last checks would have
 * told. So it is at best INCONCLUSIVE, unless the process had judged itself: its verdict then holds. train_free frees
 * the result, also after an error. `options` needs what the verdict needs. */
int journal_recover(const struct journal_past *past, const struct plan *plan, const struct train_options *options,
                    struct train_result *result, struct base_error *e);
/* The record of that result, with the launch, configuration, layout and machine of the journal. world: for its numbers
 * of ranks and nodes. */
json_t *journal_recovered(const struct journal_past *past, const struct train_result *result, const struct plan *plan,
                          const struct train_options *options, const struct train_identity *id,
                          const struct comm *world);

#endif
