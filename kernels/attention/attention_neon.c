/* SPDX-License-Identifier: Apache-2.0
 *
 * Compiles attention_backward.inc.h and attention_forward.inc.h for NEON (4 lanes). */
#define KERNEL_LANES 4
#include "attention/attention_backward.inc.h"
#include "attention/attention_forward.inc.h"

void kernel_attention_forward_neon(const struct kernel_team *team, const struct kernel_attention *a) {
    attention_forward(team, a);
}
void kernel_attention_backward_neon(const struct kernel_team *team, const struct kernel_attention *a) {
    attention_backward(team, a);
}
