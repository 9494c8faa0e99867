/* SPDX-License-Identifier: Apache-2.0
 * check: ranks 4
 * check: timeout 300
 *
 * Faults of tensor, sequence, context, pipeline and sharded data parallel layouts (support/layout_faults.h). */
#include "mpi/support/layout_faults.h"

/* Tensor parallel sums of gradients of norms and biases are `width` long, those of activations are longer. */
static void norms_local(struct comm *c, void *x, int64_t n, enum kernel_dtype t, struct comm_request *request) {
    n == width ? none(request) : own[TENSOR]->all_reduce_start(c, x, n, t, request);
}
static void norms_doubled(struct comm *c, void *x, int64_t n, enum kernel_dtype t, struct comm_request *request) {
    float *g = x;
    for (int64_t i = 0; n == width && i < n; i++) g[i] *= 2;
    own[TENSOR]->all_reduce_start(c, x, n, t, request);
}
static void addend_lost(struct comm *c, void *x, int64_t n, enum kernel_dtype t, struct comm_request *request) {
    if (is_last(c) && n > width) memset(x, 0, (size_t)n * kernel_dtype_bytes(t));
    own[TENSOR]->all_reduce_start(c, x, n, t, request);
}
static void sum_lost(struct comm *c, void *x, int64_t n, enum kernel_dtype t, struct comm_request *request) {
    calls++ % 5 == 2 ? none(request) : own[TENSOR]->all_reduce_start(c, x, n, t, request);
}
static void mean_for_sum(struct comm *c, void *x, int64_t n, enum kernel_dtype t, struct comm_request *request) {
    float *f = x;
    for (int64_t i = 0; t == KERNEL_F32 && i < n; i++) f[i] /= (float)c->size;
    own[TENSOR]->all_reduce_start(c, x, n, t, request);
}
static void share_lost(struct comm *c, void *x, int64_t n, enum kernel_dtype t, struct comm_request *request) {
    if (is_last(c)) memset(x, 0, (size_t)n * kernel_dtype_bytes(t));
    own[TENSOR]->reduce_scatter_start(c, x, n, t, request);
}
static void share_of_another(struct comm *c, void *x, int64_t n, enum kernel_dtype t, struct comm_request *request) {
    const size_t half = (size_t)(n / 2) * kernel_dtype_bytes(t);
    for (size_t i = 0; i < half; i++) { /* halves swapped on all ranks alike */
        char *a = (char *)x + i, *b = (char *)x + half + i, kept = *a;
        *a = *b, *b = kept;
    }
    own[TENSOR]->reduce_scatter_start(c, x, n, t, request);
}
static void statistics_local(struct comm *c, void *x, int64_t n, int unit, struct comm_request *request) {
    n % width ? none(request) : own[TENSOR]->all_gather_start(c, x, n, unit, request);
}
static void shares_zero(struct comm *c, void *x, int64_t n, int unit, struct comm_request *request) {
    const int64_t first = comm_block(n, c->size, c->rank), end = comm_block(n, c->size, c->rank + 1);
    if (is_last(c) && n % width == 0) memset((char *)x + first * unit, 0, (size_t)((end - first) * unit));
    own[TENSOR]->all_gather_start(c, x, n, unit, request);
}
static void heads_doubled(struct comm *c, void *x, int64_t n, enum kernel_dtype t, struct comm_request *request) {
    twice(x, n);
    own[HEADS]->all_reduce_start(c, x, n, t, request);
}

static void gradient_dropped(struct comm *c, void *x, int64_t n, enum kernel_dtype t, struct comm_request *request) {
    if (is_last(c)) memset(x, 0, (size_t)n * kernel_dtype_bytes(t));
    own[DATA]->reduce_scatter_start(c, x, n, t, request);
}
static void gradient_local(struct comm *c, void *x, int64_t n, enum kernel_dtype t, struct comm_request *request) {
    calls++ % 3 == 1 ? none(request) : own[DATA]->reduce_scatter_start(c, x, n, t, request);
}
/* One rank keeps a stale block of another. */
static char *stale, kept[1 << 16];
static size_t stale_bytes;
static void gather_stale(struct comm *c, void *x, int64_t n, int unit, struct comm_request *request) {
    if (is_last(c) && n > width) {
        stale = x, stale_bytes = (size_t)(comm_block(n, c->size, 1) * unit);
        if (stale_bytes > sizeof kept) stale_bytes = sizeof kept;
        memcpy(kept, stale, stale_bytes);
    }
    own[DATA]->all_gather_start(c, x, n, unit, request);
}
static void wait_stale(struct comm *c, struct comm_request *request) {
    own[DATA]->wait(c, request);
    if (stale) memcpy(stale, kept, stale_bytes);
    stale = NULL;
}
static void gather_lost(struct comm *c, void *x, int64_t n, int unit, struct comm_request *request) {
    calls++ % 4 == 2 ? none(request) : own[DATA]->all_gather_start(c, x, n, unit, request);
}
/* Of pipeline stages. What is sent stays valid until the engine is closed. */
enum { SENDS = 64, SENT = 1 << 15 };
static char sent[SENDS][SENT];
static const void *keep(const void *x, size_t bytes) {
    char *copy = sent[calls++ % SENDS];
    return bytes <= SENT ? memcpy(copy, x, bytes) : x;
}
/* Tags are odd for gradients. */
static void send_before(struct comm *c, const void *x, size_t n, int to, int tag, struct comm_request *request) {
    static char last[SENT];
    char now[SENT];
    const bool other = tag % 2 == 0 && n <= SENT;
    if (other) memcpy(now, x, n);
    own[STAGES]->send_start(c, other && calls ? keep(last, n) : x, n, to, tag, request);
    if (other) memcpy(last, now, n), calls++;
}
/* Through a group's own table. */
static void zeros_for(bool lost, const struct comm_ops *through, struct comm *c, const void *x, size_t n, int to,
                      int tag, struct comm_request *request) {
    static const char zeros[SENT];
    through->send_start(c, lost && n <= SENT ? zeros : x, n, to, tag, request);
}
static void half_of(const struct comm_ops *through, struct comm *c, const void *x, size_t n, int to, int tag,
                    struct comm_request *request) {
    char *copy = (char *)(uintptr_t)keep(x, n);
    if (n <= SENT) memset(copy + n / 2, 0, n / 2);
    through->send_start(c, copy, n, to, tag, request);
}
static void send_zeros(struct comm *c, const void *x, size_t n, int to, int tag, struct comm_request *request) {
    zeros_for(tag % 2, own[STAGES], c, x, n, to, tag, request);
}
static void send_half(struct comm *c, const void *x, size_t n, int to, int tag, struct comm_request *request) {
    half_of(own[STAGES], c, x, n, to, tag, request);
}
/* Of context parallel ranks, by tag. */
static void keys_lost(struct comm *c, const void *x, size_t n, int to, int tag, struct comm_request *request) {
    zeros_for(tag == MODEL_KEYS, own[CONTEXT], c, x, n, to, tag, request);
}
static void keys_grad_lost(struct comm *c, const void *x, size_t n, int to, int tag, struct comm_request *request) {
    zeros_for(tag == MODEL_KEYS_GRAD, own[CONTEXT], c, x, n, to, tag, request);
}
static void ring_half(struct comm *c, const void *x, size_t n, int to, int tag, struct comm_request *request) {
    half_of(own[CONTEXT], c, x, n, to, tag, request);
}
static void norm_of_stage(struct comm *c, double *x, int n) {
    if (n > 1) own[STAGES]->sum(c, x, n); /* the loss, and this rank's part */
}
static void loss_of_stages(struct comm *c, double *x, int n) {
    own[STAGES]->sum(c, x, n);
    if (n > 1) *x *= c->size;
}
static void table_doubled(struct comm *c, void *x, int64_t n, enum kernel_dtype t, struct comm_request *request) {
    twice(x, n);
    own[ENDS]->all_reduce_start(c, x, n, t, request);
}
/* The last stage keeps the table of the first step. */
static void table_sent_once(struct comm *c, const void *x, size_t n, int to, int tag, struct comm_request *request) {
    tag == 0 && calls++ ? none(request) : own[ENDS]->send_start(c, x, n, to, tag, request);
}
static void table_received_once(struct comm *c, void *x, size_t n, int from, int tag, struct comm_request *request) {
    tag == 0 && calls++ ? none(request) : own[ENDS]->receive_start(c, x, n, from, tag, request);
}

/* The first sum of a step is the loss, then come the norms of two updates. */
static void norm_of_blocks(struct comm *c, double *x, int n) {
    if (!calls++) own[DATA]->sum(c, x, n);
}
static void loss_twice(struct comm *c, double *x, int n) {
    own[DATA]->sum(c, x, n);
    if (!calls++) *x *= c->size;
}

static void unmasked(const struct kernel_team *team, const struct kernel_embedding *e) {
    struct kernel_embedding all = *e;
    int32_t *tokens = malloc((size_t)e->rows * sizeof *tokens);
    for (int64_t i = 0; tokens && i < e->rows; i++) tokens[i] = (int32_t)(e->tokens[i] % e->vocab);
    all.tokens = tokens, all.first = 0;
    sound.embedding_forward(team, &all);
    free(tokens);
}
static void target_of_first(const struct kernel_team *team, const struct kernel_cross_entropy *e) {
    struct kernel_cross_entropy first = *e;
    first.first = 0;
    sound.cross_entropy_grad(team, &first);
}
static void maximum_of_part(const struct kernel_team *team, const struct kernel_cross_entropy *e) {
    for (int64_t i = 0; rank && i < e->rows; i++) e->max[i] -= 1;
    sound.cross_entropy_grad(team, e);
}
static void bias_lost(const struct kernel_team *team, const struct kernel_gemm *g) {
    struct kernel_gemm plain = *g;
    if (g->n == width && g->b_trans) plain.bias = NULL; /* after attention and the MLP */
    sound.gemm(team, &plain);
}
static void residual_twice(const struct kernel_team *team, const struct kernel_gemm *g) {
    sound.gemm(team, g);
    float *c = g->c;
    for (int64_t i = 0; rank && g->n == width && g->b_trans && g->out == KERNEL_F32 && i < g->m * g->n; i++)
        c[i] += 0.5f;
}
/* One stage keeps the gradients of the last micro-batch alone. */
static void not_added(const struct kernel_team *team, const struct kernel_gemm *g) {
    struct kernel_gemm alone = *g;
    if (last_stage && g->a_trans) alone.d = NULL;
    sound.gemm(team, &alone);
}
/* Each part of the keys under the mask of the queries' own. */
static void mask_of_own(const struct kernel_team *team, const struct kernel_attention *a) {
    struct kernel_attention wrong = *a;
    wrong.q_offset = wrong.k_offset;
    sound.attention_forward(team, &wrong);
}
/* The keys that come last take the place of those before. */
static void not_merged(const struct kernel_team *team, const struct kernel_attention *a) {
    for (int64_t i = 0; i < a->heads * a->seq_q; i++) a->lse[i] = -INFINITY;
    sound.attention_forward(team, a);
}
/* Distances as if a rank's two halves were adjacent. */
static void adjacent_halves(const struct kernel_team *team, const struct kernel_rotary *r) {
    struct kernel_rotary wrong = *r;
    const int64_t n = r->seq * (r->head_dim / 2);
    float *table = malloc(2 * (size_t)n * sizeof *table);
    for (int64_t i = 0; table && i < n; i++) { /* the angles of a first half, twice */
        table[i] = r->cos[i % (n / 2)], table[n + i] = r->sin[i % (n / 2)];
    }
    wrong.cos = table, wrong.sin = table + n;
    sound.rotary(team, &wrong);
    free(table);
}
static void sums_lost(const struct kernel_team *team, int64_t n, const float *x, float *y) {
    calls++ % 2 ? sound.copy(team, n, x, y) : sound.zero(team, n, y);
}

static const struct fault faults[] = {
    {"healthy", "gpt2", 2, 0, 0, .seeded = false},
    {"healthy", "bloom", 2, 1, 1, .seeded = false},
    {"healthy", "llama", 4, 1, 2, .seeded = false},
    {"healthy", "mistral", 2, 0, 3, .seeded = false},
    {"norms' gradients not summed under SP", "gpt2", 2, 1, 0, IN(TENSOR, all_reduce_start, norms_local),
     .at = "all_reduce of tp"},
    {"norms' gradients doubled under SP", "bloom", 2, 1, 1, IN(TENSOR, all_reduce_start, norms_doubled),
     .at = "all_reduce of tp"},
    {"a rank's partial sums lost", "gpt2", 2, 0, 0, IN(TENSOR, all_reduce_start, addend_lost),
     .at = "all_reduce of tp"},
    {"some partial sums not summed", "llama", 2, 0, 1, IN(TENSOR, all_reduce_start, sum_lost),
     .at = "all_reduce of tp"},
    {"the mean of partial sums", "mistral", 2, 0, 0, IN(TENSOR, all_reduce_start, mean_for_sum),
     .at = "all_reduce of tp"},
    {"a rank's shares lost", "bloom", 2, 1, 0, IN(TENSOR, reduce_scatter_start, share_lost),
     .at = "reduce_scatter of tp"},
    {"shares of another rank", "gpt2", 2, 1, 2, IN(TENSOR, reduce_scatter_start, share_of_another),
     .at = "reduce_scatter of tp"},
    {"statistics of a part of the vocabulary", "gpt2", 2, 0, 0, IN(TENSOR, all_gather_start, statistics_local),
     .at = "all_gather of tp"},
    {"a rank's tokens gathered as zeros", "llama", 2, 1, 0, IN(TENSOR, all_gather_start, shares_zero),
     .at = "all_gather of tp"},
    {"gradient norm of one tensor parallel rank", "gpt2", 2, 0, 0, IN(TENSOR, sum, norm_of_part)},
    {"shared heads' gradient not summed", "llama", 4, 0, 0, IN(HEADS, all_reduce_start, not_summed),
     .at = "all_reduce of kv"},
    {"shared heads' gradient doubled", "mistral", 4, 0, 2, IN(HEADS, all_reduce_start, heads_doubled),
     .at = "all_reduce of kv"},
    {"a rank's gradients dropped", "gpt2", 1, 0, 1, IN(DATA, reduce_scatter_start, gradient_dropped),
     .at = "reduce_scatter of dp"},
    {"some gradients not reduced", "bloom", 2, 0, 2, IN(DATA, reduce_scatter_start, gradient_local),
     .at = "reduce_scatter of dp"},
    {"a stale gather on one rank", "gpt2", 1, 0, 1,
     .group[DATA] = {.all_gather_start = gather_stale, .wait = wait_stale}, .at = "all_gather of dp"},
    {"some weights not gathered", "llama", 1, 0, 3, IN(DATA, all_gather_start, gather_lost), .at = "all_gather of dp"},
    {"gradient norm of one rank's blocks", "gpt2", 1, 0, 2, IN(DATA, sum, norm_of_blocks)},
    {"loss scaled by the ranks", "gpt2", 2, 0, 0, IN(DATA, sum, loss_twice)},
    {"gradients of earlier micro-batches lost", "gpt2", 1, 0, 2, KERNEL(copy, sums_lost)},
    {"words of other ranks not masked", "gpt2", 2, 0, 0, KERNEL(embedding_forward, unmasked)},
    {"targets of the first rank's words", "mistral", 2, 0, 0, KERNEL(cross_entropy_grad, target_of_first)},
    {"maximum of a part in the softmax", "bloom", 2, 0, 0, KERNEL(cross_entropy_grad, maximum_of_part)},
    {"bias after a sum lost", "gpt2", 2, 0, 0, KERNEL(gemm, bias_lost)},
    {"something added by every rank", "llama", 2, 0, 0, KERNEL(gemm, residual_twice)},
    {"replicas drift apart", "gpt2", 2, 0, 0, KERNEL(adamw, drifting), .at = "common weights of rank"},
    {"a rank starts from another seed", "bloom", 2, 0, 0, .seeded = true},
    {"healthy", "gpt2", 1, 0, 0, 4, 1, .seeded = false},
    {"healthy", "bloom", 2, 1, 0, 2, 2, .seeded = false},
    {"healthy", "llama", 1, 0, 3, 2, 1, .seeded = false},
    {"activations of the micro-batch before", "llama", 1, 0, 0, 4, 1, IN(STAGES, send_start, send_before)},
    {"gradients between stages lost", "gpt2", 1, 0, 0, 2, 2, IN(STAGES, send_start, send_zeros), .at = "send of pp"},
    {"half of a message between stages lost", "mistral", 1, 0, 1, 2, 1, IN(STAGES, send_start, send_half),
     .at = "send of pp"},
    {"gradient norm of one stage", "bloom", 1, 0, 0, 2, 1, IN(STAGES, sum, norm_of_stage)},
    {"loss scaled by the stages", "llama", 2, 0, 0, 2, 1, IN(STAGES, sum, loss_of_stages)},
    {"tied table's gradients not summed", "gpt2", 1, 0, 0, 2, 1, IN(ENDS, all_reduce_start, not_summed),
     .at = "all_reduce of ends"},
    {"tied table's gradients doubled", "bloom", 2, 0, 0, 2, 1, IN(ENDS, all_reduce_start, table_doubled),
     .at = "all_reduce of ends"},
    {"a stale copy of the tied table", "gpt2", 1, 0, 1, 2, 1,
     .group[ENDS] = {.send_start = table_sent_once, .receive_start = table_received_once},
     .at = "tied token table of rank"},
    {"gradients of earlier micro-batches lost in a stage", "mistral", 1, 0, 0, 4, 1, KERNEL(gemm, not_added)},
    {"healthy", "bloom", 1, 0, 0, .cp = 4, .seeded = false},
    {"healthy", "mistral", 2, 1, 3, .cp = 2, .seeded = false},
    {"loss scaled by CP", "gpt2", 1, 0, 0, .cp = 4, IN(DATA, sum, loss_twice)},
    {"gradients not summed over CP", "llama", 1, 0, 0, .cp = 4, IN(DATA, all_reduce_start, not_summed),
     .at = "all_reduce of dp"},
    {"keys and values lost in the ring", "gpt2", 1, 0, 1, .cp = 2, IN(CONTEXT, send_start, keys_lost)},
    {"keys' gradients lost in the ring", "bloom", 1, 0, 0, .cp = 4, IN(CONTEXT, send_start, keys_grad_lost)},
    {"half of a message of the ring lost", "llama", 2, 0, 0, .cp = 2, IN(CONTEXT, send_start, ring_half),
     .at = "send of cp"},
    {"parts of the keys under the mask of the queries' own", "mistral", 1, 0, 0, .cp = 2,
     KERNEL(attention_forward, mask_of_own)},
    {"parts of the keys not merged", "gpt2", 1, 0, 0, .cp = 4, KERNEL(attention_forward, not_merged)},
    {"positions of adjacent halves", "llama", 1, 0, 0, .cp = 2, KERNEL(rotary, adjacent_halves)},
    {"a stage starts from another seed", "bloom", 1, 0, 0, 2, 1, .seeded = true, .at = "weights of rank"},
};

int main(void) {
    struct agreed a;
    agreed_open(&a);
    return judge_all(&a, faults, sizeof faults / sizeof *faults);
}
