/* SPDX-License-Identifier: Apache-2.0
 *
 * One call of each operation, on the operands that its row of the table (kernel_ops.c) lists. */
#ifndef TOISE_RUN_KERNEL_CALLS_H
#define TOISE_RUN_KERNEL_CALLS_H

#include "run/kernel_ops.h"

typedef void run_kernel_call(const struct kernel_team *team, const struct run_kernel_case *c, void *const *x);

run_kernel_call run_call_gemm, run_call_attention_forward, run_call_attention_backward, run_call_norm_forward,
    run_call_norm_grad_input, run_call_norm_grad_params, run_call_gelu_forward, run_call_gelu_backward,
    run_call_swiglu_forward, run_call_swiglu_backward, run_call_rotary, run_call_column_sum,
    run_call_cross_entropy_stats, run_call_cross_entropy_grad, run_call_embedding_forward, run_call_embedding_backward,
    run_call_adamw, run_call_square_sum, run_call_to_bf16, run_call_from_bf16, run_call_zero, run_call_copy,
    run_call_triad;

#endif
