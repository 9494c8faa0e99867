/* SPDX-License-Identifier: Apache-2.0
 *
 * Plain C of a mixture of experts: the router, and moves of rows between tokens and experts. The router has a few
 * numbers a token, so every instruction set uses this one. A gathered row is copied as it is. Sums over experts are
 * FP64. */
#include <math.h>
#include <string.h>

#include "declare.h"
#include "scalar.h"
#include "split.h"

static void route_softmax(int64_t n, const float *logits, float *probs) {
    float max = -INFINITY;
    double sum = 0;
    for (int64_t e = 0; e < n; e++) max = logits[e] > max ? logits[e] : max;
    for (int64_t e = 0; e < n; e++) sum += exp((double)logits[e] - max);
    for (int64_t e = 0; e < n; e++) probs[e] = (float)(exp((double)logits[e] - max) / sum);
}

static void route_sigmoid(int64_t n, const float *logits, float *probs) {
    for (int64_t e = 0; e < n; e++) probs[e] = (float)(1 / (1 + exp(-(double)logits[e])));
}

static bool route_has(int64_t count, const int32_t *choice, int64_t expert) {
    for (int64_t j = 0; j < count; j++)
        if (choice[j] == expert) return true;
    return false;
}

/* Picks one after the other the largest that is left. The first that is left is taken even if it is NaN. */
static void route_choose(const struct kernel_route *k, const float *probs, int32_t *choice) {
    for (int64_t j = 0; j < k->active; j++) {
        int64_t best = -1;
        float most = 0;
        for (int64_t e = 0; e < k->experts; e++) {
            const float score = k->bias ? probs[e] + scalar_get(k->dtype, k->bias, e) : probs[e];
            if (!route_has(j, choice, e) && (best < 0 || score > most)) best = e, most = score;
        }
        choice[j] = (int32_t)best;
    }
}

/* Sigmoids may all be 0: then weights are, as with transformers. */
static double route_sum(const struct kernel_route *k, const float *probs, const int32_t *choice) {
    double sum = k->sigmoid ? 1e-20 : 0;
    for (int64_t j = 0; j < k->active; j++) sum += probs[choice[j]];
    return sum;
}

void kernel_route_forward_ref(const struct kernel_team *team, const struct kernel_route *k) {
#pragma omp parallel for num_threads(team->threads) schedule(static)
    for (int64_t r = 0; r < k->rows; r++) {
        float *probs = k->probs + r * k->experts;
        int32_t *choice = k->choice + r * k->active;
        (k->sigmoid ? route_sigmoid : route_softmax)(k->experts, k->logits + r * k->experts, probs);
        if (!k->forced) route_choose(k, probs, choice);
        const double sum = route_sum(k, probs, choice);
        for (int64_t j = 0; j < k->active; j++)
            k->weights[r * k->active + j] = (float)(k->scale * probs[choice[j]] / sum);
        kernel_poll_row(team, r, k->experts);
    }
}

/* The gradient of the prob of expert e: of the weights w = scale p / S, where S sums the probs of the chosen, and of
 * probs. mean: of the weights' gradients, weighted by them. */
static double route_dprob(const struct kernel_route *k, int64_t r, int64_t e, double sum, double mean) {
    const int64_t at = r * k->active;
    double d = k->dprobs ? k->dprobs[r / k->seq * k->experts + e] : 0;
    for (int64_t j = 0; j < k->active; j++)
        if (k->choice[at + j] == e) d += ((double)k->scale * k->dweights[at + j] - mean) / sum;
    return d;
}

void kernel_route_backward_ref(const struct kernel_team *team, const struct kernel_route *k) {
#pragma omp parallel for num_threads(team->threads) schedule(static)
    for (int64_t r = 0; r < k->rows; r++) {
        const float *probs = k->probs + r * k->experts;
        const int64_t at = r * k->active;
        const double sum = route_sum(k, probs, k->choice + at);
        double mean = 0, dot = 0;
        for (int64_t j = 0; j < k->active; j++) mean += (double)k->weights[at + j] * k->dweights[at + j];
        for (int64_t e = 0; e < k->experts && !k->sigmoid; e++) dot += probs[e] * route_dprob(k, r, e, sum, mean);
        for (int64_t e = 0; e < k->experts; e++) {
            const double slope = k->sigmoid ? probs[e] * (1 - (double)probs[e]) : probs[e];
            scalar_put(k->dtype, k->dlogits, r * k->experts + e,
                       (float)(slope * (route_dprob(k, r, e, sum, mean) - dot)));
        }
        kernel_poll_row(team, r, k->experts);
    }
}

void kernel_rows_gather_ref(const struct kernel_team *team, const struct kernel_rows *k) {
    const size_t bytes = (size_t)k->cols * kernel_dtype_bytes(k->in);
#pragma omp parallel for num_threads(team->threads) schedule(static)
    for (int64_t r = 0; r < k->rows; r++) {
        memcpy((char *)k->y + (size_t)r * bytes, (const char *)k->x + (size_t)k->index[r] * bytes, bytes);
        kernel_poll_row(team, r, k->cols);
    }
}

void kernel_rows_sum_ref(const struct kernel_team *team, const struct kernel_rows *k) {
#pragma omp parallel for num_threads(team->threads) schedule(static)
    for (int64_t r = 0; r < k->rows; r++) {
        for (int64_t c = 0; c < k->cols; c++) {
            const int64_t at = r * k->cols + c;
            float sum = k->d ? scalar_get(k->out, k->d, at) : 0;
            for (int64_t j = r * k->count; j < (r + 1) * k->count; j++)
                sum += scalar_get(k->in, k->x, k->index[j] * k->cols + c);
            scalar_put(k->out, k->y, at, sum);
        }
        kernel_poll_row(team, r, k->cols);
    }
}
