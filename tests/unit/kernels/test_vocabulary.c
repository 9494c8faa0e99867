/* SPDX-License-Identifier: Apache-2.0
 * check: emulated
 *
 * Cross-entropy, whole and sharded, and embedding: every variant against FP64 within rounding bounds, hostile logits
 * included. Any number of threads gives the same bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/support/rows.h"

enum logits { PLAIN, HUGE_LOGITS, RISING, HOLES, EQUAL, LOGITS };

static void logits_fill(float *x, int64_t rows, int64_t vocab, int64_t ld, enum logits kind) {
    values_fill(KERNEL_F32, x, rows * ld, NORMAL, 7);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < ld; c++) {
            float *logit = x + r * ld + c;
            if (kind == HUGE_LOGITS) *logit *= c % 3 ? 1e4f : 1e37f;
            if (kind == RISING) *logit += 90.0f * (float)c / (float)vocab;
            if (kind == HOLES && c % 4 != 1) *logit = -INFINITY;
            if (kind == EQUAL) *logit = -3.5f;
            if (c >= vocab) *logit = NAN; /* padding: neither read nor written */
        }
}

/* A sum in blocks of 1024, rescaled when the maximum rises: terms err by |x - max| roundoffs of the argument. */
static void stats_check(const struct variant *v, const struct kernel_cross_entropy *e) {
    for (int64_t r = 0; r < e->rows; r++) {
        const float *x = e->logits + r * e->ld;
        const int64_t target = e->targets[r] - e->first;
        float max = -INFINITY;
        for (int64_t c = 0; c < e->vocab; c++) max = x[c] > max ? x[c] : max;
        double sum = 0, bound = 0;
        for (int64_t c = 0; c < e->vocab && max > -INFINITY; c++) {
            const double p = exp((double)x[c] - max);
            sum += p;
            if (p > 0) bound += U32 * p * (fabs((double)x[c] - max) + 64 + (double)e->vocab / 128);
        }
        within(v, "max", r, e->max[r], max, 0);
        within(v, "sum", r, e->sum[r], sum, bound + (double)e->vocab * TINY32);
        within(v, "target", r, e->target_logit[r], target >= 0 && target < e->vocab ? x[target] : 0, 0);
    }
}

static void loss_check(const struct variant *v, const struct kernel_cross_entropy *e) {
    for (int64_t r = 0; r < e->rows; r++) {
        const double log_sum = log((double)e->sum[r]), gap = (double)e->max[r] - e->target_logit[r];
        const double loss = log_sum + gap, bound = 2 * U32 * (fabs(log_sum) + fabs(gap) + fabs(loss));
        within(v, "loss", r, e->loss[r], fabs(loss) > 3.4e38 ? INFINITY : loss, bound);
    }
}

static void grad_check(const struct variant *v, const struct kernel_cross_entropy *e, const float *logits) {
    for (int64_t r = 0; r < e->rows; r++)
        for (int64_t c = 0; c < e->ld; c++) {
            const int64_t i = r * e->ld + c;
            const float got = scalar_get(e->dtype, e->dlogits, i);
            if (c >= e->vocab) {
                assert_true(isnan(got));
                continue;
            }
            const double d = (double)logits[i] - e->max[r], p = exp(d) / e->sum[r];
            const int hot = c == e->targets[r] - e->first;
            const double exact = (p - hot) * e->scale;
            const double power = e->dtype == KERNEL_F32 ? fabs(d) : fabs(d) * 4 / 3; /* d's rounding; BF16: exp.inc.h */
            const double bound = U32 * (p > 0 ? p * (power + 8) : 0) + 2 * U32 * hot + TINY32 / e->sum[r];
            within(v, "dlogits", i, got, exact, bound * e->scale + rounding(e->dtype, exact));
        }
}

/* The vocabulary [0, vocab) as one shard of a larger one that starts at `first`. Some targets are outside it. */
static void cross_entropy_case(int64_t rows, int64_t vocab, int64_t pad, int64_t first, enum logits kind) {
    const int64_t ld = vocab + pad, n = rows * ld;
    float *logits = guarded_new(KERNEL_F32, n, (int)(vocab % 3)), *dlogits = guarded_new(KERNEL_F32, n, 1);
    kernel_bf16 *narrow = guarded_new(KERNEL_BF16, n, 3);
    int32_t *targets = guarded_new(KERNEL_F32, rows, 0);
    float *results[4];
    for (int i = 0; i < 4; i++) results[i] = guarded_new(KERNEL_F32, rows, i);
    logits_fill(logits, rows, vocab, ld, kind);
    for (int64_t r = 0; r < rows; r++)
        targets[r] = (int32_t)(r == 0 ? first : r == 1 ? first + vocab - 1 : (first + r * 7919) % (first + vocab + 3));
    struct kernel_cross_entropy e = {.rows = rows,
                                     .vocab = vocab,
                                     .ld = ld,
                                     .first = first,
                                     .targets = targets,
                                     .max = results[0],
                                     .sum = results[1],
                                     .target_logit = results[2],
                                     .loss = results[3],
                                     .scale = 0.125f};
    struct variant v;
    struct same sums = {0}, grads = {0}, narrows = {0};
    for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
        e.logits = logits;
        v.ops.cross_entropy_stats(&v.team, &e);
        if (v.team.threads == 1) stats_check(&v, &e);
        v.ops.cross_entropy_combine(&v.team, &e);
        if (v.team.threads == 1) loss_check(&v, &e);
        memset(narrow, 0xff, (size_t)n * sizeof *narrow);
        e.dtype = KERNEL_BF16, e.dlogits = narrow;
        v.ops.cross_entropy_grad(&v.team, &e);
        if (v.team.threads == 1) grad_check(&v, &e, logits);
        memcpy(dlogits, logits, (size_t)n * sizeof *dlogits);
        e.dtype = KERNEL_F32, e.logits = e.dlogits = dlogits; /* in place */
        v.ops.cross_entropy_grad(&v.team, &e);
        if (v.team.threads == 1) grad_check(&v, &e, logits);
        same_bits(&sums, &v, e.sum, (size_t)rows * sizeof(float));
        same_bits(&grads, &v, dlogits, (size_t)n * sizeof *dlogits);
        same_bits(&narrows, &v, narrow, (size_t)n * sizeof *narrow);
    }
    free(sums.copy), free(grads.copy), free(narrows.copy);
    guarded_free();
}

static void cross_entropy_within_bounds(void **state) {
    (void)state;
    static const int64_t widths[] = {1, 7, 8, 15, 16, 17, 33, 768, 1023, 1025, 3000};
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        cross_entropy_case(5, widths[w], (int64_t)w % 3, (int64_t)w * 100, PLAIN);
    for (int kind = 0; kind < LOGITS; kind++) cross_entropy_case(3, 2500, 4, 50, (enum logits)kind);
    cross_entropy_case(3, 50257, 0, 0, PLAIN);
}

/* A shard whose logits are all -infinity adds nothing; a NaN is never hidden. */
static void cross_entropy_of_nothing_and_of_nan(void **state) {
    (void)state;
    enum { VOCAB = 2100 };
    float *x = guarded_new(KERNEL_F32, VOCAB, 0), max, sum, target_logit;
    const int32_t target = VOCAB + 5;
    const struct kernel_cross_entropy e = {.rows = 1,
                                           .vocab = VOCAB,
                                           .ld = VOCAB,
                                           .logits = x,
                                           .targets = &target,
                                           .max = &max,
                                           .sum = &sum,
                                           .target_logit = &target_logit};
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
        for (int i = 0; i < VOCAB; i++) x[i] = -INFINITY;
        v.ops.cross_entropy_stats(&v.team, &e);
        assert_true(max == -INFINITY && sum == 0 && target_logit == 0);
        for (int at = 0; at < VOCAB; at += 97) {
            for (int i = 0; i < VOCAB; i++) x[i] = (float)(i % 10);
            x[at] = NAN;
            v.ops.cross_entropy_stats(&v.team, &e);
            assert_true(isnan(sum));
        }
    }
    guarded_free();
}

/* One addition and one rounding per element, or additions in row order: the bits are known. */
static void embedding_case(enum kernel_dtype t, int64_t cols, bool positions) {
    enum { ROWS = 23, TABLE = 9, SEQ = 5, POSITION0 = 2 };
    struct kernel_embedding e = {.rows = ROWS, .cols = cols, .seq = SEQ, .position0 = POSITION0, .dtype = t};
    int32_t tokens[ROWS];
    for (int i = 0; i < ROWS; i++) tokens[i] = i * i % TABLE;
    e.tokens = tokens;
    e.token_table = values_new(t, TABLE * cols, 1, MIXED, 1);
    e.position_table = positions ? values_new(t, (SEQ + POSITION0) * cols, 2, MIXED, 2) : NULL;
    e.dx = values_new(t, ROWS * cols, 3, MIXED, 3);
    e.x = guarded_new(t, ROWS * cols, 1);
    e.dtoken = guarded_new(KERNEL_F32, TABLE * cols, 1);
    e.dposition = positions ? guarded_new(KERNEL_F32, (SEQ + POSITION0) * cols, 2) : NULL;
    float *dtoken = calloc((size_t)(TABLE * cols), sizeof *dtoken);
    float *dposition = calloc((size_t)((SEQ + POSITION0) * cols), sizeof *dposition);
    assert_true(dtoken && dposition);
    for (int64_t i = 0; i < ROWS * cols; i++) {
        const int64_t r = i / cols, c = i % cols;
        dtoken[tokens[r] * cols + c] += scalar_get(t, e.dx, i);
        dposition[(POSITION0 + r % SEQ) * cols + c] += scalar_get(t, e.dx, i);
    }
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
        memset(e.x, 0xff, (size_t)(ROWS * cols) * kernel_dtype_bytes(t));
        v.ops.zero(&v.team, TABLE * cols, e.dtoken);
        if (positions) v.ops.zero(&v.team, (SEQ + POSITION0) * cols, e.dposition);
        v.ops.embedding_forward(&v.team, &e);
        v.ops.embedding_backward(&v.team, &e);
        for (int64_t i = 0; i < ROWS * cols; i++) {
            const int64_t r = i / cols, c = i % cols, at = (POSITION0 + r % SEQ) * cols + c;
            float expected = scalar_get(t, e.token_table, tokens[r] * cols + c), rounded;
            if (positions) expected += scalar_get(t, e.position_table, at);
            scalar_put(t, &rounded, 0, expected);
            within(&v, "x", i, scalar_get(t, e.x, i), scalar_get(t, &rounded, 0), 0);
        }
        for (int64_t i = 0; i < TABLE * cols; i++) within(&v, "dtoken", i, e.dtoken[i], dtoken[i], 0);
        for (int64_t i = 0; positions && i < (SEQ + POSITION0) * cols; i++)
            within(&v, "dposition", i, e.dposition[i], dposition[i], 0);
        struct kernel_embedding only = e; /* positions alone: the table stays as it is */
        only.dtoken = NULL;
        if (positions) v.ops.zero(&v.team, (SEQ + POSITION0) * cols, e.dposition);
        v.ops.embedding_backward(&v.team, &only);
        for (int64_t i = 0; i < TABLE * cols; i++) within(&v, "dtoken", i, e.dtoken[i], dtoken[i], 0);
        for (int64_t i = 0; positions && i < (SEQ + POSITION0) * cols; i++)
            within(&v, "dposition", i, e.dposition[i], dposition[i], 0);
    }
    free(dtoken), free(dposition);
    guarded_free();
}

/* The sum of the shards' rows, and their tables one after the other, are the whole's, bit for bit. A token outside a
 * shard gives zeros. */
static void embedding_shards(enum kernel_dtype t, int64_t cols) {
    enum { ROWS = 23, TABLE = 9, SEQ = 5 };
    static const int64_t ends[] = {0, 4, 7, TABLE};
    const size_t size = kernel_dtype_bytes(t);
    int32_t tokens[ROWS];
    for (int i = 0; i < ROWS; i++) tokens[i] = i * i % TABLE;
    struct kernel_embedding whole = {.rows = ROWS, .cols = cols, .seq = SEQ, .dtype = t, .tokens = tokens};
    char *table = values_new(t, TABLE * cols, 1, MIXED, 1);
    whole.token_table = table;
    whole.position_table = values_new(t, SEQ * cols, 2, MIXED, 2);
    whole.dx = values_new(t, ROWS * cols, 3, MIXED, 3);
    whole.x = guarded_new(t, ROWS * cols, 1);
    whole.dtoken = guarded_new(KERNEL_F32, TABLE * cols, 1);
    struct kernel_embedding e = whole;
    e.x = guarded_new(t, ROWS * cols, 1);
    e.dposition = guarded_new(KERNEL_F32, SEQ * cols, 2);
    float *dtoken = guarded_new(KERNEL_F32, TABLE * cols, 3), *dposition = guarded_new(KERNEL_F32, SEQ * cols, 3);
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
        whole.dposition = dposition;
        v.ops.zero(&v.team, TABLE * cols, whole.dtoken);
        v.ops.zero(&v.team, SEQ * cols, dposition);
        v.ops.embedding_forward(&v.team, &whole);
        v.ops.embedding_backward(&v.team, &whole);
        for (int s = 0; s < 3; s++) {
            e.first = ends[s], e.vocab = ends[s + 1] - ends[s];
            e.token_table = table + (size_t)(e.first * cols) * size;
            e.dtoken = dtoken + e.first * cols;
            memset(e.x, 0xff, (size_t)(ROWS * cols) * size);
            v.ops.zero(&v.team, e.vocab * cols, e.dtoken);
            v.ops.zero(&v.team, SEQ * cols, e.dposition);
            v.ops.embedding_forward(&v.team, &e);
            v.ops.embedding_backward(&v.team, &e);
            assert_memory_equal(e.dposition, dposition, (size_t)(SEQ * cols) * sizeof(float));
            for (int64_t i = 0; i < ROWS * cols; i++) {
                const bool here = tokens[i / cols] >= ends[s] && tokens[i / cols] < ends[s + 1];
                within(&v, "x", i, scalar_get(t, e.x, i), here ? scalar_get(t, whole.x, i) : 0, 0);
            }
        }
        assert_memory_equal(dtoken, whole.dtoken, (size_t)(TABLE * cols) * sizeof(float));
    }
    guarded_free();
}

static void embedding_exact(void **state) {
    (void)state;
    static const int64_t widths[] = {1, 7, 16, 17, 33, 96};
    for (int t = 0; t < KERNEL_DTYPE_COUNT; t++)
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
            embedding_case((enum kernel_dtype)t, widths[w], w % 3 != 2),
                embedding_shards((enum kernel_dtype)t, widths[w]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cross_entropy_within_bounds),
        cmocka_unit_test(cross_entropy_of_nothing_and_of_nan),
        cmocka_unit_test(embedding_exact),
    };
    return rows_run_group(tests);
}
