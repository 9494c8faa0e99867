/* SPDX-License-Identifier: Apache-2.0
 *
 * Seconds of one matmul. It takes the longer of its arithmetic and its memory traffic. Its arithmetic is padded to
 * whole waves of whole tiles over the compute units (NVIDIA's matmul guide). It loses some of k to a tile's start and
 * end. It slows down where n or k is not a multiple of 64. Matmuls of layers may be in FP8 or FP4. */
#ifndef TOISE_COSTMODEL_MATMUL_H
#define TOISE_COSTMODEL_MATMUL_H

#include "costmodel/job.h"
#include "costmodel/parameters.h"
#include "costmodel/step.h"

/* What the device achieves on this job. */
struct cost_rates {
    double units;          /* compute units (SMs) */
    double matmul;         /* FLOP/s of large aligned matmuls at 16 bits */
    double low;            /* the same of layers' in the job's lower precision; 0: they have 16 bits */
    double low_word;       /* bytes of their operands' elements */
    double quantise;       /* seconds to quantise an element */
    double slow;           /* FLOP/s of batched matmuls whose n or k is not a multiple of 8: no tensor cores */
    double flash;          /* FLOP/s of fused attention */
    double memory;         /* bytes/s */
    double k0;             /* elements of k lost in a linear layer's matmul */
    double k0_attention;   /* elements of k lost in an attention head's matmul */
    double misaligned[13]; /* time factor, indexed by the factors of two that n and k together lack to 64 */
    double word;           /* bytes of an element at 16 bits, or of FP32 storage */
    bool quantised;        /* pad to whole tiles and waves */
};

void cost_rates_fill(const struct cost_job *job, const struct cost_parameters *p, const struct cost_ablation *ablation,
                     struct cost_rates *rates);

/* `batch` products of m x k by k x n in one launch, at 16 bits. batch 0: a single one. */
double cost_matmul_s(const struct cost_rates *rates, double m, double n, double k, double batch);
/* `groups` linear layers of m x k by k x n, each with its own weights, in one launch, in the job's precision. */
double cost_linear_s(const struct cost_rates *rates, double m, double n, double k, double groups);

#endif
