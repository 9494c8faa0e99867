/* SPDX-License-Identifier: Apache-2.0
 *
 * The head, tied or not: logits, loss and their gradients, one chunk of tokens at a time. Chunks bound the memory of
 * logits. */
#include "model/block.h"

/* Rows [row, row + rows) of the head: logits, losses and, if scale != 0, gradients. */
static void head_chunk(const struct model *m, int64_t row, int64_t rows, const int32_t *targets, float scale) {
    const struct model_config *c = m->shape.config;
    const struct kernel_ops *ops = m->team->ops;
    const enum kernel_dtype t = m->shape.dtype;
    const enum model_role head = c->tied ? MODEL_TOKEN_TABLE : MODEL_HEAD_WEIGHT;
    const int64_t ld = model_vocab_ld(c), at = row * c->width * (int64_t)kernel_dtype_bytes(t);
    const void *x = (const char *)model_buffer_at(m, MODEL_FINAL, 0) + at;
    const void *table = m->head ? m->head : model_weight(m, head, 0);
    void *dlogits = t == KERNEL_F32 ? m->buffers[MODEL_LOGITS] : m->buffers[MODEL_DLOGITS];
    float *dtable = m->head ? m->head_grad : model_gradient(m, head, 0);
    const bool split = model_is_split(&m->shape);
    void *dx = (char *)m->buffers[MODEL_DNORM] + at;

    ops->gemm(m->team, &(struct kernel_gemm){.m = rows,
                                             .n = c->vocab,
                                             .k = c->width,
                                             .b_trans = true,
                                             .in = t,
                                             .out = KERNEL_F32,
                                             .a = x,
                                             .lda = c->width,
                                             .b = table,
                                             .ldb = c->width,
                                             .c = m->buffers[MODEL_LOGITS],
                                             .ldc = ld});
    struct kernel_cross_entropy ce = {.rows = rows,
                                      .vocab = c->vocab,
                                      .ld = ld,
                                      .first = split ? model_part_vocab(&m->shape.part) : 0,
                                      .logits = m->buffers[MODEL_LOGITS],
                                      .targets = targets + row,
                                      .max = (float *)m->buffers[MODEL_CE_MAX] + row,
                                      .sum = (float *)m->buffers[MODEL_CE_SUM] + row,
                                      .target_logit = (float *)m->buffers[MODEL_CE_TARGET] + row,
                                      .loss = (float *)m->buffers[MODEL_LOSS] + row,
                                      .scale = scale,
                                      .dtype = t,
                                      .dlogits = dlogits};
    ops->cross_entropy_stats(m->team, &ce);
    if (split) m->hooks.merge(m->hooks.context, rows, ce.max, ce.sum, ce.target_logit);
    ops->cross_entropy_combine(m->team, &ce);
    if (scale == 0) return;
    ops->cross_entropy_grad(m->team, &ce);
    ops->gemm(m->team,
              &(struct kernel_gemm){.m = rows,
                                    .n = c->width,
                                    .k = c->vocab,
                                    .in = t,
                                    .out = split ? KERNEL_F32 : t,
                                    .a = dlogits,
                                    .lda = ld,
                                    .b = table,
                                    .ldb = c->width,
                                    .c = split ? model_addend(m, m->buffers[MODEL_DNORM]) + row * c->width : dx,
                                    .ldc = c->width});
    ops->gemm(m->team, &(struct kernel_gemm){.m = c->vocab,
                                             .n = c->width,
                                             .k = rows,
                                             .a_trans = true,
                                             .in = t,
                                             .out = KERNEL_F32,
                                             .a = dlogits,
                                             .lda = ld,
                                             .b = x,
                                             .ldb = c->width,
                                             .d = dtable,
                                             .c = dtable,
                                             .ldc = c->width});
}

double model_loss(struct model *m, const int32_t *targets, float grad_scale) {
    const int64_t tokens = model_tokens(m);
    for (int64_t row = 0; row < tokens; row += m->shape.head_rows) {
        int64_t rows = tokens - row < m->shape.head_rows ? tokens - row : m->shape.head_rows;
        head_chunk(m, row, rows, targets, grad_scale);
    }
    if (model_is_split(&m->shape) && grad_scale != 0) {
        float *addend = model_addend(m, m->buffers[MODEL_DNORM]);
        model_sum_start(m, addend);
        model_sum_finish(m, addend, m->buffers[MODEL_DNORM]);
    }
    const float *loss = m->buffers[MODEL_LOSS];
    double sum = 0;
    for (int64_t t = 0; t < tokens; t++) sum += loss[t];
    return sum;
}
