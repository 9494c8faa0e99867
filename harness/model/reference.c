/* SPDX-License-Identifier: Apache-2.0
 *
 * The FP64 transformer: its buffers and the order of its operations, forward and backward. reference_ops.h has the
 * operations. */
#include "model/reference.h"

#include <omp.h>
#include <stdlib.h>

#include "base/arena.h"
#include "model/reference_ops.h"

static void layer_forward(const struct reference_run *s, int64_t l, const struct reference_layer *a, double *next) {
    model_reference_norm(s, MODEL_NORM1_GAIN, MODEL_NORM1_BIAS, l, a->x, a->norm1);
    model_reference_linear(s, MODEL_QKV_WEIGHT, MODEL_QKV_BIAS, l, s->width, s->qkv, a->norm1, NULL, a->qkv);
    model_reference_turn(s, 1, a->qkv);
    model_reference_attention(s, a->qkv, a->att);
    model_reference_linear(s, MODEL_PROJ_WEIGHT, MODEL_PROJ_BIAS, l, s->attn, s->width, a->att, a->x, a->mid);
    model_reference_norm(s, MODEL_NORM2_GAIN, MODEL_NORM2_BIAS, l, a->mid, a->norm2);
    if (s->active) {
        model_reference_experts(s, l, a, next);
        return;
    }
    model_reference_linear(s, MODEL_UP_WEIGHT, MODEL_UP_BIAS, l, s->width, s->up, a->norm2, NULL, a->up);
    model_reference_activation(s, s->ffn, a->up, a->act);
    model_reference_linear(s, MODEL_DOWN_WEIGHT, MODEL_DOWN_BIAS, l, s->ffn, s->width, a->act, a->mid, next);
}

static void mlp_backward(const struct reference_run *s, int64_t l, const struct reference_layer *a) {
    if (s->active) {
        model_reference_experts_backward(s, l, a, s->dx, s->dnorm);
        return;
    }
    model_reference_linear_backward(s, MODEL_DOWN_WEIGHT, MODEL_DOWN_BIAS, l, s->ffn, s->width, a->act, s->dx, s->dact);
    model_reference_activation_backward(s, s->ffn, a->up, s->dact, s->dup);
    model_reference_linear_backward(s, MODEL_UP_WEIGHT, MODEL_UP_BIAS, l, s->width, s->up, a->norm2, s->dup, s->dnorm);
}

static void layer_backward(const struct reference_run *s, int64_t l, const struct reference_layer *a) {
    mlp_backward(s, l, a);
    model_reference_norm_backward(s, MODEL_NORM2_GAIN, MODEL_NORM2_BIAS, l, a->mid, s->dnorm, s->dx, s->dx);
    model_reference_linear_backward(s, MODEL_PROJ_WEIGHT, MODEL_PROJ_BIAS, l, s->attn, s->width, a->att, s->dx,
                                    s->datt);
    model_reference_attention_backward(s, a->qkv, a->att, s->datt, s->dqkv);
    model_reference_turn(s, -1, s->dqkv);
    model_reference_linear_backward(s, MODEL_QKV_WEIGHT, MODEL_QKV_BIAS, l, s->width, s->qkv, a->norm1, s->dqkv,
                                    s->dnorm);
    model_reference_norm_backward(s, MODEL_NORM1_GAIN, MODEL_NORM1_BIAS, l, a->x, s->dnorm, s->dx, s->dx);
}

static int64_t largest_weight(const struct model_reference *r) {
    const struct model_config *c = r->shape.config;
    const int64_t qkv = model_config_dim(c, MODEL_QKV), shared = model_config_dim(c, MODEL_SHARED_UP);
    const int64_t ffn = model_config_dim(c, MODEL_FFN_UP), up = ffn > shared ? ffn : shared;
    int64_t most = (qkv > up ? qkv : up) * c->width; /* one matmul may take several tensors */
    if (r->params->largest > most) most = r->params->largest;
    return most + c->vocab + qkv + up;
}

/* Doubles of one layer, then of everything else. */
static int64_t layer_size(const struct reference_run *s) {
    const int64_t rows = s->active ? s->active : 1;
    return s->t * (4 * s->width + s->qkv + s->attn + rows * (s->up + s->ffn) + 2 * s->c->experts + 2 * s->active +
                   s->shared + s->shared_up);
}
static int64_t rest_size(const struct reference_run *s, bool backward) {
    int64_t gradients =
        backward ? s->t * (2 * s->width + s->attn + s->qkv + s->up + s->ffn + s->shared + s->shared_up) : 0;
    if (s->active) gradients += s->t * (s->width + s->up + s->ffn + s->active + s->c->experts) + s->c->experts;
    return 2 * s->t * s->width + largest_weight(s->r) + s->r->shape.seq + gradients;
}

static struct reference_run describe(const struct model_reference *r, bool backward) {
    const struct model_config *c = r->shape.config;
    return (struct reference_run){.r = r,
                                  .c = c,
                                  .t = r->shape.batch * r->shape.seq,
                                  .width = c->width,
                                  .ffn = c->ffn,
                                  .up = model_config_dim(c, MODEL_FFN_UP),
                                  .attn = model_config_dim(c, MODEL_ATTENTION),
                                  .qkv = model_config_dim(c, MODEL_QKV),
                                  .d = c->head_dim,
                                  .active = c->experts > 0 ? c->active : 0,
                                  .shared = model_config_dim(c, MODEL_SHARED),
                                  .shared_up = model_config_dim(c, MODEL_SHARED_UP),
                                  .keep = backward};
}

double model_reference_bytes(const struct model_reference *r, bool backward) {
    const struct reference_run s = describe(r, backward);
    const int64_t kept = backward ? s.c->layers + 1 : 2;
    return 8.0 * (double)(kept * layer_size(&s) + rest_size(&s, backward) + s.t * s.c->vocab);
}

static double *take(double **from, int64_t n) {
    double *p = *from;
    *from += n;
    return p;
}

/* Splits one block into the buffers. Forward alone alternates between two layers. */
static void carve(struct reference_run *s, double *block) {
    int64_t kept = s->keep ? s->c->layers + 1 : 2, t = s->t;
    for (int64_t l = 0; l < kept; l++) {
        struct reference_layer *a = &s->layers[l];
        a->x = take(&block, t * s->width);
        a->norm1 = take(&block, t * s->width);
        a->mid = take(&block, t * s->width);
        a->norm2 = take(&block, t * s->width);
        a->qkv = take(&block, t * s->qkv);
        a->att = take(&block, t * s->attn);
        const int64_t rows = s->active ? s->active * t : t;
        a->up = take(&block, rows * s->up);
        a->act = take(&block, rows * s->ffn);
        a->scores = take(&block, t * s->c->experts);
        a->probs = take(&block, t * s->c->experts);
        a->choice = take(&block, t * s->active);
        a->mix = take(&block, t * s->active);
        a->shared_up = take(&block, t * s->shared_up);
        a->shared = take(&block, t * s->shared);
    }
    s->embedded = take(&block, t * s->width);
    s->final = take(&block, t * s->width);
    s->weight = take(&block, largest_weight(s->r));
    s->scores = take(&block, s->r->shape.seq);
    if (s->active) {
        s->rows = take(&block, t * s->width);
        s->wide = take(&block, t * s->up);
        s->narrow = take(&block, t * s->ffn);
        s->dmix = take(&block, t * s->active);
        s->dscores = take(&block, t * s->c->experts);
        s->by = take(&block, s->c->experts);
    }
    if (!s->keep) return;
    s->dx = take(&block, t * s->width);
    s->dnorm = take(&block, t * s->width);
    s->datt = take(&block, t * s->attn);
    s->dqkv = take(&block, t * s->qkv);
    s->dup = take(&block, t * s->up);
    s->dact = take(&block, t * s->ffn);
    s->dshared_up = take(&block, t * s->shared_up);
    s->dshared = take(&block, t * s->shared);
}

static int step(struct reference_run *s, const int32_t *tokens, const int32_t *targets, double scale, double *loss,
                struct base_error *e) {
    const int64_t layers = s->c->layers, modulus = s->keep ? layers + 1 : 2;
    double *first = s->layers[0].x;
    model_reference_embed(s, tokens, model_config_has(s->c, MODEL_EMBED_GAIN) ? s->embedded : first, first);
    for (int64_t l = 0; l < layers; l++) layer_forward(s, l, &s->layers[l % modulus], s->layers[(l + 1) % modulus].x);
    const double *last = s->layers[layers % modulus].x;
    model_reference_norm(s, MODEL_FINAL_GAIN, MODEL_FINAL_BIAS, 0, last, s->final);
    int code = model_reference_head(s, targets, scale, loss, e);
    if (code || !s->grads) return code;
    model_reference_norm_backward(s, MODEL_FINAL_GAIN, MODEL_FINAL_BIAS, 0, last, s->dnorm, NULL, s->dx);
    for (int64_t l = layers - 1; l >= 0; l--) layer_backward(s, l, &s->layers[l]);
    model_reference_embed_backward(s, tokens, s->embedded);
    return BASE_OK;
}

int model_reference_step(const struct model_reference *r, const int32_t *tokens, const int32_t *targets,
                         double grad_scale, double *loss, double *grads, struct base_error *e) {
    struct reference_run s = describe(r, grads != NULL);
    const int64_t kept = s.keep ? s.c->layers + 1 : 2, size = kept * layer_size(&s) + rest_size(&s, s.keep);
    s.grads = grads;
    s.scale = grad_scale;
    s.layers = calloc((size_t)kept, sizeof *s.layers);
    struct base_arena block = {0}; /* a large model's has huge pages, and all threads clear them */
    int code = s.layers ? base_arena_open(&block, (size_t)size * sizeof(double), omp_get_max_threads(), e)
                        : base_fail(e, BASE_BROKEN, "out of memory for the layers of the FP64 reference");
    if (!code) {
        carve(&s, (double *)(void *)block.base);
        code = step(&s, tokens, targets, grad_scale, loss, e);
    }
    base_arena_close(&block);
    free(s.layers);
    return code;
}
