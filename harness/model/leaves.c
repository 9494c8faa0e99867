/* SPDX-License-Identifier: Apache-2.0
 *
 * Gradients of parameters, which are sums over tokens, and matmuls whose k is split: by the tree, or at once. */
#include "model/block.h"

/* sum[n] += addend[n]; FP32 */
static void add(const struct model *m, int64_t n, float *sum, const float *addend) {
    m->team->ops->triad(m->team, n, sum, 1, addend, sum);
}

/* The rows from `row` on that are added together: those of a sequence, or without a tree all. */
static void leaf_set(const struct model *m, struct model_leaf *x, int64_t row) {
    const struct model_tree *tree = &m->shape.tree;
    x->row = row, x->rows = x->end - row;
    if (!tree->leaves || x->rows == 0) return;
    const int64_t left = m->shape.seq - row % m->shape.seq, sequence = m->sample + row / m->shape.seq;
    if (x->rows > left) x->rows = left;
    x->sum = x->gradient + model_tree_level(sequence / tree->sequences) * x->apart;
    x->first = left == m->shape.seq && sequence % tree->sequences == 0;
}

struct model_leaf model_leaf_begin(const struct model *m, float *gradient, int64_t apart, int64_t n, int64_t row,
                                   int64_t rows) {
    struct model_leaf x = {.sum = gradient, .gradient = gradient, .apart = apart, .n = n, .end = row + rows};
    leaf_set(m, &x, row);
    return x;
}

void model_leaf_next(const struct model *m, struct model_leaf *x) {
    const struct model_tree *tree = &m->shape.tree;
    const int64_t row = x->row + x->rows, sequences = m->sample + row / m->shape.seq;
    if (tree->leaves && row % m->shape.seq == 0 && sequences % tree->sequences == 0)
        for (int i = model_tree_complete(sequences / tree->sequences - 1); i > 0; i--, x->sum -= x->apart)
            add(m, x->n, x->sum - x->apart, x->sum);
    leaf_set(m, x, row);
}

/* A leaf's sum begins with zeros, where a kernel can only add. */
static float *leaf_cleared(const struct model *m, const struct model_leaf *x) {
    if (x->first) m->team->ops->zero(m->team, x->n, x->sum);
    return x->sum;
}

void model_linear_grad_params(const struct model *m, struct model_linear l, const void *dy, const void *x) {
    float *dw = model_gradient(m, l.weight, l.layer), *db = model_gradient(m, l.bias, l.layer);
    const int64_t size = (int64_t)kernel_dtype_bytes(m->shape.dtype), tokens = model_tokens(m);
    struct model_leaf s = model_leaf_begin(m, dw, m->grads_apart, l.out * l.in, 0, tokens);
    for (; s.rows; model_leaf_next(m, &s))
        m->team->ops->gemm(m->team, &(struct kernel_gemm){.m = l.out,
                                                          .n = l.in,
                                                          .k = s.rows,
                                                          .a_trans = true,
                                                          .in = m->shape.dtype,
                                                          .out = KERNEL_F32,
                                                          .a = (const char *)dy + s.row * l.out * size,
                                                          .lda = l.out,
                                                          .b = (const char *)x + s.row * l.in * size,
                                                          .ldb = l.in,
                                                          .d = s.first ? NULL : s.sum,
                                                          .c = s.sum,
                                                          .ldc = l.in});
    if (!db) return;
    for (s = model_leaf_begin(m, db, m->grads_apart, l.out, 0, tokens); s.rows; model_leaf_next(m, &s))
        m->team->ops->column_sum(m->team, m->shape.dtype, s.rows, l.out, (const char *)dy + s.row * l.out * size,
                                 leaf_cleared(m, &s));
}

/* Parts of each sequence have sums of their own, as sequence parallel ranks have but some: parts[p][vectors][width] of
 * this rank's. */
static void norm_parts(const struct model *m, const struct kernel_norm *all, int64_t vectors, float *parts) {
    const int64_t leaves = m->shape.tree.leaves, ranks = m->shape.sequence ? m->shape.part.ranks : 1;
    const int64_t count = m->shape.batch * leaves / ranks, first = m->shape.sequence ? m->shape.part.rank * count : 0;
    const int64_t rows = m->shape.seq / leaves, step = rows * all->cols * (int64_t)kernel_dtype_bytes(all->dtype);
    for (int64_t p = 0; p < count; p++) {
        struct kernel_norm n = *all;
        n.rows = rows;
        n.x = (const char *)all->x + p * step, n.dy = (const char *)all->dy + p * step;
        n.mean = all->mean ? all->mean + p * rows : NULL, n.rstd = all->rstd + p * rows;
        n.dgain = parts + (first + p) * vectors * n.cols;
        n.dbias = all->dbias ? n.dgain + n.cols : NULL;
        m->team->ops->zero(m->team, vectors * n.cols, n.dgain);
        m->team->ops->norm_grad_params(m->team, &n);
    }
    if (!m->shape.sequence) return;
    m->hooks.gather(m->hooks.context, parts, m->shape.batch * leaves * vectors * all->cols, KERNEL_F32);
    m->hooks.wait(m->hooks.context);
}

/* Adds each sequence's vector[width] to the gradient. */
static void add_vectors(const struct model *m, float *gradient, const float *vector, int64_t stride) {
    const int64_t width = m->shape.config->width;
    struct model_leaf s = model_leaf_begin(m, gradient, m->grads_apart, width, 0, model_tokens(m));
    for (; s.rows; model_leaf_next(m, &s)) add(m, width, leaf_cleared(m, &s), vector + s.row / m->shape.seq * stride);
}

void model_norm_grad_params(const struct model *m, struct kernel_norm n, const void *dy) {
    const int64_t leaves = m->shape.tree.leaves, vectors = n.dbias ? 2 : 1, size = vectors * n.cols;
    float *const parts = m->buffers[MODEL_NORM_PARTS];
    n.dy = dy;
    if (!leaves) {
        m->team->ops->norm_grad_params(m->team, &n);
        return;
    }
    norm_parts(m, &n, vectors, parts);
    for (int64_t step = 1; step < leaves; step *= 2)
        for (int64_t p = 0; p < m->shape.batch * leaves; p += 2 * step)
            add(m, size, parts + p * size, parts + (p + step) * size);
    add_vectors(m, n.dgain, parts, leaves * size);
    if (n.dbias) add_vectors(m, n.dbias, parts + n.cols, leaves * size);
}

void model_embedding_grad(const struct model *m, const struct kernel_embedding *all, float *gradient, int64_t rows,
                          model_embedding_fn *f) {
    const int64_t row = all->cols * (int64_t)kernel_dtype_bytes(all->dtype);
    struct model_leaf s = model_leaf_begin(m, gradient, m->grads_apart, rows * all->cols, 0, all->rows);
    for (; s.rows; model_leaf_next(m, &s)) {
        struct kernel_embedding e = *all;
        float *sum = leaf_cleared(m, &s);
        e.rows = s.rows, e.tokens += s.row, e.dx = (const char *)all->dx + s.row * row;
        if (e.dtoken) e.dtoken = sum;
        if (e.dposition) e.dposition = sum;
        f(m, &e);
    }
}

void model_gemm_sum(const struct model *m, const struct kernel_gemm *g, enum model_dim split) {
    const int64_t size = (int64_t)kernel_dtype_bytes(g->in), n = g->m * g->n;
    if (!m->shape.tree.leaves) m->team->ops->gemm(m->team, g);
    for (int leaf = 0; leaf < m->shape.tree.columns; leaf++) {
        const struct model_runs r = model_tree_runs(&m->shape, split, leaf);
        int level = model_tree_level(leaf);
        for (int i = 0; i < r.count; i++) {
            struct kernel_gemm h = *g;
            if (level) h.c = model_buffer_copy(m, MODEL_SUMS, level - 1);
            h.k = r.run[i].length;
            h.a = (const char *)g->a + r.run[i].at * size;
            h.b = (const char *)g->b + r.run[i].at * (g->b_trans ? 1 : g->ldb) * size;
            h.d = i ? h.c : NULL;
            if (leaf || i) h.bias = NULL;
            m->team->ops->gemm(m->team, &h);
        }
        for (int i = model_tree_complete(leaf); i > 0; i--, level--)
            add(m, n, level > 1 ? model_buffer_copy(m, MODEL_SUMS, level - 2) : g->c,
                model_buffer_copy(m, MODEL_SUMS, level - 1));
    }
}
