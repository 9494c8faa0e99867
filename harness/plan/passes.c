/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger's passes over memory. Their bytes are estimates. */
#include "plan/passes.h"

struct plan_op *plan_ledger_add(struct plan_ledger *l, enum plan_kind kind, enum plan_phase phase, const char *op,
                                const char *name, double count) {
    struct plan_op *o = &l->ops[l->count++];
    *o = (struct plan_op){.kind = kind, .phase = phase, .op = op, .name = name, .count = count};
    return o;
}

void plan_ledger_pass(struct plan_ledger *l, enum plan_phase phase, const char *op, const char *name, double count,
                      int64_t rows, int64_t cols, double bytes, enum kernel_dtype in) {
    if (count <= 0) return;
    struct plan_op *o = plan_ledger_add(l, PLAN_PASS, phase, op, name, count);
    o->rows = rows, o->cols = cols;
    o->in = o->out = in;
    o->bytes = (double)rows * (double)cols * bytes;
}

/* Of experts; rows that travel are sorted where they leave and where they come. */
static void expert_passes(struct plan_ledger *l, const struct plan *p, double each) {
    const enum plan_phase forward = PLAN_PHASE_FORWARD, backward = PLAN_PHASE_BACKWARD;
    const struct model_config *c = p->shape.config;
    const enum kernel_dtype d = p->shape.dtype;
    const int64_t t = p->shape.batch * p->shape.seq, rows = t * c->active;
    const double size = (double)kernel_dtype_bytes(d);
    const int64_t shared = model_config_dim(c, MODEL_SHARED);
    const double moves = plan_layout_expert_ranks(&p->request.layout) > 1 ? 2 : 1, sum = size * (double)c->active;
    plan_ledger_pass(l, forward, "route_forward", "router's choice", each, t, c->experts, 8, KERNEL_F32);
    plan_ledger_pass(l, backward, "route_backward", "router's gradient", each, t, c->experts, 8, d);
    plan_ledger_pass(l, forward, "swiglu_forward", "shared SwiGLU forward", shared ? each : 0, t, shared, 3 * size, d);
    plan_ledger_pass(l, backward, "swiglu_backward", "shared SwiGLU backward", shared ? each : 0, t, shared, 5 * size,
                     d);
    plan_ledger_pass(l, forward, "rows_gather", "rows sorted", moves * each, rows, c->width, 2 * size, d);
    plan_ledger_pass(l, backward, "rows_gather", "gradients sorted", moves * each, rows, c->width, 2 * size, d);
    plan_ledger_pass(l, forward, "rows_gather", "rows sorted back", (moves - 1) * each, rows, c->width, 2 * size, d);
    plan_ledger_pass(l, backward, "rows_gather", "gradients sorted back", (moves - 1) * each, rows, c->width, 2 * size,
                     d);
    plan_ledger_pass(l, forward, "rows_sum", "sums of rows", each, t, c->width, sum + 2 * size, d);
    plan_ledger_pass(l, backward, "rows_sum", "sums of gradients", each, t, c->width, sum + 4, d);
}

/* Leaves added up, and what is added to a sum apart; gradients of the batch's leaves once a step. */
static void leaf_passes(struct plan_ledger *l, const struct plan *p, const struct model_params *params) {
    const struct model_tree *tree = &p->shape.tree;
    const double micro = (double)p->accumulation;
    const struct model_config *c = p->shape.config;
    const int64_t t = p->shape.batch * p->shape.seq, own = p->shape.sequence ? t / p->request.layout.tp : t;
    const double each = micro * (double)c->layers, adds = tree->columns - 1, heads = c->lacks_head ? 0 : micro;
    const double size = (double)kernel_dtype_bytes(p->shape.dtype);
    if (!tree->leaves) return;
    plan_ledger_pass(l, PLAN_PHASE_FORWARD, "triad", "sums of leaves", 2 * each * adds, t, c->width, 12, KERNEL_F32);
    plan_ledger_pass(l, PLAN_PHASE_FORWARD, "rows_sum", "residual sums", 2 * each, own, c->width, 4 + 2 * size,
                     KERNEL_F32);
    plan_ledger_pass(l, PLAN_PHASE_BACKWARD, "triad", "sums of leaves", 2 * each * adds, t, c->width, 12, KERNEL_F32);
    plan_ledger_pass(l, PLAN_PHASE_HEAD, "triad", "sums of leaves", heads * adds, t, c->width, 12, KERNEL_F32);
    plan_ledger_pass(l, PLAN_PHASE_BACKWARD, "triad", "sums of leaves", tree->blocks - 1, params->total, 1, 12,
                     KERNEL_F32);
}

/* Passes of the layers and the embedding, with the bytes read and written for each element. */
void plan_ledger_passes(struct plan_ledger *l, const struct plan *p, const struct model_params *params) {
    const enum plan_phase forward = PLAN_PHASE_FORWARD, backward = PLAN_PHASE_BACKWARD;
    const struct model_config *c = p->shape.config;
    const enum kernel_dtype d = p->shape.dtype;
    const double micro = (double)p->accumulation;
    const int64_t t = p->shape.batch * p->shape.seq, qkv = model_config_dim(c, MODEL_QKV);
    const int64_t turned = model_config_dim(c, MODEL_ATTENTION) + model_config_dim(c, MODEL_KV);
    const double size = (double)kernel_dtype_bytes(d), each = micro * (double)c->layers;
    const double norms =
        micro * (2 * (double)c->layers + model_config_has(c, MODEL_EMBED_GAIN) + model_config_has(c, MODEL_FINAL_GAIN));
    const double biased = (double)(qkv + 2 * c->width + c->ffn) / (double)qkv;
    const int64_t own = p->shape.sequence ? t / p->request.layout.tp : t;
    plan_ledger_pass(l, forward, "norm_forward", "norm forward", norms, own, c->width, 2 * size, d);
    plan_ledger_pass(l, backward, "norm_grad_params", "norm grad-weight", norms, own, c->width, 2 * size, d);
    /* x, dy, the residual's gradient, and dx */
    plan_ledger_pass(l, backward, "norm_grad_input", "norm grad-input", norms, own, c->width, 4 * size, d);
    const int64_t rows = c->experts > 0 ? t * c->active : t;
    if (c->family->gated) {
        plan_ledger_pass(l, forward, "swiglu_forward", "SwiGLU forward", each, rows, c->ffn, 3 * size, d);
        plan_ledger_pass(l, backward, "swiglu_backward", "SwiGLU backward", each, rows, c->ffn, 5 * size, d);
    } else { /* fused into the matmuls: counts what it writes in addition and reads again */
        plan_ledger_pass(l, forward, "gelu_forward", "GELU forward", each, rows, c->ffn, size, d);
        plan_ledger_pass(l, backward, "gelu_backward", "GELU backward", each, rows, c->ffn, size, d);
    }
    if (c->experts > 0) expert_passes(l, p, each);
    if (c->family->position == MODEL_POSITION_ROTARY) { /* in place */
        plan_ledger_pass(l, forward, "rotary", "rotary forward", each, t, turned, 2 * size, d);
        plan_ledger_pass(l, backward, "rotary", "rotary backward", each, t, turned, 2 * size, d);
    }
    if (model_context_shares(p->shape.context)) { /* what joins in FP32 is rounded; keys' gradients are added up */
        const double half = d == KERNEL_BF16 ? 1 : 0, ranks = p->request.layout.cp;
        const int64_t att = model_config_dim(c, MODEL_ATTENTION), kv = 2 * model_config_dim(c, MODEL_KV);
        plan_ledger_pass(l, forward, "to_bf16", "joined attention", half * each, t, att, 6, KERNEL_F32);
        plan_ledger_pass(l, backward, "to_bf16", "joined gradients", half * each, t, qkv, 6, KERNEL_F32);
        plan_ledger_pass(l, backward, "triad", "keys' gradients of ranks", (ranks - 1) * each, t, kv, 12, KERNEL_F32);
    }
    if (model_config_has(c, MODEL_QKV_BIAS)) /* for all four matmuls, expressed in calls of the first one's size */
        plan_ledger_pass(l, backward, "column_sum", "bias gradients", each * biased, t, qkv, size, d);
    leaf_passes(l, p, params);
    if (c->lacks_embedding) return;
    plan_ledger_pass(l, forward, "embedding_forward", "embedding forward", micro, t, c->width, 2 * size, d);
    const double positions = model_config_has(c, MODEL_POSITION_TABLE) ? 1 : 0;
    const double apart = p->rows_apart ? 1 : 0; /* the last micro-batch adds positions, and then all ranks' rows */
    plan_ledger_pass(l, backward, "embedding_backward", "embedding backward", micro - apart * (1 - positions), t,
                     c->width, 12, d);
    plan_ledger_pass(l, PLAN_PHASE_COMMUNICATION, "embedding_backward", "embedding backward", apart,
                     plan_rows_count(&p->request), c->width, 12, d);
}
