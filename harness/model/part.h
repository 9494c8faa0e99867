/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of a model that one rank holds. Tensor parallel ranks split heads, the MLP's columns and the vocabulary
 * (Shoeybi et al. 2019): a part is a smaller config of the same family. */
#ifndef TOISE_MODEL_PART_H
#define TOISE_MODEL_PART_H

#include "model/config.h"

struct model_part {
    const struct model_config *whole;
    int ranks, rank; /* tensor parallel: 1 and 0 is all of it */
};

/* The part's sizes: heads, kv_heads, ffn and vocab. The counts of heads and columns must divide. A key/value head is on
 * several ranks if there are fewer of them than ranks. The vocabulary need not divide: the last ranks have less. */
struct model_config model_part_config(const struct model_part *part);
/* The first row of the vocabulary. */
int64_t model_part_vocab(const struct model_part *part);
/* The ranks, including this one, that hold the same key/value head; 1: none shares. */
int model_part_sharing(const struct model_part *part);
/* Whether each rank holds its own part of such a parameter; else all hold the same. */
bool model_part_splits(const struct model_part *part, const struct model_parameter *parameter);

/* Where the elements of a part's tensor are in the whole tensor. Both are row-major: rows x cols, and whole_cols. Along
 * the axis that is split it consists of runs: queries, keys and values of one tensor are three. */
struct model_split {
    int64_t cols, whole_cols;
    bool by_cols;
    int count;
    struct {
        int64_t at, from, length;
    } run[3];
};
struct model_split model_part_split(const struct model_part *part, const struct model_parameter *parameter);
/* The place of element i of the part's tensor in the whole. *left: so many elements from i on are adjacent in both. */
int64_t model_part_place(const struct model_split *places, int64_t i, int64_t *left);

#endif
