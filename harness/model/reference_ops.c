/* SPDX-License-Identifier: Apache-2.0
 *
 * The operations as the papers define them, rounded where the path stores. */
#include "model/reference_ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rounds to nearest even at BF16's 8 significant bits: drops the lower 45 of FP64's 52 fraction bits. */
static double bf16(double x) {
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    u = (u + 0x0fffffffffffu + (u >> 45 & 1)) & ~0x1fffffffffffull;
    memcpy(&x, &u, sizeof u);
    return x;
}
void model_reference_store(const struct reference_run *s, double *x, int64_t n) {
    if (s->r->shape.dtype == KERNEL_BF16)
        for (int64_t i = 0; i < n; i++) x[i] = bf16(x[i]);
}

/* Reads a role's tensor into the shared weight buffer. NULL when the family has none. */
static const double *weight(const struct reference_run *s, enum model_role role, int64_t layer, int64_t count,
                            double *into) {
    int64_t offset = model_params_offset(s->r->params, role, layer);
    if (offset < 0) return NULL;
    s->r->read(s->r->context, offset, count, into);
    return into;
}
static double *grad(const struct reference_run *s, enum model_role role, int64_t layer) {
    int64_t offset = model_params_offset(s->r->params, role, layer);
    return offset < 0 ? NULL : s->grads + offset;
}

/* The gradient of a gain or bias, to which every token adds. NULL when the family has none. */
struct summed {
    double *grad, *squares;
};
static struct summed summed(const struct reference_run *s, enum model_role role, int64_t layer) {
    double *g = grad(s, role, layer), *squares = s->r->squares;
    return (struct summed){g, g && squares ? squares + (g - s->grads) : NULL};
}
static void add(struct summed to, int64_t j, double term) {
    if (to.grad) to.grad[j] += term;
    if (to.squares) to.squares[j] += term * term;
}

void model_reference_linear(const struct reference_run *s, enum model_role w, enum model_role b, int64_t layer,
                            int64_t in, int64_t out, const double *x, const double *d, double *y) {
    double *bias = s->weight + in * out;
    kernel_reference_dgemm(false, true, s->t, out, in, x, in, weight(s, w, layer, in * out, s->weight), in, 0, y, out);
    const double *has = weight(s, b, layer, out, bias);
    for (int64_t i = 0; i < s->t; i++)
        for (int64_t j = 0; j < out; j++) y[i * out + j] += (has ? bias[j] : 0) + (d ? d[i * out + j] : 0);
    model_reference_store(s, y, s->t * out);
}

void model_reference_linear_backward(const struct reference_run *s, enum model_role w, enum model_role b, int64_t layer,
                                     int64_t in, int64_t out, const double *x, const double *dy, double *dx) {
    const struct summed db = summed(s, b, layer);
    kernel_reference_dgemm(false, false, s->t, in, out, dy, out, weight(s, w, layer, in * out, s->weight), in, 0, dx,
                           in);
    kernel_reference_dgemm(true, false, out, in, s->t, dy, out, x, in, 1, grad(s, w, layer), in);
    for (int64_t i = 0; i < s->t; i++)
        for (int64_t j = 0; j < out; j++) add(db, j, dy[i * out + j]);
    model_reference_store(s, dx, s->t * in);
}

static void moments(const struct reference_run *s, const double *x, double *mean, double *rstd) {
    double sum = 0, square = 0;
    for (int64_t j = 0; j < s->width && !s->c->family->rms; j++) sum += x[j];
    *mean = sum / (double)s->width;
    for (int64_t j = 0; j < s->width; j++) square += (x[j] - *mean) * (x[j] - *mean);
    *rstd = 1 / sqrt(square / (double)s->width + s->c->norm_eps);
}

void model_reference_norm(const struct reference_run *s, enum model_role g, enum model_role b, int64_t layer,
                          const double *x, double *y) {
    const double *gain = weight(s, g, layer, s->width, s->weight);
    const double *bias = weight(s, b, layer, s->width, s->weight + s->width);
    for (int64_t i = 0; i < s->t; i++) {
        double mean, rstd;
        moments(s, x + i * s->width, &mean, &rstd);
        for (int64_t j = 0; j < s->width; j++)
            y[i * s->width + j] = (x[i * s->width + j] - mean) * rstd * gain[j] + (bias ? bias[j] : 0);
    }
    model_reference_store(s, y, s->t * s->width);
}

void model_reference_norm_backward(const struct reference_run *s, enum model_role g, enum model_role b, int64_t layer,
                                   const double *x, const double *dy, const double *d_add, double *dx) {
    const int64_t n = s->width;
    const double *gain = weight(s, g, layer, n, s->weight);
    const struct summed dgain = summed(s, g, layer), dbias = summed(s, b, layer);
    for (int64_t i = 0; i < s->t; i++) {
        const double *xi = x + i * n, *dyi = dy + i * n;
        double mean, rstd, sum = 0, dot = 0;
        moments(s, xi, &mean, &rstd);
        for (int64_t j = 0; j < n; j++) {
            double hat = (xi[j] - mean) * rstd, dhat = dyi[j] * gain[j];
            sum += s->c->family->rms ? 0 : dhat; /* LayerNorm: the part through the mean */
            dot += dhat * hat;
            add(dgain, j, dyi[j] * hat);
            add(dbias, j, dyi[j]);
        }
        for (int64_t j = 0; j < n; j++) {
            double hat = (xi[j] - mean) * rstd;
            double through = rstd * (dyi[j] * gain[j] - (sum + hat * dot) / (double)n);
            dx[i * n + j] = (d_add ? d_add[i * n + j] : 0) + through;
        }
    }
    model_reference_store(s, dx, s->t * n);
}

static double gelu(double x) {
    return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}
static double gelu_slope(double x) {
    double u = sqrt(2 / M_PI) * (x + 0.044715 * x * x * x), t = tanh(u);
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x);
}

double model_reference_logistic(double x) {
    return 1 / (1 + exp(-x));
}

/* A row of x holds all gates, then all values. */
void model_reference_activation(const struct reference_run *s, int64_t ffn, const double *x, double *y) {
    const int64_t up = s->c->family->gated ? 2 * ffn : ffn;
    for (int64_t i = 0; i < s->t * ffn; i++) {
        const double *row = x + i / ffn * up + i % ffn;
        y[i] = s->c->family->gated ? row[0] * model_reference_logistic(row[0]) * row[ffn] : gelu(row[0]);
    }
    model_reference_store(s, y, s->t * ffn);
}
void model_reference_activation_backward(const struct reference_run *s, int64_t ffn, const double *x, const double *dy,
                                         double *dx) {
    const int64_t up = s->c->family->gated ? 2 * ffn : ffn;
    for (int64_t i = 0; i < s->t * ffn; i++) {
        const int64_t at = i / ffn * up + i % ffn;
        const double gate = x[at], p = model_reference_logistic(gate);
        if (!s->c->family->gated) {
            dx[at] = dy[i] * gelu_slope(gate);
            continue;
        }
        dx[at] = dy[i] * x[at + ffn] * (p + gate * p * (1 - p));
        dx[at + ffn] = dy[i] * gate * p;
    }
    model_reference_store(s, dx, s->t * up);
}

void model_reference_embed(const struct reference_run *s, const int32_t *tokens, double *x, double *normed) {
    int64_t token = model_params_offset(s->r->params, MODEL_TOKEN_TABLE, 0);
    const double *position = weight(s, MODEL_POSITION_TABLE, 0, s->r->shape.seq * s->width, s->weight);
    for (int64_t i = 0; i < s->t; i++) {
        double *row = x + i * s->width;
        s->r->read(s->r->context, token + tokens[i] * s->width, s->width, row);
        for (int64_t j = 0; position && j < s->width; j++) row[j] += position[i % s->r->shape.seq * s->width + j];
    }
    model_reference_store(s, x, s->t * s->width);
    if (normed != x) model_reference_norm(s, MODEL_EMBED_GAIN, MODEL_EMBED_BIAS, 0, x, normed);
}

void model_reference_embed_backward(const struct reference_run *s, const int32_t *tokens, const double *embedded) {
    if (model_config_has(s->c, MODEL_EMBED_GAIN))
        model_reference_norm_backward(s, MODEL_EMBED_GAIN, MODEL_EMBED_BIAS, 0, embedded, s->dx, NULL, s->dx);
    double *token = grad(s, MODEL_TOKEN_TABLE, 0), *position = grad(s, MODEL_POSITION_TABLE, 0);
    for (int64_t i = 0; i < s->t; i++)
        for (int64_t j = 0; j < s->width; j++) {
            token[tokens[i] * s->width + j] += s->dx[i * s->width + j];
            if (position) position[i % s->r->shape.seq * s->width + j] += s->dx[i * s->width + j];
        }
}

int model_reference_head(const struct reference_run *s, const int32_t *targets, double scale, double *loss,
                         struct base_error *e) {
    const int64_t vocab = s->c->vocab, width = s->width;
    const enum model_role head = s->c->tied ? MODEL_TOKEN_TABLE : MODEL_HEAD_WEIGHT;
    const double *table = weight(s, head, 0, vocab * width, s->weight);
    double *logits = malloc((size_t)(s->t * vocab) * sizeof *logits);
    if (!logits) return base_fail(e, BASE_BROKEN, "out of memory for the FP64 reference's logits");
    kernel_reference_dgemm(false, true, s->t, vocab, width, s->final, width, table, width, 0, logits, vocab);
    for (int64_t i = 0; i < s->t; i++) {
        double *row = logits + i * vocab, max = -INFINITY, sum = 0;
        for (int64_t j = 0; j < vocab; j++) max = fmax(max, row[j]);
        for (int64_t j = 0; j < vocab; j++) sum += exp(row[j] - max);
        loss[i] = log(sum) + max - row[targets[i]];
        for (int64_t j = 0; s->grads && j < vocab; j++) row[j] = (exp(row[j] - max) / sum - (j == targets[i])) * scale;
    }
    if (s->grads) {
        model_reference_store(s, logits, s->t * vocab);
        kernel_reference_dgemm(false, false, s->t, width, vocab, logits, vocab, table, width, 0, s->dnorm, width);
        kernel_reference_dgemm(true, false, vocab, width, s->t, logits, vocab, s->final, width, 1, grad(s, head, 0),
                               width);
        model_reference_store(s, s->dnorm, s->t * width);
    }
    free(logits);
    return BASE_OK;
}
