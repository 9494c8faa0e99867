/* SPDX-License-Identifier: Apache-2.0
 *
 * A price under way, and the prices of single operations of the ledger; for project/ alone. */
#ifndef TOISE_PROJECT_MEASURED_OPS_H
#define TOISE_PROJECT_MEASURED_OPS_H

#include "project/measured.h"

struct project_pricing {
    const struct project_machine *m;
    const struct plan *plan;
    struct project_measured *r;
    struct base_error *e;
    double bandwidth; /* byte/s of passes on these threads, others idle */
};

/* Each adds to p->r->ops what one operation of the ledger comes to. */
int project_price_dense(struct project_pricing *p, const struct plan_op *op); /* matmul or attention */
int project_price_pass(struct project_pricing *p, const struct plan_op *op, double parameters);
int project_price_bytes(struct project_pricing *p, const char *name, enum project_phase phase, double count,
                        double bytes);
int project_price_add(struct project_pricing *p, struct project_priced one);

bool project_is_attention(const char *op);
enum project_dtype project_type_of(enum kernel_dtype type);

#endif
