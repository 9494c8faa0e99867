/* SPDX-License-Identifier: Apache-2.0
 *
 * Plain C of the operations on the vocabulary: sharded softmax cross-entropy, embedding gather and scatter. */
#include <math.h>

#include "declare.h"
#include "scalar.h"
#include "split.h"

void kernel_cross_entropy_stats_ref(const struct kernel_team *team, const struct kernel_cross_entropy *e) {
#pragma omp parallel for num_threads(team->threads) schedule(static)
    for (int64_t r = 0; r < e->rows; r++) {
        const float *logits = e->logits + r * e->ld;
        const int64_t target = e->targets[r] - e->first;
        float max = -INFINITY;
        for (int64_t c = 0; c < e->vocab; c++) max = logits[c] > max ? logits[c] : max;
        double sum = 0;
        for (int64_t c = 0; c < e->vocab; c++) sum += logits[c] == -INFINITY ? 0 : exp((double)logits[c] - max);
        e->max[r] = max;
        e->sum[r] = (float)sum;
        e->target_logit[r] = target >= 0 && target < e->vocab ? logits[target] : 0;
        kernel_poll_row(team, r, e->vocab);
    }
}

void kernel_cross_entropy_combine_ref(const struct kernel_team *team, const struct kernel_cross_entropy *e) {
#pragma omp parallel for num_threads(team->threads) schedule(static)
    for (int64_t r = 0; r < e->rows; r++) e->loss[r] = logf(e->sum[r]) + (e->max[r] - e->target_logit[r]);
}

void kernel_cross_entropy_grad_ref(const struct kernel_team *team, const struct kernel_cross_entropy *e) {
#pragma omp parallel for num_threads(team->threads) schedule(static)
    for (int64_t r = 0; r < e->rows; r++) {
        const int64_t at = r * e->ld, target = e->targets[r] - e->first;
        for (int64_t c = 0; c < e->vocab; c++) {
            const double p = exp((double)e->logits[at + c] - e->max[r]) / e->sum[r];
            scalar_put(e->dtype, e->dlogits, at + c, (float)((p - (c == target)) * e->scale));
        }
        kernel_poll_row(team, r, e->vocab);
    }
}

void kernel_embedding_forward_ref(const struct kernel_team *team, const struct kernel_embedding *e) {
    const enum kernel_dtype t = e->dtype;
#pragma omp parallel for num_threads(team->threads) schedule(static)
    for (int64_t r = 0; r < e->rows; r++) {
        const int64_t row = kernel_embedding_row(e, r), position = (e->position0 + r % e->seq) * e->cols;
        for (int64_t c = 0; c < e->cols; c++) {
            const float p = e->position_table ? scalar_get(t, e->position_table, position + c) : 0;
            const float x = row < 0 ? 0 : scalar_get(t, e->token_table, row * e->cols + c) + p;
            scalar_put(t, e->x, r * e->cols + c, x);
        }
        kernel_poll_row(team, r, e->cols);
    }
}

void kernel_embedding_backward_ref(const struct kernel_team *team, const struct kernel_embedding *e) {
#pragma omp parallel num_threads(team->threads)
    {
        const struct kernel_range share = kernel_share(e->cols, 16);
        for (int64_t r = 0; r < e->rows; r++) {
            const int64_t row = kernel_embedding_row(e, r), position = (e->position0 + r % e->seq) * e->cols;
            for (int64_t c = share.begin; c < share.end; c++) {
                const float dx = scalar_get(e->dtype, e->dx, r * e->cols + c);
                if (e->dtoken && row >= 0) e->dtoken[row * e->cols + c] += dx;
                if (e->dposition) e->dposition[position + c] += dx;
            }
            kernel_poll_row(team, r, share.end - share.begin);
        }
    }
}
