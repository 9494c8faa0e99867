/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks every matmul and attention of a pass as it runs. */
#include "gate/checked.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/attention.h"
#include "check/matmul.h"
#include "check/matrix.h"

/* Whether the rows of x, which is C or y, equal those of `plain` bit for bit. */
static bool same_rows(const struct kernel_gemm *g, const void *x, const void *plain) {
    const size_t size = kernel_dtype_bytes(g->out);
    for (int64_t i = 0; i < g->m; i++) {
        const size_t at = (size_t)(i * g->ldc) * size;
        if (memcmp((const char *)x + at, (const char *)plain + at, (size_t)g->n * size)) return false;
    }
    return true;
}

/* The residual of a matmul with a fused GELU. It must give the same bits as the plain matmul and the pass after it,
 * else infinity. For the gradient the plain matmul is run too, into s->plain. */
static double fused_residual(const struct kernel_team *team, struct gate_checked *s, const struct kernel_gemm *g) {
    const int64_t n = (g->m - 1) * g->ldc + g->n; /* from C's first element to its last */
    const uint64_t seed = s->calls++;
    struct kernel_gemm plain = *g;
    if ((size_t)n * kernel_dtype_bytes(g->out) > s->plain_bytes || g->d == g->c) return INFINITY;
    if (g->epilogue == KERNEL_EPILOGUE_GELU) {
        const double residual = check_gemm(team, s->inner->gemm, g, g, seed, s->space);
        s->inner->gelu_forward(team, g->out, n, g->c, s->plain);
        return same_rows(g, g->y, s->plain) ? residual : INFINITY;
    }
    s->inner->gemm(team, g);
    plain.epilogue = KERNEL_EPILOGUE_NONE, plain.c = s->plain;
    const double residual = check_gemm(team, s->inner->gemm, &plain, &plain, seed, s->space);
    s->inner->gelu_backward(team, g->out, n, g->x, s->plain, s->plain);
    return same_rows(g, g->c, s->plain) ? residual : INFINITY;
}

static void checked_gemm(const struct kernel_team *team, const struct kernel_gemm *g) {
    static const char *const fused[] = {[KERNEL_EPILOGUE_NONE] = "",
                                        [KERNEL_EPILOGUE_GELU] = " and GELU",
                                        [KERNEL_EPILOGUE_GELU_GRAD] = " and GELU's gradient"};
    struct gate_checked *s = team->wrapper;
    char where[96];
    snprintf(where, sizeof where, "%c%c %lld x %lld x %lld%s", g->a_trans ? 'T' : 'N', g->b_trans ? 'T' : 'N',
             (long long)g->m, (long long)g->n, (long long)g->k, fused[g->epilogue]);
    gate_note(s->gate, CHECK_MATMUL,
              g->epilogue == KERNEL_EPILOGUE_NONE ? check_gemm(team, s->inner->gemm, g, g, s->calls++, s->space)
                                                  : fused_residual(team, s, g),
              where);
}

static void checked_attention_forward(const struct kernel_team *team, const struct kernel_attention *a) {
    struct gate_checked *s = team->wrapper;
    const uint64_t seed = s->calls++;
    if (a->add) check_attention_before(a, false, seed, s->before);
    s->inner->attention_forward(team, a);
    gate_note(s->gate, CHECK_ATTENTION, check_attention_forward(s->inner, a, seed, a->add ? s->before : NULL, s->space),
              "forward");
}
static void checked_attention_backward(const struct kernel_team *team, const struct kernel_attention *a) {
    struct gate_checked *s = team->wrapper;
    const uint64_t seed = s->calls++;
    if (a->add) check_attention_before(a, true, seed, s->before);
    s->inner->attention_backward(team, a);
    gate_note(s->gate, CHECK_ATTENTION,
              check_attention_backward(s->inner, a, seed, a->add ? s->before : NULL, s->space), "backward");
}

int gate_checked_open(struct gate_checked *s, struct gate *gate, struct parallel_engine *g, struct base_error *e) {
    const struct model_config *c = g->plan->shape.config;
    const int64_t tokens = g->plan->shape.batch * g->plan->shape.seq;
    const int64_t rows = c->experts > 0 ? model_expert_rows(&g->plan->shape) : tokens;
    const int64_t sides[] = {c->vocab, model_config_dim(c, MODEL_QKV), model_config_dim(c, MODEL_FFN_UP), c->experts,
                             model_config_dim(c, MODEL_SHARED_UP)};
    int64_t longest = 0;
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) longest = sides[i] > longest ? sides[i] : longest;
    longest += rows > tokens ? rows : tokens;
    memset(s, 0, sizeof *s);
    s->plain_bytes = c->family->gated ? 0 : (size_t)(tokens * c->ffn) * kernel_dtype_bytes(g->plan->shape.dtype);
    s->space = malloc((size_t)(8 * longest) * sizeof *s->space);
    s->before = malloc((size_t)(CHECK_ATTENTION_ROWS * (c->head_dim + 1)) * sizeof *s->before);
    s->plain = s->plain_bytes ? malloc(s->plain_bytes) : NULL;
    if (!s->space || !s->before || (s->plain_bytes && !s->plain)) {
        free(s->space), free(s->before), free(s->plain);
        return base_fail(e, BASE_BROKEN, "out of memory for the gate's vectors");
    }
    s->gate = gate;
    s->inner = g->team.ops;
    s->ops = *s->inner;
    s->ops.gemm = checked_gemm;
    s->ops.attention_forward = checked_attention_forward;
    s->ops.attention_backward = checked_attention_backward;
    g->team.ops = &s->ops;
    g->team.inner = s->inner;
    g->team.wrapper = s;
    return BASE_OK;
}

void gate_checked_close(struct gate_checked *s, struct parallel_engine *g) {
    g->team.ops = s->inner;
    g->team.inner = NULL;
    g->team.wrapper = NULL;
    free(s->space), free(s->before), free(s->plain);
}
