/* SPDX-License-Identifier: Apache-2.0
 *
 * Context parallel ranks share each sequence (ring attention: Liu et al. 2023). Of its 2 * ranks equal parts a rank has
 * part `rank` and the one as far from the end, its two halves. So under a causal mask all compute as much (zig-zag, as
 * Llama 3: Dubey et al. 2024). */
#ifndef TOISE_MODEL_CONTEXT_H
#define TOISE_MODEL_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

struct model_context {
    int ranks, rank; /* ranks 0 or 1: a rank has whole sequences */
};

static inline bool model_context_shares(struct model_context c) {
    return c.ranks > 1;
}
/* The part that is a rank's first or second half. */
static inline int64_t model_context_part(struct model_context c, int rank, int half) {
    return half ? 2 * c.ranks - 1 - rank : rank;
}
/* The position of token i of the `seq` that this rank has of a sequence. */
int64_t model_context_position(struct model_context c, int64_t seq, int64_t i);
/* Copies this rank's elements of whole[ranks * seq] to own[seq]. */
void model_context_take(struct model_context c, int64_t seq, const int32_t *whole, int32_t *own);
/* Whether attention of one part's queries to another's keys is computed, of `length` tokens each: if some see some, or
 * would in a window longer by one. Then what the ledger counts, areas, adds up to the whole. window: as in struct
 * kernel_attention. */
bool model_context_sees(int64_t queries, int64_t keys, int64_t length, int64_t window);

#endif
