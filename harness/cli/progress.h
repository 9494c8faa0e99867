/* SPDX-License-Identifier: Apache-2.0
 *
 * Progress output of a run: step lines in Megatron's format with the time left. Only rank 0 prints, between timed
 * windows. */
#ifndef TOISE_CLI_PROGRESS_H
#define TOISE_CLI_PROGRESS_H

#include <stdio.h>

#include "train/train.h"

struct cli_progress {
    FILE *out; /* NULL on ranks that do not print */
    bool terminal;
    bool line;           /* the terminal shows an unfinished line */
    double tokens, flop; /* per step */
};

void cli_progress_open(struct cli_progress *p, FILE *out, const struct comm *world, const struct plan *plan);
void cli_progress_close(struct cli_progress *p);
/* Callbacks of train_options; `context` is the struct. */
void cli_progress_step(void *context, const struct train_step *step);
void cli_progress_phase(void *context, const char *what);

#endif
