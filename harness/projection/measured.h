/* SPDX-License-Identifier: Apache-2.0
 *
 * The price of one training step on a machine that toise measured: every operation of the plan's ledger by records of
 * kind "kernel" on as many threads, its messages by records of kind "comm". No step was looked at: what the price
 * leaves out shows as its error.
 *
 * A shape that was timed has its own rate; others the rate between shapes of the same operation, type and storage
 * (projection/kriging.h), in FLOP/s or elements/s. Ranks that share a node are slowed as they were measured to slow
 * each other: an operation gets the least of its rate alone times what is left of a matmul's, and of the memory's
 * bandwidth times what is left of a pass's. A sum of gradients takes alpha + beta bytes, corrected between sizes that
 * were timed; it starts when its gradients are final, after the one before it, and takes from the compute beside it
 * what was measured to be taken; what outlasts backward is exposed. */
#ifndef TOISE_PROJECTION_MEASURED_H
#define TOISE_PROJECTION_MEASURED_H

#include "machine/machine.h"
#include "plan/plan.h"

enum projection_basis {
    PROJECTION_TIMED,    /* this very shape was timed */
    PROJECTION_BETWEEN,  /* each size lies within those timed */
    PROJECTION_BEYOND,   /* one does not */
    PROJECTION_BY_BYTES, /* the operation was not timed: its bytes at the measured bandwidth */
    PROJECTION_BASES
};
const char *projection_basis_name(enum projection_basis basis);

enum projection_op_kind {
    PROJECTION_MATMULS,
    PROJECTION_ATTENTIONS,
    PROJECTION_PASSES,
    PROJECTION_MESSAGES,
    PROJECTION_OP_KINDS
};

struct projection_priced {
    const char *name; /* the ledger's */
    const char *op;   /* of kernels.h; "all_reduce" */
    const char *trans;
    enum plan_phase phase;
    double count, call_s; /* in a step of one rank; seconds of one */
    double sd;            /* of the price's logarithm, the machine's own drift apart */
    enum projection_basis basis;
    int points; /* that it was estimated from */
};

enum { PROJECTION_PRICED_MOST = 80 };
struct projection_measured {
    struct projection_priced ops[PROJECTION_PRICED_MOST];
    int count;
    double phase_s[PLAN_PHASES], by_kind_s[PROJECTION_OP_KINDS];
    double step_s, low_s, high_s; /* 90% */
    double compute_s;             /* the step without messages */
    double message_s, cost_s;     /* messages alone; what they take from the backward that hides them */
    double exposed_s;             /* what outlasts it: the phase "communication" */
    double drift; /* sd of the logarithm: of the machine between the launches of its records and the one that trains */
    double peak_flop_per_s; /* of a rank, while its records were made */
    double matmul, pass;    /* what ranks leave each other; 1 for one rank */
    bool interpolated;
    char why[160]; /* of an extrapolation */
};

/* plan->request says ranks and threads. BASE_USAGE: what is missing from the records, and the command that measures it.
 */
int projection_measured_price(const struct machine *m, const struct plan *plan, struct projection_measured *result,
                              struct base_error *e);

/* A sum of `bytes` over `ranks` of so many threads: its seconds, their logarithm's sd, and the share of them that costs
 * the compute beside it nothing; 0 where that was not measured. */
struct projection_message_price {
    double seconds, sd, hidden;
    bool extrapolated; /* these ranks or sizes were not measured */
};
int projection_measured_message(const struct machine *m, int ranks, int threads, double bytes,
                                struct projection_message_price *price, struct base_error *e);

/* What the plan's messages add to a step whose last micro-batch has layers of so many seconds of backward, and then the
 * embedding's. */
struct projection_overlap {
    double message_s, cost_s, exposed_s, sd;
    bool extrapolated;
};
int projection_measured_overlap(const struct machine *m, const struct plan *plan, double layer_s, double embedding_s,
                                struct projection_overlap *overlap, struct base_error *e);

#endif
