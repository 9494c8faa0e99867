/* SPDX-License-Identifier: Apache-2.0
 *
 * The faulty tables: each operation calls the healthy one with changed operands, or changes what it wrote. */
#include "unit/support/faults.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "scalar.h"

static const struct kernel_ops *inner;
static int calls; /* of the faulty operation, since fault_make */

static void scale(enum kernel_dtype dtype, void *x, int64_t first, int64_t n, float factor) {
    for (int64_t i = first; i < first + n; i++) scalar_put(dtype, x, i, factor * scalar_get(dtype, x, i));
}

static void gelu_sign(const struct kernel_team *team, enum kernel_dtype dtype, int64_t n, const void *x, const void *dy,
                      void *dx) {
    inner->gelu_backward(team, dtype, n, x, dy, dx);
    scale(dtype, dx, 0, n, -1);
}

/* Adds into copies that start as the negative of the sums, so that what was to be added is subtracted. */
static void norm_params_sign(const struct kernel_team *team, const struct kernel_norm *l) {
    for (int64_t i = 0; i < l->cols; i++) l->dgain[i] = -l->dgain[i], l->dbias[i] = -l->dbias[i];
    inner->norm_grad_params(team, l);
    for (int64_t i = 0; i < l->cols; i++) l->dgain[i] = -l->dgain[i], l->dbias[i] = -l->dbias[i];
}

static void norm_residual(const struct kernel_team *team, const struct kernel_norm *l) {
    struct kernel_norm wrong = *l;
    if (++calls == 2) wrong.dx_add = NULL;
    inner->norm_grad_input(team, &wrong);
}

static void query_sign(const struct kernel_team *team, const struct kernel_attention *a) {
    inner->attention_backward(team, a);
    for (int64_t t = 0; t < a->batch * a->seq_q; t++)
        for (int64_t h = 0; h < a->heads; h++) scale(a->dtype, a->dq, t * a->q_row + h * a->q_head, a->head_dim, -1);
}

static void heads_swapped(const struct kernel_team *team, const struct kernel_attention *a) {
    inner->attention_forward(team, a);
    for (int64_t t = 0; t < a->batch * a->seq_q; t++)
        for (int64_t i = t * a->o_row; i < t * a->o_row + a->head_dim; i++) {
            float first = scalar_get(a->dtype, a->o, i);
            scalar_put(a->dtype, a->o, i, scalar_get(a->dtype, a->o, i + a->o_head));
            scalar_put(a->dtype, a->o, i + a->o_head, first);
        }
}

static void uniform_forward(const struct kernel_team *team, const struct kernel_attention *a) {
    struct kernel_attention wrong = *a;
    wrong.scale = 0;
    inner->attention_forward(team, &wrong);
}
static void uniform_backward(const struct kernel_team *team, const struct kernel_attention *a) {
    struct kernel_attention wrong = *a;
    wrong.scale = 0;
    inner->attention_backward(team, &wrong);
}
static void seeing_forward(const struct kernel_team *team, const struct kernel_attention *a) {
    struct kernel_attention wrong = *a;
    wrong.q_offset += a->seq_k;
    inner->attention_forward(team, &wrong);
}
static void seeing_backward(const struct kernel_team *team, const struct kernel_attention *a) {
    struct kernel_attention wrong = *a;
    wrong.q_offset += a->seq_k;
    inner->attention_backward(team, &wrong);
}

static void bias_lost(const struct kernel_team *team, enum kernel_dtype dtype, int64_t rows, int64_t cols,
                      const void *x, float *sum) {
    if (calls++ % 8 != 3) inner->column_sum(team, dtype, rows, cols, x, sum); /* four biases a layer, two layers */
}

static void target_late(const struct kernel_team *team, const struct kernel_cross_entropy *c) {
    struct kernel_cross_entropy wrong = *c;
    int32_t *targets = malloc((size_t)c->rows * sizeof *targets);
    for (int64_t i = 0; i < c->rows; i++) targets[i] = c->targets[(i + 1) % c->rows];
    wrong.targets = targets;
    inner->cross_entropy_grad(team, &wrong);
    free(targets);
}

static void positions(const struct kernel_team *team, const struct kernel_embedding *e) {
    struct kernel_embedding wrong = *e;
    wrong.position0++;
    inner->embedding_forward(team, &wrong);
}

static void not_added(const struct kernel_team *team, const struct kernel_gemm *g) {
    struct kernel_gemm wrong = *g;
    if (g->d == g->c) wrong.d = NULL;
    inner->gemm(team, &wrong);
}

static void no_correction(const struct kernel_team *team, const struct kernel_adamw *a) {
    struct kernel_adamw wrong = *a;
    wrong.correction1 = wrong.correction2 = 1;
    inner->adamw(team, &wrong);
}
static void decay_all(const struct kernel_team *team, const struct kernel_adamw *a) {
    struct kernel_adamw wrong = *a;
    wrong.decay = 0.1f;
    inner->adamw(team, &wrong);
}
static void no_clip(const struct kernel_team *team, const struct kernel_adamw *a) {
    struct kernel_adamw wrong = *a;
    wrong.grad_scale = 1;
    inner->adamw(team, &wrong);
}
static void beta(const struct kernel_team *team, const struct kernel_adamw *a) {
    struct kernel_adamw wrong = *a;
    wrong.beta2 = 0.999f;
    inner->adamw(team, &wrong);
}
static void moment_lost(const struct kernel_team *team, const struct kernel_adamw *a) {
    memset(a->m, 0, (size_t)a->n * sizeof *a->m);
    inner->adamw(team, a);
}

/* One element of one FP32 result, as if its store went astray: it takes the row's largest size, the other sign. */
static void matmul_element(const struct kernel_team *team, const struct kernel_gemm *g) {
    inner->gemm(team, g);
    if (g->out != KERNEL_F32 || ++calls != 1) return;
    const int64_t row = (g->m - 1) * g->ldc, at = row + g->n / 2;
    float size = 0, *c = g->c;
    for (int64_t j = row; j < row + g->n; j++) size = fmaxf(size, fabsf(c[j]));
    c[at] = c[at] > 0 ? -size : size;
}
/* The last tile of the third result has the wrong sign. */
static void matmul_tile(const struct kernel_team *team, const struct kernel_gemm *g) {
    enum { TILE = 32 };
    inner->gemm(team, g);
    if (++calls != 3) return;
    for (int64_t i = g->m > TILE ? g->m - TILE : 0; i < g->m; i++)
        scale(g->out, g->c, i * g->ldc + (g->n > TILE ? g->n - TILE : 0), g->n > TILE ? TILE : g->n, -1);
}
static void attention_row(const struct kernel_team *team, const struct kernel_attention *a) {
    inner->attention_forward(team, a);
    for (int64_t b = 0; b < a->batch; b++)
        for (int64_t h = 0; h < a->heads; h++)
            scale(a->dtype, a->o, ((b + 1) * a->seq_q - 1) * a->o_row + h * a->o_head, a->head_dim, -1);
}
static void attention_gradient(const struct kernel_team *team, const struct kernel_attention *a) {
    inner->attention_backward(team, a);
    for (int64_t t = 0; t < a->batch * a->seq_k; t += 2)
        for (int64_t h = 0; h < a->kv_heads; h++)
            scale(a->dtype, a->dk, t * a->kv_row + h * a->kv_head, a->head_dim, -1);
}

/* Each fault's name, and the operations that replace the healthy ones. */
static const struct {
    const char *name;
    struct kernel_ops wrong;
} faults[FAULT_COUNT] = {
    [FAULT_GELU_SIGN] = {"GELU gradient's sign", {.gelu_backward = gelu_sign}},
    [FAULT_NORM_PARAMS_SIGN] = {"LayerNorm parameter gradient's sign", {.norm_grad_params = norm_params_sign}},
    [FAULT_NORM_RESIDUAL] = {"residual gradient lost", {.norm_grad_input = norm_residual}},
    [FAULT_QUERY_SIGN] = {"query gradient's sign", {.attention_backward = query_sign}},
    [FAULT_HEADS_SWAPPED] = {"heads swapped", {.attention_forward = heads_swapped}},
    [FAULT_UNIFORM] = {"uniform attention",
                       {.attention_forward = uniform_forward, .attention_backward = uniform_backward}},
    [FAULT_NOT_CAUSAL] = {"attention not causal",
                          {.attention_forward = seeing_forward, .attention_backward = seeing_backward}},
    [FAULT_BIAS_LOST] = {"bias gradient lost", {.column_sum = bias_lost}},
    [FAULT_TARGET_LATE] = {"targets one late", {.cross_entropy_grad = target_late}},
    [FAULT_POSITIONS] = {"positions one late", {.embedding_forward = positions}},
    [FAULT_NOT_ADDED] = {"weight gradients not added", {.gemm = not_added}},
    [FAULT_NO_CORRECTION] = {"AdamW without bias correction", {.adamw = no_correction}},
    [FAULT_DECAY_ALL] = {"AdamW decaying biases", {.adamw = decay_all}},
    [FAULT_NO_CLIP] = {"no clipping", {.adamw = no_clip}},
    [FAULT_BETA] = {"AdamW's beta2 wrong", {.adamw = beta}},
    [FAULT_MOMENT_LOST] = {"AdamW's first moment lost", {.adamw = moment_lost}},
    [FAULT_MATMUL_ELEMENT] = {"one element of a matmul", {.gemm = matmul_element}},
    [FAULT_MATMUL_TILE] = {"one tile of a matmul", {.gemm = matmul_tile}},
    [FAULT_ATTENTION_ROW] = {"attention's last row", {.attention_forward = attention_row}},
    [FAULT_ATTENTION_GRADIENT] = {"key gradient's sign", {.attention_backward = attention_gradient}},
};

const char *fault_name(enum fault fault) {
    return faults[fault].name;
}

void fault_make(enum fault fault, const struct kernel_ops *healthy, struct kernel_ops *faulty) {
    const struct kernel_ops *w = &faults[fault].wrong;
    inner = healthy;
    calls = 0;
    *faulty = *healthy;
#define REPLACE(op)                                                                                                    \
    if (w->op) faulty->op = w->op
    REPLACE(gemm);
    REPLACE(attention_forward);
    REPLACE(attention_backward);
    REPLACE(norm_grad_input);
    REPLACE(norm_grad_params);
    REPLACE(gelu_backward);
    REPLACE(column_sum);
    REPLACE(cross_entropy_grad);
    REPLACE(embedding_forward);
    REPLACE(adamw);
#undef REPLACE
}
