/* SPDX-License-Identifier: Apache-2.0
 *
 * The operations of a transformer block as kernel calls on a model's weights and buffers, whatever the family;
 * for model/ alone. T = batch*seq tokens. */
#ifndef TOISE_MODEL_BLOCK_H
#define TOISE_MODEL_BLOCK_H

#include "model/model.h"

/* A matmul's weight: [out, in] and its bias [out] or none, of layer `layer`. */
struct model_linear {
    enum model_role weight, bias;
    int64_t layer, in, out;
};
struct model_linear model_linear_qkv(const struct model *m, int64_t layer);
struct model_linear model_linear_proj(const struct model *m, int64_t layer);
struct model_linear model_linear_up(const struct model *m, int64_t layer);
struct model_linear model_linear_down(const struct model *m, int64_t layer);

/* y[T,out] = x[T,in] W^T + bias + d */
void model_linear_forward(const struct model *m, struct model_linear l, const void *x, const void *d, void *y);
/* dx[T,in] = dy[T,out] W */
void model_linear_grad_input(const struct model *m, struct model_linear l, const void *dy, void *dx);
/* dW += dy^T x; dbias += column sums of dy */
void model_linear_grad_params(const struct model *m, struct model_linear l, const void *dy, const void *x);

/* The norms' operands, forward and parameter gradients; model_norm_backward adds what else backward needs. */
struct kernel_norm model_norm_embed(const struct model *m);
struct kernel_norm model_norm1(const struct model *m, int64_t layer);
struct kernel_norm model_norm2(const struct model *m, int64_t layer);
struct kernel_norm model_norm_final(const struct model *m);
/* dx = d_add + the gradient through the norm; its parameters' gradients are added */
void model_norm_backward(const struct model *m, struct kernel_norm n, const void *dy, const void *d_add, void *dx);

/* Embedding into the residual stream, through its norm where there is one; backward from MODEL_DX. */
void model_embed_forward(const struct model *m, const int32_t *tokens);
void model_embed_backward(const struct model *m, const int32_t *tokens);

/* From MODEL_QKV_OUT of the layer to MODEL_ATT; and back, from MODEL_DATT to MODEL_DQKV. Rotary positions are turned
 * in place before and turned back after. */
void model_attention_forward(const struct model *m, int64_t layer);
void model_attention_backward(const struct model *m, int64_t layer);

/* x[T,width] -> MODEL_UP -> MODEL_ACT of the layer: the first matmul of the MLP and its activation function; and from
 * dy, the gradient of the second matmul's output, to MODEL_DUP. GELU is fused into the matmuls. */
void model_up_forward(const struct model *m, int64_t layer, const void *x);
void model_down_grad_input(const struct model *m, int64_t layer, const void *dy);

#endif
