/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger: every operation and message of one rank's step, with what it costs. Whoever needs a FLOP count reads
 * it here, a model's that is priced and not run too. A matmul is 2mnk. Attention is counted as the algorithm's matmuls
 * over half the S x S square (causal): two forward, four backward, no recomputation; a window of w < S leaves the band
 * S w - w^2/2; the `square` figure counts it whole, as Megatron's formula does (Narayanan et al., SC'21, eq. 3 without
 * recomputation). Passes over memory are estimates of bytes. */
#ifndef TOISE_PLAN_LEDGER_H
#define TOISE_PLAN_LEDGER_H

#include "kernels.h"
#include "plan/layout.h"
#include "plan/phase.h"

struct model_params;
struct plan;

enum plan_kind { PLAN_GEMM, PLAN_ATTENTION_FORWARD, PLAN_ATTENTION_BACKWARD, PLAN_PASS, PLAN_MESSAGE };

struct plan_op {
    enum plan_kind kind;
    enum plan_phase phase;
    const char *op;    /* the kernel's, of kernels/list.h; "all_reduce" */
    const char *name;  /* where in the model */
    const char *group; /* of a message: the ranks that take part, "dp"; else NULL */
    /* Times in a step of one rank. Where the model calls a kernel with several shapes, the work of one of them: a count
     * need not be whole. */
    double count;
    int64_t m, n, k; /* gemm */
    bool a_trans, b_trans;
    enum kernel_dtype in, out;
    int64_t batch, heads, seq, window, head_dim; /* attention */
    int64_t rows, cols;                          /* pass; of a vector, cols is 1 */
    double flop, flop_square;                    /* of one; square differs for attention alone */
    double bytes;                                /* of one: operands read and written once, or the message */
};

enum { PLAN_OPS_MAX = 64 };

struct plan_ledger {
    struct plan_op ops[PLAN_OPS_MAX];
    int count;
    double matmul_flop, attention_flop, attention_flop_square; /* of one rank's step */
    double model_flop, model_flop_square;                      /* of the whole world's step */
    double pass_bytes;                                         /* estimate */
    double messages, message_bytes;                            /* of one rank's step: all-reduces */
};

/* From the plan's request and shape, for plan_make; plan->ledger is the result. params: of plan->request.config. */
void plan_ledger_fill(struct plan_ledger *ledger, const struct plan *plan, const struct model_params *params);

/* The gradient all-reduces of one rank's step in order, by the rule of parallel/buckets.h. range: with which range's
 * gradients, the last of it to become final, a message can leave: 0 what lies behind the layers, 1 to `layers` a layer,
 * the last one first, and then what lies before them. */
void plan_messages(const struct plan *plan, const struct model_params *params,
                   void (*each)(void *context, int64_t range, double bytes), void *context);

/* FLOP of one call: shared by the ledger and by tables that count what runs. backward: 4 matmuls instead of 2. */
double plan_gemm_flop(int64_t m, int64_t n, int64_t k);
double plan_attention_flop(int64_t batch, int64_t heads, int64_t seq, int64_t window, int64_t head_dim, bool backward);

/* FLOP of a step over all ranks, whatever the layout. hardware: and what is recomputed. */
struct plan_flop {
    double model, model_square, hardware;
};
struct plan_flop plan_flop_count(const struct model_config *config, const struct plan_batch *batch, int recompute);
/* What the same step of the whole model would take, FLOP: for slices, whose rates say nothing of it otherwise. */
double plan_full_model_flop(const struct plan *plan);

#endif
