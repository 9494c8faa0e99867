/* SPDX-License-Identifier: Apache-2.0
 * check: emulated
 *
 * What else is in a call changes no bit: rows, columns and ranges of elements in calls of their own give the bits of
 * the whole, with a steady team of other threads and caches. So do sequences and heads in test_attention_alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/support/rows.h"

enum { ROWS = 37, COLS = 203, N = ROWS * COLS, CUTS = 7 };
static const int64_t cuts[CUTS] = {0, 1, 3, 16, 17, 30, ROWS}, column_cuts[CUTS] = {0, 1, 18, 66, 67, 131, COLS},
                     element_cuts[CUTS] = {0, 3, 64, 1029, 1030, 5000, N};

/* All operands of all operations: x .. y2 [ROWS, COLS], x2 and y2 twice as wide; gain, bias, columns [COLS]. `all` has
 * them once more. */
enum { BUFFERS = 18 };
struct operands {
    enum kernel_dtype t;
    char *x, *x2, *dy, *y, *y2, *gain, *bias;
    float *f[4], *columns[2], *rows[4];
    int32_t *tokens;
    void *all[BUFFERS];
    size_t bytes[BUFFERS];
    int count;
};

static void *take(struct operands *o, enum kernel_dtype t, int64_t n) {
    void *p = values_new(t, n, o->count % 3, NORMAL, (uint64_t)o->count);
    o->all[o->count] = p, o->bytes[o->count++] = (size_t)n * kernel_dtype_bytes(t);
    return p;
}
static struct operands operands_new(enum kernel_dtype t) {
    struct operands o = {.t = t};
    o.x = take(&o, t, N), o.x2 = take(&o, t, 2 * N), o.dy = take(&o, t, N), o.y = take(&o, t, N);
    o.y2 = take(&o, t, 2 * N), o.gain = take(&o, t, COLS), o.bias = take(&o, t, COLS);
    for (int i = 0; i < 4; i++) o.f[i] = take(&o, KERNEL_F32, N), o.rows[i] = take(&o, KERNEL_F32, ROWS);
    for (int i = 0; i < 2; i++) o.columns[i] = take(&o, KERNEL_F32, COLS);
    for (int i = 0; i < N; i++) o.f[2][i] = fabsf(o.f[2][i]); /* v of AdamW */
    o.tokens = take(&o, KERNEL_F32, ROWS);
    for (int i = 0; i < ROWS; i++) o.tokens[i] = i * 7 % 11;
    assert_int_equal(o.count, BUFFERS);
    return o;
}
static void operands_copy(const struct operands *from, const struct operands *to) {
    for (int i = 0; i < BUFFERS; i++) memcpy(to->all[i], from->all[i], from->bytes[i]);
}

/* An operation over first .. end of what it has. */
typedef void part_fn(const struct kernel_team *, const struct operands *, int64_t first, int64_t end);

static char *at(enum kernel_dtype t, const void *p, int64_t i) {
    return (char *)p + (size_t)i * kernel_dtype_bytes(t);
}

static void norm_forward(const struct kernel_team *team, const struct operands *o, int64_t r, int64_t end) {
    const struct kernel_norm l = {.rows = end - r,
                                  .cols = COLS,
                                  .dtype = o->t,
                                  .eps = 1e-5f,
                                  .x = at(o->t, o->x, r * COLS),
                                  .gain = o->gain,
                                  .bias = o->bias,
                                  .y = at(o->t, o->y, r * COLS),
                                  .mean = o->rows[0] + r,
                                  .rstd = o->rows[1] + r};
    team->ops->norm_forward(team, &l);
}
static void norm_grad_input(const struct kernel_team *team, const struct operands *o, int64_t r, int64_t end) {
    const struct kernel_norm l = {.rows = end - r,
                                  .cols = COLS,
                                  .dtype = o->t,
                                  .x = at(o->t, o->x, r * COLS),
                                  .gain = o->gain,
                                  .mean = o->rows[0] + r,
                                  .rstd = o->rows[1] + r,
                                  .dy = at(o->t, o->dy, r * COLS),
                                  .dx_add = at(o->t, o->x2, r * COLS),
                                  .dx = at(o->t, o->y, r * COLS)};
    team->ops->norm_grad_input(team, &l);
}
static void swiglu(const struct kernel_team *team, const struct operands *o, int64_t r, int64_t end) {
    const struct kernel_swiglu s = {.rows = end - r,
                                    .cols = COLS,
                                    .dtype = o->t,
                                    .weights = o->rows[3] + r,
                                    .x = at(o->t, o->x2, 2 * r * COLS),
                                    .y = at(o->t, o->y, r * COLS),
                                    .dy = at(o->t, o->dy, r * COLS),
                                    .dx = at(o->t, o->y2, 2 * r * COLS),
                                    .dweights = o->rows[0] + r};
    team->ops->swiglu_forward(team, &s);
    team->ops->swiglu_backward(team, &s);
}
static void rotary(const struct kernel_team *team, const struct operands *o, int64_t r, int64_t end) {
    enum { HEADS = 4, HEAD = 50 };
    const struct kernel_rotary k = {.rows = end - r,
                                    .seq = end - r,
                                    .heads = HEADS,
                                    .head_dim = HEAD,
                                    .row = COLS,
                                    .head = HEAD,
                                    .dtype = o->t,
                                    .cos = o->f[0] + r * HEAD / 2,
                                    .sin = o->f[1] + r * HEAD / 2,
                                    .x = at(o->t, o->y, r * COLS)};
    team->ops->rotary(team, &k);
}
static void cross_entropy(const struct kernel_team *team, const struct operands *o, int64_t r, int64_t end) {
    struct kernel_cross_entropy e = {.rows = end - r,
                                     .vocab = COLS,
                                     .ld = COLS,
                                     .logits = o->f[0] + r * COLS,
                                     .targets = o->tokens + r,
                                     .max = o->rows[0] + r,
                                     .sum = o->rows[1] + r,
                                     .target_logit = o->rows[2] + r,
                                     .loss = o->rows[3] + r,
                                     .scale = 0.25f,
                                     .dtype = o->t,
                                     .dlogits = at(o->t, o->y, r * COLS)};
    team->ops->cross_entropy_stats(team, &e);
    team->ops->cross_entropy_combine(team, &e);
    team->ops->cross_entropy_grad(team, &e);
}
static void embedding(const struct kernel_team *team, const struct operands *o, int64_t r, int64_t end) {
    const struct kernel_embedding e = {.rows = end - r,
                                       .cols = COLS,
                                       .seq = ROWS,
                                       .position0 = r,
                                       .dtype = o->t,
                                       .tokens = o->tokens + r,
                                       .token_table = o->x,
                                       .position_table = o->dy,
                                       .x = at(o->t, o->y, r * COLS)};
    team->ops->embedding_forward(team, &e);
}
static void rows_sum(const struct kernel_team *team, const struct operands *o, int64_t r, int64_t end) {
    const struct kernel_rows k = {.rows = end - r,
                                  .cols = COLS,
                                  .count = 1,
                                  .index = o->tokens + r,
                                  .in = o->t,
                                  .out = o->t,
                                  .x = o->x,
                                  .d = at(o->t, o->dy, r * COLS),
                                  .y = at(o->t, o->y, r * COLS)};
    team->ops->rows_sum(team, &k);
}

static void elements(const struct kernel_team *team, const struct operands *o, int64_t i, int64_t end) {
    team->ops->gelu_forward(team, o->t, end - i, at(o->t, o->x, i), at(o->t, o->y, i));
    team->ops->gelu_backward(team, o->t, end - i, at(o->t, o->x, i), at(o->t, o->dy, i), at(o->t, o->y2, i));
}
static void adamw(const struct kernel_team *team, const struct operands *o, int64_t i, int64_t end) {
    const struct kernel_adamw a = {.n = end - i,
                                   .w = o->f[0] + i,
                                   .m = o->f[1] + i,
                                   .v = o->f[2] + i,
                                   .grad = o->f[3] + i,
                                   .copy = o->t == KERNEL_BF16 ? (kernel_bf16 *)o->y + i : NULL,
                                   .lr = 0.01f,
                                   .beta1 = 0.9f,
                                   .beta2 = 0.95f,
                                   .eps = 1e-8f,
                                   .decay = 0.1f,
                                   .correction1 = 0.1f,
                                   .correction2 = 0.05f,
                                   .grad_scale = 0.7f};
    team->ops->adamw(team, &a);
}

/* Columns first .. end of x, contiguous; the caller frees them. */
static char *columns_new(enum kernel_dtype t, const char *x, int64_t first, int64_t end) {
    const size_t row = (size_t)(end - first) * kernel_dtype_bytes(t);
    char *own = malloc(ROWS * row + 1);
    assert_non_null(own);
    for (int64_t r = 0; r < ROWS; r++) memcpy(own + (size_t)r * row, at(t, x, r * COLS + first), row);
    return own;
}
static void columns(const struct kernel_team *team, const struct operands *o, int64_t c, int64_t end) {
    char *x = columns_new(o->t, o->x, c, end), *dy = columns_new(o->t, o->dy, c, end);
    const struct kernel_norm l = {.rows = ROWS,
                                  .cols = end - c,
                                  .dtype = o->t,
                                  .x = x,
                                  .mean = o->rows[0],
                                  .rstd = o->rows[1],
                                  .dy = dy,
                                  .dgain = o->columns[0] + c,
                                  .dbias = o->columns[1] + c};
    team->ops->norm_grad_params(team, &l);
    team->ops->column_sum(team, o->t, ROWS, end - c, dy, o->columns[1] + c);
    free(x), free(dy);
}

static void operands_compare(const struct variant *v, const char *name, const struct operands *a,
                             const struct operands *b) {
    for (int i = 0; i < BUFFERS; i++)
        if (memcmp(a->all[i], b->all[i], a->bytes[i]) != 0)
            fail_msg("%s %s: parts have other bits than the whole: buffer %d, dtype %d, %d threads",
                     kernel_isa_name(v->isa), name, i, a->t, v->team.threads);
}

static const struct operation {
    const char *name;
    part_fn *run;
    const int64_t *cuts;
} operations[] = {{"norm_forward", norm_forward, cuts},
                  {"norm_grad_input", norm_grad_input, cuts},
                  {"swiglu", swiglu, cuts},
                  {"rotary", rotary, cuts},
                  {"cross_entropy", cross_entropy, cuts},
                  {"embedding_forward", embedding, cuts},
                  {"rows_sum", rows_sum, cuts},
                  {"gelu", elements, element_cuts},
                  {"adamw", adamw, element_cuts},
                  {"column_sum and norm_grad_params", columns, column_cuts}};

static void operations_run(enum kernel_dtype t) {
    const struct operands start = operands_new(t), whole = operands_new(t), alone = operands_new(t);
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v))
        for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
            const struct operation *op = &operations[i];
            struct kernel_team team = v.team;
            v.team.steady = team.steady = true, team.threads = 2, team.caches = NULL;
            guarded_what = op->name;
            operands_copy(&start, &whole), operands_copy(&start, &alone);
            op->run(&team, &whole, 0, op->cuts[CUTS - 1]);
            for (int c = 0; c + 1 < CUTS; c++) op->run(&v.team, &alone, op->cuts[c], op->cuts[c + 1]);
            operands_compare(&v, op->name, &whole, &alone);
        }
    guarded_free();
}

static void parts_have_the_bits_of_the_whole(void **state) {
    (void)state;
    for (int t = 0; t < KERNEL_DTYPE_COUNT; t++) operations_run((enum kernel_dtype)t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(parts_have_the_bits_of_the_whole)};
    lacking_report();
    return cmocka_run_group_tests(tests, skewed, NULL);
}
