/* SPDX-License-Identifier: Apache-2.0
 *
 * Ring attention. Keys and values travel from rank to rank, while each computes with those that it has. Results for its
 * own queries join in FP32. In backward the keys' gradients travel along, one step behind, and end at home. */
#include "model/context.h"

#include <math.h>
#include <string.h>

#include "model/block.h"

int64_t model_context_position(struct model_context c, int64_t seq, int64_t i) {
    const int64_t length = seq / 2;
    if (!model_context_shares(c)) return i;
    return model_context_part(c, c.rank, i >= length) * length + i % length;
}

void model_context_take(struct model_context c, int64_t seq, const int32_t *whole, int32_t *own) {
    const int64_t length = seq / 2;
    for (int half = 0; half < 2; half++)
        memcpy(own + half * length, whole + model_context_part(c, c.rank, half) * length, (size_t)length * sizeof *own);
}

bool model_context_sees(int64_t queries, int64_t keys, int64_t length, int64_t window) {
    return keys <= queries && (window == 0 || keys == queries || (queries - keys - 1) * length < window);
}

/* A token's keys and values as they travel: adjacent, but in the model's order of heads. */
struct travelling {
    int64_t pieces, length, step; /* contiguous pieces, `step` apart in the model's row */
    int64_t row, own_row;         /* of the travelling row and the model's, elements */
    int64_t head, value;          /* distance of heads; of values from keys */
};
static struct travelling travelling(const struct model_config *c) {
    const int64_t d = c->head_dim, kv = model_config_dim(c, MODEL_KV), qkv = model_config_dim(c, MODEL_QKV);
    if (c->family->interleaved) return (struct travelling){c->heads, 2 * d, 3 * d, 2 * kv, qkv, 2 * d, d};
    return (struct travelling){1, 2 * kv, 0, 2 * kv, qkv, d, kv};
}

/* Copies all tokens' keys and values between the model's rows, from the first key on, and travelling ones. */
static void pack(const struct model *m, void *model, void *packed, size_t size, bool in) {
    const struct travelling x = travelling(m->shape.config);
    const int64_t tokens = model_tokens(m);
    const size_t bytes = (size_t)x.length * size;
#pragma omp parallel for num_threads(m->team->threads)
    for (int64_t t = 0; t < tokens; t++)
        for (int64_t i = 0; i < x.pieces; i++) {
            char *own = (char *)model + (size_t)(t * x.own_row + i * x.step) * size;
            char *other = (char *)packed + (size_t)(t * x.row + i * x.length) * size;
            memcpy(in ? own : other, in ? other : own, bytes);
        }
}

/* One step of the ring: this rank's queries, and the keys and values of rank `owner`. */
struct step {
    const struct model *m;
    struct kernel_attention a; /* of all tokens; keys and their gradients as they travel */
    bool backward;
};

static void *beyond(const void *p, int64_t elements, enum kernel_dtype t) {
    return (char *)(uintptr_t)p + elements * (int64_t)kernel_dtype_bytes(t);
}

/* The kernel for one half of the queries of a sequence and one of the keys. */
static void attend_halves(const struct step *s, int64_t b, int half, int64_t queries, int of_keys, int64_t keys) {
    struct kernel_attention a = s->a;
    const int64_t length = a.seq_q / 2, q = (2 * b + half) * length, k = (2 * b + of_keys) * length;
    const enum kernel_dtype t = a.dtype, f = KERNEL_F32, o = s->backward ? t : f;
    a.batch = 1, a.seq_q = a.seq_k = length;
    a.q_offset = queries * length, a.k_offset = keys * length;
    a.q = beyond(a.q, q * a.q_row, t), a.k = beyond(a.k, k * a.kv_row, t), a.v = beyond(a.v, k * a.kv_row, t);
    a.o = beyond(a.o, q * a.o_row, o);
    a.lse += q * a.heads; /* [batch, half, heads, seq / 2] */
    if (s->backward) {
        a.d_o = beyond(a.d_o, q * a.o_row, t), a.dq = beyond(a.dq, q * a.q_row, f);
        a.dk = beyond(a.dk, k * a.kv_row, f), a.dv = beyond(a.dv, k * a.kv_row, f);
    }
    (s->backward ? s->m->team->ops->attention_backward : s->m->team->ops->attention_forward)(s->m->team, &a);
}

static void attend(const struct step *s, int owner) {
    const struct model_context c = s->m->shape.context;
    for (int64_t b = 0; b < s->m->shape.batch; b++)
        for (int half = 0; half < 2; half++)
            for (int of_keys = 0; of_keys < 2; of_keys++) {
                const int64_t queries = model_context_part(c, c.rank, half),
                              keys = model_context_part(c, owner, of_keys);
                if (model_context_sees(queries, keys, s->a.seq_q / 2, s->a.window))
                    attend_halves(s, b, half, queries, of_keys, keys);
            }
}

/* Where the keys and values are that are computed with in step i; this rank's own are put there first. */
static void *ring_at(const struct model *m, int i) {
    return model_buffer_copy(m, MODEL_RING, i % 2);
}
static void begin_ring(const struct model *m, const struct kernel_attention *own) {
    pack(m, (void *)(uintptr_t)own->k, ring_at(m, 0), kernel_dtype_bytes(m->shape.dtype), false);
}
static size_t ring_bytes(const struct model *m, enum kernel_dtype t) {
    return (size_t)(model_tokens(m) * travelling(m->shape.config).row) * kernel_dtype_bytes(t);
}

/* The operands for keys that travel. */
static struct step step_of(const struct model *m, const struct kernel_attention *own, bool backward) {
    const struct travelling x = travelling(m->shape.config);
    struct step s = {m, *own, backward};
    s.a.add = true;
    s.a.kv_row = x.row, s.a.kv_head = x.head;
    return s;
}
static void set_keys(struct step *s, int i) {
    s->a.k = ring_at(s->m, i);
    s->a.v = beyond(s->a.k, travelling(s->m->shape.config).value, s->a.dtype);
}

/* Step i's neighbours: the next step's keys come while this one's are used. */
static void pass_on(const struct model *m, int i) {
    if (i + 1 < m->shape.context.ranks)
        m->hooks.exchange(m->hooks.context, MODEL_KEYS, ring_at(m, i), ring_at(m, i + 1),
                          ring_bytes(m, m->shape.dtype));
}
static void passed_on(const struct model *m, int i) {
    if (i + 1 < m->shape.context.ranks) m->hooks.exchanged(m->hooks.context, MODEL_KEYS);
}
/* Whose keys step i has. */
static int owner_at(struct model_context c, int i) {
    return (c.rank + c.ranks - i) % c.ranks;
}

void model_context_forward(const struct model *m, const struct kernel_attention *own) {
    const struct model_context c = m->shape.context;
    const int64_t rows = model_tokens(m) * own->heads;
    struct step s = step_of(m, own, false);
    if (own->dtype == KERNEL_BF16) s.a.o = m->buffers[MODEL_JOINED];
    for (int64_t i = 0; i < rows; i++) own->lse[i] = -INFINITY;
    begin_ring(m, own);
    for (int i = 0; i < c.ranks; i++) {
        pass_on(m, i);
        set_keys(&s, i);
        attend(&s, owner_at(c, i));
        passed_on(m, i);
    }
    if (own->dtype == KERNEL_BF16) m->team->ops->to_bf16(m->team, model_tokens(m) * own->o_row, s.a.o, own->o);
}

void model_context_backward(const struct model *m, const struct kernel_attention *own) {
    const struct kernel_ops *ops = m->team->ops;
    const struct model_context c = m->shape.context;
    const int64_t kv = model_tokens(m) * travelling(m->shape.config).row, qkv = model_tokens(m) * own->q_row;
    const bool bf16 = own->dtype == KERNEL_BF16;
    float *arrived = model_buffer_copy(m, MODEL_RING_GRAD, 2), *dqkv = bf16 ? m->buffers[MODEL_JOINED] : own->dq;
    struct step s = step_of(m, own, true);
    s.a.dq = dqkv;
    ops->zero(m->team, qkv, dqkv);
    begin_ring(m, own);
    for (int i = 0; i < c.ranks; i++) {
        float *mine = model_buffer_copy(m, MODEL_RING_GRAD, i % 2);
        pass_on(m, i);
        set_keys(&s, i);
        s.a.dk = mine, s.a.dv = mine + travelling(m->shape.config).value;
        ops->zero(m->team, kv, mine);
        attend(&s, owner_at(c, i));
        if (i) { /* what the ranks before found of the same keys */
            m->hooks.exchanged(m->hooks.context, MODEL_KEYS_GRAD);
            ops->triad(m->team, kv, mine, 1, arrived, mine);
        }
        m->hooks.exchange(m->hooks.context, MODEL_KEYS_GRAD, mine, arrived, ring_bytes(m, KERNEL_F32));
        passed_on(m, i);
    }
    m->hooks.exchanged(m->hooks.context, MODEL_KEYS_GRAD);
    const size_t to_keys = (size_t)((const char *)own->k - (const char *)own->q) / kernel_dtype_bytes(own->dtype);
    pack(m, dqkv + to_keys, arrived, sizeof *arrived, true);
    if (bf16) ops->to_bf16(m->team, qkv, dqkv, own->dq);
}
