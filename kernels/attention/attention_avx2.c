/* SPDX-License-Identifier: Apache-2.0
 *
 * Attention for AVX2. */
#define KERNEL_LANES 8
#include "attention_backward.h"
#include "attention_forward.h"

void kernel_attention_forward_avx2(const struct kernel_team *team, const struct kernel_attention *a) {
    attention_forward(team, a);
}
void kernel_attention_backward_avx2(const struct kernel_team *team, const struct kernel_attention *a) {
    attention_backward(team, a);
}
