/* SPDX-License-Identifier: Apache-2.0
 *
 * Faults of attention and of rotary positions that the small model must show. */
#include <stdlib.h>

#include "unit/support/faults_rows.h"

static void query_sign(const struct kernel_team *team, const struct kernel_attention *a) {
    fault_healthy->attention_backward(team, a);
    for (int64_t t = 0; t < a->batch * a->seq_q; t++)
        for (int64_t h = 0; h < a->heads; h++)
            fault_scale(a->dtype, a->dq, t * a->q_row + h * a->q_head, a->head_dim, -1);
}

/* Exchanges the first two heads of every token. */
static void swap_heads(const struct kernel_attention *a, void *x, int64_t tokens, int64_t row, int64_t head) {
    for (int64_t t = 0; t < tokens; t++)
        for (int64_t i = t * row; i < t * row + a->head_dim; i++) {
            const float first = scalar_get(a->dtype, x, i);
            scalar_put(a->dtype, x, i, scalar_get(a->dtype, x, i + head));
            scalar_put(a->dtype, x, i + head, first);
        }
}
static void heads_swapped(const struct kernel_team *team, const struct kernel_attention *a) {
    fault_healthy->attention_forward(team, a);
    swap_heads(a, a->o, a->batch * a->seq_q, a->o_row, a->o_head);
}

/* Operands are const, but they are in the model's writable memory. So they are exchanged before and exchanged back
 * after. */
static void swap_kv(const struct kernel_attention *a, const void *k, const void *v) {
    swap_heads(a, (void *)(uintptr_t)k, a->batch * a->seq_k, a->kv_row, a->kv_head);
    swap_heads(a, (void *)(uintptr_t)v, a->batch * a->seq_k, a->kv_row, a->kv_head);
}
static void kv_head_forward(const struct kernel_team *team, const struct kernel_attention *a) {
    swap_kv(a, a->k, a->v);
    fault_healthy->attention_forward(team, a);
    swap_kv(a, a->k, a->v);
}
static void kv_head_backward(const struct kernel_team *team, const struct kernel_attention *a) {
    swap_kv(a, a->k, a->v);
    fault_healthy->attention_backward(team, a);
    swap_kv(a, a->k, a->v);
    swap_kv(a, a->dk, a->dv);
}

static void slopes(const struct kernel_team *team, const struct kernel_attention *a, kernel_attention_fn *f) {
    struct kernel_attention wrong = *a;
    float *next = malloc((size_t)a->heads * sizeof *next);
    for (int64_t h = 0; h < a->heads; h++) next[h] = a->slopes[(h + 1) % a->heads];
    wrong.slopes = next;
    f(team, &wrong);
    free(next);
}
static void slopes_forward(const struct kernel_team *team, const struct kernel_attention *a) {
    slopes(team, a, fault_healthy->attention_forward);
}
static void slopes_backward(const struct kernel_team *team, const struct kernel_attention *a) {
    slopes(team, a, fault_healthy->attention_backward);
}

static void window_forward(const struct kernel_team *team, const struct kernel_attention *a) {
    struct kernel_attention wrong = *a;
    wrong.window++;
    fault_healthy->attention_forward(team, &wrong);
}
static void window_backward(const struct kernel_team *team, const struct kernel_attention *a) {
    struct kernel_attention wrong = *a;
    wrong.window++;
    fault_healthy->attention_backward(team, &wrong);
}

/* A row holds the heads of queries, of keys and of as many values. Only keys are late: if all were, distances would
 * be the same and there would be no fault. */
static void keys_late(const struct kernel_team *team, const struct kernel_rotary *r) {
    const int64_t kv = r->row / r->head - r->heads, half = r->head_dim / 2, n = r->seq * half;
    struct kernel_rotary q = *r, k = *r;
    float *late = malloc(2 * (size_t)n * sizeof *late);
    for (int64_t i = 0; i < n; i++) { /* the last position has no next */
        late[i] = r->cos[i + half < n ? i + half : i];
        late[n + i] = r->sin[i + half < n ? i + half : i];
    }
    q.heads -= kv;
    k.heads = kv;
    k.x = (char *)r->x + (size_t)(q.heads * r->head) * kernel_dtype_bytes(r->dtype);
    k.cos = late, k.sin = late + n;
    fault_healthy->rotary(team, &q);
    fault_healthy->rotary(team, &k);
    free(late);
}
static void not_turned_back(const struct kernel_team *team, const struct kernel_rotary *r) {
    struct kernel_rotary wrong = *r;
    wrong.inverse = false;
    fault_healthy->rotary(team, &wrong);
}

static void uniform_forward(const struct kernel_team *team, const struct kernel_attention *a) {
    struct kernel_attention wrong = *a;
    wrong.scale = 0;
    fault_healthy->attention_forward(team, &wrong);
}
static void uniform_backward(const struct kernel_team *team, const struct kernel_attention *a) {
    struct kernel_attention wrong = *a;
    wrong.scale = 0;
    fault_healthy->attention_backward(team, &wrong);
}
static void seeing_forward(const struct kernel_team *team, const struct kernel_attention *a) {
    struct kernel_attention wrong = *a;
    wrong.q_offset += a->seq_k;
    wrong.window = 0;
    fault_healthy->attention_forward(team, &wrong);
}
static void seeing_backward(const struct kernel_team *team, const struct kernel_attention *a) {
    struct kernel_attention wrong = *a;
    wrong.q_offset += a->seq_k;
    wrong.window = 0;
    fault_healthy->attention_backward(team, &wrong);
}

const struct fault_row fault_rows_attention[] = {
    {FAULT_QUERY_SIGN, "query gradient's sign", NEEDS_NOTHING, {.attention_backward = query_sign}},
    {FAULT_HEADS_SWAPPED, "heads swapped", NEEDS_NOTHING, {.attention_forward = heads_swapped}},
    {FAULT_UNIFORM,
     "uniform attention",
     NEEDS_NOTHING,
     {.attention_forward = uniform_forward, .attention_backward = uniform_backward}},
    {FAULT_NOT_CAUSAL,
     "attention not causal",
     NEEDS_NOTHING,
     {.attention_forward = seeing_forward, .attention_backward = seeing_backward}},
    {FAULT_WINDOW_LONG,
     "window one too long",
     NEEDS_WINDOW,
     {.attention_forward = window_forward, .attention_backward = window_backward}},
    {FAULT_KV_HEAD,
     "key/value heads swapped",
     NEEDS_SHARED_KEYS,
     {.attention_forward = kv_head_forward, .attention_backward = kv_head_backward}},
    {FAULT_SLOPES,
     "slope of the neighbour head",
     NEEDS_ALIBI,
     {.attention_forward = slopes_forward, .attention_backward = slopes_backward}},
    {FAULT_KEYS_LATE, "keys turned one position late", NEEDS_ROTARY, {.rotary = keys_late}},
    {FAULT_NOT_TURNED_BACK, "rotary gradient not turned back", NEEDS_ROTARY, {.rotary = not_turned_back}},
    {.name = NULL},
};
