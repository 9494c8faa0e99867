/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger lists every operation and message of one rank's step, with its cost. All FLOP counts come from here, also
 * for models that are only priced. A matmul counts 2mnk. Attention counts its matmuls over the causal half of the S x S
 * square: two forward, four backward, no recompute. With a window w < S it counts the band S w - w^2/2. The `square`
 * figures count the whole square, as Megatron's formula does (Narayanan et al., SC'21, eq. 3 without recomputation).
 * The bytes of passes over memory are estimates. */
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
    const char *op;    /* the kernel's name in kernels/list.h, or a message's as in plan_message */
    const char *name;  /* where in the model */
    const char *group; /* for a message: its ranks, as in plan_message; otherwise NULL */
    /* Calls in one rank's step. If the model calls a kernel with several shapes, work is expressed in calls of one of
     * them. So count need not be whole. */
    double count;
    bool again;      /* backward's repetition of forward; not in the model's FLOP */
    int64_t m, n, k; /* gemm */
    bool ragged; /* of experts' rows, whose number, m or if a_trans k, differs from call to call: of balanced loads */
    bool a_trans, b_trans;
    enum kernel_dtype in, out;
    int64_t batch, heads, seq, window, head_dim; /* attention */
    int64_t ahead;            /* of its first call: as in plan_attention_flop_ahead; others are as much work */
    int64_t rows, cols;       /* pass; a vector has cols 1 */
    double flop, flop_square; /* of one call; the square figure differs only for attention */
    double bytes;             /* of one call: operands read and written once, or the message */
};

enum { PLAN_OPS_MAX = 160 };

struct plan_ledger {
    struct plan_op ops[PLAN_OPS_MAX];
    int count;
    double matmul_flop, attention_flop, attention_flop_square; /* of one rank's step */
    double model_flop, model_flop_square;                      /* of the whole world's step */
    double model_attention_flop;                               /* of them */
    double hardware_flop;                                      /* the same with what backward repeats */
    double pass_bytes;                                         /* estimate */
    double messages, message_bytes;                            /* of one rank's step */
};

/* Fills the ledger from plan->request and plan->shape; plan_make calls it for plan->ledger. params: those of
 * plan->part. */
void plan_ledger_fill(struct plan_ledger *ledger, const struct plan *plan, const struct model_params *params);

/* A message of one rank's step. turn: it can leave once these gradients are final. Turn 0 is what follows the layers,
 * and a token table that is final early. Turns 1 to `layers` are the layers, the last one first. The next turn is what
 * precedes the layers, and the one after it is for all that are no gradients. op: "all_reduce", "reduce_scatter",
 * "all_gather", "all_to_all" or "all_to_all_v", whose bytes are those of all ranks' blocks, or "send". group: "dp",
 * "tp", "kv" for tensor parallel ranks that share a key/value head, "cp" for context parallel ranks, "pp" for pipeline
 * stages, or "ends" for the first and last of them. "dp" are all replicas (layout.h), "ep" those that together hold all
 * experts, and "edp" those that hold the same ones, if there are fewer of them than replicas. */
#define PLAN_TIED_HEAD "tied head's gradient" /* apart from its table's, with a tree */
struct plan_message {
    int64_t turn;
    const char *op, *group, *name;
    double bytes, count;
};
/* All of them, by the rules of parallel/buckets.h, zero.h, pipeline.h and tied.h, and of plan_rows_apart; gradients' in
 * order. What a rank receives is listed where it is sent. */
typedef void plan_each_message(void *context, const struct plan_message *message);
void plan_messages(const struct plan *plan, const struct model_params *params, plan_each_message *each, void *context);

/* A matmul's call as an operation: kind, shape and dtypes alone. Whether two matmuls have the same ones, the first one
 * of any number of rows if it is ragged. */
struct plan_op plan_op_of_gemm(const struct kernel_gemm *g);
bool plan_op_same_gemm(const struct plan_op *a, const struct plan_op *b);

/* FLOP of one call, shared with the tables that count what runs. backward: 4 matmuls instead of 2. */
double plan_gemm_flop(int64_t m, int64_t n, int64_t k);
double plan_attention_flop(int64_t batch, int64_t heads, int64_t seq, int64_t window, int64_t head_dim, bool backward);
/* The same of `seq` queries and as many keys, the first query being `ahead` positions after the first key; 0: the same
 * ones. */
double plan_attention_flop_ahead(int64_t batch, int64_t heads, int64_t seq, int64_t ahead, int64_t window,
                                 int64_t head_dim, bool backward);

/* FLOP of a step over all ranks, for any layout. hardware: includes recompute. */
struct plan_flop {
    double model, model_square, hardware, attention;
};
struct plan_flop plan_flop_count(const struct model_config *config, const struct plan_batch *batch, int recompute);
/* FLOP of the same step of the whole model, for plans of a slice of its layers. */
double plan_full_model_flop(const struct plan *plan);

#endif
