/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of a model that one rank holds. Tensor parallel ranks split heads, the MLP's columns and the vocabulary
 * (Shoeybi et al. 2019), pipeline stages split the layers, and expert parallel ranks the experts (Lepikhin et al.
 * 2021): a part is a smaller config of the same family. */
#ifndef TOISE_CONFIG_PART_H
#define TOISE_CONFIG_PART_H

#include "config/config.h"

/* Layers that a rank computes one after the other. */
struct model_chunk {
    int64_t first, layers; /* first: in the whole model */
    int64_t slots;         /* micro-batches whose activations are kept at once */
    int64_t late;          /* of them those that wait for their weight gradients; 0: backward computes these too */
};
enum { MODEL_CHUNKS = 16 };

struct model_part {
    const struct model_config *whole;
    int ranks, rank;               /* tensor parallel: 1 and 0 is all of it */
    int expert_ranks, expert_rank; /* expert parallel: 0 or 1 is all of them */
    int leaves; /* the vocabulary's equal parts, of which a rank has one or more; 0: a rank has one */
    int chunks; /* pipeline: 0 is all layers, one micro-batch at a time */
    struct model_chunk chunk[MODEL_CHUNKS];
};

/* The part's sizes: layers, heads, kv_heads, ffn, vocab and own_experts. The embeddings are with the first layer. What
 * follows the layers is with the last one; a head that is tied to a token table elsewhere is no parameter of the part.
 * The counts of heads and columns must divide. A key/value head is on several ranks if there are fewer of them than
 * ranks. The vocabulary need not divide: the last ranks have less. */
struct model_config model_part_config(const struct model_part *part);
/* Whether a part's tied head is apart from its token table, which another part has; and whether it is that other part.
 */
bool model_part_borrows(const struct model_config *part);
bool model_part_lends(const struct model_config *part);
/* The layer of the whole model that is the part's layer `layer`; -1: stays. */
int64_t model_part_layer(const struct model_part *part, int64_t layer);
/* Its first expert, of the whole layer's. */
int64_t model_part_expert(const struct model_part *part);
/* The first row of the vocabulary, and the rows of a leaf; the last ones have fewer. */
int64_t model_part_vocab(const struct model_part *part);
int64_t model_part_vocab_leaf(const struct model_part *part);
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
