/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of Megatron-LM's log: one for every --log-interval iterations, and one for each of its arguments. */
#ifndef TOISE_IMPORT_MEGATRON_H
#define TOISE_IMPORT_MEGATRON_H

#include "import/job.h"

/* Figures that the line lacks are NAN or -1. */
struct megatron_line {
    long line;          /* in the file */
    long iteration, of; /* the last that it covers; --train-iters */
    double step_s;      /* mean of the iterations that it covers */
    double tflop_per_s; /* of a GPU, by Megatron's formula: attention as the whole square */
    double joules, loss, grad_norm;
    long global_batch, skipped, nan;
};

/* Whether the line is such a line, damaged or not. */
bool import_megatron_marks(const char *text);
/* The text from "iteration" on; NULL: no such line. */
const char *import_megatron_find(const char *text);
/* Cuts `text` (from import_megatron_find) into its figures. False: damaged, and `why` says how. */
bool import_megatron_line(char *text, struct megatron_line *out, char why[160]);
/* Whether the line begins the list of arguments. */
bool import_megatron_begins(const char *text);
/* Takes over "  seq_length .......... 2048" into the object if it is such a line of a known argument. */
void import_megatron_argument(char *text, json_t *arguments);
/* `config` and `layout` as kind "train" has them, of the arguments. */
json_t *import_megatron_config(const json_t *arguments, const struct import_options *options);
json_t *import_megatron_layout(const json_t *arguments);

#endif
