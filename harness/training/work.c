/* SPDX-License-Identifier: Apache-2.0
 *
 * The flags with which a checkpoint's work can be asked for again. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "training/training.h"
#include "training/work.h"

enum work { WORKLOAD, MODEL, LAYERS, EXPERTS, PRECISION, SEQ, GBS, SEED, LR, ROUTE, REPRODUCIBLE, DATA, DATA_FORMAT };
const char *const training_work[] = {"--workload",     "--model", "--layers",      "--experts", "--precision",
                                     "--seq",          "--gbs",   "--seed",        "--lr",      "--route",
                                     "--reproducible", "--data",  "--data-format", NULL};

/* Adds "NAME=VALUE"; a failure leaves fewer words than `count` says. */
static void add_word(json_t *words, int *count, enum work flag, const char *value) {
    ++*count;
    json_array_append_new(words, json_sprintf("%s=%s", training_work[flag], value));
}

json_t *training_work_of(const struct training_flags *f, const struct training *s) {
    const struct cli_training *t = &f->training;
    const bool file = t->model ? !access(t->model, F_OK) : f->init || f->checkpoint;
    char number[32], path[PATH_MAX];
    json_t *words = json_array();
    int count = 0;
    if (s->workload.name[0]) add_word(words, &count, WORKLOAD, s->workload.name);
    if (!s->workload.name[0] && !file) add_word(words, &count, MODEL, t->model ? t->model : CLI_MODEL);
    snprintf(number, sizeof number, "%lld", (long long)t->layers);
    if (t->layers && !file) add_word(words, &count, LAYERS, number);
    snprintf(number, sizeof number, "%lld", (long long)t->experts);
    if (t->experts && !file) add_word(words, &count, EXPERTS, number);
    add_word(words, &count, PRECISION, cli_training_precision((int)t->precision));
    snprintf(number, sizeof number, "%lld", (long long)s->request.seq);
    if (!s->workload.name[0]) add_word(words, &count, SEQ, number);
    snprintf(number, sizeof number, "%lld", (long long)s->request.global_batch);
    if (!s->workload.name[0]) add_word(words, &count, GBS, number);
    snprintf(number, sizeof number, "%lld", (long long)f->seed);
    add_word(words, &count, SEED, number);
    snprintf(number, sizeof number, "%.17g", f->lr);
    if (!isnan(f->lr)) add_word(words, &count, LR, number);
    if (f->layout.route) add_word(words, &count, ROUTE, f->layout.route);
    snprintf(number, sizeof number, "%lld", (long long)f->layout.reproducible);
    if (f->layout.reproducible) add_word(words, &count, REPRODUCIBLE, number);
    if (f->data) add_word(words, &count, DATA, realpath(f->data, path) ? path : f->data);
    if (f->format) add_word(words, &count, DATA_FORMAT, f->format);
    if ((int)json_array_size(words) == count) return words;
    json_decref(words);
    return NULL;
}
