/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of buffers: how many copies, how many elements, which dtype. */
#include "model/buffers.h"

int64_t model_vocab_ld(const struct model_config *c) {
    return (c->vocab + 31) / 32 * 32;
}

int64_t model_vocab_parts(const struct model_shape *s) {
    return s->tree.leaves ? s->tree.leaves : model_is_split(s) ? s->part.ranks : 1;
}

int model_chunks(const struct model_shape *s) {
    return s->part.chunks ? s->part.chunks : 1;
}

struct model_chunk model_chunk_of(const struct model_shape *s, int chunk) {
    struct model_chunk c = {0, s->config->layers, 1, 0};
    if (!s->part.chunks) return c;
    c = s->part.chunk[chunk];
    c.first = 0;
    for (int i = 0; i < chunk; i++) c.first += s->part.chunk[i].layers;
    return c;
}

int64_t model_again(const struct model_shape *s, int chunk) {
    int64_t kept = 0;
    for (int i = 0; i < model_chunks(s); i++) kept += model_chunk_of(s, i).slots;
    return s->kept == MODEL_KEPT_ALL ? 0 : model_chunk_of(s, chunk).layers - (kept == 1);
}

int64_t model_copies_before(const struct model_shape *s, enum model_each each, int chunk) {
    int64_t n = 0;
    for (int i = 0; i < chunk; i++) {
        const struct model_chunk c = model_chunk_of(s, i);
        n += each == MODEL_EACH_LATE ? c.late * c.layers : c.slots * (c.layers + (each == MODEL_EACH_INPUT));
    }
    return n;
}

bool model_is_late(const struct model_shape *s, int chunk) {
    return model_chunk_of(s, chunk).late > 0;
}

/* Copies of a buffer in all. */
static int64_t copies(const struct model_shape *s, enum model_each each) {
    const int chunks = model_chunks(s);
    if (each == MODEL_ONCE) return 1;
    if (each == MODEL_EACH_FIRST || each == MODEL_EACH_LAST)
        return model_chunk_of(s, each == MODEL_EACH_LAST ? chunks - 1 : 0).slots;
    return model_copies_before(s, each, chunks);
}

struct model_buffer_row model_buffer_describe(const struct model_shape *s, enum model_buffer buffer) {
    const struct model_config *c = s->config;
    const int64_t t = s->batch * s->seq, r = s->sequence ? t / s->part.ranks : t;
    const enum model_each first = MODEL_EACH_FIRST, last = MODEL_EACH_LAST, once = MODEL_ONCE;
    const enum model_each matmuls = s->kept == MODEL_KEPT_LAYERS ? once : MODEL_EACH_LAYER;
    const enum model_each rest = s->kept == MODEL_KEPT_ALL ? MODEL_EACH_LAYER : once;
    const bool late = model_is_late(s, 0);
    const enum model_each own = late ? MODEL_EACH_LATE : once;
    const int64_t width = c->width, qkv = model_config_dim(c, MODEL_QKV), att = model_config_dim(c, MODEL_ATTENTION);
    const int64_t up = model_config_dim(c, MODEL_FFN_UP), kv = model_config_dim(c, MODEL_KV);
    const int64_t ring = model_context_shares(s->context);
    const int64_t embed = model_config_has(c, MODEL_EMBED_GAIN) ? 1 : 0, means = c->family->rms ? 0 : 1;
    const int64_t position = c->family->position == MODEL_POSITION_ROTARY  ? s->seq * c->head_dim
                             : c->family->position == MODEL_POSITION_ALIBI ? c->heads
                                                                           : 0;
    const int64_t some = c->experts > 0, k = c->active, e = c->experts, m = some ? model_expert_rows(s) : t;
    const int64_t shares = c->shared > 0, shared = model_config_dim(c, MODEL_SHARED),
                  shared_up = model_config_dim(c, MODEL_SHARED_UP);
    const int64_t away = some && s->part.expert_ranks > 1, came = some * s->part.expert_ranks * c->own_experts;
    const int64_t parts = model_vocab_parts(s);
    const bool tree = s->tree.leaves > 0;
    const int64_t logits = s->head_rows * model_vocab_ld(c), head = !c->lacks_head, turns = s->part.chunks ? 2 : 1;
    const enum kernel_dtype a = s->dtype, f = KERNEL_F32, back = model_is_split(s) ? f : a;
    /* here `copies` is what each has, and below it becomes the sum */
    const struct model_buffer_row rows[MODEL_BUFFERS] = {
        [MODEL_EMBED] = {"embedding before its norm", first, embed, r * width, a, false},
        [MODEL_EMBED_MEAN] = {"embedding norm mean", first, embed * means, r, f, false},
        [MODEL_EMBED_RSTD] = {"embedding norm rstd", first, embed, r, f, false},
        [MODEL_X] = {"residual stream", MODEL_EACH_INPUT, 1, r * width, a, false},
        [MODEL_NORM1] = {"norm 1", rest, 1, t * width, a, false},
        [MODEL_NORM1_MEAN] = {"norm 1 mean", rest, means, r, f, false},
        [MODEL_NORM1_RSTD] = {"norm 1 rstd", rest, 1, r, f, false},
        [MODEL_QKV_OUT] = {"queries, keys, values", matmuls, 1, t * qkv, a, false},
        [MODEL_ATT] = {"attention", rest, 1, t * att, a, false},
        [MODEL_LSE] = {"attention log-sum-exp", rest, 1, t * c->heads, f, false},
        [MODEL_MID] = {"residual stream, middle", matmuls, 1, r * width, a, false},
        [MODEL_NORM2] = {"norm 2", rest, 1, t * width, a, false},
        [MODEL_NORM2_MEAN] = {"norm 2 mean", rest, means, r, f, false},
        [MODEL_NORM2_RSTD] = {"norm 2 rstd", rest, 1, r, f, false},
        [MODEL_UP] = {"ffn before activation", matmuls, 1, m * up, a, false},
        [MODEL_ACT] = {"ffn after activation", rest, 1, m * c->ffn, a, false},
        [MODEL_PROBS] = {"experts' probabilities", matmuls, some, t * e, f, false},
        [MODEL_CHOICE] = {"experts chosen", matmuls, some, t * k, f, false},
        [MODEL_MIX] = {"experts' weights", matmuls, some, t * k, f, false},
        [MODEL_PLACE] = {"rows of choices", matmuls, some, t * k, f, false},
        [MODEL_ORDER] = {"tokens of rows", matmuls, some, t * k, f, false},
        [MODEL_SENT] = {"rows sent to experts", matmuls, some, e, f, false},
        [MODEL_CAME] = {"rows that came", matmuls, away, came, f, false},
        [MODEL_LOAD] = {"experts' loads", matmuls, some, s->batch * e, f, false},
        [MODEL_ROWS] = {"experts' rows", matmuls, some, m * width, a, false},
        [MODEL_ROW_MIX] = {"rows' weights", matmuls, some, m, f, false},
        [MODEL_SHARED_UP_OUT] = {"shared before activation", matmuls, shares, t * shared_up, a, false},
        [MODEL_SHARED_ACT] = {"shared after activation", rest, shares, t * shared, a, false},
        [MODEL_POSITION] = {"position table", once, position ? 1 : 0, position, f, false},
        [MODEL_FINAL] = {"final norm", last, head, t * width, a, false},
        [MODEL_FINAL_MEAN] = {"final norm mean", last, head * means, r, f, false},
        [MODEL_FINAL_RSTD] = {"final norm rstd", last, head, r, f, false},
        [MODEL_LOGITS] = {"logits of a chunk", once, head, logits, f, false},
        [MODEL_CE_MAX] = {"cross-entropy max", once, head, t, f, false},
        [MODEL_CE_SUM] = {"cross-entropy sum", once, head, t, f, false},
        [MODEL_CE_TARGET] = {"cross-entropy target", once, head, t, f, false},
        [MODEL_LOSS] = {"loss per token", once, head, t, f, false},
        [MODEL_DLOGITS] = {"d logits of a chunk", once, a == KERNEL_F32 ? 0 : head, logits, a, true},
        [MODEL_DX] = {"d residual stream", once, turns, r * width, a, true},
        [MODEL_DOUT] = {"d residual stream, late", own, late && (!some || shares), t * width, a, true},
        [MODEL_DMID] = {"d residual stream, middle, late", own, late, t * width, a, true},
        [MODEL_DNORM1] = {"d norm 1, late", own, late, r * width, a, true},
        [MODEL_DNORM2] = {"d norm 2, late", own, late, r * width, a, true},
        [MODEL_DNORM] = {"d norm", once, 1, r * width, a, true},
        [MODEL_DATT] = {"d attention", once, 1, t * att, a, true},
        [MODEL_DQKV] = {"d queries, keys, values", own, 1, t * qkv, a, true},
        [MODEL_DUP] = {"d ffn before activation", own, 1, m * up, a, true},
        [MODEL_DACT] = {"d ffn after activation", once, c->family->gated ? 1 : 0, m * c->ffn, a, true},
        [MODEL_PARTIAL] = {"partial sums", once,
                           (model_is_split(s) || some || tree) && (a == KERNEL_BF16 || s->sequence) ? 1 : 0, t * width,
                           f, false},
        [MODEL_RING] = {"keys and values of ranks", once, 2 * ring, t * 2 * kv, a, false},
        [MODEL_RING_GRAD] = {"d keys and values of ranks", once, 3 * ring, t * 2 * kv, f, true},
        [MODEL_JOINED] = {"joined attention", once, a == KERNEL_BF16 ? ring : 0, t * qkv, f, false},
        [MODEL_SCORES] = {"router's logits", once, some, t * e, f, false},
        [MODEL_DSCORES] = {"d router's logits", own, some, t * e, a, true},
        [MODEL_DPROBS] = {"d balance", once, some, s->batch * e, f, true},
        [MODEL_DROWS] = {"d rows of experts, late", own, late && some, m * width, a, true},
        [MODEL_NEXT] = {"next rows", once, some, e, f, false},
        [MODEL_OUT_ROWS] = {"rows of experts", once, some, m * width, back, false},
        [MODEL_DROW_MIX] = {"d rows' weights", once, some, m, f, true},
        [MODEL_DMIX] = {"d experts' weights", once, some, t * k, f, true},
        [MODEL_DSHARED_UP] = {"d shared before activation", own, shares, t * shared_up, a, true},
        [MODEL_DSHARED] = {"d shared after activation", once, shares, t * shared, a, true},
        [MODEL_HOME_ROWS] = {"rows at home", once, away, t * k * width, back, false},
        [MODEL_CAME_ROWS] = {"rows as they came", once, away, m * width, back, false},
        [MODEL_HOME_MIX] = {"weights at home", once, away, t * k, f, false},
        [MODEL_CAME_MIX] = {"weights as they came", once, away, m, f, false},
        [MODEL_INTO] = {"order of experts", once, away, m, f, false},
        [MODEL_BACK] = {"order of ranks", once, away, m, f, false},
        [MODEL_SHARES] = {"shares of all ranks", once, s->sequence ? 1 : 0, t * width, a, false},
        [MODEL_STATISTICS] = {"cross-entropy of parts", once, parts > 1 ? head : 0, 3 * parts * s->head_rows, f, false},
        [MODEL_SUMS] = {"sums of leaves", once, tree ? model_tree_levels(s->tree.columns) - 1 : 0, t * width, f, false},
        [MODEL_NORM_PARTS] = {"d norms of parts", once, tree ? 1 : 0, 2 * s->batch * s->tree.leaves * width, f, true},
        [MODEL_NUMBERS] = {"numbers of rows", once, tree ? 1 : 0, r, f, false},
    };
    struct model_buffer_row row = rows[buffer];
    row.copies *= copies(s, row.each);
    return row;
}
