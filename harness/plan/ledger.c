/* SPDX-License-Identifier: Apache-2.0
 *
 * Fills the ledger from a plan: layers, head, update, messages. */
#include <math.h>
#include <string.h>

#include "plan/leaves.h"
#include "plan/memory.h"
#include "plan/passes.h"

double plan_gemm_flop(int64_t m, int64_t n, int64_t k) {
    return 2.0 * (double)m * (double)n * (double)k;
}

struct plan_op plan_op_of_gemm(const struct kernel_gemm *g) {
    return (struct plan_op){.kind = PLAN_GEMM,
                            .m = g->m,
                            .n = g->n,
                            .k = g->k,
                            .a_trans = g->a_trans,
                            .b_trans = g->b_trans,
                            .in = g->in,
                            .out = g->out};
}

bool plan_op_same_gemm(const struct plan_op *a, const struct plan_op *b) {
    const bool any_m = a->ragged && !a->a_trans, any_k = a->ragged && a->a_trans;
    return a->kind == PLAN_GEMM && b->kind == PLAN_GEMM && (any_m || a->m == b->m) && a->n == b->n &&
           (any_k || a->k == b->k) && a->a_trans == b->a_trans && a->b_trans == b->b_trans && a->in == b->in &&
           a->out == b->out;
}

/* The area of x - y <= t in a square of side s. */
static double area_below(double s, double t) {
    const double side = s - fmin(fabs(t), s);
    return t < 0 ? side * side / 2 : s * s - side * side / 2;
}

double plan_attention_flop_ahead(int64_t batch, int64_t heads, int64_t seq, int64_t ahead, int64_t window,
                                 int64_t head_dim, bool backward) {
    const double s = (double)seq, a = (double)ahead, w = window ? (double)window : s + a;
    const double seen = area_below(s, w - a) - area_below(s, -a);
    return (backward ? 4 : 2) * (double)batch * (double)heads * 2 * seen * (double)head_dim;
}

double plan_attention_flop(int64_t batch, int64_t heads, int64_t seq, int64_t window, int64_t head_dim, bool backward) {
    return plan_attention_flop_ahead(batch, heads, seq, 0, window, head_dim, backward);
}

static void gemm(struct plan_ledger *l, enum plan_phase phase, const char *name, double count, int64_t m, int64_t n,
                 int64_t k, bool a_trans, bool b_trans, enum kernel_dtype in, enum kernel_dtype out) {
    if (count <= 0) return;
    struct plan_op *op = plan_ledger_add(l, PLAN_GEMM, phase, "gemm", name, count);
    op->m = m, op->n = n, op->k = k;
    op->a_trans = a_trans, op->b_trans = b_trans;
    op->in = in, op->out = out;
    op->flop = op->flop_square = plan_gemm_flop(m, n, k);
    op->bytes = (double)kernel_dtype_bytes(in) * (double)k * (double)(m + n) +
                (double)kernel_dtype_bytes(out) * (double)m * (double)n;
}

/* The same with a k that tensor parallel ranks split. The sum is FP32 if others are added to it. With a tree it is made
 * of leaves. */
static void gemm_sum(struct plan_ledger *l, const struct plan *p, enum plan_phase phase, const char *name, double count,
                     int64_t m, int64_t n, enum model_dim split, bool b_trans) {
    const enum kernel_dtype d = p->shape.dtype, out = model_is_apart(&p->shape) ? KERNEL_F32 : d;
    const int leaves = p->shape.tree.leaves ? p->shape.tree.columns : 1, first = l->count;
    for (int leaf = 0; leaf < leaves; leaf++) {
        const struct model_runs r = model_tree_runs(&p->shape, split, leaf);
        for (int i = 0; i < r.count; i++) {
            int same = first;
            while (same < l->count && l->ops[same].k != r.run[i].length) same++;
            if (same < l->count)
                l->ops[same].count += count;
            else
                gemm(l, phase, name, count, m, n, r.run[i].length, false, b_trans, d, out);
        }
    }
}

/* A gradient's, which is added up over t tokens, with a tree sequence by sequence. */
static void gemm_tokens(struct plan_ledger *l, const struct plan *p, enum plan_phase phase, const char *name,
                        double count, int64_t m, int64_t n, int64_t t) {
    const int64_t k = p->shape.tree.leaves && t > p->shape.seq ? p->shape.seq : t;
    if (t > 0) gemm(l, phase, name, count * (double)t / (double)k, m, n, k, true, false, p->shape.dtype, KERNEL_F32);
}

/* y = x W^T and its two gradients, `count` times over t rows, if tensor parallel ranks split `in` or else `out`. */
static void linear(struct plan_ledger *l, const struct plan *p, const char *const names[3], double count, int64_t t,
                   enum model_dim in_dim, enum model_dim out_dim) {
    const int64_t in = model_config_dim(p->shape.config, in_dim), out = model_config_dim(p->shape.config, out_dim);
    const enum kernel_dtype d = p->shape.dtype;
    if (in_dim != MODEL_WIDTH) {
        gemm_sum(l, p, PLAN_PHASE_FORWARD, names[0], count, t, out, in_dim, true);
        gemm(l, PLAN_PHASE_BACKWARD, names[1], count, t, in, out, false, false, d, d);
    } else {
        gemm(l, PLAN_PHASE_FORWARD, names[0], count, t, out, in, false, true, d, d);
        gemm_sum(l, p, PLAN_PHASE_BACKWARD, names[1], count, t, in, out_dim, false);
    }
    gemm_tokens(l, p, PLAN_PHASE_BACKWARD, names[2], count, out, in, t);
}

/* The router's, whose logits are FP32; of tensor parallel ranks the first adds for all to the tokens' gradient. */
static void router(struct plan_ledger *l, const struct plan *p, double count) {
    const struct model_config *c = p->shape.config;
    const enum kernel_dtype d = p->shape.dtype;
    const int64_t t = p->shape.batch * p->shape.seq;
    gemm(l, PLAN_PHASE_FORWARD, "router forward", count, t, c->experts, c->width, false, true, d, KERNEL_F32);
    gemm(l, PLAN_PHASE_BACKWARD, "router grad-input", p->shape.part.rank == 0 ? count : 0, t, c->width, c->experts,
         false, false, d, KERNEL_F32);
    gemm(l, PLAN_PHASE_BACKWARD, "router grad-weight", count, c->experts, c->width, t, true, false, d, KERNEL_F32);
}

/* The shared experts'; the gradient of their input is added up in FP32. */
static void shared(struct plan_ledger *l, const struct plan *p, double count) {
    static const char *const down[] = {"shared down forward", "shared down grad-input", "shared down grad-weight"};
    const struct model_config *c = p->shape.config;
    const enum kernel_dtype d = p->shape.dtype;
    const int64_t t = p->shape.batch * p->shape.seq, up = model_config_dim(c, MODEL_SHARED_UP);
    gemm(l, PLAN_PHASE_FORWARD, "shared up forward", count, t, up, c->width, false, true, d, d);
    gemm(l, PLAN_PHASE_BACKWARD, "shared up grad-input", count, t, c->width, up, false, false, d, KERNEL_F32);
    gemm(l, PLAN_PHASE_BACKWARD, "shared up grad-weight", count, up, c->width, t, true, false, d, KERNEL_F32);
    linear(l, p, down, count, t, MODEL_SHARED, MODEL_WIDTH);
}

/* Rows that the MLP computes of a micro-batch, and those of one matmul; experts' with balanced loads. */
static void mlp_rows(const struct plan *p, double *rows, int64_t *each) {
    const struct model_config *c = p->shape.config;
    const int64_t t = p->shape.batch * p->shape.seq;
    *rows = (double)t, *each = t;
    if (c->experts == 0) return;
    *rows = (double)(t * c->active), *each = t * c->active * model_expert_ranks(&p->shape) / c->experts;
    if (*each < 1) *each = 1;
}

/* Calls with this shape; one that was listed before with as much work gets them too. */
static void attention_of(struct plan_ledger *l, const struct plan *p, bool backward, double count, int64_t batch,
                         int64_t seq, int64_t ahead) {
    const struct model_config *c = p->shape.config;
    const int64_t head = c->latent.kv ? (c->head_dim + c->latent.value) / 2 : c->head_dim; /* of both matmuls */
    const double flop = plan_attention_flop_ahead(batch, c->heads, seq, ahead, c->window, head, backward);
    const enum plan_kind kind = backward ? PLAN_ATTENTION_BACKWARD : PLAN_ATTENTION_FORWARD;
    for (int i = 0; i < l->count; i++)
        if (l->ops[i].kind == kind && l->ops[i].flop == flop && !l->ops[i].ahead == !ahead) {
            l->ops[i].count += count;
            return;
        }
    struct plan_op *op =
        backward ? plan_ledger_add(l, kind, PLAN_PHASE_BACKWARD, "attention_backward", "attention backward", count)
                 : plan_ledger_add(l, kind, PLAN_PHASE_FORWARD, "attention_forward", "attention forward", count);
    op->batch = batch, op->heads = c->heads, op->seq = seq, op->head_dim = c->head_dim;
    op->window = c->window, op->ahead = ahead;
    op->in = op->out = p->shape.dtype;
    op->flop = flop;
    op->flop_square = 2 * plan_attention_flop_ahead(batch, c->heads, seq, ahead, 0, head, backward);
    double rows = (double)(op->batch * op->seq), bytes = (double)kernel_dtype_bytes(op->in);
    double qkv = (double)model_config_dim(c, MODEL_QKV), att = (double)model_config_dim(c, MODEL_ATTENTION);
    op->bytes = rows * bytes * (backward ? 2 * qkv + 2 * att : qkv + att);
}

/* Context parallel ranks call it for each sequence, half of their queries, and half of a rank's keys. */
static void attention(struct plan_ledger *l, const struct plan *p, bool backward, double count) {
    const struct model_context c = p->shape.context;
    const int64_t length = p->shape.seq / 2, parts = 2 * c.ranks;
    if (!model_context_shares(c)) {
        attention_of(l, p, backward, count, p->shape.batch, p->shape.seq, 0);
        return;
    }
    for (int half = 0; half < 2; half++)
        for (int64_t keys = 0; keys < parts; keys++) {
            const int64_t queries = model_context_part(c, c.rank, half);
            if (model_context_sees(queries, keys, length, p->shape.config->window))
                attention_of(l, p, backward, count * (double)p->shape.batch, 1, length, (queries - keys) * length);
        }
}

/* The head processes its rows in chunks of head_rows: full chunks and a remainder. */
static void head(struct plan_ledger *l, const struct plan *p, double micro) {
    const struct model_config *c = p->shape.config;
    const enum kernel_dtype d = p->shape.dtype;
    const enum plan_phase in = PLAN_PHASE_HEAD;
    const struct plan_chunks cut = plan_leaves_head_chunks(p);
    const double size = (double)kernel_dtype_bytes(d);
    const struct {
        int64_t rows;
        double count;
    } chunks[2] = {{cut.rows, micro * cut.full}, {cut.rest, micro * cut.rests}};
    for (int i = 0; i < 2; i++) {
        gemm(l, in, "head forward", chunks[i].count, chunks[i].rows, c->vocab, c->width, false, true, d, KERNEL_F32);
        gemm_sum(l, p, in, "head grad-input", chunks[i].count, chunks[i].rows, c->width, MODEL_VOCAB, false);
        gemm_tokens(l, p, in, "head grad-weight", chunks[i].count, c->vocab, c->width, chunks[i].rows);
    }
    for (int i = 0; i < 2; i++) {
        plan_ledger_pass(l, in, "cross_entropy_stats", "cross-entropy forward", chunks[i].count, chunks[i].rows,
                         c->vocab, 4, KERNEL_F32);
        plan_ledger_pass(l, in, "cross_entropy_grad", "cross-entropy gradient", chunks[i].count, chunks[i].rows,
                         c->vocab, 4 + size, d);
    }
}

static void message(void *context, const struct plan_message *m) {
    struct plan_ledger *l = context;
    int i = l->count - 1;
    while (i >= 0 && l->ops[i].kind == PLAN_MESSAGE &&
           (l->ops[i].bytes != m->bytes || strcmp(l->ops[i].op, m->op) || strcmp(l->ops[i].name, m->name) ||
            strcmp(l->ops[i].group, m->group)))
        i--;
    if (i >= 0 && l->ops[i].kind == PLAN_MESSAGE) {
        l->ops[i].count += m->count;
        return;
    }
    struct plan_op *o = plan_ledger_add(l, PLAN_MESSAGE, PLAN_PHASE_COMMUNICATION, m->op, m->name, m->count);
    o->group = m->group, o->bytes = m->bytes;
}

/* plan_layers_again of all stages. */
static double layers_again_of_all(const struct plan *p) {
    double sum = 0;
    if (p->shape.kept == MODEL_KEPT_ALL) return 0;
    for (int stage = 0; stage < p->request.layout.pp; stage++) {
        struct plan one = *p;
        one.place.at[PLAN_PP] = stage;
        plan_part_fill(&one);
        sum += (double)plan_layers_again(&one);
    }
    return sum;
}

/* Whether backward repeats such an operation. */
static bool is_repeated(const struct plan_op *op, enum model_kept kept) {
    const bool cheap = !strcmp(op->op, "norm_forward") || !strcmp(op->op, "gelu_forward") ||
                       !strcmp(op->op, "swiglu_forward") || op->kind == PLAN_ATTENTION_FORWARD;
    const bool last = !strcmp(op->name, "ffn down forward") || !strcmp(op->name, "shared down forward");
    const bool matmul = (op->kind == PLAN_GEMM && !last) || !strcmp(op->op, "rotary") ||
                        !strcmp(op->op, "route_forward") || !strcmp(op->name, "rows sorted");
    if (op->phase != PLAN_PHASE_FORWARD || kept == MODEL_KEPT_ALL) return false;
    return cheap || (matmul && kept == MODEL_KEPT_LAYERS);
}

static void total(struct plan_ledger *l, const struct plan *p) {
    const struct plan_layout *layout = &p->request.layout;
    double again = 0; /* of a layer */
    for (int i = 0; i < l->count; i++) {
        const struct plan_op *op = &l->ops[i];
        if (op->kind == PLAN_PASS) l->pass_bytes += op->count * op->bytes;
        if (op->again) continue;
        if (is_repeated(op, p->shape.kept) && op->kind != PLAN_ATTENTION_FORWARD)
            again += op->count / (double)p->shape.config->layers * op->flop;
        if (op->kind == PLAN_GEMM) l->matmul_flop += op->count * op->flop;
        if (op->kind == PLAN_ATTENTION_FORWARD || op->kind == PLAN_ATTENTION_BACKWARD) {
            l->attention_flop += op->count * op->flop;
            l->attention_flop_square += op->count * op->flop_square;
        }
        if (op->kind == PLAN_MESSAGE) {
            l->messages += op->count;
            l->message_bytes += op->count * op->bytes;
        }
    }
    if (p->shape.kept != MODEL_KEPT_ALL) /* of a rank's share, as context parallel ones have others under a window */
        again += (double)(p->accumulation * p->shape.batch) / layout->cp *
                 plan_attention_flop(1, p->shape.config->heads, p->request.seq, p->shape.config->window,
                                     p->shape.config->head_dim, false);
    l->model_flop = (l->matmul_flop + l->attention_flop) * layout->dp;
    l->model_flop_square = (l->matmul_flop + l->attention_flop_square) * layout->dp;
    l->model_attention_flop = l->attention_flop * layout->dp;
    if (layout->tp > 1 || layout->pp > 1 || layout->cp > 1) { /* ranks hold parts of different sizes */
        const struct plan_batch batch = {p->request.seq, p->request.global_batch};
        const struct plan_flop all = plan_flop_count(&p->request.config, &batch, PLAN_RECOMPUTE_NONE);
        l->model_flop = all.model, l->model_flop_square = all.model_square, l->model_attention_flop = all.attention;
    }
    l->hardware_flop = l->model_flop + again * layers_again_of_all(p) * plan_layout_replicas(layout) * layout->tp;
}

/* What backward repeats of forward's operations. A fused activation function is a pass of its own then, if its matmul
 * is not repeated. */
static void again(struct plan_ledger *l, const struct plan *p) {
    const enum model_kept kept = p->shape.kept;
    const double layers = (double)p->shape.config->layers, repeated = (double)plan_layers_again(p);
    const int listed = l->count;
    for (int i = 0; i < listed && repeated > 0; i++) {
        const struct plan_op *op = &l->ops[i];
        const bool norm = !strcmp(op->op, "norm_forward"), gelu = !strcmp(op->op, "gelu_forward");
        if (!is_repeated(op, kept)) continue;
        struct plan_op *o = &l->ops[l->count++];
        *o = *op;
        o->again = true, o->phase = PLAN_PHASE_BACKWARD;
        /* of norms only the two of each layer */
        o->count = (norm ? 2 * (double)p->accumulation : op->count / layers) * repeated;
        if (gelu && kept == MODEL_KEPT_MATMULS) o->bytes *= 2;
    }
}

/* Queries, keys and values; with latent attention by way of fewer numbers. */
static void queries(struct plan_ledger *l, const struct plan *p, double count, int64_t t) {
    static const char *const qkv[] = {"qkv forward", "qkv grad-input", "qkv grad-weight"};
    static const char *const down[] = {"latent forward", "latent grad-input", "latent grad-weight"};
    if (p->shape.config->latent.kv == 0) {
        linear(l, p, qkv, count, t, MODEL_WIDTH, MODEL_QKV);
        return;
    }
    if (p->shape.config->latent.query > 0) {
        linear(l, p, down, count, t, MODEL_WIDTH, MODEL_QUERY_RANK);
        linear(l, p, qkv, count, t, MODEL_QUERY_RANK, MODEL_QUERIES);
    } else {
        linear(l, p, qkv, count, t, MODEL_WIDTH, MODEL_QUERIES);
    }
    linear(l, p, down, count, t, MODEL_WIDTH, MODEL_KV_RANK);
    linear(l, p, qkv, count, t, MODEL_KV_LATENT, MODEL_KV_FROM_IT);
}

void plan_ledger_fill(struct plan_ledger *l, const struct plan *p, const struct model_params *params) {
    static const char *const proj[] = {"projection forward", "projection grad-input", "projection grad-weight"};
    static const char *const up[] = {"ffn up forward", "ffn up grad-input", "ffn up grad-weight"};
    static const char *const down[] = {"ffn down forward", "ffn down grad-input", "ffn down grad-weight"};
    const struct model_config *c = p->shape.config;
    const enum kernel_dtype d = p->shape.dtype;
    const double micro = (double)p->accumulation, each = micro * (double)(c->layers + c->predicted);
    const double dense = micro * (double)c->dense_layers, routed = each - dense;
    const int64_t t = p->shape.batch * p->shape.seq;
    int64_t rows;
    double all;
    mlp_rows(p, &all, &rows);
    const double mlps = routed * all / (double)rows;

    *l = (struct plan_ledger){0};
    queries(l, p, each, t);
    linear(l, p, proj, each, t, MODEL_ATTENTION, MODEL_WIDTH);
    if (c->experts > 0) router(l, p, routed);
    if (c->shared > 0) shared(l, p, routed);
    const int first = l->count;
    linear(l, p, up, mlps, rows, MODEL_WIDTH, MODEL_FFN_UP);
    linear(l, p, down, mlps, rows, MODEL_FFN, MODEL_WIDTH);
    for (int i = first; i < l->count; i++) l->ops[i].ragged = c->experts > 0;
    if (dense > 0)
        linear(l, p, up, dense, t, MODEL_WIDTH, MODEL_DENSE_UP), linear(l, p, down, dense, t, MODEL_DENSE, MODEL_WIDTH);
    attention(l, p, false, each);
    attention(l, p, true, each);
    if (!c->lacks_head) head(l, p, micro * (double)(1 + c->predicted));
    plan_ledger_passes(l, p, params);
    const int64_t owned = plan_owned(&p->request.layout, params);
    plan_ledger_pass(l, PLAN_PHASE_ZERO, "zero", "zero gradients", p->request.layout.zero < 2 ? 1 : micro,
                     params->total, 1, 4, KERNEL_F32);
    if (model_part_borrows(c))
        plan_ledger_pass(l, PLAN_PHASE_ZERO, "zero", "zero the table's gradient", 1, c->vocab * c->width, 1, 4,
                         KERNEL_F32);
    plan_ledger_pass(l, PLAN_PHASE_CLIP, "square_sum", "gradient norm", 1, owned, 1, 4, KERNEL_F32);
    plan_ledger_pass(l, PLAN_PHASE_UPDATE, "adamw", "AdamW", 1, owned, 1, d == KERNEL_BF16 ? 30 : 28, d);
    plan_messages(p, params, message, l);
    again(l, p);
    total(l, p);
}

/* FLOP that backward recomputes when a step is priced: attention, or a layer's whole forward pass. */
static double recomputed(const struct plan_ledger *l, int recompute) {
    double flop = 0;
    for (int i = 0; i < l->count; i++) {
        const struct plan_op *op = &l->ops[i];
        const bool again = recompute == PLAN_RECOMPUTE_FULL ||
                           (recompute == PLAN_RECOMPUTE_SELECTIVE && op->kind == PLAN_ATTENTION_FORWARD);
        if (again && op->phase == PLAN_PHASE_FORWARD) flop += op->count * op->flop;
    }
    return flop;
}

struct plan_flop plan_flop_count(const struct model_config *c, const struct plan_batch *b, int recompute) {
    struct plan one = {.request = {.config = *c, .layout = plan_layout_data_parallel(1, 1)},
                       .shape = {.batch = 1, .seq = b->seq, .context = {1, 0}, .head_rows = b->seq},
                       .accumulation = b->global_batch};
    struct model_params params;
    one.shape.config = &one.request.config;
    model_params_size(&params, c);
    plan_ledger_fill(&one.ledger, &one, &params);
    const struct plan_ledger *l = &one.ledger;
    return (struct plan_flop){l->model_flop, l->model_flop_square, l->model_flop + recomputed(l, recompute),
                              l->model_attention_flop};
}

double plan_full_model_flop(const struct plan *plan) {
    struct model_config whole = plan->request.config;
    whole.layers = whole.full_layers, whole.experts = whole.own_experts = whole.full_experts;
    const struct plan_batch batch = {plan->request.seq, plan->request.global_batch};
    return plan_flop_count(&whole, &batch, PLAN_RECOMPUTE_NONE).model;
}
