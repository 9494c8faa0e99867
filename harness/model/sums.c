/* SPDX-License-Identifier: Apache-2.0
 *
 * Where tensor parallel ranks need each other: sums over them, and what each keeps a share of. */
#include <string.h>

#include "model/block.h"

float *model_addend(const struct model *m, void *y) {
    return m->shape.dtype == KERNEL_F32 && !m->shape.sequence ? y : m->buffers[MODEL_PARTIAL];
}
void model_sum_start(const struct model *m, float *addend) {
    if (!model_is_split(&m->shape)) return;
    const int64_t n = model_tokens(m) * m->shape.config->width;
    (m->shape.sequence ? m->hooks.scatter : m->hooks.sum)(m->hooks.context, addend, n, KERNEL_F32);
}
/* y[R,width] = d + own, FP32. An addend that is y itself is what the kernel adds to. */
static void add_own(const struct model *m, const float *own, const void *d, void *y) {
    const struct kernel_rows r = {.rows = model_own_tokens(m),
                                  .cols = m->shape.config->width,
                                  .count = 1,
                                  .index = m->buffers[MODEL_NUMBERS],
                                  .in = KERNEL_F32,
                                  .out = m->shape.dtype,
                                  .x = own == y ? d : own,
                                  .d = own == y ? own : d,
                                  .y = y};
    m->team->ops->rows_sum(m->team, &r);
}
void model_sum_finish(const struct model *m, const float *addend, const void *d, void *y) {
    const int64_t width = m->shape.config->width, n = model_own_tokens(m) * width;
    const float *own = addend + model_own_first(m) * width;
    if (model_is_split(&m->shape)) m->hooks.wait(m->hooks.context);
    if (d)
        add_own(m, own, d, y);
    else if (m->shape.dtype == KERNEL_BF16)
        m->team->ops->to_bf16(m->team, n, own, y);
    else if (own != y)
        m->team->ops->copy(m->team, n, own, y);
}

/* Each rank has its share of all[T,width]; returns once it has all. */
static void gather(const struct model *m, void *all) {
    m->hooks.gather(m->hooks.context, all, model_tokens(m) * m->shape.config->width, m->shape.dtype);
    m->hooks.wait(m->hooks.context);
}

static void share(const struct model *m, const void *x, char *all) {
    const int64_t row = m->shape.config->width * (int64_t)kernel_dtype_bytes(m->shape.dtype);
    memcpy(all + model_own_first(m) * row, x, (size_t)(model_own_tokens(m) * row));
    if (m->shape.sequence) gather(m, all);
}

void *model_shares(const struct model *m, void *x) {
    if (!m->shape.sequence) return x;
    share(m, x, m->buffers[MODEL_SHARES]);
    return m->buffers[MODEL_SHARES];
}

static void *stream_kept(const struct model *m, enum model_buffer own, int64_t layer) {
    if (model_is_late(&m->shape, m->chunk)) return model_buffer_at(m, own, layer);
    return m->shape.sequence ? m->buffers[MODEL_SHARES] : model_stream(m);
}
const void *model_stream_kept(const struct model *m, enum model_buffer own, int64_t layer) {
    return stream_kept(m, own, layer);
}
const void *model_stream_shares(const struct model *m, enum model_buffer own, int64_t layer) {
    void *const all = stream_kept(m, own, layer), *const x = model_stream(m);
    if (all != x) share(m, x, all);
    return all;
}

void model_weights_now(const struct model *m, model_layer_fn *weights, int64_t layer) {
    if (!model_is_late(&m->shape, m->chunk)) weights(m, layer);
}

const void *model_addend_begin(const struct model *m, const void *d, float *addend) {
    const struct kernel_ops *ops = m->team->ops;
    const int64_t width = m->shape.config->width, first = model_own_first(m) * width, n = model_own_tokens(m) * width;
    if (!m->shape.sequence && m->shape.part.rank) return NULL;
    if (!m->shape.sequence && m->shape.dtype == KERNEL_F32) return d;
    ops->zero(m->team, first, addend);
    if (m->shape.dtype == KERNEL_BF16)
        ops->from_bf16(m->team, n, d, addend + first);
    else
        ops->copy(m->team, n, d, addend + first);
    ops->zero(m->team, model_tokens(m) * width - first - n, addend + first + n);
    return addend;
}

void model_linear_sum(const struct model *m, struct model_linear l, const void *x, const void *d, void *y) {
    struct kernel_gemm g = model_gemm_forward(m, l, x, d, y);
    if (!model_is_apart(&m->shape)) {
        m->team->ops->gemm(m->team, &g);
        return;
    }
    const bool tree = m->shape.tree.leaves > 0; /* no leaf has d, which is added to their sum */
    float *addend = g.c = model_addend(m, y);
    g.out = KERNEL_F32;
    g.d = tree ? NULL : model_addend_begin(m, d, addend);
    if (m->shape.part.rank) g.bias = NULL;
    model_gemm_sum(m, &g, l.split);
    model_sum_start(m, addend);
    model_sum_finish(m, addend, tree ? d : NULL, y);
}

void model_linear_sum_backward(const struct model *m, struct model_linear l, const void *dy, void *dx,
                               model_layer_fn *weights) {
    struct kernel_gemm g = model_gemm_grad_input(m, l, dy, dx);
    const bool apart = model_is_apart(&m->shape);
    if (apart) {
        g.out = KERNEL_F32, g.c = model_addend(m, dx);
        model_gemm_sum(m, &g, l.split);
        model_sum_start(m, g.c);
    }
    model_weights_now(m, weights, l.layer);
    if (apart)
        model_sum_finish(m, g.c, NULL, dx);
    else
        m->team->ops->gemm(m->team, &g);
}

const void *model_norm_forward(const struct model *m, const struct kernel_norm *n) {
    const int64_t row = m->shape.config->width * (int64_t)kernel_dtype_bytes(m->shape.dtype);
    char *all = (char *)n->y - model_own_first(m) * row;
    m->team->ops->norm_forward(m->team, n);
    if (m->shape.sequence) gather(m, all);
    return all;
}

/* One rank has a token's row, the others zeros. */
void model_sum_embedding(const struct model *m, const struct kernel_embedding *e, void *own) {
    const int64_t row = e->cols * (int64_t)kernel_dtype_bytes(e->dtype);
    (m->shape.sequence ? m->hooks.scatter : m->hooks.sum)(m->hooks.context, e->x, e->rows * e->cols, e->dtype);
    m->hooks.wait(m->hooks.context);
    if (m->shape.sequence) memcpy(own, (char *)e->x + model_own_first(m) * row, (size_t)(model_own_tokens(m) * row));
}
