/* SPDX-License-Identifier: Apache-2.0
 *
 * Predicts one training step from the machine's own records of kind "kernel" and "comm". Kernels price the operations
 * of the plan's ledger; all-reduces price its messages. No timed step is used, so the ledger's omissions show as error.
 *
 * Operations: a timed shape keeps its time. Any other shape gets a rate in FLOP/s or elements/s. Kriging
 * (projection/kriging.h) interpolates it between shapes of the same operation, type, storage and threads.
 *
 * Contention: while all ranks of a node compute, each keeps a measured share of its matmul rate and of its memory
 * bandwidth. An operation is slowed by the first share, or by the second if bandwidth limits it more.
 *
 * Messages: an all-reduce takes alpha + beta * bytes seconds, corrected by kriging between timed sizes. Others are
 * priced as the all-reduce whose links carry as much. One of gradients starts when these are final and the one before
 * it has ended. While it overlaps backward, backward is slower, as measured. The part after backward is exposed.
 * Messages within passes (tensor and context parallel) are exposed for as long as no compute covers them
 * (measured_waits.c). Pipeline stages are priced one by one, and their schedule is played through (measured_stages.c).
 */
#ifndef TOISE_PROJECTION_MEASURED_H
#define TOISE_PROJECTION_MEASURED_H

#include "machine/machine.h"
#include "plan/plan.h"

enum projection_basis {
    PROJECTION_TIMED,    /* this shape was timed */
    PROJECTION_BETWEEN,  /* every size is within the range of those timed */
    PROJECTION_BEYOND,   /* some size is outside that range */
    PROJECTION_BY_BYTES, /* the operation was not timed: its bytes at the measured bandwidth */
    PROJECTION_BASES
};
const char *projection_basis_name(enum projection_basis basis);

enum projection_op_kind {
    PROJECTION_MATMULS,
    PROJECTION_ATTENTIONS,
    PROJECTION_PASSES,
    PROJECTION_MESSAGES,
    PROJECTION_STAGES, /* waiting for other stages */
    PROJECTION_OP_KINDS
};

struct projection_priced {
    const char *name;  /* the ledger's; "batch" and all-reduces have their own */
    const char *op;    /* the kernel's name in kernels.h, "all_reduce", "bytes" or "schedule" */
    const char *trans; /* of a matmul: "NN", "NT", "TN" */
    enum plan_phase phase;
    double count, call_s; /* calls in a step of one rank; seconds of a call */
    double sd;            /* of log(call_s), without the machine's drift */
    enum projection_basis basis;
    int points; /* records that the estimate uses */
};

enum { PROJECTION_PRICED_MOST = 256 };
struct projection_measured {
    struct projection_priced ops[PROJECTION_PRICED_MOST];
    int count;
    double phase_s[PLAN_PHASES], by_kind_s[PROJECTION_OP_KINDS];
    double step_s, low_s, high_s; /* with the 90% interval */
    double compute_s;             /* the step less messages and waiting for stages */
    double message_s;             /* sums of gradients by themselves; under ZeRO the weights' gathers too */
    double cost_s;                /* by how much they slow the backward that overlaps them */
    double exposed_s;             /* their part after backward */
    /* By the axis whose ranks talk: messages by themselves, and by how much they lengthen the step. Of pipeline stages
     * only the second: all waiting. */
    double axis_s[PLAN_TALKING], axis_exposed_s[PLAN_TALKING];
    double bubble;          /* the mean of the stages' waits for each other, as a share of the step */
    double drift;           /* sd of log(time) between recorded launches and the one that will train */
    double peak_flop_per_s; /* of a rank, measured with its records */
    double matmul, pass;    /* shares of rate and bandwidth left to each rank; 1 for one rank */
    bool interpolated;
    char why[160]; /* why not; "" if interpolated */
};

/* Prices a step of the plan, on the ranks and threads of its request. BASE_USAGE: records are missing; the message
 * names the command that measures them. */
int projection_measured_price(const struct machine *m, const struct plan *plan, struct projection_measured *result,
                              struct base_error *e);

/* An all-reduce of `bytes` over `ranks` of `threads` threads each. Errors are those of projection_measured_price. */
struct projection_message_price {
    double seconds, sd; /* sd of log(seconds) */
    double hidden;      /* share of its time that does not slow overlapped compute; 0: not measured */
    bool extrapolated;  /* the ranks were not measured, or the size is outside the timed range */
};
int projection_measured_message(const struct machine *m, int ranks, int threads, double bytes,
                                struct projection_message_price *price, struct base_error *e);
/* A message by another operation of the ledger, as the all-reduce whose links carry as much (collectives/op.h): a
 * gather or a scatter as one of half the bytes, a message between two ranks as one of theirs. */
int projection_measured_like(const struct machine *m, const char *op, int ranks, int threads, double bytes,
                             struct projection_message_price *price, struct base_error *e);

/* What the plan's sums of gradients, and ZeRO's gathers of weights, add to a step. Figures are those of struct
 * projection_measured; sd is of log(message_s). */
/* Seconds of a micro-batch's backward by layer, then by the embedding; of its forward by layer; of a step's update. */
struct projection_passes {
    double layer_s, embedding_s, forward_s, update_s;
};
struct projection_overlap {
    double message_s, cost_s, exposed_s, sd;
    bool extrapolated;
};
int projection_measured_overlap(const struct machine *m, const struct plan *plan,
                                const struct projection_passes *passes, struct projection_overlap *overlap,
                                struct base_error *e);

#endif
