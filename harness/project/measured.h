/* SPDX-License-Identifier: Apache-2.0
 *
 * The price of one training step on a machine that toise measured: every operation of the plan's ledger by records of
 * kind "kernel" on as many threads, its messages by records of kind "comm". No step was looked at: what the price
 * leaves out shows as its error.
 *
 * A shape that was timed has its own rate; others the rate between shapes of the same operation, type and storage
 * (project/kriging.h), in FLOP/s or elements/s. Ranks that share a node are slowed as they were measured to slow each
 * other: an operation gets the least of its rate alone times what is left of a matmul's, and of the memory's bandwidth
 * times what is left of a pass's. A sum of gradients takes alpha + beta bytes, corrected between sizes that were timed;
 * it starts when its gradients are final, after the one before it, and takes from the compute beside it what was
 * measured to be taken; what outlasts backward is exposed. */
#ifndef TOISE_PROJECT_MEASURED_H
#define TOISE_PROJECT_MEASURED_H

#include "plan/ledger.h"
#include "project/machine.h"

enum project_basis {
    PROJECT_TIMED,    /* this very shape was timed */
    PROJECT_BETWEEN,  /* each size lies within those timed */
    PROJECT_BEYOND,   /* one does not */
    PROJECT_BY_BYTES, /* the operation was not timed: its bytes at the measured bandwidth */
    PROJECT_BASES
};
const char *project_basis_name(enum project_basis basis);

/* Parts of a step, named as records of kind "train" name them. */
enum project_phase {
    PROJECT_BATCH,
    PROJECT_ZERO,
    PROJECT_FORWARD,
    PROJECT_HEAD,
    PROJECT_BACKWARD,
    PROJECT_COMMUNICATION,
    PROJECT_CLIP,
    PROJECT_UPDATE,
    PROJECT_PHASES
};
const char *project_phase_name(enum project_phase phase);

enum project_op_kind { PROJECT_MATMULS, PROJECT_ATTENTIONS, PROJECT_PASSES, PROJECT_MESSAGES, PROJECT_OP_KINDS };

struct project_priced {
    const char *name; /* the ledger's */
    const char *op;   /* of kernels.h; "all_reduce" */
    const char *trans;
    enum project_phase phase;
    double count, call_s; /* in a step of one rank; seconds of one */
    double sd;            /* of the price's logarithm, the machine's own drift apart */
    enum project_basis basis;
    int points; /* that it was estimated from */
};

enum { PROJECT_PRICED_MOST = 80 };
struct project_measured {
    struct project_priced ops[PROJECT_PRICED_MOST];
    int count;
    double phase_s[PROJECT_PHASES], by_kind_s[PROJECT_OP_KINDS];
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
int project_measured_price(const struct project_machine *m, const struct plan *plan, struct project_measured *result,
                           struct base_error *e);

/* A sum of `bytes` over `ranks` of so many threads: its seconds, their logarithm's sd, and the share of them that costs
 * the compute beside it nothing; 0 where that was not measured. */
struct project_message_price {
    double seconds, sd, hidden;
    bool extrapolated; /* these ranks or sizes were not measured */
};
int project_measured_message(const struct project_machine *m, int ranks, int threads, double bytes,
                             struct project_message_price *price, struct base_error *e);

/* What the plan's messages add to a step whose last micro-batch has layers of so many seconds of backward, and then the
 * embedding's. */
struct project_overlap {
    double message_s, cost_s, exposed_s, sd;
    bool extrapolated;
};
int project_measured_overlap(const struct project_machine *m, const struct plan *plan, double layer_s,
                             double embedding_s, struct project_overlap *overlap, struct base_error *e);

#endif
