/* SPDX-License-Identifier: Apache-2.0
 *
 * What subdirectories of kernels/ need of team->scratch. kernel_scratch_bytes() returns the largest. */
#ifndef TOISE_KERNELS_SCRATCH_H
#define TOISE_KERNELS_SCRATCH_H

#include <stddef.h>
#include <stdint.h>

size_t kernel_gemm_scratch(int threads);
size_t kernel_attention_scratch(int threads, int64_t seq, int64_t head_dim);
size_t kernel_rows_scratch(int threads);

#endif
