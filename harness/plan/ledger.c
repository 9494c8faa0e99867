/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the ledger from a plan: per layer, the head, the update, the messages. */
#include "plan/ledger.h"

double plan_gemm_flop(int64_t m, int64_t n, int64_t k) {
    return 2.0 * (double)m * (double)n * (double)k;
}

double plan_attention_flop(int64_t batch, int64_t heads, int64_t seq, int64_t window, int64_t head_dim, bool backward) {
    const double s = (double)seq, w = window && window < seq ? (double)window : s;
    const double matmul = (double)batch * (double)heads * 2 * (s * w - w * w / 2) * (double)head_dim;
    return (backward ? 4 : 2) * matmul;
}

static struct plan_op *add(struct plan_ledger *l, enum plan_kind kind, const char *name, double count) {
    struct plan_op *op = &l->ops[l->count++];
    *op = (struct plan_op){.kind = kind, .name = name, .count = count};
    return op;
}

static void gemm(struct plan_ledger *l, const char *name, double count, int64_t m, int64_t n, int64_t k, bool a_trans,
                 bool b_trans, enum kernel_dtype in, enum kernel_dtype out) {
    if (count <= 0) return;
    struct plan_op *op = add(l, PLAN_GEMM, name, count);
    op->m = m, op->n = n, op->k = k;
    op->a_trans = a_trans, op->b_trans = b_trans;
    op->in = in, op->out = out;
    op->flop = op->flop_square = plan_gemm_flop(m, n, k);
    op->bytes = (double)kernel_dtype_bytes(in) * (double)k * (double)(m + n) +
                (double)kernel_dtype_bytes(out) * (double)m * (double)n;
}

/* y = x W^T with its two gradients, for `count` layers and micro-batches */
static void linear(struct plan_ledger *l, const struct plan *p, const char *const names[3], double count, int64_t t,
                   int64_t in, int64_t out) {
    enum kernel_dtype d = p->shape.dtype;
    gemm(l, names[0], count, t, out, in, false, true, d, d);
    gemm(l, names[1], count, t, in, out, false, false, d, d);
    gemm(l, names[2], count, out, in, t, true, false, d, KERNEL_F32);
}

static void attention(struct plan_ledger *l, const struct plan *p, bool backward, double count) {
    const struct model_config *c = p->shape.config;
    struct plan_op *op = add(l, backward ? PLAN_ATTENTION_BACKWARD : PLAN_ATTENTION_FORWARD,
                             backward ? "attention backward" : "attention forward", count);
    op->batch = p->shape.batch, op->heads = c->heads, op->seq = p->shape.seq, op->head_dim = c->head_dim;
    op->window = c->window;
    op->in = op->out = p->shape.dtype;
    op->flop = plan_attention_flop(op->batch, op->heads, op->seq, op->window, op->head_dim, backward);
    op->flop_square = 2 * plan_attention_flop(op->batch, op->heads, op->seq, 0, op->head_dim, backward);
    double rows = (double)(op->batch * op->seq), bytes = (double)kernel_dtype_bytes(op->in);
    double qkv = (double)model_config_dim(c, MODEL_QKV), att = (double)model_config_dim(c, MODEL_ATTENTION);
    op->bytes = rows * bytes * (backward ? 2 * qkv + 2 * att : qkv + att);
}

static void pass(struct plan_ledger *l, const char *name, double count, double bytes) {
    add(l, PLAN_PASS, name, count)->bytes = bytes;
}

/* Rows of the head in chunks of head_rows: full chunks and a rest. */
static void head(struct plan_ledger *l, const struct plan *p, double micro) {
    const struct model_config *c = p->shape.config;
    const enum kernel_dtype d = p->shape.dtype;
    const int64_t t = p->shape.batch * p->shape.seq, h = p->shape.head_rows, rest = t % h;
    const struct {
        int64_t rows;
        double count;
    } chunks[2] = {{h, micro * (double)(t / h)}, {rest, rest ? micro : 0}};
    for (int i = 0; i < 2; i++) {
        gemm(l, "head forward", chunks[i].count, chunks[i].rows, c->vocab, c->width, false, true, d, KERNEL_F32);
        gemm(l, "head grad-input", chunks[i].count, chunks[i].rows, c->width, c->vocab, false, false, d, d);
        gemm(l, "head grad-weight", chunks[i].count, c->vocab, c->width, chunks[i].rows, true, false, d, KERNEL_F32);
    }
    pass(l, "cross-entropy", micro, (double)t * (double)c->vocab * (8 + (double)kernel_dtype_bytes(d)));
}

void plan_messages(const struct plan *p, const struct model_params *params,
                   void (*each)(void *context, int64_t range, double bytes), void *context) {
    const int64_t layers = p->shape.config->layers, bucket = p->request.bucket;
    const int64_t final = params->total - params->layer0 - layers * params->layer_size;
    int64_t pending = 0;
    if (p->data_parallel == 1) return;
    for (int64_t i = 0; i < layers + 2; i++) {
        pending += i == 0 ? final : i <= layers ? params->layer_size : params->layer0;
        if (pending < bucket && i <= layers) continue;
        each(context, i, 4.0 * (double)pending);
        pending = 0;
    }
}

static void message(void *context, int64_t range, double bytes) {
    struct plan_ledger *l = context;
    struct plan_op *last = &l->ops[l->count - 1];
    (void)range;
    if (last->kind == PLAN_MESSAGE && last->bytes == bytes)
        last->count++;
    else
        add(l, PLAN_MESSAGE, "gradient all-reduce", 1)->bytes = bytes;
}

static void total(struct plan_ledger *l, const struct plan *p) {
    for (int i = 0; i < l->count; i++) {
        const struct plan_op *op = &l->ops[i];
        if (op->kind == PLAN_GEMM) l->matmul_flop += op->count * op->flop;
        if (op->kind == PLAN_ATTENTION_FORWARD || op->kind == PLAN_ATTENTION_BACKWARD) {
            l->attention_flop += op->count * op->flop;
            l->attention_flop_square += op->count * op->flop_square;
        }
        if (op->kind == PLAN_PASS) l->pass_bytes += op->count * op->bytes;
        if (op->kind == PLAN_MESSAGE) {
            l->messages += op->count;
            l->message_bytes += op->count * op->bytes;
        }
    }
    l->model_flop = (l->matmul_flop + l->attention_flop) * p->data_parallel;
    l->model_flop_square = (l->matmul_flop + l->attention_flop_square) * p->data_parallel;
}

void plan_ledger_fill(struct plan_ledger *l, const struct plan *p) {
    static const char *const qkv[] = {"qkv forward", "qkv grad-input", "qkv grad-weight"};
    static const char *const proj[] = {"projection forward", "projection grad-input", "projection grad-weight"};
    static const char *const up[] = {"ffn up forward", "ffn up grad-input", "ffn up grad-weight"};
    static const char *const down[] = {"ffn down forward", "ffn down grad-input", "ffn down grad-weight"};
    const struct model_config *c = p->shape.config;
    const int64_t t = p->shape.batch * p->shape.seq, att = model_config_dim(c, MODEL_ATTENTION);
    const double micro = (double)p->accumulation, each = micro * (double)c->layers;
    const double size = (double)kernel_dtype_bytes(p->shape.dtype), row = (double)t * (double)c->width * size;
    struct model_params params;

    *l = (struct plan_ledger){0};
    linear(l, p, qkv, each, t, c->width, model_config_dim(c, MODEL_QKV));
    linear(l, p, proj, each, t, att, c->width);
    linear(l, p, up, each, t, c->width, model_config_dim(c, MODEL_FFN_UP));
    linear(l, p, down, each, t, c->ffn, c->width);
    attention(l, p, false, each);
    attention(l, p, true, each);
    head(l, p, micro);
    /* reads and writes: forward 2, backward reads x, dy twice, the residual's gradient, and writes dx */
    pass(l, "norm", (2 * (double)c->layers + (model_config_has(c, MODEL_EMBED_GAIN) ? 2 : 1)) * micro, 8 * row);
    /* GELU rides in the matmuls: what it writes beside, and reads again */
    pass(l, "activation function", each, (c->family->gated ? 8 : 2) * (double)t * (double)c->ffn * size);
    if (c->family->position == MODEL_POSITION_ROTARY) /* forward and back, in place */
        pass(l, "rotary positions", each, 4 * (double)t * (double)(att + model_config_dim(c, MODEL_KV)) * size);
    if (model_config_has(c, MODEL_QKV_BIAS))
        pass(l, "bias gradients", each,
             (double)(model_config_dim(c, MODEL_QKV) + 2 * c->width + c->ffn) * (double)t * size);
    pass(l, "embedding", micro, 2 * row + 3 * (double)t * (double)c->width * 4);
    if (model_params_open(&params, c, NULL)) return;
    const double n = (double)params.total;
    pass(l, "zero gradients", 1, 4 * n);
    pass(l, "gradient norm", 1, 4 * n);
    pass(l, "AdamW", 1, n * (28 + (p->shape.dtype == KERNEL_BF16 ? 2 : 0)));
    plan_messages(p, &params, message, l);
    model_params_close(&params);
    total(l, p);
}

double plan_full_model_flop(const struct plan *plan) {
    struct plan whole = *plan;
    struct plan_ledger ledger;
    whole.request.config.layers = whole.request.config.full_layers;
    whole.shape.config = &whole.request.config;
    plan_ledger_fill(&ledger, &whole);
    return ledger.model_flop;
}
