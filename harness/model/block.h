/* SPDX-License-Identifier: Apache-2.0
 *
 * The operations of a transformer block as kernel calls on a model's weights and buffers, for any family. For model/
 * only. T = batch*seq tokens. */
#ifndef TOISE_MODEL_BLOCK_H
#define TOISE_MODEL_BLOCK_H

#include "model/model.h"

/* A matmul's weight [out, in] of layer `layer`, and its bias [out] if it has one. split: the dimension that tensor
 * parallel ranks split. */
struct model_linear {
    enum model_role weight, bias;
    int64_t layer, in, out;
    enum model_dim split;
};
struct model_linear model_linear_qkv(const struct model *m, int64_t layer);
struct model_linear model_linear_proj(const struct model *m, int64_t layer);
struct model_linear model_linear_up(const struct model *m, int64_t layer);
struct model_linear model_linear_down(const struct model *m, int64_t layer);
struct model_linear model_linear_router(const struct model *m, int64_t layer);
struct model_linear model_linear_shared_up(const struct model *m, int64_t layer);
struct model_linear model_linear_shared_down(const struct model *m, int64_t layer);

/* y[T,out] = x[T,in] W^T + bias + d. _sum: x and W are split along `in`, and y[R,out] is the sum over tensor parallel
 * ranks; d[R,out] is the same on all of them unless they have shares. */
void model_linear_forward(const struct model *m, struct model_linear l, const void *x, const void *d, void *y);
void model_linear_sum(const struct model *m, struct model_linear l, const void *x, const void *d, void *y);
/* dx[T,in] = dy[T,out] W */
void model_linear_grad_input(const struct model *m, struct model_linear l, const void *dy, void *dx);
/* Their matmuls. */
struct kernel_gemm model_gemm_forward(const struct model *m, struct model_linear l, const void *x, const void *d,
                                      void *y);
struct kernel_gemm model_gemm_grad_input(const struct model *m, struct model_linear l, const void *dy, void *dx);
/* C, FP32, has k split by this dimension: it is the sum of this rank's leaves of the tree, if there is one. D is NULL
 * then. */
void model_gemm_sum(const struct model *m, const struct kernel_gemm *g, enum model_dim split);
/* Adds tokens [row, row + rows) of the micro-batch to gradient[n], leaf by leaf: begin, and next as long as `rows` is
 * not 0. The caller adds the leaf's rows to sum[n], or if `first` writes it. apart: elements from one level of
 * gradients to the next (model.h). */
struct model_leaf {
    float *sum;
    bool first;
    int64_t row, rows;
    float *gradient;
    int64_t apart, n, end;
};
struct model_leaf model_leaf_begin(const struct model *m, float *gradient, int64_t apart, int64_t n, int64_t row,
                                   int64_t rows);
void model_leaf_next(const struct model *m, struct model_leaf *leaf);
/* dW += dy^T x; dbias += column sums of dy */
void model_linear_grad_params(const struct model *m, struct model_linear l, const void *dy, const void *x);

/* Something to compute of a layer: gradients of parameters, from what backward left in buffers. _now: as a part of
 * backward, unless it is late. */
typedef void model_layer_fn(const struct model *m, int64_t layer);
void model_weights_now(const struct model *m, model_layer_fn *weights, int64_t layer);
/* dx[R,in], where dy and W are split along `out`: the sum over tensor parallel ranks. It is in flight while `weights`,
 * the gradients of the parameters, are computed. */
void model_linear_sum_backward(const struct model *m, struct model_linear l, const void *dy, void *dx,
                               model_layer_fn *weights);
/* A rank's addend [T,width] of a sum over tensor parallel ranks that becomes y[R,width], in FP32: BF16 rounds the sum
 * once, as if one rank had computed it. The addend may be y itself. start, then finish, which also adds d[R,width] if
 * that is not NULL. Of one rank they just make y of the addend. */
float *model_addend(const struct model *m, void *y);
void model_sum_start(const struct model *m, float *addend);
void model_sum_finish(const struct model *m, const float *addend, const void *d, void *y);
/* The addend with d[R,width] in it, to which a rank then adds its part; of ranks without shares the first one's alone.
 * NULL: nothing is in it yet. */
const void *model_addend_begin(const struct model *m, const void *d, float *addend);
/* x[R,width] of all ranks: [T,width]. It is x itself, or MODEL_SHARES until the next call. */
void *model_shares(const struct model *m, void *x);
/* The same of the gradient of the residual stream. If backward is late it is kept in a buffer of the layer's own, where
 * the second finds it. */
const void *model_stream_shares(const struct model *m, enum model_buffer own, int64_t layer);
const void *model_stream_kept(const struct model *m, enum model_buffer own, int64_t layer);
/* The embedding e.x[T,width] of tensor parallel ranks becomes own[R,width]. */
void model_sum_embedding(const struct model *m, const struct kernel_embedding *e, void *own);

/* The norms' operands for forward and for parameter gradients. model_norm_backward adds the rest. */
struct kernel_norm model_norm_embed(const struct model *m);
struct kernel_norm model_norm1(const struct model *m, int64_t layer);
struct kernel_norm model_norm2(const struct model *m, int64_t layer);
struct kernel_norm model_norm_final(const struct model *m);
/* Returns the norm of all tokens [T,width]. n: of this rank's. */
const void *model_norm_forward(const struct model *m, const struct kernel_norm *n);
/* dx = d_add + the gradient through the norm; and the gradients of the norm's parameters, to which it adds. */
void model_norm_grad_input(const struct model *m, struct kernel_norm n, const void *dy, const void *d_add, void *dx);
void model_norm_grad_params(const struct model *m, struct kernel_norm n, const void *dy);

/* Calls f for the parts of the sum over tokens that becomes gradient[rows, width]: e.dtoken or e.dposition, the other
 * being NULL. */
typedef void model_embedding_fn(const struct model *m, const struct kernel_embedding *e);
void model_embedding_grad(const struct model *m, const struct kernel_embedding *e, float *gradient, int64_t rows,
                          model_embedding_fn *f);
/* Embedding into the residual stream, through its norm if it has one. Backward starts from MODEL_DX. */
void model_embed_forward(const struct model *m, const int32_t *tokens);
void model_embed_backward(const struct model *m, const int32_t *tokens);

/* Rotary positions rotate queries and keys in MODEL_QKV_OUT, in place. */
void model_rotate_forward(const struct model *m, int64_t layer);
/* Forward: MODEL_QKV_OUT of the layer, rotated, to MODEL_ATT. Backward: MODEL_DATT to MODEL_DQKV, rotated back. */
void model_attention_forward(const struct model *m, int64_t layer);
void model_attention_backward(const struct model *m, int64_t layer);
/* The same over context parallel ranks (context.h). own: the operands for this rank's own keys. */
void model_context_forward(const struct model *m, const struct kernel_attention *own);
void model_context_backward(const struct model *m, const struct kernel_attention *own);
/* Adjacent tokens of a sequence that have adjacent positions: all, or of context parallel ranks half of them. */
int64_t model_run(const struct model *m);

/* The MLP's first matmul and activation function: x[T,width] -> MODEL_UP -> MODEL_ACT of the layer. The second goes
 * from dy, the gradient of the second matmul's output, to MODEL_DUP. GELU is fused into the matmuls. */
void model_up_forward(const struct model *m, int64_t layer, const void *x);
/* MODEL_UP -> MODEL_ACT alone, with the bits that the fused one gives. */
void model_activation_forward(const struct model *m, int64_t layer);
void model_down_grad_input(const struct model *m, int64_t layer, const void *dy);

/* Experts in place of the MLP (experts.h). up: x[T,width] to MODEL_ACT of this rank's experts' rows;
 * activations: its last pass alone. down: from there, added to MODEL_MID, the residual stream out of the layer.
 * backward: from dy[T,width], its gradient, to dx[R,width], that of x without the residual's; weights: all of its
 * weights' gradients. The shared ones are among them. */
void model_experts_up(const struct model *m, int64_t layer, const void *x);
void model_experts_activations(const struct model *m, int64_t layer);
void model_experts_down(const struct model *m, int64_t layer);
void model_experts_backward(const struct model *m, int64_t layer, const void *dy, void *dx);
void model_experts_weights(const struct model *m, int64_t layer);
/* The shared experts, which all tokens pass: an MLP whose matmuls run while rows travel. up: x[T,width] to
 * MODEL_SHARED_ACT; activation: its last pass alone. down: y[T,width] = d + their result; y and d are `out`. They do
 * nothing without some, and return whether they did. down_backward: dy[T,width] to MODEL_DSHARED_UP. up_backward: to
 * dx[T,width], FP32. weights: all of their weights' gradients. */
void model_shared_up(const struct model *m, int64_t layer, const void *x);
void model_shared_activation(const struct model *m, int64_t layer);
bool model_shared_down(const struct model *m, int64_t layer, enum kernel_dtype out, const void *d, void *y);
void model_shared_down_backward(const struct model *m, int64_t layer, const void *dy);
bool model_shared_up_backward(const struct model *m, int64_t layer, float *dx);
void model_shared_weights(const struct model *m, int64_t layer);
/* The router: MODEL_PROBS, MODEL_CHOICE, MODEL_MIX and the order of rows from x[T,width]; backward: MODEL_DSCORES from
 * MODEL_DMIX and the load-balancing loss. balance: that loss, summed over tokens as model_loss. */
void model_route_forward(const struct model *m, int64_t layer, const void *x);
void model_route_backward(const struct model *m, int64_t layer);
double model_route_balance(const struct model *m, int64_t layer);
/* The router's weights' gradient; in that of a bias, the rows of this rank's tokens, which replicas sum likewise. */
void model_route_weights(const struct model *m, int64_t layer);

#endif
