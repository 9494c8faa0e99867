/* SPDX-License-Identifier: Apache-2.0
 *
 * Experts: rows to them, their matmuls, rows back. Rows are at home in the order of MODEL_PLACE, and where they are
 * computed expert by expert. There, those of one expert are in the order of ranks. */
#include "model/block.h"

/* Rows of this rank's experts: those that came of each rank, which are at home for a rank alone. */
struct rows {
    const int32_t *came; /* [ranks][own_experts] */
    int64_t ranks, own;
};
static struct rows rows_of(const struct model *m, int64_t l) {
    const int64_t ranks = model_expert_ranks(&m->shape);
    return (struct rows){model_buffer_at(m, ranks > 1 ? MODEL_CAME : MODEL_SENT, l), ranks,
                         m->shape.config->own_experts};
}
static int64_t rows_of_expert(const struct rows *r, int64_t x) {
    int64_t n = 0;
    for (int64_t p = 0; p < r->ranks; p++) n += r->came[p * r->own + x];
    return n;
}
static int64_t rows_in_all(const struct rows *r) {
    int64_t n = 0;
    for (int64_t x = 0; x < r->own; x++) n += rows_of_expert(r, x);
    return n;
}
static bool travels(const struct model *m) {
    return model_expert_ranks(&m->shape) > 1;
}

/* The dtype of what experts return: of tensor parallel ranks each has an addend. */
static enum kernel_dtype returned(const struct model *m) {
    return model_is_split(&m->shape) ? KERNEL_F32 : m->shape.dtype;
}

/* Where rows that came go, expert by expert, and the reverse. */
static void index_rows(const struct model *m, const struct rows *r) {
    int32_t *into = m->buffers[MODEL_INTO], *back = m->buffers[MODEL_BACK], at = 0;
    for (int64_t x = 0; x < r->own; x++) {
        int32_t first = 0; /* of rank p's rows */
        for (int64_t p = 0; p < r->ranks; p++) {
            int32_t from = first;
            for (int64_t before = 0; before < x; before++) from += r->came[p * r->own + before];
            for (int32_t i = 0; i < r->came[p * r->own + x]; i++) into[at] = from + i, back[from + i] = at++;
            for (int64_t each = 0; each < r->own; each++) first += r->came[p * r->own + each];
        }
    }
}

static void gather(const struct model *m, enum kernel_dtype t, int64_t rows, int64_t cols, const int32_t *index,
                   const void *x, void *y) {
    m->team->ops->rows_gather(
        m->team, &(struct kernel_rows){.rows = rows, .cols = cols, .index = index, .in = t, .out = t, .x = x, .y = y});
}

/* Starts to move rows: out, from home to the experts, or back. */
static void start(const struct model *m, int64_t l, enum model_rows_kind kind, bool out, const void *from, void *to,
                  size_t bytes) {
    m->hooks.move(m->hooks.context, kind, out, model_buffer_at(m, MODEL_SENT, l), model_buffer_at(m, MODEL_CAME, l),
                  from, to, bytes);
}
static void finish(const struct model *m, enum model_rows_kind kind) {
    m->hooks.moved(m->hooks.context, kind);
}

/* x[T,width], a row for each choice, starts on its way; dispatched waits: to[rows,width], expert by expert. */
static void dispatch(const struct model *m, int64_t l, const void *x, void *to) {
    const int64_t width = m->shape.config->width, home = model_tokens(m) * m->shape.config->active;
    const enum kernel_dtype t = m->shape.dtype;
    void *sorted = travels(m) ? m->buffers[MODEL_HOME_ROWS] : to;
    gather(m, t, home, width, model_buffer_at(m, MODEL_ORDER, l), x, sorted);
    if (travels(m))
        start(m, l, MODEL_ROWS_MOVED, true, sorted, m->buffers[MODEL_CAME_ROWS], (size_t)width * kernel_dtype_bytes(t));
}
static void dispatched(const struct model *m, int64_t l, void *to) {
    const struct rows r = rows_of(m, l);
    if (!travels(m)) return;
    finish(m, MODEL_ROWS_MOVED);
    gather(m, m->shape.dtype, rows_in_all(&r), m->shape.config->width, m->buffers[MODEL_INTO],
           m->buffers[MODEL_CAME_ROWS], to);
}

/* MODEL_OUT_ROWS starts on its way home; home_rows waits, and returns the rows in the order of MODEL_PLACE. */
static void send_home(const struct model *m, int64_t l) {
    const struct rows r = rows_of(m, l);
    const int64_t width = m->shape.config->width;
    if (!travels(m)) return;
    gather(m, returned(m), rows_in_all(&r), width, m->buffers[MODEL_BACK], m->buffers[MODEL_OUT_ROWS],
           m->buffers[MODEL_CAME_ROWS]);
    start(m, l, MODEL_ROWS_MOVED, false, m->buffers[MODEL_CAME_ROWS], m->buffers[MODEL_HOME_ROWS],
          (size_t)width * kernel_dtype_bytes(returned(m)));
}
static const void *home_rows(const struct model *m) {
    if (!travels(m)) return m->buffers[MODEL_OUT_ROWS];
    finish(m, MODEL_ROWS_MOVED);
    return m->buffers[MODEL_HOME_ROWS];
}

/* The weights of rows go to the experts. */
static void dispatch_weights(const struct model *m, int64_t l) {
    const struct rows r = rows_of(m, l);
    const int64_t home = model_tokens(m) * m->shape.config->active;
    const int32_t *place = model_buffer_at(m, MODEL_PLACE, l);
    const float *mix = model_buffer_at(m, MODEL_MIX, l);
    float *to = model_buffer_at(m, MODEL_ROW_MIX, l), *sorted = travels(m) ? m->buffers[MODEL_HOME_MIX] : to;
    for (int64_t i = 0; i < home; i++) sorted[place[i]] = mix[i];
    if (!travels(m)) return;
    start(m, l, MODEL_MIX_MOVED, true, sorted, m->buffers[MODEL_CAME_MIX], sizeof *to);
    finish(m, MODEL_MIX_MOVED);
    gather(m, KERNEL_F32, rows_in_all(&r), 1, m->buffers[MODEL_INTO], m->buffers[MODEL_CAME_MIX], to);
}

/* Their gradients come home: MODEL_DROW_MIX to MODEL_DMIX, which tensor parallel ranks add up. */
static void return_weights(const struct model *m, int64_t l) {
    const struct rows r = rows_of(m, l);
    const int64_t home = model_tokens(m) * m->shape.config->active;
    const int32_t *place = model_buffer_at(m, MODEL_PLACE, l);
    const float *sorted = m->buffers[MODEL_DROW_MIX];
    float *mix = m->buffers[MODEL_DMIX];
    if (travels(m)) {
        gather(m, KERNEL_F32, rows_in_all(&r), 1, m->buffers[MODEL_BACK], sorted, m->buffers[MODEL_CAME_MIX]);
        start(m, l, MODEL_MIX_MOVED, false, m->buffers[MODEL_CAME_MIX], m->buffers[MODEL_HOME_MIX], sizeof *mix);
        finish(m, MODEL_MIX_MOVED);
        sorted = m->buffers[MODEL_HOME_MIX];
    }
    for (int64_t i = 0; i < home; i++) mix[i] = sorted[place[i]];
    if (!model_is_split(&m->shape)) return;
    m->hooks.sum(m->hooks.context, mix, home, KERNEL_F32);
    m->hooks.wait(m->hooks.context);
}

/* The matmul of expert x, which is like that of the first one. Its rows start `first` rows further. */
static struct kernel_gemm of_expert(const struct model *m, struct kernel_gemm g, int64_t x, int64_t first,
                                    int64_t rows) {
    const int64_t in = (int64_t)kernel_dtype_bytes(g.in), out = (int64_t)kernel_dtype_bytes(g.out);
    g.m = rows;
    g.a = (const char *)g.a + first * g.lda * in;
    g.b = (const char *)g.b + x * m->params->expert_each * in;
    g.c = (char *)g.c + first * g.ldc * out;
    return g;
}
static void matmuls(const struct model *m, int64_t l, struct kernel_gemm g) {
    const struct rows r = rows_of(m, l);
    for (int64_t x = 0, first = 0, n; x < r.own; x++, first += n) {
        n = rows_of_expert(&r, x);
        const struct kernel_gemm each = of_expert(m, g, x, first, n);
        if (n) m->team->ops->gemm(m->team, &each);
    }
}

/* dW of each expert += dy^T x over its rows. */
static void grad_weights(const struct model *m, struct model_linear l, const void *dy, const void *x) {
    const struct rows r = rows_of(m, l.layer);
    const int64_t size = (int64_t)kernel_dtype_bytes(m->shape.dtype);
    float *const dw = model_gradient(m, l.weight, l.layer);
    for (int64_t each = 0, first = 0, n; each < r.own; each++, first += n) {
        n = rows_of_expert(&r, each);
        float *const to = dw + each * m->params->expert_each;
        const struct kernel_gemm g = {.m = l.out,
                                      .n = l.in,
                                      .k = n,
                                      .a_trans = true,
                                      .in = m->shape.dtype,
                                      .out = KERNEL_F32,
                                      .a = (const char *)dy + first * l.out * size,
                                      .lda = l.out,
                                      .b = (const char *)x + first * l.in * size,
                                      .ldb = l.in,
                                      .d = to,
                                      .c = to,
                                      .ldc = l.in};
        if (n) m->team->ops->gemm(m->team, &g);
    }
}

static struct kernel_swiglu swiglu(const struct model *m, int64_t l) {
    const struct rows r = rows_of(m, l);
    return (struct kernel_swiglu){.rows = rows_in_all(&r),
                                  .cols = m->shape.config->ffn,
                                  .dtype = m->shape.dtype,
                                  .weights = model_buffer_at(m, MODEL_ROW_MIX, l),
                                  .x = model_buffer_at(m, MODEL_UP, l),
                                  .y = model_buffer_at(m, MODEL_ACT, l),
                                  .dy = m->buffers[MODEL_DACT],
                                  .dx = model_buffer_at(m, MODEL_DUP, l),
                                  .dweights = m->buffers[MODEL_DROW_MIX]};
}
static void activation(const struct model *m, int64_t l) {
    const struct kernel_swiglu s = swiglu(m, l);
    m->team->ops->swiglu_forward(m->team, &s);
}

void model_experts_activations(const struct model *m, int64_t l) {
    activation(m, l);
    model_shared_activation(m, l);
}

void model_experts_up(const struct model *m, int64_t l, const void *x) {
    const struct rows r = rows_of(m, l);
    void *rows = model_buffer_at(m, MODEL_ROWS, l);
    model_route_forward(m, l, x);
    if (travels(m)) {
        m->hooks.counts(m->hooks.context, model_buffer_at(m, MODEL_SENT, l), model_buffer_at(m, MODEL_CAME, l));
        index_rows(m, &r);
    }
    dispatch_weights(m, l);
    dispatch(m, l, x, rows);
    model_shared_up(m, l, x);
    dispatched(m, l, rows);
    matmuls(m, l, model_gemm_forward(m, model_linear_up(m, l), rows, NULL, model_buffer_at(m, MODEL_UP, l)));
    activation(m, l);
}

/* y[T,width] = d + each token's rows. */
static void add_rows(const struct model *m, int64_t l, enum kernel_dtype out, const void *d, void *y) {
    m->team->ops->rows_sum(m->team, &(struct kernel_rows){.rows = model_tokens(m),
                                                          .cols = m->shape.config->width,
                                                          .count = m->shape.config->active,
                                                          .index = model_buffer_at(m, MODEL_PLACE, l),
                                                          .in = returned(m),
                                                          .out = out,
                                                          .x = home_rows(m),
                                                          .d = d,
                                                          .y = y});
}

void model_experts_down(const struct model *m, int64_t l) {
    void *mid = model_buffer_at(m, MODEL_MID, l), *next = model_buffer_at(m, MODEL_X, l + 1);
    struct kernel_gemm g = model_gemm_forward(m, model_linear_down(m, l), model_buffer_at(m, MODEL_ACT, l), NULL,
                                              m->buffers[MODEL_OUT_ROWS]);
    g.out = returned(m);
    matmuls(m, l, g);
    send_home(m, l);
    if (!model_is_split(&m->shape)) {
        const bool shared = model_shared_down(m, l, m->shape.dtype, mid, next);
        add_rows(m, l, m->shape.dtype, shared ? next : mid, next);
        return;
    }
    float *addend = model_addend(m, next);
    const void *d = model_addend_begin(m, mid, addend);
    if (model_shared_down(m, l, KERNEL_F32, d, addend)) d = addend;
    add_rows(m, l, KERNEL_F32, d, addend);
    model_sum_start(m, addend);
    model_sum_finish(m, addend, NULL, next);
}

/* The gradient of what experts give, where their weights' gradients find it. */
static void *drows_at(const struct model *m, int64_t l) {
    return model_is_late(&m->shape, m->chunk) ? model_buffer_at(m, MODEL_DROWS, l) : m->buffers[MODEL_OUT_ROWS];
}

static void down_weights(const struct model *m, int64_t l) {
    grad_weights(m, model_linear_down(m, l), drows_at(m, l), model_buffer_at(m, MODEL_ACT, l));
}
static void up_weights(const struct model *m, int64_t l) {
    grad_weights(m, model_linear_up(m, l), model_buffer_at(m, MODEL_DUP, l), model_buffer_at(m, MODEL_ROWS, l));
}

void model_experts_weights(const struct model *m, int64_t l) {
    down_weights(m, l), up_weights(m, l);
    model_shared_weights(m, l);
    model_route_weights(m, l);
}

/* dx[R,width], through the rows and through the router, and the router's gradient. */
static void backward_to_tokens(const struct model *m, int64_t l, void *dx) {
    const struct model_linear router = model_linear_router(m, l);
    float *addend = model_addend(m, dx);
    struct kernel_gemm g = model_gemm_grad_input(m, router, model_buffer_at(m, MODEL_DSCORES, l), addend);
    const bool shared = model_shared_up_backward(m, l, addend);
    add_rows(m, l, KERNEL_F32, shared ? addend : NULL, addend);
    g.out = KERNEL_F32, g.d = addend;
    if (m->shape.part.rank == 0) m->team->ops->gemm(m->team, &g); /* all have the same */
    model_sum_start(m, addend);
    model_weights_now(m, model_route_weights, l);
    model_sum_finish(m, addend, NULL, dx);
}

void model_experts_backward(const struct model *m, int64_t l, const void *dy, void *dx) {
    const struct model_linear up = model_linear_up(m, l), down = model_linear_down(m, l);
    const struct kernel_swiglu s = swiglu(m, l);
    const struct rows r = rows_of(m, l);
    void *rows = drows_at(m, l);
    if (travels(m)) index_rows(m, &r);
    dispatch(m, l, dy, rows);
    model_shared_down_backward(m, l, dy);
    dispatched(m, l, rows);
    matmuls(m, l, model_gemm_grad_input(m, down, rows, m->buffers[MODEL_DACT]));
    model_weights_now(m, down_weights, l);
    m->team->ops->swiglu_backward(m->team, &s);
    struct kernel_gemm g = model_gemm_grad_input(m, up, s.dx, m->buffers[MODEL_OUT_ROWS]);
    g.out = returned(m);
    matmuls(m, l, g);
    send_home(m, l);
    return_weights(m, l);
    model_weights_now(m, up_weights, l);
    model_route_backward(m, l);
    backward_to_tokens(m, l, dx);
}
