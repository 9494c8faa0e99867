/* SPDX-License-Identifier: Apache-2.0
 * check: emulated
 *
 * The gradients of cross-entropy, embedding and biases against central differences of their forwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/support/differences.h"

enum { CE_ROWS = 3, CE_VOCAB = 41, CE_CUT = 16, CE_N = CE_ROWS * CE_VOCAB };
static const int32_t ce_targets[CE_ROWS] = {0, 20, CE_VOCAB - 1};
static double ce_logits[CE_N];

static double cross_entropy_loss(const void *context) {
    const double *scale = context;
    double loss = 0;
    for (int r = 0; r < CE_ROWS; r++) {
        double sum = 0;
        for (int c = 0; c < CE_VOCAB; c++) sum += exp(ce_logits[r * CE_VOCAB + c]);
        loss += log(sum) - ce_logits[r * CE_VOCAB + ce_targets[r]];
    }
    return *scale * loss;
}

/* Two shards of the vocabulary, merged as ranks merge them. */
static void cross_entropy_gradient(void **state) {
    (void)state;
    const double scale = 0.25;
    float logits[CE_N], max[2][CE_ROWS], sum[2][CE_ROWS], target[2][CE_ROWS], dlogits[CE_N], loss[CE_ROWS];
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v))
        for (int t = 0; t < KERNEL_DTYPE_COUNT; t++) {
            operand(KERNEL_F32, logits, ce_logits, CE_N, 1);
            struct kernel_cross_entropy shard[2];
            for (int s = 0; s < 2; s++) {
                const int64_t first = s ? CE_CUT : 0;
                shard[s] = (struct kernel_cross_entropy){
                    .rows = CE_ROWS,
                    .vocab = s ? CE_VOCAB - CE_CUT : CE_CUT,
                    .ld = CE_VOCAB,
                    .first = first,
                    .logits = logits + first,
                    .targets = ce_targets,
                    .max = max[s],
                    .sum = sum[s],
                    .target_logit = target[s],
                    .loss = loss,
                    .scale = (float)scale,
                    .dtype = (enum kernel_dtype)t,
                    .dlogits = (char *)dlogits + (size_t)first * kernel_dtype_bytes((enum kernel_dtype)t)};
                v.ops.cross_entropy_stats(&v.team, &shard[s]);
            }
            for (int r = 0; r < CE_ROWS; r++) {
                const float high = fmaxf(max[0][r], max[1][r]);
                sum[0][r] = sum[0][r] * expf(max[0][r] - high) + sum[1][r] * expf(max[1][r] - high);
                max[0][r] = max[1][r] = high, sum[1][r] = sum[0][r], target[0][r] += target[1][r];
            }
            v.ops.cross_entropy_combine(&v.team, &shard[0]);
            double total = 0;
            for (int r = 0; r < CE_ROWS; r++) total += loss[r] * scale;
            within(&v, "loss", 0, total, cross_entropy_loss(&scale), 64 * U32 * fabs(total));
            for (int s = 0; s < 2; s++) v.ops.cross_entropy_grad(&v.team, &shard[s]);
            gradient_check(&v, "dlogits", (enum kernel_dtype)t, CE_N, dlogits, cross_entropy_loss, &scale, ce_logits,
                           2 * scale);
        }
}

enum { EM_ROWS = 11, EM_COLS = 19, EM_TABLE = 5, EM_SEQ = 4, EM_FIRST = 1, EM_POSITIONS = EM_SEQ + EM_FIRST };
static const int32_t em_tokens[EM_ROWS] = {0, 3, 3, 1, 4, 0, 3, 1, 1, 4, 3};
static double em_table[EM_TABLE * EM_COLS], em_positions[EM_POSITIONS * EM_COLS], em_weight[EM_ROWS * EM_COLS];

static double embedding_loss(const void *context) {
    (void)context;
    double loss = 0;
    for (int r = 0; r < EM_ROWS; r++)
        for (int c = 0; c < EM_COLS; c++)
            loss += em_weight[r * EM_COLS + c] *
                    (em_table[em_tokens[r] * EM_COLS + c] + em_positions[(EM_FIRST + r % EM_SEQ) * EM_COLS + c]);
    return loss;
}

/* y = x + bias for rows of x: dbias is the column sum of the weights */
static double bias_loss(const void *context) {
    const double *bias = context;
    double loss = 0;
    for (int r = 0; r < EM_ROWS; r++)
        for (int c = 0; c < EM_COLS; c++) loss += em_weight[r * EM_COLS + c] * bias[c];
    return loss;
}

static void embedding_and_bias_gradients(void **state) {
    (void)state;
    float table[EM_TABLE * EM_COLS], positions[EM_POSITIONS * EM_COLS], dx[EM_ROWS * EM_COLS];
    float dtoken[EM_TABLE * EM_COLS], dposition[EM_POSITIONS * EM_COLS], dbias[EM_COLS];
    double bias[EM_COLS] = {0};
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v))
        for (int t = 0; t < KERNEL_DTYPE_COUNT; t++) {
            operand((enum kernel_dtype)t, table, em_table, EM_TABLE * EM_COLS, 1);
            operand((enum kernel_dtype)t, positions, em_positions, EM_POSITIONS * EM_COLS, 2);
            operand((enum kernel_dtype)t, dx, em_weight, EM_ROWS * EM_COLS, 3);
            memset(dtoken, 0, sizeof dtoken), memset(dposition, 0, sizeof dposition), memset(dbias, 0, sizeof dbias);
            const struct kernel_embedding e = {.rows = EM_ROWS,
                                               .cols = EM_COLS,
                                               .seq = EM_SEQ,
                                               .position0 = EM_FIRST,
                                               .dtype = (enum kernel_dtype)t,
                                               .tokens = em_tokens,
                                               .dx = dx,
                                               .dtoken = dtoken,
                                               .dposition = dposition};
            v.ops.embedding_backward(&v.team, &e);
            gradient_check(&v, "dtoken", KERNEL_F32, EM_TABLE * EM_COLS, dtoken, embedding_loss, NULL, em_table, 8);
            gradient_check(&v, "dposition", KERNEL_F32, EM_POSITIONS * EM_COLS, dposition, embedding_loss, NULL,
                           em_positions, 8);
            v.ops.column_sum(&v.team, e.dtype, EM_ROWS, EM_COLS, dx, dbias);
            gradient_check(&v, "dbias", KERNEL_F32, EM_COLS, dbias, bias_loss, bias, bias, 8);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cross_entropy_gradient),
        cmocka_unit_test(embedding_and_bias_gradients),
    };
    lacking_report();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
