/* SPDX-License-Identifier: Apache-2.0
 *
 * Attention and positions of the FP64 reference, written from the definitions, one score at a time. */
#include <math.h>
#include <string.h>

#include "model/reference_ops.h"

/* The m-th of ALiBi's slopes for n heads, n a power of two: the geometric sequence that ends at 2^-8. */
static double geometric(int64_t m, int64_t n) {
    return pow(pow(2, -8.0 / (double)n), (double)m);
}
static double slope(const struct reference_run *s, int64_t h) {
    int64_t below = 1;
    if (s->c->family->position != MODEL_POSITION_ALIBI) return 0;
    for (; below * 2 <= s->c->heads;) below *= 2;
    return h < below ? geometric(1 + h, below) : geometric(1 + 2 * (h - below), 2 * below);
}

/* Where a head's part begins in a token's row. */
struct place {
    int64_t q, k, v;
    double slope;
};
static struct place place_of(const struct reference_run *s, int64_t h) {
    const int64_t d = s->d, kv = h / (s->c->heads / s->c->kv_heads);
    if (s->c->family->interleaved) return (struct place){3 * d * h, 3 * d * h + d, 3 * d * h + 2 * d, slope(s, h)};
    return (struct place){h * d, (s->c->heads + kv) * d, (s->c->heads + s->c->kv_heads + kv) * d, slope(s, h)};
}

static int64_t first_key(const struct reference_run *s, int64_t i) {
    return s->c->window && i >= s->c->window ? i - s->c->window + 1 : 0;
}

static double rounded(const struct reference_run *s, double x) {
    if (s->r->weights == KERNEL_BF16) model_reference_store(s, &x, 1);
    return x;
}

/* Writes the weights of query i's keys into p, the greatest is 1; returns their sum. qkv is the sequence's first
 * row. */
static double weights(const struct reference_run *s, const double *qkv, struct place at, int64_t i, double *p) {
    double max = -INFINITY, sum = 0;
    for (int64_t j = first_key(s, i); j <= i; j++) {
        p[j] = 0;
        for (int64_t x = 0; x < s->d; x++) p[j] += qkv[i * s->qkv + at.q + x] * qkv[j * s->qkv + at.k + x];
        p[j] = p[j] / sqrt((double)s->d) - at.slope * (double)(i - j);
        max = fmax(max, p[j]);
    }
    for (int64_t j = first_key(s, i); j <= i; j++) sum += p[j] = exp(p[j] - max);
    return sum;
}

void model_reference_attention(const struct reference_run *s, const double *qkv, double *o) {
    const int64_t seq = s->r->shape.seq;
    for (int64_t b = 0; b < s->r->shape.batch; b++)
        for (int64_t h = 0; h < s->c->heads; h++) {
            const struct place at = place_of(s, h);
            const double *rows = qkv + b * seq * s->qkv;
            for (int64_t i = 0; i < seq; i++) {
                double *out = o + (b * seq + i) * s->attn + h * s->d;
                const double sum = weights(s, rows, at, i, s->scores);
                memset(out, 0, (size_t)s->d * sizeof *out);
                for (int64_t j = first_key(s, i); j <= i; j++) {
                    const double p = rounded(s, s->scores[j]) / sum;
                    for (int64_t x = 0; x < s->d; x++) out[x] += p * rows[j * s->qkv + at.v + x];
                }
            }
        }
    model_reference_store(s, o, s->t * s->attn);
}

/* Adds query i's part of one head to the gradients of its sequence. */
static void query_backward(const struct reference_run *s, const double *rows, struct place at, int64_t i,
                           const double *o, const double *d_o, double *grads) {
    const double scale = 1 / sqrt((double)s->d);
    double dot = 0;
    for (int64_t x = 0; x < s->d; x++) dot += o[x] * d_o[x];
    const double sum = weights(s, rows, at, i, s->scores);
    for (int64_t j = first_key(s, i); j <= i; j++) {
        const int64_t mine = i * s->qkv, its = j * s->qkv;
        double p = s->scores[j] / sum, dp = 0;
        for (int64_t x = 0; x < s->d; x++) dp += d_o[x] * rows[its + at.v + x];
        const double ds = rounded(s, p * (dp - dot)) * scale;
        p = rounded(s, p);
        for (int64_t x = 0; x < s->d; x++) {
            grads[its + at.v + x] += p * d_o[x];
            grads[mine + at.q + x] += ds * rows[its + at.k + x];
            grads[its + at.k + x] += ds * rows[mine + at.q + x];
        }
    }
}

void model_reference_attention_backward(const struct reference_run *s, const double *qkv, const double *o,
                                        const double *d_o, double *dqkv) {
    const int64_t seq = s->r->shape.seq;
    memset(dqkv, 0, (size_t)(s->t * s->qkv) * sizeof *dqkv);
    for (int64_t b = 0; b < s->r->shape.batch; b++)
        for (int64_t h = 0; h < s->c->heads; h++)
            for (int64_t i = 0; i < seq; i++) {
                const int64_t row = (b * seq + i) * s->attn + h * s->d, first = b * seq * s->qkv;
                query_backward(s, qkv + first, place_of(s, h), i, o + row, d_o + row, dqkv + first);
            }
    model_reference_store(s, dqkv, s->t * s->qkv);
}

/* Radians per position of the plane (i, i + d/2). Linear scaling moves positions closer together; Llama 3.1 scales by
 * wavelength, in positions. */
static double speed(const struct reference_run *s, int64_t i) {
    const struct model_rotary *r = &s->c->rotary;
    const double plain = 1 / pow(r->theta, 2 * (double)i / (double)s->d), length = 2 * M_PI / plain;
    const double original = (double)r->original;
    if (r->factor > 0 && r->high == 0) return pow(r->theta, -2 * (double)i / (double)s->d) * (1 / r->factor);
    if (r->factor == 0 || length < original / r->high) return plain;
    if (length > original / r->low) return plain / r->factor;
    const double smooth = (original / length - r->low) / (r->high - r->low);
    return (1 - smooth) * plain / r->factor + smooth * plain;
}

void model_reference_turn(const struct reference_run *s, double direction, double *qkv) {
    const int64_t half = s->d / 2, heads = s->c->heads + s->c->kv_heads;
    if (s->c->family->position != MODEL_POSITION_ROTARY) return;
    for (int64_t i = 0; i < half; i++)
        for (int64_t t = 0; t < s->t; t++) {
            const double angle = direction * speed(s, i) * (double)(t % s->r->shape.seq);
            const double c = cos(angle), n = sin(angle);
            for (int64_t h = 0; h < heads; h++) {
                double *x = qkv + t * s->qkv + h * s->d + i, first = x[0], second = x[half];
                x[0] = first * c - second * n;
                x[half] = second * c + first * n;
            }
        }
    model_reference_store(s, qkv, s->t * s->qkv);
}
