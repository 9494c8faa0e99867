/* SPDX-License-Identifier: Apache-2.0
 *
 * Splits a model's sizes and tensors over tensor parallel ranks. */
#include "config/part.h"

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

int64_t model_part_vocab_leaf(const struct model_part *p) {
    const int leaves = p->leaves ? p->leaves : p->ranks;
    return (p->whole->vocab + leaves - 1) / leaves;
}

/* Rows of the vocabulary that a rank has room for. */
static int64_t vocab_room(const struct model_part *p) {
    return model_part_vocab_leaf(p) * (p->leaves ? p->leaves / p->ranks : 1);
}

int64_t model_part_vocab(const struct model_part *p) {
    return least(vocab_room(p) * p->rank, p->whole->vocab);
}

int model_part_sharing(const struct model_part *p) {
    return p->whole->kv_heads < p->ranks ? p->ranks / (int)p->whole->kv_heads : 1;
}

struct model_config model_part_config(const struct model_part *p) {
    const struct model_part next = {.whole = p->whole, .ranks = p->ranks, .rank = p->rank + 1, .leaves = p->leaves};
    struct model_config c = *p->whole;
    const struct model_chunk *first = p->chunk, *last = first + p->chunks - 1;
    if (p->chunks) {
        c.layers = 0;
        for (const struct model_chunk *x = first; x <= last; x++) c.layers += x->layers;
        c.lacks_embedding = first->first > 0;
        c.lacks_head = last->first + last->layers < p->whole->layers;
    }
    if (p->expert_ranks > 1) c.own_experts /= p->expert_ranks;
    if (p->ranks == 1) return c;
    c.heads /= p->ranks;
    c.kv_heads = c.kv_heads < p->ranks ? 1 : c.kv_heads / p->ranks;
    c.ffn /= p->ranks;
    c.vocab = model_part_vocab(&next) - model_part_vocab(p);
    /* Sums over replicas add in an order that depends on places. What all parts have has the same ones. */
    c.vocab_room = vocab_room(p);
    return c;
}

bool model_part_borrows(const struct model_config *c) {
    return c->tied && c->lacks_embedding && !c->lacks_head;
}
bool model_part_lends(const struct model_config *c) {
    return c->tied && c->lacks_head && !c->lacks_embedding;
}

int64_t model_part_expert(const struct model_part *p) {
    return p->expert_ranks > 1 ? p->whole->experts / p->expert_ranks * p->expert_rank : 0;
}

int64_t model_part_layer(const struct model_part *p, int64_t layer) {
    int64_t before = 0;
    for (int i = 0; i < p->chunks && layer >= 0; i++) {
        if (layer - before < p->chunk[i].layers) return p->chunk[i].first + layer - before;
        before += p->chunk[i].layers;
    }
    return layer;
}

bool model_part_splits(const struct model_part *p, const struct model_parameter *parameter) {
    return p->ranks > 1 && parameter->shard != MODEL_SHARD_NONE;
}

static void add(struct model_split *s, int64_t from, int64_t length) {
    const int i = s->count++;
    s->run[i].at = i ? s->run[i - 1].at + s->run[i - 1].length : 0;
    s->run[i].from = from;
    s->run[i].length = length;
}

/* The runs of a dimension that is split. */
static void split_dim(struct model_split *s, const struct model_part *p, const struct model_config *mine,
                      enum model_dim dim) {
    const struct model_config *c = p->whole;
    const int64_t d = c->head_dim, heads = mine->heads * d, kv = mine->kv_heads * d, first = heads * p->rank;
    const int64_t kv_first = kv * (p->rank / model_part_sharing(p));
    switch (dim) {
    case MODEL_QKV:
        if (c->family->interleaved) { /* head by head */
            add(s, 3 * first, 3 * heads);
            return;
        }
        add(s, first, heads);
        add(s, c->heads * d + kv_first, kv);
        add(s, (c->heads + c->kv_heads) * d + kv_first, kv);
        return;
    case MODEL_ATTENTION:
        add(s, first, heads);
        return;
    case MODEL_KV:
        add(s, kv_first, kv);
        return;
    case MODEL_VOCAB:
        add(s, model_part_vocab(p), mine->vocab);
        return;
    case MODEL_SHARED:
        add(s, mine->shared * mine->ffn * p->rank, mine->shared * mine->ffn);
        return;
    default:
        add(s, mine->ffn * p->rank, mine->ffn);
        return; /* the MLP's columns */
    }
}

struct model_split model_part_split(const struct model_part *p, const struct model_parameter *parameter) {
    const struct model_config mine = model_part_config(p);
    const int64_t rows = model_config_dim(&mine, parameter->rows);
    struct model_split s = {.cols = model_config_dim(&mine, parameter->cols),
                            .whole_cols = model_config_dim(p->whole, parameter->cols),
                            .by_cols = parameter->shard == MODEL_SHARD_COLS};
    if (!model_part_splits(p, parameter))
        add(&s, 0, s.by_cols ? s.cols : rows);
    else
        split_dim(&s, p, &mine, s.by_cols ? parameter->cols : parameter->rows);
    return s;
}

int64_t model_part_place(const struct model_split *s, int64_t i, int64_t *left) {
    const int64_t row = i / s->cols, col = i % s->cols, along = s->by_cols ? col : row;
    int r = 0;
    while (r + 1 < s->count && along >= s->run[r + 1].at) r++;
    const int64_t moved = along - s->run[r].at + s->run[r].from, rest = s->run[r].at + s->run[r].length - along;
    *left = s->by_cols ? rest : rest * s->cols - col;
    return s->by_cols ? row * s->whole_cols + moved : moved * s->whole_cols + col;
}
