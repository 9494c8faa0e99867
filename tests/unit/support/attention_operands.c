/* SPDX-License-Identifier: Apache-2.0
 *
 * Operands of attention: three layouts, five kinds of numbers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "scalar.h"
#include "unit/support/attention_operands.h"
#include "unit/support/guarded.h"

enum { SEED = 20250102 };

void *operands_take(struct operands *s, size_t bytes) {
    return s->taken[s->takes++] = guarded_bytes(bytes, 0);
}
/* n elements, off every alignment by one element if buffers are to be skewed. */
static char *take_elements(struct operands *s, int64_t n) {
    const size_t bytes = kernel_dtype_bytes(s->a.dtype);
    return s->taken[s->takes++] = guarded_bytes((size_t)n * bytes, bytes);
}
static double *take_doubles(struct operands *s, int64_t n) {
    return operands_take(s, (size_t)n * sizeof(double));
}
void operands_free(struct operands *s) {
    while (s->takes) guarded_release(s->taken[--s->takes]);
}

static void set_strides(struct operands *s, enum layout layout) {
    struct kernel_attention *a = &s->a;
    const int64_t d = a->head_dim, h = a->heads, kv = a->kv_heads;
    a->o_head = d, a->o_row = h * d;
    if (layout == INTERLEAVED && h == kv && a->seq_q == a->seq_k) {
        a->q_head = a->kv_head = 3 * d, a->q_row = a->kv_row = 3 * h * d;
        s->at_k = d, s->at_v = 2 * d;
    } else if (layout == FUSED && a->seq_q == a->seq_k) {
        a->q_head = a->kv_head = d, a->q_row = a->kv_row = (h + 2 * kv) * d;
        s->at_k = h * d, s->at_v = (h + kv) * d;
    } else {
        a->q_head = d + 1, a->q_row = h * (d + 1) + 3;
        a->kv_head = d + 2, a->kv_row = kv * (d + 2) + 1;
        a->o_head = d + 3, a->o_row = h * (d + 3);
        s->at_k = a->batch * a->seq_q * a->q_row;
        s->at_v = s->at_k + a->batch * a->seq_k * a->kv_row;
    }
    s->n_in = s->at_v + a->batch * a->seq_k * a->kv_row;
    s->n_o = a->batch * a->seq_q * a->o_row;
    s->n_lse = a->batch * h * a->seq_q;
}

/* A number of a query or key (`sharp`), or of a value or gradient. */
static float number(enum fill fill, bool sharp, uint64_t stream, uint64_t at) {
    const uint64_t index = stream << 24 | at;
    double u = 2 * base_random_unit(SEED, BASE_STREAM_TEST, index) - 1;
    if (fill == HUGE_SCORES && sharp) return (float)(170 * u); /* scores of the order of 10^4 */
    if (fill == DENORMAL) return (float)(1e-39 * u);
    if (fill == EQUAL) return sharp ? 0.5f : 0.25f;
    if (fill == OPPOSITE) return stream == 0 ? 4 : stream == 1 ? -4 : 0.25f;
    return (float)(sharp ? 2 * u : u);
}

/* Fills the rows of one operand, in storage and in FP64. The gaps keep their poison, which is NaN. */
static void fill_rows(const struct operands *s, char *p, double *p64, int64_t seq, int64_t heads,
                      int64_t index(const struct kernel_attention *, int64_t, int64_t, int64_t), enum fill fill,
                      bool sharp, uint64_t stream) {
    for (int64_t row = 0; row < s->a.batch * seq * heads; row++) {
        int64_t at = index(&s->a, row / heads / seq, row / heads % seq, row % heads);
        for (int64_t c = at; c < at + s->a.head_dim; c++) {
            scalar_put(s->a.dtype, p, c, number(fill, sharp, stream, (uint64_t)c));
            p64[c] = (double)scalar_get(s->a.dtype, p, c);
        }
    }
}

static const float *slopes_of(struct operands *s) {
    float *slopes = operands_take(s, (size_t)s->a.heads * sizeof *slopes);
    for (int64_t h = 0; h < s->a.heads; h++) slopes[h] = exp2f(-8 * (float)(h + 1) / (float)s->a.heads);
    return slopes;
}

void operands_make(struct operands *s, const struct problem *p) {
    struct kernel_attention *a = &s->a;
    const size_t bytes = kernel_dtype_bytes(p->dtype);
    guarded_place = (enum guarded_place)((guarded_place + 1) % GUARDED_PLACES);
    *s = (struct operands){.a = {.batch = p->batch,
                                 .heads = p->heads,
                                 .kv_heads = p->kv_heads,
                                 .seq_q = p->seq_q,
                                 .seq_k = p->seq_k,
                                 .head_dim = p->head_dim,
                                 .q_offset = p->q_offset,
                                 .k_offset = p->k_offset,
                                 .window = p->window,
                                 .dtype = p->dtype}};
    a->scale = (float)(1 / sqrt((double)p->head_dim));
    if (p->alibi) a->slopes = slopes_of(s);
    set_strides(s, p->layout);
    a->q = s->in = take_elements(s, s->n_in), a->dq = s->grad = take_elements(s, s->n_in);
    a->k = s->in + (size_t)s->at_k * bytes, a->dk = s->grad + (size_t)s->at_k * bytes;
    a->v = s->in + (size_t)s->at_v * bytes, a->dv = s->grad + (size_t)s->at_v * bytes;
    a->o = s->o = take_elements(s, s->n_o), a->d_o = s->d_o = take_elements(s, s->n_o);
    a->lse = operands_take(s, (size_t)s->n_lse * sizeof *a->lse);
    struct attention64 *x = &s->x;
    x->q = s->in64 = take_doubles(s, s->n_in), x->k = x->q + s->at_k, x->v = x->q + s->at_v;
    x->dq = s->grad64 = take_doubles(s, s->n_in), x->dk = x->dq + s->at_k, x->dv = x->dq + s->at_v;
    x->dq_error = s->grad_error = take_doubles(s, s->n_in);
    x->dk_error = x->dq_error + s->at_k, x->dv_error = x->dq_error + s->at_v;
    x->dq_pairs = s->grad_pairs = take_doubles(s, s->n_in), x->o_pairs = take_doubles(s, s->n_o);
    x->dk_pairs = x->dq_pairs + s->at_k, x->dv_pairs = x->dq_pairs + s->at_v;
    x->o = take_doubles(s, s->n_o), x->d_o = take_doubles(s, s->n_o), x->o_error = take_doubles(s, s->n_o);
    x->lse = take_doubles(s, s->n_lse), x->lse_error = take_doubles(s, s->n_lse);
    fill_rows(s, s->in, x->q, p->seq_q, p->heads, attention64_q, p->fill, true, 0);
    fill_rows(s, s->in + (size_t)s->at_k * bytes, x->k, p->seq_k, p->kv_heads, attention64_kv, p->fill, true, 1);
    fill_rows(s, s->in + (size_t)s->at_v * bytes, x->v, p->seq_k, p->kv_heads, attention64_kv, p->fill, false, 2);
    fill_rows(s, s->d_o, x->d_o, p->seq_q, p->heads, attention64_o, p->fill, false, 3);
    attention64_forward(a, x);
}

void operands_store_forward(struct operands *s) {
    for (int64_t i = 0; i < s->n_o; i++)
        if (!isnan(s->x.o[i])) {
            scalar_put(s->a.dtype, s->o, i, (float)s->x.o[i]);
            s->x.o[i] = (double)scalar_get(s->a.dtype, s->o, i);
        }
    for (int64_t i = 0; i < s->n_lse; i++) s->x.lse[i] = (double)(s->a.lse[i] = (float)s->x.lse[i]);
}

void operands_check(const char *what, const char *variant, enum kernel_dtype dtype, const void *got, int64_t n,
                    const double *expected, const double *error) {
    static const unsigned char poison[4] = {OPERANDS_POISON, OPERANDS_POISON, OPERANDS_POISON, OPERANDS_POISON};
    const size_t bytes = kernel_dtype_bytes(dtype);
    const double unit = dtype == KERNEL_F32 ? 0x1p-24 : 0x1p-8, least = dtype == KERNEL_F32 ? 0x1p-149 : 0x1p-133;
    for (int64_t i = 0; i < n; i++) {
        double x = (double)scalar_get(dtype, got, i), e = expected[i];
        bool fine = isnan(e)   ? memcmp((const char *)got + (size_t)i * bytes, poison, bytes) == 0
                    : isinf(e) ? x == e
                               : fabs(x - e) <= error[i] + (fabs(e) + error[i]) * unit + least;
        if (!fine)
            fail_msg("%s of %s: element %lld is %.9g, not %.9g within %.3g", what, variant, (long long)i, x, e,
                     error[i]);
    }
}
