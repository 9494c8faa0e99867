/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums with the same bits in every layout: --reproducible (model/tree.h). */
#ifndef TOISE_PLAN_LEAVES_H
#define TOISE_PLAN_LEAVES_H

#include "plan/plan.h"

/* BASE_USAGE: a layout or a model whose sums are no nodes of the tree, and what would be. */
int plan_leaves_check(const struct plan_request *request, struct base_error *e);
/* A rank's leaves; zeros without --reproducible. */
struct model_tree plan_leaves_tree(const struct plan_request *request);
/* The head's rows at a time: at most as asked, and with a tree whole sequences, or less than one. */
int64_t plan_leaves_head_rows(const struct plan_request *request);
/* What a micro-batch's rows are cut into: `full` chunks of `rows`, and `rests` of `rest`. With a tree each sequence
 * that is cut has a rest. */
struct plan_chunks {
    int64_t rows, rest;
    double full, rests;
};
struct plan_chunks plan_leaves_head_chunks(const struct plan *plan);
/* Levels of gradients; without a tree 1. */
int64_t plan_leaves_levels(const struct plan *plan);

#endif
