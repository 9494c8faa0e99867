/* SPDX-License-Identifier: Apache-2.0
 *
 * Attention forward for KERNEL_LANES: lanes are the queries of a panel, so the running maximum and sum of the
 * online softmax (Milakov & Gimelshein 2018) are vectors and nothing is reduced across lanes.
 * Scores S^T[key][query] = K Q^T and output O^T[x][query] = V^T P^T. All is static. */
#ifndef TOISE_KERNELS_ATTENTION_FORWARD_H
#define TOISE_KERNELS_ATTENTION_FORWARD_H

#include "attention_tile.h"

/* One thread's scratch: k, v [seq_k][width]; q, o [head_dim][panel]; s [block][panel]. */
struct forward {
    float *k, *v, *q, *s, *o;
    int64_t width;
};
/* The online softmax of a panel's queries: maximum and sum so far, and what a new maximum leaves of the sum. */
struct softmax {
    float highest[ATTENTION_PANEL], sum[ATTENTION_PANEL], keep[ATTENTION_PANEL];
};

static struct forward forward_scratch(const struct kernel_team *team, const struct kernel_attention *a) {
    struct forward w = {.width = attention_panels(a->head_dim) * ATTENTION_PANEL};
    w.k = attention_scratch(team, a, omp_get_thread_num());
    w.v = w.k + a->seq_k * w.width;
    w.q = w.v + a->seq_k * w.width;
    w.o = w.q + ATTENTION_PANEL * w.width;
    w.s = w.o + ATTENTION_PANEL * w.width;
    return w;
}

/* The highest of `highest` and the scores of lanes v ..; with a slope the bias is added to them on the way, key row j
 * being `late` + j positions after the query of lane 0. */
SIMD_INLINE vf highest_score(float *s, int64_t keys, int64_t late, float slope, int v, vf highest) {
    if (slope == 0)
        for (int64_t j = 0; j < keys; j++) highest = vf_max(vf_load(s + j * ATTENTION_PANEL + v), highest);
    else
        for (int64_t j = 0; j < keys; j++) {
            float *p = s + j * ATTENTION_PANEL + v;
            vf score = add_bias(vf_load(p), slope, late + j, v);
            vf_store(p, score);
            highest = vf_max(score, highest);
        }
    return highest;
}

/* Scores become weights exp(s - highest), the running maximum and sum go on. A query that has seen no key has
 * maximum -infinity; subtracting 0 for it makes every weight 0. */
static void softmax_block(struct softmax *x, float *s, int64_t keys, int64_t late, float slope) {
    for (int v = 0; v < ATTENTION_PANEL; v += KERNEL_LANES) {
        vf before = vf_load(x->highest + v), highest = highest_score(s, keys, late, slope, v, before), sum = {0};
        vf offset = vf_pick(highest == -INFINITY, vf_all(0), highest);
        for (int64_t j = 0; j < keys; j++) {
            vf p = vf_exp(vf_load(s + j * ATTENTION_PANEL + v) - offset);
            vf_store(s + j * ATTENTION_PANEL + v, p);
            sum += p;
        }
        vf keep = vf_exp(before - offset);
        vf_store(x->keep + v, keep);
        vf_store(x->sum + v, vf_load(x->sum + v) * keep + sum);
        vf_store(x->highest + v, highest);
    }
}

static void forward_store(const struct kernel_attention *a, struct softmax *x, const float *o, struct strided out,
                          float *lse) {
    for (int64_t i = 0; i < out.rows; i++) {
        lse[i] = x->sum[i] == 0 ? -INFINITY : x->highest[i] + logf(x->sum[i]);
        x->keep[i] = x->sum[i] == 0 ? 0 : 1 / x->sum[i];
    }
    unpack_panel(out, a->o, x->keep, o);
}

/* Queries first .. of head h: over blocks of the keys that one of them sees. */
static void forward_panel(const struct kernel_attention *a, const struct forward *w, int64_t b, int64_t h,
                          int64_t first, struct attention_pace *pace) {
    int64_t d = a->head_dim, queries = attention_min(ATTENTION_PANEL, a->seq_q - first);
    int64_t begin = attention_keys_seen(a, first).begin, end = attention_keys_seen(a, first + queries - 1).end;
    struct softmax x = {.sum = {0}};
    for (int i = 0; i < ATTENTION_PANEL; i++) x.highest[i] = -INFINITY;
    memset(w->o, 0, (size_t)(d * ATTENTION_PANEL) * sizeof *w->o);
    pack_panel((struct strided){a->dtype, attention_q(a, b, h, first), a->q_row, queries, d}, a->q, a->scale, w->q);
    for (int64_t j = begin; j < end; j += ATTENTION_BLOCK) {
        int64_t keys = attention_min(ATTENTION_BLOCK, end - j), late = a->k_offset + j - a->q_offset - first;
        const float *k = w->k + j * w->width, *v = w->v + j * w->width;
        multiply_rows(
            (struct product){keys, ATTENTION_PANEL, d, k, w->q, w->width, ATTENTION_PANEL, ATTENTION_PANEL, .c = w->s});
        hide_outside(w->s, keys, late, late + attention_window(a));
        softmax_block(&x, w->s, keys, late, attention_slope(a, h));
        multiply_columns((struct product){d, ATTENTION_PANEL, keys, v, w->s, w->width, ATTENTION_PANEL, ATTENTION_PANEL,
                                          x.keep, w->o});
        attention_step(pace, 4.0 * (double)(ATTENTION_PANEL * keys * d));
    }
    forward_store(a, &x, w->o, (struct strided){a->dtype, attention_o(a, b, h, first), a->o_row, queries, d},
                  a->lse + attention_lse(a, b, h, first));
}

/* A thread takes consecutive panels of consecutive heads, and packs a key/value head when it comes to it. Panels
 * alternate between the early and the late end of the sequence, so that any run of them is about average work. */
static void attention_forward(const struct kernel_team *team, const struct kernel_attention *a) {
    int64_t panels = attention_panels(a->seq_q), group = a->heads / a->kv_heads;
    int64_t begin = attention_keys_seen(a, 0).begin, end = attention_keys_seen(a, a->seq_q - 1).end;
#pragma omp parallel num_threads(team->threads)
    {
        struct attention_pace pace = {team, POLL_FLOPS, 0};
        struct forward w = forward_scratch(team, a);
        struct kernel_range range = kernel_share(a->batch * a->heads * panels, 1);
        int64_t packed = -1;
        for (int64_t i = range.begin; i < range.end; i++) {
            int64_t b = i / panels / a->heads, h = i / panels % a->heads, at = i % panels;
            int64_t kv = attention_kv(a, b, h / group, 0);
            if (kv != packed) {
                struct strided rows = {a->dtype, kv + begin * a->kv_row, a->kv_row, end - begin, a->head_dim};
                pack_rows(rows, a->k, 1, w.k + begin * w.width, w.width);
                pack_rows(rows, a->v, 1, w.v + begin * w.width, w.width);
                packed = kv;
            }
            forward_panel(a, &w, b, h, (at % 2 ? panels - 1 - at / 2 : at / 2) * ATTENTION_PANEL, &pace);
        }
    }
}

#endif
