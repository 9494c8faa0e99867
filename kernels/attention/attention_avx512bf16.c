/* SPDX-License-Identifier: Apache-2.0
 *
 * Compiles attention_backward.inc.h and attention_forward.inc.h for the BF16 dot (16 lanes of pairs). FP32 goes to
 * avx512. */
#define KERNEL_LANES 16
#define ATTENTION_PAIRS
#include "attention/attention_backward.inc.h"
#include "attention/attention_forward.inc.h"

void kernel_attention_forward_avx512bf16(const struct kernel_team *team, const struct kernel_attention *a) {
    if (a->dtype == KERNEL_BF16)
        attention_forward(team, a);
    else
        kernel_attention_forward_avx512(team, a);
}
void kernel_attention_backward_avx512bf16(const struct kernel_team *team, const struct kernel_attention *a) {
    if (a->dtype == KERNEL_BF16)
        attention_backward(team, a);
    else
        kernel_attention_backward_avx512(team, a);
}
