/* SPDX-License-Identifier: Apache-2.0
 *
 * Every variant of attention against FP64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "scratch.h"
#include "unit/support/attention_variants.h"
#include "unit/support/effort.h"
#include "unit/support/guarded.h"
#include "unit/support/lacking.h"

struct kernel_ops variants[KERNEL_ISA_COUNT];
int variants_count;
struct kernel_team variants_team;

int variants_setup(void **state) {
    (void)state;
    lacking_report();
    for (int isa = 0; isa < KERNEL_ISA_COUNT; isa++) {
        struct kernel_ops *ops = &variants[variants_count];
        if (!kernel_isa_usable((enum kernel_isa)isa) || (effort_emulator() && isa == KERNEL_ISA_ref)) continue;
        kernel_select(ops, (enum kernel_isa)isa, KERNEL_BACKEND_TOISE);
        bool again = variants_count && ops->attention_forward == ops[-1].attention_forward &&
                     ops->attention_backward == ops[-1].attention_backward;
        variants_count += !again;
    }
    return 0;
}

void variants_check(const char *what, const struct kernel_ops *ops, enum kernel_dtype dtype, const void *got, int64_t n,
                    const double *expected, const double *error) {
    operands_check(what, kernel_variant(ops, "attention_forward"), dtype, got, n, expected, error);
}

void variants_run(const struct kernel_ops *ops, kernel_attention_fn *f, const struct kernel_attention *a, int threads) {
    const int64_t longest = a->seq_q > a->seq_k ? a->seq_q : a->seq_k;
    variants_team.ops = ops, variants_team.threads = threads;
    variants_team.scratch_bytes = kernel_attention_scratch(threads, longest, a->head_dim);
    variants_team.scratch = guarded_scratch(variants_team.scratch_bytes);
    guarded_what = f == ops->attention_forward ? "attention forward" : "attention backward";
    f(&variants_team, a);
    guarded_release(variants_team.scratch);
}
void variants_forward(const struct operands *s, const struct kernel_ops *ops, int threads) {
    memset(s->o, OPERANDS_POISON, (size_t)s->n_o * kernel_dtype_bytes(s->a.dtype));
    memset(s->a.lse, OPERANDS_POISON, (size_t)s->n_lse * sizeof *s->a.lse);
    variants_run(ops, ops->attention_forward, &s->a, threads);
}
void variants_backward(const struct operands *s, const struct kernel_ops *ops, int threads) {
    memset(s->grad, OPERANDS_POISON, (size_t)s->n_in * kernel_dtype_bytes(s->a.dtype));
    variants_run(ops, ops->attention_backward, &s->a, threads);
}

/* Whether it multiplies BF16 in pairs. */
static bool has_pairs(const struct kernel_ops *ops, enum kernel_dtype dtype) {
    return kernel_attention_weights(ops, dtype) == KERNEL_BF16;
}

static void check_problem(const struct problem *p) {
    struct operands s;
    operands_make(&s, p);
    for (int v = 0; v < variants_count; v++) {
        const double *error = has_pairs(&variants[v], p->dtype) ? s.x.o_pairs : s.x.o_error;
        variants_forward(&s, &variants[v], p->threads);
        variants_check("o", &variants[v], p->dtype, s.o, s.n_o, s.x.o, error);
        variants_check("lse", &variants[v], KERNEL_F32, s.a.lse, s.n_lse, s.x.lse, s.x.lse_error);
    }
    operands_store_forward(&s);
    attention64_backward(&s.a, &s.x);
    for (int v = 0; v < variants_count; v++) {
        const double *error = has_pairs(&variants[v], p->dtype) ? s.grad_pairs : s.grad_error;
        variants_backward(&s, &variants[v], p->threads);
        variants_check("gradient", &variants[v], p->dtype, s.grad, s.n_in, s.grad64, error);
    }
    operands_free(&s);
}
void variants_turn(struct problem p, int turn) {
    p.layout = (enum layout)(turn % LAYOUT_COUNT), p.threads = 1 + turn / 2 % VARIANTS_MAX_THREADS;
    for (int t = 0; t < KERNEL_DTYPE_COUNT; t++) {
        p.dtype = (enum kernel_dtype)t;
        if (effort_emulator() && turn / 2 % KERNEL_DTYPE_COUNT != t) continue;
        check_problem(&p);
    }
}
