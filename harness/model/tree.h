/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums with the same bits in every layout (--reproducible). A sum over the global batch, over the k of a matmul that
 * tensor parallel ranks split, or over the vocabulary has R leaves, which a binary tree adds up. A rank has
 * R / dp or R / tp of them. So its own sum is a node of the tree, and sums over ranks add up nodes. A leaf of the batch
 * has its sequences' sums one after the other. */
#ifndef TOISE_MODEL_TREE_H
#define TOISE_MODEL_TREE_H

#include <stdint.h>

#include "config/config.h"

struct model_shape;

enum { MODEL_LEAVES = 64 }; /* at most */

struct model_tree {
    int leaves;        /* R, a power of two; 0: sums follow the layout */
    int columns;       /* of them a rank's of a matmul's k, and of the vocabulary */
    int blocks;        /* and of the batch */
    int64_t sequences; /* of a leaf of the batch */
};

/* Leaves come in order, and sums that wait for their right neighbour are kept by level. That of leaf i is made at this
 * level; after it so many sums are complete, each being added to the one a level below. */
static inline int model_tree_level(int64_t leaf) {
    return __builtin_popcountll((unsigned long long)leaf);
}
static inline int model_tree_complete(int64_t leaf) {
    return __builtin_ctzll(~(unsigned long long)leaf);
}
/* Levels that so many leaves, a power of two, need. */
static inline int model_tree_levels(int leaves) {
    return leaves > 1 ? 1 + __builtin_ctz((unsigned)leaves) : 1;
}

/* What a leaf of this rank has of a dimension that tensor parallel ranks split: runs of the rank's columns. Queries,
 * keys and values are three, gate and value two. Without a tree the only leaf has all. */
struct model_runs {
    int count;
    struct {
        int64_t at, length;
    } run[3];
};
struct model_runs model_tree_runs(const struct model_shape *shape, enum model_dim split, int leaf);

#endif
