/* SPDX-License-Identifier: Apache-2.0
 *
 * Attention backward for KERNEL_LANES: lanes are the keys of a panel, rows the queries that see them, so a
 * query's log-sum-exp and row sum are scalars. Per panel and block: S = Q K^T and dP = dO V^T, then
 * P = exp(S - lse), dS = P (dP - rowsum(dO O)), dV^T += dO^T P, dK^T += Q^T dS, dQ += dS K. All is static. */
#ifndef TOISE_KERNELS_ATTENTION_BACKWARD_H
#define TOISE_KERNELS_ATTENTION_BACKWARD_H

#include "attention_tile.h"

/* One thread's work and scratch. q, d_o, dq: [seq_q][width]; rowsum: [seq_q]; dk, dv: a [head_dim][panel] per panel; of
 * the panel at work: k_rows [panel][width] and k_t, v_t [head_dim][panel], k times scale; p, ds: [block][panel]. */
struct backward {
    float *dq, *q, *d_o, *rowsum, *dk, *dv, *k_rows, *k_t, *v_t, *p, *ds;
    const float *lse; /* of the loaded head, as its slope */
    float slope;
    int64_t width;
    const struct kernel_attention *a;
    struct attention_pace pace;
    float one[ATTENTION_HEAD_MAX], scale[ATTENTION_PANEL]; /* factors of columns */
};

static struct backward backward_scratch(const struct kernel_team *team, const struct kernel_attention *a) {
    struct backward w = {.a = a, .pace = {team, POLL_FLOPS, 0}};
    w.width = attention_panels(a->head_dim) * ATTENTION_PANEL;
    int64_t rows = attention_panels(attention_longest(a)) * ATTENTION_PANEL, whole = rows * w.width;
    w.dq = attention_scratch(team, a, omp_get_thread_num()); /* first: other threads find it there */
    w.q = w.dq + whole;
    w.d_o = w.q + whole;
    w.dk = w.d_o + whole;
    w.dv = w.dk + whole;
    w.rowsum = w.dv + whole;
    w.k_rows = w.rowsum + rows;
    w.k_t = w.k_rows + ATTENTION_PANEL * w.width;
    w.v_t = w.k_t + ATTENTION_PANEL * w.width;
    w.p = w.v_t + ATTENTION_PANEL * w.width;
    w.ds = w.p + ATTENTION_BLOCK * ATTENTION_PANEL;
    for (int i = 0; i < ATTENTION_HEAD_MAX; i++) w.one[i] = 1;
    for (int i = 0; i < ATTENTION_PANEL; i++) w.scale[i] = a->scale;
    return w;
}

static void load_queries(struct backward *w, int64_t b, int64_t h) {
    const struct kernel_attention *a = w->a;
    w->lse = a->lse + attention_lse(a, b, h, 0);
    w->slope = attention_slope(a, h);
    struct strided q = {a->dtype, attention_q(a, b, h, 0), a->q_row, a->seq_q, a->head_dim};
    struct strided o = {a->dtype, attention_o(a, b, h, 0), a->o_row, a->seq_q, a->head_dim};
    pack_rows(q, a->q, 1, w->q, w->width);
    pack_rows(o, a->d_o, 1, w->d_o, w->width);
    for (int64_t i = 0; i < a->seq_q; i++) {
        vf sum = {0};
        for (int64_t c = 0; c < a->head_dim; c += KERNEL_LANES)
            sum += strided_get(&o, a->o, i, c) * vf_load(w->d_o + i * w->width + c);
        w->rowsum[i] = vf_sum(sum);
    }
    memset(w->dq, 0, (size_t)(a->seq_q * w->width) * sizeof *w->dq);
}

/* Scores in p, of queries from the i-th on, become probabilities, dP in ds becomes dS. The query of row 0 is `late`
 * positions after the key of lane 0. */
SIMD_INLINE void score_gradients(const struct backward *w, const bool biased, int64_t i, int64_t rows, int64_t late) {
    const float *lse = w->lse + i, *rowsum = w->rowsum + i;
    float *restrict p = w->p, *restrict ds = w->ds;
    const float slope = -w->slope; /* here the rows are queries */
    for (int64_t r = 0; r < rows; r++)
        for (int v = 0; v < ATTENTION_PANEL; v += KERNEL_LANES) {
            float *x = p + r * ATTENTION_PANEL + v, *y = ds + r * ATTENTION_PANEL + v;
            vf score = biased ? add_bias(vf_load(x), slope, late + r, v) : vf_load(x);
            vf probability = vf_exp(score - lse[r]);
            vf_store(x, probability);
            vf_store(y, probability * (vf_load(y) - rowsum[r]));
        }
}

/* Keys first .. against every query of the loaded head that sees one of them, and has a finite lse therefore. */
static void backward_panel(struct backward *w, int64_t kv, int64_t first) {
    const struct kernel_attention *a = w->a;
    const int64_t d = a->head_dim, panel = ATTENTION_PANEL, keys = attention_min(panel, a->seq_k - first);
    const int64_t columns = (d + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS;
    struct strided rows = {a->dtype, kv + first * a->kv_row, a->kv_row, keys, d};
    pack_panel(rows, a->k, a->scale, w->k_t);
    pack_panel(rows, a->v, 1, w->v_t);
    pack_rows(rows, a->k, a->scale, w->k_rows, w->width);
    const int64_t begin = attention_queries_seeing(a, first).begin,
                  end = attention_queries_seeing(a, first + keys - 1).end;
    for (int64_t i = begin; i < end; i += ATTENTION_BLOCK) {
        int64_t n = attention_min(ATTENTION_BLOCK, end - i), at = i * w->width;
        int64_t late = a->q_offset + i - a->k_offset - first;
        multiply_rows((struct product){n, panel, d, w->q + at, w->k_t, w->width, panel, panel, NULL, w->p});
        multiply_rows((struct product){n, panel, d, w->d_o + at, w->v_t, w->width, panel, panel, NULL, w->ds});
        hide_outside(w->p, n, late + 1 - attention_window(a), late + 1);
        if (w->slope == 0)
            score_gradients(w, false, i, n, late);
        else
            score_gradients(w, true, i, n, late);
        float *dv = w->dv + first * w->width, *dk = w->dk + first * w->width;
        multiply_columns((struct product){d, panel, n, w->d_o + at, w->p, w->width, panel, panel, w->one, dv});
        multiply_columns((struct product){d, panel, n, w->q + at, w->ds, w->width, panel, panel, w->one, dk});
        multiply_rows(
            (struct product){n, columns, keys, w->ds, w->k_rows, panel, w->width, w->width, w->one, w->dq + at});
        attention_step(&w->pace, 10.0 * (double)(panel * n * d));
    }
}

/* A part of a task: every count-th panel of keys from index on. The parts of a task lie on consecutive threads. */
struct part {
    int64_t index, count;
    bool together; /* every thread of the team is at work on a part, and waits for the others */
};

static void part_wait(struct part part) {
    if (!part.together) return;
#pragma omp barrier
}

/* Writes this part's rows of dq: the sums of all parts, added in their order. */
static void store_dq(const struct backward *w, int64_t at, struct part part) {
    const struct kernel_attention *a = w->a;
    int64_t begin = a->seq_q * part.index / part.count, end = a->seq_q * (part.index + 1) / part.count;
    int64_t first = omp_get_thread_num() - part.index;
    float *sum = attention_scratch(w->pace.team, a, first) + begin * w->width;
    for (int64_t t = 1; t < part.count; t++) {
        const float *other = attention_scratch(w->pace.team, a, first + t) + begin * w->width;
        for (int64_t c = 0; c < (end - begin) * w->width; c += KERNEL_LANES)
            vf_store(sum + c, vf_load(sum + c) + vf_load(other + c));
    }
    struct strided rows = {a->dtype, at + begin * a->q_row, a->q_row, end - begin, a->head_dim};
    unpack_rows(rows, a->dq, sum, w->width);
}

static void store_dk_dv(const struct backward *w, int64_t kv, struct part part) {
    const struct kernel_attention *a = w->a;
    for (int64_t j = part.index * ATTENTION_PANEL; j < a->seq_k; j += part.count * ATTENTION_PANEL) {
        int64_t keys = attention_min(ATTENTION_PANEL, a->seq_k - j);
        struct strided rows = {a->dtype, kv + j * a->kv_row, a->kv_row, keys, a->head_dim};
        unpack_panel(rows, a->dv, w->one, w->dv + j * w->width);
        unpack_panel(rows, a->dk, w->scale, w->dk + j * w->width);
    }
}

/* A task: one key/value head and the query heads that read it. */
static void backward_task(struct backward *w, int64_t task, struct part part) {
    const struct kernel_attention *a = w->a;
    int64_t b = task / a->kv_heads, h = task % a->kv_heads, group = a->heads / a->kv_heads;
    int64_t kv = attention_kv(a, b, h, 0);
    memset(w->dk, 0, (size_t)(attention_panels(a->seq_k) * ATTENTION_PANEL * w->width) * sizeof *w->dk);
    memset(w->dv, 0, (size_t)(attention_panels(a->seq_k) * ATTENTION_PANEL * w->width) * sizeof *w->dv);
    for (int64_t g = h * group; g < (h + 1) * group; g++) {
        load_queries(w, b, g);
        for (int64_t j = part.index * ATTENTION_PANEL; j < a->seq_k; j += part.count * ATTENTION_PANEL)
            backward_panel(w, kv, j);
        part_wait(part);
        store_dq(w, attention_q(a, b, g, 0), part);
        part_wait(part);
    }
    store_dk_dv(w, kv, part);
}

/* As many whole tasks to every thread as there are; the few that remain are parted among all threads. */
static void attention_backward(const struct kernel_team *team, const struct kernel_attention *a) {
#pragma omp parallel num_threads(team->threads)
    {
        int64_t n = omp_get_num_threads(), t = omp_get_thread_num();
        int64_t tasks = a->batch * a->kv_heads, rest = tasks % n, each = tasks / n;
        struct backward w = backward_scratch(team, a);
        for (int64_t i = t * each; i < (t + 1) * each; i++) backward_task(&w, i, (struct part){0, 1, false});
        if (rest > 0) {
            int64_t i = t * rest / n, first = (i * n + rest - 1) / rest, next = ((i + 1) * n + rest - 1) / rest;
            backward_task(&w, n * each + i, (struct part){t - first, next - first, true});
        }
    }
}

#endif
