/* SPDX-License-Identifier: Apache-2.0
 *
 * What a run says while it runs: step lines in Megatron's manner with the time left. Rank 0 prints, between timed
 * windows. */
#ifndef TOISE_CLI_PROGRESS_H
#define TOISE_CLI_PROGRESS_H

#include <stdio.h>

#include "train/train.h"

struct cli_progress {
    FILE *out; /* NULL on ranks that do not print */
    bool terminal;
    bool line;           /* an unfinished line stands on the terminal */
    double tokens, flop; /* of a step */
};

void cli_progress_open(struct cli_progress *p, FILE *out, const struct comm *world, const struct plan *plan);
void cli_progress_close(struct cli_progress *p);
/* Callbacks of train_options; context is the struct. */
void cli_progress_step(void *context, const struct train_step *step);
void cli_progress_phase(void *context, const char *what);

#endif
