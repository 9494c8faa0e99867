/* SPDX-License-Identifier: Apache-2.0
 *
 * Faults of single tiles, elements and rows that the checks at the timed sizes must show. */
#include <math.h>

#include "unit/support/faults_rows.h"

/* One wrong element of one FP32 result: it gets the row's largest magnitude, with the other sign. */
static void matmul_element(const struct kernel_team *team, const struct kernel_gemm *g) {
    fault_healthy->gemm(team, g);
    if (g->out != KERNEL_F32 || ++fault_calls != 1) return;
    const int64_t row = (g->m - 1) * g->ldc, at = row + g->n / 2;
    float size = 0, *c = g->c;
    for (int64_t j = row; j < row + g->n; j++) size = fmaxf(size, fabsf(c[j]));
    c[at] = c[at] > 0 ? -size : size;
}
/* The last tile of C, or of a matrix with C's layout, gets the wrong sign. */
static void last_tile(const struct kernel_gemm *g, void *x) {
    enum { TILE = 32 };
    for (int64_t i = g->m > TILE ? g->m - TILE : 0; i < g->m; i++)
        fault_scale(g->out, x, i * g->ldc + (g->n > TILE ? g->n - TILE : 0), g->n > TILE ? TILE : g->n, -1);
}
/* In the third result. */
static void matmul_tile(const struct kernel_team *team, const struct kernel_gemm *g) {
    fault_healthy->gemm(team, g);
    if (++fault_calls == 3) last_tile(g, g->c);
}
/* In the first result that an epilogue wrote, besides C or in place. */
static void gelu_tile(const struct kernel_team *team, const struct kernel_gemm *g) {
    fault_healthy->gemm(team, g);
    if (g->epilogue == KERNEL_EPILOGUE_GELU && ++fault_calls == 1) last_tile(g, g->y);
}
static void gelu_gradient_tile(const struct kernel_team *team, const struct kernel_gemm *g) {
    fault_healthy->gemm(team, g);
    if (g->epilogue == KERNEL_EPILOGUE_GELU_GRAD && ++fault_calls == 1) last_tile(g, g->c);
}
static void attention_row(const struct kernel_team *team, const struct kernel_attention *a) {
    fault_healthy->attention_forward(team, a);
    for (int64_t b = 0; b < a->batch; b++)
        for (int64_t h = 0; h < a->heads; h++)
            fault_scale(a->dtype, a->o, ((b + 1) * a->seq_q - 1) * a->o_row + h * a->o_head, a->head_dim, -1);
}
static void attention_gradient(const struct kernel_team *team, const struct kernel_attention *a) {
    fault_healthy->attention_backward(team, a);
    for (int64_t t = 0; t < a->batch * a->seq_k; t += 2)
        for (int64_t h = 0; h < a->kv_heads; h++)
            fault_scale(a->dtype, a->dk, t * a->kv_row + h * a->kv_head, a->head_dim, -1);
}

const struct fault_row fault_rows_full[] = {
    {FAULT_MATMUL_ELEMENT, "one element of a matmul", NEEDS_NOTHING, {.gemm = matmul_element}},
    {FAULT_MATMUL_TILE, "one tile of a matmul", NEEDS_NOTHING, {.gemm = matmul_tile}},
    {FAULT_GELU_TILE, "one tile of the GELU in a matmul", NEEDS_GELU, {.gemm = gelu_tile}},
    {FAULT_GELU_GRADIENT_TILE, "one tile of GELU's gradient in a matmul", NEEDS_GELU, {.gemm = gelu_gradient_tile}},
    {FAULT_ATTENTION_ROW, "attention's last row", NEEDS_NOTHING, {.attention_forward = attention_row}},
    {FAULT_ATTENTION_GRADIENT, "key gradient's sign", NEEDS_NOTHING, {.attention_backward = attention_gradient}},
    {.name = NULL},
};
