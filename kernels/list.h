/* SPDX-License-Identifier: Apache-2.0
 *
 * Every variant once, K(operation, isa), each instruction set after the one that it builds on. The declarations, the
 * selection, the tests and the benchmarks are generated from it. K names the function kernel_<operation>_<isa>;
 * kernels.h has its contract. It has no include guard because it is included several times. */
#define KERNEL_ROWS(isa)                                                                                               \
    K(attention_forward, isa)                                                                                          \
    K(attention_backward, isa)                                                                                         \
    K(norm_forward, isa)                                                                                               \
    K(norm_grad_input, isa)                                                                                            \
    K(norm_grad_params, isa)                                                                                           \
    K(gelu_forward, isa)                                                                                               \
    K(gelu_backward, isa)                                                                                              \
    K(swiglu_forward, isa)                                                                                             \
    K(swiglu_backward, isa)                                                                                            \
    K(rows_sum, isa)                                                                                                   \
    K(rotary, isa)                                                                                                     \
    K(column_sum, isa)                                                                                                 \
    K(cross_entropy_stats, isa)                                                                                        \
    K(cross_entropy_combine, isa)                                                                                      \
    K(cross_entropy_grad, isa)                                                                                         \
    K(embedding_forward, isa)                                                                                          \
    K(embedding_backward, isa)                                                                                         \
    K(adamw, isa)                                                                                                      \
    K(square_sum, isa)                                                                                                 \
    K(to_bf16, isa)                                                                                                    \
    K(from_bf16, isa)                                                                                                  \
    K(zero, isa)                                                                                                       \
    K(copy, isa)                                                                                                       \
    K(triad, isa)

KERNEL_ROWS(ref)
K(route_forward, ref)
K(route_backward, ref)
K(rows_gather, ref)
K(gemm, ref)
K(gemm_pack, ref)
K(gemm_blocking, ref)
K(peak, ref)
K(tile_peak, ref)
K(stream, ref)
#ifdef KERNEL_HAVE_NEON
KERNEL_ROWS(neon)
K(gemm, neon)
K(gemm_pack, neon)
K(gemm_blocking, neon)
K(peak, neon)
K(tile_peak, neon)
K(stream, neon)
#endif
#ifdef KERNEL_HAVE_AVX2
KERNEL_ROWS(avx2)
K(gemm, avx2)
K(gemm_pack, avx2)
K(gemm_blocking, avx2)
K(peak, avx2)
K(tile_peak, avx2)
K(stream, avx2)
#endif
#ifdef KERNEL_HAVE_AVX512
KERNEL_ROWS(avx512)
K(gemm, avx512)
K(gemm_pack, avx512)
K(gemm_blocking, avx512)
K(peak, avx512)
K(tile_peak, avx512)
K(stream, avx512)
#endif
#ifdef KERNEL_HAVE_AVX512BF16
K(attention_forward, avx512bf16)
K(attention_backward, avx512bf16)
K(gemm, avx512bf16)
K(gemm_pack, avx512bf16)
K(gemm_blocking, avx512bf16)
K(peak, avx512bf16)
K(tile_peak, avx512bf16)
#endif
K(gemm, openblas) /* FP32 only; selected by backend, not by instruction set; BF16 goes to the best of the above */
/* gemm has one more variant, cblas, that only runs with a library of the caller: kernel_select_cblas */

#undef KERNEL_ROWS
