/* SPDX-License-Identifier: Apache-2.0
 *
 * How far the blocked matmul cuts a problem, the same for every instruction set. A word is 32 bits of an operand:
 * one FP32 number, or two BF16 numbers that follow each other along k.
 * Arithmetic for 14 x 32 tiles and caches of 48 KB (L1), 1 MB (L2) and a few MB a core (L3). */
#ifndef TOISE_KERNELS_GEMM_SIZES_H
#define TOISE_KERNELS_GEMM_SIZES_H

enum {
    /* Words along k at a time. A panel of A, 14 x 512 words = 28 KB, stays in L1 while panels of B (32 x 512
     * words = 64 KB) stream past it from L2: 128 bytes every 14 cycles of FMA. C is read and written once every
     * 512 words, 2 x 56 vector moves against 7,168 cycles. */
    GEMM_KC = 512,
    /* Columns that one thread goes through before the next panel of A: 192 x 512 words = 384 KB of B, under half
     * of L2, since A's panels and C pass through it too. */
    GEMM_L2_COLUMNS = 192,
    /* Rows and columns packed at a time by all threads together, 3,072 of the longer of m and n and 1,024 of the
     * other: 6 and 2 MB in L3. A word serves as many multiplications as the other side's block is long. */
    GEMM_LONG = 3072,
    GEMM_SHORT = 1024,
    /* Blocks are cut in equal parts and rounded up to whole panels of at most this many rows or columns. */
    GEMM_PANEL_MAX = 64,
};

#endif
