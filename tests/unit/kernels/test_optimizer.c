/* SPDX-License-Identifier: Apache-2.0
 * check: emulated
 *
 * AdamW and the sum of squares: every variant against FP64 within rounding bounds over several steps. Any number of
 * threads and any scratch give the same bits. Only the calling thread polls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "unit/support/rows.h"

/* One element in FP64 from the operands before the call. g, m and v err by a few roundoffs of their terms, and the
 * root of v also by what underflow may take from v. */
static void adamw_check(const struct variant *v, const struct kernel_adamw *a, int64_t i, float w0, float m0,
                        float v0) {
    const double g = (double)a->grad[i] * a->grad_scale, b1 = a->beta1, b2 = a->beta2;
    const double m = b1 * m0 + (1 - b1) * g, square = b2 * v0 + (1 - b2) * g * g;
    const double m_bound = 4 * U32 * (fabs(b1 * m0) + fabs((1 - b1) * g)) + 0x1p-147,
                 v_bound = 6 * U32 * square + 0x1p-147;
    within(v, "m", i, a->m[i], m, m_bound);
    within(v, "v", i, a->v[i], square, v_bound);
    const double root = sqrt(square / a->correction2) + a->eps, lost = sqrt(0x1p-147 / a->correction2) / root;
    const double step = m / a->correction1 / root, decay = a->decay * (double)w0;
    const double w = w0 - a->lr * (step + decay);
    const double bound = m_bound / a->correction1 / root + (16 * U32 + lost) * fabs(step) + 4 * U32 * fabs(decay);
    within(v, "w", i, a->w[i], w, a->lr * bound + U32 * (fabs((double)w0) + 2 * fabs(w)));
    if (a->copy) assert_int_equal(a->copy[i], scalar_narrow(a->w[i]));
}

static void adamw_case(int64_t n, enum temper temper, bool copy, float lr, float decay) {
    const size_t bytes = (size_t)n * sizeof(float);
    const int skew = (int)(n % 4);
    struct kernel_adamw a = {.n = n, .lr = lr, .beta1 = 0.9f, .beta2 = 0.95f, .eps = 1e-8f, .decay = decay};
    a.w = guarded_new(KERNEL_F32, n, skew), a.m = guarded_new(KERNEL_F32, n, 1), a.v = guarded_new(KERNEL_F32, n, 2);
    a.copy = copy ? guarded_new(KERNEL_BF16, n, skew + 1) : NULL;
    float *grad = values_new(KERNEL_F32, n, 3, temper, 1), *w0 = values_new(KERNEL_F32, n, 0, NORMAL, 2);
    float *old[3] = {malloc(bytes + 1), malloc(bytes + 1), malloc(bytes + 1)};
    assert_true(old[0] && old[1] && old[2]);
    if (n > 2) grad[1] = 0;
    a.grad = grad;
    struct variant v;
    struct same w = {0};
    for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
        memcpy(a.w, w0, bytes);
        memset(a.m, 0, bytes);
        memset(a.v, 0, bytes);
        for (int t = 1; t <= 3; t++) {
            memcpy(old[0], a.w, bytes), memcpy(old[1], a.m, bytes), memcpy(old[2], a.v, bytes);
            a.correction1 = (float)(1 - pow(a.beta1, t)), a.correction2 = (float)(1 - pow(a.beta2, t));
            a.grad_scale = 1.0f / (float)t;
            v.ops.adamw(&v.team, &a);
            for (int64_t i = 0; i < n && v.team.threads == 1; i++)
                adamw_check(&v, &a, i, old[0][i], old[1][i], old[2][i]);
        }
        same_bits(&w, &v, a.w, bytes);
    }
    free(w.copy), free(old[0]), free(old[1]), free(old[2]);
    guarded_free();
}

static void adamw_within_bounds(void **state) {
    (void)state;
    static const int64_t counts[] = {0, 1, 7, 15, 16, 17, 33, 1000, 50003};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) adamw_case(counts[i], NORMAL, i % 2, 1e-2f, 0.1f);
    for (int temper = 0; temper < TEMPERS; temper++) adamw_case(500, (enum temper)temper, true, 1e-2f, 0);
    adamw_case(500, NORMAL, true, 0.5f, 0.5f); /* a decay large enough to show above the rounding of w */
}

static void square_sum_within_bounds(void **state) {
    (void)state;
    static const int64_t counts[] = {0, 1, 7, 8, 15, 33, 16383, 16384, 16385, 200003};
    for (size_t s = 0; s < sizeof counts / sizeof *counts; s++)
        for (int temper = 0; temper < TEMPERS; temper++) {
            const int64_t n = counts[s];
            const float *x = values_new(KERNEL_F32, n, (int)s % 3, (enum temper)temper, 1);
            long double exact = 0;
            for (int64_t i = 0; i < n; i++) exact += (long double)x[i] * x[i];
            struct variant v;
            struct same same = {0};
            for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
                const double sum = v.ops.square_sum(&v.team, n, x);
                within(&v, "square sum", n, sum, (double)exact, (double)(n + 2) * U64 * (double)exact);
                same_bits(&same, &v, &sum, sizeof sum);
                v.team.scratch_bytes = 3 * sizeof(double); /* several waves */
                const double waves = v.ops.square_sum(&v.team, n, x);
                assert_true(sum == waves);
                v.team.scratch_bytes = kernel_rows_scratch(3);
            }
            free(same.copy);
            guarded_free();
        }
}

/* A lost, doubled or infinite element must be visible. */
static void square_sum_shows_faults(void **state) {
    (void)state;
    const int64_t n = 40000;
    float *x = values_new(KERNEL_F32, n, 1, NORMAL, 1);
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
        const double healthy = v.ops.square_sum(&v.team, n, x);
        for (int64_t at = 0; at < n; at += n - 1) {
            const float kept = x[at];
            x[at] = 0;
            const double lost = v.ops.square_sum(&v.team, n, x);
            x[at] = NAN;
            assert_true(isnan(v.ops.square_sum(&v.team, n, x)));
            x[at] = INFINITY;
            assert_true(isinf(v.ops.square_sum(&v.team, n, x)));
            x[at] = kept;
            assert_true(fabs(healthy - lost - (double)kept * kept) <= 1e-9 * healthy && lost < healthy);
        }
    }
    guarded_free();
}

struct polls {
    pthread_t caller;
    int count, elsewhere;
};
static void poll_count(void *context) {
    struct polls *p = context;
    if (pthread_equal(p->caller, pthread_self()))
        p->count++;
    else
        __atomic_add_fetch(&p->elsewhere, 1, __ATOMIC_RELAXED);
}

static void polls_come_from_the_caller(void **state) {
    (void)state;
    enum { ROWS = 128, COLS = 1024, N = ROWS * COLS };
    float *x[4];
    for (int i = 0; i < 4; i++) x[i] = values_new(KERNEL_F32, N, 0, NORMAL, (uint64_t)i);
    for (int i = 0; i < N; i++) x[3][i] *= x[3][i]; /* v of AdamW */
    kernel_bf16 *half = values_new(KERNEL_BF16, N, 0, NORMAL, 9);
    float *row[2] = {values_new(KERNEL_F32, COLS, 0, NORMAL, 5), values_new(KERNEL_F32, COLS, 0, NORMAL, 6)};
    int32_t tokens[ROWS] = {0};
    const struct kernel_norm l = {.rows = ROWS,
                                  .cols = COLS,
                                  .eps = 1,
                                  .x = x[0],
                                  .gain = row[0],
                                  .bias = row[1],
                                  .y = x[1],
                                  .mean = x[2],
                                  .rstd = x[2] + ROWS,
                                  .dy = x[3],
                                  .dx = x[1],
                                  .dgain = x[2] + 2 * COLS,
                                  .dbias = x[2] + 3 * COLS};
    const struct kernel_cross_entropy c = {.rows = ROWS,
                                           .vocab = COLS,
                                           .ld = COLS,
                                           .logits = x[0],
                                           .targets = tokens,
                                           .max = x[2],
                                           .sum = x[2] + ROWS,
                                           .target_logit = x[2] + 2 * ROWS,
                                           .loss = x[2] + 3 * ROWS,
                                           .scale = 1,
                                           .dlogits = x[1]};
    const struct kernel_embedding e = {.rows = ROWS,
                                       .cols = COLS,
                                       .seq = ROWS,
                                       .tokens = tokens,
                                       .token_table = row[0],
                                       .x = x[1],
                                       .dx = x[1],
                                       .dtoken = row[1]};
    const struct kernel_adamw a = {
        .n = N, .w = x[0], .m = x[1], .v = x[3], .grad = x[2], .correction1 = 1, .correction2 = 1, .eps = 1};
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
        struct polls polls = {.caller = pthread_self()};
        v.team.poll = poll_count, v.team.poll_context = &polls;
        for (int op = 0; op < 15; op++) {
            const int before = polls.count;
            switch (op) {
            case 0:
                v.ops.norm_forward(&v.team, &l);
                break;
            case 1:
                v.ops.norm_grad_input(&v.team, &l);
                break;
            case 2:
                v.ops.norm_grad_params(&v.team, &l);
                break;
            case 3:
                v.ops.gelu_forward(&v.team, KERNEL_F32, N, x[0], x[1]);
                break;
            case 4:
                v.ops.gelu_backward(&v.team, KERNEL_F32, N, x[0], x[2], x[1]);
                break;
            case 5:
                v.ops.column_sum(&v.team, KERNEL_F32, ROWS, COLS, x[0], row[1]);
                break;
            case 6:
                v.ops.cross_entropy_stats(&v.team, &c);
                break;
            case 7:
                v.ops.cross_entropy_grad(&v.team, &c);
                break;
            case 8:
                v.ops.embedding_forward(&v.team, &e);
                break;
            case 9:
                v.ops.embedding_backward(&v.team, &e);
                break;
            case 10:
                v.ops.adamw(&v.team, &a);
                break;
            case 11:
                v.ops.square_sum(&v.team, N, x[0]);
                break;
            case 12:
                v.ops.to_bf16(&v.team, N, x[0], half);
                break;
            case 13:
                v.ops.from_bf16(&v.team, N, half, x[0]);
                break;
            default:
                v.ops.zero(&v.team, N, x[1]);
                break;
            }
            assert_true(polls.count > before);
        }
        assert_int_equal(polls.elsewhere, 0);
    }
    guarded_free();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adamw_within_bounds),
        cmocka_unit_test(square_sum_within_bounds),
        cmocka_unit_test(square_sum_shows_faults),
        cmocka_unit_test(polls_come_from_the_caller),
    };
    return rows_run_group(tests);
}
