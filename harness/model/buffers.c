/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of buffers: how many copies, how many elements, which dtype. */
#include "model/buffers.h"

int64_t model_vocab_ld(const struct model_config *c) {
    return (c->vocab + 31) / 32 * 32;
}

struct model_buffer_row model_buffer_describe(const struct model_shape *s, enum model_buffer buffer) {
    const struct model_config *c = s->config;
    const int64_t t = s->batch * s->seq, layers = c->layers, r = s->sequence ? t / s->part.ranks : t;
    const int64_t matmuls = s->kept == MODEL_KEPT_LAYERS ? 1 : layers, rest = s->kept == MODEL_KEPT_ALL ? layers : 1;
    const int64_t width = c->width, qkv = model_config_dim(c, MODEL_QKV), att = model_config_dim(c, MODEL_ATTENTION);
    const int64_t up = model_config_dim(c, MODEL_FFN_UP);
    const int64_t embed = model_config_has(c, MODEL_EMBED_GAIN) ? 1 : 0, means = c->family->rms ? 0 : 1;
    const int64_t position = c->family->position == MODEL_POSITION_ROTARY  ? s->seq * c->head_dim
                             : c->family->position == MODEL_POSITION_ALIBI ? c->heads
                                                                           : 0;
    const int64_t logits = s->head_rows * model_vocab_ld(c);
    const enum kernel_dtype a = s->dtype, f = KERNEL_F32;
    const struct model_buffer_row rows[MODEL_BUFFERS] = {
        [MODEL_EMBED] = {"embedding before its norm", embed, r * width, a, false},
        [MODEL_EMBED_MEAN] = {"embedding norm mean", embed * means, r, f, false},
        [MODEL_EMBED_RSTD] = {"embedding norm rstd", embed, r, f, false},
        [MODEL_X] = {"residual stream", layers + 1, r * width, a, false},
        [MODEL_NORM1] = {"norm 1", rest, t * width, a, false},
        [MODEL_NORM1_MEAN] = {"norm 1 mean", rest * means, r, f, false},
        [MODEL_NORM1_RSTD] = {"norm 1 rstd", rest, r, f, false},
        [MODEL_QKV_OUT] = {"queries, keys, values", matmuls, t * qkv, a, false},
        [MODEL_ATT] = {"attention", rest, t * att, a, false},
        [MODEL_LSE] = {"attention log-sum-exp", rest, t * c->heads, f, false},
        [MODEL_MID] = {"residual stream, middle", matmuls, r * width, a, false},
        [MODEL_NORM2] = {"norm 2", rest, t * width, a, false},
        [MODEL_NORM2_MEAN] = {"norm 2 mean", rest * means, r, f, false},
        [MODEL_NORM2_RSTD] = {"norm 2 rstd", rest, r, f, false},
        [MODEL_UP] = {"ffn before activation", matmuls, t * up, a, false},
        [MODEL_ACT] = {"ffn after activation", rest, t * c->ffn, a, false},
        [MODEL_POSITION] = {"position table", position ? 1 : 0, position, f, false},
        [MODEL_FINAL] = {"final norm", 1, t * width, a, false},
        [MODEL_FINAL_MEAN] = {"final norm mean", means, r, f, false},
        [MODEL_FINAL_RSTD] = {"final norm rstd", 1, r, f, false},
        [MODEL_LOGITS] = {"logits of a chunk", 1, logits, f, false},
        [MODEL_CE_MAX] = {"cross-entropy max", 1, t, f, false},
        [MODEL_CE_SUM] = {"cross-entropy sum", 1, t, f, false},
        [MODEL_CE_TARGET] = {"cross-entropy target", 1, t, f, false},
        [MODEL_LOSS] = {"loss per token", 1, t, f, false},
        [MODEL_DLOGITS] = {"d logits of a chunk", a == KERNEL_F32 ? 0 : 1, logits, a, true},
        [MODEL_DX] = {"d residual stream", 1, r * width, a, true},
        [MODEL_DNORM] = {"d norm", 1, r * width, a, true},
        [MODEL_DATT] = {"d attention", 1, t * att, a, true},
        [MODEL_DQKV] = {"d queries, keys, values", 1, t * qkv, a, true},
        [MODEL_DUP] = {"d ffn before activation", 1, t * up, a, true},
        [MODEL_DACT] = {"d ffn after activation", c->family->gated ? 1 : 0, t * c->ffn, a, true},
        [MODEL_PARTIAL] = {"partial sums", model_is_split(s) && (a == KERNEL_BF16 || s->sequence) ? 1 : 0, t * width, f,
                           false},
        [MODEL_SHARES] = {"shares of all ranks", s->sequence ? 1 : 0, t * width, a, false},
    };
    return rows[buffer];
}
