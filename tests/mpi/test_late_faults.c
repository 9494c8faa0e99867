/* SPDX-License-Identifier: Apache-2.0
 * check: ranks 4
 *
 * Faults of weight gradients that are computed apart from backward (support/layout_faults.h), on the first of two
 * stages. It has no head, so all matmuls there that transpose their first operand are such: MATMULS of each layer and
 * micro-batch. */
#include "mpi/support/layout_faults.h"

enum { MATMULS = 4, LAYERS_MOST = 8 };

static bool is_weights(const struct kernel_gemm *g) {
    return !last_stage && g->a_trans;
}
/* Whether the next one is of every second micro-batch. */
static bool is_second(void) {
    return calls++ / (MATMULS * layers) % 2;
}
static void skipped(const struct kernel_team *team, const struct kernel_gemm *g) {
    if (!is_weights(g) || !is_second()) sound.gemm(team, g);
}
static void doubled(const struct kernel_team *team, const struct kernel_gemm *g) {
    sound.gemm(team, g);
    if (is_weights(g) && is_second()) sound.gemm(team, g);
}
/* The operand of the micro-batch before, whose memory may be another's by then. */
static const void *before(const void *operand) {
    static const void *last[MATMULS * LAYERS_MOST];
    const int64_t all = MATMULS * layers, i = calls % all;
    const void *const other = calls++ < all || layers > LAYERS_MOST ? operand : last[i];
    if (layers <= LAYERS_MOST) last[i] = operand;
    return other;
}
static void activations_of_another(const struct kernel_team *team, const struct kernel_gemm *g) {
    struct kernel_gemm wrong = *g;
    if (is_weights(g)) wrong.b = before(g->b);
    sound.gemm(team, &wrong);
}

static const struct fault faults[] = {
    {"healthy", "gpt2", 1, 0, 0, 2, 1, .late = true},
    {"healthy", "bloom", 1, 0, 2, 4, 1, .late = true},
    {"healthy", "mistral", 2, 1, 3, 2, 1, .late = true},
    {"weight gradients of a micro-batch skipped", "gpt2", 1, 0, 0, 2, 1, .late = true, KERNEL(gemm, skipped)},
    {"weight gradients of a micro-batch twice", "bloom", 1, 0, 2, 2, 1, .late = true, KERNEL(gemm, doubled)},
    {"weight gradients from another micro-batch's activations", "llama", 1, 0, 1, 2, 1, .late = true,
     KERNEL(gemm, activations_of_another)},
};

int main(void) {
    struct agreed a;
    agreed_open(&a);
    return judge_all(&a, faults, sizeof faults / sizeof *faults);
}
