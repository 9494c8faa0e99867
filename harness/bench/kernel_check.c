/* SPDX-License-Identifier: Apache-2.0
 *
 * For rows and vectors, compares two FP32 evaluations of one formula. Each element may differ by the rounding of its
 * storage and of the sum behind it. A sum's error grows as a random walk: with the root of its length. */
#include "bench/kernel_check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check/attention.h"
#include "check/matmul.h"
#include "check/matrix.h"
#include "check/rounding.h"

/* FP32 units that each evaluation may be off in a formula of a few operations with an exponential. */
#define FORMULA_UNITS 8.0

static double element(const struct bench_kernel_case *c, enum bench_type type, const void *x, int64_t i) {
    if (type == BENCH_F64) return ((const double *)x)[i];
    if (type == BENCH_I32) return ((const int32_t *)x)[i];
    return check_matrix_at(bench_element_bytes(c, type) == 2 ? KERNEL_BF16 : KERNEL_F32, x, i);
}

/* The worst element of operand i. The scale is the element plus the root of the operand's mean square. */
static double compare(const struct bench_kernel_case *c, int i, const void *x, const void *truth) {
    const struct bench_operand *o = &c->op->operands[i];
    const int64_t n = bench_extent(c, o->extent), terms = bench_extent(c, c->op->chain);
    const double stored = check_unit(bench_element_bytes(c, o->type) == 2 ? KERNEL_BF16 : KERNEL_F32);
    const double summed = FORMULA_UNITS * check_unit(KERNEL_F32) * sqrt((double)terms);
    double squares = 0, worst = 0;
    for (int64_t k = 0; k < n; k++) squares += pow(element(c, o->type, truth, k), 2);
    const double usual = sqrt(squares / (double)n);
    for (int64_t k = 0; k < n; k++) {
        const double right = element(c, o->type, truth, k), error = fabs(element(c, o->type, x, k) - right);
        const double residual = error == 0 ? 0 : error / (stored * fabs(right) + summed * (fabs(right) + usual));
        if (!(residual <= worst)) worst = isnan(residual) ? INFINITY : residual;
    }
    return worst;
}

struct kept {
    void *start[BENCH_OPERANDS], *truth[BENCH_OPERANDS]; /* of the outputs */
};

static int keep(struct kept *k, const struct bench_kernel_case *c, void *const *x, struct base_error *e) {
    *k = (struct kept){0};
    for (int i = 0; i < BENCH_OPERANDS; i++) {
        const size_t bytes = bench_operand_bytes(c, i);
        if (!x[i] || !(c->op->operands[i].use & BENCH_WRITE)) continue;
        k->start[i] = malloc(bytes);
        k->truth[i] = malloc(bytes);
        if (!k->start[i] || !k->truth[i])
            return base_fail(e, BASE_BROKEN, "out of memory for checking %s", c->op->name);
        memcpy(k->start[i], x[i], bytes);
    }
    return BASE_OK;
}

static void restore(const struct kept *k, const struct bench_kernel_case *c, void *const *x) {
    for (int i = 0; i < BENCH_OPERANDS; i++)
        if (k->start[i]) memcpy(x[i], k->start[i], bench_operand_bytes(c, i));
}

/* Fills pure outputs with NaN, so that an element left out shows. */
static void poison(const struct bench_kernel_case *c, void *const *x) {
    for (int i = 0; i < BENCH_OPERANDS; i++)
        if (x[i] && c->op->operands[i].use == BENCH_WRITE &&
            !(c->op->operands[i].extent == BENCH_C && c->shape.accumulate))
            memset(x[i], 0xff, bench_operand_bytes(c, i));
}

static double rows(const struct kernel_team *team, const struct kernel_ops *other, const struct bench_kernel_case *c,
                   void *const *x, struct kept *k) {
    struct kernel_team reference = *team;
    double worst = 0;
    reference.ops = other;
    c->op->call(&reference, c, x);
    for (int i = 0; i < BENCH_OPERANDS; i++)
        if (k->truth[i]) memcpy(k->truth[i], x[i], bench_operand_bytes(c, i));
    restore(k, c, x);
    poison(c, x);
    c->op->call(team, c, x);
    for (int i = 0; i < BENCH_OPERANDS; i++)
        if (k->truth[i]) worst = fmax(worst, compare(c, i, x[i], k->truth[i]));
    restore(k, c, x);
    return worst;
}

static double matmul(const struct kernel_team *team, const struct bench_kernel_case *c, void *const *x, uint64_t seed,
                     double *space) {
    void *plain[BENCH_OPERANDS];
    memcpy(plain, x, sizeof plain);
    plain[BENCH_PACKED_B] = NULL;
    const struct kernel_gemm g = bench_kernel_gemm(c, plain), as = bench_kernel_gemm(c, x);
    poison(c, x);
    return check_gemm(team, team->ops->gemm, &as, &g, seed, space);
}

static double attention(const struct kernel_team *team, const struct bench_kernel_case *c, void *const *x,
                        uint64_t seed, double *space) {
    const struct kernel_attention a = bench_kernel_attention(c, x);
    poison(c, x);
    c->op->call(team, c, x);
    return c->op->prepare ? check_attention_backward(team->ops, &a, seed, NULL, space)
                          : check_attention_forward(team->ops, &a, seed, NULL, space);
}

int bench_kernel_check(const struct kernel_team *team, const struct kernel_ops *other,
                       const struct bench_kernel_case *c, void *const *x, uint64_t seed, double *residual,
                       struct base_error *e) {
    const struct bench_kernel_shape *s = &c->shape;
    const bool is_matmul = c->op->kind == BENCH_SHAPE_MATMUL, is_attention = c->op->kind == BENCH_SHAPE_ATTENTION;
    if (is_matmul || is_attention) {
        double *space = malloc(sizeof *space * (size_t)(5 * (s->m + s->n + s->k) + 2 * s->seq + 8 * s->head_dim));
        if (!space) return base_fail(e, BASE_BROKEN, "out of memory for checking %s", c->op->name);
        *residual = is_matmul ? matmul(team, c, x, seed, space) : attention(team, c, x, seed, space);
        free(space);
        return BASE_OK;
    }
    struct kept k;
    int code = keep(&k, c, x, e);
    if (!code) *residual = rows(team, other, c, x, &k);
    for (int i = 0; i < BENCH_OPERANDS; i++) free(k.start[i]), free(k.truth[i]);
    return code;
}
