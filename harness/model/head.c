/* SPDX-License-Identifier: Apache-2.0
 *
 * The head, tied or not: logits, loss and their gradients, one chunk of tokens at a time. Chunks bound the memory of
 * logits. */
#include <math.h>

#include "model/block.h"

/* of[count][3][rows], which are max, sum and target_logit of parts of the vocabulary, as one: added up in order. */
static void merge(const struct kernel_cross_entropy *e, int64_t count, const float *of) {
    for (int64_t i = 0; i < e->rows; i++) {
        double all = 0, target = 0;
        e->max[i] = of[i];
        for (int64_t p = 1; p < count; p++) e->max[i] = fmaxf(e->max[i], of[3 * e->rows * p + i]);
        for (int64_t p = 0; p < count; p++) {
            const float *x = of + 3 * e->rows * p + i;
            all += (double)x[e->rows] * exp((double)x[0] - (double)e->max[i]);
            target += (double)x[2 * e->rows];
        }
        e->sum[i] = (float)all, e->target_logit[i] = (float)target;
    }
}

/* max, sum and target_logit of the whole vocabulary. */
static void statistics(const struct model *m, const struct kernel_cross_entropy *e) {
    const int64_t parts = model_vocab_parts(&m->shape), ranks = model_is_split(&m->shape) ? m->shape.part.ranks : 1;
    const int64_t own = parts / ranks, first = ranks > 1 ? m->shape.part.rank * own : 0;
    float *const all = m->buffers[MODEL_STATISTICS];
    if (parts == 1) {
        m->team->ops->cross_entropy_stats(m->team, e);
        return;
    }
    for (int p = 0; p < own; p++) {
        const struct model_runs r = model_tree_runs(&m->shape, MODEL_VOCAB, p);
        struct kernel_cross_entropy x = *e;
        x.vocab = r.run[0].length, x.first += r.run[0].at, x.logits += r.run[0].at;
        x.max = all + 3 * e->rows * (first + p), x.sum = x.max + e->rows, x.target_logit = x.sum + e->rows;
        m->team->ops->cross_entropy_stats(m->team, &x);
    }
    if (ranks > 1) {
        m->hooks.gather(m->hooks.context, all, 3 * e->rows * parts, KERNEL_F32);
        m->hooks.wait(m->hooks.context);
    }
    merge(e, parts, all);
}

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
    float *dtable = m->head_grad ? m->head_grad : model_gradient(m, head, 0);
    const int64_t levels = m->head_grad ? m->head_apart : m->grads_apart, size = (int64_t)kernel_dtype_bytes(t);
    const bool apart = model_is_apart(&m->shape);
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
                                      .first = model_is_split(&m->shape) ? model_part_vocab(&m->shape.part) : 0,
                                      .logits = m->buffers[MODEL_LOGITS],
                                      .targets = targets + row,
                                      .max = (float *)m->buffers[MODEL_CE_MAX] + row,
                                      .sum = (float *)m->buffers[MODEL_CE_SUM] + row,
                                      .target_logit = (float *)m->buffers[MODEL_CE_TARGET] + row,
                                      .loss = (float *)m->buffers[MODEL_LOSS] + row,
                                      .scale = scale,
                                      .dtype = t,
                                      .dlogits = dlogits};
    statistics(m, &ce);
    ops->cross_entropy_combine(m->team, &ce);
    if (scale == 0) return;
    ops->cross_entropy_grad(m->team, &ce);
    model_gemm_sum(m,
                   &(struct kernel_gemm){.m = rows,
                                         .n = c->width,
                                         .k = c->vocab,
                                         .in = t,
                                         .out = apart ? KERNEL_F32 : t,
                                         .a = dlogits,
                                         .lda = ld,
                                         .b = table,
                                         .ldb = c->width,
                                         .c = apart ? model_addend(m, m->buffers[MODEL_DNORM]) + row * c->width : dx,
                                         .ldc = c->width},
                   MODEL_VOCAB);
    struct model_leaf s = model_leaf_begin(m, dtable, levels, c->vocab * c->width, row, rows);
    for (; s.rows; model_leaf_next(m, &s))
        ops->gemm(m->team, &(struct kernel_gemm){.m = c->vocab,
                                                 .n = c->width,
                                                 .k = s.rows,
                                                 .a_trans = true,
                                                 .in = t,
                                                 .out = KERNEL_F32,
                                                 .a = (const char *)dlogits + (s.row - row) * ld * size,
                                                 .lda = ld,
                                                 .b = (const char *)x + (s.row - row) * c->width * size,
                                                 .ldb = c->width,
                                                 .d = s.first ? NULL : s.sum,
                                                 .c = s.sum,
                                                 .ldc = c->width});
}

double model_loss(struct model *m, const int32_t *targets, float grad_scale) {
    const int64_t tokens = model_tokens(m);
    for (int64_t row = 0, rows; row < tokens; row += rows) {
        rows = tokens - row < m->shape.head_rows ? tokens - row : m->shape.head_rows;
        const int64_t left = m->shape.seq - row % m->shape.seq; /* a leaf's chunks begin with a sequence */
        if (m->shape.tree.leaves && m->shape.head_rows < m->shape.seq && rows > left) rows = left;
        head_chunk(m, row, rows, targets, grad_scale);
    }
    if (model_is_apart(&m->shape) && grad_scale != 0) {
        float *addend = model_addend(m, m->buffers[MODEL_DNORM]);
        model_sum_start(m, addend);
        model_sum_finish(m, addend, NULL, m->buffers[MODEL_DNORM]);
    }
    const float *loss = m->buffers[MODEL_LOSS];
    double sum = 0;
    for (int64_t t = 0; t < tokens; t++) sum += loss[t];
    return sum;
}
