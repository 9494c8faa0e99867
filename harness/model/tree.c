/* SPDX-License-Identifier: Apache-2.0
 *
 * Which columns are a leaf's. */
#include "model/buffers.h"

struct model_runs model_tree_runs(const struct model_shape *s, enum model_dim split, int leaf) {
    const struct model_config *c = s->config;
    const int64_t all = model_config_dim(c, split), leaves = s->tree.leaves ? s->tree.columns : 1, each = all / leaves;
    if (!s->tree.leaves) return (struct model_runs){1, {{0, all}}};
    if (split == MODEL_VOCAB && leaves > 1) {
        const int64_t words = model_part_vocab_leaf(&s->part), at = leaf * words, left = all - at;
        return (struct model_runs){1, {{at, words < left ? words : left}}};
    }
    if (split == MODEL_FFN_UP && c->family->gated)
        return (struct model_runs){2, {{leaf * each / 2, each / 2}, {(all + leaf * each) / 2, each / 2}}};
    if (split == MODEL_QKV && !c->family->interleaved) {
        const int64_t q = model_config_dim(c, MODEL_ATTENTION), kv = model_config_dim(c, MODEL_KV);
        const int64_t heads = q / leaves, kv_heads = kv / leaves;
        return (struct model_runs){
            3, {{leaf * heads, heads}, {q + leaf * kv_heads, kv_heads}, {q + kv + leaf * kv_heads, kv_heads}}};
    }
    return (struct model_runs){1, {{leaf * each, each}}};
}
