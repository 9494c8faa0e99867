/* SPDX-License-Identifier: Apache-2.0
 *
 * Attention forward for KERNEL_LANES. Lanes are the queries of a panel. So the running maximum and sum of the online
 * softmax (Milakov & Gimelshein 2018) are vectors, without a reduction across lanes. Scores S^T[key][query] = K Q^T
 * and output O^T[x][query] = V^T P^T. All is static. */
#ifndef TOISE_KERNELS_ATTENTION_ATTENTION_FORWARD_INC_H
#define TOISE_KERNELS_ATTENTION_ATTENTION_FORWARD_INC_H

#include "attention/attention_move.inc.h"
#include "attention/attention_scores.inc.h"

/* Online softmax of a panel's queries: running maximum and sum, and the factor that rescales older sums. */
struct softmax {
    float highest[ATTENTION_PANEL], sum[ATTENTION_PANEL], keep[ATTENTION_PANEL];
};
/* A query panel of a head; q: words along the head, [words][panel]; o: [head_dim][panel]. begun: o holds sums. */
struct query_panel {
    int64_t first, queries;
    float *q, *o;
    bool begun;
    struct softmax x;
};
/* One thread's state and scratch. k: rows of words, [seq_k][row]. v: words along the keys, [words][width]. s: scores,
 * [block][panel], and then weights in words along the keys. `scale`, `slope`: to the base of 2. `panel`: the query
 * panels that share each key/value block. */
struct forward {
    const struct kernel_attention *a;
    float *k, *v, *s;
    int64_t width, row;
    float scale, slope;
    int64_t kv; /* the current key/value head; `packed`: its keys in k and v */
    struct kernel_range packed;
    struct attention_pace pace;
    struct query_panel panel[ATTENTION_GROUP_PANELS];
    struct prefetch prefetch;
};

static void forward_scratch(struct forward *w, const struct kernel_team *team, const struct kernel_attention *a) {
    w->a = a;
    w->kv = -1;
    w->pace = (struct attention_pace){team, POLL_FLOPS, 0};
    w->width = attention_panels(a->head_dim) * ATTENTION_PANEL, w->row = w->width / WORD;
    w->scale = a->scale * SIMD_LOG2E;
    w->k = attention_scratch(team, a, omp_get_thread_num());
    w->v = w->k + a->seq_k * w->width;
    w->s = w->v + a->seq_k * w->width;
    float *next = w->s + ATTENTION_BLOCK * ATTENTION_PANEL;
    for (int p = 0; p < ATTENTION_GROUP_PANELS; p++) {
        w->panel[p].q = next, next += ATTENTION_PANEL * w->width;
        w->panel[p].o = next, next += ATTENTION_PANEL * w->width;
    }
}

/* The maximum of each lane of a tile column. With a slope it also scales and biases the scores. The key of row 0 is
 * `distance` positions after the query of lane 0. */
SIMD_INLINE void highest_scores(const struct forward *w, struct kernel_range rows, const bool biased, int64_t distance,
                                int lane, vf highest[TILE_VECTORS]) {
    for (int64_t r = rows.begin; r < rows.end; r++)
        for (int v = 0; v < TILE_VECTORS; v++) {
            float *p = w->s + r * ATTENTION_PANEL + lane + v * KERNEL_LANES;
            vf score = vf_load(p);
            if (biased) {
                score = add_bias(score * w->scale, w->slope, distance + r, lane + v * KERNEL_LANES);
                vf_store(p, score);
            }
            highest[v] = vf_max(score, highest[v]);
        }
}

/* In `n` rows of a tile column: scores become weights 2^(s - offset), which are added to `sum`. */
SIMD_INLINE void weigh_rows(const int n, const struct forward *w, const bool biased, int64_t r, int lane,
                            const vf offset[TILE_VECTORS], vf sum[TILE_VECTORS]) {
    float *s = w->s + lane;
    vf x[2 * TILE_VECTORS];
    for (int i = 0; i < n * TILE_VECTORS; i++) {
        vf score = vf_load(s + (r + i / TILE_VECTORS) * ATTENTION_PANEL + i % TILE_VECTORS * KERNEL_LANES);
        x[i] = biased ? score - offset[i % TILE_VECTORS] : vf_fma(score, vf_all(w->scale), -offset[i % TILE_VECTORS]);
    }
    for (int i = 0; i < n * TILE_VECTORS; i++) x[i] = vf_exp2_weight(x[i]);
    for (int v = 0; v < TILE_VECTORS; v++)
        words_put_rows(n, s + v * KERNEL_LANES, ATTENTION_PANEL, r, x + v, TILE_VECTORS);
    for (int i = 0; i < n * TILE_VECTORS; i++) sum[i % TILE_VECTORS] += x[i];
}

/* Scores of a tile column become weights; its running maximum and sum are updated. A query that has seen no key has
 * maximum -infinity. Subtracting 0 for it makes every weight 0. */
SIMD_INLINE void softmax_tile(const struct forward *w, struct softmax *x, struct kernel_range rows, const bool biased,
                              int64_t distance, int lane) {
    vf highest[TILE_VECTORS], offset[TILE_VECTORS], keep[TILE_VECTORS], sum[TILE_VECTORS] = {{0}};
    for (int v = 0; v < TILE_VECTORS; v++) highest[v] = vf_all(-INFINITY);
    highest_scores(w, rows, biased, distance, lane, highest);
    for (int v = 0; v < TILE_VECTORS; v++) {
        const vf before = vf_load(x->highest + lane + v * KERNEL_LANES);
        highest[v] = vf_max(biased ? highest[v] : highest[v] * w->scale, before);
        offset[v] = vf_pick(highest[v] == -INFINITY, vf_all(0), highest[v]);
        keep[v] = before - offset[v];
        vf_store(x->highest + lane + v * KERNEL_LANES, highest[v]);
    }
    int64_t r = rows.begin;
    if (words_split(r) && r < rows.end) weigh_rows(1, w, biased, r++, lane, offset, sum);
    for (; r + 2 <= rows.end; r += 2) weigh_rows(2, w, biased, r, lane, offset, sum);
    if (r < rows.end) weigh_rows(1, w, biased, r, lane, offset, sum);
    for (int v = 0; v < TILE_VECTORS; v++) {
        float *total = x->sum + lane + v * KERNEL_LANES;
        keep[v] = vf_exp2_weight(keep[v]);
        vf_store(x->keep + lane + v * KERNEL_LANES, keep[v]);
        vf_store(total, vf_load(total) * keep[v] + sum[v]);
    }
}

static void softmax_block(const struct forward *w, struct softmax *x, const struct band *band, int64_t distance) {
    for (int i = 0; i < PANEL_TILES; i++) {
        mask_outside(w->s, band, i);
        if (w->slope == 0)
            softmax_tile(w, x, band->rows[i], false, distance, i * TILE_COLUMNS);
        else
            softmax_tile(w, x, band->rows[i], true, distance, i * TILE_COLUMNS);
    }
}

static void panel_begin(const struct forward *w, struct query_panel *p, int64_t q) {
    const struct kernel_attention *a = w->a;
    p->begun = false;
    for (int i = 0; i < ATTENTION_PANEL; i++) p->x.highest[i] = -INFINITY, p->x.sum[i] = 0;
    pack_panel((struct strided){a->dtype, q, a->q_row, p->queries, a->head_dim}, a->q, p->q);
}

/* One query panel against a block of keys from key j, which begins a word. */
static void panel_block(struct forward *w, struct query_panel *p, int64_t j, int64_t keys) {
    const struct kernel_attention *a = w->a;
    const int64_t d = a->head_dim, panel = ATTENTION_PANEL, distance = a->k_offset + j - a->q_offset - p->first;
    const float *k = w->k + j * w->row, *v = w->v + j / WORD * w->width;
    const struct band band = band_of(distance, distance + attention_window(a), keys);
    multiply_rows(
        (struct product){keys, panel, words(d), k, p->q, w->row, panel, panel, NULL, w->s, band.rows, &w->prefetch});
    softmax_block(w, &p->x, &band, distance);
    multiply_columns((struct product){d, panel, words(keys), v, w->s, w->width, panel, panel,
                                      p->begun ? p->x.keep : NULL, p->o, band.rows, &w->prefetch});
    p->begun = true;
}

static void panel_end(const struct forward *w, struct query_panel *p, int64_t o, float *lse) {
    const struct kernel_attention *a = w->a;
    struct softmax *x = &p->x;
    const struct strided rows = {attention_out(a), o, a->o_row, p->queries, a->head_dim};
    if (!p->begun) memset(p->o, 0, (size_t)(a->head_dim * ATTENTION_PANEL) * sizeof *p->o);
    for (int64_t i = 0; i < p->queries; i++) {
        const float mine = x->sum[i] == 0 ? -INFINITY : x->highest[i] * SIMD_LN2 + logf(x->sum[i]);
        x->keep[i] = x->sum[i] == 0 ? 0 : 1 / x->sum[i];
        if (a->add) {
            const struct attention_shares shares = attention_merge(&lse[i], mine);
            x->keep[i] *= (float)shares.new, x->sum[i] = (float)shares.old;
        } else {
            lse[i] = mine;
        }
    }
    if (a->add)
        join_panel(rows, a->o, x->sum, x->keep, p->o);
    else
        unpack_panel(rows, a->o, x->keep, p->o);
}

/* Packs the keys and values of a head that are not yet in scratch: whole words of keys. Doing it just before use keeps
 * a window's keys in L2. */
static void pack_keys(struct forward *w, int64_t kv, struct kernel_range keys) {
    const struct kernel_attention *a = w->a;
    struct kernel_range *packed = &w->packed;
    if (kv != w->kv || keys.begin < packed->begin || keys.begin > packed->end)
        w->kv = kv, *packed = (struct kernel_range){keys.begin, keys.begin};
    if (packed->end >= keys.end) return;
    const int64_t from = packed->end, end = attention_min(words(keys.end) * WORD, a->seq_k);
    struct strided rows = {a->dtype, kv + from * a->kv_row, a->kv_row, end - from, a->head_dim};
    pack_rows(rows, a->k, w->k + from * w->row, w->row);
    pack_down(rows, a->v, w->v + from / WORD * w->width, w->width);
    packed->end = end;
}

/* Prefetches what the next `count` panels will need: their queries, keys and values, and the places these are packed
 * to. The panels start at query `next` of head h, or at the next head. */
static void prefetch_panels(struct forward *w, int64_t b, int64_t h, int64_t next, int64_t count) {
    const struct kernel_attention *a = w->a;
    struct prefetch *x = &w->prefetch;
    *x = (struct prefetch){0};
    if (next >= a->seq_q) next = 0, h++;
    if (h == a->heads) h = 0, b++;
    if (b == a->batch) return;
    const size_t element = kernel_dtype_bytes(a->dtype);
    const int64_t queries = attention_min(count * ATTENTION_PANEL, a->seq_q - next), d = a->head_dim;
    const int64_t kv = attention_kv(a, b, h / (a->heads / a->kv_heads), 0);
    const int64_t from = kv == w->kv ? w->packed.end : attention_keys_seen(a, next).begin;
    const int64_t keys = attention_keys_seen(a, next + queries - 1).end - from;
    prefetch_add(x, a->q, element, attention_q(a, b, h, next), queries, a->q_row, d);
    prefetch_add(x, a->k, element, kv + from * a->kv_row, keys, a->kv_row, d);
    prefetch_add(x, a->v, element, kv + from * a->kv_row, keys, a->kv_row, d);
    prefetch_add(x, w->k, sizeof *w->k, from * w->row, keys, w->row, words(d));
    prefetch_add(x, w->v, sizeof *w->v, from / WORD * w->width, words(keys), w->width, d);
    prefetch_add(x, a->o, kernel_dtype_bytes(attention_out(a)), attention_o(a, b, h, next), queries, a->o_row, d);
}

/* `count` panels of head h from panel `first`, over blocks of the keys that any of their queries sees. */
static void forward_panels(struct forward *w, int64_t b, int64_t h, int64_t first, int64_t count) {
    const struct kernel_attention *a = w->a;
    int64_t next = attention_min((first + count) * ATTENTION_PANEL, a->seq_q);
    struct kernel_range seen[ATTENTION_GROUP_PANELS];
    for (int64_t i = 0; i < count; i++) {
        struct query_panel *p = &w->panel[i];
        p->first = (first + i) * ATTENTION_PANEL;
        p->queries = attention_min(ATTENTION_PANEL, next - p->first);
        seen[i].begin = attention_keys_seen(a, p->first).begin;
        seen[i].end = attention_keys_seen(a, p->first + p->queries - 1).end;
        panel_begin(w, p, attention_q(a, b, h, p->first));
    }
    /* A group's first panel decides where a window's blocks begin. A steady team cuts them alike for every group. */
    const int64_t unit = w->pace.team->steady ? ATTENTION_BLOCK : WORD;
    const struct kernel_range keys = {seen[0].begin / unit * unit, seen[count - 1].end};
    w->slope = attention_slope(a, h) * SIMD_LOG2E;
    pack_keys(w, attention_kv(a, b, h / (a->heads / a->kv_heads), 0), keys);
    prefetch_panels(w, b, h, next, count);
    for (int64_t j = keys.begin; j < keys.end; j += ATTENTION_BLOCK)
        for (int64_t i = 0; i < count; i++) {
            int64_t n = attention_min(ATTENTION_BLOCK, seen[i].end - j);
            if (n <= 0 || j + n <= seen[i].begin) continue;
            panel_block(w, &w->panel[i], j, n);
            attention_step(&w->pace, 4.0 * (double)(ATTENTION_PANEL * n * a->head_dim));
        }
    for (int64_t i = 0; i < count; i++)
        panel_end(w, &w->panel[i], attention_o(a, b, h, w->panel[i].first),
                  a->lse + attention_lse(a, b, h, w->panel[i].first));
}

/* Panels in a group. Less than the maximum if a thread would get fewer than four groups, since shares would be
 * uneven. */
static int64_t panels_per_group(const struct kernel_attention *a, int64_t threads) {
    int64_t n = ATTENTION_GROUP_PANELS, panels = a->batch * a->heads * attention_panels(a->seq_q);
    while (n > 1 && panels < 4 * threads * n) n /= 2;
    return n;
}

/* Each thread takes consecutive groups of panels of consecutive heads. Groups are numbered alternately from the
 * early and the late end of a sequence, so that any range of numbers is about average work. A thread works through
 * the groups of a head in sequence order, which is the order in which keys are packed. */
static void attention_forward(const struct kernel_team *team, const struct kernel_attention *a) {
#pragma omp parallel num_threads(team->threads)
    {
        struct forward w;
        forward_scratch(&w, team, a);
        const int64_t panels = attention_panels(a->seq_q), per_group = panels_per_group(a, omp_get_num_threads());
        const int64_t groups = (panels + per_group - 1) / per_group;
        const struct kernel_range range = kernel_share(a->batch * a->heads * groups, 1);
        for (int64_t i = range.begin, next; i < range.end; i = next) {
            int64_t head = i / groups, begin = i % groups, end;
            next = attention_min((head + 1) * groups, range.end);
            end = begin + next - i;
            for (int64_t g = 0; g < groups; g++) {
                int64_t number = 2 * g < groups ? 2 * g : 2 * (groups - 1 - g) + 1, first = g * per_group;
                if (number < begin || number >= end) continue;
                forward_panels(&w, head / a->heads, head % a->heads, first, attention_min(per_group, panels - first));
            }
        }
    }
}

#endif
