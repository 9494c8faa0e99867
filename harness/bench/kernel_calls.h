/* SPDX-License-Identifier: Apache-2.0
 *
 * One call of each operation, on the operands that its row of the table (kernel_ops.c) lists. */
#ifndef TOISE_BENCH_KERNEL_CALLS_H
#define TOISE_BENCH_KERNEL_CALLS_H

#include "bench/kernel_ops.h"

typedef void bench_kernel_call(const struct kernel_team *team, const struct bench_kernel_case *c, void *const *x);

bench_kernel_call bench_call_gemm, bench_call_attention_forward, bench_call_attention_backward, bench_call_norm_forward,
    bench_call_norm_grad_input, bench_call_norm_grad_params, bench_call_gelu_forward, bench_call_gelu_backward,
    bench_call_swiglu_forward, bench_call_swiglu_backward, bench_call_rotary, bench_call_column_sum,
    bench_call_cross_entropy_stats, bench_call_cross_entropy_grad, bench_call_embedding_forward,
    bench_call_embedding_backward, bench_call_adamw, bench_call_square_sum, bench_call_to_bf16, bench_call_from_bf16,
    bench_call_zero, bench_call_copy, bench_call_triad;

#endif
