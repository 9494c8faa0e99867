/* SPDX-License-Identifier: Apache-2.0
 *
 * The operations of the FP64 reference: short loops over one struct of buffers. For model/ only. */
#ifndef TOISE_MODEL_REFERENCE_OPS_H
#define TOISE_MODEL_REFERENCE_OPS_H

#include "model/reference.h"

/* What forward keeps of one layer for backward. */
struct reference_layer {
    double *x, *norm1, *qkv, *att, *mid, *norm2, *up, *act; /* qkv: rotated if positions are rotary */
    double *scores, *probs, *choice, *mix;                  /* experts; up and act are then of T * active rows */
    double *shared_up, *shared;                             /* shared experts */
};

struct reference_run {
    const struct model_reference *r;
    const struct model_config *c;
    int64_t t, width, ffn, up, attn, qkv, d; /* tokens, columns, head size */
    struct reference_layer *layers;          /* layers + 1; forward alone reuses two */
    double *embedded;                        /* before the embedding's norm, if any */
    double *final, *weight, *grads;
    double *dx, *dnorm, *datt, *dqkv, *dup, *dact, *scores;
    int64_t active;            /* experts of a token; 0: one MLP */
    int64_t shared, shared_up; /* columns of the shared experts */
    double *dshared_up, *dshared;
    double *by;                                    /* [experts] what a token's are chosen by */
    double *rows, *wide, *narrow, *dmix, *dscores; /* of one expert, of T rows at most; of all choices and tokens */
    double scale;                                  /* grad_scale */
    bool keep;
};

/* Rounds where the path stores BF16. */
void model_reference_store(const struct reference_run *s, double *x, int64_t n);
/* y = x W^T + bias + d */
void model_reference_linear(const struct reference_run *s, enum model_role w, enum model_role b, int64_t layer,
                            int64_t in, int64_t out, const double *x, const double *d, double *y);
/* dx = dy W; dW += dy^T x; dbias += column sums of dy */
void model_reference_linear_backward(const struct reference_run *s, enum model_role w, enum model_role b, int64_t layer,
                                     int64_t in, int64_t out, const double *x, const double *dy, double *dx);
void model_reference_norm(const struct reference_run *s, enum model_role g, enum model_role b, int64_t layer,
                          const double *x, double *y);
/* dx = d_add (may be NULL, may be dx) + gradient through the norm */
void model_reference_norm_backward(const struct reference_run *s, enum model_role g, enum model_role b, int64_t layer,
                                   const double *x, const double *dy, const double *d_add, double *dx);
void model_reference_attention(const struct reference_run *s, const double *qkv, double *o);
void model_reference_attention_backward(const struct reference_run *s, const double *qkv, const double *o,
                                        const double *d_o, double *dqkv);
/* Rotates queries and keys by their positions. direction: 1, or -1 for gradients. */
void model_reference_turn(const struct reference_run *s, double direction, double *qkv);
/* normed == x: no norm follows */
void model_reference_embed(const struct reference_run *s, const int32_t *tokens, double *x, double *normed);
void model_reference_embed_backward(const struct reference_run *s, const int32_t *tokens, const double *embedded);
/* Head and cross-entropy, one token at a time over the whole vocabulary. dlogits round as the path stores them. */
int model_reference_head(const struct reference_run *s, const int32_t *targets, double scale, double *loss,
                         struct base_error *e);
double model_reference_logistic(double x);
/* x[T, up] -> y[T, ffn]; dy[T, ffn] -> dx[T, up]. ffn: the MLP's or the shared experts' columns. */
void model_reference_activation(const struct reference_run *s, int64_t ffn, const double *x, double *y);
void model_reference_activation_backward(const struct reference_run *s, int64_t ffn, const double *x, const double *dy,
                                         double *dx);
/* Experts in place of the MLP: y = mid + what they give. dx: the gradient of norm2. */
void model_reference_experts(const struct reference_run *s, int64_t layer, const struct reference_layer *a, double *y);
void model_reference_experts_backward(const struct reference_run *s, int64_t layer, const struct reference_layer *a,
                                      const double *dy, double *dx);

#endif
