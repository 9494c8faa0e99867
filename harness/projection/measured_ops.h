/* SPDX-License-Identifier: Apache-2.0
 *
 * Prices of single operations of the ledger, for projection/measured.c alone. */
#ifndef TOISE_PROJECTION_MEASURED_OPS_H
#define TOISE_PROJECTION_MEASURED_OPS_H

#include "projection/measured.h"

struct projection_pricing {
    const struct machine *m;
    const struct plan *plan;
    struct projection_measured *r;
    struct base_error *e;
    double bandwidth; /* bytes/s of a pass on these threads while other cores are idle */
};

/* Each adds one operation to p->r->ops. Errors are those of projection_measured_price. */
int projection_price_dense(struct projection_pricing *p, const struct plan_op *op); /* matmul or attention */
/* A pass that was not timed is priced by its bytes. */
int projection_price_pass(struct projection_pricing *p, const struct plan_op *op);
int projection_price_bytes(struct projection_pricing *p, const char *name, enum plan_phase phase, double count,
                           double bytes);
int projection_price_add(struct projection_pricing *p, struct projection_priced one);
/* Seconds of a step that priced operations of a phase take; of those of one name, or NULL: of all. */
double projection_priced_seconds(const struct projection_measured *r, enum plan_phase phase, const char *name);
/* The same of the gradients of layers' weights, which a late backward leaves for later (model/model.h). */
double projection_priced_weights(const struct projection_measured *r);
/* Everything of a rank's step by itself: operations, messages. Its part of that: tensor and context parallel messages,
 * once the operations that cover them are priced. */
int projection_price_rank(struct projection_pricing *p);
int projection_price_waits(struct projection_pricing *p);
/* A step of several stages. */
int projection_price_stages(struct projection_pricing *p);

/* Of a message that something was not timed: what else the file holds. */
static inline const char *projection_measured_unsure(const struct machine *m) {
    return m->inconclusive ? "; INCONCLUSIVE records are not used: raise --seconds or --ci" : "";
}

bool projection_is_attention(const char *op);
enum machine_dtype projection_type_of(enum kernel_dtype type);

#endif
