/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows: the plan's ledger by name. */
#include <stdio.h>
#include <string.h>

#include "profile/profile.h"

static int add(struct profile *p, const char *name, const char *op, enum plan_phase phase) {
    struct profile_row *row = &p->rows[p->row_count];
    snprintf(row->name, sizeof row->name, "%s", name);
    row->op = op, row->phase = phase;
    return p->row_count++;
}

/* The row of operation i of the ledger: that of an earlier one with its name; of a matmul, that of one with its
 * shape, which then has both names. */
static int row_for(struct profile *p, const struct plan_ledger *l, int i) {
    const struct plan_op *op = &l->ops[i];
    for (int j = 0; j < i; j++)
        if (!strcmp(l->ops[j].name, op->name) && !strcmp(l->ops[j].op, op->op)) return p->of_op[j];
    for (int j = 0; j < i; j++)
        if (plan_op_same_gemm(&l->ops[j], op)) {
            struct profile_row *row = &p->rows[p->of_op[j]];
            const size_t used = strlen(row->name);
            snprintf(row->name + used, sizeof row->name - used, " and %s", op->name);
            return p->of_op[j];
        }
    return add(p, op->name, op->op, op->phase);
}

/* The row of a pass. The ledger does not list the losses of cross-entropy, which are a few numbers a token. */
static int row_of_pass(struct profile *p, const char *op, bool backward) {
    for (int i = 0; i < p->row_count; i++)
        if (!strcmp(p->rows[i].op, op) && (p->rows[i].phase == PLAN_PHASE_BACKWARD || !backward)) return i;
    return add(p, strcmp(op, "cross_entropy_combine") ? op : "cross-entropy losses", op, PLAN_PHASE_HEAD);
}

void profile_rows_open(struct profile *p) {
    static const char *const passes[] = {
#define PROFILE_PASS(op) #op,
        PROFILE_PASSES(PROFILE_PASS)
#undef PROFILE_PASS
    };
    const struct plan_ledger *l = &p->engine->plan->ledger;
    for (int i = 0; i < l->count; i++) {
        const struct plan_op *op = &l->ops[i];
        if (op->kind == PLAN_MESSAGE) continue;
        p->of_op[i] = row_for(p, l, i);
        p->rows[p->of_op[i]].flop += op->count * op->flop;
        p->rows[p->of_op[i]].bytes += op->count * op->bytes;
    }
    for (int i = 0; i < PROFILE_rotary_back; i++) p->of_pass[i] = row_of_pass(p, passes[i], false);
    p->of_pass[PROFILE_rotary_back] = row_of_pass(p, "rotary", true);
    p->of_other[PROFILE_DATA] = add(p, "data", "", PLAN_PHASE_BATCH);
    p->of_other[PROFILE_MESSAGES] = add(p, "messages", "", PLAN_PHASE_COMMUNICATION);
    p->of_other[PROFILE_STAGES] = add(p, "messages between stages, and the bubble", "", PLAN_PHASE_PIPELINE);
    p->of_other[PROFILE_PROGRESSED] = add(p, "messages, from within kernels", "", PLAN_PHASE_COMMUNICATION);
    p->of_other[PROFILE_UNLISTED] = add(p, "matmuls not in the ledger", "gemm", PLAN_PHASE_FORWARD);
}

int profile_row_of_gemm(const struct profile *p, const struct kernel_gemm *g) {
    const struct plan_op op = plan_op_of_gemm(g);
    const struct plan_ledger *l = &p->engine->plan->ledger;
    for (int i = 0; i < l->count; i++)
        if (plan_op_same_gemm(&l->ops[i], &op)) return p->of_op[i];
    return p->of_other[PROFILE_UNLISTED];
}
