/* SPDX-License-Identifier: Apache-2.0
 *
 * How far the blocked matmul cuts a problem, the same for every instruction set. A word is 32 bits of an operand:
 * one FP32 number, or two BF16 numbers that follow each other along k.
 * Arithmetic for 14 x 32 tiles and caches of 48 KB (L1), 1 MB (L2) and a few MB a core (L3). */
#ifndef TOISE_KERNELS_GEMM_SIZES_H
#define TOISE_KERNELS_GEMM_SIZES_H

enum {
    /* Words along k at a time. A panel of A, 14 x 384 words = 21 KB, stays in L1 while panels of B (32 x 384
     * words = 48 KB) stream past it from L2: 128 bytes every 14 cycles of FMA. C is read and written once every
     * 384 words, 2 x 56 vector moves against 5,376 cycles. */
    GEMM_KC = 384,
    /* Columns that one thread goes through before the next panel of A: 384 x 384 words = 576 KB of B in L2. */
    GEMM_L2_COLUMNS = 384,
    /* Rows and columns packed at a time by all threads together: A 1.5 MB, B 4.5 MB, in L3. Packing a word of
     * A serves 3,072 multiplications, one of B serves 1,024. */
    GEMM_MC = 1024,
    GEMM_NC = 3072,
    /* Blocks are cut in equal parts and rounded up to whole panels of at most this many rows or columns. */
    GEMM_PANEL_MAX = 64,
};

#endif
