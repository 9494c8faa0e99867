/* SPDX-License-Identifier: Apache-2.0
 *
 * Faults of activations, norms, biases, the vocabulary, gradient sums and the update that the small model must show. */
#include <stdlib.h>
#include <string.h>

#include "unit/support/faults_rows.h"

static void gelu_sign(const struct kernel_team *team, const struct kernel_gemm *g) {
    fault_healthy->gemm(team, g);
    for (int64_t i = 0; i < g->m && g->epilogue == KERNEL_EPILOGUE_GELU_GRAD; i++)
        fault_scale(g->out, g->c, i * g->ldc, g->n, -1);
}

static void swiglu_sign(const struct kernel_team *team, const struct kernel_swiglu *s) {
    fault_healthy->swiglu_backward(team, s);
    fault_scale(s->dtype, s->dx, 0, s->rows * 2 * s->cols, -1);
}

/* x[rows, 2 cols] with its halves exchanged, in a new buffer. */
static void *halves_exchanged(const struct kernel_swiglu *s, const void *x) {
    const size_t half = (size_t)s->cols * kernel_dtype_bytes(s->dtype);
    char *y = calloc((size_t)s->rows, 2 * half);
    for (size_t r = 0; r < (size_t)s->rows; r++) {
        memcpy(y + 2 * r * half, (const char *)x + (2 * r + 1) * half, half);
        memcpy(y + (2 * r + 1) * half, (const char *)x + 2 * r * half, half);
    }
    return y;
}
static void gate_for_value(const struct kernel_team *team, const struct kernel_swiglu *s) {
    struct kernel_swiglu wrong = *s;
    void *x = halves_exchanged(s, s->x);
    wrong.x = x;
    fault_healthy->swiglu_forward(team, &wrong);
    free(x);
}
static void gate_for_value_backward(const struct kernel_team *team, const struct kernel_swiglu *s) {
    struct kernel_swiglu wrong = *s;
    void *x = halves_exchanged(s, s->x);
    wrong.x = x;
    fault_healthy->swiglu_backward(team, &wrong);
    free(x);
    void *dx = halves_exchanged(s, s->dx);
    memcpy(s->dx, dx, (size_t)(s->rows * 2 * s->cols) * kernel_dtype_bytes(s->dtype));
    free(dx);
}

/* Adding into a negated copy subtracts what should have been added. */
static void negate(int64_t n, float *x) {
    for (int64_t i = 0; i < n && x; i++) x[i] = -x[i];
}
static void norm_params_sign(const struct kernel_team *team, const struct kernel_norm *l) {
    negate(l->cols, l->dgain), negate(l->cols, l->dbias);
    fault_healthy->norm_grad_params(team, l);
    negate(l->cols, l->dgain), negate(l->cols, l->dbias);
}

static void norm_residual(const struct kernel_team *team, const struct kernel_norm *l) {
    struct kernel_norm wrong = *l;
    if (++fault_calls == 2) wrong.dx_add = NULL;
    fault_healthy->norm_grad_input(team, &wrong);
}

/* Of the six norms of two layers, the one after the embedding runs first. It and the last one have no residual path. */
static void embed_norm(const struct kernel_team *team, const struct kernel_norm *l) {
    fault_healthy->norm_forward(team, l);
    if (fault_calls++ % 6 == 0) memcpy(l->y, l->x, (size_t)(l->rows * l->cols) * kernel_dtype_bytes(l->dtype));
}
static void embed_norm_grad(const struct kernel_team *team, const struct kernel_norm *l) {
    if (!l->dx_add && fault_calls++ % 2 == 1)
        memcpy(l->dx, l->dy, (size_t)(l->rows * l->cols) * kernel_dtype_bytes(l->dtype));
    else
        fault_healthy->norm_grad_input(team, l);
}

static void bias_lost(const struct kernel_team *team, enum kernel_dtype dtype, int64_t rows, int64_t cols,
                      const void *x, float *sum) {
    if (fault_calls++ % 8 != 3)
        fault_healthy->column_sum(team, dtype, rows, cols, x, sum); /* four biases a layer, two layers */
}

static void target_late(const struct kernel_team *team, const struct kernel_cross_entropy *c) {
    struct kernel_cross_entropy wrong = *c;
    int32_t *targets = malloc((size_t)c->rows * sizeof *targets);
    for (int64_t i = 0; i < c->rows; i++) targets[i] = c->targets[(i + 1) % c->rows];
    wrong.targets = targets;
    fault_healthy->cross_entropy_grad(team, &wrong);
    free(targets);
}

static void positions(const struct kernel_team *team, const struct kernel_embedding *e) {
    struct kernel_embedding wrong = *e;
    wrong.position0++;
    fault_healthy->embedding_forward(team, &wrong);
}

static void not_added(const struct kernel_team *team, const struct kernel_gemm *g) {
    struct kernel_gemm wrong = *g;
    if (g->d == g->c) wrong.d = NULL;
    fault_healthy->gemm(team, &wrong);
}

static void no_correction(const struct kernel_team *team, const struct kernel_adamw *a) {
    struct kernel_adamw wrong = *a;
    wrong.correction1 = wrong.correction2 = 1;
    fault_healthy->adamw(team, &wrong);
}
static void decay_all(const struct kernel_team *team, const struct kernel_adamw *a) {
    struct kernel_adamw wrong = *a;
    wrong.decay = 0.1f;
    fault_healthy->adamw(team, &wrong);
}
static void no_clip(const struct kernel_team *team, const struct kernel_adamw *a) {
    struct kernel_adamw wrong = *a;
    wrong.grad_scale = 1;
    fault_healthy->adamw(team, &wrong);
}
static void beta(const struct kernel_team *team, const struct kernel_adamw *a) {
    struct kernel_adamw wrong = *a;
    wrong.beta2 = 0.999f;
    fault_healthy->adamw(team, &wrong);
}
static void moment_lost(const struct kernel_team *team, const struct kernel_adamw *a) {
    memset(a->m, 0, (size_t)a->n * sizeof *a->m);
    fault_healthy->adamw(team, a);
}

const struct fault_row fault_rows_path[] = {
    {FAULT_GELU_SIGN, "GELU gradient's sign", NEEDS_GELU, {.gemm = gelu_sign}},
    {FAULT_SWIGLU_SIGN, "SwiGLU gradient's sign", NEEDS_SWIGLU, {.swiglu_backward = swiglu_sign}},
    {FAULT_GATE_FOR_VALUE,
     "gate and value swapped",
     NEEDS_SWIGLU,
     {.swiglu_forward = gate_for_value, .swiglu_backward = gate_for_value_backward}},
    {FAULT_NORM_PARAMS_SIGN, "norm parameter gradient's sign", NEEDS_NOTHING, {.norm_grad_params = norm_params_sign}},
    {FAULT_NORM_RESIDUAL, "residual gradient lost", NEEDS_NOTHING, {.norm_grad_input = norm_residual}},
    {FAULT_EMBED_NORM, "norm after the embedding skipped", NEEDS_EMBED_NORM, {.norm_forward = embed_norm}},
    {FAULT_EMBED_NORM_GRAD,
     "gradient of the norm after the embedding skipped",
     NEEDS_EMBED_NORM,
     {.norm_grad_input = embed_norm_grad}},
    {FAULT_BIAS_LOST, "bias gradient lost", NEEDS_LAYER_BIASES, {.column_sum = bias_lost}},
    {FAULT_TARGET_LATE, "targets one late", NEEDS_NOTHING, {.cross_entropy_grad = target_late}},
    {FAULT_POSITIONS, "positions one late", NEEDS_POSITION_TABLE, {.embedding_forward = positions}},
    {FAULT_NOT_ADDED, "weight gradients not added", NEEDS_NOTHING, {.gemm = not_added}},
    {FAULT_NO_CORRECTION, "AdamW without bias correction", NEEDS_NOTHING, {.adamw = no_correction}},
    {FAULT_DECAY_ALL, "AdamW decaying biases", NEEDS_NOTHING, {.adamw = decay_all}},
    {FAULT_NO_CLIP, "no clipping", NEEDS_NOTHING, {.adamw = no_clip}},
    {FAULT_BETA, "AdamW's beta2 wrong", NEEDS_NOTHING, {.adamw = beta}},
    {FAULT_MOMENT_LOST, "AdamW's first moment lost", NEEDS_NOTHING, {.adamw = moment_lost}},
    {.name = NULL},
};
