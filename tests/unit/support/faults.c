/* SPDX-License-Identifier: Apache-2.0
 *
 * Builds the faulty tables from their rows. */
#include "unit/support/faults_rows.h"

#include <stdio.h>
#include <stdlib.h>

const struct kernel_ops *fault_healthy;
int fault_calls;

void fault_scale(enum kernel_dtype dtype, void *x, int64_t first, int64_t n, float factor) {
    for (int64_t i = first; i < first + n; i++) scalar_put(dtype, x, i, factor * scalar_get(dtype, x, i));
}

static const struct fault_row *row_of(enum fault fault) {
    static const struct fault_row *const subjects[] = {fault_rows_path, fault_rows_attention, fault_rows_full};
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        for (const struct fault_row *r = subjects[i]; r->name; r++)
            if (r->fault == fault) return r;
    fprintf(stderr, "fault %d has no row\n", (int)fault);
    abort();
}

const char *fault_name(enum fault fault) {
    return row_of(fault)->name;
}

bool fault_possible(enum fault fault, const struct model_config *c) {
    switch (row_of(fault)->need) {
    case NEEDS_NOTHING:
        return true;
    case NEEDS_GELU:
        return !c->family->gated;
    case NEEDS_SWIGLU:
        return c->family->gated;
    case NEEDS_LAYER_BIASES:
        return model_config_has(c, MODEL_QKV_BIAS);
    case NEEDS_POSITION_TABLE:
        return c->family->position == MODEL_POSITION_LEARNED;
    case NEEDS_ALIBI:
        return c->family->position == MODEL_POSITION_ALIBI;
    case NEEDS_ROTARY:
        return c->family->position == MODEL_POSITION_ROTARY;
    case NEEDS_WINDOW:
        return c->window > 0;
    case NEEDS_SHARED_KEYS:
        return c->kv_heads > 1 && c->kv_heads < c->heads;
    case NEEDS_EMBED_NORM:
        return model_config_has(c, MODEL_EMBED_GAIN);
    }
    return false;
}

void fault_make(enum fault fault, const struct kernel_ops *healthy, struct kernel_ops *faulty) {
    const struct kernel_ops *w = &row_of(fault)->wrong;
    fault_healthy = healthy;
    fault_calls = 0;
    *faulty = *healthy;
#define REPLACE(op)                                                                                                    \
    if (w->op) faulty->op = w->op
    REPLACE(gemm);
    REPLACE(attention_forward);
    REPLACE(attention_backward);
    REPLACE(norm_forward);
    REPLACE(norm_grad_input);
    REPLACE(norm_grad_params);
    REPLACE(swiglu_forward);
    REPLACE(swiglu_backward);
    REPLACE(route_forward);
    REPLACE(route_backward);
    REPLACE(rows_gather);
    REPLACE(rows_sum);
    REPLACE(rotary);
    REPLACE(column_sum);
    REPLACE(cross_entropy_grad);
    REPLACE(embedding_forward);
    REPLACE(adamw);
#undef REPLACE
}
