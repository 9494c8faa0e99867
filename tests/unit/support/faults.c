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

static void gelu_sign(const struct kernel_team *team, const struct kernel_gemm *g) {
    inner->gemm(team, g);
    for (int64_t i = 0; i < g->m && g->epilogue == KERNEL_EPILOGUE_GELU_GRAD; i++)
        scale(g->out, g->c, i * g->ldc, g->n, -1);
}

static void swiglu_sign(const struct kernel_team *team, enum kernel_dtype dtype, int64_t rows, int64_t cols,
                        const void *x, const void *dy, void *dx) {
    inner->swiglu_backward(team, dtype, rows, cols, x, dy, dx);
    scale(dtype, dx, 0, rows * 2 * cols, -1);
}

/* x[rows, 2 cols] with its halves exchanged, into a new buffer. */
static void *halves_exchanged(enum kernel_dtype dtype, int64_t rows, int64_t cols, const void *x) {
    const size_t half = (size_t)cols * kernel_dtype_bytes(dtype);
    char *y = calloc((size_t)rows, 2 * half);
    for (size_t r = 0; r < (size_t)rows; r++) {
        memcpy(y + 2 * r * half, (const char *)x + (2 * r + 1) * half, half);
        memcpy(y + (2 * r + 1) * half, (const char *)x + 2 * r * half, half);
    }
    return y;
}
static void gate_for_value(const struct kernel_team *team, enum kernel_dtype dtype, int64_t rows, int64_t cols,
                           const void *x, void *y) {
    void *wrong = halves_exchanged(dtype, rows, cols, x);
    inner->swiglu_forward(team, dtype, rows, cols, wrong, y);
    free(wrong);
}
static void gate_for_value_backward(const struct kernel_team *team, enum kernel_dtype dtype, int64_t rows, int64_t cols,
                                    const void *x, const void *dy, void *dx) {
    void *wrong = halves_exchanged(dtype, rows, cols, x);
    inner->swiglu_backward(team, dtype, rows, cols, wrong, dy, dx);
    free(wrong);
    wrong = halves_exchanged(dtype, rows, cols, dx);
    memcpy(dx, wrong, (size_t)(rows * 2 * cols) * kernel_dtype_bytes(dtype));
    free(wrong);
}

/* Adds into copies that start as the negative of the sums, so that what was to be added is subtracted. */
static void negate(int64_t n, float *x) {
    for (int64_t i = 0; i < n && x; i++) x[i] = -x[i];
}
static void norm_params_sign(const struct kernel_team *team, const struct kernel_norm *l) {
    negate(l->cols, l->dgain), negate(l->cols, l->dbias);
    inner->norm_grad_params(team, l);
    negate(l->cols, l->dgain), negate(l->cols, l->dbias);
}

static void norm_residual(const struct kernel_team *team, const struct kernel_norm *l) {
    struct kernel_norm wrong = *l;
    if (++calls == 2) wrong.dx_add = NULL;
    inner->norm_grad_input(team, &wrong);
}

/* Of the six norms of two layers the one after the embedding runs first; it and the last have no residual path. */
static void embed_norm(const struct kernel_team *team, const struct kernel_norm *l) {
    inner->norm_forward(team, l);
    if (calls++ % 6 == 0) memcpy(l->y, l->x, (size_t)(l->rows * l->cols) * kernel_dtype_bytes(l->dtype));
}
static void embed_norm_grad(const struct kernel_team *team, const struct kernel_norm *l) {
    if (!l->dx_add && calls++ % 2 == 1)
        memcpy(l->dx, l->dy, (size_t)(l->rows * l->cols) * kernel_dtype_bytes(l->dtype));
    else
        inner->norm_grad_input(team, l);
}

static void query_sign(const struct kernel_team *team, const struct kernel_attention *a) {
    inner->attention_backward(team, a);
    for (int64_t t = 0; t < a->batch * a->seq_q; t++)
        for (int64_t h = 0; h < a->heads; h++) scale(a->dtype, a->dq, t * a->q_row + h * a->q_head, a->head_dim, -1);
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
    inner->attention_forward(team, a);
    swap_heads(a, a->o, a->batch * a->seq_q, a->o_row, a->o_head);
}

/* Operands are read alone, but they lie in memory of the model's own: exchanged before and after. */
static void swap_kv(const struct kernel_attention *a, const void *k, const void *v) {
    swap_heads(a, (void *)(uintptr_t)k, a->batch * a->seq_k, a->kv_row, a->kv_head);
    swap_heads(a, (void *)(uintptr_t)v, a->batch * a->seq_k, a->kv_row, a->kv_head);
}
static void kv_head_forward(const struct kernel_team *team, const struct kernel_attention *a) {
    swap_kv(a, a->k, a->v);
    inner->attention_forward(team, a);
    swap_kv(a, a->k, a->v);
}
static void kv_head_backward(const struct kernel_team *team, const struct kernel_attention *a) {
    swap_kv(a, a->k, a->v);
    inner->attention_backward(team, a);
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
    slopes(team, a, inner->attention_forward);
}
static void slopes_backward(const struct kernel_team *team, const struct kernel_attention *a) {
    slopes(team, a, inner->attention_backward);
}

static void window_forward(const struct kernel_team *team, const struct kernel_attention *a) {
    struct kernel_attention wrong = *a;
    wrong.window++;
    inner->attention_forward(team, &wrong);
}
static void window_backward(const struct kernel_team *team, const struct kernel_attention *a) {
    struct kernel_attention wrong = *a;
    wrong.window++;
    inner->attention_backward(team, &wrong);
}

/* A row holds the queries' heads, the keys' and as many of the values'. All of them one position late would be no
 * fault: distances are all that counts. */
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
    inner->rotary(team, &q);
    inner->rotary(team, &k);
    free(late);
}
static void not_turned_back(const struct kernel_team *team, const struct kernel_rotary *r) {
    struct kernel_rotary wrong = *r;
    wrong.inverse = false;
    inner->rotary(team, &wrong);
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
    wrong.window = 0;
    inner->attention_forward(team, &wrong);
}
static void seeing_backward(const struct kernel_team *team, const struct kernel_attention *a) {
    struct kernel_attention wrong = *a;
    wrong.q_offset += a->seq_k;
    wrong.window = 0;
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
/* The last tile of C, or of what lies like it, gets the wrong sign. */
static void last_tile(const struct kernel_gemm *g, void *x) {
    enum { TILE = 32 };
    for (int64_t i = g->m > TILE ? g->m - TILE : 0; i < g->m; i++)
        scale(g->out, x, i * g->ldc + (g->n > TILE ? g->n - TILE : 0), g->n > TILE ? TILE : g->n, -1);
}
/* Of the third result. */
static void matmul_tile(const struct kernel_team *team, const struct kernel_gemm *g) {
    inner->gemm(team, g);
    if (++calls == 3) last_tile(g, g->c);
}
/* Of the first result that an epilogue wrote: beside the plain one, or in its place. */
static void gelu_tile(const struct kernel_team *team, const struct kernel_gemm *g) {
    inner->gemm(team, g);
    if (g->epilogue == KERNEL_EPILOGUE_GELU && ++calls == 1) last_tile(g, g->y);
}
static void gelu_gradient_tile(const struct kernel_team *team, const struct kernel_gemm *g) {
    inner->gemm(team, g);
    if (g->epilogue == KERNEL_EPILOGUE_GELU_GRAD && ++calls == 1) last_tile(g, g->c);
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

/* What a model must have for a fault to be one. */
enum need { ANY, GELU, SWIGLU, LAYER_BIASES, POSITION_TABLE, ALIBI, ROTARY, WINDOW, SHARED_KEYS, EMBED_NORM };

/* Each fault's name, what it needs, and the operations that replace the healthy ones. */
static const struct {
    const char *name;
    enum need need;
    struct kernel_ops wrong;
} faults[FAULT_COUNT] = {
    [FAULT_GELU_SIGN] = {"GELU gradient's sign", GELU, {.gemm = gelu_sign}},
    [FAULT_SWIGLU_SIGN] = {"SwiGLU gradient's sign", SWIGLU, {.swiglu_backward = swiglu_sign}},
    [FAULT_GATE_FOR_VALUE] = {"gate and value swapped",
                              SWIGLU,
                              {.swiglu_forward = gate_for_value, .swiglu_backward = gate_for_value_backward}},
    [FAULT_NORM_PARAMS_SIGN] = {"norm parameter gradient's sign", ANY, {.norm_grad_params = norm_params_sign}},
    [FAULT_NORM_RESIDUAL] = {"residual gradient lost", ANY, {.norm_grad_input = norm_residual}},
    [FAULT_QUERY_SIGN] = {"query gradient's sign", ANY, {.attention_backward = query_sign}},
    [FAULT_HEADS_SWAPPED] = {"heads swapped", ANY, {.attention_forward = heads_swapped}},
    [FAULT_UNIFORM] = {"uniform attention",
                       ANY,
                       {.attention_forward = uniform_forward, .attention_backward = uniform_backward}},
    [FAULT_NOT_CAUSAL] = {"attention not causal",
                          ANY,
                          {.attention_forward = seeing_forward, .attention_backward = seeing_backward}},
    [FAULT_WINDOW_LONG] = {"window one too long",
                           WINDOW,
                           {.attention_forward = window_forward, .attention_backward = window_backward}},
    [FAULT_KV_HEAD] = {"key/value heads swapped",
                       SHARED_KEYS,
                       {.attention_forward = kv_head_forward, .attention_backward = kv_head_backward}},
    [FAULT_SLOPES] = {"slope of the neighbour head",
                      ALIBI,
                      {.attention_forward = slopes_forward, .attention_backward = slopes_backward}},
    [FAULT_KEYS_LATE] = {"keys turned one position late", ROTARY, {.rotary = keys_late}},
    [FAULT_NOT_TURNED_BACK] = {"rotary gradient not turned back", ROTARY, {.rotary = not_turned_back}},
    [FAULT_EMBED_NORM] = {"norm after the embedding skipped", EMBED_NORM, {.norm_forward = embed_norm}},
    [FAULT_EMBED_NORM_GRAD] = {"gradient of the norm after the embedding skipped",
                               EMBED_NORM,
                               {.norm_grad_input = embed_norm_grad}},
    [FAULT_BIAS_LOST] = {"bias gradient lost", LAYER_BIASES, {.column_sum = bias_lost}},
    [FAULT_TARGET_LATE] = {"targets one late", ANY, {.cross_entropy_grad = target_late}},
    [FAULT_POSITIONS] = {"positions one late", POSITION_TABLE, {.embedding_forward = positions}},
    [FAULT_NOT_ADDED] = {"weight gradients not added", ANY, {.gemm = not_added}},
    [FAULT_NO_CORRECTION] = {"AdamW without bias correction", ANY, {.adamw = no_correction}},
    [FAULT_DECAY_ALL] = {"AdamW decaying biases", ANY, {.adamw = decay_all}},
    [FAULT_NO_CLIP] = {"no clipping", ANY, {.adamw = no_clip}},
    [FAULT_BETA] = {"AdamW's beta2 wrong", ANY, {.adamw = beta}},
    [FAULT_MOMENT_LOST] = {"AdamW's first moment lost", ANY, {.adamw = moment_lost}},
    [FAULT_MATMUL_ELEMENT] = {"one element of a matmul", ANY, {.gemm = matmul_element}},
    [FAULT_MATMUL_TILE] = {"one tile of a matmul", ANY, {.gemm = matmul_tile}},
    [FAULT_GELU_TILE] = {"one tile of the GELU in a matmul", GELU, {.gemm = gelu_tile}},
    [FAULT_GELU_GRADIENT_TILE] = {"one tile of GELU's gradient in a matmul", GELU, {.gemm = gelu_gradient_tile}},
    [FAULT_ATTENTION_ROW] = {"attention's last row", ANY, {.attention_forward = attention_row}},
    [FAULT_ATTENTION_GRADIENT] = {"key gradient's sign", ANY, {.attention_backward = attention_gradient}},
};

const char *fault_name(enum fault fault) {
    return faults[fault].name;
}

bool fault_possible(enum fault fault, const struct model_config *c) {
    switch (faults[fault].need) {
    case ANY:
        return true;
    case GELU:
        return !c->family->gated;
    case SWIGLU:
        return c->family->gated;
    case LAYER_BIASES:
        return model_config_has(c, MODEL_QKV_BIAS);
    case POSITION_TABLE:
        return c->family->position == MODEL_POSITION_LEARNED;
    case ALIBI:
        return c->family->position == MODEL_POSITION_ALIBI;
    case ROTARY:
        return c->family->position == MODEL_POSITION_ROTARY;
    case WINDOW:
        return c->window > 0;
    case SHARED_KEYS:
        return c->kv_heads > 1 && c->kv_heads < c->heads;
    case EMBED_NORM:
        return model_config_has(c, MODEL_EMBED_GAIN);
    }
    return false;
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
    REPLACE(norm_forward);
    REPLACE(norm_grad_input);
    REPLACE(norm_grad_params);
    REPLACE(swiglu_forward);
    REPLACE(swiglu_backward);
    REPLACE(rotary);
    REPLACE(column_sum);
    REPLACE(cross_entropy_grad);
    REPLACE(embedding_forward);
    REPLACE(adamw);
#undef REPLACE
}
