/* SPDX-License-Identifier: Apache-2.0
 *
 * Attention backward for KERNEL_LANES. Lanes are the keys of a panel and rows the queries that see them, so a query's
 * log-sum-exp and row sum are scalars. For each key panel and query block: S = Q K^T and dP = dO V^T, then P = exp(S -
 * lse), dS = P (dP - rowsum(dO O)), dV^T += dO^T P, dK^T += Q^T dS, dQ += dS K. All is static. */
#ifndef TOISE_KERNELS_ATTENTION_ATTENTION_BACKWARD_INC_H
#define TOISE_KERNELS_ATTENTION_ATTENTION_BACKWARD_INC_H

#include "attention/attention_move.inc.h"
#include "attention/attention_scores.inc.h"

/* One thread's state and scratch. q, d_o: rows of words, [seq_q][row]; q_down, d_o_down: words along the queries,
 * [words][width]. dq: [seq_q][width]. rowsum: [seq_q]. dk, dv: [head_dim][panel] for each panel, or for one panel
 * if no other head adds to it. Of the current panel: k_down, words along the keys, [words][width]; k_t and v_t, words
 * along the head, [words][panel]. p, ds: [block][panel], and then words along the queries; ds_rows: rows of words,
 * [block][panel / WORD]. If a word is one number, the two forms of q, d_o and ds are one block. */
struct backward {
    float *dq, *q, *d_o, *q_down, *d_o_down, *rowsum, *dk, *dv, *k_down, *k_t, *v_t, *p, *ds, *ds_rows;
    int64_t loaded, stored; /* queries whose q, d_o and rowsum are in scratch; queries whose dq is written out */
    int64_t b, h;           /* the current query head, its lse and slope */
    const float *lse;
    float slope;
    int64_t width, row;
    const struct kernel_attention *a;
    struct attention_pace pace;
    struct prefetch prefetch;
    float one[ATTENTION_HEAD_MAX], scale[ATTENTION_PANEL]; /* factors of columns */
    struct words_kept kept;                                /* the panel's keys */
};

static struct backward backward_scratch(const struct kernel_team *team, const struct kernel_attention *a) {
    struct backward w = {.a = a, .pace = {team, POLL_FLOPS, 0}};
    w.width = attention_panels(a->head_dim) * ATTENTION_PANEL, w.row = w.width / WORD;
    int64_t rows = attention_panels(attention_longest(a)) * ATTENTION_PANEL, whole = rows * w.width;
    w.dq = attention_scratch(team, a, omp_get_thread_num()); /* first, because other threads look for it there */
    w.q = w.dq + whole;
    w.q_down = w.q + (WORD - 1) * (whole / WORD);
    w.d_o = w.q + whole;
    w.d_o_down = w.d_o + (WORD - 1) * (whole / WORD);
    w.dk = w.d_o + whole;
    w.dv = w.dk + whole;
    w.rowsum = w.dv + whole;
    w.k_down = w.rowsum + rows;
    w.k_t = w.k_down + ATTENTION_PANEL * w.row;
    w.v_t = w.k_t + ATTENTION_PANEL * w.row;
    w.p = w.v_t + ATTENTION_PANEL * w.row;
    w.ds = w.p + ATTENTION_BLOCK * ATTENTION_PANEL;
    w.ds_rows = w.ds + (WORD - 1) * ATTENTION_BLOCK * ATTENTION_PANEL;
    for (int i = 0; i < ATTENTION_HEAD_MAX; i++) w.one[i] = 1;
    for (int i = 0; i < ATTENTION_PANEL; i++) w.scale[i] = a->scale;
    return w;
}

static void begin_head(struct backward *w, int64_t b, int64_t h) {
    const struct kernel_attention *a = w->a;
    w->b = b, w->h = h, w->loaded = w->stored = 0;
    w->lse = a->lse + attention_lse(a, b, h, 0);
    w->slope = attention_slope(a, h);
}

/* Packs the queries before `end` that are not yet in scratch: whole words of queries. Doing it just before use keeps a
 * window's queries in L2. */
static void load_queries(struct backward *w, int64_t end) {
    const struct kernel_attention *a = w->a;
    const int64_t from = w->loaded, d = a->head_dim;
    if (from >= end) return;
    end = attention_min(words(end) * WORD, a->seq_q);
    struct strided q = {a->dtype, attention_q(a, w->b, w->h, from), a->q_row, end - from, d};
    struct strided o = {a->dtype, attention_o(a, w->b, w->h, from), a->o_row, end - from, d};
    pack_rows(q, a->q, w->q + from * w->row, w->row);
    pack_rows(o, a->d_o, w->d_o + from * w->row, w->row);
    if (WORD > 1) {
        pack_down(q, a->q, w->q_down + from / WORD * w->width, w->width);
        pack_down(o, a->d_o, w->d_o_down + from / WORD * w->width, w->width);
    }
    for (int64_t i = 0; i < end - from; i++) {
        vf sum = {0};
        for (int64_t c = 0; c < d; c += KERNEL_LANES) {
            __builtin_prefetch((const void *)strided_byte(&o, a->o, i + MOVE_PREFETCH_ROWS, c));
            sum += strided_get(&o, a->dtype, false, a->o, i, c) * strided_get(&o, a->dtype, false, a->d_o, i, c);
        }
        w->rowsum[from + i] = vf_sum(sum);
    }
    memset(w->dq + from * w->width, 0, (size_t)((end - from) * w->width) * sizeof *w->dq);
    w->loaded = end;
}

/* Writes rows of dq out. */
static void write_dq(const struct backward *w, int64_t begin, int64_t end, const float *dq) {
    const struct kernel_attention *a = w->a;
    if (begin >= end) return;
    struct strided rows = {attention_out(a), attention_q(a, w->b, w->h, begin), a->q_row, end - begin, a->head_dim};
    if (a->add)
        add_rows(rows, a->dq, a->scale, dq + begin * w->width, w->width);
    else
        unpack_rows(rows, a->dq, a->scale, dq + begin * w->width, w->width);
}

/* In `n` rows of a tile column, from row r: scores in p become probabilities, and dP in ds becomes dS. The query of
 * row 0 is `distance` positions after the key of lane 0. The bound of 88 prevents overflow if the lse belongs to
 * other scores. */
SIMD_INLINE void gradient_rows(const int n, const struct backward *w, const bool biased, int64_t i, int64_t r,
                               int64_t distance, int lane) {
    float *restrict p = w->p + lane, *restrict ds = w->ds + lane;
    vf x[2 * TILE_VECTORS], y[2 * TILE_VECTORS];
    for (int t = 0; t < n * TILE_VECTORS; t++) {
        int row = t / TILE_VECTORS, v = t % TILE_VECTORS * KERNEL_LANES;
        const vf score = vf_load(p + (r + row) * ATTENTION_PANEL + v);
        vf rest = vf_all(-w->lse[i + r + row]); /* rounded once with the score, which may be as large */
        if (biased) rest = add_bias(rest, -w->slope, distance + r + row, lane + v); /* here the rows are queries */
        x[t] = vf_exp_probability(vf_min(vf_all(88), vf_fma(score, vf_all(w->a->scale), rest)));
    }
    for (int t = 0; t < n * TILE_VECTORS; t++) {
        int64_t row = r + t / TILE_VECTORS;
        y[t] = x[t] * (vf_load(ds + row * ATTENTION_PANEL + t % TILE_VECTORS * KERNEL_LANES) - w->rowsum[i + row]);
    }
    for (int v = 0; v < TILE_VECTORS; v++) {
        words_put_rows(n, p + v * KERNEL_LANES, ATTENTION_PANEL, r, x + v, TILE_VECTORS);
        words_put_rows(n, ds + v * KERNEL_LANES, ATTENTION_PANEL, r, y + v, TILE_VECTORS);
    }
    if (WORD > 1)
        for (int row = 0; row < n; row++)
            words_put(w->ds_rows + (r + row) * (ATTENTION_PANEL / WORD), &w->kept, y + row * TILE_VECTORS);
}

/* Of a block of words, in the columns that one tile column of scores takes. */
static void zero_rows(float *p, int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++)
        for (int v = 0; v < TILE_VECTORS / WORD; v++)
            vf_store(p + r * (ATTENTION_PANEL / WORD) + v * KERNEL_LANES, vf_all(0));
}

/* For the queries of a block from query i. Rows that see no key of a tile column get a dS of 0, because dQ reads whole
 * rows. */
SIMD_INLINE void score_gradients(const struct backward *w, const bool biased, int64_t i, int64_t rows, int64_t distance,
                                 const struct band *band) {
    for (int s = 0; s < PANEL_TILES; s++) {
        const struct kernel_range seen = band->rows[s];
        int64_t r = seen.begin;
        mask_outside(w->p, band, s);
        if (words_split(r) && r < seen.end) gradient_rows(1, w, biased, i, r++, distance, s * TILE_COLUMNS);
        for (; r + 2 <= seen.end; r += 2) gradient_rows(2, w, biased, i, r, distance, s * TILE_COLUMNS);
        if (r < seen.end) gradient_rows(1, w, biased, i, r, distance, s * TILE_COLUMNS);
        zero_rows(w->ds_rows + s * TILE_COLUMNS / WORD, 0, seen.begin);
        zero_rows(w->ds_rows + s * TILE_COLUMNS / WORD, seen.end, rows);
    }
}

/* A block of n queries from query i, which begins a word, against a panel of keys. `keep` as in struct product, for dk
 * and dv. */
static void backward_block(struct backward *w, int64_t first, int64_t keys, int64_t i, int64_t n, const float *keep,
                           float *dk, float *dv) {
    const struct kernel_attention *a = w->a;
    const int64_t d = a->head_dim, panel = ATTENTION_PANEL, width = w->width;
    const int64_t columns = (d + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS;
    const int64_t distance = a->q_offset + i - a->k_offset - first;
    const struct band band = band_of(distance + 1 - attention_window(a), distance + 1, n);
    const float *q = w->q + i * w->row, *d_o = w->d_o + i * w->row;
    const float *q_down = w->q_down + i / WORD * width, *d_o_down = w->d_o_down + i / WORD * width;
    multiply_rows(
        (struct product){n, panel, words(d), q, w->k_t, w->row, panel, panel, NULL, w->p, band.rows, &w->prefetch});
    multiply_rows(
        (struct product){n, panel, words(d), d_o, w->v_t, w->row, panel, panel, NULL, w->ds, band.rows, &w->prefetch});
    if (w->slope == 0)
        score_gradients(w, false, i, n, distance, &band);
    else
        score_gradients(w, true, i, n, distance, &band);
    multiply_columns(
        (struct product){d, panel, words(n), d_o_down, w->p, width, panel, panel, keep, dv, band.rows, &w->prefetch});
    multiply_columns(
        (struct product){d, panel, words(n), q_down, w->ds, width, panel, panel, keep, dk, band.rows, &w->prefetch});
    multiply_rows((struct product){n, columns, words(keys), w->ds_rows, w->k_down, panel / WORD, width, width, w->one,
                                   w->dq + i * width, NULL, &w->prefetch});
}

/* Where a query head stands among those that share one key/value head. */
struct group_place {
    bool first, last;
};

/* Prefetches what the panel from key `first` will need: its keys and values, and the queries not yet in scratch. */
static void prefetch_panel(struct backward *w, int64_t kv, int64_t first) {
    const struct kernel_attention *a = w->a;
    const int64_t keys = attention_min(ATTENTION_PANEL, a->seq_k - first), from = w->loaded, d = a->head_dim;
    struct prefetch *x = &w->prefetch;
    *x = (struct prefetch){0};
    if (keys <= 0) return;
    const size_t element = kernel_dtype_bytes(a->dtype);
    const int64_t queries = attention_queries_seeing(a, first + keys - 1).end - from;
    const int64_t o = attention_o(a, w->b, w->h, from);
    prefetch_add(x, a->k, element, kv + first * a->kv_row, keys, a->kv_row, d);
    prefetch_add(x, a->v, element, kv + first * a->kv_row, keys, a->kv_row, d);
    prefetch_add(x, a->q, element, attention_q(a, w->b, w->h, from), queries, a->q_row, d);
    prefetch_add(x, a->d_o, element, o, queries, a->o_row, d);
    prefetch_add(x, a->o, element, o, queries, a->o_row, d);
    prefetch_add(x, w->q, sizeof *w->q, from * w->row, queries, w->row, words(d));
    prefetch_add(x, w->d_o, sizeof *w->d_o, from * w->row, queries, w->row, words(d));
    if (WORD > 1) {
        prefetch_add(x, w->q_down, sizeof *w->q, from / WORD * w->width, words(queries), w->width, d);
        prefetch_add(x, w->d_o_down, sizeof *w->d_o, from / WORD * w->width, words(queries), w->width, d);
    }
    prefetch_add(x, w->dq, sizeof *w->dq, from * w->width, queries, w->width, d);
}

static void write_dk_dv(const struct backward *w, struct strided rows, const float *dk, const float *dv) {
    rows.dtype = attention_out(w->a);
    if (w->a->add) {
        join_panel(rows, w->a->dv, w->one, w->one, dv);
        join_panel(rows, w->a->dk, w->one, w->scale, dk);
        return;
    }
    unpack_panel(rows, w->a->dv, w->one, dv);
    unpack_panel(rows, w->a->dk, w->scale, dk);
}

/* The keys from `first` against every query of the head that sees one of them. Such a query has a finite lse. */
static void backward_panel(struct backward *w, int64_t kv, int64_t first, int64_t step, struct group_place place) {
    const struct kernel_attention *a = w->a;
    const int64_t keys = attention_min(ATTENTION_PANEL, a->seq_k - first);
    const int64_t begin = attention_queries_seeing(a, first).begin / WORD * WORD,
                  end = attention_queries_seeing(a, first + keys - 1).end;
    const struct strided rows = {a->dtype, kv + first * a->kv_row, a->kv_row, keys, a->head_dim};
    const int64_t at = place.first && place.last ? 0 : first * w->width;
    const float *keep = place.first ? NULL : w->one;
    pack_panel(rows, a->k, w->k_t);
    pack_panel(rows, a->v, w->v_t);
    pack_down(rows, a->k, w->k_down, w->width);
    w->kept = words_keep(keys);
    load_queries(w, end);
    prefetch_panel(w, kv, first + step * ATTENTION_PANEL);
    for (int64_t i = begin; i < end; i += ATTENTION_BLOCK, keep = w->one) {
        int64_t n = attention_min(ATTENTION_BLOCK, end - i);
        backward_block(w, first, keys, i, n, keep, w->dk + at, w->dv + at);
        attention_step(&w->pace, 10.0 * (double)(ATTENTION_PANEL * n * a->head_dim));
    }
    if (!keep) { /* no query sees these keys */
        memset(w->dk + at, 0, (size_t)(a->head_dim * ATTENTION_PANEL) * sizeof *w->dk);
        memset(w->dv + at, 0, (size_t)(a->head_dim * ATTENTION_PANEL) * sizeof *w->dv);
    }
    if (place.last) write_dk_dv(w, rows, w->dk + at, w->dv + at);
}

/* A part of a task: every count-th panel of keys from `index`. Consecutive threads have the parts of a task. */
struct part {
    int64_t index, count;
    bool all_threads; /* all threads of the team work on parts and wait for each other */
};

static void part_wait(struct part part) {
    if (!part.all_threads) return;
#pragma omp barrier
}

/* Writes this part's rows of dq: the sum over all parts, in their order. */
static void join_dq(const struct backward *w, struct part part) {
    const struct kernel_attention *a = w->a;
    int64_t begin = a->seq_q * part.index / part.count, end = a->seq_q * (part.index + 1) / part.count;
    int64_t first = omp_get_thread_num() - part.index;
    float *sum = attention_scratch(w->pace.team, a, first);
    for (int64_t t = 1; t < part.count; t++) {
        const float *other = attention_scratch(w->pace.team, a, first + t);
        for (int64_t c = begin * w->width; c < end * w->width; c += KERNEL_LANES)
            vf_store(sum + c, vf_load(sum + c) + vf_load(other + c));
    }
    write_dq(w, begin, end, sum);
}

/* All panels of one query head. A thread that has the task alone writes each row of dq once no later panel adds to
 * it. */
static void backward_head(struct backward *w, int64_t kv, struct group_place place, struct part part) {
    const struct kernel_attention *a = w->a;
    for (int64_t j = part.index * ATTENTION_PANEL; j < a->seq_k; j += part.count * ATTENTION_PANEL) {
        backward_panel(w, kv, j, part.count, place);
        if (part.count > 1) continue;
        int64_t done = attention_min(attention_queries_seeing(a, j + ATTENTION_PANEL).begin, w->loaded);
        write_dq(w, w->stored, done, w->dq);
        w->stored = done > w->stored ? done : w->stored;
    }
    load_queries(w, a->seq_q); /* queries that see no key have a gradient of 0 */
    part_wait(part);
    if (part.count > 1)
        join_dq(w, part);
    else
        write_dq(w, w->stored, a->seq_q, w->dq);
    part_wait(part);
}

/* A task: one key/value head and the query heads that read it. */
static void backward_task(struct backward *w, int64_t task, struct part part) {
    const struct kernel_attention *a = w->a;
    int64_t b = task / a->kv_heads, h = task % a->kv_heads, group = a->heads / a->kv_heads;
    for (int64_t g = 0; g < group; g++) {
        begin_head(w, b, h * group + g);
        backward_head(w, attention_kv(a, b, h, 0), (struct group_place){g == 0, g == group - 1}, part);
    }
}

/* Every thread gets the same number of whole tasks. The remaining tasks are split into parts over all threads. The sum
 * of parts would depend on their number, so a steady team splits none, and threads may idle. */
static void attention_backward(const struct kernel_team *team, const struct kernel_attention *a) {
#pragma omp parallel num_threads(team->threads)
    {
        int64_t n = omp_get_num_threads(), t = omp_get_thread_num();
        const int64_t tasks = a->batch * a->kv_heads, rest = team->steady ? 0 : tasks % n, each = tasks / n;
        const struct kernel_range whole = kernel_share(tasks - rest, 1);
        struct backward w = backward_scratch(team, a);
        for (int64_t i = whole.begin; i < whole.end; i++) backward_task(&w, i, (struct part){0, 1, false});
        if (rest > 0) {
            int64_t i = t * rest / n, first = (i * n + rest - 1) / rest, next = ((i + 1) * n + rest - 1) / rest;
            backward_task(&w, n * each + i, (struct part){t - first, next - first, true});
        }
    }
}

#endif
