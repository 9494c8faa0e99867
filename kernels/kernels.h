/* SPDX-License-Identifier: Apache-2.0
 *
 * The contract of every kernel, which computes on buffers that the caller owns.
 * Kernels know no MPI, no models and no files. They never allocate: working space is team->scratch.
 * All matrices are row-major. A leading dimension (ld) is the distance in elements between rows. Pointers need only
 * the natural alignment of their element; alignment never changes a bit of the result. Outputs never overlap inputs
 * unless stated.
 * Infinities and NaN follow IEEE-754 through the formulas, and reach no row, column or element that does not depend on
 * them. The one exception is attention: they may reach nearby queries and keys that do not see each other, because a
 * weight of 0 is multiplied too.
 * The caller owns the floating-point state (rounding, flushing); kernels do not change it. */
#ifndef TOISE_KERNELS_H
#define TOISE_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A set is numbered above the set that it builds on (kernel_isa_base). */
enum kernel_isa {
    KERNEL_ISA_ref,
    KERNEL_ISA_neon,
    KERNEL_ISA_avx2,
    KERNEL_ISA_avx512,
    KERNEL_ISA_avx512bf16,
    KERNEL_ISA_COUNT,
#ifdef __aarch64__
    KERNEL_ISA_HIGHEST = KERNEL_ISA_neon /* of this architecture */
#else
    KERNEL_ISA_HIGHEST = KERNEL_ISA_avx512bf16
#endif
};
enum kernel_dtype { KERNEL_F32, KERNEL_BF16, KERNEL_DTYPE_COUNT };
enum kernel_backend { KERNEL_BACKEND_TOISE, KERNEL_BACKEND_OPENBLAS }; /* which library multiplies FP32 matrices */

typedef uint16_t kernel_bf16; /* the upper half of an IEEE-754 binary32 */

struct kernel_ops;

/* A matmul library that the caller supplies: the CBLAS interface with 32-bit integers (LP64), row-major. The caller
 * also sets its threads. sbgemm multiplies BF16 into FP32 C, as OpenBLAS's cblas_sbgemm and MKL's
 * cblas_gemm_bf16bf16f32 do; NULL: the library has none. */
struct kernel_cblas {
    void (*sgemm)(int order, int a_trans, int b_trans, int m, int n, int k, float alpha, const float *a, int lda,
                  const float *b, int ldb, float beta, float *c, int ldc);
    void (*sbgemm)(int order, int a_trans, int b_trans, int m, int n, int k, float alpha, const kernel_bf16 *a, int lda,
                   const kernel_bf16 *b, int ldb, float beta, float *c, int ldc);
};

/* Data caches that the team's blocking assumes, bytes. 0: unknown; the blocking then assumes 32 KiB, 512 KiB and 1 MiB
 * a thread. l1 and l2: one thread's share of its core's. l3: what all threads of the team share. */
struct kernel_caches {
    int64_t l1, l2, l3;
};

/* The threads of one rank, and what every operation needs besides its operands. Call operations from outside of
 * parallel regions; they run on `threads` OpenMP threads and return when all are done. Results depend only on the
 * operands, the variant, `caches` and `threads`, bit for bit. Work is divided statically and partial sums are added
 * in a fixed order.
 * With `steady` they depend on the operands and the variant alone. A row, column, head or sequence has the same bits
 * whatever others are in the call, unless the operation adds them up. Matmuls of a library promise neither. */
struct kernel_team {
    const struct kernel_ops *ops; /* callers call through this: team->ops->gemm(team, &g) */
    int threads;
    void *scratch; /* 64-byte aligned, at least kernel_scratch_bytes() */
    size_t scratch_bytes;
    const struct kernel_caches *caches; /* NULL: unknown */
    void (*poll)(void *);               /* called by the calling thread only, between blocks of long operations */
    void *poll_context;                 /* (tens to hundreds of microseconds apart); NULL: no polling */
    const struct kernel_ops *inner;     /* for tables that wrap another (to count, time or check): the wrapped table */
    void *wrapper;                      /* ... and the wrapper's state; plain kernels ignore both */
    bool steady;                        /* results depend neither on threads nor on caches; may be slower */
};

/* An element-wise pass over C that is fused into the matmul, while a tile is in cache. The result equals the plain
 * matmul followed by the same variant's pass, bit for bit. GELU: y = gelu(C), and C is kept. GELU_GRAD: C is the
 * plain result times gelu'(x). */
enum kernel_epilogue { KERNEL_EPILOGUE_NONE, KERNEL_EPILOGUE_GELU, KERNEL_EPILOGUE_GELU_GRAD };

/* C[m,n] = op(A)[m,k] op(B)[k,n] + bias[n] + D[m,n], accumulated in FP32. No order of additions depends on m or n: a
 * slice of a matmul has the bits of the whole.
 * a_trans: A is stored [k,m]. b_trans: B is stored [n,k]. `in` is the dtype of A, B and bias, `out` that of C and D.
 * in == F32 requires out == F32. bias and d may be NULL (nothing added). d may be c itself (C accumulates);
 * otherwise it does not overlap c. d has C's ld. k == 0 gives bias + D. m, n >= 0.
 * b_packed: b was written by gemm_pack of the same table, for the same n, k, b_trans and in (64-byte aligned). ldb
 * is ignored. The result is that of the unpacked B, bit for bit.
 * BF16 out is rounded once from the FP32 sum, to nearest even. The BF16 dot of AVX512_BF16 flushes denormals. Error
 * bound: |C - exact| <= (k + 2) eps32 (|A||B| + |bias| + |D|), plus eps16 |C| for BF16 out. */
struct kernel_gemm {
    int64_t m, n, k;
    bool a_trans, b_trans;
    enum kernel_dtype in, out;
    const void *a, *b;
    int64_t lda, ldb, ldc;
    const void *bias;
    const void *d;
    void *c;
    bool b_packed;
    enum kernel_epilogue epilogue;
    void *y;       /* GELU: dtype `out`, ld ldc; does not overlap C */
    const void *x; /* GELU_GRAD: likewise */
};

/* A variant's blocking (KC, MC, NC as in BLIS). It follows from the caches and the facts in gemm/gemm_<isa>.c. A
 * word is 32 bits of a packed operand: one FP32 number, or `numbers` = 2 BF16 numbers that are neighbours along k. A
 * panel is mr rows of op(A) or nr columns of op(B), kc words long: what one micro-tile reads. */
struct kernel_blocking {
    const char *variant;
    int mr, nr, lanes; /* micro-tile: mr rows by nr columns of accumulators, in vectors of `lanes` */
    int numbers;
    bool b_stationary; /* a panel of B stays in L1 and A's panels stream from L2; false: the other way round */
    int64_t kc;        /* KC, words along k */
    int64_t mc;        /* MC, rows (b_stationary) or columns of the streamed operand that L2 holds */
    int64_t nc_long;   /* NC, rows or columns, whichever C has more of, that the team packs at a time; held in L3 */
    int64_t nc_short;  /* NC of the other */
};

/* Layout of a packed B: panels of nr columns one after another, the last padded with zeros, each [words of k][nr]
 * with words = kernel_blocking_words(). It does not depend on kc or the caches. kernel_packed_index() is the index
 * of element (p, j) of op(B)[k, n], in elements of 4 / numbers bytes: FP32, or BF16 if numbers is 2. With k odd, the
 * upper half of the last word is zero. */
static inline int64_t kernel_blocking_words(const struct kernel_blocking *b, int64_t k) {
    return (k + b->numbers - 1) / b->numbers;
}
static inline int64_t kernel_packed_index(const struct kernel_blocking *b, int64_t k, int64_t p, int64_t j) {
    const int64_t word = (j / b->nr * kernel_blocking_words(b, k) + p / b->numbers) * b->nr + j % b->nr;
    return word * b->numbers + p % b->numbers;
}

/* Causal attention by online softmax over key/value blocks; S x S scores are never stored. The vector variants
 * compute in FP32, plain C in FP64. avx512bf16 multiplies BF16 by the dot of pairs, which sums in FP32: weights, and
 * gradients of scores, are rounded to BF16 once for it.
 * Positions: query i has position q_offset + i, key j has k_offset + j. Query i sees key j if j's position is not
 * greater. With a window (Beltagy et al. 2020) the distance must also be less than `window`, so a query sees at most
 * `window` keys, itself included. Blocks that no query sees cost nothing. With slopes (ALiBi, Press et al. 2022) the
 * scaled score of head h gains slopes[h] * (key position - query position), which is never positive for a visible
 * key.
 * Layout of element (b, token t, head h, x), where query head h reads key/value head h / (heads / kv_heads):
 * q[(b*seq_q + t)*q_row + h*q_head + x], o likewise with o_row and o_head;
 * k and v[(b*seq_k + t)*kv_row + h*kv_head + x].
 * Forward writes o (normalised) and lse[(b*heads + h)*seq_q + t], the natural log-sum-exp of the scaled scores. A query
 * that sees no key gives o = 0 and lse = -INFINITY. Backward counts probabilities below e^-60 as 0. It reads q, k, v,
 * o, d_o (strides of o) and lse. It writes (does not add) dq (strides of q), dk and dv (strides of k). Peak scratch:
 * kernel_scratch_bytes(). With `add`, results are FP32 and join those of earlier calls over other keys: o and lse are
 * merged by lse, and gradients are added. Start from lse = -INFINITY, with which o is not read, and from gradients of
 * 0. */
struct kernel_attention {
    int64_t batch, heads, kv_heads, seq_q, seq_k, head_dim; /* head_dim <= 256 */
    int64_t q_offset, k_offset;
    int64_t window;          /* positions; 0: no limit */
    const float *slopes;     /* [heads]; NULL: none */
    float scale;             /* > 0 */
    enum kernel_dtype dtype; /* of q, k, v, o and their gradients */
    bool add;
    const void *q, *k, *v;
    int64_t q_row, q_head, kv_row, kv_head, o_row, o_head;
    void *o; /* forward: written; backward: read */
    float *lse;
    const void *d_o;
    void *dq, *dk, *dv;
};

/* LayerNorm (Ba et al. 2016) over the last axis of x[rows, cols] (contiguous): y = (x - mean) * rstd * gain + bias
 * with rstd = 1/sqrt(var + eps) and var the biased variance. mean and rstd, [rows], are kept for backward. mean ==
 * NULL gives RMSNorm (Zhang & Sennrich 2019): nothing is subtracted, var is the mean of x^2, and no gradient passes
 * through a mean. bias may be NULL, and then dbias too. */
struct kernel_norm {
    int64_t rows, cols;
    enum kernel_dtype dtype; /* of x, y, gain, bias, dy, dx */
    float eps;
    const void *x, *gain, *bias;
    void *y;
    float *mean, *rstd;
    const void *dy;     /* from here on: backward */
    const void *dx_add; /* input gradient: added into dx if not NULL; the residual path; may be dx itself */
    void *dx;
    float *dgain, *dbias; /* parameter gradient: added into, FP32 [cols] */
};

/* Rotary position embedding (Su et al. 2021) of x in place. Halves are paired as Hugging Face does: with half =
 * head_dim / 2, elements i and half + i of a head form the plane that is rotated. The table holds the cosine and
 * sine of its angle at [(row % seq) * half + i]: y1 = x1 cos - x2 sin, y2 = x2 cos + x1 sin. `inverse` rotates back,
 * which is the gradient. Element (row t, head h, i) is x[t * row + h * head + i]. head_dim is even. */
struct kernel_rotary {
    int64_t rows, seq, heads, head_dim;
    int64_t row, head; /* distances in elements */
    enum kernel_dtype dtype;
    bool inverse;
    const float *cos, *sin; /* [seq, head_dim / 2], for the positions of the caller's sequence or its shard */
    void *x;
};

/* Softmax cross-entropy over logits[rows, vocab] (FP32, leading dimension ld). It has three parts so that the
 * vocabulary may be sharded: this shard holds columns [first, first + vocab) of the whole vocabulary. */
struct kernel_cross_entropy {
    int64_t rows, vocab, ld, first;
    const float *logits;
    const int32_t *targets;  /* [rows], indices into the whole vocabulary, valid */
    float *max, *sum;        /* [rows]: max of the shard's logits, sum of exp(logit - max). The gradient takes those
                              * of the whole vocabulary: no logit exceeds its max */
    float *target_logit;     /* [rows]: the target's logit if in this shard, else 0 */
    float *loss;             /* [rows]: log(sum) + max - target_logit, nats (combination) */
    float scale;             /* gradient: dlogits = (softmax - onehot) * scale */
    enum kernel_dtype dtype; /* of dlogits */
    void *dlogits;           /* [rows, ld]; F32 may be logits itself */
};

/* x[t,:] = token_table[tokens[t],:] + position_table[position0 + t % seq,:]; position_table may be NULL.
 * Gradient: adds to the same rows of dtoken and dposition (FP32, same shapes); either may be NULL.
 * The vocabulary may be sharded: this shard's tables hold rows [first, first + vocab) of the whole. Any other token
 * gives x = 0, so that the shards' sum is the whole, and its gradient goes to dposition alone. */
struct kernel_embedding {
    int64_t rows, cols, seq, position0;
    int64_t first, vocab; /* vocab 0: the table is whole */
    enum kernel_dtype dtype;
    const int32_t *tokens; /* [rows], valid row numbers of the whole table */
    const void *token_table, *position_table;
    void *x;
    const void *dx;
    float *dtoken, *dposition;
};

/* SwiGLU (Shazeer 2020) of x[rows, 2 cols] (contiguous). Each row holds the gate, then the value:
 * y[r, c] = silu(x[r, c]) * x[r, cols + c] * weights[r] with silu(z) = z / (1 + e^-z); y is [rows, cols]. The vector
 * variants compute in FP32, where silu is 0 below about z = -88. There an infinite value gives NaN, as in PyTorch. */
struct kernel_swiglu {
    int64_t rows, cols;
    enum kernel_dtype dtype; /* of x, y, dy, dx */
    const float *weights;    /* [rows]; NULL: all are 1 */
    const void *x;
    void *y;
    const void *dy;  /* from here on: backward */
    void *dx;        /* [rows, 2 cols] */
    float *dweights; /* [rows], written; NULL if weights are */
};

/* The router of a mixture of experts (Shazeer et al. 2017): probs = softmax(logits) of each row, FP32, as in Mixtral
 * (Jiang et al. 2024), or sigmoid(logits), as in DeepSeek-V3 (DeepSeek-AI 2024). choice: the `active` experts of the
 * largest probs + bias, the largest first; of equal ones the lower number. weights: scale times the probs of the chosen
 * over their sum. Where logits are NaN, choice still holds different experts. Backward gives the gradient of the logits
 * from those of weights and of probs. */
struct kernel_route {
    int64_t rows, experts, active; /* 1 <= active <= experts */
    bool sigmoid;
    bool forced; /* choice is read, not written */
    float scale;
    const void *bias;      /* [experts]; NULL: none */
    const float *logits;   /* [rows, experts] */
    float *probs;          /* [rows, experts] */
    int32_t *choice;       /* [rows, active], different ones in a row */
    float *weights;        /* [rows, active] */
    const float *dweights; /* [rows, active]; from here on: backward, which reads probs, choice and weights */
    const float *dprobs;   /* [rows / seq, experts]: added to each row's of those `seq`; NULL: none */
    int64_t seq;
    enum kernel_dtype dtype; /* of bias and dlogits */
    void *dlogits;           /* [rows, experts], written */
};

/* Rows moved between tokens and experts. gather: y[r, :] = x[index[r], :]; `in` and `out` are the same. sum: y[r, :] =
 * d[r, :] + x[index[r count], :] + ... + x[index[r count + count - 1], :], added in that order in FP32 and rounded
 * once. All are contiguous. */
struct kernel_rows {
    int64_t rows, cols, count;
    const int32_t *index;      /* gather: [rows]; sum: [rows, count] */
    enum kernel_dtype in, out; /* of x; of y and d */
    const void *x, *d;         /* d may be NULL, or y itself */
    void *y;
};

/* AdamW (Loshchilov & Hutter 2019, decoupled decay), n elements, FP32:
 * g = grad*grad_scale; m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2;
 * w -= lr * ( (m/correction1) / (sqrt(v/correction2) + eps) + decay * w );  copy = bf16(w) if not NULL. */
struct kernel_adamw {
    int64_t n;
    float *w, *m, *v;
    const float *grad;
    kernel_bf16 *copy;
    float lr, beta1, beta2, eps, decay, correction1, correction2, grad_scale;
};

typedef void kernel_gemm_fn(const struct kernel_team *, const struct kernel_gemm *);
/* Packs B of g for b_packed; it uses n, k, b_trans, in, b and ldb of g only. `packed` is 64-byte aligned and has
 * kernel_gemm_packed_bytes() bytes. */
typedef void kernel_gemm_pack_fn(const struct kernel_team *, const struct kernel_gemm *g, void *packed);
/* The variant's blocking for operands of dtype `in`; caches may be NULL. Packing and scratch suit any caches. */
typedef void kernel_gemm_blocking_fn(const struct kernel_caches *, enum kernel_dtype in, struct kernel_blocking *);
typedef void kernel_attention_fn(const struct kernel_team *, const struct kernel_attention *);
typedef void kernel_norm_fn(const struct kernel_team *, const struct kernel_norm *);
typedef void kernel_rotary_fn(const struct kernel_team *, const struct kernel_rotary *);
typedef void kernel_cross_entropy_fn(const struct kernel_team *, const struct kernel_cross_entropy *);
typedef void kernel_embedding_fn(const struct kernel_team *, const struct kernel_embedding *);
typedef void kernel_adamw_fn(const struct kernel_team *, const struct kernel_adamw *);
/* y = gelu(x), n elements, tanh form: 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) (Hendrycks & Gimpel 2016) */
typedef void kernel_gelu_forward_fn(const struct kernel_team *, enum kernel_dtype, int64_t n, const void *x, void *y);
/* dx = dy * gelu'(x); dx may be dy */
typedef void kernel_gelu_backward_fn(const struct kernel_team *, enum kernel_dtype, int64_t n, const void *x,
                                     const void *dy, void *dx);
typedef void kernel_swiglu_fn(const struct kernel_team *, const struct kernel_swiglu *);
typedef void kernel_route_fn(const struct kernel_team *, const struct kernel_route *);
typedef void kernel_rows_fn(const struct kernel_team *, const struct kernel_rows *);
/* sum[c] += sum over rows of x[rows, cols] (contiguous), FP32, rows in order: a bias gradient */
typedef void kernel_column_sum_fn(const struct kernel_team *, enum kernel_dtype, int64_t rows, int64_t cols,
                                  const void *x, float *sum);
/* Sum of x^2 in FP64. Fixed blocks are added in order, so the thread count does not change it. */
typedef double kernel_square_sum_fn(const struct kernel_team *, int64_t n, const float *x);
/* Rounds FP32 to BF16, to nearest even (NaN stays NaN), or widens BF16. */
typedef void kernel_to_bf16_fn(const struct kernel_team *, int64_t n, const float *x, kernel_bf16 *y);
typedef void kernel_from_bf16_fn(const struct kernel_team *, int64_t n, const kernel_bf16 *x, float *y);
/* x = 0 */
typedef void kernel_zero_fn(const struct kernel_team *, int64_t n, float *x);
/* y = x, and z = x + s y, n elements, with streaming stores if n exceeds the caches. These are the roofs of passes
 * over memory, as in STREAM (McCalpin 1995): 8 and 12 bytes an element. z may be x. */
typedef void kernel_copy_fn(const struct kernel_team *, int64_t n, const float *x, float *y);
typedef void kernel_triad_fn(const struct kernel_team *, int64_t n, const float *x, float s, const float *y, float *z);
/* Runs `rounds` rounds of a register-only multiply-add loop with random operands, on the calling thread only.
 * Returns the number of floating-point operations done (multiply and add are two). F32: FMA. BF16: the BF16 dot if
 * the variant has one, else FP32 FMA, which is what emulation runs on. */
typedef double kernel_peak_fn(enum kernel_dtype, int64_t rounds);
/* tile_peak is the same for the loop of gemm's micro-tile: its loads and multiply-adds on operands in L1, and nothing
 * else. No matmul by such tiles is faster. On 16 registers its loads keep it below the peak. */

/* Passes `rounds` times over n elements, on the calling thread only and with ordinary stores: the bandwidth of a cache
 * that holds the arrays. COPY: z = x. TRIAD: z = x + 0.5 y. Both return 0. READ: adds x in odd passes, subtracts it in
 * even ones, and returns the sum; z and y are not used. */
enum kernel_stream { KERNEL_STREAM_COPY, KERNEL_STREAM_TRIAD, KERNEL_STREAM_READ };
typedef double kernel_stream_fn(enum kernel_stream, int64_t n, int64_t rounds, const float *x, const float *y,
                                float *z);

struct kernel_ops {
    kernel_gemm_fn *gemm;
    kernel_gemm_pack_fn *gemm_pack;         /* gemm_pack and gemm_blocking are those of the instruction set even if */
    kernel_gemm_blocking_fn *gemm_blocking; /* a library does the matmuls: packed operands go to that set's matmul */
    kernel_attention_fn *attention_forward, *attention_backward;
    kernel_norm_fn *norm_forward, *norm_grad_input, *norm_grad_params;
    kernel_gelu_forward_fn *gelu_forward;
    kernel_gelu_backward_fn *gelu_backward;
    kernel_swiglu_fn *swiglu_forward, *swiglu_backward;
    kernel_route_fn *route_forward, *route_backward;
    kernel_rows_fn *rows_gather, *rows_sum;
    kernel_rotary_fn *rotary;
    kernel_column_sum_fn *column_sum;
    kernel_cross_entropy_fn *cross_entropy_stats;   /* writes max, sum, target_logit */
    kernel_cross_entropy_fn *cross_entropy_combine; /* max, sum, target_logit -> loss */
    kernel_cross_entropy_fn *cross_entropy_grad;    /* logits, targets, max, sum -> dlogits */
    kernel_embedding_fn *embedding_forward, *embedding_backward;
    kernel_adamw_fn *adamw;
    kernel_square_sum_fn *square_sum;
    kernel_to_bf16_fn *to_bf16;
    kernel_from_bf16_fn *from_bf16;
    kernel_zero_fn *zero;
    kernel_copy_fn *copy;
    kernel_triad_fn *triad;
    kernel_peak_fn *peak, *tile_peak;
    kernel_stream_fn *stream;
    const struct kernel_cblas *cblas; /* the library of kernel_select_cblas; else NULL */
};

/* A sum of squares whose bits depend neither on the order of its addends nor on how they are shared out. Each square,
 * exact in FP64, is split into KERNEL_FOLDS parts (Rump, Ogita & Oishi 2008; Demmel & Nguyen 2015), multiples of a
 * unit's last bit. Units are such that no sum of up to `total` parts is rounded. So the folds of any shares, added in
 * any order, are the same. (sum[0] + sum[1]) + sum[2] is the sum of squares. With 2^b >= total, b at least 2, it errs
 * by 2^-52 of itself and 2^(4 b - 161) of largest^2 at most; for 2^27 addends the latter is 2^-53. One version serves
 * all instruction sets, so these have the same bits too. */
enum { KERNEL_FOLDS = 3 };
/* The largest |x|; 0 if there is none, NaN if any x is. */
float kernel_largest(const struct kernel_team *, int64_t n, const float *x);
/* `largest` and `total`, at most 2^53, are those of all shares together. A largest of 0 gives sums of 0. One that is
 * infinite or NaN gives sums of NaN: callers look at it first. */
void kernel_fold_units(float largest, int64_t total, double unit[KERNEL_FOLDS]);
/* Adds to sum[]. */
void kernel_square_folds(const struct kernel_team *, int64_t n, const float *x, const double unit[KERNEL_FOLDS],
                         double sum[KERNEL_FOLDS]);

/* The row of a token in the shard's table; -1: it has none. */
static inline int64_t kernel_embedding_row(const struct kernel_embedding *e, int64_t r) {
    const int64_t row = e->tokens[r] - e->first;
    return !e->vocab || (row >= 0 && row < e->vocab) ? row : -1;
}

/* The best ISA that this CPU and this build have. TOISE_ISA (ref, neon, avx2, avx512, avx512bf16) caps it: the set
 * that it names, else the first usable one of those that this set builds on. The BF16 dot is skipped if the CPU's
 * multiply-adds are faster (Intel), unless TOISE_ISA names it. An unknown TOISE_ISA gives KERNEL_ISA_COUNT; the caller
 * reports it. */
enum kernel_isa kernel_isa_best(void);
/* Whether this CPU can run `isa` and this build contains it (an old compiler leaves it out). */
bool kernel_isa_usable(enum kernel_isa isa);
const char *kernel_isa_name(enum kernel_isa isa);
/* The set that `isa` builds on; ref's is ref. */
enum kernel_isa kernel_isa_base(enum kernel_isa isa);
/* Whether `isa` is `cap` or one of the sets below it, that is its base, the base of that, and so on. */
bool kernel_isa_within(enum kernel_isa isa, enum kernel_isa cap);
/* Fills *ops with the best variant of each operation within `cap`. `cap` must be usable. */
void kernel_select(struct kernel_ops *ops, enum kernel_isa cap, enum kernel_backend backend);
/* Makes *library, which outlives *ops, do the matmuls of a filled table: FP32, and BF16 if it has sbgemm. */
void kernel_select_cblas(struct kernel_ops *ops, const struct kernel_cblas *library);
/* The variant of operation `op` ("gemm", ...) in *ops: "ref", "avx2", ..., "openblas", "cblas"; NULL if unknown. */
const char *kernel_variant(const struct kernel_ops *ops, const char *op);
/* Whether BF16 dots run natively in this table (otherwise BF16 is emulated at FP32 speed). */
bool kernel_bf16_native(const struct kernel_ops *ops);
/* The dtype to which this table's attention over `dtype` rounds its weights and the gradients of its scores. */
enum kernel_dtype kernel_attention_weights(const struct kernel_ops *ops, enum kernel_dtype dtype);
/* Scratch that suffices for any operation on `threads` threads, with sequences and heads up to these sizes. */
size_t kernel_scratch_bytes(int threads, int64_t seq, int64_t head_dim);

static inline size_t kernel_dtype_bytes(enum kernel_dtype t) {
    return t == KERNEL_F32 ? 4 : 2;
}

/* Blocking of this table's instruction set for matrices of dtype `in`. */
static inline void kernel_gemm_blocking(const struct kernel_ops *ops, const struct kernel_caches *caches,
                                        enum kernel_dtype in, struct kernel_blocking *blocking) {
    ops->gemm_blocking(caches, in, blocking);
}
/* Bytes that gemm_pack writes for n, k and in of g. */
static inline int64_t kernel_gemm_packed_bytes(const struct kernel_ops *ops, const struct kernel_gemm *g) {
    struct kernel_blocking b;
    kernel_gemm_blocking(ops, NULL, g->in, &b);
    return (g->n + b.nr - 1) / b.nr * b.nr * kernel_blocking_words(&b, g->k) * 4;
}
/* Explains the blocking in text, one line for each number with its arithmetic. Returns the length, as snprintf does. */
int kernel_blocking_explain(const struct kernel_blocking *, const struct kernel_caches *, char *text, size_t size);

/* FP64 matmul by OpenBLAS, only for references: C[m,n] = op(A) op(B) + beta C, row-major as above. On as many threads
 * as OpenMP's next team has. */
void kernel_reference_dgemm(bool a_trans, bool b_trans, int64_t m, int64_t n, int64_t k, const double *a, int64_t lda,
                            const double *b, int64_t ldb, double beta, double *c, int64_t ldc);
/* Configuration string and core type of the OpenBLAS in use, for the record. */
const char *kernel_openblas_config(void);
const char *kernel_openblas_core(void);

#endif
